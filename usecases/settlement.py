"""Settlement: the one place where a gateway's word becomes an order, a held escrow and a booked entry; or a suspense item."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from enum import StrEnum

from domain import booking
from domain.errors import DomainError, NotFound, Refused, Stale
from domain.ids import AttemptId, InboxId, OrderId, RefundId, delivery_code, order_number
from domain.life import (
    ATTEMPT,
    CHECKOUT,
    DISPUTE,
    ESCROW,
    ORDER,
    PAYMENT,
    AttemptState,
    CheckoutState,
    DisputeState,
    EscrowState,
    InboxState,
    LinkState,
    OrderState,
    PaymentState,
)
from domain.link import Link
from domain.money import Money
from domain.order import Order, next_due
from domain.payment import LATE_ACCEPT, PROVE_AFTER, Attempt, Checkout, Gateway, Notice, Outcome, Proof, Reply
from domain.ports import Gateways, Store, Unit
from domain.records import InboxEvent, RawEvent
from domain.rights import CLOCK, Actor, Party
from usecases import payments
from usecases.gateways import credentials_of
from usecases.links import take_from_stock
from usecases.orders import complete_order
from usecases.refunds import ask_refund, gateway_account, record_refund
from usecases.tell import alert, tell_order, tell_person

RETRY_EVENT = timedelta(seconds=30)
MOST_EVENT_TRIES = 20


class Settled(StrEnum):
    """What a provider's event did to the books."""

    PAID = "paid"
    SUSPENSE = "suspense"
    FAILED = "failed"
    NOTED = "noted"
    NOTHING = "nothing"


class Received(StrEnum):
    APPLIED = "applied"
    REPEATED = "repeated"
    STORED = "stored"
    PARKED = "parked"


class Mismatch(Refused):
    """An authentic event that contradicts what we asked for: another reference, a receipt used before."""

    code = "mismatch"


def understand(gateway: Gateway, event: RawEvent) -> Notice:
    """The notice in a stored event. Whose it is, the door read off the address it came to (`attempt_id` or `refund_id` beside the headers).
    Raises Unreadable."""
    notice = gateway.parse(event.kind, event.raw, event.headers)
    attempt_id, refund_id = event.headers.get("attempt_id"), event.headers.get("refund_id")
    return replace(
        notice,
        attempt_id=AttemptId(attempt_id) if attempt_id is not None else notice.attempt_id,
        refund_id=RefundId(refund_id) if refund_id is not None else notice.refund_id,
    )


def receive(unit: Unit, event: RawEvent, event_key: str, notice: Notice | None) -> Received:
    """Store a provider's event and apply it, in one unit. What cannot be applied yet is stored all the same, for the inbox worker.

    `notice` None means that the body could not be understood: it is parked, with an alert, and nothing is lost.
    """
    state, error = InboxState.APPLIED, ""
    if notice is None:
        state, error = InboxState.PARKED, "unreadable"
        alert(unit, "event_unreadable", event_key, gateway=event.gateway, kind=event.kind)
    else:
        try:
            with unit.savepoint():
                if apply_notice(unit, notice) is Settled.NOTHING:
                    state = InboxState.IGNORED
        except Stale:
            raise
        except DomainError as refusal:
            state, error = InboxState.STORED, refusal.code
    added = unit.inbox.add(
        InboxEvent(
            id=InboxId(unit.new_id()),
            gateway=event.gateway,
            event_key=event_key,
            kind=event.kind,
            raw=event.raw,
            headers=event.headers,
            source=event.source,
            received_at=unit.now,
            state=state,
            tries=1,
            act_at=unit.now + RETRY_EVENT if state is InboxState.STORED else None,
            error=error,
        )
    )
    if not added:
        return Received.REPEATED
    return {InboxState.STORED: Received.STORED, InboxState.PARKED: Received.PARKED}.get(state, Received.APPLIED)


def apply_stored(unit: Unit, event: InboxEvent, notice: Notice) -> InboxState:
    """The inbox worker's turn with an event that could not be applied when it came; parked for a person after many tries."""
    error = ""
    try:
        with unit.savepoint():
            state = InboxState.IGNORED if apply_notice(unit, notice) is Settled.NOTHING else InboxState.APPLIED
    except Stale:
        raise
    except DomainError as refusal:
        state, error = InboxState.STORED, refusal.code
        if event.tries + 1 >= MOST_EVENT_TRIES or isinstance(refusal, Mismatch):
            state = InboxState.PARKED
            alert(unit, "event_parked", str(event.id), gateway=event.gateway, error=error)
    wait = unit.now + RETRY_EVENT * min(event.tries + 1, 20)
    unit.inbox.save(replace(event, state=state, tries=event.tries + 1, error=error, act_at=wait if state is InboxState.STORED else None))
    return state


