"""The clock's part of payments by hand: what waited for a prompt's end, questions about receipts, and the gateway's own lists."""

from __future__ import annotations

import structlog

from domain.by_hand import HandGateway
from domain.payment import Unreadable
from domain.records import InboxEvent
from jobs.sweeps import BATCH, each
from usecases import by_hand, lists, lookups, sweeps
from usecases.hall import Hall

_log = structlog.get_logger("jobs")


class ByHand:
    def __init__(self, hall: Hall, gateway: HandGateway) -> None:
        self._hall, self._gateway = hall, gateway

    async def apply_events(self) -> int:
        due = await self._hall.store.read(sweeps.due_events, (by_hand.INBOX,), BATCH)
        await each(due, self._apply)
        return len(due)

    async def _apply(self, event: InboxEvent) -> None:
        try:
            told = self._gateway.read_told(event.kind, event.raw)
        except Unreadable:  # what could be read when it came can be read now; if not, a newer program says so
            _log.error("event_unreadable", event_id=event.id)
            return
        await self._hall.store.write(by_hand.apply_again, event, told)

    async def send_lookups(self) -> int:
        due = await self._hall.store.read(lookups.due_lookups, BATCH)
        await each(due, lambda lookup_id: lookups.send_lookup(self._hall.store, self._gateway, lookup_id))
        return len(due)

    async def read_lists(self) -> int:
        """How many were read; one that was not is due again at the next time."""
        read = 0
        for call in await self._hall.store.read(lists.due_lists):
            read += await lists.read_list(self._hall.store, self._gateway, call)
        return read
