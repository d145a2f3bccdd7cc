"""Late money after the question: given back by the seller or the clock, denied, returned elsewhere; and who sees it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.errors import IllegalTransition, NotFound
from domain.late import DECIDE_WITHIN, LatePolicy, LateState
from domain.life import OrderState, RefundState
from domain.money import Money
from domain.payment import About, Attempt, Notice, Outcome, Proof, Reply
from domain.rights import Actor
from tests.factories import (
    BUYER,
    MANAGER,
    OTHER_OWNER,
    OWNER,
    PRICE,
    SECOND,
    SHOP,
    STAFF,
    Street,
    arbiter,
    buyer,
    manager,
    other_owner,
    owner,
    staff,
    stranger,
)
from tests.fakes import Ground
from tests.usecases.hooks import Hooks
from tests.usecases.test_late import GOING_BACK, SUSPENDED, come_late, late_of, number_of
from usecases import late as room
from usecases import views
from usecases.checkouts import cancel_checkout
from usecases.escrow import accept_late
from usecases.late import due_late, late_actor, late_list, late_view, named_late, refund_late, rest_late, run_late_timer
from usecases.people import set_late_policy
from usecases.settlement import apply_notice


@pytest.fixture(autouse=True)
def ask(street: Street) -> None:
    street.settings(late_money=LatePolicy.ASK)


# --- given back ------------------------------------------------------------------------------------------------------


def test_giving_it_back_sends_all_of_it_and_tells_everybody(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    number = number_of(street, attempt)
    assert street.do(refund_late, manager, number).state is LateState.REFUNDED
    refund = street.refund_of(attempt.id)
    assert (refund.reason, refund.money, refund.cause, refund.order_id) == ("late", PRICE, f"late:{attempt.id}", None)
    assert ground.books() == GOING_BACK
    assert ground.told()[4:] == [f"payment_failed>{BUYER}", f"late_over>{OWNER}", f"late_over>{STAFF}"], "whoever did it knows"
    with ground.unchanged():
        street.do(refund_late, owner, number)
    ground.refuses(IllegalTransition, accept_late, owner, number)


def test_the_money_arrives_back(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    street.do(refund_late, owner, number_of(street, attempt))
    street.prove(attempt.id)
    street.later(timedelta(minutes=1))
    assert street.send_refund(street.refund_of(attempt.id), Reply(Outcome.SUCCEEDED)).state is RefundState.DONE
    assert ground.books() == {}


def test_nobody_decides_and_after_a_day_it_goes_back(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    late = late_of(street, attempt)
    street.later(DECIDE_WITHIN)
    assert street.do(due_late, 10) == []
    with ground.unchanged():
        assert not street.do(run_late_timer, late.id)
    street.later(SECOND)
    assert street.do(due_late, 10) == [late.id]
    assert street.do(run_late_timer, late.id)
    assert ground.books() == GOING_BACK
    assert late_of(street, attempt).ended_by == "clock@job"
    assert ground.told()[4:] == [f"payment_failed>{BUYER}", *(f"late_over>{who}" for who in (OWNER, MANAGER, STAFF))]
    with ground.unchanged():
        assert not street.do(run_late_timer, late.id)
    assert street.do(due_late, 10) == []


def test_the_clock_finds_that_somebody_decided(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    late = late_of(street, attempt)
    street.later(DECIDE_WITHIN + SECOND)
    order = street.do(accept_late, owner, late.number)
    with ground.unchanged():
        assert not street.do(run_late_timer, late.id)
    assert street.order(order.id).state is OrderState.ACCEPTED


def test_a_timer_that_fails_rests_and_a_person_is_told(street: Street, ground: Ground) -> None:
    late = late_of(street, come_late(street))
    street.later(DECIDE_WITHIN + SECOND)
    street.do(rest_late, late.id, "ValueError")
    assert street.do(due_late, 10) == []
    assert ground.alerts() == ["timer_failed"]


# --- what comes in between -------------------------------------------------------------------------------------------


def test_a_payment_that_is_denied_is_nobodys_decision_any_more(street: Street, ground: Ground) -> None:
    """C7."""
    attempt = come_late(street)
    street.prove(attempt.id, Outcome.DECLINED)
    assert late_of(street, attempt).state is LateState.VOID
    assert ground.books() == SUSPENDED, "for whoever looks at the alert"
    assert "payment_disproved" in ground.alerts()
    assert ground.told()[-4:] == [f"payment_failed>{BUYER}", *(f"late_over>{who}" for who in (OWNER, MANAGER, STAFF))]
    ground.refuses(IllegalTransition, accept_late, owner, number_of(street, attempt))


def test_a_denial_after_the_decision_follows_the_order_or_the_refund(street: Street) -> None:
    taken, back = come_late(street), come_late(street)
    order = street.do(accept_late, owner, number_of(street, taken))
    street.do(refund_late, owner, number_of(street, back))
    for attempt in (taken, back):
        street.prove(attempt.id, Outcome.DECLINED)
    assert street.order(order.id).state is OrderState.VOID
    assert (late_of(street, taken).state, late_of(street, back).state) == (LateState.ACCEPTED, LateState.REFUNDED)


@pytest.mark.parametrize("minor", [250_000, 100_000])
def test_money_given_back_on_the_gateways_own_page_was_the_decision(street: Street, ground: Ground, minor: int) -> None:
    attempt = come_late(street)
    gone = Notice("daraja", "e1", "event", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, money=Money(minor, "KES"), about=About.REFUND,
                  refund_ref="re_1")  # fmt: skip
    street.do(apply_notice, gone)
    late = late_of(street, attempt)
    assert (late.state, late.ended_by) == (LateState.REFUNDED, "gateway@daraja")
    assert sum(refund.money.amount_minor for refund in street.refunds(attempt.id)) == 250_000
    assert ground.balance(f"suspense:{attempt.id}") == 0
    ground.refuses(IllegalTransition, accept_late, owner, late.number)


def test_money_given_back_elsewhere_after_the_decision_changes_no_decision(street: Street) -> None:
    attempt = street.ringing()
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    street.settings(late_money=LatePolicy.REFUND)
    street.tell(street.success(attempt, money=Money(1, "KES")))
    assert street.do(lambda unit: room.late_went_back(unit, attempt, PRICE)) is None
    other = come_late_and_back(street)
    assert street.do(lambda unit: room.late_went_back(unit, other, PRICE)) is None
    assert late_of(street, other).ended_by == owner.name


def come_late_and_back(street: Street) -> Attempt:
    street.settings(late_money=LatePolicy.ASK)
    attempt = come_late(street)
    street.do(refund_late, owner, number_of(street, attempt))
    return attempt


# --- who sees it -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", [buyer, stranger, other_owner, arbiter])
def test_nobody_else_sees_or_decides(street: Street, ground: Ground, who: Actor) -> None:
    """W3: like what does not exist."""
    number = number_of(street, come_late(street))
    for verb in (accept_late, refund_late, late_view):
        ground.refuses(NotFound, verb, who, number)
    ground.refuses(NotFound, accept_late, owner, "00000000")


def test_staff_may_not_give_money_back(street: Street, ground: Ground) -> None:
    number = number_of(street, come_late(street))
    ground.refuses(NotFound, refund_late, staff, number)
    assert street.do(late_view, staff, number).choices == (LateState.ACCEPTED,)


def test_a_member_meets_it_and_a_stranger_does_not(street: Street, ground: Ground) -> None:
    number = number_of(street, come_late(street))
    assert street.do(late_actor, MANAGER, number, "telegram") == manager
    ground.refuses(NotFound, late_actor, OTHER_OWNER, number, "telegram")
    ground.refuses(NotFound, late_actor, OWNER, "00000000", "telegram")


def test_the_list_has_what_waits_the_most_pressing_first(street: Street, ground: Ground) -> None:
    first = come_late(street, street.link(name="Lamp"))
    street.later(SECOND)
    second, third = come_late(street), come_late(street)
    street.do(refund_late, owner, number_of(street, third))
    found = street.do(late_list, staff, 10)
    assert [view.late.attempt_id for view in found] == [first.id, second.id]
    assert (found[0].item, found[0].name, found[0].quantity, found[0].order_number) == ("Lamp", "Amina", 1, None)
    assert street.do(late_list, other_owner, 10) == []
    assert len(street.do(lambda unit: unit.late.waiting(None, 10))) == 2
    ground.refuses(NotFound, late_list, buyer, 10)
    ground.refuses(NotFound, late_list, replace(owner, organization_id=None), 10)
    assert street.do(views.waiting_for, OWNER, SHOP).late == 2


def test_it_is_named_by_its_last_digits_while_it_waits(street: Street) -> None:
    number = number_of(street, come_late(street))
    assert [late.number for late in street.do(named_late, OWNER, number[-4:])] == [number]
    assert street.do(named_late, OTHER_OWNER, number[-4:]) == street.do(named_late, OTHER_OWNER, number) == []
    street.do(refund_late, owner, number)
    assert street.do(named_late, OWNER, number[-4:]) == street.do(named_late, OWNER, "00000000") == []
    assert [late.state for late in street.do(named_late, OWNER, number)] == [LateState.REFUNDED]


def test_the_buyers_page_knows_that_the_seller_decides(street: Street) -> None:
    attempt = come_late(street)
    view = street.do(views.pay_page, attempt.checkout_id)
    assert views.undecided(view) == late_of(street, attempt)
    assert not views.is_over(view)
    street.do(refund_late, owner, number_of(street, attempt))
    view = street.do(views.pay_page, attempt.checkout_id)
    assert (views.undecided(view), views.is_over(view)) == (None, True)
    paid = street.paid()
    assert street.do(views.pay_page, paid.checkout_id).late is None


def test_an_own_server_hears_of_it_and_of_what_became_of_it(street: Street) -> None:
    hooks = Hooks(street)
    hooks.make()
    attempt = come_late(street)
    late = late_of(street, attempt)
    said = hooks.bodies()[-1]
    assert said["type"] == "late.money"
    assert (said["data"]["late"]["number"], said["data"]["late"]["amount"]["amount_minor"]) == (late.number, 250_000)
    assert said["data"]["late"]["link"].startswith("PL-") and said["data"]["late"]["decide_by"] == "2026-11-22T12:00:00Z"
    street.do(refund_late, owner, late.number)
    assert hooks.bodies()[-1]["data"]["payment"]["result"] == "money_late"
    street.do(accept_late, owner, number_of(street, come_late(street)))
    assert hooks.types()[2:] == ["late.money", "order.paid", "order.accepted"]


def test_the_owner_says_what_becomes_of_late_money_from_now_on(street: Street, ground: Ground) -> None:
    waiting = come_late(street)
    assert street.do(set_late_policy, owner, LatePolicy.REFUND).late_money is LatePolicy.REFUND
    assert late_of(street, waiting).state is LateState.WAITING
    attempt = street.ringing()
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    street.tell(street.success(attempt))
    assert street.refund_of(attempt.id).reason == "late"
    assert ground.trail(f"organization:{SHOP}")[-1] == f"late_policy_set by {owner.name}"
    ground.refuses(NotFound, set_late_policy, manager, LatePolicy.ACCEPT)
    ground.refuses(NotFound, set_late_policy, replace(owner, organization_id=None), LatePolicy.ACCEPT)
