"""C3: news that overtakes other news: money that went out before it was told to have come in, and what a restored backup has never heard of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.ids import RefundId
from domain.life import InboxState, OrderState, RefundState
from domain.payment import About, Attempt, Notice, Outcome, Proof, Reply
from domain.records import RawEvent
from tests.factories import PRICE, Street
from tests.fakes import Ground
from usecases.gateways import PLATFORM
from usecases.settlement import MOST_EVENT_TRIES, Received, apply_stored, receive, record_fetch


def gone(attempt: Attempt, about: About = About.REFUND, outcome: Outcome = Outcome.SUCCEEDED, **more: object) -> Notice:
    told = Notice("daraja", "evt_out", "event", outcome, Proof.PROOF, attempt.id, money=PRICE, about=about, refund_ref="re_1")
    return replace(told, **more)  # type: ignore[arg-type]


def comes(ground: Ground, notice: Notice) -> Received:
    return ground.unit(receive, RawEvent("daraja", "event", b"{}", "10.0.0.1", {}), notice.event_key, notice)


def tried_again(ground: Ground, notice: Notice, after: timedelta = timedelta(minutes=11)) -> InboxState:
    ground.clock.move(after)
    (event,) = ground.unit(lambda unit: list(unit.inbox.due(("daraja",), unit.now, 10)))
    return ground.unit(apply_stored, event, notice)


@pytest.mark.parametrize(
    "about,outcome,ends",
    [(About.REFUND, Outcome.SUCCEEDED, OrderState.REFUNDED), (About.CHARGEBACK, Outcome.PENDING, OrderState.FROZEN)],
)
def test_money_that_went_out_before_we_heard_that_it_came_in_waits_for_that(
    street: Street, ground: Ground, about: About, outcome: Outcome, ends: OrderState
) -> None:
    attempt = street.ringing()
    notice = gone(attempt, about, outcome)
    assert comes(ground, notice) is Received.STORED
    assert tried_again(ground, notice) is InboxState.STORED
    assert ground.books() == {}
    street.tell(street.success(attempt))
    assert tried_again(ground, notice) is InboxState.APPLIED
    assert street.order_of(attempt).state is ends


def test_it_does_not_wait_for_ever(street: Street, ground: Ground) -> None:
    notice = gone(street.ringing())
    assert comes(ground, notice) is Received.STORED
    states = [tried_again(ground, notice) for _ in range(MOST_EVENT_TRIES - 1)]
    assert states[-1] is InboxState.PARKED and set(states[:-1]) == {InboxState.STORED}
    assert "event_parked" in ground.alerts()


def test_a_refund_of_ours_that_a_backup_did_not_hold_is_booked_as_made_elsewhere(street: Street, ground: Ground) -> None:
    order = street.paid()
    attempt = street.attempt_now(order.attempt_id)
    notice = gone(attempt, refund_id=RefundId(4711), owner=PLATFORM)
    assert comes(ground, notice) is Received.APPLIED
    assert street.order(order.id).state is OrderState.REFUNDED
    assert [refund.state for refund in street.do(lambda unit: unit.payments.refunds_of(attempt.id))] == [RefundState.DONE]
    assert ground.books() == {}


def test_a_refund_at_an_address_that_names_nothing_waits_for_a_person(street: Street, ground: Ground) -> None:
    order = street.paid()
    notice = gone(street.attempt_now(order.attempt_id), about=About.PAYMENT, refund_id=RefundId(4711))
    assert comes(ground, notice) is Received.STORED
    assert street.order(order.id).state is OrderState.PAID


def test_a_gateway_that_says_it_all_went_back_has_not_denied_the_payment(street: Street, ground: Ground) -> None:
    """Nothing is released on its word; the event about the refund ends the order, and without one a person looks."""
    attempt = street.ringing()
    street.tell(street.success(attempt))
    street.do(record_fetch, attempt.id, Reply(Outcome.DECLINED, result="refunded", receipt="RCPT"))
    now = street.attempt_now(attempt.id)
    assert (now.disproved, now.proved_at, street.order_of(attempt).state) == (False, None, OrderState.PAID)
    ground.clock.move(timedelta(hours=25))
    street.do(record_fetch, attempt.id, Reply(Outcome.DECLINED, result="refunded", receipt="RCPT"))
    assert "attempt_without_answer" in ground.alerts()
    assert comes(ground, gone(attempt)) is Received.APPLIED
    assert street.order_of(attempt).state is OrderState.REFUNDED
    assert ground.books() == {}
