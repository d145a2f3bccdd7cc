"""What the statements themselves promise: guards, counters, claims, and every "once" as a unique constraint."""

from __future__ import annotations

import asyncio
import dataclasses
import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from domain import booking
from domain.errors import Stale
from domain.ids import InboxId, LinkId, OrderId, OrganizationId, OutboxId, PersonId
from domain.life import InboxState, OutboxState
from domain.money import Money
from domain.person import ChannelKind, Conversation
from domain.ports import Unit
from domain.records import Card, GatewaySettings, InboxEvent, OutboxMessage
from tests.storage import ground
from tests.storage.ground import MINUTE, NOON, LoadedDice, Store, count, message, opened, surroundings
from usecases.pacing import take_share

NOBODY_FIRST = (sqlite3.IntegrityError, psycopg.IntegrityError)


def event(number: int = 1, key: str = "e1", gateway: str = "daraja") -> InboxEvent:
    return InboxEvent(InboxId(number), gateway, key, "stk", b"{}", {}, "127.0.0.1", NOON, InboxState.STORED, act_at=NOON)


async def stock(store: Store, number: int = 2) -> int | None:
    return (await store.read(lambda unit: unit.links.get(LinkId(number)))).stock


async def test_stock_is_taken_while_there_is_enough_and_never_below_zero(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.links.add(ground.link(2, stock=3)))
    took = [await furnished.write(lambda unit: unit.links.take_stock(LinkId(2), 2)) for _ in range(2)]
    assert took == [True, False]
    assert await stock(furnished) == 1
    await furnished.write(lambda unit: unit.links.give_back_stock(LinkId(2), 2))
    assert await stock(furnished) == 3


async def test_a_link_without_a_limit_is_never_sold_out(furnished: Store) -> None:
    assert await furnished.write(lambda unit: unit.links.take_stock(LinkId(1), 1000))
    await furnished.write(lambda unit: unit.links.give_back_stock(LinkId(1), 1000))
    assert await stock(furnished, 1) is None


async def test_two_hundred_who_want_ten_pieces_get_ten(furnished: Store) -> None:
    """S3."""
    await furnished.write(lambda unit: unit.links.add(ground.link(2, stock=10)))
    took = await asyncio.gather(*(furnished.write(lambda unit: unit.links.take_stock(LinkId(2), 1)) for _ in range(200)))
    assert sum(took) == 10
    assert await stock(furnished) == 0


async def test_a_counter_counts_in_its_window_and_starts_again_in_the_next(store: Store) -> None:
    counted = [await store.write(lambda unit: unit.limits.count("code", "order:1", 60, NOON)) for _ in range(3)]
    assert counted == [1, 2, 3]
    assert await store.write(lambda unit: unit.limits.count("code", "order:2", 60, NOON)) == 1
    assert await store.write(lambda unit: unit.limits.count("code", "order:1", 60, NOON + MINUTE)) == 1
    assert await store.read(lambda unit: unit.limits.seen("code", "order:1", 60, NOON)) == 3
    assert await store.read(lambda unit: unit.limits.seen("code", "order:3", 60, NOON)) == 0


async def test_counters_of_many_at_once_lose_nobody(store: Store) -> None:
    counted = await asyncio.gather(*(store.write(lambda unit: unit.limits.count("try", "x", 60, NOON)) for _ in range(60)))
    assert sorted(counted) == list(range(1, 61))


async def to_different_people(store: Store, messages: list[OutboxMessage]) -> None:
    """Person 1 is there; the others are made."""

    def work(unit: Unit) -> None:
        for one in messages:
            if one.id > 1:
                unit.people.add(dataclasses.replace(ground.person(), id=PersonId(one.id)))
        unit.outbox.add([dataclasses.replace(one, person_id=PersonId(one.id)) for one in messages])

    await store.write(work)


