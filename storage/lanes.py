"""What waits for the threads of a pool, and how much of it is under way at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final, Generic, TypeVar

T = TypeVar("T")
STUCK_S: Final = 0.02
"""Where nothing has begun or ended for so long, somebody waits for a lock."""


class Lanes(Generic[T]):
    """Hands out what waits, up to `batch` together, to at most `lanes` threads at once: the fuller a batch, the cheaper each of it.

    A lane more is opened whenever those under way do not move, up to as many threads as there are: who waits for a lock stops nobody else.
    """

    def __init__(self, lanes: int, batch: int) -> None:
        self._lanes = lanes
        self._batch = batch
        self._waiting: deque[T] = deque()
        self._changed = threading.Condition()
        self._under_way = 0
        self._moved_s = 0.0
        self._watched = False
        self._closed = False

    def put(self, one: T) -> None:
        with self._changed:
            self._waiting.append(one)
            if self._under_way < self._lanes or not self._watched:
                self._changed.notify()

    def close(self) -> None:
        """What waits is still handed out."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def take(self) -> list[T]:
        """What to do next, when there is something; nothing once it is closed. `done` is to follow."""
        with self._changed:
            while not self._waiting or not self._may_begin():
                if self._closed and not self._waiting:
                    self._changed.notify_all()  # who waited behind the last of it ends too
                    return []
                self._wait()
            self._under_way += 1
            self._moved_s = time.monotonic()
            taken = [self._waiting.popleft() for _ in range(min(self._batch, len(self._waiting)))]
            if self._waiting:
                self._changed.notify()  # for the next lane, or to watch this one
            return taken

    def done(self) -> None:
        with self._changed:
            self._under_way -= 1
            self._moved_s = time.monotonic()

    def _may_begin(self) -> bool:
        return self._under_way < self._lanes or time.monotonic() - self._moved_s >= STUCK_S

    def _wait(self) -> None:
        """One of those who wait watches whether those under way move."""
        if self._waiting and not self._watched:
            self._watched = True
            self._changed.wait(STUCK_S)
            self._watched = False
        else:
            self._changed.wait()
