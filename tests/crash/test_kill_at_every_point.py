"""K1: kill -9 at every commit and every outside call of a sale, on both engines; the restart continues it."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash.nursery import Nursery
from tests.crash.plan import Plan, Point, plans, points_of, wanders
from tests.crash.sale import Sale, sale
from tests.crash.street import Street, street
from tests.crash.verdict import faults

AT_ONCE = 3
HOURS_S = 2 * 3600
LEAST_POINTS = 200
NewDatabase = Callable[[], str]


async def play(there: Street, plan: Plan) -> Sale:
    """The whole sale, dying where the plan says. A step is over when the house lives and has nothing left to do."""
    script = sale(there)
    number = 0
    for number, (name, step) in enumerate(script.steps()):
        there.board.target = plan.kills.get(name, "").encode()
        there.second_death = plan.recovery if name in plan.kills else 0
        there.board.step = number
        await step()
        await (await there.revive()).settle()
        await (await there.revive()).settle()
        there.board.target, there.board.countdown = b"", 0
    there.board.step = number + 1
    await there.pass_time(HOURS_S)
    return script


class Harness:
    """Runs plans, a few at a time, and collects what was passed, where it died, and what was wrong at the end."""

    def __init__(self, home: Nursery, new_database: NewDatabase) -> None:
        self._home = home
        self._new_database = new_database
        self._room = asyncio.Semaphore(AT_ONCE)
        self.died_at: set[Point] = set()
        self.deaths = 0
        self.wrong: list[str] = []

    async def run(self, plan: Plan, seed: int) -> dict[str, list[str]]:
        async with self._room, street(self._new_database(), self._home, seed) as there:
            names = [name for name, _ in sale(there).steps()]
            try:
                script = await play(there, plan)
                wrong = await faults(script)
            except AssertionError as failure:
                wrong = [f"{type(failure).__name__}: {failure}"]
            assert "Traceback" not in there.last_words() or wrong, there.last_words()
            died = [(names[step], name.removeprefix("KILLED ")) for step, name in there.points() if name.startswith("KILLED ")]
            self.died_at.update(died)
            self.deaths += there.deaths
            self.wrong += [f"{one} [died at {', '.join(f'{step}/{point}' for step, point in died) or 'nothing'}]" for one in wrong]
            return points_of(there.points(), names)


def missed(points: dict[str, list[str]], died_at: set[Point]) -> dict[str, list[str]]:
    """The points at which nothing died yet."""
    anywhere = {name.partition("#")[0] for _, name in died_at}
    left = {
        step: [name for name in names if (step, name) not in died_at and not (wanders(name) and name.partition("#")[0] in anywhere)]
        for step, names in points.items()
    }
    return {step: names for step, names in left.items() if names}


@pytest.fixture
def new_sqlite(sqlite_template: Path, tmp_path: Path) -> NewDatabase:
    made: list[Path] = []

    def new() -> str:
        made.append(tmp_path / f"payloom-{len(made)}.db")
        shutil.copyfile(sqlite_template, made[-1])
        return f"sqlite+aiosqlite:///{made[-1]}"

    return new


@pytest.fixture
def new_postgresql(postgres_template: str, new_postgres_database: Callable[..., str]) -> NewDatabase:
    return lambda: new_postgres_database(postgres_template)


async def die_everywhere(home: Nursery, new_database: NewDatabase) -> None:
    began = time.monotonic()
    harness = Harness(home, new_database)
    clean = await harness.run(Plan(), 1)
    assert not harness.wrong, f"the sale without any crash is wrong: {harness.wrong}"
    assert harness.deaths == 0
    count = sum(len(names) for names in clean.values())
    assert count >= LEAST_POINTS, f"only {count} points: the harness does not see the sale"
    runs = 1
    for _ in range(4):
        planned = plans(missed(clean, harness.died_at), list(clean))
        await asyncio.gather(*(harness.run(plan, runs + number) for number, plan in enumerate(planned)))
        runs += len(planned)
    left = missed(clean, harness.died_at)
    took_s = time.monotonic() - began
    sys.stdout.write(f"{count} points, {len(harness.died_at)} died at, {harness.deaths} deaths in {runs} runs, {took_s:.0f} s\n")
    assert not harness.wrong, "\n".join(harness.wrong)
    assert not left, f"nothing died at {left}"


async def test_killed_at_any_point_of_a_sale_on_sqlite_a_restart_continues_it(home: Nursery, new_sqlite: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_sqlite)


async def test_killed_at_any_point_of_a_sale_on_postgresql_a_restart_continues_it(home: Nursery, new_postgresql: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_postgresql)