async def test_one_claimer_at_a_time_talks_to_a_person_on_a_channel(furnished: Store) -> None:
    """T2: so their messages keep their order, and one process alone knows how many went into the chat; other channels are not held up."""
    await furnished.write(lambda unit: unit.outbox.add([message(1), message(2), dataclasses.replace(message(3), channel=ChannelKind.SMS)]))
    claim = [unit_claim(1, ChannelKind.TELEGRAM), unit_claim(5, ChannelKind.TELEGRAM), unit_claim(5, ChannelKind.SMS)]
    assert [await furnished.write(one) for one in claim] == [[1], [], [3]]
    sent = await furnished.read(lambda unit: unit.outbox.get(OutboxId(1)))
    await furnished.write(lambda unit: unit.outbox.save(dataclasses.replace(sent, state=OutboxState.SENT)))
    assert await furnished.write(claim[1]) == [2]


def unit_claim(most: int, channel: ChannelKind) -> Callable[[Unit], list[int]]:
    return lambda unit: [one.id for one in unit.outbox.claim(NOON, NOON + MINUTE, most, channel)]


async def test_an_id_of_a_provider_is_given_to_one_message_of_a_channel(furnished: Store) -> None:
    sms = dataclasses.replace(message(1), channel=ChannelKind.SMS, ref="ATPid_1")
    await furnished.write(lambda unit: unit.outbox.add([sms, dataclasses.replace(message(2), ref="ATPid_1")]))
    with pytest.raises(NOBODY_FIRST):
        await furnished.write(lambda unit: unit.outbox.add([dataclasses.replace(message(3), channel=ChannelKind.SMS, ref="ATPid_1")]))
    assert await furnished.read(lambda unit: unit.outbox.by_ref(ChannelKind.SMS, "ATPid_1")) == sms
    assert await furnished.read(lambda unit: unit.outbox.by_ref(ChannelKind.EMAIL, "ATPid_1")) is None


async def test_a_provider_is_silent_until_the_latest_that_was_said(furnished: Store) -> None:
    """O1: one row for all processes, and one for each provider."""

    async def hold(name: str, until: timedelta) -> datetime:
        return await furnished.write(lambda unit: unit.limits.hold_places(name, NOON + until))

    assert await hold("telegram", MINUTE) == NOON + MINUTE
    assert await asyncio.gather(*(hold("telegram", MINUTE / 2) for _ in range(5))) == [NOON + MINUTE] * 5
    assert await hold("telegram", MINUTE * 2) == NOON + MINUTE * 2
    assert await hold("sms", timedelta(0)) == NOON


async def test_a_limit_is_shared_out_once_to_all_who_ask_at_the_same_moment(furnished: Store) -> None:
    """T2: the row is held while it is read and written, so nobody is given what another one has."""
    took = await asyncio.gather(*(furnished.write(take_share, "telegram", 0, 30, 0, 30) for _ in range(8)))
    assert len({who for who, _, _ in took}) == 8
    kept = await furnished.read(lambda unit: unit.marks.get("pace:telegram"))
    assert kept is not None and len(kept) == 8
    assert sum(held["has"] for held in kept.values()) == 30


async def test_what_is_over_is_thrown_away_a_few_at_a_time_and_what_is_about_an_order_is_kept(engine_url: str, furnished: Store) -> None:
    told = [dataclasses.replace(message(number), state=OutboxState.SENT) for number in (1, 2, 3)]
    waits = message(4)
    late = dataclasses.replace(message(5), state=OutboxState.SKIPPED, created_at=NOON + MINUTE)
    sold = dataclasses.replace(message(6), state=OutboxState.SENT, order_id=OrderId(7))
    await furnished.write(lambda unit: unit.outbox.add([*told, waits, late, sold]))
    forgot = [await furnished.write(lambda unit: unit.outbox.forget(NOON + MINUTE, 2)) for _ in range(3)]
    assert forgot == [2, 1, 0]
    assert count(engine_url, "outbox WHERE id IN (4, 5, 6)") == 3


async def test_counters_of_windows_that_are_over_are_thrown_away(furnished: Store) -> None:
    for at in (NOON, NOON + MINUTE):
        await furnished.write(lambda unit, at: unit.limits.count("try", "x", 60, at), at)
    assert await furnished.write(lambda unit: unit.limits.forget(NOON + MINUTE, 10)) == 1
    assert await furnished.read(lambda unit: unit.limits.seen("try", "x", 60, NOON + MINUTE)) == 1


