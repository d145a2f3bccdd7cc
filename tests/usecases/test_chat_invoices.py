"""Telegram's own invoices: the last look before money is taken, the payment counted once whatever comes twice, refunds made by a person."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import CannotPay
from domain.ids import AttemptId
from domain.late import LatePolicy
from domain.life import AttemptState, CheckoutState, InboxState, LinkState, RefundState
from domain.money import Money
from domain.payment import Ability, About, Attempt, Method, Notice, Outcome, Proof, Refund, Reply
from domain.person import ChannelKind
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.factories import ABILITIES, ADMIN, BUYER, PRICE, SHOP, Street, admin, buyer, owner
from tests.fakes import FakeGateway, Ground, GroundStore
from usecases.chat_invoices import AboutToPay, WhyNot, may_pay_invoice, take_payment
from usecases.checkouts import cancel_checkout, expire_checkout
from usecases.gateways import save_credentials
from usecases.links import set_link_state
from usecases.orders import cancel_order
from usecases.payments import NewAttempt, begin_attempt, open_attempt, record_reply
from usecases.people import channel_gone, is_on_telegram
from usecases.refunds import confirm_refund_by_hand, send_refund
from usecases.settlement import record_fetch
from usecases.updates import TELEGRAM, store_updates
from usecases.views import method_offers, pay_page, product

ABLE = Ability(TELEGRAM, frozenset({Method.TELEGRAM}), frozenset({"KES"}), {}, 1, 10**12, True, Proof.PROOF)
BOTH = {**ABILITIES, TELEGRAM: ABLE}
HALF_MINUTE = timedelta(seconds=30)


@pytest.fixture(autouse=True)
def joined(street: Street) -> None:
    """The platform has a provider token."""
    street.do(save_credentials, admin, TELEGRAM, {"provider_token": "1:TEST:x"}, tested=True)


def invoice(street: Street, **changes: Any) -> Attempt:
    """Opened, made, and shown in the chat."""
    checkout = street.checkout(**changes)
    attempt = street.do(open_attempt, NewAttempt(street.key(), checkout.id, Method.TELEGRAM, None, "telegram"), BOTH)
    assert street.do(begin_attempt, attempt.id) is not None
    shown: Attempt = street.do(record_reply, attempt.id, Reply(Outcome.PENDING, url="https://t.me/$slug"))
    return shown


def pressed(street: Street, attempt: Attempt, **changes: Any) -> AboutToPay:
    """Somebody pressed Pay, and the update is stored."""
    key = street.key()
    number = 1000 + int(key[1:])
    street.do(store_updates, TELEGRAM, [{"update_id": number, "pre_checkout_query": {"id": key}}])
    payload = street.do(lambda unit: unit.tokens.make(Purpose.ATTEMPT, attempt.id))
    return replace(AboutToPay(str(number), str(BUYER), payload, "KES", PRICE.amount_minor), **changes)


def look(street: Street, asked: AboutToPay) -> WhyNot | None:
    why: WhyNot | None = street.do(may_pay_invoice, asked)
    return why


def told(street: Street, number: int, **paid: Any) -> str:
    """A payment of the chat, stored; its key."""
    street.do(store_updates, TELEGRAM, [{"update_id": number, "message": {"successful_payment": paid}}])
    return str(number)


def success(attempt: Attempt, charge: str = "tg_1", **changes: Any) -> Notice:
    notice = Notice(TELEGRAM, f"payment:{charge}", "payment", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, f"ch_{charge}", charge, PRICE)
    return replace(notice, **changes)


def paid(street: Street, attempt: Attempt, number: int = 1, charge: str = "tg_1", **changes: Any) -> InboxState | None:
    state: InboxState | None = street.do(take_payment, told(street, number), success(attempt, charge, **changes))
    return state


def inbox(street: Street) -> Sequence[tuple[Any, ...]]:
    return street.ground.rows("SELECT event_key, kind, state FROM inbox ORDER BY id")


def test_an_invoice_is_let_through_once_and_the_update_is_done(street: Street) -> None:
    attempt = invoice(street)
    asked = pressed(street, attempt)
    assert look(street, asked) is None
    assert [state for key, _, state in inbox(street) if key == asked.key] == ["APPLIED"]
    assert street.ground.trail(f"sale:{attempt.checkout_id}")[-1] == "invoice_looked_at by gateway@telegram"


def test_a_second_press_waits_half_a_minute(street: Street, ground: Ground) -> None:
    """Two phones, or two presses, do not pay the same purchase twice."""
    attempt = invoice(street)
    assert look(street, pressed(street, attempt)) is None
    assert look(street, pressed(street, attempt)) is WhyNot.BUSY
    street.later(HALF_MINUTE)
    assert look(street, pressed(street, attempt)) is None


def test_each_thing_that_the_invoice_said_is_looked_at_again(street: Street) -> None:
    attempt = invoice(street)
    other = street.do(lambda unit: unit.tokens.make(Purpose.PAY, attempt.id))
    nobody = street.do(lambda unit: unit.tokens.make(Purpose.ATTEMPT, attempt.id + 99))
    ringing = street.ringing()
    of_phone = street.do(lambda unit: unit.tokens.make(Purpose.ATTEMPT, ringing.id))
    for payload in (str(attempt.id), "", other, nobody, of_phone, "é" * 24):
        assert look(street, pressed(street, attempt, payload=payload)) is WhyNot.NOT_OURS
    assert look(street, pressed(street, attempt, address="31")) is WhyNot.NOT_YOURS
    assert look(street, pressed(street, attempt, address="404")) is WhyNot.NOT_YOURS
    assert look(street, pressed(street, attempt, amount_minor=PRICE.amount_minor - 1)) is WhyNot.AMOUNT
    assert look(street, pressed(street, attempt, currency="USD")) is WhyNot.AMOUNT
    assert look(street, pressed(street, attempt)) is None, "what was refused did not count as a press"


def test_what_is_paid_is_not_paid_again(street: Street) -> None:
    attempt = invoice(street)
    asked = pressed(street, attempt)
    assert paid(street, attempt) is InboxState.APPLIED
    assert look(street, asked) is WhyNot.PAID


def test_an_invoice_whose_time_is_over_is_refused_before_and_after_the_clock_comes_by(street: Street) -> None:
    attempt = invoice(street)
    street.later(timedelta(minutes=30))
    assert look(street, pressed(street, attempt)) is WhyNot.EXPIRED
    street.do(expire_checkout, attempt.checkout_id)
    assert street.checkout_now(attempt).state is CheckoutState.EXPIRED
    assert look(street, pressed(street, attempt)) is WhyNot.EXPIRED


def test_an_invoice_of_a_cancelled_purchase_is_refused(street: Street) -> None:
    attempt = invoice(street)
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    assert look(street, pressed(street, attempt)) is WhyNot.EXPIRED


def test_only_the_try_that_counts_may_be_paid(street: Street) -> None:
    attempt = invoice(street)
    phone = street.do(open_attempt, NewAttempt(street.key(), attempt.checkout_id, Method.MPESA, None, "telegram"), BOTH)
    assert phone.gateway == "daraja"
    assert street.attempt_now(attempt.id).state is AttemptState.CANCELLED
    assert look(street, pressed(street, attempt)) is WhyNot.OTHER_METHOD


def test_what_the_seller_takes_off_sale_is_not_paid_for_any_more(street: Street) -> None:
    link = street.link()
    attempt = invoice(street, link=link)
    street.do(set_link_state, owner, link.code, LinkState.INACTIVE)
    assert look(street, pressed(street, attempt)) is WhyNot.GONE


def test_an_update_that_was_never_stored_is_answered_all_the_same(street: Street) -> None:
    attempt = invoice(street)
    assert look(street, replace(pressed(street, attempt), key="77777")) is None


def test_a_payment_becomes_an_order_with_what_the_portals_call_it(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    assert paid(street, attempt) is InboxState.APPLIED
    now = street.attempt_now(attempt.id)
    assert (now.receipt, now.ref, now.proved_at) == ("tg_1", "ch_tg_1", ground.clock.at)
    assert street.order_of(attempt).proved
    assert ground.books() == {"clearing:telegram": 250_000, "escrow": -250_000}
    assert inbox(street)[-1] == ("1", "payment", "APPLIED")


def test_the_same_payment_told_again_changes_nothing(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    paid(street, attempt)
    before = ground.books()
    assert paid(street, attempt) is None, "the same update"
    assert paid(street, attempt, 2) is InboxState.IGNORED, "the same payment in another update"
    assert street.do(take_payment, "404", success(attempt)) is None
    assert ground.books() == before
    assert len(street.do(lambda unit: unit.payments.attempts(attempt.checkout_id))) == 1


def test_a_payment_that_is_told_before_our_answer_is_written_down_is_taken(street: Street) -> None:
    """Cut off between making the invoice and noting it: the payload says whose it is."""
    checkout = street.checkout()
    attempt = street.do(open_attempt, NewAttempt(street.key(), checkout.id, Method.TELEGRAM, None, "telegram"), BOTH)
    street.do(begin_attempt, attempt.id)
    assert paid(street, attempt) is InboxState.APPLIED
    street.do(record_reply, attempt.id, Reply(Outcome.PENDING, url="https://t.me/$slug"))
    assert street.attempt_now(attempt.id).state is AttemptState.SUCCEEDED


def test_a_second_payment_of_one_invoice_goes_back_as_double(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    paid(street, attempt)
    assert paid(street, attempt, 2, "tg_2") is InboxState.APPLIED
    tries = street.do(lambda unit: unit.payments.attempts(attempt.checkout_id))
    assert [one.receipt for one in tries] == ["tg_1", "tg_2"]
    (back,) = street.refunds(tries[1].id)
    assert (back.reason, back.money) == ("double", PRICE)
    assert ground.books() == {
        "clearing:telegram": 500_000,
        "escrow": -250_000,
        "refunds_in_transit": -250_000,
    }
    assert paid(street, attempt, 3, "tg_2") is InboxState.IGNORED
    assert len(street.do(lambda unit: unit.payments.attempts(attempt.checkout_id))) == 2
    assert "invoice_paid_again by gateway@telegram" in ground.trail(f"sale:{attempt.checkout_id}")


def test_a_second_payment_that_contradicts_us_is_parked_and_looked_at_again_on_the_same_row(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    paid(street, attempt)
    wrong = Money(0, "KES")
    assert paid(street, attempt, 2, "tg_2", money=wrong) is InboxState.PARKED
    assert "no_amount" in ground.alerts()
    assert paid(street, attempt, 3, "tg_2", money=wrong) is InboxState.PARKED
    assert len(street.do(lambda unit: unit.payments.attempts(attempt.checkout_id))) == 2


def test_less_than_the_price_goes_back_and_another_currency_waits_for_a_person(street: Street, ground: Ground) -> None:
    short, dollars = invoice(street), invoice(street)
    assert paid(street, short, money=Money(100, "KES")) is InboxState.APPLIED
    assert street.refund_of(short.id).reason == "short"
    assert street.checkout_now(short).state is CheckoutState.OPEN
    assert paid(street, dollars, 2, "tg_2", money=Money(250_000, "USD")) is InboxState.APPLIED
    assert "money_suspended" in ground.alerts()
    assert street.no_order(short) and street.no_order(dollars)


def test_money_that_names_nothing_of_ours_is_tried_again_and_then_goes_to_a_person(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    assert paid(street, attempt, attempt_id=None, ref=None) is InboxState.STORED
    assert paid(street, attempt, 2, "tg_2", attempt_id=AttemptId(404), ref=None) is InboxState.STORED
    phone = street.ringing()
    assert paid(street, phone, 3, "tg_3", ref=None) is InboxState.PARKED
    assert "event_of_another_account" in ground.alerts()
    assert ground.books() == {}


def test_what_cannot_be_read_is_kept_and_a_person_is_told_at_once(street: Street, ground: Ground) -> None:
    key = told(street, 5)
    assert street.do(take_payment, key, None) is InboxState.PARKED
    assert inbox(street)[-1] == ("5", "payment", "PARKED")
    assert ground.alerts() == ["event_unreadable"]
    assert street.do(take_payment, key, None) is None


def test_money_told_after_the_time_was_over_is_late_money(street: Street) -> None:
    street.settings(late_money=LatePolicy.REFUND)
    attempt = invoice(street)
    street.later(timedelta(minutes=31))
    street.do(expire_checkout, attempt.checkout_id)
    assert paid(street, attempt) is InboxState.APPLIED
    assert street.refund_of(attempt.id).reason == "late"


def test_an_invoice_nobody_paid_ends_and_money_that_comes_all_the_same_is_counted(street: Street) -> None:
    street.settings(late_money=LatePolicy.REFUND)
    attempt = invoice(street)
    street.later(timedelta(minutes=6))
    street.do(record_fetch, attempt.id, Reply(Outcome.PENDING))
    assert street.attempt_now(attempt.id).state is AttemptState.PENDING, "it has an address, so its sending was not cut off"
    street.later(timedelta(hours=1))
    street.do(expire_checkout, attempt.checkout_id)
    street.do(record_fetch, attempt.id, Reply(Outcome.DECLINED, result="expired"))
    assert street.attempt_now(attempt.id).state is AttemptState.FAILED
    paid(street, attempt)
    assert street.refund_of(attempt.id).reason == "late"


def test_a_payment_that_went_back_is_booked(street: Street, ground: Ground) -> None:
    attempt = invoice(street)
    paid(street, attempt)
    gone = success(attempt, about=About.REFUND, ref=None, refund_ref="tg_1:refunded", event_key="refund:tg_1")
    assert street.do(take_payment, told(street, 2), gone) is InboxState.APPLIED
    assert str(street.order_of(attempt).state) == "REFUNDED"
    assert ground.books() == {}


# --- where it is offered


def offered(street: Street, **where: Any) -> list[Method]:
    return [one.method for one in street.do(method_offers, SHOP, PRICE, BOTH, **where)]


def test_it_is_offered_in_the_chat_only(street: Street) -> None:
    assert offered(street) == [Method.MPESA]
    assert offered(street, in_chat=True) == [Method.MPESA, Method.TELEGRAM]
    link = street.link()
    assert [one.method for one in street.do(product, link.code, BOTH, in_chat=True).methods] == [Method.MPESA, Method.TELEGRAM]
    assert [one.method for one in street.do(product, link.code, BOTH).methods] == [Method.MPESA]


def test_a_purchase_of_somebody_whom_the_bot_cannot_reach_is_not_paid_so(street: Street, ground: Ground) -> None:
    mine, guests = street.checkout(), street.checkout(buyer_id=None)
    shown = [[one.method for one in street.do(pay_page, one.id, BOTH).offers] for one in (mine, guests)]
    assert shown == [[Method.MPESA, Method.TELEGRAM], [Method.MPESA]]
    street.do(channel_gone, BUYER, ChannelKind.TELEGRAM)
    assert not street.do(is_on_telegram, BUYER)
    for checkout in (mine, guests):
        refused = ground.refuses(CannotPay, open_attempt, NewAttempt(street.key(), checkout.id, Method.TELEGRAM, None, "web"), BOTH)
        assert refused.facts["reason"] == "only_in_chat"


# --- refunds


async def cancelled(street: Street) -> tuple[Attempt, Refund]:
    """Paid, cancelled, and handed to a gateway that gives nothing back by itself."""
    attempt = invoice(street)
    paid(street, attempt)
    street.do(cancel_order, buyer, street.order_of(attempt).number)
    refund = street.refund_of(attempt.id)
    gateway = FakeGateway([Reply(Outcome.PENDING, result="by_hand")], ABLE)
    await send_refund(GroundStore(street.ground), {TELEGRAM: gateway}, refund.id)
    return attempt, street.refund_of(attempt.id)


async def test_a_refund_goes_to_a_person_at_once_and_the_buyer_hears_that_it_does(street: Street, ground: Ground) -> None:
    attempt, refund = await cancelled(street)
    assert (refund.state, refund.act_at, refund.result) == (RefundState.PENDING, None, "by_hand")
    assert ground.alerts() == ["refund_by_hand"]
    payload = json.loads(ground.rows("SELECT payload FROM outbox WHERE fact = 'alert' AND person_id = ?", ADMIN)[0][0])
    expected = {
        "what": "refund_by_hand",
        "refund": refund.id,
        "receipt": "tg_1",
        "ref": "ch_tg_1",
        "amount_minor": 250_000,
        "currency": "KES",
    }
    assert payload == expected
    assert f"refund_delayed>{BUYER}" in ground.told()
    assert street.attempt_now(attempt.id).state is AttemptState.SUCCEEDED


async def test_a_person_records_it_with_what_the_portal_calls_it_and_the_buyer_is_told(street: Street, ground: Ground) -> None:
    attempt, refund = await cancelled(street)
    done = street.do(confirm_refund_by_hand, Actor(Party.ADMIN, "desk"), refund.id, "re_123")
    assert (done.state, done.ref, done.result) == (RefundState.DONE, "re_123", "by_hand")
    assert f"refund_done>{BUYER}" in ground.told()
    assert ground.books() == {}
    assert street.payment_now(attempt).state == "REFUNDED"
