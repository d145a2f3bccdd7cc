"""/pay/{token}/claim: "Paid already?" A receipt is typed or a whole message of M-Pesa pasted; M-Pesa is asked, and the page says how that stands."""

from __future__ import annotations

from dataclasses import dataclass, replace

from aiohttp import web

from domain.by_hand import MOST_PASTED
from domain.errors import BadInput, DomainError, NotFound
from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.money import Money
from domain.ports import Unit
from domain.tokens import Purpose
from templates.words import words
from usecases import by_hand, claims
from usecases.by_hand import HowTo
from usecases.strays import GATEWAY
from web.bodies import form_of
from web.door import DOOR, Door
from web.language import language
from web.pages.answers import page, see_other
from web.refusals import http_status, payment_sentence, sentence


@dataclass(frozen=True, slots=True)
class Part:
    """What the form shows, on the pay page and on its own."""

    how: HowTo | None
    name: str
    total: Money
    language: str
    paid: bool
    offered: bool
    receipt: str = ""
    asking: bool = False
    failed: str = ""
    wrong: str = ""
    typed: str = ""


def read_part(unit: Unit, checkout_id: CheckoutId) -> Part:
    checkout, last = unit.checkouts.get(checkout_id), claims.last_claim(unit, checkout_id)
    return Part(
        how=by_hand.how_to(unit, checkout_id),
        name=unit.links.get(checkout.link_id).name,
        total=checkout.total,
        language=checkout.language,
        paid=checkout.state is CheckoutState.PAID,
        offered=checkout.total.currency == "KES"
        and unit.settings.get(by_hand.owner_of(unit, checkout.organization_id), GATEWAY) is not None,
        receipt=last.receipt if last is not None else "",
        asking=last is not None and last.asking,
        failed=(last.result or "") if last is not None else "",
    )


def routes() -> list[web.AbstractRouteDef]:
    return [web.get("/pay/{token}/claim", show, name="claim"), web.post("/pay/{token}/claim", claim, name="claim_make")]


def _checkout_of(request: web.Request, door: Door) -> CheckoutId:
    number = door.hall.tokens.read(Purpose.PAY, request.match_info["token"])
    if number is None:
        raise NotFound(what="checkout")
    return CheckoutId(number)


async def show(request: web.Request) -> web.Response:
    """GET: how the last claim stands, or the form; 303 to the payment when it is paid."""
    door = request.app[DOOR]
    part = await door.hall.store.read(read_part, _checkout_of(request, door))
    if part.paid:
        return see_other(_here(request))
    return _page(request, part, typed=part.receipt if part.failed else "")


async def claim(request: web.Request) -> web.Response:
    """POST: ask M-Pesa about it. The same receipt again is the same question."""
    door = request.app[DOOR]
    checkout_id = _checkout_of(request, door)
    said = (await form_of(request)).get("receipt")
    typed = said if isinstance(said, str) else ""
    part = await door.hall.store.read(read_part, checkout_id)
    if part.paid:
        return see_other(_here(request))
    new = claims.Claim(checkout_id, typed, "web", address=door.address_of(request))
    try:
        await door.hall.store.write(claims.claim, new)
    except DomainError as refusal:
        wrong = sentence(words(language(request, part.language)), refusal)
        status = 422 if isinstance(refusal, BadInput) else http_status(refusal)
        return _page(request, part, status, wrong, typed[:MOST_PASTED])
    return see_other(request.path)


def _here(request: web.Request) -> str:
    return f"/pay/{request.match_info['token']}"


def _page(request: web.Request, part: Part, status: int = 200, wrong: str = "", typed: str = "") -> web.Response:
    spoken = language(request, part.language)
    if not wrong and part.failed:
        wrong = payment_sentence(words(spoken), f"claim_{part.failed}")
    shown = replace(part, language=spoken, asking=part.asking and not wrong, wrong=wrong, typed=typed)
    return page(request, "claimed.html", spoken, status, claim=shown, here=_here(request))
