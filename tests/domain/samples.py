"""Values to start from: each test says only what matters to it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from domain.errors import BadInput
from domain.ids import AttemptId, CheckoutId, DisputeId, LinkId, OrderId, OrganizationId, PaymentId, PersonId
from domain.late import DECIDE_WITHIN, Late, LateId, LateState
from domain.life import AttemptState, DisputeState, EscrowState, LinkState, OrderState
from domain.link import Link
from domain.money import Money
from domain.order import Dispute, Order, Reason
from domain.payment import Attempt

R = TypeVar("R")

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
INSTANT = timedelta(microseconds=1)
"""The smallest step of a stored instant."""

_ORDER = Order(
    id=OrderId(9182),
    number="48213377",
    checkout_id=CheckoutId(7001),
    attempt_id=AttemptId(3001),
    organization_id=OrganizationId(17),
    link_id=LinkId(501),
    buyer_id=PersonId(88),
    phone=None,
    buyer_name="Njeri",
    address="Moi Avenue 3",
    note="",
    language="en",
    item="Red sneakers",
    quantity=1,
    total=Money(250000, "KES"),
    state=OrderState.PAID,
    escrow=EscrowState.HELD,
    digital=False,
    delivery_code="042917",
    paid_at=START,
    proved=True,
)
_DISPUTE = Dispute(DisputeId(61), OrderId(9182), OrganizationId(17), Reason.BROKEN, "It is torn", (), DisputeState.OPEN, START)
_ATTEMPT = Attempt(
    id=AttemptId(3001),
    payment_id=PaymentId(2001),
    checkout_id=CheckoutId(7001),
    organization_id=OrganizationId(17),
    gateway="daraja",
    direct=False,
    money=Money(250000, "KES"),
    state=AttemptState.PENDING,
    phone=None,
    created_at=START,
    key="k",
)
_LINK = Link(
    id=LinkId(501),
    code="PL-7K2QD",
    organization_id=OrganizationId(17),
    created_by=PersonId(4),
    name="Red sneakers",
    description="",
    price=Money(250000, "KES"),
    state=LinkState.ACTIVE,
    created_at=START,
    key="k",
)
_LATE = Late(
    id=LateId(4001),
    number="48213377",
    attempt_id=AttemptId(3001),
    checkout_id=CheckoutId(7001),
    organization_id=OrganizationId(17),
    money=Money(250000, "KES"),
    state=LateState.WAITING,
    created_at=START,
    decide_by=START + DECIDE_WITHIN,
)


def an_order(**changes: Any) -> Order:
    """A paid, proved order of 2,500 shillings in escrow."""
    return replace(_ORDER, **changes)


def a_dispute(**changes: Any) -> Dispute:
    """An open, unanswered one."""
    return replace(_DISPUTE, **changes)


def an_attempt(**changes: Any) -> Attempt:
    """One that was sent and not answered yet."""
    return replace(_ATTEMPT, **changes)


def a_link(**changes: Any) -> Link:
    """An active link without a limit of any kind."""
    return replace(_LINK, **changes)


def read_or_refused(read: Callable[[], R]) -> R | BadInput:
    """What a reader made of something typed: a value, or its refusal as a value to look at."""
    try:
        return read()
    except BadInput as refused:
        return refused


def a_late(**changes: Any) -> Late:
    return replace(_LATE, **changes)
