"""Outgoing webhooks: what an organization's own server is told, where, how it is signed, and when it is tried again.

Signed as the Standard Webhooks specification 1.0.0 says (https://www.standardwebhooks.com).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol
from urllib.parse import urlsplit

from domain.errors import BadInput
from domain.ids import OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId
from domain.life import Life, Move
from domain.rights import LEADERS, Party

PING: Final = "ping"
TYPES: Final[Mapping[str, str]] = {
    "order_paid": "order.paid",
    "order_accepted": "order.accepted",
    "order_shipped": "order.shipped",
    "order_delivered": "order.delivered",
    "order_completed": "order.completed",
    "order_refunded": "order.refunded",
    "dispute_opened": "dispute.opened",
    "dispute_withdrawn": "dispute.withdrawn",
    "dispute_decided": "dispute.decided",
    "dispute_unanswered": "dispute.unanswered",
    "chargeback_opened": "chargeback.opened",
    "chargeback_won": "chargeback.won",
    "chargeback_lost": "chargeback.lost",
    "payment_failed": "payment.failed",
    "late_money": "late.money",
    "payment_disproved": "payment.disproved",
    "refund_done": "refund.done",
    "refund_delayed": "refund.delayed",
}
"""Fact -> type of event. A fact that is in domain/facts.py and not here is left out on purpose: tests/domain/test_webhook.py names those."""

MOST_ENDPOINTS: Final = 5
MOST_URL: Final = 500
OVERLAP: Final = timedelta(hours=24)
"""After a rotation the older secret signs as well for this long."""

RETRY_S: Final = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""After the first try, the second ...: 5 s, 5 min, 30 min, 2, 5, 10, 14, 20 and 24 hours; a little over three days in all."""
LONGEST_REST_S: Final = 86_400
"""Of what a receiver asks for by Retry-After, no more than this is given."""
HEARS_RETRY_AFTER: Final = frozenset({429, 503})
GONE: Final = 410
PATIENCE: Final = timedelta(days=5)
"""An endpoint with nothing but failure for this long is switched off."""

