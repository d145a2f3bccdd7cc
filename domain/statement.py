"""What a gateway's own books hold, and how they are read: whole, or not at all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol, runtime_checkable

from domain.payment import About, Record


@dataclass(frozen=True, slots=True)
class Bookkeeping:
    """What a gateway's own books hold, as data."""

    whole: frozenset[About]
    """What they tell all of, so that ours that is not there is missing; of the rest they tell some, without what came of it."""
    reaches: timedelta | None = None
    """How far back they can be read; None, as far as we ask."""
    refunds_so_far: bool = False
    """A refund's line holds all that went back of its payment, dated by the last of it."""
    by_hand_only: bool = False
    """Payments that we asked for may be left out: what is not there is asked about by itself before it is missing."""


@runtime_checkable
class KeepsBooks(Protocol):
    """A gateway whose own records can be read, so that reconciliation compares them with ours."""

    @property
    def books(self) -> Bookkeeping: ...
    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        """What moved from `since` until before `until`. Raises NoBooks when the list cannot be had whole: never a part of it, nor an empty one."""
        ...


class NoBooks(Exception):
    """A gateway's own list could not be read whole; half of it would look like money that is missing. Its text is why, for the log."""
