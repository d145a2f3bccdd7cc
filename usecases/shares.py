"""Whose money an order rests on: one payment, or the shares of a group. What goes back goes to each of them."""

from __future__ import annotations

from collections.abc import Sequence

from domain import booking
from domain.group import parts_of
from domain.ids import AttemptId
from domain.ledger import LedgerAccount
from domain.life import ChargebackState
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt, Refund
from domain.ports import Unit
from usecases.payments import the_attempt
from usecases.refunds import ask_refund


def paid_for(unit: Unit, order: Order) -> Sequence[Attempt]:
    """The payments that were gathered for it, the first one first."""
    if not unit.checkouts.get(order.checkout_id).is_group:
        return [the_attempt(unit, order.attempt_id)]
    shares = unit.checkouts.shares_of(order.checkout_id)
    return [the_attempt(unit, share.paid_by) for share in shares if share.paid_by is not None]


def order_paid_by(unit: Unit, attempt: Attempt) -> Order | None:
    """The order that this money paid for, alone or with others'; None when it went into suspense, or waits for the others."""
    order = unit.orders.of_checkout(attempt.checkout_id)
    if order is not None:
        return order if order.attempt_id == attempt.id else None
    share = unit.checkouts.get(attempt.checkout_id)
    if share.group_id is None or share.paid_by != attempt.id:
        return None
    return unit.orders.of_checkout(share.group_id)


def ask_back(unit: Unit, order: Order, money: Money, reason: str, source: LedgerAccount, without: AttemptId | None = None) -> None:
    """All or part of what is held for an order goes back to whoever paid, each in proportion to what is still held of theirs."""
    paid = [attempt for attempt in paid_for(unit, order) if attempt.id != without]
    if len(paid) == 1 and without is None:
        ask_refund(unit, paid[0], money, reason, f"order:{order.id}", source, order)
        return
    for attempt, part in zip(paid, parts_of(money, [left_of(unit, order, attempt) for attempt in paid]), strict=True):
        if part.amount_minor:
            ask_refund(unit, attempt, part, reason, f"order:{order.id}:{attempt.id}", source, order)


def left_of(unit: Unit, order: Order, attempt: Attempt) -> Money:
    """What the escrow holds of one payer's money: what they paid, less what a bank or a gateway took of it."""
    escrow = booking.escrow_account(order.id).name
    gone = [refund.money for refund in unit.payments.refunds_of(attempt.id) if refund.source == escrow]
    gone += [
        case.money for case in unit.chargebacks.of_attempt(attempt.id) if case.source == escrow and case.state is not ChargebackState.WON
    ]
    return Money(attempt.money.amount_minor - sum(money.amount_minor for money in gone), attempt.money.currency)


def refunds_for(unit: Unit, order: Order) -> Sequence[Refund]:
    """What is on its way back to its payers, or went there."""
    back = [refund for attempt in paid_for(unit, order) for refund in unit.payments.refunds_of(attempt.id)]
    return [refund for refund in back if refund.order_id == order.id]
