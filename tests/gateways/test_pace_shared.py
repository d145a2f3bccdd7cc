"""One pace for several processes: places in time are taken in batches from one row."""

from __future__ import annotations

import asyncio
import time

from gateways.messages.pace import Pace


class Row:
    """What the database does, for everybody in this test."""

    def __init__(self) -> None:
        self.free_s = 0.0
        self.takes: list[int] = []
        self.away = False

    async def take(self, count: int, every_s: float, after_s: float) -> tuple[float, bool]:
        self.takes.append(count)
        await asyncio.sleep(0.002)
        if self.away:
            raise OSError("the database is away")
        now_s = time.monotonic()
        first_s = max(self.free_s, now_s + after_s)
        if first_s > now_s + 2:
            return first_s - now_s, False
        self.free_s = first_s + count * every_s
        return first_s - now_s, True

    async def hold(self, seconds: float) -> None:
        if self.away:
            raise OSError("the database is away")
        self.free_s = max(self.free_s, time.monotonic() + seconds)


async def test_two_processes_together_keep_the_limit_and_take_places_in_batches() -> None:
    """T2: no second holds more than the limit, whoever sends."""
    row, went = Row(), list[float]()

    async def send(pace: Pace, chat: int) -> None:
        if await pace.turn(str(chat), 3.0) == 0:
            went.append(time.monotonic())

    both = [Pace(time.monotonic, 100.0, places=row) for _ in range(2)]
    await asyncio.gather(*(send(both[chat % 2], chat) for chat in range(150)))
    went.sort()
    assert len(went) == 150
    assert max(sum(1 for other in went if at <= other < at + 1) for at in went) <= 100
    assert max(row.takes) >= 10


async def test_one_that_is_told_to_wait_stops_the_others_and_no_other_provider() -> None:
    """O1."""
    row = Row()
    first, second, other = Pace(time.monotonic, places=row), Pace(time.monotonic, places=row), Pace(time.monotonic, places=Row())
    first.pause(30)
    await asyncio.sleep(0.01)
    assert await first.turn("1", 0.1) > 25
    assert await second.turn("2", 0.1) > 0.05
    assert await other.turn("3", 1.0) == 0


async def test_without_the_database_nobody_speaks_and_nothing_is_counted() -> None:
    row = Row()
    row.away = True
    pace = Pace(time.monotonic, chat_burst=1, places=row)
    pace.pause(0.01)
    await asyncio.sleep(0.02)
    assert await pace.turn("1", 0.1) > 0
    row.away = False
    assert await pace.turn("1", 2.0) == 0


async def test_what_another_process_heard_empties_the_places_taken_before() -> None:
    row = Row()
    pace = Pace(time.monotonic, 100.0, places=row)
    turns = [asyncio.create_task(pace.turn(str(chat), 0.2)) for chat in range(20)]
    await asyncio.sleep(0.02)
    pace.keep_silent(5)
    assert max(await asyncio.gather(*turns)) > 4
