"""Two at the desk at once, and a claim or a list beside them: money that is kept apart leaves once, a difference is written down once."""

from __future__ import annotations

from collections import Counter
from datetime import date

from domain.by_hand import Stray, StrayState, Told
from domain.payment import About, Outcome, Reply
from domain.ports import Unit
from domain.reconcile import Found, Kind, Window
from tests.factories import DAY, PRICE, admin
from tests.fakes import FakeGateway
from tests.races.arena import Arena, Failed, refusals
from tests.races.test_by_hand import confirmation
from usecases import suspense
from usecases.gateways import PLATFORM
from usecases.readings import begin_reading, keep_reading
from usecases.strays import record_return

RECEIPT = "SJK4H7L2QX"


def a_stray(arena: Arena) -> Stray:
    arena.unit(confirmation(Told(RECEIPT, PRICE, "600000", "nonsense", "678")))
    stray = arena.unit(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    assert stray is not None
    return stray


async def test_two_who_send_the_same_money_back_send_it_once(arena: Arena) -> None:
    stray, gateway = a_stray(arena), FakeGateway([Reply(Outcome.SUCCEEDED, "AG_1")] * 4)
    async with arena.opened() as store:
        begun = [lambda unit: suspense.begin_return(unit, admin, stray.id)] * 4
        answers = await arena.race(store, *begun)
        (call,) = [one for one in answers if not isinstance(one, Failed)]
        assert refusals(answers) == ["BadInput"] * 3
        assert call is not None
        await store.write(record_return, stray.id, await gateway.refund(call.refund, call.receipt, call.credentials, call.token))
    assert (len(gateway.refunded), arena.owed_minor("suspense")) == (1, 0)
    await arena.proved()


async def test_money_that_is_matched_and_given_back_at_once_does_one_of_both(arena: Arena) -> None:
    stray, checkout = a_stray(arena), arena.street.checkout()
    async with arena.opened() as store:
        contenders = [
            lambda unit: suspense.match(unit, admin, stray.id, checkout.number),
            lambda unit: suspense.returned_by_hand(unit, admin, stray.id, "SKL1"),
        ]
        answers = await arena.race(store, *contenders * 3)
    ended = arena.unit(lambda unit: suspense.read_stray(unit, stray.id)).state
    assert ended in {StrayState.MATCHED, StrayState.RETURNED}
    assert len(refusals(answers)) == 3
    assert arena.owed_minor("escrow") == (PRICE.amount_minor if ended is StrayState.MATCHED else 0)
    assert arena.owed_minor("suspense") == 0
    await arena.proved()


async def test_two_who_send_the_same_payment_back_send_it_once(arena: Arena) -> None:
    attempt = arena.street.ringing()
    arena.street.tell(arena.street.success(attempt, payee="999999"))
    async with arena.opened() as store:
        answers = await arena.race(store, *[lambda unit: suspense.give_back(unit, admin, attempt.id)] * 4)
    assert Counter(refusals(answers)).total() == 3
    assert (arena.count("refunds"), arena.owed_minor("suspense")) == (1, 0)
    await arena.proved()


async def test_two_who_read_the_same_day_write_a_difference_down_once(arena: Arena) -> None:
    now = arena.clock.now()
    window = Window(now - DAY, now + DAY)
    found = [Found(Kind.MISSING_HERE, About.PAYMENT, "there", now, PRICE, None, "there")]
    begun = arena.unit(lambda unit: begin_reading(unit, "daraja", PLATFORM, str(date(2026, 11, 21)), now, asked=True))
    assert begun is not None

    def keep(unit: Unit) -> int:
        return len(keep_reading(unit, begun, window, found, lambda _: True)[1])

    async with arena.opened() as store:
        assert await arena.race(store, *[keep] * 4) == [1] * 4
    assert arena.count("differences") == 1
    assert arena.count("audit", "action = 'books_differ'") == 1


async def test_two_who_begin_the_same_day_begin_it_once(arena: Arena) -> None:
    now = arena.clock.now()
    async with arena.opened() as store:
        answers = await arena.race(store, *[lambda unit: begin_reading(unit, "daraja", PLATFORM, "2026-11-20", now, asked=False)] * 4)
    assert [one is None for one in answers].count(False) == 1
