"""`payloom audit`: a table for people, JSON for machines, 1 when something is broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pydantic import SecretStr

from domain.payment import Unreadable
from domain.records import RawEvent
from payloom.audit import reader, run
from payloom.settings import Settings
from storage.proofs import SHOWN
from tests.audit.ground import found, sell, tampering
from tests.storage.ground import StillClock, opened, surroundings


@pytest.fixture
async def settings(engine_url: str) -> Settings:
    """A house that sold a few things, and what it was started with."""
    made = Settings(_env_file=None, database_url=engine_url, secret_key=(SecretStr("s" * 32),))  # type: ignore[call-arg]
    around = surroundings(StillClock())
    object.__setattr__(around, "audit_key", made.audit_key)
    async with opened(engine_url, around) as store:
        world = await store.write(found)
        for n in range(25):
            await store.write(sell, world, f"sale {n}")
    return made


def test_a_house_in_order(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings, as_json=False) == 0
    said = capsys.readouterr().out
    assert "Every promise holds." in said
    assert "BROKEN" not in said
    assert run(settings, as_json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is True
    assert {finding["promise"] for finding in told["findings"]} == {1, 2, 3, 4, 5, 6, 7, 9, 10, 11}
    assert not any(finding["broken"] or finding["offences"] for finding in told["findings"])


def test_what_is_broken_is_named(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    """W28"""
    with tampering(settings.database_url) as session:
        orders = [row[0] for row in session.plain("SELECT id FROM orders").fetchall()]
        session.plain("UPDATE orders SET escrow = 'RELEASED'")
    assert run(settings, as_json=False) == 1
    said = capsys.readouterr().out
    assert "BROKEN" in said
    assert f"and {len(orders) - SHOWN} more" in said
    assert run(settings, as_json=True) == 1
    told = json.loads(capsys.readouterr().out)
    broken = {finding["name"]: finding for finding in told["findings"] if finding["broken"]}
    assert broken["escrow_fits_state"]["broken"] == len(orders)
    assert len(broken["escrow_fits_state"]["offences"]) == SHOWN
    assert {offence["id"] for offence in broken["escrow_fits_state"]["offences"]} <= {f"order:{order}" for order in orders}


def test_events_are_read_as_the_worker_reads_them(tmp_path: Path) -> None:
    read = reader(Settings(_env_file=None))  # type: ignore[call-arg]
    body = {"Body": {"stkCallback": {"CheckoutRequestID": "ws_1", "ResultCode": 0, "MerchantRequestID": "m"}}}
    notice = read(RawEvent("daraja", "stk", json.dumps(body).encode(), "", {"attempt_id": 17}))
    assert (notice.attempt_id, notice.ref) == (17, "ws_1")
    for event in (RawEvent("daraja", "stk", b"{", ""), RawEvent("nobody", "stk", b"{}", "")):
        with pytest.raises(Unreadable):
            read(event)
