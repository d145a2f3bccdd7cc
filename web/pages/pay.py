"""/pay/{token}: waiting for the money, with what happens and what to do in plain words. Coming back to it changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from domain.errors import BadInput, DomainError, NotFound
from domain.ids import CheckoutId
from domain.life import AttemptState, CheckoutState
from domain.payment import Ability, Method
from domain.phone import read_phone
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from templates.methods import method_name
from templates.words import Words, words
from usecases import checkouts, payments, settlement, views
from usecases.payments import NewAttempt
from usecases.views import MethodOffer, PayView
from web.bodies import form_of
from web.door import DOOR, Door
from web.language import language
from web.pages import claim
from web.pages.answers import page, see_other
from web.refusals import payment_sentence, sentence
from web.static import SCRIPTS

ANSWER_S = 4.0
"""How long somebody is kept waiting for a gateway's answer; the page shows what comes later by itself."""
LOOKS = 20
_ENDED = frozenset({AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Stand:
    """How a purchase stands, for the page: `kind` is asking, waiting, opening, checking, page, failed, late, money, expired, cancelled or paid."""

    kind: str
    said: str = ""
    may_retry: bool = False

    @property
    def waits(self) -> bool:
        return self.kind in {"asking", "waiting"}

    @property
    def on_page(self) -> bool:
        """On the way to a hosted page, or there."""
        return self.kind in {"opening", "checking", "page"}


def read_pay(unit: Unit, checkout_id: CheckoutId, abilities: Mapping[str, Ability] | None = None) -> tuple[PayView, bool]:
    """The view, and whether the time is over although the clock has not come by yet."""
    view = views.pay_page(unit, checkout_id, abilities)
    return view, unit.now >= view.checkout.expires_at


def stand_of(t: Words, view: PayView, late: bool) -> Stand:
    checkout, attempt = view.checkout, view.attempt
    if view.order is not None and (attempt is None or attempt.id == view.order.attempt_id or attempt.state in _ENDED):
        return Stand("paid")
    if (waits := views.undecided(view)) is not None:
        return Stand("late", t("web.pay.late.text", total=waits.money, shop=view.shop, when=waits.decide_by))
    if attempt is not None and attempt.state is AttemptState.SUCCEEDED:
        why = view.refund.reason if view.refund is not None else "unknown"
        return Stand(
            "money",
            payment_sentence(t, f"money_{why}", view.method),
            may_retry=checkout.state is CheckoutState.OPEN and not late,
        )
    if view.order is not None:
        return Stand("paid")
    if checkout.state is CheckoutState.CANCELLED:
        return Stand("cancelled")
    live = attempt is not None and attempt.state not in _ENDED
    if checkout.state is CheckoutState.EXPIRED or (late and not live):
        return Stand("expired")
    prompted = view.method is Method.MPESA
    if attempt is not None and attempt.state in {AttemptState.CREATED, AttemptState.SENDING}:
        return Stand("asking" if prompted else "opening")
    if attempt is not None and attempt.state is AttemptState.PENDING:
        return Stand("waiting" if prompted else "checking" if attempt.url is None else "page")
    said = payment_sentence(t, attempt.result if attempt is not None else "not_sent", view.method)
    return Stand("failed", said, may_retry=True)


def _again_at(door: Door, view: PayView) -> str:
    if view.checkout.group_id is None:
        return f"/buy/{view.link.code}"
    return f"/group/{door.hall.tokens.make(Purpose.GROUP, view.checkout.group_id)}"


def _is_paid_share(view: PayView) -> bool:
    """Of a group: the others are waited for on its own page. Money that came twice is told of here."""
    return view.checkout.paid_by is not None and view.attempt is not None and view.attempt.id == view.checkout.paid_by


def _face(view: PayView, late: bool) -> str:
    """What the page shows, as a digest without any secret in it."""
    attempt = view.attempt
    tried = f"{attempt.state}-{attempt.id & 0xFFFF:x}{'' if attempt.url is None else '-page'}" if attempt is not None else "none"
    back = str(view.refund.state) if view.refund is not None else ""
    asked = str(view.late.state) if view.late is not None else ""
    return f"{view.checkout.state}.{tried}.{back}.{asked}.{'late' if late else ''}"


def checkout_of(request: web.Request, door: Door) -> CheckoutId:
    """Raises NotFound for any token that is not one of ours for this."""
    number = door.hall.tokens.read(Purpose.PAY, request.match_info["token"])
    if number is None:
        raise NotFound(what="checkout")
    return CheckoutId(number)


async def show(request: web.Request) -> web.Response:
    """GET: where it stands; 303 to the order once there is one."""
    return await _page(request, checkout_of(request, request.app[DOOR]))


async def _page(
    request: web.Request, checkout_id: CheckoutId, status: int = 200, wrong: str = "", typed: str | None = None, named: str = ""
) -> web.Response:
    door = request.app[DOOR]
    view, late = await door.hall.store.read(read_pay, checkout_id, door.hall.abilities)
    spoken = language(request, view.checkout.language)
    t = words(spoken)
    if view.checkout.group_id is not None and _is_paid_share(view):
        return see_other(f"/group/{door.hall.tokens.make(Purpose.GROUP, view.checkout.group_id)}")
    stand = stand_of(t, view, late)
    if stand.kind == "paid":
        return see_other(f"/track/{view.order_token}")
    others = [offer for offer in view.offers if offer.why_not is None and not (stand.kind == "page" and offer.method is view.method)]
    phone = (view.attempt.phone if view.attempt is not None else None) or view.checkout.phone
    values: dict[str, Any] = {
        "view": view,
        "stand": stand,
        "phone": phone.masked if phone is not None else "",
        "again": _again_at(door, view),
        "direct": view.attempt is not None and view.attempt.direct,
        "here": f"/pay/{request.match_info['token']}",
        "claim": await door.hall.store.read(claim.read_part, checkout_id),
        "method": method_name(t, view.method),
        "others": others,
        "picked": _picked(others, named, view.method),
        "wrong_said": wrong,
        "typed": typed or "",
        "live": f"/pay/{request.match_info['token']}/events" if not views.is_over(view) or view.refund is not None else "",
        "face": _face(view, late),
        "scripts": (SCRIPTS["live"], SCRIPTS["form"]),
    }
    return page(request, "pay.html", spoken, status, **values)


async def go(request: web.Request) -> web.StreamResponse:
    """GET .../go: 303 to the gateway's page, as soon as there is one; else to ours, which says how it stands."""
    door = request.app[DOOR]
    checkout_id = checkout_of(request, door)
    view, late = await door.hall.store.read(read_pay, checkout_id)
    for _ in range(LOOKS):
        if view.attempt is None or late or view.attempt.state not in {AttemptState.CREATED, AttemptState.SENDING}:
            break
        await asyncio.sleep(ANSWER_S / LOOKS)
        view, late = await door.hall.store.read(read_pay, checkout_id)
    there = view.attempt is not None and view.attempt.state is AttemptState.PENDING and not late
    url = view.attempt.url if view.attempt is not None and there else None
    return see_other(url or f"/pay/{request.match_info['token']}")


def _picked(others: Sequence[MethodOffer], named: str, tried: Method | None) -> str:
    """The method that is marked: the one they named just now, else the one they tried, else the first."""
    usable = [str(offer.method) for offer in others]
    return next((one for one in (named, str(tried), *usable) if one in usable), "")


async def back(request: web.Request) -> web.StreamResponse:
    """GET or POST .../back: the payer comes from a hosted page. What it says of the payment is not looked at: the gateway is asked."""
    door = request.app[DOOR]
    checkout_id = checkout_of(request, door)
    attempt_id = await door.hall.store.write(payments.ask_soon, checkout_id)
    if attempt_id is not None:
        await door.hall.begin(settlement.ask_gateway(door.hall.store, door.hall.gateways, attempt_id), ANSWER_S)
    return see_other(f"/pay/{request.match_info['token']}")


async def events(request: web.Request) -> web.StreamResponse:
    """GET .../events: told when the page should look again."""
    door = request.app[DOOR]
    checkout_id = checkout_of(request, door)

    async def face() -> tuple[str, bool]:
        view, late = await door.hall.store.read(read_pay, checkout_id)
        return _face(view, late), view.order is not None

    return await door.live.stream(request, "checkout", checkout_id, face)


def _again(unit: Unit, new: NewAttempt, abilities: Any) -> Any:
    """One more try, with another phone if it was changed."""
    if new.phone is not None:
        checkouts.change_phone(unit, new.checkout_id, new.phone)
    return payments.open_attempt(unit, new, abilities)


async def retry(request: web.Request) -> web.Response:
    """POST: ask the phone (or another one) again. While a prompt is live this is that prompt, so a double press rings once."""
    door = request.app[DOOR]
    checkout_id = checkout_of(request, door)
    form = await form_of(request)
    said = form.get("phone")
    typed = said.strip() if isinstance(said, str) else ""
    view, _ = await door.hall.store.read(read_pay, checkout_id)
    t = words(language(request, view.checkout.language))
    if view.order is not None:
        return see_other(f"/track/{view.order_token}")
    named = form.get("method")
    method = Method(named) if isinstance(named, str) and named in set(Method) else view.method or Method.MPESA
    try:
        phone = read_phone(typed) if typed and method is Method.MPESA else None
        new = NewAttempt(f"web:{door.new_key()}", checkout_id, method, phone, "web", door.address_of(request))
        attempt = await door.hall.store.write(_again, new, door.hall.abilities)
    except DomainError as refusal:
        status = 422 if isinstance(refusal, BadInput) else 409
        return await _page(request, checkout_id, status, sentence(t, refusal), typed, str(method))
    sending = payments.send_attempt(door.hall.store, door.hall.gateways, attempt.id)
    await door.hall.begin(sending, 0 if method is Method.MPESA else ANSWER_S)
    return see_other(request.path.removesuffix("/retry"))


async def cancel(request: web.Request) -> web.Response:
    """POST: the buyer goes away; money that still comes is late money. After it was paid this does nothing."""
    door = request.app[DOOR]
    checkout_id = checkout_of(request, door)
    view, _ = await door.hall.store.read(read_pay, checkout_id)
    if not views.is_over(view):
        await door.hall.store.write(checkouts.cancel_checkout, checkout_id, Actor(Party.BUYER, "web"))
    return see_other(request.path.removesuffix("/cancel"))
