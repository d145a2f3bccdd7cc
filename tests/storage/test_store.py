"""Both stores: units share commits, each with its own answer; races are run again; nothing is left when they close."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from domain.errors import NotFound, Stale
from domain.ids import LinkId, PersonId
from domain.phone import Phone
from domain.ports import Unit
from storage.bell import LocalBell
from storage.store import MOST_TRIES, StoreUnavailable
from tests.storage import ground
from tests.storage.ground import NOON, OWNER, Store, count, opened, store_of

READ_ONLY = (sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)


def add_person(unit: Unit, number: int) -> int:
    unit.people.add(ground.person(number))
    return number * 10


async def test_a_unit_is_answered_with_what_it_returned(store: Store) -> None:
    assert await store.write(add_person, 4) == 40
    assert (await store.read(lambda unit, number: unit.people.get(number), PersonId(4))).name == "Person 4"


async def test_a_unit_that_raises_leaves_nothing_behind(engine_url: str, store: Store) -> None:
    def half(unit: Unit) -> None:
        add_person(unit, 1)
        unit.trail.add("person:1", OWNER, "added")
        raise NotFound(what="the other half")

    with pytest.raises(NotFound):
        await store.write(half)
    assert (count(engine_url, "persons"), count(engine_url, "audit")) == (0, 0)


def transaction_of(unit: Any) -> int:
    """PostgreSQL's number of the transaction a unit runs in."""
    return int(unit.session.plain("SELECT pg_current_xact_id()::text").fetchone()[0])


async def test_units_that_wait_at_once_share_commits_and_each_gets_its_own_answer(engine_url: str, store: Store) -> None:
    commits: list[str] = []
    if engine_url.startswith("sqlite"):
        await store.write(lambda unit: unit.session.connection.set_trace_callback(commits.append))  # type: ignore[attr-defined]
        told = await asyncio.gather(*(store.write(add_person, number) for number in range(1, 51)))
        shared = commits.count("COMMIT")
    else:

        def numbered(unit: Any, number: int) -> tuple[int, int]:
            return add_person(unit, number), transaction_of(unit)

        answers = await asyncio.gather(*(store.write(numbered, number) for number in range(1, 51)))
        told, shared = [answer for answer, _ in answers], len({transaction for _, transaction in answers})
    assert told == [number * 10 for number in range(1, 51)]
    assert shared < 50
    assert count(engine_url, "persons") == 50


async def test_a_unit_that_fails_does_not_undo_its_neighbours(engine_url: str, store: Store) -> None:
    def every_fifth_fails(unit: Unit, number: int) -> int:
        add_person(unit, number)
        unit.trail.add(f"person:{number % 3}", OWNER, "added")
        if number % 5 == 0:
            raise NotFound(number=number)
        return number

    told = await asyncio.gather(*(store.write(every_fifth_fails, number) for number in range(1, 51)), return_exceptions=True)
    assert [isinstance(one, NotFound) and one.facts == {"number": n} for n, one in enumerate(told, 1)] == [n % 5 == 0 for n in range(1, 51)]
    assert [one for one in told if isinstance(one, int)] == [n for n in range(1, 51) if n % 5]
    assert (count(engine_url, "persons"), count(engine_url, "audit")) == (40, 40)


async def test_a_unit_that_loses_a_race_is_run_again_from_reading(store: Store) -> None:
    """S10."""
    runs: list[int] = []

    def loses_twice(unit: Unit) -> int:
        runs.append(len(runs))
        add_person(unit, len(runs))
        if len(runs) < 3:
            raise Stale(table="persons")
        return len(runs)

    assert await store.write(loses_twice) == 3
    assert await store.read(lambda unit: unit.people.get(PersonId(3)).id) == 3
    for undone in (1, 2):
        with pytest.raises(NotFound):
            await store.read(lambda unit, number: unit.people.get(number), PersonId(undone))


async def test_a_unit_that_always_loses_is_given_up(engine_url: str, store: Store) -> None:
    """S10: bounded."""
    runs: list[int] = []

    def always(unit: Unit) -> None:
        runs.append(1)
        add_person(unit, 1)
        raise Stale(table="persons")

    with pytest.raises(Stale):
        await store.write(always)
    assert len(runs) == MOST_TRIES
    assert count(engine_url, "persons") == 0


async def test_a_unit_that_meets_a_unique_key_is_run_again_and_sees_who_was_first(engine_url: str, store: Store) -> None:
    await store.write(add_person, 1)
    runs: list[int] = []

    def find_or_add(unit: Unit) -> str:
        runs.append(1)
        if len(runs) > 1:
            return unit.people.get(PersonId(1)).name
        add_person(unit, 1)
        return "added"

    assert await store.write(find_or_add) == "Person 1"
    assert (len(runs), count(engine_url, "persons")) == (2, 1)