async def test_the_dead_of_one_error_are_due_again_and_those_of_another_are_not(furnished: Store) -> None:
    dead = [
        dataclasses.replace(message(number), state=OutboxState.DEAD, error=error, tries=15)
        for number, error in ((1, "a"), (2, "b"), (3, "a b"))
    ]
    await furnished.write(lambda unit: unit.outbox.add(dead))
    assert await furnished.write(lambda unit: unit.outbox.revive("a", NOON + MINUTE, 10)) == 1
    again = await furnished.read(lambda unit: unit.outbox.get(OutboxId(1)))
    assert (again.state, again.tries, again.act_at) == (OutboxState.WAITING, 0, NOON + MINUTE)
    assert await furnished.write(lambda unit: unit.outbox.revive("a", NOON, 10)) == 0
    assert [await furnished.write(lambda unit: unit.outbox.revive(None, NOON, 1)) for _ in range(3)] == [1, 1, 0]


async def test_the_most_urgent_and_then_the_oldest_messages_are_claimed_first(furnished: Store) -> None:
    waiting = [message(1, urgency=2), message(2), message(3, act_at=NOON - MINUTE), message(4, act_at=NOON + MINUTE)]
    await to_different_people(furnished, waiting)

    def claim(unit: Unit, most: int) -> list[int]:
        return [one.id for one in unit.outbox.claim(NOON, NOON + MINUTE, most, ChannelKind.TELEGRAM)]

    assert await furnished.write(claim, 1) == [3]
    assert await furnished.write(claim, 5) == [2, 1]
    assert await furnished.write(claim, 5) == []


async def test_a_claimed_message_is_due_again_when_its_time_is_over(furnished: Store) -> None:
    """K4: whoever claimed it may have died; the count of tries says that it happened."""
    await furnished.write(lambda unit: unit.outbox.add([message(1)]))
    first = (await furnished.write(lambda unit: unit.outbox.claim(NOON, NOON + MINUTE, 5, ChannelKind.TELEGRAM)))[0]
    again = await furnished.write(lambda unit: unit.outbox.claim(NOON + MINUTE, NOON + 2 * MINUTE, 5, ChannelKind.TELEGRAM))
    assert [(one.id, one.tries, one.state) for one in again] == [(1, 2, OutboxState.SENDING)]
    with pytest.raises(Stale):
        await furnished.write(lambda unit: unit.outbox.save(first))


async def test_a_message_that_was_sent_is_not_claimed_again(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.outbox.add([message(1)]))
    claimed = (await furnished.write(lambda unit: unit.outbox.claim(NOON, NOON + MINUTE, 5, ChannelKind.TELEGRAM)))[0]
    await furnished.write(lambda unit: unit.outbox.save(dataclasses.replace(claimed, state=OutboxState.SENT, sent_at=NOON)))
    assert (
        await furnished.write(lambda unit: unit.outbox.claim(NOON + timedelta(days=1), NOON + timedelta(days=2), 5, ChannelKind.TELEGRAM))
        == []
    )
    assert await furnished.read(lambda unit: unit.outbox.waiting()) == (0, None)


async def test_claimers_at_once_never_get_the_same_message(engine_url: str, furnished: Store) -> None:
    """S5: on PostgreSQL from three stores, as three processes would."""
    await to_different_people(furnished, [message(number) for number in range(1, 301)])
    got: list[int] = []

    async def work(store: Store) -> None:
        while batch := await store.write(lambda unit: unit.outbox.claim(NOON, NOON + MINUTE, 7, ChannelKind.TELEGRAM)):
            assert len(batch) <= 7
            got.extend(one.id for one in batch)

    if engine_url.startswith("sqlite"):
        await asyncio.gather(*(work(furnished) for _ in range(3)))
    else:
        async with opened(engine_url) as second, opened(engine_url) as third:
            await asyncio.gather(*(work(store) for store in (furnished, second, third)))
    assert sorted(got) == list(range(1, 301))


