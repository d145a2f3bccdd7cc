"""How fast a bot may speak: token buckets for all chats together and for each one.

Numbers: core.telegram.org/bots/faq "My bot is hitting limits": 30 messages a second in all, about one a second in a chat (short bursts
pass), 20 a minute in a group. What all processes together may send stands in one row of places in time (docs/decisions/0016-one-pace.md); what
one chat may get is counted in the process that has its messages, which is one at a time.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine
from typing import Final, Protocol

import structlog

KEPT: Final = 10_000
"""Chats remembered; the one not spoken to for longest is forgotten, by which time its bucket is full."""

ROOM: Final = 0.03
"""Places are this much further apart than the limit asks, so that one may be used this many seconds late and no second ever holds too many."""
BATCH_S: Final = 0.1
"""Places for this long are taken at once, by those who wait; for longer where the database is slow, but never for more than LONGEST_S."""
LONGEST_S: Final = 1.0
LATE_S: Final = 0.5
"""After this an answer of the database is taken to be an exception."""

log = structlog.get_logger(__name__)


class Window:
    """At most `per_s` in any second, however they come: when the last of them went is remembered."""

    __slots__ = ("_went_s", "_window_s")

    def __init__(self, per_s: float) -> None:
        most = max(1, int(per_s))
        self._went_s: deque[float] = deque(maxlen=most)
        self._window_s = most / per_s + ROOM

    def lacks_s(self, now_s: float) -> float:
        if len(self._went_s) < (self._went_s.maxlen or 0):
            return 0.0
        return max(0.0, self._went_s[0] + self._window_s - now_s)

    def take(self, now_s: float) -> None:
        self._went_s.append(now_s)


class Places(Protocol):
    """The places in time that all processes share. Neither verb is called by two at once."""

    async def take(self, count: int, every_s: float, after_s: float) -> tuple[float, bool]:
        """The next `count` places, `every_s` apart and none sooner than in `after_s`: seconds until the first. False: that is too far off, none
        was taken."""
        ...

    async def hold(self, seconds: float) -> None:
        """No place before that for anybody."""
        ...


class Bucket:
    """`burst` at once, then `per_s` each second."""

    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: float, now_s: float) -> None:
        self._per_s, self._burst, self._left, self._at_s = per_s, burst, burst, now_s

    def lacks_s(self, now_s: float) -> float:
        """Seconds until one may be taken; 0 when it may be now."""
        self._left = min(self._burst, self._left + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        return 0.0 if self._left >= 1 - 1e-9 else (1 - self._left) / self._per_s

    def take(self) -> None:
        self._left -= 1

    def give_back(self) -> None:
        self._left += 1


class Pace:
    """`monotonic_s` is `domain.ports.Clock.monotonic_s`. With `places` the limit for all chats together is that of all processes. Not for several threads."""

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        overall_per_s: float = 30.0,
        chat_per_s: float = 1.0,
        chat_burst: float = 8.0,
        *,
        places: Places | None = None,
    ) -> None:
        self._now_s = monotonic_s
        self._chat_per_s, self._chat_burst = chat_per_s, chat_burst
        self._overall = Window(overall_per_s)
        self._chats: OrderedDict[str, Bucket] = OrderedDict()
        self._silent_until_s = 0.0
        self._row = None if places is None else _Row(places, monotonic_s, overall_per_s)

    def take(self, chat: str) -> float:
        """0 when a message may go to this chat now (it is counted), else the seconds after which to ask again (nothing is counted)."""
        now_s = self._now_s()
        bucket = self._bucket(chat, now_s)
        overall_s = 0.0 if self._row is not None else self._overall.lacks_s(now_s)
        lacks_s = max(self._silent_until_s - now_s, overall_s, bucket.lacks_s(now_s))
        if lacks_s > 0:
            return lacks_s
        self._overall.take(now_s)
        bucket.take()
        return 0.0

    async def turn(self, chat: str, most_wait_s: float) -> float:
        """Waits for a turn and takes it; the seconds still lacking when that would take longer than `most_wait_s`."""
        ends_s = self._now_s() + most_wait_s
        while True:
            lacks_s = self.take(chat)
            if lacks_s <= 0 and self._row is not None:
                lacks_s = await self._row.place(ends_s)
                if lacks_s > 0 or self._silent_until_s > self._now_s():
                    self._bucket(chat, self._now_s()).give_back()
                    lacks_s = max(lacks_s, self._silent_until_s - self._now_s())
            if lacks_s <= 0:
                return 0.0
            if lacks_s > ends_s - self._now_s():
                return lacks_s
            await asyncio.sleep(lacks_s)

    def pause(self, seconds: float) -> None:
        """The provider said to wait: nothing goes to anybody before, from any process."""
        self.keep_silent(seconds)
        if self._row is not None:
            self._row.hold(seconds)

    def keep_silent(self, seconds: float) -> None:
        """The same for this process, when another one heard it."""
        self._silent_until_s = max(self._silent_until_s, self._now_s() + seconds)
        if self._row is not None:
            self._row.forget()

    def _bucket(self, chat: str, now_s: float) -> Bucket:
        bucket = self._chats.pop(chat, None) or self._new(chat, now_s)
        self._chats[chat] = bucket
        if len(self._chats) > KEPT:
            self._chats.popitem(last=False)
        return bucket

    def _new(self, chat: str, now_s: float) -> Bucket:
        """A group, whose id is negative, takes 20 a minute."""
        if chat.startswith("-"):
            return Bucket(min(self._chat_per_s, 20 / 60), min(self._chat_burst, 3.0), now_s)
        return Bucket(self._chat_per_s, self._chat_burst, now_s)


class _Row:
    """The places that this process has taken and not used yet. They are given to those who wait in the order in which they came."""

    def __init__(self, places: Places, monotonic_s: Callable[[], float], per_s: float) -> None:
        self._shared, self._now_s = places, monotonic_s
        self._every_s = 1 / (per_s * (1 - ROOM))
        self._per_s = per_s
        self._places: deque[float] = deque()
        self._turns, self._takes = asyncio.Lock(), asyncio.Lock()
        self._waiting = 0
        self._lag_s = 0.005
        self._free_s = self._full_until_s = 0.0
        self._tasks: set[asyncio.Task[object]] = set()

    async def place(self, ends_s: float) -> float:
        """0 at the instant of a place, or the seconds until there may be one, when that is beyond `ends_s`."""
        while True:
            self._waiting += 1
            try:
                async with self._turns:
                    at_s = await self._next(ends_s)
            finally:
                self._waiting -= 1
            if at_s is None:
                return max(0.001, ends_s - self._now_s()) + self._every_s
            if (early_s := at_s - self._now_s()) > 0:
                await asyncio.sleep(early_s)
            if self._now_s() <= at_s + ROOM:
                return 0.0

    async def _next(self, ends_s: float) -> float | None:
        while True:
            while self._places and self._places[0] + ROOM < self._now_s():
                self._places.popleft()  # nobody was there in time: it is lost rather than made up for
            if self._places:
                break
            lacks_s = await self._take()
            if lacks_s > 0:
                if self._now_s() + lacks_s > ends_s:
                    return None
                await asyncio.sleep(lacks_s)
        at_s = self._places.popleft()
        if self._waiting > len(self._places) and len(self._places) * 2 <= self._batch() and not self._takes.locked():
            self._spawn(self._take())
        return at_s

    def _batch(self) -> int:
        """So many that the database has answered again before they are used up."""
        return max(1, round(self._per_s * min(max(BATCH_S, 4 * self._lag_s), LONGEST_S)))

    async def _take(self) -> float:
        """Places for those who wait, a batch at most. 0, or the seconds after which to ask again."""
        async with self._takes:
            wanted = min(self._batch(), self._waiting - len(self._places))
            if wanted <= 0:
                return 0.0
            asked_s = self._now_s()
            if asked_s < self._full_until_s:
                return max(self._free_s - asked_s, self._every_s)
            try:
                first_s, taken = await self._shared.take(wanted, self._every_s, min(2 * self._lag_s, LATE_S))
            except Exception as error:  # noqa: BLE001 - without the database nobody knows how much the others send
                log.warning("pace_unknown", error=type(error).__name__)
                return LATE_S
            now_s = self._now_s()
            self._lag_s = max(now_s - asked_s, self._lag_s * 0.9)
            if not taken:
                self._free_s, self._full_until_s = now_s + first_s, now_s + BATCH_S
                return max(first_s, self._every_s)
            self._places.extend(now_s + first_s + number * self._every_s for number in range(wanted))
            return 0.0

    def forget(self) -> None:
        self._places.clear()

    def hold(self, seconds: float) -> None:
        self._spawn(self._held(seconds))

    async def _held(self, seconds: float) -> None:
        try:
            await self._shared.hold(seconds)
        except Exception as error:  # noqa: BLE001 - this process waits all the same; the others will be told by the provider
            log.warning("pace_not_shared", error=type(error).__name__)

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
