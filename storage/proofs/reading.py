"""A read-only connection beside a running house, and what a check is: a promise, what is looked at, and a stream of what breaks it."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import text

from domain.payment import Notice, Unreadable
from domain.records import RawEvent
from storage.mapping import from_us
from storage.postgres import conninfo
from storage.statements import POSTGRES, SQLITE, Session, Sql
from storage.store import StoreUnavailable

CHUNK = 2_000
"""Rows that are fetched, or looked up, at a time."""

Understand = Callable[[RawEvent], Notice]


@dataclass(frozen=True, slots=True)
class Offence:
    """What breaks a promise: `order:17`, and the facts that show it."""

    id: str
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.id} ({', '.join(f'{name}={value}' for name, value in self.facts.items())})" if self.facts else self.id


class Reading:
    """One snapshot of the whole database: every check of a run sees the same instant.

    `key` is the audit trail's; `understand` reads a stored provider event, None where no gateway is at hand.
    """

    def __init__(self, session: Session, now: datetime, key: bytes, understand: Understand | None = None) -> None:
        self.session = session
        self.key = key
        self.understand = understand
        newest = session.run(_NEWEST).fetchone()
        self.now = now if newest is None else max(now, from_us(newest[0]))
        """Not before the newest audit record: a town's clock may run ahead of this machine's."""

    def number(self, sql: Sql) -> int:
        return int(self.session.run(sql).fetchone()[0])

    def rows(self, sql: Sql, **params: Any) -> Iterator[Sequence[Any]]:
        """Streamed: the answer may be larger than the memory."""
        with self._cursor(sql, params) as cursor:
            yield from cursor

    def offences(self, sql: Sql, **params: Any) -> Iterator[Offence]:
        """Rows whose first column says what is broken, and the others why."""
        with self._cursor(sql, params) as cursor:
            names: list[str] = []
            for row in cursor:
                names = names or [column[0] for column in cursor.description]
                yield Offence(str(row[0]), {name: _plain(value) for name, value in zip(names[1:], row[1:], strict=True)})

    def parse(self, event: RawEvent) -> Notice | None:
        try:
            return None if self.understand is None else self.understand(event)
        except Unreadable:
            return None

    @contextlib.contextmanager
    def _cursor(self, sql: Sql, params: Mapping[str, Any]) -> Iterator[Any]:
        if self.session.dialect == SQLITE:
            yield self.session.run(sql, **params)
            return
        Reading._opened += 1
        with self.session.connection.cursor(name=f"audit_{Reading._opened}") as cursor:
            cursor.itersize = CHUNK
            cursor.execute(sql.text(POSTGRES), params)
            yield cursor

    _opened = 0


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, str | int) else int(value)


_NEWEST = Sql(text("SELECT at FROM audit ORDER BY id DESC LIMIT 1"))


@dataclass(frozen=True, slots=True)
class Check:
    """`promise` is its number in docs/ledger.md, `of` how many things are looked at, `find` what breaks it."""

    promise: int
    name: str
    what: str
    of: Sql
    find: Callable[[Reading], Iterator[Offence]]
    reads_events: bool = False
    """Only a gateway can read a stored event: without one at hand this is not proved, and not told to be."""


def check(promise: int, name: str, what: str, of: str, offences: str) -> Check:
    """A check that is one statement. `of` is a table, with its WHERE where not all of it is looked at."""
    statement = query(offences)
    return Check(promise, name, what, counted(of), lambda reading: reading.offences(statement))


def counted(of: str) -> Sql:
    return query(f"SELECT count(*) FROM {of}")  # noqa: S608 - our own words, from this package


_SPELLED: Mapping[str, Mapping[str, str]] = {
    SQLITE: {
        "ID_OF": r"CAST(substr(\1, instr(\1, ':') + 1) AS INTEGER)",
        "KIND_OF": r"substr(\1, 1, instr(\1, ':') - 1)",
        "FIELD": r"CAST(json_extract(\1, '$.\2') AS INTEGER)",
    },
    POSTGRES: {
        "ID_OF": r"CASE WHEN split_part(\1, ':', 2) ~ '^[0-8]?[0-9]{1,18}$' THEN CAST(split_part(\1, ':', 2) AS bigint) END",
        "KIND_OF": r"split_part(\1, ':', 1)",
        "FIELD": r"CAST(CAST(\1 AS jsonb) ->> '\2' AS bigint)",
    },
}


def query(written: str) -> Sql:
    """SQL of both engines. `ID_OF(x)` is the number after the first colon of a text such as `escrow:17`, `KIND_OF(x)` what stands before it;
    `FIELD(x, name)` a whole number in a JSON object."""

    def spelled(dialect: str) -> Any:
        said = written
        for word, meaning in _SPELLED[dialect].items():
            said = re.sub(rf"\b{word}\(([\w.]+)(?:, (\w+))?\)", meaning, said)
        return text(said)

    return Sql(spelled)


@contextlib.contextmanager
def opened(url: str) -> Iterator[Session]:
    """Looks without touching: SQLite by a read-only file handle, without the lock file; PostgreSQL by a read-only transaction."""
    try:
        with _sqlite(url) if url.startswith("sqlite") else _postgres(url) as session:
            yield session
    except (sqlite3.OperationalError, psycopg.OperationalError) as error:
        raise StoreUnavailable(str(error).strip()) from error


@contextlib.contextmanager
def _sqlite(url: str) -> Iterator[Session]:
    path = Path(url.partition(":///")[2])
    if not path.exists():
        raise StoreUnavailable(f"{path} is not there")
    with contextlib.closing(
        sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=10)
    ) as connection:
        for pragma in ("PRAGMA query_only=ON", "PRAGMA cache_size=-131072", "PRAGMA mmap_size=1073741824"):
            connection.execute(pragma)
        connection.execute("BEGIN")
        yield Session(connection, SQLITE)


_QUICKLY = (
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
    "SET LOCAL cursor_tuple_fraction = 1.0",  # every row is fetched: a plan that is quick to begin is of no use
    "SET LOCAL jit = off",
    "SET LOCAL work_mem = '128MB'",
)


@contextlib.contextmanager
def _postgres(url: str) -> Iterator[Session]:
    with psycopg.connect(conninfo(url), autocommit=True, connect_timeout=10) as connection:
        for statement in _QUICKLY:
            connection.execute(statement)
        yield Session(connection, POSTGRES)
        connection.execute("COMMIT")
