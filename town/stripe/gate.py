"""How a request reaches a desk: key, version, rate, form, idempotency; and how the answer looks."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from town.core import Core
from town.mishaps import HangUp, cut, seconds_of
from town.stripe.books import Account
from town.stripe.forms import Refusal, Schema, checked, unfolded
from town.stripe.shapes import VERSION, Json

PROVIDER = "stripe"
KEYS_LIVE = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Call:
    """One request, understood. `base` is the address that it came to, up to the API's root."""

    account: Account
    asked: Json
    path: Mapping[str, str]
    base: str
    request_id: str
    key: str | None


Desk = Callable[[Call], Json]


@dataclass(slots=True)
class _Kept:
    """What a key was first used for, and its answer (None while that is under way)."""

    what: str
    at: datetime
    answer: tuple[int, Json] | None = None


class Gate:
    """Turns a desk into a route handler."""

    def __init__(self, core: Core, accounts: Mapping[str, Account], base_path: str) -> None:
        self._core = core
        self._accounts = accounts
        self._base = base_path
        self._keys: dict[tuple[str, str], _Kept] = {}

    def keys(self) -> list[list[Any]]:
        """Those that were answered, as JSON can hold them."""
        return [[*whose, kept.what, kept.at.isoformat(), *kept.answer] for whose, kept in self._keys.items() if kept.answer is not None]

    def put_back(self, keys: Iterable[Sequence[Any]]) -> None:
        for account, key, what, at, status, body in keys:
            self._keys[account, key] = _Kept(what, datetime.fromisoformat(at), (status, body))

    def get(self, desk: Desk, schema: Schema) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            return await self._answer(request, desk, schema, request.query_string, None)

        return handler

    def post(self, desk: Desk, schema: Schema) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handler(request: web.Request) -> web.StreamResponse:
            try:
                body = (await request.read()).decode()
            except UnicodeDecodeError:
                body = "\ufffd=1"
            return await self._answer(request, desk, schema, body, request.headers.get("Idempotency-Key"))

        return handler

    async def _answer(self, request: web.Request, desk: Desk, schema: Schema, form: str, key: str | None) -> web.StreamResponse:
        request_id = "req_" + "".join(self._core.chance.choices("ABCDEFGHJKLMNPQRSTUVWXYZabcdefghij", k=14))
        headers = {"Request-Id": request_id, "Stripe-Version": request.headers.get("Stripe-Version", VERSION)}
        if key:
            headers["Idempotency-Key"] = key
        try:
            status, body, more = await self._handle(request, desk, schema, form, key, request_id)
        except HangUp as hang_up:
            return await cut(request, hang_up.wait_s)
        except Refusal as refusal:
            status, body, more = refusal.status, refusal.body, refusal.headers
        if more.pop("rubbish", ""):
            return web.Response(text="<html><body>A page in between</body></html>", content_type="text/html", headers=headers)
        return web.Response(text=json.dumps(body, indent=2), status=status, content_type="application/json", headers={**headers, **more})

    async def _handle(
        self, request: web.Request, desk: Desk, schema: Schema, form: str, key: str | None, request_id: str
    ) -> tuple[int, Json, dict[str, str]]:
        account = self._admit(request)
        self._before()
        if request.method == "POST" and request.content_type != "application/x-www-form-urlencoded" and form:
            raise Refusal(400, "Invalid request: the body is not form-encoded.")
        what = f"{request.method} {request.path} {'&'.join(sorted(form.split('&')))}"
        kept = self._kept(account, key, what)
        if kept is not None and kept.answer is not None:
            return kept.answer[0], kept.answer[1], {"Idempotent-Replayed": "true"}
        asked = checked(unfolded(parse_qsl(form, keep_blank_values=True)), schema)
        mark = _Kept(what, self._core.clock.now())
        if key:
            self._keys[account.key, key] = mark
        base = f"{request.scheme}://{request.host}{self._base}"
        try:
            done = 200, desk(Call(account, asked, dict(request.match_info), base, request_id, key))
        except Refusal as refusal:
            mark.answer = refusal.status, refusal.body
            if key and not refusal.stored:
                del self._keys[account.key, key]
            raise
        if fault := self._core.faults.take(PROVIDER, "slow"):
            await asyncio.sleep(seconds_of(fault, 1.0))
        mark.answer = (500, _api_error()) if self._fault("error_500_after") else done
        if fault := self._core.faults.take(PROVIDER, "drop_after"):
            raise HangUp(seconds_of(fault, 0.0))
        return *mark.answer, {"rubbish": "yes"} if self._fault("rubbish") else {}

    def _admit(self, request: web.Request) -> Account:
        scheme, _, given = request.headers.get("Authorization", "").partition(" ")
        version = request.headers.get("Stripe-Version", VERSION)
        if scheme != "Bearer" or not given:
            raise Refusal(401, "You did not provide an API key. You need to provide your API key in the Authorization header.")
        account = self._accounts.get(given)
        if account is None:
            raise Refusal(401, f"Invalid API Key provided: {given[:8]}****{given[-4:]}")
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?", version):
            raise Refusal(400, f"Invalid Stripe API version: {version}")
        return account

    def _before(self) -> None:
        """Faults before anything was done."""
        if fault := self._core.faults.take(PROVIDER, "rate_limit"):
            wait = fault.detail.get("retry_after")
            told = {"Retry-After": str(wait)} if wait is not None else {}
            raise Refusal(429, "Request rate limit exceeded.", code="rate_limit", kind="invalid_request_error", headers=told)
        if self._fault("error_500"):
            raise Refusal(500, "An unknown error occurred", kind="api_error")
        if fault := self._core.faults.take(PROVIDER, "drop_before"):
            raise HangUp(seconds_of(fault, 0.0))
        if fault := self._core.faults.take(PROVIDER, "refuse"):
            raise Refusal(int(fault.detail.get("status", 400)), "Refused on demand.", code=str(fault.detail.get("code", "")))

    def _fault(self, name: str) -> bool:
        return self._core.faults.take(PROVIDER, name) is not None

    def _kept(self, account: Account, key: str | None, what: str) -> _Kept | None:
        if not key:
            return None
        if len(key) > 255:
            raise Refusal(400, "Idempotency keys can be up to 255 characters long.", kind="idempotency_error")
        now = self._core.clock.now()
        for old in [one for one, kept in self._keys.items() if now - kept.at > KEYS_LIVE]:
            del self._keys[old]
        kept = self._keys.get((account.key, key))
        if kept is not None and kept.what != what:
            raise Refusal(
                400,
                "Keys for idempotent requests can only be used with the same parameters they were first used with. "
                f"Try using a key other than '{key}' if you meant to execute a different request.",
                kind="idempotency_error",
            )
        if kept is not None and kept.answer is None:
            raise Refusal(409, "There is currently another in-progress request using this key.", code="idempotency_key_in_use")
        return kept


def _api_error() -> Json:
    return {"error": {"type": "api_error", "message": "An unknown error occurred"}}


def expanded(thing: Json, path: str, finders: Mapping[str, Callable[[str], Any]]) -> None:
    """Put the object where its id stands, along `a.b.c`. Raises Refusal for a field that cannot be expanded."""
    first, _, rest = path.partition(".")
    if first == "data" and isinstance(thing.get("data"), list):
        for number, one in enumerate(thing["data"]):
            thing["data"][number] = dict(one)
            expanded(thing["data"][number], rest, finders)
        return
    if first not in finders or first not in thing:
        raise Refusal(400, f"This property cannot be expanded ({first}).", param="expand")
    if isinstance(thing[first], str):
        found = finders[first](thing[first])
        thing[first] = dict(found) if found is not None else thing[first]
    if rest and isinstance(thing[first], dict):
        expanded(thing[first], rest, finders)
