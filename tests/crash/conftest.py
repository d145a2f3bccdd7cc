"""The process that forks the houses of these tests, started once."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.crash.nursery import Nursery, nursery


@pytest_asyncio.fixture(scope="session")
async def home() -> AsyncIterator[Nursery]:
    async with nursery() as started:
        yield started
