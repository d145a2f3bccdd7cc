"""A fresh street for each test; after it, the promises of the ledger hold, whatever the test did."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.factories import Street
from tests.fakes import Ground, check_books


@pytest.fixture(autouse=True)
def ground(sqlite_template: Path) -> Iterator[Ground]:
    ground = Ground(sqlite_template)
    try:
        yield ground
        check_books(ground)
    finally:
        ground.close()


@pytest.fixture
def street(ground: Ground) -> Street:
    return Street(ground)
