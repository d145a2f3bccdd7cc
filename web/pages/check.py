"""GET and POST /check: is it really paid? For sellers who are shown a screenshot. Works without JavaScript."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from domain.check import Answer, LinkChecked, PaymentChecked, Standing, Unanswered
from usecases.check import check_payment
from web.bodies import form_of
from web.door import DOOR
from web.language import language
from web.pages.answers import page

_GOOD: Final = frozenset({Standing.HELD, Standing.DIRECT, Standing.RELEASED})
_BAD: Final = frozenset({Standing.NOT_PAID, Standing.REFUNDED})
_STATUS: Final = {Unanswered.UNREADABLE: 422, Unanswered.UNKNOWN: 404, Unanswered.TOO_OFTEN: 429}


async def show(request: web.Request) -> web.Response:
    """The question; `?n=` fills it in and answers nothing by itself."""
    return _page(request, request.query.get("n", ""))


async def look(request: web.Request) -> web.Response:
    """The answer. A wrong code and a number that never was get the same page."""
    door = request.app[DOOR]
    typed = (await form_of(request)).get("n")
    typed = typed if isinstance(typed, str) else ""
    answer = await door.hall.store.write(check_payment, typed, f"ip:{door.address_of(request)}")
    return _page(request, typed, answer)


def _page(request: web.Request, typed: str, answer: Answer | None = None) -> web.Response:
    status = _STATUS[answer] if isinstance(answer, Unanswered) else 200
    return page(request, "check.html", language(request), status, here="/check", typed=typed[:40], direct=True, **_shown(answer))


def _shown(answer: Answer | None) -> dict[str, Any]:
    payment = answer if isinstance(answer, PaymentChecked) else None
    mood = "" if payment is None else "good" if payment.standing in _GOOD else "bad" if payment.standing in _BAD else "wait"
    return {
        "payment": payment,
        "link": answer if isinstance(answer, LinkChecked) else None,
        "unanswered": str(answer) if isinstance(answer, Unanswered) else "",
        "mood": "bad" if answer is Unanswered.UNKNOWN else mood,
    }
