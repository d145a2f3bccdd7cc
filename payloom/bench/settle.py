"""settle: a callback in; stored, settled, booked, the outbox written and all of it durable; then the 200.

Floors: sqlite3 (WAL, synchronous=FULL) and asyncpg on 8 connections writing the same rows, statement by statement, one commit for each sale.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from payloom.bench import floors, load, rows, stock
from payloom.bench.figures import Figure
from payloom.bench.process import running
from payloom.bench.server import NONE_HERE, postgres

CONNECTIONS = 8
"""Of the asyncpg floor."""


def run(
    *,
    sales: int = 2000,
    rounds: int = 5,
    callers: tuple[int, ...] = (64, 8, 1),
    uvloop: bool = True,
    engines: str = "sqlite postgres",
    **_: Any,
) -> tuple[list[Figure], list[str]]:
    """`sales` in each round; `callers` is how many connections tell us of sales at the same time."""
    figures, skipped = [], []
    if "sqlite" in engines:
        figures += _on("SQLite", _sqlite_pair, sales, rounds, callers, uvloop)
    if "postgres" in engines:
        with postgres() as new:
            if new is None:
                skipped.append(NONE_HERE)
            else:
                figures += _on("PostgreSQL", lambda data, count: _postgres_pair(new, data, count), sales, rounds, callers, uvloop)
    return figures, skipped


Pair = tuple[stock.Stock, stock.Stock]


def _sqlite_pair(data: Path, count: int) -> Pair:
    ours = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", count)
    return ours, ours.elsewhere(stock.copy_sqlite(ours.database_url, data / "floor.db"))


def _postgres_pair(new: Callable[..., str], data: Path, count: int) -> Pair:
    ours = stock.make(data, new(), count)
    return ours, ours.elsewhere(new(stock.name_of(ours.database_url)))


def _on(engine: str, pair: Callable[[Path, int], Pair], sales: int, rounds: int, callers: tuple[int, ...], uvloop: bool) -> list[Figure]:
    figures = [
        Figure("settle", f"{engine}, {many} at once", "sales/s", goal=_goal(engine) if many == max(callers) else None,
               floor_is="raw sqlite3, FULL" if engine == "SQLite" else f"raw asyncpg, {CONNECTIONS} connections")
        for many in callers
    ]  # fmt: skip
    spent: dict[str, list[float]] = {figure.case: [] for figure in figures}
    with tempfile.TemporaryDirectory() as folder:
        count = 1 + (1 + rounds * len(callers)) * sales
        ours, theirs = pair(Path(folder), count)
        with house_on(ours, uvloop=uvloop) as server:
            before = rows.read(theirs)
            load.send(server.port, ours.callbacks([0]), 1)
            first = rows.settlement(before, rows.read(ours))
            load.send(server.port, ours.callbacks(range(1, 1 + sales)), max(callers), uvloop=uvloop)
            _floor(theirs, first, range(1 + sales)[:: max(1, len(range(1 + sales)) // 200)], uvloop)
            at = 1 + sales
            for _ in range(rounds):
                for figure, many in zip(figures, callers, strict=True):
                    numbers = range(at, at + sales)
                    at += sales
                    floor = _floor(theirs, first, numbers, uvloop)
                    before_s = server.ask("cpu")["cpu_s"]
                    figure.add(load.send(server.port, ours.callbacks(numbers), many, uvloop=uvloop).per_s, floor)
                    spent[figure.case].append((server.ask("cpu")["cpu_s"] - before_s) / sales * 1000)
            for figure in figures:
                figure.note = f"our process spends {statistics.median(spent[figure.case]):.2f} ms of CPU on a sale, HTTP and all"
    return figures


def _goal(engine: str) -> float:
    return 0.5 if engine == "SQLite" else 0.8


def house_on(where: stock.Stock, *, uvloop: bool = True, **asked: Any) -> Any:
    return running(
        "payloom.bench.house", json.dumps({"data": str(where.data), "database_url": where.database_url, "uvloop": uvloop, **asked})
    )


def _floor(theirs: stock.Stock, first: rows.Settlement, numbers: Any, uvloop: bool) -> float:
    sales = [first.of(number) for number in numbers]
    if theirs.database_url.startswith("sqlite"):
        return floors.by_sqlite(theirs.database_url, sales)
    factory = None
    if uvloop:
        import uvloop as quick  # noqa: PLC0415 - it may be absent

        factory = quick.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        return runner.run(floors.by_asyncpg(theirs.database_url, sales, CONNECTIONS))
