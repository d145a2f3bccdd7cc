"""Tells the product what happened, as providers do: a POST that is sent again, later and later, until somebody answers 2xx."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aiohttp

from town.alarms import Alarms
from town.core import Core

REPLY_WITHIN_S = 10.0


class Delivery:
    """`event` names its entries in the journal, `waits_s` the town seconds before each further try. `start` before the first `send`."""

    def __init__(self, core: Core, alarms: Alarms, event: str, waits_s: tuple[float, ...]) -> None:
        self._core = core
        self._alarms = alarms
        self._event = event
        self._waits_s = waits_s
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_WITHIN_S))

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def send(
        self, url: str, raw: bytes, headers: Mapping[str, str], tries: list[dict[str, Any]], *, after_s: float = 0.0, once: bool = False
    ) -> None:
        """Send after `after_s` town seconds; what came of every try is added to `tries`."""

        async def act() -> None:
            if await self._post(url, raw, headers, tries) or once or len(tries) > len(self._waits_s):
                return
            self._alarms.after(self._waits_s[len(tries) - 1], act)

        self._alarms.after(after_s, act)

    async def _post(self, url: str, raw: bytes, headers: Mapping[str, str], tries: list[dict[str, Any]]) -> bool:
        """True when it was taken."""
        if self._session is None:
            return False
        status, problem = 0, ""
        try:
            async with self._session.post(url, data=raw, headers=headers, allow_redirects=False) as response:
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as trouble:
            problem = f"{type(trouble).__name__}: {trouble}"
        tries.append({"at": self._core.clock.now().isoformat(), "status": status, "problem": problem})
        self._core.journal.add(self._event, url=url, body=raw.decode(errors="replace"), status=status, problem=problem, tries=len(tries))
        return 200 <= status < 300
