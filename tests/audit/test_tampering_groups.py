"""W28, of those who pay together: a share's money, its payer, or their number changed behind our back is named."""

from __future__ import annotations

import pytest

from storage.statements import Session
from tests.audit.conftest import Lived
from tests.audit.ground import SHOP, World, audited, tampering
from tests.audit.test_tampering import Tamper, entry, named, one


def share_pocketed(session: Session, world: World) -> list[tuple[int, str]]:
    """The money of a share that waits for the others, taken away."""
    group = world.checkouts["group_open"]
    number = entry(session, "share_held", f"attempt:{world.attempts['group_open.1']}")
    session.plain(f"UPDATE postings SET account = 'wallet:{SHOP}' WHERE entry_id = {number} AND n = 1")
    share = one(session, f"SELECT id FROM checkouts WHERE group_id = {group}")
    return [(1, f"entry:{number}"), (2, f"shares:{group}"), (3, f"checkout:{share}")]


def share_paid_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    """A share that nobody paid, called paid."""
    group = world.checkouts["group_over"]
    share = one(session, f"SELECT id FROM checkouts WHERE group_id = {group}")
    session.plain(f"UPDATE checkouts SET paid_by = NULL WHERE id = {share}")
    return [(3, f"checkout:{share}"), (3, f"payment:{one(session, f'SELECT id FROM payments WHERE checkout_id = {share}')}")]


def more_shares_than_there_are(session: Session, world: World) -> list[tuple[int, str]]:
    group = world.checkouts["group_full"]
    session.plain(f"UPDATE checkouts SET shares = 5 WHERE group_id = {group} AND shares = 2")
    return [(3, f"checkout:{group}")]


def group_reopened(session: Session, world: World) -> list[tuple[int, str]]:
    group = world.checkouts["group_over"]
    session.plain(f"UPDATE checkouts SET state = 'OPEN', ended_at = NULL WHERE id = {group}")
    return [(2, f"shares:{group}"), (10, f"checkout:{group}")]


def refund_of_another_payer(session: Session, world: World) -> list[tuple[int, str]]:
    refund = one(session, f"SELECT id FROM refunds WHERE attempt_id = {world.attempts['group_back.1']}")
    session.plain(f"UPDATE refunds SET attempt_id = {world.attempts['paid']} WHERE id = {refund}")
    return [(9, f"refund:{refund}")]


TAMPERS: list[Tamper] = [share_pocketed, share_paid_by_hand, more_shares_than_there_are, group_reopened, refund_of_another_payer]


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
async def test_what_is_changed_behind_our_back_is_named(house: Lived, tamper: Tamper) -> None:
    """W28"""
    with tampering(house.url) as session:
        expected = tamper(session, house.world)
    report = await audited(house.url, house.clock)
    assert set(expected) <= named(report), sorted(named(report))
    assert "check" not in {name for _, name in named(report)}, "a check could not be made"
