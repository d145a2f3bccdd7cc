"""One provider of the town alone, served on loopback: for trying a client against it, and for tests."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self, TypeVar

from aiohttp import web

from town.core import Core


class Provider(Protocol):
    def routes(self) -> Sequence[web.AbstractRouteDef]: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


class Alone:
    """`async with` serves at `url`, an address without a path; port 0 takes a free one. `more` are routes that go with the provider's."""

    def __init__(self, core: Core, port: int, provider: Provider, more: Sequence[web.AbstractRouteDef] = ()) -> None:
        self.core = core
        self.url = ""
        self._port, self._provider, self._more = port, provider, more
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        application = web.Application()
        application.add_routes([*self._provider.routes(), *self._more])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self._port).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self._provider.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self._provider.stop()
        if self._runner is not None:
            await self._runner.cleanup()


Made = TypeVar("Made", bound=Alone)


def serve(make: Callable[..., Made], base_of: Callable[[Made], str]) -> None:
    """Serve until interrupted, at the port that the command line names; says what a client takes as its base address."""

    async def forever() -> None:
        async with make(port=int(sys.argv[1]) if len(sys.argv) > 1 else 0) as alone:
            print(base_of(alone), flush=True)  # noqa: T201 - a command says where it listens
            await asyncio.Event().wait()

    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(forever())
