"""Group pay: one link split among several payers. Each pays their own share; the last one makes the order; what is not filled in time goes back.

A share is a checkout of its own, so everything about paying one (prompts, pages, retries, late answers) is what it is for any other. What is special
is here: how the shares add up, and what becomes of them. Every change of a share also saves the whole, so that of two who race one goes first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from domain import booking
from domain.errors import BadInput, CannotPay, NotForSale, NotFound
from domain.group import LEAST_SHARES, MOST_SHARES, Group
from domain.ids import CheckoutId, PersonId, checkout_number
from domain.life import CHECKOUT, PAYMENT, CheckoutState, PaymentState
from domain.link import Link
from domain.money import Money
from domain.order import Order
from domain.payment import CHECKOUT_LASTS, Ability, Attempt, Checkout, Method
from domain.person import clean_name
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import CLOCK, Actor, Party
from domain.tokens import Purpose
from usecases.checkouts import STILL_RINGING, NewCheckout, end_checkout, expire_checkout, start_checkout
from usecases.payments import NewAttempt, open_attempt, the_attempt
from usecases.refunds import ask_refund
from usecases.tell import tell_person
from usecases.views import MethodOffer, method_offers

_WAITING = frozenset({CheckoutState.OPEN, CheckoutState.PAYING})


@dataclass(frozen=True, slots=True)
class NewShare:
    """What a payer says: how many shares, and how they pay. `key` makes it repeatable: a form sent twice takes them once."""

    key: str
    count: int
    name: str
    method: Method
    phone: Phone | None
    language: str
    source: str
    buyer_id: PersonId | None = None
    address: str = ""


@dataclass(frozen=True, slots=True)
class GroupView:
    """A group as everybody who has its link may see it: first names and shares, no phone. `offers` are the ways to pay one share."""

    group: Group
    link: Link
    shop: str
    order: Order | None
    token: str
    offers: tuple[MethodOffer, ...]
    over: bool
    """Nobody can pay any more: it is full, cancelled, or its time is over."""


def group_of(unit: Unit, checkout_id: CheckoutId) -> Group:
    """Raises NotFound for a checkout that is not split."""
    whole = unit.checkouts.get(checkout_id)
    if not whole.is_group:
        raise NotFound(what="group")
    return Group(whole, unit.checkouts.shares_of(checkout_id))


def group_view(unit: Unit, checkout_id: CheckoutId, abilities: Mapping[str, Ability] | None = None) -> GroupView:
    group = group_of(unit, checkout_id)
    whole = group.whole
    over = whole.state is not CheckoutState.OPEN or unit.now >= whole.expires_at
    offers = share_offers(unit, group, abilities) if abilities is not None and group.free and not over else ()
    return GroupView(
        group=group,
        link=unit.links.get(whole.link_id),
        shop=unit.organizations.get(whole.organization_id).name,
        order=unit.orders.get(whole.order_id) if whole.order_id is not None else None,
        token=unit.tokens.make(Purpose.GROUP, whole.id),
        offers=offers,
        over=over,
    )


def share_offers(unit: Unit, group: Group, abilities: Mapping[str, Ability]) -> tuple[MethodOffer, ...]:
    """What works for one share: only what is held by us, for everything else could not go back."""
    offers = method_offers(unit, group.whole.organization_id, group.price(1), abilities)
    return tuple(replace(offer, why_not=offer.why_not or "not_shared") if offer.direct else offer for offer in offers)


def start_group(unit: Unit, new: NewCheckout, abilities: Mapping[str, Ability]) -> Checkout:
    """Reserve the goods for a day, for several to pay. Raises NotFound, NotForSale, BadInput, CannotPay."""
    known = unit.checkouts.by_key(new.key)
    if known is not None:
        return known
    if not new.shares:
        raise BadInput("shares", "out_of_range", least=LEAST_SHARES, limit=MOST_SHARES)
    whole = start_checkout(unit, new)
    offers = share_offers(unit, group_of(unit, whole.id), abilities)
    if all(offer.why_not is not None for offer in offers):
        raise CannotPay(method=str(offers[0].method), reason=offers[0].why_not)
    return whole


def take_share(unit: Unit, checkout_id: CheckoutId, new: NewShare, abilities: Mapping[str, Ability]) -> Attempt:
    """One or more of the free shares, kept for half an hour, and the first try to pay them. Raises NotForSale, BadInput, CannotPay, LimitReached."""
    known = unit.checkouts.by_key(new.key)
    if known is not None:
        return unit.payments.attempts(known.id)[-1]
    group = group_of(unit, checkout_id)
    whole = group.whole
    if whole.state is CheckoutState.PAID or not group.free:
        raise NotForSale(reason="paid" if whole.state is CheckoutState.PAID else "all_taken")
    if whole.state is not CheckoutState.OPEN or unit.now >= whole.expires_at:
        raise NotForSale(reason="expired")
    share = Checkout(
        id=CheckoutId(unit.new_id()),
        number=checkout_number(unit.chance(63)),
        organization_id=whole.organization_id,
        link_id=whole.link_id,
        buyer_id=new.buyer_id,
        quantity=whole.quantity,
        total=group.price(new.count),
        state=CheckoutState.OPEN,
        phone=new.phone,
        name=clean_name(new.name, "name"),
        address="",
        note="",
        language=new.language,
        source=new.source,
        created_at=unit.now,
        expires_at=min(unit.now + CHECKOUT_LASTS, whole.expires_at),
        key=new.key,
        group_id=whole.id,
        shares=new.count,
    )
    unit.checkouts.add(share)
    _touch(unit, whole)
    actor = Actor(Party.BUYER, new.source, new.buyer_id)
    unit.trail.add(f"sale:{share.id}", actor, "checkout_opened", number=share.number, total_minor=share.total.amount_minor,
                   group=whole.id, shares=new.count)  # fmt: skip
    return open_attempt(unit, NewAttempt(f"{new.key}:1", share.id, new.method, new.phone, new.source, new.address), abilities)


def _touch(unit: Unit, whole: Checkout) -> None:
    """Nobody else may have changed its shares meanwhile: the save is refused to whoever comes second, and their unit runs again."""
    unit.checkouts.save(whole)
    unit.wake("checkout", id=whole.id)


def still_free(unit: Unit, share: Checkout, group_id: CheckoutId) -> bool:
    """Late money for a share that was let go: whether it can be had again."""
    group = group_of(unit, group_id)
    return group.whole.state is CheckoutState.OPEN and unit.now < group.whole.expires_at and group.fits(share)


def hold_share(unit: Unit, attempt: Attempt, share: Checkout, group_id: CheckoutId) -> Group:
    """A share was paid: its money is held with the others'. Returns the group as it stands with it."""
    payment = unit.payments.get(attempt.payment_id)
    PAYMENT.move(payment.state, PaymentState.SUCCEEDED, Party.GATEWAY)
    unit.payments.save(replace(payment, state=PaymentState.SUCCEEDED, settled_at=unit.now))
    before = group_of(unit, group_id)
    CHECKOUT.move(share.state, CheckoutState.PAID, Party.GATEWAY)
    paid = unit.checkouts.save(replace(share, state=CheckoutState.PAID, paid_by=attempt.id, ended_at=unit.now))
    unit.books.book(booking.share_held(attempt.id, group_id, share.organization_id, attempt.gateway, share.total))
    unit.trail.add(f"sale:{share.id}", Actor(Party.GATEWAY, attempt.gateway), "share_paid", attempt=attempt.id, group=group_id,
                   amount_minor=share.total.amount_minor)  # fmt: skip
    group = Group(before.whole, [paid if other.id == paid.id else other for other in before.taken])
    if not group.is_full:
        _touch(unit, group.whole)
    unit.wake("checkout", id=share.id)
    _tell_paid(unit, group, paid)
    return group


