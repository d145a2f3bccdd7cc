"""SQLite: aiosqlite's connection owns the one writer thread; waiting units share a commit; readers have connections of their own.

WAL, `synchronous=FULL`, `BEGIN IMMEDIATE`, foreign keys on (docs/decisions/0002-units-of-work.md). One process per file: a lock file says so.
"""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any, Concatenate, ParamSpec, TypeVar

import aiosqlite

from domain.ports import Bell, Unit
from storage.statements import SQLITE, Session
from storage.store import Job, StoreUnavailable, ring, run_shared, try_again
from storage.unit import SqlUnit, Surroundings

P = ParamSpec("P")
R = TypeVar("R")

BATCH = 64
"""Units that share one commit at most."""

_PRAGMAS = (
    "PRAGMA journal_mode=WAL",
    "PRAGMA synchronous=FULL",
    "PRAGMA foreign_keys=ON",
    "PRAGMA cache_size=-16000",
    "PRAGMA temp_store=MEMORY",
)
READERS = 2
_RACES = (sqlite3.IntegrityError,)
_OUR_MISTAKES = frozenset({sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY})
"""What a reader never meets because of the file: wrong SQL, or a unit that writes."""


class SqliteStore:
    """`busy_s` is how long a write waits for another process before it is refused."""

    def __init__(self, path: Path, around: Surroundings, bell: Bell, *, busy_s: float = 5.0) -> None:
        self._path = path
        self._around = around
        self._bell = bell
        self._busy_s = busy_s
        self._waiting: deque[Job] = deque()
        self._pump: asyncio.Task[None] | None = None
        self._writer: aiosqlite.Connection | None = None
        self._lock: IO[str] | None = None
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="reader")
        self._reading = threading.local()
        self._opened: list[sqlite3.Connection] = []

    async def open(self) -> None:
        """Connect. Raises StoreUnavailable when another process has this file."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._take_lock()
        try:
            self._writer = await aiosqlite.connect(self._path, isolation_level=None, timeout=self._busy_s, cached_statements=512)
            for pragma in _PRAGMAS:
                await self._writer.execute(pragma)
        except sqlite3.Error as error:
            await self.close()
            raise StoreUnavailable(f"{self._path} cannot be opened: {error}") from error

    def _take_lock(self) -> None:
        self._lock = open(f"{self._path}.lock", "a")  # noqa: SIM115 - held as long as the store is open
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            self._lock = None
            raise StoreUnavailable(
                f"{self._path} is in use by another PayLoom process: stop it first, or use PostgreSQL to run several"
            ) from None

    async def close(self) -> None:
        while self._pump is not None and not self._pump.done():
            await asyncio.wait([self._pump])
        self._readers.shutdown(wait=True)
        for connection in self._opened:
            connection.close()
        if self._writer is not None:
            await self._writer.close()
            self._writer._thread.join()
            self._writer = None
        if self._lock is not None:
            self._lock.close()

    async def write(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        assert self._writer is not None, "the store is open"
        loop = asyncio.get_running_loop()
        job = Job(unit, args, kwargs, loop.create_future())
        self._waiting.append(job)
        if self._pump is None or self._pump.done():
            self._pump = loop.create_task(self._run_waiting())
        return await job.answer  # type: ignore[no-any-return]

    async def _run_waiting(self) -> None:
        """One batch after the other on the writer thread, until nothing waits."""
        assert self._writer is not None, "the store is open"
        while self._waiting:
            jobs = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            await self._writer._execute(self._run_batch, self._writer._conn, jobs)  # type: ignore[no-untyped-call]
            again = [job for job in jobs if job.error is not None and try_again(job, _RACES)]
            self._waiting.extendleft(reversed(again))
            for job in jobs:
                if job not in again:
                    job.settle()
            ring(self._bell, jobs)

    def _run_batch(self, connection: sqlite3.Connection, jobs: list[Job]) -> None:
        session = Session(connection, SQLITE)
        try:
            connection.execute("BEGIN IMMEDIATE")
            run_shared(session, self._around, jobs, lambda _: not connection.in_transaction)
            connection.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - it goes to whoever waits
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            if len(jobs) > 1 and not isinstance(error, sqlite3.OperationalError):  # one of them broke what they wrote together
                for job in jobs:
                    self._run_batch(connection, [job])
                return
            for job in jobs:
                job.error = error
        for job in jobs:
            if isinstance(job.error, sqlite3.OperationalError) and job.error.sqlite_errorcode != sqlite3.SQLITE_ERROR:
                job.error = StoreUnavailable(str(job.error))

    async def read(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._readers, lambda: self._read(unit, *args, **kwargs))

    def _read(self, unit: Callable[..., R], *args: Any, **kwargs: Any) -> R:
        connection: sqlite3.Connection | None = getattr(self._reading, "connection", None)
        if connection is None:
            connection = sqlite3.connect(
                f"file:{self._path}?mode=ro", uri=True, isolation_level=None, check_same_thread=False, cached_statements=512
            )
            connection.execute("PRAGMA query_only=ON")
            self._reading.connection = connection
            self._opened.append(connection)
        job = SqlUnit(Session(connection, SQLITE), self._around)
        try:
            connection.execute("BEGIN")
            result = unit(job, *args, **kwargs)
            job.flush()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode in _OUR_MISTAKES:
                raise
            raise StoreUnavailable(str(error)) from error
        finally:
            if connection.in_transaction:
                connection.execute("COMMIT")
        return result
