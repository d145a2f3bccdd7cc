"""Stripe's codes and statuses -> (Outcome, words key), as tables. Its sentences are never read.

Sources: docs.stripe.com/error-codes, /declines/codes, /api/refunds/object, /api/disputes/object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.payment import Outcome

Meaning = tuple[Outcome, str]
UNKNOWN: Final[Meaning] = (Outcome.UNKNOWN, "unknown")

DECLINES: Final[Mapping[str, str]] = {
    "insufficient_funds": "insufficient_funds",
    "card_velocity_exceeded": "limit_reached",
    "withdrawal_count_limit_exceeded": "limit_reached",
    "amount_too_large": "amount_refused",
    "amount_too_small": "amount_refused",
    "expired_card": "card_wrong",
    "invalid_expiry_month": "card_wrong",
    "invalid_expiry_year": "card_wrong",
    "invalid_expiry_date": "card_wrong",
    "incorrect_number": "card_wrong",
    "invalid_number": "card_wrong",
    "invalid_account": "card_wrong",
    "incorrect_cvc": "card_wrong",
    "invalid_cvc": "card_wrong",
    "incorrect_zip": "card_wrong",
    "incorrect_address": "card_wrong",
    "incorrect_pin": "card_wrong",
    "invalid_pin": "card_wrong",
    "pin_try_exceeded": "card_wrong",
    "authentication_required": "card_not_confirmed",
    "payment_intent_authentication_failure": "card_not_confirmed",
    "offline_pin_required": "card_not_confirmed",
    "online_or_offline_pin_required": "card_not_confirmed",
    "card_not_supported": "card_not_supported",
    "currency_not_supported": "card_not_supported",
    "processing_error": "try_later",
    "issuer_not_available": "try_later",
    "reenter_transaction": "try_later",
    "try_again_later": "try_later",
    "approve_with_id": "try_later",
}
"""`decline_code`, else `code`, of a card that was refused. All others are `card_declined`: lost, stolen and fraudulent are not said."""

REFUSALS: Final[Mapping[str, str]] = {
    "amount_too_small": "amount_refused",
    "amount_too_large": "amount_refused",
    "invalid_charge_amount": "amount_refused",
    "url_invalid": "address_refused",
    "charge_already_refunded": "already_refunded",
    "charge_disputed": "charged_back",
    "refund_disputed_payment": "charged_back",
    "charge_not_refundable": "not_refundable",
    "balance_insufficient": "refund_without_balance",
    "insufficient_funds": "refund_without_balance",
}
"""`code` of an `invalid_request_error`. All others say that something of ours is wrong: `configuration`."""

REFUSED_FIELDS: Final = (
    ("success_url", "address_refused"),
    ("cancel_url", "address_refused"),
    ("currency", "currency_refused"),
    ("amount", "amount_refused"),
)
"""Words for what its `param` ends in, where the code says nothing."""

REFUNDS: Final[Mapping[str, Meaning]] = {
    "succeeded": (Outcome.SUCCEEDED, "refunded"),
    "pending": (Outcome.PENDING, "waiting"),
    "requires_action": (Outcome.PENDING, "waiting"),
    "failed": (Outcome.DECLINED, "refund_failed"),
    "canceled": (Outcome.DECLINED, "refund_failed"),
}
FAILED_REFUNDS: Final[Mapping[str, str]] = {
    "lost_or_stolen_card": "card_gone",
    "expired_or_canceled_card": "card_gone",
    "charge_for_pending_refund_disputed": "charged_back",
    "insufficient_funds": "refund_without_balance",
}
"""`failure_reason` of a refund; declined, merchant_request, unknown and new ones are `refund_failed`."""

DISPUTES: Final[Mapping[str, Meaning]] = {
    "needs_response": (Outcome.PENDING, "charged_back"),
    "under_review": (Outcome.PENDING, "charged_back"),
    "appeal_needs_response": (Outcome.PENDING, "charged_back"),
    "appeal_under_review": (Outcome.PENDING, "charged_back"),
    "lost": (Outcome.SUCCEEDED, "chargeback_lost"),
    "won": (Outcome.DECLINED, "chargeback_won"),
    "prevented": (Outcome.DECLINED, "chargeback_won"),
    "warning_needs_response": (Outcome.UNKNOWN, "chargeback_inquiry"),
    "warning_under_review": (Outcome.UNKNOWN, "chargeback_inquiry"),
    "warning_closed": (Outcome.UNKNOWN, "chargeback_inquiry"),
}
"""What a dispute's status says whichever event tells it. An inquiry (`warning_...`) has taken no money."""

WORDS: Final = frozenset(
    {*DECLINES.values(), *REFUSALS.values(), *FAILED_REFUNDS.values(), *(word for _, word in REFUSED_FIELDS)}
    | {word for _, word in (*REFUNDS.values(), *DISPUTES.values(), UNKNOWN)}
    | {"paid", "waiting", "expired", "card_declined", "configuration", "other_amount", "other_account"}
)
"""Every words key this gateway says."""


def declined(decline_code: str | None, code: str | None) -> str:
    """The words for a card that was refused."""
    return DECLINES.get(decline_code or "") or DECLINES.get(code or "") or "card_declined"


def refused(code: str | None, param: str | None) -> str:
    """The words for a request that was refused."""
    if (words := REFUSALS.get(code or "")) is not None:
        return words
    return next((words for field, words in REFUSED_FIELDS if (param or "").rstrip("]").endswith(field)), "configuration")


def refund_meaning(status: str, failure_reason: str | None) -> Meaning:
    outcome, words = REFUNDS.get(status, UNKNOWN)
    return outcome, FAILED_REFUNDS.get(failure_reason or "", words) if outcome is Outcome.DECLINED else words


def dispute_meaning(status: str) -> Meaning:
    return DISPUTES.get(status, UNKNOWN)
