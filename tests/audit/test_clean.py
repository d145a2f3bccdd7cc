"""A house in which everything happened keeps every promise; the audit sees it, writes nothing, and stands in nobody's way."""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import cast

import psycopg
import pytest

from domain.ids import OrderId, PersonId
from domain.life import CHECKOUT, DISPUTE, ESCROW, ORDER, REFUND
from domain.person import Organization
from domain.ports import Unit
from storage.proofs import CHECKS, opened
from storage.store import StoreUnavailable
from tests.audit.conftest import Lived
from tests.audit.ground import SELLER, SHOP, audited, begin, found, number, sell
from tests.storage.ground import AUDIT_KEY, StillClock, raw, surroundings
from tests.storage.ground import opened as opened_store
from usecases import admin, orders


async def test_every_promise_holds(house: Lived) -> None:
    report = await audited(house.url, house.clock)
    assert report.ok, [str(offence) for finding in report.broken for offence in finding.offences]
    assert {finding.name for finding in report.findings} == {check.name for check in CHECKS}
    assert {finding.promise for finding in report.findings} == {1, 2, 3, 4, 5, 6, 7, 9, 10, 11}


async def test_nothing_was_looked_at_in_vain(house: Lived) -> None:
    """A proof over nothing proves nothing: the house has something of everything."""
    report = await audited(house.url, house.clock)
    assert all(finding.checked for finding in report.findings), [finding.name for finding in report.findings if not finding.checked]
    with raw(house.url) as session:
        for table, column, life in (
            ("orders", "state", ORDER), ("orders", "escrow", ESCROW), ("refunds", "state", REFUND), ("checkouts", "state", CHECKOUT),
            ("disputes", "state", DISPUTE),
        ):  # fmt: skip
            seen = {row[0] for row in session.plain(f"SELECT DISTINCT {column} FROM {table}").fetchall()} - {None}
            missing = {str(state) for state in life.states} - seen
            assert missing <= {"PENDING", "SENDING", "PAYING", "EXPIRED", "ANSWERED"}, (table, missing)


async def test_a_new_house_keeps_every_promise(engine_url: str) -> None:
    assert (await audited(engine_url, StillClock())).ok


async def test_timers_that_fired_and_that_were_put_off_are_right(house: Lived) -> None:
    """Weeks pass: reminders, the refund of what was never shipped, releases; and a frozen shop whose release waits."""
    async with opened_store(house.url, surroundings(house.clock)) as store:
        for day in range(1, 17):
            house.clock.at += timedelta(days=1)
            if day == 6:
                await store.write(lambda unit: admin.freeze(unit, cast(admin.Desk, _Desk(unit)), admin.DESK, "1", True))
            due = await store.read(lambda unit: unit.orders.due(unit.now, 100))
            for order_id in due:
                await store.write(orders.run_order_timer, order_id)
        # The messages of these weeks went out.
        with raw(house.url) as session:
            session.plain("UPDATE outbox SET state = 'SENT'")
        report = await audited(house.url, house.clock)
    assert report.ok, [str(offence) for finding in report.broken for offence in finding.offences]


class _Desk:
    """As much of the desk as freezing asks for."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit

    def organizations(self) -> list[Organization]:
        return [self._unit.organizations.get(SHOP)]


async def test_it_runs_beside_a_house_that_is_open_and_working(house: Lived) -> None:
    """The lock file of SQLite is not asked for; one instant is looked at, whatever is written meanwhile."""
    async with opened_store(house.url, surroundings(house.clock)) as store:
        house.clock.at += timedelta(hours=1)
        for round_ in range(5):
            order = await store.write(sell, house.world, f"meanwhile {round_}")
            report = await audited(house.url, house.clock)
            assert report.ok
            await store.write(orders.ship_order, SELLER, order.number)
        assert await store.read(number, house.world, "meanwhile 4")


async def test_a_promise_is_judged_at_one_instant(house: Lived) -> None:
    """What is written after the audit began is not half seen."""
    with opened(house.url) as looking:
        before = looking.plain("SELECT count(*) FROM orders").fetchone()[0]
        async with opened_store(house.url, surroundings(house.clock)) as store:
            await store.write(sell, house.world, "too late to be seen")
        assert looking.plain("SELECT count(*) FROM orders").fetchone()[0] == before


def test_it_cannot_write(house: Lived) -> None:
    with opened(house.url) as session, pytest.raises((sqlite3.OperationalError, psycopg.errors.ReadOnlySqlTransaction)):
        session.plain("UPDATE orders SET quantity = 2")


def test_the_file_is_as_it_was(lived_sqlite: Lived) -> None:
    path = Path(lived_sqlite.url.partition(":///")[2])
    before = hashlib.sha256(path.read_bytes()).digest()
    asyncio.run(audited(lived_sqlite.url, lived_sqlite.clock))
    assert hashlib.sha256(path.read_bytes()).digest() == before


def test_no_database_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="is not there"):
        asyncio.run(audited(f"sqlite+aiosqlite:///{tmp_path / 'nothing.db'}", StillClock()))
    with pytest.raises(StoreUnavailable):
        asyncio.run(audited(f"postgresql://postgres@/nothing?host={tmp_path}", StillClock()))
    assert not list(tmp_path.iterdir())


async def test_somebody_who_left_the_shop_may_have_been_told(house: Lived) -> None:
    with raw(house.url) as session:
        session.plain("DELETE FROM members WHERE organization_id = 1")
    report = await audited(house.url, house.clock)
    assert {finding.name for finding in report.broken} == {"messages_stay_home"}
    async with opened_store(house.url, surroundings(house.clock)) as store:
        await store.write(lambda unit: unit.trail.add("organization:1", admin.DESK, "member_removed", person=1, was="owner"))
    assert (await audited(house.url, house.clock)).ok


async def test_who_could_not_be_reached_need_not_have_been_told(engine_url: str) -> None:
    """A channel that was blocked for a while proves nothing; neither does somebody who came later."""
    clock = StillClock()
    async with opened_store(engine_url, surroundings(clock)) as store:
        world = await store.write(found)
        with raw(engine_url) as session:
            session.plain("UPDATE channels SET state = 'BLOCKED', version = 1 WHERE person_id = 3")
        await store.write(sell, world, "blocked")
        with raw(engine_url) as session:
            session.plain("UPDATE channels SET state = 'ACTIVE', version = 2 WHERE person_id = 3")
        guest = await store.write(lambda unit: sell(unit, world, "guest", buyer=None))
        clock.at += timedelta(hours=1)
        await store.write(orders.follow_order, OrderId(guest.id), PersonId(4))
    report = await audited(engine_url, clock)
    assert report.ok, [str(offence) for finding in report.broken for offence in finding.offences]


async def test_a_check_that_cannot_be_made_is_a_broken_one(house: Lived) -> None:
    with raw(house.url) as session:
        session.plain("DROP TABLE cards")
        session.plain("DROP TABLE wallets")
    report = await audited(house.url, house.clock)
    assert {"wallets_equal_postings", "references_hold"} <= {finding.name for finding in report.broken}
    assert not {"entries_balance", "records_are_whole"} & {finding.name for finding in report.broken}


async def test_a_prompt_that_rings_is_no_offence(engine_url: str) -> None:
    clock = StillClock()
    async with opened_store(engine_url, surroundings(clock)) as store:
        world = await store.write(found)
        await store.write(lambda unit: begin(unit, world.codes["goods"], "one"))
    assert (await audited(engine_url, clock, AUDIT_KEY)).ok
