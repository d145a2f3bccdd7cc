"""Refunds: asked in the unit that decides them, carried out by the gateway that took the money, followed to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from domain import booking
from domain.errors import NotFound
from domain.ids import RefundId
from domain.ledger import LedgerAccount
from domain.life import PAYMENT, REFUND, PaymentState, RefundState
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt, Outcome, Refund, Reply
from domain.ports import Gateways, Store, Unit
from domain.rights import CLOCK, Actor, Party
from domain.tokens import Purpose
from usecases.gateways import credentials_of
from usecases.payments import the_attempt
from usecases.tell import alert, tell_order, tell_person

WAIT_FOR_PROOF = timedelta(seconds=30)
STUCK_AFTER = timedelta(hours=1)
LOOK_AGAIN = timedelta(hours=1)
WAIT_FOR_RESULT = timedelta(minutes=10)
TRY_AGAIN = (timedelta(seconds=10), timedelta(minutes=1), timedelta(minutes=5), timedelta(minutes=30))
MOST_TRIES = 12
"""A refund that could not be handed over so often goes to a person."""

BY_HAND = "by_hand"
"""The result of a refund that its gateway cannot make: a person makes it in the provider's own portal, and says so here."""


def gateway_account(refund_or_attempt: Refund | Attempt) -> LedgerAccount:
    """The gateway account money leaves from: ours, or the organization's own (a memo)."""
    if refund_or_attempt.direct:
        return booking.direct_clearing(refund_or_attempt.organization_id, refund_or_attempt.gateway)
    return booking.clearing(refund_or_attempt.gateway)


def ask_refund(
    unit: Unit, attempt: Attempt, money: Money, reason: str, cause: str, source: LedgerAccount, order: Order | None = None
) -> Refund | None:
    """Book the money out of `source` into transit and queue the refund. None when this cause was refunded before."""
    refund = Refund(
        id=RefundId(unit.new_id()),
        attempt_id=attempt.id,
        organization_id=attempt.organization_id,
        order_id=order.id if order is not None else None,
        gateway=attempt.gateway,
        direct=attempt.direct,
        money=money,
        reason=reason,
        cause=cause,
        source=source.name,
        state=RefundState.ASKED,
        created_at=unit.now,
        act_at=unit.now,
    )
    if not unit.payments.add_refund(refund):
        return None
    unit.books.book(booking.refund_asked(refund.id, source, refund.organization_id, money))
    unit.trail.add(f"sale:{attempt.checkout_id}", CLOCK, "refund_asked", refund=refund.id, amount_minor=money.amount_minor, reason=reason)
    unit.wake("refunds")
    return refund


@dataclass(frozen=True, slots=True)
class RefundCall:
    """Everything the gateway needs, read and marked in one unit before the call."""

    refund: Refund
    receipt: str
    credentials: Mapping[str, str]
    token: str


def begin_refund(unit: Unit, refund_id: RefundId, repeatable: bool) -> RefundCall | None:
    """Mark a due refund as being sent, or decide what else its time has come for. None when there is nothing to call.

    `repeatable`: the provider itself refuses to refund the same receipt whole a second time, so that a lost answer may be asked for by
    sending again; without that guard a refund whose answer was lost goes to a person.
    """
    refund = unit.payments.refund(refund_id)
    if refund is None or refund.act_at is None or refund.act_at > unit.now:
        return None
    attempt = the_attempt(unit, refund.attempt_id)
    if refund.state in {RefundState.SENDING, RefundState.PENDING}:
        if not repeatable or refund.money != attempt.money or refund.tries >= MOST_TRIES:
            _ask_a_person(unit, refund, attempt, "refund_without_answer")
            return None
        REFUND.move(refund.state, RefundState.ASKED, Party.CLOCK)
        refund = replace(refund, state=RefundState.ASKED)
    if attempt.disproved:
        _fail(unit, refund, attempt, "disproved", Party.GATEWAY)
        return None
    if attempt.proved_at is None or attempt.receipt is None:
        _put_off(unit, refund, "refund_without_proof" if attempt.proved_at is None else "refund_without_receipt")
        return None
    try:
        credentials = credentials_of(unit, refund.organization_id, refund.gateway, refund.direct)
    except NotFound:
        _put_off(unit, refund, "refund_without_credentials")
        return None
    REFUND.move(refund.state, RefundState.SENDING, Party.CLOCK)
    sending = unit.payments.save_refund(
        replace(refund, state=RefundState.SENDING, tries=refund.tries + 1, act_at=unit.now + WAIT_FOR_RESULT)
    )
    token = unit.tokens.make(Purpose.REFUND, refund.id)
    return RefundCall(sending, attempt.receipt, credentials, token)


