"""What plays the back rooms in tests of the hall: a clock moved by hand, dice that repeat, a gateway on a script, and a synchronous ground."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import pytest

from domain.errors import DomainError
from domain.money import Money
from domain.payment import Ability, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.ports import House, Unit
from domain.tokens import Tokens
from storage.statements import SQLITE, Session
from storage.store import foresee
from storage.unit import SqlUnit, Surroundings

P = ParamSpec("P")
R = TypeVar("R")

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
Snapshot = Mapping[str, list[tuple[Any, ...]]]


@dataclass
class HandClock:
    """Stands still until it is moved. `monotonic_s` goes with it, except when the wall clock alone is set (`jump`)."""

    at: datetime = NOON
    elapsed_s: float = 1_000.0

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.elapsed_s

    def move(self, step: timedelta) -> datetime:
        """Time goes by."""
        self.elapsed_s += step.total_seconds()
        return self.jump(step)

    def jump(self, step: timedelta) -> datetime:
        """Somebody sets the wall clock."""
        self.at += step
        return self.at


@dataclass
class CountingChance:
    """Repeatable: 1, 2, 3 ..., after whatever was put into `throws`."""

    thrown: int = 0
    throws: list[int] = field(default_factory=list)

    def bits(self, count: int) -> int:
        if self.throws:
            return self.throws.pop(0)
        self.thrown += 1
        return self.thrown % (1 << count)


class NullBell:
    """Rings for nobody."""

    def ring(self, topic: str, what: Mapping[str, Any]) -> None:
        return None

    def listen(self, topic: str, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        return lambda: None


class BoundSeals:
    """Readable seals that still open in their own context only."""

    def seal(self, clear: str, context: str) -> str:
        return json.dumps([context, clear])

    def open(self, sealed: str, context: str) -> str:
        bound, clear = json.loads(sealed)
        if bound != context:
            raise ValueError("sealed for another context")
        return str(clear)


ABILITY = Ability("daraja", frozenset({Method.MPESA}), frozenset({"KES"}), {"KES": 100}, 100, 25_000_000, True, Proof.HINT)


@dataclass
class FakeGateway:
    """Answers from a script, in turn, then PENDING; writes down what it was asked. Bodies it parses are JSON: {"ref", "outcome", ...}."""

    script: list[Reply] = field(default_factory=list)
    able: Ability = ABILITY
    started: list[Ask] = field(default_factory=list)
    fetched: list[tuple[Attempt, Mapping[str, str]]] = field(default_factory=list)
    refunded: list[tuple[Refund, str, Mapping[str, str], str]] = field(default_factory=list)

    @property
    def ability(self) -> Ability:
        return self.able

    def _next(self) -> Reply:
        return self.script.pop(0) if self.script else Reply(Outcome.PENDING)

    async def start(self, ask: Ask) -> Reply:
        self.started.append(ask)
        return self._next()

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        self.fetched.append((attempt, credentials))
        return self._next()

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        self.refunded.append((refund, receipt, credentials, callback_token))
        return self._next()

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        return headers.get("forged") is None

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        try:
            body = json.loads(raw)
            ref, outcome = str(body["ref"]), Outcome(body["outcome"])
        except (ValueError, KeyError, TypeError):
            raise Unreadable("not ours") from None
        money = Money(body["minor"], "KES") if "minor" in body else None
        return Notice("daraja", f"{kind}:{ref}:{outcome}", kind, outcome, Proof.HINT, ref=ref, receipt=body.get("receipt"), money=money)


class Ground:
    """A migrated SQLite database in memory on which plain unit functions run, each committed; `wakes` are those of the last one."""

    def __init__(self, template: Path, clock: HandClock | None = None, chance: CountingChance | None = None) -> None:
        self.clock = clock or HandClock()
        self.chance = chance or CountingChance()
        self.house = House("https://pay.example", "PayLoomBot", "KE", "KES", 250)
        self.tokens = Tokens([b"k" * 16])
        self.around = Surroundings(self.clock, self.chance, self.house, self.tokens, BoundSeals(), b"a key of the tests, 32 bytes long")
        self.wakes: list[tuple[str, dict[str, Any]]] = []
        self.connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        with contextlib.closing(sqlite3.connect(template)) as source:
            source.backup(self.connection)
        self.connection.execute("PRAGMA foreign_keys=ON")

    def close(self) -> None:
        self.connection.close()

    def unit(self, work: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        """Run it whole and commit; whatever it raises undoes it, but for a refusal that keeps what was written."""
        session = Session(self.connection, SQLITE)
        unit = SqlUnit(session, self.around)
        self.connection.execute("BEGIN")
        try:
            session.begin(foresee(session, [(work, args, kwargs)])[0])
            result = work(unit, *args, **kwargs)
            unit.flush()
        except BaseException as error:
            if isinstance(error, DomainError) and error.keeps:
                unit.flush()
                self.connection.execute("COMMIT")
                raise
            self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")
        self.wakes = unit.wakes
        return result

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(sql, params).fetchall()

    def tables(self) -> list[str]:
        return [
            row[0] for row in self.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name")
        ]

    def snapshot(self) -> Snapshot:
        """Every row of every table."""
        return {table: sorted(self.rows(f"SELECT * FROM {table}"), key=repr) for table in self.tables()}

    @contextlib.contextmanager
    def unchanged(self) -> Iterator[None]:
        """Ledger, outbox, states and everything else are afterwards as they were before."""
        before = self.snapshot()
        yield
        after = self.snapshot()
        assert {table for table in before if before[table] != after[table]} == set()

    def refuses(self, error: type[Exception], work: Callable[Concatenate[Unit, P], Any], *args: P.args, **kwargs: P.kwargs) -> Any:
        """The refusal, after making sure that it left nothing behind."""
        with self.unchanged(), pytest.raises(error) as refusal:
            self.unit(work, *args, **kwargs)
        return refusal.value

    def balance(self, account: str) -> int:
        """Sum of postings in minor units, all currencies: what we owe is negative."""
        return int(self.rows("SELECT coalesce(sum(amount_minor), 0) FROM postings WHERE account = ?", account)[0][0])

    def books(self) -> dict[str, int]:
        """Every account that is not even, by name without its owner where that is a number of chance."""
        found = self.rows("SELECT account, sum(amount_minor) FROM postings GROUP BY account HAVING sum(amount_minor) <> 0")
        sums: dict[str, int] = {}
        for account, amount in found:
            kind, _, owner = str(account).partition(":")
            name = kind if owner.isdigit() else account
            sums[name] = sums.get(name, 0) + amount
        return sums

    def told(self) -> list[str]:
        """Outbox rows in the order of writing: `fact>person`."""
        return [f"{fact}>{person}" for fact, person in self.rows("SELECT fact, person_id FROM outbox ORDER BY rowid")]

    def trail(self, subject: str) -> list[str]:
        """`action by actor`, oldest first."""
        return [
            f"{action} by {actor}" for action, actor in self.rows("SELECT action, actor FROM audit WHERE subject = ? ORDER BY seq", subject)
        ]

    def alerts(self) -> list[str]:
        return [row[0] for row in self.rows("SELECT action FROM audit WHERE subject LIKE 'alert:%' ORDER BY rowid")]


class GroundStore:
    """`domain.ports.Store` over a ground: for coroutines of the hall."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground

    async def write(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        return self.ground.unit(unit, *args, **kwargs)

    async def read(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
        before = self.ground.connection.total_changes
        result = self.ground.unit(unit, *args, **kwargs)
        assert self.ground.connection.total_changes == before, "a unit that only reads wrote"
        return result


def check_books(ground: Ground) -> None:
    """The promises of the ledger over the whole database (design/domain.md, promises 1, 2 and 3)."""
    uneven = ground.rows("SELECT entry_id FROM postings GROUP BY entry_id, currency HAVING sum(amount_minor) <> 0")
    assert uneven == [], "an entry does not balance"
    owed = ground.rows(
        "SELECT account, currency, -sum(amount_minor) FROM postings WHERE account LIKE 'wallet:%' GROUP BY account, currency "
        "HAVING sum(amount_minor) <> 0"
    )
    assert sorted(owed) == sorted(ground.rows("SELECT account, currency, owed_minor FROM wallets WHERE owed_minor <> 0")), (
        "a wallet differs from its postings"
    )
    assert all(amount >= 0 for _, _, amount in owed), "a wallet is below zero"
    debts = dict(ground.rows("SELECT account, sum(amount_minor) FROM postings WHERE account LIKE 'receivable:%' GROUP BY account"))
    assert all(debt >= 0 for debt in debts.values()), "more was taken than was owed"
    rich = {f"receivable:{account.partition(':')[2]}" for account, _, amount in owed if amount}
    assert not any(debts.get(account) for account in rich), "somebody owes beside a wallet with money in it"
    booked = ground.rows(
        "SELECT account, currency, -sum(amount_minor) FROM postings WHERE account LIKE 'escrow:%' GROUP BY account, currency "
        "HAVING sum(amount_minor) <> 0"
    )
    held = ground.rows(
        """SELECT account, currency, sum(minor) FROM (
        SELECT 'escrow:' || id AS account, currency, amount_minor AS minor FROM orders WHERE escrow IN ('HELD', 'DISPUTED', 'FROZEN')
        UNION ALL SELECT c.source, c.currency, -c.amount_minor FROM chargebacks c JOIN orders o ON c.source = 'escrow:' || o.id
            WHERE c.state <> 'WON' AND o.escrow IN ('HELD', 'DISPUTED', 'FROZEN')
        UNION ALL SELECT r.source, r.currency, -r.amount_minor FROM refunds r JOIN orders o ON r.source = 'escrow:' || o.id
            WHERE o.escrow IN ('HELD', 'DISPUTED', 'FROZEN'))
        GROUP BY account, currency HAVING sum(minor) <> 0"""
    )
    assert sorted(booked) == sorted(held), "escrow in the ledger differs from the orders whose escrow is held"
    transit = ground.rows(
        "SELECT account, -sum(amount_minor) FROM postings WHERE account LIKE 'refunds_in_transit:%' GROUP BY account "
        "HAVING sum(amount_minor) <> 0"
    )
    under_way = ground.rows("SELECT 'refunds_in_transit:' || id, amount_minor FROM refunds WHERE state IN ('ASKED', 'SENDING', 'PENDING')")
    assert sorted(transit) == sorted(under_way), "money in transit differs from the refunds under way"
    twice = ground.rows("SELECT checkout_id FROM payments WHERE settled_at IS NOT NULL GROUP BY checkout_id HAVING count(*) > 1")
    assert twice == [], "a checkout was paid twice"
