"""Questions that only read: what a page, a chat card or an API answer shows. Values, no words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.booking import wallet
from domain.check import check_number
from domain.errors import CannotPay, NotFound
from domain.ids import CheckoutId, OrderId, OrganizationId, PersonId
from domain.life import CheckoutState, LinkState, RefundState
from domain.link import Link, LinkFigures, why_not_for_sale
from domain.order import Dispute, Order, OrderAct, dispute_ends, order_acts
from domain.payment import Ability, Attempt, Checkout, Method, Refund, check_payable
from domain.person import Organization
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import Action, Actor, Party, require
from domain.tokens import Purpose
from usecases.gateways import route
from usecases.orders import the_order

MOST_COUNTED = 1000
"""Completed sales are counted up to here; beyond it the number says nothing more to a buyer."""


@dataclass(frozen=True, slots=True)
class MethodOffer:
    """A way to pay as it stands for this amount: `why_not` is None when it can be used, else the reason's code."""

    method: Method
    why_not: str | None
    direct: bool = False


@dataclass(frozen=True, slots=True)
class ProductView:
    """A link as a buyer sees it. `why_not` is None when it can be bought now, else the reason's code."""

    link: Link
    shop: str
    shop_since: datetime
    completed_sales: int
    why_not: str | None
    methods: tuple[MethodOffer, ...]


def product(unit: Unit, code: str, abilities: Mapping[str, Ability]) -> ProductView:
    """Raises NotFound for a code that never was."""
    link = unit.links.by_code(code)
    if link is None:
        raise NotFound(what="link")
    return product_of(unit, link, abilities)


def product_of(unit: Unit, link: Link, abilities: Mapping[str, Ability]) -> ProductView:
    shop = unit.organizations.get(link.organization_id)
    why_not = why_not_for_sale(link, unit.now)
    return ProductView(
        link, shop.name, shop.created_at, unit.orders.completed(shop.id, MOST_COUNTED), why_not, _offers(unit, link, abilities)
    )


def _offers(unit: Unit, link: Link, abilities: Mapping[str, Ability]) -> tuple[MethodOffer, ...]:
    offers = []
    for method in Method:
        try:
            gateway, direct = route(unit, link.organization_id, method)
            check_payable(abilities[gateway], method, link.price)
        except CannotPay as refusal:
            offers.append(MethodOffer(method, str(refusal.facts["reason"])))
        else:
            offers.append(MethodOffer(method, None, direct))
    return tuple(offers)


@dataclass(frozen=True, slots=True)
class PayView:
    """A checkout while it is being paid. `order_token` opens the tracking page once there is an order."""

    checkout: Checkout
    link: Link
    shop: str
    attempt: Attempt | None
    order: Order | None
    order_token: str | None
    refund: Refund | None


def pay_page(unit: Unit, checkout_id: CheckoutId) -> PayView:
    checkout = unit.checkouts.get(checkout_id)
    attempts = unit.payments.attempts(checkout_id)
    order = unit.orders.get(checkout.order_id) if checkout.order_id is not None else None
    last = attempts[-1] if attempts else None
    refunds = [refund for attempt in attempts for refund in unit.payments.refunds_of(attempt.id) if refund.order_id is None]
    return PayView(
        checkout=checkout,
        link=unit.links.get(checkout.link_id),
        shop=unit.organizations.get(checkout.organization_id).name,
        attempt=last,
        order=order,
        order_token=unit.tokens.make(Purpose.TRACK, order.id) if order is not None else None,
        refund=refunds[-1] if refunds else None,
    )


@dataclass(frozen=True, slots=True)
class OrderView:
    """An order as one party sees it. The delivery code is there for the buyer only; the phone is whole for the seller, who must deliver."""

    order: Order
    shop: str
    link_code: str
    party: Party
    acts: tuple[OrderAct, ...]
    dispute: Dispute | None
    dispute_ends: datetime | None
    refund: Refund | None
    receipt: str | None
    track_token: str
    follow_token: str
    digital_file: int | None
    check_number: str


def order_view(unit: Unit, order: Order, party: Party) -> OrderView:
    attempt = unit.payments.attempt(order.attempt_id)
    refunds = [refund for refund in unit.payments.refunds_of(order.attempt_id) if refund.order_id == order.id]
    link = unit.links.get(order.link_id)
    return OrderView(
        order=order,
        shop=unit.organizations.get(order.organization_id).name,
        link_code=link.code,
        party=party,
        acts=order_acts(order, party, unit.now),
        dispute=unit.disputes.of_order(order.id),
        dispute_ends=dispute_ends(order),
        refund=refunds[-1] if refunds else None,
        receipt=attempt.receipt if attempt is not None else None,
        track_token=unit.tokens.make(Purpose.TRACK, order.id),
        follow_token=unit.tokens.make(Purpose.FOLLOW, order.id),
        digital_file=link.digital_file,
        check_number=check_number(unit.tokens, order),
    )


