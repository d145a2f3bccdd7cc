"""Orders: each step by whoever may take it, told to both, never backwards; released once, refunded once, never both."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, IllegalTransition, LimitReached, NotFound, Stale
from domain.life import EscrowState, LinkState, OrderState
from domain.money import Money
from domain.order import Order, Reason
from domain.rights import CLOCK, Action, Actor, Party
from tests.factories import (
    BUYER,
    MANAGER,
    OTHER_OWNER,
    OWNER,
    PRICE,
    STAFF,
    Street,
    admin,
    arbiter,
    buyer,
    manager,
    other_owner,
    owner,
    staff,
    stranger,
)
from tests.fakes import Ground
from usecases.disputes import open_dispute, resolve_dispute
from usecases.orders import (
    Confirmed,
    accept_order,
    cancel_order,
    complete_order,
    confirm_by_code,
    confirm_delivery,
    follow_order,
    mark_delivered,
    refund_order,
    ship_order,
    the_order,
)

ALL = [OWNER, MANAGER, STAFF, BUYER]
RELEASED = {"clearing:daraja": 250_000, "wallet": -243_750, "fees:platform": -6_250}
IN_TRANSIT = {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}
HELD = {"clearing:daraja": 250_000, "escrow": -250_000}
Step = Callable[..., Any]


def told(ground: Ground, fact: str) -> list[int]:
    return [int(one.partition(">")[2]) for one in ground.told() if one.startswith(f"{fact}>")]


def test_each_step_is_taken_once_told_and_written_down(street: Street, ground: Ground) -> None:
    order = street.paid()
    steps: list[tuple[Step, OrderState, str]] = [
        (accept_order, OrderState.ACCEPTED, "accepted"),
        (ship_order, OrderState.SHIPPED, "shipped"),
        (mark_delivered, OrderState.DELIVERED, "delivered"),
    ]
    for step, state, name in steps:
        street.later(timedelta(minutes=1))
        moved = ground.unit(step, staff, order.number)
        assert (moved.state, getattr(moved, f"{name}_at"), moved.escrow) == (state, ground.clock.at, EscrowState.HELD)
        assert told(ground, f"order_{name}") == ALL
        assert ground.trail(f"sale:{order.checkout_id}")[-1] == f"order_{name} by staff:{STAFF}@telegram"
        with ground.unchanged():
            assert ground.unit(step, owner, order.number).state is state
    assert ground.books() == HELD


def test_courier_and_tracking_are_kept_as_words(street: Street, ground: Ground) -> None:
    order = street.paid()
    shipped = ground.unit(ship_order, manager, order.number, " G4S \0", "KE 1")
    assert (shipped.courier, shipped.tracking) == ("G4S", "KE 1")
    other = street.paid()
    ground.refuses(BadInput, ship_order, manager, other.number, "x" * 61)
    ground.refuses(BadInput, ship_order, manager, other.number, "", "x" * 61)


def test_a_seller_who_did_it_in_one_go_may_skip_forward(street: Street, ground: Ground) -> None:
    assert street.shipped().state is OrderState.SHIPPED
    delivered = street.delivered()
    assert (delivered.state, delivered.shipped_at, delivered.delivered_at) == (OrderState.DELIVERED, ground.clock.at, ground.clock.at)
    accepted = street.paid()
    ground.unit(accept_order, staff, accepted.number)
    assert ground.unit(mark_delivered, staff, accepted.number).state is OrderState.DELIVERED


def test_nobody_goes_backwards(street: Street, ground: Ground) -> None:
    shipped, delivered = street.shipped(), street.delivered()
    ground.refuses(IllegalTransition, accept_order, staff, shipped.number)
    ground.refuses(IllegalTransition, ship_order, staff, delivered.number)
    ground.unit(confirm_delivery, buyer, delivered.number)
    for step in (accept_order, ship_order, mark_delivered):
        ground.refuses(IllegalTransition, step, staff, delivered.number)


@pytest.mark.parametrize("step", [accept_order, ship_order, mark_delivered])
@pytest.mark.parametrize("actor", [buyer, stranger, other_owner, admin, arbiter, CLOCK, Actor(Party.OWNER, "web", OWNER, None)])
def test_only_the_sellers_members_work_on_an_order(street: Street, ground: Ground, step: Step, actor: Actor) -> None:
    order = street.paid()
    ground.refuses(NotFound, step, actor, order.number)
    ground.refuses(NotFound, step, staff, "00000000")


def test_an_order_is_shown_to_its_parties_and_is_not_there_for_others(street: Street, ground: Ground) -> None:
    order = street.paid()
    token = Actor(Party.BUYER, "web", order_id=order.id)
    for actor in (owner, manager, staff, buyer, admin, token):
        assert ground.unit(the_order, actor, order.number, Action.SEE_ORDER) == order
    other_token = replace(token, order_id=street.paid().id)
    for actor in (other_owner, stranger, arbiter, other_token, Actor(Party.BUYER, "web")):
        ground.refuses(NotFound, the_order, actor, order.number, Action.SEE_ORDER)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    assert ground.unit(the_order, arbiter, order.number, Action.SEE_ORDER).id == order.id


# --- confirmation ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [None, accept_order, ship_order, mark_delivered])
def test_the_buyer_confirms_at_any_step_and_the_seller_is_paid_minus_the_fee(street: Street, ground: Ground, step: Step | None) -> None:
    order = street.paid()
    if step is not None:
        ground.unit(step, staff, order.number)
    assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.RELEASED
    done = street.order(order.id)
    assert (done.state, done.escrow, done.ended_at, done.due_at) == (OrderState.COMPLETED, EscrowState.RELEASED, ground.clock.at, None)
    assert done.delivered_at == ground.clock.at
    assert ground.books() == RELEASED
    assert told(ground, "order_completed") == ALL
    with ground.unchanged():
        assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.ALREADY


def test_an_order_that_was_settled_since_it_was_read_is_read_again(street: Street, ground: Ground) -> None:
    """S1: on PostgreSQL the order can be read before another confirmation is kept and its escrow after it; the unit begins anew, and finds it done."""
    order = street.paid()
    ground.unit(confirm_delivery, buyer, order.number)
    assert ground.refuses(Stale, complete_order, order, buyer).facts == {"order": order.id}


def test_the_fee_is_rounded_down_in_the_sellers_favour(street: Street, ground: Ground) -> None:
    attempt = street.ringing(street.checkout(street.link(price=Money(300, "KES"))))
    street.tell(street.success(attempt, money=Money(300, "KES")))
    street.prove(attempt.id)
    ground.unit(confirm_delivery, buyer, street.order_of(attempt).number)
    assert ground.books() == {"clearing:daraja": 300, "wallet": -293, "fees:platform": -7}


def test_a_shop_without_a_fee_gets_all_of_it(street: Street, ground: Ground) -> None:
    street.settings(fee_bps=0)
    ground.unit(confirm_delivery, buyer, street.paid().number)
    assert ground.books() == {"clearing:daraja": 250_000, "wallet": -250_000}


@pytest.mark.parametrize("actor", [owner, manager, staff, stranger, other_owner, arbiter])
def test_the_seller_does_not_confirm_for_the_buyer(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, confirm_delivery, actor, street.delivered().number)


def test_an_admin_may_release_and_so_may_whoever_holds_the_tracking_token(street: Street, ground: Ground) -> None:
    assert ground.unit(confirm_delivery, admin, street.delivered().number) is Confirmed.RELEASED
    order = street.delivered(buyer_id=None)
    assert ground.unit(confirm_delivery, Actor(Party.BUYER, "web", order_id=order.id), order.number) is Confirmed.RELEASED


@pytest.mark.parametrize("actor", [buyer, admin, arbiter])
def test_a_disputed_order_is_never_released_by_confirming(street: Street, ground: Ground, actor: Actor) -> None:
    order = street.delivered()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.refuses(IllegalTransition, confirm_delivery, actor, order.number)
    ground.refuses(IllegalTransition, confirm_by_code, staff, order.number, order.delivery_code)


def test_a_refunded_order_is_not_released(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(cancel_order, buyer, order.number)
    ground.refuses(IllegalTransition, confirm_delivery, buyer, order.number)
    ground.refuses(IllegalTransition, confirm_by_code, staff, order.number, order.delivery_code)
    ground.refuses(IllegalTransition, complete_order, street.order(order.id), admin)


def test_the_code_only_the_buyer_had_counts_as_the_buyers_word(street: Street, ground: Ground) -> None:
    order = street.shipped()
    typed = f" {order.delivery_code[:3]}-{order.delivery_code[3:]} "
    assert ground.unit(confirm_by_code, staff, order.number, typed) is Confirmed.RELEASED
    assert ground.books() == RELEASED
    assert ground.trail(f"sale:{order.checkout_id}")[-2:] == [
        f"code_entered by staff:{STAFF}@telegram",
        f"order_completed by buyer:{BUYER}@code.telegram",
    ]
    with ground.unchanged():
        assert ground.unit(confirm_by_code, staff, order.number, typed) is Confirmed.ALREADY


def test_a_wrong_code_is_counted_and_after_five_the_right_one_opens_nothing(street: Street, ground: Ground) -> None:
    order = street.shipped()
    wrong = "999999"
    for tries in range(1, 6):
        assert ground.unit(confirm_by_code, staff, order.number, wrong) is Confirmed.WRONG
        assert street.order(order.id).code_tries == tries
    assert ground.refuses(LimitReached, confirm_by_code, staff, order.number, order.delivery_code).facts["limit"] == "delivery_code"
    assert ground.books() == HELD


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "12345a", "abcdef"])
def test_what_is_no_code_is_not_counted(street: Street, ground: Ground, typed: str) -> None:
    ground.refuses(BadInput, confirm_by_code, staff, street.shipped().number, typed)


def test_the_buyer_enters_no_code_and_a_stranger_none(street: Street, ground: Ground) -> None:
    order = street.shipped()
    ground.refuses(NotFound, confirm_by_code, buyer, order.number, order.delivery_code)
    ground.refuses(NotFound, confirm_by_code, other_owner, order.number, order.delivery_code)


def test_direct_money_needs_no_release(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid(proved=False)
    assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.RELEASED
    assert ground.books() == {"direct_clearing:1.daraja": 250_000, "direct_sales": -250_000}


# --- cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize("actor", [buyer, manager, owner, admin, CLOCK])
def test_before_shipping_both_sides_may_cancel_and_all_of_it_goes_back(
    street: Street, ground: Ground, actor: Actor, accepted: bool
) -> None:
    link = street.link(stock=1)
    order = street.paid(link)
    if accepted:
        ground.unit(accept_order, staff, order.number)
    assert street.link_now(link).state is LinkState.SOLD_OUT
    refunded = ground.unit(cancel_order, actor, order.number)
    assert (refunded.state, refunded.escrow, refunded.due_at) == (OrderState.REFUNDED, EscrowState.REFUNDED, None)
    assert (ground.books(), street.refund_of(order.attempt_id).money) == (IN_TRANSIT, PRICE)
    assert (street.link_now(link).stock, street.link_now(link).state) == (1, LinkState.ACTIVE)
    assert told(ground, "order_refunded") == ALL
    with ground.unchanged():
        assert ground.unit(cancel_order, actor, order.number) == refunded


@pytest.mark.parametrize("actor", [staff, stranger, other_owner, arbiter])
def test_others_do_not_cancel(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, cancel_order, actor, street.paid().number)


@pytest.mark.parametrize("actor", [buyer, owner, admin])
def test_what_was_shipped_is_not_cancelled(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(IllegalTransition, cancel_order, actor, street.shipped().number)
    ground.refuses(IllegalTransition, cancel_order, actor, street.delivered().number)


@pytest.mark.parametrize("actor", [buyer, owner, manager, admin, arbiter])
def test_a_disputed_order_is_not_cancelled_beside_its_dispute(street: Street, ground: Ground, actor: Actor) -> None:
    order = street.paid()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.refuses(IllegalTransition, cancel_order, actor, order.number)


def test_what_was_released_is_not_refunded(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.unit(confirm_delivery, buyer, order.number)
    ground.refuses(IllegalTransition, cancel_order, admin, order.number)
    ground.refuses(IllegalTransition, refund_order, street.order(order.id), admin, "decided")


def test_goods_that_were_shipped_do_not_return_to_the_shelf(street: Street, ground: Ground) -> None:
    link = street.link(stock=2)
    order = street.paid(link)
    ground.unit(ship_order, staff, order.number)
    ground.unit(open_dispute, buyer, order.number, Reason.NOT_ARRIVED, "")
    ground.unit(resolve_dispute, admin, order.number, "refund")
    assert street.link_now(link).stock == 1


def test_direct_money_goes_back_from_the_shops_own_books(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid()
    refunded: Order = ground.unit(cancel_order, owner, order.number)
    assert (refunded.state, refunded.escrow) == (OrderState.REFUNDED, None)
    assert ground.books() == {"direct_clearing:1.daraja": 250_000, "refunds_in_transit": -250_000}


# --- a guest who comes by chat ---------------------------------------------------------------------------------------


def test_a_guest_who_comes_with_the_token_is_bound_to_the_order_once(street: Street, ground: Ground) -> None:
    order = street.paid(buyer_id=None)
    assert told(ground, "order_paid") == [OWNER, MANAGER, STAFF]
    assert ground.unit(follow_order, order.id, BUYER).buyer_id == BUYER
    with ground.unchanged():
        ground.unit(follow_order, order.id, BUYER)
    ground.refuses(NotFound, follow_order, order.id, OTHER_OWNER)
    assert ground.unit(confirm_delivery, buyer, order.number) is Confirmed.RELEASED
