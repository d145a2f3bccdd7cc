"""Things that happen later by the town's clock, and the tasks they run in."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import logging
from collections.abc import Awaitable, Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any

from town.core import Clock

Act = Callable[[], Awaitable[None]]

_log = logging.getLogger(__name__)


class Alarms:
    """Runs acts when the town's clock reaches their time, in order of time; a clock moved forward wakes it at once."""

    def __init__(self, clock: Clock, provider: str) -> None:
        self._clock = clock
        self._provider = provider
        self._due: list[tuple[datetime, int, Act]] = []
        self._numbers = itertools.count()
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._runner: asyncio.Task[None] | None = None
        clock.on_advance(self._changed.set)

    async def start(self) -> None:
        if self._runner is None:
            self._runner = asyncio.create_task(self._run(), name=f"town.{self._provider}.alarms")

    async def stop(self) -> None:
        """End everything under way; what was not yet due stays for the next start."""
        tasks = [*self._tasks, *([self._runner] if self._runner else [])]
        self._runner = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def after(self, seconds: float, act: Act) -> None:
        self.at(self._clock.now() + timedelta(seconds=seconds), act)

    def at(self, due: datetime, act: Act) -> None:
        heapq.heappush(self._due, (due, next(self._numbers), act))
        if self._due[0][2] is act:
            self._changed.set()

    def spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run it now beside everything else, ended by `stop`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (problem := task.exception()):
            _log.error("an act of the town's %s failed", self._provider, exc_info=problem)

    async def _run(self) -> None:
        while True:
            self._changed.clear()
            now = self._clock.now()
            while self._due and self._due[0][0] <= now:
                self.spawn(_do(heapq.heappop(self._due)[2]))
            wait_s = (self._due[0][0] - now).total_seconds() if self._due else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue


async def _do(act: Act) -> None:
    await act()
