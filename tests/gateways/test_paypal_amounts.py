"""PayPal's amounts: exact both ways, in its own decimals, and nothing that it would refuse."""

from __future__ import annotations

from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import EXPONENTS, Money
from domain.payment import Unreadable
from gateways.payments.paypal_codes import DECIMALS, MOST_MINOR, payable_currencies, read_amount, written
from town.paypal import money as town_money

OURS: Final = sorted(payable_currencies())


@given(st.sampled_from(OURS), st.integers(1, MOST_MINOR))
def test_there_and_back_is_the_same_money(currency: str, minor: int) -> None:
    """C8: no exponent slips, and the town reads the same number."""
    amount = written(Money(minor, currency))
    assert amount is not None and read_amount(amount) == Money(minor, currency)
    assert town_money.read(amount, "/") == (minor, currency) and town_money.shown(minor, currency) == amount


@given(st.sampled_from(("JPY", "HUF", "TWD")), st.integers(1, MOST_MINOR // 100))
def test_currencies_without_decimals(currency: str, whole: int) -> None:
    """C8: forint and Taiwan dollars have cents by ISO and none at PayPal; yen have none at all."""
    with pytest.MonkeyPatch.context() as patch:
        exponent = 0 if currency == "JPY" else 2
        patch.setitem(EXPONENTS, currency, exponent)
        money = Money(whole * 10**exponent, currency)
        assert written(money) == {"currency_code": currency, "value": str(whole)}
        assert read_amount(written(money)) == money
        if exponent:
            assert written(Money(money.amount_minor + 1, currency)) is None


@pytest.mark.parametrize("currency", sorted(set(EXPONENTS) - set(DECIMALS)))
def test_what_paypal_does_not_take(currency: str) -> None:
    """C9."""
    assert written(Money(100, currency)) is None and currency not in payable_currencies()


@pytest.mark.parametrize("minor", [0, -1, MOST_MINOR + 1])
def test_nothing_less_and_too_much(minor: int) -> None:
    """C8."""
    assert written(Money(minor, "USD")) is None


@pytest.mark.parametrize(
    "amount",
    [
        None, "20.00", 20, [], {}, {"value": "20.00"}, {"currency_code": "USD"}, {"currency_code": "usd", "value": "20.00"},
        {"currency_code": 5, "value": "20.00"}, *({"currency_code": "USD", "value": value} for value in
        (20, 20.0, None, "", ".", "-20.00", "+20", "1,000.00", "1e3", "20.001", "NaN", "Infinity", "٢٠", " 20", "20.", "9" * 16, "20.00\n")),
    ],
)  # fmt: skip
def test_what_is_no_amount(amount: object) -> None:
    """C8, C17."""
    with pytest.raises(Unreadable):
        read_amount(amount)


def test_zeros_too_many_do_no_harm() -> None:
    assert read_amount({"currency_code": "USD", "value": "20.000"}) == Money(2000, "USD")
    assert read_amount({"currency_code": "USD", "value": "20"}) == Money(2000, "USD")
    assert read_amount({"currency_code": "USD", "value": "0.5"}) == Money(50, "USD")
