"""S1, S3, S5, S7, S8: who wins when everybody wants something else of the same order, the last unit, or the same second."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest

from domain.errors import NotForSale
from domain.ids import OutboxId
from domain.order import Due, Order, Reason
from domain.payment import About, Notice, Outcome, Proof
from domain.person import ChannelKind
from domain.ports import Delivery, Sent, Unit
from jobs.sweeps import Timers
from tests.factories import admin, buyer, manager
from tests.fakes import NullBell
from tests.races.arena import Arena, Failed, refusals
from usecases.checkouts import NewCheckout, start_checkout
from usecases.disputes import open_dispute, refund_dispute, resolve_dispute
from usecases.hall import Hall
from usecases.orders import cancel_order, confirm_delivery, run_order_timer
from usecases.outbox import claim_messages, record_sent
from usecases.settlement import apply_notice
from usecases.sweeps import due_orders

MICROSECOND = timedelta(microseconds=1)
Contender = Callable[[Unit], Any]
ENDS = {("COMPLETED", "RELEASED"), ("REFUNDED", "REFUNDED"), ("DISPUTED", "DISPUTED")}


def everybody(order: Order) -> dict[str, Contender]:
    return {
        "confirm": lambda unit: confirm_delivery(unit, buyer, order.number),
        "dispute": lambda unit: open_dispute(unit, buyer, order.number, Reason.NOT_ARRIVED, "nothing came"),
        "auto-release": lambda unit: run_order_timer(unit, order.id),
        "refund": lambda unit: refund_dispute(unit, manager, order.number),
        "ruling": lambda unit: resolve_dispute(unit, admin, order.number, "release"),
        "cancel": lambda unit: cancel_order(unit, manager, order.number),
    }


def ended(arena: Arena, order: Order) -> tuple[str, str]:
    now = arena.street.order(order.id)
    return str(now.state), str(now.escrow)


def one_way(arena: Arena, order: Order) -> None:
    """Money left this escrow at most once, and whole."""
    out = arena.count("entries", f"kind IN ('release', 'refund_asked') AND cause LIKE '%{order.id}%'")
    refunds = arena.count("refunds", f"order_id = {order.id}")
    state = ended(arena, order)
    assert state in ENDS
    left = int(arena.rows(f"SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account = 'escrow:{order.id}'")[0][0])
    assert left == (-250_000 if state[0] == "DISPUTED" else 0)
    assert refunds == (1 if state[0] == "REFUNDED" else 0)
    assert out <= 1


async def test_of_confirm_dispute_release_refund_and_ruling_at_once_exactly_one_moves_the_money(arena: Arena) -> None:
    """S1. Losers see the present state: an answer, or a refusal of the rules, never half an effect."""
    seen = set()
    for _ in range(12):
        (order,) = ripe(arena)
        arena.street.later(timedelta(hours=1))
        async with arena.opened(8) as store:
            answers = await arena.race(store, *everybody(order).values())
        assert set(refusals(answers)) <= {"IllegalTransition", "NotFound", "BadInput"}
        one_way(arena, order)
        seen.add(ended(arena, order))
    await arena.proved()


def ripe(arena: Arena, count: int = 1) -> list[Order]:
    """Orders delivered seven days ago less an hour, both warnings given: what is due next, in an hour, is the release."""
    orders = [arena.street.delivered() for _ in range(count)]
    for days in (timedelta(days=5, seconds=1), timedelta(days=1)):
        arena.street.later(days)
        for order in orders:
            arena.unit(run_order_timer, order.id)
    arena.street.later(timedelta(hours=23))
    ripened = [arena.street.order(order.id) for order in orders]
    assert {str(order.due) for order in ripened} == {str(Due.RELEASE)}
    return ripened


class Naive:
    """The mistake that section 1 of the safety design tells of: the state is read, judged, and written without a guard."""

    def __init__(self, order: Order, contenders: int) -> None:
        self._order = order
        self._read = threading.Barrier(contenders)

    def __call__(self, unit: Any) -> bool:
        order = unit.orders.get(self._order.id)
        self._read.wait(10)
        if str(order.state) != "DELIVERED":
            return False
        unit.session.plain(f"UPDATE orders SET state = 'COMPLETED', escrow = 'RELEASED' WHERE id = {order.id}")
        return True


async def test_the_naive_read_then_write_is_caught_by_the_same_harness(pg_arena: Arena) -> None:
    """Section 4: a harness that the naive variant passes proves nothing. Here it pays out once for each contender."""
    order = pg_arena.street.delivered()
    async with pg_arena.opened(8) as store:
        naive = Naive(order, 5)
        paid_out = await pg_arena.race(store, *[naive] * 5)
    assert paid_out == [True] * 5
    order = pg_arena.street.delivered()
    async with pg_arena.opened(8) as store:
        guarded = await pg_arena.race(store, *[lambda unit: str(confirm_delivery(unit, buyer, order.number))] * 5)
    assert sorted(guarded, key=str) == ["already"] * 4 + ["released"]
    assert pg_arena.owed_minor("wallet") == 243_750


def wants(arena: Arena, new: NewCheckout) -> Contender:
    return lambda unit: start_checkout(unit, new).id


@pytest.mark.parametrize(("units", "buyers"), [(1, 2), (10, 200)])
async def test_the_last_units_are_sold_exactly_once(arena: Arena, units: int, buyers: int) -> None:
    """S3. Exact sell-out; everybody else is told that it is gone, before anything is charged."""
    link = arena.street.link(stock=units)
    wanted = [arena.street.new_checkout(link) for _ in range(buyers)]
    async with arena.opened() as store:
        answers = []
        for start in range(0, buyers, 50):
            answers += await arena.race(store, *(wants(arena, new) for new in wanted[start : start + 50]))
    lost = [answer.error for answer in answers if isinstance(answer, Failed)]
    assert len(lost) == buyers - units
    assert all(isinstance(error, NotForSale) for error in lost)
    assert arena.count("checkouts") == units
    assert (arena.street.link_now(link).stock, str(arena.street.link_now(link).state)) == (0, "SOLD_OUT")
    await arena.proved()


async def test_a_link_for_one_sale_wanted_by_fifty_at_once_is_used_once(arena: Arena) -> None:
    """S7, promise 7: one unit, kept by the database."""
    link = arena.street.link(stock=1)
    async with arena.opened() as store:
        answers = await arena.race(store, *(wants(arena, arena.street.new_checkout(link)) for _ in range(50)))
    assert len(refusals(answers)) == 49
    assert arena.count("checkouts") == 1
    await arena.proved()


@pytest.mark.parametrize("off", [-MICROSECOND, timedelta(0), MICROSECOND], ids=["just before", "exactly", "just after"])
async def test_at_the_second_of_release_the_dispute_window_includes_its_last_instant(arena: Arena, off: timedelta) -> None:
    """S8. Up to and at the due instant a dispute wins over the sweep; after it the sweep may win, and then the dispute is refused."""
    (order,) = ripe(arena)
    due_at = order.due_at
    assert due_at is not None
    arena.street.later(due_at - arena.clock.now() + off)
    async with arena.opened(8) as store:
        answers = await arena.race(
            store,
            lambda unit: run_order_timer(unit, order.id),
            lambda unit: open_dispute(unit, buyer, order.number, Reason.NOT_ARRIVED, "late but in time").id,
        )
    state = ended(arena, order)
    if off <= timedelta(0):
        assert answers[0] is None
        assert state == ("DISPUTED", "DISPUTED")
    else:
        assert state in {("COMPLETED", "RELEASED"), ("DISPUTED", "DISPUTED")}
    one_way(arena, order)
    await arena.proved()


async def test_two_schedulers_at_once_release_each_order_once(arena: Arena) -> None:
    """S5. No lock and no leader: both sweep the same rows, and each order is released once."""
    orders = ripe(arena, 20)
    arena.street.later(timedelta(hours=2))
    async with arena.opened(16) as store:
        hall = Hall(store, {}, NullBell(), arena.clock, arena.around.house, arena.around.tokens)
        timers = Timers(hall), Timers(hall)
        for _ in range(3):
            await asyncio.gather(*(one() for one in timers))
    assert {ended(arena, order) for order in orders} == {("COMPLETED", "RELEASED")}
    assert arena.count("entries", "kind = 'release'") == 20
    assert arena.owed_minor("wallet") == 20 * 243_750
    await arena.proved()


async def test_a_scheduler_that_was_paused_after_reading_what_is_due_changes_nothing_when_it_wakes(arena: Arena) -> None:
    """S5. A stale leader: its list is ten minutes old, a buyer has confirmed and another one disputed meanwhile."""
    confirmed, disputed, due = ripe(arena, 3)
    async with arena.opened(8) as store:
        await store.write(open_dispute, buyer, disputed.number, Reason.BROKEN, "a crack")
        arena.street.later(timedelta(hours=2))
        stale = [*await store.read(due_orders, 100), disputed.id]
        await store.write(confirm_delivery, buyer, confirmed.number)
        assert await store.write(run_order_timer, due.id) is not None
        arena.street.later(timedelta(minutes=10))
        for order_id in stale:
            await store.write(run_order_timer, order_id)
    assert ended(arena, disputed) == ("DISPUTED", "DISPUTED")
    assert arena.count("entries", "kind = 'release'") == 2
    await arena.proved()


async def test_two_workers_never_take_the_same_message(arena: Arena) -> None:
    """S5, K4. Each waiting message is claimed by one of them."""
    for _ in range(10):
        arena.street.paid()
    waiting = arena.count("outbox", "state = 'WAITING'")
    claimed: list[OutboxId] = []
    async with arena.opened() as store:
        for _ in range(waiting):  # a person's messages go out one after the other: the next ones when these are told
            taken = await arena.race(store, *[lambda unit: [message.id for message in claim_messages(unit, 7, ChannelKind.TELEGRAM)]] * 20)
            assert refusals(taken) == []
            now = [number for one in taken if not isinstance(one, Failed) for number in one]
            if not now:
                break
            for number in now:
                await store.write(record_sent, number, Sent(Delivery.SENT))
            claimed += now
    assert len(claimed) == len(set(claimed)) == waiting


async def test_two_releases_at_once_pay_a_debt_once(arena: Arena) -> None:
    """C18, S1: what the seller owes is read while the wallet is held, so whoever is second sees what the first has taken."""
    for turn in range(6):
        gone, *others = (arena.street.delivered() for _ in range(5))
        arena.unit(confirm_delivery, buyer, gone.number)
        wallet = arena.owed_minor("wallet")
        for case in range(2):
            key = f"dp_{turn}_{case}"
            arena.unit(
                apply_notice,
                Notice("daraja", key, "event", Outcome.PENDING, Proof.PROOF, gone.attempt_id, about=About.CHARGEBACK, refund_ref=key),
            )
        async with arena.opened(4) as store:
            answers = await arena.race(store, *(partial(_confirm, number=order.number) for order in others))
        assert refusals(answers) == []
        assert arena.owed_minor("wallet") == wallet + 4 * 243_750 - 500_000
        assert arena.owed_minor("receivable") == 0
    await arena.proved()


def _confirm(unit: Unit, number: str) -> Any:
    return confirm_delivery(unit, buyer, number)
