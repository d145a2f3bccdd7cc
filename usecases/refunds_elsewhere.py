"""Refunds that were not asked for here: somebody gave money back on the gateway's own dashboard. The books and the order follow.

It leaves the escrow while that holds so much, so that nothing is given back twice; after the release the wallet, and what it does not cover is owed.
"""

from __future__ import annotations

from dataclasses import replace

from domain import booking
from domain.errors import Refused
from domain.ids import RefundId
from domain.ledger import AccountKind, LedgerAccount
from domain.life import DISPUTE, ESCROW, ORDER, REFUND, AttemptState, DisputeState, EscrowState, OrderState, RefundState
from domain.order import ENDED, Order
from domain.payment import Attempt, Notice, Outcome, Refund, Reply
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.chargebacks import escrow_of, taken_from
from usecases.group import share_lost, waits_in
from usecases.late import late_went_back
from usecases.links import give_back_to_stock
from usecases.orders import open_dispute_of, save_order, subject
from usecases.proof import Mismatch
from usecases.refunds import ask_refund, gateway_account, record_refund
from usecases.releases import held_of, settle_debt
from usecases.shares import order_paid_by
from usecases.tell import alert, tell_order

_HOLDS = frozenset({EscrowState.HELD, EscrowState.DISPUTED, EscrowState.FROZEN})
AGAIN = "again:"
_UNDER_WAY = frozenset({RefundState.ASKED, RefundState.SENDING, RefundState.PENDING})


class RefundUnderWay(Refused):
    """One of ours has no answer yet, so it cannot be told whether this event is about it: looked at again later."""

    code = "refund_under_way"


def apply_foreign_refund(unit: Unit, attempt: Attempt, notice: Notice) -> bool:
    """A refund that carries no id of ours; True when it changed anything. Raises Mismatch for what contradicts the books."""
    if notice.refund_ref is None:
        return False
    money = notice.money or attempt.money
    ours = unit.payments.refunds_of(attempt.id)
    for refund in ours:
        if refund.ref == notice.refund_ref:
            return _ours_again(unit, attempt, refund, notice)
    waiting = [refund for refund in ours if refund.state in _UNDER_WAY and refund.ref is None]
    if any(refund.money == money for refund in waiting):
        same = next(refund for refund in waiting if refund.money == money)
        record_refund(unit, same.id, Reply(notice.outcome, notice.refund_ref, notice.result))
        return True
    if waiting:
        raise RefundUnderWay(attempt=attempt.id)
    if notice.outcome is not Outcome.SUCCEEDED:
        return False
    left = attempt.money.amount_minor - sum(refund.money.amount_minor for refund in ours if refund.state is not RefundState.FAILED)
    if attempt.state is not AttemptState.SUCCEEDED or money.currency != attempt.money.currency or not 0 < money.amount_minor <= left:
        raise Mismatch(reason="refund_contradicts", attempt=attempt.id, ref=notice.refund_ref, amount_minor=money.amount_minor)
    _book(unit, attempt, notice, notice.refund_ref)
    return True


def _ours_again(unit: Unit, attempt: Attempt, refund: Refund, notice: Notice) -> bool:
    """One of ours, or one that we wrote down before."""
    if refund.state is RefundState.DONE and notice.outcome is Outcome.DECLINED:
        return refund_returned(unit, attempt, refund, notice.result or "unknown")
    before = refund.state
    return record_refund(unit, refund.id, Reply(notice.outcome, notice.refund_ref, notice.result)).state is not before


def refund_returned(unit: Unit, attempt: Attempt, refund: Refund, result: str) -> bool:
    """It was done, and came back from the buyer's bank: the money waits in suspense and is sent once more; then a person looks."""
    if unit.books.booked("refund_returned", f"refund:{refund.id}"):
        return False
    unit.books.book(booking.refund_returned(refund.id, attempt.id, refund.organization_id, gateway_account(refund), refund.money))
    unit.trail.add(subject_of(attempt), Actor(Party.GATEWAY, refund.gateway), "money_came_back", back=refund.id, result=result)
    alert(unit, "refund_failed", f"{refund.id}:returned", refund=refund.id, result=result, receipt=attempt.receipt or "")
    order = unit.orders.get(refund.order_id) if refund.order_id is not None else None
    if order is not None:
        tell_order(unit, order, "refund_delayed", once=f"{refund.id}:returned")
    if not refund.cause.startswith(AGAIN):
        ask_refund(unit, attempt, refund.money, refund.reason, f"{AGAIN}{refund.id}", booking.suspense(attempt.id), order)
    return True


