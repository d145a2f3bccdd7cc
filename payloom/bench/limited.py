"""A Telegram that takes so many messages a second and fails on purpose. `python -m payloom.bench.limited PER_S FAILS`.

Of those that fail, every other one is taken all the same: its answer is lost, and only that may be said twice.
"""

from __future__ import annotations

import contextlib
import random
import sys
import time
from collections import Counter, deque
from collections.abc import AsyncIterator
from typing import Any

from payloom.bench.emulator import CHAT, ME, Say, listening
from payloom.bench.process import Answer, serve


class Taken:
    """Every message as it arrived; `came` are the chats in the order of their first, `known` those whose message was taken and said to be."""

    def __init__(self, per_s: int, fails: float) -> None:
        self._per_s, self._fails = per_s, fails
        self._dice = random.Random(7)
        self._second: deque[float] = deque()
        self.at_s: list[float] = []
        self.came: dict[int, None] = {}
        self.said: Counter[int] = Counter()
        self.known: set[int] = set()
        self.failed = self.refused = self.most = self.twice = 0

    def take(self, chat: int) -> tuple[int, dict[str, Any]]:
        now_s = time.monotonic()
        self._second.append(now_s)
        while self._second[0] <= now_s - 1:
            self._second.popleft()
        self.most = max(self.most, len(self._second))
        self.at_s.append(now_s)
        if len(self._second) > self._per_s:
            self.refused += 1
            return 429, {
                "ok": False,
                "error_code": 429,
                "description": "Too Many Requests: retry after 1",
                "parameters": {"retry_after": 1},
            }
        self.came[chat] = None
        self.twice += chat in self.known
        if self._dice.random() < self._fails:
            self.failed += 1
            if self.failed % 2:
                self.said[chat] += 1
            return 500, {"ok": False, "error_code": 500, "description": "Internal Server Error"}
        self.said[chat] += 1
        self.known.add(chat)
        return 200, {"ok": True, "result": {"message_id": len(self.known), "date": 1_770_000_000, "text": "x", "from": ME,
                                            "chat": {"id": chat, "type": "private", "first_name": "A"}}}  # fmt: skip

    def told(self, steady: int) -> dict[str, Any]:
        """`used` is the part of the limit that was used until the `steady`th arrival."""
        took_s = self.at_s[steady - 1] - self.at_s[0] if len(self.at_s) >= steady > 1 else 0.0
        return {
            "arrived": len(self.at_s), "chats": len(self.said), "known": len(self.known), "failed": self.failed, "refused": self.refused,
            "most": self.most, "twice": self.twice, "again": sum(count - 1 for count in self.said.values()),
            "used": (steady - 1) / took_s / self._per_s if took_s else 0.0, "first": list(self.came)[:2_000],
        }  # fmt: skip


@contextlib.asynccontextmanager
async def open_limited(per_s: int, fails: float) -> AsyncIterator[tuple[int, Answer | None]]:
    taken = Taken(per_s, fails)

    async def answer(question: str) -> dict[str, Any]:
        return taken.told(int(question))

    def hear(method: str, body: bytes, say: Say) -> None:
        chat = CHAT.search(body)
        if method == "sendMessage" and chat is not None:
            say(*taken.take(int(chat[1])))
        else:
            say(200, {"ok": True, "result": ME})

    async with listening(hear) as port:
        yield port, answer


if __name__ == "__main__":
    serve(lambda: open_limited(int(sys.argv[1]), float(sys.argv[2])), uvloop=True)
