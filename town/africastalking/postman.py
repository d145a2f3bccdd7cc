"""Brings Africa's Talking's forms to the product and gives back what it replied."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import aiohttp

REPLY_WITHIN_S = 10.0
"""The gateway's deadline, of real time, for USSD; used for every call."""


@dataclass(frozen=True, slots=True)
class Reply:
    """`status` is None when nobody answered in time; `problem` then says why."""

    status: int | None
    body: bytes = b""
    label: str = ""
    problem: str = ""
    took_ms: int = 0


class Postman:
    """Owns the HTTP session to the product. `start` before the first `post`."""

    def __init__(self, reply_within_s: float) -> None:
        self.reply_within_s = reply_within_s
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def post(self, url: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None, within_s: float = 0.0) -> Reply:
        """POST the form once; `within_s` shortens the deadline."""
        if self._session is None:
            return Reply(None, problem="the town is closed")
        loop = asyncio.get_running_loop()
        began = loop.time()
        patience = aiohttp.ClientTimeout(total=within_s or self.reply_within_s)
        try:
            async with self._session.post(url, data=dict(form), headers=headers, timeout=patience, allow_redirects=False) as response:
                body, label = await response.read(), response.headers.get("at-ussd-hop-metadata", "")
                return Reply(response.status, body, label, took_ms=round((loop.time() - began) * 1000))
        except TimeoutError:
            problem = f"no reply within {patience.total:g} s"
        except (aiohttp.ClientError, OSError) as trouble:
            problem = f"{type(trouble).__name__}: {trouble}"
        return Reply(None, problem=problem, took_ms=round((loop.time() - began) * 1000))
