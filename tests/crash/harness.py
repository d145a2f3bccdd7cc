"""Plays a scripted sale again and again, each time dying somewhere else, and collects what was passed, where it died, and what was wrong."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tests.crash.nursery import Nursery
from tests.crash.plan import Plan, Point, plans, points_of, wanders, without_repeats
from tests.crash.street import Street, street

AT_ONCE: Final = 3
HOURS_S: Final = 2 * 3600
NewDatabase = Callable[[], str]
Choice = Callable[[dict[str, list[str]]], dict[str, list[str]]]


class Script(Protocol):
    def steps(self) -> tuple[tuple[str, Callable[[], Awaitable[None]]], ...]: ...


@dataclass(frozen=True, slots=True)
class Piece:
    """What is played: the script of a street, and what is wrong at its end."""

    script: Callable[[Street], Any]
    faults: Callable[[Any], Awaitable[list[str]]]
    least_points: int
    phones: bool = False


async def lives(there: Street) -> None:
    """And has nothing left to do."""
    while not await (await there.revive()).settle():
        pass


async def play(there: Street, script: Script, plan: Plan) -> None:
    """The whole sale, dying where the plan says. A step is over when the house lives and has nothing left to do."""
    number = 0
    for number, (name, step) in enumerate(script.steps()):
        there.board.target = plan.kills.get(name, "").encode()
        there.second_death = plan.recovery if name in plan.kills else 0
        there.board.step = number
        await step()
        await lives(there)
        there.board.target, there.board.countdown, there.second_death = b"", 0, 0
        await lives(there)  # it may have met its last point since: nobody types a PIN while the house is dead, for Daraja calls once
    there.board.step = number + 1
    await there.pass_time(HOURS_S)


SELDOM = 0.02
"""Points that a clean run passed and the runs that were to die there did not, such as a card that is edited twice or once as messages meet. Something
died at others of their kind."""


class Harness:
    """Runs plans, a few at a time."""

    def __init__(self, home: Nursery, new_database: NewDatabase, piece: Piece) -> None:
        self._home = home
        self._piece = piece
        self._new_database = new_database
        self._room = asyncio.Semaphore(AT_ONCE)
        self.died_at: set[Point] = set()
        self.deaths = 0
        self.wrong: list[str] = []

    async def run(self, plan: Plan, seed: int) -> dict[str, list[str]]:
        async with self._room, street(self._new_database(), self._home, seed, phones=self._piece.phones) as there:
            script = self._piece.script(there)
            names = [name for name, _ in script.steps()]
            try:
                await play(there, script, plan)
                wrong = await self._piece.faults(script)
            except AssertionError as failure:
                wrong = [f"{type(failure).__name__}: {failure}"]
            assert "Traceback" not in there.last_words() or wrong, there.last_words()
            died = [(names[step], name.removeprefix("KILLED ")) for step, name in there.points() if name.startswith("KILLED ")]
            self.died_at.update(died)
            self.deaths += there.deaths
            self.wrong += [f"{one} [died at {', '.join(f'{step}/{point}' for step, point in died) or 'nothing'}]" for one in wrong]
            return points_of(there.points(), names)


def kinds(points: set[Point]) -> set[str]:
    """Their names without how often they came."""
    return {name.partition("#")[0] for _, name in points}


def missed(points: dict[str, list[str]], died_at: set[Point]) -> dict[str, list[str]]:
    """The points at which nothing died yet."""
    anywhere = kinds(died_at)
    left = {
        step: [name for name in names if (step, name) not in died_at and not (wanders(name) and name.partition("#")[0] in anywhere)]
        for step, names in points.items()
    }
    return {step: names for step, names in left.items() if names}


async def die_everywhere(home: Nursery, new_database: NewDatabase, piece: Piece, where: Choice = without_repeats) -> None:
    """A clean run, and as many others as it takes to die at each of its points that are chosen."""
    began = time.monotonic()
    harness = Harness(home, new_database, piece)
    clean = await harness.run(Plan(), 1)
    assert not harness.wrong, f"the sale without any crash is wrong: {harness.wrong}"
    assert harness.deaths == 0
    count = sum(len(names) for names in clean.values())
    assert count >= piece.least_points, f"only {count} points: the harness does not see the sale"
    wanted = left = where(clean)
    runs, alive = 1, set[Point]()
    for _ in range(4):
        planned = plans(left, list(clean))
        await asyncio.gather(*(harness.run(plan, runs + number) for number, plan in enumerate(planned)))
        runs += len(planned)
        left = missed(wanted, harness.died_at)
        alive = {(step, name) for step, names in left.items() for name in names}
        if kinds(alive) <= kinds(harness.died_at) and len(alive) <= count * SELDOM:
            break
    took_s = time.monotonic() - began
    sys.stdout.write(
        f"{count} points, {len(harness.died_at)} died at, {harness.deaths} deaths in {runs} runs, {took_s:.0f} s, left {left}\n"
    )
    assert not harness.wrong, "\n".join(harness.wrong)
    assert kinds(alive) <= kinds(harness.died_at), "a kind of point at which nothing died"
    assert len(alive) <= count * SELDOM, f"nothing died at {left}"
