"""PayPal: refunds whole and in parts, under one key each; and its books for reconciliation."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.money import Money
from domain.payment import About, Outcome, Reply
from domain.statement import NoBooks
from gateways.payments.paypal_codes import REFUND
from tests.gateways.paypal_ground import CREDENTIALS, Ground, paypal_ground


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with paypal_ground() as made:
        yield made


def given_back(ground: Ground) -> list[int]:
    return [entry["units"] for entry in ground.alone.paypal.books() if entry["kind"] == "refund"]


async def test_a_whole_refund(ground: Ground) -> None:
    attempt, receipt = await ground.paid()
    reply = await ground.refund(attempt, receipt)
    assert (reply.outcome, reply.result) == (Outcome.SUCCEEDED, "refunded") and reply.ref is not None
    assert given_back(ground) == [-2000]


async def test_parts_until_nothing_is_left(ground: Ground) -> None:
    """C8."""
    attempt, receipt = await ground.paid()
    assert (await ground.refund(attempt, receipt, 500, 1)).outcome is Outcome.SUCCEEDED
    assert await ground.refund(attempt, receipt, 1501, 2) == Reply(Outcome.DECLINED, result="paypal_not_refundable")
    assert (await ground.refund(attempt, receipt, 1500, 3)).outcome is Outcome.SUCCEEDED
    assert await ground.refund(attempt, receipt, 1, 4) == Reply(Outcome.DECLINED, result="paypal_not_refundable")
    assert given_back(ground) == [-500, -1500]


async def test_a_lost_answer_is_asked_for_by_sending_again(ground: Ground) -> None:
    """O2: the same refund, whole or part, moves money once."""
    attempt, receipt = await ground.paid()
    ground.fault("refund_drop_after")
    assert await ground.refund(attempt, receipt, 700) == Reply(Outcome.UNKNOWN, result="unknown")
    first, second = await ground.refund(attempt, receipt, 700), await ground.refund(attempt, receipt, 700)
    assert first == second and first.outcome is Outcome.SUCCEEDED
    assert given_back(ground) == [-700]


async def test_a_whole_refund_that_was_made_by_hand_is_done_and_a_part_is_not(ground: Ground) -> None:
    """O12."""
    attempt, receipt = await ground.paid()
    ground.alone.paypal.refund_by_hand(receipt, 2000)
    assert await ground.refund(attempt, receipt) == Reply(Outcome.SUCCEEDED, result="already_refunded")
    assert await ground.refund(attempt, receipt, 700, 2) == Reply(Outcome.DECLINED, result="paypal_not_refundable")
    ground.fault("payment_error_500")
    assert (await ground.refund(attempt, receipt, None, 3)).outcome is Outcome.DECLINED
    assert given_back(ground) == [-2000]


@pytest.mark.parametrize(
    "end,outcome,words",
    [("COMPLETED", Outcome.SUCCEEDED, "refunded"), ("FAILED", Outcome.DECLINED, "paypal_not_refundable"),
     ("CANCELLED", Outcome.DECLINED, "paypal_not_refundable")],
)  # fmt: skip
async def test_a_refund_that_takes_days_ends_as_paypal_says(ground: Ground, end: str, outcome: Outcome, words: str) -> None:
    """C3."""
    attempt, receipt = await ground.paid()
    ground.fault("refund_pending")
    reply = await ground.refund(attempt, receipt)
    assert (reply.outcome, reply.result) == (Outcome.PENDING, "paypal_refund_pending") and reply.ref is not None
    ground.alone.paypal.resolve_refund(reply.ref, end)
    assert await ground.refund(attempt, receipt) == Reply(outcome, reply.ref, words)
    told = await ground.hears("PAYMENT.CAPTURE.REFUNDED")
    notice = ground.gateway.parse("event", told.raw, told.headers)
    assert (notice.about, notice.outcome, notice.refund_id, notice.refund_ref) == (About.REFUND, outcome, 1, reply.ref)


@pytest.mark.parametrize("issue", sorted(set(REFUND) - {"CAPTURE_FULLY_REFUNDED"}))
async def test_every_issue_of_a_refund_is_understood(ground: Ground, issue: str) -> None:
    attempt, receipt = await ground.paid()
    ground.fault("refund_issue", issue=issue)
    outcome, words = REFUND[issue]
    assert await ground.refund(attempt, receipt) == Reply(outcome, None, words, 3600 if outcome is Outcome.NOT_SENT else None)
    assert given_back(ground) == []


async def test_pending_money_cannot_go_back_yet_and_disputed_money_not_at_all(ground: Ground) -> None:
    """C18."""
    attempt = await ground.start()
    ground.pay(attempt, "review")
    receipt = (await ground.fetch(attempt)).receipt
    assert receipt is not None
    assert (await ground.refund(attempt, receipt)).outcome is Outcome.NOT_SENT
    ground.alone.paypal.resolve_capture(receipt, completed=True)
    ground.charge_back(receipt)
    assert await ground.refund(attempt, receipt) == Reply(Outcome.DECLINED, result="paypal_not_refundable")


async def test_what_cannot_be_refunded_is_not_asked(ground: Ground) -> None:
    attempt, receipt = await ground.paid()
    refund = ground.a_refund(attempt)
    assert await ground.gateway.refund(refund, receipt, {}, "t") == Reply(Outcome.DECLINED, result="configuration")
    assert await ground.gateway.refund(refund, "../x", CREDENTIALS, "t") == Reply(Outcome.DECLINED, result="paypal_not_refundable")
    assert await ground.refund(attempt, "3C679366HH908993F") == Reply(Outcome.DECLINED, result="paypal_not_refundable")
    assert (await ground.gateway.refund(ground.a_refund(attempt, 0), receipt, CREDENTIALS, "t")).result == "amount_refused"
    ground.fault("refund_rate_limit", retry_after=9)
    assert await ground.refund(attempt, receipt) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=9)


async def test_the_books_hold_every_movement_with_its_fee(ground: Ground) -> None:
    since = ground.clock.now()
    attempt, receipt = await ground.paid(10_000)
    reply = await ground.refund(attempt, receipt, 2500)
    _, other = await ground.paid(333, "EUR")
    reversal = ground.alone.paypal.reverse(other)
    await ground.hears("PAYMENT.CAPTURE.REVERSED")
    records = await ground.gateway.records(since, ground.clock.now() + timedelta(seconds=1), CREDENTIALS)
    assert {(record.about, record.ref, record.receipt, record.money) for record in records} == {
        (About.PAYMENT, receipt, receipt, Money(10_000, "USD")),
        (About.REFUND, reply.ref, receipt, Money(2500, "USD")),
        (About.PAYMENT, other, other, Money(333, "EUR")),
        (About.CHARGEBACK, reversal, other, Money(333, "EUR")),
    }
    books = ground.alone.paypal.books()
    fees = {record.ref: record.fee.amount_minor for record in records if record.fee is not None}
    assert fees == {entry["id"]: -entry["units"] for entry in books if entry["kind"] == "fee"}
    assert sum(entry["units"] for entry in books if entry["currency"] == "EUR" and entry["kind"] != "fee") == 0


async def test_the_books_have_many_pages_and_are_read_whole_or_not_at_all(ground: Ground) -> None:
    """C21, O2: half of the books would look like missing money."""
    since = ground.clock.now()
    for _ in range(60):  # each payment is two events, so there are two pages
        await ground.paid()
    until = ground.clock.now() + timedelta(seconds=1)
    assert len(await ground.gateway.records(since, until, CREDENTIALS)) == 60
    assert await ground.gateway.records(until + timedelta(hours=1), until + timedelta(hours=2), CREDENTIALS) == []
    ground.fault("events_html")
    for credentials, long_ago in ((CREDENTIALS, since), ({}, since), (CREDENTIALS, since - timedelta(days=31))):
        with pytest.raises(NoBooks):
            await ground.gateway.records(long_ago, until, credentials)
