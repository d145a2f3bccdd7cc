"""What has to be true of a sale at its end, however often the house died on the way. Each fault is a sentence; none means that it is right."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from payloom.audit import audit
from tests.crash.desk import texts
from tests.crash.sale import PRICE_MINOR, Sale
from tests.crash.street import Street

MARK: Final = "🔁"
Json = dict[str, Any]


async def faults(sale: Sale) -> list[str]:
    """Everything that is wrong, after all that was due has had hours to happen."""
    return [
        *await promises(sale.street),
        *_orders(sale),
        *books(sale, PRICE_MINOR, {"Chipo": PRICE_MINOR}),
        *_told(sale),
        *ends(sale.street),
    ]


async def promises(street: Street) -> list[str]:
    """What the audit finds."""
    report = await audit(street.read_settings(), now=max(street.core.clock.now(), datetime.now(UTC)))
    return [f"promise {one.promise} ({one.name}) is broken: {'; '.join(map(str, one.offences))}" for one in report.broken]


def _orders(sale: Sale) -> list[str]:
    """K1: no acknowledged step is lost, and no effect happens twice."""
    wrong = ordered(sale.street, ("Brian", "COMPLETED", "RELEASED", True), ("Chipo", "REFUNDED", "REFUNDED", True))
    return wrong + counted(sale.street, ("links", 1), ("organizations", 1), ("checkouts", 2))


def ordered(street: Street, *wanted: tuple[str, str, str | None, bool]) -> list[str]:
    """These orders, oldest first, and no other: whose, state, escrow, proved."""
    found = street.rows("SELECT buyer_name, state, escrow, proved FROM orders ORDER BY paid_at")
    orders = [(name, state, escrow, bool(proved)) for name, state, escrow, proved in found]
    return [] if orders == list(wanted) else [f"orders are {orders}"]


def counted(street: Street, *wanted: tuple[str, int]) -> list[str]:
    """So many rows of a table, or of a part of it."""
    there = [(table, street.one(f"SELECT count(*) FROM {table}"), count) for table, count in wanted]
    return [f"{found} {table} instead of {count}" for table, found, count in there if found != count]


def books(sale: Sale, each_minor: int, back_minor: Mapping[str, int], held_minor: int = 0) -> list[str]:
    """K3: Daraja's own books and ours agree: each charged once, given back what is theirs; `held_minor` is in escrow still."""
    street, wrong = sale.street, []
    theirs = street.town.daraja.books()
    for buyer in (sale.brian, sale.chipo):
        charged = [entry["amount"] * 100 for entry in theirs if entry["kind"] == "stk" and entry["msisdn"] == buyer.msisdn]
        returned = [entry["amount"] * 100 for entry in theirs if entry["kind"] == "reversal" and entry["msisdn"] == buyer.msisdn]
        if charged != [each_minor]:
            wrong.append(f"{buyer.name} was charged {charged}")
        if sum(returned) != back_minor.get(buyer.name, 0):
            wrong.append(f"{buyer.name} was given back {returned}")
    held = sum(entry["amount"] * (100 if entry["kind"] == "stk" else -100) for entry in theirs)
    ours = street.one("SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account = 'clearing:daraja'")
    if int(ours) != held:
        wrong.append(f"Daraja holds {held} for us, our books say {ours}")
    for account, kept in (("escrow", -held_minor), ("refunds_in_transit", 0), ("suspense", 0)):
        left = street.one(f"SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account LIKE '{account}:%'")
        wrong += [f"{left} left in {account}"] if int(left) != kept else []
    return wrong


def _told(sale: Sale) -> list[str]:
    """K4: each money fact at least once; at most once, plus one that says of itself that it may be a repetition."""
    brian, chipo = sale.numbers["Brian"], sale.numbers["Chipo"]
    facts = [
        (sale.amina.number, f"New order {brian}"),
        (sale.amina.number, f"New order {chipo}"),
        (sale.amina.number, f"Order {brian} completed"),
        (sale.brian.number, "was released to"),
        (sale.amina.number, f"The refund of order {chipo} has arrived"),
        (sale.chipo.number, f"for order {chipo} came back to you by M-Pesa"),
    ]
    wrong = []
    for user, words in facts:
        said = [text for text in texts(sale.street, user) if words in text]
        plain = [text for text in said if MARK not in text]
        if not said or len(plain) > 1 or len(said) > 2 + sale.street.deaths_in_a_row:
            wrong.append(f"{user} was told “{words}” {len(said)} times, {len(plain)} of them unmarked")
    return wrong


def ends(street: Street) -> list[str]:
    """Nothing is left half done: every message, event and attempt has an end."""
    wrong = []
    for what, sql in (
        ("messages", "SELECT fact, state, tries, error FROM outbox WHERE state NOT IN ('SENT', 'SKIPPED')"),
        ("events", "SELECT kind, state, tries, error FROM inbox WHERE state NOT IN ('APPLIED', 'IGNORED')"),
        ("attempts", "SELECT id, state, ref FROM attempts WHERE state IN ('CREATED', 'SENDING', 'PENDING') OR live"),
    ):
        left = street.rows(sql)
        wrong += [f"{what} left over: {left}"] if left else []
    return wrong
