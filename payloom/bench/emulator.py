"""A Telegram that answers at once, and remembers when each chat was first written to. `python -m payloom.bench.emulator`.

Far thinner than the town's: it must not be what a bench measures.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import re
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from payloom.bench.load import whole
from payloom.bench.process import Answer, serve

ME = {"id": 100200300, "is_bot": True, "first_name": "Bench", "username": "payloom_bot"}
POLL_S = 2.0
CHAT = re.compile(rb"(?:^|&)chat_id=(-?\d+)")
_MADE = ("sendMessage", "editMessageText", "sendPhoto", "editMessageReplyMarkup")


class Seen:
    """`first` is when (epoch) the first message to a chat arrived; `messages` how many there were."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.messages = 0
        self.numbers = itertools.count(1)

    def answer(self, method: str, body: bytes) -> Any:
        if method == "getMe":
            return ME
        if method not in _MADE:
            return True
        found = CHAT.search(body)
        chat = found[1].decode() if found else "0"
        if method == "sendMessage":
            self.messages += 1
            self.first.setdefault(chat, time.time())
        return {
            "message_id": next(self.numbers), "date": 1_770_000_000, "from": ME, "text": "x",
            "chat": {"id": int(chat), "type": "private", "first_name": "A"},
        }  # fmt: skip


Say = Callable[[int, dict[str, Any]], None]
Hear = Callable[[str, bytes, Say], None]
"""Is told a call's method and body, and says a status and an answer, now or later."""


class _Connection(asyncio.Protocol):
    def __init__(self, hear: Hear) -> None:
        self._hear = hear
        self._buffer = bytearray()
        self._transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        found = whole(buffer)
        if found is None:
            return
        begins, ends = found
        method = buffer[: buffer.find(b" HTTP/")].rpartition(b"/")[2].partition(b"?")[0].decode()
        body = bytes(buffer[begins:ends])
        del buffer[:ends]
        self._hear(method, body, self._say)

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        if self._transport.is_closing():
            return
        body = json.dumps(answer).encode()
        head = b"HTTP/1.1 %d X\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % (status, len(body))
        self._transport.write(head + body)


@contextlib.asynccontextmanager
async def listening(hear: Hear) -> AsyncIterator[int]:
    """A Bot API on loopback; its port."""
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(hear), "127.0.0.1", 0)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()


@contextlib.asynccontextmanager
async def open_emulator() -> AsyncIterator[tuple[int, Answer | None]]:
    seen = Seen()

    async def answer(question: str) -> dict[str, Any]:
        if question == "forget":
            seen.first.clear()
            seen.messages = 0
        return {"first": seen.first if question == "first" else {}, "messages": seen.messages}

    def hear(method: str, body: bytes, say: Say) -> None:
        if method == "getUpdates":
            asyncio.get_running_loop().call_later(POLL_S, say, 200, {"ok": True, "result": []})
        else:
            say(200, {"ok": True, "result": seen.answer(method, body)})

    async with listening(hear) as port:
        yield port, answer


if __name__ == "__main__":
    serve(open_emulator, uvloop=True)
