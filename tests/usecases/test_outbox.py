"""Messages: claimed for a while, sent, put off, or given up with an alert that is never lost in itself."""

from __future__ import annotations

import pytest

from domain.errors import NotFound
from domain.ids import OutboxId
from domain.life import OutboxState
from domain.person import ChannelKind
from domain.ports import Delivery, Sent
from domain.records import OutboxMessage
from tests.factories import ADMIN, BUYER, OWNER, SECOND, Street, admin, owner
from tests.fakes import Ground
from usecases.outbox import claim_messages, record_sent, retry_dead
from usecases.tell import tell_person


def tell(ground: Ground, fact: str = "payment_failed", key: str = "k") -> None:
    ground.unit(tell_person, BUYER, fact, key, result="no")


def claim(ground: Ground) -> OutboxMessage:
    (message,) = ground.unit(claim_messages, 10, ChannelKind.TELEGRAM)
    return message


def now(ground: Ground, message: OutboxMessage) -> OutboxMessage:
    return ground.unit(lambda unit: unit.outbox.get(message.id))


def test_a_message_is_claimed_for_a_minute_and_sent_once(street: Street, ground: Ground) -> None:
    tell(ground)
    message = claim(ground)
    assert (message.state, message.tries, message.act_at) == (OutboxState.SENDING, 1, ground.clock.at + 60 * SECOND)
    assert ground.unit(claim_messages, 10, ChannelKind.TELEGRAM) == []
    assert ground.unit(record_sent, message.id, Sent(Delivery.SENT, "m1")) is OutboxState.SENT
    sent = now(ground, message)
    assert (sent.state, sent.sent_at, sent.error) == (OutboxState.SENT, ground.clock.at, "")
    with ground.unchanged():
        assert ground.unit(record_sent, message.id, Sent(Delivery.GONE)) is OutboxState.SENT


def test_a_message_whose_sender_died_is_claimed_again(street: Street, ground: Ground) -> None:
    tell(ground)
    first = claim(ground)
    street.later(60 * SECOND)
    assert (claim(ground).id, now(ground, first).tries) == (first.id, 2)


def test_the_most_urgent_goes_first_and_no_more_than_asked(street: Street, ground: Ground) -> None:
    ground.unit(tell_person, OWNER, "order_accepted", "news")
    tell(ground, "payment_failed", "money")
    assert [message.fact for message in ground.unit(claim_messages, 1, ChannelKind.TELEGRAM)] == ["payment_failed"]
    assert [message.fact for message in ground.unit(claim_messages, 10, ChannelKind.TELEGRAM)] == ["order_accepted"]


def test_whoever_cannot_be_reached_is_not_written_to_any_more(street: Street, ground: Ground) -> None:
    tell(ground)
    message = claim(ground)
    assert ground.unit(record_sent, message.id, Sent(Delivery.GONE)) is OutboxState.SKIPPED
    assert now(ground, message).error == "gone"
    tell(ground, key="another")
    assert ground.unit(claim_messages, 10, ChannelKind.TELEGRAM) == []
    assert ground.alerts() == []


@pytest.mark.parametrize(
    "sent,wait_s,error",
    [
        (Sent(Delivery.LATER, retry_after_s=37), 37, "LATER"),
        (Sent(Delivery.LATER), 1, "LATER"),
        (Sent(Delivery.UNKNOWN, error="timeout"), 2, "unknown"),
        (Sent(Delivery.UNKNOWN, retry_after_s=5), 5, "unknown"),
    ],
)
def test_what_was_not_taken_comes_again_after_as_long_as_was_said(
    street: Street, ground: Ground, sent: Sent, wait_s: int, error: str
) -> None:
    tell(ground)
    message = claim(ground)
    assert ground.unit(record_sent, message.id, sent) is OutboxState.WAITING
    put_off = now(ground, message)
    assert (put_off.act_at, put_off.error, put_off.sent_at) == (ground.clock.at + wait_s * SECOND, error, None)


def test_an_unknown_end_is_tried_later_and_later_and_then_given_up_with_an_alert(street: Street, ground: Ground) -> None:
    tell(ground)
    waits = []
    for _ in range(14):
        message = claim(ground)
        assert ground.unit(record_sent, message.id, Sent(Delivery.UNKNOWN)) is OutboxState.WAITING
        wait = now(ground, message).act_at - ground.clock.at
        waits.append(int(wait.total_seconds()))
        street.later(wait)
    assert waits == [2, 10, 30, 120, 600, 1_800, *[3_600] * 8]
    message = claim(ground)
    assert ground.unit(record_sent, message.id, Sent(Delivery.UNKNOWN)) is OutboxState.DEAD
    assert (ground.alerts(), ground.told()) == (["message_dead"], [f"payment_failed>{BUYER}", f"alert>{ADMIN}"])


def test_what_the_provider_refuses_is_given_up_at_once(street: Street, ground: Ground) -> None:
    tell(ground)
    message = claim(ground)
    assert ground.unit(record_sent, message.id, Sent(Delivery.REFUSED, error="bad markup")) is OutboxState.DEAD
    assert now(ground, message).error == "bad markup"


def test_an_alert_that_dies_does_not_alert_of_itself(street: Street, ground: Ground) -> None:
    ground.unit(tell_person, ADMIN, "alert", "k")
    ground.unit(record_sent, claim(ground).id, Sent(Delivery.REFUSED))
    assert ground.alerts() == []


def test_an_admin_sends_a_dead_message_again_and_hears_if_it_dies_again(street: Street, ground: Ground) -> None:
    tell(ground)
    message = claim(ground)
    ground.refuses(NotFound, retry_dead, admin, message.id)
    ground.unit(record_sent, message.id, Sent(Delivery.REFUSED))
    ground.refuses(NotFound, retry_dead, owner, message.id)
    ground.refuses(NotFound, retry_dead, admin, OutboxId(1))
    ground.unit(record_sent, claim(ground).id, Sent(Delivery.SENT))
    again = ground.unit(retry_dead, admin, message.id)
    assert (again.state, again.tries, again.act_at) == (OutboxState.WAITING, 0, ground.clock.at)
    street.later(3_600 * SECOND)
    ground.unit(record_sent, claim(ground).id, Sent(Delivery.REFUSED))
    assert ground.told().count(f"alert>{ADMIN}") == 2
