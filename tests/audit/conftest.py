"""A database in which everything happened, made once for each engine and copied for each test."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.audit.ground import World, lived
from tests.postgres import Postgres, database_of
from tests.storage.ground import StillClock, opened, surroundings


@dataclass
class Lived:
    url: str
    world: World
    clock: StillClock


async def _live(url: str) -> Lived:
    clock = StillClock()
    async with opened(url, surroundings(clock)) as store:
        return Lived(url, await lived(store, clock), clock)


@pytest.fixture(scope="session")
async def lived_sqlite(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Lived:
    path = tmp_path_factory.mktemp("audit") / "lived.db"
    shutil.copyfile(sqlite_template, path)
    return await _live(f"sqlite+aiosqlite:///{path}")


@pytest.fixture(scope="session")
async def lived_postgresql(postgres: Postgres, postgres_template: str) -> Lived:
    return await _live(postgres.new_database(postgres_template))


@pytest.fixture(params=["sqlite", "postgresql"])
def house(request: pytest.FixtureRequest, tmp_path: Path, new_postgres_database: Callable[..., str]) -> Lived:
    """A copy that a test may spoil."""
    made: Lived = request.getfixturevalue(f"lived_{request.param}")
    if request.param == "postgresql":
        url = new_postgres_database(database_of(made.url))
    else:
        shutil.copyfile(made.url.partition(":///")[2], tmp_path / "payloom.db")
        url = f"sqlite+aiosqlite:///{tmp_path / 'payloom.db'}"
    return Lived(url, made.world, StillClock(made.clock.at))
