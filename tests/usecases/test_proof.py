"""What the gateway itself says of a payment that a callback told: nothing leaves escrow before it, and a denial takes the sale back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import NotProvedYet
from domain.life import AttemptState, DisputeState, EscrowState, OrderState, RefundState
from domain.money import Money
from domain.order import Order, Reason
from domain.payment import Outcome, Proof, Reply
from tests.factories import ADMIN, BUYER, HOUR, SECOND, Street, admin, buyer, owner, staff
from tests.fakes import Ground
from usecases.disputes import open_dispute, resolve_dispute, withdraw_dispute
from usecases.orders import Confirmed, accept_order, cancel_order, confirm_by_code, confirm_delivery, mark_delivered, ship_order
from usecases.payments import begin_attempt, recover_attempt
from usecases.refunds import begin_refund
from usecases.settlement import record_fetch

RELEASED = {"clearing:daraja": 250_000, "wallet": -243_750, "fees:platform": -6_250}
DENIED = {"clearing:daraja": 250_000, "suspense": -250_000}


# --- release waits for proof -----------------------------------------------------------------------------------------


def test_a_confirmation_waits_for_proof_and_then_releases_in_the_buyers_name(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.WAITING
    waiting = street.order(order.id)
    assert (waiting.state, waiting.escrow, waiting.release_wanted) == (OrderState.PAID, EscrowState.HELD, f"buyer:{BUYER}@telegram")
    with ground.unchanged():
        assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.WAITING
    street.prove(order.attempt_id)
    done = street.order(order.id)
    assert (done.state, done.escrow) == (OrderState.COMPLETED, EscrowState.RELEASED)
    assert ground.books() == RELEASED
    assert ground.trail(f"sale:{order.checkout_id}")[-2:] == [
        "payment_proved by gateway@daraja",
        f"order_completed by buyer:{BUYER}@telegram",
    ]


def test_a_guests_code_waits_for_proof_too(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False, buyer_id=None)
    assert ground.unit(confirm_by_code, staff, order.number, order.delivery_code) is Confirmed.WAITING
    street.prove(order.attempt_id)
    assert ground.trail(f"sale:{order.checkout_id}")[-1] == "order_completed by buyer@code.telegram"
    assert ground.books() == RELEASED


def test_an_admin_does_not_release_what_is_not_proved(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    ground.unit(open_dispute, buyer, order.number, Reason.OTHER, "")
    ground.refuses(NotProvedYet, resolve_dispute, admin, order.number, "release")
    ground.refuses(NotProvedYet, resolve_dispute, admin, order.number, "split", Money(100, "KES"))


def test_a_confirmation_that_became_a_dispute_is_not_released_by_the_proof(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    ground.unit(confirm_delivery, buyer, order.number)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "torn")
    street.prove(order.attempt_id)
    now = street.order(order.id)
    assert (now.state, now.escrow, now.proved, now.release_wanted) == (OrderState.DISPUTED, EscrowState.DISPUTED, True, None)


def test_a_confirmation_that_was_taken_back_by_cancelling_is_not_released_by_the_proof(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    ground.unit(confirm_delivery, buyer, order.number)
    ground.unit(cancel_order, buyer, order.number)
    street.prove(order.attempt_id)
    assert street.order(order.id).state is OrderState.REFUNDED
    assert ground.books() == {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}


# --- digital goods ---------------------------------------------------------------------------------------------------


def test_digital_goods_are_handed_over_once_the_payment_is_proved(street: Street, ground: Ground) -> None:
    order = street.paid(street.digital_link(), proved=False)
    assert (order.digital, order.state) == (True, OrderState.PAID)
    assert f"digital_ready>{BUYER}" not in ground.told()
    street.prove(order.attempt_id)
    assert street.order(order.id).state is OrderState.COMPLETED
    assert ground.told()[-1] == f"digital_ready>{BUYER}"
    assert ground.books() == RELEASED


def test_digital_goods_whose_payment_comes_with_proof_are_handed_over_at_once(street: Street) -> None:
    attempt = street.ringing(street.checkout(street.digital_link()))
    street.prove(attempt.id)
    assert street.order_of(attempt).state is OrderState.COMPLETED


def test_digital_goods_in_dispute_are_handed_over_when_it_is_withdrawn(street: Street, ground: Ground) -> None:
    order = street.paid(street.digital_link(), proved=False)
    ground.unit(open_dispute, buyer, order.number, Reason.OTHER, "")
    street.prove(order.attempt_id)
    assert street.order(order.id).state is OrderState.DISPUTED
    assert ground.unit(withdraw_dispute, buyer, order.number).state is OrderState.COMPLETED
    assert ground.books() == RELEASED


def test_direct_digital_goods_that_were_cancelled_meanwhile_stay_cancelled_and_are_proved(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid(street.digital_link(), proved=False)
    ground.unit(cancel_order, owner, order.number)
    street.prove(order.attempt_id)
    assert street.order(order.id).state is OrderState.REFUNDED
    assert street.attempt_now(order.attempt_id).proved_at == ground.clock.at


def test_direct_goods_that_were_confirmed_before_the_proof_are_not_completed_twice(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid(street.digital_link(), proved=False)
    assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.RELEASED
    told, ended = ground.told(), street.order(order.id).ended_at
    street.later(SECOND)
    street.prove(order.attempt_id)
    assert (ground.told(), street.order(order.id).ended_at) == (told, ended)


# --- denied ----------------------------------------------------------------------------------------------------------


def paid(street: Street, order: Order) -> None:
    return None


def accepted(street: Street, order: Order) -> None:
    street.do(accept_order, staff, order.number)


def shipped(street: Street, order: Order) -> None:
    street.do(ship_order, staff, order.number)


def delivered(street: Street, order: Order) -> None:
    street.do(mark_delivered, staff, order.number)


def disputed(street: Street, order: Order) -> None:
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "")


@pytest.mark.parametrize("step,stock", [(paid, 5), (accepted, 5), (shipped, 4), (delivered, 4), (disputed, 5)])
def test_a_payment_the_gateway_denies_is_taken_out_of_escrow_at_every_step(
    street: Street, ground: Ground, step: Callable[[Street, Order], None], stock: int
) -> None:
    link = street.link(stock=5)
    order = street.paid(link, proved=False)
    step(street, order)
    street.prove(order.attempt_id, Outcome.DECLINED, result="no_such_payment")
    assert ("order", {"id": order.id}) in ground.wakes
    now, attempt = street.order(order.id), street.attempt_now(order.attempt_id)
    assert (now.state, now.escrow, now.due, now.due_at) == (OrderState.VOID, EscrowState.VOID, None, None)
    assert (attempt.disproved, attempt.proved_at, attempt.result, attempt.ask_at) == (True, None, "no_such_payment", None)
    assert ground.books() == DENIED
    assert street.link_now(link).stock == stock
    assert "payment_disproved" in ground.alerts()
    assert ground.told()[-4:] == [f"payment_disproved>{person}" for person in (11, 12, 13, BUYER)]


def test_a_dispute_about_a_payment_that_never_was_ends(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    street.prove(order.attempt_id, Outcome.DECLINED)
    assert ground.unit(lambda unit: unit.disputes.get(dispute.id)).state is DisputeState.WITHDRAWN
    assert street.attempt_now(order.attempt_id).result == "unknown"


def test_a_denied_payment_that_was_to_be_refunded_is_not_paid_out(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    ground.unit(cancel_order, buyer, order.number)
    street.prove(order.attempt_id, Outcome.DECLINED)
    assert street.order(order.id).state is OrderState.REFUNDED
    refund = street.refund_of(order.attempt_id)
    assert ground.unit(begin_refund, refund.id, True) is None
    assert street.refund_of(order.attempt_id).state is RefundState.FAILED
    assert ground.books() == DENIED


def test_a_denied_direct_payment_that_was_confirmed_leaves_the_order_and_tells_a_person(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid(proved=False)
    ground.unit(confirm_delivery, buyer, order.number)
    street.prove(order.attempt_id, Outcome.DECLINED)
    assert street.order(order.id).state is OrderState.COMPLETED
    assert ground.alerts() == ["payment_disproved"]


def test_a_denied_direct_payment_voids_its_order_without_touching_escrow(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid(proved=False)
    street.prove(order.attempt_id, Outcome.DECLINED)
    now = street.order(order.id)
    assert (now.state, now.escrow) == (OrderState.VOID, None)


def test_denied_money_that_fitted_nothing_touches_no_order(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    second = street.ringing(checkout)
    street.tell(street.success(first))
    street.tell(street.success(second))
    street.prove(second.id, Outcome.DECLINED)
    assert street.order_of(first).state is OrderState.PAID
    alone = street.ringing()
    street.tell(street.success(alone, payee="999999"))
    street.prove(alone.id, Outcome.DECLINED)
    assert ground.alerts() == ["payment_disproved", "money_suspended", "payment_disproved"]


def test_what_was_denied_is_asked_about_no_more(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    street.prove(order.attempt_id, Outcome.DECLINED)
    with ground.unchanged():
        assert street.tell(street.failure(street.attempt_now(order.attempt_id))) == "nothing"
        street.prove(order.attempt_id, Outcome.DECLINED)
        street.prove(order.attempt_id, Outcome.PENDING)


def test_a_gateway_that_contradicts_its_own_denial_is_shown_to_a_person(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    attempt = street.attempt_now(order.attempt_id)
    street.prove(attempt.id, Outcome.DECLINED)
    books = ground.books()
    street.prove(attempt.id)
    street.tell(street.success(attempt, proof=Proof.PROOF))
    assert ground.alerts() == ["payment_disproved", "disproved_but_paid", "disproved_but_paid"]
    assert ground.told().count(f"alert>{ADMIN}") == 2
    assert (ground.books(), street.order(order.id).state) == (books, OrderState.VOID)


def test_a_late_question_after_the_proof_is_laid_down(street: Street, ground: Ground) -> None:
    order = street.paid()
    attempt = street.attempt_now(order.attempt_id)
    ground.unit(lambda unit: unit.payments.save_attempt(replace(attempt, ask_at=unit.now)))
    street.prove(attempt.id)
    assert street.attempt_now(attempt.id).ask_at is None


# --- silence ---------------------------------------------------------------------------------------------------------


def test_a_gateway_without_an_answer_is_asked_again_sooner_for_a_paid_one(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    asked = []
    for _ in range(8):
        street.prove(order.attempt_id, Outcome.UNKNOWN)
        at = street.attempt_now(order.attempt_id).ask_at
        assert at is not None
        asked.append(int((at - order.paid_at).total_seconds()))
        ground.clock.at = at
    assert asked == [5, 15, 30, 60, 120, 300, 3_900, 7_500]


def test_a_paid_one_that_nobody_proves_for_a_day_goes_to_a_person_and_stays_held(street: Street, ground: Ground) -> None:
    order = street.paid(proved=False)
    street.later(24 * HOUR)
    street.prove(order.attempt_id, Outcome.UNKNOWN)
    attempt = street.attempt_now(order.attempt_id)
    assert (attempt.state, attempt.ask_at, attempt.proved_at) == (AttemptState.SUCCEEDED, None, None)
    assert ground.alerts() == ["attempt_without_answer"]
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_prompt_nobody_answers_for_is_asked_about_and_given_up_after_a_day(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    since, asked = ground.clock.at, []
    for _ in range(6):
        at = street.attempt_now(attempt.id).ask_at
        assert at is not None
        asked.append(int((at - since).total_seconds()))
        ground.clock.at = at
        street.prove(attempt.id, Outcome.PENDING)
    assert asked == [15, 30, 60, 120, 300, 3_900]
    ground.clock.at = since + 24 * HOUR
    street.prove(attempt.id, Outcome.PENDING)
    now = street.attempt_now(attempt.id)
    assert (now.state, now.result, now.ask_at) == (AttemptState.EXPIRED, "no_answer", None)
    assert ground.alerts() == ["attempt_without_answer"]
    assert ground.told() == [f"alert>{ADMIN}", f"payment_failed>{BUYER}"]
    assert street.tell(street.success(now)) == "paid"


def test_a_prompt_the_gateway_says_was_refused_ends(street: Street) -> None:
    for result, state in (("wrong_pin", AttemptState.FAILED), ("cancelled_by_payer", AttemptState.CANCELLED), (None, AttemptState.FAILED)):
        attempt = street.ringing()
        street.prove(attempt.id, Outcome.DECLINED, result=result)
        now = street.attempt_now(attempt.id)
        assert (now.state, now.result) == (state, result or "unknown")


def test_a_prompt_that_ended_is_not_ended_again_by_asking(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    ended = street.attempt_now(attempt.id)
    street.prove(attempt.id, Outcome.DECLINED)
    assert (street.attempt_now(attempt.id).state, street.attempt_now(attempt.id).ask_at) == (ended.state, None)


def test_a_prompt_that_failed_for_us_and_was_paid_is_found_by_asking(street: Street) -> None:
    """O6."""
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    street.prove(attempt.id)
    assert street.order_of(attempt).proved


def test_a_prompt_cut_off_by_a_crash_is_waited_for_five_minutes_and_never_sent_again(street: Street, ground: Ground) -> None:
    attempt = street.attempt()
    ground.unit(begin_attempt, attempt.id)
    assert not ground.unit(recover_attempt, attempt.id)
    now = street.attempt_now(attempt.id)
    assert (now.state, now.ref) == (AttemptState.PENDING, None)
    street.later(timedelta(minutes=5) - SECOND)
    street.prove(attempt.id, Outcome.UNKNOWN)
    assert street.attempt_now(attempt.id).state is AttemptState.PENDING
    street.later(SECOND)
    street.prove(attempt.id, Outcome.UNKNOWN)
    assert street.attempt_now(attempt.id).state is AttemptState.EXPIRED
    assert street.tell(street.success(street.attempt_now(attempt.id))) == "paid"


def test_a_gateway_that_names_a_used_receipt_is_not_believed(street: Street, ground: Ground) -> None:
    order = street.paid()
    used = f"R{order.attempt_id}"
    told = street.ringing()
    street.tell(street.success(told, receipt=None))
    for attempt in (street.ringing(), told):
        books = ground.books()
        ground.unit(record_fetch, attempt.id, Reply(Outcome.SUCCEEDED, receipt=used))
        assert (ground.books(), ground.alerts()[-1]) == (books, "receipt_used")
        assert street.attempt_now(attempt.id).proved_at is None
        assert street.attempt_now(attempt.id).asked == 1
