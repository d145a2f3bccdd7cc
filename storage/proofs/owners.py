"""Promise 9: what belongs together belongs to the same organization and the same buyer, and nothing hangs in the air."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from sqlalchemy import ForeignKey, Table, func, literal_column, select

from storage.proofs.reading import CHUNK, Check, Offence, Reading, check, counted, query
from storage.statements import Sql
from storage.tables import disputes, files, metadata

_DISPUTED = query(
    """SELECT d.id, d.pictures, o.id AS order_id, o.buyer_id FROM disputes d JOIN orders o ON o.id = d.order_id WHERE d.pictures <> '[]'"""
)


def _evidence(reading: Reading) -> Iterator[Offence]:
    """A picture of a dispute came from the buyer of its order, or with that order's own token."""
    chunk: list[Sequence[Any]] = []
    for row in reading.rows(_DISPUTED):
        chunk.append(row)
        if len(chunk) >= CHUNK // 10:
            yield from _foreign(reading, chunk)
            chunk = []
    yield from _foreign(reading, chunk)


def _foreign(reading: Reading, chunk: Sequence[Sequence[Any]]) -> Iterator[Offence]:
    shown = {row[0]: json.loads(row[1]) for row in chunk}
    numbers = sorted({int(number) for pictures in shown.values() for number in pictures})
    if not numbers:
        return
    rows = reading.rows(Sql(select(files.c.id, files.c.person_id, files.c.name).where(files.c.id.in_(numbers))))
    known = {row[0]: (row[1], row[2]) for row in rows}
    for dispute_id, _, order_id, buyer_id in chunk:
        for number in shown[dispute_id]:
            person_id, name = known.get(number, (None, None))
            if name is None:
                yield Offence(f"dispute:{dispute_id}", {"file": number, "is": "missing"})
            elif name != f"evidence:{order_id}" and (person_id is None or person_id != buyer_id):
                yield Offence(
                    f"dispute:{dispute_id}", {"file": number, "belongs_to": person_id if person_id is not None else name, "buyer": buyer_id}
                )


def _hanging(key: ForeignKey) -> Callable[[Reading], Iterator[Offence]]:
    child, parent = key.parent.table, key.column.table.alias("parent")
    target = parent.c[key.column.name]
    label = list(child.primary_key.columns)
    broken = Sql(
        select(*label, key.parent.label("refers_to"))
        .select_from(child.outerjoin(parent, target == key.parent))
        .where(key.parent.is_not(None), target.is_(None))
    )

    def find(reading: Reading) -> Iterator[Offence]:
        for row in reading.rows(broken):
            yield Offence(f"{child.name}:{'.'.join(map(str, row[:-1]))}", {key.parent.name: row[-1]})

    return find


def _all_hanging(reading: Reading) -> Iterator[Offence]:
    for table in metadata.sorted_tables:
        for key in sorted(table.foreign_keys, key=lambda one: one.parent.name):
            yield from _hanging(key)(reading)


def _rows_with_references(tables: Sequence[Table]) -> Sql:
    counts = [select(func.count()).select_from(table).scalar_subquery() for table in tables if table.foreign_keys]
    total = counts[0]
    for one in counts[1:]:
        total = total + one  # type: ignore[assignment]
    return Sql(select(total, literal_column("1")))


