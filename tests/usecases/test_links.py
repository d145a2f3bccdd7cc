"""Links: made once for a key, edited and switched by their own leaders, sold out with the last unit and back with a returned one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, IllegalTransition, NotFound
from domain.ids import ALPHABET, FileId
from domain.life import LinkState
from domain.money import Money
from domain.rights import Actor, Party
from tests.factories import (
    BUYER,
    DAY,
    MANAGER,
    OTHER_PHONE,
    OWNER,
    PRICE,
    SECOND,
    SHOP,
    Street,
    admin,
    buyer,
    manager,
    other_owner,
    owner,
    staff,
)
from tests.fakes import Ground
from usecases.checkouts import cancel_checkout
from usecases.links import NewLink, create_link, edit_link, expire_link, own_link, set_link_state
from usecases.sweeps import due_links


def test_a_link_is_what_the_seller_said(street: Street, ground: Ground) -> None:
    picture = street.file(MANAGER)
    new = NewLink("k", "  Red  sneakers ", PRICE, "Size 42\r\nnew", (picture,), 3, OTHER_PHONE, ground.clock.at + DAY, picture)
    link = ground.unit(create_link, manager, new)
    assert (link.name, link.description, link.price, link.pictures, link.stock) == ("Red sneakers", "Size 42\nnew", PRICE, (picture,), 3)
    assert (link.customer_phone, link.expires_at, link.digital_file, link.state) == (
        OTHER_PHONE,
        ground.clock.at + DAY,
        picture,
        LinkState.ACTIVE,
    )
    assert (link.organization_id, link.created_by, link.code[:3], len(link.code)) == (SHOP, 12, "PL-", 8)
    assert ground.trail(f"link:{link.id}") == ["created by manager:12@telegram"]


def test_what_somebody_else_sent_cannot_be_sold(street: Street, ground: Ground) -> None:
    theirs, mine = street.file(BUYER), street.file(OWNER)
    ground.refuses(NotFound, create_link, owner, NewLink("k", "Sneakers", PRICE, pictures=(mine, theirs)))
    ground.refuses(NotFound, create_link, owner, NewLink("k", "E-book", PRICE, digital_file=theirs))
    link = street.link()
    ground.refuses(NotFound, edit_link, owner, link.code, {"pictures": [theirs]})


def test_the_same_key_makes_one_link_and_anothers_key_is_another(street: Street, ground: Ground) -> None:
    link = street.link(key="same")
    with ground.unchanged():
        assert ground.unit(create_link, manager, NewLink("same", "Other", Money(1, "KES"))) == link
    other = ground.unit(create_link, other_owner, NewLink("same", "Theirs", PRICE))
    assert other.id != link.id


@pytest.mark.parametrize("actor", [staff, buyer, admin, Actor(Party.OWNER, "web", OWNER)])
def test_only_leaders_make_links(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, create_link, actor, NewLink("k", "Sneakers", PRICE))


@pytest.mark.parametrize(
    "changes,field,reason",
    [
        ({"name": " \n "}, "name", "empty"),
        ({"name": "x" * 65}, "name", "too_long"),
        ({"description": "x" * 1001}, "description", "too_long"),
        ({"price": Money(0, "KES")}, "amount", "not_positive"),
        ({"price": Money(10**12 + 1, "KES")}, "amount", "too_large"),
        ({"pictures": tuple(FileId(n) for n in range(6))}, "pictures", "too_many"),
        ({"stock": -1}, "stock", "out_of_range"),
        ({"stock": 1_000_001}, "stock", "out_of_range"),
    ],
)
def test_what_cannot_be_sold_is_refused_with_its_reason(
    street: Street, ground: Ground, changes: dict[str, Any], field: str, reason: str
) -> None:
    new = NewLink(**{"key": "k", "name": "Sneakers", "price": PRICE, **changes})
    refusal = ground.refuses(BadInput, create_link, owner, new)
    assert (refusal.field, refusal.reason) == (field, reason)
    link = street.link()
    refusal = ground.refuses(BadInput, edit_link, owner, link.code, changes)
    assert (refusal.field, refusal.reason) == (field, reason)


def test_a_link_does_not_end_before_it_begins(street: Street, ground: Ground) -> None:
    for instant in (ground.clock.at, ground.clock.at - SECOND):
        new = NewLink("k", "Sneakers", PRICE, expires_at=instant)
        assert ground.refuses(BadInput, create_link, owner, new).reason == "in_the_past"


def test_two_links_never_have_one_code(street: Street, ground: Ground) -> None:
    first = street.link()
    ground.chance.throws = [500, *[_number_of(first.code)] * 19, 12345]
    assert street.link().code != first.code
    ground.chance.throws = [501, *[_number_of(first.code)] * 20]
    assert ground.refuses(BadInput, create_link, owner, NewLink("k", "Sneakers", PRICE)).reason == "none_left"


def _number_of(code: str) -> int:
    number = 0
    for char in code[3:]:
        number = number * len(ALPHABET) + ALPHABET.index(char)
    return number


# --- edits -----------------------------------------------------------------------------------------------------------


def test_everything_can_be_edited_and_what_was_begun_keeps_its_price(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    checkout = street.checkout(street.link())
    picture = street.file(OWNER)
    edited = ground.unit(
        edit_link,
        owner,
        link.code,
        {
            "name": "Boots",
            "description": "",
            "price": Money(100, "KES"),
            "pictures": [picture],
            "stock": None,
            "expires_at": ground.clock.at + DAY,
        },
    )
    assert (edited.name, edited.price, edited.pictures, edited.stock) == ("Boots", Money(100, "KES"), (picture,), None)
    assert (edited.expires_at, checkout.total) == (ground.clock.at + DAY, PRICE)
    assert ground.unit(edit_link, owner, link.code, {"expires_at": None}).expires_at is None
    assert ground.wakes == [("link", {"id": link.id})]


def test_a_link_of_another_shop_is_not_there(street: Street, ground: Ground) -> None:
    link = street.link()
    for actor in (other_owner, staff, buyer):
        ground.refuses(NotFound, own_link, actor, link.code)
        ground.refuses(NotFound, edit_link, actor, link.code, {"name": "Mine"})
        ground.refuses(NotFound, set_link_state, actor, link.code, LinkState.INACTIVE)
    ground.refuses(NotFound, own_link, owner, "PL-22222")
    assert ground.unit(own_link, manager, link.code) == link


def test_without_stock_it_is_sold_out_and_with_stock_it_is_back(street: Street, ground: Ground) -> None:
    assert street.link(stock=0).state is LinkState.SOLD_OUT
    link = street.link(stock=2)
    assert ground.unit(edit_link, owner, link.code, {"stock": 0}).state is LinkState.SOLD_OUT
    assert ground.refuses(BadInput, set_link_state, owner, link.code, LinkState.ACTIVE).reason == "none_left"
    assert ground.unit(edit_link, owner, link.code, {"stock": 1}).state is LinkState.ACTIVE
    ground.unit(edit_link, owner, link.code, {"stock": 0})
    assert ground.unit(edit_link, owner, link.code, {"stock": None}).state is LinkState.ACTIVE
    ground.unit(set_link_state, owner, link.code, LinkState.INACTIVE)
    assert ground.unit(edit_link, owner, link.code, {"stock": 0}).state is LinkState.INACTIVE


def test_the_last_unit_sells_out_and_a_returned_one_brings_it_back(street: Street, ground: Ground) -> None:
    link = street.link(stock=2)
    street.checkout(link)
    assert (street.link_now(link).stock, street.link_now(link).state) == (1, LinkState.ACTIVE)
    last = street.checkout(link)
    assert (street.link_now(link).stock, street.link_now(link).state) == (0, LinkState.SOLD_OUT)
    ground.unit(cancel_checkout, last.id, buyer)
    assert ("link", {"id": link.id}) in ground.wakes
    assert (street.link_now(link).stock, street.link_now(link).state) == (1, LinkState.ACTIVE)


def test_a_unit_returned_to_a_link_that_is_off_does_not_switch_it_on(street: Street, ground: Ground) -> None:
    link = street.link(stock=1)
    checkout = street.checkout(link)
    ground.unit(set_link_state, owner, link.code, LinkState.INACTIVE)
    ground.unit(cancel_checkout, checkout.id, buyer)
    assert (street.link_now(link).stock, street.link_now(link).state) == (1, LinkState.INACTIVE)


# --- off, on, over ---------------------------------------------------------------------------------------------------


def test_switching_off_and_on_twice_is_once(street: Street, ground: Ground) -> None:
    link = street.link()
    for state in (LinkState.INACTIVE, LinkState.ACTIVE):
        assert ground.unit(set_link_state, manager, link.code, state).state is state
        with ground.unchanged():
            assert ground.unit(set_link_state, owner, link.code, state).state is state
    assert ground.trail(f"link:{link.id}")[1:] == ["inactive by manager:12@telegram", "active by manager:12@telegram"]


def test_nobody_switches_a_link_to_a_state_of_the_clock(street: Street, ground: Ground) -> None:
    link = street.link()
    ground.refuses(NotFound, set_link_state, owner, link.code, LinkState.EXPIRED)
    ground.unit(set_link_state, owner, link.code, LinkState.INACTIVE)
    ground.refuses(IllegalTransition, set_link_state, owner, link.code, LinkState.EXPIRED)


def test_a_link_expires_at_its_instant_once_and_can_be_brought_back(street: Street, ground: Ground) -> None:
    link, forever = street.link(expires_at=ground.clock.at + DAY), street.link()
    street.later(DAY - timedelta(microseconds=1))
    assert ground.unit(due_links, 10) == []
    assert not ground.unit(expire_link, link.id)
    street.later(timedelta(microseconds=1))
    assert ground.unit(due_links, 10) == [link.id]
    assert ground.unit(expire_link, link.id)
    assert ground.wakes == [("link", {"id": link.id})]
    assert street.link_now(link).state is LinkState.EXPIRED
    with ground.unchanged():
        assert not ground.unit(expire_link, link.id)
        assert not ground.unit(expire_link, forever.id)
    back = ground.unit(set_link_state, owner, link.code, LinkState.ACTIVE)
    assert (back.state, back.expires_at) == (LinkState.ACTIVE, None)


def test_a_link_that_was_prolonged_keeps_its_new_end(street: Street, ground: Ground) -> None:
    link = street.link(expires_at=ground.clock.at + DAY)
    street.later(2 * DAY)
    ground.unit(expire_link, link.id)
    until = ground.clock.at + DAY
    ground.unit(edit_link, owner, link.code, {"expires_at": until})
    assert ground.unit(set_link_state, owner, link.code, LinkState.ACTIVE).expires_at == until
    assert ground.unit(set_link_state, owner, link.code, LinkState.INACTIVE).expires_at == until
