"""What becomes of a day that was read: the reading itself, differences that are new, and those that are gone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from domain.ids import AttemptId, OrganizationId
from domain.ports import Unit
from domain.reconcile import (
    AGAIN,
    DIFFERENCE,
    MOST_TRIES,
    TELL_AFTER,
    Difference,
    DifferenceId,
    DifferenceState,
    Found,
    Kind,
    Reading,
    ReadingId,
    Window,
    next_try,
)
from domain.rights import CLOCK, Party
from usecases.gateways import PLATFORM
from usecases.tell import alert

READING_TAKES: Final = timedelta(minutes=15)
NEVER: Final = timedelta(days=365)
_TOLD: Final = 5
"""So many of what is new are named in an alert."""


def begin_reading(unit: Unit, gateway: str, owner: OrganizationId, day: str, now: datetime, *, asked: bool) -> Reading | None:
    """Claim a day for a while. None when somebody else has it, or it is not due any more."""
    until = unit.now + READING_TAKES
    known = unit.reconciled.reading(gateway, owner, day)
    if known is None:
        made = Reading(ReadingId(unit.new_id()), gateway, owner, day, "", 0, 0, 0, {}, "", 1, until)
        return made if unit.reconciled.add_reading(made) else None
    if known.act_at > now and not asked:
        return None
    return unit.reconciled.save_reading(replace(known, tries=known.tries + 1, act_at=until))


def not_read(unit: Unit, begun: Reading, why: str) -> Reading:
    """It could not be read whole: nothing is said of what is in it, and it is tried again. An older reading of it stands."""
    given_up = begun.tries >= MOST_TRIES
    if begun.tries == TELL_AFTER or given_up:
        key = f"{begun.gateway}:{begun.owner}:{begun.day}:{begun.tries}"
        alert(unit, "books_unread", key, gateway=begun.gateway, owner=begun.owner, day=begun.day, why=why, tries=begun.tries)
    act_at = unit.now + NEVER if given_up else next_try(begun.tries, unit.now)
    return _save(unit, replace(begun, why=why, act_at=act_at))


def keep_reading(
    unit: Unit, read: Reading, window: Window, found: Sequence[Found], looked: Callable[[str], bool]
) -> tuple[Reading, Sequence[Difference]]:
    """Differences that are new are written down and told, once; those that are not found any more are over. With it, what is open of that day.

    `looked`: whether the thing of this key was really looked at; of the rest nothing is known, so it stays as it is.
    """
    differences = [kept for one in found if (kept := _keep(unit, read, one)) is not None]
    new = [difference for difference, fresh in differences if fresh]
    there = {difference.id for difference, _ in differences}
    for difference in unit.reconciled.open_in(read.gateway, read.owner, window.since, window.until):
        if difference.id not in there and looked(difference.key):
            _close(unit, difference)
    if new:
        named = ", ".join(f"{one.kind} {one.receipt or one.key}" for one in new[:_TOLD])
        key = f"{new[0].id}:{new[0].version}"
        alert(unit, "books_differ", key, gateway=read.gateway, owner=read.owner, day=read.day, new=len(new), first=named)
    saved = _save(unit, replace(read, tries=0, act_at=unit.now + AGAIN))
    return saved, unit.reconciled.open_in(read.gateway, read.owner, window.since, window.until)


def _save(unit: Unit, reading: Reading) -> Reading:
    """The last who read a day has the word on it, whoever else read it meanwhile."""
    newest = unit.reconciled.reading(reading.gateway, reading.owner, reading.day)
    assert newest is not None
    return unit.reconciled.save_reading(replace(reading, version=newest.version))


def _keep(unit: Unit, read: Reading, found: Found) -> tuple[Difference, bool] | None:
    """The difference in the work list, and whether it is new there; None for money that was missing here and has come by now."""
    known = unit.reconciled.same(read.gateway, read.owner, found.about, found.kind, found.key)
    if known is None:
        missed = found.kind is Kind.LATE and unit.reconciled.same(read.gateway, read.owner, found.about, Kind.MISSING_HERE, found.key)
        return None if missed else _add(unit, read, found)
    if known.state is not DifferenceState.GONE:
        return known, False
    DIFFERENCE.move(known.state, DifferenceState.OPEN, Party.CLOCK)
    unit.trail.add(f"difference:{known.id}", CLOCK, "difference_found_again")
    return unit.reconciled.save(replace(known, state=DifferenceState.OPEN, ended_at=None)), True


def _add(unit: Unit, read: Reading, found: Found) -> tuple[Difference, bool]:
    theirs, ours = found.theirs, found.ours
    attempt_id = found.attempt_id if found.attempt_id is not None else _meant(unit, read, found)
    difference = Difference(
        DifferenceId(unit.new_id()), read.gateway, read.owner, found.about, found.kind, found.key, found.receipt, attempt_id,
        None if theirs is None else theirs.amount_minor, None if theirs is None else theirs.currency,
        None if ours is None else ours.amount_minor, None if ours is None else ours.currency,
        found.at, DifferenceState.OPEN, unit.now,
    )  # fmt: skip
    unit.reconciled.add(difference)
    unit.trail.add(f"difference:{difference.id}", CLOCK, "difference_found", gateway=read.gateway, kind=str(found.kind), key=found.key)
    return difference, True


def _meant(unit: Unit, read: Reading, found: Found) -> AttemptId | None:
    """An attempt of ours that a record of theirs names, although no money is booked for it."""
    for ref in found.key.split(" "):
        attempt = unit.payments.attempt_by_ref(read.gateway, ref) or unit.payments.attempt_by_receipt(read.gateway, ref)
        if attempt is not None and (attempt.organization_id if attempt.direct else PLATFORM) == read.owner:
            return attempt.id
    return None


def _close(unit: Unit, difference: Difference) -> None:
    """It is not found any more: the books were put right, here or there."""
    DIFFERENCE.move(difference.state, DifferenceState.GONE, Party.CLOCK)
    unit.trail.add(f"difference:{difference.id}", CLOCK, "difference_gone")
    unit.reconciled.save(replace(difference, state=DifferenceState.GONE, ended_at=unit.now))
