"""Writes that nobody waits for are kept back and go together: a unit does not notice, and nothing is lost by it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from typing import Any

import pytest

from domain.errors import NotFound, Stale
from domain.ids import AttemptId, LinkId, PersonId
from domain.ports import ExpectedEvent, Unit
from storage.ahead import fetch_ahead
from storage.bell import LocalBell
from storage.postgres import PostgresStore
from storage.statements import POSTGRES
from tests.storage import ground
from tests.storage.ground import OWNER, Store, count, surroundings


async def test_a_unit_sees_what_it_wrote_itself(furnished: Store) -> None:
    def unit(unit: Unit) -> list[str]:
        unit.links.add(ground.link(2))
        renamed = unit.links.save(replace(unit.links.get(LinkId(2)), name="Boots"))
        again = unit.links.save(replace(renamed, name="Hats"))
        assert unit.links.get(LinkId(2)) == again
        return [one.name for one in unit.links.of_organization(again.organization_id, None, 10)]

    assert await furnished.write(unit) == ["Hats", "Sneakers"]


async def test_a_save_that_lost_is_told_at_the_latest_when_the_unit_ends(engine_url: str, furnished: Store) -> None:
    old = await furnished.read(lambda unit: unit.links.get(LinkId(1)))
    await furnished.write(lambda unit: unit.links.save(old))

    def late(unit: Unit) -> None:
        unit.people.add(ground.person(2))
        unit.links.save(old)
        unit.trail.add("person:2", OWNER, "added")

    with pytest.raises(Stale):
        await furnished.write(late)
    assert (count(engine_url, "persons"), count(engine_url, "audit")) == (1, 0)


async def test_what_is_undone_inside_a_unit_is_undone_alone_written_or_not(engine_url: str, store: Store) -> None:
    def undoes(unit: Any) -> None:
        unit.people.add(ground.person(1))
        for number, written in ((2, False), (3, True)):
            try:
                with unit.savepoint():
                    unit.people.add(ground.person(number))
                    if written:
                        unit.flush()
                    raise NotFound
            except NotFound:
                unit.trail.add(f"person:{number}", OWNER, "given up")
        with unit.savepoint():
            unit.people.add(ground.person(4))
            with unit.savepoint():
                unit.flush()
                unit.people.add(ground.person(5))

    await store.write(undoes)
    assert [await store.read(has, number) for number in range(1, 6)] == [True, False, False, True, True]
    assert count(engine_url, "audit") == 2


def has(unit: Unit, number: int) -> bool:
    try:
        return unit.people.get(PersonId(number)).id == number
    except NotFound:
        return False


async def test_an_undone_part_in_which_nothing_was_written_costs_no_statement(engine_url: str, store: Store) -> None:
    if not engine_url.startswith("sqlite"):
        return
    heard: list[str] = []

    def unit(unit: Any) -> None:
        unit.session.connection.set_trace_callback(heard.append)
        with unit.savepoint():
            unit.people.add(ground.person(1))
        unit.flush()
        unit.session.connection.set_trace_callback(None)

    await store.write(unit)
    assert not [text for text in heard if "SAVEPOINT" in text]


async def test_a_unit_whose_question_fails_harms_nobody_who_shares_its_commit(postgresql_url: str) -> None:
    """Before anything is written PostgreSQL knows no savepoint, and a failed question breaks the transaction of all."""
    store = PostgresStore(postgresql_url, surroundings(), LocalBell(), writers=1)
    await store.open()
    begun, go_on = threading.Event(), threading.Event()

    def waits(unit: Unit) -> None:
        begun.set()
        go_on.wait(10)

    def asks_wrongly(unit: Any) -> None:
        unit.session.connection.execute("SELECT no_such_thing")

    def adds(unit: Unit, number: int) -> int:
        unit.people.add(ground.person(number))
        return number

    try:
        first = asyncio.create_task(store.write(waits))
        await asyncio.to_thread(begun.wait, 10)
        others = [asyncio.create_task(store.write(asks_wrongly if n == 3 else adds, *([] if n == 3 else [n]))) for n in range(1, 7)]  # type: ignore[arg-type]
        await asyncio.sleep(0.05)
        go_on.set()
        await first
        told = await asyncio.gather(*others, return_exceptions=True)
    finally:
        await store.close()
    assert [one for one in told if not isinstance(one, BaseException)] == [1, 2, 4, 5, 6]
    assert "no_such_thing" in str(told[2])
    assert count(postgresql_url, "persons") == 5


async def test_what_was_fetched_ahead_is_not_believed_after_a_write(furnished: Store) -> None:
    def unit(unit: Any) -> tuple[str, str]:
        attempt = ground.attempt()
        unit.payments.add_attempt(attempt)
        expect(unit, attempt.id, None)
        checkout = unit.checkouts.save(replace(unit.checkouts.get(attempt.checkout_id), name="Amina"))
        unit.payments.save_attempt(replace(attempt, receipt="R1"))
        found = unit.payments.attempt_by_receipt("daraja", "R1")
        assert found is not None
        return checkout.name, unit.checkouts.get(attempt.checkout_id).name

    assert await furnished.write(unit) == ("Amina", "Amina")


async def test_what_is_fetched_ahead_is_what_would_have_been_read(furnished: Store) -> None:
    def unit(unit: Any) -> None:
        unit.payments.add_attempt(ground.attempt(ref="ws_1"))
        unit.trail.add("sale:1", OWNER, "opened")
        unit.flush()
        plain = everything(unit)
        expect(unit, ground.attempt().id, "ws_1")
        assert everything(unit) == plain
        expect(unit, ground.attempt(9).id, "ws_1")
        assert everything(unit) == plain

    await furnished.write(unit)


def expect(unit: Any, attempt_id: AttemptId, ref: str | None) -> None:
    event = ExpectedEvent("daraja", "key", attempt_id, ref, "R1")
    unit.session.begin(fetch_ahead(unit.session, {attempt_id: event}).get(attempt_id))


def everything(unit: Any) -> list[Any]:
    attempt = ground.attempt()
    return [
        unit.inbox.by_key("daraja", "key"),
        unit.payments.attempt_by_ref("daraja", "ws_1"),
        unit.payments.attempt_by_receipt("daraja", "R1"),
        unit.payments.attempt(attempt.id),
        unit.checkouts.get(attempt.checkout_id),
        unit.payments.get(attempt.payment_id),
        unit.links.get(LinkId(1)),
        unit.people.reach_members(attempt.organization_id),
        unit.session.dialect == POSTGRES,
    ]
