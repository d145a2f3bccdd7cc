"""What may be asked of a Checkout Session, and how a session is made of it."""

from __future__ import annotations

from typing import Any

from town.stripe import shapes
from town.stripe.books import Account
from town.stripe.forms import Refusal, Schema
from town.stripe.shapes import Json

ZERO = {"bif", "clp", "djf", "gnf", "jpy", "kmf", "krw", "mga", "pyg", "rwf", "vnd", "vuv", "xaf", "xof", "xpf"}
THREE = {"bhd", "jod", "kwd", "omr", "tnd"}
TWO = {
    "aed",
    "aud",
    "brl",
    "cad",
    "chf",
    "cny",
    "egp",
    "etb",
    "eur",
    "gbp",
    "huf",
    "inr",
    "isk",
    "kes",
    "mxn",
    "ngn",
    "nzd",
    "qar",
    "sar",
    "sek",
    "tzs",
    "try",
    "ugx",
    "usd",
    "zar",
}
MOST = 99_999_999
LEAST = {"usd": 50, "eur": 50, "gbp": 30, "aed": 200, "sar": 200, "kes": 6500, "rwf": 700, "kwd": 150, "bhd": 190, "omr": 190, "jod": 350}
"""About half a dollar, as the town's rates are."""
LOCALES = [
    "auto",
    "bg",
    "cs",
    "da",
    "de",
    "el",
    "en",
    "en-GB",
    "es",
    "es-419",
    "et",
    "fi",
    "fil",
    "fr",
    "fr-CA",
    "hr",
    "hu",
    "id",
    "it",
    "ja",
    "ko",
    "lt",
    "lv",
    "ms",
    "mt",
    "nb",
    "nl",
    "pl",
    "pt",
    "pt-BR",
    "ro",
    "ru",
    "sk",
    "sl",
    "sv",
    "th",
    "tr",
    "vi",
    "zh",
    "zh-HK",
    "zh-TW",
]
METHODS = {"card", "link", "us_bank_account", "sepa_debit"}
_PRODUCT: Schema = {"name!": "text", "description": "text", "images": "texts", "metadata": "map"}
_PRICE: Schema = {"currency!": "text", "unit_amount!": "integer", "product_data!": _PRODUCT, "tax_behavior": "text"}
SESSION: Schema = {
    "mode!": "text",
    "line_items!": [{"quantity!": "integer", "price_data!": _PRICE}],
    "success_url!": "url",
    "cancel_url": "url",
    "client_reference_id": "text",
    "customer_email": "text",
    "metadata": "map",
    "payment_intent_data": {
        "metadata": "map", "description": "text", "receipt_email": "text", "statement_descriptor_suffix": "text", "transfer_group": "text",
    },
    "expires_at": "integer",
    "allowed_payment_method_types": "texts",
    "adaptive_pricing": {"enabled": "flag"},
    "after_expiration": {"recovery": {"enabled": "flag"}},
    "allow_promotion_codes": "flag",
    "phone_number_collection": {"enabled": "flag"},
    "billing_address_collection": "text",
    "locale": "text",
    "submit_type": "text",
    "ui_mode": "text",
    "expand": "texts",
}  # fmt: skip


def make_session(account: Account, asked: Json, page_base: str) -> Json:
    """A new session, open until its time. Raises Refusal for what cannot be sold."""
    _must_be(asked["mode"], ("payment", "setup", "subscription"), "mode")
    if asked["mode"] != "payment":
        raise Refusal(400, "This town sells in mode payment only.", param="mode")
    _must_be(asked.get("locale", "auto"), LOCALES, "locale")
    _must_be(asked.get("submit_type", "pay"), ("auto", "book", "donate", "pay", "subscribe"), "submit_type")
    _must_be(asked.get("ui_mode", "hosted_page"), ("hosted_page",), "ui_mode")
    for number, method in enumerate(asked.get("allowed_payment_method_types", ["card"])):
        _must_be(method, METHODS, f"allowed_payment_method_types[{number}]")
    if len(asked.get("client_reference_id", "")) > 200:
        raise Refusal(400, "Invalid string: must be at most 200 characters", param="client_reference_id")
    now = account.now()
    expires_at = asked.get("expires_at", now + 86400)
    if not now + 1800 < expires_at < now + 86400 + ("expires_at" not in asked):
        raise Refusal(400, "The `expires_at` timestamp must be between 30 minutes and 24 hours from now.", param="expires_at")
    currency, total = _total(asked["line_items"])
    session_id = account.name("cs_live" if account.live else "cs_test", 58)
    known: dict[str, Any] = {
        name: asked[name]
        for name in ("success_url", "cancel_url", "client_reference_id", "customer_email", "locale", "submit_type")
        if name in asked
    }
    session = shapes.session(
        id=session_id, amount_subtotal=total, amount_total=total, created=now, currency=currency, expires_at=expires_at,
        livemode=account.live, metadata=asked.get("metadata", {}), url=f"{page_base}/{session_id}",
        adaptive_pricing={"enabled": asked.get("adaptive_pricing", {}).get("enabled", True)}, **known,
    )  # fmt: skip
    account.sessions[session_id] = session
    account.asked_with[session_id] = asked.get("payment_intent_data", {})
    account.lines[session_id] = [_line(account, one) for one in asked["line_items"]]
    return session


def _line(account: Account, one: Json) -> Json:
    price = one["price_data"]
    amount = price["unit_amount"] * one["quantity"]
    return shapes.line_item(
        id=account.name("li"), amount=amount, subtotal=amount, currency=price["currency"].lower(), quantity=one["quantity"],
        description=price["product_data"]["name"], livemode=account.live,
    )  # fmt: skip


def _total(lines: list[Json]) -> tuple[str, int]:
    if not 1 <= len(lines) <= 100:
        raise Refusal(400, "There can be 1 to 100 line items.", param="line_items")
    total, currencies = 0, set()
    for number, line in enumerate(lines):
        price, where = line["price_data"], f"line_items[{number}][price_data]"
        currency = price["currency"].lower()
        if currency not in ZERO | THREE | TWO:
            raise Refusal(400, f"Invalid currency: {currency}.", param=f"{where}[currency]")
        if line["quantity"] < 1:
            raise Refusal(400, "This value must be greater than or equal to 1.", param=f"line_items[{number}][quantity]")
        amount = price["unit_amount"]
        if amount < 0 or (currency in THREE and amount % 10) or (currency in ("isk", "ugx") and amount % 100):
            raise Refusal(400, f"Invalid amount for {currency}.", code="invalid_charge_amount", param=f"{where}[unit_amount]")
        currencies.add(currency)
        total += amount * line["quantity"]
    if len(currencies) != 1:
        raise Refusal(400, "All prices must have the same currency.", param="line_items")
    currency = currencies.pop()
    if total > MOST:
        raise Refusal(400, "The Checkout Session's total amount must be no more than 999,999.99.", code="amount_too_large")
    if total < LEAST.get(currency, 1):
        raise Refusal(400, "The Checkout Session's total amount must convert to at least 50 cents.", code="amount_too_small")
    return currency, total


def _must_be(value: str, allowed: Any, param: str) -> None:
    if value not in allowed:
        raise Refusal(400, f"Invalid {param}: must be one of {', '.join(allowed)}", param=param)
