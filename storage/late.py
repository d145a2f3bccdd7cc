"""Late money that waits for a seller's decision, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select

from domain.ids import AttemptId, CheckoutId, OrganizationId
from domain.late import Late, LateId
from storage.mapping import Mapper, Repository, to_us
from storage.statements import Sql, select_by
from storage.tables import late_money

_WAITS = late_money.c.state == "WAITING"
_WAITING = select(late_money).where(_WAITS).order_by(late_money.c.decide_by, late_money.c.id).limit(bindparam("most"))
_OF_ALL = Sql(_WAITING)
_OF_ONE = Sql(_WAITING.where(late_money.c.organization_id == bindparam("organization_id")))
_OF_CHECKOUT = Sql(select(late_money).where(_WAITS, late_money.c.checkout_id == bindparam("checkout_id")))
_DUE = Sql(
    select(late_money.c.id)
    .where(_WAITS, late_money.c.decide_by < bindparam("now"))
    .order_by(late_money.c.decide_by)
    .limit(bindparam("most"))
)


class LateRows(Repository[Late]):
    mapper = Mapper(late_money, Late)
    BY_NUMBER = select_by(late_money, "number")
    OF_ATTEMPT = select_by(late_money, "attempt_id")

    def by_number(self, number: str) -> Late | None:
        return self.one(self.BY_NUMBER, number=number)

    def of_attempt(self, attempt_id: AttemptId) -> Late | None:
        return self.one(self.OF_ATTEMPT, attempt_id=attempt_id)

    def waiting_for(self, checkout_id: CheckoutId) -> Late | None:
        return self.one(_OF_CHECKOUT, checkout_id=checkout_id)

    def waiting(self, organization_id: OrganizationId | None, limit: int) -> Sequence[Late]:
        if organization_id is None:
            return self.all(_OF_ALL, most=limit)
        return self.all(_OF_ONE, organization_id=organization_id, most=limit)

    def due(self, now: datetime, limit: int) -> Sequence[LateId]:
        return [LateId(row[0]) for row in self.session.run(_DUE, now=to_us(now), most=limit).fetchall()]
