"""settle: a callback in; stored, settled, booked, the outbox written and all of it durable; then the 200. Daraja's, and Stripe's signed events.

Floors: sqlite3 (WAL, synchronous=FULL) and asyncpg on 8 connections writing the same rows, statement by statement, one commit for each sale.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from payloom.bench import floors, load, rows, stock
from payloom.bench.figures import Figure
from payloom.bench.process import Process, running
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
    """`sales` in each round; `callers` is how many connections tell us of sales at the same time. Of Stripe's events the goal's case only."""
    figures, skipped = [], []
    if "sqlite" in engines:
        figures += _on("SQLite", _sqlite_pair, sales, rounds, callers, uvloop)
        figures += _on("SQLite", _sqlite_pair, sales, rounds, callers, uvloop, "stripe")
    if "postgres" in engines:
        with postgres() as new:
            if new is None:
                skipped.append(NONE_HERE)
            else:
                pair = partial(_postgres_pair, new)
                figures += _on("PostgreSQL", pair, sales, rounds, callers, uvloop)
                figures += _on("PostgreSQL", pair, sales, rounds, callers, uvloop, "stripe")
    return figures, skipped


Pair = tuple[stock.Stock, stock.Stock]


def _sqlite_pair(data: Path, count: int, gateway: str) -> Pair:
    ours = stock.make(data, f"sqlite+aiosqlite:///{data}/ours.db", count, gateway=gateway)
    return ours, ours.elsewhere(stock.copy_sqlite(ours.database_url, data / "floor.db"))


def _postgres_pair(new: Callable[..., str], data: Path, count: int, gateway: str) -> Pair:
    ours = stock.make(data, new(), count, gateway=gateway)
    return ours, ours.elsewhere(new(stock.name_of(ours.database_url)))


@dataclass(frozen=True, slots=True)
class Case:
    """`callers` tell us of sales at the same time; `processes` of ours share them (SQLite has one, PostgreSQL as many as are wanted)."""

    callers: int
    processes: int

    def on(self, engine: str) -> str:
        return f"{engine}, {self.callers} at once" + (f", {self.processes} web processes" if self.processes > 1 else "")


def _cases(engine: str, callers: tuple[int, ...]) -> list[Case]:
    """The first is the one that the goal is for: on PostgreSQL a process for each of two cores."""
    alone = [Case(many, 1) for many in sorted(callers, reverse=True)]
    return alone if engine == "SQLite" else [Case(max(callers), 2), *alone]


def _on(
    engine: str,
    pair: Callable[[Path, int, str], Pair],
    sales: int,
    rounds: int,
    callers: tuple[int, ...],
    uvloop: bool,
    gateway: str = "daraja",
) -> list[Figure]:
    cases = _cases(engine, callers) if gateway == "daraja" else _cases(engine, callers)[:1]
    name = engine if gateway == "daraja" else f"{engine}, Stripe"
    figures = [
        Figure("settle", case.on(name), "sales/s", goal=(0.5 if engine == "SQLite" else 0.8) if case is cases[0] else None,
               floor_is="raw sqlite3, FULL" if engine == "SQLite" else f"raw asyncpg, {CONNECTIONS} connections")
        for case in cases
    ]  # fmt: skip
    spent: list[list[float]] = [[] for _ in cases]
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as open_houses:
        count = 1 + (1 + rounds * len(cases)) * sales
        ours, theirs = pair(Path(folder), count, gateway)
        houses = [open_houses.enter_context(house_on(ours, uvloop=uvloop)) for _ in range(max(case.processes for case in cases))]
        before = rows.read(theirs)
        load.send(houses[0].port, ours.callbacks([0]), 1)
        first = rows.settlement(before, rows.read(ours))
        load.send([house.port for house in houses], ours.callbacks(range(1, 1 + sales)), max(callers), uvloop=uvloop)
        _floor(theirs, first, range(1 + sales)[:: max(1, len(range(1 + sales)) // 200)], uvloop)
        at = 1 + sales
        for _ in range(rounds):
            for case, figure, costs in zip(cases, figures, spent, strict=True):
                numbers, used = range(at, at + sales), houses[: case.processes]
                at += sales
                floor = _floor(theirs, first, numbers, uvloop)
                before_s = _cpu_s(used)
                figure.add(load.send([house.port for house in used], ours.callbacks(numbers), case.callers, uvloop=uvloop).per_s, floor)
                costs.append((_cpu_s(used) - before_s) / sales * 1000)
        for figure, costs in zip(figures, spent, strict=True):
            figure.note = f"ours spends {statistics.median(costs):.2f} ms of CPU on a sale, HTTP and all, beside the database's"
    return figures


def _cpu_s(houses: Sequence[Process]) -> float:
    return float(sum(house.ask("cpu")["cpu_s"] for house in houses))


def house_on(where: stock.Stock, *, uvloop: bool = True, **asked: Any) -> Any:
    return running(
        "payloom.bench.house",
        json.dumps(
            {
                "data": str(where.data),
                "database_url": where.database_url,
                "uvloop": uvloop,
                **asked,
                "given": {**stock.GIVEN[where.gateway], **asked.get("given", {})},
            }
        ),
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
