"""Start: language, role, and for a seller the shop's name and phone. Under a minute."""

from __future__ import annotations

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.errors import BadInput
from domain.person import Language, Role
from domain.phone import read_phone
from usecases.people import open_shop, rename_shop, set_language, set_name, set_phone, set_role
from usecases.phones import NAMELESS, own_number

LABELS = {Language.EN: "English", Language.SW: "Kiswahili", Language.AR: "العربية"}


def ask_language(turn: Turn) -> Screen:
    sayable = [Choice(label, str(language)) for language, label in LABELS.items() if turn.says(language)]
    return Screen(turn.say("chat.start.language"), rows_of(*sayable, per_row=3))


def take_language(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE or answer.text not in set(Language):
        return Next("language", note=turn.say("chat.pick_one"))
    set_language(turn.unit, turn.person.id, Language(answer.text))
    return Next("role") if not turn.person.welcomed else Next("menu", "home", forget=True)


def ask_role(turn: Turn) -> Screen:
    return Screen(turn.say("chat.start.role"), rows_of(turn.choice("seller", "i_sell"), turn.choice("buyer", "i_buy")))


def take_role(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE or answer.text not in set(Role):
        return Next("role", note=turn.say("chat.pick_one"))
    if answer.text == Role.SELLER and turn.shop is None:
        return Next("shop")
    set_role(turn.unit, turn.person.id, Role(answer.text))
    return Next("name") if turn.person.name == NAMELESS else Next("menu", "home", forget=True)


def ask_name(turn: Turn) -> Screen:
    return Screen(turn.say("chat.start.name"))


def take_name(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.TEXT:
        return Next("name", note=turn.say("chat.type_words"))
    set_name(turn.unit, turn.person.id, answer.text)
    return Next("menu", "home", forget=True)


def ask_shop(turn: Turn) -> Screen:
    named = turn.person.name != NAMELESS
    return Screen(
        turn.say("chat.start.shop"), rows_of(Choice(turn.t("chat.do.use_name", name=turn.person.name), "mine") if named else None)
    )


def take_shop(turn: Turn, answer: Answer) -> Next:
    if answer.kind not in {Kind.TEXT, Kind.CHOICE}:
        return Next("shop", note=turn.say("chat.type_words"))
    name = turn.person.name if answer.kind is Kind.CHOICE else answer.text
    if turn.shop is None:
        open_shop(turn.unit, turn.person.id, name, turn.channel)
    else:
        rename_shop(turn.unit, turn.seller(), name)
    if turn.person.name == NAMELESS:
        set_name(turn.unit, turn.person.id, name)
    return _settled(turn) if turn.small else Next("phone")


def ask_phone(turn: Turn) -> Screen:
    return Screen(turn.say("chat.start.phone"), rows_of(turn.choice("skip")), contact=turn.t("chat.do.share_phone"))


def take_phone(turn: Turn, answer: Answer) -> Next:
    skips = {turn.t("chat.do.skip").casefold(), "skip"}
    if answer.kind in {Kind.TEXT, Kind.CONTACT} and answer.text.casefold() not in skips:
        phone = read_phone(answer.text, turn.unit.house.country)
        if answer.kind is Kind.CONTACT:
            turn.person = own_number(turn.unit, turn.person, phone)
        set_phone(turn.unit, turn.person.id, phone)
    elif answer.kind not in {Kind.CHOICE, Kind.TEXT}:
        raise BadInput("phone", "not_a_phone")
    return _settled(turn)


def _settled(turn: Turn) -> Next:
    """The shop stands; on to what was wanted when it was asked for."""
    onward = turn.data.get("onward")
    if onward == "sell":
        return Next("name", "sell", forget=True)
    return Next("menu", "home", forget=True, note=turn.say("chat.start.ready"))


DIALOG = {
    "language": Step(ask_language, take_language),
    "role": Step(ask_role, take_role),
    "name": Step(ask_name, take_name),
    "shop": Step(ask_shop, take_shop),
    "phone": Step(ask_phone, take_phone),
}
