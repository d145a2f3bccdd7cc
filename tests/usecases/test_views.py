"""What pages, cards and the API show: values for whoever may see them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import NotFound
from domain.life import LinkState, OrderState
from domain.money import Money
from domain.order import OrderAct, Reason
from domain.payment import Method, Outcome, Reply
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.factories import (  # fmt: skip
    ABILITIES,
    BUYER,
    DAY,
    OTHER_OWNER,
    OTHER_SHOP,
    OWNER,
    PRICE,
    SHOP,
    STAFF,
    Street,
    admin,
    buyer,
    manager,
    other_owner,
    owner,
    staff,
    stranger,
)
from tests.fakes import Ground
from usecases import views
from usecases.checkouts import cancel_checkout
from usecases.disputes import open_dispute
from usecases.gateways import pause_gateway
from usecases.links import set_link_state
from usecases.orders import cancel_order, confirm_delivery, mark_delivered, ship_order
from usecases.views import MethodOffer


def test_a_product_shows_what_is_sold_by_whom_and_how_it_is_paid(street: Street, ground: Ground) -> None:
    link = street.link()
    view = ground.unit(views.product, link.code, ABILITIES)
    assert (view.link, view.shop, view.shop_since, view.why_not) == (link, "Mama Amina", ground.clock.at, None)
    assert view.methods == (MethodOffer(Method.MPESA, None),)
    street.go_direct()
    assert ground.unit(views.product, link.code, ABILITIES).methods == (MethodOffer(Method.MPESA, None, True),)
    ground.refuses(NotFound, views.product, "PL-22222", ABILITIES)


def test_what_cannot_be_bought_or_paid_says_why(street: Street, ground: Ground) -> None:
    off, sold, cents = street.link(), street.link(stock=0), street.link(price=Money(150, "KES"))
    ground.unit(set_link_state, owner, off.code, LinkState.INACTIVE)
    assert ground.unit(views.product, off.code, ABILITIES).why_not == "inactive"
    assert ground.unit(views.product, sold.code, ABILITIES).why_not == "sold_out"
    assert ground.unit(views.product, cents.code, ABILITIES).methods == (MethodOffer(Method.MPESA, "cents"),)
    ground.unit(pause_gateway, admin, "daraja", True)
    assert ground.unit(views.product, sold.code, ABILITIES).methods == (MethodOffer(Method.MPESA, "paused"),)
    assert (views.is_public(street.link_now(off)), views.is_public(sold)) == (False, True)


def test_the_pay_page_follows_the_last_try_to_the_order(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    view = ground.unit(views.pay_page, checkout.id)
    assert (view.attempt, view.order, view.order_token, view.refund, views.is_over(view)) == (None, None, None, None, False)
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    second = street.ringing(checkout)
    view = ground.unit(views.pay_page, checkout.id)
    assert view.attempt is not None
    assert (view.attempt.id, view.shop, view.link.name) == (second.id, "Mama Amina", "Sneakers")
    street.tell(street.success(second))
    view = ground.unit(views.pay_page, checkout.id)
    assert view.order is not None and view.order_token is not None
    assert (ground.tokens.read(Purpose.TRACK, view.order_token), views.is_over(view)) == (view.order.id, True)


def test_the_pay_page_shows_money_that_goes_back(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, money=Money(100, "KES")))
    view = ground.unit(views.pay_page, attempt.checkout_id)
    assert view.refund is not None
    assert (view.refund.reason, views.refund_is_under_way(view.refund), views.refund_is_under_way(None)) == ("short", True, False)
    street.prove(attempt.id)
    done = street.send_refund(view.refund, Reply(Outcome.SUCCEEDED))
    assert not views.refund_is_under_way(done)
    ground.unit(cancel_checkout, attempt.checkout_id, buyer)
    assert views.is_over(ground.unit(views.pay_page, attempt.checkout_id))


def test_each_party_sees_an_order_with_what_they_may_do(street: Street, ground: Ground) -> None:
    order = street.paid()
    view = ground.unit(views.order_for, buyer, order.number)
    assert view.acts == (OrderAct.CONFIRM, OrderAct.PROBLEM, OrderAct.CANCEL)
    assert (view.shop, view.receipt, view.refund, view.dispute, view.dispute_ends) == (
        "Mama Amina",
        f"R{order.attempt_id}",
        None,
        None,
        None,
    )
    assert ground.tokens.read(Purpose.TRACK, view.track_token) == order.id
    assert ground.tokens.read(Purpose.FOLLOW, view.follow_token) == order.id
    assert ground.unit(views.order_for, staff, order.number).acts == (
        OrderAct.ACCEPT,
        OrderAct.SHIP,
        OrderAct.DELIVERED,
        OrderAct.ENTER_CODE,
    )
    assert OrderAct.REFUND in ground.unit(views.order_for, manager, order.number).acts
    for actor in (stranger, other_owner):
        ground.refuses(NotFound, views.order_for, actor, order.number)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    view = ground.unit(views.order_by_id, order.id, Party.BUYER)
    assert view.dispute is not None
    assert (view.acts, view.dispute.reason) == ((OrderAct.WITHDRAW,), Reason.BROKEN)


def test_a_refunded_order_shows_its_refund_and_not_the_surplus(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, money=Money(250_100, "KES")))
    order = street.order_of(attempt)
    assert ground.unit(views.order_for, buyer, order.number).refund is None
    ground.unit(cancel_order, buyer, order.number)
    refund = ground.unit(views.order_for, buyer, order.number).refund
    assert refund is not None and refund.money == PRICE


def test_the_file_of_digital_goods_is_named(street: Street, ground: Ground) -> None:
    link = street.digital_link()
    assert ground.unit(views.order_for, buyer, street.paid(link).number).digital_file == link.digital_file


def test_a_person_meets_an_order_as_a_member_first_and_as_its_buyer_then(street: Street, ground: Ground) -> None:
    order, own = street.paid(), street.paid(buyer_id=STAFF)
    assert ground.unit(views.party_in_order, OWNER, order.number, "web") == Actor(Party.OWNER, "web", OWNER, SHOP)
    assert ground.unit(views.party_in_order, STAFF, own.number, "web").party is Party.STAFF
    assert ground.unit(views.party_in_order, BUYER, order.number, "web") == Actor(Party.BUYER, "web", BUYER)
    ground.refuses(NotFound, views.party_in_order, OTHER_OWNER, order.number, "web")
    ground.refuses(NotFound, views.party_in_order, OWNER, "00000000", "web")


def test_the_most_pressing_work_comes_first(street: Street, ground: Ground) -> None:
    delivered, shipped, paid, disputed = street.delivered(), street.shipped(), street.paid(), street.paid()
    done = street.delivered()
    ground.unit(confirm_delivery, buyer, done.number)
    ground.unit(open_dispute, buyer, disputed.number, Reason.BROKEN, "")
    assert [order.id for order in ground.unit(views.work_list, staff)] == [disputed.id, paid.id, shipped.id, delivered.id]
    assert len(ground.unit(views.work_list, staff, 2)) == 2
    assert ground.unit(views.work_list, other_owner) == []
    ground.refuses(NotFound, views.work_list, buyer)
    ground.refuses(NotFound, views.work_list, replace(staff, organization_id=None))
    assert [order.id for order in ground.unit(views.purchases, BUYER)] == [done.id, disputed.id, paid.id, shipped.id, delivered.id]
    assert ground.unit(views.purchases, OTHER_OWNER) == []
    waiting = ground.unit(views.waiting_for, BUYER, SHOP)
    assert (waiting.to_ship, waiting.disputes, waiting.to_confirm) == (1, 1, 2)
    assert ground.unit(views.waiting_for, OTHER_OWNER, None) == views.Waiting(0, 0, 0)


def test_links_are_listed_with_their_figures_and_found_by_words(street: Street, ground: Ground) -> None:
    first, second = street.link(name="Red sneakers"), street.link(name="Blue boots")
    street.paid(first)
    rows = ground.unit(views.my_links, manager)
    assert [(row.link.id, row.figures.checkouts, row.figures.paid, row.figures.revenue_minor) for row in rows] == [
        (second.id, 0, 0, 0),
        (first.id, 1, 1, 250_000),
    ]
    assert [row.link.id for row in ground.unit(views.my_links, owner, second.id, 10)] == [first.id]
    assert [link.id for link in ground.unit(views.search_links, staff, "SNEAK")] == [first.id]
    assert ground.unit(views.search_links, other_owner, "sneak") == []
    for actor in (staff, buyer):
        ground.refuses(NotFound, views.my_links, actor)
    ground.refuses(NotFound, views.search_links, buyer, "sneak")


def test_a_wallet_shows_what_may_be_spent_and_what_waits(street: Street, ground: Ground) -> None:
    empty = ground.unit(views.wallet_view, other_owner)
    assert (empty.shop.id, empty.available, empty.held, empty.history) == (OTHER_SHOP, {"KES": 0}, {}, [])
    street.paid()
    done = street.delivered()
    ground.unit(confirm_delivery, buyer, done.number)
    view = ground.unit(views.wallet_view, manager)
    assert (view.available, view.held) == ({"KES": 243_750}, {"KES": 250_000})
    assert [(row["kind"], row["amount_minor"]) for row in view.history] == [("release", -243_750)]
    for actor in (staff, buyer):
        ground.refuses(NotFound, views.wallet_view, actor)


@pytest.mark.parametrize("days,ends", [(0, 7), (3, 10)])
def test_the_end_of_the_dispute_window_is_shown(street: Street, ground: Ground, days: int, ends: int) -> None:
    start = ground.clock.at
    order = street.paid()
    ground.unit(ship_order, staff, order.number)
    street.later(days * DAY)
    ground.unit(mark_delivered, staff, order.number)
    assert ground.unit(views.order_for, buyer, order.number).dispute_ends == start + ends * DAY
    assert street.order(order.id).state is OrderState.DELIVERED
