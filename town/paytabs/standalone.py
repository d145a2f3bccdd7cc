"""PayTabs alone, served on loopback: for trying a client against it, and for tests.

`python -m town.paytabs.standalone 8092` serves until interrupted.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from types import TracebackType
from typing import Any

from aiohttp import web

from town.core import Core
from town.paytabs.server import PayTabs


class Standalone:
    """`async with Standalone(seed=1) as alone:` serves at `alone.url` (no trailing slash); port 0 takes a free one."""

    def __init__(self, seed: int | None = None, port: int = 0, **settings: Any) -> None:
        self.core = Core(seed)
        self.paytabs = PayTabs(self.core, **settings)
        self.url = ""
        self._port = port
        self._runner: web.AppRunner | None = None

    @property
    def base_url(self) -> str:
        """What a client takes instead of the host of a region."""
        return f"{self.url}/town/paytabs"

    async def __aenter__(self) -> Standalone:
        application = web.Application()
        application.add_routes(self.paytabs.routes())
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self._port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        await self.paytabs.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self.paytabs.stop()
        if self._runner is not None:
            await self._runner.cleanup()


async def _serve(port: int) -> None:
    async with Standalone(port=port) as alone:
        print(alone.base_url, flush=True)  # noqa: T201 - a command says where it listens
        await asyncio.Event().wait()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
