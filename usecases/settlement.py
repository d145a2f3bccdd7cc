"""Settlement: the one place where a gateway's word becomes an order, a held escrow and a booked entry; or a suspense item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from domain.by_hand import StrayId
from domain.errors import DomainError, NotFound, Refused, Stale
from domain.ids import AttemptId, InboxId, OrganizationId, RefundId
from domain.life import ATTEMPT, AttemptState, InboxState
from domain.payment import PROVE_AFTER, About, Attempt, Gateway, Notice, Outcome, Proof, Reply
from domain.ports import ExpectedEvent, Gateways, Store, Unit, expecting
from domain.records import InboxEvent, RawEvent
from domain.rights import CLOCK, Actor, Party
from usecases import payments
from usecases.chargebacks import apply_chargeback
from usecases.escrow import take_in
from usecases.gateways import PLATFORM, credentials_of
from usecases.proof import Mismatch, check_receipt, prove
from usecases.refunds import record_refund
from usecases.refunds_elsewhere import apply_foreign_refund
from usecases.strays import counted_by_hand, record_return
from usecases.tell import alert

RETRY_EVENT = timedelta(seconds=30)
MOST_EVENT_TRIES = 20


class Settled(StrEnum):
    """What a provider's event did to the books."""

    PAID = "paid"
    SUSPENSE = "suspense"
    FAILED = "failed"
    NOTED = "noted"
    NOTHING = "nothing"


class NotPaidYet(Refused):
    """Money went out of a payment that has not been told of: events overtake one another, so it is looked at again later."""

    code = "not_paid_yet"


class Received(StrEnum):
    APPLIED = "applied"
    REPEATED = "repeated"
    STORED = "stored"
    PARKED = "parked"


def understand(gateway: Gateway, event: RawEvent) -> Notice:
    """The notice in a stored event. Whose it is, the door read off the address it came to (`attempt_id`, `refund_id` and `owner` beside the
    headers). Raises Unreadable."""
    notice = gateway.parse(event.kind, event.raw, event.headers)
    attempt_id, refund_id, owner = (event.headers.get(name) for name in ("attempt_id", "refund_id", "owner"))
    return replace(
        notice,
        owner=OrganizationId(owner) if owner is not None else notice.owner,
        attempt_id=AttemptId(attempt_id) if attempt_id is not None else notice.attempt_id,
        refund_id=RefundId(refund_id) if refund_id is not None else notice.refund_id,
    )


def _expected(event: RawEvent, event_key: str, notice: Notice | None) -> ExpectedEvent | None:
    if notice is None or notice.attempt_id is None:
        return None
    return ExpectedEvent(event.gateway, event_key, notice.attempt_id, notice.ref, notice.receipt)


@expecting(_expected)
def receive(unit: Unit, event: RawEvent, event_key: str, notice: Notice | None) -> Received:
    """Store a provider's event and apply it, in one unit. What cannot be applied yet is stored all the same, for the inbox worker.

    `notice` None means that the body could not be understood: it is parked, with an alert, and nothing is lost. What has been applied before
    does nothing; the same body at another address is looked at again, so that nobody can keep the truth out by telling it first.
    """
    known = unit.inbox.by_key(event.gateway, event_key)
    if known is not None and known.state in {InboxState.APPLIED, InboxState.IGNORED} and _owner(known.headers) == _owner(event.headers):
        return Received.REPEATED
    if notice is None:
        state, error = InboxState.PARKED, "unreadable"
        alert(unit, "event_unreadable", event_key, gateway=event.gateway, kind=event.kind)
    else:
        state, error = _try(unit, notice)
    if known is not None:
        return Received.REPEATED
    act_at = unit.now + RETRY_EVENT if state is InboxState.STORED else None
    unit.inbox.keep(event.kept(InboxId(unit.new_id()), event_key, unit.now, state, tries=1, act_at=act_at, error=error))
    return {InboxState.STORED: Received.STORED, InboxState.PARKED: Received.PARKED}.get(state, Received.APPLIED)


def _owner(headers: Mapping[str, Any]) -> tuple[Any, Any]:
    """Whose event it is, as the door read it off the address."""
    return headers.get("attempt_id"), headers.get("refund_id")


