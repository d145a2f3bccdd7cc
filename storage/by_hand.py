"""Lookups, stray money, and the questions about checkouts that payments by hand ask, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, or_, select

from domain.by_hand import Lookup, LookupId, Stray, StrayId
from domain.ids import CheckoutId, LinkId, PersonId
from domain.payment import Attempt, Checkout
from storage.mapping import Mapper, save_value, to_us
from storage.statements import Session, Sql, insert_into, save_version, select_by
from storage.tables import attempts, checkouts, lookups, strays

_LOOKUP_ROW, _STRAY_ROW = Mapper(lookups, Lookup), Mapper(strays, Stray)
_CHECKOUT_ROW, _ATTEMPT_ROW = Mapper(checkouts, Checkout), Mapper(attempts, Attempt)
_LOOKUP, _BY_CAUSE = select_by(lookups, "id"), select_by(lookups, "cause")
_CLAIMS = Sql(select(lookups).where(lookups.c.checkout_id == bindparam("checkout_id")).order_by(lookups.c.id.desc()))
_ADD_LOOKUP, _SAVE_LOOKUP = insert_into(lookups), save_version(lookups, "id")
_DUE = Sql(
    select(lookups.c.id)
    .where(lookups.c.state.in_(("ASKED", "SENDING", "PENDING")), lookups.c.act_at <= bindparam("now"))
    .order_by(lookups.c.act_at)
    .limit(bindparam("most"))
)
_STRAY, _STRAY_BY_ID = select_by(strays, "gateway", "receipt"), select_by(strays, "id")
_ADD_STRAY, _SAVE_STRAY = insert_into(strays), save_version(strays, "id")
_WAITING = Sql(select(strays).where(strays.c.state.in_(("WAITING", "RETURNING"))).order_by(strays.c.id).limit(bindparam("most")))
_NUMBERED = select_by(checkouts, "number")
_OF_LINK = Sql(
    select(checkouts)
    .where(checkouts.c.link_id == bindparam("link_id"), checkouts.c.state != "PAID", checkouts.c.created_at >= bindparam("since"))
    .order_by(checkouts.c.id.desc())
    .limit(bindparam("most"))
)
_PAID_ALONE = or_(checkouts.c.shares == 0, checkouts.c.group_id.is_not(None))
"""A group is paid by its shares."""
_OF_BUYER = Sql(
    select(checkouts).where(checkouts.c.buyer_id == bindparam("buyer_id"), _PAID_ALONE).order_by(checkouts.c.id.desc()).limit(1)
)
_PROMPTS = Sql(
    select(attempts)
    .join(checkouts, checkouts.c.id == attempts.c.checkout_id)
    .where(
        checkouts.c.link_id == bindparam("link_id"),
        attempts.c.gateway == bindparam("gateway"),
        attempts.c.receipt.is_(None),
        attempts.c.state.in_(("SENDING", "PENDING", "SUCCEEDED")),
    )
    .order_by(attempts.c.id.desc())
    .limit(bindparam("most"))
)


class HandRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def lookup(self, lookup_id: LookupId) -> Lookup | None:
        row = self.session.run(_LOOKUP, id=lookup_id).fetchone()
        return None if row is None else _LOOKUP_ROW.read(row)

    def lookup_by_cause(self, cause: str) -> Lookup | None:
        row = self.session.run(_BY_CAUSE, cause=cause).fetchone()
        return None if row is None else _LOOKUP_ROW.read(row)

    def claims_of(self, checkout_id: CheckoutId) -> Sequence[Lookup]:
        return [_LOOKUP_ROW.read(row) for row in self.session.run(_CLAIMS, checkout_id=checkout_id).fetchall()]

    def add_lookup(self, lookup: Lookup) -> None:
        self.session.later(_ADD_LOOKUP, _LOOKUP_ROW.row(lookup))

    def save_lookup(self, lookup: Lookup) -> Lookup:
        return save_value(self.session, _LOOKUP_ROW, _SAVE_LOOKUP, lookup, "id")

    def lookups_due(self, now: datetime, limit: int) -> Sequence[LookupId]:
        return [LookupId(row[0]) for row in self.session.run(_DUE, now=to_us(now), most=limit).fetchall()]

    def stray(self, gateway: str, receipt: str) -> Stray | None:
        row = self.session.run(_STRAY, gateway=gateway, receipt=receipt).fetchone()
        return None if row is None else _STRAY_ROW.read(row)

    def stray_by_id(self, stray_id: StrayId) -> Stray | None:
        row = self.session.run(_STRAY_BY_ID, id=stray_id).fetchone()
        return None if row is None else _STRAY_ROW.read(row)

    def add_stray(self, stray: Stray) -> None:
        self.session.later(_ADD_STRAY, _STRAY_ROW.row(stray))

    def save_stray(self, stray: Stray) -> Stray:
        return save_value(self.session, _STRAY_ROW, _SAVE_STRAY, stray, "id")

    def strays_waiting(self, limit: int) -> Sequence[Stray]:
        return [_STRAY_ROW.read(row) for row in self.session.run(_WAITING, most=limit).fetchall()]

    def checkout_numbered(self, number: str) -> Checkout | None:
        row = self.session.run(_NUMBERED, number=number).fetchone()
        return None if row is None else _CHECKOUT_ROW.read(row)

    def checkouts_of_link(self, link_id: LinkId, since: datetime, limit: int) -> Sequence[Checkout]:
        rows = self.session.run(_OF_LINK, link_id=link_id, since=to_us(since), most=limit).fetchall()
        return [_CHECKOUT_ROW.read(row) for row in rows]

    def latest_of_buyer(self, buyer_id: PersonId) -> Checkout | None:
        row = self.session.run(_OF_BUYER, buyer_id=buyer_id).fetchone()
        return None if row is None else _CHECKOUT_ROW.read(row)

    def prompts_of_link(self, link_id: LinkId, gateway: str, limit: int) -> Sequence[Attempt]:
        rows = self.session.run(_PROMPTS, link_id=link_id, gateway=gateway, most=limit).fetchall()
        return [_ATTEMPT_ROW.read(row) for row in rows]
