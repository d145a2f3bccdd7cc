"""An ear at our callback addresses: keeps every request as it came, and answers what it is told to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from types import TracebackType

from aiohttp import web


@dataclass(frozen=True)
class Told:
    """One request: `kind` as the door would read it off the address, header names in lower case."""

    path: str
    kind: str
    raw: bytes
    headers: dict[str, str]


class Ear:
    """`async with Ear() as ear:` listens at `ear.url`."""

    def __init__(self) -> None:
        self.told: list[Told] = []
        self.status = 200
        self.url = ""
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Ear:
        application = web.Application()
        application.router.add_route("*", "/{tail:.*}", self._hear)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        raw = await request.read()
        if request.path.startswith("/callbacks/"):
            parts = request.path.split("/")
            headers = {name.lower(): value for name, value in request.headers.items()}
            async with self._arrived:
                self.told.append(Told(request.path, parts[4] if len(parts) > 4 else "event", raw, headers))
                self._arrived.notify_all()
        return web.Response(status=self.status)

    async def heard(self, count: int = 1, kind: str = "", within_s: float = 5.0) -> list[Told]:
        """What came (of this kind), once there are at least `count`; raises TimeoutError."""
        async with asyncio.timeout(within_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self._of(kind)) >= count)
        return self._of(kind)

    def _of(self, kind: str) -> list[Told]:
        return [told for told in self.told if kind in ("", told.kind)]
