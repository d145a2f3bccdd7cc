"""A driver connection inside a transaction. Reads run at once; writes whose outcome nobody waits for are kept back and go together.

What is kept back is written before anything reads a table that it touches, before any other write, and when the transaction ends, with what the
other units of the batch kept back. So a unit sees its own writes, and a lost race (Stale) is told at the latest when the batch ends; then each of
its units is run again by itself, from reading. Rows of one kind are one statement, and PostgreSQL gets all of them as one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol, cast

from domain.errors import Stale
from storage.spelling import POSTGRES as POSTGRES
from storage.spelling import SQLITE as SQLITE
from storage.spelling import Sql as Sql
from storage.spelling import insert_into as insert_into
from storage.spelling import insert_unless_there as insert_unless_there
from storage.spelling import maker as maker
from storage.spelling import numbered
from storage.spelling import save_version as save_version
from storage.spelling import select_by as select_by
from storage.together import Part, Write, composed, groups, several

_MOST_ROWS = 32
"""Rows in one statement of SQLite."""

_FOREIGN_KEY = "23503"
"""PostgreSQL's code for a row that refers to one which is not there."""


Foreseen = dict[tuple[Sql, tuple[Any, ...]], list[Any]]
"""Rows by the question, with its parameters, that they answer."""


class Cursor(Protocol):
    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Known:
    """A result that was fetched ahead."""

    def __init__(self, rows: list[Any]) -> None:
        self._rows = rows
        self.rowcount = len(rows)

    def fetchone(self) -> Any:
        return self._rows[0] if self._rows else None

    def fetchall(self) -> list[Any]:
        return self._rows


@dataclass(slots=True)
class Point:
    """Where a session may go back to: before the write at `place` of what is kept back. It is `live` once something was really written since.

    One that is not `sure` is unknown to the database: when it is live there is no way back but the end of the transaction.
    """

    name: str
    place: int
    sure: bool = True
    live: bool = False

    @property
    def lost(self) -> bool:
        return self.live and not self.sure


