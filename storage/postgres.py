"""PostgreSQL: a few threads with one psycopg connection each; a unit runs whole on one of them (docs/decisions/0002-units-of-work.md)."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

import psycopg
import structlog
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from domain.ports import Bell, Unit
from storage.lanes import Lanes
from storage.statements import POSTGRES, Session
from storage.store import Job, StoreUnavailable, ring, run_shared, run_unit, try_again
from storage.unit import Surroundings

P = ParamSpec("P")
R = TypeVar("R")

WRITERS = 8
LANES = 1
"""Commits under way at once, unless they stand still."""
READERS = 4
BATCH = 32
"""Units that share one commit at most."""

RECONNECT_FOR_S = 20.0
_RACES = (psycopg.IntegrityError, psycopg.errors.SerializationFailure, psycopg.errors.DeadlockDetected)
CONNECT_S = 5
_log = structlog.get_logger("store")


def conninfo(url: str) -> str:
    """What libpq reads, from any of the promised schemes."""
    scheme, _, rest = url.partition("://")
    if scheme.split("+")[0] not in {"postgresql", "postgres"}:
        raise ValueError(f"not a PostgreSQL address: {scheme}")
    return f"postgresql://{rest}"


class Undone(Exception):
    """The server answered a COMMIT with a ROLLBACK: a statement had failed, and somebody went on."""


class _Thread:
    """A database thread: takes jobs from its pool's queue, runs them in a transaction, connects again when the connection is lost."""

    def __init__(self, pool: _Pool, number: int) -> None:
        self._pool = pool
        self._connection: psycopg.Connection[Any] | None = None
        self.ended = asyncio.get_running_loop().create_future()
        self.thread = threading.Thread(target=self._live, name=f"{pool.name}-{number}", daemon=True)
        self.thread.start()

    def _live(self) -> None:
        try:
            self._work()
        finally:
            with contextlib.suppress(RuntimeError):
                self.ended.get_loop().call_soon_threadsafe(self.ended.set_result, None)

    def _work(self) -> None:
        while jobs := self._pool.jobs.take():
            try:
                with self._pool.losers if any(job.tries for job in jobs) else contextlib.nullcontext():
                    self._run(jobs)
            finally:
                self._pool.jobs.done()
            self._pool.done(jobs)
        if self._connection is not None:
            self._connection.close()

    def _run(self, jobs: list[Job], deadline_s: float | None = None) -> None:
        """A lost connection, even inside the commit, runs the units again: every writing unit says by a unique key whether it was done."""
        deadline_s = deadline_s or time.monotonic() + RECONNECT_FOR_S
        while True:
            try:
                self._transact(jobs)
                return
            except (psycopg.OperationalError, psycopg.InterfaceError) as error:
                passing = isinstance(error, psycopg.errors.DeadlockDetected | psycopg.errors.SerializationFailure)
                if not passing:
                    self._drop()
                if passing and len(jobs) == 1:
                    jobs[0].error = error
                    return
                if passing:  # together they hold many rows, and would meet the same neighbours again
                    with self._pool.losers:
                        for job in jobs:
                            self._run([job], deadline_s)
                    return
                if time.monotonic() > deadline_s or self._pool.closing:
                    for job in jobs:
                        job.error = StoreUnavailable(type(error).__name__)
                    return
                time.sleep(0.2)
            except Exception as error:  # noqa: BLE001 - it goes to whoever waits
                if len(jobs) > 1:  # one of them broke the transaction that they shared
                    for job in jobs:
                        self._run([job], deadline_s)
                    return
                jobs[0].error = error
                return

    def _transact(self, jobs: list[Job]) -> None:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(self._pool.conninfo, autocommit=True, prepare_threshold=2, connect_timeout=CONNECT_S)
            self._connection.adapters.register_dumper(int, Int8Dumper)  # one type for all sizes: a statement is prepared once
            if self._pool.read_only:
                self._connection.execute("SET default_transaction_read_only = on")
        connection = self._connection
        session = Session(connection, POSTGRES)
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ" if self._pool.read_only else "BEGIN")
        try:
            if self._pool.read_only:
                run_unit(session, self._pool.around, jobs[0])
                session.flush()
            else:
                run_shared(session, self._pool.around, jobs, lambda error: _ends_transaction(error, session))
            if connection.execute("COMMIT").statusmessage != "COMMIT":
                raise Undone
        except BaseException:
            with contextlib.suppress(psycopg.Error):
                connection.execute("ROLLBACK")
            raise

    def _drop(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(psycopg.Error):
                self._connection.close()
        self._connection = None


def _ends_transaction(error: BaseException, session: Session) -> bool:
    """Also when a statement failed and there is no savepoint to go back to, because the unit had written nothing yet."""
    if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return True
    return bool(session.connection.info.transaction_status is TransactionStatus.INERROR) and not session.has_way_back


class _Pool:
    """Threads over one queue. Answers go back to the event loop in one call per batch."""

    def __init__(self, name: str, info: str, around: Surroundings, bell: Bell, size: int, jobs: Lanes[Job], *, read_only: bool) -> None:
        self.name, self.conninfo, self.around, self.jobs, self.read_only = name, info, around, jobs, read_only
        self.closing = False
        self.losers = threading.RLock()
        """Units that lost a race run one after the other: they shall not lose to one another again."""
        self._bell = bell
        self._loop = asyncio.get_running_loop()
        self._threads = [_Thread(self, number) for number in range(size)]

    def done(self, jobs: list[Job]) -> None:
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._settle, jobs)

    def _settle(self, jobs: list[Job]) -> None:
        ring(self._bell, jobs)
        for job in jobs:
            if job.error is not None and try_again(job, _RACES) and not self.closing:
                self.jobs.put(job)
            else:
                job.settle()

    async def run(self, unit: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        job = Job(unit, args, kwargs, self._loop.create_future())
        self.jobs.put(job)
        return await job.answer

    async def close(self) -> None:
        self.closing = True
        self.jobs.close()
        for thread in self._threads:
            await thread.ended
            thread.thread.join()


class PostgresStore:
    """`writers` and `readers` are connections; `lanes` commits are under way at once, each of `batch` units at most."""

    def __init__(
        self,
        url: str,
        around: Surroundings,
        bell: Bell,
        *,
        writers: int = WRITERS,
        readers: int = READERS,
        lanes: int = LANES,
        batch: int = BATCH,
    ) -> None:
        self._conninfo = conninfo(url)
        self._around = around
        self._bell = bell
        self._sizes = (writers, readers)
        self._lanes = (lanes, batch)
        self._pools: tuple[_Pool, _Pool] | None = None

    async def open(self) -> None:
        """Start the threads; raises StoreUnavailable when the server cannot be reached."""
        try:
            async with await psycopg.AsyncConnection.connect(self._conninfo, connect_timeout=CONNECT_S):
                pass
        except psycopg.Error as error:
            raise StoreUnavailable(f"PostgreSQL cannot be reached: {type(error).__name__}") from error
        writers, readers = self._sizes
        self._pools = (
            _Pool("writer", self._conninfo, self._around, self._bell, writers, Lanes(*self._lanes), read_only=False),
            _Pool("reader", self._conninfo, self._around, self._bell, readers, Lanes(readers, 1), read_only=True),
        )

    async def close(self) -> None:
        for pool in self._pools or ():
            await pool.close()
        self._pools = None

    async def write(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        assert self._pools is not None, "the store is open"
        return await self._pools[0].run(unit, args, kwargs)  # type: ignore[no-any-return]

    async def read(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        assert self._pools is not None, "the store is open"
        return await self._pools[1].run(unit, args, kwargs)  # type: ignore[no-any-return]
