"""Webhooks: claimed, posted, and written down. Each endpoint has one on its way at a time, and none waits for another's."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import structlog

from domain.webhook import DeliveryState, Parcel, Post, Tried
from usecases.hall import Hall
from usecases.webhooks import claim_parcels, record_try

AT_ONCE: Final = 64
_log = structlog.get_logger("webhooks")


class Webhooks:
    """A job of the timetable: puts what is due on its way and does not wait for it. What ends wakes it again."""

    def __init__(self, hall: Hall, post: Post) -> None:
        self._hall = hall
        self._post = post
        self._under_way = 0
        self._ended = dict.fromkeys(DeliveryState, 0)

    async def __call__(self) -> int:
        room = AT_ONCE - self._under_way
        parcels = await self._hall.store.write(claim_parcels, room) if room > 0 else []
        self._under_way += len(parcels)
        for parcel in parcels:
            self._hall.spawn(self._send(parcel))
        return len(parcels)

    async def _send(self, parcel: Parcel) -> None:
        try:
            try:
                tried = await self._post.post(parcel.url, parcel.headers, parcel.body)
            except Exception as error:  # noqa: BLE001 - one that cannot be posted must not hold up the others of its endpoint
                _log.exception("posting_failed", delivery=parcel.delivery_id)
                tried = Tried(None, type(error).__name__)
            state = await self._hall.store.write(record_try, parcel, tried)
            if state is not None:
                self._ended[state] += 1
        finally:
            self._under_way -= 1

    def gauges(self) -> Mapping[str, tuple[str, Callable[[], int]]]:
        """For /metrics: of this process, since it began."""
        return {
            "payloom_webhooks_under_way": ("webhooks being posted now", lambda: self._under_way),
            "payloom_webhooks_delivered": ("webhooks that arrived", lambda: self._ended[DeliveryState.DELIVERED]),
            "payloom_webhooks_to_try_again": ("tries of webhooks that will be repeated", lambda: self._ended[DeliveryState.PENDING]),
            "payloom_webhooks_failed": ("webhooks given up", lambda: self._ended[DeliveryState.FAILED]),
        }
