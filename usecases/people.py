"""People arrive, say who they are, and open shops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from domain.errors import BadInput, NotFound
from domain.ids import OrganizationId, PersonId
from domain.late import LatePolicy
from domain.person import Channel, ChannelKind, ChannelState, Language, Member, Organization, Person, Role, clean_name
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Action, Actor, Party, require


def arrive(unit: Unit, kind: ChannelKind, address: str, name: str, language: Language) -> Person:
    """The person behind an address, made at the first meeting. A channel that was blocked works again, for they wrote to us."""
    known = unit.people.by_address(kind, address)
    if known is not None:
        for channel in unit.people.channels(known.id):
            if channel.kind is kind and channel.address == address and channel.state is ChannelState.BLOCKED:
                unit.people.save_channel(replace(channel, state=ChannelState.ACTIVE))
        return known
    person = Person(PersonId(unit.new_id()), _name(name), language, Role.BUYER, None, unit.now)
    unit.people.add(person)
    unit.people.add_channel(Channel(kind, address, person.id, ChannelState.ACTIVE, unit.now))
    return person


def _name(text: str) -> str:
    try:
        return clean_name(text[:64])
    except BadInput:
        return "?"


def set_language(unit: Unit, person_id: PersonId, language: Language) -> Person:
    return unit.people.save(replace(unit.people.get(person_id), language=language))


def set_wants(unit: Unit, person_id: PersonId, /, **wanted: Any) -> Person:
    """Of what they want to be told: what is named here changes, the rest stays (domain.wants.Wants)."""
    person = unit.people.get(person_id)
    return unit.people.save(replace(person, wants=replace(person.wants, **wanted)))


def set_role(unit: Unit, person_id: PersonId, role: Role) -> Person:
    return unit.people.save(replace(unit.people.get(person_id), role=role, welcomed=True))


def set_name(unit: Unit, person_id: PersonId, name: str) -> Person:
    return unit.people.save(replace(unit.people.get(person_id), name=clean_name(name)))


def set_phone(unit: Unit, person_id: PersonId, phone: Phone) -> Person:
    person = unit.people.get(person_id)
    return person if person.phone == phone else unit.people.save(replace(person, phone=phone))


def open_shop(unit: Unit, person_id: PersonId, name: str, actor_via: str) -> Organization:
    """The person's own organization, made once; a second call renames nothing and returns the first."""
    shops = unit.organizations.of_person(person_id)
    if shops:
        return shops[0]
    house = unit.house
    shop = Organization(OrganizationId(unit.new_id()), clean_name(name, "shop"), house.country, house.currency, house.fee_bps, unit.now)
    unit.organizations.add(shop)
    unit.organizations.add_member(Member(shop.id, person_id, Party.OWNER, unit.now))
    actor = Actor(Party.OWNER, actor_via, person_id, shop.id)
    unit.trail.add(f"organization:{shop.id}", actor, "opened", name=shop.name, fee_bps=shop.fee_bps)
    person = unit.people.get(person_id)
    unit.people.save(replace(person, role=Role.SELLER, welcomed=True))
    return shop


def rename_shop(unit: Unit, actor: Actor, name: str) -> Organization:
    require(actor.party, Action.CONFIGURE)
    if actor.organization_id is None:
        raise NotFound(what="organization")
    shop = unit.organizations.save(replace(unit.organizations.get(actor.organization_id), name=clean_name(name, "shop")))
    unit.trail.add(f"organization:{shop.id}", actor, "renamed", name=shop.name)
    return shop


def set_late_policy(unit: Unit, actor: Actor, policy: LatePolicy) -> Organization:
    """What becomes of late money from now on; what waits for a decision already goes on waiting for it."""
    require(actor.party, Action.CONFIGURE)
    if actor.organization_id is None:
        raise NotFound(what="organization")
    shop = unit.organizations.save(replace(unit.organizations.get(actor.organization_id), late_money=policy))
    unit.trail.add(f"organization:{shop.id}", actor, "late_policy_set", policy=str(policy))
    return shop


def shop_of(unit: Unit, person_id: PersonId) -> Organization | None:
    """The organization a person acts for: the first they joined."""
    shops = unit.organizations.of_person(person_id)
    return shops[0] if shops else None


def member_actor(unit: Unit, person_id: PersonId, organization_id: OrganizationId, via: str) -> Actor:
    """Who this person is for this organization. Raises NotFound for a stranger."""
    party = unit.organizations.party_of(person_id, organization_id)
    if party is None:
        raise NotFound(what="organization")
    return Actor(party, via, person_id, organization_id)


def is_on_telegram(unit: Unit, person_id: PersonId | None) -> bool:
    """Whether the bot can speak to them there."""
    channels = unit.people.channels(person_id) if person_id is not None else ()
    return any(channel.kind is ChannelKind.TELEGRAM and channel.state is ChannelState.ACTIVE for channel in channels)


def channel_gone(unit: Unit, person_id: PersonId, kind: ChannelKind) -> None:
    """The provider says that the person cannot be reached there (blocked us, deleted the account)."""
    for channel in unit.people.channels(person_id):
        if channel.kind is kind and channel.state is ChannelState.ACTIVE:
            unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))
