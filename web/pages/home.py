"""GET /: who we are in three sentences, and a place to type a code that somebody read out."""

from __future__ import annotations

from aiohttp import web

from domain.ids import read_link_code
from templates.words import words
from web.language import language
from web.pages.answers import page, see_other


async def show(request: web.Request) -> web.Response:
    return _page(request)


def _page(request: web.Request, status: int = 200, typed: str = "", wrong: str = "") -> web.Response:
    return page(request, "home.html", language(request), status, typed=typed, wrong=wrong)


async def find(request: web.Request) -> web.Response:
    """GET /find?code=: to the product page, whether it exists or not."""
    typed = request.query.get("code", "")[:40]
    code = read_link_code(typed)
    if code is None:
        return _page(request, 422, typed, words(language(request))("web.home.no_code"))
    return see_other(f"/buy/{code}")
