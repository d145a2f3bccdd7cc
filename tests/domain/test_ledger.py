"""Double entry: what cannot be made unbalanced, and the accounts and cause of each kind of entry."""

from __future__ import annotations

import pytest

from domain import booking
from domain.errors import Broken
from domain.ids import AttemptId, ChargebackId, OrderId, OrganizationId, RefundId
from domain.ledger import AccountKind, Entry, LedgerAccount, Posting, transfer
from domain.life import LIVES
from domain.money import Money

ATTEMPT, ORDER, SHOP, REFUND = AttemptId(3001), OrderId(9182), OrganizationId(17), RefundId(71)
SUM, FEE = Money(250000, "KES"), Money(6250, "KES")
CASH, DEBT = LedgerAccount(AccountKind.CLEARING, "daraja"), LedgerAccount(AccountKind.WALLET, "17")


def lines(entry: Entry) -> list[tuple[str, int]]:
    assert {posting.money.currency for posting in entry.postings} == {"KES"}
    return [(posting.account.name, posting.money.amount_minor) for posting in entry.postings]


@pytest.mark.parametrize(
    "postings",
    [
        [],
        [("KES", 0)],
        [("KES", 5)],
        [("KES", 5), ("KES", -4)],
        [("KES", 5), ("KES", 5)],
        [("KES", 5), ("USD", -5)],
        [("KES", 5), ("KES", -5), ("USD", 1)],
        [("KES", 5), ("KES", -6), ("USD", -5), ("USD", 6)],
    ],
)
def test_an_entry_that_does_not_balance_in_each_currency_cannot_be_made(postings: list[tuple[str, int]]) -> None:
    with pytest.raises(Broken) as broken:
        Entry("k", "c", tuple(Posting(CASH, Money(minor, currency)) for currency, minor in postings))
    assert broken.value.facts == {"promise": 1, "kind": "k", "cause": "c"}


def test_an_entry_may_hold_several_currencies_when_each_balances() -> None:
    postings = tuple(Posting(CASH, Money(minor, currency)) for currency, minor in [("KES", 5), ("KES", -5), ("USD", -7), ("USD", 7)])
    assert Entry("k", "c", postings).postings == postings


def test_a_transfer_debits_one_account_and_credits_the_other() -> None:
    entry = transfer("k", "c", CASH, DEBT, SUM, 17)
    assert entry == Entry("k", "c", (Posting(CASH, SUM), Posting(DEBT, -SUM)), 17)
    assert transfer("k", "c", CASH, DEBT, SUM).organization_id is None


