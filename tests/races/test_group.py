"""N6 in races: several payers for the last share, the last two shares at the same instant, a payment against the end of the time."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.errors import NotForSale
from domain.group import GROUP_LASTS
from domain.money import Money
from domain.payment import Attempt, Method, Notice, Outcome, Reply
from domain.phone import Phone
from domain.ports import Unit
from tests.factories import ABILITIES, buyer
from tests.races.arena import Arena, Failed
from usecases.group import NewShare, cancel_group, expire, group_of, start_group, take_share
from usecases.payments import begin_attempt, record_reply
from usecases.settlement import apply_notice

MINUTE = timedelta(minutes=1)


def begun(arena: Arena, shares: int) -> Any:
    return arena.unit(start_group, arena.street.new_checkout(arena.street.link(), shares=shares), ABILITIES).id


def share(number: int) -> NewShare:
    return NewShare(f"share{number}", 1, f"Friend {number}", Method.MPESA, Phone(f"+2547330{number:05}"), "en", "web")


def ringing(arena: Arena, whole: Any, number: int) -> Attempt:
    attempt: Attempt = arena.unit(take_share, whole, share(number), ABILITIES)
    assert arena.unit(begin_attempt, attempt.id) is not None
    return arena.unit(record_reply, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))


def held(arena: Arena, whole: Any) -> int:
    return int(arena.rows(f"SELECT coalesce(-sum(amount_minor), 0) FROM postings WHERE account = 'shares:{whole}'")[0][0])


async def test_of_many_payers_for_the_last_share_one_gets_it_and_the_others_are_asked_for_nothing(arena: Arena) -> None:
    whole = begun(arena, 2)
    arena.unit(take_share, whole, share(1), ABILITIES)
    async with arena.opened(8) as store:
        answers = await arena.race(store, *((lambda unit, n=n: take_share(unit, whole, share(n), ABILITIES)) for n in range(2, 10)))
    lost = [one for one in answers if isinstance(one, Failed)]
    assert len(lost) == 7 and all(isinstance(one.error, NotForSale) and one.error.facts == {"reason": "all_taken"} for one in lost)
    assert arena.count("attempts", "checkout_id <> 0") == 2


async def test_the_last_shares_paid_at_the_same_instant_make_one_order(arena: Arena) -> None:
    for _ in range(4):
        whole = begun(arena, 3)
        number = arena.count("checkouts", "id <> 0") * 10
        attempts = [ringing(arena, whole, number + n) for n in range(3)]
        notices = [arena.street.success(attempt, money=attempt.money) for attempt in attempts]
        async with arena.opened(8) as store:
            answers = await arena.race(store, *((lambda unit, one=one: apply_notice(unit, one)) for one in notices * 2))
        assert not [one for one in answers if isinstance(one, Failed)]
        assert arena.count("orders", f"checkout_id = {whole}") == 1 and held(arena, whole) == 0
        arena.street.later(MINUTE)


async def test_a_payment_against_the_end_of_the_time_is_in_the_order_or_goes_back(arena: Arena) -> None:
    ends = set()
    for turn in range(6):
        whole = begun(arena, 2)
        number = 1000 + 10 * turn
        first = ringing(arena, whole, number)
        arena.unit(apply_notice, arena.street.success(first, money=first.money))
        arena.street.later(GROUP_LASTS - 5 * MINUTE)
        last = ringing(arena, whole, number + 1)
        notice = arena.street.success(last, money=last.money)

        def ends_it(unit: Unit, whole: Any = whole, by_clock: bool = bool(turn % 2)) -> Any:
            return expire(unit, whole) if by_clock else cancel_group(unit, whole, buyer)

        def pays(unit: Unit, notice: Notice = notice) -> Any:
            return apply_notice(unit, notice)

        if turn % 2:
            arena.street.later(10 * MINUTE)
        async with arena.opened(8) as store:
            await arena.race(store, pays, ends_it)
        group = arena.unit(group_of, whole)
        orders, refunds = arena.count("orders", f"checkout_id = {whole}"), arena.count("refunds", f"attempt_id IN ({first.id}, {last.id})")
        assert (orders, refunds) in {(1, 0), (0, 2)}, (group.whole.state, orders, refunds)
        assert held(arena, whole) == 0 and first.money + last.money == Money(250_000, "KES")
        ends.add(orders)
    assert ends
