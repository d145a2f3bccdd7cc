"""K2: `make soak M=60`. Minutes of selling while houses are killed and Daraja misbehaves; then the audit, and both sides' books compared."""

from __future__ import annotations

import asyncio
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from domain.ids import AttemptId
from domain.money import Money
from domain.payment import Notice, Outcome, Proof
from domain.records import RawEvent
from payloom.audit import audit
from payloom.bench.stock import STEP, make, receipt_of
from payloom.streets import town_settings
from payloom.wiring import build
from tests.crash.nursery import Nursery, nursery
from tests.crash.street import Street, street
from tests.soak.walks import Walk, unknown_charges
from usecases.settlement import Received, receive

pytestmark = pytest.mark.soak
A_MILLION, SALES, AT_ONCE_S = 1_000_000, 210_000, 0.2
COPIED = ("checkouts", "payments", "attempts", "audit", "links")
NOT_OF_COPIES = frozenset({"records_are_whole", "states_follow_the_story", "sales_have_a_story", "facts_were_told", "events_had_effect"})
"""Copies are made by SQL: their audit records bear the mark of the sale they were copied from."""

SHARES = 4
"""Each engine, with kills and without."""


@pytest_asyncio.fixture(scope="session")
async def home() -> AsyncIterator[Nursery]:
    async with nursery() as started:
        yield started


@pytest.fixture
def seconds(request: pytest.FixtureRequest) -> float:
    return float(request.config.getoption("--soak-minutes")) * 60 / SHARES


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--soak-seed")) or secrets.randbits(32)


async def wrong(there: Street) -> list[str]:
    report = await audit(there.read_settings(), now=there.core.clock.now())
    found = [f"promise {one.promise} ({one.name}): {one.offences}" for one in report.broken]
    books = there.town.daraja.books()
    theirs = sum(entry["amount"] * (100 if entry["kind"] == "stk" else -100) for entry in books)
    ours = int(there.one("SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account = 'clearing:daraja'"))
    lost, might_be = unknown_charges(there)
    if theirs != ours + lost * 250_000 or lost > might_be:
        found.append(f"Daraja holds {theirs}, we say {ours}; {lost} charges are unknown to us, {might_be} tries may be them")
    doubled = there.rows("SELECT cause FROM entries WHERE kind = 'release' GROUP BY cause HAVING count(*) > 1")
    return [*found, *(f"released twice: {cause}" for cause in doubled)]


@pytest.mark.parametrize("kills", [True, False], ids=["killed", "living"])
async def test_after_minutes_of_selling_while_everything_breaks_the_books_are_right(
    home: Nursery, engine_url: str, seconds: float, seed: int, kills: bool
) -> None:
    """K2, and every promise. `pytest tests/soak -m soak --soak-seed N` repeats a plan."""
    sys.stdout.write(f"\nseed {seed}\n")
    async with street(engine_url, home, seed) as there:
        walk = Walk(there, random.Random(seed), kills)
        await walk.open()
        await walk.sell_for(seconds)
        await walk.end()
        orders = there.rows("SELECT state, count(*) FROM orders GROUP BY state")
        sys.stdout.write(f"{dict(orders)}, {there.deaths} deaths, {dict(walk.done)}\n")
        assert await wrong(there) == [], f"seed {seed}"
        assert there.one("SELECT count(*) FROM orders") > 0
        assert "Traceback" not in there.last_words() or kills, there.last_words()


async def test_among_a_million_rows_a_sale_is_settled_at_once_and_the_audit_still_ends(engine_url: str, tmp_path: Path) -> None:
    """A smoke test of size: nothing that every sale does may look through a table."""
    stock = await asyncio.to_thread(make, tmp_path / "data", engine_url, SALES)
    settings = town_settings(tmp_path / "data", 0, engine_url)
    house = build(settings, paced=False)
    await house.open_store()
    try:
        rows = await house.hall.store.read(_rows)
        assert rows >= A_MILLION, rows
        began = time.monotonic()
        for number in range(20):
            attempt_id = AttemptId(stock.attempt_id - number * STEP)
            ref = f"{stock.ref}{number or ''}"
            notice = Notice(
                "daraja", f"big:{number}", "stk", Outcome.SUCCEEDED, Proof.HINT, attempt_id, ref, receipt_of(number), Money(250_000, "KES")
            )
            event = RawEvent("daraja", "stk", b"big", "10.0.0.1", {"attempt_id": attempt_id})
            assert await house.hall.store.write(receive, event, notice.event_key, notice) is Received.APPLIED
        each_s = (time.monotonic() - began) / 20
        assert each_s < AT_ONCE_S, each_s
    finally:
        await house.close_store()
    began = time.monotonic()
    report = await audit(settings)
    sys.stdout.write(f"\n{rows} rows: {each_s * 1000:.1f} ms for a callback, {time.monotonic() - began:.0f} s for the audit\n")
    assert [one.name for one in report.broken if one.name not in NOT_OF_COPIES] == []


def _rows(unit: Any) -> int:
    return sum(int(unit.session.plain(f"SELECT count(*) FROM {table}").fetchone()[0]) for table in COPIED)