def _book(unit: Unit, attempt: Attempt, notice: Notice, ref: str) -> None:
    order, money, actor = order_paid_by(unit, attempt), notice.money or attempt.money, Actor(Party.GATEWAY, attempt.gateway)
    source = _source(unit, attempt, order, notice)
    refund = Refund(
        id=RefundId(unit.new_id()), attempt_id=attempt.id, organization_id=attempt.organization_id,
        order_id=order.id if order is not None else None, gateway=attempt.gateway, direct=attempt.direct, money=money, reason="elsewhere",
        cause=f"elsewhere:{attempt.gateway}:{ref}", source=source.name, state=RefundState.ASKED, created_at=unit.now, ref=ref, tries=1,
    )  # fmt: skip
    if not unit.payments.add_refund(refund):
        raise Mismatch(reason="event_contradicts", attempt=attempt.id, ref=ref)
    unit.books.book(booking.refund_asked(refund.id, source, refund.organization_id, money))
    unit.trail.add(subject_of(attempt), actor, "refund_asked", refund=refund.id, amount_minor=money.amount_minor, reason="elsewhere")
    alert(unit, "refund_elsewhere", ref, attempt=attempt.id, amount_minor=money.amount_minor, currency=money.currency, source=source.kind)
    if source.kind is AccountKind.RECEIVABLE:
        settle_debt(unit, refund.organization_id, money.currency, f"refund:{refund.id}")
    if order is not None and source.kind is AccountKind.ESCROW:
        _end_order(unit, order, not held_of(unit, order).amount_minor, actor)
    elif order is not None and source.kind is AccountKind.DIRECT_SALES:
        _end_order(unit, order, money == order.total, actor)
    if order is None:
        late_went_back(unit, attempt, money)
        share_lost(unit, attempt)
    REFUND.move(refund.state, RefundState.SENDING, Party.CLOCK)
    unit.payments.save_refund(replace(refund, state=RefundState.SENDING))
    record_refund(unit, refund.id, Reply(Outcome.SUCCEEDED, ref))


def _source(unit: Unit, attempt: Attempt, order: Order | None, notice: Notice) -> LedgerAccount:
    money = notice.money or attempt.money
    if order is None:
        group_id = waits_in(unit, attempt)
        return booking.suspense(attempt.id) if group_id is None else booking.shares_account(group_id)
    held = escrow_of(unit, order, money) if order.escrow in _HOLDS else None
    return held or taken_from(unit, attempt, money)


def _end_order(unit: Unit, order: Order, whole: bool, actor: Actor) -> None:
    """All of it went back: there is nothing left to deliver for. A frozen order ends with its case at the bank."""
    if not whole or order.state in {*ENDED, OrderState.FROZEN}:
        return
    ORDER.move(order.state, OrderState.REFUNDED, Party.GATEWAY)
    if order.state is OrderState.DISPUTED:
        dispute = open_dispute_of(unit, order)
        DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, Party.GATEWAY)
        unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
    escrow = order.escrow
    if escrow is not None:
        ESCROW.move(escrow, EscrowState.REFUNDED, Party.GATEWAY)
        escrow = EscrowState.REFUNDED
    refunded = save_order(unit, replace(order, state=OrderState.REFUNDED, escrow=escrow, ended_at=unit.now))
    if order.shipped_at is None:
        give_back_to_stock(unit, order.link_id, unit.checkouts.get(order.checkout_id).reserved, Party.GATEWAY)
    unit.trail.add(subject(order), actor, "order_refunded", reason="elsewhere", amount_minor=order.total.amount_minor)
    tell_order(unit, refunded, "order_refunded", reason="elsewhere", by=str(Party.GATEWAY))


def subject_of(attempt: Attempt) -> str:
    return f"sale:{attempt.checkout_id}"
