"""POST /telegram/{secret}: one Telegram update. Stored before it is answered 200; anything else makes Telegram send it again."""

from __future__ import annotations

import hmac
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web

Receive = Callable[[Mapping[str, Any], str], Awaitable[bool]]
HEADER = "X-Telegram-Bot-Api-Secret-Token"


def webhook(receive: Receive, path_secret: str) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """`receive(update, header secret)` stores the update and says whether the header was right. The address and the header must both be ours."""

    async def handler(request: web.Request) -> web.StreamResponse:
        if not hmac.compare_digest(request.match_info["secret"].encode(), path_secret.encode()):
            raise web.HTTPNotFound
        try:
            update = json.loads(await request.read())
        except (ValueError, RecursionError):
            update = None
        if not isinstance(update, dict) or not isinstance(update.get("update_id"), int):
            return web.Response(status=200)
        if not await receive(update, request.headers.get(HEADER, "")):
            raise web.HTTPUnauthorized
        return web.Response(status=200)

    return handler
