"""Orders: worked on by the seller, confirmed by the buyer, watched by the clock. Release and refund of their escrow."""

from __future__ import annotations

import hmac
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain import booking
from domain.errors import BadInput, IllegalTransition, LimitReached, NotFound, NotProvedYet
from domain.ids import DELIVERY_CODE_DIGITS, OrderId, PersonId, read_digits
from domain.life import ESCROW, ORDER, DisputeState, EscrowState, OrderState
from domain.money import Money
from domain.order import MOST_CODE_TRIES, Dispute, Due, Order, next_due
from domain.person import clean_text
from domain.ports import Unit
from domain.rights import CLOCK, Action, Actor, Party, require
from usecases.links import give_back_to_stock
from usecases.releases import held_of, left_of, release_held, still_held
from usecases.shares import ask_back
from usecases.tell import tell_order

MOST_COURIER = 60
MOST_TRACKING = 60
_NOT_CANCELLED = frozenset({OrderState.DISPUTED, OrderState.SHIPPED, OrderState.DELIVERED})
HELD_BACK = timedelta(hours=1)
"""A release that may not happen yet (money-out frozen, payment not proved) is looked at again after this."""


class Confirmed(StrEnum):
    """What a confirmation led to: RELEASED now, WAITING until the gateway has agreed to the payment, WRONG for a code that is not the buyer's."""

    RELEASED = "released"
    WAITING = "waiting"
    ALREADY = "already"
    WRONG = "wrong"


def subject(order: Order) -> str:
    return f"sale:{order.checkout_id}"


def the_order(unit: Unit, actor: Actor, number: str, action: Action) -> Order:
    """The order, if this actor may do this with it. Anything else is answered like an order that does not exist."""
    require(actor.party, action)
    order = unit.orders.by_number(number)
    if order is None or not _concerns(order, actor):
        raise NotFound(what="order")
    return order


def _concerns(order: Order, actor: Actor) -> bool:
    if actor.party in {Party.ADMIN, Party.CLOCK}:
        return True
    if actor.party is Party.ARBITER:
        return order.state is OrderState.DISPUTED
    if actor.party is Party.BUYER:
        return actor.order_id == order.id or (actor.person_id is not None and order.buyer_id == actor.person_id)
    return actor.organization_id == order.organization_id


def save_order(unit: Unit, order: Order) -> Order:
    """Save with its next timer, derived from what the order now is."""
    dispute = unit.disputes.of_order(order.id) if order.state is OrderState.DISPUTED else None
    timer = next_due(order, dispute)
    saved = unit.orders.save(replace(order, due=timer[0] if timer else None, due_at=timer[1] if timer else None))
    unit.wake("order", id=order.id)
    unit.wake("checkout", id=order.checkout_id)
    return saved


def open_dispute_of(unit: Unit, order: Order) -> Dispute:
    """Raises NotFound when none is open."""
    dispute = unit.disputes.of_order(order.id)
    if dispute is None or dispute.state not in {DisputeState.OPEN, DisputeState.ANSWERED}:
        raise NotFound(what="dispute")
    return dispute


def _advance(unit: Unit, actor: Actor, number: str, target: OrderState, **changes: object) -> Order:
    order = the_order(unit, actor, number, Action.WORK_ON_ORDER)
    if ORDER.move(order.state, target, actor.party) is None:
        return order
    moved = save_order(unit, replace(order, state=target, **changes))  # type: ignore[arg-type]
    unit.trail.add(subject(order), actor, f"order_{str(target).lower()}", was=str(order.state))
    tell_order(unit, moved, f"order_{str(target).lower()}", actor=actor)
    return moved


def accept_order(unit: Unit, actor: Actor, number: str) -> Order:
    return _advance(unit, actor, number, OrderState.ACCEPTED, accepted_at=unit.now)


def ship_order(unit: Unit, actor: Actor, number: str, courier: str = "", tracking: str = "") -> Order:
    """On its way; the courier and its tracking number are optional words."""
    return _advance(
        unit, actor, number, OrderState.SHIPPED, shipped_at=unit.now,
        courier=clean_text(courier, "courier", MOST_COURIER), tracking=clean_text(tracking, "tracking", MOST_TRACKING),
    )  # fmt: skip


def mark_delivered(unit: Unit, actor: Actor, number: str) -> Order:
    """The seller says it arrived: the buyer is asked to confirm, and the seven days begin."""
    order = the_order(unit, actor, number, Action.WORK_ON_ORDER)
    return _advance(unit, actor, number, OrderState.DELIVERED, shipped_at=order.shipped_at or unit.now, delivered_at=unit.now)


def confirm_delivery(unit: Unit, actor: Actor, number: str) -> Confirmed:
    """The buyer has the goods: release. Repeating it is a success that does nothing."""
    order = the_order(unit, actor, number, Action.CONFIRM_DELIVERY)
    return confirm(unit, actor, order)


