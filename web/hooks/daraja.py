"""POST /callbacks/daraja/{token}/{kind}: what Daraja tells about one payment attempt or refund. It tells it once and signs nothing.

The token names whose event it is; everything else the body says is a hint. Whatever the body is, it is stored; then 200.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from aiohttp import web

from domain.ids import AttemptId, RefundId
from domain.payment import Notice, Unreadable
from domain.records import RawEvent
from domain.tokens import Purpose
from usecases import settlement
from web.bodies import bytes_of
from web.door import DOOR

GATEWAY: Final = "daraja"
PURPOSES: Final[Mapping[str, Purpose]] = {"stk": Purpose.ATTEMPT, "reversal": Purpose.REFUND, "reversal-late": Purpose.REFUND}
_KEPT: Final = ("Content-Type", "User-Agent", "Content-Length", "X-Forwarded-For")
_MOST_HEADER: Final = 200
_ACCEPTED: Final = b'{"ResultCode":0,"ResultDesc":"Accepted"}'
_JSON: Final = {"Content-Type": "application/json"}
_log = structlog.get_logger("daraja_hook")


async def receive(request: web.Request) -> web.Response:
    """One unit of work. 404 without a word for a token that is not ours; 503 when it could not be written down (by the edge)."""
    door = request.app[DOOR]
    kind = request.match_info["kind"]
    purpose = PURPOSES.get(kind)
    number = None if purpose is None else door.hall.tokens.read(purpose, request.match_info["token"])
    if purpose is None or number is None:
        door.metrics.refused.labels(GATEWAY, "token").inc()
        raise web.HTTPNotFound
    raw = await bytes_of(request)
    headers: dict[str, Any] = {name: request.headers[name][:_MOST_HEADER] for name in _KEPT if name in request.headers}
    source = door.address_of(request)
    gateway = door.hall.gateways[GATEWAY]
    if not gateway.authentic(kind, raw, headers, source, {}):
        door.metrics.refused.labels(GATEWAY, "source").inc()
        _log.warning("callback_refused", kind=kind, source=source, purpose=str(purpose))
        raise web.HTTPNotFound
    told, notice = _understand(gateway.parse, kind, raw, headers, purpose, number)
    event_key = f"{purpose}:{number}:{told}"  # by whose address it came to: no event can take the place of another's
    headers[f"{purpose}_id"] = number
    received = await door.hall.store.write(settlement.receive, RawEvent(GATEWAY, kind, raw, source, headers), event_key, notice)
    door.metrics.events.labels(GATEWAY, kind, str(received)).inc()
    return web.Response(body=_ACCEPTED, headers=_JSON)


def _understand(parse: Any, kind: str, raw: bytes, headers: Mapping[str, str], purpose: Purpose, number: int) -> tuple[str, Notice | None]:
    """The event's key and what it says; None for a body that cannot be one of Daraja's, which is kept all the same."""
    try:
        notice: Notice = parse(kind, raw, headers)
    except Unreadable:
        return f"unreadable:{kind}:{number}:{hashlib.sha256(raw).hexdigest()}", None
    if purpose is Purpose.ATTEMPT:
        return notice.event_key, replace(notice, attempt_id=AttemptId(number))
    return notice.event_key, replace(notice, refund_id=RefundId(number))
