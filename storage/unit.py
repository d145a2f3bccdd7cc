"""The unit of work over one driver connection: the repositories, the instant, ids, and what happens after the commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from domain.errors import DomainError
from domain.ports import Chance, Clock, House
from domain.records import Seals
from domain.tokens import Tokens
from storage.by_hand import HandRows
from storage.chargeback import ChargebackRows
from storage.codes import CodeRows
from storage.health import HealthRows
from storage.late import LateRows
from storage.ledger import BookRows, TrailRows
from storage.link import LinkRows
from storage.mapping import to_us
from storage.order import DisputeRows, OrderRows
from storage.payment import CheckoutRows, PaymentRows
from storage.person import ConversationRows, OrganizationRows, PersonRows
from storage.reconcile import ReconcileRows
from storage.records import FileRows, InboxRows, KeyRows, LimitRows, MarkRows, OutboxRows, SettingsRows
from storage.statements import Session
from storage.webhook import WebhookRows

R = TypeVar("R")
_ID_EPOCH_MS = 1_767_225_600_000
"""2026-01-01 UTC: ids are 41 bits of milliseconds since then and 22 bits of chance."""


class _made_once(Generic[R]):  # noqa: N801 - it stands where a decorator stands
    """`functools.cached_property` without the lock that it takes before Python 3.12: a unit lives on one thread."""

    def __init__(self, make: Callable[[Any], R]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, unit: Any, owner: type) -> R:
        made = unit.__dict__[self._name] = self._make(unit)
        return made


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What every unit of a store shares."""

    clock: Clock
    chance: Chance
    house: House
    tokens: Tokens
    seals: Seals
    audit_key: bytes


class _Savepoint:
    """What happens inside is undone alone when it raises, but for a refusal that keeps it. (A generator costs more than what it does here.)"""

    def __init__(self, unit: SqlUnit) -> None:
        self._unit = unit

    def __enter__(self) -> None:
        unit = self._unit
        unit.trail.flush()
        self._point, self._wakes = unit.session.point(), len(unit.wakes)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        unit = self._unit
        if error is None or (isinstance(error, DomainError) and error.keeps):
            unit.trail.flush()
            unit.session.keep(self._point)
            return
        unit.trail.forget()
        del unit.wakes[self._wakes :]
        unit.session.back(self._point)


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

    def id_at(self, instant: datetime) -> int:
        """No id made from then on is below it."""
        return (to_us(instant) // 1000 - _ID_EPOCH_MS) << 22

    def chance(self, bits: int) -> int:
        return self._around.chance.bits(bits)

    def wake(self, topic: str, **what: Any) -> None:
        self.wakes.append((topic, what))

    def savepoint(self) -> _Savepoint:
        return _Savepoint(self)

    def flush(self) -> None:
        """Write what was kept back, at the latest now. Raises Stale."""
        self.trail.flush()
        self.session.flush()

    @_made_once
    def people(self) -> PersonRows:
        return PersonRows(self.session)

    @_made_once
    def organizations(self) -> OrganizationRows:
        return OrganizationRows(self.session)

    @_made_once
    def conversations(self) -> ConversationRows:
        return ConversationRows(self.session)

    @_made_once
    def links(self) -> LinkRows:
        return LinkRows(self.session)

    @_made_once
    def checkouts(self) -> CheckoutRows:
        return CheckoutRows(self.session)

    @_made_once
    def payments(self) -> PaymentRows:
        return PaymentRows(self.session)

    @_made_once
    def orders(self) -> OrderRows:
        return OrderRows(self.session)

    @_made_once
    def disputes(self) -> DisputeRows:
        return DisputeRows(self.session)

    @_made_once
    def chargebacks(self) -> ChargebackRows:
        return ChargebackRows(self.session)

    @_made_once
    def books(self) -> BookRows:
        return BookRows(self.session, self.new_id, self._now)

    @_made_once
    def trail(self) -> TrailRows:
        return TrailRows(self.session, self.new_id, self._now, self._around.audit_key)

    @_made_once
    def inbox(self) -> InboxRows:
        return InboxRows(self.session)

    @_made_once
    def outbox(self) -> OutboxRows:
        return OutboxRows(self.session)

    @_made_once
    def files(self) -> FileRows:
        return FileRows(self.session)

    @_made_once
    def keys(self) -> KeyRows:
        return KeyRows(self.session)

    @_made_once
    def settings(self) -> SettingsRows:
        return SettingsRows(self.session)

    @_made_once
    def limits(self) -> LimitRows:
        return LimitRows(self.session)

    @_made_once
    def webhooks(self) -> WebhookRows:
        return WebhookRows(self.session)

    @_made_once
    def marks(self) -> MarkRows:
        return MarkRows(self.session)

    @_made_once
    def codes(self) -> CodeRows:
        return CodeRows(self.session)

    @_made_once
    def by_hand(self) -> HandRows:
        return HandRows(self.session)

    @_made_once
    def reconciled(self) -> ReconcileRows:
        return ReconcileRows(self.session, self.id_at)

    @_made_once
    def late(self) -> LateRows:
        return LateRows(self.session)

    @_made_once
    def measures(self) -> HealthRows:
        return HealthRows(self.session)
