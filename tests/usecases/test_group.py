"""N6, group pay: one link split among several payers; each pays their share, and the last one makes the order."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, CannotPay, NotForSale, NotFound, Stale
from domain.group import GROUP_LASTS
from domain.ids import PersonId
from domain.life import CheckoutState, EscrowState, OrderState, PaymentState
from domain.money import Money
from domain.payment import Method
from tests.factories import (
    ABILITIES,
    BUYER,
    HOUR,
    OTHER_OWNER,
    PRICE,
    STAFF,
    Street,
    buyer,
)
from tests.fakes import Ground
from tests.usecases.friends import Friends
from usecases.checkouts import cancel_checkout
from usecases.group import expire, group_view, start_group, take_share
from usecases.orders import cancel_order
from usecases.payments import NewAttempt, open_attempt
from usecases.shares import paid_for
from usecases.sweeps import due_checkouts

MINUTE = timedelta(minutes=1)
ANN, BEN, CAT = PersonId(41), PersonId(42), PersonId(43)
THIRDS = (83_400, 83_300, 83_300)


pytestmark = pytest.mark.usefixtures("every_promise_holds")


def test_a_group_reserves_the_goods_for_a_day_and_has_a_price_for_each_share(street: Street, friends: Friends, ground: Ground) -> None:
    link = street.link(stock=2)
    whole = friends.start(3, link)
    assert (whole.total, whole.shares, whole.is_group, whole.state) == (PRICE, 3, True, CheckoutState.OPEN)
    assert (whole.expires_at, street.link_now(link).stock) == (ground.clock.at + GROUP_LASTS, 1)
    view = friends.view(whole)
    assert (view.group.free, view.group.price(1), view.over, view.order, view.shop) == (3, Money(83_400, "KES"), False, None, "Mama Amina")
    assert [(offer.method, offer.why_not) for offer in view.offers] == [(Method.MPESA, None)]
    assert ground.books() == {}


def test_a_group_ends_with_its_link_at_the_latest(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2, street.link(expires_at=ground.clock.at + HOUR))
    assert whole.expires_at == ground.clock.at + HOUR


def test_a_form_sent_twice_starts_one_group(street: Street, friends: Friends, ground: Ground) -> None:
    link = street.link(stock=1)
    first = friends.start(2, link, key="form")
    with ground.unchanged():
        assert friends.start(2, link, key="form") == first


@pytest.mark.parametrize("shares", [0, 1, 21, -2])
def test_two_to_twenty_may_split(street: Street, ground: Ground, shares: int) -> None:
    new = street.new_checkout(street.link(), shares=shares)
    refusal = ground.refuses(BadInput, start_group, new, ABILITIES)
    assert (refusal.field, refusal.reason, refusal.facts["limit"]) == ("shares", "out_of_range", 20)


def test_what_the_seller_takes_at_their_own_short_code_is_not_split(street: Street, ground: Ground) -> None:
    """Nothing is held by us there, so nothing could go back by itself."""
    new = street.new_checkout(street.link(), shares=2)
    street.go_direct()
    refusal = ground.refuses(CannotPay, start_group, new, ABILITIES)
    assert refusal.facts == {"method": "mpesa", "reason": "not_shared"}


def test_a_shop_that_gets_its_own_short_code_meanwhile_takes_no_more_shares(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    friends.pay(whole)
    street.go_direct()
    refusal = ground.refuses(CannotPay, take_share, whole.id, friends.new(), ABILITIES)
    assert refusal.facts["reason"] == "not_shared"
    assert [offer.why_not for offer in friends.view(whole).offers] == ["not_shared"]


def test_shares_too_small_for_any_way_to_pay_are_refused(street: Street, ground: Ground) -> None:
    dear = {"daraja": replace(ABILITIES["daraja"], least_minor=100_000)}
    refusal = ground.refuses(CannotPay, start_group, street.new_checkout(street.link(), shares=3), dear)
    assert refusal.facts == {"method": "mpesa", "reason": "too_small"}


def test_each_share_that_is_paid_is_held_with_the_others(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(3)
    first = friends.pay(whole, person=STAFF)
    share = friends.now(first.checkout_id)
    assert (share.state, share.paid_by, share.total, share.order_id) == (CheckoutState.PAID, first.id, Money(83_400, "KES"), None)
    assert street.payment_now(first).state is PaymentState.SUCCEEDED
    assert (ground.balance("clearing:daraja"), ground.balance(f"shares:{whole.id}")) == (83_400, -83_400)
    assert friends.order(whole) is None
    view = friends.group(whole)
    assert (view.paid_shares, view.free, view.is_full) == (1, 2, False)
    assert friends.told(STAFF) == ["share_paid"] and friends.told(BUYER) == ["share_paid"]


def test_the_last_share_makes_the_order_and_all_of_it_moves_into_escrow(street: Street, friends: Friends, ground: Ground) -> None:
    link = street.link(stock=1)
    order, attempts = friends.full(link)
    assert (order.total, order.state, order.escrow, order.proved, order.buyer_id) == (PRICE, OrderState.PAID, EscrowState.HELD, True, BUYER)
    assert [attempt.money.amount_minor for attempt in attempts] == list(THIRDS)
    assert (ground.balance(f"escrow:{order.id}"), ground.balance(f"shares:{order.checkout_id}")) == (-250_000, 0)
    assert ground.balance("clearing:daraja") == 250_000
    assert [attempt.id for attempt in street.do(paid_for, order)] == [attempt.id for attempt in attempts]
    whole = friends.now(order.checkout_id)
    assert (whole.state, whole.order_id) == (CheckoutState.PAID, order.id)
    assert friends.told(BUYER)[-1] == "order_paid" and friends.told(OTHER_OWNER) == ["share_paid", "group_full"]
    assert friends.told(STAFF) == ["share_paid", "group_full", "order_paid"] or friends.told(STAFF).count("order_paid") == 1
    assert street.link_now(link).stock == 0
    assert friends.view(whole).over and friends.view(whole).offers == ()


def test_who_began_it_pays_a_share_too_and_hears_it_once(street: Street, friends: Friends) -> None:
    whole = friends.start(2)
    friends.pay(whole, person=BUYER)
    assert friends.told(BUYER) == ["share_paid"]
    friends.pay(whole, person=BUYER)
    assert friends.told(BUYER) == ["share_paid", "share_paid", "order_paid"]


def test_one_may_pay_more_shares_at_once(street: Street, friends: Friends) -> None:
    whole = friends.start(5)
    friends.pay(whole, 2)
    assert friends.ring(whole, 3).money == Money(150_000, "KES")
    assert friends.view(whole).offers == (), "nothing is free"


def test_one_who_pays_all_of_it_pays_like_anybody_else(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    attempt = friends.pay(whole, 2)
    order = friends.order(whole)
    assert order is not None
    street.do(cancel_order, buyer, order.number)
    assert friends.refund(attempt).cause == f"order:{order.id}"
    assert ground.balance(f"escrow:{order.id}") == 0


def test_a_share_form_sent_twice_rings_once(friends: Friends, ground: Ground) -> None:
    """O7: one live prompt for each share."""
    whole = friends.start(3)
    new = friends.new()
    first = ground.unit(take_share, whole.id, new, ABILITIES)
    with ground.unchanged():
        assert ground.unit(take_share, whole.id, new, ABILITIES) == first
        again = ground.unit(open_attempt, NewAttempt("other", first.checkout_id, Method.MPESA, None, "web"), ABILITIES)
    assert again == first


def test_a_failed_prompt_is_tried_again_for_the_same_share(street: Street, friends: Friends) -> None:
    whole = friends.start(2)
    attempt = friends.ring(whole)
    street.tell(street.failure(attempt))
    share = friends.now(attempt.checkout_id)
    assert share.state is CheckoutState.OPEN
    again = friends.sent(street.attempt(share))
    assert street.tell(friends.success(again)) == "paid"


def test_no_more_is_taken_than_there_is(friends: Friends, ground: Ground) -> None:
    whole = friends.start(3)
    friends.ring(whole, 2)
    refusal = ground.refuses(BadInput, take_share, whole.id, friends.new(2), ABILITIES)
    assert (refusal.field, refusal.reason, refusal.facts["limit"]) == ("shares", "not_so_many", 1)
    friends.ring(whole)
    assert ground.refuses(NotForSale, take_share, whole.id, friends.new(), ABILITIES).facts == {"reason": "all_taken"}


def test_two_who_race_for_the_last_share_do_not_both_get_it(friends: Friends, ground: Ground) -> None:
    """The whole is saved with each share: who comes second is refused, their unit runs again, and finds nothing free."""
    whole = friends.start(2)
    friends.pay(whole)

    def overtaken(unit: Any) -> None:
        stale = unit.checkouts.get(whole.id)
        unit.checkouts.save(stale)
        unit.checkouts.save(stale)
        unit.checkouts.get(whole.id)

    with pytest.raises(Stale):
        ground.unit(overtaken)
    friends.ring(whole)
    assert ground.refuses(NotForSale, take_share, whole.id, friends.new(), ABILITIES).facts == {"reason": "all_taken"}


@pytest.mark.parametrize("paid,reason", [(True, "paid"), (False, "expired")])
def test_what_is_over_takes_no_more_shares(friends: Friends, ground: Ground, paid: bool, reason: str) -> None:
    whole = friends.start(2)
    if paid:
        friends.pay(whole, 2)
    else:
        friends.street.later(GROUP_LASTS)
    assert ground.refuses(NotForSale, take_share, whole.id, friends.new(), ABILITIES).facts == {"reason": reason}


def test_the_whole_is_paid_by_its_shares_alone(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    alone = NewAttempt("alone", whole.id, Method.MPESA, None, "web")
    assert ground.refuses(NotForSale, open_attempt, alone, ABILITIES).facts == {"reason": "shared"}
    assert ground.refuses(NotFound, cancel_checkout, whole.id, buyer).facts == {"what": "checkout"}
    for work in (group_view, expire):
        ordinary = street.checkout()
        if work is group_view:
            assert ground.refuses(NotFound, work, ordinary.id).facts == {"what": "group"}
        else:
            assert ground.unit(work, ordinary.id) is False


def test_a_share_is_kept_for_half_an_hour_and_then_free_again(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    attempt = friends.ring(whole, 2)
    street.later(30 * MINUTE)
    assert ground.unit(due_checkouts, 10) == [attempt.checkout_id]
    assert ground.unit(expire, attempt.checkout_id) is True
    assert ("checkout", {"id": whole.id}) in ground.wakes
    assert friends.group(whole).free == 2
    late = friends.success(attempt)
    assert street.tell(late) == "paid", "nobody else has taken it"
    assert friends.order(whole) is not None


def test_late_money_for_a_share_that_somebody_else_took_goes_back(street: Street, friends: Friends, ground: Ground) -> None:
    """The race for the last share: one wins, the other's money goes back."""
    whole = friends.start(2)
    first = friends.pay(whole)
    slow = friends.ring(whole)
    street.later(31 * MINUTE)
    ground.unit(expire, slow.checkout_id)
    quick = friends.pay(whole)
    order = friends.order(whole)
    assert order is not None and street.do(paid_for, order) == [first, quick]
    assert street.tell(friends.success(slow)) == "suspense"
    assert (friends.refund(slow).reason, friends.refund(slow).money) == ("late", slow.money)


def test_a_share_paid_twice_goes_back_once(street: Street, friends: Friends) -> None:
    whole = friends.start(2)
    first = friends.ring(whole)
    street.tell(street.failure(first))
    again = friends.sent(street.attempt(friends.now(first.checkout_id)))
    assert street.tell(friends.success(again)) == "paid"
    assert street.tell(friends.success(first)) == "suspense"
    assert (friends.refund(first).reason, friends.refund(first).money) == ("double", first.money)


@pytest.mark.parametrize("off,settled,reason", [(-100, "suspense", "short"), (100, "paid", "surplus")])
def test_only_the_price_of_a_share_counts(street: Street, friends: Friends, off: int, settled: str, reason: str) -> None:
    """C13: part payments are summed; what is short or beyond goes back."""
    whole = friends.start(2)
    attempt = friends.ring(whole)
    assert street.tell(friends.success(attempt, money=Money(attempt.money.amount_minor + off, "KES"))) == settled
    assert friends.refund(attempt).reason == reason
