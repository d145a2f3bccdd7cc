"""The process that forks the houses of these tests, started once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.nursery import Nursery, nursery


@pytest_asyncio.fixture(scope="session")
async def home() -> AsyncIterator[Nursery]:
    async with nursery() as started:
        yield started


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """These run with `make soak` until their time on two cores is known to fit the suite."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.soak)
