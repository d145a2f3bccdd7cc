"""How a page is answered: bytes, compressed, private."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from templates.pages import render
from web.door import DOOR
from web.language import remember
from web.splice import gzip
from web.static import STYLE, icon

HTML: Final = "text/html; charset=utf-8"


def page(request: web.Request, name: str, language: str, status: int = 200, /, **context: Any) -> web.Response:
    """A private page: never stored on the way, never in a shared cache."""
    context.setdefault("here", "")
    body = render(name, language, style=STYLE, icon=icon(), **context).encode()
    headers = {"Content-Type": HTML, "Cache-Control": "no-store", "Vary": "Accept-Encoding"}
    if accepts_gzip(request):
        body, headers["Content-Encoding"] = gzip(body), "gzip"
    response = web.Response(body=body, status=status, headers=headers)
    remember(request, response, language, secure=request.app[DOOR].secure)
    return response


def accepts_gzip(request: web.Request) -> bool:
    return "gzip" in request.headers.get("Accept-Encoding", "")


def see_other(path: str) -> web.Response:
    """303, to an address of ours or one that a gateway gave: after a POST, the next thing is a GET."""
    return web.Response(status=303, headers={"Location": path, "Cache-Control": "no-store"})
