"""Stripe's integers and ours: exact both ways for every currency, and refused where it is not certain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import BadInput, CannotPay
from domain.money import EXPONENTS, Money
from domain.payment import Method, Outcome, Reply, check_payable
from gateways.http import Http
from gateways.payments.stripe import LIVE, Stripe
from gateways.payments.stripe_codes import WORDS
from gateways.payments.stripe_units import MOST, UNVERIFIED, Units
from tests.gateways.provider import HandClock, Provider
from tests.gateways.stripe_ground import KEYS, stripe_ask

TOLD = Units({"UGX": 2})


@given(st.sampled_from(sorted(EXPONENTS)), st.integers(1, 999_999))
def test_every_amount_comes_back_as_it_went(currency: str, amount: int) -> None:
    """C8."""
    money = Money(amount * TOLD.steps.get(currency, 1), currency)
    told = TOLD.into(money)
    assert 0 < told <= MOST
    assert TOLD.back(told, currency.lower()) == money
    assert TOLD.back(-told, currency) == -money


@pytest.mark.parametrize(
    ("money", "told"),
    [
        (Money(250_00, "KES"), 25000),
        (Money(5120, "KWD"), 5120),
        (Money(7000, "RWF"), 7000),
        (Money(5, "UGX"), 500),
        (Money(99_999_999, "USD"), 99_999_999),
    ],
)
def test_exact_figures(money: Money, told: int) -> None:
    assert TOLD.into(money) == told


@pytest.mark.parametrize(
    ("money", "words"),
    [
        (Money(5124, "KWD"), "amount_refused"),
        (Money(0, "KES"), "amount_refused"),
        (Money(-100, "KES"), "amount_refused"),
        (Money(100_000_000, "KES"), "amount_refused"),
        (Money(1_000_000, "UGX"), "amount_refused"),
    ],
)
def test_what_cannot_be_told(money: Money, words: str) -> None:
    """C8."""
    with pytest.raises(BadInput) as raised:
        TOLD.into(money)
    assert raised.value.reason == words and words in WORDS


def test_a_part_of_what_cannot_be_divided_is_no_money() -> None:
    assert (TOLD.back(501, "ugx"), TOLD.back(500, "ugx")) == (None, Money(5, "UGX"))


def test_shillings_of_uganda_are_refused_until_it_is_told_how_they_are_counted() -> None:
    """Never guessed: a hundredfold mistake would be the price."""
    assert {"UGX", "ISK"} == UNVERIFIED
    assert Units().currencies == frozenset(EXPONENTS) - {"UGX"}
    with pytest.raises(BadInput):
        Units().into(Money(5000, "UGX"))
    assert Units().back(5000, "ugx") is None
    assert Units({"UGX": 0}).into(Money(5000, "UGX")) == 5000
    wrong: list[dict[str, int]] = [{"KES": 2}, {"UGX": 1}, {"ISK": 2}]
    for told in wrong:
        with pytest.raises(ValueError, match="decimals"):
            Units(told)


async def test_what_stripe_can_do_is_asked_before_anything_is_sent(provider: Provider, http: Http, clock: HandClock) -> None:
    gateway = Stripe(http, provider.url, clock)
    assert gateway.ability.methods == {Method.VISA, Method.MASTERCARD, Method.APPLE_PAY, Method.GOOGLE_PAY}
    check_payable(gateway.ability, Method.APPLE_PAY, Money(2500_00, "KES"))
    for money, reason in (
        (Money(5000, "UGX"), "currency"),
        (Money(5124, "BHD"), "cents"),
        (Money(29, "GBP"), "too_small"),
        (Money(100_000_000, "KES"), "too_large"),
    ):
        with pytest.raises(CannotPay) as raised:
            check_payable(gateway.ability, Method.VISA, money)
        assert raised.value.facts["reason"] == reason
    for asked, words in (
        (stripe_ask(5000, "UGX"), "currency_refused"),
        (stripe_ask(0), "amount_refused"),
        (stripe_ask(credentials={}), "configuration"),
        (stripe_ask(credentials={**KEYS, "secret_key": "pk_test_0000"}), "configuration"),
        (stripe_ask(credentials={**KEYS, "secret_key": "sk_test_00\n00"}), "configuration"),
        (stripe_ask(method=Method.MPESA), "configuration"),
        (stripe_ask(back_url=""), "address_refused"),
        (stripe_ask(back_url="javascript:alert(1)"), "address_refused"),
    ):
        assert await gateway.start(asked) == Reply(Outcome.DECLINED, result=words)
    assert provider.heard == []
    assert Stripe(http, LIVE, clock, {"UGX": 2}).ability.currencies == frozenset(EXPONENTS)
