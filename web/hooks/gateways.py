"""POST /callbacks/{gateway}, /callbacks/{gateway}/{token}: what Stripe, PayPal, PayTabs and Moyasar tell, signed over the raw body.

Without a token the account is the platform's. A token names an organization (its own account), or one attempt or refund of ours. The signature is
looked at before anything is read; what is genuine is stored, whatever it is, and applied in the same unit; then 200.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from aiohttp import web

from domain.errors import NotFound
from domain.ids import AttemptId, OrganizationId, RefundId
from domain.payment import Gateway, Notice, Prepares, Redacts, Unreadable
from domain.ports import Unit
from domain.records import RawEvent
from domain.tokens import Purpose
from usecases import settlement
from usecases.gateways import PLATFORM, credentials_of
from web.bodies import bytes_of
from web.door import DOOR, Door

SIGNED: Final = ("stripe", "paypal", "paytabs", "moyasar")
KINDS: Final[Mapping[str, str]] = {"stripe": "events"}
"""What each calls its signed events, where it is not `event`. Any other kind is believed for its address alone: that of one attempt or refund."""
_SHAPE: Final = "{gateway:" + "|".join(SIGNED) + "}"
_NOT_KEPT: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_MOST_HEADER: Final = 2_000
_MOST_HEADERS: Final = 50
_OWNERS: Final = (Purpose.SETTINGS, Purpose.ATTEMPT, Purpose.REFUND)
_log = structlog.get_logger("gateway_hook")


@dataclass(frozen=True, slots=True)
class Account:
    """Whose account an address belongs to, with what its events are checked; `attempt_id` or `refund_id` where the address is of one alone."""

    owner: OrganizationId
    credentials: Mapping[str, str]
    attempt_id: AttemptId | None = None
    refund_id: RefundId | None = None

    def headers(self) -> dict[str, Any]:
        named = {"owner": self.owner, "attempt_id": self.attempt_id, "refund_id": self.refund_id}
        return {name: number for name, number in named.items() if number is not None}

    def of(self, notice: Notice) -> Notice:
        """The notice with what the address says of it."""
        return replace(
            notice,
            owner=self.owner,
            attempt_id=notice.attempt_id if self.attempt_id is None else self.attempt_id,
            refund_id=notice.refund_id if self.refund_id is None else self.refund_id,
        )


def account_of(unit: Unit, gateway: str, purpose: Purpose | None, number: int) -> Account:
    """Raises NotFound for an account that is not set up, and for an attempt or a refund of another gateway."""
    owner, attempt, refund = OrganizationId(number), None, None
    if purpose is Purpose.REFUND:
        refund = unit.payments.refund(RefundId(number))
        number = 0 if refund is None else refund.attempt_id
    if purpose in {Purpose.ATTEMPT, Purpose.REFUND}:
        attempt = unit.payments.attempt(AttemptId(number))
        if attempt is None or attempt.gateway != gateway:
            raise NotFound(what="attempt")
        owner = attempt.organization_id if attempt.direct else PLATFORM
    credentials = credentials_of(unit, owner, gateway, owner != PLATFORM)
    return Account(owner, credentials, None if attempt is None else attempt.id, None if refund is None else refund.id)


def routes() -> list[web.AbstractRouteDef]:
    return [
        web.post(f"/callbacks/{_SHAPE}", receive, name="gateway"),
        web.post(f"/callbacks/{_SHAPE}/{{token}}", receive, name="gateway_account"),
        web.post(f"/callbacks/{_SHAPE}/{{token}}/{{kind:[a-z-]+}}", receive, name="gateway_kind"),
        web.post("/api/stripe/webhook", stripe, name="stripe_webhook"),
    ]


async def receive(request: web.Request) -> web.Response:
    at = request.match_info
    return await receive_for(request, at["gateway"], at.get("token", ""), at.get("kind", ""))


async def stripe(request: web.Request) -> web.Response:
    return await receive_for(request, "stripe")


async def receive_for(request: web.Request, name: str, token: str = "", kind: str = "") -> web.Response:
    """One unit of work. 404 for an account that is not there, 400 for what is not signed by it; 503 when it could not be written down."""
    door = request.app[DOOR]
    gateway, signed = door.hall.gateways.get(name), KINDS.get(name, "event")
    kind = kind or signed
    account = None if gateway is None else await _account(door, name, token)
    if gateway is None or account is None or (kind != signed and account.attempt_id is None):
        door.metrics.refused.labels(name, "token" if token else "not_configured").inc()
        raise web.HTTPNotFound
    raw, source = await bytes_of(request), door.address_of(request)
    told = {key.lower(): value for key, value in request.headers.items()}
    if isinstance(gateway, Prepares):
        await gateway.prepare(kind, raw, told)
    if not gateway.authentic(kind, raw, told, source, account.credentials):
        door.metrics.refused.labels(name, "signature").inc()
        _log.warning("callback_refused", gateway=name, kind=kind, source=source, owner=account.owner)
        raise web.HTTPBadRequest
    headers: dict[str, Any] = {key: value[:_MOST_HEADER] for key, value in list(told.items())[:_MOST_HEADERS] if key not in _NOT_KEPT}
    event_key, notice = _understand(gateway, kind, raw, headers, account)
    kept = gateway.redact(kind, raw) if isinstance(gateway, Redacts) else raw
    event = RawEvent(name, kind, kept, source, headers | account.headers())
    received = await door.hall.store.write(settlement.receive, event, event_key, notice)
    door.metrics.events.labels(name, kind, str(received)).inc()
    return web.Response(status=200)


async def _account(door: Door, gateway: str, token: str) -> Account | None:
    """Whose events come to this address; None for a token that is not ours and an account that nobody set up."""
    purpose, number = None, int(PLATFORM)
    if token:
        found = ((purpose, door.hall.tokens.read(purpose, token)) for purpose in _OWNERS)
        purpose, read = next(((purpose, read) for purpose, read in found if read is not None), (None, None))
        if read is None:
            return None
        number = read
    try:
        return await door.hall.store.read(account_of, gateway, purpose, number)
    except NotFound:
        return None


def _understand(gateway: Gateway, kind: str, raw: bytes, headers: Mapping[str, Any], account: Account) -> tuple[str, Notice | None]:
    """The event's key, unique for gateway and owner, and what it says; None for a body that cannot be one of the provider's."""
    try:
        notice = account.of(gateway.parse(kind, raw, headers))
    except Unreadable:
        return f"{account.owner}:unreadable:{kind}:{hashlib.sha256(raw).hexdigest()}", None
    return f"{account.owner}:{notice.event_key}", notice
