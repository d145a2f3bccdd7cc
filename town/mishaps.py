"""What every provider of the town can do wrong in the same way: hang up, and be late."""

from __future__ import annotations

import asyncio

from aiohttp import web

from town.core import Fault


class HangUp(Exception):
    """The connection is to be cut without a reply, after `wait_s` real seconds."""

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__("hang up")
        self.wait_s = wait_s


def seconds_of(fault: Fault, otherwise: float) -> float:
    """How long, if the fault says so."""
    value = fault.detail.get("seconds", otherwise)
    return float(value)


async def cut(request: web.Request, wait_s: float) -> web.Response:
    """Close the connection under the request; the reply that is returned goes nowhere."""
    if wait_s > 0:
        await asyncio.sleep(wait_s)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
