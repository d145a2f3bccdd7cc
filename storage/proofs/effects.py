"""Promises 5 and 6: what a provider's event did, and who was told of a fact."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

from sqlalchemy import Table, select

from domain.by_hand import StrayState
from domain.life import AttemptState, InboxState, RefundState
from domain.payment import About, Notice, Outcome
from domain.records import RawEvent
from storage.mapping import to_us
from storage.proofs.reading import CHUNK, Check, Offence, Reading, counted, query
from storage.statements import Sql
from storage.tables import attempts, refunds, strays

_TOLD_WITHIN = timedelta(days=1)
_TRIED_WITHIN = timedelta(hours=2)
"""An unsent message is tried again within an hour at most; one that waits longer is forgotten."""

_APPLIED = f"inbox WHERE state = '{InboxState.APPLIED}' AND kind IN ('stk', 'reversal', 'event', 'events', 'invoice', 'payment')"
_EVENTS = query(f"SELECT id, gateway, kind, raw, headers, source FROM {_APPLIED}")  # noqa: S608 - our own words


def _events(reading: Reading) -> Iterator[Offence]:
    """Each applied event that told of a success has had its effect. Without a gateway at hand none can be read."""
    if reading.understand is None:
        return
    told: list[tuple[int, Notice]] = []
    for row in reading.rows(_EVENTS):
        notice = reading.parse(RawEvent(row[1], row[2], bytes(row[3]), row[5], json.loads(row[4])))
        if notice is not None and notice.outcome is Outcome.SUCCEEDED and (notice.about is About.PAYMENT or notice.refund_id is not None):
            told.append((row[0], notice))
        if len(told) >= CHUNK:
            yield from _without_effect(reading, told)
            told = []
    yield from _without_effect(reading, told)


def _without_effect(reading: Reading, told: Sequence[tuple[int, Notice]]) -> Iterator[Offence]:
    tries = [notice.attempt_id for _, notice in told if notice.attempt_id is not None and notice.refund_id is None]
    backs = [notice.refund_id for _, notice in told if notice.refund_id is not None]
    states = _states(reading, attempts, tries) | _states(reading, refunds, backs) | _states(reading, strays, backs)
    for event, notice in told:
        if notice.refund_id is not None:
            if states.get(notice.refund_id) not in {RefundState.DONE, StrayState.RETURNED}:
                yield Offence(f"event:{event}", {"refund": notice.refund_id, "state": states.get(notice.refund_id)})
        elif notice.attempt_id is not None and states.get(notice.attempt_id) != AttemptState.SUCCEEDED:
            yield Offence(f"event:{event}", {"attempt": notice.attempt_id, "state": states.get(notice.attempt_id)})


def _states(reading: Reading, table: Table, numbers: Sequence[int]) -> dict[int, str]:
    if not numbers:
        return {}
    columns = table.c
    found = Sql(select(columns.id, columns.state).where(columns.id.in_([int(number) for number in numbers])))
    return {row[0]: row[1] for row in reading.rows(found)}


_MUST_BE_TOLD = query(
    r"""WITH told AS (
        SELECT o.id AS order_id, o.organization_id, o.buyer_id, a.subject, a.seq, a.at,
            CASE a.action WHEN 'order_split' THEN 'dispute_decided' ELSE a.action END AS fact
        FROM audit a JOIN orders o ON o.checkout_id = ID_OF(a.subject)
        WHERE a.subject LIKE 'sale\:%' AND a.action IN ('order_paid', 'order_accepted', 'order_shipped', 'order_delivered', 'order_completed',
            'order_refunded', 'order_split', 'dispute_opened', 'dispute_withdrawn', 'dispute_unanswered',
            'chargeback_opened', 'chargeback_won', 'chargeback_lost'))
    SELECT 'order:' || order_id, fact, person_id FROM (
        SELECT t.order_id, t.fact, m.person_id FROM told t
        JOIN members m ON m.organization_id = t.organization_id AND m.created_at <= t.at
        JOIN channels c ON c.person_id = m.person_id AND c.state = 'ACTIVE' AND c.version = 0 AND c.created_at <= t.at
        UNION ALL SELECT t.order_id, t.fact, t.buyer_id FROM told t
        JOIN channels c ON c.person_id = t.buyer_id AND c.state = 'ACTIVE' AND c.version = 0 AND c.created_at <= t.at
        LEFT JOIN (SELECT subject, min(seq) AS seq FROM audit WHERE action = 'followed' GROUP BY subject) f ON f.subject = t.subject
        WHERE t.seq > coalesce(f.seq, 0)
        EXCEPT SELECT order_id, fact, person_id FROM outbox WHERE order_id IS NOT NULL) untold"""
)
"""The facts of the trail, for everybody who could be reached then: members since, and the buyer (a guest who came later, from then on).
One way to each is enough. A channel that was ever blocked is left out, for it may have been blocked at that time."""

_LEFT_LYING = query(
    """SELECT 'message:' || id, fact, state, tries FROM outbox
    WHERE state IN ('WAITING', 'SENDING') AND created_at < :made_before AND act_at < :tried_before"""
)


def _left_lying(reading: Reading) -> Iterator[Offence]:
    made, tried = to_us(reading.now - _TOLD_WITHIN), to_us(reading.now - _TRIED_WITHIN)
    yield from reading.offences(_LEFT_LYING, made_before=made, tried_before=tried)


EFFECTS: Final[tuple[Check, ...]] = (
    Check(5, "events_had_effect", "each applied event that told of a success has had its effect", counted(_APPLIED), _events, reads_events=True),
    Check(
        6, "facts_were_told", "each fact of an order has its messages for everybody who could be reached", counted("orders"),
        lambda reading: reading.offences(_MUST_BE_TOLD),
    ),
    Check(6, "messages_end", "each message is SENT, SKIPPED or DEAD within a day, or was tried just now", counted("outbox"), _left_lying),
)  # fmt: skip
