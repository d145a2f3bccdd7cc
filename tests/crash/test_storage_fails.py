"""K6, K7, K8: the database is locked, the disk is full, the server is killed. What cannot be written is refused, and the sale goes on after."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from payloom.migrate import migrate
from tests.crash.nursery import Nursery
from tests.crash.people import Chatter
from tests.crash.sale import Sale, sale
from tests.crash.street import Street, street
from tests.crash.verdict import faults
from tests.postgres import PREFIX, Postgres, hand_over, prepared, server_process
from tests.storage.ground import sqlite_path

HOURS_S = 2 * 3600
BUSY_S = 8.0


async def play(script: Sale, first: str, last: str) -> None:
    """The steps from the one to the other, both included."""
    names = [name for name, _ in script.steps()]
    for _, step in script.steps()[names.index(first) : names.index(last) + 1]:
        await step()
    await (await script.street.revive()).settle()


async def finish(script: Sale, first: str) -> None:
    """The rest of the sale, and nothing may be wrong at its end."""
    await play(script, first, "refund")
    await script.street.pass_time(HOURS_S)
    assert await faults(script) == []
    assert script.street.deaths == 0


def callbacks(there: Street) -> list[int | None]:
    return [event["status"] for event in there.journal("daraja.callback")]


async def test_a_locked_database_answers_503_in_bounded_time_and_the_payment_is_found_later(home: Nursery, sqlite_url: str) -> None:
    """K6. Another process holds the file for longer than we wait: the callback, which comes once, is refused; asking finds the payment."""
    async with street(sqlite_url, home) as there:
        script = sale(there)
        await play(script, "open", "buy")
        with contextlib.closing(sqlite3.connect(sqlite_path(sqlite_url), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            began = time.monotonic()
            there.town.phones.answer(script.brian.msisdn, "right")
            while not callbacks(there) and time.monotonic() - began < 2 * BUSY_S:
                await there.core.journal.wait(1)
            other.execute("ROLLBACK")
        assert callbacks(there) == [503]
        assert time.monotonic() - began < BUSY_S
        await there.until(lambda: _paid(there), "the payment is found by asking")
        script.numbers["Brian"] = str(there.one("SELECT number FROM orders"))
        await play(script, "proof", "release")
        assert there.one("SELECT state FROM orders") == "COMPLETED"
        assert there.deaths == 0


async def _paid(there: Street) -> bool | None:
    return True if there.one("SELECT count(*) FROM orders") else None


def size_of(url: str) -> int:
    """Of the log that every write goes to first."""
    wal = Path(f"{sqlite_path(url)}-wal")
    return wal.stat().st_size if wal.exists() else 0


@pytest.mark.parametrize("step", ["create", "buy", "proof", "accept", "release"])
async def test_a_full_disk_refuses_cleanly_and_the_sale_goes_on_when_there_is_room(home: Nursery, sqlite_url: str, step: str) -> None:
    """K7. No file of the house may grow: writes are refused, nothing is half kept, the process lives, and goes on by itself."""
    async with street(sqlite_url, home) as there:
        script = sale(there)
        names = [name for name, _ in script.steps()]
        await play(script, "open", names[names.index(step) - 1])
        house = await there.revive()
        assert await house.settle(f"limit {size_of(sqlite_url)}".encode())
        before = there.rows("SELECT count(*) FROM persons")
        dora = Chatter(there, 2004, "Dora", "254722000004")
        dora.arrive()
        await dora.start()
        for _ in range(10):
            assert await house.settle()
            await there.core.journal.wait(0.05)
        assert there.rows("SELECT count(*) FROM persons") == before
        assert await house.settle(b"limit -1")
        await there.until(lambda: dora.sees("English"), "Dora is answered when there is room")
        await finish(script, step)


@contextlib.contextmanager
def own_server() -> Iterator[tuple[Path, Path]]:
    """Programs and data of a PostgreSQL that this test alone may kill."""
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        hand_over(folder)
        yield prepared(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kill_server(data: Path) -> None:
    """kill -9 of the postmaster; its children notice, and end."""
    pid = int((data / "postmaster.pid").read_text().splitlines()[0])
    os.kill(pid, signal.SIGKILL)


async def test_postgresql_killed_and_started_again_under_a_running_house_loses_nothing(home: Nursery) -> None:
    """K8. Twice: while nothing happens, and in the middle of buying. The house waits, connects again, and asks what became of its commits."""
    with own_server() as (programs, data), contextlib.ExitStack() as running:
        folder = data.parent
        running.enter_context(server_process(programs, data, folder))
        with psycopg.connect(Postgres(folder).url, autocommit=True) as server:
            server.execute("ALTER ROLE postgres SET synchronous_commit = on")  # what is acknowledged outlives the server, as in earnest
        url = Postgres(folder).new_database()
        migrate(url)
        async with street(url, home) as there:
            script = sale(there)
            await play(script, "open", "create")
            for step, after in (("buy", "pin"), ("accept", "ship")):
                kill_server(data)
                running.close()
                running.enter_context(server_process(programs, data, folder))
                await play(script, step, step)
                if step == "buy":
                    await play(script, after, "follow")
            await finish(script, "ship")
