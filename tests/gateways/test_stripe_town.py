"""The adapter against the town's Stripe, over HTTP both ways: pay, decline, expire, and what goes wrong on the way."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from domain.ids import AttemptId
from domain.money import Money
from domain.payment import About, Gateway, Outcome, Proof, Reply
from gateways.payments.stripe import SHORTEST
from tests.gateways.stripe_ground import BACK, KEYS, KIND, Ground, paid, started, stripe_ask, stripe_ground

SUCCEEDED, PENDING, DECLINED = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED
NOT_SENT, UNKNOWN = Outcome.NOT_SENT, Outcome.UNKNOWN


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with stripe_ground() as made:
        yield made


async def test_a_session_is_asked_for_exactly_as_documented(ground: Ground) -> None:
    gateway: Gateway = ground.gateway
    reply = await gateway.start(stripe_ask(language="sw", attempt_id=AttemptId(77)))
    session = ground.account.sessions[reply.ref or ""]
    assert reply == Reply(PENDING, session["id"], url=f"{ground.alone.base_url}/pay/{session['id']}")
    assert (session["amount_total"], session["currency"], session["mode"], session["locale"]) == (250000, "kes", "payment", "auto")
    assert (session["client_reference_id"], session["metadata"]) == ("77", {"payloom_attempt": "77"})
    assert ground.account.asked_with[session["id"]] == {"metadata": {"payloom_attempt": "77"}, "description": "PL-7K2QD"}
    assert (session["success_url"], session["cancel_url"]) == (BACK, BACK)
    assert session["adaptive_pricing"] == {"enabled": False}
    assert ground.account.lines[session["id"]][0]["description"] == "Order PL-7K2QD"


@pytest.mark.parametrize(("wanted_s", "given_s"), [(None, 1860), (0, 1860), (1800, 1860), (7200, 7200), (86400, 86100), (10**6, 86100)])
async def test_the_page_ends_strictly_between_half_an_hour_and_a_day(ground: Ground, wanted_s: int | None, given_s: int) -> None:
    now = ground.now()
    ref = await started(ground, expires_at=None if wanted_s is None else now + timedelta(seconds=wanted_s))
    assert abs(ground.account.sessions[ref]["expires_at"] - now.timestamp() - given_s) <= 2


async def test_asking_twice_with_one_key_makes_one_page(ground: Ground) -> None:
    """O7: idempotency is Stripe's, with the attempt's own key."""
    until = ground.now() + timedelta(hours=2)
    first = await ground.start(stripe_ask(expires_at=until))
    assert await ground.start(stripe_ask(expires_at=until)) == first
    assert len(ground.account.sessions) == 1
    other = await ground.start(stripe_ask(1000_00, expires_at=until))
    assert other == Reply(UNKNOWN, result="unknown")
    assert len(ground.account.sessions) == 1


async def test_paid_is_told_by_page_event_and_question_alike(ground: Ground) -> None:
    ref, receipt = await paid(ground)
    event = await ground.delivered("checkout.session.completed")
    assert ground.authentic(event)
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.outcome, notice.about, notice.proof, notice.result) == (SUCCEEDED, About.PAYMENT, Proof.PROOF, "paid")
    assert (notice.attempt_id, notice.ref, notice.receipt, notice.money) == (AttemptId(1), ref, receipt, Money(2500_00, "KES"))
    assert await ground.fetch(ref) == Reply(SUCCEEDED, ref, "paid", receipt=receipt)


async def test_an_open_page_is_still_waited_for_and_its_address_told_again(ground: Ground) -> None:
    ref = await started(ground)
    assert await ground.fetch(ref) == Reply(PENDING, ref, "waiting", url=ground.account.sessions[ref]["url"])


@pytest.mark.parametrize(
    ("card", "words"),
    [
        ("4000000000000002", "card_declined"),
        ("4000000000009995", "insufficient_funds"),
        ("4000000000000069", "card_wrong"),
        ("4000000000000127", "card_wrong"),
        ("4000000000000119", "try_later"),
        ("1234", "card_wrong"),
    ],
)
async def test_a_refused_card_ends_nothing_and_another_may_pay(ground: Ground, card: str, words: str) -> None:
    """C3: fail, then success."""
    ref = await started(ground)
    assert ground.alone.stripe.pay(ref, card) == "declined"
    event = await ground.delivered("payment_intent.payment_failed")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.outcome, notice.result, notice.attempt_id, notice.receipt) == (PENDING, words, AttemptId(1), None)
    assert (await ground.fetch(ref)).outcome is PENDING
    assert ground.pay(ref) == "paid"
    assert (await ground.fetch(ref)).outcome is SUCCEEDED


async def test_the_banks_question_answered_yes_and_no(ground: Ground) -> None:
    ref = await started(ground)
    assert ground.alone.stripe.pay(ref, "4000002500003155") == "asked"
    assert ground.alone.stripe.answer(ref, yes=False) == "declined"
    event = await ground.delivered("payment_intent.payment_failed")
    assert ground.gateway.parse(KIND, event.raw, event.headers).result == "card_not_confirmed"
    assert ground.alone.stripe.pay(ref, "4000002500003155") == "asked"
    assert (await ground.fetch(ref)).outcome is PENDING
    assert ground.alone.stripe.answer(ref, yes=True) == "paid"
    assert (await ground.fetch(ref)).outcome is SUCCEEDED


@pytest.mark.parametrize(("good", "outcome", "words"), [(True, SUCCEEDED, "paid"), (False, DECLINED, "insufficient_funds")])
async def test_complete_is_not_paid_until_it_is(ground: Ground, good: bool, outcome: Outcome, words: str) -> None:
    """C3: a delayed payment completes its page unpaid."""
    ref = await started(ground)
    assert ground.alone.stripe.pay(ref, "000123456789") == "delayed"
    event = await ground.delivered("checkout.session.completed")
    assert ground.gateway.parse(KIND, event.raw, event.headers).outcome is PENDING
    assert await ground.fetch(ref) == Reply(PENDING, ref, "waiting")
    ground.alone.stripe.clear_delayed(ref, paid=good)
    event = await ground.delivered("checkout.session.async_payment_succeeded" if good else "checkout.session.async_payment_failed")
    assert ground.gateway.parse(KIND, event.raw, event.headers).outcome is outcome
    reply = await ground.fetch(ref)
    assert (reply.outcome, reply.result) == (outcome, words)


async def test_a_page_that_ran_out_is_declined_and_cannot_be_paid(ground: Ground) -> None:
    ref = await started(ground)
    await ground.alone.core.pass_time(SHORTEST.total_seconds() + 60)
    event = await ground.delivered("checkout.session.expired")
    notice = ground.gateway.parse(KIND, event.raw, event.headers)
    assert (notice.outcome, notice.result, notice.ref) == (DECLINED, "expired", ref)
    assert await ground.fetch(ref) == Reply(DECLINED, ref, "expired")


@pytest.mark.parametrize(
    ("fault", "detail", "reply"),
    [
        ("rate_limit", {}, Reply(NOT_SENT, result="try_later", retry_after_s=5)),
        ("rate_limit", {"retry_after": 17}, Reply(NOT_SENT, result="try_later", retry_after_s=17)),
        ("error_500", {}, Reply(UNKNOWN, result="unknown")),
        ("error_500_after", {}, Reply(UNKNOWN, result="unknown")),
        ("drop_before", {}, Reply(UNKNOWN, result="unknown")),
        ("drop_after", {}, Reply(UNKNOWN, result="unknown")),
        ("rubbish", {}, Reply(UNKNOWN, result="unknown")),
        ("slow", {"seconds": 1.5}, Reply(UNKNOWN, result="unknown")),
        ("refuse", {"code": "amount_too_small"}, Reply(DECLINED, result="amount_refused")),
        ("refuse", {"status": 401}, Reply(DECLINED, result="configuration")),
        ("refuse", {"status": 403}, Reply(DECLINED, result="configuration")),
        ("refuse", {"status": 409, "code": "idempotency_key_in_use"}, Reply(UNKNOWN, result="unknown")),
        ("refuse", {"status": 503}, Reply(UNKNOWN, result="unknown")),
    ],
)
async def test_what_goes_wrong_on_the_way(ground: Ground, fault: str, detail: dict[str, Any], reply: Reply) -> None:
    """O1, O2, O3: sent at most once, whatever happens."""
    ground.plant(fault, **detail)
    assert await ground.start() == reply
    assert ground.alone.core.faults.waiting() == []
    assert len(ground.account.sessions) == (fault in ("error_500_after", "drop_after", "rubbish", "slow"))


async def test_a_page_whose_answer_was_lost_is_found_and_paid(ground: Ground) -> None:
    """O2: after = UNKNOWN, then asked."""
    ground.plant("drop_after")
    assert await ground.start() == Reply(UNKNOWN, result="unknown")
    found = await ground.fetch(None)
    assert (found.outcome, found.url) == (PENDING, ground.account.sessions[found.ref or ""]["url"])
    ground.pay(found.ref or "")
    assert (await ground.fetch(None)).outcome is SUCCEEDED


async def test_a_page_that_was_never_made_is_waited_for_then_given_up(ground: Ground) -> None:
    """O2: found among several pages, or not at all."""
    for number in range(101):
        await started(ground, attempt_id=AttemptId(1000 + number), key=f"k{number}")
    assert await ground.fetch(None) == Reply(UNKNOWN, result="unknown")
    before = ground.now()
    ground.alone.core.clock.advance(601)
    assert await ground.fetch(None, created_at=before) == Reply(DECLINED, result="expired")
    assert (await ground.fetch(None, id=AttemptId(1000), created_at=before)).outcome is PENDING


async def test_a_question_that_fails_says_nothing_of_the_payment(ground: Ground) -> None:
    """C21, O2, O3: unclear is never declined."""
    ref, _ = await paid(ground)
    for fault in ("error_500", "drop_before", "rubbish", "slow"):
        ground.plant(fault, seconds=1.5)
        assert await ground.fetch(ref) == Reply(UNKNOWN, ref, "unknown")
    ground.plant("rate_limit", retry_after=9)
    assert await ground.fetch(ref) == Reply(UNKNOWN, ref, "try_later", 9)
    ground.plant("refuse", status=401)
    assert await ground.fetch(ref) == Reply(UNKNOWN, ref, "configuration")
    assert await ground.fetch("cs_test_nobody") == Reply(UNKNOWN, "cs_test_nobody", "configuration")
    assert await ground.fetch("../balance") == Reply(UNKNOWN, "../balance", "unknown")
    assert (await ground.fetch(ref)).outcome is SUCCEEDED


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"money": Money(2499_99, "KES")}, "other_amount"),
        ({"money": Money(2500_00, "USD")}, "other_amount"),
        ({"id": AttemptId(2)}, "other_account"),
    ],
)
async def test_a_paid_page_of_another_amount_or_attempt_proves_nothing(ground: Ground, changed: dict[str, Any], words: str) -> None:
    """C8, C9, C10, O12."""
    ref, _ = await paid(ground)
    assert await ground.fetch(ref, **changed) == Reply(UNKNOWN, ref, words)


async def test_nothing_listens(ground: Ground) -> None:
    """O2: before it was sent."""
    await ground.alone.__aexit__(None, None, None)
    assert await ground.start() == Reply(NOT_SENT, result="try_later", retry_after_s=5)
    assert (await ground.refund("pi_1")).outcome is NOT_SENT
    assert await ground.fetch("cs_test_1") == Reply(UNKNOWN, "cs_test_1", "try_later", 5)


@pytest.mark.parametrize("fault", ["webhook_forged", "webhook_stale"])
async def test_what_a_stranger_signed_is_not_believed(ground: Ground, fault: str) -> None:
    """C5, C6: Stripe signs again with every try, so the genuine one gets through later."""
    ground.plant(fault, times=3)
    await paid(ground)
    event = await ground.delivered("checkout.session.completed")
    assert not ground.authentic(event)


async def test_an_event_that_was_not_taken_comes_again_signed_anew(ground: Ground) -> None:
    """C6, C1: a late retry carries a fresh time."""
    ground.account.endpoints[0].enabled = ("checkout.session.completed",)
    ground.answers = [500, 500]
    await paid(ground)
    first = await ground.delivered("checkout.session.completed")
    await ground.alone.core.pass_time(15)
    await ground.delivered("checkout.session.completed", 2)
    await ground.alone.core.pass_time(3600)
    third = await ground.delivered("checkout.session.completed", 3)
    assert (ground.authentic(third), ground.authentic(first)) == (True, False)
    assert {ground.gateway.parse(KIND, one.raw, one.headers).event_key for one in ground.mailbox} == {
        ground.gateway.parse(KIND, first.raw, first.headers).event_key
    }


async def test_events_late_twice_out_of_order_or_never_say_the_same_in_the_end(ground: Ground) -> None:
    """C1, C3, C21: what an event did not tell is told when it is asked for."""
    ground.account.endpoints[0].enabled = ("checkout.session.completed", "refund.created")
    ground.plant("webhook_twice")
    ref, _ = await paid(ground)
    one, two = await ground.delivered("checkout.session.completed"), await ground.delivered("checkout.session.completed", 2)
    assert ground.gateway.parse(KIND, one.raw, one.headers) == ground.gateway.parse(KIND, two.raw, two.headers)
    assert await ground.alone.stripe.send_again(ground.gateway.parse(KIND, one.raw, one.headers).event_key)
    ground.mailbox.clear()
    ground.plant("webhook_shuffled")
    _, receipt = await paid(ground, key="k2")
    await ground.refund(receipt)
    await ground.delivered("checkout.session.completed")
    assert [event.type for event in ground.mailbox] == ["refund.created", "checkout.session.completed"]
    ground.mailbox.clear()
    ground.plant("webhook_late", seconds=86400)
    await paid(ground, key="k3")
    assert ground.mailbox == []
    await ground.alone.core.pass_time(86401)
    late = await ground.delivered("checkout.session.completed")
    assert ground.authentic(late)
    ground.mailbox.clear()
    ground.plant("webhook_never")
    ref, _ = await paid(ground, key="k4")
    assert ground.mailbox == []
    assert (await ground.fetch(ref)).outcome is SUCCEEDED


async def test_a_key_is_tried_by_a_harmless_question(ground: Ground) -> None:
    check = ground.gateway.check
    assert await check(KEYS) is None
    assert await check({**KEYS, "secret_key": "sk_test_of_another"}) == "configuration"
    assert await check({**KEYS, "webhook_secret": " "}) == "configuration"
    assert await check({}) == "configuration"
    for fault in ("error_500", "rate_limit", "drop_before", "rubbish"):
        ground.plant(fault)
        assert await check(KEYS) == "try_later"
    ground.plant("refuse", status=403)
    assert await check(KEYS) == "configuration"
    assert ground.account.sessions == {}


async def test_the_page_itself_by_its_buttons(ground: Ground) -> None:
    reply = await ground.start()
    async with aiohttp.ClientSession() as browser:
        async with browser.get(str(reply.url)) as page:
            text = await page.text()
            assert page.status == 200 and "KES 2500.00" in text and "Order PL-7K2QD" in text
        async with browser.post(f"{reply.url}/pay", data={"card": "4000 0000 0000 0002"}) as page:
            assert "refused" in await page.text()
        async with browser.post(f"{reply.url}/pay", data={"card": "4242 4242 4242 4242"}, allow_redirects=False) as page:
            assert (page.status, page.headers["Location"]) == (303, BACK)
    assert (await ground.fetch(reply.ref)).outcome is SUCCEEDED
