"""Orders, their escrow and dispute, and the one timer each open order has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

from domain.ids import AttemptId, CheckoutId, DisputeId, FileId, LinkId, OrderId, OrganizationId, PersonId
from domain.life import ORDER, DisputeState, EscrowState, OrderState
from domain.money import Money
from domain.phone import Phone
from domain.rights import MEMBERS, Party

DAY: Final = timedelta(days=1)
"""A day is 24 hours: timers do not know time zones."""

REMIND_SHIP: Final = (2 * DAY, 4 * DAY)
MAY_CANCEL: Final = 7 * DAY
NEVER_SHIPPED: Final = 14 * DAY
ASK_ARRIVED: Final = 7 * DAY
TAKEN_AS_DELIVERED: Final = 14 * DAY
WARN_RELEASE: Final = (5 * DAY, 6 * DAY)
RELEASE_AFTER: Final = 7 * DAY
DISPUTE_WINDOW: Final = 7 * DAY
DISPUTE_ANSWER: Final = 3 * DAY
LAST_WARNING: Final = 1 * DAY
"""Nothing is released or refunded by the clock sooner than this after the last warning was really recorded (an outage prolongs the window)."""


class Due(StrEnum):
    """What the clock does with an order, in the order in which it may happen."""

    REMIND_SHIP_1 = "remind_ship_1"
    REMIND_SHIP_2 = "remind_ship_2"
    OFFER_CANCEL = "offer_cancel"
    REFUND_UNSHIPPED = "refund_unshipped"
    ASK_ARRIVED = "ask_arrived"
    TAKE_AS_DELIVERED = "take_as_delivered"
    WARN_RELEASE_1 = "warn_release_1"
    WARN_RELEASE_2 = "warn_release_2"
    RELEASE = "release"
    DISPUTE_UNANSWERED = "dispute_unanswered"


@dataclass(frozen=True, slots=True)
class Order:
    """A paid sale. `escrow` is its escrow's state, None when the money went straight to the organization's own account.

    `before_dispute` is where a withdrawn dispute returns to; `last_due` and `last_due_at` the last thing the clock did; `due_at` the next.
    """

    id: OrderId
    number: str
    checkout_id: CheckoutId
    attempt_id: AttemptId
    organization_id: OrganizationId
    link_id: LinkId
    buyer_id: PersonId | None
    phone: Phone | None
    buyer_name: str
    address: str
    note: str
    language: str
    item: str
    quantity: int
    total: Money
    state: OrderState
    escrow: EscrowState | None
    digital: bool
    delivery_code: str
    paid_at: datetime
    proved: bool = False
    release_wanted: str | None = None
    accepted_at: datetime | None = None
    shipped_at: datetime | None = None
    delivered_at: datetime | None = None
    ended_at: datetime | None = None
    courier: str = ""
    tracking: str = ""
    before_dispute: OrderState | None = None
    code_tries: int = 0
    last_due: Due | None = None
    last_due_at: datetime | None = None
    due: Due | None = None
    due_at: datetime | None = None
    version: int = 0


class Reason(StrEnum):
    """What is wrong, as the buyer picks it."""

    NOT_ARRIVED = "not_arrived"
    BROKEN = "broken"
    NOT_AS_DESCRIBED = "not_as_described"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Dispute:
    id: DisputeId
    order_id: OrderId
    organization_id: OrganizationId
    reason: Reason
    words: str
    pictures: tuple[FileId, ...]
    state: DisputeState
    opened_at: datetime
    ended_at: datetime | None = None
    unanswered: bool = False
    version: int = 0


_WARNINGS: Final = frozenset({Due.WARN_RELEASE_1, Due.WARN_RELEASE_2})
MOST_CODE_TRIES: Final = 5
ENDED: Final = frozenset({OrderState.COMPLETED, OrderState.REFUNDED, OrderState.VOID})


def dispute_ends(order: Order) -> datetime | None:
    """The last instant at which the buyer may open a dispute: 7 days from delivery (from payment for digital goods), later if the release
    itself is later (an outage). None while nothing was delivered: then it is always open."""
    if order.digital:
        return order.paid_at + DISPUTE_WINDOW
    if order.delivered_at is None:
        return None
    ends = order.delivered_at + DISPUTE_WINDOW
    return max(ends, order.due_at) if order.due is Due.RELEASE and order.due_at is not None else ends


def may_dispute(order: Order, now: datetime) -> bool:
    """Up to and including the last instant; the clock releases strictly after it, so that exactly one wins.

    While a warning is still to come (the sweep was down) the release is at least a day away, and the window is open too."""
    ends = dispute_ends(order)
    return order.state not in ENDED and (ends is None or now <= ends or order.due in _WARNINGS)


def next_due(order: Order, dispute: Dispute | None = None) -> tuple[Due, datetime] | None:
    """The one thing the clock will do next with this order, and when, from stored instants alone; None when nothing."""
    if order.state in ENDED or order.state is OrderState.FROZEN:
        return None
    if order.state is OrderState.DISPUTED:
        if dispute is None or dispute.state is not DisputeState.OPEN or dispute.unanswered:
            return None
        return Due.DISPUTE_UNANSWERED, dispute.opened_at + DISPUTE_ANSWER
    if order.delivered_at is not None:
        return _after_delivery(order, order.delivered_at)
    if order.shipped_at is not None:
        return _staged(order, order.shipped_at, ((Due.ASK_ARRIVED, ASK_ARRIVED), (Due.TAKE_AS_DELIVERED, TAKEN_AS_DELIVERED)))
    return _staged(
        order,
        order.paid_at,
        (
            (Due.REMIND_SHIP_1, REMIND_SHIP[0]),
            (Due.REMIND_SHIP_2, REMIND_SHIP[1]),
            (Due.OFFER_CANCEL, MAY_CANCEL),
            (Due.REFUND_UNSHIPPED, NEVER_SHIPPED),
        ),
    )


def _after_delivery(order: Order, delivered_at: datetime) -> tuple[Due, datetime] | None:
    if order.escrow is None:
        return Due.RELEASE, delivered_at + RELEASE_AFTER
    if order.escrow is not EscrowState.HELD:
        return None
    return _staged(
        order,
        delivered_at,
        ((Due.WARN_RELEASE_1, WARN_RELEASE[0]), (Due.WARN_RELEASE_2, WARN_RELEASE[1]), (Due.RELEASE, RELEASE_AFTER)),
    )


def _staged(order: Order, since: datetime, stages: Sequence[tuple[Due, timedelta]]) -> tuple[Due, datetime] | None:
    """The first stage after the last one done. The final stage waits a day after the warning before it was really recorded."""
    names = [due for due, _ in stages]
    done = names.index(order.last_due) if order.last_due in names else -1
    if done + 1 >= len(stages):
        return None
    due, after = stages[done + 1]
    at = since + after
    if done + 1 == len(stages) - 1 and order.last_due_at is not None:
        at = max(at, order.last_due_at + LAST_WARNING)
    return due, at


class OrderAct(StrEnum):
    """What a person may do with an order now, in the order in which it is offered."""

    ACCEPT = "accept"
    SHIP = "ship"
    DELIVERED = "delivered"
    ENTER_CODE = "enter_code"
    CONFIRM = "confirm"
    PROBLEM = "problem"
    WITHDRAW = "withdraw"
    REFUND = "refund"
    CANCEL = "cancel"


def order_acts(order: Order, party: Party, now: datetime) -> tuple[OrderAct, ...]:
    """The acts that the life and the rights allow this party at this instant."""

    def can(target: OrderState) -> bool:
        return ORDER.can(order.state, target, party)

    acts: list[OrderAct] = []
    if party in MEMBERS:
        acts += [act for act, target in _SELLER_STEPS if can(target)]
        if ORDER.can(order.state, OrderState.COMPLETED, Party.BUYER) and not order.digital and order.code_tries < MOST_CODE_TRIES:
            acts.append(OrderAct.ENTER_CODE)
        if can(OrderState.REFUNDED):
            acts.append(OrderAct.REFUND)
    elif party is Party.BUYER:
        if can(OrderState.COMPLETED) and not order.release_wanted:
            acts.append(OrderAct.CONFIRM)
        if can(OrderState.DISPUTED) and order.escrow is not None and may_dispute(order, now):
            acts.append(OrderAct.PROBLEM)
        if order.state is OrderState.DISPUTED:
            acts.append(OrderAct.WITHDRAW)
        if can(OrderState.REFUNDED):
            acts.append(OrderAct.CANCEL)
    return tuple(acts)


_SELLER_STEPS: Final = (
    (OrderAct.ACCEPT, OrderState.ACCEPTED),
    (OrderAct.SHIP, OrderState.SHIPPED),
    (OrderAct.DELIVERED, OrderState.DELIVERED),
)


class Orders(Protocol):
    def get(self, order_id: OrderId) -> Order: ...
    def by_number(self, number: str) -> Order | None: ...
    def of_checkout(self, checkout_id: CheckoutId) -> Order | None: ...
    def of_buyer(self, person_id: PersonId, limit: int) -> Sequence[Order]: ...
    def to_work_on(self, organization_id: OrganizationId, limit: int) -> Sequence[Order]: ...
    def of_organization(self, organization_id: OrganizationId, after: OrderId | None, limit: int) -> Sequence[Order]: ...
    def add(self, order: Order) -> None: ...
    def save(self, order: Order) -> Order: ...
    def due(self, now: datetime, limit: int) -> Sequence[OrderId]: ...
    def completed(self, organization_id: OrganizationId, most: int) -> int:
        """How many sales were completed, counted up to `most`."""
        ...

    def held_minor(self, organization_id: OrganizationId) -> dict[str, int]:
        """Minor units in escrow, per currency."""
        ...


class Disputes(Protocol):
    def get(self, dispute_id: DisputeId) -> Dispute: ...
    def of_order(self, order_id: OrderId) -> Dispute | None:
        """The open one, else the latest."""
        ...

    def add(self, dispute: Dispute) -> None: ...
    def save(self, dispute: Dispute) -> Dispute: ...
