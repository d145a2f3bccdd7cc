"""GET /metrics says what is in the database, asks it seldom, and answers without it."""

from __future__ import annotations

import asyncio
import dataclasses
from datetime import timedelta
from typing import Any

from domain import booking
from domain.ids import AttemptId, InboxId, OrganizationId, OutboxId
from domain.life import InboxState, OutboxState
from domain.money import Money
from domain.payment import About
from domain.person import ChannelKind
from domain.ports import Unit
from domain.reconcile import Difference, DifferenceId, DifferenceState, Kind
from domain.records import InboxEvent, OutboxMessage
from storage.store import StoreUnavailable
from tests.web.ground import OWNER, SHOP, Ground, standing

MINUTE = timedelta(minutes=1)
QUIET = {
    "payloom_database_up": 1,
    "payloom_attempt_oldest_seconds": 0,
    "payloom_inbox_oldest_seconds": 0,
    "payloom_inbox_parked": 0,
    **{f'payloom_outbox_oldest_seconds{{channel="{channel}"}}': 0 for channel in ChannelKind},
    "payloom_outbox_dead": 0,
    'payloom_suspense_minor{currency="KES"}': 0,
    'payloom_reconcile_open{gateway="daraja"}': 0,
}
SHARED = tuple({name.partition("{")[0] for name in QUIET})


async def numbers(ground: Ground) -> dict[str, float]:
    """The lines about the database."""
    answer = await ground.get("/metrics")
    assert answer.status == 200
    lines = [line.rpartition(" ") for line in (await answer.text()).splitlines() if line.startswith(SHARED)]
    return {name: float(value) for name, _, value in lines}


async def test_a_quiet_house_says_nought_of_everything(ground: Ground) -> None:
    """Also of channels, gateways and the currency that nothing was ever told about: an alert cannot watch what is not there."""
    assert await numbers(ground) == QUIET


def trouble(unit: Unit) -> None:
    """Two minutes ago an event came, and a message was due; and what is left to people."""
    then = unit.now - 2 * MINUTE
    for number, state in enumerate((InboxState.STORED, InboxState.PARKED, InboxState.PARKED)):
        unit.inbox.add(InboxEvent(InboxId(number), "daraja", f"e{number}", "stk", b"{}", {}, "", then, state, act_at=then))
    due = OutboxMessage(OutboxId(1), "alert", "k1", OWNER, ChannelKind.SMS, 1, {}, OutboxState.WAITING, then, then)
    dead = dataclasses.replace(due, id=OutboxId(2), key="k2", state=OutboxState.DEAD)
    unit.outbox.add([due, dead])
    unit.books.book(booking.unexpected(AttemptId(1), SHOP, booking.clearing("stripe"), Money(1_999, "USD")))
    unit.reconciled.add(
        Difference(
            DifferenceId(1), "stripe", OrganizationId(0), About.PAYMENT, Kind.AMOUNT, "k", None, None, 1, "USD", 2, "USD", unit.now,
            DifferenceState.OPEN, unit.now,
        )
    )  # fmt: skip


async def test_what_waits_is_said_with_its_age_in_seconds_and_its_minor_units(ground: Ground) -> None:
    await ground.begin(await ground.link())
    ground.clock.move(3 * MINUTE)
    await ground.hall.store.write(trouble)
    assert await numbers(ground) == {
        **QUIET,
        "payloom_attempt_oldest_seconds": 180,
        "payloom_inbox_oldest_seconds": 120,
        "payloom_inbox_parked": 2,
        'payloom_outbox_oldest_seconds{channel="sms"}': 120,
        "payloom_outbox_dead": 1,
        'payloom_suspense_minor{currency="USD"}': 1_999,
        'payloom_reconcile_open{gateway="stripe"}': 1,
    }


class Counting:
    """A store that counts who reads, and lets them in when the gate is open."""

    def __init__(self, store: Any) -> None:
        self.store = store
        self.reads = 0
        self.gate = asyncio.Event()
        self.gate.set()

    async def read(self, *given: Any, **named: Any) -> Any:
        self.reads += 1
        await self.gate.wait()
        return await self.store.read(*given, **named)


async def test_the_database_is_asked_every_five_seconds_at_most(ground: Ground) -> None:
    """However many look, and although they look at the same time."""
    counting = ground.hall.store = Counting(ground.hall.store)  # type: ignore[assignment]
    await asyncio.gather(*(numbers(ground) for _ in range(5)))
    assert counting.reads == 1
    ground.clock.move(timedelta(seconds=4.9))
    assert await numbers(ground) == QUIET and counting.reads == 1
    ground.clock.move(timedelta(seconds=0.1))
    assert await numbers(ground) == QUIET and counting.reads == 2


class Away:
    """A database that cannot be used now."""

    async def read(self, *_: Any, **__: Any) -> Any:
        raise StoreUnavailable("gone")


async def test_without_the_database_the_process_still_tells_its_own_numbers(ground: Ground) -> None:
    """K6: and none of the database's, for old ones would look like good ones."""
    assert await numbers(ground) == QUIET
    await ground.get("/healthz")
    store, ground.hall.store = ground.hall.store, Away()  # type: ignore[assignment]
    ground.clock.move(timedelta(seconds=5))
    assert await numbers(ground) == {"payloom_database_up": 0}
    assert 'payloom_requests_total{route="healthz",status="200"} 1.0' in await (await ground.get("/metrics")).text()
    ground.hall.store = store
    ground.clock.move(timedelta(seconds=5))
    assert await numbers(ground) == QUIET


async def test_a_database_that_does_not_answer_is_not_waited_for_long_nor_asked_twice(sqlite_url: str) -> None:
    """K6: its late answer counts; and while it owes one, nobody asks again, however long that takes."""
    async with standing(sqlite_url, patience_s=0.05) as ground:
        counting = ground.hall.store = Counting(ground.hall.store)  # type: ignore[assignment]
        counting.gate.clear()
        assert await numbers(ground) == {"payloom_database_up": 0}
        counting.gate.set()
        await ground.hall.drain()
        assert await numbers(ground) == QUIET
        counting.gate.clear()
        for reads in (2, 2):
            ground.clock.move(MINUTE)
            assert await numbers(ground) == {"payloom_database_up": 0}
            assert counting.reads == reads
        counting.gate.set()
