"""What all of Daraja's desks share, and how a request reaches a desk: method, token, body, and the error replies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from town.core import Core, Fault
from town.daraja.alarms import Alarms
from town.daraja.apps import App, Portal, Refusal
from town.daraja.books import Books
from town.daraja.courier import Courier
from town.daraja.names import Names
from town.phones import Phones

PROVIDER = "daraja"
BUSY = Refusal(500, "500.003.02", "System is busy. Please try again in few minutes.")
SPIKE = Refusal(500, "500.003.02", "Error Occurred: Spike Arrest Violation")
PROCESSING = Refusal(500, "500.001.1001", "The transaction is being processed")


class HangUp(Exception):
    """The connection is to be cut without a reply, after `wait_s` real seconds."""

    def __init__(self, wait_s: float = 0.0) -> None:
        super().__init__("hang up")
        self.wait_s = wait_s


@dataclass(frozen=True, slots=True)
class Office:
    """One Daraja. `callback_delay_s` is town time between an answer and its callback, `prompt_life_s` how long a prompt waits."""

    core: Core
    phones: Phones
    portal: Portal
    names: Names
    books: Books
    alarms: Alarms
    courier: Courier
    keep: int
    callback_delay_s: float
    prompt_life_s: float
    https_only: bool

    def fault(self, *names: str) -> Fault | None:
        return self.core.faults.take(PROVIDER, *names)


Desk = Callable[[App, dict[str, Any]], Awaitable[web.StreamResponse]]


def seconds_of(fault: Fault, otherwise: float) -> float:
    value = fault.detail.get("seconds", otherwise)
    return float(value)


class Gate:
    """Turns a desk into a route handler."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def refuse(self, refusal: Refusal) -> web.Response:
        body = {"requestId": self._office.names.request_id(), "errorCode": refusal.code, "errorMessage": refusal.message}
        return web.json_response(body, status=refusal.status)

    def post(self, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A desk behind the method, token and body checks; it is given a JSON object, empty when there was none to read."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                if request.method != "POST":
                    raise Refusal(405, "405.001", "Method Not Allowed")
                app = self._admit(request)
                return await desk(app, await _body(request))
            except Refusal as refusal:
                return self.refuse(refusal)
            except HangUp as hang_up:
                return await cut(request, hang_up.wait_s)

        return handler

    def _admit(self, request: web.Request) -> App:
        app = self._office.portal.bearer(request.headers.get("Authorization", ""))
        if fault := self._office.fault("expire_token"):
            self._office.portal.end_token(app)
            code = str(fault.detail.get("code", "404.001.03"))
            raise Refusal(int(code[:3]), code, "Invalid Access Token")
        return app


async def _body(request: web.Request) -> dict[str, Any]:
    """Anything but a JSON object with the JSON content type reads as no fields at all, so the first field is called invalid."""
    raw = await request.read()
    if request.content_type != "application/json":
        return {}
    try:
        body = json.loads(raw)
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


async def cut(request: web.Request, wait_s: float) -> web.Response:
    """Close the connection under the request; the reply that is returned goes nowhere."""
    if wait_s > 0:
        await asyncio.sleep(wait_s)
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
