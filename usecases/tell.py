"""Who is told of a fact: one outbox row per person and channel, written in the unit that makes the fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from domain.facts import FACTS, Urgency
from domain.ids import OrderId, OrganizationId, OutboxId, PersonId
from domain.life import OutboxState
from domain.order import Order
from domain.person import ChannelKind, Language
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import CLOCK, Actor
from domain.wants import Way, best_way, is_wanted, told_at, zone_of
from usecases.events import publish_order
from usecases.people import arrive

OUTBOX = "outbox"
_TIED = frozenset({"screen", "carry", "joined", "pay_page"})
"""What belongs to the channel it was meant for, and says nothing on another."""

ADMINS = "admins"
UNWANTED = "unwanted"
"""The error of what a person does not want to hear: written down all the same, so that the audit finds it for everybody."""


def tell_order(
    unit: Unit,
    order: Order,
    fact: str,
    *,
    once: str = "",
    buyer: bool = True,
    seller: bool = True,
    actor: Actor | None = None,
    **facts: Any,
) -> None:
    """Tell both sides of an order (or one). `once` tells apart facts that may happen again, such as a second warning.

    Whoever did it sees it on the card, without being told in words what they have just done.
    """
    if actor is not None and actor.person_id is not None:
        facts["actor"] = actor.person_id
    reach: list[tuple[PersonId, Way, str]] = []
    if seller:
        reach += [(person, way, "seller") for person, way in preferred(unit.people.reach_members(order.organization_id))]
    if buyer and order.buyer_id is not None:
        reach += [(person, way, "buyer") for person, way in preferred(unit.people.reach(order.buyer_id))]
    messages = [
        _message(unit, fact, f"{fact}:{order.id}:{once or order.version}:{side}", person, way, {"side": side, **facts}, order.id)
        for person, way, side in reach
    ]
    _post(unit, messages)
    publish_order(unit, order, fact, f"{fact}:{order.id}:{once or order.version}")


def tell_person(unit: Unit, person_id: PersonId | None, fact: str, key: str, /, **facts: Any) -> None:
    if person_id is None:
        return
    _post(unit, [_message(unit, fact, f"{fact}:{key}", person, way, facts) for person, way in preferred(unit.people.reach(person_id))])


def tell_members(unit: Unit, organization_id: OrganizationId, fact: str, key: str, /, but: PersonId | None = None, **facts: Any) -> None:
    """Everybody who acts for a seller, but whoever did it."""
    reach = preferred(unit.people.reach_members(organization_id))
    _post(unit, [_message(unit, fact, f"{fact}:{key}", person, way, facts) for person, way in reach if person != but])


def text_person(unit: Unit, person_id: PersonId, fact: str, key: str, /, **facts: Any) -> None:
    """By SMS and at once, whatever else reaches them: for what was asked for on the phone itself."""
    _post(unit, [_message(unit, fact, f"{fact}:{key}", person_id, Way(ChannelKind.SMS), facts)])


def tell_another_way(unit: Unit, message: OutboxMessage) -> None:
    """The channel is gone: the same fact by the next best one. A screen belongs to the channel it was asked for on."""
    way = best_way(way for _, way in unit.people.reach(message.person_id) if way.kind is not message.channel)
    if way is not None and message.fact not in _TIED:
        again = replace(
            message, id=OutboxId(unit.new_id()), channel=way.kind, state=OutboxState.WAITING, act_at=unit.now, tries=0, sent_at=None,
            error="", ref=None, report="", version=0,
        )  # fmt: skip
        _post(unit, [again])


def preferred(reach: Sequence[tuple[PersonId, Way]]) -> list[tuple[PersonId, Way]]:
    """One way for each person who can be told, their wish first."""
    ways: dict[PersonId, list[Way]] = {}
    for person, way in reach:
        ways.setdefault(person, []).append(way)
    return [(person, best) for person, theirs in ways.items() if (best := best_way(theirs)) is not None]


def alert(unit: Unit, what: str, key: str, /, **facts: Any) -> None:
    """Something a person who runs the house must look at: kept in the trail of alerts and sent to the admin chat."""
    mark = unit.marks.get(ADMINS) or {}
    people = [PersonId(number) for number in mark.get("persons", ())]
    unit.trail.add(f"alert:{what}:{key}", CLOCK, what, key=key, **facts)
    for person_id in people:
        tell_person(unit, person_id, "alert", f"{what}:{key}", what=what, **facts)
    unit.wake("alert", what=what, key=key)


def _message(
    unit: Unit, fact: str, key: str, person_id: PersonId, way: Way, facts: dict[str, Any], order_id: OrderId | None = None
) -> OutboxMessage:
    urgency = FACTS[fact].urgency
    wanted = is_wanted(way.wants, urgency)
    return OutboxMessage(
        id=OutboxId(unit.new_id()),
        fact=fact,
        key=key,
        person_id=person_id,
        channel=way.kind,
        urgency=int(urgency),
        payload=facts,
        state=OutboxState.WAITING if wanted else OutboxState.SKIPPED,
        created_at=unit.now,
        act_at=_due(unit, way, urgency),
        order_id=order_id,
        error="" if wanted else UNWANTED,
    )


def _due(unit: Unit, way: Way, urgency: Urgency) -> datetime:
    if not way.wants.quiet:
        return unit.now
    return told_at(way.wants, urgency, unit.now, zone_of(way.wants, way.phone, unit.house.country))


def _post(unit: Unit, messages: Sequence[OutboxMessage]) -> None:
    if messages:
        unit.outbox.add(messages)
        unit.wake(OUTBOX)


def keep_admin_chat(unit: Unit, kind: ChannelKind, address: str) -> None:
    """The chat that hears alerts, from the settings. Nothing happens when it is empty or known."""
    if not address:
        return
    person = arrive(unit, kind, address, ADMINS, Language.EN)
    listening = (unit.marks.get(ADMINS) or {}).get("persons", [])
    if person.id not in listening:
        unit.marks.put(ADMINS, {"persons": [*listening, person.id]})
