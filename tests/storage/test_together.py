"""Writes of many units as few statements: what may go together, what may not, and that every value arrives as it was."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotFound, Stale
from domain.ids import FileId, LinkId, PersonId
from domain.ports import Unit
from domain.records import StoredFile
from storage.spelling import POSTGRES, SQLITE, Many, Sql, array, insert_into, save_version, select_by
from storage.statements import Session
from storage.tables import links, persons, wallets
from storage.together import Write, groups
from tests.storage import ground
from tests.storage.ground import OWNER, Store, count, in_one_batch, raw

ADD, SAVE, ADD_LINK = insert_into(persons), save_version(persons, "id"), insert_into(links)
ODD = ['"', "\\", '\\"', "NULL", "null", "", " ", "{}", "a,b", "{a}", "'", "%s", "$1", "Zoë صباح 🛍", "\n\t", "null\\u0000"]


def write(sql: Sql, number: int, or_stale: dict[str, Any] | None = None) -> Write:
    return Write(sql, {"id": number, "id_was": number, "version_was": 0}, or_stale)


def shape(writes: list[Write]) -> list[list[list[int]]]:
    """The numbers of the rows, by group and statement."""
    return [[[row["id"] for row in part.rows] for part in group] for group in groups(writes, SQLITE)]


def test_rows_of_one_kind_are_one_statement_whoever_wrote_them() -> None:
    assert shape([write(ADD, 1), write(ADD_LINK, 7), write(ADD, 2), write(ADD_LINK, 8)]) == [[[1, 2], [7, 8]]]


def test_a_row_is_changed_once_in_a_group() -> None:
    stale = {"table": "persons"}
    assert shape([write(SAVE, 1, stale), write(SAVE, 2, stale), write(SAVE, 1, stale)]) == [[[1, 2]], [[1]]]


def test_a_row_that_was_added_is_changed_in_the_next_group() -> None:
    assert shape([write(ADD, 1), write(SAVE, 1), write(ADD, 2)]) == [[[1]], [[1]], [[2]]]


def test_one_that_is_looked_at_and_one_that_is_not_are_two_statements() -> None:
    assert shape([write(ADD, 1), write(ADD, 2, {"table": "persons"}), write(ADD, 3)]) == [[[1, 3], [2]]]


def test_what_nobody_knows_to_touch_stands_alone() -> None:
    from sqlalchemy import text  # noqa: PLC0415 - for this case only

    anything = Sql(text("DELETE FROM marks"))
    assert shape([write(ADD, 1), write(anything, 9), write(ADD, 2)]) == [[[1]], [[9]], [[2]]]


def test_a_statement_for_one_row_only_is_not_repeated_in_a_group() -> None:
    credit = select_by(wallets, "account")
    assert shape([write(credit, 1), write(credit, 2)]) == [[[1]], [[2]]]


@given(st.lists(st.none() | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), min_size=1, max_size=6))
def test_an_array_of_texts_reads_as_it_was_written(values: list[str | None]) -> None:
    """As PostgreSQL's manual has it: quoted, with a backslash before quotes and backslashes; a bare NULL is none."""
    assert read_array(array(values)) == values


def read_array(literal: str) -> list[str | None]:
    found: list[str | None] = []
    at = 1
    while at < len(literal):
        if literal[at] == '"':
            at += 1
            text = ""
            while literal[at] != '"':
                at += literal[at] == "\\"
                text += literal[at]
                at += 1
            found.append(text)
            at += 2
        else:
            end = literal.index("," if "," in literal[at:] and literal.index(",", at) < len(literal) - 1 else "}", at)
            assert literal[at:end] == "NULL"
            found.append(None)
            at = end + 1
    return found


async def test_every_value_arrives_as_it_was_in_a_batch_of_any_size(engine_url: str, alone: Store) -> None:
    def add(number: int, name: str) -> Callable[[Unit], None]:
        def unit(unit: Unit) -> None:
            unit.people.add(replace(ground.person(number), name=name))
            body = bytes(range(256)) if number % 2 else name.encode()
            unit.files.add(StoredFile(FileId(number), None, PersonId(number), "picture", "image/png", 1, -number, body, ground.NOON, name))
            unit.trail.add("person", OWNER, "added", name=name)

        return unit

    for size in (1, 2, 3, 7, len(ODD) * 3):
        names = (ODD * 3)[:size]
        first = size * 100
        assert await in_one_batch(alone, *(add(first + number, name) for number, name in enumerate(names))) == [None] * size
        for number, name in enumerate(names):
            person = await alone.read(lambda unit, number: unit.people.get(number), PersonId(first + number))
            file = await alone.read(lambda unit, number: unit.files.get(number), FileId(first + number))
            assert (person.name, person.phone, person.created_at) == (name, None, ground.NOON)
            assert (file.name, file.height, file.organization_id) == (name, -(first + number), None)
            assert file.body == (bytes(range(256)) if (first + number) % 2 else name.encode())
        trail = await alone.read(lambda unit: unit.trail.of("person"))
        assert [record.seq for record in trail] == list(range(1, len(trail) + 1))
        assert [record.data["name"] for record in trail][-size:] == names


