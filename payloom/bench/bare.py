"""The floor of a page, or of a turn: a bare aiohttp route that returns bytes it was given, after reading a form where one is posted. `python -m payloom.bench.bare FILE HEADERS LOOP`."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from payloom.bench.process import Answer, serve


@contextlib.asynccontextmanager
async def open_bare(body: bytes, headers: dict[str, str]) -> AsyncIterator[tuple[int, Answer | None]]:
    async def page(_request: web.Request) -> web.Response:
        return web.Response(body=body, headers=headers)

    async def form(request: web.Request) -> web.Response:
        await request.post()
        return web.Response(body=body, headers=headers)

    app = web.Application()
    app.add_routes([web.get("/buy/{code}", page), web.post("/ussd/{code}", form)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield int(runner.addresses[0][1]), None
    finally:
        await runner.cleanup()


if __name__ == "__main__":
    serve(lambda: open_bare(Path(sys.argv[1]).read_bytes(), json.loads(sys.argv[2])), uvloop=sys.argv[3] == "uvloop")
