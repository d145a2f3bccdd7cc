"""The house under test: `python -m payloom.bench.house JSON` opens the doors that are named and serves on a free port of this machine."""

from __future__ import annotations

import contextlib
import cProfile
import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import web

from payloom import log
from payloom.bench.process import Answer, serve
from payloom.run import spare_the_collector
from payloom.streets import town_settings
from payloom.wiring import Built, build


@contextlib.asynccontextmanager
async def open_house(
    data: str, database_url: str, doors: list[str], given: dict[str, Any], paced: bool = False
) -> AsyncIterator[tuple[int, Answer | None]]:
    built = build(town_settings(Path(data), 0, database_url, **given), paced=paced)
    await built.open_store()
    runner = web.AppRunner(built.web(), access_log=None, shutdown_timeout=2)
    try:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        if "bot" not in doors:
            await built.bot.request.initialize()  # a worker speaks too
        await built.open_doors(*doors)
        spare_the_collector()
        yield int(runner.addresses[0][1]), None
    finally:
        await _close(built, runner)


async def _close(built: Built, runner: web.AppRunner) -> None:
    await built.close_doors()
    await built.bot.request.shutdown()
    await runner.cleanup()
    await built.close_store()


def main(text: str) -> None:
    asked = json.loads(text)
    log.configure(level="error")
    profile = cProfile.Profile() if asked.get("profile") else None
    if profile is not None:
        profile.enable()
    serve(
        lambda: open_house(asked["data"], asked["database_url"], asked.get("doors", []), asked.get("given", {}), asked.get("paced", False)),
        uvloop=asked.get("uvloop", True),
    )
    if profile is not None:
        profile.disable()
        profile.dump_stats(asked["profile"])


if __name__ == "__main__":
    main(sys.argv[1])
