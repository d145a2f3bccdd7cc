"""S1, S2: two members and the clock decide about the same late money at the same instant; two late payments of one checkout arrive together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from domain.late import DECIDE_WITHIN, Late, LatePolicy
from domain.ports import Unit
from tests.factories import Street, buyer, manager, owner, staff
from tests.races.arena import Arena, refusals
from usecases.checkouts import cancel_checkout
from usecases.escrow import accept_late
from usecases.late import refund_late, run_late_timer
from usecases.settlement import apply_notice


def late_money(street: Street, stock: int | None = None) -> Late:
    street.settings(late_money=LatePolicy.ASK)
    attempt = street.ringing(street.checkout(street.link(stock=stock)))
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    street.tell(street.success(attempt))
    late: Late = street.do(lambda unit: unit.late.of_attempt(attempt.id))
    return late


def deciders(late: Late) -> list[Callable[[Unit], Any]]:
    return [
        lambda unit: accept_late(unit, owner, late.number).number,
        lambda unit: accept_late(unit, staff, late.number).number,
        lambda unit: str(refund_late(unit, manager, late.number).state),
        lambda unit: run_late_timer(unit, late.id),
    ]


async def test_exactly_one_decision_about_late_money_counts(arena: Arena) -> None:
    """N2: the money is held for one order, or it is on its way back; never both, never neither."""
    for _ in range(8):
        late = late_money(arena.street, stock=1)
        arena.street.later(DECIDE_WITHIN + timedelta(seconds=1))
        async with arena.opened(8) as store:
            answers = await arena.race(store, *deciders(late))
        assert set(refusals(answers)) <= {"IllegalTransition"}
        state = arena.unit(lambda unit, late_id: str(unit.late.get(late_id).state), late.id)
        order = arena.unit(lambda unit, checkout_id: unit.orders.of_checkout(checkout_id), late.checkout_id)
        refunds = arena.unit(lambda unit, attempt_id: len(unit.payments.refunds_of(attempt_id)), late.attempt_id)
        assert (state, order is not None, refunds) in {("ACCEPTED", True, 0), ("REFUNDED", False, 1)}
    assert arena.owed_minor("suspense") == 0
    await arena.proved()


async def test_two_payments_that_come_late_for_one_checkout_ask_once(arena: Arena) -> None:
    """C13"""
    street = arena.street
    street.settings(late_money=LatePolicy.ASK)
    checkout = street.checkout()
    first = street.ringing(checkout)
    street.tell(street.failure(first))
    second = street.ringing(checkout)
    street.do(cancel_checkout, checkout.id, buyer)
    told = [lambda unit, one=one: str(apply_notice(unit, street.success(one))) for one in (first, second)]
    async with arena.opened(4) as store:
        assert await arena.race(store, *told) == ["suspense", "suspense"]
    assert arena.count("late_money") == 1
    assert sorted(refund.reason for one in (first, second) for refund in street.refunds(one.id)) == ["double"]
    await arena.proved()
