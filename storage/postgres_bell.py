"""Waking those who wait in other processes, by LISTEN and NOTIFY of PostgreSQL."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from typing import Any

import psycopg
import structlog

from storage.bell import LocalBell

_CHANNEL = "payloom"
_MOST_BYTES = 3_900
_MOST_TOGETHER = 4_000
"""PostgreSQL takes a payload of less than 8,000 bytes: what is collected below the second is joined by one ring of at most the first."""
_BREATH_S = 0.02
"""Between two notices: under load, rings gather and go together."""

_log = structlog.get_logger("bell")


class PostgresBell(LocalBell):
    """One connection of its own: listens, and notifies after our commits (a NOTIFY inside a sale's transaction would serialize all commits)."""

    def __init__(self, conninfo: str) -> None:
        super().__init__()
        self._conninfo = conninfo
        self._outgoing: asyncio.Queue[str] = asyncio.Queue(maxsize=10_000)
        self._tasks: list[asyncio.Task[None]] = []
        self._own_pid = 0

    def ring(self, topic: str, what: Mapping[str, Any]) -> None:
        super().ring(topic, what)
        body = json.dumps([topic, what])
        if len(body) < _MOST_BYTES:
            with contextlib.suppress(asyncio.QueueFull):
                self._outgoing.put_nowait(body)

    async def open(self) -> None:
        self._tasks = [asyncio.create_task(self._keep(self._listen)), asyncio.create_task(self._keep(self._notify))]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().close()

    async def _keep(self, work: Callable[[psycopg.AsyncConnection[Any]], Any]) -> None:
        """Connect and work; connect again after a pause when the connection is lost."""
        while True:
            try:
                async with await psycopg.AsyncConnection.connect(self._conninfo, autocommit=True) as connection:
                    await work(connection)
            except (psycopg.Error, OSError) as error:
                _log.warning("bell_lost", error=type(error).__name__)
            await asyncio.sleep(1)

    async def _listen(self, connection: psycopg.AsyncConnection[Any]) -> None:
        await connection.execute(f"LISTEN {_CHANNEL}")
        async for notice in connection.notifies():
            if notice.pid != self._own_pid:
                for topic, what in json.loads(notice.payload):
                    super().ring(topic, what)

    async def _notify(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._own_pid = connection.info.backend_pid
        while True:
            rings = await self._next_rings()
            await connection.execute("SELECT pg_notify(%s, %s)", (_CHANNEL, f"[{','.join(rings)}]"))
            await asyncio.sleep(_BREATH_S)

    async def _next_rings(self) -> list[str]:
        """What waits, as much as one notice holds; rings that repeat are sent once."""
        rings = {await self._outgoing.get(): None}
        size = sum(map(len, rings))
        while not self._outgoing.empty() and size < _MOST_TOGETHER:
            body = self._outgoing.get_nowait()
            size += 0 if body in rings else len(body) + 1
            rings[body] = None
        return list(rings)
