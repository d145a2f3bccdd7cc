"""A payer who goes on at the gateway's own page: how they get there, how they leave it, when we ask; and what comes late to a payment."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest

from domain.errors import NotFound
from domain.ids import AttemptId, CheckoutId, RefundId
from domain.life import AttemptState, CheckoutState, PaymentState, RefundState
from domain.money import Money
from domain.order import Reason
from domain.payment import Ability, About, Attempt, Checkout, Method, Notice, Outcome, Proof, Reply
from tests.factories import ABILITIES, BUYER, PRICE, SECOND, Street, admin, buyer
from tests.fakes import FakeGateway, Ground, GroundStore, NullBell
from usecases.disputes import open_dispute, resolve_dispute
from usecases.gateways import save_credentials
from usecases.hall import Hall
from usecases.payments import NewAttempt, ask_soon, begin_attempt, open_attempt, record_reply
from usecases.settlement import apply_notice

URL = "https://stripe.example/pay/1"
CARDS = Ability("stripe", frozenset({Method.VISA}), frozenset({"KES"}), {}, 100, 100_000_000, True, Proof.PROOF)
BOTH: Mapping[str, Ability] = {**ABILITIES, "stripe": CARDS}


@pytest.fixture(autouse=True)
def cards(street: Street, ground: Ground) -> None:
    ground.unit(save_credentials, admin, "stripe", {"secret": "s"}, tested=True)


def by(ground: Ground, checkout: Checkout, method: Method, key: str, source: str = "web") -> Attempt:
    return ground.unit(open_attempt, NewAttempt(key, checkout.id, method, None, source), BOTH)


def page(ground: Ground, checkout: Checkout, key: str = "card", source: str = "web") -> Attempt:
    """The payer was sent to the card page."""
    attempt = by(ground, checkout, Method.VISA, key, source)
    assert ground.unit(begin_attempt, attempt.id) is not None
    return ground.unit(record_reply, attempt.id, Reply(Outcome.PENDING, f"cs_{attempt.id}", url=URL))


# --- another method --------------------------------------------------------------------------------------------------


def test_a_page_left_for_another_method_is_given_up_in_silence(street: Street, ground: Ground) -> None:
    left = page(ground, street.checkout())
    prompt = by(ground, street.checkout_now(left), Method.MPESA, "phone")
    gone = street.attempt_now(left.id)
    assert (gone.state, gone.result, gone.live, gone.ask_at) == (AttemptState.CANCELLED, "other_method", False, None)
    assert street.payment_now(left).state is PaymentState.CANCELLED
    assert (prompt.gateway, prompt.state, prompt.live) == ("daraja", AttemptState.CREATED, True)
    assert prompt.payment_id != left.payment_id
    assert street.checkout_now(left).state is CheckoutState.PAYING
    assert ground.told() == []


def test_a_page_is_not_given_up_for_its_own_method_nor_a_prompt_for_any(street: Street, ground: Ground) -> None:
    first, ringing = page(ground, street.checkout()), street.ringing()
    with ground.unchanged():
        assert by(ground, street.checkout_now(first), Method.VISA, "again").id == first.id
        assert by(ground, street.checkout_now(ringing), Method.VISA, "other").id == ringing.id


def test_what_is_paid_on_a_page_that_was_left_goes_back_when_the_other_was_paid(street: Street, ground: Ground) -> None:
    left = page(ground, street.checkout())
    prompt = by(ground, street.checkout_now(left), Method.MPESA, "phone")
    ground.unit(begin_attempt, prompt.id)
    assert street.tell(street.success(prompt)) == "paid"
    late = Notice("stripe", "evt_1", "event", Outcome.SUCCEEDED, Proof.PROOF, left.id, left.ref, "pi_1", PRICE)
    assert street.tell(late) == "suspense"
    refund = street.refund_of(left.id)
    assert (refund.reason, refund.money, refund.gateway, refund.order_id) == ("double", PRICE, "stripe", None)
    assert street.order_of(left).attempt_id == prompt.id


# --- the way to the page ---------------------------------------------------------------------------------------------


def test_a_page_is_asked_about_after_a_minute_and_whoever_looks_at_it_hears_of_it(street: Street, ground: Ground) -> None:
    attempt = page(ground, street.checkout())
    assert ground.wakes == [("checkout", {"id": attempt.checkout_id})]
    assert (attempt.state, attempt.url, attempt.ask_at) == (AttemptState.PENDING, URL, ground.clock.at + 60 * SECOND)
    assert ground.told() == []


@pytest.mark.parametrize("source", ["ussd", "sms"])
def test_who_pays_without_a_screen_is_texted_the_page(street: Street, ground: Ground, source: str) -> None:
    attempt = page(ground, street.checkout(street.link(name="Red sneakers")), source=source)
    ((person, channel, key, payload),) = ground.rows("SELECT person_id, channel, key, payload FROM outbox WHERE fact = 'pay_page'")
    assert (person, channel, key) == (BUYER, "sms", f"pay_page:{attempt.id}")
    assert json.loads(payload) == {
        "checkout": attempt.checkout_id,
        "name": "Red sneakers",
        "amount_minor": 250_000,
        "currency": "KES",
    }


def test_a_guest_without_a_screen_cannot_be_texted(street: Street, ground: Ground) -> None:
    attempt = page(ground, street.checkout(buyer_id=None), source="ussd")
    assert (attempt.state, attempt.url) == (AttemptState.PENDING, URL)
    assert ground.told() == []


# --- the way back ----------------------------------------------------------------------------------------------------


def test_who_comes_back_has_the_gateway_asked_ten_times_in_ten_minutes(street: Street, ground: Ground) -> None:
    attempt = page(ground, street.checkout())
    for _ in range(10):
        assert ground.unit(ask_soon, attempt.checkout_id) == attempt.id
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at + 15 * SECOND
    street.later(599 * SECOND)
    assert ground.unit(ask_soon, attempt.checkout_id) is None
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at - 584 * SECOND
    street.later(SECOND)
    assert ground.unit(ask_soon, attempt.checkout_id) == attempt.id
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at + 15 * SECOND


def test_there_is_nothing_to_ask_before_the_page_without_one_and_after_it(street: Street, ground: Ground) -> None:
    unsent = by(ground, street.checkout(), Method.VISA, "unsent")
    ringing, ended = street.ringing(), page(ground, street.checkout())
    ground.unit(apply_notice, replace(street.failure(ended), gateway="stripe", ref=ended.ref))
    assert street.attempt_now(ended.id).state is AttemptState.FAILED
    with ground.unchanged():
        for checkout_id in (unsent.checkout_id, ringing.checkout_id, ended.checkout_id, CheckoutId(1)):
            assert ground.unit(ask_soon, checkout_id) is None


# --- events ----------------------------------------------------------------------------------------------------------


def test_an_event_about_a_page_that_decides_nothing_has_the_gateway_asked_at_once(street: Street, ground: Ground) -> None:
    attempt = page(ground, street.checkout())
    notice = Notice("stripe", "evt_1", "event", Outcome.PENDING, Proof.PROOF, attempt.id, attempt.ref)
    assert street.tell(notice) == "noted"
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at
    with ground.unchanged():
        assert street.tell(notice) == "noted"


def test_an_event_about_no_payment_of_ours_is_nothing_unless_it_decides(street: Street, ground: Ground) -> None:
    notice = Notice("stripe", "evt_1", "event", Outcome.UNKNOWN, Proof.PROOF, ref="cs_of_somebody")
    with ground.unchanged():
        assert street.tell(notice) == "nothing"
        assert street.tell(replace(notice, attempt_id=AttemptId(1))) == "nothing"
    for outcome in (Outcome.PENDING, Outcome.SUCCEEDED, Outcome.DECLINED):
        assert ground.refuses(NotFound, apply_notice, replace(notice, outcome=outcome)).facts == {"what": "attempt"}


def test_an_event_about_a_refund_that_does_not_exist_is_not_found(street: Street, ground: Ground) -> None:
    notice = Notice("stripe", "evt_1", "event", Outcome.SUCCEEDED, Proof.PROOF, refund_id=RefundId(1), about=About.REFUND)
    assert ground.refuses(NotFound, apply_notice, notice).facts == {"what": "refund"}


@pytest.mark.parametrize(
    "outcomes,state",
    [
        ((Outcome.PENDING,), PaymentState.DISPUTED_BY_BANK),
        ((Outcome.PENDING, Outcome.SUCCEEDED), PaymentState.CHARGED_BACK),
    ],
)
def test_a_refund_that_ends_after_the_bank_took_the_payment_does_not_hide_that(
    street: Street, ground: Ground, outcomes: tuple[Outcome, ...], state: PaymentState
) -> None:
    order = street.paid()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.unit(resolve_dispute, admin, order.number, "split", Money(100_000, "KES"))
    for outcome in outcomes:
        notice = Notice(
            "daraja", f"bank:{outcome}", "event", outcome, Proof.PROOF, order.attempt_id, about=About.CHARGEBACK, refund_ref="dp"
        )
        assert street.tell(notice) == "noted"
    refund = street.send_refund(street.refund_of(order.attempt_id), Reply(Outcome.SUCCEEDED))
    assert refund.state is RefundState.DONE
    assert street.payment_now(street.attempt_now(order.attempt_id)).state is state
    assert ground.books() == {"clearing:daraja": -100_000, "fees:platform": -3_750, "receivable": 103_750}


# --- the answer waits a little for the page --------------------------------------------------------------------------


async def test_an_answer_waits_a_little_for_what_it_is_better_with(ground: Ground) -> None:
    house = Hall(GroundStore(ground), {"daraja": FakeGateway()}, NullBell(), ground.clock, ground.house, ground.tokens)
    go, done = asyncio.Event(), list[str]()

    async def quick() -> None:
        await asyncio.sleep(0)
        done.append("quick")

    async def slow() -> None:
        await go.wait()
        done.append("slow")

    await house.begin(quick(), 5)
    assert done == ["quick"]
    await house.begin(slow(), 0.01)
    assert done == ["quick"]
    go.set()
    await house.drain()
    assert done == ["quick", "slow"]
