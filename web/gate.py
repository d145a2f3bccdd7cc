"""Before a request is one: how many connections there may be, how many of one address, and how long one may say nothing.

What is behind a proxy meets the proxy's limits first; this is what holds where there is none, or where it forgets one of them.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Limits:
    """`each` is for one network address that is no proxy of ours: many phones share one, and each open page holds one connection.

    `idle_s` is for the head of a request and for the pause between two; longer than proxies keep their own connections open.
    """

    each: int = 256
    most: int = 10_000
    idle_s: float = 75.0


class Gate(web.Server):
    """The server of an application with a place for so many and no more; whoever comes beyond that is cut off without an answer."""

    def __init__(self, inner: web.Server, limits: Limits, proxies: frozenset[str]) -> None:
        super().__init__(inner.request_handler, request_factory=inner.request_factory, access_log=None, keepalive_timeout=limits.idle_s)
        self._limits, self._proxies = limits, proxies
        self._came_from: dict[web.RequestHandler, str] = {}
        self._here: Counter[str] = Counter()

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        address = str((transport.get_extra_info("peername") or ("",))[0])
        self._came_from[handler] = address
        self._here[address] += 1
        too_many = self._here[address] > self._limits.each and address not in self._proxies
        if too_many or len(self._came_from) > self._limits.most:
            transport.abort()

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        address = self._came_from.pop(handler, None)
        if address is not None:
            self._here[address] -= 1
            if not self._here[address]:
                del self._here[address]


class GatedRunner(web.AppRunner):
    """Runs an application behind a gate."""

    def __init__(self, application: web.Application, limits: Limits, proxies: frozenset[str], shutdown_timeout_s: float = 10) -> None:
        super().__init__(application, access_log=None, shutdown_timeout=shutdown_timeout_s)
        self._limits, self._proxies = limits, proxies

    async def _make_server(self) -> web.Server:
        return Gate(await super()._make_server(), self._limits, self._proxies)
