"""Money: an integer number of minor units with its ISO 4217 currency, and the one parser of typed amounts."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import total_ordering
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


@total_ordering
@dataclass(frozen=True, slots=True)
class Money:
    """A signed number of minor units. Amounts people type or pay are checked by `payable`, postings may be negative.

    Amounts of one currency have an order; adding, subtracting or comparing two currencies raises BadInput.
    """

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

    def __lt__(self, other: Money) -> bool:
        self._same(other)
        return self.amount_minor < other.amount_minor

    def times(self, count: int) -> Money:
        """This many of it."""
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
    whole, mark, cents = text.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 13) or (mark and not (cents.isascii() and cents.isdigit())):
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


_SHILLINGS: Final = ("KES", "UGX", "TZS")
_RIYALS: Final = ("SAR", "QAR", "OMR")
_DINARS: Final = ("KWD", "BHD", "JOD")
_NAMES: Final[dict[str, tuple[str, ...]]] = {
    **{code.casefold(): (code,) for code in EXPONENTS},
    **dict.fromkeys(("sh", "shs", "bob", "shilling", "shillings", "shilingi", "شلن"), _SHILLINGS),
    **dict.fromkeys(("ريال", "ریال", "ر.س"), _RIYALS),
    **dict.fromkeys(("دينار", "د.ك"), _DINARS),
    **dict.fromkeys(("dh", "dhs", "درهم", "د.إ"), ("AED",)),
    "ksh": ("KES",), "kshs": ("KES",), "ush": ("UGX",), "tsh": ("TZS",), "sr": ("SAR",), "kd": ("KWD",), "₦": ("NGN",), "$": ("USD",),
    "€": ("EUR",), "£": ("GBP",),
}  # fmt: skip
"""What people call a currency. A name that several share (`sh`) means the one that is expected there, else the first."""

_LONGEST_FIRST: Final = tuple(sorted(_NAMES, key=len, reverse=True))
_MULTIPLES: Final = {"k": 3, "m": 6}
_MINUS: Final = ("-", "\u2212", "\u2013")
_ARABIC_POINT: Final = "٫"
_ONLY_GROUPS: Final = "'"
_SOLD_AT: Final = ("/=", "/-", "/", "=")
"""Endings of an East African price tag; they say nothing."""


def names_currency(word: str) -> bool:
    """Whether this word alone is the name of a currency, such as `KSh`, `kes.` or `$`."""
    return word.casefold().removesuffix(".") in _NAMES


def parse_amount(text: str, currency: str) -> Money:
    """What a person typed as an amount, in `currency` unless they named another one we know.

    Reads `1500`, `1,500`, `1.500,50`, `KSh 1500/-`, `١٥٠٠` and `2.5k`. Raises BadInput: `unclear` with `options` (minor units) and their
    `currency` where two readings are fair (`1.500` in a currency with decimals), else `not_a_number` (also for a leading zero, which is
    how telephone numbers begin), `too_precise`, `not_positive`, `too_large`.
    """
    if len(text) > 60 or any(unicodedata.category(char) == "No" for char in text):
        raise BadInput("amount", "not_a_number")
    body, currency, power = _strip(text, currency)
    if currency not in EXPONENTS:
        raise BadInput("currency", "unknown_currency", currency=currency)
    number = body.removeprefix("-")
    readings = {mark: reading for mark in (".", ",", _ARABIC_POINT) if (reading := _read(number, mark)) is not None}
    if not readings:
        raise BadInput("amount", "not_a_number")
    if number != body:
        raise BadInput("amount", "not_positive")
    exponent = EXPONENTS[currency]
    options = _fair(readings, exponent, exponent + power)
    if not options:
        raise BadInput("amount", "too_precise", limit=exponent)
    possible = sorted(option for option in options if option <= MOST_MINOR) or [min(options)]
    if len(possible) > 1:
        raise BadInput("amount", "unclear", options=possible, currency=currency)
    return payable(Money(possible[0], currency))


def _strip(text: str, currency: str) -> tuple[str, str, int]:
    """Take away what is not the number: returns digits with marks and perhaps a minus, the currency, and the power of ten of k or m."""
    body = "".join(_plain(char) for char in unicodedata.normalize("NFKC", text.strip())).strip().casefold()
    negative = body.startswith(_MINUS)
    body = _without_ending(body[1:].lstrip() if negative else body)
    for name in _LONGEST_FIRST:
        bare = body
        if body.startswith(name):
            bare = body.removeprefix(name)
            bare = (bare.removeprefix(".") if name[-1].isalpha() else bare).lstrip(" :")
        elif body.endswith(name):
            bare = body.removesuffix(name).rstrip()
        if bare != body:
            body, currency = _without_ending(bare), currency if currency in _NAMES[name] else _NAMES[name][0]
            break
    if body.startswith(_MINUS) and not negative:
        body, negative = body[1:].lstrip(), True
    power = _MULTIPLES.get(body[-1:], 0)
    if power:
        body = body[:-1].rstrip()
    return ("-" if negative else "") + body, currency, power


def _without_ending(body: str) -> str:
    """A price tag without its `/=`, and without the stop at the end of a sentence."""
    body = body.removesuffix(".").rstrip()
    for ending in _SOLD_AT:
        if body.endswith(ending):
            return body.removesuffix(ending).rstrip()
    return body


def _plain(char: str) -> str:
    """One character in our own writing: ASCII digits, plain marks and spaces; marks of direction vanish."""
    if char.isdecimal():
        return str(unicodedata.decimal(char))
    if char in "٬'’":
        return _ONLY_GROUPS
    if char == "،":
        return ","
    category = unicodedata.category(char)
    return {"Zs": " ", "Cf": ""}.get(category, char)


def _read(body: str, decimal: str) -> tuple[str, str] | None:
    """Digits before and after the mark if `body` is a number whose decimal mark is `decimal`; None if it cannot be read that way."""
    whole, mark, cents = body.partition(decimal)
    if mark and not cents.isdigit():
        return None
    for separator in {".", ",", " ", _ONLY_GROUPS} - {decimal}:
        if separator in whole:
            first, *groups = whole.split(separator)
            if not (1 <= len(first) <= 3 and first.isdigit() and all(len(group) == 3 and group.isdigit() for group in groups)):
                return None
            whole = first + "".join(groups)
    if not whole and mark and decimal != ",":
        whole = "0"
    return (whole, cents) if whole.isdigit() and (whole == "0" or whole[0] != "0") else None


def _fair(readings: dict[str, tuple[str, str]], exponent: int, places: int) -> set[int]:
    """The amounts a person may have meant. `1.500` with two decimals may be one and a half; `1,500` is fifteen hundred, and so is `1.500`
    where there are no decimals at all; but where only zeros are too many (`1500.00` in Ugandan shillings) they do no harm."""
    exact = {mark for mark, (_, cents) in readings.items() if len(cents) <= places}
    long = {mark for mark, (_, cents) in readings.items() if len(cents) > places and not cents[places:].strip("0")}
    fair = (exact | (long & {"."} if exponent else set())) or long
    return {int(whole + cents[:places].ljust(places, "0")) for mark, (whole, cents) in readings.items() if mark in fair}
