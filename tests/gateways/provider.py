"""A provider on loopback that says exactly what a test tells it to, over real HTTP, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any

from aiohttp import web

from domain.ids import AttemptId, CheckoutId, OrganizationId, PaymentId, RefundId
from domain.life import AttemptState, RefundState
from domain.money import Money
from domain.payment import Ask, Attempt, Refund
from domain.phone import Phone

NOON = datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
"""12:00:05 in Nairobi."""
KEYS = {
    "consumer_key": "town-key",
    "consumer_secret": "town-secret",
    "short_code": "174379",
    "passkey": "town-passkey-00000000000000000000000000000000",
    "transaction_type": "PAYBILL",
    "initiator": "town-initiator",
    "security_credential": "town-security-credential",
}
TOKEN = "AbCdEfGhIjKlMnOpQrStUvWxYz012345"


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self, at: datetime = NOON) -> None:
        self.at = at

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass(frozen=True)
class Heard:
    """One request."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    form: dict[str, Any]

    def json(self) -> Any:
        return json.loads(self.body)


Say = Callable[[web.Request], Any]


def says(body: object, status: int = 200, **headers: str) -> Say:
    """An answer: an object as JSON, text as HTML, bytes as they are."""

    def answer(request: web.Request) -> web.Response:
        if isinstance(body, bytes):
            return web.Response(body=body, status=status, content_type="application/json", headers=headers)
        if isinstance(body, str):
            return web.Response(text=body, status=status, content_type="text/html", headers=headers)
        return web.json_response(body, status=status, headers=headers)

    return answer


def error(code: str, message: str = "", status: int | None = None) -> Say:
    """Daraja's error reply; its status is the first part of the code."""
    return says({"requestId": "1c5b-4ba8", "errorCode": code, "errorMessage": message}, status or int(code[:3]))


def hangs_up(request: web.Request) -> web.Response:
    """The connection is cut after the request was read."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def half(request: web.Request) -> web.StreamResponse:
    """The connection is cut in the middle of the body."""
    response = web.StreamResponse(headers={"Content-Length": "1000"})
    await response.prepare(request)
    await response.write(b'{"MerchantRequestID":')
    assert request.transport is not None
    request.transport.abort()
    return response


async def sleeps(request: web.Request) -> web.Response:
    await asyncio.sleep(30)
    return web.Response()


class Provider:
    """`tell(path, say, ...)` queues answers; the last one stays. Without any: 404. `heard` holds the requests in order."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.url = ""
        self._lines: dict[str, deque[Say]] = {}

    async def __aenter__(self) -> Provider:
        application = web.Application(client_max_size=1 << 26)
        application.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self._runner.cleanup()

    def tell(self, path: str, *lines: Say) -> None:
        self._lines[path] = deque(lines)

    def at(self, path: str) -> list[Heard]:
        return [heard for heard in self.heard if heard.path == path]

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        form: dict[str, Any] = {}
        if request.content_type == "multipart/form-data":
            form = {
                name: value.file.read() if isinstance(value, web.FileField) else value for name, value in (await request.post()).items()
            }
            body = b""
        else:
            body = await request.read()
            if request.content_type == "application/x-www-form-urlencoded":
                form = dict(await request.post())
        self.heard.append(Heard(request.method, request.path, request.query_string, dict(request.headers), body, form))
        lines = self._lines.get(request.path)
        if not lines:
            return web.json_response({"errorCode": "404.001.01", "errorMessage": "Resource not found"}, status=404)
        say = lines.popleft() if len(lines) > 1 else lines[0]
        answer = say(request)
        if asyncio.iscoroutine(answer):
            answer = await answer
        assert isinstance(answer, web.StreamResponse)
        return answer


def an_ask(amount_minor: int = 2500_00, phone: str | None = "+254712345678", **changed: Any) -> Ask:
    fields: dict[str, Any] = {
        "attempt_id": AttemptId(1),
        "money": Money(amount_minor, "KES"),
        "phone": None if phone is None else Phone(phone),
        "reference": "PL-7K2QD",
        "description": "Order",
        "credentials": KEYS,
        "callback_token": TOKEN,
    }
    return Ask(**{**fields, **changed})


def an_attempt(ref: str | None = "ws_CO_1", **changed: Any) -> Attempt:
    fields: dict[str, Any] = {
        "id": AttemptId(1),
        "payment_id": PaymentId(1),
        "checkout_id": CheckoutId(1),
        "organization_id": OrganizationId(1),
        "gateway": "daraja",
        "direct": False,
        "money": Money(2500_00, "KES"),
        "state": next(iter(AttemptState)),
        "phone": Phone("+254712345678"),
        "created_at": NOON,
        "key": "k",
        "short_code": "174379",
        "ref": ref,
    }
    return Attempt(**{**fields, **changed})


def a_refund(amount_minor: int = 2500_00, **changed: Any) -> Refund:
    fields: dict[str, Any] = {
        "id": RefundId(1),
        "attempt_id": AttemptId(1),
        "organization_id": OrganizationId(1),
        "order_id": None,
        "gateway": "daraja",
        "direct": False,
        "money": Money(amount_minor, "KES"),
        "reason": "late_payment",
        "cause": "c",
        "source": "",
        "state": next(iter(RefundState)),
        "created_at": NOON,
    }
    return Refund(**{**fields, **changed})
