"""Carry on anywhere: what was begun on one channel goes on at the same step on another.

From a phone with keys the way leads over a short code in an SMS: whoever holds it proves the number, so a chat that brings it is the same person
by the rules of usecases/phones.py. The other way needs no code: the network says whose number dials.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from domain.codes import CARRY_LIVES, Code, carry_code, read_carry_code, spoken
from domain.errors import BadCode, LimitReached, NotFound, WrongCode
from domain.gsm import cut
from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.person import ChannelKind, Conversation, Person
from domain.ports import Unit
from domain.rights import Actor, Party
from usecases.codes import window_end
from usecases.people import shop_of
from usecases.phones import is_new, move_channels, tell_joined
from usecases.tell import text_person

FLOW: Final = "carry"
FACT: Final = "carry"
WEB: Final = "web"
MIDDLE: Final[Mapping[str, frozenset[str]]] = {
    "buy": frozenset({"quantity", "who", "address", "phone", "check", "other_phone", "waiting"}),
    "sell": frozenset({"price", "description", "photos", "stock", "check"}),
}
"""Where something would be lost, by dialog."""

SMALL_STEPS: Final[Mapping[str, str]] = {"description": "check", "photos": "check", "stock": "check"}
"""Steps of a sale that a screen without pictures leaves out: there the last one comes at once."""

TEXTS_A_DAY: Final = ("carry_texts", 86_400, 3)
WRONG: Final = ("carry_wrong", 3_600, 10)
REFUSED: Final = ("carry_refused", 172_800)
MOST_NAME: Final = 24


@dataclass(frozen=True, slots=True)
class Carried:
    """Where it goes on, and who it is from now on."""

    person: Person
    dialog: str
    step: str
    data: dict[str, Any]


def in_the_middle(unit: Unit, place: Conversation) -> bool:
    """Whether something was begun there that can go on elsewhere. A payment that rings ends by itself."""
    if place.step not in MIDDLE.get(place.dialog, frozenset()):
        return False
    checkout = place.data.get("checkout")
    return checkout is None or unit.checkouts.get(CheckoutId(checkout)).state is CheckoutState.OPEN


def offer_by_text(unit: Unit, person: Person, session: str) -> bool:
    """One SMS with a code to whoever was cut off; a few a day, one for a session, none for where they stood the last time."""
    place = unit.conversations.get(person.id, ChannelKind.USSD)
    if place is None or not in_the_middle(unit, place) or not _reached_by_text(unit, person):
        return False
    before, standing = unit.codes.of(FLOW, str(person.id)), {"dialog": place.dialog, "step": place.step, "data": place.data}
    if before is not None and before.data == standing and before.why_not(unit.now) is None:
        return False
    name, window_s, most = TEXTS_A_DAY
    if unit.limits.count(name, str(person.id), window_s, unit.now) > most:
        return False
    code = _fresh_code(unit)
    digest = unit.tokens.digest(spoken(FLOW, "", code))
    unit.codes.put(Code(FLOW, str(person.id), person.id, digest, standing, unit.now, unit.now + CARRY_LIVES))
    sealed = unit.seals.seal(code, _context(person.id))
    text_person(unit, person.id, FACT, session, sealed=sealed, dialog=place.dialog, name=_name_of(unit, place))
    return True


def carried_code(unit: Unit, person_id: int, sealed: str) -> str:
    """The code in a message that waits to be sent: in the clear it is kept nowhere."""
    return unit.seals.open(sealed, _context(person_id))


def look_at(unit: Unit, typed: str, asker: str) -> Carried:
    """What a code would bring, without taking it. A wrong one is counted against `asker`.

    Raises WrongCode, BadCode: carry_used, carry_expired, carry_over (it went on in the meantime); LimitReached.
    """
    _, owner, place = _found(unit, typed, asker)
    return Carried(owner, place.dialog, place.step, place.data)


def take_to_web(unit: Unit, typed: str, asker: str) -> Carried:
    """A purchase goes on in a browser, which is nobody in particular. Once. Raises as `look_at`, and NotFound for a sale: that needs a seller."""
    code, owner, place = _found(unit, typed, asker)
    if place.dialog != "buy":
        raise NotFound(what="page")
    return _moved(unit, code, owner, place, WEB)


def take_to_chat(unit: Unit, typed: str, person: Person, to: ChannelKind, asker: str) -> Carried:
    """It goes on in the chat that brings the code, which belongs to the owner of the number from now on, if one of the two has nothing to lose.

    Raises as `look_at`, and BadCode(carry_other) where two people stay two and what was begun belongs to the first.
    """
    code, owner, place = _found(unit, typed, asker)
    joined = _joined(unit, person, owner)
    if joined is None:
        if place.dialog != "buy" or "checkout" in place.data:
            raise BadCode(reason="carry_other")
        return replace(_moved(unit, code, owner, place, to), person=person)
    return replace(_moved(unit, code, owner, place, to), person=joined)


def begun_elsewhere(unit: Unit, person: Person, here: ChannelKind, elsewhere: ChannelKind) -> Conversation | None:
    """What the same person began on another channel not long ago, unless they have said that they will not go on with it here."""
    place = unit.conversations.get(person.id, elsewhere)
    if place is None or unit.now - place.updated_at > CARRY_LIVES or not in_the_middle(unit, place):
        return None
    name, window_s = REFUSED
    return None if unit.limits.seen(name, _standing(place, here), window_s, unit.now) else place


def leave_there(unit: Unit, place: Conversation, here: ChannelKind) -> None:
    """They start over here: they are not asked again about the same."""
    name, window_s = REFUSED
    unit.limits.count(name, _standing(place, here), window_s, unit.now)


def fetch(unit: Unit, place: Conversation, here: ChannelKind) -> Carried:
    """What the same person began elsewhere goes on here."""
    return _taken(unit, unit.people.get(place.person_id), place, here)


def _standing(place: Conversation, here: ChannelKind) -> str:
    return f"{place.person_id}:{place.channel}:{here}:{place.version}"


def _found(unit: Unit, typed: str, asker: str) -> tuple[Code, Person, Conversation]:
    name, window_s, most = WRONG
    if unit.limits.seen(name, asker, window_s, unit.now) >= most:
        raise LimitReached(limit=name, retry_at=window_end(unit.now, window_s))
    bare = read_carry_code(typed)
    code = None if bare is None else _by_code(unit, bare)
    if code is None or code.person_id is None:
        unit.limits.count(name, asker, window_s, unit.now)
        raise WrongCode(reason="carry_unknown")
    why_not = code.why_not(unit.now)
    if why_not is not None:
        raise BadCode(reason=f"carry_{why_not}")
    place = unit.conversations.get(code.person_id, ChannelKind.USSD)
    if place is None or not in_the_middle(unit, place):
        raise BadCode(reason="carry_over")
    return code, unit.people.get(code.person_id), place


def _by_code(unit: Unit, bare: str) -> Code | None:
    found = (unit.codes.by_digest(FLOW, digest) for digest in unit.tokens.digests(spoken(FLOW, "", bare)))
    return next((code for code in found if code is not None), None)


def _moved(unit: Unit, code: Code, owner: Person, place: Conversation, to: str) -> Carried:
    unit.codes.save(replace(code, used_at=unit.now))
    unit.trail.add(f"person:{owner.id}", Actor(Party.BUYER, to, owner.id), "carried_on", dialog=place.dialog, to=to)
    return _taken(unit, owner, place, to)


def _taken(unit: Unit, owner: Person, place: Conversation, to: str) -> Carried:
    """Over on the old channel, which says so the next time; the step as the new one can show it."""
    unit.conversations.put(replace(place, dialog="home", step="menu", data={"moved": to}, updated_at=unit.now))
    small = to in {ChannelKind.USSD, ChannelKind.SMS}
    step = SMALL_STEPS.get(place.step, place.step) if small and place.dialog == "sell" else place.step
    return Carried(owner, place.dialog, step, place.data)


def _joined(unit: Unit, chat: Person, owner: Person) -> Person | None:
    """Who the two are as one; None where both have something to lose, or the owner has a chat already.

    The number is told of it: it may have been somebody else who read the SMS.
    """
    if chat.id == owner.id:
        return owner
    if any(channel.kind is ChannelKind.TELEGRAM for channel in unit.people.channels(owner.id)):
        return None
    if is_new(unit, chat):
        one = move_channels(unit, chat, owner)
    elif is_new(unit, owner) and shop_of(unit, owner.id) is None:
        one = move_channels(unit, owner, chat)
    else:
        return None
    tell_joined(unit, one, chat, owner, FLOW)
    return one


def _fresh_code(unit: Unit) -> str:
    code = carry_code(unit.chance(64))
    while _by_code(unit, code) is not None:
        code = carry_code(unit.chance(64))
    return code


def _reached_by_text(unit: Unit, person: Person) -> bool:
    return any(way.kind is ChannelKind.SMS for _, way in unit.people.reach(person.id))


def _name_of(unit: Unit, place: Conversation) -> str:
    code = place.data.get("code", "")
    link = unit.links.by_code(code) if code else None
    return cut(link.name if link is not None else str(place.data.get("name", "")), MOST_NAME)


def _context(person_id: int) -> str:
    return f"carry:{person_id}"
