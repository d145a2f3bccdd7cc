"""Chargebacks: the buyer's bank takes money back, decides, and keeps it or returns it. The books follow each step, once."""

from __future__ import annotations

from dataclasses import replace

from domain import booking
from domain.chargeback import Chargeback
from domain.ids import ChargebackId
from domain.ledger import AccountKind, LedgerAccount
from domain.life import (
    CHARGEBACK,
    DISPUTE,
    ESCROW,
    ORDER,
    PAYMENT,
    AttemptState,
    ChargebackState,
    DisputeState,
    EscrowState,
    OrderState,
    PaymentState,
    RefundState,
)
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt, Notice, Outcome
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.links import give_back_to_stock
from usecases.orders import hand_over_digital, open_dispute_of, save_order, subject
from usecases.proof import Mismatch, order_of
from usecases.refunds import gateway_account
from usecases.tell import alert, tell_order

_HELD = frozenset({EscrowState.HELD, EscrowState.DISPUTED})


def apply_chargeback(unit: Unit, attempt: Attempt, notice: Notice) -> bool:
    """What a bank did, in whatever order it is told; True when it changed anything. Raises Mismatch for what contradicts the books."""
    if notice.refund_ref is None or notice.outcome in {Outcome.UNKNOWN, Outcome.NOT_SENT}:
        return False
    case = unit.chargebacks.by_ref(notice.gateway, notice.refund_ref)
    if case is not None and case.attempt_id != attempt.id:
        raise Mismatch(reason="event_contradicts", attempt=attempt.id, ref=notice.refund_ref)
    opened = case is None
    if case is None:
        case = _open(unit, attempt, notice, notice.refund_ref)
    if notice.outcome is Outcome.PENDING:
        return opened
    state = ChargebackState.LOST if notice.outcome is Outcome.SUCCEEDED else ChargebackState.WON
    if case.state is not ChargebackState.OPEN and case.state is not state:
        raise Mismatch(reason="chargeback_reopened", attempt=attempt.id, ref=case.ref)
    if CHARGEBACK.move(case.state, state, Party.GATEWAY) is None:
        return opened
    unit.chargebacks.save(replace(case, state=state, ended_at=unit.now))
    order = unit.orders.get(case.order_id)
    if state is ChargebackState.WON:
        _won(unit, attempt, order, case)
    else:
        _lost(unit, attempt, order, case)
    return True


def _open(unit: Unit, attempt: Attempt, notice: Notice, ref: str) -> Chargeback:
    """Money out of escrow (the order is frozen), the wallet, or what the seller owes us; of the seller's own account it is a memo."""
    order, money = order_of(unit, attempt), notice.money or attempt.money
    if attempt.state is not AttemptState.SUCCEEDED or order is None:
        raise Mismatch(reason="chargeback_without_order", attempt=attempt.id, ref=ref)
    if money.currency != order.total.currency or not 0 < money.amount_minor <= order.total.amount_minor:
        raise Mismatch(reason="chargeback_amount", attempt=attempt.id, ref=ref, amount_minor=money.amount_minor, currency=money.currency)
    frozen = order.escrow in _HELD and money == order.total
    source = booking.escrow_account(order.id) if frozen else taken_from(unit, attempt, money)
    case = Chargeback(
        id=ChargebackId(unit.new_id()),
        attempt_id=attempt.id,
        organization_id=attempt.organization_id,
        order_id=order.id,
        gateway=attempt.gateway,
        direct=attempt.direct,
        ref=ref,
        money=money,
        source=source.name,
        before=str(order.state) if frozen else "",
        state=ChargebackState.OPEN,
        opened_at=unit.now,
    )
    unit.chargebacks.add(case)
    unit.books.book(booking.chargeback(case.id, source, case.organization_id, gateway_account(attempt), money))
    payment = unit.payments.get(attempt.payment_id)
    if PAYMENT.move(payment.state, PaymentState.DISPUTED_BY_BANK, Party.GATEWAY) is not None:
        unit.payments.save(replace(payment, state=PaymentState.DISPUTED_BY_BANK))
    if frozen and order.escrow is not None:
        ORDER.move(order.state, OrderState.FROZEN, Party.GATEWAY)
        ESCROW.move(order.escrow, EscrowState.FROZEN, Party.GATEWAY)
        order = save_order(unit, replace(order, state=OrderState.FROZEN, escrow=EscrowState.FROZEN))
    _say(unit, order, case, "chargeback_opened", frozen=frozen)
    alert(
        unit,
        "chargeback_opened",
        case.ref,
        order=order.number,
        amount_minor=money.amount_minor,
        currency=money.currency,
        gateway=case.gateway,
    )
    return case


