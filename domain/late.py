"""Late money: what arrived after its checkout ended and waits for the seller's decision. It is in suspense until then, and goes back if nobody decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Protocol

from domain.ids import AttemptId, CheckoutId, OrganizationId
from domain.life import Life, Move
from domain.money import Money
from domain.rights import LEADERS, MEMBERS, Party

LateId = NewType("LateId", int)

DECIDE_WITHIN: Final = timedelta(hours=24)
"""From its arrival; then it goes back, for it is an order only if the seller says so."""


class LatePolicy(StrEnum):
    """What a shop does with late money while the goods are still to be had: an order at once, the money back at once, or the seller is asked."""

    ACCEPT = "accept"
    REFUND = "refund"
    ASK = "ask"


class LateState(StrEnum):
    WAITING = "WAITING"
    ACCEPTED = "ACCEPTED"
    REFUNDED = "REFUNDED"
    VOID = "VOID"


_ADMIN: Final = frozenset({Party.ADMIN})

LATE: Final = Life(
    "late",
    frozenset({LateState.WAITING}),
    Move(LateState.WAITING, LateState.ACCEPTED, MEMBERS | _ADMIN, books=("late_accepted", "capture"), tells="order_paid"),
    Move(
        LateState.WAITING,
        LateState.REFUNDED,
        LEADERS | {Party.ADMIN, Party.CLOCK, Party.GATEWAY},
        books=("refund_asked",),
        tells="late_over",
    ),
    Move(LateState.WAITING, LateState.VOID, frozenset({Party.GATEWAY}), tells="late_over"),
)
"""Whoever may accept an order may accept late money; giving money back needs who may cancel one. VOID: the gateway denies that it was paid."""


@dataclass(frozen=True, slots=True)
class Late:
    """One arrival; at most one waits for a checkout. `number` is what people call it by, and the order that comes of it is called so too.

    `ended_by` names who decided, as the audit trail does.
    """

    id: LateId
    number: str
    attempt_id: AttemptId
    checkout_id: CheckoutId
    organization_id: OrganizationId
    money: Money
    state: LateState
    created_at: datetime
    decide_by: datetime
    ended_by: str = ""
    ended_at: datetime | None = None
    version: int = 0


def late_choices(late: Late, party: Party) -> tuple[LateState, ...]:
    """What this party may make of it now."""
    return tuple(state for state in (LateState.ACCEPTED, LateState.REFUNDED) if LATE.can(late.state, state, party))


class LateMoney(Protocol):
    def get(self, late_id: LateId) -> Late: ...
    def by_number(self, number: str) -> Late | None: ...
    def of_attempt(self, attempt_id: AttemptId) -> Late | None: ...
    def waiting_for(self, checkout_id: CheckoutId) -> Late | None: ...
    def waiting(self, organization_id: OrganizationId | None, limit: int) -> Sequence[Late]:
        """Of an organization, or of all; what must be decided first comes first."""
        ...

    def add(self, late: Late) -> None: ...
    def save(self, late: Late) -> Late: ...
    def due(self, now: datetime, limit: int) -> Sequence[LateId]:
        """Those nobody decided in time."""
        ...
