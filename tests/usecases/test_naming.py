"""Which order is meant by its last digits, which ones a delivery code can complete, and who may enter one."""

from __future__ import annotations

import pytest

from domain.errors import LimitReached, NotFound
from domain.ids import PersonId
from domain.life import OrderState
from domain.order import MOST_CODE_TRIES, Order
from domain.rights import Party
from tests.factories import BUYER, OTHER_OWNER, OTHER_PHONE, OWNER, STAFF, Street, buyer, staff, stranger
from tests.fakes import Ground
from usecases.naming import named_orders, orders_to_confirm
from usecases.orders import Confirmed, confirm_by_code, confirm_by_own_code, confirm_delivery


def named(street: Street, who: PersonId, digits: str, *, sold: bool = True, bought: bool = True) -> list[str]:
    found: list[Order] = street.do(named_orders, who, digits, sold=sold, bought=bought)
    return [order.number for order in found]


def renumbered(ground: Ground, order: Order, number: str) -> str:
    ground.connection.execute("UPDATE orders SET number = ? WHERE id = ?", (number, order.id))
    return number


@pytest.mark.parametrize("digits", ["4821", "94821", "17394821"])
@pytest.mark.parametrize("who", [OWNER, STAFF, BUYER])
def test_an_order_is_found_by_its_last_digits_on_either_side(street: Street, ground: Ground, who: PersonId, digits: str) -> None:
    number = renumbered(ground, street.paid(), "17394821")
    assert named(street, who, digits) == [number]
    assert named(street, who, "4822") == named(street, who, "00000000") == []


def test_only_on_the_side_that_was_asked_for(street: Street, ground: Ground) -> None:
    number = renumbered(ground, street.paid(), "17394821")
    assert named(street, OWNER, "4821", sold=False) == named(street, BUYER, "4821", bought=False) == []
    assert named(street, OWNER, "4821", bought=False) == named(street, BUYER, number, sold=False) == [number]


def test_a_strangers_order_is_nobodys(street: Street, ground: Ground) -> None:
    number = renumbered(ground, street.paid(), "17394821")
    assert named(street, OTHER_OWNER, "4821") == named(street, OTHER_OWNER, number) == []


def test_two_that_end_the_same_are_both_meant_unless_one_is_over(street: Street, ground: Ground) -> None:
    first, second = street.paid(), street.paid()
    numbers = {renumbered(ground, first, "11114821"), renumbered(ground, second, "22224821")}
    assert set(named(street, BUYER, "4821")) == numbers
    street.do(confirm_delivery, buyer, "22224821")
    assert named(street, BUYER, "4821") == named(street, OWNER, "4821") == ["11114821"]
    assert named(street, BUYER, "22224821") == ["22224821"], "its whole number always means it"


def test_what_waits_for_a_code_on_each_side(street: Street) -> None:
    """O4: an ended order, a digital one and one whose tries are used up wait for none."""
    order, over = street.shipped(), street.paid()
    street.do(confirm_delivery, buyer, over.number)
    street.paid(street.digital_link(), proved=False)
    waiting = {who: street.do(orders_to_confirm, who) for who in (OWNER, STAFF, BUYER, OTHER_OWNER)}
    assert {who: [(one.number, party) for one, party in found] for who, found in waiting.items()} == {
        OWNER: [(order.number, Party.OWNER)], STAFF: [(order.number, Party.STAFF)], BUYER: [(order.number, Party.BUYER)], OTHER_OWNER: [],
    }  # fmt: skip
    for _ in range(MOST_CODE_TRIES):
        street.do(confirm_by_code, staff, order.number, "999999")
    assert street.do(orders_to_confirm, OWNER) == []


def test_the_buyer_may_enter_the_code_too(street: Street) -> None:
    """O3, T15: where a number alone proves nothing."""
    order = street.shipped()
    assert street.do(confirm_by_own_code, buyer, order.number, "999999") is Confirmed.WRONG
    assert street.order(order.id).code_tries == 1
    assert street.do(confirm_by_own_code, buyer, order.number, order.delivery_code) is Confirmed.RELEASED
    assert street.order(order.id).state is OrderState.COMPLETED


def test_the_tries_of_both_sides_are_counted_together(street: Street) -> None:
    """T18."""
    order = street.shipped()
    for n in range(MOST_CODE_TRIES):
        street.do((confirm_by_own_code, confirm_by_code)[n % 2], (buyer, staff)[n % 2], order.number, "999999")
    with pytest.raises(LimitReached):
        street.do(confirm_by_own_code, buyer, order.number, order.delivery_code)


def test_a_stranger_cannot_try(street: Street) -> None:
    order = street.shipped(phone=OTHER_PHONE)
    with pytest.raises(NotFound):
        street.do(confirm_by_own_code, stranger, order.number, order.delivery_code)
