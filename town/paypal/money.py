"""PayPal's amounts: strings of decimals in the currencies it takes; here integers of each currency's smallest unit at PayPal."""

from __future__ import annotations

import re
from typing import Any

from town.paypal.apps import bad, cannot

NO_DECIMALS = frozenset({"HUF", "JPY", "TWD"})
CURRENCIES = frozenset(
    ["AUD", "BRL", "CAD", "CNY", "CZK", "DKK", "EUR", "HKD", "HUF", "ILS", "JPY", "MYR", "MXN", "NOK", "NZD", "PHP", "PLN", "GBP", "SGD", "SEK", "CHF", "THB", "TWD", "USD"]
)  # fmt: skip
_VALUE = re.compile(r"(-?)([0-9]*)(?:\.([0-9]+))?", re.ASCII)


def decimals(currency: str) -> int:
    return 0 if currency in NO_DECIMALS else 2


def read(amount: object, pointer: str) -> tuple[int, str]:
    """(units, currency) of a positive amount object. Raises the refusal that PayPal gives."""
    if not isinstance(amount, dict):
        raise bad("MISSING_REQUIRED_PARAMETER", pointer)
    currency, value = amount.get("currency_code"), amount.get("value")
    if not isinstance(currency, str) or not isinstance(value, str):
        raise bad("MISSING_REQUIRED_PARAMETER" if currency is None or value is None else "INVALID_PARAMETER_SYNTAX", pointer)
    if currency not in CURRENCIES:
        raise cannot("INVALID_CURRENCY_CODE", "Currency code should be a three-character currency code.", f"{pointer}/currency_code")
    found = _VALUE.fullmatch(value)
    if found is None or not (found[2] or found[3]) or len(found[2]) > 15:
        raise bad("INVALID_PARAMETER_SYNTAX", f"{pointer}/value", value=value)
    places = decimals(currency)
    if len(found[3] or "") > places:
        raise cannot("DECIMAL_PRECISION", "The value of the field should not be more than two decimal places.", f"{pointer}/value")
    units = int((found[2] or "0") + (found[3] or "").ljust(places, "0"))
    if found[1] or units == 0:
        raise cannot("CANNOT_BE_ZERO_OR_NEGATIVE", "Must be greater than zero.", f"{pointer}/value")
    return units, currency


def shown(units: int, currency: str) -> dict[str, Any]:
    places = decimals(currency)
    digits = str(abs(units)).zfill(places + 1)
    value = f"{digits[:-places]}.{digits[-places:]}" if places else digits
    return {"currency_code": currency, "value": ("-" if units < 0 else "") + value}


def fee_of(units: int, currency: str) -> int:
    """3.49 % and a fixed 0.49, never more than the whole."""
    return min(units, (units * 349 + 9999) // 10_000 + (49 if decimals(currency) else 0))
