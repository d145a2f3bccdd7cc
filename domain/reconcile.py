"""Reconciliation: a gateway's own records against our books, both ways. What differs is a fact with a class and the tool that settles it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Protocol

from domain.ids import AttemptId, OrganizationId
from domain.life import Life, Move
from domain.money import Money
from domain.payment import About, Record
from domain.rights import Party
from domain.statement import Bookkeeping

DifferenceId = NewType("DifferenceId", int)
ReadingId = NewType("ReadingId", int)

CLOCKS_APART: Final = timedelta(hours=1)
"""What stands on one day there and on another one here is the same money: a clock, a callback on its way, a page left open."""
ASKED_FOR: Final = timedelta(hours=26)
"""How long a silent payment is asked about, and a little: so much later may we have booked what stands there."""
LATE: Final = timedelta(hours=1)
LISTS_SETTLE: Final = timedelta(hours=3)
"""Lists are not whole at their newer end: a day is read so long after it ended."""
DAYS_BACK: Final = 7
"""So many days are read once more while they have open differences, or caught up with after a rest."""
AGAIN: Final = timedelta(hours=20)
RETRY: Final = (timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=2))
MOST_TRIES: Final = 12
TELL_AFTER: Final = 3
"""A list that could not be read so often is told to a person."""


class Kind(StrEnum):
    """Of a difference. Missing here: they have it and we do not. Late: we booked it much later than they did."""

    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    AMOUNT = "amount"
    CURRENCY = "currency"
    DUPLICATE = "duplicate"
    LATE = "late"


class Tool(StrEnum):
    """What settles it. `ask`: the gateway is asked about our attempt. `pay_back`: it goes back in the gateway's portal. `resend`: their portal
    sends the event once more. `compare`: a person looks at both. `note`: the books are right, it only has to be known.
    """

    ASK = "ask"
    PAY_BACK = "pay_back"
    RESEND = "resend"
    COMPARE = "compare"
    NOTE = "note"


class DifferenceState(StrEnum):
    OPEN = "OPEN"
    SETTLED = "SETTLED"
    GONE = "GONE"


DIFFERENCE: Final = Life(
    "difference",
    frozenset({DifferenceState.OPEN}),
    Move(DifferenceState.OPEN, DifferenceState.SETTLED, frozenset({Party.ADMIN})),
    Move(DifferenceState.OPEN, DifferenceState.GONE, frozenset({Party.CLOCK})),
    Move(DifferenceState.GONE, DifferenceState.OPEN, frozenset({Party.CLOCK})),
)


@dataclass(frozen=True, slots=True)
class Window:
    """From `since` until before `until`."""

    since: datetime
    until: datetime

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until

    def theirs(self, books: Bookkeeping, now: datetime) -> Window:
        """What is read of their list, so that both sides of an edge are seen."""
        since = self.since - ASKED_FOR
        if books.reaches is not None:
            since = min(max(since, now - books.reaches), self.since)
        return Window(since, now if books.refunds_so_far else min(self.until + CLOCKS_APART, max(now, self.until)))

    def ours(self) -> Window:
        return Window(self.since - CLOCKS_APART, self.until + ASKED_FOR)


@dataclass(frozen=True, slots=True)
class Line:
    """What our books say of one payment, refund or chargeback: as it moved at the gateway, in the direction of `about`.

    `key` is our name of it, `refs` are theirs; `receipt` is the payment's, and for a refund `so_far` all that went back of it until now.
    """

    about: About
    key: str
    refs: frozenset[str]
    money: Money
    at: datetime
    receipt: str | None = None
    attempt_id: AttemptId | None = None
    so_far: Money | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A difference as it was seen. `key` names it once and for ever within its account, `about` and kind; `at` is theirs where they have it."""

    kind: Kind
    about: About
    key: str
    at: datetime
    theirs: Money | None = None
    ours: Money | None = None
    receipt: str | None = None
    attempt_id: AttemptId | None = None


@dataclass(frozen=True, slots=True)
class Difference:
    """A line of the work list; (gateway, owner, about, kind, key) is unique. `owner` is whose account it is, 0 the platform's."""

    id: DifferenceId
    gateway: str
    owner: OrganizationId
    about: About
    kind: Kind
    key: str
    receipt: str | None
    attempt_id: AttemptId | None
    theirs_minor: int | None
    theirs_currency: str | None
    ours_minor: int | None
    ours_currency: str | None
    at: datetime
    state: DifferenceState
    found_at: datetime
    ended_at: datetime | None = None
    note: str = ""
    version: int = 0

    @property
    def theirs(self) -> Money | None:
        return None if self.theirs_minor is None or self.theirs_currency is None else Money(self.theirs_minor, self.theirs_currency)

    @property
    def ours(self) -> Money | None:
        return None if self.ours_minor is None or self.ours_currency is None else Money(self.ours_minor, self.ours_currency)

    @property
    def tool(self) -> Tool:
        return tool_of(self.kind, self.about, known=self.attempt_id is not None)


