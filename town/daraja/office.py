"""What all of Daraja's desks share, and how a request reaches a desk: method, token, body, and the error replies."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core, Fault
from town.daraja.apps import App, Portal, Refusal
from town.daraja.books import Books
from town.daraja.courier import Courier
from town.daraja.names import Names
from town.mishaps import HangUp, cut
from town.phones import Phones

PROVIDER = "daraja"
BUSY = Refusal(500, "500.003.02", "System is busy. Please try again in few minutes.")
SPIKE = Refusal(500, "500.003.02", "Error Occurred: Spike Arrest Violation")
PROCESSING = Refusal(500, "500.001.1001", "The transaction is being processed")


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


class Gate:
    """Turns a desk into a route handler."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def refuse(self, refusal: Refusal) -> web.Response:
        body = {"requestId": self._office.names.request_id(), "errorCode": refusal.code, "errorMessage": refusal.message}
        return web.json_response(body, status=refusal.status)

    def get(self, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """The same for the one call that is a GET with a body."""
        return self.post(desk, "GET")

    def post(self, desk: Desk, method: str = "POST") -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A desk behind the method, token and body checks; it is given a JSON object, empty when there was none to read."""

        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                if request.method != method:
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
