"""The rows of one settlement, as our own code wrote them, so that a floor can write the very same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from payloom.bench.stock import STEP, Stock, connected
from storage import tables

UPDATED: Final = ("attempts", "payments", "checkouts")
WRITTEN: Final = ("inbox", "orders", "entries", "postings", "audit", "outbox")
_OWN: Final = frozenset({"id", "entry_id", "order_id", "checkout_id", "attempt_id", "payment_id"})
_UNIQUE: Final = frozenset({"event_key", "number", "receipt"})
_NAMED: Final = frozenset({"cause", "account", "subject", "key"})
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settlement:
    """What settling copy 0 changed: per table the columns that differ (with the row's id), and the rows that are new."""

    changed: Mapping[str, Row]
    added: Mapping[str, tuple[Row, ...]]

    def of(self, number: int) -> Settlement:
        """The same for copy `number`."""
        return Settlement(
            {table: _shifted(row, number) for table, row in self.changed.items()},
            {table: tuple(_shifted(row, number) for row in rows) for table, rows in self.added.items()},
        )


def _shifted(row: Row, number: int) -> Row:
    made = dict(row)
    for name, value in row.items():
        if value is None:
            continue
        if name in _OWN:
            made[name] = value - number * STEP
        elif name in _UNIQUE:
            made[name] = f"{value}{number or ''}"
        elif name in _NAMED:
            head, _, rest = value.partition(":")
            digits, _, tail = rest.partition(":")
            if digits.isdecimal() and int(digits) > STEP:
                made[name] = f"{head}:{int(digits) - number * STEP}{':' if tail else ''}{tail}"
    return made


def read(stock: Stock) -> dict[str, dict[Any, Row]]:
    """Every row of the tables that a settlement touches, by its key."""
    found: dict[str, dict[Any, Row]] = {}
    with connected(stock.database_url) as run:
        for name in (*UPDATED, *WRITTEN):
            table = tables.metadata.tables[name]
            names = [column.name for column in table.columns]
            listed = ", ".join(f'"{one}"' for one in names)
            rows = [dict(zip(names, row, strict=True)) for row in run(f'SELECT {listed} FROM "{name}"')]  # noqa: S608 - our own names
            found[name] = {tuple(row[column.name] for column in table.primary_key.columns): row for row in rows}
    return found


def settlement(before: Mapping[str, Mapping[Any, Row]], after: Mapping[str, Mapping[Any, Row]]) -> Settlement:
    """The difference that one settlement made."""
    changed = {}
    for name in UPDATED:
        for key, row in after[name].items():
            if row != before[name][key]:
                changed[name] = {column: value for column, value in row.items() if column == "id" or value != before[name][key][column]}
    added = {name: tuple(row for key, row in after[name].items() if key not in before[name]) for name in WRITTEN}
    return Settlement(changed, added)
