"""Writes the audit trail's seals."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import bindparam, select, text

from domain.trail import TrailSeal, seal_mark
from storage.mapping import Mapper, to_us
from storage.statements import POSTGRES, Session, Sql, insert_unless_there
from storage.tables import audit, audit_seals

SEAL = Mapper(audit_seals, TrailSeal)
_ADD = insert_unless_there(audit_seals)
_LAST = Sql(select(audit_seals).order_by(audit_seals.c.n.desc()).limit(1))
_OPEN = Sql(
    select(audit.c.id, audit.c.mark)
    .where(audit.c.id > bindparam("after"), audit.c.at < bindparam("before"))
    .order_by(audit.c.id)
    .limit(bindparam("most"))
)
_OLDEST_US = Sql(
    text(
        "SELECT CAST(coalesce(max(extract(epoch FROM clock_timestamp() - xact_start)), 0) * 1000000 AS bigint) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
)
"""A transaction that still runs may bring records dated to its beginning: nothing younger than the oldest one is sealed."""

_MARGIN = timedelta(seconds=1)


def seal_records(session: Session, key: bytes, now: datetime, before: datetime, most: int) -> int:
    """One seal over the records that have none and are older than `before`. Returns how many; 0 also when another worker sealed them."""
    if session.dialect == POSTGRES:
        before = min(before, now - timedelta(microseconds=int(session.run(_OLDEST_US).fetchone()[0])) - _MARGIN)
    row = session.run(_LAST).fetchone()
    last = TrailSeal(0, -1, 0, now, "", "") if row is None else SEAL.read(row)
    # Ids order records by their millisecond, and by chance within it: only whole milliseconds are sealed.
    found = session.run(_OPEN, after=last.upto_id, before=to_us(before) // 1000 * 1000, most=most).fetchall()
    if not found:
        return 0
    bare = TrailSeal(last.n + 1, found[-1][0], len(found), now, last.mark, "")
    seal = replace(bare, mark=seal_mark(key, bare, (mark for _, mark in found)))
    return len(found) if session.run(_ADD, **SEAL.row(seal)).rowcount == 1 else 0
