"""What a request carries, within its size (the application's limit) and its time: a body that does not come is given up with 408."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from web.door import DOOR

READ_S: Final = 15.0
BROKEN: Final = (web.RequestPayloadError, HttpProcessingError, ValueError, AssertionError)
"""What comes of a body that is not what its headers say: no such packing, no such form, cut off."""


async def form_of(request: web.Request) -> Mapping[str, Any]:
    """The fields of a form; what is no form has none."""
    try:
        async with asyncio.timeout(request.app[DOOR].body_s):
            return await request.post()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except BROKEN as malformed:
        raise web.HTTPBadRequest from malformed


async def bytes_of(request: web.Request) -> bytes:
    """The body as it came."""
    if request.content.is_eof():
        return await request.read()
    try:
        async with asyncio.timeout(request.app[DOOR].body_s):
            return await request.read()
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except BROKEN as malformed:
        raise web.HTTPBadRequest from malformed
