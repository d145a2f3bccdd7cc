"""Orders and disputes as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Text, bindparam, case, cast, func, literal_column, select

from domain.ids import CheckoutId, OrderId, OrganizationId, PersonId
from domain.order import Dispute, Order
from storage.mapping import Mapper, Repository, to_us
from storage.statements import Sql, select_by
from storage.tables import disputes, orders, postings

_LAST = 2**63 - 1
_BY_NUMBER = select_by(orders, "number")
_OF_CHECKOUT = select_by(orders, "checkout_id")
_OF_BUYER = Sql(select(orders).where(orders.c.buyer_id == bindparam("buyer_id")).order_by(orders.c.id.desc()).limit(bindparam("most")))
_OPEN = ("PAID", "ACCEPTED", "SHIPPED", "DELIVERED", "DISPUTED")
"""In the order of the partial index ix_orders_work: SQLite uses it only for the very same list."""
_PRESSING = ("DISPUTED", "PAID", "ACCEPTED", "SHIPPED", "DELIVERED")
_WORK = Sql(
    select(orders)
    .where(orders.c.organization_id == bindparam("organization_id"), orders.c.state.in_(_OPEN))
    .order_by(case({state: place for place, state in enumerate(_PRESSING)}, value=orders.c.state), orders.c.id)
    .limit(bindparam("most"))
)
_OF_ORGANIZATION = Sql(
    select(orders)
    .where(orders.c.organization_id == bindparam("organization_id"), orders.c.id < bindparam("after"))
    .order_by(orders.c.id.desc())
    .limit(bindparam("most"))
)
_DUE = Sql(
    select(orders.c.id)
    .where(orders.c.due_at.is_not(None), orders.c.due_at < bindparam("now"))
    .order_by(orders.c.due_at)
    .limit(bindparam("most"))
)
_COMPLETED = Sql(
    select(func.count()).select_from(
        select(orders.c.id)
        .where(orders.c.organization_id == bindparam("organization_id"), orders.c.state == "COMPLETED")
        .limit(bindparam("most"))
        .subquery()
    )
)
_HELD = Sql(
    select(postings.c.currency, -func.sum(postings.c.amount_minor))
    .join_from(orders, postings, postings.c.account == literal_column("'escrow:'").concat(cast(orders.c.id, Text)))
    .where(
        orders.c.organization_id == bindparam("organization_id"),
        orders.c.state.in_(_OPEN),
        orders.c.escrow.in_(("HELD", "DISPUTED")),
    )
    .group_by(postings.c.currency)
)
_DISPUTE_OF = Sql(select(disputes).where(disputes.c.order_id == bindparam("order_id")).order_by(disputes.c.id.desc()).limit(1))


class OrderRows(Repository[Order]):
    mapper = Mapper(orders, Order)

    def by_number(self, number: str) -> Order | None:
        return self.one(_BY_NUMBER, number=number)

    def of_checkout(self, checkout_id: CheckoutId) -> Order | None:
        return self.one(_OF_CHECKOUT, checkout_id=checkout_id)

    def of_buyer(self, person_id: PersonId, limit: int) -> Sequence[Order]:
        return self.all(_OF_BUYER, buyer_id=person_id, most=limit)

    def to_work_on(self, organization_id: OrganizationId, limit: int) -> Sequence[Order]:
        return self.all(_WORK, organization_id=organization_id, most=limit)

    def of_organization(self, organization_id: OrganizationId, after: OrderId | None, limit: int) -> Sequence[Order]:
        return self.all(_OF_ORGANIZATION, organization_id=organization_id, after=after if after is not None else _LAST, most=limit)

    def due(self, now: datetime, limit: int) -> Sequence[OrderId]:
        return [OrderId(row[0]) for row in self.session.run(_DUE, now=to_us(now), most=limit).fetchall()]

    def completed(self, organization_id: OrganizationId, most: int) -> int:
        return int(self.session.run(_COMPLETED, organization_id=organization_id, most=most).fetchone()[0])

    def held_minor(self, organization_id: OrganizationId) -> dict[str, int]:
        return {row[0]: int(row[1]) for row in self.session.run(_HELD, organization_id=organization_id).fetchall()}


class DisputeRows(Repository[Dispute]):
    mapper = Mapper(disputes, Dispute)

    def of_order(self, order_id: OrderId) -> Dispute | None:
        return self.one(_DISPUTE_OF, order_id=order_id)
