"""What whoever runs the house does at the desk: shops and their people, switches, what was parked, the sealing keys."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final, Protocol

from domain.errors import BadInput, NotFound
from domain.ids import InboxId, OrganizationId, PersonId
from domain.life import InboxState, OutboxState, RefundState
from domain.money import Money
from domain.payment import Refund
from domain.person import ChannelKind, Member, Organization, Person, Role, clean_name
from domain.ports import Unit
from domain.records import ApiKey, GatewaySettings, InboxEvent, OutboxMessage
from domain.rights import MEMBERS, Action, Actor, Party, require
from usecases.api_keys import revoke_api_key
from usecases.gateways import PLATFORM, sealed_for
from usecases.sweeps import CLOCK_MARK
from usecases.tell import ADMINS

DESK: Final = Actor(Party.ADMIN, "admin")
_FEATURE: Final = re.compile("[a-z][a-z_]{0,39}")


class Desk(Protocol):
    """Lists and changes that only the desk asks for, in the same unit of work."""

    def organizations(self) -> Sequence[Organization]: ...
    def set_party(self, member: Member) -> None: ...
    def remove_member(self, organization_id: OrganizationId, person_id: PersonId) -> None: ...
    def api_keys(self, organization_id: OrganizationId) -> Sequence[ApiKey]: ...
    def events(self, states: Sequence[InboxState], limit: int) -> Sequence[InboxEvent]: ...
    def messages(self, states: Sequence[OutboxState], limit: int) -> Sequence[OutboxMessage]: ...
    def refunds(self, states: Sequence[RefundState], limit: int) -> Sequence[Refund]: ...
    def sealed(self) -> Sequence[GatewaySettings]: ...
    def save_sealed(self, settings: GatewaySettings) -> None:
        """Compare-and-set on the version that was read. Raises Stale."""
        ...


def find_person(unit: Unit, telegram_id: str) -> Person:
    """Somebody who has written to the bot, by their numeric id. Raises NotFound(person)."""
    person = unit.people.by_address(ChannelKind.TELEGRAM, telegram_id)
    if person is None:
        raise NotFound(what="person", id=telegram_id)
    return person


def find_organization(desk: Desk, text: str) -> Organization:
    """By its id, or by its name where only one has it. Raises NotFound(organization), BadInput(several)."""
    wanted = text.strip().casefold()
    found = [shop for shop in desk.organizations() if str(shop.id) == wanted or shop.name.casefold() == wanted]
    if not found:
        raise NotFound(what="organization", id=text)
    if len(found) > 1:
        raise BadInput("organization", "several", options=[shop.id for shop in found])
    return found[0]


def create_organization(unit: Unit, actor: Actor, name: str, owner: str, country: str, currency: str, fee_bps: int | None) -> Organization:
    """A shop for somebody who has written to the bot. What is left empty is as in the settings."""
    require(actor.party, Action.ADMINISTER)
    person, house = find_person(unit, owner), unit.house
    currency = Money(0, currency or house.currency).currency
    fee = house.fee_bps if fee_bps is None else fee_bps
    shop = Organization(OrganizationId(unit.new_id()), clean_name(name, "shop"), country or house.country, currency, fee, unit.now)
    unit.organizations.add(shop)
    unit.organizations.add_member(Member(shop.id, person.id, Party.OWNER, unit.now))
    unit.people.save(replace(person, role=Role.SELLER, welcomed=True))
    unit.trail.add(_subject(shop), actor, "opened", name=shop.name, fee_bps=shop.fee_bps, owner=person.id)
    return shop


def set_member(unit: Unit, desk: Desk, actor: Actor, organization: str, telegram_id: str, party: Party) -> Member:
    """Somebody joins, or acts in another capacity from now on. Repeatable. An organization keeps an owner."""
    require(actor.party, Action.ADMINISTER)
    if party not in MEMBERS:
        raise BadInput("role", "unknown", options=sorted(str(member) for member in MEMBERS))
    shop, person = find_organization(desk, organization), find_person(unit, telegram_id)
    member = Member(shop.id, person.id, party, unit.now)
    was = unit.organizations.party_of(person.id, shop.id)
    if was is party:
        return member
    if was is None:
        unit.organizations.add_member(member)
        unit.people.save(replace(person, role=Role.SELLER, welcomed=True))
    else:
        _keep_an_owner(unit, shop, person.id)
        desk.set_party(member)
    unit.trail.add(_subject(shop), actor, "member_set", person=person.id, party=str(party), was=str(was or ""))
    return member


def remove_member(unit: Unit, desk: Desk, actor: Actor, organization: str, telegram_id: str) -> Member:
    """From this instant they act for it no more, and their API keys open nothing."""
    require(actor.party, Action.ADMINISTER)
    shop, person = find_organization(desk, organization), find_person(unit, telegram_id)
    was = unit.organizations.party_of(person.id, shop.id)
    if was is None:
        raise NotFound(what="member", id=telegram_id)
    _keep_an_owner(unit, shop, person.id)
    desk.remove_member(shop.id, person.id)
    unit.trail.add(_subject(shop), actor, "member_removed", person=person.id, was=str(was))
    return Member(shop.id, person.id, was, unit.now)


def _keep_an_owner(unit: Unit, shop: Organization, leaving: PersonId) -> None:
    """Saving the organization makes two who leave at the same moment wait for one another."""
    unit.organizations.save(shop)
    if not any(member.party is Party.OWNER and member.person_id != leaving for member in unit.organizations.members(shop.id)):
        raise BadInput("member", "last_owner")


def owner_of(unit: Unit, organization_id: OrganizationId, telegram_id: str) -> Actor:
    """The owner an API key is made for: the named one, else the first. Raises NotFound(owner)."""
    wanted = find_person(unit, telegram_id).id if telegram_id else None
    for member in unit.organizations.members(organization_id):
        if member.party is Party.OWNER and wanted in {None, member.person_id}:
            return Actor(Party.OWNER, "admin", member.person_id, organization_id)
    raise NotFound(what="owner", id=telegram_id)


def key_actor(unit: Unit, prefix: str) -> Actor:
    """Who may revoke this key. Raises NotFound(api_key)."""
    key = unit.keys.api_key(prefix)
    if key is None:
        raise NotFound(what="api_key", id=prefix)
    return Actor(Party.OWNER, "admin", None, key.organization_id)


def revoke_every_api_key(unit: Unit, desk: Desk, actor: Actor, organization: str) -> list[ApiKey]:
    """For a key that was stolen and nobody knows which: from this instant none of the organization's opens anything. Repeatable.

    Returns those that opened something until now.
    """
    require(actor.party, Action.ADMINISTER)
    shop = find_organization(desk, organization)
    open_keys = [key for key in desk.api_keys(shop.id) if key.revoked_at is None]
    return [revoke_api_key(unit, Actor(Party.OWNER, actor.via, None, shop.id), key.prefix) for key in open_keys]


def set_feature(unit: Unit, desk: Desk, actor: Actor, organization: str, name: str, on: bool) -> Organization:
    require(actor.party, Action.ADMINISTER)
    if not _FEATURE.fullmatch(name):
        raise BadInput("feature", "not_a_name")
    shop = find_organization(desk, organization)
    unit.trail.add(_subject(shop), actor, "feature_switched", feature=name, on=on)
    return unit.organizations.save(replace(shop, features={**shop.features, name: on}))


def freeze(unit: Unit, desk: Desk, actor: Actor, organization: str, frozen: bool) -> Organization:
    """While frozen nothing is released by the clock: what is held stays held. Repeatable."""
    require(actor.party, Action.ADMINISTER)
    shop = find_organization(desk, organization)
    if shop.frozen is frozen:
        return shop
    unit.trail.add(_subject(shop), actor, "frozen" if frozen else "unfrozen")
    return unit.organizations.save(replace(shop, frozen=frozen))


def admins(unit: Unit) -> list[Person]:
    """Who gets the alerts."""
    mark = unit.marks.get(ADMINS) or {}
    return [unit.people.get(PersonId(number)) for number in mark.get("persons", ())]


def set_admin(unit: Unit, actor: Actor, telegram_id: str, on: bool) -> list[Person]:
    """Alerts go to this person, or no longer. Repeatable."""
    require(actor.party, Action.ADMINISTER)
    person = find_person(unit, telegram_id)
    kept = [admin.id for admin in admins(unit) if admin.id != person.id]
    unit.marks.put(ADMINS, {"persons": [*kept, person.id] if on else kept})
    unit.trail.add("admins", actor, "admin_added" if on else "admin_removed", person=person.id)
    return admins(unit)


def trust_clock(unit: Unit, actor: Actor) -> None:
    """The clock is right now, whatever instant was seen before: timers may fire again."""
    require(actor.party, Action.ADMINISTER)
    was = unit.marks.get(CLOCK_MARK) or {}
    unit.marks.put(CLOCK_MARK, {"highest": unit.now.isoformat(), "trusted": unit.now.isoformat()})
    unit.trail.add("clock", actor, "trusted", was=str(was.get("highest", "")))


def replay_event(unit: Unit, actor: Actor, inbox_id: InboxId) -> InboxEvent:
    """A stored or parked event is due again, with all its tries. What was applied is refused: it is done."""
    require(actor.party, Action.ADMINISTER)
    event = unit.inbox.get(inbox_id)
    if event.state not in {InboxState.PARKED, InboxState.STORED}:
        raise BadInput("event", "applied")
    unit.trail.add(f"inbox:{inbox_id}", actor, "replayed", was=str(event.state), tries=event.tries)
    return unit.inbox.save(replace(event, state=InboxState.STORED, tries=0, act_at=unit.now, error=""))


def reseal(unit: Unit, desk: Desk, actor: Actor, rotate: Callable[[str, str], str], settings: GatewaySettings) -> bool:
    """One row under the newest key. False when it was already. A row that somebody changed meanwhile raises Stale: read again."""
    require(actor.party, Action.ADMINISTER)
    sealed = rotate(settings.sealed, sealed_for(settings.organization_id, settings.gateway))
    if sealed == settings.sealed:
        return False
    desk.save_sealed(replace(settings, sealed=sealed))
    owner: Any = "platform" if settings.organization_id == PLATFORM else settings.organization_id
    unit.trail.add(f"organization:{settings.organization_id}", actor, "resealed", gateway=settings.gateway, owner=owner)
    return True


def _subject(shop: Organization) -> str:
    return f"organization:{shop.id}"
