"""The one timer of each open order, from stored instants alone; the last instant of the dispute window; what an outage does to both."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.life import DisputeState, EscrowState, OrderState
from domain.order import DAY, Due, Order, dispute_ends, may_dispute, next_due
from tests.domain.samples import INSTANT, START, a_dispute, an_order

SHIPPED = START + 3 * DAY
DELIVERED = START + 5 * DAY
TO_SHIP: dict[str, Any] = {}
ON_ITS_WAY: dict[str, Any] = {"state": OrderState.SHIPPED, "shipped_at": SHIPPED}
ARRIVED: dict[str, Any] = {"state": OrderState.DELIVERED, "shipped_at": SHIPPED, "delivered_at": DELIVERED}
DIRECT: dict[str, Any] = {**ARRIVED, "escrow": None}


@pytest.mark.parametrize(
    "changes,last,due,at",
    [
        (TO_SHIP, None, Due.REMIND_SHIP_1, START + 2 * DAY),
        (TO_SHIP, Due.REMIND_SHIP_1, Due.REMIND_SHIP_2, START + 4 * DAY),
        (TO_SHIP, Due.REMIND_SHIP_2, Due.OFFER_CANCEL, START + 7 * DAY),
        (TO_SHIP, Due.OFFER_CANCEL, Due.REFUND_UNSHIPPED, START + 14 * DAY),
        ({"state": OrderState.ACCEPTED, "accepted_at": START + DAY}, None, Due.REMIND_SHIP_1, START + 2 * DAY),
        ({"state": OrderState.ACCEPTED, "accepted_at": START + DAY}, Due.OFFER_CANCEL, Due.REFUND_UNSHIPPED, START + 14 * DAY),
        (ON_ITS_WAY, None, Due.ASK_ARRIVED, SHIPPED + 7 * DAY),
        (ON_ITS_WAY, Due.REMIND_SHIP_2, Due.ASK_ARRIVED, SHIPPED + 7 * DAY),
        (ON_ITS_WAY, Due.ASK_ARRIVED, Due.TAKE_AS_DELIVERED, SHIPPED + 14 * DAY),
        (ARRIVED, None, Due.WARN_RELEASE_1, DELIVERED + 5 * DAY),
        (ARRIVED, Due.TAKE_AS_DELIVERED, Due.WARN_RELEASE_1, DELIVERED + 5 * DAY),
        (ARRIVED, Due.WARN_RELEASE_1, Due.WARN_RELEASE_2, DELIVERED + 6 * DAY),
        (ARRIVED, Due.WARN_RELEASE_2, Due.RELEASE, DELIVERED + 7 * DAY),
        (DIRECT, None, Due.RELEASE, DELIVERED + 7 * DAY),
        (DIRECT, Due.ASK_ARRIVED, Due.RELEASE, DELIVERED + 7 * DAY),
    ],
)
def test_each_step_comes_at_its_time_when_the_one_before_was_on_time(
    changes: dict[str, Any], last: Due | None, due: Due, at: datetime
) -> None:
    order = an_order(**changes, last_due=last, last_due_at=START + DAY if last else None)
    assert next_due(order) == (due, at)


@pytest.mark.parametrize(
    "changes,last,due,normally",
    [
        (TO_SHIP, Due.OFFER_CANCEL, Due.REFUND_UNSHIPPED, START + 14 * DAY),
        (ON_ITS_WAY, Due.ASK_ARRIVED, Due.TAKE_AS_DELIVERED, SHIPPED + 14 * DAY),
        (ARRIVED, Due.WARN_RELEASE_2, Due.RELEASE, DELIVERED + 7 * DAY),
    ],
)
def test_after_an_outage_the_last_step_waits_a_day_from_the_warning_that_was_really_given(
    changes: dict[str, Any], last: Due, due: Due, normally: datetime
) -> None:
    def at(given: datetime) -> datetime:
        step = next_due(an_order(**changes, last_due=last, last_due_at=given))
        assert step is not None and step[0] is due
        return step[1]

    assert at(normally - DAY - INSTANT) == normally
    assert at(normally - DAY) == normally
    assert at(normally - DAY + INSTANT) == normally + INSTANT
    assert at(normally + 30 * DAY) == normally + 31 * DAY


def test_a_step_before_the_last_is_not_put_off_by_an_outage() -> None:
    late = an_order(**ARRIVED, last_due=Due.WARN_RELEASE_1, last_due_at=DELIVERED + 30 * DAY)
    assert next_due(late) == (Due.WARN_RELEASE_2, DELIVERED + 6 * DAY)


@pytest.mark.parametrize("state", [OrderState.COMPLETED, OrderState.REFUNDED, OrderState.VOID])
@pytest.mark.parametrize("changes", [{}, {"shipped_at": SHIPPED}, {"delivered_at": DELIVERED}])
def test_an_order_that_has_ended_is_left_alone(state: OrderState, changes: dict[str, Any]) -> None:
    assert next_due(an_order(state=state, **changes)) is None


@pytest.mark.parametrize("escrow", [state for state in EscrowState if state is not EscrowState.HELD])
def test_the_clock_releases_only_what_is_held(escrow: EscrowState) -> None:
    assert next_due(an_order(**{**ARRIVED, "escrow": escrow}, last_due=Due.WARN_RELEASE_2, last_due_at=DELIVERED + 6 * DAY)) is None


@pytest.mark.parametrize("last", [Due.REFUND_UNSHIPPED, Due.RELEASE, Due.TAKE_AS_DELIVERED])
def test_nothing_follows_the_last_step(last: Due) -> None:
    changes = {Due.REFUND_UNSHIPPED: TO_SHIP, Due.RELEASE: ARRIVED, Due.TAKE_AS_DELIVERED: ON_ITS_WAY}[last]
    assert next_due(an_order(**changes, last_due=last, last_due_at=START)) is None


def disputed(**changes: Any) -> Order:
    return an_order(
        **{**ARRIVED, "state": OrderState.DISPUTED, "escrow": EscrowState.DISPUTED, "before_dispute": OrderState.DELIVERED, **changes}
    )


def test_a_dispute_that_the_seller_leaves_goes_to_the_arbiter_after_three_days() -> None:
    assert next_due(disputed(), a_dispute(opened_at=DELIVERED)) == (Due.DISPUTE_UNANSWERED, DELIVERED + 3 * DAY)


@pytest.mark.parametrize(
    "changes", [{"state": state} for state in DisputeState if state is not DisputeState.OPEN] + [{"unanswered": True}], ids=str
)
def test_a_dispute_that_was_answered_or_marked_waits_for_people(changes: dict[str, Any]) -> None:
    assert next_due(disputed(), a_dispute(**changes)) is None


def test_a_disputed_order_whose_dispute_is_not_known_is_left_alone() -> None:
    assert next_due(disputed()) is None
    assert next_due(disputed(last_due=Due.WARN_RELEASE_2, last_due_at=START)) is None


def test_an_order_that_comes_back_from_a_dispute_goes_on_where_it_was() -> None:
    back = replace(disputed(), state=OrderState.DELIVERED, escrow=EscrowState.HELD, before_dispute=None, last_due=Due.WARN_RELEASE_1)
    assert next_due(back, a_dispute(state=DisputeState.WITHDRAWN)) == (Due.WARN_RELEASE_2, DELIVERED + 6 * DAY)


@pytest.mark.parametrize(
    "begin", [datetime(2026, 3, 6, 22, tzinfo=UTC), datetime(2026, 10, 23, 22, tzinfo=UTC), datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)]
)
def test_seven_days_are_168_hours_whatever_the_clocks_do(begin: datetime) -> None:
    step = next_due(an_order(**{**ARRIVED, "delivered_at": begin}, last_due=Due.WARN_RELEASE_2, last_due_at=begin + 6 * DAY))
    assert step is not None
    assert (step[1] - begin) // timedelta(microseconds=1) == 168 * 3600 * 10**6


ENDS = DELIVERED + 7 * DAY


@pytest.mark.parametrize(
    "at,may", [(-DAY, True), (-timedelta(seconds=1), True), (-INSTANT, True), (0 * DAY, True), (INSTANT, False), (DAY, False)]
)
def test_a_dispute_may_be_opened_up_to_and_with_the_last_instant(at: timedelta, may: bool) -> None:
    """The clock acts strictly after `due_at`, the buyer up to and including it: at each instant exactly one of them may."""
    order = an_order(**ARRIVED, due=Due.RELEASE, due_at=ENDS, last_due=Due.WARN_RELEASE_2, last_due_at=ENDS - DAY)
    assert dispute_ends(order) == ENDS
    assert may_dispute(order, ENDS + at) is may
    assert (order.due_at is not None and order.due_at < ENDS + at) is not may


def test_an_outage_that_puts_the_release_off_keeps_the_window_open_as_long() -> None:
    order = an_order(**ARRIVED, due=Due.RELEASE, due_at=ENDS + 2 * DAY)
    assert dispute_ends(order) == ENDS + 2 * DAY
    assert may_dispute(order, ENDS + 2 * DAY)
    assert not may_dispute(order, ENDS + 2 * DAY + INSTANT)


def test_a_release_that_was_due_earlier_does_not_shorten_the_window() -> None:
    assert dispute_ends(an_order(**ARRIVED, due=Due.RELEASE, due_at=ENDS - DAY)) == ENDS


@pytest.mark.parametrize("due", [Due.WARN_RELEASE_1, Due.WARN_RELEASE_2])
def test_while_the_warnings_were_not_given_the_window_stays_open(due: Due) -> None:
    """The sweep was down for a month: nothing can be released before a warning and a day, so the buyer is not locked out meanwhile."""
    order = an_order(**ARRIVED, due=due, due_at=DELIVERED + 6 * DAY)
    assert may_dispute(order, ENDS + 30 * DAY)


def test_while_a_release_is_not_yet_in_sight_the_window_ends_after_seven_days() -> None:
    assert dispute_ends(an_order(**ARRIVED, due=Due.WARN_RELEASE_2, due_at=DELIVERED + 6 * DAY)) == ENDS
    assert dispute_ends(an_order(**ARRIVED, due=Due.RELEASE, due_at=None)) == ENDS


@pytest.mark.parametrize("changes", [TO_SHIP, ON_ITS_WAY, {"state": OrderState.ACCEPTED}])
def test_before_delivery_a_dispute_may_always_be_opened(changes: dict[str, Any]) -> None:
    order = an_order(**changes)
    assert dispute_ends(order) is None
    assert may_dispute(order, START + 3650 * DAY)


def test_for_digital_goods_the_window_begins_with_the_payment() -> None:
    order = an_order(digital=True)
    assert dispute_ends(order) == START + 7 * DAY
    assert may_dispute(order, START + 7 * DAY)
    assert not may_dispute(order, START + 7 * DAY + INSTANT)


@pytest.mark.parametrize("state", [OrderState.COMPLETED, OrderState.REFUNDED, OrderState.VOID])
def test_an_order_that_has_ended_is_not_disputed_any_more(state: OrderState) -> None:
    assert not may_dispute(an_order(state=state), START)
    assert not may_dispute(an_order(**{**ARRIVED, "state": state}), DELIVERED)
