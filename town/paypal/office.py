"""What all of PayPal's desks share, and how a request reaches a desk: faults, token, body, request ids, error replies."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core, Fault
from town.mishaps import HangUp, cut, seconds_of
from town.paypal.apps import App, Buyer, Names, Portal, Refusal, bad
from town.paypal.records import Capture, Dispute, Json, Order, Refund

PROVIDER = "paypal"
ORDER_KEYS_LIVE = timedelta(hours=6)
PAYMENT_KEYS_LIVE = timedelta(days=45)
LONGEST_KEY = 108
ANY_FAULTS = ("slow", "error_500", "rate_limit", "drop", "expire_token", "html", "forbidden")


@dataclass
class Office:
    """One PayPal. `base` is where its API stands, without a slash at the end, read off the requests unless it was said."""

    core: Core
    names: Names
    portal: Portal
    alarms: Alarms
    keep: int
    path: str
    base: str = ""
    fixed_base: bool = False
    buyers: dict[str, Buyer] = field(default_factory=dict)
    orders: OrderedDict[str, Order] = field(default_factory=OrderedDict)
    captures: OrderedDict[str, Capture] = field(default_factory=OrderedDict)
    refunds: OrderedDict[str, Refund] = field(default_factory=OrderedDict)
    disputes: OrderedDict[str, Dispute] = field(default_factory=OrderedDict)
    books: list[Json] = field(default_factory=list)
    keys: OrderedDict[tuple[str, str, str], tuple[datetime, str]] = field(default_factory=OrderedDict)

    def fault(self, *names: str) -> Fault | None:
        return self.core.faults.take(PROVIDER, *names)

    def now(self) -> datetime:
        return self.core.clock.now()

    def see(self, request: web.Request) -> None:
        """Where this PayPal stands, as its caller knows it."""
        if not self.fixed_base:
            self.base = f"{request.url.origin()}{self.path}"

    def book(self, kind: str, app: App, ref: str, units: int, currency: str, **more: Any) -> None:
        """One movement of money; `units` with its sign, as it changes the merchant's balance."""
        app.balances[currency] = app.balances.get(currency, 0) + units
        self.books.append(
            {
                "kind": kind,
                "merchant_id": app.merchant_id,
                "id": ref,
                "units": units,
                "currency": currency,
                "at": self.now().isoformat(),
                **more,
            }
        )
        del self.books[: -self.keep]

    def remember(self, app: App, desk: str, key: str, found: str) -> None:
        if key:
            self.keys[app.client_id, desk, key] = self.now(), found
            while len(self.keys) > self.keep:
                self.keys.popitem(last=False)

    def remembered(self, app: App, desk: str, key: str, live: timedelta) -> str | None:
        """The id of what was made under this PayPal-Request-Id before, while it is remembered."""
        at, found = self.keys.get((app.client_id, desk, key), (None, ""))
        return found if at is not None and self.now() - at < live else None


@dataclass(frozen=True, slots=True)
class Call:
    """One request that was let in."""

    app: App
    body: Json
    key: str
    whole: bool
    request: web.Request


Desk = Callable[[Call], Awaitable[tuple[int, Json]]]