def tool_of(kind: Kind, about: About, *, known: bool) -> Tool:
    """`known`: an attempt of ours is meant."""
    if kind is Kind.LATE:
        return Tool.NOTE
    if kind is Kind.DUPLICATE:
        return Tool.PAY_BACK
    if kind is Kind.MISSING_HERE and about is not About.PAYMENT:
        return Tool.RESEND
    if kind in {Kind.MISSING_HERE, Kind.MISSING_THERE} and about is About.PAYMENT:
        return Tool.ASK if known else Tool.PAY_BACK if kind is Kind.MISSING_HERE else Tool.COMPARE
    return Tool.COMPARE


@dataclass(frozen=True, slots=True)
class Reading:
    """One day of one account. `read_at` None: it could not be read, `why`. `how`: `list`, or `asked` attempt by attempt.

    `unasked` are payments that nobody could be asked about; `fees` are the sums of what they kept, by currency, in minor units.
    """

    id: ReadingId
    gateway: str
    owner: OrganizationId
    day: str
    how: str
    theirs: int
    ours: int
    unasked: int
    fees: dict[str, int]
    why: str
    tries: int
    act_at: datetime
    read_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class _Sides:
    """What is left of ours while it is matched, by its place; how to find it; what was found; what is taken, by their names for it."""

    left: dict[int, Line]
    named: dict[tuple[About, str], list[int]] = field(default_factory=dict)
    receipts: dict[tuple[About, str | None], list[int]] = field(default_factory=dict)
    found: list[Found] = field(default_factory=list)
    taken: dict[tuple[About, str], Line] = field(default_factory=dict)

    def take(self, place: int) -> Line:
        line = self.left.pop(place)
        for ref in line.refs:
            self.taken[line.about, ref] = line
        return line

    def by_name(self, about: About, refs: Iterable[str]) -> int | None:
        return next((place for ref in refs for place in self.named.get((about, ref), ()) if place in self.left), None)

    def by_receipt(self, record: Record) -> list[int]:
        places = self.receipts.get((record.about, record.receipt), ()) if record.receipt is not None else ()
        return [place for place in places if place in self.left]


def _sides_of(ours: Iterable[Line]) -> _Sides:
    sides = _Sides({place: line for place, line in enumerate(ours) if line.money.amount_minor})
    for place, line in sides.left.items():
        sides.receipts.setdefault((line.about, line.receipt), []).append(place)
        for ref in line.refs:
            sides.named.setdefault((line.about, ref), []).append(place)
    return sides


def compare(theirs: Iterable[Record], ours: Iterable[Line], window: Window, books: Bookkeeping) -> tuple[Found, ...]:
    """What differs in this window. Both sides may, and should, reach over its edges: `Window.theirs`, `Window.ours`."""
    records, sides = _summed(theirs), _sides_of(ours)
    for about in About:
        these = [record for record in records if record.about is about]
        if about is About.PAYMENT:
            left = [record for record in these if not _payment(sides, record)]
        elif about is About.REFUND and books.refunds_so_far:
            left = [record for record in these if not _gone_back(sides, record)]
        else:
            left = [record for record in these if not _same_name(sides, record, about in books.whole)]
            left = [record for record in left if not _same_receipt(sides, record, about in books.whole)]
        sides.found.extend([_alone(sides, record) for record in left])
    sides.found.extend([_lacking(sides, line) for line in sides.left.values() if line.about in books.whole])
    return tuple(sorted((one for one in sides.found if window.holds(one.at)), key=lambda one: (one.at, one.key, one.kind)))


def _summed(theirs: Iterable[Record]) -> list[Record]:
    """The lines of one thing as one, where something of it was turned back; what came back whole moved nothing. The same line twice is one."""
    groups: dict[tuple[About, str, str | None, str], list[Record]] = {}
    for record in dict.fromkeys(theirs):
        groups.setdefault((record.about, record.ref, record.receipt, record.money.currency), []).append(record)
    found: list[Record] = []
    for group in groups.values():
        if any(record.money.amount_minor < 0 for record in group):
            first = min(group, key=lambda record: record.at)
            total = sum(record.money.amount_minor for record in group)
            found += [replace(first, money=Money(total, first.money.currency))] if total else []
        else:
            found += group
    return sorted(found, key=lambda record: (record.at, record.ref))


def name_of(record: Record) -> str:
    return record.ref if record.receipt in {None, record.ref} else f"{record.ref} {record.receipt}"


def _names(record: Record) -> tuple[str, ...]:
    return (record.ref,) if record.receipt is None else (record.receipt, record.ref)


