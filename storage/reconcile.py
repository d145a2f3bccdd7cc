"""Differences, readings, and what only reconciliation asks of the books, as rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import bindparam, func, select

from domain.ids import AttemptId, OrganizationId
from domain.money import Money
from domain.payment import About
from domain.reconcile import Difference, DifferenceId, Kind, Moved, Reading
from storage.mapping import Mapper, from_us, save_value, to_us
from storage.statements import Session, Sql, insert_unless_there, save_version, select_by
from storage.tables import attempts, differences, entries, gateway_settings, postings, readings

_DIFFERENCE, _READING = Mapper(differences, Difference), Mapper(readings, Reading)
_ACCOUNTS = Sql(
    select(gateway_settings.c.gateway, gateway_settings.c.organization_id).order_by(
        gateway_settings.c.organization_id, gateway_settings.c.gateway
    )
)
_MOVED = Sql(
    select(entries.c.kind, entries.c.cause, entries.c.at, postings.c.amount_minor, postings.c.currency)
    .join(entries, entries.c.id == postings.c.entry_id)
    .where(
        postings.c.account == bindparam("account"),
        postings.c.entry_id >= bindparam("least"),
        postings.c.entry_id < bindparam("most"),
    )
    .order_by(postings.c.entry_id)
)
"""Ids grow with time: a stretch of an account is a stretch of its index."""
_KEPT_APART = (
    select(postings.c.account)
    .join(entries, entries.c.id == postings.c.entry_id)
    .where(entries.c.kind.in_(("unexpected", "disproved", "refund_failed", "refund_returned")), postings.c.account.like(bindparam("like")))
)
_SUSPENDED = Sql(
    select(postings.c.account, postings.c.currency, func.sum(postings.c.amount_minor))
    .where(postings.c.account.in_(_KEPT_APART))
    .group_by(postings.c.account, postings.c.currency)
    .having(func.sum(postings.c.amount_minor) != 0)
    .order_by(postings.c.account, postings.c.currency)
)
_TRIED = Sql(
    select(attempts.c.id)
    .where(
        attempts.c.id >= bindparam("least"),
        attempts.c.id < bindparam("most"),
        attempts.c.gateway == bindparam("gateway"),
        attempts.c.state.in_(("FAILED", "CANCELLED", "EXPIRED")),
    )
    .order_by(attempts.c.id)
)
_READING_OF = select_by(readings, "gateway", "owner", "day")
_ADD_READING, _SAVE_READING = insert_unless_there(readings), save_version(readings, "id")
_BY_ID, _SAME = select_by(differences, "id"), select_by(differences, "gateway", "owner", "about", "kind", "key")
_ADD, _SAVE = insert_unless_there(differences), save_version(differences, "id")
_IS_OPEN = differences.c.state == "OPEN"
_OPEN = Sql(select(differences).where(_IS_OPEN).order_by(differences.c.at, differences.c.id).limit(bindparam("most")))
_OPEN_IN = Sql(
    select(differences)
    .where(
        _IS_OPEN,
        differences.c.at >= bindparam("since"),
        differences.c.at < bindparam("until"),
        differences.c.gateway == bindparam("gateway"),
        differences.c.owner == bindparam("owner"),
    )
    .order_by(differences.c.at, differences.c.id)
)


class ReconcileRows:
    def __init__(self, session: Session, id_at: Callable[[datetime], int]) -> None:
        self.session = session
        self._id_at = id_at

    def accounts(self) -> Sequence[tuple[str, OrganizationId]]:
        return [(row[0], OrganizationId(row[1])) for row in self.session.run(_ACCOUNTS).fetchall()]

    def moved(self, account: str, since: datetime, until: datetime) -> Sequence[Moved]:
        rows = self.session.run(_MOVED, account=account, least=self._id_at(since), most=self._id_at(until)).fetchall()
        return [Moved(row[0], row[1], from_us(row[2]), Money(int(row[3]), row[4])) for row in rows]

    def suspended(self) -> Mapping[str, tuple[Money, ...]]:
        found: dict[str, tuple[Money, ...]] = {}
        for account, currency, minor in self.session.run(_SUSPENDED, like="suspense:%").fetchall():
            number = account.partition(":")[2]
            found[number] = (*found.get(number, ()), Money(-int(minor), currency))
        return found

    def tried(self, gateway: str, since: datetime, until: datetime) -> Sequence[AttemptId]:
        rows = self.session.run(_TRIED, gateway=gateway, least=self._id_at(since), most=self._id_at(until)).fetchall()
        return [AttemptId(row[0]) for row in rows]

    def reading(self, gateway: str, owner: OrganizationId, day: str) -> Reading | None:
        row = self.session.run(_READING_OF, gateway=gateway, owner=owner, day=day).fetchone()
        return None if row is None else _READING.read(row)

    def add_reading(self, reading: Reading) -> bool:
        return self.session.run(_ADD_READING, **_READING.row(reading)).rowcount == 1

    def save_reading(self, reading: Reading) -> Reading:
        return save_value(self.session, _READING, _SAVE_READING, reading, "id")

    def difference(self, number: DifferenceId) -> Difference | None:
        row = self.session.run(_BY_ID, id=number).fetchone()
        return None if row is None else _DIFFERENCE.read(row)

    def same(self, gateway: str, owner: OrganizationId, about: About, kind: Kind, key: str) -> Difference | None:
        row = self.session.run(_SAME, gateway=gateway, owner=owner, about=about.value, kind=kind.value, key=key).fetchone()
        return None if row is None else _DIFFERENCE.read(row)

    def add(self, difference: Difference) -> None:
        self.session.later(_ADD, _DIFFERENCE.row(difference), {"table": "differences"})

    def save(self, difference: Difference) -> Difference:
        return save_value(self.session, _DIFFERENCE, _SAVE, difference, "id")

    def open_ones(self, limit: int) -> Sequence[Difference]:
        return [_DIFFERENCE.read(row) for row in self.session.run(_OPEN, most=limit).fetchall()]

    def open_in(self, gateway: str, owner: OrganizationId, since: datetime, until: datetime) -> Sequence[Difference]:
        rows = self.session.run(_OPEN_IN, gateway=gateway, owner=owner, since=to_us(since), until=to_us(until)).fetchall()
        return [_DIFFERENCE.read(row) for row in rows]
