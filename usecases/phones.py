"""People who are known by their number: the network says who dials, and Telegram says whose a shared number is."""

from __future__ import annotations

from dataclasses import replace

from domain.ids import PersonId
from domain.person import Channel, ChannelKind, ChannelState, Language, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.tell import text_person

NAMELESS = "?"
JOINED = "joined"
MOST_NAME = 24
"""Of a chat's name in an SMS."""


def arrive_by_number(unit: Unit, phone: Phone) -> Person:
    """The person behind a number, made at the first meeting. What must reach them goes by SMS to the same number."""
    address = phone.e164
    known = unit.people.by_address(ChannelKind.SMS, address)
    if known is not None:
        return known
    person = Person(PersonId(unit.new_id()), NAMELESS, Language.EN, Role.BUYER, phone, unit.now)
    unit.people.add(person)
    unit.people.add_channel(Channel(ChannelKind.SMS, address, person.id, ChannelState.ACTIVE, unit.now))
    return person


def own_number(unit: Unit, person: Person, phone: Phone) -> Person:
    """Telegram says that this number is theirs. Whoever came by that number before is the same person, and who they are from now on.

    Somebody who has something to lose in both places stays two people: a number that changed hands must not hand over a shop.
    """
    known = unit.people.by_address(ChannelKind.SMS, phone.e164)
    if known is None:
        unit.people.add_channel(Channel(ChannelKind.SMS, phone.e164, person.id, ChannelState.ACTIVE, unit.now))
        return person
    if known.id == person.id or not is_new(unit, person):
        return person
    one = move_channels(unit, person, known)
    tell_joined(unit, one, person, known, ChannelKind.TELEGRAM)
    return one


def tell_joined(unit: Unit, one: Person, chat: Person, number: Person, via: str) -> None:
    """A chat and a number are one person from now on: kept in the trail, and told to the number, which may be in another's hand."""
    unit.trail.add(f"person:{one.id}", Actor(Party.BUYER, via, one.id), JOINED, chat=chat.id, number=number.id)
    text_person(unit, one.id, JOINED, f"{chat.id}:{number.id}", name=chat.name[:MOST_NAME])


def is_new(unit: Unit, person: Person) -> bool:
    """Nothing was bought or sold by them yet."""
    bought = unit.orders.of_buyer(person.id, 1)
    return not bought and not any(unit.links.of_organization(shop.id, None, 1) for shop in unit.organizations.of_person(person.id))


def move_channels(unit: Unit, person: Person, to: Person) -> Person:
    """All ways to reach one become the other's, from now on: `cooling_until` counts from there."""
    for channel in unit.people.channels(person.id):
        unit.people.save_channel(replace(channel, person_id=to.id, created_at=unit.now))
    return unit.people.save(replace(to, name=person.name)) if to.name == NAMELESS else to
