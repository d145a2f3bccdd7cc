"""Late money that waits for the seller: asked, decided once, given back by the clock, and never lost whatever comes in between."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.by_hand import StrayState
from domain.errors import IllegalTransition, NotForSale, Stale
from domain.late import DECIDE_WITHIN, Late, LateId, LatePolicy, LateState
from domain.life import CheckoutState, EscrowState, LinkState, OrderState, PaymentState
from domain.link import Link
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt
from domain.person import ChannelKind
from domain.ports import Unit
from tests.factories import (
    BUYER,
    DAY,
    MANAGER,
    OWNER,
    PRICE,
    SECOND,
    SHOP,
    STAFF,
    Street,
    admin,
    buyer,
    manager,
    owner,
    staff,
)
from tests.fakes import Ground
from tests.usecases.test_by_hand import attempt_with, tell, told
from usecases import late as room
from usecases.by_hand import match_stray
from usecases.checkouts import cancel_checkout, expire_checkout
from usecases.escrow import accept_late
from usecases.late import late_view, refund_late, the_late
from usecases.links import set_link_state
from usecases.orders import confirm_delivery
from usecases.settlement import Settled

SUSPENDED = {"clearing:daraja": 250_000, "suspense": -250_000}
GOING_BACK = {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}
HELD = {"clearing:daraja": 250_000, "escrow": -250_000}


@pytest.fixture(autouse=True)
def ask(street: Street) -> None:
    street.settings(late_money=LatePolicy.ASK)


def come_late(street: Street, link: Link | None = None, **changes: Any) -> Attempt:
    """A prompt that is paid after the buyer went away."""
    attempt = street.ringing(street.checkout(link, **changes))
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    assert street.tell(street.success(attempt, money=attempt.money)) == "suspense"
    return attempt


def late_of(street: Street, attempt: Attempt) -> Late:
    found = street.do(lambda unit: unit.late.of_attempt(attempt.id))
    assert found is not None
    return found  # type: ignore[no-any-return]


def number_of(street: Street, attempt: Attempt) -> str:
    return late_of(street, attempt).number


# --- asked -----------------------------------------------------------------------------------------------------------


def test_late_money_waits_in_suspense_and_everybody_is_told(street: Street, ground: Ground) -> None:
    """N2, C4."""
    attempt = come_late(street)
    late = late_of(street, attempt)
    assert (late.state, late.money, late.decide_by - late.created_at) == (LateState.WAITING, PRICE, DECIDE_WITHIN)
    assert ground.books() == SUSPENDED
    assert ground.told() == [f"late_money>{OWNER}", f"late_money>{MANAGER}", f"late_money>{STAFF}", f"late_waits>{BUYER}"]
    assert street.refunds(attempt.id) == []
    assert street.no_order(attempt)
    assert street.checkout_now(attempt).state is CheckoutState.CANCELLED
    assert street.payment_now(attempt).state is PaymentState.FAILED
    assert ground.alerts() == []


def test_the_same_success_again_asks_nobody_twice(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    before = ground.told()
    street.tell(street.success(attempt))
    assert ground.told() == before
    assert ground.rows("SELECT count(*) FROM late_money") == [(1,)]


@pytest.mark.parametrize("why", ["policy", "a day and a second", "switched off", "sold out"])
def test_what_cannot_become_an_order_goes_back_at_once(street: Street, ground: Ground, why: str) -> None:
    link = street.link(stock=1)
    attempt = street.ringing(street.checkout(link))
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    if why == "policy":
        street.settings(late_money=LatePolicy.REFUND)
    elif why == "sold out":
        street.checkout(link)
    elif why == "switched off":
        street.do(set_link_state, owner, link.code, LinkState.INACTIVE)
    else:
        street.later(DAY + SECOND)
    assert street.tell(street.success(attempt)) == "suspense"
    assert street.refund_of(attempt.id).reason == "late"
    assert ground.rows("SELECT count(*) FROM late_money") == [(0,)]


def test_a_shop_that_takes_late_money_at_once_is_asked_nothing(street: Street, ground: Ground) -> None:
    street.settings(late_money=LatePolicy.ACCEPT)
    attempt = street.ringing()
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    assert street.tell(street.success(attempt)) == "paid"
    assert ground.rows("SELECT count(*) FROM late_money") == [(0,)]


def test_more_of_it_for_the_same_checkout_is_a_double_while_the_first_waits(street: Street, ground: Ground) -> None:
    """C13"""
    checkout = street.checkout()
    street.do(cancel_checkout, checkout.id, buyer)
    tell(street, told(checkout))
    tell(street, told(checkout, receipt="SJK4H7L2QY"))
    second = attempt_with(street, "SJK4H7L2QY")
    assert second is not None
    assert street.refund_of(second.id).reason == "double"
    first = attempt_with(street)
    assert first is not None
    assert late_of(street, first).state is LateState.WAITING


def test_one_waits_for_a_checkout_and_no_other_whoever_writes_first(street: Street) -> None:
    """The database itself refuses a second row that waits for one checkout, and a second one of one attempt."""
    late = late_of(street, come_late(street))
    other = replace(late, id=LateId(late.id + 1), number="11111111")
    with pytest.raises(Exception, match="UNIQUE"):
        street.do(lambda unit: unit.late.add(other))


def test_money_kept_apart_that_is_matched_to_an_ended_checkout_waits_for_the_seller(street: Street, ground: Ground) -> None:
    """C14"""
    checkout = street.checkout()
    street.do(cancel_checkout, checkout.id, buyer)
    tell(street, told(account="nonsense"))
    (stray,) = street.do(lambda unit: unit.by_hand.strays_waiting(10))
    assert street.do(lambda unit: match_stray(unit, stray, unit.checkouts.get(checkout.id))) is Settled.SUSPENSE
    attempt = attempt_with(street)
    assert attempt is not None
    assert street.do(lambda unit: unit.by_hand.stray("daraja", "SJK4H7L2QX")).state is StrayState.MATCHED
    assert ground.books() == SUSPENDED
    order = street.do(accept_late, owner, number_of(street, attempt))
    assert (order.proved, order.total) == (True, PRICE)
    assert ground.books() == HELD


# --- accepted --------------------------------------------------------------------------------------------------------


def test_accepting_makes_the_order_takes_the_goods_and_holds_the_money(street: Street, ground: Ground) -> None:
    link = street.link(stock=2)
    attempt = come_late(street, link)
    number = number_of(street, attempt)
    assert street.link_now(link).stock == 2
    order: Order = street.do(accept_late, staff, number)
    assert (order.number, order.state, order.escrow, order.attempt_id) == (number, OrderState.ACCEPTED, EscrowState.HELD, attempt.id)
    assert street.link_now(link).stock == 1
    assert street.checkout_now(attempt).reserved == 1
    assert street.checkout_now(attempt).state is CheckoutState.PAID
    assert street.payment_now(attempt).state is PaymentState.SUCCEEDED
    assert ground.books() == HELD
    late = late_of(street, attempt)
    assert (late.state, late.ended_by, late.ended_at) == (LateState.ACCEPTED, staff.name, ground.clock.at)
    assert [fact for fact in ground.told() if fact.endswith(f">{BUYER}")] == [
        f"late_waits>{BUYER}", f"order_paid>{BUYER}", f"order_accepted>{BUYER}",
    ]  # fmt: skip
    assert ground.trail(f"sale:{attempt.checkout_id}")[-3:] == [
        f"late_accepted by {staff.name}", f"order_paid by {staff.name}", f"order_accepted by {staff.name}",
    ]  # fmt: skip


def test_it_goes_on_like_every_order(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    order = street.do(accept_late, owner, number_of(street, attempt))
    street.prove(attempt.id)
    street.do(confirm_delivery, buyer, order.number)
    assert street.order(order.id).escrow is EscrowState.RELEASED


def test_accepting_twice_is_one_order(street: Street, ground: Ground) -> None:
    """Two members press at once; the second one sees what the first one did."""
    attempt = come_late(street, street.link(stock=1))
    number = number_of(street, attempt)
    order = street.do(accept_late, owner, number)
    with ground.unchanged():
        assert street.do(accept_late, manager, number) == order
    assert ground.refuses(IllegalTransition, refund_late, owner, number).facts["life"] == "late"


def test_a_decision_on_what_was_read_before_another_is_refused(street: Street) -> None:
    """The seller accepts while the clock gives it back: whoever writes second starts again from reading."""
    number = number_of(street, come_late(street))
    read: Late = street.do(the_late, owner, number)
    street.do(refund_late, owner, number)
    with pytest.raises(Stale):
        street.do(lambda unit: room.end_late(unit, read, LateState.ACCEPTED, owner))


def test_goods_that_are_gone_meanwhile_are_not_sold_twice(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    attempt = come_late(street, link)
    other = street.checkout(link)
    number = number_of(street, attempt)
    assert ground.refuses(NotForSale, accept_late, owner, number).facts == {"reason": "late_gone"}
    assert street.do(late_view, owner, number).gone
    street.do(cancel_checkout, other.id, buyer)
    assert not street.do(late_view, owner, number).gone
    assert street.do(accept_late, owner, number).state is OrderState.ACCEPTED


def test_less_in_stock_than_was_paid_for_is_not_sold(street: Street, ground: Ground) -> None:
    link = street.link(stock=3)
    attempt = come_late(street, link, quantity=2)
    street.checkout(link, quantity=2)
    number = number_of(street, attempt)
    assert street.do(late_view, owner, number).gone
    ground.refuses(NotForSale, accept_late, owner, number)
    assert street.link_now(link).stock == 1


def test_a_link_that_was_switched_off_meanwhile_sells_nothing(street: Street, ground: Ground) -> None:
    link = street.link()
    number = number_of(street, come_late(street, link))
    street.do(set_link_state, owner, link.code, LinkState.INACTIVE)
    ground.refuses(NotForSale, accept_late, owner, number)
    assert street.do(late_view, owner, number).gone
    street.do(set_link_state, owner, link.code, LinkState.ACTIVE)
    street.do(accept_late, owner, number)
    assert street.link_now(link).state is LinkState.ACTIVE


def test_a_number_that_an_order_has_by_now_is_not_taken_from_it(street: Street, ground: Ground) -> None:
    attempt = come_late(street)
    number = number_of(street, attempt)
    order = street.paid()
    ground.connection.execute("UPDATE orders SET number = ? WHERE id = ?", (number, order.id))
    made = street.do(accept_late, owner, number)
    assert made.number != number
    assert street.do(late_view, owner, number).order_number == made.number


def test_what_was_paid_too_much_goes_back_when_the_rest_is_taken(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    street.tell(street.success(attempt, money=Money(250_100, "KES")))
    assert late_of(street, attempt).money == Money(250_100, "KES")
    order = street.do(accept_late, owner, number_of(street, attempt))
    assert order.total == PRICE
    assert (street.refund_of(attempt.id).reason, street.refund_of(attempt.id).money) == ("surplus", Money(100, "KES"))


def test_digital_goods_are_handed_over_when_they_are_accepted(street: Street) -> None:
    attempt = come_late(street, street.digital_link())
    street.prove(attempt.id)
    assert street.do(accept_late, owner, number_of(street, attempt)).state is OrderState.COMPLETED


def test_money_at_the_shops_own_short_code_is_taken_as_a_memo(street: Street, ground: Ground) -> None:
    street.go_direct()
    attempt = come_late(street)
    assert ground.books() == {f"direct_clearing:{SHOP}.daraja": 250_000, "suspense": -250_000}
    order = street.do(accept_late, owner, number_of(street, attempt))
    assert order.escrow is None
    assert ground.books() == {f"direct_clearing:{SHOP}.daraja": 250_000, "direct_sales": -250_000}


def test_the_desk_can_decide_too(street: Street, ground: Ground) -> None:
    first, second = come_late(street), come_late(street)
    assert street.do(accept_late, admin, number_of(street, first)).state is OrderState.PAID
    street.do(refund_late, admin, number_of(street, second))
    assert late_of(street, second).ended_by == admin.name


def test_a_checkout_that_ran_out_is_late_too(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.later(timedelta(minutes=31))
    street.do(expire_checkout, attempt.checkout_id)
    street.tell(street.success(attempt))
    street.do(accept_late, owner, number_of(street, attempt))
    assert street.checkout_now(attempt).state is CheckoutState.PAID


def test_whoever_wants_no_news_hears_of_money_all_the_same(street: Street, ground: Ground) -> None:
    def no_news(unit: Unit) -> None:
        person = unit.people.get(OWNER)
        unit.people.save(replace(person, wants=replace(person.wants, news=False)))

    street.do(no_news)
    come_late(street)
    found = ground.rows("SELECT state, channel FROM outbox WHERE fact = 'late_money' AND person_id = ?", OWNER)
    assert found == [("WAITING", str(ChannelKind.TELEGRAM))]
