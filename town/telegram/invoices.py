"""Invoices of the bot: sendInvoice, createInvoiceLink and answerPreCheckoutQuery. https://core.telegram.org/bots/api#payments

Where Telegram's own words of a refusal could not be looked up, the town's are shaped as its others are.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from town.telegram.errors import bad
from town.telegram.params import Params, method
from town.telegram.sending import COMMON, send, target
from town.telegram.service import Telegram

Json = dict[str, Any]

LIMITS: dict[str, tuple[int, int]] = {
    "USD": (100, 1_000_000), "EUR": (89, 893_101), "GBP": (76, 767_960), "KES": (10_301, 99_999_999), "SAR": (375, 3_750_101),
    "AED": (367, 3_672_902), "QAR": (364, 3_641_102), "EGP": (1_806, 18_069_857), "NGN": (31_500, 99_999_999), "TZS": (223_000, 99_999_999),
    "UGX": (3_617, 36_170_002), "ZAR": (1_324, 13_249_697),
}  # fmt: skip
"""Least and most in the smallest unit, about 1 and 10,000 dollars, from an older copy of core.telegram.org/bots/payments/currencies.json."""
DECIMALS = {"UGX": 0}
MOST_PAYLOAD_BYTES = 128
OF_BOTH = (
    "title description payload provider_token currency prices max_tip_amount suggested_tip_amounts provider_data photo_url photo_size photo_width "
    "photo_height need_name need_phone_number need_email need_shipping_address send_phone_number_to_provider send_email_to_provider is_flexible"
)
TOO_OLD = "query is too old and response timeout expired or query ID is invalid"


@dataclass(slots=True)
class Invoice:
    """What the bot asks for. `start_parameter` keeps forwarded copies from being paid by others."""

    slug: str
    title: str
    description: str
    payload: str
    provider_token: str
    currency: str
    amount: int
    prices: list[Json]
    start_parameter: str = ""
    payments: list[str] = field(default_factory=list)

    def shape(self) -> Json:
        """`Invoice`, as it stands in a message."""
        return {
            "title": self.title,
            "description": self.description,
            "start_parameter": self.start_parameter,
            "currency": self.currency,
            "total_amount": self.amount,
        }

    @property
    def total(self) -> str:
        decimals = DECIMALS.get(self.currency, 2)
        whole, rest = divmod(self.amount, 10**decimals)
        return f"{self.currency} {whole:,}" + (f".{rest:0{decimals}}" if decimals else "")


def _required(params: Params, name: str) -> str:
    value = params.words(name)
    if not value.strip():
        raise bad(f'parameter "{name}" is required')
    return value


def _prices(params: Params) -> list[Json]:
    rows = params.rows("prices")
    if not rows:
        raise bad("there must be at least one price")
    for row in rows:
        if not isinstance(row, dict):
            raise bad("can't parse labeled price: LabeledPrice must be an Object")
        if not isinstance(row.get("label"), str) or not row["label"]:
            raise bad('can\'t parse labeled price: Field "label" must be a non-empty String')
        if type(row.get("amount")) is not int:
            raise bad('can\'t parse labeled price: Field "amount" must be of type Number')
    return [{"label": row["label"], "amount": row["amount"]} for row in rows]


def read_invoice(bot: Telegram, params: Params, start_parameter: str = "") -> Invoice:
    title, description = _required(params, "title"), _required(params, "description")
    payload, currency = _required(params, "payload"), _required(params, "currency")
    prices = _prices(params)
    token = params.words("provider_token")
    if not token and currency != "XTR":
        raise bad("provider_token is empty")
    if len(title) > 32:
        raise bad("TITLE_INVALID")
    if len(description) > 255:
        raise bad("DESCRIPTION_INVALID")
    if len(payload.encode()) > MOST_PAYLOAD_BYTES:
        raise bad("INVOICE_PAYLOAD_INVALID")
    if currency not in LIMITS:
        raise bad("CURRENCY_INVALID")
    if token not in bot.provider_tokens:
        raise bad("PAYMENT_PROVIDER_INVALID")
    amount = sum(row["amount"] for row in prices)
    least, most = LIMITS[currency]
    if not least <= amount <= most:
        raise bad("CURRENCY_TOTAL_AMOUNT_INVALID")
    slug = "".join(bot.core.chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz23456789_-", k=24))
    invoice = Invoice(slug, title, description, payload, token, currency, amount, prices, start_parameter)
    bot.invoices[slug] = invoice
    bot.core.journal.add("telegram.invoice", title=title, currency=currency, amount=amount)
    return invoice


@method("createInvoiceLink", OF_BOTH)
def create_invoice_link(bot: Telegram, params: Params) -> str:
    return f"https://t.me/${read_invoice(bot, params).slug}"


@method("sendInvoice", f"{COMMON} {OF_BOTH} start_parameter")
def send_invoice(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    rows = (params.table("reply_markup") or {}).get("inline_keyboard") or []
    if rows and not (isinstance(rows[0], list) and rows[0] and isinstance(rows[0][0], dict) and rows[0][0].get("pay")):
        raise bad("REPLY_MARKUP_BUY_EMPTY")
    invoice = read_invoice(bot, params, params.words("start_parameter"))
    message = send(bot, chat, params, {"invoice": invoice.shape()})
    if "reply_markup" not in message.body:
        message.body["reply_markup"] = {"inline_keyboard": [[{"text": f"Pay {invoice.total}", "pay": True}]]}
    message.slug = invoice.slug
    return message.body


@method("answerPreCheckoutQuery", "pre_checkout_query_id ok error_message")
def answer_pre_checkout_query(bot: Telegram, params: Params) -> bool:
    """In time, or the query is gone."""
    query_id, ok, why = _required(params, "pre_checkout_query_id"), params.raw("ok"), params.words("error_message")
    if ok is None:
        raise bad('parameter "ok" is required')
    if not params.flag("ok") and not why.strip():
        raise bad("error message must be non-empty")
    asked = bot.pre_checkouts.get(query_id)
    if asked is None or asked.done.done():
        raise bad(TOO_OLD)
    asked.done.set_result({"ok": params.flag("ok"), "error": why})
    return True
