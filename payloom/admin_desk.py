"""Tasks of the desk: organizations, people, keys, switches. Units in, words and tables out."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from domain.person import Organization, Person
from domain.phone import read_phone
from domain.records import ApiKey
from domain.rights import Party
from payloom.admin_task import Room, Said
from usecases import admin, api_keys, payments
from usecases.admin import DESK


def when(instant: datetime | None) -> str:
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M} UTC"


def _organization(shop: Organization) -> dict[str, Any]:
    return {
        "id": shop.id,
        "name": shop.name,
        "country": shop.country,
        "currency": shop.currency,
        "fee_bps": shop.fee_bps,
        "frozen": shop.frozen,
        "features": sorted(name for name, on in shop.features.items() if on is True),
    }


async def organization_create(room: Room, *, name: str, owner: str, country: str, currency: str, fee_bps: int | None) -> Said:
    shop = await room.write(lambda unit, _: admin.create_organization(unit, DESK, name, owner, country, currency, fee_bps))
    return Said((f"{shop.name} is open: organization {shop.id}",), data=_organization(shop))


async def organization_list(room: Room) -> Said:
    shops = await room.read(lambda _, desk: desk.organizations())
    data = [_organization(shop) for shop in shops]
    columns = ("id", "name", "country", "currency", "fee bps", "frozen", "features")
    rows = [(str(shop.id), shop.name, shop.country, shop.currency, str(shop.fee_bps), "frozen" if shop.frozen else "",
             " ".join(one["features"])) for shop, one in zip(shops, data, strict=True)]  # fmt: skip
    return Said(() if rows else ("no organization yet",), columns, rows, data)


async def member_set(room: Room, *, organization: str, person: str, role: str) -> Said:
    member = await room.write(lambda unit, desk: admin.set_member(unit, desk, DESK, organization, person, Party(role)))
    return Said((f"{person} is {member.party} of {organization}",), data={"person": member.person_id, "role": str(member.party)})


async def member_remove(room: Room, *, organization: str, person: str) -> Said:
    member = await room.write(lambda unit, desk: admin.remove_member(unit, desk, DESK, organization, person))
    return Said((f"{person} acts for {organization} no more",), data={"person": member.person_id, "was": str(member.party)})


async def member_list(room: Room, *, organization: str) -> Said:
    def found(unit: Any, desk: Any) -> list[tuple[str, str, str, str]]:
        shop = admin.find_organization(desk, organization)
        return [
            (_address(unit, member.person_id), unit.people.get(member.person_id).name, str(member.party), when(member.created_at))
            for member in unit.organizations.members(shop.id)
        ]

    rows = await room.read(found)
    columns = ("telegram id", "name", "role", "since")
    return Said((), columns, rows, [dict(zip(("telegram_id", "name", "role", "since"), row, strict=True)) for row in rows])


def _address(unit: Any, person_id: int) -> str:
    channels = unit.people.channels(person_id)
    return str(channels[0].address) if channels else ""


def _key(key: ApiKey) -> dict[str, Any]:
    return {
        "prefix": key.prefix,
        "name": key.name,
        "made": when(key.created_at),
        "expires": when(key.expires_at),
        "used": when(key.used_at),
        "revoked": when(key.revoked_at),
    }


async def api_key_create(room: Room, *, organization: str, name: str, owner: str, days: int) -> Said:
    def make(unit: Any, desk: Any) -> tuple[ApiKey, str]:
        shop = admin.find_organization(desk, organization)
        return api_keys.make_api_key(unit, admin.owner_of(unit, shop.id, owner), name, timedelta(days=days))

    key, text = await room.write(make)
    lines = (text, f"This is the only time it is shown. It opens until {when(key.expires_at)}.")
    return Said(lines, data={**_key(key), "key": text})


async def api_key_revoke(room: Room, *, prefix: str) -> Said:
    key = await room.write(lambda unit, _: api_keys.revoke_api_key(unit, admin.key_actor(unit, prefix), prefix))
    return Said((f"the key {key.prefix} ({key.name}) opens nothing any more",), data=_key(key))


async def api_key_revoke_all(room: Room, *, organization: str) -> Said:
    keys = await room.write(lambda unit, desk: admin.revoke_every_api_key(unit, desk, DESK, organization))
    return Said(
        tuple(f"the key {key.prefix} ({key.name}) opens nothing any more" for key in keys) or ("no key was open",),
        data=[_key(key) for key in keys],
    )


async def api_key_list(room: Room, *, organization: str) -> Said:
    keys = await room.read(lambda _, desk: desk.api_keys(admin.find_organization(desk, organization).id))
    data = [_key(key) for key in keys]
    return Said(() if keys else ("no key yet",), tuple(data[0]) if data else (), [tuple(one.values()) for one in data], data)


async def feature(room: Room, *, organization: str, name: str, on: bool) -> Said:
    shop = await room.write(lambda unit, desk: admin.set_feature(unit, desk, DESK, organization, name, on))
    return Said((f"{name} is {'on' if on else 'off'} for {shop.name}",), data=_organization(shop))


async def freeze(room: Room, *, organization: str, frozen: bool) -> Said:
    shop = await room.write(lambda unit, desk: admin.freeze(unit, desk, DESK, organization, frozen))
    said = "is frozen: what is held stays held" if frozen else "is not frozen any more: the clock releases again"
    return Said((f"{shop.name} {said}",), data=_organization(shop))


async def admins_set(room: Room, *, person: str, on: bool) -> Said:
    people = await room.write(lambda unit, _: admin.set_admin(unit, DESK, person, on))
    return _admins(people)


async def admins_list(room: Room) -> Said:
    return _admins(await room.read(lambda unit, _: admin.admins(unit)))


def _admins(people: Sequence[Person]) -> Said:
    data = [{"id": person.id, "name": person.name} for person in people]
    if not people:
        return Said(("nobody gets the alerts: `payloom admin admins add TELEGRAM_ID` changes that",), data=data)
    return Said((f"alerts go to {', '.join(person.name for person in people)}",), data=data)


async def trust_clock(room: Room) -> Said:
    await room.write(lambda unit, _: admin.trust_clock(unit, DESK))
    told = "the clock is trusted from now on; start the worker (`run`, `town`) again, so that it measures from here"
    return Said((told,), data={"trusted": True})


async def never_prompt(room: Room, *, phone: str, never: bool) -> Said:
    number = read_phone(phone, room.house.settings.default_country)
    await room.write(lambda unit, _: payments.never_prompt(unit, DESK, number, never))
    said = "gets no M-Pesa prompt any more" if never else "may get M-Pesa prompts again"
    return Said((f"{number.masked} {said}",), data={"phone": number.masked, "never": never})
