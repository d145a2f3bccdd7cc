"""People: met once at each address, reached where they can be reached, one shop each."""

from __future__ import annotations

import pytest

from domain.errors import BadInput, NotFound
from domain.ids import PersonId
from domain.person import ChannelKind, ChannelState, Language, Role
from domain.rights import Actor, Party
from tests.factories import BUYER, MANAGER, OTHER_OWNER, OTHER_SHOP, OWNER, PHONE, SHOP, STAFF, Street, admin, buyer, manager, owner
from tests.fakes import Ground
from usecases.people import (
    arrive,
    channel_gone,
    member_actor,
    open_shop,
    rename_shop,
    set_language,
    set_name,
    set_phone,
    set_role,
    shop_of,
)

TELEGRAM = ChannelKind.TELEGRAM


def channel_state(ground: Ground, person: PersonId) -> ChannelState:
    (channel,) = ground.unit(lambda unit: unit.people.channels(person))
    return channel.state


def test_somebody_new_is_written_down_once(street: Street, ground: Ground) -> None:
    person = ground.unit(arrive, TELEGRAM, "555", " Otieno ", Language.SW)
    assert (person.name, person.language, person.role, person.phone, person.welcomed) == ("Otieno", Language.SW, Role.BUYER, None, False)
    with ground.unchanged():
        assert ground.unit(arrive, TELEGRAM, "555", "Somebody else", Language.EN) == person


@pytest.mark.parametrize("name,kept", [("", "?"), (" \n", "?"), ("x" * 100, "x" * 64)])
def test_any_name_will_do_at_the_door(street: Street, ground: Ground, name: str, kept: str) -> None:
    assert ground.unit(arrive, TELEGRAM, "556", name, Language.EN).name == kept


def test_whoever_blocked_us_is_not_told_and_is_back_when_they_write(street: Street, ground: Ground) -> None:
    ground.unit(channel_gone, BUYER, TELEGRAM)
    assert channel_state(ground, BUYER) is ChannelState.BLOCKED
    with ground.unchanged():
        ground.unit(channel_gone, BUYER, TELEGRAM)
    street.paid()
    assert ground.told() == [f"order_paid>{person}" for person in (OWNER, MANAGER, STAFF)]
    ground.unit(arrive, TELEGRAM, str(BUYER), "Amina", Language.EN)
    assert channel_state(ground, BUYER) is ChannelState.ACTIVE


def test_people_say_who_they_are(street: Street, ground: Ground) -> None:
    assert ground.unit(set_language, BUYER, Language.AR).language is Language.AR
    assert ground.unit(set_name, BUYER, "  Amina  W").name == "Amina W"
    assert ground.unit(set_phone, BUYER, PHONE).phone == PHONE
    with ground.unchanged():
        ground.unit(set_phone, BUYER, PHONE)
    seller = ground.unit(set_role, BUYER, Role.SELLER)
    assert (seller.role, seller.welcomed) == (Role.SELLER, True)
    ground.refuses(BadInput, set_name, BUYER, "")
    ground.refuses(NotFound, set_name, PersonId(1), "Nobody")


def test_a_shop_is_opened_once(street: Street, ground: Ground) -> None:
    shop = ground.unit(open_shop, BUYER, " Amina's ", "telegram")
    assert (shop.name, shop.country, shop.currency, shop.fee_bps, shop.late_money) == ("Amina's", "KE", "KES", 250, "ask")
    assert ground.unit(member_actor, BUYER, shop.id, "web") == Actor(Party.OWNER, "web", BUYER, shop.id)
    assert ground.unit(lambda unit: unit.people.get(BUYER)).role is Role.SELLER
    with ground.unchanged():
        assert ground.unit(open_shop, BUYER, "Another", "telegram") == shop
    ground.refuses(BadInput, open_shop, PersonId(91), "", "telegram")


def test_the_owner_renames_the_shop_and_nobody_else(street: Street, ground: Ground) -> None:
    assert ground.unit(rename_shop, owner, "Mama Amina II").name == "Mama Amina II"
    for actor in (manager, buyer, admin, Actor(Party.OWNER, "web", OWNER)):
        ground.refuses(NotFound, rename_shop, actor, "Mine")
    ground.refuses(BadInput, rename_shop, owner, " ")


def test_a_person_acts_for_their_own_organization_only(street: Street, ground: Ground) -> None:
    shop = ground.unit(shop_of, STAFF)
    assert (shop.id if shop else None, ground.unit(shop_of, BUYER)) == (SHOP, None)
    assert ground.unit(member_actor, STAFF, SHOP, "web").party is Party.STAFF
    ground.refuses(NotFound, member_actor, STAFF, OTHER_SHOP, "web")
    ground.refuses(NotFound, member_actor, OTHER_OWNER, SHOP, "web")
