"""Whoever tries many addresses that do not exist is slowed down: 60 misses a minute for each network address.

Only misses are counted (in the database, so that every process and a restart know), so a page that exists costs nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from domain.errors import LimitReached
from domain.ports import Unit
from usecases.hall import Hall

MISSES: Final = ("link_lookups", 60, 60)
_MOST_REMEMBERED: Final = 10_000


def _count(unit: Unit, address: str) -> int:
    name, window_s, _ = MISSES
    return unit.limits.count(name, address, window_s, unit.now)


class Lookups:
    def __init__(self, hall: Hall) -> None:
        self._hall = hall
        self._until: dict[str, datetime] = {}

    @property
    def anybody(self) -> bool:
        """Whether anybody is slowed down at all: almost never."""
        return bool(self._until)

    def check(self, address: str) -> None:
        """Raises LimitReached while this address is slowed down."""
        until = self._until.get(address)
        if until is None:
            return
        if self._hall.clock.now() < until:
            raise LimitReached(limit=MISSES[0], retry_at=until)
        del self._until[address]

    async def missed(self, address: str) -> None:
        _, window_s, most = MISSES
        if await self._hall.store.write(_count, address) >= most:
            now = self._hall.clock.now()
            if len(self._until) >= _MOST_REMEMBERED:
                self._until.clear()
            self._until[address] = now + timedelta(seconds=window_s - int(now.timestamp()) % window_s)
