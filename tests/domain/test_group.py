"""Shares: equal but for the last coin, adding up whatever is taken and let go."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import BadInput
from domain.group import Group, check_shares, parts_of, step_of
from domain.ids import CheckoutId, LinkId, OrganizationId
from domain.life import CheckoutState
from domain.money import Money
from domain.payment import Checkout
from tests.domain.samples import START

WHOLE = Checkout(
    CheckoutId(1), "TEMP-1", OrganizationId(1), LinkId(1), None, 1, Money(250_000, "KES"), CheckoutState.OPEN, None, "Amina", "", "", "en",
    "web", START, START, "k", shares=3,
)  # fmt: skip


def whole(minor: int, shares: int, currency: str = "KES") -> Checkout:
    return replace(WHOLE, total=Money(minor, currency), shares=shares)


def share(group: Group, count: int, state: CheckoutState = CheckoutState.OPEN, number: int = 2) -> Checkout:
    return replace(
        group.whole, id=CheckoutId(number), total=group.price(count), shares=count, group_id=group.whole.id, state=state, key=str(number)
    )


@pytest.mark.parametrize(
    "money,step",
    [
        (Money(250_000, "KES"), 100),
        (Money(250_050, "KES"), 1),
        (Money(250_000, "TZS"), 100),
        (Money(250_000, "USD"), 1),
        (Money(7, "UGX"), 1),
    ],
)
def test_the_smallest_part_is_what_people_can_pay(money: Money, step: int) -> None:
    assert step_of(money) == step


def test_the_first_shares_are_one_shilling_larger() -> None:
    group = Group(whole(250_000, 3), ())
    assert [group.price(count).amount_minor for count in (1, 2, 3)] == [83_400, 166_700, 250_000]
    assert (group.free, group.paid_shares, group.is_full, group.paid_money) == (3, 0, False, Money(0, "KES"))
    first = share(group, 1, CheckoutState.PAID)
    after = Group(group.whole, [first])
    assert (after.price(1), after.free, after.paid_money) == (Money(83_300, "KES"), 2, Money(83_400, "KES"))


def test_a_share_that_was_let_go_can_be_had_again_for_the_same_money() -> None:
    group = Group(whole(250_000, 3), ())
    first = share(group, 1)
    gone = replace(first, state=CheckoutState.EXPIRED)
    assert Group(group.whole, [gone]).fits(gone)
    second = share(Group(group.whole, [gone]), 1, number=3)
    assert second.total == first.total
    assert not Group(group.whole, [gone, second]).fits(gone), "the larger one is somebody else's now"
    plain = replace(share(Group(group.whole, [first]), 1, number=4), state=CheckoutState.EXPIRED)
    assert Group(group.whole, [second, plain]).fits(plain)
    rest = share(Group(group.whole, [second, plain]), 2, number=5)
    assert not Group(group.whole, [second, plain, rest]).fits(plain)


@pytest.mark.parametrize("count", [-1, 0, 4])
def test_only_free_shares_have_a_price(count: int) -> None:
    with pytest.raises(BadInput) as refused:
        Group(whole(250_000, 3), ()).price(count)
    assert refused.value.facts == {"field": "shares", "reason": "not_so_many", "limit": 3}


@pytest.mark.parametrize("minor,shares,most", [(250_000, 1, 20), (250_000, 21, 20), (300, 4, 3), (100, 2, 1)])
def test_what_cannot_be_split_so_is_refused(minor: int, shares: int, most: int) -> None:
    with pytest.raises(BadInput) as refused:
        check_shares(Money(minor, "KES"), shares)
    assert refused.value.facts == {"field": "shares", "reason": "out_of_range", "least": 2, "limit": most}


@pytest.mark.parametrize("minor,shares", [(250_000, 2), (250_000, 20), (200, 2)])
def test_two_to_twenty_may_share(minor: int, shares: int) -> None:
    check_shares(Money(minor, "KES"), shares)


@settings(deadline=None)
@given(st.integers(20, 10**9), st.integers(2, 20), st.sampled_from(["KES", "USD", "KWD", "UGX"]), st.data())
def test_whatever_is_taken_and_let_go_the_shares_add_up(minor: int, shares: int, currency: str, data: st.DataObject) -> None:
    group = Group(whole(minor * 100, shares, currency), [])
    for number in range(2, 40):
        if not group.free:
            break
        taken = share(group, data.draw(st.integers(1, group.free)), number=number)
        assert taken.total.amount_minor % step_of(group.whole.total) == 0
        kept = data.draw(st.booleans()) or number > 30
        state = CheckoutState.PAID if kept else CheckoutState.EXPIRED
        group = Group(group.whole, [*group.taken, replace(taken, state=state)])
    while group.free:
        group = Group(group.whole, [*group.taken, share(group, 1, CheckoutState.PAID, len(group.taken) + 100)])
    assert group.paid_money == group.whole.total and group.is_full


@settings(deadline=None)
@given(st.lists(st.integers(1, 10**7), min_size=1, max_size=12), st.booleans(), st.data())
def test_parts_go_back_in_proportion_and_never_more_than_was_paid(paid: list[int], whole_shillings: bool, data: st.DataObject) -> None:
    weights = [Money(minor * (100 if whole_shillings else 1), "KES") for minor in paid]
    total = sum(weight.amount_minor for weight in weights)
    back = Money(data.draw(st.integers(0, total)), "KES")
    parts = parts_of(back, weights)
    assert sum(part.amount_minor for part in parts) == back.amount_minor
    assert all(0 <= part.amount_minor <= weight.amount_minor for part, weight in zip(parts, weights, strict=True))
    if back.is_whole and whole_shillings:
        assert all(part.is_whole for part in parts)


def test_a_whole_refund_gives_each_what_they_paid() -> None:
    weights = [Money(83_400, "KES"), Money(83_300, "KES"), Money(83_300, "KES")]
    assert parts_of(Money(250_000, "KES"), weights) == weights
    assert parts_of(Money(100_000, "KES"), weights) == [Money(33_400, "KES"), Money(33_300, "KES"), Money(33_300, "KES")]