async def test_a_batch_is_a_handful_of_statements(engine_url: str, alone: Store) -> None:
    heard: list[str] = []

    def listens(unit: Any) -> None:
        if unit.session.dialect == SQLITE:
            unit.session.connection.set_trace_callback(heard.append)
        else:
            plain = unit.session._raw().execute
            unit.session._cursor = type("Heard", (), {"execute": lambda _, text, values: heard.append(text) or plain(text, values)})()  # type: ignore[func-returns-value]

    def adds(number: int) -> Callable[[Unit], None]:
        return lambda unit: unit.people.add(ground.person(number))

    assert await in_one_batch(alone, listens, *(adds(number) for number in range(1, 17))) == [None] * 17
    assert count(engine_url, "persons") == 16
    assert len([text for text in heard if "INSERT" in text]) == 1


async def test_a_unit_of_a_batch_that_lost_is_run_again_and_its_neighbours_have_their_effect_once(engine_url: str, alone: Store) -> None:
    """The batch cannot be written, so each of it is run by itself: nobody is answered with what did not happen."""
    await alone.write(ground.furnish)
    old = await alone.read(lambda unit: unit.links.get(LinkId(1)))
    await alone.write(lambda unit: unit.links.save(old))
    runs: list[str] = []

    def loses(unit: Unit) -> None:
        runs.append("loses")
        unit.links.save(old)

    def loses_once(unit: Unit) -> str:
        runs.append("once")
        link = unit.links.get(LinkId(1)) if runs.count("once") > 1 else old
        return unit.links.save(replace(link, name="Hats")).name

    def refuses(unit: Unit) -> None:
        unit.people.add(ground.person(9))
        raise NotFound(what="anything")

    def adds(number: int) -> Callable[[Unit], int]:
        def unit(unit: Unit) -> int:
            unit.people.add(ground.person(number))
            return number

        return unit

    told = await in_one_batch(alone, adds(2), loses, refuses, adds(3), loses_once, adds(4))
    assert [one for one in told if not isinstance(one, BaseException)] == [2, 3, "Hats", 4]
    assert (type(told[1]), type(told[2])) == (Stale, NotFound)
    assert count(engine_url, "persons") == 4
    assert (await alone.read(lambda unit: unit.links.get(LinkId(1)))).name == "Hats"


async def test_what_a_neighbour_could_not_write_is_not_the_fault_of_who_reads_next(engine_url: str, alone: Store) -> None:
    """The second reads the table that the first wrote, and so writes for it: the first loses, and is told so."""
    await alone.write(ground.furnish)
    old = await alone.read(lambda unit: unit.links.get(LinkId(1)))
    await alone.write(lambda unit: unit.links.save(old))
    told = await in_one_batch(alone, lambda unit: unit.links.save(old), lambda unit: unit.links.get(LinkId(1)).version)
    assert isinstance(told[0], Stale)
    assert told[1] == 1


async def test_nobody_goes_on_after_a_write_that_failed_though_somebody_caught_it(engine_url: str, alone: Store) -> None:
    """The refusal of a question is often caught; what was lost with it, a neighbour's writes or one's own, must not be."""
    await alone.write(ground.furnish)
    old = await alone.read(lambda unit: unit.links.get(LinkId(1)))
    await alone.write(lambda unit: unit.links.save(old))

    def catches(number: int, own: bool) -> Callable[[Unit], str]:
        def unit(unit: Unit) -> str:
            unit.people.add(ground.person(number))
            if own:
                unit.links.save(old)
            name = "nothing"
            with contextlib.suppress(Stale):
                name = unit.links.get(LinkId(1)).name
            return name

        return unit

    def adds(unit: Unit) -> None:
        unit.people.add(ground.person(2))

    told = await in_one_batch(alone, adds, lambda unit: unit.links.save(old), catches(3, False), catches(4, True), catches(5, False))
    assert [type(one) for one in told] == [type(None), Stale, str, Stale, str]
    assert {number: has_person(engine_url, number) for number in range(2, 6)} == {2: True, 3: True, 4: False, 5: True}
    assert isinstance((await asyncio.gather(alone.write(catches(6, True)), return_exceptions=True))[0], Stale)
    assert not has_person(engine_url, 6)


def has_person(engine_url: str, number: int) -> bool:
    with raw(engine_url) as session:
        return bool(session.plain(f"SELECT count(*) FROM persons WHERE id = {number}").fetchone()[0])


async def test_a_unit_sees_what_its_neighbours_wrote_before_it(alone: Store) -> None:
    def adds(number: int) -> Callable[[Unit], int]:
        def unit(unit: Unit) -> int:
            unit.people.add(ground.person(number))
            return sum(has(unit, one) for one in range(1, 6))

        return unit

    assert await in_one_batch(alone, *(adds(number) for number in range(1, 6))) == [1, 2, 3, 4, 5]


def has(unit: Unit, number: int) -> bool:
    try:
        return unit.people.get(PersonId(number)).id == number
    except NotFound:
        return False


def test_a_text_for_many_rows_is_the_same_for_any_number_on_postgresql() -> None:
    many = ADD.many
    assert isinstance(many, Many)
    assert many.text(POSTGRES, 2) == many.text(POSTGRES, 50)
    assert many.text(SQLITE, 3).count("(?") == 3


def test_a_session_begins_with_what_was_foreseen_for_it(engine_url: str) -> None:
    with raw(engine_url) as session:
        assert isinstance(session, Session)
        question = select_by(persons, "id")
        session.begin({(question, (1,)): [("known",)]})
        assert session.run(question, id=1).fetchall() == [("known",)]
        assert session.run(question, id=1).fetchall() == []
        session.begin({(question, (1,)): [("known",)]})
        session.begin()
        assert session.run(question, id=1).fetchall() == []
