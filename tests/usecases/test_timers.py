"""The clock with an order: reminders, warnings, the release and the refund it makes by itself; once each, never early, after an outage too."""

from __future__ import annotations

from datetime import timedelta

from domain.life import EscrowState, OrderState
from domain.order import Due, Order, Reason
from tests.factories import BUYER, DAY, MANAGER, OWNER, SECOND, STAFF, Street, buyer, staff
from tests.fakes import Ground
from usecases.disputes import open_dispute, withdraw_dispute
from usecases.orders import confirm_delivery, run_order_timer, ship_order
from usecases.sweeps import due_orders, rest_order

SELLERS = [OWNER, MANAGER, STAFF]
MOMENT = timedelta(microseconds=1)
RELEASED = {"clearing:daraja": 250_000, "wallet": -243_750, "fees:platform": -6_250}


def told(ground: Ground, fact: str) -> list[int]:
    return [int(one.partition(">")[2]) for one in ground.told() if one.startswith(f"{fact}>")]


def reach(street: Street, order: Order, since: timedelta) -> str | None:
    """The order's timer at this time after it was paid, delivered or shipped; before that instant and at it nothing may happen."""
    start = order.delivered_at or order.shipped_at or order.paid_at
    ground = street.ground
    for at in (start + since - SECOND, start + since):
        ground.clock.at = at
        assert order.id not in ground.unit(due_orders, 10)
        with ground.unchanged():
            assert street.timer(order) is None
    ground.clock.at = start + since + MOMENT
    assert ground.unit(due_orders, 10) == [order.id]
    return street.timer(order)


def test_a_seller_who_does_not_ship_is_reminded_then_the_buyer_may_cancel_then_the_money_goes_back(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    order = street.paid(link)
    assert reach(street, order, 2 * DAY) == Due.REMIND_SHIP_1
    assert reach(street, order, 4 * DAY) == Due.REMIND_SHIP_2
    assert told(ground, "remind_ship") == SELLERS * 2
    assert reach(street, order, 7 * DAY) == Due.OFFER_CANCEL
    assert told(ground, "offer_cancel") == [BUYER]
    assert street.order(order.id).state is OrderState.PAID
    assert reach(street, order, 14 * DAY) == Due.REFUND_UNSHIPPED
    done = street.order(order.id)
    assert (done.state, done.escrow, done.due) == (OrderState.REFUNDED, EscrowState.REFUNDED, None)
    assert (street.link_now(link).stock, street.refund_of(order.attempt_id).reason) == (1, "never_shipped")
    assert ground.books() == {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}
    street.later(30 * DAY)
    with ground.unchanged():
        assert street.timer(order) is None


def test_what_was_shipped_and_never_marked_is_asked_about_and_then_taken_as_delivered(street: Street, ground: Ground) -> None:
    order = street.shipped()
    assert reach(street, order, 7 * DAY) == Due.ASK_ARRIVED
    assert told(ground, "ask_arrived") == [BUYER]
    assert reach(street, order, 14 * DAY) == Due.TAKE_AS_DELIVERED
    now = street.order(order.id)
    assert (now.state, now.delivered_at, now.due, now.due_at) == (
        OrderState.DELIVERED,
        ground.clock.at,
        Due.WARN_RELEASE_1,
        ground.clock.at + 5 * DAY,
    )
    assert told(ground, "order_delivered") == [*SELLERS, BUYER]


def test_what_was_delivered_and_not_confirmed_is_released_after_two_warnings(street: Street, ground: Ground) -> None:
    order = street.delivered()
    assert reach(street, order, 5 * DAY) == Due.WARN_RELEASE_1
    assert reach(street, order, 6 * DAY) == Due.WARN_RELEASE_2
    assert told(ground, "warn_release") == [BUYER, BUYER]
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}
    assert reach(street, order, 7 * DAY + MOMENT) == Due.RELEASE  # a day after the second warning was really given
    done = street.order(order.id)
    assert (done.state, done.escrow) == (OrderState.COMPLETED, EscrowState.RELEASED)
    assert ground.trail(f"sale:{order.checkout_id}")[-1] == "order_completed by clock@job"
    assert ground.books() == RELEASED


def test_shipping_ends_the_reminders(street: Street, ground: Ground) -> None:
    order = street.paid()
    reach(street, order, 2 * DAY)
    ground.unit(ship_order, staff, order.number)
    now = street.order(order.id)
    assert (now.due, now.due_at) == (Due.ASK_ARRIVED, ground.clock.at + 7 * DAY)


