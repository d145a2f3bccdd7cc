"""The seals of the audit trail: made once, over everything that is settled, in any process."""

from __future__ import annotations

import asyncio
import time
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from domain.ports import Unit
from domain.rights import CLOCK
from jobs.seal import seal
from storage.postgres import conninfo
from tests.audit.ground import audited
from tests.storage.ground import StillClock, count, opened, raw, surroundings
from usecases.hall import Hall
from usecases.seals import SETTLED, seal_trail


def note(unit: Unit, subject: str, times: int = 1) -> None:
    for n in range(times):
        unit.trail.add(subject, CLOCK, "noted", n=n)


def sealed(url: str) -> list[tuple[int, int]]:
    with raw(url) as session:
        return [(row[0], row[1]) for row in session.plain("SELECT n, count FROM audit_seals ORDER BY n").fetchall()]


async def test_what_is_settled_is_sealed_once(engine_url: str) -> None:
    clock = StillClock()
    async with opened(engine_url, surroundings(clock)) as store:
        assert await store.write(seal_trail) == 0
        await store.write(note, "a:1", 3)
        assert await store.write(seal_trail) == 0, "too young"
        clock.at += SETTLED + timedelta(seconds=2)
        await store.write(note, "a:1", 2)
        assert await store.write(seal_trail) == 3
        assert await store.write(seal_trail) == 0
        clock.at += timedelta(minutes=1)
        assert await store.write(seal_trail) == 2
    assert sealed(engine_url) == [(1, 3), (2, 2)]
    assert (await audited(engine_url, clock)).ok


async def test_many_records_take_several_seals(engine_url: str) -> None:
    clock = StillClock()
    async with opened(engine_url, surroundings(clock)) as store:
        await store.write(note, "a:1", 25)
        clock.at += timedelta(minutes=1)
        assert [await store.write(lambda unit: unit.trail.seal(unit.now, 10)) for _ in range(4)] == [10, 10, 5, 0]
    assert (await audited(engine_url, clock)).ok


async def test_two_workers_make_one_seal(engine_url: str) -> None:
    """S5"""
    clock = StillClock()
    async with opened(engine_url, surroundings(clock)) as store:
        await store.write(note, "a:1", 500)
        clock.at += timedelta(minutes=1)
        time.sleep(1.1)  # noqa: ASYNC251 - PostgreSQL's own clock dates the transactions that still run
        counts = await asyncio.gather(*(store.write(seal_trail) for _ in range(16)))
        counts.append(await store.write(seal_trail))
    assert sum(counts) == 500
    assert sealed(engine_url) == [(1, 500)]
    assert (await audited(engine_url, clock)).ok


async def test_records_of_a_transaction_that_still_runs_are_waited_for(postgresql_url: str) -> None:
    """A unit that began before the others and commits after them: its records are older than what could have been sealed."""
    clock = StillClock()
    with psycopg.connect(conninfo(postgresql_url)) as slow:
        slow.execute("SELECT 1")
        time.sleep(1.5)  # noqa: ASYNC251 - as above
        async with opened(postgresql_url, surroundings(clock)) as store:
            await store.write(note, "a:1")
            clock.at += timedelta(seconds=2)
            before = clock.at
            assert await store.write(lambda unit: unit.trail.seal(before, 10)) == 0
            slow.rollback()
            assert await store.write(lambda unit: unit.trail.seal(before, 10)) == 1
    assert (await audited(postgresql_url, clock)).ok


async def test_the_job_seals(engine_url: str) -> None:
    clock = StillClock()
    around = surroundings(clock)
    async with opened(engine_url, around) as store:
        anything: Any = None
        hall = Hall(store, {}, anything, clock, around.house, around.tokens)
        await store.write(note, "a:1", 4)
        clock.at += timedelta(minutes=1)
        assert [await seal(hall), await seal(hall)] == [4, 0]


async def test_a_seal_can_be_neither_changed_nor_deleted(engine_url: str) -> None:
    clock = StillClock()
    async with opened(engine_url, surroundings(clock)) as store:
        await store.write(note, "a:1")
        clock.at += timedelta(minutes=1)
        await store.write(seal_trail)
        for change in ("UPDATE audit_seals SET count = 2", "DELETE FROM audit_seals"):
            with pytest.raises(Exception, match="append-only"):
                await store.write(lambda unit, change=change: unit.session.plain(change))  # type: ignore[misc]
    assert count(engine_url, "audit_seals") == 1
