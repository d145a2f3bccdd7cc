"""Attempts: one live prompt for a checkout, written before it is sent, sent once, limited so that nobody is pestered."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import BadInput, CannotPay, LimitReached, NotForSale, NotFound
from domain.ids import AttemptId
from domain.life import AttemptState, CheckoutState, PaymentState
from domain.money import Money
from domain.payment import Attempt, Method, Outcome, Reply
from domain.phone import Phone
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.factories import ABILITIES, BUYER, OTHER_OWNER, OTHER_PHONE, PHONE, PRICE, SECOND, Street, admin, buyer, stranger
from tests.fakes import FakeGateway, Ground, GroundStore
from usecases.checkouts import cancel_checkout, expire_checkout
from usecases.gateways import pause_gateway
from usecases.payments import (
    NewAttempt,
    _check_limits,
    begin_attempt,
    buy,
    never_prompt,
    open_attempt,
    record_reply,
    recover_attempt,
    send_attempt,
)
from usecases.people import set_phone

MINUTE = timedelta(minutes=1)


def phones(count: int) -> list[Phone]:
    return [Phone(f"+2547000{number:05}") for number in range(count)]


def test_an_attempt_is_written_before_anything_is_sent(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    attempt = street.attempt(checkout, key="try")
    assert (attempt.state, attempt.money, attempt.phone, attempt.key) == (AttemptState.CREATED, PRICE, PHONE, "try")
    assert (attempt.gateway, attempt.direct, attempt.short_code, attempt.live) == ("daraja", False, "600000", True)
    assert street.checkout_now(attempt).state is CheckoutState.PAYING
    assert street.payment_now(attempt).state is PaymentState.PENDING
    assert ground.books() == {}


def test_while_a_prompt_is_live_asking_again_returns_it(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    with ground.unchanged():
        for _ in range(5):
            assert street.attempt(street.checkout_now(attempt)).id == attempt.id


def test_the_same_key_returns_the_same_attempt_even_when_it_has_ended(street: Street, ground: Ground) -> None:
    attempt = street.ringing(key="once")
    street.tell(street.failure(attempt))
    with ground.unchanged():
        assert street.attempt(street.checkout_now(attempt), key="once").id == attempt.id
    assert street.attempt(street.checkout_now(attempt), key="another").id != attempt.id


def test_a_second_try_uses_the_same_payment(street: Street) -> None:
    first = street.ringing()
    street.tell(street.failure(first))
    second = street.ringing(street.checkout_now(first), phone=OTHER_PHONE)
    assert (second.payment_id, second.phone) == (first.payment_id, OTHER_PHONE)
    assert street.checkout_now(second).phone == OTHER_PHONE
    assert street.payment_now(second).state is PaymentState.PENDING


def test_what_is_paid_or_over_is_not_paid_again(street: Street, ground: Ground) -> None:
    order = street.paid()
    new = NewAttempt("n1", order.checkout_id, Method.MPESA, None, "web")
    assert ground.refuses(NotForSale, open_attempt, new, ABILITIES).facts == {"reason": "paid"}
    cancelled = street.checkout()
    ground.unit(cancel_checkout, cancelled.id, buyer)
    new = NewAttempt("n2", cancelled.id, Method.MPESA, None, "web")
    assert ground.refuses(NotForSale, open_attempt, new, ABILITIES).facts == {"reason": "expired"}


def test_a_checkout_can_be_paid_until_the_last_microsecond(street: Street, ground: Ground) -> None:
    checkout, other = street.checkout(), street.checkout()
    ground.clock.at = checkout.expires_at - timedelta(microseconds=1)
    assert street.attempt(checkout).checkout_id == checkout.id
    ground.clock.at = other.expires_at
    ground.refuses(NotForSale, open_attempt, NewAttempt("n", other.id, Method.MPESA, None, "web"), ABILITIES)


@pytest.mark.parametrize("phone", [None, Phone("+256712345678"), Phone("+254202345678")])
def test_a_prompt_needs_a_kenyan_mobile(street: Street, ground: Ground, phone: Phone | None) -> None:
    checkout = street.checkout(phone=phone)
    refusal = ground.refuses(BadInput, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    assert refusal.reason == "not_mpesa"


@pytest.mark.parametrize(
    "price,reason",
    [
        (Money(250_050, "KES"), "cents"),
        (Money(1_000, "USD"), "currency"),
        (Money(25_000_100, "KES"), "too_large"),
    ],
)
def test_mpesa_takes_whole_shillings_within_its_bounds(street: Street, ground: Ground, price: Money, reason: str) -> None:
    checkout = street.checkout(street.link(price=price))
    refusal = ground.refuses(CannotPay, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    assert refusal.facts["reason"] == reason


def test_nothing_new_is_begun_through_a_paused_gateway_and_what_rings_is_followed(street: Street, ground: Ground) -> None:
    ringing, checkout = street.ringing(), street.checkout()
    ground.unit(pause_gateway, admin, "daraja", True)
    refusal = ground.refuses(CannotPay, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    assert refusal.facts["reason"] == "paused"
    assert street.tell(street.success(ringing)) == "paid"
    ground.unit(pause_gateway, admin, "daraja", False)
    assert street.attempt(checkout).checkout_id == checkout.id


def test_a_change_of_account_does_not_confuse_an_attempt_under_way(street: Street) -> None:
    first = street.ringing()
    street.go_direct()
    street.tell(street.failure(first))
    second = street.ringing(street.checkout_now(first))
    assert (first.direct, second.direct, second.short_code) == (False, True, "777777")
    assert street.payment_now(first).direct
    assert street.tell(street.success(first)) == "paid"
    assert street.order_of(first).escrow == "HELD"


# --- limits (T17) ----------------------------------------------------------------------------------------------------


def test_a_number_is_rung_three_times_in_ten_minutes(street: Street, ground: Ground) -> None:
    """T17."""
    for _ in range(3):
        street.attempt()
    checkout = street.checkout()
    new = NewAttempt("n", checkout.id, Method.MPESA, None, "web")
    refusal = ground.refuses(LimitReached, open_attempt, new, ABILITIES)
    assert refusal.facts == {"limit": "stk_number_10m", "retry_at": ground.clock.at + 10 * MINUTE}
    assert street.attempt(checkout, phone=OTHER_PHONE).phone == OTHER_PHONE
    street.later(10 * MINUTE - SECOND)
    other = street.checkout()
    ground.refuses(LimitReached, open_attempt, NewAttempt("n2", other.id, Method.MPESA, None, "web"), ABILITIES)
    street.later(SECOND)
    assert street.attempt(other).phone == PHONE


def test_a_number_is_rung_ten_times_a_day(street: Street, ground: Ground) -> None:
    """T17."""
    for n in range(10):
        street.attempt()
        street.later(10 * MINUTE if n % 3 == 2 else SECOND)
    street.later(10 * MINUTE)
    checkout = street.checkout()
    refusal = ground.refuses(LimitReached, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    midnight = ground.clock.at.replace(hour=0, minute=0, second=0) + timedelta(days=1)
    assert refusal.facts == {"limit": "stk_number_day", "retry_at": midnight}


def test_an_address_rings_ten_times_an_hour(street: Street, ground: Ground) -> None:
    """T17."""
    for phone in phones(10):
        street.attempt(phone=phone, address="10.0.0.1")
    checkout = street.checkout()
    new = NewAttempt("n", checkout.id, Method.MPESA, None, "web", "10.0.0.1")
    refusal = ground.refuses(LimitReached, open_attempt, new, ABILITIES)
    assert refusal.facts == {"limit": "stk_address_hour", "retry_at": ground.clock.at + 60 * MINUTE}
    assert street.attempt(checkout, address="10.0.0.2").checkout_id == checkout.id


def test_a_link_rings_thirty_times_an_hour(street: Street, ground: Ground) -> None:
    """T17."""
    link = street.link()
    for phone in phones(30):
        street.attempt(street.checkout(link), phone=phone)
    checkout = street.checkout(link)
    refusal = ground.refuses(LimitReached, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    assert refusal.facts["limit"] == "stk_link_hour"
    assert street.attempt(street.checkout(street.link())).phone == PHONE


def test_the_house_rings_six_thousand_times_a_minute(street: Street, ground: Ground) -> None:
    """T17."""
    window = int(ground.clock.at.timestamp()) // 60 * 60
    ground.connection.execute("INSERT INTO limits VALUES ('stk_total_minute', 'all', ?, 5999)", (window,))
    street.attempt()
    checkout = street.checkout()
    refusal = ground.refuses(LimitReached, open_attempt, NewAttempt("n", checkout.id, Method.MPESA, None, "web"), ABILITIES)
    assert refusal.facts["limit"] == "stk_total_minute"


def test_a_number_that_wants_no_prompt_gets_none(street: Street, ground: Ground) -> None:
    """T17."""
    ground.unit(set_phone, BUYER, PHONE)
    ground.unit(never_prompt, buyer, PHONE, True)
    checkout = street.checkout()
    new = NewAttempt("n", checkout.id, Method.MPESA, None, "web")
    assert ground.refuses(CannotPay, open_attempt, new, ABILITIES).facts["reason"] == "never_prompt"
    ground.unit(never_prompt, admin, PHONE, False)
    assert street.attempt(checkout).phone == PHONE


def test_nobody_silences_anothers_number(street: Street, ground: Ground) -> None:
    ground.unit(set_phone, OTHER_OWNER, OTHER_PHONE)
    ground.refuses(NotFound, never_prompt, stranger, PHONE, True)
    ground.refuses(NotFound, never_prompt, Actor(Party.BUYER, "web"), PHONE, True)


# --- sending ---------------------------------------------------------------------------------------------------------


def test_what_is_sent_is_marked_first_and_sent_once(street: Street, ground: Ground) -> None:
    link = street.link(name="Red sneakers")
    attempt = street.attempt(street.checkout(link))
    ask = ground.unit(begin_attempt, attempt.id)
    assert ask is not None
    assert (ask.attempt_id, ask.money, ask.phone, ask.reference, ask.description) == (attempt.id, PRICE, PHONE, link.code, "Red sneakers")
    assert (ask.credentials, ground.tokens.read(Purpose.ATTEMPT, ask.callback_token)) == ({"short_code": "600000"}, attempt.id)
    with ground.unchanged():
        assert ground.unit(begin_attempt, attempt.id) is None


def test_a_prompt_is_sent_within_ninety_seconds_or_not_at_all(street: Street, ground: Ground) -> None:
    attempt, late = street.attempt(), street.attempt()
    street.later(90 * SECOND)
    assert ground.unit(begin_attempt, attempt.id) is not None
    street.later(timedelta(microseconds=1))
    assert ground.unit(begin_attempt, late.id) is None
    now = street.attempt_now(late.id)
    assert (now.state, now.result, now.live) == (AttemptState.FAILED, "not_sent", False)
    assert ground.told() == [f"payment_failed>{BUYER}"]


def test_nobody_is_rung_for_a_checkout_that_is_over(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    ground.unit(cancel_checkout, attempt.checkout_id, buyer)
    assert ground.unit(begin_attempt, attempt.id) is None
    assert street.attempt_now(attempt.id).state is AttemptState.FAILED
    assert ground.told() == []
    first = street.ringing()
    street.tell(street.failure(first))
    second = street.attempt(street.checkout_now(first))
    street.tell(street.success(first))
    assert ground.unit(begin_attempt, second.id) is None


def test_a_prompt_that_was_accepted_is_asked_about_after_fifteen_seconds(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    assert (attempt.state, attempt.ref, attempt.ask_at) == (AttemptState.PENDING, f"ws_{attempt.id}", ground.clock.at + 15 * SECOND)


@pytest.mark.parametrize(
    "reply,result",
    [
        (Reply(Outcome.DECLINED, result="configuration"), "configuration"),
        (Reply(Outcome.NOT_SENT, result="try_later"), "try_later"),
        (Reply(Outcome.NOT_SENT), "not_sent"),
    ],
)
def test_a_prompt_that_was_not_taken_ends_and_the_checkout_is_open(street: Street, ground: Ground, reply: Reply, result: str) -> None:
    attempt = street.attempt()
    ground.unit(begin_attempt, attempt.id)
    ended = ground.unit(record_reply, attempt.id, reply)
    assert (ended.state, ended.result, ended.live) == (AttemptState.FAILED, result, False)
    assert street.checkout_now(attempt).state is CheckoutState.OPEN
    assert street.payment_now(attempt).state is PaymentState.FAILED
    assert ground.told() == [f"payment_failed>{BUYER}"]


def test_a_lost_answer_is_waited_for(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    ground.unit(begin_attempt, attempt.id)
    pending = ground.unit(record_reply, attempt.id, Reply(Outcome.UNKNOWN, result="unknown"))
    assert (pending.state, pending.ref, pending.live) == (AttemptState.PENDING, None, True)


def test_a_reply_slower_than_the_callback_adds_only_what_is_missing(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    ground.unit(begin_attempt, attempt.id)
    street.tell(street.success(attempt, ref=None))
    late = ground.unit(record_reply, attempt.id, Reply(Outcome.PENDING, "ws_slow"))
    assert (late.state, late.ref) == (AttemptState.SUCCEEDED, "ws_slow")
    with ground.unchanged():
        ground.unit(record_reply, attempt.id, Reply(Outcome.DECLINED, "ws_else", "no"))
        ground.unit(record_reply, attempt.id, Reply(Outcome.DECLINED))


def test_after_a_crash_what_was_never_sent_may_be_sent_and_nothing_else(street: Street, ground: Ground) -> None:
    fresh, ringing = street.attempt(), street.ringing()
    with ground.unchanged():
        assert ground.unit(recover_attempt, fresh.id)
        assert not ground.unit(recover_attempt, ringing.id)
    ground.refuses(NotFound, recover_attempt, AttemptId(1))


async def test_unit_call_unit(street: Street, ground: Ground) -> None:
    gateway, store = FakeGateway([Reply(Outcome.PENDING, "ws_1")]), GroundStore(ground)
    attempt = street.attempt()
    await send_attempt(store, {"daraja": gateway}, attempt.id)
    await send_attempt(store, {"daraja": gateway}, attempt.id)
    assert [ask.attempt_id for ask in gateway.started] == [attempt.id]
    assert street.attempt_now(attempt.id).ref == "ws_1"


def test_buying_is_one_checkout_and_one_attempt_however_often_it_is_said(street: Street, ground: Ground) -> None:
    new = street.new_checkout(street.link(stock=2), key="form")
    attempt: Attempt = ground.unit(buy, new, Method.MPESA, ABILITIES, "10.0.0.1")
    assert (attempt.key, attempt.phone) == ("form:1", PHONE)
    with ground.unchanged():
        assert ground.unit(buy, new, Method.MPESA, ABILITIES).id == attempt.id
    ground.unit(begin_attempt, attempt.id)
    street.tell(street.failure(attempt))
    with ground.unchanged():
        assert ground.unit(buy, new, Method.MPESA, ABILITIES).id == attempt.id


def test_buying_that_is_refused_reserves_nothing(street: Street, ground: Ground) -> None:
    new = street.new_checkout(street.link(stock=1), phone=None)
    ground.refuses(BadInput, buy, new, Method.MPESA, ABILITIES)


def test_an_attempt_of_an_expired_checkout_that_fails_is_told_and_opens_nothing(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.later(timedelta(minutes=31))
    assert ground.unit(expire_checkout, attempt.checkout_id)
    street.tell(street.failure(attempt))
    assert street.checkout_now(attempt).state is CheckoutState.EXPIRED
    assert ground.told() == [f"payment_failed>{BUYER}"]


def test_another_way_to_pay_is_another_payment_of_the_same_checkout(street: Street, ground: Ground) -> None:
    first = street.ringing()
    street.tell(street.failure(first))
    ground.connection.execute("UPDATE payments SET gateway = 'elsewhere'")
    second = street.ringing(street.checkout_now(first))
    assert second.payment_id != first.payment_id
    assert street.tell(street.success(second)) == "paid"


def test_a_way_to_pay_without_a_phone_is_limited_by_link_and_address(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    ground.unit(_check_limits, checkout, None, "10.0.0.1")
    assert sorted(row[0] for row in ground.rows("SELECT name FROM limits")) == ["stk_address_hour", "stk_link_hour", "stk_total_minute"]
