"""Money: an integer number of minor units with its ISO 4217 currency, and the one parser of typed amounts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from domain.errors import BadInput

EXPONENTS: Final[dict[str, int]] = {
    "KES": 2, "UGX": 0, "TZS": 2, "RWF": 0, "ETB": 2, "NGN": 2, "ZAR": 2, "SAR": 2, "AED": 2, "QAR": 2, "EGP": 2,
    "KWD": 3, "BHD": 3, "OMR": 3, "JOD": 3, "USD": 2, "EUR": 2, "GBP": 2,
}  # fmt: skip
"""Decimals of each currency we take (ISO 4217, minor unit column)."""

MOST_MINOR: Final = 10**12
"""Largest amount we write down, in minor units."""

BPS: Final = 10_000
"""Basis points in a whole."""


@dataclass(frozen=True, slots=True, order=True)
class Money:
    """A signed number of minor units. Amounts people type or pay are checked by `payable`, postings may be negative."""

    amount_minor: int
    currency: str

    def __post_init__(self) -> None:
        if type(self.amount_minor) is not int:
            raise TypeError("amount_minor is an int")
        if self.currency not in EXPONENTS:
            raise BadInput("currency", "unknown_currency", currency=self.currency)

    def __add__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount_minor + other.amount_minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        self._same(other)
        return Money(self.amount_minor - other.amount_minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount_minor, self.currency)

    def times(self, count: int) -> Money:
        return Money(self.amount_minor * count, self.currency)

    def _same(self, other: Money) -> None:
        if self.currency != other.currency:
            raise BadInput("currency", "other_currency", currency=other.currency, expected=self.currency)

    @property
    def exponent(self) -> int:
        return EXPONENTS[self.currency]

    @property
    def is_whole(self) -> bool:
        """True when there are no cents, as M-Pesa needs it."""
        return self.amount_minor % int(10**self.exponent) == 0

    @property
    def whole_units(self) -> int:
        """Major units of a whole amount: 2500 for Money(250000, "KES")."""
        if not self.is_whole:
            raise BadInput("amount", "cents")
        return self.amount_minor // int(10**self.exponent)

    @property
    def major(self) -> str:
        """The plain decimal number, such as `2500.00`: for machines; people read what templates write."""
        sign, digits = ("-" if self.amount_minor < 0 else ""), str(abs(self.amount_minor))
        if not self.exponent:
            return sign + digits
        digits = digits.zfill(self.exponent + 1)
        return f"{sign}{digits[: -self.exponent]}.{digits[-self.exponent :]}"


def payable(money: Money) -> Money:
    """The same money if it may be asked of somebody: between 1 and 10^12 minor units. Raises BadInput."""
    if money.amount_minor <= 0:
        raise BadInput("amount", "not_positive")
    if money.amount_minor > MOST_MINOR:
        raise BadInput("amount", "too_large", limit=MOST_MINOR)
    return money


def from_major(text: str, currency: str) -> Money:
    """Money from a provider's plain decimal such as `250.00` or `250`: exact, no grouping. Raises BadInput."""
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise BadInput("currency", "unknown_currency", currency=currency)
    whole, _, cents = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 13) or (cents and not (cents.isascii() and cents.isdigit())):
        raise BadInput("amount", "not_a_number")
    if len(cents) > exponent and cents[exponent:].strip("0"):
        raise BadInput("amount", "too_precise", limit=exponent)
    return Money(int(whole + cents[:exponent].ljust(exponent, "0")), currency)


