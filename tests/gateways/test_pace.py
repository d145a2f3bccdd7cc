"""How fast a bot may speak."""

from __future__ import annotations

import asyncio

from gateways.messages.pace import KEPT, LOOK_S, ROOM, Bucket, Pace, Window


class Hand:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.s = 1000.0

    def __call__(self) -> float:
        return self.s


async def said(pace: Pace, chat: str, most_wait_s: float = 0.0) -> float:
    async with pace.turn(chat, most_wait_s) as lacks_s:
        return lacks_s


async def test_a_chat_takes_a_burst_and_then_one_a_second() -> None:
    now = Hand()
    pace = Pace(now, 1e15, chat_burst=3)
    assert [await said(pace, "1") for _ in range(3)] == [0, 0, 0]
    assert await said(pace, "1") == 1.0
    assert await said(pace, "2") == 0
    now.s += 0.5
    assert await said(pace, "1") == 0.5
    now.s += 0.5
    assert await said(pace, "1") == 0
    now.s += 100
    assert [await said(pace, "1") for _ in range(4)] == [0, 0, 0, 1.0]


async def test_a_group_takes_twenty_a_minute() -> None:
    now = Hand()
    pace = Pace(now)
    sent = 0
    for _ in range(600):
        sent += await said(pace, "-100123") == 0
        now.s += 0.1
    assert sent in range(20, 24)


def arrivals(window: Window, share: int, waits_s: float, answers_s: float, until_s: float) -> list[float]:
    """When they were there, of a sender that always has more to say; what is on its way arrives when its answer leaves at the latest."""
    now_s, went = 0.0, list[float]()
    while now_s < until_s:
        lacks_s = window.lacks_s(now_s, share)
        if lacks_s > 0:
            now_s += lacks_s + waits_s
            continue
        window.goes(now_s)
        went.append(now_s)
        window.answered(now_s, now_s + answers_s)
    return went


def fullest(arrived: list[float]) -> int:
    """The most in any second that begins with an arrival."""
    return max(sum(1 for other in arrived if at <= other < at + 1) for at in arrived)


def test_no_second_ever_holds_more_than_the_limit_and_the_pipe_is_full() -> None:
    """T2: not even the first one; however long the way, and though the sender wakes late."""
    for answers_s in (0.0, 0.1, 0.7):
        went = arrivals(Window(30), 30, 0.004, answers_s, 20)
        assert fullest(went) == 30
        assert len(went) >= 0.95 * 30 * 20


def test_what_is_slow_to_answer_counts_until_then() -> None:
    """T2: it may have arrived at the last moment, together with those that came after it."""
    window = Window(2)
    window.goes(0.0)
    window.goes(0.45)
    window.answered(0.45, 0.55)
    assert window.lacks_s(0.9, 2) > 0.5
    assert window.lacks_s(5.0, 2) == 0
    window.goes(5.0)
    assert window.lacks_s(6.0, 2) == LOOK_S
    window.answered(0.0, 6.0)
    assert window.lacks_s(6.0, 2) > 0.85 + ROOM
    window.answered(5.0, 6.5)
    assert window.counts(6.6) == 2
    assert window.counts(9.0) == 0


async def test_the_next_in_line_waits_for_the_answer_that_is_still_out() -> None:
    pace = Pace(asyncio.get_running_loop().time, 1.0)
    async with pace.turn("1", 0) as first:
        assert first == 0
        assert await said(pace, "2", 0.05) > 0
        assert await said(pace, "3", 0.0) > 0


async def test_who_was_told_to_wait_waits() -> None:
    """O1."""
    now = Hand()
    pace = Pace(now)
    pace.pause(5)
    pace.pause(1)
    assert await said(pace, "1") == 5
    now.s += 5
    assert await said(pace, "1") == 0


async def test_those_who_wait_go_in_the_order_in_which_they_came() -> None:
    loop = asyncio.get_running_loop()
    pace, order = Pace(loop.time, 50.0), list[int]()

    async def say(number: int) -> None:
        if await said(pace, str(number), 2.0) == 0:
            order.append(number)

    await asyncio.gather(*(say(number) for number in range(10)))
    assert order == list(range(10))


async def test_who_waits_longer_than_they_may_are_told_and_the_chat_is_not_charged() -> None:
    pace = Pace(asyncio.get_running_loop().time, 1.0, chat_burst=1.0)
    assert await said(pace, "1") == 0
    assert all(lacks_s > 0 for lacks_s in await asyncio.gather(*(said(pace, "2", 0.05) for _ in range(3))))
    assert await said(pace, "2", 2.0) == 0


async def test_it_does_not_grow_for_ever_and_a_clock_that_goes_back_does_no_harm() -> None:
    now = Hand()
    pace = Pace(now, overall_per_s=1e9)
    for chat in range(KEPT + 50):
        pace._bucket(str(chat))
    assert len(pace._chats) == KEPT
    bucket = Bucket(1.0, 1.0, now.s)
    now.s -= 500
    assert bucket.lacks_s(now.s) == 0
