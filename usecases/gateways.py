"""Which gateway carries a payment, with whose credentials; credentials are sealed for one owner and opened only here."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from domain.credentials import Checks
from domain.errors import LimitReached, NotFound
from domain.ids import OrganizationId, PersonId
from domain.methods import Account, Carrier, Offer, gateways_of, offer, offers
from domain.money import Money
from domain.payment import Ability, Gateway, Method
from domain.person import ChannelKind, cooling_until
from domain.ports import House, Unit
from domain.records import GatewaySettings
from domain.rights import Action, Actor, Party, require
from domain.tokens import Purpose, Tokens
from usecases.tell import tell_members, text_person

PLATFORM = OrganizationId(0)
ACCOUNTS = "accounts"
"""What is rung when secrets change."""
TRIAL_S = 20.0
MOST_TRIALS = 20
_TRIALS_WINDOW_S = 3_600


def sealed_for(organization_id: OrganizationId, gateway: str) -> str:
    """What credentials are bound to: sealed for one owner and gateway, they open for no other."""
    return f"organization:{organization_id}:{gateway}:credentials"


def accounts_of(unit: Unit, organization_id: OrganizationId, gateways: Collection[str]) -> dict[str, Account]:
    """How each of these gateways stands for an organization."""
    return {gateway: _account(unit, organization_id, gateway) for gateway in gateways}


def _account(unit: Unit, organization_id: OrganizationId, gateway: str) -> Account:
    mark = unit.marks.get(f"paused:{gateway}")
    own = unit.settings.get(organization_id, gateway) is not None and not _unused(unit, organization_id, gateway)
    ours = not own and unit.settings.get(PLATFORM, gateway) is not None
    return Account(own, ours, mark is not None and bool(mark.get("paused")))


def route(
    unit: Unit,
    organization_id: OrganizationId,
    method: Method,
    money: Money,
    abilities: Mapping[str, Ability],
    failed: Collection[str] = (),
) -> Carrier:
    """Who carries it: the organization's own account where it has set one up, ours otherwise, the next one for what has `failed`.

    Raises CannotPay with the reason that is nearest to working.
    """
    found = offer(method, money, accounts_of(unit, organization_id, gateways_of(method)), abilities, failed)
    if found.why_not is not None:
        raise found.why_not
    return found.carriers[0]


def offers_of(unit: Unit, organization_id: OrganizationId, money: Money, abilities: Mapping[str, Ability]) -> tuple[Offer, ...]:
    """Every method for this amount, with who carries it and why the others do not: for the seller and the admin."""
    return offers(money, accounts_of(unit, organization_id, abilities), abilities)


def credentials_of(unit: Unit, organization_id: OrganizationId, gateway: str, direct: bool) -> dict[str, str]:
    """The clear credentials for one call. They never leave the caller's hands."""
    owner = organization_id if direct else PLATFORM
    settings = unit.settings.get(owner, gateway)
    if settings is None:
        raise NotFound(what="gateway_settings")
    opened: dict[str, str] = json.loads(unit.seals.open(settings.sealed, sealed_for(owner, gateway)))
    return opened


def save_credentials(unit: Unit, actor: Actor, gateway: str, credentials: Mapping[str, str], *, tested: bool) -> None:
    """Seal and keep credentials: the platform's by an admin, an organization's by its owner. Raises LimitReached as `may_redirect` does."""
    require(actor.party, Action.ADMINISTER if actor.party is Party.ADMIN else Action.CONFIGURE)
    owner = PLATFORM if actor.organization_id is None else actor.organization_id
    if owner == PLATFORM and actor.party is not Party.ADMIN:
        raise NotFound(what="gateway_settings")
    may_redirect(unit, actor)
    sealed = unit.seals.seal(json.dumps(dict(credentials), sort_keys=True), sealed_for(owner, gateway))
    unit.settings.put(GatewaySettings(owner, gateway, sealed, unit.now if tested else None, unit.now))
    unit.wake(ACCOUNTS)
    if _unused(unit, owner, gateway):
        unit.marks.put(_unused_mark(owner, gateway), {"unused": False})
    unit.trail.add(f"organization:{owner}", actor, "gateway_configured", gateway=gateway, tested=tested)
    _tell_changed(unit, actor, gateway)


def stop_using(unit: Unit, actor: Actor, gateway: str) -> None:
    """New payments no longer go to the organization's own account. What it is sealed with stays: refunds of what was paid there need it."""
    owner = own_organization(actor)
    credentials_of(unit, owner, gateway, direct=True)
    if not _unused(unit, owner, gateway):
        may_redirect(unit, actor)
        unit.marks.put(_unused_mark(owner, gateway), {"unused": True})
        unit.trail.add(f"organization:{owner}", actor, "gateway_unused", gateway=gateway)
        _tell_changed(unit, actor, gateway)


