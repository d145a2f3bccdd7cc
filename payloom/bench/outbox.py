"""outbox: many notifications, two workers, a provider that limits its rate and fails: none lost, none twice after a known success, pipe full."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg

from domain.facts import Urgency
from domain.ids import OutboxId, PersonId
from domain.life import OutboxState
from domain.person import Channel, ChannelKind, ChannelState, Language, Person, Role
from domain.ports import Unit
from domain.records import OutboxMessage
from jobs.outbox import BATCH
from payloom import migrate
from payloom.bench import stock
from payloom.bench.figures import Figure
from payloom.bench.process import Process, running
from payloom.bench.server import NONE_HERE, postgres
from payloom.bench.settle import house_on
from payloom.streets import town_settings
from payloom.wiring import build
from storage.postgres import conninfo

FIRST_CHAT = 5_000_000_000
ONE_IN = 100
"""So many news for each notification about money, which is written last."""
AT_ONCE = 500
HELD = timedelta(days=1)
"""Nothing is due before every worker stands: a process that starts takes the machine from the others."""
STEADY = 0.9
"""The part of the messages until whose arrival the pipe is measured: while work is waiting. At the end only what failed is left, until it is due."""


def run(
    *, messages: int = 5_000, per_s: int = 200, fails: float = 0.05, workers: int = 2, uvloop: bool = True, **_: Any
) -> tuple[list[Figure], list[str]]:
    """Two processes need PostgreSQL."""
    with postgres() as new:
        if new is None:
            return [], [NONE_HERE]
        with tempfile.TemporaryDirectory() as folder, running("payloom.bench.limited", str(per_s), str(fails)) as provider:
            url = new()
            asyncio.run(_fill(Path(folder), url, messages))
            where = stock.Stock(Path(folder), url, 0, 0, 0, "", 0, 0)
            given = {"telegram_api_base": f"http://127.0.0.1:{provider.port}", "telegram_per_s": per_s}
            with contextlib.ExitStack() as houses:
                for _number in range(workers):
                    houses.enter_context(house_on(where, uvloop=uvloop, doors=["worker"], given=given, paced=True))
                _release(url)
                seen = _wait(provider, url, messages, per_s)
            return _figures(seen, _states(url), messages, per_s, workers), []


async def _fill(data: Path, url: str, messages: int) -> None:
    """One notification for each person, money last."""
    migrate.migrate(url)
    built = build(town_settings(data, 0, url), paced=False)
    await built.open_store()
    try:
        for begin in range(0, messages, AT_ONCE):
            await built.store.write(_some, begin, min(messages, begin + AT_ONCE), messages)
    finally:
        await built.close_store()


def _some(unit: Unit, begin: int, end: int, messages: int) -> None:
    for number in range(begin, end):
        person = PersonId(unit.new_id())
        unit.people.add(Person(person, "A", Language.EN, Role.BUYER, None, unit.now, welcomed=True))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(FIRST_CHAT + number), person, ChannelState.ACTIVE, unit.now))
        money = number in _of_money(messages)
        due = unit.now + HELD + timedelta(microseconds=number)
        unit.outbox.add([
            OutboxMessage(
                OutboxId(unit.new_id()), "alert", f"bench:{number}", person, ChannelKind.TELEGRAM, int(Urgency.MONEY if money else Urgency.NEWS),
                {"what": "bench", "n": number}, OutboxState.WAITING, unit.now, due,
            )
        ])  # fmt: skip


def _of_money(messages: int) -> range:
    return range(messages - max(1, messages // ONE_IN), messages)


def _release(url: str) -> None:
    with psycopg.connect(conninfo(url)) as connection:
        connection.execute("UPDATE outbox SET act_at = act_at - %s", (int(HELD.total_seconds() * 1_000_000),))


def _wait(provider: Process, url: str, messages: int, per_s: int) -> dict[str, Any]:
    end_s = time.monotonic() + messages / per_s * 2 + 60
    while time.monotonic() < end_s:
        time.sleep(0.5)
        if _states(url).get("WAITING", 0) + _states(url).get("SENDING", 0) == 0:
            break
    return provider.ask(str(int(messages * STEADY)))


def _states(url: str) -> dict[str, int]:
    with psycopg.connect(conninfo(url)) as connection:
        return {
            str(state): int(count) for state, count in connection.execute("SELECT state, count(*) FROM outbox GROUP BY state").fetchall()
        }


def _figures(seen: dict[str, Any], states: dict[str, int], messages: int, per_s: int, workers: int) -> list[Figure]:
    case = f"PostgreSQL, {messages:,} at {per_s}/s, {workers} workers"
    used = Figure("outbox", f"{case}: part of the limit used", "", goal=0.95)
    used.add(seen["used"])
    used.note = f"{seen['failed']} failed on purpose, {seen['again']} said again because nobody knew, {seen['refused']} refused as too many"
    most = Figure("outbox", f"{case}: most in any second", "messages", goal=per_s, less=True)
    most.add(seen["most"])
    lost = Figure("outbox", f"{case}: not told", "messages", goal=0, less=True)
    lost.add(messages - states.get("SENT", 0) + messages - seen["chats"])
    twice = Figure("outbox", f"{case}: told again after a known success", "messages", goal=0, less=True)
    twice.add(seen["twice"])
    money = {FIRST_CHAT + number for number in _of_money(messages)}
    ahead = Figure("outbox", f"{case}: money ahead of all but what was under way", "of 1", goal=0.9)
    head = set(seen["first"][: len(money) + workers * BATCH])
    ahead.add(len(money & head) / len(money))
    return [used, most, lost, twice, ahead]
