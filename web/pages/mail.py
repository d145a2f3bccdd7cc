"""Letters: signing up on an order's page, without a script and without a chat; and what whoever reads a letter wants of those to come.

`POST /mail/stop/{token}` is the one click of RFC 8058: no cookie, no page before it, no redirect after it.
"""

from __future__ import annotations

from aiohttp import web

from domain.errors import DomainError, NotFound
from domain.person import Language
from templates.words import words
from usecases import mail
from usecases.mail import Wish
from web.bodies import form_of
from web.door import DOOR
from web.language import language
from web.pages.answers import page, see_other
from web.pages.track import order_of, order_page, read_order, read_page
from web.refusals import http_status, sentence
from web.static import SCRIPTS

_ONE_CLICK = "List-Unsubscribe"


async def ask(request: web.Request) -> web.Response:
    """POST /track/{token}/mail: a code goes to the address."""
    door = request.app[DOOR]
    order_id, form = order_of(request, door), await form_of(request)
    view = await door.hall.store.read(read_order, order_id)
    spoken, typed = language(request, view.order.language), str(form.get("email", ""))
    try:
        await door.hall.store.write(mail.ask_on_page, order_id, typed, Language(spoken), door.address_of(request))
    except DomainError as refusal:
        return await _refused(request, refusal, typed=typed)
    return see_other(f"/track/{view.track_token}#mail")


async def confirm(request: web.Request) -> web.Response:
    """POST /track/{token}/mail/code: the code from the letter."""
    door = request.app[DOOR]
    order_id, form = order_of(request, door), await form_of(request)
    try:
        await door.hall.store.write(mail.confirm_on_page, order_id, str(form.get("code", "")))
    except DomainError as refusal:
        return await _refused(request, refusal)
    view = await door.hall.store.read(read_order, order_id)
    return see_other(f"/track/{view.track_token}#mail")


async def _refused(request: web.Request, refusal: DomainError, typed: str = "") -> web.Response:
    """The order's page with the sentence at the field; where there is no such field any more, the page as it is."""
    door = request.app[DOOR]
    order_id = order_of(request, door)
    view, how = await door.hall.store.read(read_page, order_id)
    if isinstance(refusal, NotFound) or not how.may_ask:
        return see_other(f"/track/{view.track_token}#mail")
    t = words(language(request, view.order.language))
    wrong = sentence(t, refusal)
    more = {"mail": how, "mail_typed": typed[:300], "mail_wrong": wrong, "here": f"/track/{view.track_token}"}
    return order_page(request, "track.html", view, http_status(refusal), **more)


async def wishes(request: web.Request) -> web.Response:
    """GET /mail/stop/{token}: how letters stand, and what can be pressed. Looking changes nothing: mail programs open addresses by themselves."""
    door = request.app[DOOR]
    how = await door.hall.store.read(mail.mail_wishes, request.match_info["token"])
    here = request.path
    return page(request, "mail.html", language(request, how.language), how=how, back=here, scripts=(SCRIPTS["form"],))


async def stop(request: web.Request) -> web.Response:
    """POST /mail/stop/{token}, by a mail program or by a button of the page."""
    door, form = request.app[DOOR], await form_of(request)
    chosen = str(form.get("want", ""))
    wish = Wish(chosen) if chosen in set(Wish) else Wish.NEWS
    await door.hall.store.write(mail.wish_letters, request.match_info["token"], wish)
    if _ONE_CLICK in form or not chosen:
        return web.Response(status=200, headers={"Cache-Control": "no-store"})
    return see_other(request.path)
