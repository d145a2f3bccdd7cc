"""The fake-screenshot shield: what anybody holding the right number may learn of a payment, and how that number is made and read.

An order's check number is its number and five digits derived with a key from its id: `48219377-50216`. Nothing is stored, and an order number alone
tells nobody anything. It has to be told apart at a glance from a delivery code, which releases money: it never travels without the order number.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from domain.ids import ORDER_NUMBER_DIGITS, OrderId, read_digits, read_link_code
from domain.life import EscrowState, OrderState
from domain.money import Money
from domain.order import Order
from domain.tokens import Tokens

CHECK_DIGITS: Final = 5
MOST_TYPED: Final = 64
ASKER_WRONG: Final = ("check_asker", 3_600, 20)
"""Wrong tries of one who asks (a number, a chat, a network address): (name, window in seconds, most)."""

NUMBER_WRONG: Final = ("check_number", 86_400, 10)
"""Wrong tries against one order number, whoever tries, whether there is such an order or not."""


class Standing(StrEnum):
    """What became of a payment, in one word. `CHECKING`: it is there, but the provider itself has not been asked yet."""

    CHECKING = "checking"
    DIRECT = "direct"
    HELD = "held"
    DISPUTED = "disputed"
    RELEASED = "released"
    REFUNDED = "refunded"
    SPLIT = "split"
    NOT_PAID = "not_paid"


class Unanswered(StrEnum):
    """Why nothing is said: `UNKNOWN` is a wrong code and a number that never was alike."""

    UNREADABLE = "unreadable"
    UNKNOWN = "unknown"
    TOO_OFTEN = "too_often"


@dataclass(frozen=True, slots=True)
class PaymentChecked:
    """`link_code` is what it was bought with: whoever sells sees whether it was theirs. No names, no phones, no address."""

    number: str
    standing: Standing
    item: str
    quantity: int
    total: Money
    paid_at: datetime
    ended_at: datetime | None
    link_code: str


@dataclass(frozen=True, slots=True)
class LinkChecked:
    """No more than its public page shows. `why_not` is None while it can be bought."""

    code: str
    name: str
    price: Money
    shop: str
    sales: int
    why_not: str | None


Answer = PaymentChecked | LinkChecked | Unanswered


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody typed: a link's code, or an order's number with its check code."""

    link_code: str = ""
    number: str = ""
    check_code: str = ""

    @property
    def written(self) -> str:
        return self.link_code or f"{self.number}-{self.check_code}"


def check_number(tokens: Tokens, order: Order) -> str:
    """What the buyer and the seller of an order may show: `48219377-50216`."""
    return f"{order.number}-{_codes(tokens, order.id)[0]}"


def fits(tokens: Tokens, order_id: OrderId, typed: str) -> bool:
    """By any key, in constant time."""
    genuine = [hmac.compare_digest(typed, ours) for ours in _codes(tokens, order_id)]
    return any(genuine)


def _codes(tokens: Tokens, order_id: OrderId) -> tuple[str, ...]:
    return tuple(str(int(digest[:16], 16) % 10**CHECK_DIGITS).zfill(CHECK_DIGITS) for digest in tokens.digests(f"check\0{order_id}"))


def read_check(text: str) -> Asked | None:
    """`PL-7K2QD`, or `48219377-50216` in digits of any script with spaces or dashes between them. None for anything else."""
    if len(text) > MOST_TYPED:
        return None
    digits = read_digits(text, ORDER_NUMBER_DIGITS + CHECK_DIGITS)
    if digits is not None:
        return Asked(number=digits[:ORDER_NUMBER_DIGITS], check_code=digits[ORDER_NUMBER_DIGITS:])
    code = read_link_code(text)
    return None if code is None else Asked(link_code=code)


_OVER: Final = {
    EscrowState.PENDING: Standing.NOT_PAID,
    EscrowState.VOID: Standing.NOT_PAID,
    EscrowState.RELEASED: Standing.RELEASED,
    EscrowState.REFUNDED: Standing.REFUNDED,
    EscrowState.SPLIT: Standing.SPLIT,
}


def standing(order: Order) -> Standing:
    """Money that rests on a hint is not called paid: a forged callback could have brought it."""
    if order.state is OrderState.VOID:
        return Standing.NOT_PAID
    if order.state is OrderState.REFUNDED:
        return Standing.REFUNDED
    if order.escrow in _OVER:
        return _OVER[order.escrow]
    if not order.proved:
        return Standing.CHECKING
    if order.escrow is None:
        return Standing.DIRECT
    return Standing.DISPUTED if order.escrow in {EscrowState.DISPUTED, EscrowState.FROZEN} else Standing.HELD
