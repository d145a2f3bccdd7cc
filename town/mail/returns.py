"""Brings delivery reports to the product, as a mail server that pipes them into a request does."""

from __future__ import annotations

import aiohttp

WITHIN_S = 10.0


class Returns:
    """POSTs each report to `url`. `start` before the first."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=WITHIN_S))

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __call__(self, raw: bytes) -> None:
        """Raises what went wrong; the server writes it down."""
        if self._session is None:
            raise ConnectionError("the town is closed")
        async with self._session.post(self._url, data=raw, headers={"Content-Type": "message/rfc822"}, allow_redirects=False) as answer:
            answer.raise_for_status()
