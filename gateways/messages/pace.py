"""How fast a bot may speak: no second of the provider's ever holds more than its limit, and no chat gets more than it may.

Numbers: core.telegram.org/bots/faq "My bot is hitting limits": 30 messages a second in all, about one a second in a chat (short bursts
pass), 20 a minute in a group. A message counts until a second after its answer, for only then it is certain when it had arrived, however late
a busy machine was. What all processes together may send is shared out between them (docs/decisions/0016-one-pace.md); what one chat may get is
counted in the process that has its messages, which is one at a time.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Final, Protocol

import structlog

KEPT: Final = 10_000
"""Chats remembered; the one not spoken to for longest is forgotten, by which time its bucket is full."""

ROOM: Final = 0.005
"""Added to the second, for a message may be quicker on its way than any before it."""
BUSY_S: Final = 0.02
"""So much of the quickest way there and back may have been a busy machine's, at either end, and is not counted on."""
SPREAD: Final = 0.9
"""Messages go no closer together than this part of the even distance: what is late is made up for, and never in one heap."""
CLAIM_S: Final = 0.2
"""While messages wait, the share is asked for this often; else it is renewed before it lapses."""
RENEW_S: Final = 1.0
LASTS_S: Final = 2.0
"""A share that was not renewed for so long is nobody's here; the others wait longer (usecases/pacing.py)."""
LOOK_S: Final = 0.01
MEASURED: Final = 500
"""So many of the last answers say how quick the way there and back can be."""

log = structlog.get_logger(__name__)


class Shares(Protocol):
    """What a provider takes in its second, shared out between processes. Neither verb is called by two at once."""

    async def take(self, most: int, keeps: int, wants: int) -> tuple[int, float]:
        """Of `most` this process keeps so many that it cannot let go yet, and wants so many: those that it may use from now on, and the seconds
        in which nobody may speak."""
        ...

    async def hold(self, seconds: float) -> None:
        """Nobody speaks before that."""
        ...


