"""Back room: Stripe's integers and ours. For nearly all our currencies both are ISO 4217 minor units; where it is not certain we refuse.

Source: docs.stripe.com/currencies ("Zero-decimal", "Three-decimal", "Special cases").
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from domain.errors import BadInput
from domain.money import EXPONENTS, Money

MOST: Final = 99_999_999
"""Eight digits, in Stripe's unit, whatever the currency."""
LEAST: Final = 30
"""GBP 0.30, the lowest least amount of any of our currencies; what is too small for the others Stripe says itself."""
UNVERIFIED: Final = frozenset({"UGX", "ISK"})
"""Special cases: they have no decimals, and yet amounts with two are asked for in some places. Taken only when told which."""


@dataclass(frozen=True, slots=True)
class Units:
    """`told` says for an unverified currency with how many decimals this account sends it: {"UGX": 2} or {"UGX": 0}."""

    told: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for currency, decimals in self.told.items():
            if currency not in UNVERIFIED or currency not in EXPONENTS or decimals not in (0, 2):
                raise ValueError(f"{currency} with {decimals} decimals is nothing to be told")

    @property
    def currencies(self) -> frozenset[str]:
        return frozenset(EXPONENTS) - (UNVERIFIED - frozenset(self.told))

    @property
    def steps(self) -> dict[str, int]:
        """Three decimals, the last of which must be 0."""
        return {currency: 10 for currency, exponent in EXPONENTS.items() if exponent == 3}

    def into(self, money: Money) -> int:
        """What Stripe is told. Raises BadInput with the words as code: currency_refused, amount_refused."""
        if money.currency not in self.currencies:
            raise BadInput("currency", "currency_refused", currency=money.currency)
        if money.amount_minor <= 0 or money.amount_minor % self.steps.get(money.currency, 1):
            raise BadInput("amount", "amount_refused")
        amount = money.amount_minor * self._factor(money.currency)
        if amount > MOST:
            raise BadInput("amount", "amount_refused", limit=MOST)
        return amount

    def back(self, amount: int, currency: str) -> Money | None:
        """The money that Stripe tells of; None for a currency that is not ours, and for a part of what cannot be divided. May be negative."""
        code = currency.upper()
        if code not in self.currencies:
            return None
        minor, rest = divmod(amount, self._factor(code))
        return None if rest else Money(minor, code)

    def _factor(self, currency: str) -> int:
        return int(10 ** (self.told.get(currency, EXPONENTS[currency]) - EXPONENTS[currency]))