def _try(unit: Unit, notice: Notice) -> tuple[InboxState, str]:
    """Apply a notice whole or not at all. One that contradicts the books is parked for a person at once, another refusal is tried again."""
    try:
        with unit.savepoint():
            settled = apply_notice(unit, notice)
    except Stale:
        raise
    except Mismatch as refusal:
        alert(unit, str(refusal.facts["reason"]), notice.event_key, **{**refusal.facts, "gateway": notice.gateway})
        return InboxState.PARKED, refusal.code
    except DomainError as refusal:
        return InboxState.STORED, refusal.code
    return (InboxState.IGNORED if settled is Settled.NOTHING else InboxState.APPLIED), ""


def apply_stored(unit: Unit, event: InboxEvent, notice: Notice) -> InboxState:
    """The inbox worker's turn with an event that could not be applied when it came; parked for a person after many tries."""
    state, error = _try(unit, notice)
    if state is InboxState.STORED and event.tries + 1 >= MOST_EVENT_TRIES:
        state = InboxState.PARKED
        alert(unit, "event_parked", str(event.id), gateway=event.gateway, error=error)
    wait = unit.now + RETRY_EVENT * min(event.tries + 1, 20)
    unit.inbox.save(replace(event, state=state, tries=event.tries + 1, error=error, act_at=wait if state is InboxState.STORED else None))
    return state


def apply_notice(unit: Unit, notice: Notice) -> Settled:
    """One provider event, understood. Applying it again, or out of order, ends in the same books."""
    if notice.refund_id is not None:
        return _refunded(unit, notice, notice.refund_id)
    if notice.about is not About.PAYMENT:
        return _went_out(unit, notice)
    try:
        attempt = _attempt_of(unit, notice)
    except NotFound:
        if notice.outcome is Outcome.UNKNOWN:  # an event of theirs that is about no payment of ours
            return Settled.NOTHING
        raise
    if notice.outcome is Outcome.SUCCEEDED:
        return _succeeded(unit, attempt, notice)
    if notice.outcome is Outcome.DECLINED:
        return _declined(unit, attempt, notice)
    if notice.outcome in {Outcome.PENDING, Outcome.UNKNOWN}:
        open_try = attempt.state in {AttemptState.SENDING, AttemptState.PENDING} and attempt.ref is not None
        if open_try and (attempt.ask_at is None or (attempt.url is not None and attempt.ask_at > unit.now)):
            unit.payments.save_attempt(replace(attempt, ask_at=unit.now))
        return Settled.NOTED
    return Settled.NOTHING


def _refunded(unit: Unit, notice: Notice, refund_id: RefundId) -> Settled:
    """A refund that the event itself, or its address, says is ours."""
    refund = unit.payments.refund(refund_id)
    ref = notice.refund_ref if notice.about is About.REFUND else notice.ref
    reply = Reply(notice.outcome, ref, notice.result)
    if refund is None and notice.owner is None and record_return(unit, StrayId(refund_id), reply) is not None:
        return Settled.NOTED
    if refund is None and notice.about is About.REFUND and notice.owner is not None:
        return _went_out(unit, notice)  # ours, and lost with what a backup did not hold: the money has gone all the same
    if refund is not None:
        _check_owner(notice, payments.the_attempt(unit, refund.attempt_id))
    record_refund(unit, refund_id, reply)
    return Settled.NOTED


def _went_out(unit: Unit, notice: Notice) -> Settled:
    """Money that left again: a chargeback, or a refund that does not say whose it is."""
    if notice.outcome is Outcome.UNKNOWN:
        return Settled.NOTHING
    attempt = _paid_attempt(unit, notice)
    if attempt.state is not AttemptState.SUCCEEDED:
        raise NotPaidYet(attempt=attempt.id)
    changed = apply_chargeback(unit, attempt, notice) if notice.about is About.CHARGEBACK else apply_foreign_refund(unit, attempt, notice)
    return Settled.NOTED if changed else Settled.NOTHING


def _paid_attempt(unit: Unit, notice: Notice) -> Attempt:
    """Whose money went out: by our own id, by what `start` replied, or by the receipt."""
    attempt = unit.payments.attempt(notice.attempt_id) if notice.attempt_id is not None else None
    if attempt is None and notice.ref is not None:
        attempt = unit.payments.attempt_by_ref(notice.gateway, notice.ref)
    if attempt is None and notice.receipt is not None:
        attempt = unit.payments.attempt_by_receipt(notice.gateway, notice.receipt)
    if attempt is None:
        raise NotFound(what="attempt")
    _check_owner(notice, attempt)
    return attempt


