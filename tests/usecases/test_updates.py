"""What people say is written down before it is confirmed, handled once, tried again, and parked in the end."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from domain.life import InboxState, OutboxState
from domain.person import ChannelKind, Conversation
from tests.factories import BUYER, SECOND, Street
from tests.fakes import Ground
from usecases.outbox import claim_messages
from usecases.updates import end_update, finish_update, promise_screen, screen_delivered, store_updates, waiting_update

TELEGRAM = ChannelKind.TELEGRAM
UPDATES: list[dict[str, Any]] = [{"update_id": 1, "message": {"text": "Habari"}}, {"update_id": 2}]


def state(ground: Ground, key: str) -> tuple[InboxState, int, datetime | None, str]:
    event, _ = ground.unit(waiting_update, "telegram", key)
    assert event is not None
    return event.state, event.tries, event.act_at, event.error


def test_updates_are_stored_once_and_due_again_if_nobody_finishes_them(street: Street, ground: Ground) -> None:
    assert ground.unit(store_updates, "telegram", UPDATES) == ["1", "2"]
    with ground.unchanged():
        assert ground.unit(store_updates, "telegram", UPDATES) == []
    assert state(ground, "1") == (InboxState.STORED, 0, ground.clock.at + 60 * SECOND, "")
    assert ground.rows("SELECT raw FROM inbox WHERE event_key = '1'") == [(b'{"update_id":1,"message":{"text":"Habari"}}',)]


def test_an_update_that_became_a_turn_is_finished(street: Street, ground: Ground) -> None:
    ground.unit(store_updates, "telegram", UPDATES)
    event, waits = ground.unit(waiting_update, "telegram", "1")
    assert waits
    ground.unit(finish_update, event)
    assert state(ground, "1")[0] is InboxState.APPLIED
    with ground.unchanged():
        ground.unit(end_update, "telegram", "1", "late")
        ground.unit(end_update, "telegram", "unknown")
        ground.unit(finish_update, None)
    assert ground.unit(waiting_update, "telegram", "unknown") == (None, True)


def test_an_update_that_fails_is_tried_again_and_parked_after_five_times(street: Street, ground: Ground) -> None:
    ground.unit(store_updates, "telegram", UPDATES)
    for tries in range(1, 5):
        ground.unit(end_update, "telegram", "1", "KeyError")
        assert state(ground, "1") == (InboxState.STORED, tries, ground.clock.at + tries * 60 * SECOND, "KeyError")
    ground.unit(end_update, "telegram", "1", "KeyError")
    assert state(ground, "1") == (InboxState.PARKED, 5, None, "KeyError")
    ground.unit(end_update, "telegram", "2")
    assert state(ground, "2")[0] is InboxState.IGNORED


def test_a_screen_that_was_delivered_is_not_sent_again(street: Street, ground: Ground) -> None:
    place = Conversation(BUYER, TELEGRAM, "home", "", {}, {"text": "Karibu"}, ground.clock.at)
    ground.unit(lambda unit: unit.conversations.put(place))
    promised = ground.unit(promise_screen, BUYER, TELEGRAM, 1, "u1")
    assert ground.unit(claim_messages, 10, ChannelKind.TELEGRAM) == []
    ground.unit(screen_delivered, promised, BUYER, TELEGRAM, 1, "m7")
    assert ground.unit(lambda unit: unit.outbox.get(promised)).state is OutboxState.SENT
    shown = ground.unit(lambda unit: unit.conversations.get(BUYER, TELEGRAM))
    assert shown is not None
    assert shown.shown == {"text": "Karibu", "ref": "m7"}
    with ground.unchanged():
        ground.unit(screen_delivered, promised, BUYER, TELEGRAM, 2, "m8")
        ground.unit(screen_delivered, None, BUYER, TELEGRAM, 1, None)


def test_a_screen_nobody_delivered_is_sent_by_the_worker(street: Street, ground: Ground) -> None:
    promised = ground.unit(promise_screen, BUYER, TELEGRAM, 1, "u1")
    street.later(20 * SECOND)
    assert [message.id for message in ground.unit(claim_messages, 10, ChannelKind.TELEGRAM)] == [promised]