def apply_notice(unit: Unit, notice: Notice) -> Settled:
    """One provider event, understood. Applying it again, or out of order, ends in the same books."""
    if notice.refund_id is not None:
        record_refund(unit, notice.refund_id, Reply(notice.outcome, notice.ref, notice.result))
        return Settled.NOTED
    attempt = _attempt_of(unit, notice)
    if notice.outcome is Outcome.SUCCEEDED:
        return _succeeded(unit, attempt, notice)
    if notice.outcome is Outcome.DECLINED:
        return _declined(unit, attempt, notice)
    if notice.outcome in {Outcome.PENDING, Outcome.UNKNOWN}:
        if attempt.state in {AttemptState.SENDING, AttemptState.PENDING} and attempt.ask_at is None and attempt.ref is not None:
            unit.payments.save_attempt(replace(attempt, ask_at=unit.now))
        return Settled.NOTED
    return Settled.NOTHING


def _attempt_of(unit: Unit, notice: Notice) -> Attempt:
    attempt = None
    if notice.attempt_id is not None:
        attempt = unit.payments.attempt(notice.attempt_id)
    elif notice.ref is not None:
        attempt = unit.payments.attempt_by_ref(notice.gateway, notice.ref)
    if attempt is None:
        raise NotFound(what="attempt")
    if attempt.ref is None and notice.ref is not None:
        return replace(attempt, ref=notice.ref)
    if notice.ref is not None and attempt.ref != notice.ref:
        alert(unit, "event_contradicts", f"{attempt.id}:{notice.ref}", attempt=attempt.id)
        raise Mismatch(attempt=attempt.id)
    return attempt


