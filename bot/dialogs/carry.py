"""Carry on anywhere: what a code brings into this chat, what was begun on another channel, and where it went from here."""

from __future__ import annotations

from typing import Final

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of
from domain.gsm import cut
from domain.person import ChannelKind, Conversation
from domain.phone import Phone
from domain.ports import Unit
from usecases.carry import Carried, begun_elsewhere, fetch, leave_there, offer_by_text, take_to_chat

PREFIX: Final = "c_"
"""Of the start parameter in `t.me/<bot>?start=c_K7Q2M9`."""

MOST_NAME: Final = 40


def take_up(turn: Turn, code: str) -> Next:
    """Somebody brings a code from an SMS: what was begun with the keys of a phone goes on here."""
    carried = take_to_chat(turn.unit, code, turn.person, turn.channel, f"{turn.channel}:{turn.person.id}")
    turn.person = carried.person
    return _goes_on(turn, carried)


def _goes_on(turn: Turn, carried: Carried) -> Next:
    return Next(carried.step, carried.dialog, carried.data, forget=True, note=turn.say("chat.carry.here"))


def offer(turn: Turn) -> Next | None:
    """Whoever dials, and stands in the middle of something in the chat, may go on with the keys."""
    return Next("offer", "carry", forget=True, note=gone_elsewhere(turn)) if _elsewhere(turn) is not None else None


def gone_elsewhere(turn: Turn) -> str:
    """What was begun here went on elsewhere: said the next time they speak here, '' otherwise."""
    to = str(turn.data.get("moved", ""))
    return turn.say(f"chat.carry.moved.{to}") if turn.t.has(f"chat.carry.moved.{to}") else ""


def _elsewhere(turn: Turn) -> Conversation | None:
    small = turn.channel is ChannelKind.USSD
    return begun_elsewhere(turn.unit, turn.person, turn.channel, ChannelKind.TELEGRAM) if small else None


def _what(turn: Turn, place: Conversation) -> str:
    link = turn.unit.links.by_code(place.data["code"]) if place.data.get("code") else None
    name = link.name if link is not None else str(place.data.get("name", ""))
    return turn.say(f"chat.carry.what.{place.dialog}", name=cut(name, MOST_NAME))


def ask_offer(turn: Turn) -> Screen:
    place = _elsewhere(turn)
    if place is None:
        return Screen(turn.say("chat.carry.none"), rows_of(turn.choice("afresh")))
    return Screen(turn.say("chat.carry.offer", what=_what(turn, place)), rows_of(turn.choice("continue"), turn.choice("afresh")))


def take_offer(turn: Turn, answer: Answer) -> Next:
    place = _elsewhere(turn)
    if answer.kind is not Kind.CHOICE:
        return Next("offer", note=turn.say("chat.pick_one"))
    if place is not None and answer.text == "continue":
        return _goes_on(turn, fetch(turn.unit, place, turn.channel))
    if place is not None and answer.text == "afresh":
        leave_there(turn.unit, place, turn.channel)
    return Next("menu", "home", forget=True)


def session_ended(unit: Unit, session: str, phone: Phone) -> bool:
    """The network says that a USSD session is over: whether whoever was cut off in the middle gets an SMS with the way on."""
    person = unit.people.by_address(ChannelKind.SMS, phone.e164)
    place = None if person is None else unit.conversations.get(person.id, ChannelKind.USSD)
    if person is None or place is None or place.shown.get("session") != session or place.shown.get("ends"):
        return False
    return offer_by_text(unit, person, session)


DIALOG = {"offer": Step(ask_offer, take_offer)}
