"""T12, K1: kill -9 at every commit and outside call of a sale with keypads alone; the operator posts the turn again, or the person dials again."""

from __future__ import annotations

from typing import Final

import pytest

from tests.crash.harness import NewDatabase, Piece, die_everywhere
from tests.crash.keypad_sale import keypad_faults, keypad_sale
from tests.crash.nursery import Nursery

PIECE: Final = Piece(keypad_sale, keypad_faults, least_points=60, turns="commit:ussd_turn", phones=True)


async def test_a_sale_on_ussd_killed_at_each_kind_of_point_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase) -> None:
    """T12, K1, K3, K4, O2."""
    await die_everywhere(home, new_sqlite, PIECE, once=True)


async def test_a_sale_on_ussd_killed_at_each_kind_of_point_ends_the_same_on_postgresql(home: Nursery, new_postgresql: NewDatabase) -> None:
    """T12, K1, K3, K4, O2."""
    await die_everywhere(home, new_postgresql, PIECE, once=True)


@pytest.mark.soak
async def test_a_sale_on_ussd_killed_at_every_point_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase) -> None:
    """T12, K1, K3, K4."""
    await die_everywhere(home, new_sqlite, PIECE)


@pytest.mark.soak
async def test_a_sale_on_ussd_killed_at_every_point_ends_the_same_on_postgresql(home: Nursery, new_postgresql: NewDatabase) -> None:
    """T12, K1, K3, K4."""
    await die_everywhere(home, new_postgresql, PIECE)
