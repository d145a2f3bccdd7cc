"""Chargebacks as rows."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import bindparam, select

from domain.chargeback import Chargeback
from domain.ids import AttemptId
from storage.mapping import Mapper, Repository
from storage.statements import Sql, select_by
from storage.tables import chargebacks

_OF_ATTEMPT = Sql(select(chargebacks).where(chargebacks.c.attempt_id == bindparam("attempt_id")).order_by(chargebacks.c.id))


class ChargebackRows(Repository[Chargeback]):
    mapper = Mapper(chargebacks, Chargeback)
    BY_REF = select_by(chargebacks, "gateway", "ref")

    def by_ref(self, gateway: str, ref: str) -> Chargeback | None:
        return self.one(self.BY_REF, gateway=gateway, ref=ref)

    def of_attempt(self, attempt_id: AttemptId) -> Sequence[Chargeback]:
        return self.all(_OF_ATTEMPT, attempt_id=attempt_id)
