"""Wallet: available, held, history."""

from __future__ import annotations

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs.home import shortcut
from domain.money import Money
from usecases.views import wallet_view


def ask_balance(turn: Turn) -> Screen:
    view = wallet_view(turn.unit, turn.seller())
    lines = [turn.say("chat.wallet.title", shop=view.shop.name), ""]
    lines += [turn.say("chat.wallet.available", total=Money(minor, currency)) for currency, minor in sorted(view.available.items())]
    lines += [turn.say("chat.wallet.held", total=Money(minor, currency)) for currency, minor in sorted(view.held.items())]
    lines += [turn.say("chat.wallet.owed", total=Money(minor, currency)) for currency, minor in sorted(view.owed.items())]
    lines += ["", turn.say("chat.wallet.owed_note" if view.owed else "chat.wallet.held_note")]
    return Screen("\n".join(lines), rows_of(turn.choice("history"), turn.choice("orders"), turn.choice("home")))


def take_balance(turn: Turn, answer: Answer) -> Next:
    places = {"history": ("history", "wallet"), "orders": ("list", "orders"), "home": ("menu", "home"), "balance": ("balance", "wallet")}
    if answer.kind is Kind.CHOICE and answer.text in places:
        step, dialog = places[answer.text]
        return Next(step, dialog, forget=True)
    return shortcut(turn, answer) or Next("balance", note=turn.say("chat.pick_one"))


def ask_history(turn: Turn) -> Screen:
    view = wallet_view(turn.unit, turn.seller(), 15)
    lines = [turn.say("chat.wallet.history"), ""]
    for row in view.history:
        money = Money(-row["amount_minor"], row["currency"])
        lines.append(turn.say(f"chat.wallet.row.{row['kind']}", total=money, when=row["at"], number=row["number"]))
    if not view.history:
        lines.append(turn.say("chat.wallet.empty"))
    return Screen("\n".join(lines), rows_of(turn.choice("balance"), turn.choice("home")))


DIALOG = {"balance": Step(ask_balance, take_balance), "history": Step(ask_history, take_balance)}
