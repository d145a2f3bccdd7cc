"""/buy/{code}/split and /group/{token}: one link paid by several. Works without JavaScript; with it the page follows by itself.

Everybody who has the group's address sees how it stands and may pay a share. Whoever began it has a second, secret address; opening it leaves a
cookie for this group alone, so that the one they look at is always the one that may be shared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from aiohttp import web

from domain.errors import BadInput, DomainError, LimitReached, NotForSale, NotFound
from domain.group import LEAST_SHARES, MOST_SHARES, Group
from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.money import Money
from domain.payment import Method
from domain.phone import Phone, read_phone
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from templates.words import Words, words
from usecases import group, payments
from usecases.checkouts import NewCheckout
from usecases.group import GroupView, NewShare
from usecases.views import product
from web.bodies import form_of
from web.door import DOOR, Door
from web.language import language
from web.pages.answers import page, see_other
from web.refusals import http_status, sentence
from web.shelf import KEY_BYTES, Shown
from web.static import SCRIPTS

PAGE_S: Final = 4.0
COOKIE: Final = "starter"
_COOKIE_S: Final = 180 * 86_400
_MOST_QUANTITY_SHOWN: Final = 10


@dataclass(slots=True)
class Typed:
    """What somebody wrote; `wrong` is a sentence beside each field, `""` above them all."""

    values: dict[str, str] = field(default_factory=dict)
    wrong: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, otherwise: str = "") -> str:
        return self.values.get(name, otherwise)

    def number(self, t: Words, name: str, most: int, *, least: int = 1) -> int:
        text = self.get(name, "1").strip()
        if text.isdecimal() and len(text) <= 6 and least <= int(text) <= most:
            return int(text)
        key = "errors.bad_input.quantity.out_of_range" if name == "quantity" else "errors.bad_input.shares.out_of_range"
        self.wrong[name] = t(key, least=least, limit=most)
        return 0

    def words(self, t: Words, name: str) -> str:
        text = self.get(name).strip()
        if not text:
            self.wrong[name] = t(f"errors.bad_input.{name}.empty")
        return text

    def phone(self, t: Words) -> Phone | None:
        text = self.words(t, "phone")
        try:
            return read_phone(text) if text else None
        except BadInput as refusal:
            self.wrong["phone"] = sentence(t, refusal)
            return None

    def refused(self, t: Words, refusal: DomainError) -> int:
        """The sentence where it belongs; the status of the answer."""
        where = refusal.field if isinstance(refusal, BadInput) else ""
        self.wrong[where if where in self.values else ""] = sentence(t, refusal)
        return http_status(refusal) if isinstance(refusal, LimitReached | NotForSale) else 422


async def _read(request: web.Request) -> Typed:
    return Typed({name: value for name, value in (await form_of(request)).items() if isinstance(value, str)})


def _key(door: Door, typed: Typed) -> str:
    """The key our page gave out, if it has its form."""
    text = typed.get("key")
    return text if len(text) == KEY_BYTES and text.isascii() and text.isalnum() else door.new_key()


async def ask(request: web.Request) -> web.Response:
    """GET: how many friends, and where the goods go."""
    return await _ask(request, Typed())


async def _ask(request: web.Request, typed: Typed, status: int = 200) -> web.Response:
    door, spoken = request.app[DOOR], language(request)
    shown: Shown = (await door.shelf.page(request.match_info["code"], spoken)).shown
    link = shown.view.link
    if shown.view.why_not is not None or not _may_split(shown):
        return see_other(f"/buy/{link.code}")
    most = min(link.stock if link.stock is not None else _MOST_QUANTITY_SHOWN, _MOST_QUANTITY_SHOWN)
    values: dict[str, Any] = {
        "here": f"/buy/{link.code}/split",
        "link": link,
        "view": shown.view,
        "typed": typed,
        "digital": link.digital_file is not None,
        "most": 1 if link.single_use or link.digital_file is not None else most,
        "least_shares": LEAST_SHARES,
        "most_shares": MOST_SHARES,
        "key": door.new_key(),
        "scripts": (SCRIPTS["form"],),
    }
    return page(request, "group_new.html", spoken, status, **values)


def _may_split(shown: Shown) -> bool:
    """What goes straight to the seller could not come back if the others do not pay."""
    return any(offer.why_not is None and not offer.direct for offer in shown.view.methods)


async def start(request: web.Request) -> web.Response:
    """POST: the group stands; whoever began it is known by a cookie of this group alone. Repeatable by its key."""
    door, spoken = request.app[DOOR], language(request)
    t, typed = words(spoken), await _read(request)
    view = await door.hall.store.read(product, request.match_info["code"], door.hall.abilities)
    quantity, shares = typed.number(t, "quantity", 10_000), typed.number(t, "shares", MOST_SHARES, least=LEAST_SHARES)
    name, phone = typed.words(t, "name"), typed.phone(t)
    if typed.wrong:
        return await _ask(request, typed, 422)
    new = NewCheckout(
        f"web:{_key(door, typed)}",
        view.link.code,
        quantity,
        name,
        typed.get("address"),
        typed.get("note"),
        phone,
        spoken,
        "web",
        shares=shares,
    )
    try:
        whole = await door.hall.store.write(group.start_group, new, door.hall.abilities)
    except DomainError as refusal:
        return await _ask(request, typed, typed.refused(t, refusal))
    return _as_starter(door, whole.id)


def _as_starter(door: Door, checkout_id: CheckoutId) -> web.Response:
    path = f"/group/{door.hall.tokens.make(Purpose.GROUP, checkout_id)}"
    response = see_other(path)
    secret = door.hall.tokens.make(Purpose.GROUP_STARTER, checkout_id)
    response.set_cookie(COOKIE, secret, max_age=_COOKIE_S, path=path, httponly=True, samesite="Lax", secure=door.secure)
    return response


def _group_of(request: web.Request, door: Door) -> CheckoutId:
    """Raises NotFound for any token that is not one of ours for this."""
    number = door.hall.tokens.read(Purpose.GROUP, request.match_info["token"])
    if number is None:
        raise NotFound(what="group")
    return CheckoutId(number)


def _is_starter(request: web.Request, door: Door, checkout_id: CheckoutId) -> bool:
    return door.hall.tokens.read(Purpose.GROUP_STARTER, request.cookies.get(COOKIE, "")) == checkout_id


def read_group(unit: Unit, checkout_id: CheckoutId, abilities: Mapping[str, Any] | None = None) -> tuple[GroupView, str]:
    """The view, and what opens the order of whoever began it, once there is one."""
    view = group.group_view(unit, checkout_id, abilities)
    return view, unit.tokens.make(Purpose.TRACK, view.order.id) if view.order is not None else ""


def _face(view: GroupView) -> str:
    """What the page shows, as a digest without any secret in it."""
    shares = ".".join(f"{share.id & 0xFFFF:x}-{share.state}" for share in view.group.held)
    return f"{view.group.whole.state}.{'over' if view.over else 'open'}.{shares}"


async def show(request: web.Request) -> web.Response:
    """GET: how it stands, and the form of a share. The secret address leads to the one that may be shared; with the order, its starter to it."""
    door = request.app[DOOR]
    mine = door.hall.tokens.read(Purpose.GROUP_STARTER, request.match_info["token"])
    if mine is not None:
        return _as_starter(door, CheckoutId(mine))
    return await _page(request, Typed())


async def _page(request: web.Request, typed: Typed, status: int = 200) -> web.Response:
    door = request.app[DOOR]
    checkout_id = _group_of(request, door)
    view, track = await door.hall.store.read(read_group, checkout_id, door.hall.abilities)
    starter = _is_starter(request, door, checkout_id)
    if starter and track:
        return see_other(f"/track/{track}")
    whole, here = view.group.whole, f"/group/{view.token}"
    spoken = language(request, whole.language)
    t = words(spoken)
    usable = [offer for offer in view.offers if offer.why_not is None]
    invite = t("web.group.invite", name=view.link.name, each=t.money(_each(view)))
    values: dict[str, Any] = {
        "here": here,
        "view": view,
        "group": view.group,
        "kind": _kind(view),
        "who": _first_name(whole.name),
        "each": _each(view),
        "payers": [(_first_name(share.name), share.shares, share.total, share.state is CheckoutState.PAID) for share in view.group.held],
        "usable": usable,
        "picked": typed.get("method") or (usable[0].method if usable else ""),
        "only_mpesa": [offer.method for offer in usable] == [Method.MPESA],
        "counts": [(count, t.money(view.group.price(count))) for count in range(1, view.group.free + 1)] if not view.over else [],
        "typed": typed,
        "key": door.new_key(),
        "starter": starter,
        "address": door.url(here),
        "secret": door.url(f"/group/{door.hall.tokens.make(Purpose.GROUP_STARTER, checkout_id)}") if starter else "",
        "telegram": f"https://t.me/share/url?url={quote(door.url(here), safe='')}&text={quote(invite, safe='')}",
        "whatsapp": f"https://wa.me/?text={quote(f'{invite} {door.url(here)}', safe='')}",
        "chat": f"https://t.me/{door.hall.house.bot_username}?start=g-{view.token}",
        "face": _face(view),
        "live": f"{here}/events" if not view.over else "",
        "scripts": (SCRIPTS["live"], SCRIPTS["form"]),
    }
    return page(request, "group.html", spoken, status, **values)


def _kind(view: GroupView) -> str:
    """How it stands: open, full, expired or cancelled. The clock may not have come by yet."""
    states = {CheckoutState.PAID: "full", CheckoutState.CANCELLED: "cancelled"}
    return states.get(view.group.whole.state, "expired" if view.over else "open")


def _each(view: GroupView) -> Money:
    """What one share costs: the first ones may be a shilling more than the last."""
    return Group(view.group.whole, ()).price(1)


def _first_name(name: str) -> str:
    return name.split(maxsplit=1)[0]


async def events(request: web.Request) -> web.StreamResponse:
    """GET .../events: told when the page should look again."""
    door = request.app[DOOR]
    checkout_id = _group_of(request, door)

    async def face() -> tuple[str, bool]:
        view, _ = await door.hall.store.read(read_group, checkout_id)
        return _face(view), view.over

    return await door.live.stream(request, "checkout", checkout_id, face)


async def pay(request: web.Request) -> web.Response:
    """POST: one or more shares are kept for the payer, and they are asked to pay. Repeatable by its key."""
    door = request.app[DOOR]
    checkout_id = _group_of(request, door)
    view, _ = await door.hall.store.read(read_group, checkout_id)
    spoken = language(request, view.group.whole.language)
    t, typed = words(spoken), await _read(request)
    count, name, named = typed.number(t, "shares", MOST_SHARES), typed.words(t, "name"), typed.get("method")
    method = Method(named) if named in set(Method) else Method.MPESA
    phone = typed.phone(t) if method is Method.MPESA else None
    if typed.wrong:
        return await _page(request, typed, 422)
    key = f"web:{_key(door, typed)}"
    new = NewShare(key, count, name, method, phone, spoken, "web", address=door.address_of(request))
    try:
        attempt = await door.hall.store.write(group.take_share, checkout_id, new, door.hall.abilities)
    except DomainError as refusal:
        return await _page(request, typed, typed.refused(t, refusal))
    sending = payments.send_attempt(door.hall.store, door.hall.gateways, attempt.id)
    await door.hall.begin(sending, 0 if method is Method.MPESA else PAGE_S)
    return see_other(f"/pay/{door.hall.tokens.make(Purpose.PAY, attempt.checkout_id)}")


async def cancel(request: web.Request) -> web.Response:
    """POST: whoever began it calls it off. For everybody else there is no such address; once it is full there is an order instead."""
    door = request.app[DOOR]
    checkout_id = _group_of(request, door)
    if not _is_starter(request, door, checkout_id):
        raise NotFound(what="group")
    try:
        await door.hall.store.write(group.cancel_group, checkout_id, Actor(Party.BUYER, "web"))
    except DomainError:  # it is over by itself: the page says how
        return see_other(request.path.removesuffix("/cancel"))
    return see_other(request.path.removesuffix("/cancel"))


def routes() -> list[web.AbstractRouteDef]:
    return [
        web.get("/buy/{code}/split", ask, name="group_ask"),
        web.post("/buy/{code}/split", start, name="group_start"),
        web.get("/group/{token}", show, name="group"),
        web.post("/group/{token}", pay, name="group_pay"),
        web.get("/group/{token}/events", events, name="group_events"),
        web.post("/group/{token}/cancel", cancel, name="group_cancel"),
    ]
