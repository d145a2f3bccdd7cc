"""Every provider's pace: shared by all processes over PostgreSQL, where there may be many; on SQLite there is one, which counts for itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Protocol

from domain.ports import Delivery, Sent
from gateways.messages.pace import Pace
from usecases.hall import Hall
from usecases.pacing import PACES, hold_places, take_places

MOST_WAIT_S = 2.0


class SharedPlaces:
    """One provider's row of places in the database."""

    def __init__(self, hall: Hall, name: str) -> None:
        self._hall, self._name = hall, name

    async def take(self, count: int, every_s: float, after_s: float) -> tuple[float, bool]:
        first, taken = await self._hall.store.write(take_places, self._name, count, timedelta(seconds=every_s), timedelta(seconds=after_s))
        return (first - self._hall.clock.now()).total_seconds(), taken

    async def hold(self, seconds: float) -> None:
        await self._hall.store.write(hold_places, self._name, timedelta(seconds=seconds))


def pace_of(hall: Hall, name: str, per_s: float, *, shared: bool) -> Pace:
    """`shared`: all processes of this house send at most `per_s` together, and one of them that is told to wait stops them all."""
    if not shared:
        return Pace(hall.clock.monotonic_s, per_s)
    pace = Pace(hall.clock.monotonic_s, per_s, places=SharedPlaces(hall, name))

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
        lacks_s = await self._pace.turn(address, MOST_WAIT_S)
        if lacks_s > 0:
            return Sent(Delivery.LATER, retry_after_s=lacks_s, error="pace")
        return await self._post.send(address, letter, mark)
