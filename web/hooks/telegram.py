"""POST /telegram/{secret}: one Telegram update. Stored before it is answered 200; anything else makes Telegram send it again."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

from web.bodies import bytes_of

Receive = Callable[[Mapping[str, Any], str], Awaitable[bool]]
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def webhook(receive: Receive, is_ours: Callable[[str], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """`receive(update, header secret)` stores the update and says whether the header was right; `is_ours` knows the address. Both must be ours."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if not is_ours(request.match_info["secret"]):
            raise web.HTTPNotFound
        try:
            update = json.loads(await bytes_of(request))
        except (ValueError, RecursionError):
            update = None
        if not isinstance(update, dict) or not isinstance(update.get("update_id"), int | str):
            return web.Response(status=200)
        if not await receive(update, request.headers.get(HEADER, "")):
            raise web.HTTPUnauthorized
        return web.Response(status=200)

    return handler
