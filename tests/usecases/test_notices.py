"""Preferences at work: who is told which way and when; the dead of one cause; the pace that processes share; what is thrown away."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import NotFound
from domain.life import OutboxState
from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Delivery, Sent
from tests.factories import ADMIN, BUYER, OWNER, SECOND, Street, admin, owner
from tests.fakes import Ground
from usecases import pacing
from usecases.outbox import claim_messages, prune, prune_limits, record_sent, retry_dead_of
from usecases.people import set_wants
from usecases.tell import UNWANTED, tell_person

HOUR = 3_600 * SECOND
TELEGRAM, SMS = ChannelKind.TELEGRAM, ChannelKind.SMS


def rows(ground: Ground, fact: str) -> list[tuple[str, str, str]]:
    return [
        (a, b, c) for a, b, c in ground.rows("SELECT channel, state, error FROM outbox WHERE fact = ? AND person_id = ?", fact, int(BUYER))
    ]


def test_a_wish_for_sms_is_kept_while_sms_works(street: Street, ground: Ground) -> None:
    ground.unit(lambda unit: unit.people.add_channel(Channel(SMS, "+254722000001", BUYER, ChannelState.ACTIVE, unit.now)))
    ground.unit(set_wants, BUYER, channel=SMS)
    ground.unit(tell_person, BUYER, "payment_failed", "k")
    assert rows(ground, "payment_failed") == [("sms", "WAITING", "")]


def test_news_that_nobody_wants_are_written_down_and_left_out(street: Street, ground: Ground) -> None:
    ground.unit(set_wants, BUYER, news=False)
    ground.unit(tell_person, BUYER, "order_accepted", "k")
    ground.unit(tell_person, BUYER, "order_shipped", "k")
    assert rows(ground, "order_accepted") == [("telegram", "SKIPPED", UNWANTED)]
    assert rows(ground, "order_shipped") == [("telegram", "WAITING", "")]
    assert [one.fact for one in ground.unit(claim_messages, 10, TELEGRAM)] == ["order_shipped"]


def test_quiet_hours_hold_back_work_and_never_money(street: Street, ground: Ground) -> None:
    """The ground's noon is 15:00 in Nairobi."""
    ground.unit(set_wants, BUYER, quiet_from_min=14 * 60, quiet_to_min=16 * 60)
    for fact in ("order_shipped", "payment_failed"):
        ground.unit(tell_person, BUYER, fact, "k")
    assert [one.fact for one in ground.unit(claim_messages, 10, TELEGRAM)] == ["payment_failed"]
    street.later(HOUR)
    assert [one.fact for one in ground.unit(claim_messages, 10, TELEGRAM)][-1:] == ["order_shipped"]


def test_ten_thousand_that_die_of_one_cause_are_one_alert_an_hour(street: Street, ground: Ground) -> None:
    """T2: what differs between two errors is only a number; another cause, and another hour, is told."""
    for number in range(6):
        ground.unit(tell_person, BUYER, "payment_failed", str(number))
    for number, message in enumerate(ground.unit(claim_messages, 6, TELEGRAM)):
        if number == 5:
            street.later(HOUR)
        error = "not a letter" if number == 4 else f"template {number} is bad"
        ground.unit(record_sent, message.id, Sent(Delivery.REFUSED, error=error))
    assert ground.alerts() == ["message_dead"] * 3
    assert ground.told().count(f"alert>{ADMIN}") == 3


def test_more_causes_than_anybody_reads_are_not_all_told(street: Street, ground: Ground) -> None:
    for number in range(25):
        ground.unit(tell_person, BUYER, "payment_failed", str(number))
    for number, message in enumerate(ground.unit(claim_messages, 25, TELEGRAM)):
        ground.unit(record_sent, message.id, Sent(Delivery.REFUSED, error="x" * (number + 1)))
    assert len(ground.alerts()) == 20


def test_all_that_died_of_a_cause_are_sent_again(street: Street, ground: Ground) -> None:
    for number in range(3):
        ground.unit(tell_person, BUYER, "payment_failed", str(number))
    for number, message in enumerate(ground.unit(claim_messages, 3, TELEGRAM)):
        ground.unit(record_sent, message.id, Sent(Delivery.REFUSED, error="b" if number else "a"))
    ground.refuses(NotFound, retry_dead_of, owner, None, 10)
    assert [ground.unit(retry_dead_of, admin, "b", 1) for _ in range(3)] == [1, 1, 0]
    assert ground.unit(retry_dead_of, admin, None, 10) == 1
    assert ground.rows("SELECT count(*) FROM outbox WHERE state = 'DEAD'") == [(0,)]


