"""Each number of Health over both engines: nothing where nothing is, what is there where something is, and never a walk through a whole table."""

from __future__ import annotations

import dataclasses
from datetime import datetime
from typing import Any

import pytest

from domain import booking
from domain.health import Health
from domain.ids import AttemptId, InboxId, OrderId, OrganizationId
from domain.ledger import AccountKind, LedgerAccount, transfer
from domain.life import AttemptState, InboxState, OutboxState
from domain.money import Money
from domain.payment import About
from domain.person import ChannelKind
from domain.ports import Unit
from domain.reconcile import Difference, DifferenceId, DifferenceState, Kind
from domain.records import InboxEvent
from storage import health
from storage.statements import SQLITE, Sql
from tests.storage.ground import MINUTE, NOON, Store, attempt, message, raw
from usecases.health import measure

NOTHING = Health(NOON, None, None, 0, {}, 0, {}, {})
KES_50 = Money(5_000, "KES")
SHOP = OrganizationId(1)


async def taken(store: Store) -> Health:
    return await store.read(measure)


async def test_a_new_house_has_nothing_that_waits(furnished: Store) -> None:
    assert await taken(furnished) == NOTHING


@pytest.mark.parametrize("state", list(AttemptState))
async def test_the_oldest_payment_is_one_that_is_being_sent_or_was_and_no_other(furnished: Store, state: AttemptState) -> None:
    unknown = state in {AttemptState.SENDING, AttemptState.PENDING}
    live = unknown or state is AttemptState.CREATED

    def work(unit: Unit) -> None:
        unit.payments.add_attempt(dataclasses.replace(attempt(1, live=live), state=state, created_at=NOON - 3 * MINUTE))
        unit.payments.add_attempt(dataclasses.replace(attempt(2, live=False), state=AttemptState.FAILED, created_at=NOON - 9 * MINUTE))

    await furnished.write(work)
    assert (await taken(furnished)).attempt_since == (NOON - 3 * MINUTE if unknown else None)


def event(number: int, state: InboxState, received_at: datetime) -> InboxEvent:
    act_at = NOON + MINUTE if state is InboxState.STORED else None
    return InboxEvent(InboxId(number), "daraja", f"e{number}", "stk", b"{}", {}, "127.0.0.1", received_at, state, act_at=act_at)


async def test_events_grow_old_until_they_are_applied_and_are_counted_when_parked(store: Store) -> None:
    over = (InboxState.APPLIED, InboxState.IGNORED)
    await store.write(lambda unit: [unit.inbox.add(event(n, state, NOON - 9 * MINUTE)) for n, state in enumerate(over)])
    assert await taken(store) == NOTHING
    await store.write(lambda unit: [unit.inbox.add(event(10 + n, InboxState.STORED, NOON - n * MINUTE)) for n in range(3)])
    assert await taken(store) == dataclasses.replace(NOTHING, event_since=NOON - 2 * MINUTE)
    await store.write(lambda unit: [unit.inbox.add(event(20 + n, InboxState.PARKED, NOON - 5 * MINUTE)) for n in range(4)])
    assert await taken(store) == dataclasses.replace(NOTHING, event_since=NOON - 2 * MINUTE, events_parked=4)


async def test_a_message_waits_from_when_it_is_due_on_its_own_channel(furnished: Store) -> None:
    """What was held back for the morning is as old in the morning as what was made then."""
    for_the_morning = dataclasses.replace(message(1, act_at=NOON + MINUTE), created_at=NOON - 600 * MINUTE)
    in_the_morning = dataclasses.replace(message(2, act_at=NOON), created_at=NOON - 600 * MINUTE)
    told = dataclasses.replace(message(3, act_at=NOON - 9 * MINUTE), state=OutboxState.SENT)
    being_told = dataclasses.replace(message(4, act_at=NOON + MINUTE), state=OutboxState.SENDING)
    await furnished.write(lambda unit: unit.outbox.add([for_the_morning, told, being_told]))
    assert await taken(furnished) == NOTHING
    by_sms = dataclasses.replace(message(5, act_at=NOON - 2 * MINUTE), channel=ChannelKind.SMS)
    later = dataclasses.replace(message(6, act_at=NOON - MINUTE), channel=ChannelKind.SMS)
    await furnished.write(lambda unit: unit.outbox.add([in_the_morning, by_sms, later]))
    assert (await taken(furnished)).message_since == {ChannelKind.TELEGRAM: NOON, ChannelKind.SMS: NOON - 2 * MINUTE}


