"""Reconciliation: one day of one account, a gateway's own records against our books, both ways. What differs becomes a work list.

Where a gateway has a list it is read whole or not at all; where it has none, each attempt of the day is asked about by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from domain.by_hand import HandGateway
from domain.errors import BadInput, NotFound
from domain.ids import AttemptId, OrganizationId
from domain.payment import About, Attempt, Gateway, Outcome, Record
from domain.ports import Gateways, Store, Unit
from domain.reconcile import (
    DAYS_BACK,
    DIFFERENCE,
    LISTS_SETTLE,
    Difference,
    DifferenceId,
    DifferenceState,
    Found,
    Kind,
    Line,
    Reading,
    Window,
    compare,
    fees_of,
)
from domain.rights import Action, Actor, Party, require
from domain.statement import KeepsBooks, NoBooks
from usecases.gateways import PLATFORM, credentials_of
from usecases.our_books import lines_of, tried_of
from usecases.payments import the_attempt
from usecases.readings import begin_reading, keep_reading, not_read
from usecases.settlement import ask_gateway

BY_HAND: Final = "daraja"
"""Whose list is of what was paid by hand, and is read where it was registered."""
MOST_ASKED: Final = 500
PACE: Final = timedelta(milliseconds=200)
LIST, ASKED = "list", "asked"
NOTE: Final = 500
MOST_DAYS: Final = 92


async def rest(step: timedelta) -> None:
    await asyncio.sleep(step.total_seconds())


@dataclass(frozen=True, slots=True)
class Books:
    """Where reconciliation reads: the store and those who hold the other books."""

    store: Store
    gateways: Gateways
    by_hand: HandGateway | None = None
    pause: Callable[[timedelta], Awaitable[None]] = rest
    most: int = MOST_ASKED
    """So many questions about single attempts for each day."""


@dataclass(frozen=True, slots=True)
class Account:
    """`owner` 0 is the platform. `listed`: by-hand payments are listed there."""

    gateway: str
    owner: OrganizationId
    listed: bool = False


@dataclass(frozen=True, slots=True)
class Day:
    """What there is to read: one day of one account."""

    account: Account
    day: date
    now: datetime

    @property
    def window(self) -> Window:
        since = datetime.combine(self.day, time(), UTC)
        return Window(since, since + timedelta(days=1))


@dataclass(frozen=True, slots=True)
class Result:
    """How it ended, with all that is open of that day."""

    account: Account
    reading: Reading
    differences: Sequence[Difference] = ()


def accounts(unit: Unit, gateways: Collection[str]) -> list[Account]:
    return [
        Account(gateway, owner, bool((unit.marks.get(f"by_hand:{owner}") or {}).get("list")) and gateway == BY_HAND)
        for gateway, owner in unit.reconciled.accounts()
        if gateway in gateways
    ]


def asked_days(unit: Unit, gateways: Collection[str], gateway: str, since: date | None, until: date | None) -> list[Day]:
    """What a person asks for: yesterday when nothing is said. Raises BadInput(gateway | day)."""
    if gateway and gateway not in gateways:
        raise BadInput("gateway", "unknown", options=sorted(gateways))
    today = unit.now.date()
    first = since or until or today - timedelta(days=1)
    last = until or since or first
    if last < first:
        raise BadInput("day", "backwards")
    if last > today:
        raise BadInput("day", "not_yet")
    if (last - first).days >= MOST_DAYS:
        raise BadInput("day", "too_many", limit=MOST_DAYS)
    days = [first + timedelta(days=step) for step in range((last - first).days + 1)]
    return [Day(account, day, unit.now) for day in days for account in accounts(unit, gateways) if gateway in {"", account.gateway}]


def due_days(unit: Unit, gateways: Collection[str]) -> list[Day]:
    """Of each account, the days that ended lately and were not read since, failed and may be tried again, or have differences to look at."""
    whole = (unit.now - LISTS_SETTLE).date() - timedelta(days=1)
    days = [whole - timedelta(days=step) for step in reversed(range(DAYS_BACK))]
    found = []
    for account in accounts(unit, gateways):
        read = {day: unit.reconciled.reading(account.gateway, account.owner, day.isoformat()) for day in days}
        begun = [day for day in days if read[day] is not None]
        for day in days:
            if day < (begun[0] if begun else whole):
                continue
            one, due = read[day], Day(account, day, unit.now)
            if one is None or (one.act_at <= unit.now and (one.read_at is None or _again(unit, due, one))):
                found.append(due)
    return found


def _again(unit: Unit, day: Day, reading: Reading) -> bool:
    """It was read before it was over, or what differed may be settled by now."""
    window = day.window
    early = reading.read_at is not None and reading.read_at < window.until + LISTS_SETTLE
    return early or bool(unit.reconciled.open_in(day.account.gateway, day.account.owner, window.since, window.until))


async def reconcile(books: Books, day: Day, *, asked: bool = False) -> Result | None:
    """Read one day and keep what differs. None where somebody else is just doing it; `asked` by a person it is done all the same."""
    account = day.account
    begun = await books.store.write(begin_reading, account.gateway, account.owner, day.day.isoformat(), day.now, asked=asked)
    if begun is None:
        return None
    try:
        credentials = await books.store.read(credentials_of, account.owner, account.gateway, account.owner != PLATFORM)
    except NotFound:
        return Result(account, await books.store.write(not_read, begun, "configuration"))
    keeper = _keeper(books, day)
    if keeper is None:
        return await _ask_each(books, day, begun, credentials)
    try:
        reach = day.window.theirs(keeper.books, day.now)
        theirs = await keeper.records(reach.since, reach.until, credentials)
    except NoBooks as problem:
        return Result(account, await books.store.write(not_read, begun, str(problem)))
    return await _compare(books, day, begun, keeper, theirs, credentials)


def _keeper(books: Books, day: Day) -> KeepsBooks | None:
    """Who lists what moved: None when nobody does, or not as far back."""
    keeper: object = books.by_hand if day.account.listed else books.gateways[day.account.gateway]
    if not isinstance(keeper, KeepsBooks):
        return None
    reaches = keeper.books.reaches
    return keeper if reaches is None or day.now - day.window.since <= reaches else None


async def _compare(
    books: Books, day: Day, begun: Reading, keeper: KeepsBooks, theirs: Sequence[Record], credentials: Mapping[str, str]
) -> Result:
    account, window = day.account, day.window
    ours = await books.store.read(lines_of, account.gateway, account.owner, window.ours(), theirs)
    found: Sequence[Found] = await asyncio.to_thread(compare, theirs, ours, window, keeper.books)  # a busy day takes a second
    agreed, unasked = await _doubts(books, found, credentials, sure=not keeper.books.by_hand_only)
    found = [one for one in found if one.key not in agreed and one.key not in unasked]
    read = replace(
        begun, how=LIST, theirs=sum(window.holds(one.at) for one in theirs), ours=sum(window.holds(one.at) for one in ours),
        unasked=len(unasked), fees=fees_of(theirs, window), why="", read_at=day.now,
    )  # fmt: skip
    reading, left = await books.store.write(keep_reading, read, window, found, lambda key: key not in unasked)
    return Result(account, reading, left)


async def _doubts(books: Books, found: Sequence[Found], credentials: Mapping[str, str], *, sure: bool) -> tuple[set[str], set[str]]:
    """Before a payment is said to be missing there it is asked about by itself: those that are there after all, and those nobody answers for.

    `sure`: what their list does not have is not there, unless they say otherwise.
    """
    agreed, unasked = set[str](), set[str]()
    missing = [one for one in found if one.kind is Kind.MISSING_THERE and one.about is About.PAYMENT and one.attempt_id is not None]
    for place, one in enumerate(missing):
        attempt = await books.store.read(the_attempt, AttemptId(one.attempt_id or 0))
        if place >= books.most:
            unasked.add(one.key)
            continue
        if attempt.ref is None:  # it came by itself: their list is the only one to ask
            continue
        outcome = await _ask(books, attempt, credentials)
        if outcome is Outcome.SUCCEEDED:
            agreed.add(one.key)
        elif outcome is not Outcome.DECLINED and not sure:
            unasked.add(one.key)
    return agreed, unasked


async def _ask(books: Books, attempt: Attempt, credentials: Mapping[str, str]) -> Outcome:
    gateway: Gateway = books.gateways[attempt.gateway]
    await books.pause(PACE)
    return (await gateway.fetch(attempt, credentials)).outcome


async def _ask_each(books: Books, day: Day, begun: Reading, credentials: Mapping[str, str]) -> Result:
    """No list: what we have of that day is asked about, and what ended without money; never the other way round."""
    account, window = day.account, day.window
    ours = [line for line in await books.store.read(lines_of, account.gateway, account.owner, window, ()) if line.about is About.PAYMENT]
    tried = await books.store.read(tried_of, account.gateway, account.owner, window)
    todo = [(line.attempt_id, line) for line in ours if line.attempt_id is not None]
    found: list[Found] = []
    unasked = {line.key for line in ours if line.attempt_id is None}
    answered = set[str]()
    for place, (attempt_id, line) in enumerate([*todo, *((line.attempt_id, line) for line in tried)]):
        paid = place < len(todo)
        attempt = await books.store.read(the_attempt, AttemptId(attempt_id or 0))
        outcome = Outcome.UNKNOWN
        if attempt.ref is not None and place < books.most:
            outcome = await _ask(books, attempt, credentials)
        if outcome in {Outcome.SUCCEEDED, Outcome.DECLINED}:
            answered.add(line.key)
        elif paid:
            unasked.add(line.key)
        if paid and outcome is Outcome.DECLINED:
            found.append(_missing(Kind.MISSING_THERE, line))
        if not paid and outcome is Outcome.SUCCEEDED:
            found.append(_missing(Kind.MISSING_HERE, line))
    read = replace(begun, how=ASKED, theirs=len(answered), ours=len(ours), unasked=len(unasked), fees={}, why="", read_at=day.now)
    reading, left = await books.store.write(keep_reading, read, window, found, lambda key: key in answered)
    return Result(account, reading, left)


def _missing(kind: Kind, line: Line) -> Found:
    theirs, ours = (line.money, None) if kind is Kind.MISSING_HERE else (None, line.money)
    return Found(kind, line.about, line.key, line.at, theirs, ours, line.receipt, line.attempt_id)


def settle_difference(unit: Unit, actor: Actor, number: DifferenceId, note: str) -> Difference:
    """A person looked, and says in `note` what it was. It is not told again. Repeatable."""
    require(actor.party, Action.ADMINISTER)
    words = note.strip()
    if not words:
        raise BadInput("note", "empty")
    if len(words) > NOTE:
        raise BadInput("note", "too_long", limit=NOTE)
    known = read_difference(unit, number)
    if DIFFERENCE.move(known.state, DifferenceState.SETTLED, Party.ADMIN) is None:
        return known
    unit.trail.add(f"difference:{known.id}", actor, "difference_settled", note=words)
    return unit.reconciled.save(replace(known, state=DifferenceState.SETTLED, ended_at=unit.now, note=words))


def read_difference(unit: Unit, number: DifferenceId) -> Difference:
    known = unit.reconciled.difference(number)
    if known is None:
        raise NotFound(what="difference")
    return known


def _askable(unit: Unit, actor: Actor, number: DifferenceId) -> Difference:
    require(actor.party, Action.ADMINISTER)
    known = read_difference(unit, number)
    if known.attempt_id is None:
        raise BadInput("difference", "no_attempt")
    unit.trail.add(f"difference:{known.id}", actor, "difference_asked", attempt=known.attempt_id)
    return known


async def ask_about(books: Books, actor: Actor, number: DifferenceId) -> tuple[Difference, Attempt]:
    """The gateway is asked about our attempt, and what it says is settled as ever; then the day is read once more. Raises BadInput, NotFound."""
    known = await books.store.write(_askable, actor, number)
    await ask_gateway(books.store, books.gateways, AttemptId(known.attempt_id or 0))
    (account,) = [
        one for one in await books.store.read(accounts, books.gateways) if (one.gateway, one.owner) == (known.gateway, known.owner)
    ]
    now = await books.store.read(lambda unit: unit.now)
    await reconcile(books, Day(account, known.at.astimezone(UTC).date(), now), asked=True)
    return await books.store.read(lambda unit: (read_difference(unit, number), the_attempt(unit, AttemptId(known.attempt_id or 0))))