class Window:
    """So many messages in a second of the provider's, wherever they are: on their way, or there for less than a second."""

    def __init__(self, per_s: float) -> None:
        self.most = max(1, int(per_s))
        self._window_s = self.most / per_s + ROOM
        self._every_s = SPREAD / per_s
        self._out = 0
        self._until_s: deque[float] = deque()
        self._took_s: deque[float] = deque(maxlen=MEASURED)
        self._next_s = 0.0

    def counts(self, now_s: float) -> int:
        while self._until_s and self._until_s[0] <= now_s:
            self._until_s.popleft()
        return self._out + len(self._until_s)

    def lacks_s(self, now_s: float, share: int) -> float:
        if (early_s := self._next_s - now_s) > 0:
            return early_s
        over = self.counts(now_s) - share
        if over < 0:
            return 0.0
        return self._until_s[over] - now_s if over < len(self._until_s) else LOOK_S

    def goes(self, now_s: float) -> None:
        self._out += 1
        self._next_s = max(self._next_s, now_s - self._every_s) + self._every_s

    def answered(self, went_s: float, now_s: float) -> None:
        """It arrived before its answer left, and the next is about as long on its way as the quickest there and back."""
        self._out -= 1
        self._took_s.append(now_s - went_s)
        self._until_s.append(now_s - max(0.0, min(self._took_s) - BUSY_S) + self._window_s)


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
    """`monotonic_s` is `domain.ports.Clock.monotonic_s`. With `shares` the limit is that of all processes together. Not for several threads."""

    def __init__(
        self,
        monotonic_s: Callable[[], float],
        overall_per_s: float = 30.0,
        chat_per_s: float = 1.0,
        chat_burst: float = 8.0,
        *,
        shares: Shares | None = None,
    ) -> None:
        self._now_s = monotonic_s
        self._chat_per_s, self._chat_burst = chat_per_s, chat_burst
        self._window = Window(overall_per_s)
        self._chats: OrderedDict[str, Bucket] = OrderedDict()
        self._silent_until_s = 0.0
        self._line = asyncio.Lock()
        self._waiting = 0
        self._shares = shares
        self._share, self._lasts_until_s = (self._window.most, math.inf) if shares is None else (0, 0.0)
        self._came = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @contextlib.asynccontextmanager
    async def turn(self, chat: str, most_wait_s: float) -> AsyncIterator[float]:
        """Waits for a turn to speak in the block, which ends with the provider's answer: 0. Otherwise, the seconds that are lacking when that is
        longer than `most_wait_s`: nothing may be said."""
        lacks_s = await self._waited(chat, self._now_s() + most_wait_s)
        went_s = self._now_s()
        try:
            yield lacks_s
        finally:
            if lacks_s <= 0:
                self._window.answered(went_s, self._now_s())

    async def _waited(self, chat: str, ends_s: float) -> float:
        bucket = self._bucket(chat)
        while (lacks_s := bucket.lacks_s(self._now_s())) > 0:
            if lacks_s > ends_s - self._now_s():
                return lacks_s
            await asyncio.sleep(lacks_s)
        bucket.take()
        lacks_s = await self._stood_in_line(ends_s)
        if lacks_s > 0:
            bucket.give_back()
        return lacks_s

    async def _stood_in_line(self, ends_s: float) -> float:
        """Those who wait go in the order in which they came, whatever their chat."""
        self._waiting += 1
        self._claim()
        try:
            async with asyncio.timeout(max(0.0, ends_s - self._now_s()) + LOOK_S), self._line:
                while (lacks_s := self._lacks_s()) > 0:
                    if lacks_s > ends_s - self._now_s():
                        return lacks_s
                    await asyncio.sleep(lacks_s)
                self._window.goes(self._now_s())
                return 0.0
        except TimeoutError:
            return max(self._lacks_s(), LOOK_S)
        finally:
            self._waiting -= 1

    def _lacks_s(self) -> float:
        now_s = self._now_s()
        if (silent_s := self._silent_until_s - now_s) > 0:
            return silent_s
        return self._window.lacks_s(now_s, self._share) if now_s < self._lasts_until_s else LOOK_S

    def pause(self, seconds: float) -> None:
        """The provider said to wait: nothing goes to anybody before, from any process."""
        self.keep_silent(seconds)
        if self._shares is not None:
            self._spawn(self._hold(self._shares, seconds))

    def keep_silent(self, seconds: float) -> None:
        """The same for this process, when another one heard it."""
        self._silent_until_s = max(self._silent_until_s, self._now_s() + seconds)

    async def _hold(self, shares: Shares, seconds: float) -> None:
        try:
            await shares.hold(seconds)
        except Exception as error:  # noqa: BLE001 - this process waits all the same; the others will be told by the provider
            log.warning("pace_not_shared", error=type(error).__name__)

    def _claim(self) -> None:
        self._came.set()
        if self._shares is not None and (self._keeper is None or self._keeper.done()):
            self._keeper = self._spawn(self._keep(self._shares))

    async def _keep(self, shares: Shares) -> None:
        """A share is kept while anything waits or counts, and then given back."""
        while True:
            asked_s, counts = self._now_s(), self._window.counts(self._now_s())
            idle = not counts and not self._waiting
            if idle or asked_s >= self._lasts_until_s:
                self._share = 0
            try:
                wants = min(self._window.most, counts + self._waiting)
                self._share, silent_s = await shares.take(self._window.most, max(counts, self._share), wants)
                self._lasts_until_s = asked_s + LASTS_S
                self.keep_silent(silent_s)
            except Exception as error:  # noqa: BLE001 - without the database nobody knows how much the others send
                log.warning("pace_unknown", error=type(error).__name__)
            if idle and not self._waiting:
                return
            await asyncio.sleep(CLAIM_S)
            if not self._waiting:
                self._came.clear()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._came.wait(), RENEW_S - CLAIM_S)

    def _spawn(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def _bucket(self, chat: str) -> Bucket:
        bucket = self._chats.pop(chat, None) or self._new(chat)
        self._chats[chat] = bucket
        if len(self._chats) > KEPT:
            self._chats.popitem(last=False)
        return bucket

    def _new(self, chat: str) -> Bucket:
        """A group, whose id is negative, takes 20 a minute."""
        if chat.startswith("-"):
            return Bucket(min(self._chat_per_s, 20 / 60), min(self._chat_burst, 3.0), self._now_s())
        return Bucket(self._chat_per_s, self._chat_burst, self._now_s())
