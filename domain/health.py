"""How the house does, as numbers: what waits, since when, and how much of it there is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.person import ChannelKind


@dataclass(frozen=True, slots=True)
class Health:
    """Measured at `at`, over what all processes have in common. Since when the oldest waits: None when nothing does.

    `attempt_since`: a payment was begun, and nobody knows yet how it ends. `event_since`: an event is stored and not applied; `events_parked` are
    given up until a person looks. `message_since`: a message is due, by channel; one that is held back for later is not. `messages_dead` are given up.
    `suspense_minor`: what is kept apart, by currency, in minor units. `differences`: the open ones of reconciliation, by gateway.
    """

    at: datetime
    attempt_since: datetime | None
    event_since: datetime | None
    events_parked: int
    message_since: Mapping[ChannelKind, datetime]
    messages_dead: int
    suspense_minor: Mapping[str, int]
    differences: Mapping[str, int]

    def age_s(self, since: datetime | None) -> float:
        """Seconds until the measurement: 0 when nothing waits, and when the clock of whoever wrote it is ahead."""
        return 0 if since is None else max((self.at - since).total_seconds(), 0)


class Measures(Protocol):
    def take(self, now: datetime) -> Health:
        """Quick however much was ever sold: what is over is not looked at."""
        ...
