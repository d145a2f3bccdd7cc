"""What only PostgreSQL can do to us: connections that die at any moment, deadlocks, other processes; and bells heard across them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from domain import booking
from domain.ids import AttemptId, OrderId, OrganizationId
from domain.money import Money
from domain.ports import Unit
from storage.bell import LocalBell
from storage.postgres import PostgresStore, conninfo
from storage.postgres_bell import PostgresBell
from tests.postgres import Postgres
from tests.storage import ground
from tests.storage.ground import NOON, count, opened, surroundings

CAPTURE = booking.capture(AttemptId(1), OrderId(9), OrganizationId(1), "daraja", Money(250_000, "KES"))


def end_backend(url: str, pid: int) -> None:
    with psycopg.connect(url, autocommit=True) as administrator:
        administrator.execute("SELECT pg_terminate_backend(%s)", [pid])


def end_all_backends(url: str) -> int:
    """Everybody else who is connected to this database loses the connection."""
    others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(url, autocommit=True) as administrator:
        return administrator.execute(others).rowcount


def add(unit: Unit, number: int) -> int:
    unit.people.add(ground.person(number))
    return number


async def test_connections_that_die_between_units_are_made_again(postgresql_url: str) -> None:
    """K8."""
    async with opened(postgresql_url) as store:
        await asyncio.gather(*(store.write(add, number) for number in range(1, 20)))
        assert await store.read(lambda unit: unit.people.get(ground.person().id).id) == 1
        assert end_all_backends(postgresql_url) > 0
        assert await asyncio.gather(*(store.write(add, number) for number in range(20, 40))) == list(range(20, 40))
        assert await store.read(lambda unit: unit.people.get(ground.person().id).id) == 1
    assert count(postgresql_url, "persons") == 39


async def test_a_connection_that_dies_during_a_unit_lets_it_run_again_with_one_effect(postgresql_url: str) -> None:
    """K8."""
    runs: list[int] = []

    def killed_once(unit: Any) -> str:
        unit.books.book(CAPTURE)
        unit.trail.add("order:9", ground.OWNER, "captured")
        runs.append(1)
        if len(runs) == 1:
            end_backend(postgresql_url, unit.session.connection.info.backend_pid)
        return "booked" if unit.books.booked("capture", "attempt:1") else "lost"

    async with opened(postgresql_url) as store:
        assert await store.write(killed_once) == "booked"
        assert len(await store.read(lambda unit: unit.trail.of("order:9"))) == 1
        assert await store.read(lambda unit: unit.books.balance("escrow:9")) == {"KES": -250_000}
    assert len(runs) == 2


class DeafWire:
    """Between us and the server: once armed, it lets the next COMMIT through, and cuts the line before its answer."""

    def __init__(self, server: Path, folder: Path) -> None:
        self.folder, self.armed, self.cut = folder, False, 0
        self._server = server
        self._door = socket.socket(socket.AF_UNIX)
        self._door.bind(str(folder / ".s.PGSQL.5432"))
        self._door.listen(20)
        self._lines: list[socket.socket] = [self._door]
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                ours, _ = self._door.accept()
                theirs = socket.socket(socket.AF_UNIX)
                theirs.connect(str(self._server / ".s.PGSQL.5432"))
                self._lines += [ours, theirs]
                for source, target in ((ours, theirs), (theirs, ours)):
                    self._threads.append(threading.Thread(target=self._carry, args=(source, target, source is ours)))
                    self._threads[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket, asking: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                target.sendall(data)
                if asking and self.armed and b"COMMIT" in data:
                    self.armed, self.cut = False, self.cut + 1
                    source.shutdown(socket.SHUT_RDWR)  # the answer finds nobody
                    break
            target.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        for line in self._lines:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()
        for thread in self._threads:
            thread.join()


@pytest.fixture
def deaf_wire(postgres: Postgres, tmp_path: Path) -> Iterator[DeafWire]:
    wire = DeafWire(postgres.folder, tmp_path)
    yield wire
    wire.close()


async def test_a_commit_whose_answer_is_lost_is_looked_up_by_its_key_and_never_done_twice(postgresql_url: str, deaf_wire: DeafWire) -> None:
    """K8: the outcome of a commit is never assumed."""
    runs: list[str] = []

    def once(unit: Unit) -> str:
        runs.append("known" if unit.books.booked("capture", "attempt:1") else "booked")
        if runs[-1] == "booked":
            unit.books.book(CAPTURE)
        deaf_wire.armed = len(runs) == 1
        return runs[-1]

    async with opened(f"{postgresql_url.partition('?')[0]}?host={deaf_wire.folder}") as store:
        assert await store.write(once) == "known"
        assert await store.read(lambda unit: unit.books.balance("escrow:9")) == {"KES": -250_000}
    assert (runs, deaf_wire.cut) == (["booked", "known"], 1)
    assert count(postgresql_url, "entries") == 1


@contextlib.asynccontextmanager
async def in_lanes(url: str, batch: int) -> AsyncIterator[PostgresStore]:
    """Eight transactions at once, as of several processes."""
    store = PostgresStore(url, surroundings(), LocalBell(), lanes=8, batch=batch)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def test_units_that_lock_each_other_out_both_succeed_in_the_end(postgresql_url: str) -> None:
    """S10: deadlock."""
    meet = threading.Barrier(2, timeout=10)
    runs: list[str] = []

    def count_both(unit: Unit, first: str, second: str) -> None:
        runs.append(first)
        unit.limits.count("try", first, 60, NOON)
        if runs.count(first) == 1:
            meet.wait()
        unit.limits.count("try", second, 60, NOON)

    async with in_lanes(postgresql_url, 1) as store:
        await asyncio.gather(store.write(count_both, "a", "b"), store.write(count_both, "b", "a"))
        assert await store.read(lambda unit: [unit.limits.seen("try", name, 60, NOON) for name in "ab"]) == [2, 2]
    assert len(runs) == 3


async def test_a_deadlock_in_a_shared_commit_runs_the_whole_commit_again(postgresql_url: str) -> None:
    """S10: neighbours of a deadlocked unit have their effect once, too."""
    names = ["a", "b", "c"]

    def count_all(unit: Unit, number: int) -> None:
        for name in names[number % 3 :] + names[: number % 3]:
            unit.limits.count("try", name, 60, NOON)

    async with in_lanes(postgresql_url, 4) as store:
        await asyncio.gather(*(store.write(count_all, number) for number in range(30)))
        assert await store.read(lambda unit: [unit.limits.seen("try", name, 60, NOON) for name in names]) == [30, 30, 30]


async def until(true: Callable[[], bool], again: Callable[[], None]) -> None:
    async with asyncio.timeout(20):
        while not true():
            again()
            await asyncio.sleep(0.05)


async def test_a_bell_that_rings_in_one_process_is_heard_in_another(postgresql_url: str) -> None:
    here, there = PostgresBell(conninfo(postgresql_url)), PostgresBell(conninfo(postgresql_url))
    heard_here: list[Any] = []
    heard_there: list[Any] = []
    await asyncio.gather(here.open(), there.open())
    try:
        there.listen("orders", lambda what: heard_there.append(dict(what)))
        stop = here.listen("orders", lambda what: heard_here.append(dict(what)))
        async with opened(postgresql_url, bell=here) as store:
            await until(lambda: bool(heard_there), lambda: here.ring("orders", {"number": 0}))
            heard_here.clear()
            await store.write(lambda unit: unit.wake("orders", number=7))
            assert heard_here == [{"number": 7}]
            await until(lambda: {"number": 7} in heard_there, lambda: None)
            await asyncio.sleep(0.1)
            assert heard_here == [{"number": 7}]  # not a second time by way of the server
            stop()
            here.ring("orders", {"number": 8})
            assert heard_here == [{"number": 7}]
    finally:
        await asyncio.gather(here.close(), there.close())


async def test_a_thousand_rings_are_all_heard_however_large_and_those_that_repeat_together_once(postgresql_url: str) -> None:
    here, there = PostgresBell(conninfo(postgresql_url)), PostgresBell(conninfo(postgresql_url))
    heard: list[Any] = []
    await asyncio.gather(here.open(), there.open())
    try:
        there.listen("orders", heard.append)
        await until(lambda: bool(heard), lambda: here.ring("orders", {"number": "first"}))
        await asyncio.sleep(0.1)
        heard.clear()
        told = [{"number": number, "note": "x" * (3_800 if number % 50 == 0 else 20)} for number in range(1_000)]
        for what in told:
            here.ring("orders", what)
            here.ring("orders", what)
        await until(lambda: bool(heard) and heard[-1] == told[-1], lambda: None)
        assert [what for what, before in zip(heard, [None, *heard], strict=False) if what != before] == told
        assert len(heard) < 1.2 * len(told)
    finally:
        await asyncio.gather(here.close(), there.close())


async def test_a_bell_whose_connections_die_rings_again(postgresql_url: str) -> None:
    """K8."""
    here, there = PostgresBell(conninfo(postgresql_url)), PostgresBell(conninfo(postgresql_url))
    heard: list[Any] = []
    await asyncio.gather(here.open(), there.open())
    try:
        there.listen("orders", heard.append)
        await until(lambda: bool(heard), lambda: here.ring("orders", {"number": 0}))
        end_all_backends(postgresql_url)
        await asyncio.sleep(0.2)
        heard.clear()
        await until(lambda: bool(heard), lambda: here.ring("orders", {"number": 1}))
    finally:
        await asyncio.gather(here.close(), there.close())
