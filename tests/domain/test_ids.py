"""Codes that are read over the phone, and how they are read back."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ids import (
    ALPHABET,
    checkout_number,
    code_from,
    delivery_code,
    dial_link,
    link_code,
    link_dial,
    order_number,
    read_digits,
    read_link_code,
    read_link_dial,
)


def test_the_alphabet_has_no_signs_that_look_alike() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 31
    assert not set("01OIL") & set(ALPHABET)


@pytest.mark.parametrize(
    "number,length,code",
    [(0, 5, "22222"), (1, 5, "22223"), (30, 5, "2222Z"), (31, 5, "22232"), (31**5 - 1, 5, "ZZZZZ"), (31**5, 5, "22222"), (7, 0, "")],
)
def test_a_number_is_spelled_in_the_alphabet(number: int, length: int, code: str) -> None:
    assert code_from(number, length) == code


@pytest.mark.parametrize("number", [0, 1, 12345, 31**5 - 1, 31**8, 2**64 - 1])
def test_every_number_makes_a_code_of_its_form(number: int) -> None:
    assert re.fullmatch(f"PL-[{ALPHABET}]{{5}}", link_code(number))
    assert re.fullmatch(f"TEMP-[{ALPHABET}]{{8}}", checkout_number(number))
    assert re.fullmatch("[1-9][0-9]{7}", order_number(number))
    assert re.fullmatch("[0-9]{6}", delivery_code(number))


def test_numbers_use_all_the_room_there_is() -> None:
    assert (order_number(0), order_number(89_999_999), order_number(90_000_000)) == ("10000000", "99999999", "10000000")
    assert (delivery_code(0), delivery_code(7), delivery_code(999_999), delivery_code(1_000_000)) == (
        "000000",
        "000007",
        "999999",
        "000000",
    )
    assert len({link_code(number) for number in range(2000)}) == 2000


@pytest.mark.parametrize(
    "typed", ["PL-7K2QD", "pl-7k2qd", "PL 7K2QD", "pl7k2qd", "7K2QD", " 7k2 qd ", "PL–7K2QD", "#PL-7K2QD.", "P.L.7.K.2.Q.D"]
)
def test_a_link_code_is_read_however_it_was_typed(typed: str) -> None:
    assert read_link_code(typed) == "PL-7K2QD"


def test_every_code_that_is_made_is_read_back() -> None:
    assert all(read_link_code(link_code(number)) == link_code(number) for number in range(0, 31**5, 99_991))


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "PL-",
        "PL-7K2Q",
        "PL-7K2QDD",
        "PL-7K2Q0",
        "PL-7K2QO",
        "PL-7K2Q1",
        "PL-7K2QI",
        "PL-7K2QL",
        "XX-7K2QD",
        "PL-٧K2QD",
        "PL-7K2QÄ",
        "TEMP-7K2QD4W8",
    ],
)
def test_what_is_no_link_code_is_not_guessed_at(typed: str) -> None:
    assert read_link_code(typed) is None


@pytest.mark.parametrize("typed", ["042917", " 042 917 ", "04-29-17", "٠٤٢٩١٧", "۰۴۲۹۱۷", "０４２９１７", "04٢917"])
def test_a_delivery_code_is_read_in_any_script(typed: str) -> None:
    assert read_digits(typed, 6) == "042917"


@pytest.mark.parametrize(
    "typed", ["", "04291", "0429177", "04291a", "04291²", "04291½", "-", "0 4 2 9 1", "042.917", "042_917", "042917\x00"]
)
def test_what_is_not_exactly_the_digits_is_no_code(typed: str) -> None:
    assert read_digits(typed, 6) is None


@given(st.integers(0, 31**5 - 1))
def test_a_link_can_be_dialled_and_is_found_again(number: int) -> None:
    code = link_code(number)
    dialled = link_dial(code)
    assert dialled.isdigit() and len(dialled) <= 8
    assert read_link_dial(dialled) == code


@pytest.mark.parametrize("dialled", ["", "28629151", "999999999", "1234567890", "12a", "٣", "-1"])
def test_what_no_link_has_is_no_link(dialled: str) -> None:
    assert read_link_dial(dialled) is None


def test_a_dialled_link_stands_behind_the_service_code() -> None:
    assert dial_link("*384*77#", "PL-22222") == "*384*77*0#"
    assert dial_link("*384*77#", "PL-22223") == "*384*77*1#"
