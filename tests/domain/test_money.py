"""Money: whole minor units, one currency at a time, parts that add up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from domain.errors import BadInput
from domain.money import EXPONENTS, MOST_MINOR, Money, fee_of, from_major, names_currency, payable, split


def kes(minor: int) -> Money:
    return Money(minor, "KES")


def test_money_adds_subtracts_turns_and_multiplies() -> None:
    assert kes(150000) + kes(1) == kes(150001)
    assert kes(150000) - kes(150001) == kes(-1)
    assert -kes(5) == kes(-5)
    assert kes(250000).times(3) == kes(750000)
    assert kes(250000).times(0) == kes(0)


@pytest.mark.parametrize("other", [Money(100, "UGX"), Money(150000, "USD")])
def test_two_currencies_never_meet(other: Money) -> None:
    meetings: list[Callable[[], object]] = [
        lambda: kes(1) + other,
        lambda: kes(1) - other,
        lambda: kes(1) < other,
        lambda: kes(1) >= other,
        lambda: max(kes(1), other),
    ]
    for meet in meetings:
        with pytest.raises(BadInput) as refused:
            meet()
        assert refused.value.reason == "other_currency"
    assert kes(100) != Money(100, "UGX")


def test_amounts_of_one_currency_have_an_order() -> None:
    assert kes(1) < kes(2) <= kes(2) > kes(-3)
    assert sorted([kes(3), kes(-1), kes(2)]) == [kes(-1), kes(2), kes(3)]


@pytest.mark.parametrize("amount", [1.0, "1", None, True, float("nan"), float("inf")])
def test_money_is_made_of_whole_numbers_only(amount: Any) -> None:
    with pytest.raises(TypeError):
        Money(amount, "KES")


@pytest.mark.parametrize("currency", ["", "kes", "KSH", "BTC", "KES ", "XXX"])
def test_a_currency_that_we_do_not_take_is_refused(currency: str) -> None:
    makers: list[Callable[[], Money]] = [lambda: Money(1, currency), lambda: from_major("1", currency)]
    for make in makers:
        with pytest.raises(BadInput) as refused:
            make()
        assert refused.value.facts == {"field": "currency", "reason": "unknown_currency", "currency": currency}


def test_the_decimals_are_those_of_the_standard() -> None:
    two = {"KES", "TZS", "ETB", "NGN", "ZAR", "SAR", "AED", "QAR", "EGP", "USD", "EUR", "GBP"}
    three = {"KWD", "BHD", "OMR", "JOD"}
    assert {**dict.fromkeys(two, 2), **dict.fromkeys(three, 3), "UGX": 0, "RWF": 0} == EXPONENTS


@pytest.mark.parametrize(
    "money,major,whole",
    [
        (Money(250000, "KES"), "2500.00", 2500),
        (Money(250050, "KES"), "2500.50", None),
        (Money(5, "KES"), "0.05", None),
        (Money(0, "KES"), "0.00", 0),
        (Money(-5, "KES"), "-0.05", None),
        (Money(-250000, "KES"), "-2500.00", -2500),
        (Money(2500, "UGX"), "2500", 2500),
        (Money(-7, "UGX"), "-7", -7),
        (Money(1500, "KWD"), "1.500", None),
        (Money(2000, "KWD"), "2.000", 2),
        (Money(7, "KWD"), "0.007", None),
    ],
)
def test_a_machine_reads_the_plain_decimal_and_mpesa_whole_shillings(money: Money, major: str, whole: int | None) -> None:
    assert money.major == major
    assert money.is_whole is (whole is not None)
    if whole is not None:
        assert money.whole_units == whole
    else:
        with pytest.raises(BadInput) as refused:
            _ = money.whole_units
        assert refused.value.reason == "cents"


@pytest.mark.parametrize("minor,reason", [(0, "not_positive"), (-1, "not_positive"), (MOST_MINOR + 1, "too_large"), (10**30, "too_large")])
def test_what_may_not_be_asked_of_anybody_is_refused(minor: int, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        payable(kes(minor))
    assert refused.value.reason == reason


@pytest.mark.parametrize("minor", [1, 10**12])
def test_from_one_unit_to_a_million_million_may_be_paid(minor: int) -> None:
    assert payable(kes(minor)) == kes(minor)


@pytest.mark.parametrize(
    "text,currency,minor",
    [
        ("250", "KES", 25000),
        ("250.0", "KES", 25000),
        ("250.00", "KES", 25000),
        ("250.000000", "KES", 25000),
        ("0.01", "KES", 1),
        ("0", "KES", 0),
        ("00250.5", "KES", 25050),
        ("9999999999999", "KES", 999999999999900),
        ("1500", "UGX", 1500),
        ("1500.00", "UGX", 1500),
        ("1.5", "KWD", 1500),
        ("1.005", "KWD", 1005),
    ],
)
def test_a_provider_s_decimal_is_read_exactly(text: str, currency: str, minor: int) -> None:
    assert from_major(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    "text",
    ["", ".", ".5", "5.", "-1", "+1", "1e3", "1E999", "NaN", "Infinity", "1,500", "1 500", " 1", "1 ", "١٥٠٠", "1.5.0", "0x10", "1_000", "²",
     "12345678901234", "9" * 400, "1.", "1.-5", "1.e5", "1\x00", "null", "1.٥"],
)  # fmt: skip
def test_a_provider_s_garbage_is_not_a_number(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        from_major(text, "KES")
    assert refused.value.facts == {"field": "amount", "reason": "not_a_number"}


@pytest.mark.parametrize("text,currency,limit", [("1.005", "KES", 2), ("0.001", "KES", 2), ("1.5", "UGX", 0), ("1.0005", "KWD", 3)])
def test_a_provider_s_fraction_of_a_unit_is_never_rounded_away(text: str, currency: str, limit: int) -> None:
    with pytest.raises(BadInput) as refused:
        from_major(text, currency)
    assert refused.value.facts == {"field": "amount", "reason": "too_precise", "limit": limit}


@pytest.mark.parametrize(
    "minor,bps,fee",
    [(250000, 250, 6250), (1, 250, 0), (39, 250, 0), (40, 250, 1), (79, 250, 1), (100, 0, 0), (100, 10_000, 100), (10**12, 1, 10**8)],
)
def test_a_fee_is_rounded_down_for_the_seller(minor: int, bps: int, fee: int) -> None:
    assert fee_of(kes(minor), bps) == kes(fee)


@pytest.mark.parametrize(
    "total,weights,parts",
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (200, [1, 1, 1], [67, 67, 66]),
        (10, [1, 2, 3], [2, 3, 5]),
        (1, [1, 1], [1, 0]),
        (7, [0, 1, 0], [0, 7, 0]),
        (5, [9, 1], [5, 0]),
        (0, [1, 2], [0, 0]),
        (-10, [1, 2], [-3, -7]),
        (10**12, [1, 10**6], [999999, 999999000001]),
    ],
)
def test_the_largest_remainder_gets_the_odd_unit_and_the_first_of_equals(total: int, weights: list[int], parts: list[int]) -> None:
    assert split(kes(total), weights) == [kes(part) for part in parts]


@pytest.mark.parametrize("weights", [[], [0], [0, 0], [1, -1], [2, -1], [-1]])
def test_a_split_needs_weights(weights: list[int]) -> None:
    with pytest.raises(BadInput) as refused:
        split(kes(100), weights)
    assert refused.value.facts == {"field": "weights", "reason": "not_positive"}


@pytest.mark.parametrize(
    "word,names", [("KSh", True), ("ksh.", True), ("$", True), ("UGX", True), ("bob", True), ("ريال", True), ("Dress", False), ("", False)]
)
def test_the_names_of_currencies_are_known(word: str, names: bool) -> None:
    assert names_currency(word) is names