def confirm(unit: Unit, actor: Actor, order: Order) -> Confirmed:
    if order.state is OrderState.COMPLETED:
        return Confirmed.ALREADY
    _can_be_confirmed(order, actor)
    if not order.proved and order.escrow is not None:
        if order.release_wanted is None:
            save_order(unit, replace(order, release_wanted=actor.name))
            unit.trail.add(subject(order), actor, "release_wanted")
        return Confirmed.WAITING
    complete_order(unit, order, actor)
    return Confirmed.RELEASED


def _can_be_confirmed(order: Order, actor: Actor) -> None:
    """A disputed order ends with its dispute (usecases/disputes.py), whoever it is that confirms."""
    if order.state is OrderState.DISPUTED:
        raise IllegalTransition(life=ORDER.name, source=str(order.state), target=str(OrderState.COMPLETED))
    ORDER.move(order.state, OrderState.COMPLETED, actor.party)


def confirm_by_code(unit: Unit, actor: Actor, number: str, typed: str) -> Confirmed:
    """The seller enters the code that only the buyer had: it counts as the buyer's confirmation.

    A wrong try is counted, so it is an answer (WRONG) and not an error. Raises LimitReached after five of them.
    """
    return _confirm_by_code(unit, actor, the_order(unit, actor, number, Action.WORK_ON_ORDER), typed)


def confirm_by_own_code(unit: Unit, actor: Actor, number: str, typed: str) -> Confirmed:
    """The buyer enters it, where nothing else says who they are (docs/decisions/0013-what-an-sms-may-do.md). Tries are counted with the seller's."""
    return _confirm_by_code(unit, actor, the_order(unit, actor, number, Action.CONFIRM_DELIVERY), typed)


def _confirm_by_code(unit: Unit, actor: Actor, order: Order, typed: str) -> Confirmed:
    if order.state is OrderState.COMPLETED:
        return Confirmed.ALREADY
    if order.code_tries >= MOST_CODE_TRIES:
        raise LimitReached(limit="delivery_code", retry_at=None)
    code = read_digits(typed, DELIVERY_CODE_DIGITS)
    if code is None:
        raise BadInput("code", "not_a_code", limit=DELIVERY_CODE_DIGITS)
    buyer = Actor(Party.BUYER, f"code.{actor.via}", order.buyer_id)
    _can_be_confirmed(order, buyer)
    if hmac.compare_digest(code, order.delivery_code):
        unit.trail.add(subject(order), actor, "code_entered")
        return confirm(unit, buyer, order)
    save_order(unit, replace(order, code_tries=order.code_tries + 1))
    unit.trail.add(subject(order), actor, "code_wrong", tries=order.code_tries + 1)
    return Confirmed.WRONG


def complete_order(unit: Unit, order: Order, actor: Actor) -> Order:
    """Release: escrow to wallet, minus the fee and what the seller owes, in one unit; both told; audited.

    Raises NotProvedYet for money that rests on a hint.
    """
    ORDER.move(order.state, OrderState.COMPLETED, actor.party)
    escrow, held, fee, owed = order.escrow, order.total, Money(0, order.total.currency), Money(0, order.total.currency)
    if escrow is not None:
        if not order.proved:
            raise NotProvedYet(order=order.number)
        ESCROW.move(escrow, EscrowState.RELEASED, actor.party)
        held = still_held(unit, order)
        fee, owed = release_held(unit, order, held)
        escrow = EscrowState.RELEASED
    done = save_order(
        unit, replace(order, state=OrderState.COMPLETED, escrow=escrow, ended_at=unit.now, delivered_at=order.delivered_at or unit.now)
    )
    minor: dict[str, Any] = {"amount_minor": held.amount_minor, "fee_minor": fee.amount_minor, "owed_minor": owed.amount_minor}
    unit.trail.add(subject(order), actor, "order_completed", **minor)
    tell_order(unit, done, "order_completed", by=str(actor.party), **minor)
    return done


def hand_over_digital(unit: Unit, order: Order) -> None:
    """Digital goods complete by themselves once the payment is proved: the download is the delivery. A disputed or ended order does not."""
    if ORDER.can(order.state, OrderState.COMPLETED, Party.CLOCK):
        complete_order(unit, order, Actor(Party.CLOCK, "digital"))
        tell_order(unit, unit.orders.get(order.id), "digital_ready", seller=False)


def cancel_order(unit: Unit, actor: Actor, number: str) -> Order:
    """Before shipping: by the buyer or a leader of the seller. The whole amount goes back through the gateway that took it."""
    order = the_order(unit, actor, number, Action.CANCEL_WITH_REFUND)
    if order.state is OrderState.REFUNDED:
        return order
    if order.state in _NOT_CANCELLED:  # a dispute ends by itself (usecases/disputes.py); what is on its way is not called back
        raise IllegalTransition(life=ORDER.name, source=str(order.state), target=str(OrderState.REFUNDED))
    return refund_order(unit, order, actor, "cancelled")


