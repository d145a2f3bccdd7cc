"""A driver connection inside a transaction. Reads run at once; writes whose outcome nobody waits for are kept back and go together.

What is kept back is written, in order, before anything reads a table that it touches, before any other write, and when the unit ends. So a unit sees
its own writes, and a lost race (Stale) is told at the latest when the unit ends; either way the unit is run again from reading.
PostgreSQL gets what was kept back as one statement: a round trip costs more than a row.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

MOST_TOGETHER = 64
"""Writes in one statement: PostgreSQL takes 65,535 parameters, and plans short statements sooner."""

_KEPT = 500
"""Composed statements that are remembered."""

_FOREIGN_KEY = "23503"
"""PostgreSQL's code for a row that refers to one which is not there."""


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
class Write:
    """A statement with its parameters. `or_stale` are the facts of the Stale that is raised unless exactly one row was written."""

    sql: Sql
    row: Mapping[str, Any]
    or_stale: Mapping[str, Any] | None


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
        self._named = 0
        self._cursor: Any = None
        self._foreseen: dict[tuple[Sql, tuple[Any, ...]], list[Any]] = {}

    def foresee(self, sql: Sql, rows: list[Any], **params: Any) -> None:
        """The answer to a question that is going to be asked, once, unless one of its tables is written before."""
        self._foreseen[sql, tuple(params.values())] = rows

    def run(self, sql: Sql, **params: Any) -> Cursor:
        """Now; its result must be read before the next statement runs."""
        if self._foreseen:
            known = self._foreseen.pop((sql, tuple(params.values())), None)
            if known is not None:
                return Known(known)
            if sql.compiled(self.dialect).writes:
                self._forget(sql)
        if self._later or self._points:
            compiled = sql.compiled(self.dialect)
            if compiled.writes or compiled.tables is None or not compiled.tables.isdisjoint(self._touched):
                self.flush()
        return self._execute(sql, params)

    def later(self, sql: Sql, row: Mapping[str, Any], or_stale: Mapping[str, Any] | None = None) -> None:
        """In time: see above."""
        self._later.append(Write(sql, row, or_stale))
        self._touched |= sql.compiled(self.dialect).tables or frozenset()
        if self._foreseen:
            self._forget(sql)

    def _forget(self, written: Sql) -> None:
        tables = written.compiled(self.dialect).tables
        for key in list(self._foreseen):
            if tables is None or not tables.isdisjoint(key[0].compiled(self.dialect).tables or tables):
                del self._foreseen[key]

    def many(self, sql: Sql, rows: Sequence[Mapping[str, Any]]) -> None:
        for row in rows:
            self.later(sql, row)

    def plain(self, text: str) -> Cursor:
        """A statement without parameters that is the same on both engines."""
        self._foreseen.clear()
        self.flush()
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
        if point.live:
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

    def flush(self) -> None:
        """Write what was kept back. Raises Stale."""
        writes, self._later = self._later, []
        self._touched.clear()
        at = 0
        for point in self._points:
            if not point.live:
                self._write(writes[at : point.place])
                at = point.place
                if point.sure:
                    self.connection.execute(f"SAVEPOINT {point.name}")
                point.live = True
        self._write(writes[at:])

    def _write(self, writes: Sequence[Write]) -> None:
        if self.dialect == SQLITE:
            for write in writes:
                self._one(write)
            return
        for group in _groups(writes):
            if len(group) == 1:
                self._one(group[0])
            else:
                self._together(group)

    def _one(self, write: Write) -> None:
        if self._execute(write.sql, write.row).rowcount != 1 and write.or_stale is not None:
            raise Stale(**write.or_stale)

    def _together(self, group: Sequence[Write]) -> None:
        key = tuple((write.sql, write.or_stale is not None) for write in group)
        text = _composed.get(key)
        if text is None:
            if len(_composed) >= _KEPT:
                _composed.clear()
            text = _composed[key] = _compose(key)
        values = [write.row[name] for write in group for name in write.sql.compiled(POSTGRES).places]
        checked = [write.or_stale for write in group if write.or_stale is not None]
        try:
            counts = self._raw().execute(text, values).fetchone()
        except self.connection.IntegrityError as error:
            if error.sqlstate != _FOREIGN_KEY:
                raise
            added = [write.or_stale for write in group if write.or_stale is not None and write.sql.compiled(POSTGRES).adds]
            if not added:
                raise
            raise Stale(**added[0]) from error  # somebody was first with a row that others of this group refer to
        for count, facts in zip(counts, checked, strict=False):
            if count != 1:
                raise Stale(**facts)

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


_alone: dict[Sql, str] = {}
_composed: dict[tuple[tuple[Sql, bool], ...], str] = {}


def _groups(writes: Sequence[Write]) -> list[list[Write]]:
    """What may go in one statement: its parts do not see one another, so a table that is changed stands in it once."""
    groups: list[list[Write]] = []
    tables: dict[str, bool] = {}
    for write in writes:
        compiled = write.sql.compiled(POSTGRES)
        touched = compiled.tables or frozenset()
        met = any(name in tables and not (compiled.adds and tables[name]) for name in touched)
        if not groups or met or not touched or len(groups[-1]) >= MOST_TOGETHER:
            groups.append([])
            tables = {}
        groups[-1].append(write)
        tables.update(dict.fromkeys(touched, compiled.adds))
    return groups


def _compose(key: Sequence[tuple[Sql, bool]]) -> str:
    parts, counts, first = [], [], 1
    for number, (sql, checked) in enumerate(key):
        compiled = sql.compiled(POSTGRES)
        parts.append(f"w{number} AS ({numbered(compiled.text, compiled.places, first)}{' RETURNING 1' if checked else ''})")
        first += len(compiled.places)
        if checked:
            counts.append(f"(SELECT count(*) FROM w{number})")  # noqa: S608 - as below
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts) or '1'}"