class Gate:
    """Turns a desk into a route handler."""

    def __init__(self, office: Office) -> None:
        self._office = office

    def refuse(self, refusal: Refusal, **headers: str) -> web.Response:
        debug_id = self._office.names.debug_id()
        body: Json = {"name": refusal.name, "message": refusal.message, "debug_id": debug_id}
        if refusal.details:
            body["details"] = list(refusal.details)
        if refusal.links:
            body["links"] = list(refusal.links)
        return web.json_response(body, status=refusal.status, headers={"Paypal-Debug-Id": debug_id, **headers})

    def take(self, name: str, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Faults are taken by their name alone or with the desk's before it: `drop` or `capture_drop`."""

        async def handler(request: web.Request) -> web.StreamResponse:
            office = self._office
            office.see(request)
            try:
                if (early := await self._mishap(request, name)) is not None:
                    return early
                app = office.portal.bearer(request.headers.get("Authorization", ""))
                if app is None:
                    detail = {"issue": "INVALID_TOKEN", "description": "Token signature verification failed"}
                    return self.refuse(Refusal("AUTHENTICATION_FAILURE", detail), **{"WWW-Authenticate": 'Bearer error="invalid_token"'})
                key = request.headers.get("PayPal-Request-Id", "")
                if len(key) > LONGEST_KEY:
                    raise bad("INVALID_STRING_LENGTH", "PayPal-Request-Id")
                whole = request.headers.get("Prefer", "return=minimal") == "return=representation" or request.method == "GET"
                status, body = await desk(Call(app, await _body(request), key, whole, request))
            except Refusal as refusal:
                return self.refuse(refusal)
            except HangUp as trouble:
                return await cut(request, trouble.wait_s)
            if fault := office.fault("drop_after", f"{name}_drop_after"):
                return await cut(request, seconds_of(fault, 0.0))
            return web.json_response(body, status=status, headers={"Paypal-Debug-Id": office.names.debug_id()})

        return handler

    async def _mishap(self, request: web.Request, name: str) -> web.StreamResponse | None:
        """A fault that comes before anything is looked at."""
        fault = self._office.fault(*(full for one in ANY_FAULTS for full in (one, f"{name}_{one}")))
        match fault.fault.removeprefix(f"{name}_") if fault is not None else "":
            case "slow":
                assert fault is not None
                await asyncio.sleep(seconds_of(fault, 3.0))
            case "error_500":
                return self.refuse(Refusal("INTERNAL_SERVER_ERROR"))
            case "rate_limit":
                assert fault is not None
                after = fault.detail.get("retry_after")
                return self.refuse(Refusal("RATE_LIMIT_REACHED"), **({} if after is None else {"Retry-After": str(after)}))
            case "forbidden":
                detail = {
                    "issue": "PERMISSION_DENIED",
                    "description": "You do not have permission to access or perform operations on this resource.",
                }
                return self.refuse(Refusal("NOT_AUTHORIZED", detail))
            case "drop":
                assert fault is not None
                raise HangUp(seconds_of(fault, 0.0))
            case "expire_token":
                self._office.portal.end_tokens()
            case "html":
                return web.Response(text="<html><body>Sorry</body></html>", content_type="text/html")
        return None


async def _body(request: web.Request) -> Json:
    if request.method == "GET":
        return {}
    if request.content_type != "application/json":
        raise Refusal("UNSUPPORTED_MEDIA_TYPE")
    try:
        body = json.loads(await request.read())
    except ValueError:
        raise bad("MALFORMED_REQUEST_JSON", "/") from None
    if not isinstance(body, dict):
        raise bad("MALFORMED_REQUEST_JSON", "/")
    return body


def only(body: Json, pointer: str, *known: str) -> None:
    """Nothing but these fields: the real one may overlook what it does not know, this one shows the mistake."""
    for name in body:
        if name not in known:
            raise bad("INVALID_PARAMETER_SYNTAX", f"{pointer}/{name}", "The field is not known.")


def text(body: Json, name: str, pointer: str, longest: int, *, needed: bool = False) -> str:
    value = body.get(name)
    if value is None and not needed:
        return ""
    if value is None:
        raise bad("MISSING_REQUIRED_PARAMETER", f"{pointer}/{name}")
    if not isinstance(value, str):
        raise bad("INVALID_PARAMETER_SYNTAX", f"{pointer}/{name}")
    if not 1 <= len(value) <= longest:
        raise bad("INVALID_STRING_LENGTH", f"{pointer}/{name}", value=value)
    return value


def an_object(body: Json, name: str, pointer: str) -> Json:
    value = body.get(name)
    if value is None:
        raise bad("MISSING_REQUIRED_PARAMETER", f"{pointer}/{name}")
    if not isinstance(value, dict):
        raise bad("INVALID_PARAMETER_SYNTAX", f"{pointer}/{name}")
    return value
