"""Live pages: one listener at the bell for all of them, and a server-sent event stream that tells a page to look again.

An event carries no data of the purchase, only a digest of what the page shows; the page fetches itself. A ring that gets lost costs the
wait until the next heartbeat.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from aiohttp import web

from domain.ports import Bell

HEARTBEAT_S: Final = 15.0
LONGEST_S: Final = 900.0
"""A stream is ended after this; the browser opens it again by itself."""

TOPICS: Final = ("checkout", "order")
Face = Callable[[], Awaitable[tuple[str, bool]]]
"""What the page shows now as a short digest, and whether it is over."""


class Live:
    """Who waits for which thing. Memory of this process only: another one has its own bell."""

    def __init__(self, bell: Bell, heartbeat_s: float = HEARTBEAT_S) -> None:
        self._bell = bell
        self._waiting: dict[tuple[str, int], set[asyncio.Event]] = {}
        self._stops: list[Callable[[], None]] = []
        self._closing = False
        self.heartbeat_s = heartbeat_s

    @property
    def open_streams(self) -> int:
        return sum(map(len, self._waiting.values()))

    def start(self) -> None:
        self._stops = [self._bell.listen(topic, partial(self._ring, topic)) for topic in TOPICS]

    def stop(self) -> None:
        """Every stream ends at once, so that the server can."""
        self._closing = True
        for stop in self._stops:
            stop()
        for events in self._waiting.values():
            for event in events:
                event.set()

    def _ring(self, topic: str, what: Mapping[str, Any]) -> None:
        for event in self._waiting.get((topic, what.get("id", 0)), ()):
            event.set()

    @contextlib.contextmanager
    def _listening(self, topic: str, number: int) -> Iterator[asyncio.Event]:
        event = asyncio.Event()
        waiting = self._waiting.setdefault((topic, number), set())
        waiting.add(event)
        try:
            yield event
        finally:
            waiting.discard(event)
            if not waiting:
                self._waiting.pop((topic, number), None)

    async def stream(self, request: web.Request, topic: str, number: int, face: Face) -> web.StreamResponse:
        """`text/event-stream` until the thing is over: `state` events, and a comment as heartbeat."""
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        )
        with self._listening(topic, number) as event:
            shown, over = await face()
            await response.prepare(request)
            await response.write(f"retry: 2000\nevent: state\ndata: {shown}\n\n".encode())
            with contextlib.suppress(ConnectionResetError, TimeoutError):
                async with asyncio.timeout(LONGEST_S):
                    while not over and not self._closing:
                        shown, over = await self._next(response, event, face, shown)
        return response

    async def _next(self, response: web.StreamResponse, event: asyncio.Event, face: Face, shown: str) -> tuple[str, bool]:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self.heartbeat_s):
                await event.wait()
        if self._closing:
            return shown, True
        event.clear()
        now, over = await face()
        await response.write(b": still here\n\n" if now == shown else f"event: state\ndata: {now}\n\n".encode())
        return now, over
