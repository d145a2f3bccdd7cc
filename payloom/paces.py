"""Every provider's pace: shared by all processes over PostgreSQL, where there may be many; on SQLite there is one, which counts for itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from domain.ports import Delivery, Sent
from gateways.messages.pace import Pace
from usecases.hall import Hall
from usecases.pacing import PACES, hold_places, take_share

MOST_WAIT_S = 2.0


class SharedLimit:
    """One provider's limit in the database."""

    def __init__(self, hall: Hall, name: str) -> None:
        self._hall, self._name, self._who = hall, name, 0

    async def take(self, most: int, keeps: int, wants: int) -> tuple[int, float]:
        self._who, share, silent_until = await self._hall.store.write(take_share, self._name, self._who, most, keeps, wants)
        return share, (silent_until - self._hall.clock.now()).total_seconds()

    async def hold(self, seconds: float) -> None:
        await self._hall.store.write(hold_places, self._name, timedelta(seconds=seconds))


def pace_of(hall: Hall, name: str, per_s: float, *, shared: bool) -> Pace:
    """`shared`: all processes of this house send at most `per_s` together, and one of them that is told to wait stops them all."""
    if not shared:
        return Pace(hall.clock.monotonic_s, per_s)
    pace = Pace(hall.clock.monotonic_s, per_s, shares=SharedLimit(hall, name))

    def heard(what: Mapping[str, Any]) -> None:
        if what.get("name") == name:
            pace.keep_silent(float(what["seconds"]))

    hall.bell.listen(PACES, heard)
    return pace


class Post(Protocol):
    async def send(self, address: str, letter: Any, mark: str) -> Sent: ...


class PacedPost:
    """A post that takes so many letters a second."""

    def __init__(self, post: Post, pace: Pace) -> None:
        self._post, self._pace = post, pace

    async def send(self, address: str, letter: Any, mark: str) -> Sent:
        async with self._pace.turn(address, MOST_WAIT_S) as lacks_s:
            if lacks_s > 0:
                return Sent(Delivery.LATER, retry_after_s=lacks_s, error="pace")
            return await self._post.send(address, letter, mark)
