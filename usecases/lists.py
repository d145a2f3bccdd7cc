"""What was paid by hand and never told: the gateway's own list of the last hours, and where by-hand payments are switched on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from domain.by_hand import HandGateway, Told
from domain.ids import OrganizationId
from domain.payment import Unreadable
from domain.ports import Store, Unit
from domain.records import RawEvent
from domain.rights import Action, Actor, require
from usecases.by_hand import INBOX, LISTED, event_key, receive_told
from usecases.gateways import PLATFORM, credentials_of
from usecases.strays import GATEWAY

OWNERS: Final = "by_hand_owners"
EVERY: Final = timedelta(minutes=10)
OVERLAP: Final = timedelta(hours=1)
"""Lists are not complete at their newer end at once."""

REACHES: Final = timedelta(hours=47)
FIRST: Final = timedelta(hours=24)


def mark_of(owner: OrganizationId) -> str:
    return f"by_hand:{owner}"


def switch_on(unit: Unit, actor: Actor, owner: OrganizationId, *, listed: bool) -> None:
    """The gateway knows our addresses for this owner's short code; `listed`: and gives us its list."""
    require(actor.party, Action.ADMINISTER)
    mark: dict[str, Any] = {**(unit.marks.get(mark_of(owner)) or {}), "registered": True}
    if listed:
        mark["list"] = True
    unit.marks.put(mark_of(owner), mark)
    owners = (unit.marks.get(OWNERS) or {}).get("owners", [])
    unit.marks.put(OWNERS, {"owners": sorted({*owners, owner})})
    unit.trail.add(f"organization:{owner}", actor, "by_hand_registered", gateway=GATEWAY, listed=listed)


async def register(
    store: Store, gateway: HandGateway, actor: Actor, owner: OrganizationId, token: str, *, unless_reached: bool, phone: str
) -> str:
    """Tell the gateway our addresses, and ask for its list where `phone` names the number it knows the account by. Empty, or the words key of
    what is wrong; `already_registered` switches on all the same, for its addresses are told once for ever.
    """
    credentials = await store.read(credentials_of, owner, GATEWAY, owner != PLATFORM)
    wrong = await gateway.register(credentials, token, unless_reached=unless_reached) or ""
    if wrong not in ("", "already_registered"):
        return wrong
    not_listed = await gateway.register_list(credentials, token, phone) if phone else None
    await store.write(switch_on, actor, owner, listed=bool(phone) and not_listed is None)
    return not_listed or wrong


@dataclass(frozen=True, slots=True)
class ListCall:
    """A list that is due: whose, and of which time."""

    owner: OrganizationId
    since: datetime
    until: datetime
    credentials: Mapping[str, str]


def due_lists(unit: Unit) -> Sequence[ListCall]:
    found = []
    for number in (unit.marks.get(OWNERS) or {}).get("owners", []):
        owner = OrganizationId(number)
        mark = unit.marks.get(mark_of(owner)) or {}
        last = datetime.fromisoformat(mark["listed_until"]) if "listed_until" in mark else unit.now - FIRST
        if not mark.get("list") or unit.now - last < EVERY or unit.settings.get(owner, GATEWAY) is None:
            continue
        credentials = credentials_of(unit, owner, GATEWAY, owner != PLATFORM)
        found.append(ListCall(owner, max(last - OVERLAP, unit.now - REACHES), unit.now, credentials))
    return found


def list_read(unit: Unit, owner: OrganizationId, until: datetime) -> None:
    unit.marks.put(mark_of(owner), {**(unit.marks.get(mark_of(owner)) or {}), "listed_until": until.isoformat()})


async def read_list(store: Store, gateway: HandGateway, call: ListCall) -> bool:
    """Each line in a unit of its own, once however often it is listed. False when there was no whole answer: then the time is asked for again."""
    lines = await gateway.listed(call.since, call.until, call.credentials)
    if lines is None:
        return False
    for line in lines:
        told: Told | None
        try:
            told = gateway.read_told(LISTED, line)
        except Unreadable:
            told = None
        event = RawEvent(INBOX, LISTED, line, "", {"owner": call.owner})
        await store.write(receive_told, event, event_key(LISTED, call.owner, line, told), call.owner, told)
    await store.write(list_read, call.owner, call.until)
    return True