def taken_from(unit: Unit, attempt: Attempt, money: Money) -> LedgerAccount:
    """Where money is missing that left through the gateway after the sale: the wallet when it covers it, else what the seller owes us."""
    if attempt.direct:
        return booking.direct_sales(attempt.organization_id)
    wallet = booking.wallet(attempt.organization_id)
    covered = -unit.books.balance(wallet.name).get(money.currency, 0) >= money.amount_minor
    return wallet if covered else booking.receivable(attempt.organization_id)


def _won(unit: Unit, attempt: Attempt, order: Order, case: Chargeback) -> None:
    kind, _, owner = case.source.partition(":")
    source = LedgerAccount(AccountKind(kind), owner)
    unit.books.book(booking.chargeback_won(case.id, source, case.organization_id, gateway_account(attempt), case.money))
    _move_payment(unit, attempt, _state_of_payment(unit, attempt))
    if case.before:
        before = OrderState(case.before)
        escrow = EscrowState.DISPUTED if before is OrderState.DISPUTED else EscrowState.HELD
        ORDER.move(order.state, before, Party.GATEWAY)
        ESCROW.move(EscrowState.FROZEN, escrow, Party.GATEWAY)
        order = save_order(unit, replace(order, state=before, escrow=escrow))
    _say(unit, order, case, "chargeback_won", to=case.before)
    if case.before and order.digital and order.proved:
        hand_over_digital(unit, order)


def _lost(unit: Unit, attempt: Attempt, order: Order, case: Chargeback) -> None:
    _move_payment(unit, attempt, PaymentState.CHARGED_BACK)
    if case.before:
        ORDER.move(order.state, OrderState.VOID, Party.GATEWAY)
        ESCROW.move(EscrowState.FROZEN, EscrowState.CHARGED_BACK, Party.GATEWAY)
        if case.before == OrderState.DISPUTED:
            dispute = open_dispute_of(unit, order)
            DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, Party.GATEWAY)
            unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
        if order.shipped_at is None:
            give_back_to_stock(unit, order.link_id, unit.checkouts.get(order.checkout_id).reserved, Party.GATEWAY)
        order = save_order(unit, replace(order, state=OrderState.VOID, escrow=EscrowState.CHARGED_BACK, ended_at=unit.now))
    _say(unit, order, case, "chargeback_lost", frozen=bool(case.before))


def _move_payment(unit: Unit, attempt: Attempt, state: PaymentState) -> None:
    """Unless another case of the same payment is still open, or was lost."""
    others = {case.state for case in unit.chargebacks.of_attempt(attempt.id)}
    payment = unit.payments.get(attempt.payment_id)
    if ChargebackState.OPEN in others or payment.state is PaymentState.CHARGED_BACK:
        return
    state = PaymentState.CHARGED_BACK if ChargebackState.LOST in others else state
    PAYMENT.move(payment.state, state, Party.GATEWAY)
    unit.payments.save(replace(payment, state=state))


def _state_of_payment(unit: Unit, attempt: Attempt) -> PaymentState:
    """What it was before the bank spoke, by the refunds that were carried out."""
    done = [refund for refund in unit.payments.refunds_of(attempt.id) if refund.state is RefundState.DONE and refund.order_id is not None]
    back = sum(refund.money.amount_minor for refund in done)
    if not back:
        return PaymentState.SUCCEEDED
    return PaymentState.REFUNDED if back >= attempt.money.amount_minor else PaymentState.PARTLY_REFUNDED


def _say(unit: Unit, order: Order, case: Chargeback, what: str, **facts: object) -> None:
    actor, amount = Actor(Party.GATEWAY, case.gateway), case.money.amount_minor
    unit.trail.add(subject(order), actor, what, chargeback=case.id, order=order.id, amount_minor=amount, **facts)
    tell_order(unit, order, what, once=str(case.id), amount_minor=amount)
