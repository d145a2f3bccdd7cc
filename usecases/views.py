"""Questions that only read: what a page, a chat card or an API answer shows. Values, no words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.booking import receivable, wallet
from domain.check import check_number
from domain.errors import NotFound
from domain.ids import ChargebackId, CheckoutId, OrderId, OrganizationId, PersonId, RefundId
from domain.late import Late, LateState
from domain.life import AttemptState, CheckoutState, LinkState, RefundState
from domain.link import Link, LinkFigures, why_not_for_sale
from domain.methods import shown
from domain.money import Money
from domain.order import Dispute, Order, OrderAct, dispute_ends, order_acts
from domain.payment import Ability, Attempt, Checkout, Method, Refund
from domain.person import Organization
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import Action, Actor, Party, require
from domain.tokens import Purpose
from usecases.gateways import offers_of
from usecases.orders import the_order
from usecases.people import is_on_telegram
from usecases.shares import refunds_for

MOST_COUNTED = 1000
"""Completed sales are counted up to here; beyond it the number says nothing more to a buyer."""


_FAR = frozenset({"currency", "not_configured"})
"""Reasons that say nothing to a buyer while another method has a better one."""


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


def product(unit: Unit, code: str, abilities: Mapping[str, Ability], *, in_chat: bool = False) -> ProductView:
    """Raises NotFound for a code that never was. `in_chat`: to somebody who is on Telegram, where they can pay as well."""
    link = unit.links.by_code(code)
    if link is None:
        raise NotFound(what="link")
    return product_of(unit, link, abilities, in_chat=in_chat)


def product_of(unit: Unit, link: Link, abilities: Mapping[str, Ability], *, in_chat: bool = False) -> ProductView:
    shop = unit.organizations.get(link.organization_id)
    why_not = why_not_for_sale(link, unit.now)
    return ProductView(
        link,
        shop.name,
        shop.created_at,
        unit.orders.completed(shop.id, MOST_COUNTED),
        why_not,
        method_offers(unit, shop.id, link.price, abilities, in_chat=in_chat),
    )


def method_offers(
    unit: Unit, organization_id: OrganizationId, money: Money, abilities: Mapping[str, Ability], *, in_chat: bool = False
) -> tuple[MethodOffer, ...]:
    """Exactly what works for this amount; where nothing does, the one that is nearest to working, with its reason."""
    every = [offer for offer in offers_of(unit, organization_id, money, abilities) if in_chat or offer.method is not Method.TELEGRAM]
    usable = shown(every)
    if usable:
        return tuple(MethodOffer(offer.method, None, offer.carriers[0].direct) for offer in usable)
    refused = [MethodOffer(offer.method, str(offer.why_not.facts["reason"])) for offer in every if offer.why_not is not None]
    near = [offer for offer in refused if offer.why_not not in _FAR]
    return tuple(near or [offer for offer in refused if offer.why_not == "currency"] or refused[:1])


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
    method: Method | None = None
    offers: tuple[MethodOffer, ...] = ()
    """How it was last tried, and what works for it now; asked for only where somebody can choose."""
    late: Late | None = None
    """The money that came after the time was over, and what the seller makes of it."""


def pay_page(unit: Unit, checkout_id: CheckoutId, abilities: Mapping[str, Ability] | None = None) -> PayView:
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
        method=unit.payments.get(last.payment_id).method if last is not None else None,
        offers=()
        if abilities is None
        else method_offers(unit, checkout.organization_id, checkout.total, abilities, in_chat=is_on_telegram(unit, checkout.buyer_id)),
        late=_late_of(unit, attempts) if order is None else None,
    )


def _late_of(unit: Unit, attempts: Sequence[Attempt]) -> Late | None:
    """What the last attempt that brought money has waiting for the seller, or had."""
    brought = [attempt for attempt in attempts if attempt.state is AttemptState.SUCCEEDED]
    return unit.late.of_attempt(brought[-1].id) if brought else None


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
    method: Method = Method.MPESA


def order_view(unit: Unit, order: Order, party: Party) -> OrderView:
    attempt = unit.payments.attempt(order.attempt_id)
    refunds = refunds_for(unit, order)
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
        method=unit.payments.get(attempt.payment_id).method if attempt is not None else Method.MPESA,
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
    """Minor units per currency: `available` may be spent, `held` waits in escrow, `owed` is taken out of the next releases.

    Each row of the history bears the `number` of the order that it is about.
    """

    shop: Organization
    available: dict[str, int]
    held: dict[str, int]
    owed: dict[str, int]
    history: Sequence[Mapping[str, Any]]


def wallet_view(unit: Unit, actor: Actor, limit: int = 10) -> WalletView:
    require(actor.party, Action.SEE_WALLET)
    scope = _scope(actor)
    account = wallet(scope).name
    shop = unit.organizations.get(scope)
    available = {currency: -amount for currency, amount in unit.books.balance(account).items()}
    owed = {currency: amount for currency, amount in unit.books.balance(receivable(scope).name).items() if amount}
    history = [{**row, "number": _number_of(unit, row["cause"])} for row in unit.books.history(account, limit)]
    return WalletView(shop, available or {shop.currency: 0}, unit.orders.held_minor(scope), owed, history)


def _number_of(unit: Unit, cause: str) -> str:
    """The order that an entry of a wallet is about, by the fact that caused it."""
    what, _, rest = cause.partition(":")
    number = int(rest.partition(":")[0])
    if what == "refund":
        refund = unit.payments.refund(RefundId(number))
        order_id = None if refund is None else refund.order_id
    else:
        order_id = OrderId(number) if what == "order" else unit.chargebacks.get(ChargebackId(number)).order_id
    return "" if order_id is None else unit.orders.get(order_id).number


@dataclass(frozen=True, slots=True)
class Waiting:
    """What the home screen says first."""

    to_ship: int
    disputes: int
    to_confirm: int
    late: int = 0


def waiting_for(unit: Unit, person_id: PersonId, organization_id: OrganizationId | None) -> Waiting:
    work = unit.orders.to_work_on(organization_id, 50) if organization_id is not None else ()
    bought = unit.orders.of_buyer(person_id, 20)
    return Waiting(
        to_ship=sum(order.state.value in {"PAID", "ACCEPTED"} for order in work),
        disputes=sum(order.state.value == "DISPUTED" for order in work),
        to_confirm=sum(order.state.value in {"SHIPPED", "DELIVERED"} for order in bought),
        late=len(unit.late.waiting(organization_id, 50)) if organization_id is not None else 0,
    )


def is_over(view: PayView) -> bool:
    """Nothing more will happen on the pay page by itself."""
    if undecided(view) is not None:
        return False
    over = view.order is not None or view.checkout.paid_by is not None
    return over or view.checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}


def undecided(view: PayView) -> Late | None:
    """Money that came late, while the seller has not decided."""
    return view.late if view.late is not None and view.late.state is LateState.WAITING else None


def is_public(link: Link) -> bool:
    return link.state is not LinkState.INACTIVE


def refund_is_under_way(refund: Refund | None) -> bool:
    return refund is not None and refund.state is not RefundState.DONE


def _scope(actor: Actor) -> OrganizationId:
    if actor.organization_id is None:
        raise NotFound(what="organization")
    return actor.organization_id
