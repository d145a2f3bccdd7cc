"""The desk's way out for money that is kept apart: what named nothing of ours, and what came in a way that did not fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from domain import booking
from domain.by_hand import STRAY, Stray, StrayId, StrayState
from domain.errors import BadInput, NotFound
from domain.ids import AttemptId, RefundId
from domain.late import LateState
from domain.life import RefundState
from domain.money import Money
from domain.payment import Attempt, Checkout, Refund
from domain.ports import Gateways, Store, Unit
from domain.rights import Action, Actor, Party, require
from domain.tokens import Purpose
from usecases.by_hand import match_stray
from usecases.gateways import PLATFORM, credentials_of
from usecases.payments import the_attempt
from usecases.refunds import ask_refund, confirm_refund_by_hand, gateway_account
from usecases.settlement import Settled
from usecases.strays import did_not_go, record_return, went_back
from usecases.tell import alert

REFERENCE: Final = 100
ANSWER_WITHIN: Final = timedelta(hours=1)
MOST: Final = 200


def read_stray(unit: Unit, number: StrayId) -> Stray:
    stray = unit.by_hand.stray_by_id(number)
    if stray is None:
        raise NotFound(what="stray")
    return stray


def strays(unit: Unit) -> Sequence[Stray]:
    return unit.by_hand.strays_waiting(MOST)


@dataclass(frozen=True, slots=True)
class ReturnCall:
    """Everything the gateway needs, read and marked in one unit before the call."""

    refund: Refund
    receipt: str
    credentials: Mapping[str, str]
    token: str


def begin_return(unit: Unit, actor: Actor, number: StrayId) -> ReturnCall | None:
    """Marked before it is sent. None when it went back already; raises IllegalTransition where it is under way or somebody's."""
    require(actor.party, Action.ADMINISTER)
    stray = read_stray(unit, number)
    if stray.state is StrayState.RETURNED:
        return None
    if stray.state is StrayState.RETURNING:
        raise BadInput("stray", "under_way")
    STRAY.move(stray.state, StrayState.RETURNING, Party.ADMIN)
    credentials = credentials_of(unit, stray.owner, stray.gateway, stray.owner != PLATFORM)
    unit.by_hand.save_stray(replace(stray, state=StrayState.RETURNING, asked_at=unit.now, result=None, ref=None))
    unit.trail.add(f"stray:{stray.id}", actor, "stray_return_asked", receipt=stray.receipt, amount_minor=stray.money.amount_minor)
    refund = Refund(
        id=RefundId(stray.id), attempt_id=AttemptId(0), organization_id=stray.owner, order_id=None, gateway=stray.gateway,
        direct=stray.owner != PLATFORM, money=stray.money, reason="stray", cause=f"stray:{stray.id}", source="", state=RefundState.ASKED,
        created_at=unit.now, tries=1,
    )  # fmt: skip
    return ReturnCall(refund, stray.receipt, credentials, unit.tokens.make(Purpose.REFUND, stray.id))


async def return_stray(store: Store, gateways: Gateways, actor: Actor, number: StrayId) -> Stray:
    """Back to whoever paid it, through the gateway that took it. Unit, call, unit: sent once, and never again without a person's word."""
    call = await store.write(begin_return, actor, number)
    if call is not None:
        reply = await gateways[call.refund.gateway].refund(call.refund, call.receipt, call.credentials, call.token)
        await store.write(record_return, number, reply)
    return await store.read(read_stray, number)


def returned_by_hand(unit: Unit, actor: Actor, number: StrayId, reference: str) -> Stray:
    """A person gave it back in another way, or saw that it went; `reference` is how that can be found again."""
    require(actor.party, Action.ADMINISTER)
    return went_back(unit, actor, read_stray(unit, number), read_reference(reference), "by_hand")


def not_returned(unit: Unit, actor: Actor, number: StrayId) -> Stray:
    """A person saw that a return without an answer did not go: it waits again."""
    require(actor.party, Action.ADMINISTER)
    return did_not_go(unit, actor, read_stray(unit, number), "not_returned")


def remind(unit: Unit) -> int:
    """Returns whose answer never came are told to a person, once. How many."""
    found = [
        stray
        for stray in unit.by_hand.strays_waiting(MOST)
        if stray.asked_at is not None and stray.result is None and unit.now - stray.asked_at >= ANSWER_WITHIN
    ]
    for stray in found:
        alert(unit, "stray_without_answer", f"{stray.id}:{stray.version}", stray=stray.id, receipt=stray.receipt)
        unit.by_hand.save_stray(replace(stray, result="no_answer"))
    return len(found)


def read_reference(text: str) -> str:
    words = text.strip()
    if not words:
        raise BadInput("reference", "empty")
    if len(words) > REFERENCE:
        raise BadInput("reference", "too_long", limit=REFERENCE)
    return words


