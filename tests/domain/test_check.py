"""Check numbers as values: how they are made and read, and what an order's payment is called."""

from __future__ import annotations

from typing import Any

import pytest

from domain.check import Asked, Standing, check_number, fits, read_check, standing
from domain.codes import carry_code, read_carry_code
from domain.ids import OrderId
from domain.life import EscrowState, OrderState
from domain.tokens import Tokens
from tests.domain.samples import an_order

TOKENS = Tokens([b"k" * 16])


@pytest.mark.parametrize(
    "typed,asked",
    [
        ("48219377-50216", Asked(number="48219377", check_code="50216")),
        (" 4821 9377 50216 ", Asked(number="48219377", check_code="50216")),
        ("٤٨٢١٩٣٧٧-٥٠٢١٦", Asked(number="48219377", check_code="50216")),
        ("PL-7K2QD", Asked(link_code="PL-7K2QD")),
        ("pl 7k2qd", Asked(link_code="PL-7K2QD")),
        ("48219377", None),
        ("48219377-5021", None),
        ("48219377-502160", None),
        ("", None),
        ("paid 2500 to Amina", None),
        ("*", None),
        ("%", None),
        ("4" * 10_000, None),
    ],
)
def test_what_is_read_as_something_to_check(typed: str, asked: Asked | None) -> None:
    assert read_check(typed) == asked
    assert asked is None or read_check(asked.written) == asked


def test_a_check_number_is_of_one_order_and_one_key_and_older_keys_still_read_it() -> None:
    order = an_order(id=OrderId(77), number="48219377")
    asked = read_check(check_number(TOKENS, order))
    assert asked is not None and asked.number == order.number
    assert fits(TOKENS, order.id, asked.check_code)
    assert not fits(TOKENS, OrderId(78), asked.check_code)
    assert fits(Tokens([b"n" * 16, b"k" * 16]), order.id, asked.check_code)
    assert not fits(Tokens([b"n" * 16]), order.id, asked.check_code)


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"escrow": EscrowState.HELD}, Standing.HELD),
        ({"escrow": EscrowState.HELD, "proved": False}, Standing.CHECKING),
        ({"escrow": EscrowState.DISPUTED, "state": OrderState.DISPUTED}, Standing.DISPUTED),
        ({"escrow": EscrowState.DISPUTED, "state": OrderState.DISPUTED, "proved": False}, Standing.CHECKING),
        ({"escrow": EscrowState.RELEASED, "state": OrderState.COMPLETED}, Standing.RELEASED),
        ({"escrow": EscrowState.SPLIT, "state": OrderState.COMPLETED}, Standing.SPLIT),
        ({"escrow": EscrowState.REFUNDED, "state": OrderState.REFUNDED, "proved": False}, Standing.REFUNDED),
        ({"escrow": None, "state": OrderState.REFUNDED}, Standing.REFUNDED),
        ({"escrow": None}, Standing.DIRECT),
        ({"escrow": None, "proved": False}, Standing.CHECKING),
        ({"escrow": EscrowState.VOID, "state": OrderState.VOID}, Standing.NOT_PAID),
        ({"escrow": None, "state": OrderState.VOID}, Standing.NOT_PAID),
        ({"escrow": EscrowState.PENDING}, Standing.NOT_PAID),
    ],
)
def test_money_that_rests_on_a_hint_is_never_called_paid(changes: dict[str, Any], said: Standing) -> None:
    assert standing(an_order(**{"proved": True, **changes})) is said


@pytest.mark.parametrize("number", [0, 1, 31**6, 2**64 - 1, 12_345_678_901])
def test_a_code_to_carry_on_with_is_read_as_it_was_made(number: int) -> None:
    code = carry_code(number)
    assert read_carry_code(code) == read_carry_code(f" {code.lower()} ") == code


@pytest.mark.parametrize("code", [carry_code(number * 7_919 * 31**5) for number in range(500)])
def test_every_such_code_has_a_digit(code: str) -> None:
    assert any(char.isdigit() for char in code)


@pytest.mark.parametrize("typed", ["", "THANKS", "K7Q2M", "K7Q2M99", "K7Q2MO", "K7 Q2M9", "PL-7K2QD", "Bag 222"])
def test_what_is_no_such_code(typed: str) -> None:
    assert read_carry_code(typed) is None
