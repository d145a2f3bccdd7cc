"""The ledger's words: account, posting, entry. An entry sums to zero in each currency or cannot be made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import Broken
from domain.money import Money


class AccountKind(StrEnum):
    """Debit-normal: clearing, ours or an organization's own, and what an organization owes us. Credit-normal: what we owe somebody, direct sales, and fees."""

    CLEARING = "clearing"
    ESCROW = "escrow"
    WALLET = "wallet"
    FEES = "fees"
    REFUNDS_IN_TRANSIT = "refunds_in_transit"
    SUSPENSE = "suspense"
    DIRECT_SALES = "direct_sales"
    DIRECT_CLEARING = "direct_clearing"
    RECEIVABLE = "receivable"
    SHARES = "shares"


@dataclass(frozen=True, slots=True)
class LedgerAccount:
    """A kind and an owner: `escrow:9182` (an order), `wallet:17` (an organization), `clearing:daraja`, `fees:platform`."""

    kind: AccountKind
    owner: str

    @property
    def name(self) -> str:
        return f"{self.kind}:{self.owner}"


@dataclass(frozen=True, slots=True)
class Posting:
    """Debits are positive, credits negative, in minor units of the money's currency."""

    account: LedgerAccount
    money: Money


@dataclass(frozen=True, slots=True)
class Entry:
    """`cause` is the fact that made it, unique for its kind: the same fact cannot be booked twice."""

    kind: str
    cause: str
    postings: tuple[Posting, ...]
    organization_id: int | None = None

    def __post_init__(self) -> None:
        sums: Counter[str] = Counter()
        for posting in self.postings:
            sums[posting.money.currency] += posting.money.amount_minor
        if len(self.postings) < 2 or any(sums.values()):
            raise Broken(promise=1, kind=self.kind, cause=self.cause)


def transfer(kind: str, cause: str, debit: LedgerAccount, credit: LedgerAccount, money: Money, organization_id: int | None = None) -> Entry:
    """The simplest entry: the same money, debited here and credited there."""
    return Entry(kind, cause, (Posting(debit, money), Posting(credit, -money)), organization_id)
