"""Late money: what arrived after its checkout ended, and what the seller makes of it: accept and ship, or give it back (asked once more)."""

from __future__ import annotations

from typing import Final

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs.home import shortcut
from domain.late import LateState
from domain.person import ChannelKind
from templates.words import Words
from usecases.escrow import accept_late
from usecases.late import LateView, late_actor, late_view, refund_late

CARD, ACCEPT, REFUND = "late", "late_accept", "late_refund"
PRESSES: Final = frozenset({CARD, ACCEPT, REFUND})
"""What a button on a card of late money says after its number: `o:48219377:late_accept`."""

CHOICES: Final = ((LateState.ACCEPTED, ACCEPT), (LateState.REFUNDED, REFUND))


def _view(turn: Turn) -> LateView:
    return late_view(turn.unit, late_actor(turn.unit, turn.person.id, turn.data["late"], turn.channel), turn.data["late"])


def pressed(turn: Turn, number: str, act: str) -> Next:
    """A press on its card, wherever that stands. A sender of messages can be forged, so there it only shows the question."""
    if act == ACCEPT and turn.channel is not ChannelKind.SMS:
        return _accept(turn, number)
    return Next("refund" if act == REFUND else "card", "late", {"late": number}, forget=True)


def _accept(turn: Turn, number: str) -> Next:
    """Decided meanwhile, or by somebody who may not: the card as it is."""
    actor = late_actor(turn.unit, turn.person.id, number, turn.channel)
    if LateState.ACCEPTED not in late_view(turn.unit, actor, number).choices:
        return Next("card", "late", {"late": number}, forget=True)
    order = accept_late(turn.unit, actor, number)
    return Next("card" if turn.small else "done", "orders", {"number": order.number}, forget=True, note=turn.say("chat.late.taken"))


def late_text(t: Words, view: LateView, *, small: bool = False) -> str:
    """How it stands, and what happens by itself."""
    late, room = view.late, "ussd.late" if small else "chat.late"
    if late.state is LateState.WAITING:
        line = t.html(f"{room}.waits", total=late.money, item=view.item, count=view.quantity, name=view.name, when=late.decide_by)
        return f"{line}\n\n{t.html(f'{room}.gone')}" if view.gone else line
    key = f"chat.late.{late.state.lower()}"
    return t.html(key, total=late.money, item=view.item, name=view.name, number=view.order_number or late.number)


def ask_card(turn: Turn) -> Screen:
    view = _view(turn)
    choices = [turn.choice(key) for state, key in CHOICES if state in view.choices]
    order = Choice(turn.t("chat.do.open_order"), f"o:{view.order_number}:card") if view.order_number is not None else None
    return Screen(late_text(turn.t, view, small=turn.small), rows_of(*choices, order, turn.choice("orders"), turn.choice("home")))


def take_card(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return shortcut(turn, answer) or Next("card", note=turn.say("chat.pick_one"))
    if answer.text == ACCEPT:
        return _accept(turn, turn.data["late"])
    if answer.text == REFUND:
        return Next("refund")
    return Next("list", "orders", forget=True) if answer.text == "orders" else Next("menu", "home", forget=True)


def ask_refund(turn: Turn) -> Screen:
    view = _view(turn)
    if LateState.REFUNDED not in view.choices:
        return ask_card(turn)
    text = turn.say("chat.late.refund", total=view.late.money, name=view.name)
    return Screen(text, rows_of(turn.choice("yes_refund"), turn.choice("back")))


def take_refund(turn: Turn, answer: Answer) -> Next:
    view = _view(turn)
    if LateState.REFUNDED not in view.choices:
        return take_card(turn, answer)
    if answer.kind is Kind.CHOICE and answer.text == "yes_refund":
        refund_late(turn.unit, late_actor(turn.unit, turn.person.id, view.late.number, turn.channel), view.late.number)
    return Next("card")


DIALOG = {"card": Step(ask_card, take_card), "refund": Step(ask_refund, take_refund)}