def test_after_an_outage_only_the_latest_reminder_is_given_and_a_day_is_left_to_answer(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.later(30 * DAY)
    assert street.timer(order) == Due.OFFER_CANCEL
    assert told(ground, "remind_ship") == []
    assert street.order(order.id).due_at == ground.clock.at + DAY
    street.later(DAY)
    assert street.timer(order) is None
    street.later(MOMENT)
    assert street.timer(order) == Due.REFUND_UNSHIPPED


def test_an_outage_prolongs_the_time_to_object_to_a_release(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.later(10 * DAY)
    assert street.timer(order) == Due.WARN_RELEASE_2
    assert told(ground, "warn_release") == [BUYER]
    street.later(DAY)
    assert street.timer(order) is None
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    street.later(30 * DAY)
    assert street.timer(order) == Due.DISPUTE_UNANSWERED
    assert street.order(order.id).escrow is EscrowState.DISPUTED


def test_a_buyer_who_was_asked_late_still_has_a_day(street: Street, ground: Ground) -> None:
    order = street.shipped()
    street.later(20 * DAY)
    assert street.timer(order) == Due.ASK_ARRIVED
    assert street.order(order.id).due_at == ground.clock.at + DAY


def test_a_frozen_shop_is_not_paid_by_the_clock(street: Street, ground: Ground) -> None:
    order = street.delivered()
    reach(street, order, 5 * DAY)
    reach(street, order, 6 * DAY)
    street.settings(frozen=True)
    street.later(2 * DAY)
    told_before = ground.told()
    assert street.timer(order) is None
    now = street.order(order.id)
    assert (now.state, now.due, now.due_at) == (OrderState.DELIVERED, Due.RELEASE, ground.clock.at + timedelta(hours=1))
    assert ground.told() == told_before
    street.settings(frozen=False)
    street.later(timedelta(hours=1, seconds=1))
    assert street.timer(order) == Due.RELEASE


def test_the_clock_does_not_release_what_is_not_proved(street: Street, ground: Ground) -> None:
    order = street.delivered(proved=False)
    reach(street, order, 5 * DAY)
    reach(street, order, 6 * DAY)
    street.later(2 * DAY)
    assert street.timer(order) is None
    assert street.order(order.id).escrow is EscrowState.HELD
    street.prove(order.attempt_id)
    street.later(2 * timedelta(hours=1))
    assert street.timer(order) == Due.RELEASE


def test_a_disputed_order_is_never_released_by_the_clock(street: Street, ground: Ground) -> None:
    order = street.delivered()
    reach(street, order, 5 * DAY)
    reach(street, order, 6 * DAY)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    opened = ground.clock.at
    ground.clock.at = opened + 3 * DAY
    assert street.timer(order) is None
    ground.clock.at += MOMENT
    assert street.timer(order) == Due.DISPUTE_UNANSWERED
    assert told(ground, "dispute_unanswered") == [*SELLERS, BUYER]
    assert street.order(order.id).due is None
    for _ in range(20):
        street.later(30 * DAY)
        with ground.unchanged():
            assert street.timer(order) is None
    assert street.order(order.id).escrow is EscrowState.DISPUTED


def test_the_clock_goes_on_where_it_was_when_a_dispute_is_withdrawn(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    street.later(10 * DAY)
    ground.unit(withdraw_dispute, buyer, order.number)
    assert street.timer(order) == Due.WARN_RELEASE_2
    assert street.order(order.id).due_at == ground.clock.at + DAY


def test_a_confirmed_order_has_no_timer_left(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.unit(confirm_delivery, buyer, order.number)
    street.later(30 * DAY)
    with ground.unchanged():
        assert ground.unit(run_order_timer, order.id) is None


def test_direct_orders_end_quietly_a_week_after_delivery(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.delivered()
    assert reach(street, order, 7 * DAY) == Due.RELEASE
    assert street.order(order.id).state is OrderState.COMPLETED
    assert told(ground, "warn_release") == []


def test_a_timer_that_fails_rests_for_an_hour_and_a_person_is_told(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.later(6 * DAY)
    ground.unit(rest_order, order.id, "ValueError")
    assert street.order(order.id).due_at == ground.clock.at + timedelta(hours=1)
    assert ground.alerts() == ["timer_failed"]
    assert ground.unit(due_orders, 10) == []
