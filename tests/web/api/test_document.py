"""The document is true: every address is in it and the reverse, and the page is made of it (X6)."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from aiohttp import web
from openapi_spec_validator import validate

from tests.web.api.ground import Api
from web.api.v1 import ENDPOINTS, routes


async def test_the_document_is_valid_and_has_every_address_and_no_other(api: Api) -> None:
    said = await api.ask("GET", "/api/v1/openapi.json")
    validate(said.body)
    listed = {(method.upper(), path) for path, methods in said.body["paths"].items() for method in methods}
    app = web.Application()
    app.add_routes(routes(api.hall))
    served = {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource is not None}
    assert served - {("*", "/api/v1/{rest}")} == listed
    assert said.body["servers"] == [{"url": "https://pay.example"}]
    names = [one["operationId"] for methods in said.body["paths"].values() for one in methods.values()]
    assert len(set(names)) == len(names) == len(ENDPOINTS)


async def test_requests_are_closed_and_amounts_are_whole(api: Api) -> None:
    schemas = (await api.ask("GET", "/api/v1/openapi.json")).body["components"]["schemas"]
    for endpoint in ENDPOINTS:
        if endpoint.body is not None:
            assert schemas[endpoint.body.__name__]["additionalProperties"] is False
    assert schemas["Price"]["properties"]["amount_minor"]["type"] == "integer"


class Page(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


async def test_the_page_shows_every_address_without_script_or_anything_from_elsewhere(api: Api) -> None:
    """W22: and its policy would stop both."""
    said = await api.ask("GET", "/api/docs")
    page = Page()
    page.feed(said.body)
    assert not {"script", "link", "img", "iframe", "form"} & {tag for tag, _ in page.tags}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name in {"src", "style"}]
    ids = {attrs["id"] for _, attrs in page.tags if "id" in attrs}
    assert {endpoint.name for endpoint in ENDPOINTS} <= ids
    anchors = {href[1:] for _, attrs in page.tags if (href := attrs.get("href")) is not None and href.startswith("#")}
    assert anchors <= ids
    assert said.body.count("curl ") == len(ENDPOINTS)
    assert "Idempotency-Key" in said.body
    assert re.search(r"default-src 'none'.*frame-ancestors 'none'", said.headers["Content-Security-Policy"])
