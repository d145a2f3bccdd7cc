"""Who is told of a fact: one outbox row per person and channel, written in the unit that makes the fact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from domain.facts import FACTS
from domain.ids import OrderId, OutboxId, PersonId
from domain.life import OutboxState
from domain.order import Order
from domain.person import ChannelKind, Language
from domain.ports import Unit
from domain.records import OutboxMessage
from domain.rights import CLOCK, Actor
from usecases.people import arrive

OUTBOX = "outbox"
ADMINS = "admins"


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
    reach: list[tuple[PersonId, ChannelKind, str]] = []
    if seller:
        reach += [(person, kind, "seller") for person, kind in preferred(unit.people.reach_members(order.organization_id))]
    if buyer and order.buyer_id is not None:
        reach += [(person, kind, "buyer") for person, kind in preferred(unit.people.reach(order.buyer_id))]
    messages = [
        _message(unit, fact, f"{fact}:{order.id}:{once or order.version}:{side}", person, kind, {"side": side, **facts}, order.id)
        for person, kind, side in reach
    ]
    _post(unit, messages)


def tell_person(unit: Unit, person_id: PersonId | None, fact: str, key: str, /, **facts: Any) -> None:
    if person_id is None:
        return
    _post(unit, [_message(unit, fact, f"{fact}:{key}", person, kind, facts) for person, kind in preferred(unit.people.reach(person_id))])


def text_person(unit: Unit, person_id: PersonId, fact: str, key: str, /, **facts: Any) -> None:
    """By SMS, whatever else reaches them: for what was asked for on the phone itself."""
    _post(unit, [_message(unit, fact, f"{fact}:{key}", person_id, ChannelKind.SMS, facts)])


def tell_another_way(unit: Unit, message: OutboxMessage) -> None:
    """The channel is gone: the same fact by the next best one. A screen belongs to the channel it was asked for on."""
    left = [kind for _, kind in preferred(unit.people.reach(message.person_id)) if kind is not message.channel]
    if left and message.fact != "screen":
        again = replace(
            message, id=OutboxId(unit.new_id()), channel=left[0], state=OutboxState.WAITING, act_at=unit.now, tries=0, error="", version=0
        )
        _post(unit, [again])


_PREFERENCE: Final = (ChannelKind.TELEGRAM, ChannelKind.SMS, ChannelKind.EMAIL)


def preferred(reach: Sequence[tuple[PersonId, ChannelKind]]) -> list[tuple[PersonId, ChannelKind]]:
    """One way for each person, the best that works: a chat shows the most and costs nothing, an SMS reaches any phone."""
    best: dict[PersonId, ChannelKind] = {}
    for person, kind in sorted(reach, key=lambda one: _PREFERENCE.index(one[1])):
        best.setdefault(person, kind)
    return list(best.items())


def alert(unit: Unit, what: str, key: str, /, **facts: Any) -> None:
    """Something a person who runs the house must look at: kept in the trail of alerts and sent to the admin chat."""
    mark = unit.marks.get(ADMINS) or {}
    people = [PersonId(number) for number in mark.get("persons", ())]
    unit.trail.add(f"alert:{what}:{key}", CLOCK, what, key=key, **facts)
    for person_id in people:
        tell_person(unit, person_id, "alert", f"{what}:{key}", what=what, **facts)
    unit.wake("alert", what=what, key=key)


def _message(
    unit: Unit, fact: str, key: str, person_id: PersonId, kind: ChannelKind, facts: dict[str, Any], order_id: OrderId | None = None
) -> OutboxMessage:
    return OutboxMessage(
        id=OutboxId(unit.new_id()),
        fact=fact,
        key=key,
        person_id=person_id,
        channel=kind,
        urgency=int(FACTS[fact].urgency),
        payload=facts,
        state=OutboxState.WAITING,
        created_at=unit.now,
        act_at=unit.now,
        order_id=order_id,
    )


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
