"""What the house writes down about itself: inbox, outbox, audit trail, files, keys, limits, sealed settings."""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from domain.ids import ApiKeyId, FileId, InboxId, OrderId, OrganizationId, OutboxId, PersonId
from domain.ledger import Entry, LedgerAccount
from domain.life import InboxState, OutboxState
from domain.person import ChannelKind
from domain.rights import Actor


@dataclass(frozen=True, slots=True)
class InboxEvent:
    """A provider's event as it came. (gateway, event_key) is unique: it is applied once."""

    id: InboxId
    gateway: str
    event_key: str
    kind: str
    raw: bytes
    headers: dict[str, Any]
    source: str
    received_at: datetime
    state: InboxState
    tries: int = 0
    act_at: datetime | None = None
    error: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One fact for one person on one channel; (key, person_id, channel) is unique.

    `ref` is the provider's id of what was sent last, `report` what it then told of it in its own word; `act_at` when it is due, which for what can wait may be the morning.
    """

    id: OutboxId
    fact: str
    key: str
    person_id: PersonId
    channel: ChannelKind
    urgency: int
    payload: dict[str, Any]
    state: OutboxState
    created_at: datetime
    act_at: datetime
    order_id: OrderId | None = None
    tries: int = 0
    sent_at: datetime | None = None
    error: str = ""
    version: int = 0
    ref: str | None = None
    report: str = ""


@dataclass(frozen=True, slots=True)
class Card:
    """The one live message about an order in a person's chat; `face` is a digest of what it shows."""

    order_id: OrderId
    person_id: PersonId
    channel: ChannelKind
    message_ref: str
    face: str
    version: int = 0


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link of a subject's chain. `mark` is keyed over everything before it and `previous`, the mark before it."""

    id: int
    subject: str
    seq: int
    at: datetime
    actor: str
    action: str
    data: dict[str, Any]
    previous: str
    mark: str


_canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode


def audit_mark(key: bytes, record: AuditRecord) -> str:
    """The keyed digest of a record: 64 hex characters over its canonical JSON (docs/decisions/0005-audit-trail.md)."""
    body = _canonical(
        [
            record.id,
            record.subject,
            record.seq,
            round(record.at.timestamp() * 1_000_000),
            record.actor,
            record.action,
            record.data,
            record.previous,
        ]
    )
    return hmac.digest(key, body.encode(), "sha256").hex()


@dataclass(frozen=True, slots=True)
class StoredFile:
    """Bytes we made ourselves (re-encoded pictures) or hold for somebody; `variants` of a picture share its group."""

    id: FileId
    organization_id: OrganizationId | None
    person_id: PersonId | None
    kind: str
    content_type: str
    width: int
    height: int
    body: bytes
    created_at: datetime
    name: str = ""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """`digest` is the SHA-256 of the secret, which is shown once."""

    id: ApiKeyId
    organization_id: OrganizationId
    person_id: PersonId
    prefix: str
    digest: str
    name: str
    created_at: datetime
    expires_at: datetime | None = None
    used_at: datetime | None = None
    revoked_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Answered:
    """What an idempotent request was answered with."""

    scope: str
    key: str
    request_digest: str
    status: int
    body: str
    created_at: datetime


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Credentials of a gateway, sealed; `organization_id` 0 is the platform. Bound to owner, gateway and field by the seal."""

    organization_id: OrganizationId
    gateway: str
    sealed: str
    tested_at: datetime | None
    created_at: datetime
    version: int = 0


class Seals(Protocol):
    """Authenticated encryption bound to a context: what was sealed for one owner cannot be opened for another."""

    def seal(self, clear: str, context: str) -> str: ...
    def open(self, sealed: str, context: str) -> str: ...


class Inbox(Protocol):
    def add(self, event: InboxEvent) -> bool:
        """False when this event was stored before."""
        ...

    def keep(self, event: InboxEvent) -> None:
        """As `add`, for one that was looked for and not found. Raises Stale when somebody was faster."""
        ...

    def get(self, inbox_id: InboxId) -> InboxEvent: ...
    def by_key(self, gateway: str, event_key: str) -> InboxEvent | None: ...
    def save(self, event: InboxEvent) -> InboxEvent: ...
    def due(self, gateways: Sequence[str], now: datetime, limit: int) -> Sequence[InboxEvent]: ...


class Outbox(Protocol):
    def add(self, messages: Sequence[OutboxMessage]) -> None:
        """Those told already are left out."""
        ...

    def get(self, outbox_id: OutboxId) -> OutboxMessage: ...
    def save(self, message: OutboxMessage) -> OutboxMessage: ...
    def claim(self, now: datetime, until: datetime, limit: int, channel: ChannelKind) -> Sequence[OutboxMessage]:
        """Take due messages, most urgent and oldest first, of people with whom nobody is talking there now; they are due again at `until` if
        nothing is heard of them."""
        ...

    def parked(self) -> Sequence[OutboxId]:
        """What the last claim could not read: it is DEAD now."""
        ...

    def by_ref(self, channel: ChannelKind, ref: str) -> OutboxMessage | None: ...
    def revive(self, error: str | None, now: datetime, limit: int) -> int:
        """The dead of one error (of any, when None) are due again. How many."""
        ...

    def forget(self, before: datetime, limit: int) -> int:
        """Throw away what is over, is about no order, and was made before that instant. How many."""
        ...

    def dead(self, limit: int) -> Sequence[OutboxMessage]: ...
    def causes(self, limit: int) -> Sequence[tuple[ChannelKind, str, int]]:
        """What the dead died of, the most frequent first: channel, error, how many."""
        ...

    def waiting(self) -> tuple[int, datetime | None]:
        """How many wait, and since when the oldest does."""
        ...

    def card(self, order_id: OrderId, person_id: PersonId, channel: ChannelKind) -> Card | None: ...
    def put_card(self, card: Card) -> None: ...


class Trail(Protocol):
    """The audit trail: appended to, never changed."""

    def add(self, subject: str, actor: Actor, action: str, **data: Any) -> None: ...
    def of(self, subject: str) -> Sequence[AuditRecord]: ...
    def seal(self, before: datetime, limit: int) -> int:
        """Close what was written before that instant and has no seal yet. How many records; 0 when another worker did it."""
        ...


class Books(Protocol):
    def book(self, entry: Entry) -> None:
        """Write an entry once. The same kind and cause again raises Stale: somebody booked this fact first."""
        ...

    def booked(self, kind: str, cause: str) -> bool: ...
    def balance(self, account: str) -> dict[str, int]:
        """Sum of postings in minor units by currency; what we owe (wallet, escrow) is negative."""
        ...

    def hold(self, wallet: LedgerAccount, currency: str) -> None:
        """Until this unit ends nobody else moves the wallet, nor what its owner owes (usecases/releases.py)."""
        ...

    def history(self, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Newest first: kind, cause, at, amount_minor, currency."""
        ...


