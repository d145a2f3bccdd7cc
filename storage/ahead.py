"""What applying payment events will ask for, fetched by one statement instead of ten for each. The questions themselves stay where they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from sqlalchemy import ARRAY, BigInteger, FromClause, String, Text, bindparam, cast, column, func, literal_column, select
from sqlalchemy.sql import ClauseElement

from domain.ids import AttemptId
from domain.ports import ExpectedEvent
from storage.link import LinkRows
from storage.spelling import array
from storage.statements import SQLITE, Foreseen, Session, Sql, select_by
from storage.tables import attempts, audit, channels, checkouts, inbox, links, members, payments, persons, webhook_endpoints

EVENT_BY_KEY = select_by(inbox, "gateway", "event_key")
ATTEMPT = select_by(attempts, "id")
ATTEMPT_BY_REF = select_by(attempts, "gateway", "ref")
ATTEMPT_BY_RECEIPT = select_by(attempts, "gateway", "receipt")
CHECKOUT = select_by(checkouts, "id")
PAYMENT = select_by(payments, "id")
HEAD = Sql(select(audit.c.seq, audit.c.mark).where(audit.c.subject == bindparam("subject")).order_by(audit.c.seq.desc()).limit(1))
_way = (channels.c.person_id, channels.c.kind, persons.c.phone, persons.c.wants)
REACH = Sql(
    select(*_way)
    .join(persons, persons.c.id == channels.c.person_id)
    .where(channels.c.person_id == bindparam("person_id"), channels.c.state == "ACTIVE")
)
REACH_MEMBERS = Sql(
    select(*_way)
    .join(members, members.c.person_id == channels.c.person_id)
    .join(persons, persons.c.id == channels.c.person_id)
    .where(members.c.organization_id == bindparam("organization_id"), channels.c.state == "ACTIVE")
    .order_by(channels.c.person_id)
)
LISTENING = Sql(
    select(webhook_endpoints)
    .where(webhook_endpoints.c.organization_id == bindparam("organization_id"), webhook_endpoints.c.state == "ENABLED")
    .order_by(webhook_endpoints.c.id)
)
_WHOLE = (attempts, checkouts, payments, links)
_by_ref, _by_receipt, _theirs, _they = (
    attempts.alias("by_ref"),
    attempts.alias("by_receipt"),
    channels.alias("theirs"),
    persons.alias("they"),
)
_subject: Any = literal_column("'sale:'") + cast(checkouts.c.id, String)
_head = audit.alias("head")


def _reached(table: FromClause, people: FromClause) -> Any:
    """`person kind phone wants` of each channel, in a line each: none of them holds a line break."""
    space: Any = literal_column("' '")
    phone = func.coalesce(people.c.phone, literal_column("''"))
    line = cast(table.c.person_id, String) + space + table.c.kind + space + phone + space + people.c.wants
    return func.aggregate_strings(line, literal_column("'\n'"))  # type: ignore[arg-type]


_ASKED = ("gateway", "event_key", "ref", "receipt", "attempt_id")


def _asks(dialect: str) -> FromClause:
    """What is expected, a row for each event: PostgreSQL takes an array for each column, SQLite one JSON text."""
    if dialect == SQLITE:
        each = func.json_each(bindparam("asked")).table_valued("value", name="each")
        told = [func.json_extract(each.c.value, literal_column(f"'$[{place}]'")).label(name) for place, name in enumerate(_ASKED)]
        return select(*told).select_from(each).subquery("asks")
    kinds = {name: BigInteger if name == "attempt_id" else Text for name in _ASKED}
    listed = [cast(bindparam(name), ARRAY(kind)) for name, kind in kinds.items()]
    return func.unnest(*listed).table_valued(*(column(name, kind) for name, kind in kinds.items()), name="asks").render_derived()


def _ahead(dialect: str) -> ClauseElement:
    asks = _asks(dialect)
    found = (
        select(inbox.c.id).where(inbox.c.gateway == asks.c.gateway, inbox.c.event_key == asks.c.event_key),
        select(_by_ref.c.id).where(_by_ref.c.gateway == asks.c.gateway, _by_ref.c.ref == asks.c.ref),
        select(_by_receipt.c.id).where(_by_receipt.c.gateway == asks.c.gateway, _by_receipt.c.receipt == asks.c.receipt),
        select(cast(_head.c.seq, String) + literal_column("' '") + _head.c.mark)
        .where(_head.c.subject == _subject)
        .order_by(_head.c.seq.desc())
        .limit(literal_column("1")),
        select(_reached(channels, persons))
        .select_from(
            channels.join(members, members.c.person_id == channels.c.person_id).join(persons, persons.c.id == channels.c.person_id)
        )
        .where(members.c.organization_id == checkouts.c.organization_id, channels.c.state == "ACTIVE"),
        select(_reached(_theirs, _they))
        .select_from(_theirs.join(_they, _they.c.id == _theirs.c.person_id))
        .where(_theirs.c.person_id == checkouts.c.buyer_id, _theirs.c.state == "ACTIVE"),
        select(func.min(webhook_endpoints.c.id)).where(
            webhook_endpoints.c.organization_id == checkouts.c.organization_id, webhook_endpoints.c.state == "ENABLED"
        ),
    )
    return (
        select(*(one.scalar_subquery() for one in found), *(column for table in _WHOLE for column in table.columns))
        .select_from(asks)
        .join(attempts, attempts.c.id == asks.c.attempt_id)
        .join(checkouts, checkouts.c.id == attempts.c.checkout_id)
        .join(payments, payments.c.id == attempts.c.payment_id)
        .join(links, links.c.id == checkouts.c.link_id)
    )


_AHEAD = Sql(_ahead)
_ID_OF_CHECKOUT = list(checkouts.columns).index(checkouts.c.id)
_BUYER_OF_CHECKOUT, _SHOP_OF_CHECKOUT = (
    list(checkouts.columns).index(column) for column in (checkouts.c.buyer_id, checkouts.c.organization_id)
)


def fetch_ahead(session: Session, events: Mapping[AttemptId, ExpectedEvent]) -> dict[AttemptId, Foreseen]:
    """Ask once for all events, by what they are about; what is found, and what is found to be missing, answers the questions that come."""
    if not events:
        return {}
    rows = [[getattr(event, name) for name in _ASKED] for event in events.values()]
    if session.dialect == SQLITE:
        found = session.run(_AHEAD, asked=json.dumps(rows))
    else:
        found = session.run(_AHEAD, **{name: array(values) for name, values in zip(_ASKED, zip(*rows, strict=True), strict=True)})
    return {row[_HEADS]: _foreseen(events[row[_HEADS]], row) for row in found.fetchall()}


_HEADS = 7
"""What stands in a row before the rows of `_WHOLE`, whose first column is the attempt's id."""


