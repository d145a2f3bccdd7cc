"""Checkouts: begun once for a key, goods reserved for a while, freed when it ends, never ended under a ringing phone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, IllegalTransition, NotForSale, NotFound
from domain.life import CheckoutState, LinkState
from domain.money import Money
from domain.rights import Actor, Party
from tests.factories import BUYER, DAY, OTHER_PHONE, PHONE, PRICE, SECOND, SHOP, Street, admin, buyer, owner
from tests.fakes import Ground
from usecases.checkouts import cancel_checkout, change_phone, expire_checkout, start_checkout
from usecases.links import set_link_state
from usecases.sweeps import due_checkouts

MINUTE = timedelta(minutes=1)
MOMENT = timedelta(microseconds=1)


def test_a_checkout_reserves_the_goods_for_half_an_hour(street: Street, ground: Ground) -> None:
    link = street.link(stock=5)
    checkout = street.checkout(link, quantity=2, name=" Amina  W ", note="ring\nthe bell")
    assert (checkout.total, checkout.quantity, checkout.reserved, checkout.state) == (Money(500_000, "KES"), 2, 2, CheckoutState.OPEN)
    assert (checkout.name, checkout.note, checkout.phone, checkout.buyer_id) == ("Amina W", "ring\nthe bell", PHONE, BUYER)
    assert (checkout.organization_id, checkout.expires_at, checkout.number[:5]) == (SHOP, ground.clock.at + 30 * MINUTE, "TEMP-")
    assert street.link_now(link).stock == 3
    assert ground.trail(f"sale:{checkout.id}") == [f"checkout_opened by buyer:{BUYER}@web"]


def test_a_form_sent_twice_begins_one_checkout(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    first = street.checkout(link, key="form")
    with ground.unchanged():
        assert street.checkout(link, key="form") == first


def test_goods_without_a_limit_are_not_reserved(street: Street) -> None:
    link = street.link()
    assert (street.checkout(link, quantity=1000).reserved, street.link_now(link).stock) == (0, None)


@pytest.mark.parametrize(
    "changes,error,facts",
    [
        ({"link_code": "PL-22222"}, NotFound, {"what": "link"}),
        ({"quantity": 0}, BadInput, {"field": "quantity", "reason": "out_of_range", "limit": 1000}),
        ({"quantity": 1001}, BadInput, {"field": "quantity", "reason": "out_of_range", "limit": 1000}),
        ({"quantity": 4}, NotForSale, {"reason": "few_left", "left": 3}),
        ({"name": "  "}, BadInput, {"field": "name", "reason": "empty"}),
        ({"address": "x" * 301}, BadInput, {"field": "address", "reason": "too_long", "limit": 300}),
        ({"note": "x" * 501}, BadInput, {"field": "note", "reason": "too_long", "limit": 500}),
    ],
)
def test_what_cannot_be_bought_reserves_nothing(
    street: Street, ground: Ground, changes: dict[str, Any], error: type[Exception], facts: dict[str, Any]
) -> None:
    new = street.new_checkout(street.link(stock=3), **changes)
    assert ground.refuses(error, start_checkout, new).facts == facts


def test_what_would_cost_too_much_reserves_nothing(street: Street, ground: Ground) -> None:
    link = street.link(price=Money(10**12, "KES"), stock=5)
    assert ground.refuses(BadInput, start_checkout, street.new_checkout(link, quantity=2)).reason == "too_large"


def test_sold_out_off_and_over_are_not_for_sale(street: Street, ground: Ground) -> None:
    sold, off, over = street.link(stock=1), street.link(), street.link(expires_at=ground.clock.at + DAY)
    street.checkout(sold)
    ground.unit(set_link_state, owner, off.code, LinkState.INACTIVE)
    street.later(DAY)
    for link, reason in ((sold, "sold_out"), (off, "inactive"), (over, "expired")):
        assert ground.refuses(NotForSale, start_checkout, street.new_checkout(link)).facts["reason"] == reason


def test_of_two_who_want_the_last_one_the_slower_reserves_nothing(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    new = street.new_checkout(link)

    class Slow:
        """The link as it was read before the other one took it."""

        def __init__(self, unit: Any) -> None:
            self.unit = unit
            self.links = self

        def __getattr__(self, name: str) -> Any:
            return getattr(self.unit, name)

        def by_code(self, code: str) -> Any:
            assert code == link.code
            return link

        def take_stock(self, link_id: Any, quantity: int) -> bool:
            return bool(self.unit.links.take_stock(link_id, quantity))

    street.checkout(link)
    assert ground.refuses(NotForSale, lambda unit: start_checkout(Slow(unit), new)).facts == {"reason": "sold_out"}


def test_a_link_for_one_customer_is_for_their_number(street: Street, ground: Ground) -> None:
    link = street.link(customer_phone=OTHER_PHONE)
    assert ground.refuses(BadInput, start_checkout, street.new_checkout(link)).reason == "not_the_customer"
    assert street.checkout(link, phone=OTHER_PHONE).phone == OTHER_PHONE
    assert street.checkout(link, phone=None).phone is None


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_checkout_expires_at_its_instant_and_frees_the_goods_once(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    checkout = street.checkout(link)
    street.later(30 * MINUTE - MOMENT)
    assert ground.unit(due_checkouts, 10) == []
    with ground.unchanged():
        assert not ground.unit(expire_checkout, checkout.id)
    street.later(MOMENT)
    assert ground.unit(due_checkouts, 10) == [checkout.id]
    assert ground.unit(expire_checkout, checkout.id)
    now = ground.unit(lambda unit: unit.checkouts.get(checkout.id))
    assert (now.state, now.reserved, now.ended_at) == (CheckoutState.EXPIRED, 0, ground.clock.at)
    assert (street.link_now(link).stock, street.link_now(link).state) == (1, LinkState.ACTIVE)
    with ground.unchanged():
        assert not ground.unit(expire_checkout, checkout.id)


def test_a_checkout_does_not_end_under_a_ringing_phone(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    street.later(29 * MINUTE)
    attempt = street.ringing(checkout)
    street.later(MINUTE)
    assert not ground.unit(expire_checkout, checkout.id)
    assert street.checkout_now(attempt).expires_at == attempt.created_at + 3 * MINUTE
    street.later(2 * MINUTE - SECOND)
    with ground.unchanged():
        assert not ground.unit(expire_checkout, checkout.id)
    street.later(SECOND)
    assert ground.unit(expire_checkout, checkout.id)
    assert street.tell(street.success(attempt)) == "paid"


def test_a_paid_checkout_neither_expires_nor_is_cancelled(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.later(DAY)
    with ground.unchanged():
        assert not ground.unit(expire_checkout, order.checkout_id)
    ground.refuses(IllegalTransition, cancel_checkout, order.checkout_id, buyer)


def test_a_buyer_who_goes_away_frees_the_goods_once(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    checkout = street.checkout(link)
    assert ground.unit(cancel_checkout, checkout.id, buyer).state is CheckoutState.CANCELLED
    assert street.link_now(link).stock == 1
    with ground.unchanged():
        ground.unit(cancel_checkout, checkout.id, buyer)


def test_a_checkout_is_cancelled_by_its_buyer_or_an_admin(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    for actor in (owner, Actor(Party.CLOCK, "job"), Actor(Party.GATEWAY, "daraja")):
        ground.refuses(NotFound, cancel_checkout, checkout.id, actor)
    assert ground.unit(cancel_checkout, checkout.id, admin).state is CheckoutState.CANCELLED


def test_an_expired_checkout_is_not_cancelled(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    street.later(DAY)
    ground.unit(expire_checkout, checkout.id)
    ground.refuses(IllegalTransition, cancel_checkout, checkout.id, buyer)


def test_the_buyer_may_pay_with_another_phone(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    with ground.unchanged():
        assert ground.unit(change_phone, checkout.id, PHONE) == checkout
    assert ground.unit(change_phone, checkout.id, OTHER_PHONE).phone == OTHER_PHONE
    assert checkout.total == PRICE
