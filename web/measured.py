"""What /metrics says of the database that all processes share: asked when somebody looks, and not by every look."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from typing import Final

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from domain.health import Health
from domain.person import ChannelKind
from usecases.hall import Hall
from usecases.health import measure

EVERY_S: Final = 5.0
"""The database is asked no more often by one process, however many look."""
PATIENCE_S: Final = 3.0
"""A database that takes longer is as good as away; whoever looks wants this process's own numbers all the same."""
_log = structlog.get_logger("ops")


class Measured(Collector):
    """`look`, and then collect. While the database is away there is no number of it: an old one would look like a good one."""

    def __init__(self, hall: Hall, patience_s: float = PATIENCE_S) -> None:
        self._hall = hall
        self._patience_s = patience_s
        self._health: Health | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked_at_s = 0.0

    async def look(self) -> None:
        """Up to date, or known to be away. One question is under way at most: a database in trouble is not asked by more and more threads."""
        now_s = self._hall.clock.monotonic_s()
        if self._asking is None or (self._asking.done() and now_s - self._asked_at_s >= EVERY_S):
            self._asking, self._asked_at_s = self._hall.spawn(self._ask()), now_s
        _, late = await asyncio.wait({self._asking}, timeout=self._patience_s)
        if late:
            self._health = None

    async def _ask(self) -> None:
        try:
            self._health = await self._hall.store.read(measure)
        except Exception:  # noqa: BLE001 - whatever goes wrong here is the answer
            _log.warning("not_measured", exc_info=True)
            self._health = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        health = self._health
        yield _plain("payloom_database_up", 0 if health is None else 1, documentation="1 when the database answered")
        if health is None:
            return
        yield _plain(
            "payloom_attempt_oldest_seconds",
            health.age_s(health.attempt_since),
            documentation="Since the oldest payment was begun of which nobody knows yet how it ends",
        )
        yield _plain(
            "payloom_inbox_oldest_seconds",
            health.age_s(health.event_since),
            documentation="Since the oldest event came that is not applied",
        )
        yield _plain("payloom_inbox_parked", health.events_parked, documentation="Events that wait for a person")
        waits = {str(channel): health.age_s(health.message_since.get(channel)) for channel in ChannelKind}
        yield _each("payloom_outbox_oldest_seconds", "channel", waits, documentation="How long the oldest message that is due waits")
        yield _plain("payloom_outbox_dead", health.messages_dead, documentation="Messages that were given up")
        kept_apart = {self._hall.house.currency: 0, **health.suspense_minor}
        yield _each("payloom_suspense_minor", "currency", kept_apart, documentation="Money in suspense, in minor units")
        differences = {**dict.fromkeys(self._hall.gateways, 0), **health.differences}
        yield _each("payloom_reconcile_open", "gateway", differences, documentation="Open differences of reconciliation")


def _plain(name: str, value: float, *, documentation: str) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, documentation=documentation, value=value)


def _each(name: str, label: str, values: Mapping[str, float], *, documentation: str) -> GaugeMetricFamily:
    """One line for each, also for those that are 0: an alert cannot watch what is not there."""
    family = GaugeMetricFamily(name, documentation=documentation, labels=[label])
    for which, value in values.items():
        family.add_metric([which], value)
    return family
