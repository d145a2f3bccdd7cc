"""Version 1 of the API: every address in one table, and nothing else under `/api/v1`."""

from __future__ import annotations

import json
import re
from typing import Final

from aiohttp import web

from usecases.hall import Hall
from web.api.v1 import callbacks, late, links, orders, problems, purchases, reading, reference, webhooks
from web.api.v1.document import document
from web.api.v1.endpoint import DOCS, Endpoint, route


async def _document(hall: Hall, request: web.Request, address: str) -> web.StreamResponse:
    body = json.dumps(document(ENDPOINTS, hall.house.base_url), ensure_ascii=False).encode()
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "public, max-age=300"})


async def _docs(hall: Hall, request: web.Request, address: str) -> web.StreamResponse:
    headers = {"Content-Security-Policy": reference.POLICY, "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=300"}
    return web.Response(text=reference.page(document(ENDPOINTS, hall.house.base_url)), content_type="text/html", headers=headers)


ENDPOINTS: Final[tuple[Endpoint, ...]] = (
    *links.ENDPOINTS,
    *purchases.ENDPOINTS,
    *callbacks.ENDPOINTS,
    *orders.ENDPOINTS,
    *late.ENDPOINTS,
    *webhooks.ENDPOINTS,
    Endpoint(
        "GET", "/api/v1/openapi.json", "openapi", summary="This document", answers={200: "application/json"}, handler=_document,
    ),
    Endpoint("GET", DOCS, "docs", summary="This document as a page", answers={200: "text/html"}, handler=_docs),
)  # fmt: skip


def routes(hall: Hall) -> list[web.AbstractRouteDef]:
    """Every address, and behind them one that answers whatever else is asked under `/api/v1`. The application has to have its `DOOR`."""
    shapes = [(endpoint.method, re.compile(re.sub(r"{\w+}", "[^/]+", endpoint.path))) for endpoint in ENDPOINTS]

    async def nothing(request: web.Request) -> web.StreamResponse:
        allowed = sorted({method for method, shape in shapes if shape.fullmatch(request.path)})
        code, headers = ("no_such_method", {"Allow": ", ".join(allowed)}) if allowed else ("not_found", {})
        return problems.problem(code, reading.request_id_of(request), hall.house.base_url + DOCS, headers=headers)

    return [*(route(endpoint, hall) for endpoint in ENDPOINTS), web.route("*", "/api/v1/{rest:.*}", nothing)]
