"""Sealing the audit trail: from time to time, in any process, and once."""

from __future__ import annotations

from datetime import timedelta

from domain.ports import Unit

SETTLED = timedelta(seconds=5)
"""Records older than this are all there: what was dated before them has been committed, or will never be."""

MOST = 10_000


def seal_trail(unit: Unit) -> int:
    """Close what was written since the last seal. Returns how many records, 0 when there were none or somebody else did it."""
    return unit.trail.seal(unit.now - SETTLED, MOST)
