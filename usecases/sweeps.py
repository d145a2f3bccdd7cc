"""The clock's units: what is due, found by query; each thing in a unit of its own, so that one bad row does not stop the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from domain.errors import DomainError
from domain.ids import AttemptId, CheckoutId, LinkId, OrderId, RefundId
from domain.life import AttemptState
from domain.ports import Unit
from domain.records import InboxEvent
from usecases.payments import the_attempt
from usecases.tell import alert

ASK_LEASE = timedelta(seconds=90)
UNSENT_AFTER = timedelta(seconds=3)
CUT_OFF_AFTER = timedelta(seconds=75)
"""An attempt still marked as being sent after this (the call's own limit is 60 s) was cut off by a crash."""

POISON_REST = timedelta(hours=1)
CLOCK_MARK = "clock"
BACKWARDS = timedelta(seconds=60)


def due_checkouts(unit: Unit, limit: int) -> Sequence[CheckoutId]:
    return unit.checkouts.due(unit.now, limit)


def due_links(unit: Unit, limit: int) -> Sequence[LinkId]:
    return unit.links.expired(unit.now, limit)


def due_orders(unit: Unit, limit: int) -> Sequence[OrderId]:
    return unit.orders.due(unit.now, limit)


def due_refunds(unit: Unit, limit: int) -> Sequence[RefundId]:
    return unit.payments.refunds_due(unit.now, limit)


def due_events(unit: Unit, gateways: Sequence[str], limit: int) -> Sequence[InboxEvent]:
    return unit.inbox.due(gateways, unit.now, limit)


def claim_asks(unit: Unit, limit: int) -> Sequence[AttemptId]:
    """Attempts to ask the gateway about; they are put off a little so that another worker does not ask as well."""
    claimed = []
    for attempt_id in unit.payments.to_ask(unit.now, limit):
        try:
            attempt = the_attempt(unit, attempt_id)
        except (ValueError, TypeError, KeyError, DomainError) as error:  # a damaged row must not keep the others from being asked about
            unit.payments.rest_attempt(attempt_id, unit.now + POISON_REST)
            alert(unit, "attempt_unreadable", f"{attempt_id}:{unit.now.timestamp():.0f}", attempt=attempt_id, error=type(error).__name__)
            continue
        unit.payments.save_attempt(replace(attempt, ask_at=unit.now + ASK_LEASE))
        claimed.append(attempt_id)
    return claimed


def unsent_attempts(unit: Unit, limit: int) -> Sequence[AttemptId]:
    """Attempts that nobody is sending any more: written just before a crash, or cut off by one."""
    found = []
    for attempt_id in unit.payments.to_send(unit.now - UNSENT_AFTER, limit):
        attempt = the_attempt(unit, attempt_id)
        if attempt.state is AttemptState.CREATED or attempt.created_at <= unit.now - CUT_OFF_AFTER:
            found.append(attempt_id)
    return found


def rest_order(unit: Unit, order_id: OrderId, error: str) -> None:
    """A timer that fails is put aside for an hour and a person is told; the sweep goes on."""
    order = unit.orders.get(order_id)
    unit.orders.save(replace(order, due_at=unit.now + POISON_REST))
    alert(unit, "timer_failed", f"{order_id}:{unit.now.timestamp():.0f}", order=order.number, error=error)


def tick(unit: Unit) -> bool:
    """Note the highest instant ever seen. False when the clock has gone back behind it: then no timer may fire."""
    mark = unit.marks.get(CLOCK_MARK) or {}
    highest = datetime.fromisoformat(mark["highest"]) if "highest" in mark else unit.now
    if unit.now < highest - BACKWARDS:
        return False
    if unit.now - highest > timedelta(seconds=10) or not mark:
        unit.marks.put(CLOCK_MARK, {**mark, "highest": max(unit.now, highest).isoformat()})
    return True


def clock_trusted(unit: Unit) -> str:
    """When somebody last said that the clock is right; empty when nobody ever did."""
    return str((unit.marks.get(CLOCK_MARK) or {}).get("trusted", ""))


def clock_jumped(unit: Unit, drift_s: int) -> None:
    alert(unit, "clock_jumped", str(unit.now.date()), drift_s=drift_s)