def fee_of(money: Money, fee_bps: int) -> Money:
    """The platform's part of a positive amount, in basis points, rounded down in the seller's favour."""
    return Money(money.amount_minor * fee_bps // BPS, money.currency)


def split(total: Money, weights: Sequence[int]) -> list[Money]:
    """Parts in proportion to the weights that add up to the whole: largest remainder first, then first come first."""
    weight = sum(weights)
    if weight <= 0 or any(part < 0 for part in weights):
        raise BadInput("weights", "not_positive")
    shares = [divmod(total.amount_minor * part, weight) for part in weights]
    amounts = [share for share, _ in shares]
    left = total.amount_minor - sum(amounts)
    for index in sorted(range(len(shares)), key=lambda i: -shares[i][1])[:left]:
        amounts[index] += 1
    return [Money(amount, total.currency) for amount in amounts]


_SYMBOLS: Final = {
    "ksh": "KES", "kshs": "KES", "kes": "KES", "sh": "KES", "shs": "KES", "ush": "UGX", "ugx": "UGX", "tsh": "TZS", "tzs": "TZS", "sar": "SAR",
    "sr": "SAR", "ر.س": "SAR", "﷼": "SAR", "ريال": "SAR", "aed": "AED", "dh": "AED", "dhs": "AED", "درهم": "AED", "kwd": "KWD", "kd": "KWD",
    "usd": "USD", "$": "USD", "eur": "EUR", "€": "EUR", "gbp": "GBP", "£": "GBP", "شلن": "KES",
}  # fmt: skip
_MULTIPLES: Final = {"k": 3, "m": 6}


def parse_amount(text: str, currency: str) -> Money:
    """What a person typed as an amount, in `currency` unless they named another one we know.

    Reads `1500`, `1,500`, `1.500,50`, `KSh 1500/-`, `١٥٠٠` and `2.5k`. Raises BadInput: `unclear` with `options` (minor units) where two
    readings are fair (`1.500` in a currency with two decimals), else `not_a_number`, `too_precise`, `not_positive`, `too_large`.
    """
    if len(text) > 60:
        raise BadInput("amount", "not_a_number")
    body, named, power = _strip(text)
    currency = named or currency
    exponent = EXPONENTS.get(currency)
    if exponent is None:
        raise BadInput("currency", "unknown_currency", currency=currency)
    readings = {value for value in (_read(body, mark, exponent, power) for mark in ".,") if value is not None}
    if not readings:
        raise BadInput("amount", "too_precise" if _is_number(body) else "not_a_number", limit=exponent)
    if len(readings) > 1:
        raise BadInput("amount", "unclear", options=sorted(readings), currency=currency)
    return payable(Money(readings.pop(), currency))


def _strip(text: str) -> tuple[str, str | None, int]:
    """Take away what is not the number: returns digits with marks, the currency named, and the power of ten of k or m."""
    body = "".join(_plain(char) for char in unicodedata.normalize("NFKC", text)).strip().casefold()
    for ending in ("/=", "/-", "-"):
        body = body.removesuffix(ending).rstrip() if body.endswith(ending) and ending != "-" else body
    named: str | None = None
    for symbol in sorted(_SYMBOLS, key=len, reverse=True):
        for bare in (body.removeprefix(symbol), body.removesuffix(symbol)):
            if bare != body and named is None:
                body, named = bare.strip(" ."), _SYMBOLS[symbol]
    body = body.removesuffix("/=").removesuffix("/-").strip()
    power = 0
    if body[-1:] in _MULTIPLES and len(body) > 1:
        power = _MULTIPLES[body[-1]]
        body = body[:-1].strip()
    return body, named, power


def _plain(char: str) -> str:
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if char == "٫":
        return "."
    if char in "٬'’":
        return ","
    if char.isspace():
        return " "
    return "" if unicodedata.category(char) in {"Cf", "Cc"} else char


def _is_number(body: str) -> bool:
    return bool(body) and all(char in "0123456789.," for char in body) and body[0].isdigit() and body[-1].isdigit()


def _read(body: str, decimal: str, exponent: int, power: int) -> int | None:
    """Minor units if `body` is a number whose decimal mark is `decimal`; None if it cannot be read that way."""
    grouping = "," if decimal == "." else "."
    whole, mark, cents = body.partition(decimal)
    if mark and not (cents.isdigit() and cents):
        return None
    for separator in (grouping, " "):
        if separator in whole:
            first, *groups = whole.split(separator)
            if not (1 <= len(first) <= 3 and first.isdigit() and first[0] != "0" and all(len(g) == 3 and g.isdigit() for g in groups)):
                return None
            whole = first + "".join(groups)
    if not (whole.isdigit() and len(whole) <= 13):
        return None
    places = exponent + power
    if len(cents) > places:
        return None
    return int(whole + cents.ljust(places, "0"))
