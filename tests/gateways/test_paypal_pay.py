"""PayPal: an order, the page, the capture; what each answer means; what is never captured."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio

from domain.ids import AttemptId
from domain.life import AttemptState
from domain.money import Money
from domain.payment import CHECKOUT_LASTS, Method, Outcome, Proof, Reply, check_payable
from gateways.payments.paypal import EXPIRES_AFTER
from tests.gateways.paypal_ground import CREDENTIALS, Ground, paypal_ground


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with paypal_ground() as made:
        yield made


def taken(ground: Ground) -> list[int]:
    return [entry["units"] for entry in ground.alone.paypal.books() if entry["kind"] == "capture"]


def test_what_it_can_do(ground: Ground) -> None:
    """C9: KES, SAR and AED are refused before anything starts."""
    ability = ground.gateway.ability
    assert (ability.gateway, ability.proof, ability.part_refunds, ability.repeatable_refunds) == ("paypal", Proof.PROOF, True, True)
    assert ability.currencies == {"USD", "EUR", "GBP"}
    check_payable(ability, Method.PAYPAL, Money(1, "EUR"))


async def test_the_payer_is_sent_to_the_page_of_an_order_that_names_our_attempt(ground: Ground) -> None:
    ask = ground.ask(1234, "EUR", reference="PL-7K2QD", description="  Tea,\n black  ", language="ar")
    reply = await ground.gateway.start(ask)
    assert (reply.outcome, reply.result) == (Outcome.PENDING, "paypal_waiting")
    assert reply.url is not None and reply.url.startswith(ground.alone.base_url) and urlsplit(reply.url).query == f"token={reply.ref}"
    (order,) = ground.alone.paypal.orders()
    (unit,) = order["purchase_units"]
    assert (order["id"], order["status"], order["intent"]) == (reply.ref, "PAYER_ACTION_REQUIRED", "CAPTURE")
    assert unit["amount"] == {"currency_code": "EUR", "value": "12.34"}
    assert (unit["custom_id"], unit["invoice_id"]) == (str(ask.attempt_id), f"PL-7K2QD-{ask.attempt_id}")
    assert unit["description"] == "Tea, black"


async def test_the_same_attempt_started_again_is_the_same_order(ground: Ground) -> None:
    """O2: asked again under its key, whatever became of the first answer."""
    ask = ground.ask()
    first, second = await ground.gateway.start(ask), await ground.gateway.start(ask)
    assert first == second and len(ground.alone.paypal.orders()) == 1


@pytest.mark.parametrize("key", ["", "k" * 109, "a key", "مفتاح", "k\n"])
async def test_any_key_of_ours_can_be_sent(ground: Ground, key: str) -> None:
    ask = ground.ask(key=key)
    assert await ground.gateway.start(ask) == await ground.gateway.start(ask)
    assert len(ground.alone.paypal.orders()) == 1


@pytest.mark.parametrize(
    "changed,words",
    [
        ({"credentials": {}}, "configuration"),
        ({"credentials": {**CREDENTIALS, "client_secret": "wrong"}}, "configuration"),
        ({"credentials": {**CREDENTIALS, "client_id": "a:b"}}, "configuration"),
        ({"credentials": {**CREDENTIALS, "client_secret": "é"}}, "configuration"),
        ({"money": Money(100, "KES")}, "amount_refused"),
        ({"money": Money(0, "USD")}, "amount_refused"),
        ({"money": Money(-5, "USD")}, "amount_refused"),
        ({"back_url": ""}, "address_refused"),
        ({"back_url": "javascript:alert(1)"}, "address_refused"),
        ({"back_url": "https://shop.example:port/"}, "address_refused"),
    ],
)
async def test_what_cannot_be_asked_is_not_asked(ground: Ground, changed: dict[str, Any], words: str) -> None:
    """C8, C9."""
    assert await ground.gateway.start(ground.ask(**changed)) == Reply(Outcome.DECLINED, result=words)
    assert ground.alone.paypal.orders() == []


async def test_an_approved_order_is_captured_once_and_then_paid(ground: Ground) -> None:
    attempt = await ground.start()
    assert await ground.fetch(attempt) == Reply(Outcome.PENDING, attempt.ref, "paypal_waiting")
    ground.pay(attempt)
    replies = [await ground.fetch(attempt) for _ in range(3)]
    assert {reply.outcome for reply in replies} == {Outcome.SUCCEEDED} and len(set(replies)) == 1
    assert replies[0].receipt is not None and replies[0].result == "paid"
    assert taken(ground) == [2000]


async def test_twenty_who_ask_at_once_capture_once(ground: Ground) -> None:
    """C1, O4: from the page, the event and the clock together."""
    attempt = await ground.start()
    ground.pay(attempt)
    replies = await asyncio.gather(*(ground.fetch(attempt) for _ in range(20)))
    assert {reply.outcome for reply in replies} == {Outcome.SUCCEEDED} and taken(ground) == [2000]


async def test_a_capture_whose_answer_was_lost_is_found(ground: Ground) -> None:
    """O2: after the send nothing is known, and the order tells."""
    attempt = await ground.start()
    ground.pay(attempt)
    ground.fault("capture_drop_after")
    assert await ground.fetch(attempt) == Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
    assert (await ground.fetch(attempt)).outcome is Outcome.SUCCEEDED
    assert taken(ground) == [2000]


async def test_money_that_paypal_looks_into_is_not_paid_until_it_is_there(ground: Ground) -> None:
    """C3: PENDING, then COMPLETED or DENIED."""
    for completed, outcome, words in ((True, Outcome.SUCCEEDED, "paid"), (False, Outcome.DECLINED, "paypal_declined")):
        attempt = await ground.start()
        ground.pay(attempt, "review")
        reply = await ground.fetch(attempt)
        assert (reply.outcome, reply.result) == (Outcome.PENDING, "paypal_review") and reply.receipt is not None
        ground.alone.paypal.resolve_capture(reply.receipt, completed=completed)
        reply = await ground.fetch(attempt)
        assert (reply.outcome, reply.result) == (outcome, words)


async def test_a_declined_card_is_told_and_another_attempt_pays(ground: Ground) -> None:
    """O5: mapped, and never tried again by itself."""
    attempt = await ground.start()
    ground.decline(attempt)
    assert await ground.fetch(attempt) == Reply(Outcome.DECLINED, attempt.ref, "paypal_declined")
    again = await ground.start()
    ground.pay(again)
    assert (await ground.fetch(again)).outcome is Outcome.SUCCEEDED
    assert taken(ground) == [2000]


async def test_a_declined_capture_is_declined_though_the_order_is_completed(ground: Ground) -> None:
    attempt = await ground.start()
    ground.pay(attempt)
    ground.fault("capture_declined")
    reply = await ground.fetch(attempt)
    assert (reply.outcome, reply.result) == (Outcome.DECLINED, "paypal_declined")


@pytest.mark.parametrize("state", [AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED])
async def test_an_attempt_that_ended_is_never_captured(ground: Ground, state: AttemptState) -> None:
    """C4: the payer agrees when it is over; no money moves."""
    attempt = await ground.start()
    ground.pay(attempt)
    assert await ground.fetch(replace(attempt, state=state)) == Reply(Outcome.DECLINED, attempt.ref, "paypal_expired")
    assert await ground.fetch(replace(attempt, live=False)) == Reply(Outcome.DECLINED, attempt.ref, "paypal_expired")
    assert taken(ground) == []


@pytest.mark.parametrize("approved", [False, True])
async def test_too_late_is_over_for_good_and_two_minutes_are_left_for_what_is_under_way(ground: Ground, approved: bool) -> None:
    """C4."""
    attempt = await ground.start()
    if approved:
        ground.pay(attempt)
    ground.alone.core.clock.advance(CHECKOUT_LASTS.total_seconds())
    assert await ground.fetch(attempt) == Reply(Outcome.PENDING, attempt.ref, "paypal_waiting")
    ground.alone.core.clock.advance((EXPIRES_AFTER - CHECKOUT_LASTS).total_seconds())
    assert await ground.fetch(attempt) == Reply(Outcome.DECLINED, attempt.ref, "paypal_expired")
    assert taken(ground) == []


async def test_a_late_question_still_finds_what_was_paid(ground: Ground) -> None:
    """O6: captured in time, and only asked a day later."""
    attempt, receipt = await ground.paid()
    ground.alone.core.clock.advance(86_400)
    reply = await ground.fetch(replace(attempt, state=AttemptState.EXPIRED, live=False))
    assert (reply.outcome, reply.receipt) == (Outcome.SUCCEEDED, receipt)


async def test_an_order_that_paypal_forgot_is_over_and_not_before(ground: Ground) -> None:
    attempt = replace(await ground.start(), ref="5O190127TN364715T")
    assert (await ground.fetch(attempt)).outcome is Outcome.UNKNOWN
    ground.alone.core.clock.advance(timedelta(hours=3).total_seconds())
    assert await ground.fetch(attempt) == Reply(Outcome.DECLINED, attempt.ref, "paypal_expired")
    settled = replace(attempt, settled_at=ground.clock.now())
    assert (await ground.fetch(settled)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "changed",
    [{"id": AttemptId(1)}, {"money": Money(1999, "USD")}, {"money": Money(2000, "EUR")}, {"money": Money(200_000, "USD")}],
)
async def test_the_order_of_another_is_neither_captured_nor_believed(ground: Ground, changed: dict[str, object]) -> None:
    """C8, C9, C19."""
    attempt = await ground.start()
    ground.pay(attempt)
    other = replace(attempt, **changed)  # type: ignore[arg-type]  # fields of an attempt
    assert await ground.fetch(other) == Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
    assert taken(ground) == []


async def test_an_order_to_another_merchant_is_not_captured(ground: Ground) -> None:
    """C10."""
    attempt = await ground.start()
    ground.pay(attempt)
    credentials = {**CREDENTIALS, "merchant_id": "SOMEBODYELSE1"}
    assert (await ground.gateway.fetch(attempt, credentials)).outcome is Outcome.UNKNOWN
    assert taken(ground) == []
    assert (await ground.gateway.fetch(attempt, {**CREDENTIALS, "merchant_id": ""})).outcome is Outcome.SUCCEEDED


async def test_money_of_another_amount_than_asked_proves_nothing(ground: Ground) -> None:
    """O12, C8."""
    attempt = await ground.start()
    ground.pay(attempt)
    ground.fault("capture_other_amount", units=1999)
    assert await ground.fetch(attempt) == Reply(Outcome.UNKNOWN, attempt.ref, "unknown")


async def test_what_was_never_sent_cannot_be_asked_about(ground: Ground) -> None:
    attempt = replace(await ground.start(), ref=None)
    assert await ground.fetch(attempt) == Reply(Outcome.UNKNOWN, None, "unknown")
    odd = replace(attempt, ref="../../v1/oauth2/token")
    assert await ground.fetch(odd) == Reply(Outcome.UNKNOWN, odd.ref, "unknown")
    assert await ground.gateway.fetch(odd, {}) == Reply(Outcome.UNKNOWN, odd.ref, "configuration")


async def test_credentials_are_checked_without_paying(ground: Ground) -> None:
    assert await ground.gateway.check(CREDENTIALS) is None
    assert await ground.gateway.check({**CREDENTIALS, "client_secret": "x"}) == "configuration"
    assert await ground.gateway.check({}) == "configuration"
    ground.fault("token_500")
    assert await ground.gateway.check({**CREDENTIALS, "client_id": "other"}) == "try_later"
