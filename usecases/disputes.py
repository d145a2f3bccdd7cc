"""Disputes: opened by the buyer alone, ended by the seller's refund, the buyer's withdrawal, or an admin's decision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from domain import booking
from domain.errors import BadInput, IllegalTransition, NotFound, NotProvedYet
from domain.ids import DisputeId, FileId, OrderId
from domain.life import DISPUTE, ESCROW, ORDER, DisputeState, EscrowState, OrderState
from domain.money import Money
from domain.order import Dispute, Order, Reason, may_dispute
from domain.payment import Ability, check_part
from domain.person import clean_text
from domain.ports import Unit
from domain.rights import Action, Actor, Party
from usecases.orders import complete_order, hand_over_digital, open_dispute_of, refund_order, save_order, subject, the_order
from usecases.payments import the_attempt
from usecases.releases import release_held, still_held
from usecases.shares import ask_back, refunds_for
from usecases.tell import alert, tell_order

MOST_WORDS = 2000
MOST_EVIDENCE = 10


def open_dispute(unit: Unit, actor: Actor, number: str, reason: Reason, words: str, pictures: Sequence[FileId] = ()) -> Dispute:
    """Freeze the escrow and tell the seller. A second call while one is open returns that one."""
    order = the_order(unit, actor, number, Action.OPEN_DISPUTE)
    if order.state is OrderState.DISPUTED:
        return open_dispute_of(unit, order)
    if order.escrow is None or not may_dispute(order, unit.now):
        raise IllegalTransition(life=ORDER.name, source=str(order.state), target=str(OrderState.DISPUTED))
    ORDER.move(order.state, OrderState.DISPUTED, actor.party)
    ESCROW.move(order.escrow, EscrowState.DISPUTED, actor.party)
    dispute = Dispute(
        DisputeId(unit.new_id()), order.id, order.organization_id, reason, clean_text(words, "words", MOST_WORDS),
        _own_files(unit, actor, order, pictures), DisputeState.OPEN, unit.now,
    )  # fmt: skip
    unit.disputes.add(dispute)
    disputed = save_order(
        unit, replace(order, state=OrderState.DISPUTED, escrow=EscrowState.DISPUTED, before_dispute=order.state, release_wanted=None)
    )
    unit.trail.add(subject(order), actor, "dispute_opened", reason=str(reason), pictures=len(pictures), was=str(order.state))
    tell_order(unit, disputed, "dispute_opened", actor=actor, once=str(dispute.id), reason=str(reason))
    alert(unit, "dispute_opened", str(dispute.id), order=order.number)
    return dispute


def evidence_name(order_id: OrderId) -> str:
    """What a picture that came with a tracking token is called: it belongs to that order and to nobody's other one."""
    return f"evidence:{order_id}"


def _own_files(unit: Unit, actor: Actor, order: Order, pictures: Sequence[FileId]) -> tuple[FileId, ...]:
    if len(pictures) > MOST_EVIDENCE:
        raise BadInput("pictures", "too_many", limit=MOST_EVIDENCE)
    for picture in pictures:
        file = unit.files.get(picture)
        by_token = actor.order_id == order.id and file.name == evidence_name(order.id)
        if not by_token and (actor.person_id is None or file.person_id != actor.person_id):
            raise NotFound(what="file")
    return tuple(pictures)


def add_evidence(unit: Unit, actor: Actor, number: str, words: str, pictures: Sequence[FileId] = ()) -> Dispute:
    """The buyer adds words or pictures to the open dispute."""
    order = the_order(unit, actor, number, Action.OPEN_DISPUTE)
    dispute = open_dispute_of(unit, order)
    more = clean_text(words, "words", MOST_WORDS)
    joined = clean_text(f"{dispute.words}\n{more}" if more else dispute.words, "words", 2 * MOST_WORDS)
    fresh = _own_files(unit, actor, order, [picture for picture in pictures if picture not in dispute.pictures])
    if len(dispute.pictures) + len(fresh) > MOST_EVIDENCE:
        raise BadInput("pictures", "too_many", limit=MOST_EVIDENCE)
    kept = (*dispute.pictures, *fresh)
    unit.trail.add(subject(order), actor, "evidence_added", pictures=len(pictures))
    return unit.disputes.save(replace(dispute, words=joined, pictures=kept))


