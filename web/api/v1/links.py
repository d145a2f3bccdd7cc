"""Payment links: the seller's own, and one link as anybody sees it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from domain.errors import LimitReached, NotFound
from domain.ids import read_link_code
from domain.life import LinkState
from domain.link import Link, LinkFigures
from domain.money import Money
from domain.phone import read_phone
from domain.ports import Unit
from usecases import links, views
from usecases.api_keys import Caller
from web.api.v1 import schemas
from web.api.v1.endpoint import Call, Done, Endpoint, Who
from web.lookups import MISSES


def amount(money: Money) -> schemas.Amount:
    return schemas.Amount(amount_minor=money.amount_minor, currency=money.currency)


def shown(status: int, model: schemas.Shown) -> Done:
    return Done(status, model.model_dump(mode="json"))


def code_in(call: Call) -> str:
    code = read_link_code(call.path["code"][:20])
    if code is None:
        raise NotFound(what="link")
    return code


def check_lookups(unit: Unit, address: str) -> None:
    name, window_s, most = MISSES
    if unit.limits.seen(name, address, window_s, unit.now) >= most:
        raise LimitReached(limit=name, retry_at=unit.now + timedelta(seconds=window_s - int(unit.now.timestamp()) % window_s))


def count_miss(unit: Unit, address: str) -> None:
    """Somebody asked for a code that is none. Raises LimitReached after too many."""
    check_lookups(unit, address)
    name, window_s, _ = MISSES
    unit.limits.count(name, address, window_s, unit.now)


def _link(call: Call, link: Link, figures: LinkFigures | None = None) -> schemas.LinkShown:
    counted = None
    if figures is not None:
        revenue = schemas.Amount(amount_minor=figures.revenue_minor, currency=link.price.currency)
        counted = schemas.Figures(visits=figures.visits, checkouts=figures.checkouts, paid=figures.paid, revenue=revenue)
    return schemas.LinkShown(
        code=link.code,
        url=f"{call.hall.house.base_url}/buy/{link.code}",
        name=link.name,
        description=link.description,
        price=amount(link.price),
        state=link.state,
        stock=link.stock,
        customer_phone=link.customer_phone.e164 if link.customer_phone is not None else None,
        digital=link.digital_file is not None,
        expires_at=link.expires_at,
        created_at=link.created_at,
        figures=counted,
    )


def _create(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.NewLinkBody = call.body
    new = links.NewLink(
        key=call.once,
        name=body.name,
        price=Money(body.price.amount_minor, body.price.currency),
        description=body.description,
        stock=body.stock,
        customer_phone=read_phone(body.customer_phone, unit.house.country) if body.customer_phone is not None else None,
        expires_at=body.expires_at,
    )
    return shown(201, _link(call, links.create_link(unit, caller.actor, new)))


def _list(unit: Unit, caller: Caller, call: Call) -> Done:
    page: schemas.LinkPage = call.query
    after = int(page.cursor, 16) if page.cursor is not None else None
    rows = views.my_links(unit, caller.actor, after, page.limit + 1)
    found, more = rows[: page.limit], len(rows) > page.limit
    cursor = f"{found[-1].link.id:x}" if more else None
    return shown(200, schemas.LinksShown(links=[_link(call, row.link, row.figures) for row in found], next_cursor=cursor))


def _change(unit: Unit, caller: Caller, call: Call) -> Done:
    body: schemas.LinkChanges = call.body
    code = code_in(call)
    changes: dict[str, Any] = {name: getattr(body, name) for name in body.model_fields_set - {"active"}}
    if "price" in changes:
        changes["price"] = Money(body.price.amount_minor, body.price.currency)
    link = links.edit_link(unit, caller.actor, code, changes) if changes else links.own_link(unit, caller.actor, code)
    if "active" in body.model_fields_set:
        link = links.set_link_state(unit, caller.actor, code, LinkState.ACTIVE if body.active else LinkState.INACTIVE)
    return shown(200, _link(call, link))


def _public(unit: Unit, caller: Caller, call: Call) -> Done:
    check_lookups(unit, call.address)
    view = views.product(unit, code_in(call), call.hall.abilities)
    if not views.is_public(view.link):
        raise NotFound(what="link")
    link = view.link
    return shown(
        200,
        schemas.PublicLink(
            code=link.code,
            url=f"{call.hall.house.base_url}/buy/{link.code}",
            name=link.name,
            description=link.description,
            price=amount(link.price),
            shop=view.shop,
            why_not=view.why_not,
            left=link.stock,
            expires_at=link.expires_at,
            methods=[schemas.MethodShown(method=offer.method, why_not=offer.why_not) for offer in view.methods],
        ),
    )


ENDPOINTS: Final = (
    Endpoint(
        "POST", "/api/v1/seller/links", "createLink", summary="Make a payment link", answers={201: schemas.LinkShown}, work=_create,
        who=Who.BEARER, body=schemas.NewLinkBody, description="Managers and owners.",
    ),
    Endpoint(
        "GET", "/api/v1/seller/links", "listLinks", summary="List your links, newest first", answers={200: schemas.LinksShown}, work=_list,
        who=Who.BEARER, query=schemas.LinkPage, description="Managers and owners. Ask again with `next_cursor` until it is null.",
    ),
    Endpoint(
        "PATCH", "/api/v1/seller/links/{code}", "changeLink", summary="Change a link, or switch it off and on",
        answers={200: schemas.LinkShown}, work=_change, who=Who.BEARER, body=schemas.LinkChanges, refusals=("illegal_transition",),
        description="Managers and owners. Checkouts that began before keep the price they showed.",
    ),
    Endpoint(
        "GET", "/api/v1/links/{code}", "getLink", summary="Look at a link as a buyer", answers={200: schemas.PublicLink}, work=_public,
        on_miss=count_miss, refusals=("limit_reached",), description="Open to everybody.",
    ),
)  # fmt: skip
