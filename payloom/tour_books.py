"""What the tour shows at its end: a timeline for each order, the ledger, Daraja's own books beside ours, and the audit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from domain.money import Money
from domain.ports import Unit
from payloom.audit import audit
from payloom.tour_scenes import Tour
from storage.unit import SqlUnit

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Books:
    """Everything read in one unit. Amounts in minor units of KES; debits are positive.

    `paid` and `refunded` are by Daraja's CheckoutRequestID; a payment that was asked for (not called back) has no receipt: Daraja tells none.
    """

    timelines: dict[str, list[Json]]
    accounts: list[tuple[str, int, int]]
    kinds: list[tuple[str, int, int]]
    paid: dict[str, tuple[int, str]]
    refunded: dict[str, int]
    problems: list[str] = field(default_factory=list)

    def shown(self) -> Json:
        return asdict(self)


def read_books(unit: Unit, orders: dict[str, str]) -> Books:
    assert isinstance(unit, SqlUnit)
    accounts: dict[str, tuple[int, int]] = {}
    for account, total in _rows(unit, "SELECT account, sum(amount_minor) FROM postings GROUP BY account"):
        name = str(account).partition(":")[0]
        count, before = accounts.get(name, (0, 0))
        accounts[name] = count + 1, before + int(total)
    kinds = _rows(
        unit,
        "SELECT e.kind, count(DISTINCT e.id), sum(CASE WHEN p.amount_minor > 0 THEN p.amount_minor ELSE 0 END) "
        "FROM entries e JOIN postings p ON p.entry_id = e.id GROUP BY e.kind ORDER BY e.kind",
    )
    paid = _rows(unit, "SELECT ref, amount_minor, receipt FROM attempts WHERE state = 'SUCCEEDED'")
    refunded = _rows(
        unit,
        "SELECT a.ref, sum(r.amount_minor) FROM refunds r JOIN attempts a ON a.id = r.attempt_id WHERE r.state = 'DONE' GROUP BY a.ref",
    )
    return Books(
        {number: _timeline(unit, number) for number in orders.values()},
        [(name, *accounts[name]) for name in sorted(accounts)],
        [(str(kind), int(count), int(total)) for kind, count, total in kinds],
        {str(ref): (int(minor), str(receipt or "")) for ref, minor, receipt in paid},
        {str(ref): int(minor) for ref, minor in refunded},
        _problems(unit),
    )


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


@dataclass(frozen=True, slots=True)
class Comparison:
    """Daraja's books against ours, payment by payment. `differences` is empty when they agree."""

    payments: int
    reversals: int
    theirs_minor: int
    ours_minor: int
    differences: list[str]


def compare(books: Books, movements: Sequence[Json]) -> Comparison:
    """`movements` are Daraja's own; `theirs_minor` is what it keeps for us, `ours_minor` our clearing account."""
    stk = {str(one["receipt"]): one for one in movements if one["kind"] == "stk"}
    paid = {one["checkout_request_id"]: int(one["amount"]) * 100 for one in stk.values()}
    back: dict[str, int] = {}
    for one in movements:
        if one["kind"] == "reversal":
            ref = stk[one["original_receipt"]]["checkout_request_id"]
            back[ref] = back.get(ref, 0) + int(one["amount"]) * 100
    clearing = sum(total for name, _, total in books.accounts if name == "clearing")
    theirs = sum(paid.values()) - sum(back.values())
    ours = {ref: minor for ref, (minor, _) in books.paid.items()}
    differences = [
        f"{what} {ref}: Daraja has {there.get(ref, 0)}, we have {here.get(ref, 0)}"
        for what, there, here in (("payment", paid, ours), ("reversal", back, books.refunded))
        for ref in sorted(there.keys() | here.keys())
        if there.get(ref) != here.get(ref)
    ]
    differences += [f"receipt {receipt} is not Daraja's" for _, receipt in books.paid.values() if receipt and receipt not in stk]
    if theirs != clearing:
        differences.append(f"Daraja keeps {theirs} for us, our clearing account says {clearing}")
    return Comparison(len(paid), len(back), theirs, clearing, differences)


def show_books(tour: Tour, books: Books, comparison: Comparison) -> None:
    """The tables a person reads."""
    for buyer, number in tour.orders.items():
        steps = books.timelines[number]
        rows = [(step["at"].replace("T", " ").removesuffix("+00:00"), step["action"], step["actor"]) for step in steps]
        tour.printer.table(f"Order {number}, {buyer}", ("when (UTC)", "what", "who@by"), rows)
    rows = [(name, str(count), _kes(total)) for name, count, total in books.accounts]
    tour.printer.table("Ledger: accounts (debit +, credit -)", ("account", "how many", "balance KES"), rows)
    rows = [(kind, str(count), _kes(total)) for kind, count, total in books.kinds]
    tour.printer.table("Ledger: entries by kind", ("kind", "entries", "moved KES"), rows)
    both = [
        ("Daraja", str(comparison.payments), str(comparison.reversals), _kes(comparison.theirs_minor)),
        ("PayLoom", str(len(books.paid)), str(len(books.refunded)), _kes(comparison.ours_minor)),
    ]
    tour.printer.table("Daraja's own books and ours", ("whose", "payments", "reversals", "kept KES"), both)


def _kes(minor: int) -> str:
    sign = "-" if minor < 0 else ""
    return f"{sign}{Money(abs(minor), 'KES').major}" if minor else "0"


async def audited(tour: Tour, books: Books) -> tuple[int, list[str]]:
    """The whole audit beside the running house: how many things were looked at, and what is wrong. Ours is the small one on top."""
    report = await audit(tour.streets.settings, now=tour.streets.core.clock.now())
    found = [f"promise {one.promise}, {one.name}: {', '.join(str(offence.id) for offence in one.offences)}" for one in report.broken]
    return sum(one.checked for one in report.findings), [*found, *books.problems]
