"""scale: the same figures with a thousand orders and with a million in the database, all of them one shop's (the worst case)."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from domain.ids import AttemptId, OrganizationId, PersonId
from domain.payment import Notice, Outcome, Proof, Reply
from domain.ports import Unit
from domain.rights import Actor, Party
from payloom.bench import load, stock
from payloom.bench.buy_page import page_request
from payloom.bench.figures import Figure
from payloom.bench.process import running
from payloom.bench.settle import house_on
from payloom.bench.stock import Stock
from payloom.streets import town_settings
from payloom.wiring import build
from usecases import orders, settlement, views

GOAL = 1.3
READS = ("order list", "work list", "wallet")


def run(
    *,
    few: int = 1_000,
    many: int = 1_000_000,
    rounds: int = 5,
    sales: int = 400,
    pages: int = 2000,
    reads: int = 400,
    uvloop: bool = True,
    **_: Any,
) -> tuple[list[Figure], list[str]]:
    """The ratio is time with `many` orders by time with `few`: at most 1.3."""
    names = ("settle", "buy-page", *READS)
    figures = {name: Figure("scale", f"SQLite, {name}", "ms", goal=GOAL, less=True, floor_is=f"{few:,} orders") for name in names}
    with tempfile.TemporaryDirectory() as folder:
        waiting = (rounds + 1) * sales + 1
        made = [build_shop(Path(folder) / name, count, waiting) for name, count in (("few", few), ("many", many))]
        with house_on(made[0], uvloop=uvloop) as small, house_on(made[1], uvloop=uvloop) as large:
            at = 0
            for number in range(rounds + 1):
                for name in ("settle", "buy-page"):
                    spent = []
                    for house, shop in ((large, made[1]), (small, made[0])):
                        requests = (
                            shop.callbacks(range(at, at + sales)) if name == "settle" else [page_request(shop.link_code, "gzip")] * pages
                        )
                        spent.append(1000 / load.send(house.port, requests, 16, uvloop=uvloop).per_s)
                    if number:
                        figures[name].add(*spent)
                at += sales
        for shop, orders_before in zip(made, (few, many), strict=True):
            with stock.connected(shop.database_url) as run_sql:
                assert run_sql("SELECT count(*) FROM orders") == [(orders_before + at,)], "every callback made an order"
        with (
            running("payloom.bench.scale", _asked(made[1], reads)) as large,
            running("payloom.bench.scale", _asked(made[0], reads)) as small,
        ):
            for number in range(rounds + 1):
                spent_many, spent_few = large.ask("read"), small.ask("read")
                for name in READS if number else ():
                    figures[name].add(spent_many[name], spent_few[name])
        figures["settle"].note = f"{many:,} orders: {_megabytes(made[1])} MB; {few:,}: {_megabytes(made[0])} MB"
    return list(figures.values()), []


def _megabytes(shop: Stock) -> int:
    return stock.sqlite_path(shop.database_url).stat().st_size // 2**20


def _asked(shop: Stock, reads: int) -> str:
    return json.dumps(
        {"data": str(shop.data), "database_url": shop.database_url, "shop": shop.organization_id, "person": shop.person_id, "reads": reads}
    )


def build_shop(data: Path, count: int, waiting: int) -> Stock:
    """A shop with `count` orders, completed but for the last, and with `waiting` sales whose phones ring."""
    url = f"sqlite+aiosqlite:///{data}/ours.db"
    first = stock.make(data, url, 1)
    with asyncio.Runner() as runner:
        runner.run(_complete(first))
    with stock.connected(url) as run_sql:
        run_sql("DELETE FROM outbox WHERE fact <> 'order_completed'")
    stock.multiply(replace(first, count=count), stock.SETTLED)
    with asyncio.Runner() as runner:
        newest = runner.run(_one_more(first))
    boundary = (newest.checkout_id & -stock.STEP) - 1  # what was made in one millisecond is in no order
    shop = replace(first, attempt_id=newest.attempt_id, checkout_id=newest.checkout_id, count=waiting, ref=stock.NEXT)
    stock.multiply(shop, stock.WAITING, newer_than=boundary)
    return shop


async def _complete(shop: Stock) -> None:
    built = build(town_settings(shop.data, 0, shop.database_url), paced=False)
    await built.open_store()
    try:
        await built.store.write(_sell, AttemptId(shop.attempt_id), OrganizationId(shop.organization_id), PersonId(shop.person_id))
    finally:
        await built.close_store()


def _sell(unit: Unit, attempt_id: AttemptId, shop: OrganizationId, seller: PersonId) -> None:
    """A sale from the callback to the release."""
    notice = Notice("daraja", "bench", "stk", Outcome.SUCCEEDED, Proof.HINT, attempt_id, stock.FIRST, stock.receipt_of(0)[:-1], stock.PRICE)
    settlement.apply_notice(unit, notice)
    settlement.record_fetch(unit, attempt_id, Reply(Outcome.SUCCEEDED))
    checkout = unit.checkouts.get(unit.payments.attempt(attempt_id).checkout_id)  # type: ignore[union-attr]
    order = unit.orders.of_checkout(checkout.id)
    assert order is not None
    orders.ship_order(unit, Actor(Party.OWNER, "telegram", seller, shop), order.number)
    orders.confirm_delivery(unit, Actor(Party.BUYER, "telegram", order.buyer_id), order.number)


async def _one_more(shop: Stock) -> Stock:
    built = build(town_settings(shop.data, 0, shop.database_url), paced=False)
    await built.open_store()
    try:
        attempt_id, checkout_id = await built.store.write(stock.one_more_sale, shop.link_code, built.hall.abilities)
    finally:
        await built.close_store()
    return replace(shop, attempt_id=attempt_id, checkout_id=checkout_id)


def order_list(unit: Unit, actor: Actor) -> Sequence[Any]:
    assert actor.organization_id is not None
    return unit.orders.of_organization(actor.organization_id, None, 20)


async def _read(asked: dict[str, Any]) -> dict[str, Any]:
    """Milliseconds for each question, through the store as a door asks it."""
    built = build(town_settings(Path(asked["data"]), 0, asked["database_url"]), paced=False)
    await built.open_store()
    actor = Actor(Party.OWNER, "telegram", PersonId(asked["person"]), OrganizationId(asked["shop"]))
    spent = {}
    try:
        for name, question in zip(READS, (order_list, views.work_list, views.wallet_view), strict=True):
            began_s = time.perf_counter()
            for _ in range(asked["reads"]):
                await built.store.read(question, actor)  # type: ignore[arg-type]
            spent[name] = (time.perf_counter() - began_s) / asked["reads"] * 1000
    finally:
        await built.close_store()
    return spent


def main(text: str) -> None:
    from contextlib import asynccontextmanager  # noqa: PLC0415 - the child's side only

    from payloom.bench.process import serve  # noqa: PLC0415 - as above

    @asynccontextmanager
    async def opened() -> Any:
        async def answer(_question: str) -> dict[str, Any]:
            return await _read(json.loads(text))

        yield 0, answer

    serve(opened, uvloop=True)


if __name__ == "__main__":
    import sys

    main(sys.argv[1])
