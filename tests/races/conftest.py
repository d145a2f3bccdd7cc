"""An arena on each engine, and one on PostgreSQL alone for what only real connections can show."""

from __future__ import annotations

import pytest

from tests.races.arena import Arena


@pytest.fixture
def arena(engine_url: str) -> Arena:
    return Arena(engine_url)


@pytest.fixture
def pg_arena(postgresql_url: str) -> Arena:
    return Arena(postgresql_url)
