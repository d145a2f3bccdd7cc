"""The owner's own accounts at gateways: set up field by field, tried before they are kept, shown without secrets, and left. On Telegram only.

What is typed is sealed between the answers, its messages are deleted from the chat, and the stored updates are emptied (bot/mouths/vault.py).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.credentials import Field, read_credential
from domain.errors import NotFound
from domain.person import ChannelKind, Conversation
from domain.ports import Unit
from domain.rights import Action, Actor, allowed
from usecases.gateways import (
    OwnAccount,
    count_trial,
    hook_url,
    may_redirect,
    open_draft,
    own_account,
    own_organization,
    save_credentials,
    seal_draft,
    stop_using,
)
from usecases.people import member_actor, shop_of

NAME = "gateway"
_TRYING = "trying"


def offered(turn: Turn) -> bool:
    """To an owner in a private chat that can delete what was typed; never on a phone of a few lines, whose network keeps every word."""
    shop = turn.shop if turn.channel is ChannelKind.TELEGRAM and turn.fields else None
    return shop is not None and allowed(member_actor(turn.unit, turn.person.id, shop.id, turn.channel).party, Action.CONFIGURE)


def _owner(turn: Turn) -> Actor:
    """Asked for at every step: a right can be lost in the middle."""
    if turn.channel is not ChannelKind.TELEGRAM:
        raise NotFound(what="gateway_settings")
    actor = turn.seller()
    own_organization(actor)
    return actor


def _chosen(turn: Turn) -> tuple[Actor, str, Sequence[Field]]:
    actor, gateway = _owner(turn), str(turn.data.get("gateway", ""))
    if gateway not in turn.fields:
        raise NotFound(what="gateway_settings")
    return actor, gateway, turn.fields[gateway]


def _account(turn: Turn, actor: Actor, gateway: str) -> OwnAccount | None:
    return own_account(turn.unit, actor, gateway, [field.name for field in turn.fields[gateway] if not field.secret])


def _name(turn: Turn, gateway: str) -> str:
    return turn.t(f"chat.gateway.name.{gateway}")


def ask_list(turn: Turn) -> Screen:
    actor, lines = _owner(turn), [turn.say("chat.gateway.list"), ""]
    for gateway in turn.fields:
        account = _account(turn, actor, gateway)
        state = "none" if account is None else "used" if account.used else "unused"
        lines.append(turn.say(f"chat.gateway.state_{state}", name=_name(turn, gateway)))
    choices = [Choice(_name(turn, gateway), gateway) for gateway in turn.fields]
    return Screen("\n".join(lines), rows_of(*choices, turn.choice("back")))


def take_list(turn: Turn, answer: Answer) -> Next:
    _owner(turn)
    if answer.kind is Kind.CHOICE and answer.text in turn.fields:
        return Next("one", data={"gateway": answer.text}, forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "settings", forget=True)
    return Next("list", note=turn.say("chat.pick_one"))


def ask_one(turn: Turn) -> Screen:
    actor, gateway, _ = _chosen(turn)
    account, name = _account(turn, actor, gateway), _name(turn, gateway)
    lines = [turn.say("chat.gateway.saved", name=name), ""] if turn.data.get("saved") else []
    if account is None:
        lines.append(turn.say("chat.gateway.about", name=name))
    else:
        lines.append(turn.say("chat.gateway.yours" if account.used else "chat.gateway.yours_unused", name=name))
        lines += [turn.say("chat.gateway.shown", field=_label(turn, gateway, key), value=value) for key, value in account.shown.items()]
        lines.append(turn.say("chat.gateway.secrets"))
        if account.tested_at is not None:
            lines.append(turn.say("chat.gateway.tested", when=account.tested_at))
    url = hook_url(turn.unit.house, turn.unit.tokens, gateway, own_organization(actor))
    lines += ["", turn.say("chat.gateway.hook", name=name, url=url) if url else turn.say("chat.gateway.no_hook", name=name)]
    copy = Choice(turn.t("chat.gateway.copy"), copy=url) if url else None
    leave = turn.choice("gateway_leave") if account is not None and account.used else None
    set_up = turn.choice("gateway_set" if account is None else "gateway_replace")
    return Screen("\n".join(lines), rows_of(set_up, copy, leave, turn.choice("back")))


def take_one(turn: Turn, answer: Answer) -> Next:
    actor, gateway, _ = _chosen(turn)
    if answer.kind is not Kind.CHOICE:
        return Next("one", note=turn.say("chat.pick_one"))
    if answer.text not in {"gateway_set", "gateway_replace", "gateway_leave"}:
        return Next("list", forget=True)
    may_redirect(turn.unit, actor)
    return Next("leave", data={"gateway": gateway}, forget=True) if answer.text == "gateway_leave" else _from_the_first(turn, gateway)


def _label(turn: Turn, gateway: str, name: str) -> str:
    return turn.t(f"chat.gateway.field.{gateway}.{name}")


def _from_the_first(turn: Turn, gateway: str) -> Next:
    return Next("field", data={"gateway": gateway, "at": 0, "typed": seal_draft(turn.unit, turn.person.id, gateway, {})}, forget=True)


def _field(turn: Turn) -> tuple[str, Sequence[Field], int]:
    _, gateway, fields = _chosen(turn)
    at = turn.data.get("at")
    if not isinstance(at, int) or not 0 <= at < len(fields):
        raise NotFound(what="gateway_settings")
    return gateway, fields, at


def ask_field(turn: Turn) -> Screen:
    gateway, fields, at = _field(turn)
    field = fields[at]
    lines = [
        turn.say("chat.gateway.step", name=_name(turn, gateway), number=at + 1, count=len(fields)),
        turn.say("chat.gateway.ask" if field.needed else "chat.gateway.ask_maybe", field=_label(turn, gateway, field.name)),
        "",
        turn.say("chat.gateway.deleted_at_once"),
    ]
    options = [Choice(option, option) for option in field.options]
    skip = None if field.needed else turn.choice("skip")
    return Screen("\n".join(lines), rows_of(*options, skip, turn.choice("cancel"), per_row=3), numbers=True)


def take_field(turn: Turn, answer: Answer) -> Next:
    """Every typed answer is deleted, the harmless ones too: who pastes the wrong one of two has not shown it to anybody."""
    turn.conceal = answer.kind is Kind.TEXT
    gateway, fields, at = _field(turn)
    field = fields[at]
    if answer.kind is Kind.CHOICE and answer.text == "cancel":
        return _dropped(turn, gateway)
    if answer.kind is Kind.CHOICE and answer.text != "skip" and answer.text not in field.options:
        return Next("field", note=turn.say("chat.pick_one"))
    if answer.kind not in {Kind.TEXT, Kind.CHOICE} or (answer.text == "skip" and field.needed and answer.kind is Kind.CHOICE):
        return Next("field", note=turn.say("chat.type_words"))
    typed = open_draft(turn.unit, turn.person.id, gateway, str(turn.data.get("typed", "")))
    if answer.kind is Kind.TEXT or answer.text != "skip":
        typed[field.name] = read_credential(field, answer.text)
    sealed = seal_draft(turn.unit, turn.person.id, gateway, typed)
    if at + 1 < len(fields):
        return Next("field", data={"at": at + 1, "typed": sealed})
    return _try(turn, sealed)


def _try(turn: Turn, sealed: str) -> Next:
    count_trial(turn.unit, _owner(turn))
    turn.trial = True
    return Next(_TRYING, data={"typed": sealed, "wrong": ""})


def _dropped(turn: Turn, gateway: str) -> Next:
    return Next("one", data={"gateway": gateway}, forget=True, note=turn.say("chat.gateway.dropped"))


def ask_trying(turn: Turn) -> Screen:
    _, gateway, _ = _chosen(turn)
    wrong = turn.data.get("wrong")
    key = "chat.gateway.trying" if not wrong else "chat.gateway.away" if wrong == "try_later" else "chat.gateway.refused"
    type_again = turn.choice("gateway_again") if wrong else None
    return Screen(turn.say(key, name=_name(turn, gateway)), rows_of(turn.choice("try_again"), type_again, turn.choice("cancel")))


def take_trying(turn: Turn, answer: Answer) -> Next:
    turn.conceal = answer.kind is Kind.TEXT
    _, gateway, _ = _chosen(turn)
    if answer.kind is Kind.CHOICE and answer.text == "try_again":
        return _try(turn, str(turn.data.get("typed", "")))
    if answer.kind is Kind.CHOICE and answer.text == "gateway_again":
        return _from_the_first(turn, gateway)
    return _dropped(turn, gateway) if answer.kind is Kind.CHOICE else Next(_TRYING, note=turn.say("chat.pick_one"))


def ask_leave(turn: Turn) -> Screen:
    _, gateway, _ = _chosen(turn)
    return Screen(turn.say("chat.gateway.leave", name=_name(turn, gateway)), rows_of(turn.choice("yes_leave"), turn.choice("back")))


def take_leave(turn: Turn, answer: Answer) -> Next:
    actor, gateway, _ = _chosen(turn)
    if answer.kind is not Kind.CHOICE:
        return Next("leave", note=turn.say("chat.pick_one"))
    if answer.text == "yes_leave":
        stop_using(turn.unit, actor, gateway)
        return Next("one", data={"gateway": gateway}, forget=True, note=turn.say("chat.gateway.left", name=_name(turn, gateway)))
    return Next("one", data={"gateway": gateway}, forget=True)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried, and the version of the conversation that asked for it."""

    place: Conversation
    gateway: str
    typed: Mapping[str, str]