def _tell_paid(unit: Unit, group: Group, share: Checkout) -> None:
    """Whoever paid, and whoever began it; with the last one whoever began it hears of the order, and the others that it is made."""
    facts = _facts(unit, group) | {"name": share.name, "amount_minor": share.total.amount_minor}
    tell_person(unit, share.buyer_id, "share_paid", f"{share.id}:payer", mine=True, checkout=share.id, **facts)
    if group.is_full:
        for person_id in {other.buyer_id for other in group.paid} - {group.whole.buyer_id}:
            tell_person(unit, person_id, "group_full", str(group.whole.id), **_facts(unit, group))
    elif share.buyer_id is None or share.buyer_id != group.whole.buyer_id:
        tell_person(unit, group.whole.buyer_id, "share_paid", f"{share.id}:starter", mine=False, **facts)


def _facts(unit: Unit, group: Group) -> dict[str, Any]:
    whole = group.whole
    return {
        "group": whole.id,
        "item": unit.links.get(whole.link_id).name,
        "paid_minor": group.paid_money.amount_minor,
        "total_minor": whole.total.amount_minor,
        "currency": whole.total.currency,
    }


def cancel_group(unit: Unit, checkout_id: CheckoutId, actor: Actor) -> Checkout:
    """Whoever began it calls it off while it is not full: everything goes back. Done already is a success that does nothing.

    An actor without a person came with the secret address of whoever began it. Raises NotFound for anybody else, IllegalTransition when it is full.
    """
    group = group_of(unit, checkout_id)
    if actor.person_id is not None and actor.person_id != group.whole.buyer_id:
        raise NotFound(what="group")
    if CHECKOUT.move(group.whole.state, CheckoutState.CANCELLED, actor.party) is None:
        return group.whole
    return _end(unit, group, CheckoutState.CANCELLED, actor, "cancelled")


