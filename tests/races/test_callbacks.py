"""C1, C3, O7: the same news many times, contradicting news, and many taps, all at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from domain.payment import Attempt, Method, Notice, Outcome, Reply
from domain.phone import Phone
from domain.ports import Unit, expecting
from domain.records import RawEvent
from tests.factories import ABILITIES
from tests.races.arena import Arena, refusals
from usecases.payments import NewAttempt, begin_attempt, open_attempt, record_reply
from usecases.settlement import Received, receive

TABLES = ("attempts", "payments", "checkouts", "orders", "entries", "postings", "outbox", "inbox", "audit", "wallets")


def arrives(attempt: Attempt, notice: Notice, key: str = "") -> Callable[[Unit], Received]:
    """The callback as the web door hands it over, with what it says it is going to ask for."""
    raw = f"body of {key or notice.event_key}".encode()
    event = RawEvent("daraja", "stk", raw, "10.0.0.1", {"attempt_id": attempt.id})
    given = (event, key or notice.event_key, notice)

    @expecting(lambda: receive.expected(*given))  # type: ignore[attr-defined]
    def unit(unit: Unit) -> Received:
        return receive(unit, *given)

    return unit


def counts(arena: Arena) -> dict[str, int]:
    return {table: arena.count(table) for table in TABLES}


async def test_a_callback_that_comes_a_hundred_times_and_fifty_times_at_once_has_one_effect(arena: Arena) -> None:
    """C1. One effect, every call answered, and everything as after a single callback."""
    first, second = arena.street.ringing(), arena.street.ringing()
    async with arena.opened() as store:
        before = counts(arena)
        assert await store.write(arrives(first, arena.street.success(first))) is Received.APPLIED
        single = {table: now - before[table] for table, now in counts(arena).items()}
        for _ in range(99):
            assert await store.write(arrives(first, arena.street.success(first))) is Received.REPEATED
        before = counts(arena)
        answers = await arena.race(store, *[arrives(second, arena.street.success(second))] * 50)
        assert sorted(answers, key=str) == [Received.APPLIED] + [Received.REPEATED] * 49
        assert {table: now - before[table] for table, now in counts(arena).items()} == single
    assert arena.owed_minor("escrow") == 500_000
    await arena.proved()


async def test_three_different_successes_at_once_make_one_order(arena: Arena) -> None:
    """C1, C7. A second receipt for a try that was paid is no second payment: it is kept for a person."""
    attempt = arena.street.ringing()
    told = [replace(arena.street.success(attempt), receipt=f"RCPT{number}", event_key=f"news:{number}") for number in range(3)]
    async with arena.opened() as store:
        answers = await arena.race(store, *(arrives(attempt, notice) for notice in told))
    assert refusals(answers) == []
    assert answers.count(Received.APPLIED) >= 1
    assert arena.count("orders") == 1
    assert arena.count("entries", "kind = 'capture'") == 1
    assert arena.owed_minor("escrow") == 250_000
    await arena.proved()


async def test_success_and_failure_at_once_end_paid_whichever_is_first(arena: Arena) -> None:
    """C3. A success wins over a failure in every order of arrival."""
    for number in range(5):
        attempt = arena.street.ringing(arena.street.checkout(phone=Phone(f"+25471200000{number}")))
        async with arena.opened(8) as store:
            answers = await arena.race(
                store, arrives(attempt, arena.street.failure(attempt)), arrives(attempt, arena.street.success(attempt))
            )
        assert refusals(answers) == []
        assert str(arena.street.attempt_now(attempt.id).state) == "SUCCEEDED"
        assert str(arena.street.order_of(attempt).escrow) == "HELD"
    await arena.proved()


async def test_two_prompts_that_are_both_paid_at_once_make_one_order_and_one_refund(arena: Arena) -> None:
    """C1, promise 3. The second success of a checkout goes back by itself."""
    checkout = arena.street.checkout()
    first = arena.street.ringing(checkout)
    arena.street.tell(arena.street.failure(first))
    second = arena.street.ringing(checkout)
    async with arena.opened(8) as store:
        answers = await arena.race(store, arrives(first, arena.street.success(first)), arrives(second, arena.street.success(second)))
    assert answers == [Received.APPLIED, Received.APPLIED]
    assert arena.count("orders") == 1
    assert arena.rows("SELECT reason, amount_minor FROM refunds") == [("double", 250_000)]
    assert (arena.owed_minor("escrow"), arena.owed_minor("refunds_in_transit"), arena.owed_minor("suspense")) == (250_000, 250_000, 0)
    await arena.proved()


async def test_five_taps_on_two_devices_ring_one_phone_once(arena: Arena) -> None:
    """O7. One live prompt for a checkout, and every tap is answered with it."""
    checkout = arena.street.checkout()

    def tap(number: int) -> Callable[[Unit], Any]:
        new = NewAttempt(f"device{number % 2}:tap{number}", checkout.id, Method.MPESA, None, "web")
        return lambda unit: open_attempt(unit, new, ABILITIES).id

    def send(attempt_id: Any) -> Callable[[Unit], Any]:
        return lambda unit: begin_attempt(unit, attempt_id)

    async with arena.opened() as store:
        taps = await arena.race(store, *(tap(number) for number in range(10)))
        assert len(set(taps)) == 1, taps
        sent = await arena.race(store, *(send(taps[0]) for _ in range(10)))
        asks = [one for one in sent if one is not None]
        assert len(asks) == 1
        await store.write(record_reply, asks[0].attempt_id, Reply(Outcome.PENDING, "ws_1"))  # type: ignore[union-attr]
    assert arena.count("attempts") == 1
    await arena.proved()
