"""Rows to domain values and back: one mapper per value, read off its fields once. A field has the name of its column.

Money is two columns, `amount_minor` and `currency`; instants are microseconds; tuples, lists and dicts are JSON.
"""

from __future__ import annotations

import dataclasses
import json
import operator
import types
import typing
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Generic, TypeVar

from sqlalchemy import Table

from domain.errors import NotFound
from domain.money import Money
from domain.phone import Phone
from domain.wants import PLAIN, Wants, read_wants
from storage.statements import Session, Sql, insert_into, save_version, select_by

T = TypeVar("T")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_us(instant: datetime) -> int:
    return (instant - EPOCH) // _MICROSECOND


def from_us(stored: int) -> datetime:
    return EPOCH + timedelta(microseconds=stored)


to_json: Callable[[Any], str] = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, sort_keys=True).encode


def wants_of(stored: str) -> Wants:
    """Most people said nothing, and every sale reads what its people want."""
    return PLAIN if stored == "{}" else read_wants(json.loads(stored))


def _same(value: Any) -> Any:
    return value


def _converters(hint: Any) -> tuple[Callable[[Any], Any], Callable[[Any], Any]]:
    """(to the row, from the row) for a field's type, neither of them called with None."""
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    if hint is datetime:
        return to_us, from_us
    if hint is Phone:
        return (lambda phone: phone.e164), Phone
    if hint is Wants:
        return (lambda wants: to_json(wants.kept())), wants_of
    if hint is bool:
        return _same, bool
    if isinstance(hint, type) and issubclass(hint, Enum):
        members = {member.value: member for member in hint}
        return operator.attrgetter("_value_"), members.__getitem__
    origin = typing.get_origin(hint)
    if origin is tuple:
        return to_json, (lambda text: tuple(json.loads(text)))
    if origin in {dict, list}:
        return to_json, json.loads
    return _same, _same


class Mapper(Generic[T]):
    """`T` is a frozen dataclass; `columns` is the order of a full row of its table."""

    def __init__(self, table: Table, value: type[T]) -> None:
        self.table = table
        self.value = value
        hints = typing.get_type_hints(value)
        columns = [column.name for column in table.columns]
        names: list[str] = []
        self._to_row: list[tuple[str, Callable[[Any], Any]]] = []
        self._from_row: list[tuple[int, Callable[[Any], Any]]] = []
        self._money: int | None = None
        self._currency = columns.index("currency") if "currency" in columns else 0
        for place, field in enumerate(dataclasses.fields(value)):  # type: ignore[arg-type]
            hint = hints[field.name]
            if typing.get_origin(hint) in {types.UnionType, typing.Union}:
                hint = next(arg for arg in typing.get_args(hint) if arg is not type(None))
            if hint is Money:
                self._money = place
                names.append("amount_minor")
                continue
            names.append(field.name)
            to_row, from_row = _converters(hint)
            if to_row is not _same:
                self._to_row.append((field.name, to_row))
            if from_row is not _same:
                self._from_row.append((place, from_row))
        mapped = {*names, "currency"} if self._money is not None else set(names)
        if mapped != set(columns):
            raise TypeError(f"{value.__name__} and {table.name} differ: {mapped ^ set(columns)}")
        self._names = tuple(names)
        self._version = names.index("version") if "version" in names else 0
        self._fields = operator.attrgetter(*(field.name for field in dataclasses.fields(value)))  # type: ignore[arg-type]
        self._stored = operator.itemgetter(*map(columns.index, names))

    def row(self, value: T) -> dict[str, Any]:
        row: dict[str, Any] = dict(zip(self._names, self._fields(value), strict=True))
        for name, to_row in self._to_row:
            if (field := row[name]) is not None:
                row[name] = to_row(field)
        if self._money is not None:
            money: Money = row["amount_minor"]
            row["amount_minor"], row["currency"] = money.amount_minor, money.currency
        return row

    def read(self, row: Sequence[Any]) -> T:
        fields = list(self._stored(row))
        for place, from_row in self._from_row:
            if (stored := fields[place]) is not None:
                fields[place] = from_row(stored)
        if self._money is not None:
            fields[self._money] = Money(fields[self._money], row[self._currency])
        return self.value(*fields)

    def renewed(self, value: T, version: int) -> T:
        """`dataclasses.replace(value, version=version)`, at a third of its price."""
        fields = list(self._fields(value))
        fields[self._version] = version
        return self.value(*fields)


class Repository(Generic[T]):
    """What every repository does the same way: get, add, and save by compare-and-set on the version."""

    def __init__(self, session: Session) -> None:
        self.session = session

    mapper: typing.ClassVar[Mapper[Any]]
    INSERT: typing.ClassVar[Sql]
    SAVE: typing.ClassVar[Sql]
    GET: typing.ClassVar[Sql]

    def __init_subclass__(cls) -> None:
        if "mapper" in cls.__dict__:
            cls.INSERT = insert_into(cls.mapper.table)
            if "version" in cls.mapper.table.columns:
                cls.SAVE = save_version(cls.mapper.table, "id")
            cls.GET = cls.__dict__.get("GET") or select_by(cls.mapper.table, "id")

    def get(self, number: Any) -> T:
        found = self.one(self.GET, id=number)
        if found is None:
            raise NotFound(table=self.mapper.table.name)
        return found

    def add(self, value: T) -> None:
        self.session.later(self.INSERT, self.mapper.row(value))

    def save(self, value: T) -> T:
        """Write if nobody wrote since it was read; returns it with its new version, raises Stale otherwise."""
        return typing.cast(T, save_value(self.session, self.mapper, self.SAVE, value, "id"))

    def one(self, sql: Sql, **params: Any) -> T | None:
        row = self.session.run(sql, **params).fetchone()
        return None if row is None else typing.cast(T, self.mapper.read(row))

    def all(self, sql: Sql, **params: Any) -> list[T]:
        return [self.mapper.read(row) for row in self.session.run(sql, **params).fetchall()]

    def readable(self, sql: Sql, **params: Any) -> tuple[list[T], list[Any]]:
        """For sweeps, which one damaged row must not stop: what can be read, and the first columns of what cannot."""
        found, damaged = [], []
        for row in self.session.run(sql, **params).fetchall():
            try:
                found.append(self.mapper.read(row))
            except Exception:  # noqa: BLE001 - whatever is wrong with it, the others are not to wait for it
                damaged.append(row[0])
        return found, damaged


def save_value(session: Session, mapper: Mapper[T], sql: Sql, value: T, *key: str) -> T:
    row = mapper.row(value)
    for name in (*key, "version"):
        row[f"{name}_was"] = row[name]
    row["version"] += 1
    session.later(sql, row, {"table": mapper.table.name})
    return mapper.renewed(value, row["version"])