def _foreseen(event: ExpectedEvent, row: Any) -> Foreseen:
    known, by_ref, by_receipt, head, reached_members, reached, listening = row[:_HEADS]
    rows, at = [], _HEADS
    for table in _WHOLE:
        rows.append(row[at : at + len(table.columns)])
        at += len(table.columns)
    attempt, checkout, payment, link = rows
    seq, _, mark = (head or "").partition(" ")
    number, shop, buyer = checkout[_ID_OF_CHECKOUT], checkout[_SHOP_OF_CHECKOUT], checkout[_BUYER_OF_CHECKOUT]
    found: Foreseen = {
        (ATTEMPT, (event.attempt_id,)): [attempt],
        (CHECKOUT, (number,)): [checkout],
        (PAYMENT, (payment[0],)): [payment],
        (LinkRows.GET, (link[0],)): [link],
        (HEAD, (f"sale:{number}",)): [(int(seq), mark)] if head else [],
        (REACH_MEMBERS, (shop,)): sorted(_reach(reached_members), key=itemgetter(0)),
    }
    if known is None:
        found[EVENT_BY_KEY, (event.gateway, event.event_key)] = []
    if event.ref is not None and by_ref in {None, event.attempt_id}:
        found[ATTEMPT_BY_REF, (event.gateway, event.ref)] = [] if by_ref is None else [attempt]
    if event.receipt is not None and by_receipt in {None, event.attempt_id}:
        found[ATTEMPT_BY_RECEIPT, (event.gateway, event.receipt)] = [] if by_receipt is None else [attempt]
    if buyer is not None:
        found[REACH, (buyer,)] = _reach(reached)
    if listening is None:
        found[LISTENING, (shop,)] = []
    return found


def _reach(joined: str | None) -> list[tuple[int, str, str | None, str]]:
    found = []
    for one in filter(None, (joined or "").split("\n")):
        person_id, kind, phone, wants = one.split(" ", 3)
        found.append((int(person_id), kind, phone or None, wants))
    return found
