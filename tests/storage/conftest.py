"""A store of either kind over a fresh, migrated database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.storage.ground import Store, furnish, opened


@pytest.fixture
async def store(engine_url: str) -> AsyncIterator[Store]:
    """Empty."""
    async with opened(engine_url) as store:
        yield store


@pytest.fixture
async def furnished(store: Store) -> Store:
    """With one person, organization, link, checkout and payment, each number 1."""
    await store.write(furnish)
    return store


@pytest.fixture
async def alone(engine_url: str) -> AsyncIterator[Store]:
    """Empty, with one writer: whatever waits is one batch."""
    async with opened(engine_url, writers=1) as store:
        yield store
