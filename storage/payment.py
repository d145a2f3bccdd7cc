"""Checkouts, payments, attempts and refunds as rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, select, update

from domain.ids import AttemptId, CheckoutId, RefundId
from domain.payment import Attempt, Checkout, Payment, Refund
from storage.ahead import ATTEMPT, ATTEMPT_BY_RECEIPT, ATTEMPT_BY_REF, CHECKOUT, PAYMENT
from storage.mapping import Mapper, Repository, save_value, to_us
from storage.statements import Sql, insert_into, insert_unless_there, save_version, select_by
from storage.tables import attempts, checkouts, payments, refunds

_DUE = Sql(
    select(checkouts.c.id)
    .where(checkouts.c.state.in_(("OPEN", "PAYING")), checkouts.c.expires_at <= bindparam("now"))
    .order_by(checkouts.c.expires_at)
    .limit(bindparam("most"))
)
_BY_KEY = select_by(checkouts, "key")
_SHARES_OF = Sql(select(checkouts).where(checkouts.c.group_id == bindparam("group_id")).order_by(checkouts.c.created_at, checkouts.c.id))
_OF_CHECKOUT = Sql(select(payments).where(payments.c.checkout_id == bindparam("checkout_id")).order_by(payments.c.id))
_LIVE = Sql(select(attempts).where(attempts.c.checkout_id == bindparam("checkout_id"), attempts.c.live))
_ATTEMPTS = Sql(select(attempts).where(attempts.c.checkout_id == bindparam("checkout_id")).order_by(attempts.c.id))
_ADD_ATTEMPT = insert_into(attempts)
_SAVE_ATTEMPT = save_version(attempts, "id")
_REST_ATTEMPT = Sql(
    update(attempts).where(attempts.c.id == bindparam("id_")).values(ask_at=bindparam("until"), version=attempts.c.version + 1)
)
_TO_ASK = Sql(
    select(attempts.c.id)
    .where(attempts.c.ask_at.is_not(None), attempts.c.ask_at <= bindparam("now"))
    .order_by(attempts.c.ask_at)
    .limit(bindparam("most"))
)
_TO_SEND = Sql(
    select(attempts.c.id)
    .where(attempts.c.state.in_(("CREATED", "SENDING")), attempts.c.created_at <= bindparam("before"))
    .order_by(attempts.c.created_at)
    .limit(bindparam("most"))
)
_ADD_REFUND = insert_unless_there(refunds)
_REFUND = select_by(refunds, "id")
_REFUNDS_OF = Sql(select(refunds).where(refunds.c.attempt_id == bindparam("attempt_id")).order_by(refunds.c.id))
_SAVE_REFUND = save_version(refunds, "id")
_REFUNDS_DUE = Sql(
    select(refunds.c.id)
    .where(refunds.c.state.in_(("ASKED", "SENDING", "PENDING")), refunds.c.act_at <= bindparam("now"))
    .order_by(refunds.c.act_at)
    .limit(bindparam("most"))
)
_ATTEMPT_ROW = Mapper(attempts, Attempt)
_REFUND_ROW = Mapper(refunds, Refund)


class CheckoutRows(Repository[Checkout]):
    mapper = Mapper(checkouts, Checkout)
    GET = CHECKOUT

    def by_key(self, key: str) -> Checkout | None:
        return self.one(_BY_KEY, key=key)

    def due(self, now: datetime, limit: int) -> Sequence[CheckoutId]:
        return [CheckoutId(row[0]) for row in self.session.run(_DUE, now=to_us(now), most=limit).fetchall()]

    def shares_of(self, checkout_id: CheckoutId) -> Sequence[Checkout]:
        return self.all(_SHARES_OF, group_id=checkout_id)


class PaymentRows(Repository[Payment]):
    mapper = Mapper(payments, Payment)
    GET = PAYMENT

    def of_checkout(self, checkout_id: CheckoutId) -> Sequence[Payment]:
        return self.all(_OF_CHECKOUT, checkout_id=checkout_id)

    def attempt(self, attempt_id: AttemptId) -> Attempt | None:
        return self._attempt(ATTEMPT, id=attempt_id)

    def attempt_by_ref(self, gateway: str, ref: str) -> Attempt | None:
        return self._attempt(ATTEMPT_BY_REF, gateway=gateway, ref=ref)

    def attempt_by_receipt(self, gateway: str, receipt: str) -> Attempt | None:
        return self._attempt(ATTEMPT_BY_RECEIPT, gateway=gateway, receipt=receipt)

    def live_attempt(self, checkout_id: CheckoutId) -> Attempt | None:
        return self._attempt(_LIVE, checkout_id=checkout_id)

    def _attempt(self, sql: Sql, **params: object) -> Attempt | None:
        row = self.session.run(sql, **params).fetchone()
        return None if row is None else _ATTEMPT_ROW.read(row)

    def attempts(self, checkout_id: CheckoutId) -> Sequence[Attempt]:
        return [_ATTEMPT_ROW.read(row) for row in self.session.run(_ATTEMPTS, checkout_id=checkout_id).fetchall()]

    def add_attempt(self, attempt: Attempt) -> None:
        self.session.later(_ADD_ATTEMPT, _ATTEMPT_ROW.row(attempt))

    def save_attempt(self, attempt: Attempt) -> Attempt:
        return save_value(self.session, _ATTEMPT_ROW, _SAVE_ATTEMPT, attempt, "id")

    def to_ask(self, now: datetime, limit: int) -> Sequence[AttemptId]:
        return [AttemptId(row[0]) for row in self.session.run(_TO_ASK, now=to_us(now), most=limit).fetchall()]

    def rest_attempt(self, attempt_id: AttemptId, until: datetime) -> None:
        self.session.run(_REST_ATTEMPT, id_=attempt_id, until=to_us(until))

    def to_send(self, before: datetime, limit: int) -> Sequence[AttemptId]:
        return [AttemptId(row[0]) for row in self.session.run(_TO_SEND, before=to_us(before), most=limit).fetchall()]

    def add_refund(self, refund: Refund) -> bool:
        return self.session.run(_ADD_REFUND, **_REFUND_ROW.row(refund)).rowcount == 1

    def refund(self, refund_id: RefundId) -> Refund | None:
        row = self.session.run(_REFUND, id=refund_id).fetchone()
        return None if row is None else _REFUND_ROW.read(row)

    def refunds_of(self, attempt_id: AttemptId) -> Sequence[Refund]:
        return [_REFUND_ROW.read(row) for row in self.session.run(_REFUNDS_OF, attempt_id=attempt_id).fetchall()]

    def save_refund(self, refund: Refund) -> Refund:
        return save_value(self.session, _REFUND_ROW, _SAVE_REFUND, refund, "id")

    def refunds_due(self, now: datetime, limit: int) -> Sequence[RefundId]:
        return [RefundId(row[0]) for row in self.session.run(_REFUNDS_DUE, now=to_us(now), most=limit).fetchall()]
