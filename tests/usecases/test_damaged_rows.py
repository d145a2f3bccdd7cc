"""K15: a row that cannot be read any more is put aside with an alert, and the sweep takes the others."""

from __future__ import annotations

from datetime import timedelta

from domain.person import ChannelKind
from tests.factories import Street
from usecases.outbox import claim_messages
from usecases.sweeps import claim_asks, clock_trusted


def alerts(street: Street) -> int:
    return len(street.ground.rows("SELECT 1 FROM outbox WHERE fact = 'alert'"))


def test_a_message_that_cannot_be_read_is_dead_and_told_to_a_person(street: Street) -> None:
    street.paid()
    numbers = [row[0] for row in street.ground.rows("SELECT id FROM outbox ORDER BY id")]
    street.ground.connection.execute("UPDATE outbox SET payload = 'no json' WHERE id = ?", (numbers[0],))
    assert sorted(message.id for message in street.do(claim_messages, 50, ChannelKind.TELEGRAM)) == numbers[1:]
    assert street.ground.rows("SELECT state, error FROM outbox WHERE id = ?", numbers[0]) == [("DEAD", "unreadable")]
    assert alerts(street) == 1


def test_an_attempt_that_cannot_be_read_is_asked_about_later_and_told_to_a_person(street: Street) -> None:
    damaged, fine = street.ringing(), street.ringing()
    street.ground.connection.execute("UPDATE attempts SET currency = 'NONSENSE' WHERE id = ?", (damaged.id,))
    street.later(timedelta(seconds=16))
    assert street.do(claim_asks, 50) == [fine.id]
    assert alerts(street) == 1
    assert street.do(claim_asks, 50) == []


def test_nobody_said_yet_that_the_clock_is_right(street: Street) -> None:
    assert street.do(clock_trusted) == ""
