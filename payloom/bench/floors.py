"""The floors of settling: the same rows by the bare drivers, statement by statement, one commit for each sale. Nothing else is done."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Any

from payloom.bench.rows import UPDATED, WRITTEN, Row, Settlement
from payloom.bench.stock import sqlite_path

PRAGMAS = ("PRAGMA journal_mode=WAL", "PRAGMA synchronous=FULL", "PRAGMA foreign_keys=ON", "PRAGMA cache_size=-16000")
FIND = "SELECT a.state, a.version, p.version, c.version FROM attempts a JOIN payments p ON p.id = a.payment_id JOIN checkouts c ON c.id = a.checkout_id WHERE a.id = {0}"
Statements = list[tuple[str, tuple[Any, ...]]]


def _update(table: str, row: Row, mark: str) -> tuple[str, tuple[Any, ...]]:
    names = [name for name in row if name != "id"]
    sets = ", ".join(f'"{name}" = {mark.format(place)}' for place, name in enumerate(names, 1))
    values = tuple(row[name] for name in names)
    return f'UPDATE "{table}" SET {sets} WHERE id = {mark.format(len(names) + 1)}', (*values, row["id"])  # noqa: S608 - our own names


def _insert(table: str, row: Row, mark: str) -> tuple[str, tuple[Any, ...]]:
    names = ", ".join(f'"{name}"' for name in row)
    marks = ", ".join(mark.format(place) for place in range(1, len(row) + 1))
    return f'INSERT INTO "{table}" ({names}) VALUES ({marks})', tuple(row.values())  # noqa: S608 - as above


def statements(sale: Settlement, mark: str) -> Statements:
    """One select, then a statement for each row: built before the clock runs."""
    changed: Mapping[str, Row] = sale.changed
    found: Statements = [(FIND.format(mark.format(1)), (changed["attempts"]["id"],))]
    found += [_update(table, changed[table], mark) for table in UPDATED]
    found += [_insert(table, row, mark) for table in WRITTEN for row in sale.added[table]]
    return found


def by_sqlite(database_url: str, sales: Sequence[Settlement]) -> float:
    """Sales per second by sqlite3 on one thread."""
    work = [statements(sale, "?") for sale in sales]
    with contextlib.closing(sqlite3.connect(sqlite_path(database_url), isolation_level=None, cached_statements=512)) as connection:
        for pragma in PRAGMAS:
            connection.execute(pragma)
        began_s = time.perf_counter()
        for sale in work:
            connection.execute("BEGIN IMMEDIATE")
            for number, (text, values) in enumerate(sale):
                cursor = connection.execute(text, values)
                if not number:
                    cursor.fetchone()
            connection.execute("COMMIT")
        return len(work) / (time.perf_counter() - began_s)


async def by_asyncpg(database_url: str, sales: Sequence[Settlement], connections: int) -> float:
    """Sales per second by asyncpg on so many connections."""
    import asyncpg  # type: ignore[import-untyped]  # noqa: PLC0415 - a floor, not a dependency

    waiting = [statements(sale, "${0}") for sale in reversed(sales)]
    pool = [await asyncpg.connect(database_url) for _ in range(connections)]

    async def work(connection: Any) -> None:
        while waiting:
            sale = waiting.pop()
            async with connection.transaction():
                await connection.fetchrow(*_flat(sale[0]))
                for statement in sale[1:]:
                    await connection.execute(*_flat(statement))

    try:
        began_s = time.perf_counter()
        await asyncio.gather(*(work(connection) for connection in pool))
        return len(sales) / (time.perf_counter() - began_s)
    finally:
        for connection in pool:
            await connection.close()


def _flat(statement: tuple[str, tuple[Any, ...]]) -> tuple[Any, ...]:
    return statement[0], *statement[1]
