"""News that wait together are written together: to one another they are like news of two processes, and nothing is counted twice or lost."""

from __future__ import annotations

import random
from dataclasses import replace

from domain.phone import Phone
from tests.races.arena import Arena
from tests.races.test_callbacks import arrives, counts
from tests.storage.ground import in_one_batch
from usecases.settlement import Received


async def test_sixty_sales_in_one_batch_are_as_sixty_one_after_the_other(arena: Arena) -> None:
    first = arena.street.ringing()
    attempts = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+2547120{number:05}"))) for number in range(60)]
    async with arena.opened(1, batch=60) as store:
        before = counts(arena)
        assert await store.write(arrives(first, arena.street.success(first))) is Received.APPLIED
        single = {table: now - before[table] for table, now in counts(arena).items()}
        before = counts(arena)
        answers = await in_one_batch(store, *(arrives(attempt, arena.street.success(attempt)) for attempt in attempts))
        assert answers == [Received.APPLIED] * 60
    assert {table: now - before[table] for table, now in counts(arena).items()} == {table: 60 * more for table, more in single.items()}
    assert arena.owed_minor("escrow") == 61 * 250_000
    await arena.proved()


async def test_the_same_news_many_times_in_one_batch_has_one_effect(arena: Arena) -> None:
    """C1."""
    attempt = arena.street.ringing()
    async with arena.opened(1, batch=60) as store:
        answers = await in_one_batch(store, *[arrives(attempt, arena.street.success(attempt))] * 20)
    assert sorted(answers, key=str) == [Received.APPLIED] + [Received.REPEATED] * 19
    assert (arena.count("orders"), arena.count("inbox"), arena.owed_minor("escrow")) == (1, 1, 250_000)
    await arena.proved()


async def test_two_tries_of_one_checkout_that_are_both_paid_in_one_batch_make_one_order_and_one_refund(arena: Arena) -> None:
    """Promise 3. Both see the checkout unpaid, for it is asked for ahead: the batch cannot be written, and the second sees the first."""
    checkout = arena.street.checkout()
    first = arena.street.ringing(checkout)
    arena.street.tell(arena.street.failure(first))
    second = arena.street.ringing(checkout)
    others = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+2547120{number:05}"))) for number in range(4)]
    async with arena.opened(1, batch=60) as store:
        news = [arrives(attempt, arena.street.success(attempt)) for attempt in (first, *others, second)]
        assert await in_one_batch(store, *news) == [Received.APPLIED] * 6
    assert arena.count("orders") == 5
    assert arena.rows("SELECT reason, amount_minor FROM refunds") == [("double", 250_000)]
    assert (arena.owed_minor("escrow"), arena.owed_minor("refunds_in_transit")) == (5 * 250_000, 250_000)
    await arena.proved()


async def test_one_receipt_for_two_tries_in_one_batch_counts_once(arena: Arena) -> None:
    """C7. The other is kept for a person."""
    attempts = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+2547120{number:05}"))) for number in range(2)]
    news = [replace(arena.street.success(attempt), receipt="ONCE") for attempt in attempts]
    async with arena.opened(1, batch=60) as store:
        answers = await in_one_batch(store, *(arrives(attempt, notice) for attempt, notice in zip(attempts, news, strict=True)))
    assert sorted(answers) == [Received.APPLIED, Received.PARKED]
    assert (arena.count("orders"), arena.owed_minor("escrow")) == (1, 250_000)
    await arena.proved()


async def test_news_of_every_kind_in_batches_and_in_many_lanes_end_in_the_same_books(arena: Arena) -> None:
    """Successes, failures and repeats of forty checkouts, shuffled (seeded), in batches of eight."""
    shuffled = random.Random(7)
    attempts = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+2547120{number:05}"))) for number in range(40)]
    news = [
        arrives(attempt, tell(attempt)) for attempt in attempts for tell in (arena.street.success, arena.street.failure) for _ in range(3)
    ]
    shuffled.shuffle(news)
    async with arena.opened(4, batch=8) as store:
        answers = await arena.all(store, *news)
    assert all(isinstance(answer, Received) for answer in answers), answers
    assert arena.count("orders") == 40
    assert arena.owed_minor("escrow") == 40 * 250_000
    await arena.proved()
