"""Sweeps: due checkouts, links, orders, refunds, attempts to send and to ask about, and stored events. One bad row does not stop a sweep."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from domain.ids import OrderId
from domain.late import LateId
from domain.payment import Unreadable
from domain.records import InboxEvent, RawEvent
from usecases import codes, group, late, links, orders, payments, refunds, settlement, sweeps
from usecases.hall import Hall
from usecases.updates import TELEGRAM

BATCH = 100
AT_ONCE = 16
MOST_DRIFT_S = 600
"""The wall clock may differ from the monotonic one by this much before timers stop: somebody moved the clock."""

_log = structlog.get_logger("jobs")


async def each(
    things: Sequence[Any], work: Callable[[Any], Awaitable[Any]], failed: Callable[[Any, Exception], Awaitable[Any]] | None = None
) -> None:
    room = asyncio.Semaphore(AT_ONCE)

    async def one(thing: Any) -> None:
        async with room:
            try:
                await work(thing)
            except Exception as error:  # noqa: BLE001 - one bad row must not stop a sweep
                _log.exception("sweep_row_failed", row=str(thing))
                if failed is not None:
                    await _park(failed, thing, error)

    await asyncio.gather(*(one(thing) for thing in things))


async def _park(failed: Callable[[Any, Exception], Awaitable[Any]], thing: Any, error: Exception) -> None:
    try:
        await failed(thing, error)
    except Exception:  # noqa: BLE001 - it cannot even be put aside: the others go on all the same
        _log.exception("sweep_row_not_parked", row=str(thing))


async def expire(hall: Hall) -> int:
    """Checkouts and links whose time is over."""
    due = await hall.store.read(sweeps.due_checkouts, BATCH)
    await each(due, lambda checkout_id: hall.store.write(group.expire, checkout_id))
    over = await hall.store.read(sweeps.due_links, BATCH)
    await each(over, lambda link_id: hall.store.write(links.expire_link, link_id))
    return len(due) + len(over)


class Timers:
    """The timers of orders and of late money, behind a guard: a clock that jumped, or went back, fires nothing that moves money."""

    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._baseline_s = self._offset_s()
        self._trusted: str | None = None
        self._told = False

    def _offset_s(self) -> float:
        return self._hall.clock.now().timestamp() - self._hall.clock.monotonic_s()

    async def _drift_s(self) -> float:
        """How far the clock was moved since this process began, or since somebody at the desk said that it is right."""
        trusted = await self._hall.store.read(sweeps.clock_trusted)
        if self._trusted is not None and trusted != self._trusted:
            self._baseline_s = self._offset_s()
        self._trusted = trusted
        return self._offset_s() - self._baseline_s

    async def __call__(self) -> int:
        drift_s = await self._drift_s()
        if abs(drift_s) > MOST_DRIFT_S or not await self._hall.store.write(sweeps.tick):
            if not self._told:
                self._told = True
                await self._hall.store.write(sweeps.clock_jumped, round(drift_s))
                _log.error("clock_jumped", drift_s=round(drift_s))
            return 0
        self._told = False
        due = await self._hall.store.read(sweeps.due_orders, BATCH)
        await each(due, lambda order_id: self._hall.store.write(orders.run_order_timer, order_id), self._rest)
        undecided = await self._hall.store.read(late.due_late, BATCH)
        await each(undecided, lambda late_id: self._hall.store.write(late.run_late_timer, late_id), self._rest_late)
        return len(due) + len(undecided)

    async def _rest(self, order_id: OrderId, error: Exception) -> None:
        await self._hall.store.write(sweeps.rest_order, order_id, type(error).__name__)

    async def _rest_late(self, late_id: LateId, error: Exception) -> None:
        await self._hall.store.write(late.rest_late, late_id, type(error).__name__)


async def forget_codes(hall: Hall) -> int:
    return await hall.store.write(codes.prune_codes, BATCH)


async def send_refunds(hall: Hall) -> int:
    due = await hall.store.read(sweeps.due_refunds, BATCH)
    await each(due, lambda refund_id: refunds.send_refund(hall.store, hall.gateways, refund_id))
    return len(due)


async def send_attempts(hall: Hall) -> int:
    """Attempts that a crash left behind."""
    left = await hall.store.read(sweeps.unsent_attempts, BATCH)

    async def recover(attempt_id: Any) -> None:
        if await hall.store.write(payments.recover_attempt, attempt_id):
            await payments.send_attempt(hall.store, hall.gateways, attempt_id)

    await each(left, recover)
    return len(left)


async def ask_gateways(hall: Hall) -> int:
    """Where a callback never came, or came without proof, the gateway itself is asked."""
    due = await hall.store.write(sweeps.claim_asks, BATCH)
    await each(due, lambda attempt_id: settlement.ask_gateway(hall.store, hall.gateways, attempt_id))
    return len(due)


async def apply_events(hall: Hall) -> int:
    """Provider events that were stored but could not be applied when they came."""
    theirs = tuple(name for name in hall.gateways if name != TELEGRAM)
    due = await hall.store.read(sweeps.due_events, theirs, BATCH)
    await each(due, lambda event: _apply_event(hall, event))
    return len(due)


async def _apply_event(hall: Hall, event: InboxEvent) -> None:
    try:
        notice = settlement.understand(
            hall.gateways[event.gateway], RawEvent(event.gateway, event.kind, event.raw, event.source, event.headers)
        )
    except Unreadable:
        return
    await hall.store.write(settlement.apply_stored, event, notice)
