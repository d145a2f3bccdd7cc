"""Waking those who wait: listeners of this process at once, those of others where there is PostgreSQL (postgres_bell).

A ring is a hint, never the truth: everybody who listens also looks at the tables from time to time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import structlog

_log = structlog.get_logger("bell")

Listener = Callable[[Mapping[str, Any]], None]


class LocalBell:
    """Everything is in this process."""

    def __init__(self) -> None:
        self._listeners: dict[str, set[Listener]] = {}

    def ring(self, topic: str, what: Mapping[str, Any]) -> None:
        for listener in tuple(self._listeners.get(topic, ())):
            try:
                listener(what)
            except Exception:  # noqa: BLE001 - who rings is not to suffer for who listens
                _log.exception("listener_failed", topic=topic)

    def listen(self, topic: str, listener: Listener) -> Callable[[], None]:
        self._listeners.setdefault(topic, set()).add(listener)

        def stop() -> None:
            self._listeners.get(topic, set()).discard(listener)

        return stop

    async def open(self) -> None:
        """Nothing to connect."""

    async def close(self) -> None:
        self._listeners.clear()
