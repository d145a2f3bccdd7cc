"""Email: an address for letters, typed, proved by the code that was mailed there, and taken away by one choice."""

from __future__ import annotations

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of
from domain.email import hidden
from usecases.mail import address_of, ask_in_chat, confirm_in_chat, take_away, waiting_code


def ask_address(turn: Turn) -> Screen:
    address = address_of(turn.unit, turn.person.id)
    if address is None:
        said = "chat.email.ask" if turn.unit.house.mail else "chat.email.away"
        return Screen(turn.say(said), rows_of(turn.choice("home")))
    lines = [turn.say("chat.email.now", address=address), turn.say("chat.email.ask")]
    return Screen("\n\n".join(lines), rows_of(turn.choice("no_email"), turn.choice("home")))


def take_address(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "no_email":
        take_away(turn.unit, turn.person.id)
        return Next("menu", "home", forget=True, note=turn.say("chat.email.off"))
    if answer.kind is Kind.CHOICE or not turn.unit.house.mail:
        return Next("menu", "home", forget=True)
    if answer.kind is not Kind.TEXT:
        return Next("address", note=turn.say("chat.type_words"))
    return Next("code", data={"address": ask_in_chat(turn.unit, turn.person.id, answer.text)})


def ask_code(turn: Turn) -> Screen:
    """The code may have been asked for long ago: then what is typed is told why it opens nothing."""
    code = waiting_code(turn.unit, turn.person.id, order=False)
    address = str(code.data["address"]) if code is not None else turn.data.get("address", "")
    return Screen(
        turn.say("chat.email.code", address=address),
        rows_of(turn.choice("new_code"), turn.choice("other_email"), turn.choice("home")),
        numbers=True,
    )


def take_code(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "new_code" and "address" in turn.data:
        return Next("code", data={"address": ask_in_chat(turn.unit, turn.person.id, turn.data["address"])}, note=turn.say("chat.done"))
    if answer.kind is Kind.CHOICE and answer.text in {"new_code", "other_email"}:
        return Next("address", forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    if answer.kind is not Kind.TEXT:
        return Next("code", note=turn.say("chat.type_words"))
    if "@" in answer.text:
        return take_address(turn, answer)
    address = confirm_in_chat(turn.unit, turn.person.id, answer.text)
    return Next("menu", "home", forget=True, note=turn.say("chat.email.on", address=hidden(address)))


DIALOG = {"address": Step(ask_address, take_address), "code": Step(ask_code, take_code)}
