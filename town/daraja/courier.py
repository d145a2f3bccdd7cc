"""Sends Daraja's callbacks, each of them once: whatever the receiver answers, the real Daraja does not call again."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from town.core import Core

REPLY_WITHIN_S = 8.0
"""How long the receiver may take; documented for C2B validation, used for all."""


class Courier:
    """Owns the HTTP session to the product. `start` before the first `post`; `within_s` is how long it then waits for each reply."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self.within_s = REPLY_WITHIN_S
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=self.within_s))

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, event: str, url: str, short_code: str, body: dict[str, Any], **noted: Any) -> tuple[int | None, bytes]:
        """POST once; returns (status, reply), (None, b"") when nobody answered. Journals `event` with what came of it."""
        if self._session is None:
            raise RuntimeError("Daraja is not started")
        headers = {"Content-Type": "application/json;charset=UTF-8", "Businessshortcode": short_code}
        status: int | None = None
        reply, problem = b"", ""
        try:
            async with self._session.post(url, data=json.dumps(body).encode(), headers=headers, allow_redirects=False) as response:
                status, reply = response.status, await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as trouble:
            problem = f"{type(trouble).__name__}: {trouble}"
        self._core.journal.add(event, url=url, body=body, status=status, problem=problem, **noted)
        return status, reply