async def test_a_message_that_a_worker_took_and_never_brought_back_waits_again(furnished: Store) -> None:
    left = dataclasses.replace(message(1, act_at=NOON - MINUTE), state=OutboxState.SENDING)
    await furnished.write(lambda unit: unit.outbox.add([left]))
    assert (await taken(furnished)).message_since == {ChannelKind.TELEGRAM: NOON - MINUTE}


async def test_dead_messages_are_counted_and_do_not_wait(furnished: Store) -> None:
    dead = [dataclasses.replace(message(n, act_at=NOON - MINUTE), state=OutboxState.DEAD) for n in range(1, 4)]
    await furnished.write(lambda unit: unit.outbox.add(dead))
    assert await taken(furnished) == dataclasses.replace(NOTHING, messages_dead=3)


async def test_suspense_is_the_sum_of_the_books_in_each_currency(furnished: Store) -> None:
    daraja = booking.clearing("daraja")

    def come(unit: Unit) -> None:
        unit.books.book(booking.capture(AttemptId(9), OrderId(9), SHOP, "daraja", KES_50))
        unit.books.book(booking.unexpected(AttemptId(1), SHOP, daraja, KES_50))
        unit.books.book(booking.stray(2, daraja, Money(700, "KES"), None))
        unit.books.book(booking.unexpected(AttemptId(3), SHOP, daraja, Money(300, "USD")))

    def go(unit: Unit) -> None:
        away = LedgerAccount(AccountKind.REFUNDS_IN_TRANSIT, "1")
        unit.books.book(transfer("refund_asked", "refund:1:0", booking.suspense(AttemptId(1)), away, KES_50, SHOP))
        unit.books.book(booking.stray_returned(2, daraja, Money(700, "KES"), None))

    await furnished.write(come)
    assert await taken(furnished) == dataclasses.replace(NOTHING, suspense_minor={"KES": 5_700, "USD": 300})
    await furnished.write(go)
    assert (await taken(furnished)).suspense_minor == {"KES": 0, "USD": 300}


def difference(number: int, gateway: str, state: DifferenceState) -> Difference:
    return Difference(
        DifferenceId(number), gateway, OrganizationId(0), About.PAYMENT, Kind.AMOUNT, f"k{number}", None, None, 1, "KES", 2, "KES", NOON, state, NOON
    )  # fmt: skip


async def test_open_differences_are_counted_by_gateway(furnished: Store) -> None:
    def work(unit: Unit, *found: Difference) -> None:
        for one in found:
            unit.reconciled.add(one)

    ended = difference(1, "daraja", DifferenceState.SETTLED), difference(2, "stripe", DifferenceState.GONE)
    await furnished.write(work, *ended)
    assert await taken(furnished) == NOTHING
    opened = (difference(number, gateway, DifferenceState.OPEN) for number, gateway in ((3, "daraja"), (4, "stripe"), (5, "stripe")))
    await furnished.write(work, *opened)
    assert (await taken(furnished)).differences == {"daraja": 1, "stripe": 2}


STATEMENTS: dict[str, tuple[Sql, dict[str, Any]]] = {
    "uq_attempts_one_live": (health.ATTEMPT, {}),
    "ix_inbox_todo": (health.EVENT, {}),
    "ix_inbox_parked": (health.PARKED, {}),
    "ix_outbox_unsent": (health.MESSAGE, {"now": 1}),
    "ix_outbox_dead": (health.DEAD, {}),
    "ix_postings_suspense": (health.SUSPENSE, {}),
    "ix_differences_open": (health.DIFFERENCES, {}),
}
"""By the index that holds only what is not over."""


@pytest.mark.parametrize("index", STATEMENTS)
def test_no_number_is_found_by_walking_through_a_table(engine_url: str, index: str) -> None:
    """PostgreSQL walks through a table as small as these whatever indexes there are, unless it is told not to."""
    sql, params = STATEMENTS[index]
    with raw(engine_url) as session:
        if session.dialect == SQLITE:
            explain = "EXPLAIN QUERY PLAN"
        else:
            session.plain("SET enable_seqscan = off")
            explain = "EXPLAIN"
        plan = session.connection.execute(f"{explain} {sql.text(session.dialect)}", params).fetchall()
    assert any(index in str(step) for step in plan), plan
