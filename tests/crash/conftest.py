"""The process that forks the houses of these tests, started once; new databases for them."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.crash.harness import NewDatabase
from tests.crash.nursery import Nursery, nursery


@pytest_asyncio.fixture(scope="session")
async def home() -> AsyncIterator[Nursery]:
    async with nursery() as started:
        yield started


@pytest.fixture
def new_sqlite(sqlite_template: Path, tmp_path: Path) -> NewDatabase:
    made: list[Path] = []

    def new() -> str:
        made.append(tmp_path / f"payloom-{len(made)}.db")
        shutil.copyfile(sqlite_template, made[-1])
        return f"sqlite+aiosqlite:///{made[-1]}"

    return new


@pytest.fixture
def new_postgresql(postgres_template: str, new_postgres_database: Callable[..., str]) -> NewDatabase:
    return lambda: new_postgres_database(postgres_template)