def _payment(sides: _Sides, record: Record) -> bool:
    place = sides.by_name(record.about, _names(record))
    if place is None:
        return False
    line = sides.take(place)
    _measure(sides, record, line)
    if line.money == record.money and abs(line.at - record.at) > LATE:
        sides.found.append(_seen(Kind.LATE, record, line))
    return True


def _same_name(sides: _Sides, record: Record, whole: bool) -> bool:
    place = sides.by_name(record.about, (record.ref,))
    if place is None:
        return False
    line = sides.take(place)
    if whole:
        _measure(sides, record, line)
    return True


def _same_receipt(sides: _Sides, record: Record, whole: bool) -> bool:
    """Of the same payment and as much; where they do not tell all of it, whatever became of it."""
    for place in sides.by_receipt(record):
        if sides.left[place].money == record.money or not whole:
            sides.take(place)
            return True
    return False


def _gone_back(sides: _Sides, record: Record) -> bool:
    """Their line tells the sum: ours of that payment are all in it."""
    lines = [sides.take(place) for place in sides.by_receipt(record)]
    if not lines:
        return False
    last = lines[-1]
    _measure(sides, record, last if last.so_far is None else replace(last, money=last.so_far))
    return True


def _measure(sides: _Sides, record: Record, line: Line) -> None:
    if line.money.currency != record.money.currency:
        sides.found.append(_seen(Kind.CURRENCY, record, line))
    elif line.money != record.money:
        sides.found.append(_seen(Kind.AMOUNT, record, line))


def _alone(sides: _Sides, record: Record) -> Found:
    """A line of theirs that nothing of ours is left for."""
    twin = next((sides.taken[record.about, ref] for ref in _names(record) if (record.about, ref) in sides.taken), None)
    if twin is None or record.about is not About.PAYMENT:
        return Found(Kind.MISSING_HERE, record.about, name_of(record), record.at, record.money, None, record.receipt)
    key = f"{name_of(record)} {record.at.isoformat()}"
    return Found(Kind.DUPLICATE, record.about, key, record.at, record.money, twin.money, record.receipt, twin.attempt_id)


def _lacking(sides: _Sides, line: Line) -> Found:
    """A line of ours that nothing of theirs is left for."""
    twice = line.about is About.PAYMENT and any((line.about, ref) in sides.taken for ref in line.refs)
    kind = Kind.DUPLICATE if twice else Kind.MISSING_THERE
    return Found(kind, line.about, line.key, line.at, None, line.money, line.receipt, line.attempt_id)


def _seen(kind: Kind, record: Record, line: Line) -> Found:
    return Found(kind, record.about, name_of(record), record.at, record.money, line.money, record.receipt, line.attempt_id)


def fees_of(theirs: Iterable[Record], window: Window) -> dict[str, int]:
    """What they kept, by currency, in minor units."""
    sums: dict[str, int] = {}
    for record in theirs:
        if record.fee is not None and window.holds(record.at):
            sums[record.fee.currency] = sums.get(record.fee.currency, 0) + record.fee.amount_minor
    return sums


def next_try(tries: int, now: datetime) -> datetime:
    return now + RETRY[min(tries, len(RETRY)) - 1]


@dataclass(frozen=True, slots=True)
class Moved:
    """A posting on a gateway's account, with what caused it."""

    kind: str
    cause: str
    at: datetime
    money: Money


class Reconciled(Protocol):
    """What reconciliation keeps, and the questions about the books that only it asks."""

    def accounts(self) -> Sequence[tuple[str, OrganizationId]]:
        """(gateway, owner) of all that are set up."""
        ...

    def moved(self, account: str, since: datetime, until: datetime) -> Sequence[Moved]: ...
    def suspended(self) -> Mapping[str, tuple[Money, ...]]:
        """What is kept apart, by the number that its account is named by: owed, so positive."""
        ...

    def tried(self, gateway: str, since: datetime, until: datetime) -> Sequence[AttemptId]:
        """Attempts that were made then and failed, or ran out."""
        ...

    def reading(self, gateway: str, owner: OrganizationId, day: str) -> Reading | None: ...
    def add_reading(self, reading: Reading) -> bool:
        """False when this day of this account is there already."""
        ...

    def save_reading(self, reading: Reading) -> Reading: ...
    def difference(self, number: DifferenceId) -> Difference | None: ...
    def same(self, gateway: str, owner: OrganizationId, about: About, kind: Kind, key: str) -> Difference | None: ...
    def add(self, difference: Difference) -> None:
        """Raises Stale when somebody was faster."""
        ...

    def save(self, difference: Difference) -> Difference: ...
    def open_ones(self, limit: int) -> Sequence[Difference]:
        """Oldest first."""
        ...

    def open_in(self, gateway: str, owner: OrganizationId, since: datetime, until: datetime) -> Sequence[Difference]: ...
