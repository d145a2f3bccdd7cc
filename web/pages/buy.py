"""GET and POST /buy/{code}: what is sold, and the form that begins a purchase. Works without JavaScript."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from aiohttp import web

from domain.errors import BadInput, DomainError, LimitReached, NotForSale, NotFound
from domain.ids import read_link_code
from domain.link import MOST_QUANTITY
from domain.payment import Method
from domain.phone import Phone, read_phone
from domain.tokens import Purpose
from templates.pages import render
from templates.words import Words, words
from usecases import payments
from usecases.checkouts import NewCheckout
from web.bodies import form_of
from web.door import DOOR, Door
from web.language import language, remember
from web.lookups import Lookups
from web.pages.answers import HTML, accepts_gzip, page, see_other
from web.refusals import http_status, sentence
from web.shelf import KEY_BYTES, Page, Shown
from web.splice import Spliced
from web.static import SCRIPTS, STYLE, icon

LOOKUPS: Final = web.AppKey("lookups", Lookups)
PAGE_S: Final = 4.0
"""How long a buyer is kept waiting for the address of a hosted page before they are shown that it is on its way."""
_HOLE: Final = "\0"
"""Where the key of the form goes; nothing a seller typed can hold it."""

_QUANTITIES: Final = (*range(1, 11), 12, 15, 20, 25, 30, 40, 50, 100)
_KEPT: Final = {"Content-Type": HTML, "Cache-Control": "private, no-cache", "Vary": "Accept-Encoding"}
_FIELDS: Final = frozenset({"phone", "name", "address", "note", "quantity", "method"})


@dataclass(slots=True)
class Typed:
    """What somebody wrote into the form, kept for the case that it comes back; `wrong` is a sentence beside each field, `""` above them all."""

    phone: str = ""
    name: str = ""
    address: str = ""
    note: str = ""
    quantity: str = "1"
    method: str = str(Method.MPESA)
    wrong: dict[str, str] = field(default_factory=dict)


def make_page(door_url: str, zone_words: Mapping[str, Words]) -> Callable[[Shown, str], Spliced]:
    """Makes a page with a hole for the key of its form (none where nothing can be bought)."""

    def make(shown: Shown, spoken: str) -> Spliced:
        context = page_values(door_url, shown, zone_words[spoken], Typed(), _HOLE)
        body = render("buy.html", spoken, style=STYLE, icon=icon(), **context)
        before, hole, after = body.partition(_HOLE)
        return Spliced(before.encode(), KEY_BYTES if hole else 0, after.replace(_HOLE, "").encode())

    return make


def page_values(origin: str, shown: Shown, t: Words, typed: Typed, key: str) -> dict[str, Any]:
    """What the template is given."""
    view, link = shown.view, shown.view.link
    usable = [offer for offer in view.methods if offer.why_not is None]
    most = min(link.stock if link.stock is not None else MOST_QUANTITY, MOST_QUANTITY)
    if link.single_use or link.digital_file is not None:
        most = 1
    counts = [count for count in _QUANTITIES if count <= most]
    if most not in counts and 0 < most < _QUANTITIES[-1]:
        counts.append(most)
    return {
        "here": f"/buy/{link.code}",
        "address": f"{origin}/buy/{link.code}",
        "origin": origin,
        "view": view,
        "link": link,
        "pictures": shown.pictures,
        "usable": usable,
        "pages": [offer for offer in usable if offer.method is not Method.MPESA],
        "only_mpesa": [offer.method for offer in usable] == [Method.MPESA],
        "with_mpesa": any(offer.method is Method.MPESA for offer in usable),
        "picked": typed.method if typed.method in {offer.method for offer in usable} else usable[0].method if usable else "",
        "split": any(not offer.direct for offer in usable),
        "direct": bool(usable) and all(offer.direct for offer in usable),
        "digital": link.digital_file is not None,
        "quantities": [(count, t.money(link.price.times(count))) for count in sorted(counts)],
        "few": link.stock is not None and 0 < link.stock <= 10,
        "typed": typed,
        "key": key,
        "scripts": (SCRIPTS["form"],) if usable and view.why_not is None else (),
    }


async def show(request: web.Request) -> web.Response:
    """GET: from the shelf, with a fresh key in its form. 410 for what cannot be bought now."""
    door = request.app[DOOR]
    code, spoken = request.match_info["code"], language(request)
    lookups = request.app[LOOKUPS]
    if lookups.anybody:
        lookups.check(door.address_of(request))
    shown = door.shelf.on_shelf(code, spoken)
    if shown is None:
        canonical = await _known_code(request, door, code)
        if canonical != code:
            return web.Response(status=301, headers={"Location": f"/buy/{canonical}", "Cache-Control": "no-store"})
        shown = await _find(request, door, code, spoken)
    if request.method == "GET" and "Sec-Purpose" not in request.headers:
        door.visits.count(shown.shown.view.link.id)
    key = door.new_key().encode() if shown.body.hole else b""
    headers = door.always.copy()
    headers.update(_KEPT)
    if accepts_gzip(request):
        headers["Content-Encoding"] = "gzip"
        body = shown.body.gzip(key)
    else:
        body = shown.body.plain(key)
    response = web.Response(body=body, status=shown.status, headers=headers)
    remember(request, response, spoken, secure=door.secure)
    return response


async def _known_code(request: web.Request, door: Door, code: str) -> str:
    canonical = read_link_code(code) if len(code) <= 24 else None
    if canonical is None:
        await request.app[LOOKUPS].missed(door.address_of(request))
        raise NotFound(what="link")
    return canonical


async def _find(request: web.Request, door: Door, code: str, spoken: str) -> Page:
    try:
        return await door.shelf.page(code, spoken)
    except NotFound:
        await request.app[LOOKUPS].missed(door.address_of(request))
        raise


async def buy(request: web.Request) -> web.Response:
    """POST: one unit of work, then the prompt is sent in the background and the buyer waits on the pay page. Repeatable by its key."""
    door = request.app[DOOR]
    request.app[LOOKUPS].check(door.address_of(request))
    code, spoken = await _known_code(request, door, request.match_info["code"]), language(request)
    t, form = words(spoken), await form_of(request)
    typed = _typed(form)
    shown = (await _find(request, door, code, spoken)).shown
    key = _key(form.get("key")) or door.new_key()
    new = _understood(t, typed, code, key, spoken)
    status = 422
    if new is not None:
        try:
            attempt = await door.hall.store.write(payments.buy, new, Method(typed.method), door.hall.abilities, door.address_of(request))
        except NotFound:
            raise
        except DomainError as refusal:
            typed.wrong[_where(refusal)] = sentence(t, refusal)
            status = http_status(refusal) if isinstance(refusal, LimitReached | NotForSale) else 422
        else:
            sending = payments.send_attempt(door.hall.store, door.hall.gateways, attempt.id)
            await door.hall.begin(sending, 0 if typed.method == Method.MPESA else PAGE_S)
            return see_other(f"/pay/{door.hall.tokens.make(Purpose.PAY, attempt.checkout_id)}")
    values = page_values(door.url(""), shown, t, typed, key)
    return page(request, "buy.html", spoken, status, **values)


def _typed(form: Mapping[str, Any]) -> Typed:
    typed = Typed()
    for name in _FIELDS:
        value = form.get(name)
        if isinstance(value, str):
            setattr(typed, name, value)
    return typed


def _key(value: object) -> str | None:
    """The key our page gave out, if it has its form."""
    whole = isinstance(value, str) and len(value) == KEY_BYTES and value.isascii() and value.isalnum()
    return str(value) if whole else None


def _understood(t: Words, typed: Typed, code: str, key: str, spoken: str) -> NewCheckout | None:
    """The command, or None with a sentence beside every field that cannot be used."""
    phone, quantity = _phone(t, typed, needed=typed.method == Method.MPESA), _quantity(t, typed)
    if not typed.name.strip():
        typed.wrong["name"] = t("errors.bad_input.name.empty")
    if typed.method not in set(Method):
        typed.wrong["method"] = t("errors.bad_input.unknown")
    if typed.wrong:
        return None
    return NewCheckout(f"web:{key}", code, quantity, typed.name, typed.address, typed.note, phone, spoken, "web")


def _phone(t: Words, typed: Typed, *, needed: bool) -> Phone | None:
    """Only M-Pesa needs one."""
    if not typed.phone.strip():
        if needed:
            typed.wrong["phone"] = t("errors.bad_input.phone.empty")
        return None
    try:
        return read_phone(typed.phone)
    except BadInput as refusal:
        typed.wrong["phone"] = sentence(t, refusal)
        return None


def _quantity(t: Words, typed: Typed) -> int:
    text = typed.quantity.strip()
    if text.isdecimal() and len(text) <= 6 and int(text) > 0:
        return int(text)
    typed.wrong["quantity"] = t("errors.bad_input.quantity.out_of_range", limit=MOST_QUANTITY)
    return 0


def _where(refusal: DomainError) -> str:
    if isinstance(refusal, BadInput) and refusal.field in _FIELDS:
        return refusal.field
    if isinstance(refusal, NotForSale) and refusal.facts.get("reason") == "few_left":
        return "quantity"
    return ""
