"""The edge: every request gets an id, every answer its security headers, every failure a kind page with that id.

Cross-site requests. Nothing here acts by a cookie: the unguessable token in the path is the capability, so a foreign page cannot make a browser do
what its owner alone may do. As a second wall a POST that says it comes from another site (Origin, Sec-Fetch-Site) is refused. Our pages send no
referrer, which makes browsers say `Origin: null` in our own forms: where Sec-Fetch-Site is sent it decides, and `null` alone is let through.
"""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final

import structlog
from aiohttp import web
from multidict import CIMultiDict
from structlog.contextvars import bind_contextvars

from domain.errors import DomainError, NotFound
from templates.words import words
from web.door import Door
from web.language import language
from web.pages.answers import page
from web.refusals import http_status, sentence

ORDINARY_BODY: Final = 64 * 1024
REQUEST_ID: Final = web.RequestKey("request_id", str)
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
_MACHINES: Final = ("/callbacks/", "/api/", "/telegram/", "/ussd/", "/sms/", "/healthz", "/readyz", "/metrics", "/pictures/")
_MAIL: Final = "/mail/"
"""Mail programs, in browsers too, press there for their people (RFC 8058): the token says enough."""
_BACK: Final = "pay_back_form"
"""Gateways send payers back by a form of theirs; nothing in it is read, and asking the gateway is all that comes of it."""
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WORDS: Final = {400: "bad_request", 403: "forbidden", 404: "not_found", 405: "not_found", 408: "slow", 409: "conflict", 410: "not_found",
                 413: "too_big", 429: "too_often", 503: "unavailable"}  # fmt: skip
_log = structlog.get_logger("web")


class Forbidden(web.HTTPForbidden):
    """A POST that another site has sent."""


def edge(door: Door, foreign: frozenset[web.AbstractRoute], large: dict[str, int], unavailable: tuple[type[Exception], ...]) -> Any:
    """`foreign` routes are somebody else's (the town): they are counted, and else left alone. `large` allows more than 64 KB by route name."""
    boot, count = door.new_key()[:6], itertools.count(1)
    origin = door.url("")

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        began = perf_counter()
        request_id = f"{boot}-{next(count):x}"
        request[REQUEST_ID] = request_id
        route = request.match_info.route
        bind_contextvars(request=request_id)
        if route in foreign or route.name in large:
            request = request.clone(client_max_size=large.get(route.name or "", 0) or 64 * 1024 * 1024)
            request[REQUEST_ID] = request_id
        status = 500
        try:
            if (
                request.method not in _SAFE
                and route not in foreign
                and not request.path.startswith((*_MACHINES, _MAIL))
                and route.name != _BACK
            ):
                check_origin(request, origin)
            response = await handler(request)
            status = response.status
        except web.HTTPException as refused:
            status = refused.status
            if route in foreign or refused.status < 400:
                raise
            response = failed(request, refused.status, headers=dict(refused.headers) if refused.status == 405 else {})
        except DomainError as refusal:
            status = http_status(refusal)
            response = failed(request, status, refusal)
        except unavailable:
            status = 503
            _log.error("store_unavailable", path=route.name, exc_info=True)
            response = failed(request, 503)
        except Exception:  # noqa: BLE001 - the outermost edge: whatever it is, a person gets an answer and an id
            _log.exception("failed", path=route.name)
            response = failed(request, 503 if request.path.startswith("/callbacks/") else 500)
        finally:
            door.metrics.answered(route.name or "other", status, perf_counter() - began)
        return response

    return middleware


def check_origin(request: web.Request, origin: str) -> None:
    """Raises Forbidden for what another site has sent."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        if site not in {"same-origin", "none"}:
            raise Forbidden
        return
    said = request.headers.get("Origin")
    if said is not None and said not in {origin, "null"}:
        raise Forbidden


def failed(request: web.Request, status: int, refusal: DomainError | None = None, headers: dict[str, str] | None = None) -> web.Response:
    """The same 404 for everything that is not there. A machine gets a status and the id, a person a page."""
    request_id = request.get(REQUEST_ID, "")
    if request.path.startswith(_MACHINES):
        answer: dict[str, Any] = {"type": "about:blank", "title": _WORDS.get(status, "error"), "status": status, "request_id": request_id}
        response = web.json_response(answer, status=status, content_type="application/problem+json")
    else:
        spoken = language(request)
        t = words(spoken)
        kind = _WORDS.get(status, "broken")
        said = sentence(t, refusal) if refusal is not None and not isinstance(refusal, NotFound) else t(f"web.failed.{kind}.text")
        response = page(request, "failed.html", spoken, status, title=t(f"web.failed.{kind}.title"), said=said, request_id=request_id)
    for name in ("Allow",):
        if headers and name in headers:
            response.headers[name] = headers[name]
    if status == 503:
        response.headers["Retry-After"] = "5"
    return response


def security_headers(
    foreign: frozenset[web.AbstractRoute], always: CIMultiDict[str]
) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """Added to every answer of ours just before it is sent; a handler that has set one of them knows better."""
    pairs = [*always.items(), ("Cache-Control", "no-store")]

    async def prepare(request: web.Request, response: web.StreamResponse) -> None:
        headers = response.headers
        if "X-Frame-Options" in headers or request.match_info.route in foreign:
            return
        for name, value in pairs:
            if name not in headers:
                headers[name] = value

    return prepare
