"""What I bought."""

from __future__ import annotations

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs.home import shortcut
from usecases.views import purchases


def ask_list(turn: Turn) -> Screen:
    bought = purchases(turn.unit, turn.person.id, 8)
    if not bought:
        return Screen(turn.say("chat.purchases.none"), rows_of(turn.choice("buy"), turn.choice("home")))
    lines = [turn.say("chat.purchases.title"), ""]
    lines += [turn.say(f"chat.purchases.row.{order.state}", number=order.number, item=order.item, total=order.total) for order in bought]
    if turn.small:
        lines = lines[:1]
    choices = [Choice(f"{order.number} · {order.item[:24]}", f"o:{order.number}:card") for order in bought]
    return Screen("\n".join(lines), (*rows_of(*choices, per_row=1), *rows_of(turn.choice("home"))))


def take_list(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "buy":
        return Next("code", "buy", forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    return shortcut(turn, answer) or Next("list", note=turn.say("chat.pick_one"))


DIALOG = {"list": Step(ask_list, take_list)}
