"""How fast a bot may speak."""

from __future__ import annotations

from gateways.messages.pace import KEPT, ROOM, Pace


class Hand:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


def test_a_chat_takes_a_burst_and_then_one_a_second() -> None:
    now = Hand()
    pace = Pace(now, chat_burst=3)
    assert [pace.take("1") for _ in range(3)] == [0, 0, 0]
    assert pace.take("1") == 1.0
    assert pace.take("2") == 0
    now.s += 0.5
    assert pace.take("1") == 0.5
    now.s += 0.5
    assert pace.take("1") == 0
    now.s += 100
    assert [pace.take("1") for _ in range(4)] == [0, 0, 0, 1.0]


def test_a_group_takes_twenty_a_minute() -> None:
    now = Hand()
    pace = Pace(now)
    sent = 0
    for _ in range(600):
        sent += pace.take("-100123") == 0
        now.s += 0.1
    assert sent in range(20, 24)


def test_all_chats_together_take_thirty_a_second() -> None:
    now = Hand()
    pace = Pace(now)
    sent = sum(pace.take(str(chat)) == 0 for chat in range(100))
    assert sent == 30
    now.s += 1
    assert sum(pace.take(str(chat)) == 0 for chat in range(200, 300)) == 0
    now.s += ROOM
    assert sum(pace.take(str(chat)) == 0 for chat in range(200, 300)) == 30


def test_no_second_ever_holds_more_than_the_limit() -> None:
    """T2: not even the first one, whenever they come."""
    now = Hand()
    pace = Pace(now)
    went: list[float] = []
    for chat in range(1_000):
        if pace.take(str(chat)) == 0:
            went.append(now.s)
        now.s += 0.007
    assert len(went) >= 0.95 * 30 * 7
    assert all(later - first > 1 for first, later in zip(went, went[30:], strict=False))


def test_who_was_told_to_wait_waits() -> None:
    now = Hand()
    pace = Pace(now)
    pace.pause(5)
    pace.pause(1)
    assert pace.take("1") == 5
    now.s += 5
    assert pace.take("1") == 0


def test_it_does_not_grow_for_ever_and_a_clock_that_goes_back_does_no_harm() -> None:
    now = Hand()
    pace = Pace(now, overall_per_s=1e9)
    for chat in range(KEPT + 50):
        pace.take(str(chat))
    assert len(pace._chats) == KEPT
    now.s -= 500
    assert pace.take("1") == 0
