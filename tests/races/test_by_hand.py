"""C1, C2, C3: the same money told as a prompt's result and as a confirmation by hand, at the same instant; and many claims of one receipt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

from domain.by_hand import Told
from domain.payment import Checkout
from domain.phone import Phone
from domain.ports import Unit
from domain.records import RawEvent
from tests.factories import PRICE
from tests.races.arena import Arena
from tests.races.test_callbacks import arrives
from usecases.by_hand import CONFIRMED, INBOX, apply_again, event_key, receive_told
from usecases.claims import Claim, claim
from usecases.gateways import PLATFORM
from usecases.settlement import Received
from usecases.sweeps import due_events


def confirmation(said: Told) -> Callable[[Unit], Received]:
    """As the web door hands it over."""

    def unit(given: Unit) -> Received:
        raw = f"{said.receipt} {said.account}".encode()
        event = RawEvent(INBOX, CONFIRMED, raw, "10.0.0.1", {"owner": PLATFORM})
        return receive_told(given, event, event_key(CONFIRMED, PLATFORM, raw, said), PLATFORM, said)

    return unit


def told(checkout: Checkout, receipt: str) -> Told:
    return Told(receipt, PRICE, "600000", checkout.number, "678")


async def test_a_prompts_result_and_its_confirmation_at_the_same_instant_count_once(arena: Arena) -> None:
    attempts = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+25471234{n:04}"))) for n in range(5)]
    async with arena.opened() as store:
        for n, attempt in enumerate(attempts):
            code = await store.read(
                lambda unit, checkout_id: unit.links.get(unit.checkouts.get(checkout_id).link_id).code, attempt.checkout_id
            )
            receipt = f"SJK4H7L2Q{n}"
            said = Told(receipt, PRICE, "600000", code, f"{n:03}")
            result = arrives(attempt, arena.street.success(attempt, receipt=receipt), receipt)
            answers = await arena.race(store, *[result, confirmation(said)] * 4)
            assert {answer for answer in answers if isinstance(answer, Received)} == set(answers)
            arena.clock.move(timedelta(minutes=3))
            for event in await store.read(due_events, (INBOX,), 10):
                await store.write(apply_again, event, said)
        assert await store.read(due_events, (INBOX,), 10) == []
    assert arena.owed_minor("escrow") == 250_000 * len(attempts)
    assert arena.owed_minor("suspense") == 0
    await arena.proved()


async def test_the_same_money_by_hand_told_by_confirmation_and_list_at_once_counts_once(arena: Arena) -> None:
    """C1"""
    checkout = arena.street.checkout()
    said = told(checkout, "SJK4H7L2QX")
    other = replace(said, money=said.money.times(2))
    async with arena.opened() as store:
        answers = await arena.race(store, *[confirmation(said), confirmation(other)] * 10)
        assert sorted(str(answer) for answer in answers) == ["applied"] * 2 + ["repeated"] * 18
    assert arena.count("orders") == 1
    assert arena.owed_minor("escrow") == 250_000
    await arena.proved()


async def test_money_that_names_nothing_is_kept_apart_once(arena: Arena) -> None:
    """C1, C14"""
    said = replace(told(arena.street.checkout(), "SJK4H7L2QX"), account="nonsense")
    async with arena.opened() as store:
        await arena.race(store, *[confirmation(replace(said, money=said.money.times(n))) for n in range(1, 9)])
    assert arena.count("strays") == 1
    await arena.proved()


async def test_one_receipt_claimed_many_times_at_once_is_one_question(arena: Arena) -> None:
    checkout = arena.street.checkout()

    def unit(given: Unit) -> int:
        return claim(given, Claim(checkout.id, "SJK4H7L2QX", "web")).id

    async with arena.opened() as store:
        answers = await arena.race(store, *[unit] * 6)
        assert len({str(answer) for answer in answers}) == 1
    assert arena.count("lookups") == 1
