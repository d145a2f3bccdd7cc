"""Fixtures of the command line's tests."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.cli.ground import House, house_in, meet
from tests.storage.ground import opened


@pytest.fixture
def house(sqlite_template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """Migrated, closed, and three people (7, 8, 9) have written to its bot."""
    found = house_in(tmp_path, sqlite_template, monkeypatch)

    async def people() -> None:
        async with opened(found.url) as store:
            await store.write(meet, 7, 8, 9)

    asyncio.run(people())
    return found
