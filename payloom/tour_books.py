"""What the tour shows at its end: a timeline for each order, the ledger, each gateway's own books beside ours, and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from domain.money import Money
from domain.ports import Unit
from payloom.audit import audit
from payloom.carriers import PLAIN
from payloom.tour_gateways import BANK, PAYMENT, REFUND, Comparison, Movement, compare, prompts, their_books
from payloom.tour_scenes import Tour
from storage.unit import SqlUnit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything read in one unit. Amounts in minor units; debits are positive.

    `accounts` are (name, currency, how many, balance), `kinds` (kind of entry, currency, how many, moved).
    """

    timelines: dict[str, list[Json]]
    accounts: list[tuple[str, str, int, int]]
    kinds: list[tuple[str, str, int, int]]
    clearing: dict[tuple[str, str], int]
    moved: list[Movement]
    problems: list[str] = field(default_factory=list)


def read_books(unit: Unit, orders: dict[str, str]) -> Books:
    assert isinstance(unit, SqlUnit)
    accounts: dict[tuple[str, str], tuple[int, int]] = {}
    clearing: dict[tuple[str, str], int] = {}
    for account, currency, total in _rows(unit, "SELECT account, currency, sum(amount_minor) FROM postings GROUP BY account, currency"):
        name, _, whose = str(account).partition(":")
        count, before = accounts.get((name, currency), (0, 0))
        accounts[name, currency] = count + 1, before + int(total)
        if name == "clearing":
            clearing[whose, currency] = int(total)
    kinds = _rows(
        unit,
        "SELECT e.kind, p.currency, count(DISTINCT e.id), sum(CASE WHEN p.amount_minor > 0 THEN p.amount_minor ELSE 0 END) "
        "FROM entries e JOIN postings p ON p.entry_id = e.id GROUP BY e.kind, p.currency ORDER BY e.kind, p.currency",
    )
    return Books(
        {number: _timeline(unit, number) for number in orders.values()},
        [(*place, *accounts[place]) for place in sorted(accounts)],
        [(str(kind), str(currency), int(count), int(total)) for kind, currency, count, total in kinds],
        clearing,
        _moved(unit),
        _problems(unit),
    )


_MOVED = {
    PAYMENT: "SELECT gateway, coalesce(receipt, ref), currency, amount_minor FROM attempts WHERE state = 'SUCCEEDED'",
    REFUND: "SELECT a.gateway, coalesce(a.receipt, a.ref), r.currency, -r.amount_minor FROM refunds r "
    "JOIN attempts a ON a.id = r.attempt_id WHERE r.state = 'DONE'",
    BANK: "SELECT a.gateway, a.receipt, c.currency, -c.amount_minor FROM chargebacks c "
    "JOIN attempts a ON a.id = c.attempt_id WHERE c.state <> 'WON'",
}


def _moved(unit: SqlUnit) -> list[Movement]:
    """Every payment, refund and chargeback that we believe in."""
    return [
        Movement(str(gateway), kind, str(receipt or ""), str(currency), int(minor))
        for kind, sql in _MOVED.items()
        for gateway, receipt, currency, minor in _rows(unit, sql)
    ]


def _rows(unit: SqlUnit, sql: str) -> Sequence[Any]:
    rows: Sequence[Any] = unit.session.plain(sql).fetchall()
    return rows


def _timeline(unit: Unit, number: str) -> list[Json]:
    """Every step of the sale from the audit trail: when, who by which door, what."""
    order = unit.orders.by_number(number)
    if order is None:
        return []
    return [
        {"at": record.at.isoformat(timespec="seconds"), "actor": record.actor, "action": record.action}
        for record in unit.trail.of(f"sale:{order.checkout_id}")
    ]


_CHECKS = {
    "promise 1: an entry does not balance": "SELECT entry_id FROM postings GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0",
    "promise 1: a wallet is not the sum of its postings": (
        "SELECT w.account FROM wallets w WHERE w.owed_minor < 0 OR w.owed_minor <> "
        "(SELECT -sum(p.amount_minor) FROM postings p WHERE p.account = w.account AND p.currency = w.currency)"
    ),
    "promise 3: a checkout has two orders": "SELECT checkout_id FROM orders GROUP BY checkout_id HAVING count(*) > 1",
    "promise 5: an event was not applied": "SELECT id FROM inbox WHERE state IN ('STORED', 'PARKED')",
    "promise 6: a message was not sent": "SELECT fact FROM outbox WHERE state <> 'SENT'",
}


def _problems(unit: SqlUnit) -> list[str]:
    """A small check that shares no code with the audit: the promises that are one query each, and that nothing is left to be told."""
    found = [f"{what}: {', '.join(str(row[0]) for row in rows)}" for what, sql in _CHECKS.items() if (rows := _rows(unit, sql))]
    held = _rows(unit, "SELECT coalesce(sum(amount_minor), 0) FROM orders WHERE escrow IN ('HELD', 'DISPUTED')")[0][0]
    booked = _rows(unit, "SELECT coalesce(-sum(amount_minor), 0) FROM postings WHERE account LIKE 'escrow:%'")[0][0]
    if held != booked:
        found.append(f"promise 2: the ledger holds {booked} in escrow, the orders say {held}")
    return found


async def compared(tour: Tour, books: Books) -> list[Comparison]:
    """Each gateway's books and ours, in each currency."""
    state = await tour.wire.look("/state")
    receipts = prompts(state)
    ours = [replace(one, receipt=receipts.get(one.receipt, one.receipt)) for one in books.moved]
    return compare(ours, their_books(state, await tour.wire.look("/stripe/books")), books.clearing)


def show_books(tour: Tour, books: Books, comparisons: Sequence[Comparison]) -> None:
    """The tables a person reads."""
    for buyer, number in tour.orders.items():
        steps = books.timelines[number]
        rows = [(step["at"].replace("T", " ").removesuffix("+00:00"), step["action"], step["actor"]) for step in steps]
        tour.printer.table(f"Order {number}, {buyer}", ("when (UTC)", "what", "who@by"), rows)
    rows = [(name, str(count), _money(total, currency)) for name, currency, count, total in books.accounts]
    tour.printer.table("Ledger: accounts (debit +, credit -)", ("account", "how many", "balance"), rows)
    rows = [(kind, str(count), _money(total, currency)) for kind, currency, count, total in books.kinds]
    tour.printer.table("Ledger: entries by kind", ("kind", "entries", "moved"), rows)
    both = [
        (
            PLAIN[one.gateway],
            str(one.payments),
            str(one.refunds),
            str(one.taken_back),
            *(_money(minor, one.currency) for minor in _kept(one)),
        )
        for one in comparisons
    ]
    tour.printer.table("The gateways' own books and ours", ("gateway", "payments", "refunds", "by banks", "it keeps", "we say"), both)


def _kept(one: Comparison) -> tuple[int, int]:
    return one.theirs_minor, one.ours_minor


def _money(minor: int, currency: str) -> str:
    return f"{'-' if minor < 0 else ''}{Money(abs(minor), currency).major} {currency}" if minor else f"0 {currency}"


async def audited(tour: Tour, books: Books) -> tuple[int, list[str]]:
    """The whole audit beside the running house: how many things were looked at, and what is wrong. Ours is the small one on top."""
    report = await audit(tour.streets.settings, now=tour.streets.core.clock.now())
    found = [f"promise {one.promise}, {one.name}: {', '.join(str(offence.id) for offence in one.offences)}" for one in report.broken]
    return sum(one.checked for one in report.findings), [*found, *books.problems]