OWNERS: Final[tuple[Check, ...]] = (
    check(
        9, "orders_stay_home", "order, link, checkout and attempt are of one organization, and of one another", "orders",
        """SELECT 'order:' || o.id, o.organization_id AS organization, l.organization_id AS of_link, c.organization_id AS of_checkout,
            a.organization_id AS of_attempt FROM orders o
        JOIN links l ON l.id = o.link_id JOIN checkouts c ON c.id = o.checkout_id JOIN attempts a ON a.id = o.attempt_id
        JOIN checkouts k ON k.id = a.checkout_id
        WHERE l.organization_id <> o.organization_id OR c.organization_id <> o.organization_id OR a.organization_id <> o.organization_id
            OR c.link_id <> o.link_id OR coalesce(k.group_id, k.id) <> o.checkout_id OR coalesce(c.buyer_id, o.buyer_id, 0) <> coalesce(o.buyer_id, 0)""",
    ),
    check(
        9, "attempts_stay_home", "attempt, payment, checkout and link are of one organization, and of one another", "attempts",
        """SELECT 'attempt:' || a.id, a.organization_id AS organization, p.organization_id AS of_payment, c.organization_id AS of_checkout,
            l.organization_id AS of_link FROM attempts a
        JOIN payments p ON p.id = a.payment_id JOIN checkouts c ON c.id = a.checkout_id JOIN links l ON l.id = c.link_id
        WHERE p.organization_id <> a.organization_id OR c.organization_id <> a.organization_id OR l.organization_id <> a.organization_id
            OR p.checkout_id <> a.checkout_id OR p.gateway <> a.gateway""",
    ),
    check(
        9, "refunds_stay_home", "a refund is of its attempt's organization and gateway, and of the order that rests on it", "refunds",
        """SELECT 'refund:' || r.id, r.organization_id AS organization, a.organization_id AS of_attempt, o.organization_id AS of_order FROM refunds r
        JOIN attempts a ON a.id = r.attempt_id JOIN checkouts k ON k.id = a.checkout_id LEFT JOIN orders o ON o.id = r.order_id
        WHERE a.organization_id <> r.organization_id OR a.gateway <> r.gateway OR a.direct <> r.direct
            OR (r.order_id IS NOT NULL AND (o.id IS NULL OR (o.attempt_id <> r.attempt_id AND coalesce(k.group_id, 0) <> o.checkout_id)))""",
    ),
    check(
        9, "disputes_stay_home", "a dispute is of its order's organization", "disputes",
        """SELECT 'dispute:' || d.id, d.organization_id AS organization, o.organization_id AS of_order FROM disputes d
        JOIN orders o ON o.id = d.order_id WHERE o.organization_id <> d.organization_id""",
    ),
    check(
        9, "chargebacks_stay_home", "a case at a bank is of its attempt's organization and gateway, and of the order that rests on it", "chargebacks",
        """SELECT 'chargeback:' || c.id, c.organization_id AS organization, a.organization_id AS of_attempt FROM chargebacks c
        JOIN attempts a ON a.id = c.attempt_id JOIN checkouts k ON k.id = a.checkout_id JOIN orders o ON o.id = c.order_id
        WHERE a.organization_id <> c.organization_id OR a.gateway <> c.gateway OR a.direct <> c.direct
            OR (o.attempt_id <> c.attempt_id AND coalesce(k.group_id, 0) <> o.checkout_id)""",
    ),
    check(
        9, "entries_stay_home", "an entry is of the organization of the attempt, order, refund or chargeback that caused it", "entries",
        """SELECT 'entry:' || e.id, e.kind, e.cause, e.organization_id AS organization, coalesce(a.organization_id, o.organization_id,
            r.organization_id, b.organization_id) AS of_cause FROM entries e
        LEFT JOIN attempts a ON KIND_OF(e.cause) = 'attempt' AND a.id = ID_OF(e.cause)
        LEFT JOIN orders o ON KIND_OF(e.cause) = 'order' AND o.id = ID_OF(e.cause)
        LEFT JOIN refunds r ON KIND_OF(e.cause) = 'refund' AND r.id = ID_OF(e.cause)
        LEFT JOIN chargebacks b ON KIND_OF(e.cause) = 'chargeback' AND b.id = ID_OF(e.cause)
        WHERE coalesce(a.organization_id, o.organization_id, r.organization_id, b.organization_id) <> coalesce(e.organization_id, -1)""",
    ),
    check(
        9, "messages_stay_home", "a message about an order goes to its buyer or to somebody who acts for its seller", "outbox WHERE order_id IS NOT NULL",
        """SELECT 'message:' || x.id, x.fact, x.person_id AS person, x.order_id FROM outbox x JOIN orders o ON o.id = x.order_id
        LEFT JOIN members m ON m.organization_id = o.organization_id AND m.person_id = x.person_id
        WHERE m.person_id IS NULL AND x.person_id <> coalesce(o.buyer_id, 0) AND NOT EXISTS (SELECT 1 FROM audit a
            WHERE a.subject = 'organization:' || o.organization_id AND a.action = 'member_removed'
            AND a.data LIKE '%"person":' || x.person_id || ',%')""",
    ),
    Check(9, "evidence_is_the_buyers", "each picture of a dispute came from the buyer of its order", counted(disputes.name), _evidence),
    Check(9, "references_hold", "each reference leads to a row", _rows_with_references(metadata.sorted_tables), _all_hanging),
)  # fmt: skip
