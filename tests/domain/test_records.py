"""The marks of the audit trail and of its seals: the same for the same record, another for any other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from domain.records import AuditRecord, audit_mark
from domain.trail import TrailSeal, seal_mark
from tests.domain.samples import INSTANT

KEY = b"a key of the audit trail"
RECORD = AuditRecord(
    id=5,
    subject="sale:7001",
    seq=2,
    at=datetime(2026, 3, 1, 9, 0, 0, 123457, tzinfo=UTC),
    actor="owner:17@telegram",
    action="order_shipped",
    data={"was": "PAID", "courier": "ساعي", "nested": {"b": 1, "a": [1, None, True]}},
    previous="00" * 32,
    mark="",
)
MARK = "f8fb9a9665f8310e05e353448f1c3b20194e9b8940f827e768807507f9a0b17d"


def test_a_mark_is_the_same_in_every_year_and_on_every_machine() -> None:
    """Trails that were written must stay provable: a change of the canonical form breaks this value."""
    assert audit_mark(KEY, RECORD) == MARK


def test_the_order_of_keys_and_the_zone_of_the_instant_do_not_matter() -> None:
    turned = {"nested": {"a": [1, None, True], "b": 1}, "courier": "ساعي", "was": "PAID"}
    nairobi = RECORD.at.astimezone(timezone(timedelta(hours=3)))
    assert audit_mark(KEY, replace(RECORD, data=turned, at=nairobi)) == MARK


def test_a_mark_does_not_depend_on_the_mark_that_is_stored() -> None:
    assert audit_mark(KEY, replace(RECORD, mark="anything")) == MARK


@pytest.mark.parametrize(
    "changes",
    [
        {"id": 6},
        {"subject": "sale:7002"},
        {"seq": 3},
        {"at": RECORD.at + INSTANT},
        {"at": RECORD.at - INSTANT},
        {"actor": "owner:18@telegram"},
        {"action": "order_shippe"},
        {"data": {}},
        {"data": {**RECORD.data, "was": "ACCEPTED"}},
        {"data": {**RECORD.data, "nested": {"b": 1, "a": [1, None, False]}}},
        {"previous": "01" + "00" * 31},
        # signs that move over a border between fields
        {"actor": "owner:17@telegramorder", "action": "_shipped"},
        {"subject": 'sale:7001",2,"', "seq": 2},
    ],
)
def test_a_mark_changes_with_everything_that_it_vouches_for(changes: dict[str, Any]) -> None:
    assert audit_mark(KEY, replace(RECORD, **changes)) != MARK


def test_a_mark_needs_the_key() -> None:
    assert audit_mark(b"another key", RECORD) != MARK
    assert len(audit_mark(b"another key", RECORD)) == 64


@pytest.mark.parametrize("year", [2026, 2038, 2060])
def test_every_instant_of_a_microsecond_has_a_mark_of_its_own(year: int) -> None:
    begin = datetime(year, 12, 31, 23, 59, 59, 999_900, tzinfo=UTC)
    assert len({audit_mark(KEY, replace(RECORD, at=begin + step * INSTANT)) for step in range(200)}) == 200


SEAL = TrailSeal(n=3, upto_id=90, count=2, at=RECORD.at, previous="cc" * 32, mark="")
SEALED = ["aa" * 32, "bb" * 32]
SEAL_MARK = "22b81dcaa2f3bbc8a223e5d122b488bf8740a7bdcf6ac227db344ce8887abaf1"


def test_a_seal_is_the_same_in_every_year_and_whatever_mark_is_stored() -> None:
    assert seal_mark(KEY, SEAL, SEALED) == SEAL_MARK
    assert seal_mark(KEY, replace(SEAL, mark="anything"), iter(SEALED)) == SEAL_MARK


@pytest.mark.parametrize("changes", [{"n": 4}, {"upto_id": 91}, {"count": 3}, {"at": RECORD.at + INSTANT}, {"previous": "cd" * 32}])
def test_a_seal_changes_with_everything_that_it_says(changes: dict[str, Any]) -> None:
    assert seal_mark(KEY, replace(SEAL, **changes), SEALED) != SEAL_MARK


@pytest.mark.parametrize("marks", [[], SEALED[:1], SEALED[::-1], [*SEALED, "dd" * 32], ["aa" * 32, "bc" * 32]], ids=len)
def test_a_seal_misses_a_record_that_was_cut_off_turned_round_added_or_changed(marks: list[str]) -> None:
    assert seal_mark(KEY, SEAL, marks) != SEAL_MARK
    assert seal_mark(b"another key", SEAL, SEALED) != SEAL_MARK