def may_redirect(unit: Unit, actor: Actor) -> None:
    """Whether this person may say today where an organization's money goes: a number that changed hands may have become one of their ways in.

    Raises LimitReached(payee_cooling) for a day after a way to reach them was joined, unless the shop itself was about a day old then.
    """
    if actor.person_id is None or actor.organization_id is None:
        return
    until = cooling_until(unit.people.channels(actor.person_id), unit.organizations.get(actor.organization_id).created_at)
    if until is not None and until > unit.now:
        raise LimitReached(limit="payee_cooling", retry_at=until)


def _tell_changed(unit: Unit, actor: Actor, gateway: str) -> None:
    """Everybody who acts for the seller hears that the money goes elsewhere; whoever did it, on the phone too: it may not have been them."""
    if actor.person_id is None or actor.organization_id is None:
        return
    shop, key = unit.organizations.get(actor.organization_id), f"{actor.organization_id}:{gateway}:{unit.now.isoformat()}"
    facts = {"shop": shop.name, "gateway": gateway, "name": unit.people.get(actor.person_id).name}
    tell_members(unit, shop.id, "account_changed", key, but=actor.person_id, **facts)
    if any(way.kind is ChannelKind.SMS for _, way in unit.people.reach(actor.person_id)):
        text_person(unit, actor.person_id, "account_changed", key, **facts)


def own_organization(actor: Actor) -> OrganizationId:
    """Whose gateways this owner may set up. Raises NotFound for everybody else."""
    require(actor.party, Action.CONFIGURE)
    if actor.organization_id is None:
        raise NotFound(what="gateway_settings")
    return actor.organization_id


def _unused_mark(organization_id: OrganizationId, gateway: str) -> str:
    return f"unused:{organization_id}:{gateway}"


def _unused(unit: Unit, organization_id: OrganizationId, gateway: str) -> bool:
    mark = unit.marks.get(_unused_mark(organization_id, gateway))
    return mark is not None and bool(mark.get("unused"))


@dataclass(frozen=True, slots=True)
class OwnAccount:
    """An organization's own account at a gateway. `shown` are those of its credentials that are no secret."""

    used: bool
    tested_at: datetime | None
    shown: Mapping[str, str]


def own_account(unit: Unit, actor: Actor, gateway: str, public: Collection[str]) -> OwnAccount | None:
    """None where none is set up. `public` are the names of what may be shown."""
    owner = own_organization(actor)
    settings = unit.settings.get(owner, gateway)
    if settings is None:
        return None
    clear = credentials_of(unit, owner, gateway, direct=True)
    shown = {name: clear[name] for name in public if clear.get(name)}
    return OwnAccount(not _unused(unit, owner, gateway), settings.tested_at, shown)


def hook_url(house: House, tokens: Tokens, gateway: str, owner: OrganizationId) -> str:
    """Where an account's events are to be posted; empty for Daraja, which is told with each payment, and for what the bot hears itself."""
    if gateway in {"daraja", "telegram"}:
        return ""
    token = "" if owner == PLATFORM else f"/{tokens.make(Purpose.SETTINGS, owner)}"
    return f"{house.base_url.rstrip('/')}/callbacks/{gateway}{token}"


def seal_draft(unit: Unit, person_id: PersonId, gateway: str, typed: Mapping[str, str]) -> str:
    """What somebody has typed so far: it is never kept in clear, not even between two answers."""
    return unit.seals.seal(json.dumps(dict(typed), sort_keys=True), _draft(person_id, gateway))


def open_draft(unit: Unit, person_id: PersonId, gateway: str, sealed: str) -> dict[str, str]:
    """Raises NotFound for what was sealed with a key that is not there any more, or for somebody else."""
    try:
        opened: dict[str, str] = json.loads(unit.seals.open(sealed, _draft(person_id, gateway)))
    except ValueError:
        raise NotFound(what="draft") from None
    return opened


def _draft(person_id: PersonId, gateway: str) -> str:
    return f"person:{person_id}:{gateway}:draft"


def count_trial(unit: Unit, actor: Actor) -> None:
    """Nobody tries keys out through us. Raises LimitReached."""
    if unit.limits.count("gateway_trials", str(own_organization(actor)), _TRIALS_WINDOW_S, unit.now) > MOST_TRIALS:
        raise LimitReached(limit="gateway_trials", retry_at=None)


async def try_credentials(gateway: Gateway, credentials: Mapping[str, str], within_s: float = TRIAL_S) -> str | None:
    """One harmless call: None when they are accepted, `configuration` when not, `try_later` when nobody answered in time."""
    if not isinstance(gateway, Checks):
        return "configuration"
    try:
        async with asyncio.timeout(within_s):
            return await gateway.check(credentials)
    except TimeoutError:
        return "try_later"


def pause_gateway(unit: Unit, actor: Actor, gateway: str, paused: bool) -> None:
    """The switch that stops new payments through a gateway; those under way are followed to their end."""
    require(actor.party, Action.ADMINISTER)
    unit.marks.put(f"paused:{gateway}", {"paused": paused})
    unit.trail.add(f"gateway:{gateway}", actor, "paused" if paused else "resumed")
