"""Money that named nothing of ours: kept apart until it is known whose it is; and the rule that the same money is counted once.

How a person at the desk brings it to its end is in `usecases/suspense.py`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from domain import booking
from domain.by_hand import STRAY, Stray, StrayId, StrayState, Told
from domain.ids import AttemptId, OrganizationId
from domain.ledger import LedgerAccount
from domain.life import AttemptState
from domain.payment import Attempt, Outcome, Reply
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.gateways import PLATFORM
from usecases.proof import Mismatch
from usecases.tell import alert

GATEWAY: Final = "daraja"
TELLER: Final = Actor(Party.GATEWAY, GATEWAY)
BY_HAND: Final = "c2b"
"""The source of an attempt that nobody started: its money came by itself."""

_SHOWN: Final = 40
_ENDED: Final = frozenset({AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED})


def _account(owner: OrganizationId) -> LedgerAccount:
    return booking.clearing(GATEWAY) if owner == PLATFORM else booking.direct_clearing(owner, GATEWAY)


def _organization(owner: OrganizationId) -> OrganizationId | None:
    return None if owner == PLATFORM else owner


def keep_apart(unit: Unit, owner: OrganizationId, told: Told) -> None:
    """It names nothing of ours, or more than one thing: suspense, and a person is told. Whoever shows its receipt for a checkout has it matched."""
    shown = told.account[:_SHOWN]
    stray = Stray(StrayId(unit.new_id()), GATEWAY, owner, told.receipt, told.money, shown, told.payer_ends, StrayState.WAITING, unit.now)
    unit.by_hand.add_stray(stray)
    unit.books.book(booking.stray(stray.id, _account(owner), told.money, _organization(owner)))
    unit.trail.add(f"stray:{stray.id}", TELLER, "money_stray", receipt=told.receipt, account=shown)
    alert(unit, "money_stray", told.receipt, receipt=told.receipt, amount_minor=told.money.amount_minor, account=shown)


def out_of_suspense(unit: Unit, stray: Stray) -> None:
    unit.books.book(booking.stray_matched(stray.id, _account(stray.owner), stray.money, _organization(stray.owner)))


def matched(unit: Unit, stray: Stray, attempt_id: AttemptId, actor: Actor = TELLER) -> None:
    STRAY.move(stray.state, StrayState.MATCHED, actor.party)
    unit.by_hand.save_stray(replace(stray, state=StrayState.MATCHED, attempt_id=attempt_id, matched_at=unit.now))
    unit.trail.add(f"stray:{stray.id}", actor, "stray_matched", attempt=attempt_id)


def counted_by_hand(unit: Unit, attempt: Attempt, receipt: str | None) -> bool:
    """Whether the late success of a prompt that we had given up is money that was counted for its checkout already, as paid by hand.

    Where it was kept apart, it leaves there for this attempt; raises Mismatch where it went back to its payer. (A prompt that is still open is waited for before any money is called paid by hand.)
    """
    if receipt is None or attempt.gateway != GATEWAY or attempt.state not in _ENDED:
        return False
    other = unit.payments.attempt_by_receipt(attempt.gateway, receipt)
    if other is not None:
        return other.source == BY_HAND and other.checkout_id == attempt.checkout_id
    stray = unit.by_hand.stray(attempt.gateway, receipt)
    if stray is not None and stray.state in {StrayState.RETURNING, StrayState.RETURNED}:
        raise Mismatch(reason="money_returned", attempt=attempt.id, receipt=receipt, stray=stray.id)
    if stray is not None and stray.state is StrayState.WAITING:
        out_of_suspense(unit, stray)
        matched(unit, stray, attempt.id)
    return False


def record_return(unit: Unit, stray_id: StrayId, reply: Reply) -> Stray | None:
    """What the gateway said of its return, at once or in a later result; None when there is no such money. Repeating it changes nothing."""
    stray = unit.by_hand.stray_by_id(stray_id)
    if stray is None:
        return None
    actor = Actor(Party.GATEWAY, stray.gateway)
    if reply.outcome is Outcome.SUCCEEDED:
        return went_back(unit, actor, stray, reply.ref or stray.ref, reply.result)
    if stray.state is not StrayState.RETURNING:
        return stray
    if reply.outcome in {Outcome.DECLINED, Outcome.NOT_SENT}:
        return did_not_go(unit, actor, stray, reply.result or "unknown")
    if reply.outcome is Outcome.UNKNOWN:
        alert(unit, "stray_without_answer", f"{stray.id}:{stray.version}", stray=stray.id, receipt=stray.receipt)
    return unit.by_hand.save_stray(replace(stray, ref=reply.ref or stray.ref, result=reply.result))


def went_back(unit: Unit, actor: Actor, stray: Stray, ref: str | None, result: str | None) -> Stray:
    """It is with whoever paid it again: out of suspense, for good. Raises Mismatch for what was counted for a checkout meanwhile."""
    if stray.state is StrayState.MATCHED:
        raise Mismatch(reason="stray_returned_too", stray=stray.id, receipt=stray.receipt, attempt=stray.attempt_id)
    if STRAY.move(stray.state, StrayState.RETURNED, actor.party) is None:
        return stray
    unit.books.book(booking.stray_returned(stray.id, _account(stray.owner), stray.money, _organization(stray.owner)))
    unit.trail.add(f"stray:{stray.id}", actor, "stray_returned", receipt=stray.receipt, ref=ref or "")
    return unit.by_hand.save_stray(replace(stray, state=StrayState.RETURNED, ref=ref, result=result, returned_at=unit.now))


def did_not_go(unit: Unit, actor: Actor, stray: Stray, result: str) -> Stray:
    """It is still here, and waits again."""
    if STRAY.move(stray.state, StrayState.WAITING, actor.party) is None:
        return stray
    unit.trail.add(f"stray:{stray.id}", actor, "stray_not_returned", result=result)
    return unit.by_hand.save_stray(replace(stray, state=StrayState.WAITING, result=result, asked_at=None))