def _put_off(unit: Unit, refund: Refund, why: str) -> None:
    """It cannot be sent yet. After a while a person is told, for nothing else may bring what is missing."""
    stuck = unit.now - refund.created_at >= STUCK_AFTER
    unit.payments.save_refund(replace(refund, act_at=unit.now + (LOOK_AGAIN if stuck else WAIT_FOR_PROOF)))
    if stuck:
        alert(unit, why, str(refund.id), refund=refund.id, amount_minor=refund.money.amount_minor)


def _ask_a_person(unit: Unit, refund: Refund, attempt: Attempt, what: str) -> Refund:
    """No answer came: never sent again blindly. It stays in transit until a person, or a late result, says what happened."""
    REFUND.move(refund.state, RefundState.PENDING, Party.CLOCK)
    waiting = unit.payments.save_refund(replace(refund, state=RefundState.PENDING, act_at=None, result=refund.result or "unknown"))
    facts = {"refund": refund.id, "receipt": attempt.receipt or "", "ref": attempt.ref or "", "amount_minor": refund.money.amount_minor}
    alert(unit, what, str(refund.id), currency=refund.money.currency, **facts)
    if refund.order_id is not None:
        tell_order(unit, unit.orders.get(refund.order_id), "refund_delayed", once=str(refund.id))
    return waiting


def record_refund(unit: Unit, refund_id: RefundId, reply: Reply) -> Refund:
    """What the gateway said, at once or in a later result. Repeating it changes nothing."""
    refund = read_refund(unit, refund_id)
    attempt = the_attempt(unit, refund.attempt_id)
    if refund.state is RefundState.DONE:
        return refund
    if reply.outcome is Outcome.SUCCEEDED:
        return _done(unit, refund, attempt, reply)
    if refund.state is RefundState.FAILED or refund.state is RefundState.ASKED:
        return refund
    if reply.outcome is Outcome.DECLINED:
        return _fail(unit, refund, attempt, reply.result or "unknown", Party.GATEWAY)
    if reply.outcome is Outcome.PENDING and reply.result == BY_HAND:
        return _ask_a_person(unit, replace(refund, result=BY_HAND), attempt, "refund_by_hand")
    if reply.outcome is Outcome.NOT_SENT and refund.tries < MOST_TRIES:
        wait = max(TRY_AGAIN[min(refund.tries - 1, len(TRY_AGAIN) - 1)], timedelta(seconds=reply.retry_after_s or 0))
        REFUND.move(refund.state, RefundState.ASKED, Party.CLOCK)
        return unit.payments.save_refund(replace(refund, state=RefundState.ASKED, act_at=unit.now + wait, result=reply.result))
    REFUND.move(refund.state, RefundState.PENDING, Party.GATEWAY)
    return unit.payments.save_refund(
        replace(refund, state=RefundState.PENDING, ref=reply.ref or refund.ref, result=reply.result, act_at=unit.now + WAIT_FOR_RESULT)
    )


def _done(unit: Unit, refund: Refund, attempt: Attempt, reply: Reply) -> Refund:
    if refund.state is RefundState.FAILED:
        unit.books.book(
            booking.refund_asked(refund.id, booking.suspense(attempt.id), refund.organization_id, refund.money, refund.tries + 1)
        )
    if refund.state is RefundState.ASKED:
        REFUND.move(refund.state, RefundState.SENDING, Party.CLOCK)
        refund = replace(refund, state=RefundState.SENDING)
    REFUND.move(refund.state, RefundState.DONE, Party.GATEWAY)
    done = unit.payments.save_refund(
        replace(refund, state=RefundState.DONE, done_at=unit.now, act_at=None, ref=reply.ref or refund.ref, result=reply.result)
    )
    unit.books.book(booking.refund_confirmed(refund.id, refund.organization_id, gateway_account(refund), refund.money))
    unit.trail.add(f"sale:{attempt.checkout_id}", Actor(Party.GATEWAY, refund.gateway), "refund_done", refund=refund.id)
    if refund.is_of_price:
        _mark_payment(unit, attempt)
    checkout = unit.checkouts.get(attempt.checkout_id)
    if refund.order_id is not None and checkout.group_id is None:
        tell_order(unit, unit.orders.get(refund.order_id), "refund_done", once=str(refund.id), amount_minor=refund.money.amount_minor)
    else:
        tell_person(unit, checkout.buyer_id, "money_returned", str(refund.id), reason=refund.reason, amount_minor=refund.money.amount_minor,
                    currency=refund.money.currency, receipt=attempt.receipt or "", method=str(unit.payments.get(attempt.payment_id).method))  # fmt: skip
    unit.wake("checkout", id=attempt.checkout_id)
    return done