@pytest.mark.parametrize("later", [Sent(Delivery.LATER, retry_after_s=30, error="pace"), Sent(Delivery.LATER, retry_after_s=30)])
def test_waiting_for_ones_turn_is_no_try_and_ends_after_days(street: Street, ground: Ground, later: Sent) -> None:
    """O1: a provider that is busy for an hour loses nothing; after three days a person looks."""
    ground.unit(tell_person, BUYER, "payment_failed", "k")
    for _ in range(40):
        (message,) = ground.unit(claim_messages, 10, TELEGRAM)
        assert ground.unit(record_sent, message.id, later) is OutboxState.WAITING
        street.later(30 * SECOND)
    street.later(timedelta(days=3))
    (message,) = ground.unit(claim_messages, 10, TELEGRAM)
    assert message.tries == 1
    assert ground.unit(record_sent, message.id, later) is OutboxState.DEAD


def test_what_may_have_arrived_stays_marked_while_it_waits(street: Street, ground: Ground) -> None:
    """K4."""
    ground.unit(tell_person, BUYER, "payment_failed", "k")
    for sent in (Sent(Delivery.UNKNOWN), Sent(Delivery.LATER, retry_after_s=5, error="pace")):
        (message,) = ground.unit(claim_messages, 10, TELEGRAM)
        ground.unit(record_sent, message.id, sent)
        street.later(10 * SECOND)
    assert ground.unit(claim_messages, 10, TELEGRAM)[0].error == "unknown"


def test_an_id_that_was_given_before_stays_with_its_message(street: Street, ground: Ground) -> None:
    for person, phone in ((BUYER, "+254722000001"), (OWNER, "+254722000002")):
        ground.unit(lambda unit, p, n: unit.people.add_channel(Channel(SMS, n, p, ChannelState.ACTIVE, unit.now)), person, phone)
        ground.unit(set_wants, person, channel=SMS)
        ground.unit(tell_person, person, "payment_failed", "k")
    for message in ground.unit(claim_messages, 10, SMS):
        ground.unit(record_sent, message.id, Sent(Delivery.SENT, "ATPid_1"))
    assert ground.rows("SELECT ref FROM outbox ORDER BY ref IS NULL") == [("ATPid_1",), (None,)]


def test_what_is_long_over_is_thrown_away(street: Street, ground: Ground) -> None:
    ground.unit(tell_person, BUYER, "payment_failed", "k")
    (message,) = ground.unit(claim_messages, 10, TELEGRAM)
    ground.unit(record_sent, message.id, Sent(Delivery.SENT))
    ground.unit(lambda unit: unit.limits.count("a", "b", 60, unit.now))
    assert (ground.unit(prune, 30, 10), ground.unit(prune_limits, 10)) == (0, 0)
    street.later(timedelta(days=31))
    assert (ground.unit(prune, 30, 10), ground.unit(prune_limits, 10)) == (1, 1)


def test_one_that_is_told_to_wait_tells_all(street: Street, ground: Ground) -> None:
    """O1: the others hear of it at once, and a provider's wait is not another's."""
    ground.unit(pacing.hold_places, "telegram", 30 * SECOND)
    assert ground.wakes == [(pacing.PACES, {"name": "telegram", "seconds": 30.0})]
    assert ground.unit(pacing.take_share, "telegram", 0, 30, 0, 1)[2] == ground.clock.at + 30 * SECOND
    assert ground.unit(pacing.take_share, "sms", 0, 30, 0, 1)[2] == ground.clock.at


def test_a_limit_is_shared_by_those_who_want_it(street: Street, ground: Ground) -> None:
    """T2: who has much gives way as fast as what it sent is forgotten; whoever is not heard of any more has nothing."""

    def take(who: int, keeps: int, wants: int) -> tuple[int, int]:
        who, share, _ = ground.unit(pacing.take_share, "telegram", who, 30, keeps, wants)
        return who, share

    first, share = take(0, 0, 30)
    assert share == 30
    second, share = take(0, 0, 30)
    assert (second != first, share) == (True, 0)
    assert take(first, 30, 30) == (first, 15)
    assert take(second, 0, 30) == (second, 0)
    assert take(first, 20, 30) == (first, 15)
    assert take(second, 0, 30) == (second, 10)
    assert take(first, 0, 0) == (first, 0)
    assert take(second, 10, 30) == (second, 30)
    street.later(pacing.LEASE)
    assert take(first, 0, 1) == (first, 30)


@pytest.mark.parametrize(
    "wants,shares",
    [
        ({"a": 3}, {"a": 10}),
        ({"a": 1, "b": 50}, {"a": 1, "b": 9}),
        ({"a": 50, "b": 50}, {"a": 5, "b": 5}),
        ({"a": 1, "b": 2}, {"a": 4, "b": 5}),
        ({"a": 8, "b": 8, "c": 8}, {"a": 4, "b": 3, "c": 3}),
        ({str(number): 1 for number in range(12)}, {str(number): int(number not in {8, 9}) for number in range(12)}),
    ],
)
def test_what_is_fair(wants: dict[str, int], shares: dict[str, int]) -> None:
    assert pacing.fair_shares(wants, 10) == shares
    assert sum(shares.values()) <= 10
