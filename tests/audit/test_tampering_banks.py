"""Debts and chargebacks that were changed behind our back: the audit names each."""

from __future__ import annotations

import pytest

from storage.statements import Session
from tests.audit.conftest import Lived
from tests.audit.ground import SHOP, World, audited, tampering
from tests.audit.test_tampering import NEW, Tamper, named


def debt_forgotten(session: Session, world: World) -> list[tuple[int, str]]:
    """A wallet is filled beside a debt, in entries and balances that agree."""
    session.plain(f"INSERT INTO entries VALUES ({NEW}, 'owed_returned', 'won:{NEW}', 1, {SHOP})")
    for n, account, amount in ((0, f"receivable:{SHOP}", 100), (1, f"wallet:{SHOP}", -100)):
        session.plain(f"INSERT INTO postings VALUES ({NEW}, {n}, '{account}', {amount}, 'KES')")
    session.plain(f"UPDATE wallets SET owed_minor = owed_minor + 100 WHERE account = 'wallet:{SHOP}'")
    return [(1, f"receivable:{SHOP}")]


def frozen_by_no_bank(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["part_asks"]
    session.plain(f"UPDATE chargebacks SET state = 'LOST', ended_at = 1 WHERE order_id = {order}")
    return [(5, f"order:{order}")]


def part_given_up_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["part_asks"]
    session.plain(f"UPDATE chargebacks SET state = 'WON', ended_at = 1 WHERE order_id = {order}")
    return [(2, f"escrow:{order}"), (4, f"order:{order}"), (5, f"order:{order}")]


@pytest.mark.parametrize("tamper", [debt_forgotten, frozen_by_no_bank, part_given_up_by_hand], ids=lambda tamper: tamper.__name__)
async def test_what_is_changed_of_debts_and_cases_is_named(house: Lived, tamper: Tamper) -> None:
    """W28"""
    with tampering(house.url) as session:
        expected = tamper(session, house.world)
    report = await audited(house.url, house.clock)
    assert set(expected) <= named(report), sorted(named(report))
    assert "check" not in {name for _, name in named(report)}, "a check could not be made"