def _check_owner(notice: Notice, attempt: Attempt) -> None:
    """An account speaks of its own payments only: whoever holds the secrets of one cannot settle those of another. Raises Mismatch."""
    owner = attempt.organization_id if attempt.direct else PLATFORM
    if attempt.gateway != notice.gateway or (notice.owner is not None and notice.owner != owner):
        raise Mismatch(reason="event_of_another_account", attempt=attempt.id)


def _attempt_of(unit: Unit, notice: Notice) -> Attempt:
    by_ref = unit.payments.attempt_by_ref(notice.gateway, notice.ref) if notice.ref is not None else None
    attempt = unit.payments.attempt(notice.attempt_id) if notice.attempt_id is not None else by_ref
    if attempt is None:
        raise NotFound(what="attempt")
    _check_owner(notice, attempt)
    if notice.ref is None or attempt.ref == notice.ref:
        return attempt
    if attempt.ref is not None or by_ref is not None:
        raise Mismatch(reason="event_contradicts", attempt=attempt.id, ref=notice.ref)
    return replace(attempt, ref=notice.ref)


def _declined(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    """Only a try that is still open ends here: a success already seen is not undone by a late or forged failure, it is asked about."""
    if attempt.state in {AttemptState.SENDING, AttemptState.PENDING}:
        state = AttemptState.CANCELLED if notice.result == "cancelled_by_payer" else AttemptState.FAILED
        payments.end_attempt(unit, attempt, state, notice.result or "unknown", Actor(Party.GATEWAY, attempt.gateway))
        return Settled.FAILED
    if attempt.state is AttemptState.SUCCEEDED and attempt.proved_at is None and not attempt.disproved:
        unit.payments.save_attempt(replace(attempt, ask_at=unit.now))
        return Settled.NOTED
    return Settled.NOTHING


def _succeeded(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    if counted_by_hand(unit, attempt, notice.receipt):
        return Settled.NOTHING
    check_receipt(unit, attempt, notice.receipt)
    paid = notice.money or attempt.money
    if paid.amount_minor <= 0:
        raise Mismatch(reason="no_amount", attempt=attempt.id, amount_minor=paid.amount_minor)
    if attempt.state is AttemptState.SUCCEEDED:
        return _again(unit, attempt, notice)
    if attempt.state is AttemptState.CREATED:
        raise Mismatch(reason="never_sent", attempt=attempt.id)
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
    return Settled.PAID if take_in(unit, attempt, notice, paid) else Settled.SUSPENSE


def _again(unit: Unit, attempt: Attempt, notice: Notice) -> Settled:
    """A success that was seen before: it may bring the receipt, or the proof, that was missing."""
    if attempt.receipt is None and notice.receipt is not None:
        attempt = unit.payments.save_attempt(replace(attempt, receipt=notice.receipt))
    if notice.proof is Proof.PROOF and attempt.proved_at is None:
        prove(unit, attempt, Reply(Outcome.SUCCEEDED))
        return Settled.NOTED
    return Settled.NOTHING


def record_fetch(unit: Unit, attempt_id: AttemptId, reply: Reply) -> None:
    """What the gateway said when asked. Its word is proof, for an attempt under way and for one that a callback called paid."""
    attempt = payments.the_attempt(unit, attempt_id)
    try:
        with unit.savepoint():
            _fetched(unit, attempt, reply)
    except Mismatch as refusal:
        alert(unit, str(refusal.facts["reason"]), f"fetch:{attempt.id}", **{**refusal.facts, "gateway": attempt.gateway})
        payments.ask_later(unit, attempt)


def _fetched(unit: Unit, attempt: Attempt, reply: Reply) -> None:
    if attempt.state is AttemptState.SUCCEEDED:
        prove(unit, attempt, reply)
    elif reply.outcome is Outcome.SUCCEEDED:
        _succeeded(unit, attempt, Notice(attempt.gateway, "", "fetch", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, receipt=reply.receipt))
    elif attempt.state is not AttemptState.PENDING:
        unit.payments.save_attempt(replace(attempt, ask_at=None))
    elif reply.outcome is Outcome.DECLINED:
        state = AttemptState.CANCELLED if reply.result == "cancelled_by_payer" else AttemptState.FAILED
        payments.end_attempt(unit, attempt, state, reply.result or "unknown", Actor(Party.GATEWAY, attempt.gateway))
    elif attempt.ref is None and attempt.url is None and unit.now - attempt.created_at >= payments.UNATTRIBUTED:
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