def begin_trial(unit: Unit, place: Conversation) -> Trial | None:
    """None when the person has gone on since."""
    now = unit.conversations.get(place.person_id, place.channel)
    if now is None or (now.dialog, now.step, now.version) != (NAME, _TRYING, place.version):
        return None
    gateway = str(now.data["gateway"])
    return Trial(now, gateway, open_draft(unit, now.person_id, gateway, str(now.data["typed"])))


def end_trial(unit: Unit, trial: Trial, wrong: str | None) -> bool:
    """Kept, when it was accepted and the owner still waits for it; False when they have gone on, and nothing is kept."""
    now = unit.conversations.get(trial.place.person_id, trial.place.channel)
    if now is None or now.version != trial.place.version:
        return False
    if wrong is None:
        shop = shop_of(unit, now.person_id)
        if shop is None:
            raise NotFound(what="organization")
        actor = member_actor(unit, now.person_id, shop.id, now.channel)
        save_credentials(unit, actor, trial.gateway, trial.typed, tested=True)
        unit.conversations.put(replace(now, step="one", data={"gateway": trial.gateway, "saved": True}))
    else:
        unit.conversations.put(replace(now, data={**now.data, "wrong": wrong}))
    return True


DIALOG = {
    "list": Step(ask_list, take_list),
    "one": Step(ask_one, take_one),
    "field": Step(ask_field, take_field),
    _TRYING: Step(ask_trying, take_trying),
    "leave": Step(ask_leave, take_leave),
}
