"""Reconciliation over real books: sales and refunds that agree, books tampered both ways, and the work list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain import booking
from domain.errors import BadInput, IllegalTransition, NotFound
from domain.ids import AttemptId, RefundId
from domain.money import Money
from domain.order import Order
from domain.payment import About, Notice, Outcome, Proof, Record, Reply
from domain.reconcile import DifferenceId, DifferenceState, Kind
from domain.statement import Bookkeeping
from tests.factories import DAY, HOUR, PRICE, SECOND, SHOP, Street, admin, owner
from tests.fakes import Ground
from tests.usecases.ledgers import TODAY, Desk, Listing
from tests.usecases.test_by_hand import RECEIPT, tell, told
from usecases import reconcile as reconciling
from usecases import suspense
from usecases.reconcile import settle_difference
from usecases.refunds import ask_refund


@pytest.fixture
def desk(street: Street) -> Desk:
    return Desk(street)


def refunded(desk: Desk, order: Order, minor: int, reply: Reply) -> None:
    """Part of it, as if a seller had agreed; out of what the shop has."""
    street = desk.street
    attempt = street.attempt_now(order.attempt_id)
    source = booking.escrow_account(order.id)
    refund = street.do(ask_refund, attempt, Money(minor, "KES"), "whole", f"t:{order.id}:{minor}", source)
    street.send_refund(refund, reply)


async def test_books_that_agree_have_no_difference_and_are_counted(desk: Desk, ground: Ground) -> None:
    for _ in range(3):
        desk.paid()
    result = await desk.reads()
    assert (result.differences, result.reading.how, result.reading.theirs, result.reading.ours) == ([], "list", 3, 3)
    assert (result.reading.fees, result.reading.read_at) == ({"KES": 300}, ground.clock.at)
    ((_, _, credentials),) = desk.gateway.read
    assert credentials == {"short_code": "600000"}
    assert ground.alerts() == []


async def test_books_tampered_both_ways_are_each_classed(desk: Desk, street: Street, ground: Ground) -> None:
    fine, here, less, dollars, twice, late = [street.paid() for _ in range(6)]
    at = ground.clock.at
    desk.gateway.script = [Reply(Outcome.DECLINED)]
    desk.gateway.lines = [
        desk.line(fine),
        Record(About.PAYMENT, "there", "there", PRICE, at),
        desk.line(less, money=Money(1, "KES")),
        desk.line(dollars, money=Money(PRICE.amount_minor, "USD")),
        desk.line(twice),
        desk.line(twice, at=at + SECOND),
        desk.line(late, at=at - 2 * HOUR),
    ]
    found = await desk.finds()
    assert sorted(found, key=lambda one: str(one[0])) == [
        (Kind.AMOUNT, f"R{less.attempt_id}", Money(1, "KES"), PRICE),
        (Kind.CURRENCY, f"R{dollars.attempt_id}", Money(PRICE.amount_minor, "USD"), PRICE),
        (Kind.DUPLICATE, f"R{twice.attempt_id}", PRICE, PRICE),
        (Kind.LATE, f"R{late.attempt_id}", PRICE, PRICE),
        (Kind.MISSING_HERE, "there", PRICE, None),
        (Kind.MISSING_THERE, f"R{here.attempt_id}", None, PRICE),
    ]
    assert ground.alerts() == ["books_differ"]
    assert await desk.finds() == found
    assert ground.alerts() == ["books_differ"], "the same difference is told once"
    assert len(street.do(lambda unit: unit.reconciled.open_ones(10))) == 6


async def test_a_difference_that_vanished_is_closed_and_one_that_comes_back_is_told_again(
    desk: Desk, street: Street, ground: Ground
) -> None:
    line = desk.line(street.paid())
    desk.gateway.script = [Reply(Outcome.DECLINED)] * 2
    ((kind, *_),) = await desk.finds()
    assert kind is Kind.MISSING_THERE
    (one,) = street.do(lambda unit: unit.reconciled.open_ones(10))
    desk.gateway.lines = [line]
    assert await desk.finds() == []
    assert street.do(reconciling.read_difference, one.id).state is DifferenceState.GONE
    desk.gateway.lines = []
    assert len(await desk.finds()) == 1
    assert ground.alerts() == ["books_differ"] * 2
    assert ground.trail(f"difference:{one.id}") == [
        "difference_found by clock@job",
        "difference_gone by clock@job",
        "difference_found_again by clock@job",
    ]


async def test_a_settled_difference_is_not_told_again(desk: Desk, street: Street, ground: Ground) -> None:
    desk.gateway.lines = [Record(About.PAYMENT, "there", "there", PRICE, ground.clock.at)]
    (one,) = (await desk.reads()).differences
    for note, reason in ((" ", "empty"), ("x" * 501, "too_long")):
        assert ground.refuses(BadInput, settle_difference, admin, one.id, note).facts["reason"] == reason
    ground.refuses(NotFound, settle_difference, owner, one.id, "mine")
    ground.refuses(NotFound, settle_difference, admin, DifferenceId(1), "none")
    settled = street.do(settle_difference, admin, one.id, " another shop's ")
    assert (settled.state, settled.note, settled.ended_at) == (DifferenceState.SETTLED, "another shop's", ground.clock.at)
    assert ground.trail(f"difference:{one.id}")[-1] == "difference_settled by admin@admin"
    with ground.unchanged():
        street.do(settle_difference, admin, one.id, "again")
    assert await desk.finds() == []
    desk.gateway.lines = []
    assert await desk.finds() == []
    assert ground.alerts() == ["books_differ"]


async def test_a_difference_that_is_gone_cannot_be_settled(desk: Desk, street: Street, ground: Ground) -> None:
    desk.gateway.lines = [Record(About.PAYMENT, "there", "there", PRICE, ground.clock.at)]
    (one,) = (await desk.reads()).differences
    desk.gateway.lines = []
    await desk.reads()
    ground.refuses(IllegalTransition, settle_difference, admin, one.id, "late")


async def test_a_payment_at_midnight_is_no_difference_on_either_day(desk: Desk, street: Street, ground: Ground) -> None:
    """23:59:59 there, 00:00:01 here."""
    ground.clock.jump(timedelta(hours=12) + SECOND)
    desk.gateway.lines = [desk.line(street.paid(), at=ground.clock.at - 2 * SECOND)]
    ground.clock.move(timedelta(hours=30))
    for day in (TODAY, TODAY + DAY):
        assert await desk.finds(day) == []


async def test_what_was_booked_days_later_is_late_once_it_is_booked(desk: Desk, street: Street, ground: Ground) -> None:
    """First missing here; when it comes it is closed, and the day on which it came says nothing."""
    attempt = street.ringing()
    desk.gateway.lines = [Record(About.PAYMENT, f"R{attempt.id}", f"R{attempt.id}", PRICE, ground.clock.at)]
    ((kind, *_),) = await desk.finds()
    assert kind is Kind.MISSING_HERE
    street.later(2 * DAY)
    street.tell(street.success(attempt))
    assert await desk.finds() == []
    desk.gateway.script = [Reply(Outcome.SUCCEEDED)]
    assert await desk.finds(TODAY + 2 * DAY) == []
    assert desk.gateway.fetched[0][0].id == attempt.id
    assert ground.alerts() == ["books_differ"]


async def test_what_was_never_missed_is_late(desk: Desk, street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    desk.gateway.lines = [Record(About.PAYMENT, f"ws_{attempt.id}", None, PRICE, ground.clock.at)]
    street.later(3 * DAY)
    street.tell(street.success(attempt))
    ((kind, *_),) = await desk.finds()
    assert kind is Kind.LATE


async def test_refunds_and_their_sums_are_compared(desk: Desk, street: Street, ground: Ground) -> None:
    order = desk.paid()
    refunded(desk, order, 100_000, Reply(Outcome.SUCCEEDED, "re_1"))
    receipt = f"R{order.attempt_id}"
    assert [one[0] for one in await desk.finds()] == [Kind.MISSING_THERE]
    desk.gateway.lines.append(Record(About.REFUND, "re_1", receipt, Money(100_000, "KES"), ground.clock.at))
    assert await desk.finds() == []
    street.later(2 * DAY)
    refunded(desk, order, 150_000, Reply(Outcome.SUCCEEDED, "re_2"))
    desk.gateway.lines = [desk.gateway.lines[0], Record(About.REFUND, f"{receipt}:250000", receipt, PRICE, ground.clock.at)]
    desk.gateway.keeps = Bookkeeping(frozenset({About.PAYMENT, About.REFUND}), refunds_so_far=True)
    ground.clock.move(SECOND)
    assert await desk.finds() == []
    assert await desk.finds(TODAY + 2 * DAY) == []


async def test_a_refund_that_they_date_otherwise_is_found_by_its_payment(desk: Desk, street: Street, ground: Ground) -> None:
    order = desk.paid()
    line = Record(About.REFUND, "re_1", f"R{order.attempt_id}", PRICE, ground.clock.at)
    street.later(3 * DAY)
    attempt = street.attempt_now(order.attempt_id)
    refunded(desk, order, PRICE.amount_minor, Reply(Outcome.SUCCEEDED, "re_1"))
    street.do(ask_refund, attempt, Money(1, "KES"), "whole", "under way", booking.suspense(attempt.id))
    desk.gateway.lines.append(line)
    assert await desk.finds() == []


async def test_chargebacks_are_compared(desk: Desk, street: Street, ground: Ground) -> None:
    order = desk.paid()
    receipt = f"R{order.attempt_id}"
    notice = Notice(
        "daraja", "cb", "cb", Outcome.PENDING, Proof.PROOF, order.attempt_id, receipt=receipt, money=PRICE, about=About.CHARGEBACK, refund_ref="dp_1"
    )  # fmt: skip
    street.tell(notice)
    assert [one[0] for one in await desk.finds()] == [Kind.MISSING_THERE]
    desk.gateway.lines.append(Record(About.CHARGEBACK, "dp_1", receipt, PRICE, ground.clock.at))
    assert await desk.finds() == []
    street.later(3 * DAY)
    desk.gateway.lines[-1] = replace(desk.gateway.lines[-1], at=ground.clock.at)
    ground.clock.move(HOUR)
    assert await desk.finds(TODAY + 3 * DAY) == []


async def test_strays_are_payments_and_their_returns_are_refunds(desk: Desk, street: Street, ground: Ground) -> None:
    tell(street, told(account="nonsense"))
    line = Record(About.PAYMENT, RECEIPT, RECEIPT, PRICE, ground.clock.at)
    desk.gateway.lines = [line]
    assert await desk.finds() == []
    stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    street.do(suspense.returned_by_hand, admin, stray.id, "BACK1")
    assert [one[0] for one in await desk.finds()] == [Kind.MISSING_THERE]
    desk.gateway.lines.append(Record(About.REFUND, "BACK1", RECEIPT, PRICE, ground.clock.at))
    assert await desk.finds() == []


async def test_a_stray_that_was_matched_is_one_payment(desk: Desk, street: Street, ground: Ground) -> None:
    tell(street, told(account="nonsense"))
    desk.gateway.lines = [Record(About.PAYMENT, RECEIPT, RECEIPT, PRICE, ground.clock.at)]
    stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    street.do(suspense.match, admin, stray.id, street.checkout().number)
    assert await desk.finds() == []
    assert (await desk.reads()).reading.ours == 1


async def test_entries_about_things_that_are_not_there_are_differences_not_crashes(desk: Desk, street: Street, ground: Ground) -> None:
    """A damaged database: what the books hold without an owner is missing there."""

    def damage(unit: Any) -> None:
        account = booking.clearing("daraja")
        unit.books.book(booking.unexpected(AttemptId(5), SHOP, account, PRICE))
        unit.books.book(booking.stray(6, account, PRICE, None))
        unit.books.book(booking.stray_returned(6, account, Money(1, "KES"), None))
        unit.books.book(booking.refund_returned(RefundId(7), AttemptId(5), SHOP, account, PRICE))
        for cause in ("order:8", "attempt:nine"):
            unit.books.book(replace(booking.unexpected(AttemptId(5), SHOP, account, PRICE, "x"), cause=cause))

    street.do(damage)
    desk.gateway.script = [Reply(Outcome.DECLINED)]
    keys = sorted(one.key for one in (await desk.reads()).differences)
    assert keys == ["attempt:5", "refund:7", "stray:6", "stray:6"]
    assert street.do(suspense.suspended) == []


# --- before a payment is missing there


async def test_a_payment_that_their_list_lacks_is_asked_about_before_it_is_missing(desk: Desk, street: Street) -> None:
    street.paid()
    desk.gateway.script = [Reply(Outcome.SUCCEEDED)]
    assert await desk.finds() == []
    assert (len(desk.gateway.fetched), desk.paused) == (1, [reconciling.PACE])
    desk.gateway.script = [Reply(Outcome.UNKNOWN)]
    assert [one[0] for one in await desk.finds()] == [Kind.MISSING_THERE]


async def test_a_list_of_payments_by_hand_says_nothing_of_prompts(desk: Desk, street: Street, ground: Ground) -> None:
    """What is not in it and nobody answers for is unasked; what came by hand must be in it."""
    street.paid()
    tell(street, told(street.checkout()))
    desk.listed, desk.by_hand = True, Listing(keeps=Bookkeeping(frozenset({About.PAYMENT}), timedelta(hours=47), by_hand_only=True))
    result = await desk.reads()
    assert [(one.kind, one.receipt) for one in result.differences] == [(Kind.MISSING_THERE, RECEIPT)]
    assert result.reading.unasked == 1
    desk.gateway.script = [Reply(Outcome.DECLINED)]
    assert len((await desk.reads()).differences) == 2
    assert len((await desk.reads()).differences) == 2, "what nobody answers for stays as it is"
    street.later(2 * DAY)
    assert (await desk.reads()).reading.how == "asked", "their list does not reach so far"


async def test_only_so_many_are_asked_about(desk: Desk, street: Street) -> None:
    for _ in range(2):
        street.paid()
    desk.most = 1
    desk.gateway.script = [Reply(Outcome.DECLINED)]
    result = await desk.reads()
    assert (len(result.differences), result.reading.unasked) == (1, 1)