def order_for(unit: Unit, actor: Actor, number: str) -> OrderView:
    """An order by its number for somebody who may see it. Raises NotFound otherwise."""
    return order_view(unit, the_order(unit, actor, number, Action.SEE_ORDER), actor.party)


def order_by_id(unit: Unit, order_id: OrderId, party: Party) -> OrderView:
    return order_view(unit, unit.orders.get(order_id), party)


def told_order(unit: Unit, message: OutboxMessage) -> OrderView | None:
    """The order that a fact is about, as the side that is told of it sees it."""
    if message.order_id is None:
        return None
    order, party = unit.orders.get(message.order_id), Party.BUYER
    if message.payload.get("side", "buyer") == "seller":
        party = unit.organizations.party_of(message.person_id, order.organization_id) or Party.STAFF
    return order_view(unit, order, party)


def party_in_order(unit: Unit, person_id: PersonId, number: str, via: str) -> Actor:
    """In which capacity a person meets an order: a member of the seller first, else its buyer. Raises NotFound for a stranger."""
    order = unit.orders.by_number(number)
    if order is None:
        raise NotFound(what="order")
    party = unit.organizations.party_of(person_id, order.organization_id)
    if party is not None:
        return Actor(party, via, person_id, order.organization_id)
    if order.buyer_id == person_id:
        return Actor(Party.BUYER, via, person_id)
    raise NotFound(what="order")


def work_list(unit: Unit, actor: Actor, limit: int = 10) -> Sequence[Order]:
    """What waits for the seller, most pressing first: disputes, then to accept, to ship, to deliver."""
    require(actor.party, Action.WORK_ON_ORDER)
    return unit.orders.to_work_on(_scope(actor), limit)


def purchases(unit: Unit, person_id: PersonId, limit: int = 10) -> Sequence[Order]:
    return unit.orders.of_buyer(person_id, limit)


@dataclass(frozen=True, slots=True)
class LinkRow:
    link: Link
    figures: LinkFigures


def my_links(unit: Unit, actor: Actor, after: int | None = None, limit: int = 10) -> Sequence[LinkRow]:
    require(actor.party, Action.EDIT_LINKS)
    found = unit.links.of_organization(_scope(actor), after, limit)  # type: ignore[arg-type]
    figures = unit.links.figures([link.id for link in found])
    return [LinkRow(link, figures[link.id]) for link in found]


def search_links(unit: Unit, actor: Actor, words: str, limit: int = 20) -> Sequence[Link]:
    """Active links whose name holds the words, for inline mode."""
    require(actor.party, Action.WORK_ON_ORDER)
    return unit.links.search(_scope(actor), words, limit)


@dataclass(frozen=True, slots=True)
class WalletView:
    """Minor units per currency: `available` may be spent, `held` waits in escrow."""

    shop: Organization
    available: dict[str, int]
    held: dict[str, int]
    history: Sequence[Mapping[str, Any]]


def wallet_view(unit: Unit, actor: Actor, limit: int = 10) -> WalletView:
    require(actor.party, Action.SEE_WALLET)
    scope = _scope(actor)
    account = wallet(scope).name
    shop = unit.organizations.get(scope)
    available = {currency: -amount for currency, amount in unit.books.balance(account).items()}
    return WalletView(shop, available or {shop.currency: 0}, unit.orders.held_minor(scope), unit.books.history(account, limit))


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the home screen says first."""

    to_ship: int
    disputes: int
    to_confirm: int


def waiting_for(unit: Unit, person_id: PersonId, organization_id: OrganizationId | None) -> Waiting:
    work = unit.orders.to_work_on(organization_id, 50) if organization_id is not None else ()
    bought = unit.orders.of_buyer(person_id, 20)
    return Waiting(
        to_ship=sum(order.state.value in {"PAID", "ACCEPTED"} for order in work),
        disputes=sum(order.state.value == "DISPUTED" for order in work),
        to_confirm=sum(order.state.value in {"SHIPPED", "DELIVERED"} for order in bought),
    )


def is_over(view: PayView) -> bool:
    """Nothing more will happen on the pay page by itself."""
    return view.order is not None or view.checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}


def is_public(link: Link) -> bool:
    return link.state is not LinkState.INACTIVE


def refund_is_under_way(refund: Refund | None) -> bool:
    return refund is not None and refund.state is not RefundState.DONE


def _scope(actor: Actor) -> OrganizationId:
    if actor.organization_id is None:
        raise NotFound(what="organization")
    return actor.organization_id
