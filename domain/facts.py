"""What the outbox may tell, to whom it matters, and how urgent it is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Urgency(IntEnum):
    """Lower goes first: money before news."""

    MONEY = 0
    WORK = 3
    NEWS = 6


@dataclass(frozen=True, slots=True)
class Fact:
    """`card` facts also refresh the receiver's order card in place."""

    name: str
    urgency: Urgency
    card: bool = True


_ALL: Final = (
    Fact("order_paid", Urgency.MONEY),
    Fact("order_accepted", Urgency.NEWS),
    Fact("order_shipped", Urgency.WORK),
    Fact("order_delivered", Urgency.WORK),
    Fact("order_completed", Urgency.MONEY),
    Fact("order_refunded", Urgency.MONEY),
    Fact("dispute_opened", Urgency.MONEY),
    Fact("dispute_withdrawn", Urgency.WORK),
    Fact("dispute_decided", Urgency.MONEY),
    Fact("dispute_unanswered", Urgency.WORK),
    Fact("payment_disproved", Urgency.MONEY),
    Fact("chargeback_opened", Urgency.MONEY),
    Fact("chargeback_won", Urgency.MONEY),
    Fact("chargeback_lost", Urgency.MONEY),
    Fact("pay_page", Urgency.MONEY, card=False),
    Fact("payment_failed", Urgency.MONEY, card=False),
    Fact("money_returned", Urgency.MONEY, card=False),
    Fact("share_paid", Urgency.MONEY, card=False),
    Fact("group_full", Urgency.MONEY, card=False),
    Fact("group_ended", Urgency.MONEY, card=False),
    Fact("late_money", Urgency.MONEY, card=False),
    Fact("late_waits", Urgency.MONEY, card=False),
    Fact("late_over", Urgency.MONEY, card=False),
    Fact("refund_done", Urgency.MONEY),
    Fact("refund_delayed", Urgency.MONEY),
    Fact("remind_ship", Urgency.WORK),
    Fact("offer_cancel", Urgency.WORK),
    Fact("ask_arrived", Urgency.WORK),
    Fact("warn_release", Urgency.WORK),
    Fact("digital_ready", Urgency.MONEY),
    Fact("alert", Urgency.MONEY, card=False),
    Fact("link_made", Urgency.WORK, card=False),
    Fact("screen", Urgency.MONEY, card=False),
    Fact("carry", Urgency.MONEY, card=False),
    Fact("joined", Urgency.MONEY, card=False),
    Fact("account_changed", Urgency.MONEY, card=False),
    Fact("webhook_off", Urgency.WORK, card=False),
    Fact("mail_code", Urgency.MONEY, card=False),
)

FACTS: Final[dict[str, Fact]] = {fact.name: fact for fact in _ALL}
