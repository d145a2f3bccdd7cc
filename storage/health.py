"""What waits, counted. Every statement goes by an index of what is not over yet, so that a million orders cost nothing."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, literal_column, select

from domain.health import Health
from domain.person import ChannelKind
from storage.mapping import from_us, to_us
from storage.statements import Session, Sql
from storage.tables import attempts, differences, inbox, outbox, postings

_LIVE: Any = literal_column("attempts.live")
_IN_SUSPENSE: Any = literal_column("substr(postings.account, 1, 9) = 'suspense:'")
"""Both as the condition of their index spells it: otherwise it is not used."""
ATTEMPT = Sql(select(func.min(attempts.c.created_at)).where(_LIVE, attempts.c.state.in_(("SENDING", "PENDING"))))
EVENT = Sql(select(func.min(inbox.c.received_at)).where(inbox.c.state == "STORED"))
PARKED = Sql(select(func.count()).select_from(inbox).where(inbox.c.state == "PARKED"))
MESSAGE = Sql(
    select(outbox.c.channel, func.min(outbox.c.act_at))
    .where(outbox.c.state.in_(("WAITING", "SENDING")), outbox.c.act_at <= bindparam("now"))
    .group_by(outbox.c.channel)
)
"""What `claim` would take. Since it is due, not since it was made: what came at night waits for the morning by itself."""
DEAD = Sql(select(func.count()).select_from(outbox).where(outbox.c.state == "DEAD"))
SUSPENSE = Sql(select(postings.c.currency, func.sum(postings.c.amount_minor)).where(_IN_SUSPENSE).group_by(postings.c.currency))
DIFFERENCES = Sql(select(differences.c.gateway).where(differences.c.state == "OPEN"))
"""Counted here: told to group them, SQLite walks through all that ever were, in the order of another index."""


class HealthRows:
    def __init__(self, session: Session) -> None:
        self.session = session

    def take(self, now: datetime) -> Health:
        return Health(
            at=now,
            attempt_since=self._instant(ATTEMPT),
            event_since=self._instant(EVENT),
            events_parked=self._number(PARKED),
            message_since={ChannelKind(row[0]): from_us(row[1]) for row in self.session.run(MESSAGE, now=to_us(now)).fetchall()},
            messages_dead=self._number(DEAD),
            suspense_minor={row[0]: -int(row[1]) for row in self.session.run(SUSPENSE).fetchall()},
            differences=Counter(row[0] for row in self.session.run(DIFFERENCES).fetchall()),
        )

    def _instant(self, sql: Sql) -> datetime | None:
        found = self.session.run(sql).fetchone()[0]
        return None if found is None else from_us(found)

    def _number(self, sql: Sql) -> int:
        return int(self.session.run(sql).fetchone()[0])
