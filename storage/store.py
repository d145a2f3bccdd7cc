"""What both stores share: running a batch of units in one transaction, and what happens when the database says no."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from domain.errors import DomainError, Stale
from domain.ids import AttemptId
from domain.ports import Bell, ExpectedEvent
from storage.ahead import fetch_ahead
from storage.statements import SQLITE, Foreseen, Session
from storage.unit import SqlUnit, Surroundings

MOST_TRIES = 8
"""A unit that keeps losing races is given up after this many runs."""


class StoreUnavailable(Exception):
    """The database cannot be reached or written now (locked, full, down). Nothing of the unit is known to be kept."""


@dataclass(slots=True, eq=False)
class Job:
    """A unit that waits for its turn, and who waits for it."""

    unit: Callable[..., Any]
    args: Sequence[Any]
    kwargs: Mapping[str, Any]
    answer: asyncio.Future[Any]
    tries: int = 0
    result: Any = None
    error: BaseException | None = None
    wakes: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def settle(self) -> None:
        """On the event loop: hand the result or the error to whoever waits."""
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


def run_unit(session: Session, around: Surroundings, job: Job, foreseen: Foreseen | None = None) -> None:
    """Run one unit inside the transaction that is open; what it kept back is still to be written. Raises what the unit raises, but for a refusal
    that keeps what was written."""
    job.error, job.wakes = None, []
    session.begin(foreseen)
    unit = SqlUnit(session, around)
    try:
        job.result = job.unit(unit, *job.args, **job.kwargs)
    except DomainError as refusal:
        if not refusal.keeps:
            raise
        job.error = refusal
    session.check()
    unit.trail.flush()
    job.wakes = unit.wakes


def run_shared(session: Session, around: Surroundings, jobs: Sequence[Job], passing: Callable[[BaseException], bool]) -> None:
    """Run each unit in the open transaction, then write what all of them kept back; a unit that raises is undone alone.

    What they said they would ask for is fetched for all of them before the first runs: to one another they are like units of other threads, whose
    writes are guarded. An error for which `passing` is true (a lost connection, a deadlock) ends the whole transaction and is raised. So does the
    error of what was written together (Stale, a unique key), and on PostgreSQL that of a unit that has written already: there a savepoint for each
    unit costs more than running a broken batch once more, one by one.
    """
    alone = len(jobs) == 1
    for job, foreseen in zip(jobs, foresee(session, [(job.unit, job.args, job.kwargs) for job in jobs]), strict=True):
        point = None if alone else session.point(sure=session.dialect == SQLITE)
        try:
            run_unit(session, around, job, foreseen)
        except Exception as error:
            if point is None or point.lost or (session.failed and not point.live) or passing(error):
                raise
            session.back(point)
            job.error = error
        else:
            if point is not None:
                session.keep(point)
    session.flush()


def foresee(session: Session, calls: Sequence[tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]]) -> list[Foreseen | None]:
    """What each unit, with what it is given, said it would ask for, by one question for all. Of two events about one attempt the second asks for
    itself: it is to see what the first did."""
    events: dict[AttemptId, ExpectedEvent] = {}
    asking: list[AttemptId | None] = []
    for unit, args, kwargs in calls:
        expected = getattr(unit, "expected", None)
        event: ExpectedEvent | None = expected(*args, **kwargs) if expected is not None else None
        asking.append(event.attempt_id if event is not None and events.setdefault(event.attempt_id, event) is event else None)
    found = fetch_ahead(session, events)
    return [None if attempt_id is None else found.get(attempt_id) for attempt_id in asking]


def try_again(job: Job, races: tuple[type[Exception], ...]) -> bool:
    """True when the unit lost a race and may run once more, from reading: a unique key or a version said that somebody was first.

    `races` are the errors by which the driver tells of one.
    """
    job.tries += 1
    return isinstance(job.error, (Stale, *races)) and job.tries < MOST_TRIES


def ring(bell: Bell, jobs: Sequence[Job]) -> None:
    """After the commit: wake whoever the units named. Rings that repeat are sent once."""
    seen: set[tuple[str, tuple[tuple[str, Any], ...]]] = set()
    for job in jobs:
        for topic, what in job.wakes if job.error is None else ():
            key = (topic, tuple(sorted(what.items())))
            if key not in seen:
                seen.add(key)
                bell.ring(topic, what)
