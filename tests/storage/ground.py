"""What the tests of the storage room stand on: a clock that stands still, dice, opened stores, and values to write."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg

from domain.ids import AttemptId, CheckoutId, LinkId, OrganizationId, OutboxId, PaymentId, PersonId
from domain.life import AttemptState, CheckoutState, LinkState, OutboxState, PaymentState
from domain.link import Link
from domain.money import Money
from domain.payment import Attempt, Checkout, Method, Payment
from domain.person import ChannelKind, Language, Organization, Person, Role
from domain.ports import Bell, House, Unit
from domain.records import OutboxMessage
from domain.rights import Actor, Party
from domain.tokens import Tokens
from storage.bell import LocalBell
from storage.postgres import WRITERS, PostgresStore, conninfo
from storage.sqlite import SqliteStore
from storage.statements import POSTGRES, SQLITE, Session
from storage.unit import Surroundings

NOON = datetime(2026, 11, 21, 12, 0, 0, 123_456, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
AUDIT_KEY = b"a key of the tests, 32 bytes long"
OWNER = Actor(Party.OWNER, "web", PersonId(1))
Store = SqliteStore | PostgresStore


@dataclass
class StillClock:
    at: datetime = NOON

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()


class Dice:
    def bits(self, count: int) -> int:
        return secrets.randbits(count)


@dataclass
class LoadedDice:
    """Every throw in its turn, and then fair ones: to make two ids clash."""

    throws: list[int] = field(default_factory=list)

    def bits(self, count: int) -> int:
        return self.throws.pop(0) if self.throws else secrets.randbits(count)


class OpenSeals:
    def seal(self, clear: str, context: str) -> str:
        return f"{context}|{clear}"

    def open(self, sealed: str, context: str) -> str:
        return sealed.removeprefix(f"{context}|")


def surroundings(clock: StillClock | None = None, chance: Any = None) -> Surroundings:
    house = House("https://pay.example", "PayLoomBot", "KE", "KES", 250)
    return Surroundings(clock or StillClock(), chance or Dice(), house, Tokens([b"k" * 16]), OpenSeals(), AUDIT_KEY)


def sqlite_path(url: str) -> Path:
    return Path(url.partition(":///")[2])


def store_of(
    url: str, around: Surroundings | None = None, bell: Bell | None = None, *, busy_s: float = 5.0, writers: int = WRITERS
) -> Store:
    around, bell = around or surroundings(), bell or LocalBell()
    if url.startswith("sqlite"):
        return SqliteStore(sqlite_path(url), around, bell, busy_s=busy_s)
    return PostgresStore(url, around, bell, writers=writers)


@contextlib.asynccontextmanager
async def opened(
    url: str, around: Surroundings | None = None, bell: Bell | None = None, *, busy_s: float = 5.0, writers: int = WRITERS
) -> AsyncIterator[Store]:
    store = store_of(url, around, bell, busy_s=busy_s, writers=writers)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


async def in_one_batch(store: Any, *units: Callable[[Unit], Any]) -> list[Any]:
    """All of them wait behind one that holds the only writer, and are then taken together. What each got, or was raised."""
    begun, go_on = threading.Event(), threading.Event()

    def holds(unit: Unit) -> None:
        begun.set()
        go_on.wait(10)

    first = asyncio.create_task(store.write(holds))
    await asyncio.to_thread(begun.wait, 10)
    others = [asyncio.create_task(store.write(unit)) for unit in units]
    await asyncio.sleep(0)
    go_on.set()
    await first
    return await asyncio.gather(*others, return_exceptions=True)


@contextlib.contextmanager
def raw(url: str) -> Iterator[Session]:
    """A driver connection beside the store, without foreign keys: for looking, and for standing in the way."""
    if url.startswith("sqlite"):
        with contextlib.closing(sqlite3.connect(sqlite_path(url), isolation_level=None)) as connection:
            yield Session(connection, SQLITE)
    else:
        with psycopg.connect(conninfo(url), autocommit=True) as server:
            server.execute("SET session_replication_role = replica")
            yield Session(server, POSTGRES)


def count(url: str, table: str) -> int:
    with raw(url) as session:
        return int(session.plain(f"SELECT count(*) FROM {table}").fetchone()[0])


def person(number: int = 1) -> Person:
    return Person(PersonId(number), f"Person {number}", Language.SW, Role.BUYER, None, NOON)


def organization(number: int = 1) -> Organization:
    return Organization(OrganizationId(number), "Mama Amina", "KE", "KES", 250, NOON)


def link(number: int = 1, *, stock: int | None = None) -> Link:
    code = f"PL-{number:05}"
    price = Money(250_000, "KES")
    return Link(LinkId(number), code, OrganizationId(1), None, "Sneakers", "", price, LinkState.ACTIVE, NOON, f"k{number}", stock=stock)


def checkout(number: int = 1) -> Checkout:
    return Checkout(
        CheckoutId(number), f"TEMP-{number}", OrganizationId(1), LinkId(1), None, 1, Money(250_000, "KES"), CheckoutState.OPEN, None,
        "", "", "", "en", "web", NOON, NOON + 30 * MINUTE, f"c{number}",
    )  # fmt: skip


def payment(number: int = 1) -> Payment:
    money = Money(250_000, "KES")
    return Payment(PaymentId(number), CheckoutId(1), OrganizationId(1), Method.MPESA, f"g{number}", money, PaymentState.PENDING, NOON)


def attempt(number: int = 1, **more: Any) -> Attempt:
    return Attempt(
        AttemptId(number), PaymentId(1), CheckoutId(1), OrganizationId(1), "daraja", False, Money(250_000, "KES"), AttemptState.PENDING,
        None, NOON, f"a{number}", **more,
    )  # fmt: skip


def message(number: int, *, urgency: int = 1, act_at: datetime = NOON) -> OutboxMessage:
    kind, waiting = ChannelKind.TELEGRAM, OutboxState.WAITING
    return OutboxMessage(OutboxId(number), "order_paid", f"f{number}", PersonId(1), kind, urgency, {"n": number}, waiting, NOON, act_at)


def furnish(unit: Unit) -> None:
    """A person, an organization, a link and a checkout with a payment: what other rows refer to."""
    unit.people.add(person())
    unit.organizations.add(organization())
    unit.links.add(link())
    unit.checkouts.add(checkout())
    unit.payments.add(payment())
