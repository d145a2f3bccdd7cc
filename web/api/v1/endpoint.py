"""What an address of the API is, as data; and the one path every request takes: read, recognize, do once, show."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import Any, Final

from aiohttp import web
from pydantic import BaseModel

from domain.errors import DomainError
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.api_keys import Caller, Given, NotRecognized, answer_once, authenticate, count_failure, touch_api_key
from usecases.hall import Hall
from web.api.v1 import problems, reading
from web.api.v1.schemas import Request

DOCS: Final = "/api/docs"


class Who(Enum):
    """For whom an address is: anybody, or a bearer (a member's key, the buyer's tracking token; rights decide the rest)."""

    ANYBODY = "anybody"
    BEARER = "bearer"


@dataclass(frozen=True, slots=True)
class Call:
    """A request, read. `once` is unguessable and the same when the request is repeated: for use cases that want a key of their own."""

    hall: Hall
    path: Mapping[str, str]
    query: Any
    body: Any
    address: str
    once: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """What came of it: kept as it is for a repeated request, so it holds no tokens. `problem` is the code of a refusal that had an effect."""

    status: int
    content: Mapping[str, Any] = field(default_factory=dict)
    problem: str = ""


Work = Callable[[Unit, Caller, Call], Done]
Reveal = Callable[[Unit, Mapping[str, Any]], Mapping[str, Any]]
Show = Callable[[Hall, Mapping[str, Any]], Mapping[str, Any]]


def as_it_is(hall: Hall, content: Mapping[str, Any]) -> Mapping[str, Any]:
    return content


@dataclass(frozen=True, slots=True)
class Endpoint:
    """`work` runs in one unit; it reads when the method is GET and writes otherwise. `handler` is instead of it, for callbacks and pages.

    `reveal` turns what is kept of an answer into what is shown where that needs a look into the database: for secrets, which are not kept there.
    `answers` are the statuses of success with their shapes; `refusals` the codes of `problems.KINDS` that are this address's own.
    """

    method: str
    path: str
    name: str
    summary: str
    answers: Mapping[int, type[BaseModel] | str]
    description: str = ""
    work: Work | None = None
    handler: Callable[[Hall, web.Request, str], Awaitable[web.StreamResponse]] | None = None
    who: Who = Who.ANYBODY
    query: type[Request] | None = None
    body: type[Request] | None = None
    body_optional: bool = False
    reveal: Reveal | None = None
    show: Show = as_it_is
    after: Callable[[Hall, Mapping[str, Any]], None] | None = None
    on_miss: Callable[[Unit, str], None] | None = None
    refusals: tuple[str, ...] = ()

    @property
    def once(self) -> bool:
        return self.method == "POST" and self.work is not None


def route(endpoint: Endpoint, hall: Hall) -> web.RouteDef:
    async def handle(request: web.Request) -> web.StreamResponse:
        return await answer(endpoint, hall, request, reading.address_of(request))

    if endpoint.method == "GET":
        return web.get(endpoint.path, handle, allow_head=False)
    return web.route(endpoint.method, endpoint.path, handle)


async def answer(endpoint: Endpoint, hall: Hall, request: web.Request, address: str) -> web.StreamResponse:
    request_id, docs_url = reading.request_id_of(request), hall.house.base_url + DOCS
    try:
        if endpoint.handler is not None:
            return await endpoint.handler(hall, request, address)
        return await _run(endpoint, hall, request, address)
    except problems.Unacceptable as refused:
        return problems.problem(refused.code, request_id, docs_url, headers={"Allow": refused.allow} if refused.allow else None)
    except problems.Invalid as invalid:
        return problems.of_invalid(invalid, request_id, docs_url)
    except DomainError as refusal:
        if refusal.code == "broken":
            raise
        missed = count_failure if isinstance(refusal, NotRecognized) else endpoint.on_miss if refusal.code == "not_found" else None
        if missed is not None:
            try:
                await hall.store.write(missed, address)
            except DomainError as limited:
                refusal = limited
        return problems.of_refusal(refusal, hall.clock.now(), request_id, docs_url)


async def _run(endpoint: Endpoint, hall: Hall, request: web.Request, address: str) -> web.Response:
    bearer = reading.bearer_of(request) if endpoint.who is Who.BEARER else None
    key = reading.idempotency_key_of(request, shortest=1 if bearer else 16) if endpoint.once else ""
    query = reading.query_of(request, endpoint.query)
    body, canonical = await reading.body_of(request, endpoint.body, optional=endpoint.body_optional)
    call = Call(hall, dict(request.match_info), query, body, address)
    assert endpoint.work is not None, "an address without a handler has its work"
    if endpoint.method == "GET":
        given, used = await hall.store.read(_once_read, endpoint.work, bearer, call)
    elif endpoint.once:
        digest = hashlib.sha256(f"{endpoint.method}\0{request.path}\0{canonical}".encode()).hexdigest()
        given, used = await hall.store.write(_once_written, endpoint, bearer, call, key, digest)
    else:
        given, used = await hall.store.write(_once_read, endpoint.work, bearer, call)
    if used is not None:
        hall.spawn(hall.store.write(touch_api_key, used))
    content = json.loads(given.body)
    if endpoint.after is not None and not given.replayed:
        endpoint.after(hall, content["content"])
    return _response(endpoint, hall, request, given, content)


def _response(endpoint: Endpoint, hall: Hall, request: web.Request, given: Given, kept: Mapping[str, Any]) -> web.Response:
    headers = {"Idempotency-Replayed": "true"} if given.replayed else {}
    if kept["problem"]:
        return problems.problem(kept["problem"], reading.request_id_of(request), hall.house.base_url + DOCS, headers=headers)
    body = json.dumps(endpoint.show(hall, kept["content"]), ensure_ascii=False).encode()
    headers |= {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return web.Response(status=given.status, body=body, content_type="application/json", headers=headers)


def _caller(unit: Unit, bearer: str | None) -> Caller:
    return Caller(Actor(Party.BUYER, "api"), "public") if bearer is None else authenticate(unit, bearer)


def _kept(done: Done) -> str:
    return json.dumps({"content": done.content, "problem": done.problem}, ensure_ascii=False)


def _once_read(unit: Unit, work: Work, bearer: str | None, call: Call) -> tuple[Given, str | None]:
    caller = _caller(unit, bearer)
    done = work(unit, caller, call)
    return Given(done.status, _kept(done), replayed=False), caller.used


def _once_written(unit: Unit, endpoint: Endpoint, bearer: str | None, call: Call, key: str, digest: str) -> tuple[Given, str | None]:
    """Who asks is looked at each time; what they asked for is done once."""
    work, caller = endpoint.work, _caller(unit, bearer)
    assert work is not None, "an address that does something once has its work"
    once = hashlib.sha256(f"{caller.scope}\0{key}".encode()).hexdigest()

    def effect() -> tuple[int, str]:
        done = work(unit, caller, Call(call.hall, call.path, call.query, call.body, call.address, f"api:{once}"))
        return done.status, _kept(done)

    given = answer_once(unit, caller.scope, once, digest, effect)
    if endpoint.reveal is not None:
        kept = json.loads(given.body)
        given = replace(given, body=json.dumps({**kept, "content": endpoint.reveal(unit, kept["content"])}, ensure_ascii=False))
    return given, caller.used