def _mark_payment(unit: Unit, attempt: Attempt) -> None:
    payment = unit.payments.get(attempt.payment_id)
    if payment.state in {PaymentState.DISPUTED_BY_BANK, PaymentState.CHARGED_BACK}:
        return
    done = [refund for refund in unit.payments.refunds_of(attempt.id) if refund.state is RefundState.DONE and refund.is_of_price]
    back = sum(refund.money.amount_minor for refund in done)
    state = PaymentState.REFUNDED if back >= payment.money.amount_minor else PaymentState.PARTLY_REFUNDED
    if PAYMENT.move(payment.state, state, Party.GATEWAY) is not None:
        unit.payments.save(replace(payment, state=state))


def _fail(unit: Unit, refund: Refund, attempt: Attempt, result: str, by: Party) -> Refund:
    """The gateway refused: the money waits in suspense, and a person is asked to look."""
    if refund.state is RefundState.ASKED:  # refused before it was sent: that counts as a try, so that each failure is booked by itself
        REFUND.move(refund.state, RefundState.SENDING, Party.CLOCK)
        refund = replace(refund, state=RefundState.SENDING, tries=refund.tries + 1)
    REFUND.move(refund.state, RefundState.FAILED, by)
    failed = unit.payments.save_refund(replace(refund, state=RefundState.FAILED, act_at=None, result=result))
    unit.books.book(booking.refund_failed(refund.id, booking.suspense(attempt.id), refund.organization_id, refund.money, refund.tries))
    unit.trail.add(f"sale:{attempt.checkout_id}", Actor(by, refund.gateway), "refund_failed", refund=refund.id, result=result)
    alert(unit, "refund_failed", f"{refund.id}:{refund.tries}", refund=refund.id, result=result, receipt=attempt.receipt or "")
    if refund.order_id is not None:
        tell_order(unit, unit.orders.get(refund.order_id), "refund_delayed", once=f"{refund.id}:{refund.tries}")
    return failed


def retry_refund(unit: Unit, actor: Actor, refund_id: RefundId) -> Refund:
    """An admin sends a failed refund again, or one whose answer never came after looking at the gateway's own portal."""
    refund = unit.payments.refund(refund_id)
    if refund is None or actor.party is not Party.ADMIN:
        raise NotFound(what="refund")
    if REFUND.move(refund.state, RefundState.ASKED, Party.ADMIN) is None:
        return refund
    if refund.state is RefundState.FAILED:
        source = booking.suspense(refund.attempt_id)
        unit.books.book(booking.refund_asked(refund.id, source, refund.organization_id, refund.money, refund.tries + 1))
    unit.trail.add(f"refund:{refund.id}", actor, "retried", was=str(refund.state))
    unit.wake("refunds")
    return unit.payments.save_refund(replace(refund, state=RefundState.ASKED, act_at=unit.now, result=None))


def confirm_refund_by_hand(unit: Unit, actor: Actor, refund_id: RefundId, ref: str = "") -> Refund:
    """An admin saw in the gateway's portal that the money went back, or gave it back there; `ref` is what the portal calls it."""
    if actor.party is not Party.ADMIN:
        raise NotFound(what="refund")
    unit.trail.add(f"refund:{refund_id}", actor, "confirmed_by_hand", ref=ref)
    return record_refund(unit, refund_id, Reply(Outcome.SUCCEEDED, ref or None, BY_HAND))


def read_refund(unit: Unit, refund_id: RefundId) -> Refund:
    refund = unit.payments.refund(refund_id)
    if refund is None:
        raise NotFound(what="refund")
    return refund


async def send_refund(store: Store, gateways: Gateways, refund_id: RefundId) -> None:
    """Unit, call, unit."""
    refund = await store.read(read_refund, refund_id)
    gateway = gateways[refund.gateway]
    call = await store.write(begin_refund, refund_id, gateway.ability.repeatable_refunds)
    if call is None:
        return
    reply = await gateway.refund(call.refund, call.receipt, call.credentials, call.token)
    await store.write(record_refund, refund_id, reply)
