"""PayTabs' result letters and codes: -> (Outcome, words key). Sources: docs.paytabs.com "Response status", "Error codes"; paytabscom/php-sdk.

The letter decides; the code only chooses words, and their sentence is never read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.payment import Outcome

Meaning = tuple[Outcome, str]
UNKNOWN: Final[Meaning] = (Outcome.UNKNOWN, "unknown")

SALE: Final[Mapping[str, Meaning]] = {
    "A": (Outcome.SUCCEEDED, "paid"),
    "H": (Outcome.PENDING, "waiting"),
    "P": (Outcome.PENDING, "waiting"),
    "V": (Outcome.DECLINED, "refunded"),
    "E": (Outcome.DECLINED, "card_declined"),
    "D": (Outcome.DECLINED, "card_declined"),
    "X": (Outcome.DECLINED, "expired"),
    "C": (Outcome.DECLINED, "cancelled_by_payer"),
}
"""`payment_result.response_status` of a sale. H is held for a look at fraud: nothing may be sent off before it is A."""

REFUND: Final[Mapping[str, Meaning]] = {
    "A": (Outcome.SUCCEEDED, "refunded"),
    "H": (Outcome.PENDING, "waiting"),
    "P": (Outcome.PENDING, "waiting"),
    "V": (Outcome.DECLINED, "not_refundable"),
    "E": (Outcome.DECLINED, "not_refundable"),
    "D": (Outcome.DECLINED, "not_refundable"),
    "X": (Outcome.DECLINED, "not_refundable"),
    "C": (Outcome.DECLINED, "not_refundable"),
}
"""The same letters of a refund, a void or a release."""

WHY: Final[Mapping[str, str]] = {
    "200": "card_wrong",
    "206": "currency_refused",
    "300": "card_declined",
    "310": "card_not_confirmed",
    "316": "insufficient_funds",
    "321": "cancelled_by_payer",
    "345": "card_not_confirmed",
    "400": "try_later",
    "501": "card_declined",
}
"""`response_code` of a sale with E or D, where it says more than the letter."""

REFUSED: Final[Mapping[str, str]] = {"1": "configuration", "2": "configuration", "206": "currency_refused"}
"""`code` of a request that was refused before anything was done. 4, a duplicate, is no refusal: the first one may stand."""
AUTHENTICATION, DUPLICATE = "1", "4"

GOING_BACK: Final = frozenset({"refund", "void", "release"})
"""`tran_type` of what gives money back."""

WORDS: Final = frozenset(
    {word for _, word in (*SALE.values(), *REFUND.values(), UNKNOWN)}
    | {*WHY.values(), *REFUSED.values(), "amount_refused", "already_refunded", "try_later"}
)
"""Every words key this gateway says."""


def sale_meaning(letter: str, code: str) -> Meaning:
    outcome, words = SALE.get(letter, UNKNOWN)
    return outcome, WHY.get(code, words) if letter in ("E", "D") else words


def refund_meaning(letter: str) -> Meaning:
    return REFUND.get(letter, UNKNOWN)
