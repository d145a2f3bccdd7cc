"""Late money that waits for the seller: asked once, decided once, by whoever of them comes first, by the desk, or by the clock.

Taking it is `usecases/escrow.py`; here it is kept apart, given back, or found never to have been there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from domain import booking
from domain.errors import NotFound
from domain.ids import ORDER_NUMBER_DIGITS, PersonId, order_number
from domain.late import DECIDE_WITHIN, LATE, Late, LateId, LateState, late_choices
from domain.life import LinkState
from domain.link import Link
from domain.money import Money
from domain.payment import Attempt, Checkout
from domain.ports import Unit
from domain.rights import CLOCK, MEMBERS, Action, Actor, Party, require
from usecases.events import publish_late, publish_payment
from usecases.naming import LOOKED_THROUGH
from usecases.payments import the_attempt
from usecases.people import member_actor
from usecases.refunds import ask_refund
from usecases.tell import alert, tell_members, tell_person

_LATE = "late"
REST = timedelta(hours=1)


def ask_seller(unit: Unit, attempt: Attempt, checkout: Checkout, link: Link, paid: Money) -> None:
    """The money is in suspense: every member is asked, and the buyer hears by when."""
    late = Late(
        id=LateId(unit.new_id()),
        number=order_number(unit.chance(62)),  # one that is taken is refused by its unique key, and the unit runs again with another
        attempt_id=attempt.id,
        checkout_id=checkout.id,
        organization_id=checkout.organization_id,
        money=paid,
        state=LateState.WAITING,
        created_at=unit.now,
        decide_by=unit.now + DECIDE_WITHIN,
    )
    unit.late.add(late)
    unit.trail.add(f"sale:{checkout.id}", Actor(Party.GATEWAY, attempt.gateway), "late_waits", late=late.id, number=late.number)
    facts: dict[str, Any] = {
        "number": late.number,
        "item": link.name,
        "amount_minor": paid.amount_minor,
        "currency": paid.currency,
        "when": _told(late),
    }
    tell_members(unit, late.organization_id, "late_money", str(late.id), name=checkout.name, **facts)
    shop = unit.organizations.get(late.organization_id).name
    tell_person(unit, checkout.buyer_id, "late_waits", str(late.id), checkout=checkout.id, shop=shop, **facts)
    publish_late(unit, late, checkout, attempt)
    unit.wake("checkout", id=checkout.id)


def _told(late: Late) -> str:
    """An instant as the outbox keeps it."""
    return late.decide_by.isoformat()


def the_late(unit: Unit, actor: Actor, number: str) -> Late:
    """Late money, if this actor may see it: a member of the shop, or the desk. Anything else is answered like what does not exist."""
    late = unit.late.by_number(number)
    theirs = late is not None and (actor.party is Party.ADMIN or (actor.party in MEMBERS and actor.organization_id == late.organization_id))
    if late is None or not theirs:
        raise NotFound(what="late")
    return late


def refund_late(unit: Unit, actor: Actor, number: str) -> Late:
    """It goes back, whole. Done already is a success that does nothing. Raises IllegalTransition for what became an order."""
    late = the_late(unit, actor, number)
    if LATE.move(late.state, LateState.REFUNDED, actor.party) is None:
        return late
    return _give_back(unit, late, actor, late.money)


def run_late_timer(unit: Unit, late_id: LateId) -> bool:
    """Nobody decided in time: it goes back. False when there is nothing to do (any more)."""
    late = unit.late.get(late_id)
    if late.state is not LateState.WAITING or late.decide_by >= unit.now:
        return False
    LATE.move(late.state, LateState.REFUNDED, Party.CLOCK)
    _give_back(unit, late, CLOCK, late.money)
    return True


def _give_back(unit: Unit, late: Late, actor: Actor, money: Money) -> Late:
    attempt, checkout = the_attempt(unit, late.attempt_id), unit.checkouts.get(late.checkout_id)
    ended = end_late(unit, late, LateState.REFUNDED, actor)
    ask_refund(unit, attempt, money, _LATE, f"{_LATE}:{attempt.id}", booking.suspense(attempt.id))
    tell_person(unit, checkout.buyer_id, "payment_failed", f"{attempt.id}:{_LATE}", checkout=checkout.id, result="money_late",
                method=_method(unit, attempt))  # fmt: skip
    _tell_over(unit, ended, checkout, actor)
    publish_payment(unit, checkout, attempt, "payment_failed", "money_late")
    return ended


def _method(unit: Unit, attempt: Attempt) -> str:
    return str(unit.payments.get(attempt.payment_id).method)


def end_late(unit: Unit, late: Late, state: LateState, actor: Actor) -> Late:
    """Decided, once: the save is refused to whoever comes second."""
    ended = unit.late.save(replace(late, state=state, ended_by=actor.name, ended_at=unit.now))
    unit.trail.add(f"sale:{late.checkout_id}", actor, f"late_{state.lower()}", late=late.id, amount_minor=late.money.amount_minor)
    unit.wake("checkout", id=late.checkout_id)
    return ended


def _tell_over(unit: Unit, late: Late, checkout: Checkout, actor: Actor) -> None:
    """The members who did not decide it hear that nothing is to be done any more."""
    tell_members(
        unit, late.organization_id, "late_over", str(late.id), but=actor.person_id, number=late.number, state=str(late.state),
        by=str(actor.party), name=checkout.name, amount_minor=late.money.amount_minor, currency=late.money.currency,
    )  # fmt: skip


def late_denied(unit: Unit, attempt: Attempt) -> None:
    """The gateway says that the money never came: there is nothing to decide, and whoever looks at the alert has the rest."""
    late = unit.late.of_attempt(attempt.id)
    if late is None or late.state is not LateState.WAITING:
        return
    LATE.move(late.state, LateState.VOID, Party.GATEWAY)
    actor, checkout = Actor(Party.GATEWAY, attempt.gateway), unit.checkouts.get(late.checkout_id)
    ended = end_late(unit, late, LateState.VOID, actor)
    tell_person(unit, checkout.buyer_id, "payment_failed", f"{attempt.id}:disproved", checkout=checkout.id, result="disproved",
                method=_method(unit, attempt))  # fmt: skip
    _tell_over(unit, ended, checkout, actor)


def late_went_back(unit: Unit, attempt: Attempt, money: Money) -> None:
    """Somebody gave it back on the gateway's own dashboard: that was the decision, and what is left of it goes the same way."""
    late = unit.late.of_attempt(attempt.id)
    if late is None or late.state is not LateState.WAITING:
        return
    LATE.move(late.state, LateState.REFUNDED, Party.GATEWAY)
    actor, checkout = Actor(Party.GATEWAY, attempt.gateway), unit.checkouts.get(late.checkout_id)
    left = late.money - money
    if left.amount_minor > 0:
        _give_back(unit, late, actor, left)
        return
    _tell_over(unit, end_late(unit, late, LateState.REFUNDED, actor), checkout, actor)


