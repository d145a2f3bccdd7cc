"""One limit for several processes: it is shared out, and never given twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from gateways.messages.pace import CLAIM_S, LASTS_S, RENEW_S, Pace
from usecases.pacing import take_share


class Database:
    """The use case on a dictionary instead of rows, for everybody in this test."""

    def __init__(self) -> None:
        self.marks: dict[str, Any] = {}
        self.silent_until = datetime.fromtimestamp(0, UTC)
        self.people, self.asked, self.away = 0, 0, False

    def unit(self) -> Any:
        def new_id() -> int:
            self.people += 1
            return self.people

        def hold(_: str, until: datetime) -> datetime:
            self.silent_until = max(self.silent_until, until)
            return self.silent_until

        put: Callable[[str, Any], None] = self.marks.__setitem__
        return SimpleNamespace(
            now=datetime.now(UTC),
            new_id=new_id,
            limits=SimpleNamespace(hold_places=hold),
            marks=SimpleNamespace(get=self.marks.get, put=put),
        )


class Process:
    """One process' way to the database."""

    def __init__(self, database: Database) -> None:
        self.database, self.who = database, 0

    async def take(self, most: int, keeps: int, wants: int) -> tuple[int, float]:
        await asyncio.sleep(0.002)
        self.database.asked += 1
        if self.database.away:
            raise OSError("the database is away")
        self.who, share, silent_until = take_share(self.database.unit(), "telegram", self.who, most, keeps, wants)
        await asyncio.sleep(0.002)
        return share, (silent_until - datetime.now(UTC)).total_seconds()

    async def hold(self, seconds: float) -> None:
        if self.database.away:
            raise OSError("the database is away")
        self.database.silent_until = datetime.fromtimestamp(time.time() + seconds, UTC)


async def said(pace: Pace, chat: object, most_wait_s: float = 3.0, arrived: list[float] | None = None) -> float:
    """`arrived` is told when: before the answer is there, for a busy machine may be long in seeing it."""
    async with pace.turn(str(chat), most_wait_s) as lacks_s:
        await asyncio.sleep(0.002)
        if arrived is not None and lacks_s == 0:
            arrived.append(time.monotonic())
        return lacks_s


async def test_two_processes_together_keep_the_limit_and_share_it() -> None:
    """T2: no second holds more than the limit, whoever sends; and the second process gets what the first one had."""
    database, went = Database(), {0: list[float](), 1: list[float]()}
    both = [Pace(time.monotonic, 100.0, shares=Process(database)) for _ in range(2)]

    async def send(which: int, chat: int) -> None:
        await said(both[which], chat, arrived=went[which])

    first = asyncio.gather(*(send(0, chat) for chat in range(120)))
    await asyncio.sleep(0.4)
    await asyncio.gather(first, *(send(1, 1_000 + chat) for chat in range(80)))
    arrived = sorted(went[0] + went[1])
    assert len(arrived) == 200
    assert max(sum(1 for other in arrived if at <= other < at + 1) for at in arrived) <= 100
    assert went[1][0] < went[0][-1]


async def test_what_nobody_uses_is_given_back() -> None:
    database = Database()
    pace = Pace(time.monotonic, 30.0, shares=Process(database))
    assert await said(pace, 1) == 0
    assert database.marks["pace:telegram"]
    await asyncio.sleep(2 * RENEW_S + CLAIM_S)
    assert database.marks["pace:telegram"] == {}
    asked = database.asked
    await asyncio.sleep(2 * CLAIM_S)
    assert database.asked == asked
    assert await said(pace, 1) == 0


async def test_one_that_is_told_to_wait_stops_the_others_and_no_other_provider() -> None:
    """O1."""
    database = Database()
    first, second = (Pace(time.monotonic, shares=Process(database)) for _ in range(2))
    other = Pace(time.monotonic, shares=Process(Database()))
    first.pause(30)
    await asyncio.sleep(0.01)
    assert await said(first, 1, 0.1) > 25
    assert await said(second, 2, 0.1) > 25
    assert await said(other, 3, 1.0) == 0


async def test_without_the_database_nobody_speaks_and_nothing_is_counted() -> None:
    database = Database()
    database.away = True
    pace = Pace(time.monotonic, chat_burst=1, shares=Process(database))
    pace.pause(0.01)
    await asyncio.sleep(0.02)
    assert await said(pace, 1, 0.1) > 0
    database.away = False
    assert await said(pace, 1, 2.0) == 0


async def test_a_share_that_could_not_be_renewed_lapses() -> None:
    database = Database()
    pace = Pace(time.monotonic, shares=Process(database))
    assert await said(pace, 1) == 0
    database.away = True
    await asyncio.sleep(LASTS_S)
    assert await said(pace, 2, 0.1) > 0


async def test_what_another_process_heard_holds_those_who_wait() -> None:
    """O1."""
    pace = Pace(time.monotonic, 20.0, shares=Process(Database()))
    turns = [asyncio.create_task(said(pace, chat, 0.2)) for chat in range(20)]
    await asyncio.sleep(0.02)
    pace.keep_silent(5)
    assert max(await asyncio.gather(*turns)) > 4
