"""A fresh street for each test; after it, the promises of the ledger hold, whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.proofs import Reading, prove
from storage.statements import SQLITE, Session
from tests.factories import Street
from tests.fakes import Ground, check_books
from tests.usecases.friends import Friends


@pytest.fixture(autouse=True)
def ground(sqlite_template: Path) -> Iterator[Ground]:
    ground = Ground(sqlite_template)
    try:
        yield ground
        check_books(ground)
    finally:
        ground.close()


@pytest.fixture
def every_promise_holds(ground: Ground) -> Iterator[None]:
    """Whatever a test did: what `payloom audit` proves."""
    yield
    reading = Reading(Session(ground.connection, SQLITE), ground.clock.at, ground.around.audit_key)
    broken = [finding for finding in prove(reading) if finding.broken and finding.name != "messages_end"]  # nobody sends them here
    assert not broken, [(finding.name, finding.offences) for finding in broken]


@pytest.fixture
def friends(street: Street) -> Friends:
    return Friends(street)


@pytest.fixture
def street(ground: Ground) -> Street:
    return Street(ground)
