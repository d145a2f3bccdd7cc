"""Promise 10: what is stored is where the told story ends. The trail of each sale is followed again, and compared with its rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import or_, select

from domain.late import LATE
from domain.life import (
    ATTEMPT,
    CHECKOUT,
    DISPUTE,
    ESCROW,
    LINK,
    ORDER,
    PAYMENT,
    REFUND,
    AttemptState,
    DisputeState,
    OrderState,
    RefundState,
)
from domain.order import ENDED, Dispute, Order, next_due
from domain.rights import Party
from storage.mapping import Mapper
from storage.proofs.reading import Check, Offence, Reading, check, counted, query
from storage.statements import Sql
from storage.tables import attempts, checkouts, disputes, orders, refunds

_SALES_AT_ONCE = 1_000
_HELD_BACK = timedelta(hours=1)
"""A timer that may not fire yet, or failed, is looked at again after this (usecases/orders.py, usecases/sweeps.py)."""

_UNDER_WAY = "under way"
_OPEN_TRIES = frozenset({AttemptState.CREATED, AttemptState.SENDING, AttemptState.PENDING})
_OPEN_REFUNDS = frozenset({RefundState.ASKED, RefundState.SENDING, RefundState.PENDING})
_MOVES: Final = {f"order_{state.lower()}": state for state in ORDER.states} | {
    "order_split": OrderState.COMPLETED,
    "dispute_opened": OrderState.DISPUTED,
}
_TRY_ENDS: Final = {f"attempt_{state.lower()}": state for state in AttemptState}
_DISPUTE_ENDS: Final = {f"dispute_{state.lower()}": state for state in (DisputeState.SETTLED, DisputeState.DECIDED, DisputeState.WITHDRAWN)}
_TRAIL = query(r"SELECT subject, id, actor, action, data FROM audit WHERE subject LIKE 'sale\:%' ORDER BY subject, seq")
_RETRIED = query("SELECT ID_OF(a.subject) FROM audit a WHERE a.action = 'retried' AND KIND_OF(a.subject) = 'refund'")


@dataclass(slots=True)
class _Tale:
    """Where the trail says that a sale has come to."""

    checkout: str | None = None
    order: int | None = None
    order_attempt: int | None = None
    stage: str | None = None
    before_dispute: str | None = None
    dispute: str | None = None
    disputes: int = 0
    attempts: dict[int, str] = field(default_factory=dict)
    refunds: dict[int, str] = field(default_factory=dict)
    proved: set[int] = field(default_factory=set)
    disproved: set[int] = field(default_factory=set)
    wrong: list[Offence] = field(default_factory=list)

    def hear(self, record: int, actor: str, action: str, data: Mapping[str, Any]) -> None:
        """One record of the trail."""
        if action == "checkout_opened":
            self.checkout = "OPEN"
        elif action in {"checkout_expired", "checkout_cancelled"}:
            self.checkout = action.removeprefix("checkout_").upper()
        elif "refund" in data and action.startswith("refund_"):
            self.refunds[data["refund"]] = {"refund_done": "DONE", "refund_failed": "FAILED"}.get(action, _UNDER_WAY)
        elif action == "order_paid":
            self.checkout, self.order, self.order_attempt, self.stage = "PAID", data["order"], data.get("attempt"), "PAID"
            if "attempt" in data:  # the shares of a group each have a story of their own
                self.attempts[data["attempt"]] = "SUCCEEDED"
        elif action in _MOVES:
            if action == "order_void" and self.stage == "DISPUTED":
                self.dispute = "WITHDRAWN"
            self._move(record, actor, _MOVES[action], data)
        elif action.startswith("chargeback_"):
            self._hear_of_bank(record, actor, action, data)
        elif action in _DISPUTE_ENDS:
            self.dispute = _DISPUTE_ENDS[action]
            if action == "dispute_withdrawn":
                self.stage = self.before_dispute
        elif "attempt" in data:
            self._hear_of_attempt(action, data["attempt"])

    def _hear_of_attempt(self, action: str, attempt: int) -> None:
        if action == "attempt_opened":
            self.attempts[attempt], self.checkout = _UNDER_WAY, "PAYING" if self.checkout == "OPEN" else self.checkout
        elif action in _TRY_ENDS:
            self.attempts[attempt], self.checkout = _TRY_ENDS[action], "OPEN" if self.checkout == "PAYING" else self.checkout
        elif action == "share_paid":
            self.attempts[attempt], self.checkout = "SUCCEEDED", "PAID"
        elif action == "money_suspended":
            self.attempts[attempt] = "SUCCEEDED"
            if self.checkout == "PAYING" and _UNDER_WAY not in self.attempts.values():
                self.checkout = "OPEN"
        elif action == "payment_proved":
            self.proved.add(attempt)
        elif action == "payment_disproved":
            self.disproved.add(attempt)
            if attempt == self.order_attempt and self.stage not in {"COMPLETED", "REFUNDED"}:
                self.dispute = "WITHDRAWN" if self.stage == "DISPUTED" else self.dispute
                self.stage = "VOID"

    def _hear_of_bank(self, record: int, actor: str, action: str, data: Mapping[str, Any]) -> None:
        to = data.get("to") or ("VOID" if action == "chargeback_lost" and data["frozen"] else "")
        if action == "chargeback_opened" and data["frozen"]:
            self._move(record, actor, OrderState.FROZEN, data)
        elif to == "VOID":
            self._move(record, actor, OrderState.VOID, data)
            self.dispute = "WITHDRAWN" if self.dispute == "OPEN" else self.dispute
        elif to:
            self.stage = to

    def _move(self, record: int, actor: str, target: OrderState, data: Mapping[str, Any]) -> None:
        party = actor.partition("@")[0].partition(":")[0]
        if self.stage is None or party not in set(Party) or not ORDER.can(OrderState(self.stage), target, Party(party)):
            self.wrong.append(Offence(f"audit:{record}", {"order": self.order, "from": self.stage, "to": str(target), "by": actor}))
        if target is OrderState.DISPUTED:
            self.before_dispute, self.dispute, self.disputes = data.get("was", self.stage), "OPEN", self.disputes + 1
        self.stage = str(target)


@dataclass(slots=True)
class _Present:
    """What the rows say of the same sales."""

    checkouts: dict[int, str]
    orders: dict[int, list[tuple[int, str]]]
    attempts: dict[int, dict[int, tuple[str, bool, bool]]]
    refunds: dict[int, dict[int, str]]
    disputes: dict[int, list[str]]


def _present(reading: Reading, numbers: Sequence[int]) -> _Present:
    now = _Present({}, {}, {}, {}, {})
    for row in reading.rows(Sql(select(checkouts.c.id, checkouts.c.state).where(checkouts.c.id.in_(numbers)))):
        now.checkouts[row[0]] = row[1]
    for row in reading.rows(Sql(select(orders.c.checkout_id, orders.c.id, orders.c.state).where(orders.c.checkout_id.in_(numbers)))):
        now.orders.setdefault(row[0], []).append((row[1], row[2]))
    tries = select(attempts.c.checkout_id, attempts.c.id, attempts.c.state, attempts.c.proved_at, attempts.c.disproved)
    for row in reading.rows(Sql(tries.where(attempts.c.checkout_id.in_(numbers)))):
        state = _UNDER_WAY if row[2] in _OPEN_TRIES else row[2]
        now.attempts.setdefault(row[0], {})[row[1]] = (state, row[3] is not None, bool(row[4]))
    backs = select(attempts.c.checkout_id, refunds.c.id, refunds.c.state).join(attempts, attempts.c.id == refunds.c.attempt_id)
    for row in reading.rows(Sql(backs.where(attempts.c.checkout_id.in_(numbers)))):
        now.refunds.setdefault(row[0], {})[row[1]] = _UNDER_WAY if row[2] in _OPEN_REFUNDS else row[2]
    rows = select(orders.c.checkout_id, disputes.c.state).join(orders, orders.c.id == disputes.c.order_id)
    for row in reading.rows(Sql(rows.where(orders.c.checkout_id.in_(numbers)).order_by(disputes.c.id))):
        now.disputes.setdefault(row[0], []).append(row[1])
    return now


def _compare(number: int, tale: _Tale, now: _Present, retried: set[int]) -> Iterator[Offence]:
    yield from tale.wrong
    if now.checkouts.get(number) != tale.checkout:
        yield Offence(f"checkout:{number}", {"is": now.checkouts.get(number), "told": tale.checkout})
    orders_now = dict(now.orders.get(number, []))
    for order in sorted(orders_now.keys() | ({tale.order} if tale.order is not None else set())):
        told = tale.stage if order == tale.order else None
        if orders_now.get(order) != told:
            yield Offence(f"order:{order}", {"is": orders_now.get(order), "told": told})
    yield from _compare_attempts(tale, now.attempts.get(number, {}))
    refunds_now = now.refunds.get(number, {})
    for refund in sorted(refunds_now.keys() | tale.refunds.keys()):
        is_now, was_told = refunds_now.get(refund), tale.refunds.get(refund)
        if is_now != was_told and not (was_told == "FAILED" and is_now == _UNDER_WAY and refund in retried):
            yield Offence(f"refund:{refund}", {"is": is_now, "told": was_told})
    disputes_now = now.disputes.get(number, [])
    if len(disputes_now) != tale.disputes or (disputes_now and disputes_now[-1] not in {tale.dispute, _answered(tale.dispute)}):
        yield Offence(f"order:{tale.order}", {"disputes": ",".join(disputes_now), "told": tale.disputes, "last": tale.dispute})


def _answered(state: str | None) -> str | None:
    return "ANSWERED" if state == "OPEN" else state


def _compare_attempts(tale: _Tale, attempts_now: Mapping[int, tuple[str, bool, bool]]) -> Iterator[Offence]:
    for attempt in sorted(attempts_now.keys() | tale.attempts.keys()):
        state, proved, disproved = attempts_now.get(attempt, (None, False, False))
        if state != tale.attempts.get(attempt):
            yield Offence(f"attempt:{attempt}", {"is": state, "told": tale.attempts.get(attempt)})
        elif disproved != (attempt in tale.disproved) or (attempt in tale.proved and not proved):
            yield Offence(f"attempt:{attempt}", {"proved": proved, "disproved": disproved, "told": "otherwise"})


def _stories(reading: Reading) -> Iterator[Offence]:
    """Sale by sale, a thousand at a time."""
    retried = {int(row[0]) for row in reading.rows(_RETRIED) if row[0] is not None}
    subject, tale = "", _Tale()
    tales: dict[int, _Tale] = {}
    for row in reading.rows(_TRAIL):
        if row[0] != subject:
            if len(tales) >= _SALES_AT_ONCE:
                yield from _compare_all(reading, tales, retried)
                tales = {}
            subject, tale = row[0], _Tale()
            number = subject.partition(":")[2]
            if not number.isdecimal():
                yield Offence(f"audit:{row[1]}", {"subject": subject})
                continue
            tales[int(number)] = tale
        try:
            tale.hear(row[1], row[2], row[3], json.loads(row[4]))
        except (ValueError, KeyError, TypeError) as error:
            yield Offence(f"audit:{row[1]}", {"unreadable": type(error).__name__})
    yield from _compare_all(reading, tales, retried)


def _compare_all(reading: Reading, tales: Mapping[int, _Tale], retried: set[int]) -> Iterator[Offence]:
    if tales:
        now = _present(reading, list(tales))
        for number, tale in tales.items():
            yield from _compare(number, tale, now, retried)


_ORDER, _DISPUTE = Mapper(orders, Order), Mapper(disputes, Dispute)
_RUNNING = Sql(
    select(orders).where(or_(orders.c.due.is_not(None), orders.c.due_at.is_not(None), orders.c.state.not_in([str(s) for s in ENDED])))
)
_OPEN_DISPUTES = Sql(select(disputes).where(disputes.c.state.in_(["OPEN", "ANSWERED"])))


def _timers(reading: Reading) -> Iterator[Offence]:
    """Each order's timer is what its own instants say, or was put off by an hour when it might not fire."""
    opened = {row[1]: _DISPUTE.read(row) for row in reading.rows(_OPEN_DISPUTES)}
    for row in reading.rows(_RUNNING):
        order = _ORDER.read(row)
        timer = next_due(order, opened.get(order.id))
        due, at = timer or (None, None)
        put_off = at is not None and order.due_at is not None and at + _HELD_BACK <= order.due_at <= reading.now + _HELD_BACK
        if order.due != due or (order.due_at != at and not put_off):
            yield Offence(f"order:{order.id}", {"due": order.due, "at": order.due_at, "expected": due, "expected_at": at})


