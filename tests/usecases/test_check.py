"""Anybody may ask whether a payment is real, and learns nothing without the right number (W1, W25)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.check import ASKER_WRONG, NUMBER_WRONG, LinkChecked, PaymentChecked, Standing, Unanswered, check_number
from domain.life import LinkState
from domain.order import Order
from domain.ports import Unit
from tests.factories import PRICE, Street, buyer, owner
from tests.fakes import Ground
from usecases.check import check_payment
from usecases.links import set_link_state
from usecases.orders import cancel_order, confirm_delivery
from usecases.views import order_by_id

ASKER = "sms:+254700000001"


def number_of(ground: Ground, order: Order) -> str:
    return ground.unit(lambda unit: check_number(unit.tokens, order))


def wrong(number: str) -> str:
    return f"{number[:-5]}{(int(number[-5:]) + 1) % 10**5:05}"


def test_the_number_on_the_order_says_what_became_of_the_money(ground: Ground, street: Street) -> None:
    order = street.paid(street.link(name="Red sneakers"))
    typed = number_of(ground, order)
    said = ground.unit(check_payment, typed, ASKER)
    assert isinstance(said, PaymentChecked)
    assert (said.standing, said.item, said.total, said.paid_at) == (Standing.HELD, "Red sneakers", PRICE, order.paid_at)
    assert ground.unit(order_by_id, order.id, buyer.party).check_number == typed
    street.do(confirm_delivery, buyer, order.number)
    said = ground.unit(check_payment, typed, ASKER)
    assert isinstance(said, PaymentChecked)
    assert (said.standing, said.ended_at) == (Standing.RELEASED, ground.clock.at)


def test_money_given_back_is_no_payment_any_more(ground: Ground, street: Street) -> None:
    order = street.paid()
    street.do(cancel_order, owner, order.number)
    said = ground.unit(check_payment, number_of(ground, order), ASKER)
    assert isinstance(said, PaymentChecked) and said.standing is Standing.REFUNDED


def test_what_only_a_callback_claims_is_not_called_paid(ground: Ground, street: Street) -> None:
    """C7: a forged message to us would otherwise become a proof."""
    said = ground.unit(check_payment, number_of(ground, street.paid(proved=False)), ASKER)
    assert isinstance(said, PaymentChecked) and said.standing is Standing.CHECKING


def test_no_name_no_phone_and_no_address_are_told(ground: Ground, street: Street) -> None:
    order = street.paid()
    said = str(ground.unit(check_payment, number_of(ground, order), ASKER))
    for secret in (order.buyer_name, str(order.phone), order.address, order.delivery_code, "Mama Amina"):
        assert not secret or secret not in said


def test_a_wrong_code_and_a_number_that_never_was_are_told_alike(ground: Ground, street: Street) -> None:
    order = street.paid()
    typed = number_of(ground, order)
    assert ground.unit(check_payment, wrong(typed), ASKER) is Unanswered.UNKNOWN
    assert ground.unit(check_payment, "10000001-50216", ASKER) is Unanswered.UNKNOWN
    assert ground.unit(check_payment, "PL-ZZZZZ", ASKER) is Unanswered.UNKNOWN
    counted = ground.rows("SELECT name, count FROM limits WHERE name LIKE 'check%' ORDER BY count, name, subject")
    assert counted == [("check_number", 1), ("check_number", 1), ("check_asker", 3)]


@pytest.mark.parametrize("typed", ["", "48219377", "hello", "x" * 5000])
def test_what_cannot_be_read_costs_nothing(ground: Ground, street: Street, typed: str) -> None:
    with ground.unchanged():
        assert ground.unit(check_payment, typed, ASKER) is Unanswered.UNREADABLE


def test_whoever_guesses_is_stopped_and_others_are_not(ground: Ground, street: Street) -> None:
    typed = number_of(ground, street.paid())
    _, window_s, most = ASKER_WRONG
    for n in range(most):
        assert ground.unit(check_payment, f"{10_000_000 + n}-50216", ASKER) is Unanswered.UNKNOWN
    with ground.unchanged():
        assert ground.unit(check_payment, typed, ASKER) is Unanswered.TOO_OFTEN
    assert isinstance(ground.unit(check_payment, typed, "ip:10.0.0.1"), PaymentChecked)
    ground.clock.move(timedelta(seconds=window_s))
    assert isinstance(ground.unit(check_payment, typed, ASKER), PaymentChecked)


@pytest.mark.parametrize("exists", [True, False])
def test_one_number_is_not_guessed_by_many(ground: Ground, street: Street, exists: bool) -> None:
    """The same for a number that never was: being slowed down tells nothing either."""
    typed = number_of(ground, street.paid()) if exists else "10000001-50216"
    for n in range(NUMBER_WRONG[2]):
        assert ground.unit(check_payment, wrong(typed), f"ip:10.0.0.{n}") is Unanswered.UNKNOWN
    assert ground.unit(check_payment, wrong(typed), "ip:10.0.1.1") is Unanswered.TOO_OFTEN


def test_a_link_tells_what_its_page_tells(ground: Ground, street: Street) -> None:
    link = street.link(name="Red sneakers")
    street.paid(link)
    assert ground.unit(check_payment, link.code, ASKER) == LinkChecked(link.code, "Red sneakers", PRICE, "Mama Amina", 0, None)
    street.do(set_link_state, owner, link.code, LinkState.INACTIVE)
    said = ground.unit(check_payment, link.code.lower(), ASKER)
    assert isinstance(said, LinkChecked) and said.why_not == "inactive"


def test_right_answers_are_not_counted(ground: Ground, street: Street) -> None:
    typed = number_of(ground, street.paid())

    def ask(unit: Unit) -> object:
        return check_payment(unit, typed, ASKER)

    with ground.unchanged():
        for _ in range(NUMBER_WRONG[2] + ASKER_WRONG[2] + 1):
            assert isinstance(ground.unit(ask), PaymentChecked)
