"""Entries, postings and the wallets' proven balances; the audit trail's chains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, select, update

from domain.errors import Broken
from domain.ledger import AccountKind, Entry, LedgerAccount, Posting
from domain.records import AuditRecord, audit_mark
from domain.rights import Actor
from storage.ahead import HEAD
from storage.mapping import Mapper, from_us, to_us
from storage.sealing import seal_records
from storage.statements import Session, Sql, insert_into, insert_unless_there, maker, select_by
from storage.tables import audit, entries, postings, wallets

_ADD_ENTRY = insert_unless_there(entries)
_ADD_POSTING = insert_into(postings)
_BOOKED = select_by(entries, "kind", "cause")
_BALANCE = Sql(
    select(postings.c.currency, func.sum(postings.c.amount_minor))
    .where(postings.c.account == bindparam("account"))
    .group_by(postings.c.currency)
)
_WALLET = Sql(select(wallets.c.currency, wallets.c.owed_minor).where(wallets.c.account == bindparam("account")))
_CREDIT = Sql(
    lambda dialect: (
        insert := maker(dialect)(wallets).values(
            account=bindparam("account"), currency=bindparam("currency"), owed_minor=bindparam("amount")
        )
    ).on_conflict_do_update(index_elements=["account", "currency"], set_={"owed_minor": wallets.c.owed_minor + insert.excluded.owed_minor})
)
_DEBIT = Sql(
    update(wallets)
    .where(
        wallets.c.account == bindparam("account_was"),
        wallets.c.currency == bindparam("currency_was"),
        wallets.c.owed_minor >= bindparam("amount"),
    )
    .values(owed_minor=wallets.c.owed_minor - bindparam("amount"))
)
_HISTORY = Sql(
    select(entries.c.kind, entries.c.cause, entries.c.at, postings.c.amount_minor, postings.c.currency)
    .join(entries, entries.c.id == postings.c.entry_id)
    .where(postings.c.account == bindparam("account"))
    .order_by(postings.c.entry_id.desc())
    .limit(bindparam("most"))
)


class BookRows:
    """The only writer of the ledger. Escrow and the rest are summed; a wallet's balance is kept beside its postings and guarded at zero."""

    def __init__(self, session: Session, new_id: Any, now: datetime) -> None:
        self.session = session
        self._new_id = new_id
        self._now = now

    def book(self, entry: Entry) -> None:
        number = self._new_id()
        row = {"id": number, "kind": entry.kind, "cause": entry.cause, "at": to_us(self._now), "organization_id": entry.organization_id}
        self.session.later(_ADD_ENTRY, row, {"kind": entry.kind, "cause": entry.cause})
        self.session.many(_ADD_POSTING, [_posting_row(number, n, posting) for n, posting in enumerate(entry.postings)])
        for posting in entry.postings:
            if posting.account.kind is AccountKind.WALLET:
                self._move_wallet(posting)

    def _move_wallet(self, posting: Posting) -> None:
        name, currency, amount = posting.account.name, posting.money.currency, posting.money.amount_minor
        if amount < 0:
            self.session.later(_CREDIT, {"account": name, "currency": currency, "amount": -amount})
        elif self.session.run(_DEBIT, account_was=name, currency_was=currency, amount=amount).rowcount != 1:
            raise Broken(promise=1, account=name)

    def hold(self, wallet: LedgerAccount, currency: str) -> None:
        """PostgreSQL locks the row that is written; SQLite has one writer."""
        self.session.run(_CREDIT, account=wallet.name, currency=currency, amount=0)

    def booked(self, kind: str, cause: str) -> bool:
        return self.session.run(_BOOKED, kind=kind, cause=cause).fetchone() is not None

    def balance(self, account: str) -> dict[str, int]:
        if account.startswith(f"{AccountKind.WALLET}:"):
            return {row[0]: -int(row[1]) for row in self.session.run(_WALLET, account=account).fetchall()}
        return {row[0]: int(row[1]) for row in self.session.run(_BALANCE, account=account).fetchall()}

    def history(self, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        rows = self.session.run(_HISTORY, account=account, most=limit).fetchall()
        return [{"kind": row[0], "cause": row[1], "at": from_us(row[2]), "amount_minor": int(row[3]), "currency": row[4]} for row in rows]


def _posting_row(entry_id: int, n: int, posting: Posting) -> dict[str, Any]:
    return {
        "entry_id": entry_id,
        "n": n,
        "account": posting.account.name,
        "amount_minor": posting.money.amount_minor,
        "currency": posting.money.currency,
    }


_RECORD = Mapper(audit, AuditRecord)
_ADD_RECORD = insert_into(audit)
_OF = Sql(select(audit).where(audit.c.subject == bindparam("subject")).order_by(audit.c.seq))


class TrailRows:
    """Collects records during a unit and writes them, chained by subject, when it is flushed."""

    def __init__(self, session: Session, new_id: Any, now: datetime, key: bytes) -> None:
        self.session = session
        self._new_id = new_id
        self._now = now
        self._key = key
        self._fresh: list[AuditRecord] = []
        self._heads: dict[str, tuple[int, str]] = {}

    def add(self, subject: str, actor: Actor, action: str, **data: Any) -> None:
        if subject not in self._heads:
            head = self.session.run(HEAD, subject=subject).fetchone()
            self._heads[subject] = (head[0], head[1]) if head is not None else (0, "")
        seq, previous = self._heads[subject]
        bare = AuditRecord(self._new_id(), subject, seq + 1, self._now, actor.name, action, data, previous, "")
        record = replace(bare, mark=audit_mark(self._key, bare))
        self._heads[subject] = (record.seq, record.mark)
        self._fresh.append(record)

    def of(self, subject: str) -> Sequence[AuditRecord]:
        self.flush()
        return [_RECORD.read(row) for row in self.session.run(_OF, subject=subject).fetchall()]

    def seal(self, before: datetime, limit: int) -> int:
        self.flush()
        return seal_records(self.session, self._key, self._now, before, limit)

    def flush(self) -> None:
        if self._fresh:
            self.session.many(_ADD_RECORD, [_RECORD.row(record) for record in self._fresh])
            self._fresh = []

    def forget(self) -> None:
        """After a rollback: what was not written is dropped, the chains' heads are read again."""
        self._fresh = []
        self._heads = {}
