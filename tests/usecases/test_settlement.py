"""A gateway's word becomes an order, or a suspense item: every order of arrival, told once or a hundred times."""

from __future__ import annotations

import sqlite3
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import NotFound
from domain.ids import AttemptId
from domain.late import LatePolicy
from domain.life import AttemptState, CheckoutState, EscrowState, OrderState, PaymentState
from domain.money import Money
from domain.payment import Outcome, Proof, Reply
from tests.factories import ADMIN, BUYER, DAY, MANAGER, OWNER, PRICE, SECOND, STAFF, Street, buyer
from tests.fakes import Ground
from usecases.checkouts import cancel_checkout, expire_checkout
from usecases.orders import cancel_order
from usecases.payments import begin_attempt, record_reply
from usecases.proof import Mismatch
from usecases.settlement import apply_notice, record_fetch

PAID = [f"order_paid>{person}" for person in (OWNER, MANAGER, STAFF, BUYER)]
HELD = {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_callback_without_proof_holds_the_money_at_once(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    assert street.tell(street.success(attempt)) == "paid"
    order, now = street.order_of(attempt), street.attempt_now(attempt.id)
    assert (order.state, order.escrow, order.proved, order.total) == (OrderState.PAID, EscrowState.HELD, False, PRICE)
    assert (order.buyer_id, order.item, order.quantity, order.delivery_code) == (BUYER, "Sneakers", 1, order.delivery_code)
    assert (now.state, now.live, now.receipt, now.proved_at) == (AttemptState.SUCCEEDED, False, f"R{attempt.id}", None)
    assert now.ask_at == ground.clock.at + SECOND
    assert street.checkout_now(attempt).state is CheckoutState.PAID
    assert street.checkout_now(attempt).order_id == order.id
    assert street.payment_now(attempt).state is PaymentState.SUCCEEDED
    assert ground.books() == HELD
    assert ground.told() == PAID


def test_the_gateways_own_word_proves_what_a_callback_told(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    before = ground.books()
    street.prove(order.attempt_id)
    attempt = street.attempt_now(order.attempt_id)
    assert (attempt.proved_at, attempt.ask_at) == (ground.clock.at, None)
    assert street.order(order.id).proved
    assert (ground.books(), ground.told()) == (before, PAID)
    with ground.unchanged():
        street.prove(order.attempt_id)


def test_a_payment_whose_callback_never_came_is_found_by_asking_and_proved_at_once(street: Street, ground: Ground) -> None:
    """O6."""
    attempt = street.ringing()
    street.prove(attempt.id)
    order = street.order_of(attempt)
    assert (order.proved, order.escrow) == (True, EscrowState.HELD)
    assert street.attempt_now(attempt.id).receipt is None
    assert (ground.books(), ground.told()) == (HELD, PAID)


def test_the_receipt_is_filled_in_by_the_callback_that_comes_after_asking(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.prove(attempt.id)
    assert street.tell(street.success(attempt)) == "nothing"
    assert street.attempt_now(attempt.id).receipt == f"R{attempt.id}"
    assert ground.books() == HELD
    with ground.unchanged():
        assert street.tell(street.success(attempt)) == "nothing"


def test_the_receipt_is_filled_in_by_the_proof(street: Street) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, receipt=None))
    street.prove(attempt.id, receipt="RFETCH")
    assert street.attempt_now(attempt.id).receipt == "RFETCH"


def test_a_signed_success_after_an_unsigned_one_is_its_proof(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    attempt = street.attempt_now(order.attempt_id)
    assert street.tell(street.success(attempt, proof=Proof.PROOF)) == "noted"
    assert street.order(order.id).proved
    assert ground.books() == HELD


def test_a_success_told_a_hundred_times_changes_the_books_once(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt))
    with ground.unchanged():
        for _ in range(99):
            assert street.tell(street.success(attempt)) == "nothing"


def test_a_success_after_a_failure_wins(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    assert street.tell(street.failure(attempt)) == "failed"
    now = street.attempt_now(attempt.id)
    assert (now.state, now.result, now.live) == (AttemptState.FAILED, "wrong_pin", False)
    assert street.payment_now(attempt).state is PaymentState.FAILED
    assert street.checkout_now(attempt).state is CheckoutState.OPEN
    assert ground.told() == [f"payment_failed>{BUYER}"]
    assert street.tell(street.success(attempt)) == "paid"
    assert street.payment_now(attempt).state is PaymentState.SUCCEEDED
    assert ground.books() == HELD


def test_a_failure_after_a_success_undoes_nothing_but_is_asked_about(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    attempt = street.attempt_now(order.attempt_id)
    street.later(timedelta(milliseconds=500))
    assert street.tell(street.failure(attempt)) == "noted"
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at
    assert street.order(order.id) == order
    assert ground.books() == HELD
    street.prove(attempt.id)
    with ground.unchanged():
        assert street.tell(street.failure(attempt)) == "nothing"


def test_a_payer_who_declines_is_not_told_of_a_wrong_pin(street: Street) -> None:
    attempt = street.ringing()
    assert street.tell(street.failure(attempt, "cancelled_by_payer")) == "failed"
    assert street.attempt_now(attempt.id).state is AttemptState.CANCELLED
    assert street.payment_now(attempt).state is PaymentState.CANCELLED


def test_a_failure_told_twice_is_nothing_the_second_time(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    with ground.unchanged():
        assert street.tell(street.failure(attempt)) == "nothing"


def test_a_success_faster_than_the_reply_to_the_sending_is_kept_when_the_reply_comes(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    ground.unit(begin_attempt, attempt.id)
    assert street.tell(street.success(attempt)) == "paid"
    with ground.unchanged():
        ground.unit(record_reply, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))
    assert street.attempt_now(attempt.id).ref == f"ws_{attempt.id}"


@pytest.mark.parametrize("outcome", [Outcome.PENDING, Outcome.UNKNOWN])
def test_a_callback_that_decides_nothing_has_the_gateway_asked(street: Street, ground: Ground, outcome: Outcome) -> None:
    attempt = street.ringing()
    with ground.unchanged():
        assert street.tell(street.success(attempt, outcome=outcome)) == "noted"
    attempt = street.ringing()
    street.do(lambda unit: unit.payments.save_attempt(replace(unit.payments.attempt(attempt.id), ask_at=None)))
    assert street.tell(street.success(attempt, outcome=outcome)) == "noted"
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at


def test_a_callback_that_was_never_sent_on_is_nothing(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    with ground.unchanged():
        assert street.tell(street.success(attempt, outcome=Outcome.NOT_SENT)) == "nothing"


# --- late ------------------------------------------------------------------------------------------------------------


def test_a_late_success_becomes_an_order_while_the_goods_are_there(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    attempt = street.ringing(street.checkout(link))
    street.later(timedelta(minutes=31))
    assert ground.unit(expire_checkout, attempt.checkout_id)
    assert street.link_now(link).stock == 1
    assert street.tell(street.success(attempt)) == "paid"
    assert street.link_now(link).stock == 0
    assert street.checkout_now(attempt).reserved == 1
    assert ground.books() == HELD


def test_the_goods_of_a_late_order_can_be_sold_again_when_it_is_refunded(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    attempt = street.ringing(street.checkout(link))
    ground.unit(cancel_checkout, attempt.checkout_id, buyer)
    street.tell(street.success(attempt))
    ground.unit(cancel_order, buyer, street.order_of(attempt).number)
    assert street.link_now(link).stock == 1


def test_a_success_a_day_after_the_end_is_still_an_order_and_a_moment_later_it_is_not(street: Street) -> None:
    """C4."""
    for late, became in ((DAY, "paid"), (DAY + SECOND, "suspense")):
        attempt = street.ringing()
        street.do(cancel_checkout, attempt.checkout_id, buyer)
        street.later(late)
        assert street.tell(street.success(attempt)) == became


def test_a_late_success_after_expiry_is_refunded_not_kept_where_the_seller_says_so(street: Street, ground: Ground) -> None:
    street.settings(late_money=LatePolicy.REFUND)
    attempt = street.ringing()
    street.later(timedelta(minutes=31))
    ground.unit(expire_checkout, attempt.checkout_id)
    assert street.tell(street.success(attempt)) == "suspense"
    refund = street.refund_of(attempt.id)
    assert (refund.reason, refund.money, refund.order_id, refund.cause) == ("late", PRICE, None, f"late:{attempt.id}")
    assert ground.books() == {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}
    assert street.no_order(attempt)
    assert street.checkout_now(attempt).state is CheckoutState.EXPIRED
    assert street.payment_now(attempt).state is PaymentState.FAILED
    assert ground.told() == [f"payment_failed>{BUYER}"]


def test_late_money_for_goods_that_are_gone_is_refunded(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    attempt = street.ringing(street.checkout(link))
    ground.unit(cancel_checkout, attempt.checkout_id, buyer)
    street.checkout(link)
    assert street.tell(street.success(attempt)) == "suspense"
    assert street.refund_of(attempt.id).reason == "late"


def test_late_money_for_more_than_is_left_is_refunded(street: Street, ground: Ground) -> None:
    link = street.link(stock=3)
    attempt = street.ringing(street.checkout(link, quantity=2))
    ground.unit(cancel_checkout, attempt.checkout_id, buyer)
    street.checkout(link, quantity=2)
    assert street.tell(street.success(attempt, money=PRICE.times(2))) == "suspense"
    assert street.link_now(link).stock == 1


# --- money that does not fit -----------------------------------------------------------------------------------------


def test_a_second_success_for_one_checkout_goes_back(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    second = street.ringing(checkout)
    street.tell(street.success(first))
    assert street.tell(street.success(second)) == "suspense"
    refund = street.refund_of(second.id)
    assert (refund.reason, refund.money, refund.order_id) == ("double", PRICE, None)
    assert street.payment_now(second).state is PaymentState.SUCCEEDED
    assert street.order_of(second).attempt_id == first.id
    assert ground.books() == {"clearing:daraja": 500_000, "escrow": -250_000, "refunds_in_transit": -250_000}


def test_a_prompt_that_fails_after_the_checkout_was_paid_frightens_nobody(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    second = street.ringing(checkout)
    street.tell(street.success(first))
    told = ground.told()
    assert street.tell(street.failure(second)) == "failed"
    assert ground.told() == told
    assert street.payment_now(first).state is PaymentState.SUCCEEDED


def test_short_money_buys_nothing_and_goes_back_and_the_buyer_may_try_again(street: Street, ground: Ground) -> None:
    """C8: less."""
    attempt = street.ringing()
    assert street.tell(street.success(attempt, money=Money(249_999, "KES"))) == "suspense"
    refund = street.refund_of(attempt.id)
    assert (refund.reason, refund.money) == ("short", Money(249_999, "KES"))
    assert street.checkout_now(attempt).state is CheckoutState.OPEN
    assert street.payment_now(attempt).state is PaymentState.FAILED
    again = street.ringing(street.checkout_now(attempt))
    assert street.tell(street.success(again)) == "paid"


def test_short_money_of_an_old_prompt_leaves_the_live_one_alone(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    street.ringing(checkout)
    assert street.tell(street.success(first, money=Money(100, "KES"))) == "suspense"
    assert street.checkout_now(first).state is CheckoutState.PAYING
    assert street.payment_now(first).state is PaymentState.PENDING


def test_a_surplus_goes_back_and_the_sale_stands(street: Street, ground: Ground) -> None:
    """C8: one unit more."""
    attempt = street.ringing()
    assert street.tell(street.success(attempt, money=Money(250_001, "KES"))) == "paid"
    refund = street.refund_of(attempt.id)
    assert (refund.reason, refund.money, refund.order_id) == ("surplus", Money(1, "KES"), None)
    assert street.order_of(attempt).total == PRICE
    assert ground.books() == {"clearing:daraja": 250_001, "escrow": -250_000, "refunds_in_transit": -1}


def test_money_in_another_currency_waits_for_a_person(street: Street, ground: Ground) -> None:
    """C9."""
    attempt = street.ringing()
    assert street.tell(street.success(attempt, money=Money(250_000, "USD"))) == "suspense"
    assert street.refunds(attempt.id) == []
    assert ground.rows("SELECT currency, sum(amount_minor) FROM postings WHERE account = 'clearing:daraja'") == [("USD", 250_000)]
    assert ground.alerts() == ["money_suspended"]
    assert ground.told() == [f"alert>{ADMIN}", f"payment_failed>{BUYER}"]


def test_money_to_anothers_account_is_refused(street: Street, ground: Ground) -> None:
    """C10."""
    attempt = street.ringing()
    assert street.tell(street.success(attempt, payee="999999")) == "suspense"
    assert ground.alerts() == ["money_suspended"]
    fits = street.ringing()
    assert street.tell(street.success(fits, payee="600000")) == "paid"


@pytest.mark.parametrize("minor", [0, -1, -250_000])
def test_a_success_without_money_is_none(street: Street, ground: Ground, minor: int) -> None:
    """C8: 0, and less."""
    attempt = street.ringing()
    refusal = ground.refuses(Mismatch, apply_notice, street.success(attempt, money=Money(minor, "KES")))
    assert refusal.facts["reason"] == "no_amount"


def test_a_success_without_an_amount_is_taken_as_what_was_asked(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    assert street.tell(street.success(attempt, money=None)) == "paid"
    assert ground.books() == HELD


def test_an_event_with_anothers_reference_is_refused(street: Street, ground: Ground) -> None:
    attempt, other = street.ringing(), street.ringing()
    refusal = ground.refuses(Mismatch, apply_notice, street.success(attempt, ref=f"ws_{other.id}"))
    assert refusal.facts == {"reason": "event_contradicts", "attempt": attempt.id, "ref": f"ws_{other.id}"}
    refusal = ground.refuses(Mismatch, apply_notice, street.success(attempt, ref="never_heard_of"))
    assert refusal.facts["reason"] == "event_contradicts"


def test_an_attempt_without_a_reference_does_not_take_anothers(street: Street, ground: Ground) -> None:
    other, attempt = street.ringing(), street.attempt()
    ground.unit(begin_attempt, attempt.id)
    ground.refuses(Mismatch, apply_notice, replace(street.failure(attempt), ref=f"ws_{other.id}"))


def test_a_receipt_pays_once(street: Street, ground: Ground) -> None:
    order = street.paid()
    attempt = street.ringing()
    used = f"R{order.attempt_id}"
    refusal = ground.refuses(Mismatch, apply_notice, street.success(attempt, receipt=used))
    assert refusal.facts == {"reason": "receipt_used", "attempt": attempt.id, "receipt": used, "other": order.attempt_id}
    street.prove(attempt.id)
    assert ground.refuses(Mismatch, apply_notice, street.success(attempt, receipt=used)).facts["reason"] == "receipt_used"


def test_a_payment_has_one_receipt(street: Street, ground: Ground) -> None:
    order = street.paid()
    attempt = street.attempt_now(order.attempt_id)
    assert ground.refuses(Mismatch, apply_notice, street.success(attempt, receipt="RANOTHER")).facts["reason"] == "event_contradicts"


def test_a_success_of_a_prompt_that_was_never_sent_is_refused(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    assert ground.refuses(Mismatch, apply_notice, street.success(attempt)).facts["reason"] == "never_sent"


def test_an_event_of_nobody_is_not_found(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    ground.refuses(NotFound, apply_notice, street.success(attempt, attempt_id=AttemptId(1)))
    ground.refuses(NotFound, apply_notice, street.success(attempt, attempt_id=None, ref="unknown"))
    ground.refuses(NotFound, apply_notice, street.success(attempt, attempt_id=None, ref=None))
    ground.refuses(NotFound, record_fetch, AttemptId(1), Reply(Outcome.SUCCEEDED))


def test_an_event_is_recognised_by_its_reference_alone_or_its_address_alone(street: Street) -> None:
    attempt = street.ringing()
    assert street.tell(street.success(attempt, attempt_id=None)) == "paid"
    attempt = street.ringing()
    assert street.tell(street.success(attempt, ref=None)) == "paid"


def test_direct_money_is_a_memo_and_nothing_is_held(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid()
    assert (order.escrow, order.state) == (None, OrderState.PAID)
    assert ground.books() == {"direct_clearing:1.daraja": 250_000, "direct_sales": -250_000}
    assert street.attempt_now(order.attempt_id).short_code == "777777"


def test_an_order_number_is_never_given_twice(street: Street, ground: Ground) -> None:
    """The unique key refuses it, and the store runs the unit again."""
    first = street.paid()
    attempt = street.ringing()
    before = ground.books()
    ground.chance.throws = [1, int(first.number) - 10_000_000]
    with pytest.raises(sqlite3.IntegrityError, match=r"orders\.number"):
        street.tell(street.success(attempt))
    assert ground.books() == before
    ground.chance.throws = [1, 77]
    street.tell(street.success(attempt))
    assert street.order_of(attempt).number == "10000077"
