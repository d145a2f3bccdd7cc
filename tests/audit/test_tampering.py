"""W28: whatever somebody with the database's own rights changes is detected, and named by the promise it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from payloom.audit import Report
from storage.statements import POSTGRES, Session
from storage.tables import attempts, metadata, orders
from tests.audit.conftest import Lived
from tests.audit.ground import OTHER_SHOP, SHOP, World, audited, drop_unique, tampering

Tamper = Callable[[Session, World], list[tuple[int, str]]]
"""Changes rows; says which promise is to name which thing."""

NEW = 9_000_000_000_000_000_001


def one(session: Session, question: str) -> Any:
    return session.plain(question).fetchone()[0]


def entry(session: Session, kind: str, cause: str) -> int:
    return int(one(session, f"SELECT id FROM entries WHERE kind = '{kind}' AND cause = '{cause}'"))


def copy_row(session: Session, table: Any, of: int, **changed: Any) -> None:
    names = ", ".join(column.name for column in table.columns)
    values = ", ".join(str(changed.get(column.name, column.name)) for column in table.columns)
    session.plain(f"INSERT INTO {table.name} ({names}) SELECT {values} FROM {table.name} WHERE id = {of}")


def posting_amount_changed(session: Session, world: World) -> list[tuple[int, str]]:
    order, number = world.orders["paid"], entry(session, "capture", f"attempt:{world.attempts['paid']}")
    session.plain(f"UPDATE postings SET amount_minor = amount_minor - 100 WHERE account = 'escrow:{order}'")
    return [(1, f"entry:{number}"), (2, f"escrow:{order}"), (3, f"order:{order}")]


def both_postings_changed(session: Session, world: World) -> list[tuple[int, str]]:
    order, number = world.orders["paid"], entry(session, "capture", f"attempt:{world.attempts['paid']}")
    session.plain(f"UPDATE postings SET amount_minor = amount_minor * 2 WHERE entry_id = {number}")
    return [(2, f"escrow:{order}"), (2, "escrow in KES"), (3, f"order:{order}")]


def entry_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    number = entry(session, "capture", f"attempt:{world.attempts['paid']}")
    session.plain(f"DELETE FROM entries WHERE id = {number}")
    return [(1, f"posting:{number}.0"), (5, f"attempt:{world.attempts['paid']}"), (9, f"postings:{number}.0")]


def entry_deleted_with_postings(session: Session, world: World) -> list[tuple[int, str]]:
    number = entry(session, "capture", f"attempt:{world.attempts['paid']}")
    session.plain(f"DELETE FROM postings WHERE entry_id = {number}")
    session.plain(f"DELETE FROM entries WHERE id = {number}")
    order = world.orders["paid"]
    return [(2, f"escrow:{order}"), (3, f"order:{order}"), (4, f"order:{order}"), (5, f"attempt:{world.attempts['paid']}")]


def posting_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    number = entry(session, "release", f"order:{world.orders['completed']}")
    session.plain(f"DELETE FROM postings WHERE entry_id = {number} AND account = 'fees:platform'")
    return [(1, f"entry:{number}"), (4, f"entry:{number}")]


def fake_release(session: Session, world: World) -> list[tuple[int, str]]:
    """Balanced, in the right shape, the wallet along with it."""
    order = world.orders["paid"]
    session.plain(f"INSERT INTO entries VALUES ({NEW}, 'release', 'order:{order}', 1, {SHOP})")
    for n, account, amount in ((0, f"escrow:{order}", 250_000), (1, f"wallet:{SHOP}", -250_000)):
        session.plain(f"INSERT INTO postings VALUES ({NEW}, {n}, '{account}', {amount}, 'KES')")
    session.plain(f"UPDATE wallets SET owed_minor = owed_minor + 250000 WHERE account = 'wallet:{SHOP}'")
    return [(2, f"escrow:{order}"), (4, f"order:{order}"), (4, f"entry:{NEW}")]


def fee_pocketed(session: Session, world: World) -> list[tuple[int, str]]:
    """From the platform's fee into the wallet: still a fee that some percentage gives."""
    number = entry(session, "release", f"order:{world.orders['completed']}")
    for account, sign in (("fees:platform", "+"), (f"wallet:{SHOP}", "-")):
        session.plain(f"UPDATE postings SET amount_minor = amount_minor {sign} 2500 WHERE entry_id = {number} AND account = '{account}'")
    session.plain(f"UPDATE wallets SET owed_minor = owed_minor + 2500 WHERE account = 'wallet:{SHOP}'")
    return [(4, f"entry:{number}")]