_PREFIX: Final = "whsec_"
_SECRET_BYTES: Final = 32
_NAT64: Final = tuple(ipaddress.IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48"))
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")


class EndpointState(StrEnum):
    ENABLED = "ENABLED"
    DISABLED = "DISABLED"
    DELETED = "DELETED"


class DeliveryState(StrEnum):
    PENDING = "PENDING"
    SENDING = "SENDING"
    DELIVERED = "DELIVERED"
    FAILED = "FAILED"


_CLOCK: Final = frozenset({Party.CLOCK})
_DESK: Final = LEADERS | {Party.ADMIN}
DELIVERY: Final = Life(
    "delivery",
    frozenset({DeliveryState.PENDING}),
    Move(DeliveryState.PENDING, DeliveryState.SENDING, _CLOCK),
    Move(DeliveryState.SENDING, DeliveryState.PENDING, _CLOCK),
    Move(DeliveryState.SENDING, DeliveryState.DELIVERED, _CLOCK),
    Move(DeliveryState.SENDING, DeliveryState.FAILED, _CLOCK),
    Move(DeliveryState.DELIVERED, DeliveryState.PENDING, _DESK),
    Move(DeliveryState.FAILED, DeliveryState.PENDING, _DESK),
)
"""From its ends a delivery starts again when somebody replays it. (Of an endpoint that is switched off, what waits fails all at once.)"""

ENDPOINT: Final = Life(
    "endpoint",
    frozenset({EndpointState.ENABLED}),
    Move(EndpointState.ENABLED, EndpointState.DISABLED, _DESK | _CLOCK),
    Move(EndpointState.DISABLED, EndpointState.ENABLED, LEADERS),
    Move(EndpointState.ENABLED, EndpointState.DELETED, LEADERS),
    Move(EndpointState.DISABLED, EndpointState.DELETED, LEADERS),
)


@dataclass(frozen=True, slots=True)
class WebhookEndpoint:
    """Where an organization wants to be told. No `types` means all. `sealed` is its secret, `sealed_before` the one that signs until `before_until`.

    `secret_no` counts its secrets; `off_why` is gone, failing, owner or desk; `failing_since` is None once a delivery arrived.
    """

    id: WebhookEndpointId
    organization_id: OrganizationId
    url: str
    types: tuple[str, ...]
    state: EndpointState
    sealed: str = field(repr=False)
    created_at: datetime
    secret_no: int = 1
    sealed_before: str | None = field(default=None, repr=False)
    before_until: datetime | None = None
    failing_since: datetime | None = None
    tried_at: datetime | None = None
    off_why: str = ""
    version: int = 0

    def wants(self, kind: str) -> bool:
        return not self.types or kind in self.types


@dataclass(frozen=True, slots=True)
class WebhookEvent:
    """What happened, as it is sent: `body` is frozen. (organization_id, key) is unique: a fact is one event."""

    id: WebhookEventId
    organization_id: OrganizationId
    key: str
    type: str
    body: str = field(repr=False)
    created_at: datetime

    @property
    def message_id(self) -> str:
        """`webhook-id`: the same however often it is sent."""
        return event_name(self.id)


@dataclass(frozen=True, slots=True)
class WebhookDelivery:
    """An event on its way to an endpoint; (event_id, endpoint_id) is unique. While SENDING, `act_at` is when it is taken up again after a crash.

    `status`, `took_ms`, `error` and `answer` (its first characters) are of the last try; `tries` counts since it was made or replayed.
    """

    id: WebhookDeliveryId
    event_id: WebhookEventId
    endpoint_id: WebhookEndpointId
    organization_id: OrganizationId
    type: str
    state: DeliveryState
    created_at: datetime
    act_at: datetime
    tries: int = 0
    tried_at: datetime | None = None
    status: int | None = None
    took_ms: int | None = None
    error: str = ""
    answer: str = ""
    version: int = 0


@dataclass(frozen=True, slots=True)
class Parcel:
    """All that is needed to send once; `version` tells whether it is still ours to say what became of it."""

    delivery_id: WebhookDeliveryId
    version: int
    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of one try. `status` is None when nobody answered; `error` then names the cause."""

    status: int | None
    error: str = ""
    answer: str = ""
    retry_after_s: int = 0
    took_ms: int = 0

    @property
    def arrived(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


class Post(Protocol):
    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> Tried:
        """Once, to a public address only, within ten seconds, without following anybody elsewhere. Never raises for what the receiver does."""
        ...


class Webhooks(Protocol):
    def listening(self, organization_id: OrganizationId) -> Sequence[WebhookEndpoint]:
        """Its endpoints that are switched on."""
        ...

    def endpoint(self, endpoint_id: WebhookEndpointId) -> WebhookEndpoint | None: ...
    def endpoints(self, organization_id: OrganizationId) -> Sequence[WebhookEndpoint]:
        """All but the deleted, oldest first."""
        ...

    def every_endpoint(self) -> Sequence[WebhookEndpoint]:
        """Of all organizations, but the deleted."""
        ...

    def add_endpoint(self, endpoint: WebhookEndpoint) -> None: ...
    def save_endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint: ...
    def add_event(self, event: WebhookEvent) -> bool:
        """False when there is one of this fact."""
        ...

    def event(self, event_id: WebhookEventId) -> WebhookEvent: ...
    def add_delivery(self, delivery: WebhookDelivery) -> None: ...
    def delivery(self, delivery_id: WebhookDeliveryId) -> WebhookDelivery | None: ...
    def save_delivery(self, delivery: WebhookDelivery) -> WebhookDelivery: ...
    def deliveries(self, endpoint_id: WebhookEndpointId, before: WebhookDeliveryId | None, limit: int) -> Sequence[WebhookDelivery]:
        """Newest first."""
        ...

    def failed(self, endpoint_id: WebhookEndpointId, since: datetime, until: datetime, limit: int) -> Sequence[WebhookDelivery]:
        """That were made from `since` on and before `until`, oldest first."""
        ...

    def claim(self, now: datetime, until: datetime, limit: int) -> Sequence[WebhookDelivery]:
        """Take the oldest due delivery of each endpoint that has none under way; it is due again at `until` if nothing is heard of it."""
        ...

    def fail_waiting(self, endpoint_id: WebhookEndpointId, error: str, now: datetime) -> None: ...


def event_name(number: int) -> str:
    return f"evt_{number:x}"


def next_try(tries: int, tried: Tried, now: datetime) -> datetime | None:
    """When it is tried again after so many tries, or None when that was the last."""
    if tries > len(RETRY_S):
        return None
    asked = min(tried.retry_after_s, LONGEST_REST_S) if tried.status in HEARS_RETRY_AFTER else 0
    return now + timedelta(seconds=max(RETRY_S[tries - 1], asked))


def make_secret(number: int) -> str:
    """`whsec_...` of 32 bytes, from an unguessable number below 2**256."""
    return _PREFIX + base64.b64encode(number.to_bytes(_SECRET_BYTES, "big")).decode()


def signatures(secrets: Sequence[str], message_id: str, timestamp: int, body: bytes) -> str:
    """`v1,<base64> v1,<base64>`: one for each secret, over `id.timestamp.body`. Raises ValueError for what is no secret of ours."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join("v1," + base64.b64encode(hmac.digest(_key(secret), signed, hashlib.sha256)).decode() for secret in secrets)


def _key(secret: str) -> bytes:
    try:
        raw = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raw = b""
    if len(raw) != _SECRET_BYTES:
        raise ValueError("not a secret of a webhook")
    return raw


def read_url(text: str, *, loopback: bool = False) -> str:
    """An address that may be posted to. `loopback` is for a town: there http and https to this machine will do as well.

    Raises BadInput(url): too_long, malformed, has_password, not_https, not_public. A name is looked up when something is sent, and checked then.
    """
    if len(text) > MOST_URL:
        raise BadInput("url", "too_long", limit=MOST_URL)
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise BadInput("url", "malformed") from None
    if not host or not text.isascii() or not text.isprintable() or " " in text or "\\" in text or parts.fragment or parts.port == 0:
        raise BadInput("url", "malformed")
    if "@" in parts.netloc:
        raise BadInput("url", "has_password")
    if loopback and parts.scheme in {"http", "https"} and is_loopback(host):
        return text
    if parts.scheme != "https":
        raise BadInput("url", "not_https")
    if host.rpartition(".")[2] == "localhost" or (_number(host) is not None and not is_public(host)):
        raise BadInput("url", "not_public")
    return text


def is_loopback(host: str) -> bool:
    number = _number(host)
    return host == "localhost" if number is None else number.is_loopback


def is_public(address: str) -> bool:
    """Whether a numeric address is somebody's on the internet: not ours, not this machine's, nor one that hides such an address in itself."""
    number = _number(address)
    if number is None:
        return False
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)
        if inner is not None:
            return False
        if any(number in network for network in (*_NAT64, _COMPATIBLE)) or number.is_site_local or number.scope_id is not None:
            return False
    return number.is_global and not number.is_multicast and not number.is_reserved


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