async def test_counting_by_read_and_save_loses_no_step_among_many(furnished: Store) -> None:
    """Every loser reads again: no update is lost."""

    def one_more(unit: Unit) -> None:
        link = unit.links.get(LinkId(1))
        unit.links.save(link)

    told = await asyncio.gather(*(furnished.write(one_more) for _ in range(24)), return_exceptions=True)
    done = sum(one is None for one in told)
    assert done >= 8
    assert all(isinstance(one, Stale) for one in told if one is not None)
    assert (await furnished.read(lambda unit: unit.links.get(LinkId(1)))).version == done


@pytest.mark.parametrize("unit", [lambda unit: add_person(unit, 2), lambda unit: unit.trail.add("person:1", OWNER, "looked")])
async def test_a_unit_that_reads_cannot_write(engine_url: str, store: Store, unit: Callable[[Unit], Any]) -> None:
    with pytest.raises(READ_ONLY):
        await store.read(unit)
    assert (count(engine_url, "persons"), count(engine_url, "audit")) == (0, 0)
    await store.write(add_person, 1)
    assert await store.read(lambda unit: unit.people.get(PersonId(1)).id) == 1


async def test_a_reader_sees_one_moment_however_often_it_looks(engine_url: str, store: Store) -> None:
    await store.write(add_person, 1)
    looked, wrote = threading.Event(), threading.Event()

    def look_twice(unit: Unit) -> list[int]:
        before = len(unit.people.by_phone(Phone("+254712345678")))
        looked.set()
        assert wrote.wait(10)
        return [before, len(unit.people.by_phone(Phone("+254712345678")))]

    def add_phone(unit: Unit) -> None:
        unit.people.save(replace(unit.people.get(PersonId(1)), phone=Phone("+254712345678")))

    reading = asyncio.create_task(store.read(look_twice))
    await asyncio.to_thread(looked.wait, 10)
    await store.write(add_phone)
    wrote.set()
    assert await reading == [0, 0]
    assert len(await store.read(lambda unit: unit.people.by_phone(Phone("+254712345678")))) == 1


async def test_who_is_woken_is_woken_after_the_commit_and_not_for_what_was_undone(engine_url: str) -> None:
    bell = LocalBell()
    heard: list[tuple[int, int]] = []
    bell.listen("orders", lambda what: heard.append((what["number"], count(engine_url, "persons"))))

    def add_and_wake(unit: Unit, number: int) -> None:
        add_person(unit, number)
        unit.wake("orders", number=number)
        unit.wake("orders", number=number)
        if number == 2:
            raise NotFound

    async with opened(engine_url, bell=bell) as store:
        await store.write(add_and_wake, 1)
        with pytest.raises(NotFound):
            await store.write(add_and_wake, 2)
    assert heard == [(1, 1)]


async def test_a_listener_that_fails_harms_neither_the_unit_nor_the_others(engine_url: str) -> None:
    bell = LocalBell()
    heard: list[Any] = []

    def broken(_: Any) -> None:
        raise ValueError("a listener's bug")

    bell.listen("orders", broken)
    bell.listen("orders", lambda what: heard.append(what["number"]))
    async with opened(engine_url, bell=bell) as store:
        for number in (1, 2):
            await store.write(lambda unit, n: unit.wake("orders", number=n), number)
    assert heard == [1, 2]


async def test_a_caller_that_gives_up_waiting_does_not_disturb_the_others(store: Store) -> None:
    waiting = asyncio.create_task(store.write(lambda _: time.sleep(0.2)))
    await asyncio.sleep(0.05)
    waiting.cancel()
    assert await store.write(add_person, 1) == 10
    with pytest.raises(asyncio.CancelledError):
        await waiting


async def test_closing_waits_for_what_was_asked_and_leaves_no_threads(engine_url: str) -> None:
    """K16."""
    before = set(threading.enumerate())
    store = store_of(engine_url)
    await store.open()
    await asyncio.gather(*(store.read(lambda unit: unit.now) for _ in range(4)))
    asked = [asyncio.create_task(store.write(add_person, number)) for number in range(1, 21)]
    await asyncio.sleep(0)
    await store.close()
    assert sorted(await asyncio.gather(*asked)) == [number * 10 for number in range(1, 21)]
    assert set(threading.enumerate()) - before == set()
    assert count(engine_url, "persons") == 20
    with pytest.raises(AssertionError, match="open"):
        await store.write(add_person, 99)


async def test_a_store_that_cannot_be_opened_says_so_and_leaves_no_threads(tmp_path: Any) -> None:
    (tmp_path / "broken.db").write_bytes(b"this is not a database, but long enough to be looked at" * 40)
    before = set(threading.enumerate())
    for url in (f"sqlite:///{tmp_path / 'broken.db'}", f"postgresql://nobody@/none?host={tmp_path}"):
        with pytest.raises(StoreUnavailable):
            await store_of(url).open()
    assert set(threading.enumerate()) - before == set()


async def test_ids_grow_with_time_and_fit_into_63_bits(store: Store) -> None:
    first, second = await store.write(lambda unit: (unit.new_id(), unit.now))
    assert second == NOON
    assert 0 < first < 2**63
