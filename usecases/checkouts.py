"""Checkouts: begun by a buyer, expired by the clock, cancelled by whoever began them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta

from domain.errors import BadInput, NotForSale, NotFound
from domain.group import GROUP_LASTS, check_shares
from domain.ids import CheckoutId, PersonId, checkout_number
from domain.life import CHECKOUT, CheckoutState
from domain.link import check_for_sale
from domain.money import payable
from domain.payment import CHECKOUT_LASTS, Checkout
from domain.person import clean_name, clean_text
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import CLOCK, Actor, Party
from usecases.links import give_back_to_stock, take_from_stock

MOST_ADDRESS = 300
MOST_NOTE = 500
STILL_RINGING = timedelta(minutes=3)
"""A checkout with a prompt on somebody's phone is not expired under it; the prompt lives one to three minutes."""


@dataclass(frozen=True, slots=True)
class NewCheckout:
    """What a buyer says. `key` makes it repeatable: a form sent twice begins one checkout. `shares` splits it among several payers."""

    key: str
    link_code: str
    quantity: int
    name: str
    address: str
    note: str
    phone: Phone | None
    language: str
    source: str
    buyer_id: PersonId | None = None
    shares: int = 0


def start_checkout(unit: Unit, new: NewCheckout) -> Checkout:
    """Reserve the goods for a while. Raises NotFound, NotForSale, BadInput."""
    known = unit.checkouts.by_key(new.key)
    if known is not None:
        return known
    link = unit.links.by_code(new.link_code)
    if link is None:
        raise NotFound(what="link")
    check_for_sale(link, new.quantity, unit.now)
    if link.customer_phone is not None and new.phone is not None and new.phone != link.customer_phone:
        raise BadInput("phone", "not_the_customer")
    total = payable(link.price.times(new.quantity))
    name = clean_name(new.name, "name")
    address = clean_text(new.address, "address", MOST_ADDRESS)
    note = clean_text(new.note, "note", MOST_NOTE)
    lasts = CHECKOUT_LASTS
    if new.shares:
        check_shares(total, new.shares)
        lasts = GROUP_LASTS if link.expires_at is None else min(GROUP_LASTS, link.expires_at - unit.now)
    if not take_from_stock(unit, link, new.quantity, Party.BUYER):
        raise NotForSale(reason="sold_out")
    checkout = Checkout(
        id=CheckoutId(unit.new_id()),
        number=checkout_number(unit.chance(63)),
        organization_id=link.organization_id,
        link_id=link.id,
        buyer_id=new.buyer_id,
        quantity=new.quantity,
        total=total,
        state=CheckoutState.OPEN,
        phone=new.phone,
        name=name,
        address=address,
        note=note,
        language=new.language,
        source=new.source,
        created_at=unit.now,
        expires_at=unit.now + lasts,
        key=new.key,
        reserved=new.quantity if link.stock is not None else 0,
        shares=new.shares,
    )
    unit.checkouts.add(checkout)
    actor = Actor(Party.BUYER, new.source, new.buyer_id)
    unit.trail.add(f"sale:{checkout.id}", actor, "checkout_opened", number=checkout.number, total_minor=total.amount_minor, link=link.code)
    return checkout


def end_checkout(unit: Unit, checkout: Checkout, state: CheckoutState, actor: Actor) -> Checkout:
    """Expired or cancelled: its goods can be sold again."""
    CHECKOUT.move(checkout.state, state, actor.party)
    ended = unit.checkouts.save(replace(checkout, state=state, ended_at=unit.now, reserved=0))
    give_back_to_stock(unit, checkout.link_id, checkout.reserved, actor.party)
    unit.trail.add(f"sale:{checkout.id}", actor, f"checkout_{str(state).lower()}")
    unit.wake("checkout", id=checkout.id)
    if checkout.group_id is not None:
        unit.wake("checkout", id=checkout.group_id)
    return ended


def expire_checkout(unit: Unit, checkout_id: CheckoutId) -> bool:
    """By the clock, when its time is over and no prompt is ringing."""
    checkout = unit.checkouts.get(checkout_id)
    if checkout.state not in {CheckoutState.OPEN, CheckoutState.PAYING} or checkout.expires_at > unit.now:
        return False
    live = unit.payments.live_attempt(checkout_id)
    if live is not None and unit.now - live.created_at < STILL_RINGING:
        unit.checkouts.save(replace(checkout, expires_at=live.created_at + STILL_RINGING))
        return False
    end_checkout(unit, checkout, CheckoutState.EXPIRED, CLOCK)
    return True


def cancel_checkout(unit: Unit, checkout_id: CheckoutId, actor: Actor) -> Checkout:
    """The buyer goes away. Money that still comes is late money. Done already is a success that does nothing."""
    checkout = unit.checkouts.get(checkout_id)
    if checkout.state is CheckoutState.CANCELLED:
        return checkout
    if checkout.is_group:  # ended whole, with everything that was paid for it (usecases/group.py)
        raise NotFound(what="checkout")
    return end_checkout(unit, checkout, CheckoutState.CANCELLED, actor)


def change_phone(unit: Unit, checkout_id: CheckoutId, phone: Phone) -> Checkout:
    checkout = unit.checkouts.get(checkout_id)
    return checkout if checkout.phone == phone else unit.checkouts.save(replace(checkout, phone=phone))
