"""POST /sms/{secret}/delivery and /sms/{secret}/inbound: what Africa's Talking tells about text messages, as forms that nobody signs.

The address is the only proof. What is told is written down before it is answered 200; anything but 200 makes it come again for hours.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from domain.payment import Unreadable
from domain.records import RawEvent
from usecases import texting
from usecases.texting import GATEWAY, INBOUND, REPORT, Inbound, KeyTwice, Texted
from web.bodies import bytes_of
from web.door import DOOR

Hear = Callable[[Inbound], None]
MOST_BYTES: Final = 64 << 10
_log = structlog.get_logger("sms_hook")


def sms_routes(path_secret: str, hear: Hear) -> list[web.RouteDef]:
    """`hear(message)` is handed every incoming message once, after it is stored; it must return at once. A STOP is not handed on."""
    if not path_secret:
        raise ValueError("the addresses of the SMS callbacks need a secret")

    async def delivery(request: web.Request) -> web.Response:
        event = await _event(request, path_secret, REPORT)
        try:
            report = texting.read_report(texting.fields_of(event.raw))
        except Unreadable as problem:
            return await _unreadable(request, event, problem)
        return _noted(request, event, await request.app[DOOR].hall.store.write(texting.receive_report, event, report))

    async def inbound(request: web.Request) -> web.Response:
        event = await _event(request, path_secret, INBOUND)
        try:
            message = texting.read_inbound(texting.fields_of(event.raw))
        except Unreadable as problem:
            return await _unreadable(request, event, problem)
        became = await request.app[DOOR].hall.store.write(texting.receive_inbound, event, message)
        if became is Texted.FRESH:
            hear(message)
        return _noted(request, event, became)

    return [
        web.post("/sms/{secret}/delivery", delivery, name="sms_delivery"),
        web.post("/sms/{secret}/inbound", inbound, name="sms_inbound"),
    ]


async def _event(request: web.Request, path_secret: str, kind: str) -> RawEvent:
    """What came, if it came to our address."""
    door = request.app[DOOR]
    if not hmac.compare_digest(request.match_info["secret"].encode(), path_secret.encode()):
        door.metrics.refused.labels(GATEWAY, "token").inc()
        raise web.HTTPNotFound
    raw = await bytes_of(request)
    if len(raw) > MOST_BYTES:
        raise web.HTTPRequestEntityTooLarge(MOST_BYTES, len(raw))
    return RawEvent(GATEWAY, kind, raw, door.address_of(request))


async def _unreadable(request: web.Request, event: RawEvent, problem: Unreadable) -> web.Response:
    """A form that says a thing twice is nobody's we know and refused; else it is kept for a person, and sending it again would not help."""
    if isinstance(problem, KeyTwice):
        request.app[DOOR].metrics.refused.labels(GATEWAY, "twice").inc()
        _log.warning("sms_event_refused", kind=event.kind, source=event.source)
        raise web.HTTPBadRequest
    event_key = f"unreadable:{event.kind}:{hashlib.sha256(event.raw).hexdigest()}"
    return _noted(request, event, await request.app[DOOR].hall.store.write(texting.park, event, event_key))


def _noted(request: web.Request, event: RawEvent, became: Texted) -> web.Response:
    request.app[DOOR].metrics.events.labels(GATEWAY, event.kind, str(became)).inc()
    return web.Response(status=200)
