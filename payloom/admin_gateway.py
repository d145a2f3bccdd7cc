"""Tasks of the desk: gateways' credentials, their switch, and the keys they are sealed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

from domain.errors import NotFound
from domain.ids import OrganizationId
from domain.records import GatewaySettings
from domain.rights import Actor, Party
from domain.tokens import Purpose
from gateways.seals import CannotOpen
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from payloom.carriers import FIELDS, PLAIN, platform_credentials
from usecases import admin
from usecases.admin import DESK
from usecases.gateways import PLATFORM, credentials_of, hook_url, pause_gateway, save_credentials, try_credentials
from usecases.lists import register as register_by_hand
from usecases.webhooks import reseal_endpoint

SHOWN: Final = ("short_code", "till", "transaction_type")
"""What of the credentials is no secret."""
_CHECKS: Final = {
    "configuration": "{plain} does not accept these: compare {fields} with its portal",
    "try_later": "{plain} cannot be reached now, so nothing was tried and nothing is kept: try again in a minute",
}


class _Rotates(Protocol):
    def rotate(self, sealed: str, context: str) -> str: ...


async def configure(room: Room, *, gateway: str, organization: str) -> Said:
    """Tried first, by one harmless call: what the gateway does not accept is not kept."""
    if not organization and gateway in platform_credentials(room.house.settings):
        names = f"PAYLOOM_{'MPESA' if gateway == 'daraja' else gateway.upper()}_..."
        told = f"the platform's own credentials come from {names}: change them there and start again, or name an --organization"
        return Said((told,), data={"error": "from_settings", "message": told}, code=1)
    owner = await room.read(lambda _, desk: admin.find_organization(desk, organization).id if organization else PLATFORM)
    credentials = dict(room.given)
    missing = [field.name for field in FIELDS[gateway] if field.needed and not credentials.get(field.name)]
    carrier = room.house.gateways[gateway]
    wrong = "configuration" if missing else await try_credentials(carrier, credentials)
    if wrong is not None:
        needed = [field.name.replace("_", " ") for field in FIELDS[gateway] if field.needed]
        told = _CHECKS.get(wrong, wrong).format(
            plain=PLAIN[gateway], fields=" and ".join(filter(None, (", ".join(needed[:-1]), needed[-1])))
        )
        return Said((told,), data={"error": wrong, "message": told}, code=1)
    actor = Actor(Party.ADMIN, "admin", None, owner)
    await room.write(lambda unit, _: save_credentials(unit, actor, gateway, credentials, tested=True))
    whose = organization or "the platform"
    lines = [f"{gateway} of {whose} is kept, sealed; {PLAIN[gateway]} accepted it"]
    hook = hook_url(room.house.hall.house, room.house.hall.tokens, gateway, owner)
    if hook:
        lines.append(f"its webhook posts to {hook}")
    return Said(lines, data={"gateway": gateway, "organization": owner} | ({"webhook": hook} if hook else {}))


_REGISTERED: Final = {
    "": "Daraja tells us of money paid by hand to {code} from now on",
    "already_registered": "Daraja knew addresses for {code} before and keeps those: if they are not ours, have them changed in its portal",
    "configuration": "Daraja does not accept the credentials of {code}: nothing, or not all of it, was registered",
    "try_later": "Daraja cannot be reached now: try again in a minute",
}


async def register(room: Room, *, organization: str, unless_reached: bool, phone: str) -> Said:
    """Tell Daraja where it asks and confirms payments by hand; in production it takes that once."""
    owner = await room.read(lambda _, desk: admin.find_organization(desk, organization).id if organization else PLATFORM)
    hall = room.house.hall
    if hall.by_hand is None:
        raise NotFound(what="gateway_settings")
    credentials = await room.read(lambda unit, _: credentials_of(unit, owner, "daraja", owner != PLATFORM))
    token = hall.tokens.make(Purpose.BY_HAND, owner)
    said = await register_by_hand(hall.store, hall.by_hand, DESK, owner, token, unless_reached=unless_reached, phone=phone)
    told = _REGISTERED.get(said, "Daraja did not take it, and did not say why: look into its portal").format(
        code=credentials.get("short_code")
    )
    return Said((told,), data={"organization": owner, "result": said or "registered"}, code=0 if said in ("", "already_registered") else 1)


async def show(room: Room) -> Said:
    def look(unit: Any, desk: Any) -> list[dict[str, Any]]:
        names = {shop.id: shop.name for shop in desk.organizations()}
        return [_shown(unit, settings, names) for settings in desk.sealed()]

    data = await room.read(look)
    columns = ("organization", "gateway", "short code", "till", "type", "secrets", "tested", "paused")
    rows = [tuple(str(one[name]) for name in ("owner", "gateway", *SHOWN, "secrets", "tested", "paused")) for one in data]
    return Said(() if rows else ("no gateway is set up",), columns, rows, data)


def _shown(unit: Any, settings: GatewaySettings, names: Mapping[OrganizationId, str]) -> dict[str, Any]:
    whose = "the platform" if settings.organization_id == PLATFORM else names.get(settings.organization_id, str(settings.organization_id))
    mark = unit.marks.get(f"paused:{settings.gateway}") or {}
    try:
        clear = credentials_of(unit, settings.organization_id, settings.gateway, settings.organization_id != PLATFORM)
        secrets = " ".join(f"{name}:{'***' if value else 'missing'}" for name, value in sorted(clear.items()) if name not in SHOWN)
    except (CannotOpen, NotFound):
        clear, secrets = {}, "cannot be opened with these PAYLOOM_ENCRYPTION_KEYS"
    return {
        "owner": whose,
        "organization": settings.organization_id,
        "gateway": settings.gateway,
        **{name: clear.get(name, "") for name in SHOWN},
        "secrets": secrets,
        "tested": when(settings.tested_at),
        "paused": "paused" if mark.get("paused") else "",
    }


async def pause(room: Room, *, gateway: str, paused: bool) -> Said:
    await room.write(lambda unit, _: pause_gateway(unit, DESK, gateway, paused))
    said = "takes no new payments; those under way are followed to their end" if paused else "takes payments again"
    return Said((f"{gateway} {said}",), data={"gateway": gateway, "paused": paused})


async def rotate_keys(room: Room) -> Said:
    """Row by row, each in a unit of its own: whatever stops it, every row is whole, under the old key or the new one."""
    rows = await room.read(lambda _, desk: [(row.organization_id, row.gateway) for row in desk.sealed()])
    again, lost = 0, []
    for owner, gateway in rows:
        try:
            again += await room.write(lambda unit, desk, owner=owner, gateway=gateway: _reseal(unit, desk, owner, gateway))  # type: ignore[misc]
        except CannotOpen:
            lost.append(f"{gateway} of organization {owner}")
    endpoints = await room.read(lambda unit, _: [endpoint.id for endpoint in unit.webhooks.every_endpoint()])
    for endpoint_id in endpoints:
        try:
            again += await room.write(lambda unit, _, endpoint_id=endpoint_id: reseal_endpoint(unit, DESK, endpoint_id, _rotate(unit)))  # type: ignore[misc]
        except CannotOpen:
            lost.append(f"webhook {endpoint_id}")
    count = len(rows) + len(endpoints)
    lines = [f"{again} sealed again with the first key, {count - again - len(lost)} were already"]
    lines += [f"{one} cannot be opened with any of PAYLOOM_ENCRYPTION_KEYS: put its key back, or set it again" for one in lost]
    if not lost:
        lines.append("the other keys of PAYLOOM_ENCRYPTION_KEYS are not needed any more")
    return Said(lines, data={"resealed": again, "already": count - again - len(lost), "lost": lost}, code=1 if lost else 0)


def _reseal(unit: Any, desk: Any, owner: OrganizationId, gateway: str) -> bool:
    settings = unit.settings.get(owner, gateway)
    return settings is not None and admin.reseal(unit, desk, DESK, _rotate(unit), settings)


def _rotate(unit: Any) -> Callable[[str, str], str]:
    return cast(_Rotates, unit.seals).rotate
