"""What PayTabs takes in a request: each field read, or the refusal that names it."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from town.paytabs.books import DECIMALS, Json, Profile, Refusal

TYPES = ("sale", "auth", "refund", "void")
_KNOWN = {
    "profile_id", "tran_type", "tran_class", "cart_id", "cart_description", "cart_currency", "cart_amount", "customer_details", "shipping_details",
    "hide_shipping", "callback", "return", "return_using_get", "payment_methods", "paypage_lang", "paypage_ttl", "framed", "tran_ref", "user_defined",
}  # fmt: skip


def invalid(what: str) -> Refusal:
    return Refusal(400, 2, f"Invalid {what}")


def read_body(raw: bytes) -> Json:
    """Fractions as Decimal: what was written, not what a float makes of it."""
    try:
        body: Any = json.loads(raw, parse_float=Decimal)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise invalid("request")
    return body


def payment(body: Json, profile: Profile) -> None:
    """Every field of /payment/request; raises Refusal."""
    if strange := [name for name in body if name not in _KNOWN]:
        raise invalid(strange[0])
    if body.get("tran_type") not in TYPES:
        raise invalid("tran_type")
    if body.get("tran_class") not in ("ecom", "moto", "recurring"):
        raise invalid("tran_class")
    text(body, "cart_id", 64)
    text(body, "cart_description", 128)
    if body.get("cart_currency") not in profile.currencies:
        raise Refusal(400, 206, "Currency not available")
    amount(body)
    for name in ("callback", "return"):
        if body.get(name) is not None:
            address(body, name)
    if body.get("paypage_lang") not in (None, "en", "ar"):
        raise invalid("paypage_lang")
    ttl = body.get("paypage_ttl")
    if ttl is not None and (type(ttl) is not int or ttl < 1):
        raise invalid("paypage_ttl")
    methods = body.get("payment_methods")
    if methods is not None and not (isinstance(methods, list) and methods and all(one in profile.methods for one in methods)):
        raise invalid("payment_methods")
    if methods and {"mada", "stcpay"} & set(methods) and body["cart_currency"] != "SAR":
        raise Refusal(400, 206, "Currency not available for this payment method")
    if body["tran_type"] in ("refund", "void"):
        text(body, "tran_ref", 64)


def amount(body: Json) -> Decimal:
    """A number in major units, no more decimals than the currency has, 0.01 at least."""
    value = body.get("cart_amount")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise invalid("cart_amount")
    exact = Decimal(value)
    if exact < Decimal("0.01") or exact != exact.quantize(Decimal(1).scaleb(-DECIMALS[body["cart_currency"]])):
        raise invalid("cart_amount")
    return exact


def text(body: Json, name: str, longest: int) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= longest:
        raise invalid(name)
    return value


def address(body: Json, name: str) -> None:
    value = body.get(name)
    try:
        parts = urlsplit(value) if isinstance(value, str) and len(value) <= 255 else None
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("https", "http") or not parts.hostname:
        raise invalid(name)