CLEARING, SUSPENSE, ESCROW, TRANSIT = "clearing:daraja", "suspense:3001", "escrow:9182", "refunds_in_transit:71"
ENTRIES = [
    (booking.capture(ATTEMPT, ORDER, SHOP, "daraja", SUM), "capture", "attempt:3001", CLEARING, ESCROW),
    (
        booking.capture_direct(ATTEMPT, SHOP, "daraja", SUM),
        "capture_direct",
        "attempt:3001",
        "direct_clearing:17.daraja",
        "direct_sales:17",
    ),
    (booking.unexpected(ATTEMPT, SHOP, booking.clearing("daraja"), SUM), "unexpected", "attempt:3001:whole", CLEARING, SUSPENSE),
    (
        booking.unexpected(ATTEMPT, SHOP, booking.clearing("daraja"), SUM, "surplus"),
        "unexpected",
        "attempt:3001:surplus",
        CLEARING,
        SUSPENSE,
    ),
    (booking.disproved(ATTEMPT, ORDER, SHOP, SUM), "disproved", "attempt:3001", ESCROW, SUSPENSE),
    (booking.written_off(ATTEMPT, SHOP, booking.clearing("daraja"), SUM), "written_off", "attempt:3001", SUSPENSE, CLEARING),
    (booking.refund_asked(REFUND, booking.escrow_account(ORDER), SHOP, SUM), "refund_asked", "refund:71:0", ESCROW, TRANSIT),
    (booking.refund_asked(REFUND, booking.suspense(ATTEMPT), SHOP, SUM, 2), "refund_asked", "refund:71:2", SUSPENSE, TRANSIT),
    (booking.refund_confirmed(REFUND, SHOP, booking.clearing("daraja"), SUM), "refund_confirmed", "refund:71", TRANSIT, CLEARING),
    (booking.refund_failed(REFUND, booking.escrow_account(ORDER), SHOP, SUM), "refund_failed", "refund:71:0", TRANSIT, ESCROW),
    (booking.refund_returned(REFUND, ATTEMPT, SHOP, booking.clearing("daraja"), SUM), "refund_returned", "refund:71", CLEARING, SUSPENSE),
    (
        booking.chargeback(ChargebackId(5), booking.receivable(SHOP), SHOP, booking.clearing("daraja"), SUM),
        "chargeback",
        "chargeback:5",
        "receivable:17",
        CLEARING,
    ),
    (
        booking.chargeback_won(ChargebackId(5), booking.wallet(SHOP), SHOP, booking.clearing("daraja"), SUM),
        "chargeback_won",
        "chargeback:5",
        CLEARING,
        "wallet:17",
    ),
    (booking.refund_failed(REFUND, booking.direct_sales(SHOP), SHOP, SUM, 3), "refund_failed", "refund:71:3", TRANSIT, "direct_sales:17"),
]


@pytest.mark.parametrize("entry,kind,cause,debit,credit", ENTRIES, ids=[f"{row[1]}-{row[2]}" for row in ENTRIES])
def test_each_kind_moves_the_whole_sum_from_one_account_to_one_other(entry: Entry, kind: str, cause: str, debit: str, credit: str) -> None:
    assert (entry.kind, entry.cause, entry.organization_id) == (kind, cause, 17)
    assert lines(entry) == [(debit, 250000), (credit, -250000)]


def test_a_release_pays_the_wallet_and_the_fee_out_of_escrow() -> None:
    entry = booking.release(ORDER, SHOP, SUM, FEE)
    assert (entry.kind, entry.cause, entry.organization_id) == ("release", "order:9182", 17)
    assert lines(entry) == [("escrow:9182", 250000), ("wallet:17", -243750), ("fees:platform", -6250)]


def test_a_release_without_a_fee_has_no_line_for_it() -> None:
    assert lines(booking.release(ORDER, SHOP, SUM, Money(0, "KES"))) == [("escrow:9182", 250000), ("wallet:17", -250000)]


def test_a_refund_that_failed_is_the_reverse_of_the_one_that_was_asked() -> None:
    asked = booking.refund_asked(REFUND, booking.escrow_account(ORDER), SHOP, SUM, 1)
    failed = booking.refund_failed(REFUND, booking.escrow_account(ORDER), SHOP, SUM, 1)
    assert sorted(lines(failed)) == sorted((account, -minor) for account, minor in lines(asked))


def test_a_sale_that_is_refunded_leaves_nothing_anywhere() -> None:
    books: dict[str, int] = {}
    for entry in (
        booking.capture(ATTEMPT, ORDER, SHOP, "daraja", SUM),
        booking.refund_asked(REFUND, booking.escrow_account(ORDER), SHOP, SUM),
        booking.refund_confirmed(REFUND, SHOP, booking.clearing("daraja"), SUM),
    ):
        for account, minor in lines(entry):
            books[account] = books.get(account, 0) + minor
    assert books == {CLEARING: 0, ESCROW: 0, TRANSIT: 0}


def test_everything_a_life_books_is_a_kind_that_can_be_booked() -> None:
    kinds = {row[1] for row in ENTRIES} | {"release"}
    assert {kind for life in LIVES for move in life.moves for kind in move.books} == kinds - {
        "capture_direct",
        "unexpected",
        "written_off",
        "refund_returned",
    }