_LIVES: Final = (("links", "state", LINK), ("checkouts", "state", CHECKOUT), ("payments", "state", PAYMENT), ("attempts", "state", ATTEMPT),
                 ("orders", "state", ORDER), ("orders", "escrow", ESCROW), ("disputes", "state", DISPUTE), ("refunds", "state", REFUND),
                 ("late_money", "state", LATE))  # fmt: skip


def _strange_states(reading: Reading) -> Iterator[Offence]:
    for table, column, life in _LIVES:
        known = ", ".join(f"'{state}'" for state in life.states)
        strange = f"SELECT '{life.name}:' || id, {column} FROM {table} WHERE {column} NOT IN ({known})"  # noqa: S608 - the names of our tables
        yield from reading.offences(query(strange))


STORY: Final[tuple[Check, ...]] = (
    Check(10, "states_are_known", "each state is one of its life", counted("checkouts"), _strange_states),
    check(
        10, "sales_have_a_story", "each checkout has its trail, from the beginning", "checkouts",
        r"""SELECT 'checkout:' || c.id, c.state FROM checkouts c LEFT JOIN audit a ON a.subject = 'sale:' || c.id AND a.seq = 1
        WHERE a.id IS NULL OR a.action <> 'checkout_opened'""",
    ),
    Check(
        10, "states_follow_the_story", "checkouts, attempts, orders, disputes and refunds are where their trail ends, by moves that were allowed",
        counted(r"audit WHERE subject LIKE 'sale\:%'"), _stories,
    ),
    check(
        10, "orders_rest_on_proof", "an order is proved when its attempt is", "orders",
        """SELECT 'order:' || o.id, o.proved, a.proved_at FROM orders o JOIN attempts a ON a.id = o.attempt_id
        JOIN checkouts c ON c.id = o.checkout_id
        WHERE o.proved <> CASE WHEN c.shares = 0 THEN a.proved_at IS NOT NULL ELSE NOT EXISTS (SELECT 1 FROM checkouts s
            JOIN attempts b ON b.id = s.paid_by WHERE s.group_id = c.id AND b.proved_at IS NULL) END""",
    ),
    check(
        10, "disputes_follow_orders", "an order is DISPUTED while it has an open dispute, and only then", "orders",
        """SELECT 'order:' || o.id, o.state, coalesce(d.n, 0) AS open_disputes FROM orders o
        LEFT JOIN (SELECT order_id, count(*) AS n FROM disputes WHERE state IN ('OPEN', 'ANSWERED') GROUP BY order_id) d ON d.order_id = o.id
        WHERE coalesce(d.n, 0) <> CASE WHEN o.state = 'DISPUTED' OR (o.state = 'FROZEN' AND EXISTS (SELECT 1 FROM chargebacks c
            WHERE c.order_id = o.id AND c.state = 'OPEN' AND c.before = 'DISPUTED')) THEN 1 ELSE 0 END""",
    ),
    Check(10, "timers_are_right", "each order's timer is the one that its own instants ask for", counted("orders WHERE due IS NOT NULL"), _timers),
)  # fmt: skip