def withdraw_dispute(unit: Unit, actor: Actor, number: str) -> Order:
    """The buyer takes it back: the order and its escrow return to where they were."""
    order = the_order(unit, actor, number, Action.OPEN_DISPUTE)
    if order.state is not OrderState.DISPUTED:
        return order
    dispute = open_dispute_of(unit, order)
    back = order.before_dispute or OrderState.PAID
    DISPUTE.move(dispute.state, DisputeState.WITHDRAWN, actor.party)
    ORDER.move(order.state, back, actor.party)
    ESCROW.move(EscrowState.DISPUTED, EscrowState.HELD, actor.party)
    unit.disputes.save(replace(dispute, state=DisputeState.WITHDRAWN, ended_at=unit.now))
    restored = save_order(unit, replace(order, state=back, escrow=EscrowState.HELD, before_dispute=None))
    unit.trail.add(subject(order), actor, "dispute_withdrawn")
    if restored.digital and restored.proved:
        hand_over_digital(unit, restored)
        restored = unit.orders.get(order.id)
    tell_order(unit, restored, "dispute_withdrawn", actor=actor, once=str(dispute.id))
    return restored


def refund_dispute(unit: Unit, actor: Actor, number: str) -> Order:
    """The seller gives the money back."""
    order = the_order(unit, actor, number, Action.SETTLE_DISPUTE)
    if order.state is OrderState.REFUNDED:
        return order
    if order.state is not OrderState.DISPUTED:
        raise IllegalTransition(life=ORDER.name, source=str(order.state), target=str(OrderState.REFUNDED))
    _end(unit, order, actor, DisputeState.SETTLED)
    return refund_order(unit, order, actor, "dispute")


def resolve_dispute(
    unit: Unit, actor: Actor, number: str, decision: str, refund: Money | None = None, abilities: Mapping[str, Ability] | None = None
) -> Order:
    """An admin decides: `release`, `refund`, or `split` with the part that goes back. The same decision again does nothing.

    With `abilities` a part that the gateway of the payment cannot give back is refused before anything is decided.
    """
    if actor.party is not Party.ADMIN:
        raise NotFound(what="order")
    order = the_order(unit, actor, number, Action.SETTLE_DISPUTE)
    if decision not in _LEADS_TO:
        raise BadInput("decision", "unknown", options=sorted(_LEADS_TO))
    if order.state is not OrderState.DISPUTED:
        if _decided_so(unit, order, decision, refund):
            return order
        raise IllegalTransition(life=ORDER.name, source=str(order.state), target=decision)
    if decision == "split":
        if refund is not None and abilities is not None:
            check_part(abilities[the_attempt(unit, order.attempt_id).gateway], refund)
        return _split(unit, order, actor, refund)
    _end(unit, order, actor, DisputeState.DECIDED)
    return complete_order(unit, order, actor) if decision == "release" else refund_order(unit, order, actor, "decided")


_LEADS_TO = {"release": EscrowState.RELEASED, "refund": EscrowState.REFUNDED, "split": EscrowState.SPLIT}


def _decided_so(unit: Unit, order: Order, decision: str, refund: Money | None) -> bool:
    """Whether this very decision was made before."""
    dispute = unit.disputes.of_order(order.id)
    if dispute is None or dispute.state is not DisputeState.DECIDED or order.escrow is not _LEADS_TO[decision]:
        return False
    if decision != "split":
        return True
    asked = sum(known.money.amount_minor for known in refunds_for(unit, order) if known.reason == "decided")
    return refund == Money(asked, order.total.currency)


def _end(unit: Unit, order: Order, actor: Actor, state: DisputeState) -> None:
    dispute = open_dispute_of(unit, order)
    DISPUTE.move(dispute.state, state, actor.party)
    unit.disputes.save(replace(dispute, state=state, ended_at=unit.now))
    unit.trail.add(subject(order), actor, f"dispute_{str(state).lower()}")


def _split(unit: Unit, order: Order, actor: Actor, refund: Money | None) -> Order:
    """Part back to the buyer, the rest to the wallet minus its fee; the parts add up to what was held."""
    held = still_held(unit, order)
    if refund is None or refund.currency != held.currency or not 0 < refund.amount_minor < held.amount_minor:
        raise BadInput("refund", "not_a_part", limit=held.amount_minor)
    if not order.proved:
        raise NotProvedYet(order=order.number)
    ORDER.move(order.state, OrderState.COMPLETED, actor.party)
    ESCROW.move(EscrowState.DISPUTED, EscrowState.SPLIT, actor.party)
    _end(unit, order, actor, DisputeState.DECIDED)
    kept = held - refund
    fee, owed = release_held(unit, order, kept)
    ask_back(unit, order, refund, "decided", booking.escrow_account(order.id))
    done = save_order(unit, replace(order, state=OrderState.COMPLETED, escrow=EscrowState.SPLIT, ended_at=unit.now))
    parts: dict[str, Any] = {"refund_minor": refund.amount_minor, "kept_minor": kept.amount_minor, "owed_minor": owed.amount_minor}
    unit.trail.add(subject(order), actor, "order_split", fee_minor=fee.amount_minor, **parts)
    tell_order(unit, done, "dispute_decided", **parts)
    return done
