"""K1: kill -9 at every commit and every outside call of a sale, on both engines; the restart continues it."""

from __future__ import annotations

from typing import Final

import pytest

from tests.crash.group_sale import group_faults, group_sale
from tests.crash.harness import NewDatabase, Piece, die_everywhere
from tests.crash.late_sale import late_faults, late_sale
from tests.crash.nursery import Nursery
from tests.crash.plan import first_of_each, without_repeats
from tests.crash.sale import SHOP_OPENS, sale
from tests.crash.verdict import faults

PIECE: Final = Piece(sale, faults, least_points=200)
LATE: Final = Piece(late_sale, late_faults, least_points=120)
GROUP: Final = Piece(group_sale, group_faults, least_points=120)
AFTER_THE_OPENING: Final = pytest.mark.parametrize("piece", [LATE, GROUP], ids=["late money", "group pay"])


async def test_killed_at_any_point_of_a_sale_on_sqlite_a_restart_continues_it(home: Nursery, new_sqlite: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_sqlite, PIECE)


async def test_killed_at_each_kind_of_point_of_every_step_on_postgresql_a_restart_continues_it(
    home: Nursery, new_postgresql: NewDatabase
) -> None:
    """K1, K3, K4, K5, promise 10. What is called alike in one step, and Telegram's calls, of which the other engine dies at each: at the first."""
    await die_everywhere(home, new_postgresql, PIECE, lambda points: first_of_each(without_repeats(points), _alike))


@pytest.mark.soak
async def test_killed_at_any_point_of_a_sale_on_postgresql_a_restart_continues_it(home: Nursery, new_postgresql: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_postgresql, PIECE)


@AFTER_THE_OPENING
async def test_killed_at_each_kind_of_point_it_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase, piece: Piece) -> None:
    """K1, K3, C4, N2, N6. In the steps that the first sale does not have."""
    await die_everywhere(home, new_sqlite, piece, lambda points: first_of_each(after_the_opening(points), _alike))


@pytest.mark.soak
@AFTER_THE_OPENING
async def test_killed_at_any_point_it_ends_the_same_on_sqlite(home: Nursery, new_sqlite: NewDatabase, piece: Piece) -> None:
    """K1, K3, C4, N2, N6."""
    await die_everywhere(home, new_sqlite, piece, after_the_opening)


@pytest.mark.soak
@AFTER_THE_OPENING
async def test_killed_at_each_kind_of_point_it_ends_the_same_on_postgresql(
    home: Nursery, new_postgresql: NewDatabase, piece: Piece
) -> None:
    """K1, K3, C4, N2, N6."""
    await die_everywhere(home, new_postgresql, piece, lambda points: first_of_each(after_the_opening(points), _alike))


def after_the_opening(points: dict[str, list[str]]) -> dict[str, list[str]]:
    found = without_repeats(points)
    return {step: names if number >= SHOP_OPENS else [] for number, (step, names) in enumerate(found.items())}


def _alike(step: str, kind: str) -> str:
    return kind if kind.startswith("telegram:") else f"{step} {kind}"
