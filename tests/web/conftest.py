"""What the tests of this room ask for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.web.ground import Ground, standing


@pytest_asyncio.fixture
async def ground(sqlite_url: str) -> AsyncIterator[Ground]:
    """The real application over a fresh SQLite store, with a shop and a pretended gateway."""
    async with standing(sqlite_url) as stands:
        yield stands
