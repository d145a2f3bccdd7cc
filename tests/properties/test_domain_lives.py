"""Lives that are walked at random, and orders watched by a clock that is down whenever it likes."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import IllegalTransition, NotFound
from domain.life import ATTEMPT, ESCROW, LIVES, ORDER, AttemptState, EscrowState, Life, Move, OrderState
from domain.order import DAY, DISPUTE_WINDOW, LAST_WARNING, Due, Order, may_dispute, next_due, order_acts
from domain.rights import Party
from tests.domain.samples import INSTANT, START, an_order

calm = settings(deadline=None)
"""A busy machine is no failure."""

parties = st.sampled_from(Party)


pushes = st.lists(st.tuples(st.integers(0, 10), parties), max_size=60)


def walk(life: Life[Any], pushes: list[tuple[int, Party]]) -> list[tuple[Move[Any], Party]]:
    """Push a thing about; returns what moved it."""
    (state,), states = life.initial, list(life.states.__members__.values())
    taken = []
    for number, by in pushes:
        target = states[number % len(states)]
        try:
            row = life.move(state, target, by)
        except (IllegalTransition, NotFound):
            assert not life.can(state, target, by)
            continue
        if row is not None:
            taken.append((row, by))
            state = target
    return taken


@calm
@given(st.sampled_from(LIVES), pushes)
def test_a_life_is_only_ever_walked_along_its_rows(life: Life[Any], pushed: list[tuple[int, Party]]) -> None:
    state = next(iter(life.initial))
    for row, by in walk(life, pushed):
        assert row.source == state
        assert by in row.by
        assert row.source not in life.final
        state = row.target


@calm
@given(pushes)
def test_escrow_pays_out_once_at_most(pushed: list[tuple[int, Party]]) -> None:
    taken = walk(ESCROW, pushed)
    assert sum("release" in row.books or "refund_asked" in row.books for row, _ in taken) <= 1


@calm
@given(pushes)
def test_an_order_ends_once_at_most(pushed: list[tuple[int, Party]]) -> None:
    """What a bank takes while it decides, it may give back; the end comes once."""
    assert sum(bool({"release", "refund_asked", "disproved"} & set(row.books)) for row, _ in walk(ORDER, pushed)) <= 1


@calm
@given(pushes)
def test_a_success_is_never_taken_back_from_an_attempt(pushed: list[tuple[int, Party]]) -> None:
    assert AttemptState.SUCCEEDED not in [row.target for row, _ in walk(ATTEMPT, pushed)][:-1]


@calm
@given(st.sampled_from(OrderState), parties, st.sampled_from([None, *EscrowState]), st.booleans(), st.integers(0, 6), st.booleans())
def test_nothing_is_offered_that_the_life_refuses(
    state: OrderState, party: Party, escrow: EscrowState | None, digital: bool, tries: int, wanted: bool
) -> None:
    order = an_order(state=state, escrow=escrow, digital=digital, code_tries=tries, release_wanted="buyer@web" if wanted else None)
    target = {
        "accept": OrderState.ACCEPTED,
        "ship": OrderState.SHIPPED,
        "delivered": OrderState.DELIVERED,
        "confirm": OrderState.COMPLETED,
        "problem": OrderState.DISPUTED,
        "refund": OrderState.REFUNDED,
        "cancel": OrderState.REFUNDED,
    }
    acts = [act.value for act in order_acts(order, party, START)]
    assert len(acts) == len(set(acts))
    for act in acts:
        if act == "enter_code":
            assert ORDER.can(state, OrderState.COMPLETED, Party.BUYER)
        elif act == "withdraw":
            assert ORDER.can(state, OrderState.PAID, party)
        else:
            assert ORDER.can(state, target[act], party)


WARNED = {Due.RELEASE: Due.WARN_RELEASE_2, Due.REFUND_UNSHIPPED: Due.OFFER_CANCEL, Due.TAKE_AS_DELIVERED: Due.ASK_ARRIVED}
ways = st.sampled_from(
    [
        (an_order(), 4, Due.REFUND_UNSHIPPED),
        (an_order(state=OrderState.SHIPPED, shipped_at=START), 2, Due.TAKE_AS_DELIVERED),
        (an_order(state=OrderState.DELIVERED, shipped_at=START, delivered_at=START), 3, Due.RELEASE),
    ]
)
outages = st.lists(st.integers(0, 40 * 86400 * 10**6), min_size=4, max_size=4)


@calm
@given(ways, outages)
def test_whenever_the_clock_was_down_each_step_is_done_once_in_order_and_the_last_a_day_after_its_warning(
    way: tuple[Order, int, Due], lateness: list[int]
) -> None:
    order, count, last = way
    given_at: dict[Due, datetime] = {}
    now = START
    while (step := next_due(order)) is not None:
        due, at = step
        assert due not in given_at
        order = replace(order, due=due, due_at=at)
        if last is Due.RELEASE:
            assert may_dispute(order, at)
        now = max(now, at + INSTANT) + timedelta(microseconds=lateness[len(given_at)])
        given_at[due] = now
        order = replace(order, last_due=due, last_due_at=now)
    assert list(given_at)[-1] is last
    assert len(given_at) == count
    assert given_at[last] > given_at[WARNED[last]] + LAST_WARNING
    assert given_at[last] > START + (DISPUTE_WINDOW if last is Due.RELEASE else 14 * DAY)


@calm
@given(st.integers(-(20 * 86400 * 10**6), 20 * 86400 * 10**6), st.integers(0, 30 * 86400 * 10**6))
def test_at_every_instant_either_the_buyer_may_dispute_or_the_clock_may_release(offset: int, put_off: int) -> None:
    delivered = START
    due_at = delivered + DISPUTE_WINDOW + timedelta(microseconds=put_off)
    order = an_order(state=OrderState.DELIVERED, delivered_at=delivered, due=Due.RELEASE, due_at=due_at)
    now = due_at + timedelta(microseconds=offset)
    assert may_dispute(order, now) is not (due_at < now)
