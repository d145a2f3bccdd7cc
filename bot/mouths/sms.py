"""SMS: hears what was stored by the hook. What a message means and does is `bot/mouths/sms_turn.py`; the answer goes out by the outbox."""

from __future__ import annotations

from typing import Final

import structlog

from bot.engine import Engine
from bot.mouths.sms_turn import sms_turn
from domain.errors import DomainError
from usecases import sweeps
from usecases.hall import Hall
from usecases.payments import send_attempt
from usecases.texting import GATEWAY, Inbound
from usecases.updates import end_update

BATCH: Final = 100
_MISTAKES: Final = (DomainError, LookupError, TypeError, ValueError, AttributeError, AssertionError)
_log = structlog.get_logger("sms")


class SmsMouth:
    """Hears messages that were stored; what goes wrong with one is written beside it and holds up no other."""

    def __init__(self, hall: Hall, engine: Engine) -> None:
        self._hall = hall
        self._engine = engine

    def hear(self, inbound: Inbound) -> None:
        self._hall.spawn(self._turn(inbound.event_key))

    async def again(self) -> int:
        """Messages that were stored and cut off by a crash, or that failed."""
        due = await self._hall.store.read(sweeps.due_events, (GATEWAY,), BATCH)
        for event in due:
            await self._turn(event.event_key)
        return len(due)

    async def _turn(self, event_key: str) -> None:
        try:
            attempts = await self._hall.store.write(sms_turn, self._engine, event_key)
        except _MISTAKES as failure:
            _log.exception("text_failed", event_key=event_key)
            await self._hall.store.write(end_update, GATEWAY, event_key, type(failure).__name__)
            return
        for attempt_id in attempts:
            self._hall.spawn(send_attempt(self._hall.store, self._hall.gateways, attempt_id))
