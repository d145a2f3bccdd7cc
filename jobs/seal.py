"""Seal: closes the newest stretch of the audit trail, so that nothing can be cut off its end unseen."""

from __future__ import annotations

from usecases.hall import Hall
from usecases.seals import seal_trail


async def seal(hall: Hall) -> int:
    """One seal; returns how many records it closes."""
    return await hall.store.write(seal_trail)
