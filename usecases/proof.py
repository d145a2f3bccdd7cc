"""Proof: the gateway's own word on a payment that a callback without proof had told. Nothing leaves escrow before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain import booking
from domain.errors import Refused
from domain.ids import PersonId
from domain.life import DISPUTE, ESCROW, ORDER, DisputeState, EscrowState, OrderState
from domain.order import Order
from domain.payment import Attempt, Outcome, Reply
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases import payments
from usecases.group import share_lost
from usecases.late import late_denied
from usecases.links import give_back_to_stock
from usecases.orders import complete_order, hand_over_digital, save_order, subject
from usecases.releases import held_of
from usecases.shares import ask_back, left_of, order_paid_by, paid_for
from usecases.tell import alert, tell_order

WENT_BACK: Final = "refunded"
"""What a gateway says when it took the money and gave it all back before it was asked. That is no denial: the event about the refund, which may come
later than the question, books it; until then the payment is not proved, and if it never comes a person looks."""


class Mismatch(Refused):
    """An authentic event that contradicts what we know. Facts: `reason` (event_contradicts, receipt_used, never_sent, no_amount), `attempt`."""

    code = "mismatch"


def check_receipt(unit: Unit, attempt: Attempt, receipt: str | None) -> None:
    """One receipt pays once, and a payment has one receipt. Raises Mismatch."""
    if receipt is None:
        return
    if attempt.receipt is not None and attempt.receipt != receipt:
        raise Mismatch(reason="event_contradicts", attempt=attempt.id, receipt=receipt)
    other = unit.payments.attempt_by_receipt(attempt.gateway, receipt)
    if other is not None and other.id != attempt.id:
        raise Mismatch(reason="receipt_used", attempt=attempt.id, receipt=receipt, other=other.id)


def prove(unit: Unit, attempt: Attempt, reply: Reply) -> None:
    """What the gateway says of a payment that was told to have succeeded. Its first clear word counts; a later one is for a person."""
    if attempt.proved_at is not None or attempt.disproved:
        if attempt.ask_at is not None:
            unit.payments.save_attempt(replace(attempt, ask_at=None))
        if attempt.disproved and reply.outcome is Outcome.SUCCEEDED:
            alert(unit, "disproved_but_paid", str(attempt.id), attempt=attempt.id, receipt=reply.receipt or attempt.receipt or "")
        return
    if reply.outcome is Outcome.SUCCEEDED:
        check_receipt(unit, attempt, reply.receipt)
        unit.payments.save_attempt(replace(attempt, proved_at=unit.now, ask_at=None, receipt=attempt.receipt or reply.receipt))
        unit.trail.add(f"sale:{attempt.checkout_id}", Actor(Party.GATEWAY, attempt.gateway), "payment_proved", attempt=attempt.id)
        order = order_paid_by(unit, attempt)
        if order is not None:
            _order_proved(unit, order)
        unit.wake("refunds")
    elif reply.outcome is Outcome.DECLINED and reply.result != WENT_BACK:
        _disprove(unit, attempt, reply.result or "unknown")
    else:
        payments.ask_later(unit, attempt)


def _order_proved(unit: Unit, order: Order) -> None:
    """Once all that was paid for it is."""
    if any(attempt.proved_at is None for attempt in paid_for(unit, order)):
        return
    proved = unit.orders.save(replace(order, proved=True))
    if proved.digital:
        hand_over_digital(unit, proved)
    elif proved.release_wanted is not None and proved.escrow is EscrowState.HELD:
        complete_order(unit, proved, _actor_named(proved.release_wanted))


def _actor_named(name: str) -> Actor:
    """The actor of `buyer:17@telegram`, as `Actor.name` spells it: the release is in the name of whoever wanted it."""
    who, _, via = name.partition("@")
    party, _, person = who.partition(":")
    return Actor(Party(party), via, PersonId(int(person)) if person else None)


def _disprove(unit: Unit, attempt: Attempt, result: str) -> None:
    """The gateway denies it: the escrow goes to suspense, the order is void, everybody is told, a person looks."""
    unit.payments.save_attempt(replace(attempt, disproved=True, ask_at=None, result=result))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{attempt.checkout_id}", actor, "payment_disproved", attempt=attempt.id, result=result)
    alert(unit, "payment_disproved", str(attempt.id), attempt=attempt.id, receipt=attempt.receipt or "", result=result)
    unit.wake("refunds")
    order = order_paid_by(unit, attempt)
    if order is None:
        late_denied(unit, attempt)
        share_lost(unit, attempt)
    if order is None or order.state in {OrderState.COMPLETED, OrderState.REFUNDED, OrderState.VOID}:
        return
    ORDER.move(order.state, OrderState.VOID, Party.GATEWAY)
    escrow = order.escrow
    if escrow is not None:
        ESCROW.move(escrow, EscrowState.VOID, Party.GATEWAY)
        unit.books.book(booking.disproved(attempt.id, order.id, order.organization_id, left_of(unit, order, attempt)))
        escrow = EscrowState.VOID
        _others_go_back(unit, order, attempt)
    dispute = unit.disputes.of_order(order.id) if order.state is OrderState.DISPUTED else None
    if dispute is not None:
        DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, Party.GATEWAY)
        unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
    if attempt.checkout_id != order.checkout_id:  # the order's own story tells it, where the denial is told of the share
        unit.trail.add(subject(order), actor, "order_void", attempt=attempt.id)
    if order.shipped_at is None:
        give_back_to_stock(unit, order.link_id, unit.checkouts.get(order.checkout_id).reserved, Party.GATEWAY)
    void = save_order(unit, replace(order, state=OrderState.VOID, escrow=escrow, ended_at=unit.now))
    tell_order(unit, void, "payment_disproved")


def _others_go_back(unit: Unit, order: Order, attempt: Attempt) -> None:
    """What the other payers of a group paid: there is no order without the share that never came."""
    rest = held_of(unit, order)
    if rest.amount_minor:
        ask_back(unit, order, rest, "group", booking.escrow_account(order.id), without=attempt.id)
