"""POST /ussd/{secret}: one turn of a USSD session, as Africa's Talking posts it; and /ussd/{secret}/events, how the session ended.

Nobody signs it: the address is the only proof, and the number is the network's word. The answer is text that begins with `CON ` or `END `, within
a second, from our own database. What was typed may be a PIN or a name, so neither turns nor events are logged with it.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Protocol
from urllib.parse import parse_qsl

import structlog
from aiohttp import web

from domain.errors import BadInput
from domain.phone import Phone, read_phone
from web.bodies import bytes_of
from web.door import DOOR

MOST_TYPED: Final = 1024
"""A session of 180 seconds cannot hold more."""
_SESSION: Final = re.compile(r"[!-~]{1,100}")
_log = structlog.get_logger("ussd_hook")


class Reply(Protocol):
    @property
    def body(self) -> str: ...


Turn = Callable[[str, Phone, str], Awaitable[Reply]]
"""(session id, who dials, everything typed in the session) to what the phone shows."""


Ended = Callable[[str, Phone], Awaitable[object]]
"""(session id, whose it was), when it is over."""


def ussd_routes(
    path_secret: str, turn: Turn, trouble: Callable[[], Reply], unavailable: tuple[type[Exception], ...], over: Ended | None = None
) -> list[web.RouteDef]:
    """`trouble` is shown when the turn could not be kept: an operator shows nothing of a 503. `over` hears how it ended for the person."""
    if not path_secret:
        raise ValueError("the addresses of the USSD callbacks need a secret")

    async def dialled(request: web.Request) -> web.Response:
        fields = await _fields(request, path_secret)
        session, text = fields.get("sessionId", ""), fields.get("text", "")
        if _SESSION.fullmatch(session) is None or len(text) > MOST_TYPED:
            raise web.HTTPBadRequest
        try:
            phone = read_phone(fields.get("phoneNumber", ""))
        except BadInput:
            raise web.HTTPBadRequest from None
        try:
            reply = await turn(session, phone, text.replace("\0", ""))
        except unavailable as error:
            _log.warning("ussd_turn_not_kept", error=type(error).__name__)
            reply = trouble()
        return web.Response(text=reply.body, content_type="text/plain")

    async def ended(request: web.Request) -> web.Response:
        fields = await _fields(request, path_secret)
        status = fields.get("status", "")
        known = status if status in {"Success", "Incomplete", "Failed"} else "other"
        request.app[DOOR].metrics.events.labels("ussd", "end", known).inc()
        if known == "Failed":
            _log.error("ussd_answer_refused", session=fields.get("sessionId", "")[:100], why=fields.get("errorMessage", "")[:200])
        await _tell_over(fields)
        return web.Response(text="")

    async def _tell_over(fields: Mapping[str, str]) -> None:
        """An event that cannot be read or kept is nothing to the operator: nobody sends it again."""
        session = fields.get("sessionId", "")
        if over is None or _SESSION.fullmatch(session) is None:
            return
        try:
            await over(session, read_phone(fields.get("phoneNumber", "")))
        except BadInput:
            _log.warning("ussd_end_of_nobody")
        except unavailable as error:
            _log.warning("ussd_end_not_kept", error=type(error).__name__)

    return [web.post("/ussd/{secret}", dialled, name="ussd"), web.post("/ussd/{secret}/events", ended, name="ussd_events")]


async def _fields(request: web.Request, path_secret: str) -> Mapping[str, str]:
    """The form, each field once. 404 without a word where the address is not ours."""
    if not hmac.compare_digest(request.match_info["secret"].encode(), path_secret.encode()):
        request.app[DOOR].metrics.refused.labels("ussd", "token").inc()
        raise web.HTTPNotFound
    try:
        pairs = parse_qsl((await bytes_of(request)).decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=64)
    except ValueError:
        raise web.HTTPBadRequest from None
    if len(dict(pairs)) != len(pairs):
        raise web.HTTPBadRequest
    return dict(pairs)
