"""Writes that were kept back, as few statements: which of them may go together, and how PostgreSQL is told of them all at once.

What goes together does not see one another, so it is put together only where that makes no difference: a table stands in a group with one kind
of change only, and a row is changed in it once. Rows of the same kind are one statement, whoever wrote them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from storage.spelling import POSTGRES, SQLITE, Many, Sql, array, numbered
from storage.tables import metadata

_MOST_PARTS = 64
"""Statements in one: PostgreSQL takes 65,535 parameters, and plans short statements sooner."""

_KEPT = 500
"""Composed statements that are remembered."""

_RANKS = {table.name: number for number, table in enumerate(metadata.sorted_tables)}
"""Whom others refer to comes first."""


@dataclass(slots=True)
class Write:
    """A statement with its parameters. `or_stale` are the facts of the Stale that is raised unless exactly one row was written."""

    sql: Sql
    row: Mapping[str, Any]
    or_stale: Mapping[str, Any] | None


@dataclass(slots=True)
class Part:
    """A statement with the parameters of its rows; `or_stale` where each of them must be written."""

    sql: Sql
    or_stale: Mapping[str, Any] | None
    rows: list[Mapping[str, Any]]

    def rank(self) -> int:
        return max((_RANKS[name] for name in self.sql.compiled(SQLITE).tables or ()), default=0)


class _Group:
    """Parts by their statement, the tables that they touch (true: rows are only added), and the rows that are changed.

    It is closed where nobody knows what a statement touches.
    """

    def __init__(self, dialect: str) -> None:
        self._dialect = dialect
        self.parts: dict[tuple[Sql, bool], Part] = {}
        self._tables: dict[str, bool] = {}
        self._changed: set[tuple[Sql, tuple[Any, ...]]] = set()
        self._closed = False

    def takes(self, write: Write) -> bool:
        """False when it has to wait for the next group."""
        sql, many = write.sql, write.sql.many
        key = (sql, write.or_stale is not None)
        row = None if many is None else many.row(write.row)
        part = self.parts.get(key)
        if part is not None and many is not None and (sql, row) not in self._changed:
            part.rows.append(write.row)
        else:
            compiled = sql.compiled(self._dialect)
            met = any(name in self._tables and not (compiled.adds and self._tables[name]) for name in compiled.tables or ())
            full = self._closed or len(self.parts) >= _MOST_PARTS
            if self.parts and (met or full or part is not None or compiled.tables is None):
                return False
            self.parts[key] = Part(sql, write.or_stale, [write.row])
            self._tables.update(dict.fromkeys(compiled.tables or (), compiled.adds))
            self._closed = compiled.tables is None
        if row is not None:
            self._changed.add((sql, row))
        return True


def groups(writes: Sequence[Write], dialect: str) -> list[list[Part]]:
    """In order: a group is written before the next."""
    made: list[_Group] = []
    for write in writes:
        if not made or not made[-1].takes(write):
            made.append(_Group(dialect))
            made[-1].takes(write)
    return [list(group.parts.values()) for group in made]


def several(sql: Sql, rows: Sequence[Mapping[str, Any]]) -> tuple[str, list[Any]]:
    """One statement of SQLite for these rows, with its values."""
    assert sql.many is not None, "it was spelled for one row only"
    return _several(sql.many, len(rows)), [row[name] for row in rows for name in sql.many.places]


@cache
def _several(many: Many, count: int) -> str:
    return many.text(SQLITE, count)


_composed: dict[tuple[tuple[Sql, bool, bool], ...], str] = {}


def composed(group: Sequence[Part]) -> tuple[str, list[Any]]:
    """One statement of PostgreSQL, which answers how many rows each checked part wrote; with its values."""
    key = tuple((part.sql, part.or_stale is not None, len(part.rows) > 1) for part in group)
    text = _composed.get(key)
    if text is None:
        if len(_composed) >= _KEPT:
            _composed.clear()
        text = _composed[key] = _compose(key)
    values: list[Any] = []
    for part in group:
        if part.sql.many is not None and len(part.rows) > 1:
            values += [array([row[name] for row in part.rows]) for name in part.sql.many.places]
        else:
            values += [part.rows[0][name] for name in part.sql.compiled(POSTGRES).places]
    return text, values


def _compose(key: Sequence[tuple[Sql, bool, bool]]) -> str:
    parts, counts, first = [], [], 1
    for number, (sql, checked, several_rows) in enumerate(key):
        if several_rows and sql.many is not None:
            text, places = sql.many.text(POSTGRES, 0), sql.many.places
        else:
            text, places = sql.compiled(POSTGRES).text, sql.compiled(POSTGRES).places
        parts.append(f"w{number} AS ({numbered(text, places, first)}{' RETURNING 1' if checked else ''})")
        first += len(places)
        if checked:
            counts.append(f"(SELECT count(*) FROM w{number})")  # noqa: S608 - our own names
    return f"WITH {', '.join(parts)} SELECT {', '.join(counts) or '1'}"