def _declined(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    """Only a try that is still open ends here: a success already seen is not undone by a late or forged failure, it is asked about."""
    if attempt.state in {AttemptState.SENDING, AttemptState.PENDING}:
        state = AttemptState.CANCELLED if notice.result == "cancelled_by_payer" else AttemptState.FAILED
        payments.end_attempt(unit, attempt, state, notice.result or "unknown", Actor(Party.GATEWAY, attempt.gateway))
        return Settled.FAILED
    if attempt.state is AttemptState.SUCCEEDED and attempt.proved_at is None:
        unit.payments.save_attempt(replace(attempt, ask_at=unit.now))
        return Settled.NOTED
    return Settled.NOTHING


def _succeeded(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    if attempt.state is AttemptState.SUCCEEDED:
        return _again(unit, attempt, notice)
    if attempt.state is AttemptState.CREATED:
        raise Mismatch(attempt=attempt.id, reason="never_sent")
    if notice.receipt is not None:
        other = unit.payments.attempt_by_receipt(attempt.gateway, notice.receipt)
        if other is not None and other.id != attempt.id:
            alert(unit, "receipt_used", notice.receipt, attempt=attempt.id, other=other.id)
            raise Mismatch(attempt=attempt.id, receipt=notice.receipt)
    ATTEMPT.move(attempt.state, AttemptState.SUCCEEDED, Party.GATEWAY)
    proved = notice.proof is Proof.PROOF
    attempt = unit.payments.save_attempt(
        replace(
            attempt,
            state=AttemptState.SUCCEEDED,
            live=False,
            receipt=notice.receipt,
            result=None,
            settled_at=unit.now,
            proved_at=unit.now if proved else None,
            asked=0,
            ask_at=None if proved else unit.now + PROVE_AFTER[0],
        )
    )
    paid = notice.money or attempt.money
    checkout = unit.checkouts.get(attempt.checkout_id)
    why = _misfit(attempt, checkout, notice, paid)
    link = None if why else unit.links.get(checkout.link_id)
    if link is not None and checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}:
        why = _too_late(unit, checkout, link)
    if why or link is None:
        return _suspend(unit, attempt, checkout, paid, why or "unknown")
    _hold(unit, attempt, checkout, link, paid)
    return Settled.PAID


def _again(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    """A success that was seen before: it may bring the receipt, or the proof, that was missing."""
    if attempt.receipt is None and notice.receipt is not None:
        attempt = unit.payments.save_attempt(replace(attempt, receipt=notice.receipt))
    if notice.proof is Proof.PROOF and attempt.proved_at is None:
        prove(unit, attempt, Reply(Outcome.SUCCEEDED))
        return Settled.NOTED
    return Settled.NOTHING


def _misfit(attempt: Attempt, checkout: Checkout, notice: Notice, paid: Money) -> str | None:
    """Authentic is not valid: currency, payee, amount and single use are all checked. Why this money does not fit, or None."""
    if paid.currency != attempt.money.currency:
        return "wrong_currency"
    if notice.payee is not None and attempt.short_code and notice.payee != attempt.short_code:
        return "wrong_payee"
    if paid.amount_minor < attempt.money.amount_minor:
        return "short"
    if checkout.state is CheckoutState.PAID:
        return "double"
    return None


def _too_late(unit: Unit, checkout: Checkout, link: Link) -> str | None:
    """Late money becomes an order if the seller's policy says so, it is not too old and the goods are still there; then they are taken."""
    shop = unit.organizations.get(checkout.organization_id)
    ended = checkout.ended_at or checkout.expires_at
    if shop.late_money != "accept" or unit.now - ended > LATE_ACCEPT or link.state is not LinkState.ACTIVE:
        return "late"
    return None if take_from_stock(unit, link, checkout.quantity, Party.GATEWAY) else "late"


def _suspend(unit: Unit, attempt: Attempt, checkout: Checkout, paid: Money, why: str) -> Settled:
    """Money that fits nothing: kept apart, never kept for good. What is ours to give back goes back by itself once it is proved."""
    unit.books.book(booking.unexpected(attempt.id, attempt.organization_id, gateway_account(attempt), paid))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{checkout.id}", actor, "money_suspended", attempt=attempt.id, amount_minor=paid.amount_minor, why=why)
    if why in {"late", "double", "short"}:
        ask_refund(unit, attempt, paid, why, f"{why}:{attempt.id}", booking.suspense(attempt.id))
    else:
        alert(unit, "money_suspended", str(attempt.id), attempt=attempt.id, why=why, amount_minor=paid.amount_minor, currency=paid.currency)
    tell_person(unit, checkout.buyer_id, "payment_failed", f"{attempt.id}:{why}", checkout=checkout.id, result=f"money_{why}")
    unit.wake("checkout", id=checkout.id)
    return Settled.SUSPENSE


def _hold(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, paid: Money) -> Order:
    """The order is made, its money held, both sides told: one unit."""
    payment = unit.payments.get(attempt.payment_id)
    PAYMENT.move(payment.state, PaymentState.SUCCEEDED, Party.GATEWAY)
    unit.payments.save(replace(payment, state=PaymentState.SUCCEEDED, settled_at=unit.now))
    order = _new_order(unit, attempt, checkout, link)
    CHECKOUT.move(checkout.state, CheckoutState.PAID, Party.GATEWAY)
    unit.checkouts.save(replace(checkout, state=CheckoutState.PAID, order_id=order.id, ended_at=unit.now))
    unit.orders.add(order)
    if attempt.direct:
        unit.books.book(booking.capture_direct(attempt.id, order.organization_id, attempt.gateway, checkout.total))
    else:
        unit.books.book(booking.capture(attempt.id, order.id, order.organization_id, attempt.gateway, checkout.total))
    surplus = paid - checkout.total
    if surplus.amount_minor:
        unit.books.book(booking.unexpected(attempt.id, order.organization_id, gateway_account(attempt), surplus, "surplus"))
        ask_refund(unit, attempt, surplus, "surplus", f"surplus:{attempt.id}", booking.suspense(attempt.id))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{checkout.id}", actor, "order_paid", order=order.id, number=order.number, attempt=attempt.id,
                   amount_minor=checkout.total.amount_minor, currency=checkout.total.currency)  # fmt: skip
    tell_order(unit, order, "order_paid")
    unit.wake("checkout", id=checkout.id)
    if order.digital and order.proved:
        _hand_over_digital(unit, order)
    return order


def _new_order(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link) -> Order:
    order = Order(
        id=OrderId(unit.new_id()),
        number=_fresh_number(unit),
        checkout_id=checkout.id,
        attempt_id=attempt.id,
        organization_id=checkout.organization_id,
        link_id=link.id,
        buyer_id=checkout.buyer_id,
        phone=checkout.phone,
        buyer_name=checkout.name,
        address=checkout.address,
        note=checkout.note,
        language=checkout.language,
        item=link.name,
        quantity=checkout.quantity,
        total=checkout.total,
        state=OrderState.PAID,
        escrow=None if attempt.direct else EscrowState.HELD,
        digital=link.digital_file is not None,
        delivery_code=delivery_code(unit.chance(32)),
        paid_at=unit.now,
        proved=attempt.proved_at is not None,
    )
    if not attempt.direct:
        ESCROW.move(EscrowState.PENDING, EscrowState.HELD, Party.GATEWAY)
    timer = next_due(order)
    return order if timer is None else replace(order, due=timer[0], due_at=timer[1])


def _fresh_number(unit: Unit) -> str:
    number = order_number(unit.chance(62))
    while unit.orders.by_number(number) is not None:
        number = order_number(unit.chance(62))
    return number


def _hand_over_digital(unit: Unit, order: Order) -> None:
    """Digital goods complete by themselves once the payment is proved: the download is the delivery."""
    if order.escrow in {EscrowState.HELD, None}:
        complete_order(unit, order, Actor(Party.CLOCK, "digital"))
        tell_order(unit, unit.orders.get(order.id), "digital_ready", seller=False)


def prove(unit: Unit, attempt: Attempt, reply: Reply) -> None:
    """The gateway's own word on a payment that a callback without proof had told."""
    if attempt.state is not AttemptState.SUCCEEDED or attempt.proved_at is not None or attempt.disproved:
        return
    if reply.outcome is Outcome.SUCCEEDED:
        unit.payments.save_attempt(replace(attempt, proved_at=unit.now, ask_at=None))
        unit.trail.add(f"sale:{attempt.checkout_id}", Actor(Party.GATEWAY, attempt.gateway), "payment_proved", attempt=attempt.id)
        order = unit.orders.of_checkout(attempt.checkout_id)
        if order is not None and order.attempt_id == attempt.id:
            _order_proved(unit, order)
        unit.wake("refunds")
    elif reply.outcome is Outcome.DECLINED:
        _disprove(unit, attempt, reply.result or "unknown")
    else:
        payments.ask_later(unit, attempt)


def _order_proved(unit: Unit, order: Order) -> None:
    proved = unit.orders.save(replace(order, proved=True))
    if proved.digital:
        _hand_over_digital(unit, proved)
    elif proved.release_wanted is not None and proved.escrow is EscrowState.HELD:
        party, _, via = proved.release_wanted.partition("@")
        complete_order(unit, proved, Actor(Party(party.split(":")[0]), via or "job"))


def _disprove(unit: Unit, attempt: Attempt, result: str) -> None:
    """The gateway denies it: the escrow goes to suspense, the order is void, everybody is told, a person looks."""
    unit.payments.save_attempt(replace(attempt, disproved=True, ask_at=None, result=result))
    actor = Actor(Party.GATEWAY, attempt.gateway)
    unit.trail.add(f"sale:{attempt.checkout_id}", actor, "payment_disproved", attempt=attempt.id, result=result)
    alert(unit, "payment_disproved", str(attempt.id), attempt=attempt.id, receipt=attempt.receipt or "", result=result)
    order = unit.orders.of_checkout(attempt.checkout_id)
    if order is None or order.attempt_id != attempt.id or order.state in {OrderState.COMPLETED, OrderState.REFUNDED}:
        return
    ORDER.move(order.state, OrderState.VOID, Party.GATEWAY)
    escrow = order.escrow
    if escrow is not None:
        ESCROW.move(escrow, EscrowState.VOID, Party.GATEWAY)
        unit.books.book(booking.disproved(attempt.id, order.id, order.organization_id, order.total))
        escrow = EscrowState.VOID
    dispute = unit.disputes.of_order(order.id) if order.state is OrderState.DISPUTED else None
    if dispute is not None:
        DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, Party.GATEWAY)
        unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
    void = unit.orders.save(replace(order, state=OrderState.VOID, escrow=escrow, ended_at=unit.now, due=None, due_at=None))
    tell_order(unit, void, "payment_disproved")
    unit.wake("checkout", id=attempt.checkout_id)


