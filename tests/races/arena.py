"""Where units of work race: a database with a shop in it, a store with many real connections, and a barrier from which all start at once."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Concatenate, Final, ParamSpec, TypeVar

import psycopg

from domain.ports import House, Unit
from domain.tokens import Tokens
from payloom.audit import audit
from storage.bell import LocalBell
from storage.postgres import PostgresStore, conninfo
from storage.sqlite import SqliteStore
from storage.statements import POSTGRES, SQLITE, Session
from storage.unit import SqlUnit, Surroundings
from tests.factories import Street
from tests.fakes import BoundSeals, HandClock
from tests.storage.ground import Dice, sqlite_path

P = ParamSpec("P")
R = TypeVar("R")
AUDIT_KEY: Final = b"a key of the tests, 32 bytes long"
MOST_AT_ONCE: Final = 50
START_S: Final = 10.0
Store = PostgresStore | SqliteStore


@dataclass
class Failed:
    """A contender that was refused, with what it was told."""

    error: Exception


class Arena:
    """Plays the ground of `tests.factories.Street`: `unit` runs one unit alone, on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.clock = HandClock()
        house = House("https://pay.example", "PayLoomBot", "KE", "KES", 250)
        self.around = Surroundings(self.clock, Dice(), house, Tokens([b"k" * 16]), BoundSeals(), AUDIT_KEY)
        self.street = Street(self)  # type: ignore[arg-type]

    @property
    def on_sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        if self.on_sqlite:
            with contextlib.closing(sqlite3.connect(sqlite_path(self.url), isolation_level=None)) as file:
                file.execute("PRAGMA foreign_keys=ON")
                yield Session(file, SQLITE)
        else:
            with psycopg.connect(conninfo(self.url), autocommit=True) as server:
                yield Session(server, POSTGRES)

    def unit(self, work: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Alone, and committed."""
        with self.session() as session:
            session.connection.execute("BEGIN")
            unit = SqlUnit(session, self.around)
            try:
                result = work(unit, *args, **kwargs)
                unit.flush()
            except BaseException:
                session.connection.execute("ROLLBACK")
                raise
            session.connection.execute("COMMIT")
        return result

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.session() as session:
            return [tuple(row) for row in session.connection.execute(sql).fetchall()]

    def count(self, table: str, where: str = "1 = 1") -> int:
        return int(self.rows(f"SELECT count(*) FROM {table} WHERE {where}")[0][0])

    def owed_minor(self, account: str) -> int:
        """What we owe on accounts of this kind, such as `wallet`."""
        return -int(self.rows(f"SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account LIKE '{account}:%'")[0][0])

    async def proved(self) -> None:
        """Every promise holds over the whole database; no worker runs here, so messages wait."""
        report = await audit(self.url, key=AUDIT_KEY, now=self.clock.now())
        broken = [(one.name, one.offences) for one in report.broken if one.name != "messages_end"]
        assert not broken, broken

    @contextlib.asynccontextmanager
    async def opened(self, connections: int = MOST_AT_ONCE, batch: int = 1) -> AsyncIterator[Store]:
        """On PostgreSQL so many transactions at once, each of `batch` units at most."""
        bell = LocalBell()
        store: Store
        if self.on_sqlite:
            store = SqliteStore(sqlite_path(self.url), self.around, bell)
        else:
            store = PostgresStore(self.url, self.around, bell, writers=connections, lanes=connections, batch=batch)
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    async def all(self, store: Store, *contenders: Callable[[Unit], R]) -> list[R | Failed]:
        """As they come, without a barrier."""
        return [_or_failed(one) for one in await asyncio.gather(*map(store.write, contenders), return_exceptions=True)]

    async def race(self, store: Store, *contenders: Callable[[Unit], R]) -> list[R | Failed]:
        """All of them at once: on PostgreSQL none begins before each has a transaction of its own. What each got, in their order.

        A contender that runs again after losing does not wait a second time. SQLite has one writer: there they queue, and share commits.
        """
        barrier = threading.Barrier(1 if self.on_sqlite else len(contenders))

        def from_the_barrier(contender: Callable[[Unit], R]) -> Callable[[Unit], R]:
            begun = threading.Event()

            def unit(given: Unit) -> R:
                if not begun.is_set():
                    begun.set()
                    barrier.wait(START_S)
                return contender(given)

            return unit

        answers = await asyncio.gather(*(store.write(from_the_barrier(one)) for one in contenders), return_exceptions=True)
        return [_or_failed(answer) for answer in answers]


def _or_failed(answer: R | BaseException) -> R | Failed:
    if isinstance(answer, Exception):
        return Failed(answer)
    if isinstance(answer, BaseException):
        raise answer
    return answer


def refusals(answers: Sequence[object]) -> list[str]:
    return [type(answer.error).__name__ for answer in answers if isinstance(answer, Failed)]
