"""K1: kill -9 at every commit and every outside call of a sale, on both engines; the restart continues it."""

from __future__ import annotations

from typing import Final

from tests.crash.harness import NewDatabase, Piece, die_everywhere
from tests.crash.nursery import Nursery
from tests.crash.sale import sale
from tests.crash.verdict import faults

PIECE: Final = Piece(sale, faults, least_points=200)


async def test_killed_at_any_point_of_a_sale_on_sqlite_a_restart_continues_it(home: Nursery, new_sqlite: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_sqlite, PIECE)


async def test_killed_at_any_point_of_a_sale_on_postgresql_a_restart_continues_it(home: Nursery, new_postgresql: NewDatabase) -> None:
    """K1, K3, K4, K5, promise 10."""
    await die_everywhere(home, new_postgresql, PIECE)