def fee_of_no_percentage(session: Session, world: World) -> list[tuple[int, str]]:
    number = entry(session, "release", f"order:{world.orders['completed']}")
    for account, sign in (("fees:platform", "+"), (f"wallet:{SHOP}", "-")):
        session.plain(f"UPDATE postings SET amount_minor = amount_minor {sign} 3 WHERE entry_id = {number} AND account = '{account}'")
    session.plain(f"UPDATE wallets SET owed_minor = owed_minor + 3 WHERE account = 'wallet:{SHOP}'")
    return [(4, f"entry:{number}")]


def wallet_edited(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain(f"UPDATE wallets SET owed_minor = owed_minor + 100 WHERE account = 'wallet:{SHOP}'")
    return [(1, f"wallet:{SHOP}")]


def wallet_below_zero(session: Session, world: World) -> list[tuple[int, str]]:
    """On PostgreSQL the table's own CHECK has to go first."""
    if session.dialect == POSTGRES:
        session.plain("ALTER TABLE wallets DROP CONSTRAINT ck_wallets_never_below_zero")
    session.plain(f"INSERT INTO wallets VALUES ('wallet:{OTHER_SHOP}', 'KES', -500)")
    return [(1, f"wallet:{OTHER_SHOP}")]


def unknown_account(session: Session, world: World) -> list[tuple[int, str]]:
    number = entry(session, "capture", f"attempt:{world.attempts['paid']}")
    session.plain(f"UPDATE postings SET account = 'vault:9' WHERE entry_id = {number} AND n = 0")
    return [(1, f"posting:{number}.0"), (1, f"entry:{number}")]


def order_completed_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["paid"]
    session.plain(f"UPDATE orders SET state = 'COMPLETED', escrow = 'RELEASED', due = NULL, due_at = NULL WHERE id = {order}")
    return [(2, f"escrow:{order}"), (4, f"order:{order}"), (10, f"order:{order}")]


def escrow_edited(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["disputed"]
    session.plain(f"UPDATE orders SET escrow = 'HELD' WHERE id = {order}")
    return [(2, f"order:{order}")]


def order_total_raised(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["paid"]
    session.plain(f"UPDATE orders SET amount_minor = amount_minor + 100 WHERE id = {order}")
    return [(2, f"escrow:{order}"), (3, f"order:{order}")]


def attempt_succeeded_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    attempt = one(session, "SELECT id FROM attempts WHERE state = 'PENDING' AND live")
    session.plain(f"UPDATE attempts SET state = 'SUCCEEDED' WHERE id = {attempt}")
    return [(5, f"attempt:{attempt}"), (7, f"attempt:{attempt}"), (10, f"attempt:{attempt}")]


def event_without_effect(session: Session, world: World) -> list[tuple[int, str]]:
    attempt = one(session, "SELECT id FROM attempts WHERE state = 'PENDING' AND live")
    event = one(session, f"SELECT id FROM inbox WHERE headers LIKE '%{world.attempts['paid']}%'")
    session.plain(f"UPDATE inbox SET headers = '{{\"attempt_id\":{attempt}}}' WHERE id = {event}")
    return [(5, f"event:{event}")]


def checkout_paid_twice(session: Session, world: World) -> list[tuple[int, str]]:
    attempt = world.attempts["double"]
    number = entry(session, "unexpected", f"attempt:{attempt}:whole")
    session.plain(f"UPDATE entries SET kind = 'capture' WHERE id = {number}")
    checkout = one(session, f"SELECT checkout_id FROM attempts WHERE id = {attempt}")
    return [(3, f"checkout:{checkout}"), (1, f"entry:{number}"), (5, f"attempt:{attempt}")]


def second_order(session: Session, world: World) -> list[tuple[int, str]]:
    drop_unique(session, "orders", "checkout_id")
    copy_row(session, orders, world.orders["completed"], id=NEW, number="'12345678'")
    checkout = world.checkouts["completed"]
    return [(3, f"checkout:{checkout}"), (4, f"order:{NEW}"), (10, f"order:{NEW}")]


def receipt_used_twice(session: Session, world: World) -> list[tuple[int, str]]:
    drop_unique(session, "attempts", "gateway", "receipt")
    receipt = f"R{world.attempts['paid']}"
    session.plain(f"UPDATE attempts SET receipt = '{receipt}' WHERE id = {world.attempts['shipped']}")
    return [(5, f"receipt:daraja.{receipt}")]


def two_live_attempts(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain("DROP INDEX uq_attempts_one_live")
    attempt, checkout = session.plain("SELECT id, checkout_id FROM attempts WHERE state = 'PENDING' AND live").fetchone()
    copy_row(session, attempts, attempt, id=NEW, key="'again'", ref="NULL")
    return [(7, f"checkout:{checkout}"), (10, f"attempt:{NEW}")]


def refund_done_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    refund = one(session, f"SELECT id FROM refunds WHERE order_id = {world.orders['refund_pending']}")
    session.plain(f"UPDATE refunds SET state = 'DONE', done_at = created_at, act_at = NULL WHERE id = {refund}")
    return [(5, f"refund:{refund}"), (5, f"refunds_in_transit:{refund}"), (10, f"refund:{refund}")]


def refund_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    refund = one(session, f"SELECT id FROM refunds WHERE attempt_id = {world.attempts['short']}")
    session.plain(f"DELETE FROM refunds WHERE id = {refund}")
    return [
        (5, f"suspense:{world.attempts['short']}"),
        (5, f"entry:{entry(session, 'refund_asked', f'refund:{refund}:0')}"),
        (10, f"refund:{refund}"),
    ]


def message_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["completed"]
    session.plain(f"DELETE FROM outbox WHERE order_id = {order} AND fact = 'order_completed' AND person_id = 3")
    return [(6, f"order:{order}")]


def message_left_lying(session: Session, world: World) -> list[tuple[int, str]]:
    message = one(session, "SELECT min(id) FROM outbox")
    session.plain(f"UPDATE outbox SET created_at = created_at - 172800000000, act_at = act_at - 172800000000 WHERE id = {message}")
    return [(6, f"message:{message}")]


def evidence_linked_again(session: Session, world: World) -> list[tuple[int, str]]:
    dispute = one(session, f"SELECT id FROM disputes WHERE order_id = {world.orders['disputed']}")
    session.plain(f"UPDATE disputes SET pictures = '[{world.files['strangers']}]' WHERE id = {dispute}")
    return [(9, f"dispute:{dispute}")]


def evidence_given_away(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain(f"UPDATE files SET person_id = 4 WHERE id = {world.files['buyers']}")
    return [
        (9, f"dispute:{one(session, f'SELECT id FROM disputes WHERE order_id = {world.orders[name]}')}") for name in ("disputed", "split")
    ]


def dispute_moved(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain(f"UPDATE disputes SET order_id = {world.orders['paid']} WHERE order_id = {world.orders['disputed']}")
    return [(10, f"order:{world.orders['paid']}"), (10, f"order:{world.orders['disputed']}")]


def order_moved(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["paid"]
    session.plain(f"UPDATE orders SET organization_id = {OTHER_SHOP} WHERE id = {order}")
    return [(9, f"order:{order}")]


def link_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain(f"DELETE FROM links WHERE id = (SELECT link_id FROM orders WHERE id = {world.orders['digital']})")
    return [(9, f"orders:{world.orders['digital']}"), (9, f"checkouts:{world.checkouts['digital']}")]


def timer_put_off(session: Session, world: World) -> list[tuple[int, str]]:
    order = world.orders["delivered"]
    session.plain(f"UPDATE orders SET due_at = due_at + 86400000000 WHERE id = {order}")
    return [(10, f"order:{order}")]


def strange_state(session: Session, world: World) -> list[tuple[int, str]]:
    if session.dialect == POSTGRES:
        session.plain("ALTER TABLE links DROP CONSTRAINT ck_links_state")
    session.plain("UPDATE links SET state = 'GONE' WHERE id = (SELECT max(id) FROM links)")
    return [(10, f"link:{one(session, 'SELECT max(id) FROM links')}")]


def late_money_decided_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    late = one(session, f"SELECT id FROM late_money WHERE attempt_id = {world.attempts['late_waits']}")
    session.plain(f"UPDATE late_money SET state = 'REFUNDED', ended_at = created_at WHERE id = {late}")
    return [(5, f"late:{late}")]


def late_money_undecided_by_hand(session: Session, world: World) -> list[tuple[int, str]]:
    """So that the clock would give it back a second time."""
    decided = session.plain("SELECT id FROM late_money WHERE state <> 'WAITING'").fetchall()
    session.plain("UPDATE late_money SET state = 'WAITING', ended_at = NULL")
    assert len(decided) > 1
    return [(5, f"late:{late}") for (late,) in decided]


def late_money_taken_twice(session: Session, world: World) -> list[tuple[int, str]]:
    """The entry that took it out of suspense is gone: it would be there to be given back."""
    taken = entry(session, "late_accepted", f"attempt:{world.attempts['late']}")
    session.plain(f"DELETE FROM postings WHERE entry_id = {taken}")
    session.plain(f"DELETE FROM entries WHERE id = {taken}")
    late = one(session, f"SELECT id FROM late_money WHERE attempt_id = {world.attempts['late']}")
    return [(5, f"attempt:{world.attempts['late']}"), (5, f"late:{late}")]


def record_edited(session: Session, world: World) -> list[tuple[int, str]]:
    record = one(session, f"SELECT id FROM audit WHERE subject = 'sale:{world.checkouts['completed']}' AND action = 'order_shipped'")
    session.plain(f"UPDATE audit SET actor = 'staff:99@web' WHERE id = {record}")
    return [(11, f"audit:{record}")]


def record_not_even_json(session: Session, world: World) -> list[tuple[int, str]]:
    record = one(session, f"SELECT id FROM audit WHERE subject = 'sale:{world.checkouts['completed']}' AND action = 'order_shipped'")
    session.plain(f"UPDATE audit SET data = 'x' WHERE id = {record}")
    return [(11, f"audit:{record}"), (10, f"audit:{record}")]


def record_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    subject = f"sale:{world.checkouts['completed']}"
    seq = one(session, f"SELECT seq FROM audit WHERE subject = '{subject}' AND action = 'order_shipped'")
    session.plain(f"DELETE FROM audit WHERE subject = '{subject}' AND seq = {seq}")
    after = one(session, f"SELECT id FROM audit WHERE subject = '{subject}' AND seq = {seq + 1}")
    return [(11, f"audit:{after}"), (11, "seal:1")]


def tail_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    subject = f"sale:{world.checkouts['completed']}"
    session.plain(f"DELETE FROM audit WHERE subject = '{subject}' AND seq = (SELECT max(seq) FROM audit WHERE subject = '{subject}')")
    return [(11, "seal:1"), (10, f"order:{world.orders['completed']}")]


def whole_story_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain(f"DELETE FROM audit WHERE subject = 'sale:{world.checkouts['completed']}'")
    return [(11, "seal:1"), (10, f"checkout:{world.checkouts['completed']}")]


def record_inserted(session: Session, world: World) -> list[tuple[int, str]]:
    subject = f"sale:{world.checkouts['paid']}"
    seq, mark = session.plain(f"SELECT seq, mark FROM audit WHERE subject = '{subject}' ORDER BY seq DESC LIMIT 1").fetchone()
    values = f"{NEW}, '{subject}', {seq + 1}, 1, 'owner:1@web', 'noted', '{{}}', '{mark}', '{'0' * 64}'"
    session.plain(f"INSERT INTO audit VALUES ({values})")
    return [(11, f"audit:{NEW}")]


def seal_edited(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain("UPDATE audit_seals SET at = at + 1 WHERE n = 2")
    return [(11, "seal:2")]


def seal_deleted(session: Session, world: World) -> list[tuple[int, str]]:
    session.plain("DELETE FROM audit_seals WHERE n = 2")
    return [(11, "seal:3")]


def seal_made_anew(session: Session, world: World) -> list[tuple[int, str]]:
    """Records cut away, and the seal's count with them: the mark needs the key."""
    session.plain(f"DELETE FROM audit WHERE subject = 'sale:{world.checkouts['completed']}'")
    session.plain("UPDATE audit_seals SET count = (SELECT count(*) FROM audit WHERE id <= upto_id) WHERE n = 1")
    return [(11, "seal:1")]


TAMPERS: list[Tamper] = [
    posting_amount_changed, both_postings_changed, entry_deleted, entry_deleted_with_postings, posting_deleted, fake_release, fee_pocketed,
    fee_of_no_percentage, wallet_edited, wallet_below_zero, unknown_account, order_completed_by_hand, escrow_edited, order_total_raised,
    attempt_succeeded_by_hand, event_without_effect, checkout_paid_twice, second_order, receipt_used_twice, two_live_attempts,
    refund_done_by_hand, refund_deleted, message_deleted, message_left_lying, evidence_linked_again, evidence_given_away, dispute_moved,
    order_moved, link_deleted, timer_put_off, strange_state,
    late_money_decided_by_hand, late_money_undecided_by_hand, late_money_taken_twice, record_edited, record_not_even_json, record_deleted, tail_deleted,
    whole_story_deleted, record_inserted, seal_edited, seal_deleted, seal_made_anew,
]  # fmt: skip


def named(report: Report) -> set[tuple[int, str]]:
    return {(finding.promise, offence.id) for finding in report.broken for offence in finding.offences}


@pytest.mark.parametrize("tamper", TAMPERS, ids=lambda tamper: tamper.__name__)
async def test_what_is_changed_behind_our_back_is_named(house: Lived, tamper: Tamper) -> None:
    """W28"""
    with tampering(house.url) as session:
        expected = tamper(session, house.world)
    report = await audited(house.url, house.clock)
    assert not report.ok
    assert set(expected) <= named(report), sorted(named(report))
    assert "check" not in {name for _, name in named(report)}, "a check could not be made"


async def test_nothing_of_the_trail_is_ours_with_another_key(house: Lived) -> None:
    report = await audited(house.url, house.clock, key=b"another key of somebody, 32 bytes")
    assert {finding.name for finding in report.broken} == {"records_are_whole", "seals_hold"}
    for finding in report.broken:
        assert finding.broken == finding.checked


def test_the_tampering_is_of_every_table_that_holds_money_or_its_story() -> None:
    """A table that is added has to be thought of here as well."""
    thought_of = {
        "answered", "api_keys", "attempts", "audit", "audit_seals", "cards", "channels", "chargebacks", "checkouts", "codes", "conversations", "differences", "disputes",
        "entries", "files", "gateway_settings", "inbox", "late_money", "limits", "link_days", "links", "lookups", "marks", "members", "orders", "organizations", "outbox",
        "paces", "payments", "persons", "postings", "readings", "refunds", "strays", "wallets", "webhook_deliveries", "webhook_endpoints", "webhook_events",
    }  # fmt: skip
    assert {table.name for table in metadata.tables.values()} == thought_of
