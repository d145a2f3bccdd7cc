"""How long an audit takes: `python -m tests.audit.measure [sales] [postgres]` makes a house with that many sales and audits it.

Two thousand sales are made by the use cases: most of them over (shipped, delivered, confirmed), some open, refunded or disputed. The others
are copies of them with ids and marks of their own, for a house of a hundred thousand takes long to live.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

from rich.console import Console
from sqlalchemy import Table, select

from domain.order import Reason
from domain.ports import Unit
from domain.records import AuditRecord, audit_mark
from payloom.audit import audit, show
from payloom.migrate import migrate
from storage.mapping import Mapper
from storage.proofs import Finding
from storage.statements import POSTGRES, Session, Sql, insert_into
from storage.tables import (
    attempts,
    checkouts,
    disputes,
    entries,
    inbox,
    links,
    orders,
    outbox,
    payments,
    postings,
    refunds,
)
from storage.tables import audit as trail
from tests.audit.ground import AMINA, PRICE, READ, SELLER, World, found, returned, sell
from tests.storage.ground import AUDIT_KEY, StillClock, opened, raw, surroundings
from usecases import disputes as arguing
from usecases import links as selling
from usecases import orders as working
from usecases.seals import seal_trail

MADE = 2_000
AT_ONCE = 25
"""Sales in a unit: they share a millisecond, and their ids must not meet."""

COPIED: tuple[Table, ...] = (links, checkouts, payments, attempts, orders, refunds, disputes, entries, postings, inbox, outbox)
FAR = 1 << 48
"""From the ids of one copy to those of the next."""

ID = re.compile(r"\d{17,19}")
UNIQUE = {"number", "code"}


def some(unit: Unit, world: World, begin: int) -> None:
    """Sales at a link of their own, so that no limit of prompts is met."""
    world.codes["goods"] = selling.create_link(unit, SELLER, selling.NewLink(f"link {begin}", "Sneakers", PRICE)).code
    for n in range(begin, begin + AT_ONCE):
        order = sell(unit, world, f"sale {n}")
        if n % 20 < 16:
            working.ship_order(unit, SELLER, order.number)
            working.mark_delivered(unit, SELLER, order.number)
            working.confirm_delivery(unit, AMINA, order.number)
        elif n % 20 == 16:
            working.cancel_order(unit, AMINA, order.number)
            returned(unit, order.attempt_id)
        elif n % 20 == 17:
            arguing.open_dispute(unit, AMINA, order.number, Reason.OTHER, "Not what I asked for")
        elif n % 20 == 18:
            working.ship_order(unit, SELLER, order.number)


def moved(value: Any, far: int) -> Any:
    """An id, wherever it stands, becomes the copy's."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value + far if value > 10**16 else value
    if isinstance(value, str):
        return ID.sub(lambda place: str(int(place[0]) + far), value)
    return value if value is None else moved(bytes(value).decode(), far).encode()


def copied(table: Table, rows: list[Any], copy: int) -> Iterator[dict[str, Any]]:
    names = [column.name for column in table.columns]
    for row in rows:
        new = {name: moved(value, copy * FAR) for name, value in zip(names, row, strict=True)}
        for name in UNIQUE & new.keys():
            new[name] = f"{new[name]}.{copy}"
        if table in {links, checkouts, attempts}:
            new["key"] = f"{new['key']}.{copy}"
        yield new


def told_again(rows: list[Any], copy: int) -> Iterator[dict[str, Any]]:
    """The trail of the copies, with marks of its own."""
    record_of, previous, subject = Mapper(trail, AuditRecord), "", ""
    for new in copied(trail, rows, copy):
        previous = "" if new["subject"] != subject else previous
        bare = replace(record_of.read(tuple(new.values())), previous=previous)
        subject, previous = bare.subject, audit_mark(AUDIT_KEY, bare)
        yield {**new, "previous": bare.previous, "mark": previous}


def write(session: Session, table: Table, rows: list[dict[str, Any]]) -> None:
    if session.dialect != POSTGRES:
        session.many(insert_into(table), rows)
        return
    names = ", ".join(f'"{column.name}"' for column in table.columns)
    with session.connection.cursor() as cursor, cursor.copy(f"COPY {table.name} ({names}) FROM STDIN") as lines:
        for row in rows:
            lines.write_row(tuple(row.values()))


def copy_all(url: str, copies: int) -> None:
    with raw(url) as session:
        own = {table: session.run(Sql(select(table))).fetchall() for table in COPIED}
        by_subject = Sql(select(trail).where(trail.c.seq > 0).order_by(trail.c.subject, trail.c.seq))
        told = [row for row in session.run(by_subject).fetchall() if row[1].startswith("sale:")]
        for copy in range(1, copies + 1):
            session.plain("BEGIN")
            for table, rows in own.items():
                write(session, table, list(copied(table, rows, copy)))
            write(session, trail, list(told_again(told, copy)))
            session.plain("COMMIT")
        session.plain(
            "UPDATE wallets SET owed_minor = (SELECT -sum(amount_minor) FROM postings p WHERE p.account = wallets.account AND p.currency = wallets.currency)"
        )
        session.plain("ANALYZE")


async def live(url: str, sales: int, clock: StillClock) -> None:
    migrate(url)
    async with opened(url, surroundings(clock)) as store:
        world = await store.write(found)
        for begin in range(0, min(sales, MADE), AT_ONCE):
            clock.at += timedelta(seconds=3)
            await store.write(some, world, begin)
        copy_all(url, max(sales // MADE - 1, 0))
        clock.at += timedelta(days=1)
        while await store.write(seal_trail):
            pass


async def measure(url: str, sales: int) -> None:
    clock, console = StillClock(), Console(width=170)
    began = time.monotonic()
    await live(url, sales, clock)
    console.print(f"{sales:,} sales in {time.monotonic() - began:.0f} s")
    last, took, busy_s = time.monotonic(), [], time.process_time()

    def heard(finding: Finding) -> None:
        nonlocal last
        took.append((time.monotonic() - last, finding.name))
        last = time.monotonic()

    show(await audit(url, key=AUDIT_KEY, read=READ, now=clock.at - timedelta(days=1), heard=heard), console)
    console.print(f"of which {time.process_time() - busy_s:.1f} s of this process")
    for seconds, name in sorted(took, reverse=True)[:10]:
        console.print(f"{seconds:8.2f} s  {name}")


def main() -> None:
    from tests.postgres import running_postgres  # noqa: PLC0415 - not needed with SQLite

    sales = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with contextlib.ExitStack() as stack:
        if sys.argv[2:] == ["postgres"]:
            url = stack.enter_context(running_postgres()).new_database()
        else:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="payloom-audit-"))
            url = f"sqlite+aiosqlite:///{Path(folder) / 'payloom.db'}"
        asyncio.run(measure(url, sales))


if __name__ == "__main__":
    main()
