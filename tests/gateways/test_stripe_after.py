"""After the sale, against the town's Stripe: refunds whole and in part, chargebacks, and the books that reconciliation reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.ids import AttemptId, RefundId
from domain.money import Money
from domain.payment import About, Outcome, Reply
from domain.statement import NoBooks
from tests.gateways.stripe_ground import KEYS, KIND, Ground, paid, started, stripe_ground

SUCCEEDED, PENDING, DECLINED, UNKNOWN = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED, Outcome.UNKNOWN


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with stripe_ground() as made:
        yield made


async def test_whole_and_part_refunds_once_each(ground: Ground) -> None:
    _, receipt = await paid(ground)
    first = await ground.refund(receipt, 1000_00, id=RefundId(5))
    assert (first.outcome, first.result) == (SUCCEEDED, "refunded")
    assert await ground.refund(receipt, 1000_00, id=RefundId(5)) == first
    assert await ground.refund(receipt, 1000_00, id=RefundId(5), tries=2) == first
    assert await ground.refund(receipt, 2000_00, id=RefundId(6)) == Reply(DECLINED, result="amount_refused")
    assert (await ground.refund(receipt, 1500_00, id=RefundId(7))).outcome is SUCCEEDED
    assert await ground.refund(receipt, 1_00, id=RefundId(8)) == Reply(DECLINED, result="already_refunded")
    assert [one["amount"] for one in ground.account.refunds.values()] == [100000, 150000]
    event = await ground.delivered("refund.created")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.about, notice.outcome, notice.refund_id, notice.refund_ref) == (About.REFUND, SUCCEEDED, RefundId(5), first.ref)
    assert (notice.money, notice.receipt, notice.attempt_id) == (Money(1000_00, "KES"), receipt, AttemptId(1))


async def test_a_refund_asked_again_a_week_later_is_still_the_same(ground: Ground) -> None:
    """O2: the key is forgotten after a day, the refund is not."""
    _, receipt = await paid(ground)
    ground.plant("drop_after")
    assert await ground.refund(receipt, 1000_00) == Reply(UNKNOWN, result="unknown")
    ground.alone.core.clock.advance(7 * 86400)
    assert (await ground.refund(receipt, 1000_00, tries=2)).outcome is SUCCEEDED
    assert len(ground.account.refunds) == 1


@pytest.mark.parametrize(("fate", "status"), [("refund_pending", "pending"), ("refund_action", "requires_action")])
async def test_a_refund_on_its_way_is_followed(ground: Ground, fate: str, status: str) -> None:
    _, receipt = await paid(ground)
    ground.plant(fate)
    reply = await ground.refund(receipt)
    assert (reply.outcome, reply.result) == (PENDING, "waiting")
    assert ground.account.refunds[reply.ref or ""]["status"] == status
    ground.alone.stripe.settle_refund(reply.ref or "", "succeeded")
    event = await ground.delivered("refund.updated")
    assert ground.gateway.parse(KIND, event.raw, event.headers).outcome is SUCCEEDED
    assert (await ground.refund(receipt, tries=2, ref=reply.ref)).outcome is SUCCEEDED


@pytest.mark.parametrize(
    ("reason", "words"), [("expired_or_canceled_card", "card_gone"), ("unknown", "refund_failed"), ("new", "refund_failed")]
)
async def test_a_refund_may_fail_after_it_succeeded(ground: Ground, reason: str, words: str) -> None:
    """C3."""
    _, receipt = await paid(ground)
    reply = await ground.refund(receipt)
    before = ground.account.balance()["kes"]
    ground.alone.stripe.settle_refund(reply.ref or "", "failed", reason)
    event = await ground.delivered("refund.failed")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.outcome, notice.result, notice.refund_ref, notice.refund_id) == (DECLINED, words, reply.ref, RefundId(1))
    assert ground.account.balance()["kes"] == before + 2500_00


@pytest.mark.parametrize(("won", "outcome", "words"), [(True, DECLINED, "chargeback_won"), (False, SUCCEEDED, "chargeback_lost")])
async def test_a_chargeback_from_its_beginning_to_its_end(ground: Ground, won: bool, outcome: Outcome, words: str) -> None:
    """C18: it names the receipt, for the payment's metadata are not on it."""
    _, receipt = await paid(ground)
    dispute = ground.alone.stripe.open_dispute(receipt)
    event = await ground.delivered("charge.dispute.created")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.about, notice.outcome, notice.receipt, notice.refund_ref) == (About.CHARGEBACK, PENDING, receipt, dispute["id"])
    assert (notice.money, notice.attempt_id) == (Money(2500_00, "KES"), None)
    assert await ground.refund(receipt) == Reply(DECLINED, result="charged_back")
    ground.alone.stripe.close_dispute(dispute["id"], won=won)
    event = await ground.delivered("charge.dispute.closed")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.about, notice.outcome, notice.result) == (About.CHARGEBACK, outcome, words)


async def test_an_inquiry_takes_no_money(ground: Ground) -> None:
    _, receipt = await paid(ground)
    ground.alone.stripe.open_dispute(receipt, inquiry=True)
    event = await ground.delivered("charge.dispute.created")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.about, notice.outcome, notice.result) == (About.CHARGEBACK, UNKNOWN, "chargeback_inquiry")


async def test_records_are_whole_signed_and_paged(ground: Ground) -> None:
    """Reconciliation: 120 payments are more than a page."""
    since = ground.now() - timedelta(minutes=1)
    refs = [await started(ground, attempt_id=AttemptId(number + 1), key=f"k{number}") for number in range(120)]
    for ref in refs:
        ground.pay(ref)
    receipt = str(ground.account.sessions[refs[-1]]["payment_intent"])
    refunded = await ground.refund(receipt, 1000_00)
    ground.alone.stripe.settle_refund(refunded.ref or "", "failed")
    dispute = ground.alone.stripe.open_dispute(receipt)
    ground.alone.stripe.close_dispute(dispute["id"], won=True)
    records = await ground.gateway.records(since, ground.now() + timedelta(minutes=1), KEYS)
    assert len(records) == 124
    payments = [one for one in records if one.about is About.PAYMENT]
    assert {(one.money, one.fee) for one in payments} == {(Money(2500_00, "KES"), Money(7280, "KES"))}
    assert len({one.receipt for one in payments}) == 120
    assert [(one.ref, one.money.amount_minor) for one in records if one.about is About.REFUND] == [
        (refunded.ref, -1000_00),
        (refunded.ref, 1000_00),
    ]
    assert [(one.ref, one.receipt, one.money.amount_minor) for one in records if one.about is About.CHARGEBACK] == [
        (dispute["id"], receipt, -2500_00),
        (dispute["id"], receipt, 2500_00),
    ]
    assert await ground.gateway.records(since - timedelta(days=2), since - timedelta(days=1), KEYS) == []


async def test_half_a_list_is_no_list(ground: Ground) -> None:
    with pytest.raises(NoBooks, match="configuration"):
        await ground.gateway.records(ground.now(), ground.now(), {})
    for fault in ("error_500", "drop_before", "rubbish", "rate_limit"):
        ground.plant(fault)
        with pytest.raises(NoBooks, match=r"\w"):
            await ground.gateway.records(ground.now(), ground.now(), KEYS)
