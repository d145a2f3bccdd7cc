"""In which language somebody is answered: `?lang=`, what they chose before, what was said for this purchase, what their browser says."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from aiohttp import web

from templates.words import LANGUAGES

COOKIE: Final = "lang"
_YEAR_S: Final = 31_536_000


def chosen(request: web.Request) -> str | None:
    """What the person picked on one of our pages, now or before."""
    asked = request.query.get("lang") if request.query_string else None
    if asked in LANGUAGES:
        return asked
    if "Cookie" in request.headers:
        kept = request.cookies.get(COOKIE)
        return kept if kept in LANGUAGES else None
    return None


def language(request: web.Request, otherwise: str | None = None) -> str:
    """`otherwise` is the language of the purchase: it knows better than the browser of whoever opens its link."""
    picked = chosen(request)
    if picked is not None:
        return picked
    if otherwise in LANGUAGES:
        return otherwise
    return accepted(request.headers.get("Accept-Language", ""))


@lru_cache(maxsize=1024)
def accepted(header: str) -> str:
    """The best of `sw-KE, en;q=0.8` that we speak; English when it names none."""
    best, best_weight = "en", 0.0
    for part in header[:200].split(","):
        tag, _, rest = part.partition(";")
        spoken = tag.strip().replace("_", "-").split("-")[0].lower()
        weight = _weight(rest.strip())
        if spoken in LANGUAGES and weight > best_weight:
            best, best_weight = spoken, weight
    return best


def _weight(text: str) -> float:
    if not text.startswith("q="):
        return 1.0
    number = text[2:]
    return float(number) if number.replace(".", "", 1).isdecimal() and number.isascii() and len(number) <= 5 else 0.0


def remember(request: web.Request, response: web.StreamResponse, spoken: str, *, secure: bool) -> None:
    """Keep a choice made by `?lang=` for the next page."""
    if request.query_string and request.query.get("lang") in LANGUAGES:
        response.set_cookie(COOKIE, spoken, max_age=_YEAR_S, path="/", httponly=True, samesite="Lax", secure=secure)
