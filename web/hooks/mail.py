"""POST /mail/{secret}/bounce: a letter that came back, as the mail server or provider got it (message/rfc822, or the body of a multipart/report).

The address keeps strangers out and proves nothing about the letter: a report counts only for a Message-ID of ours.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import Final

import structlog
from aiohttp import web

from domain.records import RawEvent
from usecases.mail_delivery import BOUNCE, GATEWAY, Bounce, Returned, receive_bounce
from web.bodies import bytes_of
from web.door import DOOR

MOST_BYTES: Final = 1 << 20
ROUTE: Final = "mail_bounce"
_log = structlog.get_logger("mail_hook")


def mail_routes(path_secret: str, read: Callable[[bytes], Bounce | None]) -> list[web.RouteDef]:
    """`read(raw)` understands a delivery report; None for every other mail. Without a secret there is no such address."""
    if not path_secret:
        return []

    async def returned(request: web.Request) -> web.Response:
        door = request.app[DOOR]
        if not hmac.compare_digest(request.match_info["secret"].encode(), path_secret.encode()):
            door.metrics.refused.labels(GATEWAY, "token").inc()
            raise web.HTTPNotFound
        raw = await bytes_of(request)
        if request.content_type == "multipart/report":  # its head came as that of the request
            raw = f"Content-Type: {request.headers['Content-Type']}\r\n\r\n".encode() + raw
        bounce = read(raw)
        if bounce is None:  # vacations, receipts, letters to nobody: sending them again would not help
            door.metrics.events.labels(GATEWAY, BOUNCE, "not_a_report").inc()
            return web.Response(status=200)
        became = await door.hall.store.write(receive_bounce, RawEvent(GATEWAY, BOUNCE, raw, door.address_of(request)), bounce)
        if became is Returned.STRANGE:
            _log.warning("strange_bounce", source=door.address_of(request))
        door.metrics.events.labels(GATEWAY, BOUNCE, str(became)).inc()
        return web.Response(status=200)

    return [web.post("/mail/{secret}/bounce", returned, name=ROUTE)]
