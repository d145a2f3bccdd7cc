"""The unit of work over one driver connection: the repositories, the instant, ids, and what happens after the commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from domain.errors import DomainError
from domain.ports import Chance, Clock, House
from domain.records import Seals
from domain.tokens import Tokens
from storage.codes import CodeRows
from storage.ledger import BookRows, TrailRows
from storage.link import LinkRows
from storage.mapping import to_us
from storage.order import DisputeRows, OrderRows
from storage.payment import CheckoutRows, PaymentRows
from storage.person import ConversationRows, OrganizationRows, PersonRows
from storage.records import FileRows, InboxRows, KeyRows, LimitRows, MarkRows, OutboxRows, SettingsRows
from storage.statements import Session
from storage.webhook import WebhookRows

_ID_EPOCH_MS = 1_767_225_600_000
"""2026-01-01 UTC: ids are 41 bits of milliseconds since then and 22 bits of chance."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every unit of a store shares."""

    clock: Clock
    chance: Chance
    house: House
    tokens: Tokens
    seals: Seals
    audit_key: bytes


class SqlUnit:
    """Implements `domain.ports.Unit`. `wakes` is read by the store once the commit is known."""

    def __init__(self, session: Session, around: Surroundings) -> None:
        self.session = session
        self._around = around
        self.wakes: list[tuple[str, dict[str, Any]]] = []
        self._now = around.clock.now()

    @property
    def now(self) -> datetime:
        return self._now

    @property
    def house(self) -> House:
        return self._around.house

    @property
    def tokens(self) -> Tokens:
        return self._around.tokens

    @property
    def seals(self) -> Seals:
        return self._around.seals

    def new_id(self) -> int:
        milliseconds = to_us(self._now) // 1000 - _ID_EPOCH_MS
        return (milliseconds << 22) | self._around.chance.bits(22)

    def chance(self, bits: int) -> int:
        return self._around.chance.bits(bits)

    def wake(self, topic: str, **what: Any) -> None:
        self.wakes.append((topic, what))

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        self.trail.flush()
        point, wakes = self.session.point(), len(self.wakes)
        try:
            yield
            self.trail.flush()
        except BaseException as error:
            if isinstance(error, DomainError) and error.keeps:
                self.trail.flush()
                self.session.keep(point)
                raise
            self.trail.forget()
            del self.wakes[wakes:]
            self.session.back(point)
            raise
        self.session.keep(point)

    def flush(self) -> None:
        """Write what was kept back, at the latest now. Raises Stale."""
        self.trail.flush()
        self.session.flush()

    @cached_property
    def people(self) -> PersonRows:
        return PersonRows(self.session)

    @cached_property
    def organizations(self) -> OrganizationRows:
        return OrganizationRows(self.session)

    @cached_property
    def conversations(self) -> ConversationRows:
        return ConversationRows(self.session)

    @cached_property
    def links(self) -> LinkRows:
        return LinkRows(self.session)

    @cached_property
    def checkouts(self) -> CheckoutRows:
        return CheckoutRows(self.session)

    @cached_property
    def payments(self) -> PaymentRows:
        return PaymentRows(self.session)

    @cached_property
    def orders(self) -> OrderRows:
        return OrderRows(self.session)

    @cached_property
    def disputes(self) -> DisputeRows:
        return DisputeRows(self.session)

    @cached_property
    def books(self) -> BookRows:
        return BookRows(self.session, self.new_id, self._now)

    @cached_property
    def trail(self) -> TrailRows:
        return TrailRows(self.session, self.new_id, self._now, self._around.audit_key)

    @cached_property
    def inbox(self) -> InboxRows:
        return InboxRows(self.session)

    @cached_property
    def outbox(self) -> OutboxRows:
        return OutboxRows(self.session)

    @cached_property
    def files(self) -> FileRows:
        return FileRows(self.session)

    @cached_property
    def keys(self) -> KeyRows:
        return KeyRows(self.session)

    @cached_property
    def settings(self) -> SettingsRows:
        return SettingsRows(self.session)

    @cached_property
    def limits(self) -> LimitRows:
        return LimitRows(self.session)

    @cached_property
    def webhooks(self) -> WebhookRows:
        return WebhookRows(self.session)

    @cached_property
    def marks(self) -> MarkRows:
        return MarkRows(self.session)

    @cached_property
    def codes(self) -> CodeRows:
        return CodeRows(self.session)
