"""The books and the trail as rows: once, balanced, never below zero, and chained."""

from __future__ import annotations

import asyncio
import sqlite3
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from domain import booking
from domain.errors import Broken, Stale
from domain.ids import AttemptId, OrderId, OrganizationId
from domain.ledger import AccountKind, LedgerAccount, transfer
from domain.money import Money
from domain.ports import Unit
from domain.records import audit_mark
from tests.storage.ground import AUDIT_KEY, OWNER, Store, count

PRICE, FEE = Money(250_000, "KES"), Money(6_250, "KES")
CAPTURE = booking.capture(AttemptId(1), OrderId(9), OrganizationId(1), "daraja", PRICE)
RELEASE = booking.release(OrderId(9), OrganizationId(1), PRICE, FEE)
REFUSALS = (sqlite3.IntegrityError, psycopg.IntegrityError)


def withdraw(unit: Unit, number: int, money: Money) -> None:
    out = LedgerAccount(AccountKind.CLEARING, "payout")
    unit.books.book(transfer("withdrawn", f"withdrawal:{number}", booking.wallet(OrganizationId(1)), out, money, 1))


async def sell(store: Store) -> None:
    await store.write(lambda unit: unit.books.book(CAPTURE))
    await store.write(lambda unit: unit.books.book(RELEASE))


async def balances(store: Store, *accounts: str) -> list[dict[str, int]]:
    return [await store.read(lambda unit, name: unit.books.balance(name), name) for name in accounts]


async def test_a_sale_stands_in_every_account_it_touched(store: Store) -> None:
    await sell(store)
    found = await balances(store, "clearing:daraja", "escrow:9", "wallet:1", "fees:platform", "wallet:2")
    assert found == [{"KES": 250_000}, {"KES": 0}, {"KES": -243_750}, {"KES": -6_250}, {}]
    history = await store.read(lambda unit: unit.books.history("escrow:9", 10))
    assert sorted((row["kind"], row["amount_minor"]) for row in history) == [("capture", -250_000), ("release", 250_000)]
    assert await store.read(lambda unit: unit.books.booked("capture", "attempt:1"))
    assert not await store.read(lambda unit: unit.books.booked("capture", "attempt:2"))


async def test_the_same_fact_is_booked_once_even_by_many_at_once(engine_url: str, store: Store) -> None:
    told = await asyncio.gather(*(store.write(lambda unit: unit.books.book(CAPTURE)) for _ in range(12)), return_exceptions=True)
    assert sum(one is None for one in told) == 1
    assert all(isinstance(one, Stale) for one in told if one is not None)
    assert (count(engine_url, "entries"), count(engine_url, "postings")) == (1, 2)


async def test_a_wallet_never_pays_more_than_it_has(engine_url: str, store: Store) -> None:
    await sell(store)
    with pytest.raises(Broken):
        await store.write(withdraw, 1, Money(243_751, "KES"))
    with pytest.raises(Broken):
        await store.write(withdraw, 1, Money(1, "USD"))
    assert await balances(store, "wallet:1", "clearing:payout") == [{"KES": -243_750}, {}]
    assert count(engine_url, "entries") == 2
    await store.write(withdraw, 1, Money(243_750, "KES"))
    assert await balances(store, "wallet:1") == [{"KES": 0}]


async def test_of_twenty_who_withdraw_everything_at_once_one_succeeds(engine_url: str, store: Store) -> None:
    """S4."""
    await sell(store)
    everything = Money(243_750, "KES")
    told = await asyncio.gather(*(store.write(withdraw, number, everything) for number in range(20)), return_exceptions=True)
    assert sum(one is None for one in told) == 1
    assert all(isinstance(one, Broken) for one in told if one is not None)
    assert await balances(store, "wallet:1") == [{"KES": 0}]
    assert count(engine_url, "entries") == 3


@pytest.mark.parametrize("table", ["entries", "postings", "audit"])
async def test_no_unit_can_change_or_delete_what_was_written(engine_url: str, store: Store, table: str) -> None:
    await sell(store)
    await store.write(lambda unit: unit.trail.add("order:9", OWNER, "order_accepted"))
    before = count(engine_url, table)

    def run(unit: Any, statement: str) -> None:
        unit.session.plain(statement)

    column = {"entries": "at", "postings": "amount_minor", "audit": "seq"}[table]
    for statement in (f"DELETE FROM {table}", f"UPDATE {table} SET {column} = 1"):
        with pytest.raises(REFUSALS, match="append-only"):
            await store.write(run, statement)
    assert count(engine_url, table) == before


def note(unit: Unit, subject: str, times: int) -> None:
    for number in range(times):
        unit.trail.add(subject, OWNER, "looked", n=number, words=["é", "'", None], price={"KES": 1})


async def test_each_subject_has_an_unbroken_chain_whose_marks_can_be_computed_again(store: Store) -> None:
    for _ in range(2):
        await store.write(note, "order:9", 3)
    await store.write(note, "order:10", 1)
    chain = await store.read(lambda unit: unit.trail.of("order:9"))
    assert [record.seq for record in chain] == [1, 2, 3, 4, 5, 6]
    assert [record.previous for record in chain] == ["", *(record.mark for record in chain[:-1])]
    assert [audit_mark(AUDIT_KEY, record) for record in chain] == [record.mark for record in chain]
    assert chain[0].actor == "owner:1@web"
    assert audit_mark(AUDIT_KEY, replace(chain[3], data={**chain[3].data, "n": 7})) != chain[3].mark
    assert len(await store.read(lambda unit: unit.trail.of("order:10"))) == 1


async def test_many_who_write_about_one_subject_at_once_make_one_chain(store: Store) -> None:
    """Whoever finds the next place taken is run again from reading."""
    await asyncio.gather(*(store.write(note, "order:9", 2) for _ in range(12)))
    chain = await store.read(lambda unit: unit.trail.of("order:9"))
    assert [record.seq for record in chain] == list(range(1, 25))
    assert [record.previous for record in chain] == ["", *(record.mark for record in chain[:-1])]


async def test_a_savepoint_that_is_undone_takes_its_trail_and_its_wakes_along(store: Store) -> None:
    def inside(unit: Any) -> None:
        with unit.savepoint():
            unit.trail.add("order:9", OWNER, "inside")
            unit.wake("lost", n=2)
            unit.books.book(CAPTURE)
            withdraw(unit, 1, PRICE)

    def unit_of(unit: Any) -> list[tuple[str, dict[str, Any]]]:
        unit.trail.add("order:9", OWNER, "before")
        unit.wake("kept", n=1)
        with pytest.raises(Broken):
            inside(unit)
        assert not unit.books.booked("capture", "attempt:1")
        with unit.savepoint():
            unit.trail.add("order:9", OWNER, "after")
        return list(unit.wakes)

    assert await store.write(unit_of) == [("kept", {"n": 1})]
    chain = await store.read(lambda unit: unit.trail.of("order:9"))
    assert [(record.seq, record.action) for record in chain] == [(1, "before"), (2, "after")]
    assert [audit_mark(AUDIT_KEY, record) for record in chain] == [record.mark for record in chain]
