"""Typed ids (63-bit, time-ordered) and the codes people read aloud."""

from __future__ import annotations

import unicodedata
from typing import Final, NewType

PersonId = NewType("PersonId", int)
OrganizationId = NewType("OrganizationId", int)
LinkId = NewType("LinkId", int)
FileId = NewType("FileId", int)
CheckoutId = NewType("CheckoutId", int)
PaymentId = NewType("PaymentId", int)
AttemptId = NewType("AttemptId", int)
OrderId = NewType("OrderId", int)
DisputeId = NewType("DisputeId", int)
RefundId = NewType("RefundId", int)
ChargebackId = NewType("ChargebackId", int)
InboxId = NewType("InboxId", int)
OutboxId = NewType("OutboxId", int)
ApiKeyId = NewType("ApiKeyId", int)
WebhookEndpointId = NewType("WebhookEndpointId", int)
WebhookEventId = NewType("WebhookEventId", int)
WebhookDeliveryId = NewType("WebhookDeliveryId", int)

ALPHABET: Final = "23456789ABCDEFGHJKMNPQRSTUVWXYZ"
"""Codes are read over the phone: no 0 O 1 I L."""

LINK_CODE_LENGTH: Final = 5
ORDER_NUMBER_DIGITS: Final = 8
DELIVERY_CODE_DIGITS: Final = 6


def code_from(number: int, length: int) -> str:
    """`length` characters of the alphabet that spell `number` (taken modulo the room there is)."""
    out = []
    for _ in range(length):
        number, digit = divmod(number, len(ALPHABET))
        out.append(ALPHABET[digit])
    return "".join(reversed(out))


def link_code(number: int) -> str:
    """`PL-7K2QD` from any non-negative number."""
    return "PL-" + code_from(number, LINK_CODE_LENGTH)


def checkout_number(number: int) -> str:
    """`TEMP-7K2QD4W8` from any non-negative number."""
    return "TEMP-" + code_from(number, 8)


def order_number(number: int) -> str:
    """Eight digits, the first not zero, for any non-negative number."""
    room = 9 * 10 ** (ORDER_NUMBER_DIGITS - 1)
    return str(10 ** (ORDER_NUMBER_DIGITS - 1) + number % room)


def delivery_code(number: int) -> str:
    """Six digits, kept as text because the first may be zero."""
    return str(number % 10**DELIVERY_CODE_DIGITS).zfill(DELIVERY_CODE_DIGITS)


def read_link_code(text: str) -> str | None:
    """The code in what somebody typed (`pl 7k2qd`, `PL-7K2QD`), or None. Only the alphabet above is read."""
    body = "".join(char for char in text.upper() if char.isalnum())
    body = body.removeprefix("PL") if len(body) == LINK_CODE_LENGTH + 2 else body
    if len(body) != LINK_CODE_LENGTH or any(char not in ALPHABET for char in body):
        return None
    return "PL-" + body


def dial_link(ussd_code: str, code: str) -> str:
    """What opens a link on any phone: `*384*77*5040531#` for PL-7K2QD behind `*384*77#`."""
    return f"{ussd_code.removesuffix('#')}*{link_dial(code)}#"


def link_dial(code: str) -> str:
    """A link's code as digits, which is what a keypad has."""
    number = 0
    for char in code.removeprefix("PL-"):
        number = number * len(ALPHABET) + ALPHABET.index(char)
    return str(number)


def read_link_dial(digits: str) -> str | None:
    """The code behind dialled digits, or None."""
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 9):
        return None
    number = int(digits)
    return link_code(number) if number < len(ALPHABET) ** LINK_CODE_LENGTH else None


def read_digits(text: str, length: int) -> str | None:
    """Digits of any script with spaces, dashes or invisible marks between them, as ASCII; None unless there are exactly `length`."""
    out = []
    for char in text.strip():
        if char.isdecimal():
            out.append(str(int(char)))
        elif char not in " -" and unicodedata.category(char) != "Cf":
            return None
    return "".join(out) if len(out) == length else None
