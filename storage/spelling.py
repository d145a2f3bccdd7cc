"""SQL that is built once with SQLAlchemy Core, compiled once per dialect, and run as driver SQL."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import Column, Insert, Table, TextClause, UniqueConstraint, bindparam, insert, select, update
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine.interfaces import Dialect
from sqlalchemy.sql import ClauseElement, visitors
from sqlalchemy.sql.selectable import SelectBase

SQLITE = "sqlite"
POSTGRES = "postgresql"

_lock = threading.Lock()


@cache
def _dialect(name: str) -> Dialect:
    """Loaded when it is needed: a house has one engine."""
    if name == SQLITE:
        return sqlite.dialect(paramstyle="named")
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - as above

    dialect: Dialect = postgresql.psycopg.dialect()  # type: ignore[no-untyped-call]
    return dialect


@dataclass(frozen=True, slots=True)
class Compiled:
    """A statement for one dialect. `places` names its parameters in the order of the dialect's own marks (`$1`) where it has such.

    `tables` is what it touches (None: nobody knows); `adds` is true for an insert that changes no row that is there already.
    """

    text: str
    places: tuple[str, ...]
    tables: frozenset[str] | None
    writes: bool
    adds: bool


class Sql:
    """One statement. Parameters are passed by name; values written into the Core expression become literals, so that partial indexes serve."""

    def __init__(self, statement: ClauseElement | Callable[[str], ClauseElement], many: Many | None = None) -> None:
        """`statement` may also be a function of the dialect's name, where the two engines spell it differently.

        `many` is how a write of one row is spelled for several.
        """
        self._statement = statement
        self.many = many
        self._compiled: dict[str, Compiled] = {}

    def text(self, dialect: str) -> str:
        """The text with named parameters, compiled at the first call for each dialect."""
        return self.compiled(dialect).text

    def compiled(self, dialect: str) -> Compiled:
        found = self._compiled.get(dialect)
        if found is None:
            with _lock:
                statement = self._statement if isinstance(self._statement, ClauseElement) else self._statement(dialect)
                compiled = statement.compile(dialect=_dialect(dialect))
                fixed = {name: _literal(value) for name, value in compiled.params.items() if value is not None}
                text = _PLACE.sub(lambda place: fixed.get(place[place.lastindex or 0], place[0]), str(compiled))
                places = tuple(dict.fromkeys(_NAMED.findall(text))) if dialect == POSTGRES else ()
                writes = not isinstance(statement, SelectBase)
                adds = isinstance(statement, Insert) and "DO UPDATE" not in text and "RETURNING" not in text
                found = self._compiled[dialect] = Compiled(text, places, _tables(statement), writes, adds)
        return found


class Many:
    """A write of one row, to be spelled for several: rows are added, or with a `key` those are changed that have it, and the version.

    `columns` are what is written, each by the parameter of its name; the parameter of what a row is `found_by` is that name with `_was`.
    `places` are all of them, in the order in which they are bound.
    """

    def __init__(self, table: Table, columns: Sequence[str], key: Sequence[str] = (), ending: str = "") -> None:
        self.table = table
        self.columns = tuple(columns)
        self.key = tuple(key)
        self.found_by = (*key, "version") if key else ()
        self.ending = ending
        self.places = (*self.columns, *map(was, self.found_by))

    def row(self, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """Which row is changed, None where one is added."""
        return tuple(values[was(name)] for name in self.key) or None

    def text(self, dialect: str, count: int) -> str:
        """`count` rows. SQLite takes the values of one row after the other; PostgreSQL an array for each column, however many rows there are."""
        if dialect == SQLITE:
            row = f"({', '.join('?' * len(self.places))})"
            source, names = ", ".join([row] * count), [f"column{number}" for number in range(1, len(self.places) + 1)]
        else:
            kinds = (self.table.c[name].type.compile(_dialect(POSTGRES)) for name in (*self.columns, *self.found_by))
            listed = ", ".join(f"%({name})s::{kind}[]" for name, kind in zip(self.places, kinds, strict=True))
            source, names = f"unnest({listed})", [_quoted(name) for name in self.places]
        table, columns = _quoted(self.table.name), ", ".join(map(_quoted, self.columns))
        if not self.found_by:
            rows = f"VALUES {source}" if dialect == SQLITE else f"SELECT * FROM {source}"  # noqa: S608 - our own names
            return f"INSERT INTO {table} ({columns}) {rows}{self.ending}"
        sets = ", ".join(f"{_quoted(column)} = v.{name}" for column, name in zip(self.columns, names, strict=False))
        found = " AND ".join(f"{table}.{_quoted(c)} = v.{n}" for c, n in zip(self.found_by, names[len(self.columns) :], strict=True))
        rows = f"(VALUES {source}) AS v" if dialect == SQLITE else f"{source} AS v({', '.join(names)})"
        return f"UPDATE {table} SET {sets} FROM {rows} WHERE {found}"  # noqa: S608 - as above


def was(name: str) -> str:
    """The parameter of what a column held."""
    return f"{name}_was"


def _quoted(name: str) -> str:
    return f'"{name}"'


def array(values: Sequence[Any]) -> str:
    """As PostgreSQL's array literal. psycopg's own cost many times as much."""
    kinds = set(map(type, values))
    if kinds == {int}:
        return f"{{{str(list(values))[1:-1]}}}"
    if kinds == {str}:
        joined = '","'.join(values)
        if "\\" not in joined and joined.count('"') == 2 * (len(values) - 1):
            return f'{{"{joined}"}}'
    return f"{{{','.join(map(_cell, values))}}}"


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if type(value) is int:
        return str(value)
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bytes):
        return f'"\\\\x{value.hex()}"'
    return "t" if value is True else "f" if value is False else str(value)


_PLACE = re.compile(r"%\((\w+)\)s(?:::\w+)?|(?<!:):(\w+)|__\[POSTCOMPILE_(\w+?)(?:~~[^\]]*)?\]")
"""Where a parameter stands: in psycopg's spelling with its cast, in SQLite's, and as the list of an IN."""

_NAMED = re.compile(r"%\((\w+)\)s")


def _literal(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(_literal, value))
    if type(value) is int:
        return str(value)
    if isinstance(value, str) and value.isidentifier():
        return f"'{value}'"
    raise TypeError(f"pass {value!r} as a parameter")


def _tables(statement: ClauseElement) -> frozenset[str] | None:
    found = set()
    for part in visitors.iterate(statement):
        if isinstance(part, TextClause):
            return None
        if isinstance(part, Table):
            found.add(part.name)
        elif isinstance(part, Column) and isinstance(part.table, Table):
            found.add(part.table.name)
    return frozenset(found) or None


def numbered(text: str, places: Sequence[str], first: int = 1) -> str:
    """psycopg's named parameters as PostgreSQL's own: `$1` for the first of `places`."""
    marks = {name: f"${number}" for number, name in enumerate(places, first)}
    return _NAMED.sub(lambda place: marks[place[1]], text).replace("%%", "%")


def insert_into(table: Table) -> Sql:
    """All columns, each bound by its own name."""
    names = tuple(column.name for column in table.columns)
    return Sql(insert(table).values({name: bindparam(name) for name in names}), Many(table, names))


def insert_unless_there(table: Table) -> Sql:
    """The same, but a row whose unique key exists already is left as it is (rowcount 0). A clash of ids is not that: it raises."""
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns}
    unique = [constraint for constraint in table.constraints if isinstance(constraint, UniqueConstraint)]
    if len(unique) > 1:
        raise TypeError(f"{table.name} has several unique keys: which one is meant?")
    key = [column.name for column in (unique[0] if unique else table.primary_key).columns]
    ending = f" ON CONFLICT ({', '.join(key)}) DO NOTHING"
    return Sql(
        lambda dialect: maker(dialect)(table).values(values).on_conflict_do_nothing(index_elements=key),
        Many(table, tuple(values), ending=ending),
    )


def maker(dialect: str) -> Any:
    """The dialect's own insert, which knows ON CONFLICT."""
    if dialect == SQLITE:
        return sqlite.insert
    from sqlalchemy.dialects import postgresql  # noqa: PLC0415 - as above

    return postgresql.insert


def save_version(table: Table, *key: str) -> Sql:
    """Compare-and-set: all other columns, where the key and `version_was` match."""
    values: dict[str, Any] = {column.name: bindparam(column.name) for column in table.columns if column.name not in key}
    where = [table.c[name] == bindparam(was(name)) for name in (*key, "version")]
    return Sql(update(table).where(*where).values(values), Many(table, tuple(values), key))


def select_by(table: Table, *key: str) -> Sql:
    return Sql(select(table).where(*(table.c[name] == bindparam(name) for name in key)))
