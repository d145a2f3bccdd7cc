"""The pace that all processes share: places in time, so far apart that a provider's limit is kept by all of them together."""

from __future__ import annotations

from datetime import datetime, timedelta

from domain.ports import Unit

PACES = "paces"
AHEAD = timedelta(seconds=2)
"""Whoever would have to wait longer comes again instead."""


def take_places(unit: Unit, name: str, count: int, every: timedelta, after: timedelta) -> tuple[datetime, bool]:
    """`count` places of a provider's row, none sooner than `after` from now: the instant of the first. False: it is too far off."""
    return unit.limits.take_places(name, count, every, unit.now + after, unit.now + AHEAD)


def hold_places(unit: Unit, name: str, wait: timedelta) -> None:
    """The provider told one of us to wait: that holds for all, and they hear of it at once."""
    unit.limits.hold_places(name, unit.now + wait)
    unit.wake(PACES, name=name, seconds=wait.total_seconds())
