"""Moyasar's statuses, event types and refusals: -> (Outcome, words key). Sources: docs.moyasar.com "Payment status reference", "Webhook reference".

The prose beside a code (`source.message`) differs by bank and is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from domain.payment import Outcome

Meaning = tuple[Outcome, str]
UNKNOWN: Final[Meaning] = (Outcome.UNKNOWN, "unknown")

INVOICE: Final[Mapping[str, Meaning]] = {
    "initiated": (Outcome.PENDING, "waiting"),
    "on_hold": (Outcome.PENDING, "waiting"),
    "paid": (Outcome.SUCCEEDED, "paid"),
    "failed": (Outcome.DECLINED, "card_declined"),
    "canceled": (Outcome.DECLINED, "expired"),
    "expired": (Outcome.DECLINED, "expired"),
    "refunded": (Outcome.DECLINED, "refunded"),
    "voided": (Outcome.DECLINED, "refunded"),
}
"""What an invoice says of our attempt. `refunded` and `voided` are read together with the number that went back."""

EVENTS: Final[Mapping[str, Outcome]] = {
    "payment_paid": Outcome.SUCCEEDED,
    "payment_captured": Outcome.SUCCEEDED,
    "payment_refunded": Outcome.SUCCEEDED,
    "payment_voided": Outcome.SUCCEEDED,
    "payment_failed": Outcome.PENDING,
    "payment_faild": Outcome.PENDING,
    "payment_abandoned": Outcome.PENDING,
    "card_auth_failed": Outcome.PENDING,
    "card_auth_authenticated": Outcome.PENDING,
    "payment_authorized": Outcome.PENDING,
    "payment_verified": Outcome.UNKNOWN,
}
"""One payment that failed does not end the invoice: the payer may try another card on the same page. (`payment_faild` stands so in their list.)"""

WENT_BACK: Final = frozenset({"payment_refunded", "payment_voided"})
TAKEN: Final = frozenset({"paid", "captured"})
"""Statuses of a payment whose money is there."""
RETURNED: Final = frozenset({"refunded", "voided"})

CARD: Final[Mapping[str, str]] = {
    "00": "paid", "05": "card_declined", "12": "card_declined", "13": "amount_refused", "14": "card_wrong", "30": "try_later", "33": "card_wrong",
    "34": "card_declined", "41": "card_declined", "43": "card_declined", "51": "insufficient_funds", "54": "card_wrong", "55": "card_wrong",
    "57": "card_not_supported", "58": "configuration", "59": "card_declined", "61": "limit_reached", "62": "card_declined", "65": "limit_reached",
    "75": "card_wrong", "82": "card_wrong", "91": "try_later", "92": "try_later", "96": "try_later",
}  # fmt: skip
"""`source.response_code` of a card payment (ISO 8583, field 39). Others: declined."""

FIELD: Final[Mapping[str, str]] = {"amount": "amount_refused", "currency": "currency_refused"}
"""Which words a refusal that names this field has; the payer can do nothing about the others."""

WORDS: Final = frozenset(
    {word for _, word in (*INVOICE.values(), UNKNOWN)}
    | {*CARD.values(), *FIELD.values(), "card_not_confirmed", "already_refunded", "not_refundable", "configuration", "try_later"}
)
"""Every words key this gateway says."""


def card_words(source: object, kind: str) -> str:
    """Why one payment on the page failed, as far as a code says it."""
    if kind == "card_auth_failed":
        return "card_not_confirmed"
    code = source.get("response_code") if isinstance(source, dict) else None
    return CARD.get(code, "card_declined") if isinstance(code, str) else "card_declined"


def refusal(reply: Mapping[str, Any]) -> str:
    """The words for `{"type", "message", "errors": {field: [..]}}` of a 400."""
    errors = reply.get("errors")
    named = [word for name, word in FIELD.items() if isinstance(errors, dict) and name in errors]
    return named[0] if named else "configuration"
