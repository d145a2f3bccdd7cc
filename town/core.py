"""What every imitated provider of the town shares: a clock that can be moved, faults on demand, and a journal of what happened."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


class Clock:
    """Real time plus an offset that only grows. Everything in the town, and the product in town mode, reads this clock."""

    def __init__(self) -> None:
        self._offset = timedelta(0)
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """The town's time, aware UTC."""
        return datetime.now(UTC) + self._offset

    def monotonic_s(self) -> float:
        """Seconds that never jump by themselves; a moved town clock moves them along, for in the town time has really passed."""
        return time.monotonic() + self._offset.total_seconds()

    def advance(self, seconds: float) -> datetime:
        """Move time forward and tell every listener (the product wakes its timers)."""
        if seconds < 0:
            raise ValueError("time only moves forward")
        self._offset += timedelta(seconds=seconds)
        for listener in self._listeners:
            listener()
        return self.now()

    def on_advance(self, listener: Callable[[], None]) -> None:
        self._listeners.append(listener)


@dataclass
class Fault:
    """One thing a provider is told to do wrong, a number of times. `detail` holds what the fault needs (seconds, a code)."""

    provider: str
    fault: str
    times: int
    detail: Mapping[str, Any] = field(default_factory=dict)


class Faults:
    """Faults waiting to happen, first asked first served."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def plant(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def take(self, provider: str, *names: str) -> Fault | None:
        """Use up one occurrence of the first waiting fault of this provider with one of these names, if any."""
        for fault in self._waiting:
            if fault.provider == provider and fault.fault in names and fault.times > 0:
                fault.times -= 1
                if fault.times == 0:
                    self._waiting.remove(fault)
                return fault
        return None

    def clear(self) -> None:
        self._waiting.clear()

    def waiting(self) -> list[dict[str, Any]]:
        return [{"provider": f.provider, "fault": f.fault, "times": f.times, **f.detail} for f in self._waiting]


class Journal:
    """Everything that was sent and shown, newest last, bounded; and a way to wait for the next thing (for live pages)."""

    def __init__(self, size: int = 5000) -> None:
        self._events: deque[dict[str, Any]] = deque(maxlen=size)
        self._numbers = itertools.count(1)
        self._waiters: set[asyncio.Future[None]] = set()

    def add(self, kind: str, **what: Any) -> int:
        """Note an event such as `telegram.message` or `daraja.prompt`; returns its number."""
        number = next(self._numbers)
        self._events.append({"n": number, "kind": kind, **what})
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        self._waiters.clear()
        return number

    def since(self, number: int) -> list[dict[str, Any]]:
        return [event for event in self._events if event["n"] > number]

    async def wait(self, timeout_s: float) -> bool:
        """True as soon as something is added, False after `timeout_s`."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            await asyncio.wait_for(waiter, timeout_s)
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True


STEP_S = 6 * 3600.0
"""A long jump is made in steps of this length, so that timers that lead to one another fire as they would have."""


class Core:
    """One town: shared by all its providers. The seed makes every generated id repeatable."""

    def __init__(self, seed: int | None = None) -> None:
        self.clock = Clock()
        self.meanwhile: list[Callable[[], Awaitable[object]]] = []
        """What lives in the town and keeps its own timers: awaited after every step of a jump."""
        self.faults = Faults()
        self.journal = Journal()
        self.chance = random.Random(seed)

    async def pass_time(self, seconds: float) -> datetime:
        """Let time pass as if it had: step by step, and everybody who keeps timers gets to act after each."""
        left = seconds
        while True:
            step = min(left, STEP_S)
            self.clock.advance(step)
            left -= step
            for act in self.meanwhile:
                await act()
            if left <= 0:
                return self.clock.now()
