"""Chargebacks: the buyer's bank takes money back, decides, and keeps it or returns it. The books follow each step, once.

While a bank decides about any part of what an escrow holds, the order stands still. Won, it goes on as it was; lost, with what is left, or it is over
when nothing is. After the release the wallet pays, and what it does not cover the seller owes: it is taken out of the next releases.
"""

from __future__ import annotations

from collections.abc import Sequence
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
from usecases.proof import Mismatch
from usecases.refunds import gateway_account
from usecases.releases import held_of, settle_debt
from usecases.shares import order_paid_by, paid_for
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
    """Money out of the escrow that holds it, the wallet, or what the seller owes us; of the seller's own account it is a memo."""
    order, money = order_paid_by(unit, attempt), notice.money or attempt.money
    if attempt.state is not AttemptState.SUCCEEDED or order is None:
        raise Mismatch(reason="chargeback_without_order", attempt=attempt.id, ref=ref)
    if money.currency != order.total.currency or not 0 < money.amount_minor <= attempt.money.amount_minor:
        raise Mismatch(reason="chargeback_amount", attempt=attempt.id, ref=ref, amount_minor=money.amount_minor, currency=money.currency)
    before = str(order.state) if order.escrow in _HELD else _frozen_at(unit, order) if order.escrow is EscrowState.FROZEN else ""
    source = escrow_of(unit, order, money) if before else None
    source = source or taken_from(unit, attempt, money)
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
        before=before,
        state=ChargebackState.OPEN,
        opened_at=unit.now,
    )
    unit.chargebacks.add(case)
    unit.books.book(booking.chargeback(case.id, source, case.organization_id, gateway_account(attempt), money))
    owes = source.kind is AccountKind.RECEIVABLE
    owed = money - settle_debt(unit, case.organization_id, money.currency, f"chargeback:{case.id}") if owes else money - money
    payment = unit.payments.get(attempt.payment_id)
    if payment.state is not PaymentState.CHARGED_BACK and PAYMENT.move(payment.state, PaymentState.DISPUTED_BY_BANK, Party.GATEWAY):
        unit.payments.save(replace(payment, state=PaymentState.DISPUTED_BY_BANK))
    freezes = order.escrow in _HELD
    if freezes and order.escrow is not None:
        ORDER.move(order.state, OrderState.FROZEN, Party.GATEWAY)
        ESCROW.move(order.escrow, EscrowState.FROZEN, Party.GATEWAY)
        order = save_order(unit, replace(order, state=OrderState.FROZEN, escrow=EscrowState.FROZEN))
    _say(unit, order, case, "chargeback_opened", frozen=freezes, owed_minor=owed.amount_minor)
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


def escrow_of(unit: Unit, order: Order, money: Money) -> LedgerAccount | None:
    """The escrow of an order, when it holds so much."""
    return booking.escrow_account(order.id) if held_of(unit, order).amount_minor >= money.amount_minor else None


def taken_from(unit: Unit, attempt: Attempt, money: Money) -> LedgerAccount:
    """Where money is missing that left through the gateway after the sale: the wallet when it covers it, else what the seller owes us."""
    if attempt.direct:
        return booking.direct_sales(attempt.organization_id)
    wallet = booking.wallet(attempt.organization_id)
    unit.books.hold(wallet, money.currency)
    covered = -unit.books.balance(wallet.name).get(money.currency, 0) >= money.amount_minor
    return wallet if covered else booking.receivable(attempt.organization_id)


def _cases(unit: Unit, order: Order) -> Sequence[Chargeback]:
    return [case for attempt in paid_for(unit, order) for case in unit.chargebacks.of_attempt(attempt.id)]


def _frozen_at(unit: Unit, order: Order) -> str:
    """Where a frozen order stood when the first of the open cases froze it."""
    return next(case.before for case in _cases(unit, order) if case.state is ChargebackState.OPEN and case.before)


def _won(unit: Unit, attempt: Attempt, order: Order, case: Chargeback) -> None:
    kind, _, owner = case.source.partition(":")
    source = LedgerAccount(AccountKind(kind), owner)
    unit.books.book(booking.chargeback_won(case.id, source, case.organization_id, gateway_account(attempt), case.money))
    if source.kind in {AccountKind.WALLET, AccountKind.RECEIVABLE}:
        unit.books.hold(booking.wallet(case.organization_id), case.money.currency)
        settle_debt(unit, case.organization_id, case.money.currency, f"won:{case.id}")
    _move_payment(unit, attempt, _state_of_payment(unit, attempt))
    after = _thaw(unit, order, case)
    goes_on = after.state is not order.state
    _say(unit, after, case, "chargeback_won", to=str(after.state) if goes_on else "")
    if goes_on and after.digital and after.proved:
        hand_over_digital(unit, after)


def _lost(unit: Unit, attempt: Attempt, order: Order, case: Chargeback) -> None:
    _move_payment(unit, attempt, PaymentState.CHARGED_BACK)
    after = _thaw(unit, order, case)
    goes_on = after.state is not order.state
    over = goes_on and after.state is OrderState.VOID
    _say(unit, after, case, "chargeback_lost", frozen=over, to=str(after.state) if goes_on else "")
    if goes_on and not over and after.digital and after.proved:
        hand_over_digital(unit, after)


def _thaw(unit: Unit, order: Order, case: Chargeback) -> Order:
    """When the last open case about it is decided a frozen order goes on where it stood, with what its escrow still holds; without, it is over."""
    others = (other.state for other in _cases(unit, order) if other.before)
    if order.state is not OrderState.FROZEN or not case.before or ChargebackState.OPEN in others:
        return order
    if not held_of(unit, order).amount_minor:
        return _over(unit, order, case)
    before = OrderState(case.before)
    escrow = EscrowState.DISPUTED if before is OrderState.DISPUTED else EscrowState.HELD
    ORDER.move(order.state, before, Party.GATEWAY)
    ESCROW.move(EscrowState.FROZEN, escrow, Party.GATEWAY)
    return save_order(unit, replace(order, state=before, escrow=escrow))


def _over(unit: Unit, order: Order, case: Chargeback) -> Order:
    ORDER.move(order.state, OrderState.VOID, Party.GATEWAY)
    ESCROW.move(EscrowState.FROZEN, EscrowState.CHARGED_BACK, Party.GATEWAY)
    if case.before == OrderState.DISPUTED:
        dispute = open_dispute_of(unit, order)
        DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, Party.GATEWAY)
        unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
    if order.shipped_at is None:
        give_back_to_stock(unit, order.link_id, unit.checkouts.get(order.checkout_id).reserved, Party.GATEWAY)
    return save_order(unit, replace(order, state=OrderState.VOID, escrow=EscrowState.CHARGED_BACK, ended_at=unit.now))


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
    left = {"chargeback_won": OrderState.FROZEN, "chargeback_lost": OrderState.VOID}.get(what)
    part = left is not None and (order.state is left) is (what == "chargeback_won")
    how = "after" if not case.before else "part" if part else ""
    unit.trail.add(subject(order), actor, what, chargeback=case.id, order=order.id, amount_minor=amount, **facts)
    tell_order(unit, order, what, once=str(case.id), amount_minor=amount, how=how, owed_minor=facts.get("owed_minor", 0))
