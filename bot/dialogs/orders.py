"""Orders to work on: what waits first; accept, ship with courier and tracking, delivered, delivery code, refund."""

from __future__ import annotations

from bot.cards import order_choices, order_text, small_order_text
from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs import late
from bot.dialogs.home import shortcut
from domain.errors import BadInput, LimitReached
from domain.life import OrderState
from domain.order import MOST_CODE_TRIES, OrderAct
from domain.rights import Action, Actor
from templates.methods import method_name
from usecases.disputes import refund_dispute
from usecases.late import late_list
from usecases.orders import Confirmed, cancel_order, confirm_by_code, ship_order, the_order
from usecases.views import order_for, party_in_order, work_list

MOST_LISTED = 8
MOST_LATE = 4
"""Of those, what waits for a decision about late money; the first comes first."""


def _actor(turn: Turn) -> Actor:
    return party_in_order(turn.unit, turn.person.id, turn.data["number"], turn.channel)


def ask_list(turn: Turn) -> Screen:
    undecided = late_list(turn.unit, turn.seller(), MOST_LATE)
    orders = work_list(turn.unit, turn.seller(), MOST_LISTED - len(undecided))
    if not orders and not undecided:
        return Screen(turn.say("chat.orders.none"), rows_of(turn.choice("links"), turn.choice("home")))
    lines = [turn.say("chat.orders.title"), ""]
    lines += [
        turn.say("chat.late.row", item=view.item, total=view.late.money, name=view.name, when=view.late.decide_by) for view in undecided
    ]
    lines += (
        turn.say(f"chat.orders.row.{order.state}", number=order.number, item=order.item, total=order.total, name=order.buyer_name)
        for order in orders
    )
    if turn.small:
        lines = lines[:1]
    choices = [
        Choice(turn.t("chat.late.choice", total=view.late.money, item=view.item[:16]), f"o:{view.late.number}:{late.CARD}")
        for view in undecided
    ]
    choices += [Choice(f"{order.number} · {order.item[:24]}", f"o:{order.number}:card") for order in orders]
    return Screen("\n".join(lines), (*rows_of(*choices, per_row=1), *rows_of(turn.choice("home"))))


def take_list(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "links":
        return Next("list", "links", forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    return shortcut(turn, answer) or Next("list", note=turn.say("chat.pick_one"))


def ask_card(turn: Turn) -> Screen:
    view = order_for(turn.unit, _actor(turn), turn.data["number"])
    evidence = view.dispute.pictures if view.dispute is not None and view.order.state is OrderState.DISPUTED else ()
    return Screen(
        small_order_text(turn.t, view) if turn.small else order_text(turn.t, view),
        (*rows_of(*order_choices(turn.t, view)), *rows_of(turn.choice("orders"), turn.choice("home"))),
        picture=evidence[0] if evidence else None,
    )


def take_card(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "orders":
        return Next("list", forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    return shortcut(turn, answer) or Next("card", note=turn.say("chat.pick_one"))


def ask_done(turn: Turn) -> Screen:
    """After a step: one line. The order's card in the chat shows the rest by itself."""
    view = order_for(turn.unit, _actor(turn), turn.data["number"])
    method = method_name(turn.t, view.method)
    line = turn.say(f"chat.card.state_seller.{view.order.state}", number=view.order.number, method=method)
    if view.order.release_wanted and view.order.ended_at is None:
        line = turn.say("chat.orders.code_waiting", method=method)
    return Screen(line, rows_of(turn.choice("orders"), turn.choice("home")))


def ask_ship(turn: Turn) -> Screen:
    return Screen(turn.say("chat.orders.courier"), rows_of(turn.choice("no_courier"), turn.choice("back")))


def take_ship(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("card")
    if answer.kind is Kind.CHOICE:
        ship_order(turn.unit, _actor(turn), turn.data["number"])
        return Next("done")
    if answer.kind is not Kind.TEXT:
        return Next("ship", note=turn.say("chat.type_words"))
    return Next("tracking", data={"courier": answer.text[:60]})


def ask_tracking(turn: Turn) -> Screen:
    return Screen(turn.say("chat.orders.tracking", courier=turn.data["courier"]), rows_of(turn.choice("skip"), turn.choice("back")))


def take_tracking(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("ship")
    if answer.kind not in {Kind.TEXT, Kind.CHOICE}:
        return Next("tracking", note=turn.say("chat.type_words"))
    ship_order(turn.unit, _actor(turn), turn.data["number"], turn.data["courier"], answer.text if answer.kind is Kind.TEXT else "")
    return Next("done")


def ask_code(turn: Turn) -> Screen:
    order = the_order(turn.unit, _actor(turn), turn.data["number"], Action.WORK_ON_ORDER)
    if order.code_tries >= MOST_CODE_TRIES:
        return Screen(turn.say("chat.orders.code_locked"), rows_of(turn.choice("back")))
    return Screen(turn.say("chat.orders.code", count=MOST_CODE_TRIES - order.code_tries), rows_of(turn.choice("back")))


def take_code(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("card")
    if answer.kind is not Kind.TEXT:
        raise BadInput("code", "not_a_code", limit=6)
    try:
        done = confirm_by_code(turn.unit, _actor(turn), turn.data["number"], answer.text)
    except LimitReached:
        return Next("enter_code")
    if done is Confirmed.WRONG:
        return Next("enter_code", note=turn.say("chat.orders.code_wrong"))
    return Next("done", note="" if done is Confirmed.WAITING else turn.say(f"chat.orders.code_{done}"))


def ask_refund(turn: Turn) -> Screen:
    order = the_order(turn.unit, _actor(turn), turn.data["number"], Action.CANCEL_WITH_REFUND)
    return Screen(
        turn.say("chat.orders.refund", total=order.total, name=order.buyer_name), rows_of(turn.choice("yes_refund"), turn.choice("back"))
    )


def take_refund(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "yes_refund":
        actor, number = _actor(turn), turn.data["number"]
        order = the_order(turn.unit, actor, number, Action.CANCEL_WITH_REFUND)
        refund = refund_dispute if order.state is OrderState.DISPUTED else cancel_order
        refund(turn.unit, actor, number)
        return Next("done")
    return Next("card")


DIALOG = {
    "list": Step(ask_list, take_list),
    "card": Step(ask_card, take_card),
    "done": Step(ask_done, take_card),
    str(OrderAct.SHIP): Step(ask_ship, take_ship),
    "tracking": Step(ask_tracking, take_tracking),
    str(OrderAct.ENTER_CODE): Step(ask_code, take_code),
    str(OrderAct.REFUND): Step(ask_refund, take_refund),
}
