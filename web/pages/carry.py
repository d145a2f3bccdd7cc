"""GET and POST /c/{code}: what was begun with the keys of a phone goes on in the browser. Looking takes nothing; only the button does."""

from __future__ import annotations

from aiohttp import web

from domain.codes import read_carry_code
from domain.errors import BadCode, DomainError
from domain.ids import CheckoutId
from domain.ports import Unit
from domain.tokens import Purpose
from templates.words import words
from usecases.carry import Carried, look_at, take_to_web
from usecases.phones import NAMELESS
from web.door import DOOR, Door
from web.language import language
from web.pages.answers import page, see_other
from web.pages.buy import Typed, page_values
from web.refusals import http_status, sentence


async def show(request: web.Request) -> web.Response:
    door, typed = request.app[DOOR], request.match_info["code"]
    try:
        carried = await door.hall.store.write(look_at, typed, _asker(request, door))
    except DomainError as refusal:
        return _refused(request, refusal)
    link = await door.hall.store.read(_link_name, carried)
    house = door.hall.house
    return page(
        request, "carry.html", language(request, carried.person.language), here=f"/c/{read_carry_code(typed)}", dialog=carried.dialog,
        name=link, refused="", ussd=house.ussd_code, telegram=f"https://t.me/{house.bot_username}?start=c_{read_carry_code(typed)}",
    )  # fmt: skip


async def go_on(request: web.Request) -> web.Response:
    """The purchase, filled in as it was on the phone; or the page of its payment, when it was begun. Once."""
    door = request.app[DOOR]
    try:
        carried = await door.hall.store.write(take_to_web, request.match_info["code"], _asker(request, door))
    except DomainError as refusal:
        return _refused(request, refusal)
    data = carried.data
    if "checkout" in data:
        return see_other(f"/pay/{door.hall.tokens.make(Purpose.PAY, CheckoutId(data['checkout']))}")
    spoken = language(request, carried.person.language)
    shown = (await door.shelf.page(str(data["code"]), spoken)).shown
    return page(request, "buy.html", spoken, **page_values(door.url(""), shown, words(spoken), _typed(carried), door.new_key()))


def _typed(carried: Carried) -> Typed:
    """What was typed with the keys, in the fields of the form."""
    data, person = carried.data, carried.person
    phone = data.get("phone") or (person.phone.e164 if person.phone is not None else "")
    name = "" if person.name == NAMELESS else person.name
    return Typed(phone=str(phone), name=name, address=str(data.get("address", "")), quantity=str(data.get("quantity", 1)))


def _link_name(unit: Unit, carried: Carried) -> str:
    link = unit.links.by_code(str(carried.data["code"])) if carried.data.get("code") else None
    return link.name if link is not None else str(carried.data.get("name", ""))


def _asker(request: web.Request, door: Door) -> str:
    return f"ip:{door.address_of(request)}"


def _refused(request: web.Request, refusal: DomainError) -> web.Response:
    """A code that opens nothing: why, and that the phone still does. One that never was looks like any page that is not there."""
    spoken = language(request)
    status = 404 if isinstance(refusal, BadCode) else http_status(refusal)
    said = sentence(words(spoken), refusal)
    house = request.app[DOOR].hall.house
    return page(request, "carry.html", spoken, status, dialog="", name="", refused=said, ussd=house.ussd_code, telegram="")
