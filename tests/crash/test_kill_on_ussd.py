"""T12, K1: kill -9 at every commit and outside call of a sale with keypads alone; the operator posts the turn again, or the person dials again."""

from __future__ import annotations

from typing import Final

import pytest

from tests.crash.harness import NewDatabase, Piece, die_everywhere
from tests.crash.keypad_sale import keypad_faults, keypad_sale
from tests.crash.nursery import Nursery
from tests.crash.plan import first_of_each

PIECE: Final = Piece(keypad_sale, keypad_faults, least_points=60, phones=True)


def each_kind(points: dict[str, list[str]]) -> dict[str, list[str]]:
    """Each kind of commit or call of a provider where it comes first, a turn in each step; the other sale dies at the calls of Telegram."""
    return first_of_each(points, _alike)


def _alike(step: str, kind: str) -> str:
    if kind.startswith("telegram:"):
        return ""
    return f"{step} {kind}" if kind.startswith("commit:ussd_turn") else kind


async def test_a_sale_on_ussd_killed_at_each_kind_of_point_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase) -> None:
    """T12, K1, K3, K4, O2."""
    await die_everywhere(home, new_sqlite, PIECE, each_kind)


@pytest.mark.soak
async def test_a_sale_on_ussd_killed_at_each_kind_of_point_ends_the_same_on_postgresql(home: Nursery, new_postgresql: NewDatabase) -> None:
    """T12, K1, K3, K4, O2."""
    await die_everywhere(home, new_postgresql, PIECE, each_kind)


@pytest.mark.soak
async def test_a_sale_on_ussd_killed_at_every_point_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase) -> None:
    """T12, K1, K3, K4."""
    await die_everywhere(home, new_sqlite, PIECE)


@pytest.mark.soak
async def test_a_sale_on_ussd_killed_at_every_point_ends_the_same_on_postgresql(home: Nursery, new_postgresql: NewDatabase) -> None:
    """T12, K1, K3, K4."""
    await die_everywhere(home, new_postgresql, PIECE)
