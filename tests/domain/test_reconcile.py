"""Reconciliation as a pure question: what differs between a gateway's list and our books, and of what class it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.ids import AttemptId, OrganizationId
from domain.money import Money
from domain.payment import About, Record
from domain.reconcile import (
    DIFFERENCE,
    Difference,
    DifferenceId,
    DifferenceState,
    Found,
    Kind,
    Line,
    Tool,
    Window,
    compare,
    fees_of,
    next_try,
    tool_of,
)
from domain.rights import Party
from domain.statement import Bookkeeping

DAY = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window(DAY, DAY + timedelta(days=1))
NEXT = Window(WINDOW.until, WINDOW.until + timedelta(days=1))
NOON = DAY + timedelta(hours=12)
SUM = Money(2500_00, "KES")
ALL = Bookkeeping(frozenset(About))
SOME = Bookkeeping(frozenset({About.PAYMENT, About.REFUND}))
SO_FAR = Bookkeeping(frozenset({About.PAYMENT, About.REFUND}), refunds_so_far=True)


def record(ref: str = "R1", about: About = About.PAYMENT, receipt: str | None = "R1", money: Money = SUM, at: datetime = NOON) -> Record:
    return Record(about, ref, receipt, money, at)


def line(ref: str = "R1", about: About = About.PAYMENT, money: Money = SUM, at: datetime = NOON, receipt: str | None = "R1") -> Line:
    return Line(about, f"ours:{ref}", frozenset({ref}), money, at, receipt, AttemptId(7))


def seen(theirs: Sequence[Record], ours: Sequence[Line], window: Window = WINDOW, books: Bookkeeping = ALL) -> list[tuple[Kind, str]]:
    return [(one.kind, one.key) for one in compare(theirs, ours, window, books)]


def test_the_same_on_both_sides_is_no_difference() -> None:
    assert seen([record()], [line()]) == []
    assert seen([record("ch_1", receipt="pi_1")], [line("pi_1")]) == []
    assert seen([record("inv_1", receipt="pay_1")], [line("inv_1")]) == []
    assert seen([record(receipt=None)], [line()]) == []


def test_what_only_one_side_has_is_missing_at_the_other() -> None:
    assert compare([record()], [], WINDOW, ALL) == (Found(Kind.MISSING_HERE, About.PAYMENT, "R1", NOON, SUM, None, "R1"),)
    assert compare([], [line()], WINDOW, ALL) == (Found(Kind.MISSING_THERE, About.PAYMENT, "ours:R1", NOON, None, SUM, "R1", AttemptId(7)),)
    assert seen([record("ch_1", receipt="pi_1")], []) == [(Kind.MISSING_HERE, "ch_1 pi_1")]


def test_another_amount_and_another_currency_are_told_with_both_sides() -> None:
    (found,) = compare([record(money=Money(2400_00, "KES"))], [line()], WINDOW, ALL)
    assert (found.kind, found.theirs, found.ours) == (Kind.AMOUNT, Money(2400_00, "KES"), SUM)
    assert seen([record(money=Money(2500_00, "USD"))], [line()]) == [(Kind.CURRENCY, "R1")]


@pytest.mark.parametrize(
    "twice",
    [record("R1", at=NOON + timedelta(minutes=5)), record("R1", receipt="R2"), record("R2", receipt="R1")],
    ids=["another time", "one invoice, two payments", "one payment, two charges"],
)
def test_a_payment_that_is_there_twice_is_a_duplicate_with_what_we_have(twice: Record) -> None:
    (found,) = compare([record(), twice], [line()], WINDOW, ALL)
    assert (found.kind, found.theirs, found.ours, found.attempt_id) == (Kind.DUPLICATE, SUM, SUM, AttemptId(7))


def test_the_same_line_twice_in_a_list_is_one_line() -> None:
    assert seen([record(), record()], [line()]) == []


def test_a_payment_that_is_here_twice_is_a_duplicate() -> None:
    assert seen([record()], [line(), replace(line(), key="ours:again")]) == [(Kind.DUPLICATE, "ours:again")]


@pytest.mark.parametrize("there,here", [(timedelta(seconds=-1), timedelta(seconds=1)), (timedelta(seconds=1), timedelta(seconds=-1))])
def test_midnight_between_the_two_sides_is_no_difference_on_either_day(there: timedelta, here: timedelta) -> None:
    """23:59:59 there and 00:00:01 here, and the other way round."""
    theirs, ours = record(at=WINDOW.until + there), line(at=WINDOW.until + here)
    for window in (WINDOW, NEXT):
        assert window.theirs(ALL, NEXT.until).holds(theirs.at)
        assert window.ours().holds(ours.at)
        assert seen([theirs], [ours], window) == []


def test_what_we_booked_much_later_is_late_on_the_day_it_was_paid_there() -> None:
    theirs, ours = record(at=NOON), line(at=NOON + timedelta(hours=13))
    assert seen([theirs], [ours]) == [(Kind.LATE, "R1")]
    assert seen([theirs], [ours], NEXT) == []
    assert seen([theirs], [replace(ours, at=NOON + timedelta(hours=1))]) == []


def test_what_is_outside_the_window_is_another_days() -> None:
    theirs, ours = record("A", receipt="A", at=DAY - timedelta(seconds=1)), line("B", receipt="B", at=WINDOW.until)
    assert seen([theirs], [ours]) == []


def test_what_was_turned_back_whole_moved_nothing() -> None:
    refund = record("re_1", About.REFUND, "pi_1")
    back = replace(refund, money=-SUM, at=NOON + timedelta(hours=1))
    assert seen([refund, back], []) == []
    assert seen([], [replace(line("re_1", About.REFUND), money=Money(0, "KES"))]) == []
    part = replace(back, money=Money(-500_00, "KES"))
    assert seen([refund, part], [line("re_1", About.REFUND, Money(2000_00, "KES"))]) == []


def test_refunds_are_matched_by_name_then_by_payment_and_amount() -> None:
    there, here = record("re_1", About.REFUND, "pi_1"), line("re_1", About.REFUND, receipt="pi_1")
    assert seen([there], [here]) == []
    assert seen([there], [replace(here, refs=frozenset())]) == []
    assert seen([there], [replace(here, money=Money(1, "KES"))]) == [(Kind.AMOUNT, "re_1 pi_1")]
    assert seen([there], [replace(here, refs=frozenset({"re_2"}), money=Money(1, "KES"))]) == [
        (Kind.MISSING_THERE, "ours:re_1"),
        (Kind.MISSING_HERE, "re_1 pi_1"),
    ]
    assert seen([there], [line("re_1")]) == [(Kind.MISSING_THERE, "ours:re_1"), (Kind.MISSING_HERE, "re_1 pi_1")]


def test_a_sum_of_refunds_is_laid_beside_the_sum_of_ours() -> None:
    """Their one line is dated by the last refund and holds them all."""
    first = replace(line("1", About.REFUND, Money(500_00, "KES")), so_far=Money(1500_00, "KES"))
    second = replace(line("2", About.REFUND, Money(1000_00, "KES")), so_far=Money(1500_00, "KES"), at=NOON + timedelta(hours=1))
    there = record("R1:150000", About.REFUND, "R1", Money(1500_00, "KES"))
    assert seen([there], [first, second], books=SO_FAR) == []
    assert seen([there], [second], books=SO_FAR) == []
    assert seen([replace(there, money=SUM)], [first, second], books=SO_FAR) == [(Kind.AMOUNT, "R1:150000 R1")]
    assert seen([there], [replace(first, so_far=None)], books=SO_FAR) == [(Kind.AMOUNT, "R1:150000 R1")]
    assert seen([there], [], books=SO_FAR) == [(Kind.MISSING_HERE, "R1:150000 R1")]


def test_of_what_they_do_not_tell_all_of_only_the_unknown_is_a_difference() -> None:
    there, here = record("rev_1", About.CHARGEBACK, "pi_1"), line("pi_1", About.CHARGEBACK, Money(1, "KES"), receipt="pi_1")
    assert seen([there], [here], books=SOME) == []
    assert seen([], [here], books=SOME) == []
    assert seen([there], [], books=SOME) == [(Kind.MISSING_HERE, "rev_1 pi_1")]
    assert seen([replace(there, ref="pi_1")], [here], books=SOME) == []
    assert seen([], [here]) == [(Kind.MISSING_THERE, "ours:pi_1")]


def test_how_far_a_list_is_read() -> None:
    now = WINDOW.until + timedelta(hours=3)
    assert WINDOW.theirs(ALL, now) == Window(DAY - timedelta(hours=26), WINDOW.until + timedelta(hours=1))
    assert WINDOW.theirs(SO_FAR, now).until == now
    assert WINDOW.theirs(Bookkeeping(frozenset(), timedelta(hours=47)), now).since == now - timedelta(hours=47)
    assert WINDOW.theirs(Bookkeeping(frozenset(), timedelta(hours=4)), now).since == DAY
    assert WINDOW.theirs(ALL, NOON).until == WINDOW.until


def test_fees_are_summed_by_currency_within_the_window() -> None:
    fee = replace(record(), fee=Money(100, "KES"))
    other = replace(record("R2"), fee=Money(3, "USD"))
    before = replace(fee, at=DAY - timedelta(hours=1))
    assert fees_of([fee, replace(fee, ref="R3"), other, before, record("R4")], WINDOW) == {"KES": 200, "USD": 3}


@pytest.mark.parametrize(
    "kind,about,known,tool",
    [
        (Kind.MISSING_HERE, About.PAYMENT, True, Tool.ASK),
        (Kind.MISSING_HERE, About.PAYMENT, False, Tool.PAY_BACK),
        (Kind.MISSING_HERE, About.REFUND, True, Tool.RESEND),
        (Kind.MISSING_THERE, About.PAYMENT, True, Tool.ASK),
        (Kind.MISSING_THERE, About.PAYMENT, False, Tool.COMPARE),
        (Kind.MISSING_THERE, About.REFUND, True, Tool.COMPARE),
        (Kind.AMOUNT, About.PAYMENT, True, Tool.COMPARE),
        (Kind.DUPLICATE, About.PAYMENT, True, Tool.PAY_BACK),
        (Kind.LATE, About.PAYMENT, True, Tool.NOTE),
    ],
)
def test_each_difference_has_its_tool(kind: Kind, about: About, known: bool, tool: Tool) -> None:
    assert tool_of(kind, about, known=known) is tool


def test_a_line_of_the_work_list_knows_both_sums_and_its_tool() -> None:
    bare = Difference(
        DifferenceId(1), "stripe", OrganizationId(0), About.PAYMENT, Kind.MISSING_HERE, "ch_1", None, None, 100, "KES", None, None, NOON,
        DifferenceState.OPEN, NOON,
    )  # fmt: skip
    assert (bare.theirs, bare.ours, bare.tool) == (Money(100, "KES"), None, Tool.PAY_BACK)
    both = replace(bare, kind=Kind.AMOUNT, ours_minor=90, ours_currency="KES", theirs_currency=None)
    assert (both.theirs, both.ours, both.tool) == (None, Money(90, "KES"), Tool.COMPARE)


def test_a_settled_difference_stays_settled_and_one_that_is_gone_may_come_again() -> None:
    assert DIFFERENCE.move(DifferenceState.OPEN, DifferenceState.SETTLED, Party.ADMIN) is not None
    assert DIFFERENCE.move(DifferenceState.SETTLED, DifferenceState.SETTLED, Party.ADMIN) is None
    assert DIFFERENCE.move(DifferenceState.GONE, DifferenceState.OPEN, Party.CLOCK) is not None


def test_a_list_that_cannot_be_read_is_tried_again_ever_more_seldom() -> None:
    waits = [next_try(tries, NOON) - NOON for tries in (1, 2, 3, 9)]
    assert waits == [timedelta(minutes=10), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=2)]
