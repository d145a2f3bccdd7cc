"""Daraja's result codes: code -> (Outcome, words key). The prose beside a code differs by place and time and is never read.

Sources: portal pages "M-Pesa Express Simulate", "M-Pesa Express Query", "Reversals"; codes seen by integrators where they are silent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from domain.payment import Outcome

Meaning = tuple[Outcome, str]
UNKNOWN: Final[Meaning] = (Outcome.UNKNOWN, "unknown")

STK: Final[Mapping[str, Meaning]] = {
    "0": (Outcome.SUCCEEDED, "paid"),
    "1": (Outcome.DECLINED, "insufficient_funds"),
    "2": (Outcome.DECLINED, "limit_reached"),
    "3": (Outcome.DECLINED, "limit_reached"),
    "4": (Outcome.DECLINED, "limit_reached"),
    "8": (Outcome.DECLINED, "limit_reached"),
    "17": (Outcome.DECLINED, "try_later"),
    "26": (Outcome.DECLINED, "try_later"),
    "1001": (Outcome.DECLINED, "phone_busy"),
    "1019": (Outcome.DECLINED, "expired"),
    "1025": (Outcome.DECLINED, "try_later"),
    "1032": (Outcome.DECLINED, "cancelled_by_payer"),
    "1037": (Outcome.DECLINED, "no_answer"),
    "2001": (Outcome.DECLINED, "wrong_pin"),
    "2028": (Outcome.DECLINED, "configuration"),
    "4999": (Outcome.PENDING, "waiting"),
    "8006": (Outcome.DECLINED, "customer_care"),
    "9999": (Outcome.DECLINED, "try_later"),
    "SFC_IC0003": (Outcome.DECLINED, "configuration"),
}
"""What became of a prompt, in a callback or when asked."""

REVERSAL: Final[Mapping[str, Meaning]] = {
    "0": (Outcome.SUCCEEDED, "refunded"),
    "1": (Outcome.DECLINED, "insufficient_funds"),
    "2": (Outcome.DECLINED, "limit_reached"),
    "3": (Outcome.DECLINED, "limit_reached"),
    "4": (Outcome.DECLINED, "limit_reached"),
    "8": (Outcome.DECLINED, "limit_reached"),
    "11": (Outcome.DECLINED, "configuration"),
    "18": (Outcome.DECLINED, "configuration"),
    "20": (Outcome.DECLINED, "configuration"),
    "21": (Outcome.DECLINED, "configuration"),
    "2001": (Outcome.DECLINED, "configuration"),
    "2006": (Outcome.DECLINED, "configuration"),
    "2028": (Outcome.DECLINED, "configuration"),
    "8006": (Outcome.DECLINED, "configuration"),
    "R000001": (Outcome.SUCCEEDED, "already_refunded"),
    "R000002": (Outcome.DECLINED, "not_refundable"),
}
"""What became of a reversal. Here 2001 and 8006 speak of our initiator, not of a payer. 17 and 26 are left out: what they mean is not certain."""

WORDS: Final = frozenset(
    {word for _, word in (*STK.values(), *REVERSAL.values(), UNKNOWN)} | {"phone_refused", "amount_refused", "address_refused"}
)
"""Every words key this gateway says."""

INVALID_TOKEN: Final = ("404.001.03", "400.003.01", "401.")
"""Beginnings of error codes that mean: the access token is not, or no longer, good."""

BUSY: Final[Mapping[str, int]] = {"500.003.02": 5, "500.003.03": 60}
"""Refused before processing: safe to send again, after this many seconds when it does not say itself."""


def stk_meaning(code: str) -> Meaning:
    return STK.get(code, UNKNOWN)


def reversal_meaning(code: str) -> Meaning:
    return REVERSAL.get(code, UNKNOWN)


def refusal(code: str, message: str) -> Meaning:
    """What an error reply to a push or a reversal means; BUSY and INVALID_TOKEN are looked at before.

    `message` is only read where the one code 500.001.1001 and the 400 of a bad field say nothing without it.
    """
    said = message.casefold()
    if code.startswith("400.002"):
        for field, words in (
            ("phonenumber", "phone_refused"),
            ("partya", "phone_refused"),
            ("amount", "amount_refused"),
            ("url", "address_refused"),
        ):
            if field in said:
                return Outcome.DECLINED, words
    if code.startswith(("400.", "404.", "405.")):
        return Outcome.DECLINED, "configuration"
    if code == "500.003.1001" and "already registered" in said:
        return Outcome.DECLINED, "already_registered"
    if code == "500.001.1001":
        if "merchant does not exist" in said or "wrong credentials" in said:
            return Outcome.DECLINED, "configuration"
        if "unable to lock subscriber" in said:
            return STK["1001"]
    return UNKNOWN
