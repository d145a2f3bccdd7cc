"""Which job runs how often; the only file that knows APScheduler. It only wakes sweeps: what is due is found by query."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import structlog
from apscheduler.schedulers.asyncio import AsyncIOScheduler

from domain.person import ChannelKind
from jobs import outbox, sweeps
from jobs.seal import seal
from usecases.hall import Hall

Job = Callable[[], Awaitable[int]]
MOST_ROUNDS = 1000
_log = structlog.get_logger("jobs")


@dataclass(frozen=True, slots=True)
class Timed:
    """A job, how often it looks by itself, and on which ring of the bell it looks at once."""

    name: str
    every_s: float
    job: Job
    topic: str = ""


class Jobs:
    """Runs the timetable until closed. A job that is still running is not started a second time in this process."""

    def __init__(self, hall: Hall, tellers: Mapping[ChannelKind, outbox.Teller], also: tuple[Timed, ...] = ()) -> None:
        self._closing = False
        self.table: tuple[Timed, ...] = (
            *(Timed(f"outbox_{kind}", 1, outbox.Lane(hall, kind, tellers.get(kind), self._is_closing), "outbox") for kind in ChannelKind),
            Timed("attempts", 3, lambda: sweeps.send_attempts(hall)),
            Timed("ask_gateways", 1, lambda: sweeps.ask_gateways(hall)),
            Timed("events", 5, lambda: sweeps.apply_events(hall)),
            Timed("refunds", 2, lambda: sweeps.send_refunds(hall), "refunds"),
            Timed("expire", 5, lambda: sweeps.expire(hall)),
            Timed("orders", 5, sweeps.Timers(hall)),
            Timed("codes", 600, lambda: sweeps.forget_codes(hall)),
            Timed("seal", 60, lambda: seal(hall)),
            *also,
        )
        self._hall = hall
        self._locks = {timed.name: asyncio.Lock() for timed in self.table}
        self._wakes = {timed.name: asyncio.Event() for timed in self.table}
        self._tasks: list[asyncio.Task[None]] = []
        self._stops: list[Callable[[], None]] = []
        self._scheduler = AsyncIOScheduler(timezone="UTC", job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None})

    def open(self) -> None:
        for timed in self.table:
            wake = [self._wakes[timed.name]]
            self._scheduler.add_job(_wake, "interval", wake, seconds=timed.every_s, jitter=max(timed.every_s / 10, 0.05))
            self._tasks.append(asyncio.get_running_loop().create_task(self._keep(timed)))
            if timed.topic:
                self._stops.append(self._hall.bell.listen(timed.topic, lambda _what, name=timed.name: self._wakes[name].set()))  # type: ignore[misc]
            self._wakes[timed.name].set()
        self._scheduler.start()

    async def _keep(self, timed: Timed) -> None:
        wake = self._wakes[timed.name]
        while True:
            await wake.wait()
            wake.clear()
            await self._run(timed)

    async def _run(self, timed: Timed) -> int:
        """Until nothing is left, bounded. A failure is logged and the job comes again at its next time."""
        done = 0
        async with self._locks[timed.name]:
            for _ in range(MOST_ROUNDS):
                if self._closing:
                    break
                try:
                    count = await timed.job()
                except Exception:  # noqa: BLE001 - a job that fails comes again at its next time
                    _log.exception("job_failed", job=timed.name)
                    break
                done += count
                if not count:
                    break
        return done

    async def run_due(self) -> int:
        """Everything that is due now, to its end: what a moved clock, a test or a command asks for."""
        done = 0
        for _ in range(20):
            round_done = 0
            for timed in self.table:
                round_done += await self._run(timed)
            done += round_done
            if not round_done:
                break
        return done

    def _is_closing(self) -> bool:
        return self._closing

    async def close(self) -> None:
        """What is under way comes to its end; nothing new begins."""
        self._closing = True
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        for stop in self._stops:
            stop()
        for name, lock in self._locks.items():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lock.acquire(), 10)
            _log.debug("job_closed", job=name)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _wake(event: asyncio.Event) -> None:
    """A coroutine, so that the scheduler runs it on the loop: it gives plain functions to a thread, where an Event must not be set."""
    event.set()
