"""What applying a payment event will ask for, fetched by one statement instead of ten. The questions themselves stay where they are."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

from sqlalchemy import FromClause, String, bindparam, cast, func, literal_column, select

from domain.ids import AttemptId
from storage.link import LinkRows
from storage.statements import Session, Sql, select_by
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


_AHEAD = Sql(
    select(
        select(inbox.c.id).where(inbox.c.gateway == bindparam("gateway"), inbox.c.event_key == bindparam("event_key")).scalar_subquery(),
        select(_by_ref.c.id).where(_by_ref.c.gateway == bindparam("gateway"), _by_ref.c.ref == bindparam("ref")).scalar_subquery(),
        select(_by_receipt.c.id)
        .where(_by_receipt.c.gateway == bindparam("gateway"), _by_receipt.c.receipt == bindparam("receipt"))
        .scalar_subquery(),
        select(cast(_head.c.seq, String) + literal_column("' '") + _head.c.mark)
        .where(_head.c.subject == _subject)
        .order_by(_head.c.seq.desc())
        .limit(literal_column("1"))
        .scalar_subquery(),
        select(_reached(channels, persons))
        .select_from(
            channels.join(members, members.c.person_id == channels.c.person_id).join(persons, persons.c.id == channels.c.person_id)
        )
        .where(members.c.organization_id == checkouts.c.organization_id, channels.c.state == "ACTIVE")
        .scalar_subquery(),
        select(_reached(_theirs, _they))
        .select_from(_theirs.join(_they, _they.c.id == _theirs.c.person_id))
        .where(_theirs.c.person_id == checkouts.c.buyer_id, _theirs.c.state == "ACTIVE")
        .scalar_subquery(),
        select(func.min(webhook_endpoints.c.id))
        .where(webhook_endpoints.c.organization_id == checkouts.c.organization_id, webhook_endpoints.c.state == "ENABLED")
        .scalar_subquery(),
        *(column for table in _WHOLE for column in table.columns),
    )
    .select_from(attempts)
    .join(checkouts, checkouts.c.id == attempts.c.checkout_id)
    .join(payments, payments.c.id == attempts.c.payment_id)
    .join(links, links.c.id == checkouts.c.link_id)
    .where(attempts.c.id == bindparam("attempt_id"))
)
_ID_OF_CHECKOUT = list(checkouts.columns).index(checkouts.c.id)
_BUYER_OF_CHECKOUT, _SHOP_OF_CHECKOUT = (
    list(checkouts.columns).index(column) for column in (checkouts.c.buyer_id, checkouts.c.organization_id)
)


def fetch_ahead(session: Session, gateway: str, event_key: str, attempt_id: AttemptId, ref: str | None, receipt: str | None) -> None:
    """Ask once; what is found, and what is found to be missing, answers the questions that come."""
    row = session.run(_AHEAD, gateway=gateway, event_key=event_key, attempt_id=attempt_id, ref=ref, receipt=receipt).fetchone()
    if row is None:
        return
    event, by_ref, by_receipt, head, reached_members, reached, listening = row[:7]
    rows, at = [], 7
    for table in _WHOLE:
        rows.append(row[at : at + len(table.columns)])
        at += len(table.columns)
    attempt, checkout, payment, link = rows
    foresee = session.foresee
    foresee(ATTEMPT, [attempt], id=attempt_id)
    foresee(CHECKOUT, [checkout], id=checkout[_ID_OF_CHECKOUT])
    foresee(PAYMENT, [payment], id=payment[0])
    foresee(LinkRows.GET, [link], id=link[0])
    if event is None:
        foresee(EVENT_BY_KEY, [], gateway=gateway, event_key=event_key)
    if ref is not None and by_ref in {None, attempt_id}:
        foresee(ATTEMPT_BY_REF, [] if by_ref is None else [attempt], gateway=gateway, ref=ref)
    if receipt is not None and by_receipt in {None, attempt_id}:
        foresee(ATTEMPT_BY_RECEIPT, [] if by_receipt is None else [attempt], gateway=gateway, receipt=receipt)
    seq, _, mark = (head or "").partition(" ")
    foresee(HEAD, [(int(seq), mark)] if head else [], subject=f"sale:{checkout[_ID_OF_CHECKOUT]}")
    foresee(REACH_MEMBERS, sorted(_reach(reached_members), key=itemgetter(0)), organization_id=checkout[_SHOP_OF_CHECKOUT])
    if checkout[_BUYER_OF_CHECKOUT] is not None:
        foresee(REACH, _reach(reached), person_id=checkout[_BUYER_OF_CHECKOUT])
    if listening is None:
        foresee(LISTENING, [], organization_id=checkout[_SHOP_OF_CHECKOUT])


def _reach(joined: str | None) -> list[tuple[int, str, str | None, str]]:
    found = []
    for one in filter(None, (joined or "").split("\n")):
        person_id, kind, phone, wants = one.split(" ", 3)
        found.append((int(person_id), kind, phone or None, wants))
    return found