class Session:
    """Runs statements, nothing else."""

    def __init__(self, connection: Any, dialect: str) -> None:
        self.connection = connection
        self.dialect = dialect
        self._later: list[Write] = []
        self._touched: set[str] = set()
        self._points: list[Point] = []
        self._failed: BaseException | None = None
        """What said no when something kept back was written: it is lost, so nobody may go on as if it were not."""
        self._named = 0
        self._cursor: Any = None
        self._foreseen: Foreseen = {}

    def begin(self, foreseen: Foreseen | None = None) -> None:
        """A unit begins: what was foreseen for it, and nothing that was foreseen for another."""
        self._foreseen = foreseen or {}

    def foresee(self, sql: Sql, rows: list[Any], **params: Any) -> None:
        """The answer to a question that is going to be asked, once, unless one of its tables is written before."""
        self._foreseen[sql, tuple(params.values())] = rows

    def run(self, sql: Sql, **params: Any) -> Cursor:
        """Now; its result must be read before the next statement runs."""
        self.check()
        if self._foreseen:
            known = self._foreseen.pop((sql, tuple(params.values())), None)
            if known is not None:
                return Known(known)
            if sql.compiled(self.dialect).writes:
                self._forget(sql)
        if self._later or self._points:
            compiled = sql.compiled(self.dialect)
            if compiled.writes or compiled.tables is None or not compiled.tables.isdisjoint(self._touched):
                self.flush(more=compiled.writes)
        return self._execute(sql, params)

    def later(self, sql: Sql, row: Mapping[str, Any], or_stale: Mapping[str, Any] | None = None) -> None:
        """In time: see above."""
        self.check()
        self._later.append(Write(sql, row, or_stale))
        self._touched |= sql.compiled(self.dialect).tables or frozenset()
        if self._foreseen:
            self._forget(sql)

    def _forget(self, written: Sql) -> None:
        for key in [key for key in self._foreseen if _meet(written, key[0], self.dialect)]:
            del self._foreseen[key]

    def many(self, sql: Sql, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self.later(sql, row)

    def plain(self, text: str) -> Cursor:
        """A statement without parameters that is the same on both engines."""
        self._foreseen.clear()
        self.flush(more=True)
        return cast(Cursor, self.connection.execute(text))

    @property
    def has_way_back(self) -> bool:
        """True when the database knows the last point."""
        return bool(self._points) and self._points[-1].live and self._points[-1].sure

    def point(self, *, sure: bool = True) -> Point:
        """A place to go back to. It costs nothing until something is really written after it, and no statement even then unless it is `sure`."""
        self._named += 1
        point = Point(f"p{self._named}", len(self._later), sure)
        self._points.append(point)
        return point

    def back(self, point: Point) -> None:
        """Undo what was written since. Not for a point that is `lost`."""
        del self._points[self._points.index(point) :]
        if point.live:  # so whatever could not be written came after it
            self._failed = None
            self._later.clear()
            self.connection.execute(f"ROLLBACK TO SAVEPOINT {point.name}")
            self.connection.execute(f"RELEASE SAVEPOINT {point.name}")
        else:
            del self._later[point.place :]
        self._foreseen.clear()

    def keep(self, point: Point) -> None:
        """There is no way back any more."""
        del self._points[self._points.index(point) :]
        if point.live and point.sure:
            self.connection.execute(f"RELEASE SAVEPOINT {point.name}")

    def flush(self, *, more: bool = False) -> None:
        """Write what was kept back; with `more`, somebody is going to write at once. Raises Stale; whoever catches it meets it again."""
        self.check()
        try:
            self._flush(more)
        except BaseException as error:
            self._failed = error
            raise

    @property
    def failed(self) -> bool:
        return self._failed is not None

    def check(self) -> None:
        """Raises what a flush raised, until it is undone by going back to a point before it."""
        if self._failed is not None:
            raise self._failed

    def _flush(self, more: bool) -> None:
        writes, self._later = self._later, []
        self._touched.clear()
        at = 0
        for point in self._points:
            if point.live:
                continue
            self._write(writes[at : point.place])
            at = point.place
            if at == len(writes) and not more:  # nothing has been written after it
                point.place = 0
                continue
            if point.sure:
                self.connection.execute(f"SAVEPOINT {point.name}")
            point.live = True
        self._write(writes[at:])

    def _write(self, writes: Sequence[Write]) -> None:
        for group in groups(writes, self.dialect):
            if self.dialect == SQLITE:
                for part in sorted(group, key=Part.rank):
                    self._in_turn(part)
            elif len(group) == 1 and len(group[0].rows) == 1:
                self._in_turn(group[0])
            else:
                self._together(group)

    def _in_turn(self, part: Part) -> None:
        """Its rows by statements of 32, 16, 8, ...: a few texts serve for any number of rows."""
        rows = part.rows
        while rows:
            count = 1 if part.sql.many is None else min(_MOST_ROWS, 1 << (len(rows).bit_length() - 1))
            now, rows = rows[:count], rows[count:]
            cursor = self._execute(part.sql, now[0]) if count == 1 else self.connection.execute(*several(part.sql, now))
            if cursor.rowcount != count and part.or_stale is not None:
                raise Stale(**part.or_stale)

    def _together(self, group: Sequence[Part]) -> None:
        text, values = composed(group)
        checked = [part for part in group if part.or_stale is not None]
        try:
            counts = self._raw().execute(text, values).fetchone()
        except self.connection.IntegrityError as error:
            if error.sqlstate != _FOREIGN_KEY:
                raise
            added = [part.or_stale for part in checked if part.sql.compiled(POSTGRES).adds and part.or_stale is not None]
            if not added:
                raise
            raise Stale(**added[0]) from error  # somebody was first with a row that others of this group refer to
        for count, part in zip(counts, checked, strict=False):
            if count != len(part.rows) and part.or_stale is not None:
                raise Stale(**part.or_stale)

    def _execute(self, sql: Sql, params: Mapping[str, Any]) -> Cursor:
        compiled = sql.compiled(self.dialect)
        if self.dialect == SQLITE:
            return cast(Cursor, self.connection.execute(compiled.text, params))
        text = _alone.get(sql)
        if text is None:
            text = _alone[sql] = numbered(compiled.text, compiled.places)
        return cast(Cursor, self._raw().execute(text, [params[name] for name in compiled.places]))

    def _raw(self) -> Any:
        """One cursor that passes PostgreSQL's own marks through: making a cursor, and parsing a text, cost more than a row."""
        if self._cursor is None:
            import psycopg  # noqa: PLC0415 - a house on SQLite never loads it

            self._cursor = psycopg.RawCursor(self.connection)
        return self._cursor


@cache
def _meet(written: Sql, asked: Sql, dialect: str) -> bool:
    """True when the answer to a question may be another after this write."""
    changed, read = written.compiled(dialect).tables, asked.compiled(dialect).tables
    return changed is None or read is None or not changed.isdisjoint(read)


_alone: dict[Sql, str] = {}
