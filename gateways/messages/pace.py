"""How fast a bot may speak: token buckets for all chats together and for each one.

Numbers: core.telegram.org/bots/faq "My bot is hitting limits": 30 messages a second in all, about one a second in a chat (short bursts
pass), 20 a minute in a group. The counts are of this process: with several senders give each its part of `overall_per_s`.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

KEPT: Final = 10_000
"""Chats remembered; the one not spoken to for longest is forgotten, by which time its bucket is full."""


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


class Pace:
    """`monotonic_s` is `domain.ports.Clock.monotonic_s`. Not for several threads."""

    def __init__(
        self, monotonic_s: Callable[[], float], overall_per_s: float = 30.0, chat_per_s: float = 1.0, chat_burst: float = 8.0
    ) -> None:
        self._now_s = monotonic_s
        self._chat_per_s, self._chat_burst = chat_per_s, chat_burst
        self._overall = Bucket(overall_per_s, overall_per_s, monotonic_s())
        self._chats: OrderedDict[str, Bucket] = OrderedDict()
        self._silent_until_s = 0.0

    def take(self, chat: str) -> float:
        """0 when a message may go to this chat now (it is counted), else the seconds after which to ask again (nothing is counted)."""
        now_s = self._now_s()
        bucket = self._chats.pop(chat, None) or self._new(chat, now_s)
        self._chats[chat] = bucket
        if len(self._chats) > KEPT:
            self._chats.popitem(last=False)
        lacks_s = max(self._silent_until_s - now_s, self._overall.lacks_s(now_s), bucket.lacks_s(now_s))
        if lacks_s > 0:
            return lacks_s
        self._overall.take()
        bucket.take()
        return 0.0

    async def turn(self, chat: str, most_wait_s: float) -> float:
        """Waits for a turn and takes it; the seconds still lacking when that would take longer than `most_wait_s`."""
        left_s = most_wait_s
        while (lacks_s := self.take(chat)) > 0:
            if lacks_s > left_s:
                return lacks_s
            left_s -= lacks_s
            await asyncio.sleep(lacks_s)
        return 0.0

    def pause(self, seconds: float) -> None:
        """The provider said to wait: nothing goes to anybody before."""
        self._silent_until_s = max(self._silent_until_s, self._now_s() + seconds)

    def _new(self, chat: str, now_s: float) -> Bucket:
        """A group, whose id is negative, takes 20 a minute."""
        if chat.startswith("-"):
            return Bucket(min(self._chat_per_s, 20 / 60), min(self._chat_burst, 3.0), now_s)
        return Bucket(self._chat_per_s, self._chat_burst, now_s)
