"""Refunds: asked in the unit that decides them, sent once, never blindly again, followed to their end by a person if need be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain import booking
from domain.errors import IllegalTransition, NotFound
from domain.ids import RefundId
from domain.life import PaymentState, RefundState
from domain.money import Money
from domain.order import Order, Reason
from domain.payment import Outcome, Refund, Reply
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.factories import ADMIN, BUYER, HOUR, PRICE, SECOND, SHOP, Street, admin, buyer, owner
from tests.fakes import FakeGateway, Ground, GroundStore
from usecases.disputes import open_dispute, resolve_dispute
from usecases.orders import cancel_order
from usecases.refunds import (
    MOST_TRIES,
    ask_refund,
    begin_refund,
    confirm_refund_by_hand,
    read_refund,
    record_refund,
    retry_refund,
    send_refund,
)

BOTH = [11, 12, 13, BUYER]
IN_TRANSIT = {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}
IN_SUSPENSE = {"clearing:daraja": 250_000, "suspense": -250_000}
MINUTE = timedelta(minutes=1)


def asked(street: Street, *, proved: bool = True) -> tuple[Order, Refund]:
    """A cancelled order and its refund, not sent yet."""
    order = street.paid(proved=proved)
    street.do(cancel_order, buyer, order.number)
    return order, street.refund_of(order.attempt_id)


def now(street: Street, refund: Refund) -> Refund:
    found: Refund = street.do(read_refund, refund.id)
    return found


def test_a_refund_is_booked_into_transit_with_the_decision(street: Street, ground: Ground) -> None:
    order, refund = asked(street)
    assert (refund.state, refund.money, refund.reason, refund.order_id) == (RefundState.ASKED, PRICE, "cancelled", order.id)
    assert (refund.act_at, refund.source, refund.tries) == (ground.clock.at, f"escrow:{order.id}", 0)
    assert ground.books() == IN_TRANSIT


def test_one_reason_refunds_once(street: Street, ground: Ground) -> None:
    order, _ = asked(street)
    attempt = street.attempt_now(order.attempt_id)
    with ground.unchanged():
        again = ground.unit(ask_refund, attempt, PRICE, "cancelled", f"order:{order.id}", booking.escrow_account(order.id))
    assert again is None


def test_what_is_sent_is_marked_first_and_waits_for_its_result(street: Street, ground: Ground) -> None:
    order, refund = asked(street)
    call = ground.unit(begin_refund, refund.id, False)
    assert call is not None
    assert (call.receipt, call.credentials, call.refund.state) == (f"R{order.attempt_id}", {"short_code": "600000"}, RefundState.SENDING)
    assert ground.tokens.read(Purpose.REFUND, call.token) == refund.id
    with ground.unchanged():
        assert ground.unit(begin_refund, refund.id, False) is None
    pending = ground.unit(record_refund, refund.id, Reply(Outcome.PENDING, "conv"))
    assert (pending.state, pending.ref, pending.tries, pending.act_at) == (RefundState.PENDING, "conv", 1, ground.clock.at + 10 * MINUTE)
    assert ground.books() == IN_TRANSIT


def test_a_refund_that_came_back_is_confirmed_and_both_are_told(street: Street, ground: Ground) -> None:
    order, refund = asked(street)
    street.send_refund(refund)
    done = ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED, "conv", "refunded"))
    assert (done.state, done.done_at, done.act_at) == (RefundState.DONE, ground.clock.at, None)
    assert ground.books() == {}
    assert street.payment_now(street.attempt_now(order.attempt_id)).state is PaymentState.REFUNDED
    assert ground.told()[-4:] == [f"refund_done>{person}" for person in BOTH]
    with ground.unchanged():
        for outcome in Outcome:
            ground.unit(record_refund, refund.id, Reply(outcome))


def test_a_result_faster_than_the_reply_is_kept(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    ground.unit(begin_refund, refund.id, False)
    ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED, "conv"))
    with ground.unchanged():
        ground.unit(record_refund, refund.id, Reply(Outcome.PENDING, "conv"))


def test_a_refund_that_was_not_sent_is_sent_again_later_and_later(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    waits = []
    for _ in range(5):
        back = street.send_refund(refund, Reply(Outcome.NOT_SENT, result="try_later"))
        assert (back.state, back.act_at is not None) == (RefundState.ASKED, True)
        assert back.act_at is not None
        waits.append(int((back.act_at - ground.clock.at).total_seconds()))
        assert ground.unit(begin_refund, refund.id, False) is None
        ground.clock.at = back.act_at
    assert waits == [10, 60, 300, 1_800, 1_800]
    assert ground.books() == IN_TRANSIT


def test_a_gateway_that_says_how_long_to_wait_is_believed(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    back = street.send_refund(refund, Reply(Outcome.NOT_SENT, retry_after_s=45))
    assert back.act_at == ground.clock.at + 45 * SECOND


def test_a_refund_that_cannot_be_handed_over_goes_to_a_person_after_twelve_tries(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    back = refund
    for _ in range(MOST_TRIES):
        back = street.send_refund(refund, Reply(Outcome.NOT_SENT))
        assert back.act_at is not None
        ground.clock.at = back.act_at
    assert (back.state, back.tries) == (RefundState.PENDING, 12)
    assert ground.unit(begin_refund, refund.id, True) is None
    assert (now(street, refund).act_at, ground.alerts()) == (None, ["refund_without_answer"])
    assert ground.told()[-5:] == [f"alert>{ADMIN}", *(f"refund_delayed>{person}" for person in BOTH)]


@pytest.mark.parametrize("reply", [Reply(Outcome.UNKNOWN, result="unknown"), Reply(Outcome.PENDING, "conv"), None])
def test_a_lost_answer_is_never_sent_again_blindly(street: Street, ground: Ground, reply: Reply | None) -> None:
    order, refund = asked(street)
    ground.unit(begin_refund, refund.id, False)
    if reply is not None:
        ground.unit(record_refund, refund.id, reply)
    street.later(10 * MINUTE)
    assert ground.unit(begin_refund, refund.id, False) is None
    left = now(street, refund)
    assert (left.state, left.act_at, left.result, left.tries) == (RefundState.PENDING, None, "unknown", 1)
    assert (ground.alerts(), ground.books()) == (["refund_without_answer"], IN_TRANSIT)
    with ground.unchanged():
        assert ground.unit(begin_refund, refund.id, False) is None
    assert ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED)).order_id == order.id
    assert ground.books() == {}


def test_a_gateway_that_refuses_doubles_itself_is_sent_the_whole_refund_again(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    street.send_refund(refund, Reply(Outcome.UNKNOWN), repeatable=True)
    street.later(10 * MINUTE)
    call = ground.unit(begin_refund, refund.id, True)
    assert call is not None
    assert (call.refund.tries, ground.alerts()) == (2, [])


def test_a_part_is_not_sent_again_even_there(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, money=Money(250_100, "KES")))
    street.prove(attempt.id)
    refund = street.refund_of(attempt.id)
    street.send_refund(refund, Reply(Outcome.UNKNOWN), repeatable=True)
    street.later(10 * MINUTE)
    assert ground.unit(begin_refund, refund.id, True) is None
    assert ground.alerts() == ["refund_without_answer"]
    assert "refund_delayed" not in " ".join(ground.told())


def test_a_refused_refund_waits_in_suspense_for_a_person(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    street.send_refund(refund)
    failed = ground.unit(record_refund, refund.id, Reply(Outcome.DECLINED, "conv", "insufficient_funds"))
    assert (failed.state, failed.result, failed.act_at) == (RefundState.FAILED, "insufficient_funds", None)
    assert (ground.books(), ground.alerts()) == (IN_SUSPENSE, ["refund_failed"])
    assert ground.told()[-5:] == [f"alert>{ADMIN}", *(f"refund_delayed>{person}" for person in BOTH)]
    with ground.unchanged():
        for outcome in (Outcome.DECLINED, Outcome.PENDING, Outcome.UNKNOWN, Outcome.NOT_SENT):
            ground.unit(record_refund, refund.id, Reply(outcome))
        assert ground.unit(begin_refund, refund.id, False) is None


def test_a_refusal_without_a_word_is_unknown(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    assert street.send_refund(refund, Reply(Outcome.DECLINED)).result == "unknown"


def test_an_admin_sends_a_failed_refund_again_as_often_as_it_takes(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    for tries in (1, 2, 3):
        street.send_refund(refund, Reply(Outcome.DECLINED, result="no"))
        assert ground.books() == IN_SUSPENSE
        again = ground.unit(retry_refund, admin, refund.id)
        assert (again.state, again.tries, again.act_at, again.result) == (RefundState.ASKED, tries, ground.clock.at, None)
        assert ground.books() == IN_TRANSIT
        with ground.unchanged():
            assert ground.unit(retry_refund, admin, refund.id) == again
    street.send_refund(refund, Reply(Outcome.SUCCEEDED))
    assert ground.books() == {}
    ground.refuses(IllegalTransition, retry_refund, admin, refund.id)


def test_an_admin_sends_again_what_never_had_an_answer(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    street.send_refund(refund, Reply(Outcome.UNKNOWN))
    assert ground.unit(retry_refund, admin, refund.id).state is RefundState.ASKED
    assert ground.books() == IN_TRANSIT
    with ground.unchanged():
        ground.unit(record_refund, refund.id, Reply(Outcome.DECLINED))
    assert ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED)).state is RefundState.DONE
    assert ground.books() == {}


def test_a_success_after_a_failure_wins(street: Street, ground: Ground) -> None:
    _, refund = asked(street)
    street.send_refund(refund, Reply(Outcome.DECLINED))
    assert ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED)).state is RefundState.DONE
    assert ground.books() == {}


def test_an_admin_who_saw_the_money_go_back_says_so(street: Street, ground: Ground) -> None:
    _, refund = asked(street, proved=False)
    assert ground.unit(confirm_refund_by_hand, admin, refund.id).result == "by_hand"
    assert ground.books() == {}
    assert ground.trail(f"refund:{refund.id}") == ["confirmed_by_hand by admin@admin"]


@pytest.mark.parametrize("actor", [owner, buyer, Actor(Party.CLOCK, "job")])
def test_only_an_admin_may_do_it_by_hand(street: Street, ground: Ground, actor: Actor) -> None:
    _, refund = asked(street)
    ground.refuses(NotFound, retry_refund, actor, refund.id)
    ground.refuses(NotFound, confirm_refund_by_hand, actor, refund.id)


def test_a_refund_that_does_not_exist_is_not_found(street: Street, ground: Ground) -> None:
    ground.refuses(NotFound, retry_refund, admin, RefundId(1))
    ground.refuses(NotFound, confirm_refund_by_hand, admin, RefundId(1))
    ground.refuses(NotFound, record_refund, RefundId(1), Reply(Outcome.SUCCEEDED))
    assert ground.unit(begin_refund, RefundId(1), False) is None


# --- what it waits for -----------------------------------------------------------------------------------------------


def test_nothing_goes_back_before_the_payment_is_proved(street: Street, ground: Ground) -> None:
    order, refund = asked(street, proved=False)
    assert ground.unit(begin_refund, refund.id, False) is None
    assert now(street, refund).act_at == ground.clock.at + 30 * SECOND
    street.prove(order.attempt_id)
    street.later(30 * SECOND)
    assert ground.unit(begin_refund, refund.id, False) is not None


def test_after_an_hour_without_proof_a_person_is_told(street: Street, ground: Ground) -> None:
    _, refund = asked(street, proved=False)
    street.later(HOUR - SECOND)
    ground.unit(begin_refund, refund.id, False)
    assert ground.alerts() == []
    street.later(30 * SECOND)
    ground.unit(begin_refund, refund.id, False)
    assert (ground.alerts(), now(street, refund).act_at) == (["refund_without_proof"], ground.clock.at + HOUR)
    street.later(HOUR)
    ground.unit(begin_refund, refund.id, False)
    assert ground.told().count(f"alert>{ADMIN}") == 1


def test_a_payment_whose_receipt_never_came_is_shown_to_a_person(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.prove(attempt.id)
    ground.unit(cancel_order, buyer, street.order_of(attempt).number)
    refund = street.refund_of(attempt.id)
    street.later(HOUR)
    assert ground.unit(begin_refund, refund.id, False) is None
    assert ground.alerts() == ["refund_without_receipt"]
    street.tell(street.success(attempt))
    street.later(HOUR)
    assert ground.unit(begin_refund, refund.id, False) is not None


def test_a_shop_that_took_its_account_away_does_not_stop_the_sweep(street: Street, ground: Ground) -> None:
    street.go_direct()
    _, refund = asked(street)
    ground.connection.execute("DELETE FROM gateway_settings WHERE organization_id = ?", (SHOP,))
    street.later(HOUR)
    assert ground.unit(begin_refund, refund.id, False) is None
    assert (now(street, refund).state, ground.alerts()) == (RefundState.ASKED, ["refund_without_credentials"])


def test_a_refund_of_a_denied_payment_fails_each_time_it_is_tried(street: Street, ground: Ground) -> None:
    order, refund = asked(street, proved=False)
    street.prove(order.attempt_id, Outcome.DECLINED)
    for tries in (1, 2):
        assert ground.unit(begin_refund, refund.id, False) is None
        failed = now(street, refund)
        assert (failed.state, failed.result, failed.tries) == (RefundState.FAILED, "disproved", tries)
        assert ground.books() == IN_SUSPENSE
        ground.unit(retry_refund, admin, refund.id)
    assert ground.books() == IN_TRANSIT


# --- parts, and money without an order -------------------------------------------------------------------------------


def test_parts_and_the_whole_show_in_the_payment(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.unit(resolve_dispute, admin, order.number, "split", Money(100_000, "KES"))
    payment = street.payment_now(street.attempt_now(order.attempt_id))
    assert payment.state is PaymentState.SUCCEEDED
    street.send_refund(street.refund_of(order.attempt_id), Reply(Outcome.SUCCEEDED))
    assert street.payment_now(street.attempt_now(order.attempt_id)).state is PaymentState.PARTLY_REFUNDED


def test_money_that_fitted_nothing_goes_back_and_the_payer_is_told(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, money=Money(100, "KES")))
    street.prove(attempt.id)
    street.send_refund(street.refund_of(attempt.id), Reply(Outcome.SUCCEEDED))
    assert ground.books() == {}
    assert ground.told() == [f"payment_failed>{BUYER}", f"money_returned>{BUYER}"]


def test_direct_money_goes_back_from_the_shops_own_account(street: Street, ground: Ground) -> None:
    street.go_direct()
    order, refund = asked(street)
    call = ground.unit(begin_refund, refund.id, False)
    assert call is not None
    assert (call.credentials, refund.source) == ({"short_code": "777777"}, f"direct_sales:{SHOP}")
    ground.unit(record_refund, refund.id, Reply(Outcome.SUCCEEDED))
    assert (ground.books(), street.order(order.id).escrow) == ({}, None)


async def test_unit_call_unit(street: Street, ground: Ground) -> None:
    gateway, store = FakeGateway([Reply(Outcome.SUCCEEDED, "conv")]), GroundStore(ground)
    order, refund = asked(street)
    await send_refund(store, {"daraja": gateway}, refund.id)
    await send_refund(store, {"daraja": gateway}, refund.id)
    ((sent, receipt, _, token),) = gateway.refunded
    assert (sent.id, receipt, ground.tokens.read(Purpose.REFUND, token)) == (refund.id, f"R{order.attempt_id}", refund.id)
    assert ground.books() == {}
    with pytest.raises(NotFound):
        await send_refund(store, {"daraja": gateway}, RefundId(1))


def test_money_that_fitted_nothing_and_is_refused_back_waits_in_suspense(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, money=Money(100, "KES")))
    street.prove(attempt.id)
    street.send_refund(street.refund_of(attempt.id), Reply(Outcome.DECLINED))
    assert ground.books() == {"clearing:daraja": 100, "suspense": -100}
    assert ground.told() == [f"payment_failed>{BUYER}", f"alert>{ADMIN}"]


def test_a_part_after_a_part_is_still_a_part(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.unit(resolve_dispute, admin, order.number, "split", Money(100_000, "KES"))
    attempt = street.attempt_now(order.attempt_id)
    street.send_refund(street.refund_of(attempt.id), Reply(Outcome.SUCCEEDED))
    goodwill = ground.unit(
        ask_refund, attempt, Money(50_000, "KES"), "goodwill", "goodwill:1", booking.wallet(SHOP), street.order(order.id)
    )
    assert goodwill is not None
    street.send_refund(goodwill, Reply(Outcome.SUCCEEDED))
    assert street.payment_now(attempt).state is PaymentState.PARTLY_REFUNDED
    assert ground.books() == {"clearing:daraja": 100_000, "wallet": -96_250, "fees:platform": -3_750}