async def test_a_person_is_told_a_fact_once(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.outbox.add([message(1)]))
    await furnished.write(lambda unit: unit.outbox.add([dataclasses.replace(message(2), key="f1"), message(3)]))
    await furnished.write(lambda unit: unit.outbox.add([]))
    assert await furnished.read(lambda unit: unit.outbox.waiting()) == (2, NOON)


async def test_an_event_is_stored_once_however_often_it_comes(engine_url: str, store: Store) -> None:
    stored = await asyncio.gather(*(store.write(lambda unit, n: unit.inbox.add(event(n)), number) for number in range(1, 21)))
    assert sum(stored) == 1
    assert await store.write(lambda unit: unit.inbox.add(event(50, gateway="stripe")))
    assert count(engine_url, "inbox") == 2


async def test_an_event_whose_id_clashes_is_not_taken_for_one_that_came_before(store: Store) -> None:
    """Nothing says "known already" but the event's own key: a callback is never lost to the dice."""
    await store.write(lambda unit: unit.inbox.add(event(1, "e1")))
    with pytest.raises(NOBODY_FIRST):
        await store.write(lambda unit: unit.inbox.add(event(1, "e2")))


async def test_ids_that_clash_are_thrown_again(engine_url: str) -> None:
    """The unit is run again and gets another id."""
    async with opened(engine_url, surroundings(chance=LoadedDice([7, 7]))) as store:
        for key in ("e1", "e2"):
            assert await store.write(lambda unit, key: unit.inbox.add(event(unit.new_id(), key)), key)
    assert count(engine_url, "inbox") == 2


async def test_the_events_that_are_due_are_those_of_the_gateway_that_wait(store: Store) -> None:
    later = dataclasses.replace(event(2, "e2"), act_at=NOON + MINUTE)
    done = dataclasses.replace(event(3, "e3"), state=InboxState.APPLIED)
    for one in (event(1), later, done, event(4, "e4", "stripe")):
        await store.write(lambda unit, one: unit.inbox.add(one), one)
    due = await store.read(lambda unit: unit.inbox.due(["daraja", "stripe"], NOON, 10))
    assert [one.id for one in due] == [1, 4]
    assert len(await store.read(lambda unit: unit.inbox.due(["daraja", "stripe"], NOON, 1))) == 1


async def test_a_checkout_has_one_live_attempt(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.payments.add_attempt(ground.attempt(1)))
    with pytest.raises(NOBODY_FIRST):
        await furnished.write(lambda unit: unit.payments.add_attempt(ground.attempt(2)))
    await furnished.write(lambda unit: unit.payments.add_attempt(ground.attempt(3, live=False)))
    assert await furnished.read(lambda unit: [one.id for one in unit.payments.attempts(ground.checkout().id)]) == [1, 3]


async def test_a_checkout_is_paid_once(furnished: Store) -> None:
    """One success for each checkout, whatever the gateways say."""
    await furnished.write(lambda unit: unit.payments.add(dataclasses.replace(ground.payment(2), settled_at=NOON)))
    with pytest.raises(NOBODY_FIRST):
        await furnished.write(lambda unit: unit.payments.save(dataclasses.replace(ground.payment(1), settled_at=NOON)))


async def test_a_receipt_belongs_to_one_attempt(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.payments.add_attempt(ground.attempt(1, receipt="NLJ7RT61SV")))
    with pytest.raises(NOBODY_FIRST):
        await furnished.write(lambda unit: unit.payments.add_attempt(ground.attempt(2, live=False, receipt="NLJ7RT61SV")))
    found = await furnished.read(lambda unit: unit.payments.attempt_by_receipt("daraja", "NLJ7RT61SV"))
    assert found is not None
    assert found.id == 1


async def test_the_same_rows_must_exist_that_a_row_refers_to(store: Store) -> None:
    with pytest.raises(NOBODY_FIRST):
        await store.write(lambda unit: unit.links.add(ground.link()))


