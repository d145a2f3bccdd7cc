"""Tasks of the desk: gateways' credentials, their switch, and the keys they are sealed with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol, cast

from domain.errors import NotFound
from domain.ids import OrganizationId
from domain.records import GatewaySettings
from domain.rights import Actor, Party
from gateways.seals import CannotOpen
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from usecases import admin
from usecases.admin import DESK
from usecases.gateways import PLATFORM, credentials_of, pause_gateway, save_credentials
from usecases.webhooks import reseal_endpoint

SHOWN: Final = ("short_code", "till", "transaction_type")
"""What of the credentials is no secret."""
_CHECKS: Final = {
    "configuration": "Daraja does not accept these: compare consumer key, consumer secret, short code and passkey with its portal",
    "try_later": "Daraja cannot be reached now, so nothing was tried and nothing is kept: try again in a minute",
}


class _Rotates(Protocol):
    def rotate(self, sealed: str, context: str) -> str: ...


async def configure(room: Room, *, gateway: str, organization: str) -> Said:
    """Tried first: what Daraja gives no token for is not kept."""
    if not organization and room.house.settings.mpesa_credentials:
        told = "the platform's own credentials come from PAYLOOM_MPESA_...: change them there and start again, or name an --organization"
        return Said((told,), data={"error": "from_settings", "message": told}, code=1)
    owner = await room.read(lambda _, desk: admin.find_organization(desk, organization).id if organization else PLATFORM)
    credentials = dict(room.given)
    wrong = await room.house.daraja.check(credentials)
    if wrong is not None:
        told = _CHECKS.get(wrong, wrong)
        return Said((told,), data={"error": wrong, "message": told}, code=1)
    actor = Actor(Party.ADMIN, "admin", None, owner)
    await room.write(lambda unit, _: save_credentials(unit, actor, gateway, credentials, tested=True))
    whose = organization or "the platform"
    return Said((f"{gateway} of {whose} is kept, sealed; Daraja accepted it",), data={"gateway": gateway, "organization": owner})


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
