"""POST /callbacks/{gateway}, /callbacks/{gateway}/{token}: what Stripe, PayPal, PayTabs and Moyasar tell, signed over the raw body.

Without a token the account is the platform's. A token names an organization (its own account), or one attempt or refund of ours. The signature is
looked at before anything is read; what is genuine is stored, whatever it is, and applied in the same unit; then 200.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final, cast

import structlog
from aiohttp import web

from domain.payment import Gateway, Notice, Prepares, Redacts, Unreadable
from domain.records import RawEvent
from usecases import settlement
from web.bodies import bytes_of
from web.door import DOOR
from web.hooks.accounts import ACCOUNTS, Account

SIGNED: Final = ("stripe", "paypal", "paytabs", "moyasar")
KINDS: Final[Mapping[str, str]] = {"stripe": "events"}
"""What each calls its signed events, where it is not `event`. Any other kind is believed for its address alone: that of one attempt or refund."""
_SHAPE: Final = "{gateway:" + "|".join(SIGNED) + "}"
_NOT_KEPT: Final = frozenset({"authorization", "cookie", "proxy-authorization"})
_MOST_HEADER: Final = 2_000
_MOST_HEADERS: Final = 50
_log = structlog.get_logger("gateway_hook")


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
    door, accounts = request.app[DOOR], request.app[ACCOUNTS]
    gateway, signed = door.hall.gateways.get(name), KINDS.get(name, "event")
    kind = kind or signed
    account = None if gateway is None else await accounts.of(name, token)
    if gateway is None or account is None or (kind != signed and account.attempt_id is None):
        door.metrics.refused.labels(name, "token" if token else "not_configured").inc()
        raise web.HTTPNotFound
    raw, source = await bytes_of(request), door.address_of(request)
    told = {key.lower(): value for key, value in request.headers.items()}
    if _is_a(type(gateway), Prepares):
        await cast(Prepares, gateway).prepare(kind, raw, told)
    owner = account.owner
    if not gateway.authentic(kind, raw, told, source, account.credentials):
        account = await accounts.of(name, token, anew=True)  # its secrets may have been changed a moment ago
        if account is None or not gateway.authentic(kind, raw, told, source, account.credentials):
            door.metrics.refused.labels(name, "signature").inc()
            _log.warning("callback_refused", gateway=name, kind=kind, source=source, owner=owner)
            raise web.HTTPBadRequest
    headers: dict[str, Any] = {key: value[:_MOST_HEADER] for key, value in list(told.items())[:_MOST_HEADERS] if key not in _NOT_KEPT}
    event_key, notice = _understand(gateway, kind, raw, headers, account)
    kept = cast(Redacts, gateway).redact(kind, raw) if _is_a(type(gateway), Redacts) else raw
    event = RawEvent(name, kind, kept, source, headers | account.headers())
    received = await door.hall.store.write(settlement.receive, event, event_key, notice)
    door.metrics.events.labels(name, kind, str(received)).inc()
    return web.Response(status=200)


@lru_cache(maxsize=64)
def _is_a(kind: type, protocol: type) -> bool:
    """Looked at once: a Protocol compares every name of its own with every event."""
    return issubclass(kind, protocol)


def _understand(gateway: Gateway, kind: str, raw: bytes, headers: Mapping[str, Any], account: Account) -> tuple[str, Notice | None]:
    """The event's key, unique for gateway and owner, and what it says; None for a body that cannot be one of the provider's."""
    try:
        notice = account.of(gateway.parse(kind, raw, headers))
    except Unreadable:
        return f"{account.owner}:unreadable:{kind}:{hashlib.sha256(raw).hexdigest()}", None
    return f"{account.owner}:{notice.event_key}", notice
