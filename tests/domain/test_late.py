"""Late money as rules: what may become of it, and who decides."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import IllegalTransition, NotFound
from domain.late import DECIDE_WITHIN, LATE, LatePolicy, LateState, late_choices
from domain.rights import Party
from tests.domain.samples import START, a_late

STEPS = {"WAITING": "ACCEPTED REFUNDED VOID"}
MAY = {
    LateState.ACCEPTED: {Party.STAFF, Party.MANAGER, Party.OWNER, Party.ADMIN},
    LateState.REFUNDED: {Party.MANAGER, Party.OWNER, Party.ADMIN, Party.CLOCK, Party.GATEWAY},
    LateState.VOID: {Party.GATEWAY},
}


@pytest.mark.parametrize("target", LateState)
@pytest.mark.parametrize("source", LateState)
def test_every_pair_of_states_is_a_row_a_no_op_or_refused(source: LateState, target: LateState) -> None:
    for by in Party:
        if source is target:
            assert LATE.move(source, target, by) is None
        elif target not in STEPS.get(source, "").split():
            with pytest.raises(IllegalTransition):
                LATE.move(source, target, by)
        elif by in MAY[target]:
            assert LATE.move(source, target, by) is not None
        else:
            with pytest.raises(NotFound):
                LATE.move(source, target, by)


def test_what_is_decided_stays_decided() -> None:
    assert LATE.initial == {LateState.WAITING}
    assert LATE.final == {LateState.ACCEPTED, LateState.REFUNDED, LateState.VOID}


def test_staff_may_take_an_order_and_leaders_may_give_money_back_too() -> None:
    late = a_late()
    assert late_choices(late, Party.STAFF) == (LateState.ACCEPTED,)
    assert late_choices(late, Party.OWNER) == late_choices(late, Party.ADMIN) == (LateState.ACCEPTED, LateState.REFUNDED)
    assert late_choices(late, Party.BUYER) == late_choices(a_late(state=LateState.REFUNDED), Party.OWNER) == ()


def test_a_day_is_given_and_three_policies_are_known() -> None:
    assert timedelta(hours=24) == DECIDE_WITHIN
    assert a_late().decide_by == START + DECIDE_WITHIN
    assert set(LatePolicy) == {"accept", "refund", "ask"}
