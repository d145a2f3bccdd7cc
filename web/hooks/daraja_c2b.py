"""POST /callbacks/daraja/{token}/c2b/{validation,confirmation} and /lookup/{result,late}: money paid by hand, and what Daraja says of a receipt.

The token names whose address it is, and is the only proof there is: what is told here is asked of Daraja afterwards. A question is answered from
what we have, at once; everything else is stored, whatever it is, and answered with 200.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

import structlog
from aiohttp import web

from domain.by_hand import HandGateway, LookupId, Verdict
from domain.ids import OrganizationId
from domain.payment import Unreadable
from domain.records import RawEvent
from domain.tokens import Purpose
from usecases import by_hand, claims
from web.bodies import bytes_of
from web.door import DOOR, Door

GATEWAY: Final = "daraja"
VALIDATION, CONFIRMATION = "validation", "confirmation"
_KEPT: Final = ("Content-Type", "User-Agent", "Content-Length", "X-Forwarded-For")
_MOST_HEADER: Final = 200
_ACCEPTED: Final = b'{"ResultCode":0,"ResultDesc":"Accepted"}'
_JSON: Final = {"Content-Type": "application/json"}
_log = structlog.get_logger("daraja_c2b_hook")


def routes() -> list[web.AbstractRouteDef]:
    return [
        web.post("/callbacks/daraja/{token}/c2b/validation", validate, name="daraja_validation"),
        web.post("/callbacks/daraja/{token}/c2b/confirmation", confirm, name="daraja_confirmation"),
        web.post("/callbacks/daraja/{token}/lookup/{kind:result|late}", looked, name="daraja_lookup"),
    ]


async def validate(request: web.Request) -> web.Response:
    """May this be paid? Nothing is written down."""
    door, gateway, owner = _opened(request, Purpose.BY_HAND)
    raw = await bytes_of(request)
    try:
        told = gateway.read_told(VALIDATION, raw)
    except Unreadable:
        door.metrics.refused.labels(GATEWAY, VALIDATION).inc()
        return _said(gateway.answer(Verdict.OTHER, ""))
    verdict, validated = await door.hall.store.read(by_hand.may_pay, OrganizationId(owner), told)
    if verdict is not Verdict.ACCEPT:
        _log.info("by_hand_refused", verdict=str(verdict), account=told.account[:20], amount_minor=told.money.amount_minor)
    return _said(gateway.answer(verdict, validated))


async def confirm(request: web.Request) -> web.Response:
    """It was paid. Told once, so it is written down whatever it is."""
    door, gateway, number = _opened(request, Purpose.BY_HAND)
    raw, owner = await bytes_of(request), OrganizationId(number)
    try:
        told = gateway.read_told(CONFIRMATION, raw)
    except Unreadable:
        told = None
    event = _event(door, request, CONFIRMATION, raw, owner=owner)
    received = await door.hall.store.write(by_hand.receive_told, event, by_hand.event_key(CONFIRMATION, owner, raw, told), owner, told)
    door.metrics.events.labels(GATEWAY, CONFIRMATION, str(received)).inc()
    return _said(_ACCEPTED)


async def looked(request: web.Request) -> web.Response:
    """What Daraja says of a receipt that we asked about."""
    door, gateway, number = _opened(request, Purpose.LOOKUP)
    raw, kind = await bytes_of(request), request.match_info["kind"]
    try:
        answer = gateway.read_looked(kind, raw)
    except Unreadable:
        answer = None
    told = answer.event_key if answer is not None else f"unreadable:{kind}:{hashlib.sha256(raw).hexdigest()}"
    event = _event(door, request, f"lookup_{kind}", raw, lookup_id=number)
    received = await door.hall.store.write(claims.receive_looked, event, f"lookup:{number}:{told}", LookupId(number), answer)
    door.metrics.events.labels(GATEWAY, "lookup", str(received)).inc()
    return _said(_ACCEPTED)


def _opened(request: web.Request, purpose: Purpose) -> tuple[Door, HandGateway, int]:
    """Raises 404 without a word for a token that is not ours, and for a caller from elsewhere where that is refused."""
    door = request.app[DOOR]
    number = door.hall.tokens.read(purpose, request.match_info["token"])
    if number is None or door.hall.by_hand is None:
        door.metrics.refused.labels(GATEWAY, "token").inc()
        raise web.HTTPNotFound
    if not door.hall.gateways[GATEWAY].authentic(
        "stk", b"", {}, door.address_of(request), {}
    ):  # all of Daraja calls from the same addresses
        door.metrics.refused.labels(GATEWAY, "source").inc()
        raise web.HTTPNotFound
    return door, door.hall.by_hand, number


def _event(door: Door, request: web.Request, kind: str, raw: bytes, **whose: int) -> RawEvent:
    headers: dict[str, Any] = {name: request.headers[name][:_MOST_HEADER] for name in _KEPT if name in request.headers}
    return RawEvent(by_hand.INBOX, kind, raw, door.address_of(request), {**headers, **whose})


def _said(body: bytes) -> web.Response:
    return web.Response(body=body, headers=_JSON)
