"""Every value survives its row: in Python for whatever hypothesis thinks of, and through both engines."""

from __future__ import annotations

import dataclasses
import types
import typing
from datetime import UTC, datetime
from enum import Enum
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import NotFound, Stale
from domain.ids import LinkId, PersonId
from domain.money import EXPONENTS, MOST_MINOR, Money
from domain.person import ChannelKind, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import LEADERS, Party
from domain.wants import Wants
from storage import codes, ledger, link, order, payment, person, records
from storage.mapping import Mapper, from_us, to_us
from storage.statements import insert_into, select_by
from tests.storage import ground
from tests.storage.ground import NOON, Store, furnish, raw


def every_mapper() -> dict[str, Mapper[Any]]:
    """Found by looking: a mapper that somebody adds is tested from that day."""
    found: dict[str, Mapper[Any]] = {}
    for room in (codes, ledger, link, order, payment, person, records):
        for thing in vars(room).values():
            mapper = thing if isinstance(thing, Mapper) else vars(thing).get("mapper") if isinstance(thing, type) else None
            if isinstance(mapper, Mapper):
                found[mapper.table.name] = mapper
    return found


MAPPERS = every_mapper()
TEXTS = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)  # PostgreSQL's text has no NUL
INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the zone is given beside it
SMALL = st.integers(1, 10_000)
JSON = st.dictionaries(TEXTS, st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS | st.lists(TEXTS, max_size=2), max_size=3)
KINDS: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXTS,
    int: SMALL,
    bool: st.booleans(),
    bytes: st.binary(max_size=40),
    datetime: INSTANTS,
    Phone: st.integers(10**8, 10**9 - 1).map(lambda digits: Phone(f"+254{digits}")),
    Money: st.builds(Money, st.integers(1, MOST_MINOR), st.sampled_from(sorted(EXPONENTS))),
    Party: st.sampled_from(sorted(LEADERS)),
    Wants: st.builds(
        lambda channel, hours, news, zone: Wants(channel, hours[0], hours[1], news, zone),
        st.none() | st.sampled_from(list(ChannelKind)),
        st.just((0, 0)) | st.lists(st.integers(0, 1439), min_size=2, max_size=2, unique=True).map(tuple),
        st.booleans(),
        TEXTS,
    ),
}


def some(hint: Any, name: str) -> st.SearchStrategy[Any]:
    while hasattr(hint, "__supertype__"):
        hint = hint.__supertype__
    if hint in KINDS:
        return st.integers(0, 2**63 - 1) if hint is int and name == "id" else KINDS[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(list(hint))
    origin = typing.get_origin(hint)
    if origin in {types.UnionType, typing.Union}:
        return st.none() | some(next(one for one in typing.get_args(hint) if one is not types.NoneType), name)
    return JSON if origin is dict else st.lists(SMALL, max_size=3).map(tuple if origin is tuple else list)


def values_of(mapper: Mapper[Any]) -> st.SearchStrategy[Any]:
    hints = typing.get_type_hints(mapper.value)
    return st.builds(mapper.value, **{field.name: some(hints[field.name], field.name) for field in dataclasses.fields(mapper.value)})


def test_every_kind_of_value_is_tried() -> None:
    assert len(MAPPERS) >= 20


@pytest.mark.parametrize("table", sorted(MAPPERS))
def test_a_value_is_the_same_after_it_was_a_row(table: str) -> None:
    mapper = MAPPERS[table]

    @settings(max_examples=60, deadline=None)
    @given(values_of(mapper))
    def same(value: Any) -> None:
        row = mapper.row(value)
        assert mapper.read([row[column.name] for column in mapper.table.columns]) == value
        assert all(type(stored) in {int, bool, str, bytes, types.NoneType} for stored in row.values())

    same()


@pytest.mark.parametrize("table", sorted(MAPPERS))
def test_a_value_is_the_same_after_either_engine_kept_it(engine_url: str, table: str) -> None:
    mapper = MAPPERS[table]
    key = [column.name for column in mapper.table.primary_key.columns]
    insert, get = insert_into(mapper.table), select_by(mapper.table, *key)
    with raw(engine_url) as session:

        @settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
        @given(values_of(mapper))
        def same(value: Any) -> None:
            row = mapper.row(value)
            session.plain("BEGIN")
            session.run(insert, **row)
            kept = session.run(get, **{name: row[name] for name in key}).fetchone()
            session.plain("ROLLBACK")
            assert mapper.read(kept) == value

        same()


@given(INSTANTS)
def test_an_instant_is_exact_to_the_microsecond(instant: datetime) -> None:
    assert from_us(to_us(instant)) == instant


def test_a_value_that_has_not_the_columns_of_its_table_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="differ"):
        Mapper(MAPPERS["links"].table, MAPPERS["orders"].value)


async def test_what_was_added_is_found_and_what_was_not_is_not(store: Store) -> None:
    await store.write(furnish)
    assert await store.read(lambda unit: unit.people.get(PersonId(1))) == ground.person()
    with pytest.raises(NotFound):
        await store.read(lambda unit: unit.people.get(PersonId(2)))


async def test_saving_raises_the_version_and_keeps_the_rest(store: Store) -> None:
    await store.write(furnish)

    def become_seller(unit: Unit) -> Any:
        return unit.people.save(dataclasses.replace(unit.people.get(PersonId(1)), role=Role.SELLER, phone=Phone("+254712345678")))

    saved = await store.write(become_seller)
    assert saved == dataclasses.replace(ground.person(), role=Role.SELLER, phone=Phone("+254712345678"), version=1)
    assert await store.read(lambda unit: unit.people.get(PersonId(1))) == saved


async def test_saving_what_somebody_else_saved_meanwhile_is_stale_and_changes_nothing(store: Store) -> None:
    await store.write(furnish)
    old = ground.link()
    await store.write(lambda unit: unit.links.save(dataclasses.replace(old, name="Red sneakers")))
    with pytest.raises(Stale):
        await store.write(lambda unit: unit.links.save(dataclasses.replace(old, name="Blue sneakers")))
    kept = await store.read(lambda unit: unit.links.get(LinkId(1)))
    assert (kept.name, kept.version, kept.created_at) == ("Red sneakers", 1, NOON)