async def test_a_conversation_is_begun_once_and_answered_once(furnished: Store) -> None:
    begun = Conversation(PersonId(1), ChannelKind.TELEGRAM, "sell", "price", {"name": "Dress"}, {}, NOON)
    kept = await furnished.write(lambda unit: unit.conversations.put(begun))
    assert kept.version == 1
    with pytest.raises(Stale):
        await furnished.write(lambda unit: unit.conversations.put(begun))
    await furnished.write(lambda unit: unit.conversations.put(dataclasses.replace(kept, step="confirm")))
    with pytest.raises(Stale):
        await furnished.write(lambda unit: unit.conversations.put(dataclasses.replace(kept, step="photo")))
    found = await furnished.read(lambda unit: unit.conversations.get(PersonId(1), ChannelKind.TELEGRAM))
    assert found == dataclasses.replace(kept, step="confirm", version=2)


async def test_settings_marks_and_answers_are_kept(engine_url: str, store: Store) -> None:
    def put(unit: Unit, sealed: str) -> Any:
        unit.settings.put(GatewaySettings(OrganizationId(0), "daraja", sealed, None, NOON))
        unit.marks.put("clock", {"at": sealed})

    await store.write(put, "first")
    await store.write(put, "second")
    kept = await store.read(lambda unit: unit.settings.get(OrganizationId(0), "daraja"))
    assert kept is not None
    assert (kept.sealed, kept.version) == ("second", 1)
    assert await store.read(lambda unit: unit.marks.get("clock")) == {"at": "second"}
    assert await store.read(lambda unit: unit.marks.get("nothing")) is None
    assert count(engine_url, "gateway_settings") == 1


async def test_figures_of_a_link_count_visits_and_checkouts(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.links.count_visits({LinkId(1): 3}, 20_000))
    await furnished.write(lambda unit: unit.links.count_visits({LinkId(1): 4}, 20_001))
    await furnished.write(lambda unit: unit.links.count_visits({}, 20_001))
    figures = (await furnished.read(lambda unit: unit.links.figures([LinkId(1)])))[LinkId(1)]
    assert (figures.visits, figures.checkouts, figures.paid, figures.revenue_minor) == (7, 1, 0, 0)


async def test_what_is_searched_for_is_taken_as_it_is_typed(furnished: Store) -> None:
    named = dataclasses.replace(ground.link(2), name="100% cotton_shirt \\ O'Neill")
    await furnished.write(lambda unit: unit.links.add(named))
    for words, found in (("100%", [2]), ("n_s", [2]), ("O'NEILL", [2]), ("%", [2]), ("sneak", [1]), ("\\", [2]), ("pl-00001", [1])):
        assert await furnished.read(lambda unit, w: [one.id for one in unit.links.search(OrganizationId(1), w, 9)], words) == found


async def test_the_links_that_have_expired_are_found(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.links.add(dataclasses.replace(ground.link(2), expires_at=NOON)))
    assert await furnished.read(lambda unit: unit.links.expired(NOON - timedelta(microseconds=1), 9)) == []
    assert await furnished.read(lambda unit: unit.links.expired(NOON, 9)) == [2]


async def test_the_organization_of_a_balance_is_asked_for_by_its_wallet(furnished: Store) -> None:
    paid, fee = Money(250_000, "KES"), Money(6_250, "KES")
    await furnished.write(lambda unit: unit.books.book(booking.release(OrderId(5), OrganizationId(1), paid, fee)))
    assert await furnished.read(lambda unit: unit.books.balance("wallet:1")) == {"KES": -243_750}


async def test_a_message_of_an_unknown_id_is_not_found_and_a_card_is_put_twice(furnished: Store) -> None:
    await furnished.write(lambda unit: unit.outbox.add([message(1)]))
    assert (await furnished.read(lambda unit: unit.outbox.get(OutboxId(1)))).payload == {"n": 1}
    assert await furnished.read(lambda unit: unit.outbox.card(OrderId(1), PersonId(1), ChannelKind.TELEGRAM)) is None
    card = Card(OrderId(1), PersonId(1), ChannelKind.TELEGRAM, "m1", "face")
    with pytest.raises(NOBODY_FIRST):  # there is no such order
        await furnished.write(lambda unit: unit.outbox.put_card(card))
