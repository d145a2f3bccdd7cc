"""Every life: each pair of states is a row, a no-op, or refused; who may take each row; and the page drawn from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from domain.errors import IllegalTransition, NotFound
from domain.life import ATTEMPT, CHECKOUT, DISPUTE, ESCROW, LINK, LIVES, ORDER, PAYMENT, REFUND, EscrowState, Life, Move, OrderState
from domain.rights import Party
from payloom.lives import draw

AnyLife = Life[Any]
PAGE = Path(__file__).parents[2] / "docs" / "lives.md"
BOOKED_KINDS = {"capture", "release", "refund_asked", "refund_confirmed", "refund_failed", "disproved", "chargeback", "chargeback_won"}

# from -> to, written down a second time by hand: a row that comes or goes must come or go here as well
STEPS: dict[str, dict[str, str]] = {
    "link": {
        "ACTIVE": "INACTIVE USED EXPIRED SOLD_OUT",
        "INACTIVE": "ACTIVE",
        "EXPIRED": "ACTIVE",
        "SOLD_OUT": "ACTIVE INACTIVE",
    },
    "checkout": {
        "OPEN": "PAYING PAID EXPIRED CANCELLED",
        "PAYING": "OPEN PAID EXPIRED CANCELLED",
        "EXPIRED": "PAID",
        "CANCELLED": "PAID",
    },
    "payment": {
        "CREATED": "PENDING",
        "PENDING": "SUCCEEDED FAILED CANCELLED EXPIRED",
        "FAILED": "PENDING SUCCEEDED",
        "CANCELLED": "PENDING SUCCEEDED",
        "EXPIRED": "PENDING SUCCEEDED",
        "SUCCEEDED": "PARTLY_REFUNDED REFUNDED DISPUTED_BY_BANK",
        "PARTLY_REFUNDED": "REFUNDED DISPUTED_BY_BANK",
        "REFUNDED": "DISPUTED_BY_BANK",
        "DISPUTED_BY_BANK": "SUCCEEDED PARTLY_REFUNDED REFUNDED CHARGED_BACK",
    },
    "attempt": {
        "CREATED": "SENDING FAILED",
        "SENDING": "PENDING SUCCEEDED FAILED CANCELLED EXPIRED",
        "PENDING": "SUCCEEDED FAILED CANCELLED EXPIRED",
        "FAILED": "SUCCEEDED",
        "CANCELLED": "SUCCEEDED",
        "EXPIRED": "SUCCEEDED",
    },
    "order": {
        "PAID": "ACCEPTED SHIPPED DELIVERED COMPLETED DISPUTED REFUNDED VOID FROZEN",
        "ACCEPTED": "SHIPPED DELIVERED COMPLETED DISPUTED REFUNDED VOID FROZEN",
        "SHIPPED": "DELIVERED COMPLETED DISPUTED REFUNDED VOID FROZEN",
        "DELIVERED": "COMPLETED DISPUTED REFUNDED VOID FROZEN",
        "DISPUTED": "PAID ACCEPTED SHIPPED DELIVERED COMPLETED REFUNDED VOID FROZEN",
        "FROZEN": "PAID ACCEPTED SHIPPED DELIVERED DISPUTED VOID",
    },
    "escrow": {
        "PENDING": "HELD VOID",
        "HELD": "RELEASED REFUNDED DISPUTED VOID FROZEN",
        "DISPUTED": "HELD RELEASED REFUNDED SPLIT VOID FROZEN",
        "FROZEN": "HELD DISPUTED CHARGED_BACK",
    },
    "dispute": {"OPEN": "ANSWERED SETTLED DECIDED WITHDRAWN", "ANSWERED": "SETTLED DECIDED WITHDRAWN"},
    "refund": {
        "ASKED": "SENDING",
        "SENDING": "ASKED PENDING DONE FAILED",
        "PENDING": "ASKED DONE FAILED",
        "FAILED": "ASKED DONE",
    },
    "chargeback": {"OPEN": "WON LOST"},
}

PAIRS = [pytest.param(life, a, b, id=f"{life.name}-{a}-{b}") for life in LIVES for a in life.states for b in life.states]
ROWS = [pytest.param(life, row, id=f"{life.name}-{row.source}-{row.target}") for life in LIVES for row in life.moves]
each_life = pytest.mark.parametrize("life", [pytest.param(life, id=life.name) for life in LIVES])


@pytest.mark.parametrize("life,source,target", PAIRS)
def test_every_pair_of_states_is_a_row_a_no_op_or_refused(life: AnyLife, source: Any, target: Any) -> None:
    row = next((row for row in life.moves if (row.source, row.target) == (source, target)), None)
    expected = target in STEPS[life.name].get(source, "").split()
    assert (row is not None) == expected
    for by in Party:
        if source == target:
            assert life.move(source, target, by) is None
            assert not life.can(source, target, by)
        elif row is None:
            with pytest.raises(IllegalTransition) as refused:
                life.move(source, target, by)
            assert refused.value.facts == {"life": life.name, "source": source.value, "target": target.value}
            assert not life.can(source, target, by)
        elif by in row.by:
            assert life.move(source, target, by) is row
            assert life.can(source, target, by)
        else:
            with pytest.raises(NotFound) as hidden:
                life.move(source, target, by)
            assert hidden.value.facts == {"life": life.name, "by": by.value}
            assert not life.can(source, target, by)


def test_the_hand_written_steps_speak_of_every_life() -> None:
    assert list(STEPS) == [life.name for life in LIVES]


@each_life
def test_no_pair_of_states_has_two_rows(life: AnyLife) -> None:
    pairs = [(row.source, row.target) for row in life.moves]
    assert len(pairs) == len(set(pairs))
    assert all(source != target for source, target in pairs)


@each_life
def test_every_state_can_be_reached_from_the_first(life: AnyLife) -> None:
    reached = set(life.initial)
    while more := {row.target for row in life.moves if row.source in reached} - reached:
        reached |= more
    assert reached == set(life.states.__members__.values())


@each_life
def test_every_state_can_come_to_an_end(life: AnyLife) -> None:
    ending = set(life.final)
    while more := {row.source for row in life.moves if row.target in ending} - ending:
        ending |= more
    assert ending == set(life.states.__members__.values())


FINAL = {
    "link": {"USED"},
    "checkout": {"PAID"},
    "payment": {"CHARGED_BACK"},
    "attempt": {"SUCCEEDED"},
    "order": {"COMPLETED", "REFUNDED", "VOID"},
    "escrow": {"RELEASED", "REFUNDED", "SPLIT", "VOID", "CHARGED_BACK"},
    "dispute": {"SETTLED", "DECIDED", "WITHDRAWN"},
    "refund": {"DONE"},
    "chargeback": {"WON", "LOST"},
}


@each_life
def test_final_states_have_no_exit(life: AnyLife) -> None:
    assert {state.value for state in life.final} == FINAL[life.name]
    assert not [row for row in life.moves if row.source in life.final]


@each_life
def test_a_thing_is_born_in_one_state(life: AnyLife) -> None:
    first = {
        "link": "ACTIVE",
        "order": "PAID",
        "escrow": "PENDING",
        "dispute": "OPEN",
        "refund": "ASKED",
        "chargeback": "OPEN",
        "checkout": "OPEN",
    }
    assert [state.value for state in life.initial] == [first.get(life.name, "CREATED")]


@pytest.mark.parametrize("life,row", ROWS)
def test_every_row_may_be_taken_by_somebody_and_books_only_known_kinds(life: AnyLife, row: Move[Any]) -> None:
    assert row.by
    assert set(row.books) <= BOOKED_KINDS


@pytest.mark.parametrize("life", [ORDER, ESCROW], ids=["order", "escrow"])
def test_staff_never_move_money(life: AnyLife) -> None:
    assert not [row for row in life.moves if row.books and Party.STAFF in row.by]


def test_the_seller_never_releases_to_himself() -> None:
    sellers = {Party.STAFF, Party.MANAGER, Party.OWNER}
    to_wallet = [row for life in (ORDER, ESCROW) for row in life.moves if "release" in row.books]
    assert len(to_wallet) == 8
    assert not [row for row in to_wallet if row.by & sellers]


def test_the_clock_never_touches_a_disputed_order_or_escrow() -> None:
    rows = [row for life in (ORDER, ESCROW) for row in life.moves if row.source.value == "DISPUTED"]
    assert len(rows) == 14
    assert not [row for row in rows if Party.CLOCK in row.by]


def test_only_the_gateway_says_that_money_came() -> None:
    brought = [row for life in LIVES for row in life.moves if "capture" in row.books]
    brought += [row for life in (CHECKOUT, ATTEMPT) for row in life.moves if row.target.value in {"PAID", "SUCCEEDED"}]
    assert len(brought) == 4 + 1 + 4 + 5
    assert {row.by for row in brought} == {frozenset({Party.GATEWAY})}


def test_only_the_gateway_or_an_admin_says_that_a_refund_arrived() -> None:
    arrived = [row.by for row in REFUND.moves if row.target.value == "DONE"]
    assert arrived == [frozenset({Party.GATEWAY, Party.ADMIN})] * 3
    assert {row.by for row in PAYMENT.moves if "refund_confirmed" in row.books} == {frozenset({Party.GATEWAY})}


def test_the_buyer_alone_opens_a_dispute() -> None:
    opened = [row.by for life in (ORDER, ESCROW) for row in life.moves if row.target.value == "DISPUTED" and row.source.value != "FROZEN"]
    assert opened == [frozenset({Party.BUYER})] * 5


def test_a_member_answers_and_a_leader_settles_and_a_judge_decides() -> None:
    who = {row.target.value: {party.value for party in row.by} for row in DISPUTE.moves}
    assert who == {
        "ANSWERED": {"staff", "manager", "owner", "clock"},
        "SETTLED": {"manager", "owner"},
        "DECIDED": {"arbiter", "admin"},
        "WITHDRAWN": {"buyer", "gateway"},
    }


def test_the_buyer_takes_a_payment_back_only_before_shipping() -> None:
    sources = {row.source.value for row in ORDER.moves if row.target.value == "REFUNDED" and Party.BUYER in row.by}
    assert sources == {"PAID", "ACCEPTED"}


def test_an_order_never_goes_backwards() -> None:
    line = [OrderState.PAID, OrderState.ACCEPTED, OrderState.SHIPPED, OrderState.DELIVERED, OrderState.COMPLETED]
    for index, state in enumerate(line):
        for earlier in line[:index]:
            assert not any(ORDER.can(state, earlier, by) for by in Party)


def test_released_money_is_never_refunded_from_escrow_and_refunded_money_never_released() -> None:
    for ended in (EscrowState.RELEASED, EscrowState.REFUNDED, EscrowState.SPLIT):
        for target in EscrowState:
            assert not any(ESCROW.can(ended, target, by) for by in Party)


def test_a_link_that_was_used_stays_used() -> None:
    assert not [row for row in LINK.moves if row.source.value == "USED"]


def test_the_page_about_lives_equals_the_drawing() -> None:
    assert PAGE.read_text(encoding="utf-8") == draw(), "run `payloom lives`"


def test_the_drawing_shows_every_row_and_every_end() -> None:
    page = draw()
    assert page.count("stateDiagram-v2") == 9
    assert [line[3:] for line in page.splitlines() if line.startswith("## ")] == [life.name for life in LIVES]
    assert "    [*] --> OPEN\n" in page
    assert "    PAYING --> PAID: order_paid\n" in page
    assert "    SPLIT --> [*]\n" in page
    assert "| DISPUTED | SPLIT | arbiter, admin | `release`, `refund_asked` | |\n" in page
    assert "| PAID | SHIPPED | staff, manager, owner | | `order_shipped` |\n" in page
    assert sum(line.startswith("| ") for line in page.splitlines()) == sum(len(life.moves) + 2 for life in LIVES)
