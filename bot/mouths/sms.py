"""SMS: what somebody writes is answered by the outbox, so that a crash loses nothing and operators who send twice are answered once."""

from __future__ import annotations

from usecases import sweeps
from usecases.hall import Hall
from usecases.texting import GATEWAY, Inbound, answer_text

BATCH = 100


class SmsMouth:
    def __init__(self, hall: Hall) -> None:
        self._hall = hall

    def hear(self, inbound: Inbound) -> None:
        self._hall.spawn(self._hall.store.write(answer_text, inbound.event_key))

    async def again(self) -> int:
        """Messages that were stored and cut off by a crash."""
        due = await self._hall.store.read(sweeps.due_events, (GATEWAY,), BATCH)
        for event in due:
            await self._hall.store.write(answer_text, event.event_key)
        return len(due)