@dataclass(frozen=True, slots=True)
class LateView:
    """Late money as a member sees it. `choices` is what they may make of it; `gone` that its goods cannot be had at the moment."""

    late: Late
    item: str
    quantity: int
    name: str
    address: str
    choices: tuple[LateState, ...]
    gone: bool
    order_number: str | None


def late_actor(unit: Unit, person_id: PersonId, number: str, via: str) -> Actor:
    """As whom a person meets late money: a member of the shop it came for. Raises NotFound for everybody else."""
    late = unit.late.by_number(number)
    if late is None:
        raise NotFound(what="late")
    return member_actor(unit, person_id, late.organization_id, via)


def named_late(unit: Unit, person_id: PersonId, digits: str) -> Sequence[Late]:
    """What waits for a decision in their shops and ends in these digits; by its whole number also what was decided."""
    if len(digits) == ORDER_NUMBER_DIGITS:
        late = unit.late.by_number(digits)
        theirs = late is not None and unit.organizations.party_of(person_id, late.organization_id) is not None
        return [late] if late is not None and theirs else []
    shops = unit.organizations.of_person(person_id)
    return [late for shop in shops for late in unit.late.waiting(shop.id, LOOKED_THROUGH) if late.number.endswith(digits)]


def late_view(unit: Unit, actor: Actor, number: str) -> LateView:
    return _view(unit, the_late(unit, actor, number), actor.party)


def late_list(unit: Unit, actor: Actor, limit: int) -> Sequence[LateView]:
    """What waits for the shop's decision, the most pressing first."""
    require(actor.party, Action.WORK_ON_ORDER)
    if actor.organization_id is None:
        raise NotFound(what="organization")
    return [_view(unit, late, actor.party) for late in unit.late.waiting(actor.organization_id, limit)]


def _view(unit: Unit, late: Late, party: Party) -> LateView:
    checkout = unit.checkouts.get(late.checkout_id)
    link = unit.links.get(checkout.link_id)
    order = unit.orders.of_checkout(late.checkout_id) if late.state is LateState.ACCEPTED else None
    gone = link.state is not LinkState.ACTIVE or (link.stock is not None and link.stock < checkout.quantity)
    return LateView(
        late,
        link.name,
        checkout.quantity,
        checkout.name,
        checkout.address,
        late_choices(late, party),
        gone,
        order.number if order is not None else None,
    )


def due_late(unit: Unit, limit: int) -> Sequence[LateId]:
    return unit.late.due(unit.now, limit)


def rest_late(unit: Unit, late_id: LateId, error: str) -> None:
    """A timer that fails is put aside for an hour and a person is told; the sweep goes on."""
    late = unit.late.get(late_id)
    unit.late.save(replace(late, decide_by=unit.now + REST))
    alert(unit, "timer_failed", f"late:{late_id}:{unit.now.timestamp():.0f}", late=late.number, error=error)