def expire(unit: Unit, checkout_id: CheckoutId) -> bool:
    """What the clock does with any checkout whose time is over. A group waits for a prompt that is ringing, as every other does."""
    checkout = unit.checkouts.get(checkout_id)
    if not checkout.is_group:
        return expire_checkout(unit, checkout_id)
    if checkout.state is not CheckoutState.OPEN or checkout.expires_at > unit.now:
        return False
    group = group_of(unit, checkout_id)
    live = [unit.payments.live_attempt(share.id) for share in group.held if share.state is CheckoutState.PAYING]
    if any(attempt is not None and unit.now - attempt.created_at < STILL_RINGING for attempt in live):
        return False
    _end(unit, group, CheckoutState.EXPIRED, CLOCK, "expired")
    return True


def share_lost(unit: Unit, attempt: Attempt) -> None:
    """The money of a share that waits for the others is gone (given back elsewhere, or the gateway denies it): the group cannot come together."""
    group_id = waits_in(unit, attempt)
    if group_id is not None:
        _end(unit, group_of(unit, group_id), CheckoutState.EXPIRED, CLOCK, "lost")


def waits_in(unit: Unit, attempt: Attempt) -> CheckoutId | None:
    """The group in which this money waits for the others, or None."""
    share = unit.checkouts.get(attempt.checkout_id)
    if share.group_id is None or share.paid_by != attempt.id or unit.checkouts.get(share.group_id).state is not CheckoutState.OPEN:
        return None
    return share.group_id


def _end(unit: Unit, group: Group, state: CheckoutState, actor: Actor, why: str) -> Checkout:
    whole = end_checkout(unit, group.whole, state, actor)
    unit.trail.add(f"sale:{whole.id}", actor, "group_ended", why=why, paid_minor=group.paid_money.amount_minor)
    for share in group.held:
        if share.state in _WAITING:
            end_checkout(unit, share, state, actor)
    facts = _facts(unit, group) | {"why": why}
    payers = [(share, _give_back(unit, share)) for share in group.paid]
    told = {share.buyer_id: share for share, _ in payers}
    for person_id in {whole.buyer_id, *told} - {None}:
        mine = sum(minor for share, minor in payers if share.buyer_id == person_id)
        tell_person(unit, person_id, "group_ended", str(whole.id), amount_minor=mine, **facts)
    return whole


def _give_back(unit: Unit, share: Checkout) -> int:
    """What is left of a paid share, through the gateway that took it. Minor units."""
    assert share.group_id is not None, "a share names its group"
    assert share.paid_by is not None, "a paid share names its money"
    attempt, source = the_attempt(unit, share.paid_by), booking.shares_account(share.group_id)
    gone = sum(refund.money.amount_minor for refund in unit.payments.refunds_of(attempt.id) if refund.source == source.name)
    left = Money(share.total.amount_minor - gone, share.total.currency)
    if left.amount_minor:
        ask_refund(unit, attempt, left, "group", f"share:{attempt.id}", source)
    return left.amount_minor
