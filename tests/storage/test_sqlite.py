"""What only SQLite can do to us: a second process, and a file that somebody else holds."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import Iterator

import pytest

from domain.ports import Unit
from storage.store import StoreUnavailable
from tests.storage import ground
from tests.storage.ground import count, opened, sqlite_path

OPEN_ONE_MORE = """
import asyncio, sys
from tests.storage.ground import store_of
asyncio.run(store_of(sys.argv[1]).open())
"""


def add(unit: Unit, number: int) -> None:
    unit.people.add(ground.person(number))


@contextlib.contextmanager
def held(url: str) -> Iterator[None]:
    """Another program is in the middle of a write."""
    with contextlib.closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_a_second_process_on_the_same_file_is_refused_with_one_clear_line(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store:
        second = await asyncio.create_subprocess_exec(sys.executable, "-c", OPEN_ONE_MORE, sqlite_url, stderr=asyncio.subprocess.PIPE)
        _, told = await second.communicate()
        assert second.returncode == 1
        assert "in use by another PayLoom process: stop it first, or use PostgreSQL" in told.decode().splitlines()[-1]
        await store.write(add, 1)
    async with opened(sqlite_url) as again:
        await again.write(add, 2)
    assert count(sqlite_url, "persons") == 2


async def test_a_locked_file_is_waited_for_a_bounded_time_and_works_afterwards(sqlite_url: str) -> None:
    """K6."""
    async with opened(sqlite_url, busy_s=0.3) as store:
        await store.write(add, 1)
        with held(sqlite_url):
            began = time.monotonic()
            with pytest.raises(StoreUnavailable, match="locked"):
                await store.write(add, 2)
            assert 0.2 < time.monotonic() - began < 5
            assert await store.read(lambda unit: unit.people.get(ground.person().id).id) == 1
        await store.write(add, 2)
    assert count(sqlite_url, "persons") == 2


async def test_a_lock_that_ends_in_time_is_not_noticed(sqlite_url: str) -> None:
    """K6: shorter than the wait."""
    async with opened(sqlite_url, busy_s=5) as store:
        with held(sqlite_url):
            writing = store.write(add, 1)
        await writing
    assert count(sqlite_url, "persons") == 1


async def test_what_was_committed_is_on_disk_before_it_is_answered(sqlite_url: str) -> None:
    """K9: journal and flushing as promised, on the writing connection itself."""

    def pragmas(unit: Unit) -> list[object]:
        names = ("journal_mode", "synchronous", "foreign_keys")
        return [unit.session.plain(f"PRAGMA {name}").fetchone()[0] for name in names]  # type: ignore[attr-defined]

    async with opened(sqlite_url) as store:
        assert await store.write(pragmas) == ["wal", 2, 1]


async def test_wrong_sql_is_a_bug_and_not_an_outage(sqlite_url: str) -> None:
    async with opened(sqlite_url) as store:
        for run in (store.write, store.read):
            with pytest.raises(sqlite3.OperationalError, match="no such table"):
                await run(lambda unit: unit.session.plain("SELECT * FROM no_such_thing"))  # type: ignore[attr-defined]


async def test_a_full_disk_is_a_clean_refusal_and_writing_goes_on_when_there_is_room(sqlite_url: str) -> None:
    """K7: SQLite's own page limit stands for the disk."""

    def limit(unit: Unit, pages: int) -> None:
        unit.session.plain(f"PRAGMA max_page_count = {pages}")  # type: ignore[attr-defined]

    def much(unit: Unit) -> None:
        for number in range(1000, 4000):
            add(unit, number)

    async with opened(sqlite_url) as store:
        await store.write(add, 1)
        await store.write(limit, 1)  # no page more than there are
        with pytest.raises(StoreUnavailable, match="full"):
            await store.write(much)
        await store.write(limit, 1_000_000)
        await store.write(much)
    assert count(sqlite_url, "persons") == 3001
