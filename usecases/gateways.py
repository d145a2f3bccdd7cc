"""Which gateway carries a payment, with whose credentials; credentials are sealed for one owner and opened only here."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping

from domain.errors import NotFound
from domain.ids import OrganizationId
from domain.methods import Account, Carrier, Offer, gateways_of, offer, offers
from domain.money import Money
from domain.payment import Ability, Method
from domain.ports import Unit
from domain.records import GatewaySettings
from domain.rights import Action, Actor, Party, require

PLATFORM = OrganizationId(0)


def sealed_for(organization_id: OrganizationId, gateway: str) -> str:
    """What credentials are bound to: sealed for one owner and gateway, they open for no other."""
    return f"organization:{organization_id}:{gateway}:credentials"


def accounts_of(unit: Unit, organization_id: OrganizationId, gateways: Collection[str]) -> dict[str, Account]:
    """How each of these gateways stands for an organization."""
    return {gateway: _account(unit, organization_id, gateway) for gateway in gateways}


def _account(unit: Unit, organization_id: OrganizationId, gateway: str) -> Account:
    mark = unit.marks.get(f"paused:{gateway}")
    own = unit.settings.get(organization_id, gateway) is not None
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
    """Seal and keep credentials: the platform's by an admin, an organization's by its owner."""
    require(actor.party, Action.ADMINISTER if actor.party is Party.ADMIN else Action.CONFIGURE)
    owner = PLATFORM if actor.organization_id is None else actor.organization_id
    if owner == PLATFORM and actor.party is not Party.ADMIN:
        raise NotFound(what="gateway_settings")
    sealed = unit.seals.seal(json.dumps(dict(credentials), sort_keys=True), sealed_for(owner, gateway))
    unit.settings.put(GatewaySettings(owner, gateway, sealed, unit.now if tested else None, unit.now))
    unit.trail.add(f"organization:{owner}", actor, "gateway_configured", gateway=gateway, tested=tested)


def pause_gateway(unit: Unit, actor: Actor, gateway: str, paused: bool) -> None:
    """The switch that stops new payments through a gateway; those under way are followed to their end."""
    require(actor.party, Action.ADMINISTER)
    unit.marks.put(f"paused:{gateway}", {"paused": paused})
    unit.trail.add(f"gateway:{gateway}", actor, "paused" if paused else "resumed")
