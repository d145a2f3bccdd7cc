"""Ages are seconds, and never below zero."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.health import Health

NOON = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
NOTHING = Health(NOON, None, None, 0, {}, 0, {}, {})


@pytest.mark.parametrize("waited,age_s", [(timedelta(minutes=2), 120), (timedelta(0), 0), (timedelta(milliseconds=1500), 1.5)])
def test_an_age_is_told_in_seconds(waited: timedelta, age_s: float) -> None:
    assert NOTHING.age_s(NOON - waited) == age_s


def test_what_does_not_wait_has_no_age() -> None:
    assert NOTHING.age_s(None) == 0


def test_what_another_process_wrote_with_a_clock_that_is_ahead_is_new() -> None:
    assert replace(NOTHING, at=NOON - timedelta(seconds=1)).age_s(NOON) == 0
