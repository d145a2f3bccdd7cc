"""Reconciliation, daily: each account's day that is over, a list that could not be read, a day that still has differences; and strays without an
answer."""

from __future__ import annotations

import structlog

from usecases.hall import Hall
from usecases.reconcile import Books, due_days, reconcile
from usecases.suspense import remind

EVERY_S = 600
_log = structlog.get_logger("jobs")


def books_of(hall: Hall) -> Books:
    return Books(hall.store, hall.gateways, hall.by_hand)


async def reconcile_due(hall: Hall) -> int:
    """One account after the other: nobody waits for it, and the gateways are spared. How many days were read."""
    await hall.store.write(remind)
    read = 0
    for day in await hall.store.read(due_days, tuple(hall.gateways)):
        try:
            result = await reconcile(books_of(hall), day)
        except Exception:  # noqa: BLE001 - one account that cannot be read must not keep the others from it
            _log.exception("reconciling_failed", gateway=day.account.gateway, owner=day.account.owner, day=str(day.day))
            continue
        read += result is not None
    return read