def refund_order(unit: Unit, order: Order, actor: Actor, reason: str) -> Order:
    """All that the escrow holds back to the buyer. The refund itself is carried out by the worker and followed to its end."""
    ORDER.move(order.state, OrderState.REFUNDED, actor.party)
    escrow = order.escrow
    if escrow is not None:
        ESCROW.move(escrow, EscrowState.REFUNDED, actor.party)
        source, escrow, held = booking.escrow_account(order.id), EscrowState.REFUNDED, held_of(unit, order)
    else:
        source, held = booking.direct_sales(order.organization_id), left_of(unit, order)
    if held.amount_minor:  # of what was paid to the seller, a bank may have taken all of it back already
        ask_back(unit, order, held, reason, source)
    refunded = save_order(unit, replace(order, state=OrderState.REFUNDED, escrow=escrow, ended_at=unit.now))
    if order.shipped_at is None:
        checkout = unit.checkouts.get(order.checkout_id)
        give_back_to_stock(unit, order.link_id, checkout.reserved, Party.CLOCK)
    unit.trail.add(subject(order), actor, "order_refunded", reason=reason, amount_minor=held.amount_minor)
    tell_order(unit, refunded, "order_refunded", actor=actor, reason=reason, by=str(actor.party), amount_minor=held.amount_minor)
    return refunded


def follow_order(unit: Unit, order_id: OrderId, person_id: PersonId) -> Order:
    """Bind a guest's order to the person who came with its secret token. An order that has a buyer stays theirs."""
    order = unit.orders.get(order_id)
    if order.buyer_id == person_id:
        return order
    if order.buyer_id is not None:
        raise NotFound(what="order")
    bound = save_order(unit, replace(order, buyer_id=person_id))
    unit.trail.add(subject(order), Actor(Party.BUYER, "telegram", person_id), "followed")
    return bound


_WARNS = {Due.REMIND_SHIP_1: "remind_ship", Due.REMIND_SHIP_2: "remind_ship", Due.OFFER_CANCEL: "offer_cancel", Due.ASK_ARRIVED: "ask_arrived",
          Due.WARN_RELEASE_1: "warn_release", Due.WARN_RELEASE_2: "warn_release"}  # fmt: skip
_TELLS_ONLY_SELLER = {Due.REMIND_SHIP_1, Due.REMIND_SHIP_2}
_TELLS_ONLY_BUYER = {Due.OFFER_CANCEL, Due.ASK_ARRIVED, Due.WARN_RELEASE_1, Due.WARN_RELEASE_2}


def run_order_timer(unit: Unit, order_id: OrderId) -> Due | None:
    """What the clock is due to do with an order, once; None when nothing is due (any more)."""
    order = unit.orders.get(order_id)
    if order.due is None or order.due_at is None or order.due_at >= unit.now:
        return None
    order, due = _skip_overtaken(order, order.due, unit.now)
    if due is Due.RELEASE:
        return _auto_release(unit, order)
    if due is Due.REFUND_UNSHIPPED:
        refund_order(unit, order, CLOCK, "never_shipped")
    elif due is Due.TAKE_AS_DELIVERED:
        ORDER.move(order.state, OrderState.DELIVERED, Party.CLOCK)
        moved = save_order(unit, replace(order, state=OrderState.DELIVERED, delivered_at=unit.now, last_due=due, last_due_at=unit.now))
        unit.trail.add(subject(order), CLOCK, "order_delivered", was=str(order.state))
        tell_order(unit, moved, "order_delivered", by="clock")
    elif due is Due.DISPUTE_UNANSWERED:
        _dispute_unanswered(unit, order)
    else:
        warned = save_order(unit, replace(order, last_due=due, last_due_at=unit.now))
        tell_order(unit, warned, _WARNS[due], once=str(due), buyer=due not in _TELLS_ONLY_SELLER, seller=due not in _TELLS_ONLY_BUYER)
    return due


def _skip_overtaken(order: Order, due: Due, now: datetime) -> tuple[Order, Due]:
    """After an outage several reminders may be overdue: only the latest is given. The final act never comes sooner than a day after it."""
    while True:
        after = next_due(replace(order, last_due=due, last_due_at=now))
        if order.state is OrderState.DISPUTED or after is None or after[0] is due or after[1] >= now:
            return order, due
        due = after[0]
        order = replace(order, due=due, due_at=after[1])


def _auto_release(unit: Unit, order: Order) -> Due | None:
    if unit.organizations.get(order.organization_id).frozen or (order.escrow is not None and not order.proved):
        unit.orders.save(replace(order, due_at=unit.now + HELD_BACK))
        return None
    complete_order(unit, order, CLOCK)
    return Due.RELEASE


def _dispute_unanswered(unit: Unit, order: Order) -> None:
    dispute = open_dispute_of(unit, order)
    unit.disputes.save(replace(dispute, unanswered=True))
    told = save_order(unit, order)
    unit.trail.add(subject(order), CLOCK, "dispute_unanswered")
    tell_order(unit, told, "dispute_unanswered")
