"""Page visits, counted in memory and written every second: a visit is worth no write of its own (and a crash may lose a second of them)."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Final

import structlog

from domain.ids import LinkId
from domain.ports import Store, Unit

EVERY_S: Final = 1.0
_log = structlog.get_logger("visits")


def write_visits(unit: Unit, visits: dict[LinkId, int]) -> None:
    unit.links.count_visits(visits, int(unit.now.timestamp()) // 86_400)


class Visits:
    """Started and stopped with the application; the last second is written at the stop."""

    def __init__(self, store: Store, every_s: float = EVERY_S) -> None:
        self._store = store
        self._every_s = every_s
        self._counted: Counter[LinkId] = Counter()
        self._task: asyncio.Task[None] | None = None

    def count(self, link_id: LinkId) -> None:
        self._counted[link_id] += 1

    async def start(self) -> None:
        self._task = asyncio.create_task(self._go_on())

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self.flush()

    async def flush(self) -> None:
        """Write what was counted. What cannot be written now is kept for the next time."""
        if not self._counted:
            return
        counted, self._counted = self._counted, Counter()
        try:
            await self._store.write(write_visits, dict(counted))
        except Exception:  # noqa: BLE001 - a visit is not worth a failure; the numbers are kept
            self._counted.update(counted)
            _log.warning("visits_not_written", links=len(counted), exc_info=True)

    async def _go_on(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self.flush()