class Files(Protocol):
    def add(self, file: StoredFile) -> None: ...
    def get(self, file_id: FileId) -> StoredFile: ...
    def sizes(self, file_id: FileId) -> Sequence[tuple[FileId, int, int]]:
        """(id, width, height) of every size of a picture, largest first; `file_id` names the group (`picture:<file_id>` is their kind)."""
        ...


class Keys(Protocol):
    def add_api_key(self, key: ApiKey) -> None: ...
    def api_key(self, prefix: str) -> ApiKey | None: ...
    def save_api_key(self, key: ApiKey) -> ApiKey: ...
    def answered(self, scope: str, key: str) -> Answered | None: ...
    def remember(self, answered: Answered) -> None: ...


class Settings(Protocol):
    def get(self, organization_id: OrganizationId, gateway: str) -> GatewaySettings | None: ...
    def put(self, settings: GatewaySettings) -> None: ...


class Limits(Protocol):
    """Counters in fixed windows, in the database so that a restart does not reset them."""

    def count(self, name: str, subject: str, window_s: int, now: datetime) -> int:
        """Add one and return how many there were in this window, this one included."""
        ...

    def seen(self, name: str, subject: str, window_s: int, now: datetime) -> int: ...
    def forget(self, before: datetime, limit: int) -> int:
        """Windows that began before that instant count for nobody any more. How many were thrown away."""
        ...

    def hold_places(self, name: str, until: datetime) -> datetime:
        """Nobody speaks to a provider before that instant, or a later one that was said before: it. Its row is the unit's until that ends."""
        ...


class Marks(Protocol):
    """Small named facts about the service itself: high-water marks, switches."""

    def get(self, name: str) -> dict[str, Any] | None: ...
    def put(self, name: str, value: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True)
class RawEvent:
    """What arrived at a callback address, before anybody understood it."""

    gateway: str
    kind: str
    raw: bytes
    source: str
    headers: dict[str, Any] = field(default_factory=dict)

    def kept(
        self,
        number: InboxId,
        event_key: str,
        now: datetime,
        state: InboxState,
        *,
        tries: int = 0,
        act_at: datetime | None = None,
        error: str = "",
    ) -> InboxEvent:
        """As a row of the inbox."""
        return InboxEvent(
            number, self.gateway, event_key, self.kind, self.raw, self.headers, self.source, now, state, tries=tries, act_at=act_at, error=error
        )  # fmt: skip
