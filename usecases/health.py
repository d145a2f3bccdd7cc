"""What those who run the house want to see before anybody complains."""

from __future__ import annotations

from domain.health import Health
from domain.ports import Unit


def measure(unit: Unit) -> Health:
    """One look at everything that waits."""
    return unit.measures.take(unit.now)