def match(unit: Unit, actor: Actor, number: StrayId, name: str) -> tuple[Stray, Settled]:
    """It is for this checkout, or for the checkout of this order: settled as every payment, so what comes second goes back by itself.

    Raises NotFound(stray | checkout), IllegalTransition, BadInput(checkout).
    """
    require(actor.party, Action.ADMINISTER)
    stray, checkout = read_stray(unit, number), _named(unit, name)
    if stray.owner not in (PLATFORM, checkout.organization_id):
        raise NotFound(what="checkout")
    if stray.money.currency != checkout.total.currency:
        raise BadInput("checkout", "other_currency")
    if STRAY.move(stray.state, StrayState.MATCHED, actor.party) is None:
        return stray, Settled.NOTHING
    settled = match_stray(unit, stray, checkout, actor)
    return read_stray(unit, number), settled


def _named(unit: Unit, name: str) -> Checkout:
    wanted = name.strip().upper()
    order = unit.orders.by_number(wanted)
    if order is not None:
        return unit.checkouts.get(order.checkout_id)
    checkout = unit.by_hand.checkout_numbered(wanted)
    if checkout is None:
        raise NotFound(what="checkout")
    return checkout


@dataclass(frozen=True, slots=True)
class Suspended:
    """Money of an attempt that nothing else will bring to an end. `denied`: the gateway says that it never came."""

    attempt: Attempt
    money: Money
    denied: bool


def suspended(unit: Unit) -> list[Suspended]:
    """What waits for a person: not strays, not what a seller decides on, and not refunds that failed, which have commands of their own."""
    found = []
    for number in unit.reconciled.suspended():
        attempt = unit.payments.attempt(AttemptId(int(number)))
        if attempt is not None:
            found += _free(unit, attempt)
    return found


def _free(unit: Unit, attempt: Attempt) -> list[Suspended]:
    late = unit.late.of_attempt(attempt.id)
    if late is not None and late.state is LateState.WAITING:
        return []
    failed: dict[str, int] = {}
    for refund in unit.payments.refunds_of(attempt.id):
        if refund.state is RefundState.FAILED:
            failed[refund.money.currency] = failed.get(refund.money.currency, 0) + refund.money.amount_minor
    held = unit.books.balance(booking.suspense(attempt.id).name)
    left = {currency: -minor - failed.get(currency, 0) for currency, minor in held.items()}
    return [Suspended(attempt, Money(minor, currency), attempt.disproved) for currency, minor in left.items() if minor > 0]


def _mine_alone(unit: Unit, attempt_id: AttemptId) -> Attempt:
    """Whoever else would take this money out of suspense meanwhile is refused the save: their unit runs again, and finds nothing."""
    return unit.payments.save_attempt(the_attempt(unit, attempt_id))


def give_back(unit: Unit, actor: Actor, attempt_id: AttemptId, reference: str = "") -> list[Refund]:
    """All of it that waits goes back through the gateway; with a `reference`, it went back by hand. Raises NotFound(suspense), BadInput."""
    require(actor.party, Action.ADMINISTER)
    attempt = _mine_alone(unit, attempt_id)
    waiting = _free(unit, attempt)
    if not waiting:
        raise NotFound(what="suspense")
    if attempt.disproved:
        raise BadInput("suspense", "denied")
    by_hand = read_reference(reference) if reference else ""
    asked = len(unit.payments.refunds_of(attempt.id))
    made = []
    for one in waiting:
        cause = f"suspense:{attempt.id}:{one.money.currency}:{asked}"
        refund = ask_refund(unit, attempt, one.money, "suspense", cause, booking.suspense(attempt.id))
        if refund is None:
            raise BadInput("suspense", "under_way")
        made.append(confirm_refund_by_hand(unit, actor, refund.id, by_hand) if by_hand else refund)
    unit.trail.add(f"sale:{attempt.checkout_id}", actor, "suspense_given_back", attempt=attempt.id, by_hand=by_hand)
    return made


def write_off(unit: Unit, actor: Actor, attempt_id: AttemptId) -> list[Money]:
    """The gateway denied it, and a person found that it never came: it leaves the books. Raises NotFound(suspense), BadInput(suspense)."""
    require(actor.party, Action.ADMINISTER)
    attempt = _mine_alone(unit, attempt_id)
    waiting = _free(unit, attempt)
    if not waiting:
        raise NotFound(what="suspense")
    if not attempt.disproved:
        raise BadInput("suspense", "not_denied")
    for one in waiting:
        unit.books.book(booking.written_off(attempt.id, attempt.organization_id, gateway_account(attempt), one.money))
    unit.trail.add(f"sale:{attempt.checkout_id}", actor, "suspense_written_off", attempt=attempt.id)
    return [one.money for one in waiting]
