"""Reconciliation without a list, with one that cannot be read, and which days are read when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from time import monotonic

import pytest

from domain.errors import BadInput, NotFound
from domain.life import AttemptState
from domain.payment import About, Attempt, Outcome, Record, Reply
from domain.reconcile import MOST_TRIES, Difference, DifferenceState, Kind
from tests.factories import DAY, HOUR, PRICE, SECOND, SHOP, Street, admin, owner
from tests.fakes import FakeGateway, Ground
from tests.usecases.ledgers import TODAY, Desk, Listing
from tests.usecases.test_by_hand import tell, told
from usecases import reconcile as reconciling
from usecases.gateways import PLATFORM, save_credentials
from usecases.reconcile import Account, ask_about, asked_days, due_days, reconcile


@pytest.fixture
def desk(street: Street) -> Desk:
    return Desk(street)


async def test_the_gateways_are_spared_between_questions() -> None:
    began = monotonic()
    await reconciling.rest(reconciling.PACE / 4)
    assert monotonic() - began >= 0.045


# --- no list


@pytest.fixture
def listless(street: Street) -> Desk:
    """The gateway has none: FakeGateway tells of single attempts only."""
    return Desk(street, FakeGateway())


async def test_without_a_list_each_attempt_is_asked_about_in_that_direction_only(listless: Desk, street: Street) -> None:
    fine, denied, silent = [street.paid() for _ in range(3)]
    failed = street.ringing()
    street.tell(street.failure(failed))
    listless.gateway.script = [Reply(Outcome.SUCCEEDED), Reply(Outcome.DECLINED), Reply(Outcome.UNKNOWN), Reply(Outcome.SUCCEEDED)]
    result = await listless.reads()
    assert [(one.kind, one.attempt_id) for one in result.differences] == [
        (Kind.MISSING_THERE, denied.attempt_id),
        (Kind.MISSING_HERE, failed.id),
    ]
    reading = result.reading
    assert (reading.how, reading.theirs, reading.ours, reading.unasked) == ("asked", 3, 3, 1)
    assert len(listless.paused) == 4
    assert fine.attempt_id != silent.attempt_id
    listless.gateway.script = [Reply(Outcome.SUCCEEDED), Reply(Outcome.SUCCEEDED)]
    assert [one.kind for one in (await listless.reads()).differences] == [Kind.MISSING_HERE], "nobody answered for it this time"


async def test_without_a_list_what_nobody_can_be_asked_about_is_counted(listless: Desk, street: Street) -> None:
    """Money by hand has no reference to ask with, a stray no attempt; a prompt that failed may be unanswered without harm."""
    tell(street, told(street.checkout()))
    tell(street, told(account="nonsense", receipt="SJK4H7L2Q2"))
    street.tell(street.failure(street.ringing()))
    result = await listless.reads()
    assert (result.differences, result.reading.unasked, result.reading.ours) == ([], 2, 2)
    unsent = street.attempt()
    street.ground.connection.execute("UPDATE attempts SET state = 'FAILED' WHERE id = ?", (unsent.id,))
    assert (await listless.reads()).reading.unasked == 2


async def test_without_a_list_only_so_many_are_asked_about(listless: Desk, street: Street) -> None:
    for _ in range(2):
        street.paid()
    listless.most = 1
    listless.gateway.script = [Reply(Outcome.SUCCEEDED)]
    assert (await listless.reads()).reading.unasked == 1


async def test_an_organizations_own_account_is_read_with_its_own_secrets(desk: Desk, street: Street) -> None:
    street.go_direct()
    order = street.paid()
    desk.gateway.lines = [desk.line(order)]
    assert await desk.finds(owner_id=SHOP) == []
    assert desk.gateway.read[-1][2] == {"short_code": "777777"}
    assert [one[0] for one in await desk.finds()] == [Kind.MISSING_HERE], "it is not the platform's"


# --- a list that cannot be read


async def test_a_list_that_cannot_be_read_says_nothing_and_is_tried_again(desk: Desk, street: Street, ground: Ground) -> None:
    street.paid()
    desk.gateway.broken = "502"
    result = await desk.reads()
    assert (result.differences, result.reading.why, result.reading.read_at) == ((), "502", None)
    assert result.reading.act_at == ground.clock.at + timedelta(minutes=10)
    for _ in range(MOST_TRIES - 1):
        result = await desk.reads()
    assert ground.alerts() == ["books_unread"] * 2
    assert result.reading.act_at > ground.clock.at + 100 * DAY
    desk.gateway.broken = ""
    desk.gateway.script = [Reply(Outcome.SUCCEEDED)]
    result = await desk.reads()
    assert (result.reading.why, result.reading.tries, result.reading.read_at) == ("", 0, ground.clock.at)


async def test_an_account_whose_secrets_are_gone_is_not_read(desk: Desk, street: Street, ground: Ground) -> None:
    result = await desk.reads(owner_id=SHOP)
    assert result.reading.why == "configuration"


async def test_two_who_read_at_once_read_once(desk: Desk, street: Street, ground: Ground) -> None:
    """The second finds the day taken; a person who asks reads it all the same, and the last has the word."""

    @dataclass
    class Slow(Listing):
        async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
            if not self.read:
                self.read.append((since, until, credentials))
                assert await reconcile(desk.books, desk.day()) is None
                assert await reconcile(desk.books, desk.day(), asked=True) is not None
            return []

    desk.gateway = Slow()
    assert await reconcile(desk.books, desk.day()) is not None
    assert await reconcile(desk.books, desk.day()) is None


# --- which days


def test_a_person_asks_for_yesterday_a_day_or_some(street: Street, ground: Ground) -> None:
    street.go_direct()
    ground.unit(save_credentials, admin, "elsewhere", {}, tested=True)

    def days(gateway: str = "", since: date | None = None, until: date | None = None) -> list[tuple[str, int]]:
        return [(str(one.day), one.account.owner) for one in street.do(asked_days, ("daraja",), gateway, since, until)]

    assert days() == [("2026-11-20", PLATFORM), ("2026-11-20", SHOP)]
    assert days("daraja", TODAY, TODAY)[0][0] == "2026-11-21"
    assert len(days("", date(2026, 11, 1), date(2026, 11, 3))) == 6
    assert days("", None, TODAY) == days("", TODAY, None)
    for gateway, since, until, reason in (
        ("nobody", None, None, "unknown"),
        ("", TODAY, date(2026, 11, 1), "backwards"),
        ("", date(2026, 11, 22), None, "not_yet"),
        ("", date(2026, 1, 1), TODAY, "too_many"),
    ):
        assert ground.refuses(BadInput, asked_days, ("daraja",), gateway, since, until).facts["reason"] == reason


def test_only_a_list_that_was_registered_is_read(street: Street, ground: Ground) -> None:
    ground.unit(lambda unit: unit.marks.put("by_hand:0", {"list": True}))
    assert street.do(reconciling.accounts, ("daraja",)) == [Account("daraja", PLATFORM, listed=True)]


async def test_each_day_is_read_when_it_is_over_and_again_while_something_differs(desk: Desk, street: Street, ground: Ground) -> None:
    def due() -> list[str]:
        return [str(one.day) for one in street.do(due_days, ("daraja",))]

    async def read_due() -> list[str]:
        days = street.do(due_days, ("daraja",))
        return [str(one.day) for one in days if await reconcile(desk.books, one) is not None]

    assert await read_due() == ["2026-11-20"]
    assert due() == []
    desk.paid()
    await desk.reads(TODAY)
    ground.clock.move(14 * HOUR)
    assert due() == [], "lists are not whole yet"
    ground.clock.move(2 * HOUR)
    assert due() == [], "it was read by hand lately"
    ground.clock.move(10 * HOUR)
    assert await read_due() == ["2026-11-21"], "for it was not over then"
    assert due() == []
    desk.gateway.lines.append(Record(About.PAYMENT, "there", "there", PRICE, ground.clock.at - DAY))
    await desk.reads(TODAY)
    ground.clock.move(DAY)
    assert await read_due() == ["2026-11-21", "2026-11-22"]
    desk.gateway.lines.pop()
    ground.clock.move(DAY)
    assert await read_due() == ["2026-11-21", "2026-11-23"]
    ground.clock.move(4 * DAY)
    desk.gateway.broken = "502"
    assert await read_due() == ["2026-11-24", "2026-11-25", "2026-11-26", "2026-11-27"]
    assert due() == []
    ground.clock.move(HOUR)
    assert len(due()) == 4


# --- asking


async def asked(desk: Desk, one: Difference) -> tuple[Difference, Attempt]:
    return await ask_about(desk.books, admin, one.id)


async def test_money_missing_here_is_booked_when_the_gateway_confirms_our_attempt(desk: Desk, street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    desk.gateway.lines = [Record(About.PAYMENT, f"ws_{attempt.id}", f"R{attempt.id}", PRICE, ground.clock.at)]
    (one,) = (await desk.reads()).differences
    assert (one.kind, one.attempt_id) == (Kind.MISSING_HERE, attempt.id)
    desk.gateway.script = [Reply(Outcome.SUCCEEDED, receipt=f"R{attempt.id}")]
    gone, now = await asked(desk, one)
    assert (gone.state, now.state) == (DifferenceState.GONE, AttemptState.SUCCEEDED)
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


async def test_what_names_no_attempt_of_this_account_cannot_be_asked(desk: Desk, street: Street, ground: Ground) -> None:
    street.go_direct()
    attempt = street.ringing()
    line = Record(About.PAYMENT, f"ws_{attempt.id}", None, PRICE, ground.clock.at)
    desk.gateway.lines = [line, replace(line, ref="there", at=ground.clock.at + SECOND)]
    found = (await desk.reads()).differences
    assert [one.attempt_id for one in found] == [None, None]
    for one in found:
        with ground.unchanged(), pytest.raises(BadInput, match="no_attempt"):
            await asked(desk, one)
    with pytest.raises(NotFound):
        await ask_about(desk.books, owner, found[0].id)