def record_fetch(unit: Unit, attempt_id: AttemptId, reply: Reply) -> None:
    """What the gateway said when asked. Its word is proof, for an attempt under way and for one that a callback called paid."""
    attempt = payments.the_attempt(unit, attempt_id)
    if attempt.state is AttemptState.SUCCEEDED:
        prove(unit, attempt, reply)
    elif reply.outcome is Outcome.SUCCEEDED:
        _succeeded(unit, attempt, Notice(attempt.gateway, "", "fetch", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, receipt=reply.receipt))
    elif attempt.state is not AttemptState.PENDING:
        unit.payments.save_attempt(replace(attempt, ask_at=None))
    elif reply.outcome is Outcome.DECLINED:
        state = AttemptState.CANCELLED if reply.result == "cancelled_by_payer" else AttemptState.FAILED
        payments.end_attempt(unit, attempt, state, reply.result or "unknown", Actor(Party.GATEWAY, attempt.gateway))
    elif attempt.ref is None and unit.now - attempt.created_at >= payments.UNATTRIBUTED:
        payments.end_attempt(unit, attempt, AttemptState.EXPIRED, "no_answer", CLOCK)
    else:
        payments.ask_later(unit, attempt)


def read_attempt_call(unit: Unit, attempt_id: AttemptId) -> tuple[Attempt, dict[str, str]]:
    attempt = payments.the_attempt(unit, attempt_id)
    return attempt, credentials_of(unit, attempt.organization_id, attempt.gateway, attempt.direct)


async def ask_gateway(store: Store, gateways: Gateways, attempt_id: AttemptId) -> None:
    """Ask the gateway for its own truth about an attempt, and write down what it says."""
    attempt, credentials = await store.read(read_attempt_call, attempt_id)
    reply = await gateways[attempt.gateway].fetch(attempt, credentials)
    await store.write(record_fetch, attempt_id, reply)
