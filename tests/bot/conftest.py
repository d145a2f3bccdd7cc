"""A street with a desk where people talk to the bot; after each test the promises of the ledger hold, whatever was said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bot.desk import Desk
from tests.factories import Street
from tests.fakes import Ground, check_books


@pytest.fixture
def desk(sqlite_template: Path) -> Iterator[Desk]:
    ground = Ground(sqlite_template)
    try:
        yield Desk(Street(ground))
        check_books(ground)
    finally:
        ground.close()
