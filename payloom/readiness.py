"""What /readyz asks before it says that money can be taken."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from domain.ports import Store, Unit
from payloom.settings import sqlite_file

LEAST_BYTES: Final = 64 * 2**20
"""With less room on the disk than this, a database that lies on it is as good as full."""


def readiness(store: Store, database_url: str) -> Mapping[str, Callable[[], Awaitable[str | None]]]:
    """Name -> check: None when fine, else in a word what is missing."""

    async def database() -> str | None:
        await store.read(_look)
        return None

    checks: dict[str, Callable[[], Awaitable[str | None]]] = {"database": database}
    path = sqlite_file(database_url)
    if path is not None:

        async def disk() -> str | None:
            usage = await asyncio.to_thread(shutil.disk_usage, path.parent)
            return None if usage.free >= LEAST_BYTES else "full"

        checks["disk"] = disk
    return checks


def _look(unit: Unit) -> None:
    unit.marks.get("clock")
