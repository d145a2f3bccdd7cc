"""Practice: a whole sale with pretend money, as seller and as buyer, in the words and looks of a real one.

Everything stands in the conversation's data. Nothing here calls a use case that writes, so that no link, order, message or booking comes of it.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from bot.cards import order_text, small_order_text
from bot.dialog import Answer, Ask, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs import sell
from domain.ids import AttemptId, CheckoutId, DisputeId, LinkId, OrderId, OrganizationId
from domain.life import DisputeState, EscrowState, OrderState
from domain.money import Money
from domain.order import RELEASE_AFTER, Dispute, Due, Order, OrderAct, Reason, order_acts
from domain.payment import Method
from domain.person import clean_text
from domain.phone import Phone
from domain.rights import MEMBERS, Party
from templates.methods import method_name
from usecases.disputes import MOST_WORDS
from usecases.views import OrderView

NUMBER: Final = "12345678"
CODE: Final = "PL-00000"
"""No real code has a nought in it."""

PHONE: Final = Phone("+254712345678")
LONG_AGO: Final = timedelta(minutes=5)
_HOME: Final = Next("menu", "home", forget=True)
_SELLS: Final = frozenset({OrderAct.ACCEPT, OrderAct.SHIP, OrderAct.DELIVERED, OrderAct.REFUND})
_BUYS: Final = frozenset({OrderAct.CONFIRM, OrderAct.PROBLEM})
_ENDED: Final = frozenset({OrderState.COMPLETED, OrderState.REFUNDED})
_BY_ACT: Final = {
    "act_accept": OrderState.ACCEPTED, "act_delivered": OrderState.DELIVERED, "yes_confirm": OrderState.COMPLETED,
    "yes_refund": OrderState.REFUNDED,
}  # fmt: skip
_ESCROW: Final = {
    OrderState.COMPLETED: EscrowState.RELEASED, OrderState.REFUNDED: EscrowState.REFUNDED, OrderState.DISPUTED: EscrowState.DISPUTED,
}  # fmt: skip


def _marked(ask: Ask) -> Ask:
    """Every screen says what it is."""

    def marked(turn: Turn) -> Screen:
        screen, gap = ask(turn), "\n" if turn.small else "\n\n"
        return replace(screen, text=f"{turn.say('chat.practice.mark')}{gap}{screen.text}", picture=None, fresh=False)

    return marked


def _shop(turn: Turn) -> str:
    shop = turn.shop
    return shop.name if shop is not None else turn.t("chat.practice.shop")


def _price(turn: Turn) -> Money:
    return Money(turn.data["price"], turn.data["currency"])


def _stands(turn: Turn) -> OrderState:
    return OrderState(turn.data.get("stands", OrderState.PAID))


def _view(turn: Turn, party: Party) -> OrderView:
    """The pretend order as one side sees it: the same value that a real one is."""
    stands, began = _stands(turn), turn.unit.now - LONG_AGO
    order = Order(
        OrderId(0), NUMBER, CheckoutId(0), AttemptId(0), OrganizationId(0), LinkId(0), None, PHONE, turn.t("chat.practice.buyer"), "", "",
        turn.t.language, turn.data["name"], 1, _price(turn), stands, _ESCROW.get(stands, EscrowState.HELD), False, "123456", began,
        proved=True,
        accepted_at=None if stands is OrderState.PAID else began,
        shipped_at=None if stands in {OrderState.PAID, OrderState.ACCEPTED} else began,
        delivered_at=None if stands in {OrderState.PAID, OrderState.ACCEPTED, OrderState.SHIPPED} else began,
        ended_at=turn.unit.now if stands in _ENDED else None,
        courier=str(turn.data.get("courier", "")),
        before_dispute=OrderState.DELIVERED if stands is OrderState.DISPUTED else None,
        due=Due.RELEASE if stands is OrderState.DELIVERED else None,
        due_at=began + RELEASE_AFTER if stands is OrderState.DELIVERED else None,
    )  # fmt: skip
    dispute = None
    if stands is OrderState.DISPUTED:
        reason, said = Reason(turn.data.get("reason", Reason.OTHER)), str(turn.data.get("words", ""))
        dispute = Dispute(DisputeId(0), order.id, order.organization_id, reason, said, (), DisputeState.OPEN, turn.unit.now)
    acts = order_acts(order, party, turn.unit.now)
    return OrderView(order, _shop(turn), CODE, party, acts, dispute, None, None, None, "", "", None, f"{NUMBER}-00000")


def _card(turn: Turn, party: Party, *choices: Choice) -> Screen:
    view = _view(turn, party)
    intro = turn.say(f"chat.practice.{'seller' if party in MEMBERS else 'buyer'}_card")
    body = small_order_text(turn.t, view) if turn.small else order_text(turn.t, view)
    played = _SELLS if party in MEMBERS else _BUYS
    # Plain keys: those of a real card would reach a real order.
    acts = [Choice(turn.t(f"chat.act.{act}"), f"act_{act}") for act in view.acts if act in played]
    if OrderAct.REFUND in view.acts and view.order.state is not OrderState.DISPUTED:
        acts = [choice for choice in acts if choice.key != "act_refund"]
    return Screen(f"{intro}\n{body}", rows_of(*acts, *choices, turn.choice("home")))


def ask_intro(turn: Turn) -> Screen:
    return Screen(turn.say("chat.practice.intro"), rows_of(turn.choice("practice_go"), turn.choice("home")))


def take_intro(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text in {"practice_go", "practice_again"}:
        return Next("name", forget=True)
    return _HOME if answer.kind is Kind.CHOICE else Next("intro", note=turn.say("chat.pick_one"))


def _in_practice(step: Next) -> Next:
    """Where a step of a real sale leads, in this one: what it would ask beside name and price is left out."""
    if step.dialog not in {"", "sell"}:
        return step
    onward = step.step if step.step in {"name", "price"} else "check"
    data = {name: value for name, value in step.data.items() if name not in {"pictures", "digital"}}
    return Next(onward, "practice", data, note=step.note)


def take_name(turn: Turn, answer: Answer) -> Next:
    return _in_practice(sell.take_name(turn, answer))


def take_price(turn: Turn, answer: Answer) -> Next:
    return _in_practice(sell.take_price(turn, answer))


def ask_check(turn: Turn) -> Screen:
    words: Any = {name: turn.data[name] for name in ("name", "price", "currency")}
    shown = sell.ask_check(replace(turn, data=words))
    return Screen(shown.text, rows_of(turn.choice("create"), turn.choice("edit_name"), turn.choice("edit_price"), turn.choice("cancel")))


def take_check(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("check", note=turn.say("chat.sell.check_hint"))
    return {"create": Next("done"), "edit_name": Next("name"), "edit_price": Next("price")}.get(answer.text, _HOME)


def ask_done(turn: Turn) -> Screen:
    house = turn.unit.house
    url = f"{house.base_url}/buy/{CODE}"
    text = turn.say("chat.sell.done", name=turn.data["name"], price=_price(turn), code=CODE, url=url, dial=house.ussd_code)
    return Screen(text, rows_of(turn.choice("practice_buyer"), turn.choice("home")))


def take_done(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"practice_buyer": Next("buy")}, "done")


def _picked(turn: Turn, answer: Answer, places: dict[str, Next], here: str) -> Next:
    """Where a choice leads; any other choice leads home, and words bring the question back."""
    if answer.kind is not Kind.CHOICE:
        return Next(here, note=turn.say("chat.pick_one"))
    return places.get(answer.text, _HOME)


def ask_buy(turn: Turn) -> Screen:
    lines = [
        f"<b>{turn.say('chat.value', value=turn.data['name'])}</b>", turn.t.money(_price(turn)),
        turn.say("chat.buy.sold_by", shop=_shop(turn)), "", turn.say("chat.buy.protected"),
    ]  # fmt: skip
    return Screen("\n".join(lines), rows_of(turn.choice("buy_one"), turn.choice("home")))


def take_buy(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"buy_one": Next("pay")}, "buy")


def ask_pay(turn: Turn) -> Screen:
    lines = [
        turn.say("chat.buy.check", name=turn.data["name"], count=1, total=_price(turn)), turn.say("chat.buy.check_phone", phone=PHONE.e164),
        "", turn.say("chat.buy.protected"),
    ]  # fmt: skip
    return Screen("\n".join(lines), rows_of(turn.choice("pay", method=method_name(turn.t, Method.MPESA)), turn.choice("cancel")))


def take_pay(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"pay": Next("waiting"), "cancel": Next("buy", note=turn.say("chat.buy.dropped"))}, "pay")


def ask_waiting(turn: Turn) -> Screen:
    text = turn.say("chat.buy.waiting", total=_price(turn), phone=PHONE.masked)
    return Screen(
        f"{text}\n\n{turn.say('chat.practice.prompt')}", rows_of(turn.choice("practice_pin"), turn.choice("practice_no_pin"), per_row=1)
    )


def take_waiting(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"practice_pin": Next("paid"), "practice_no_pin": Next("failed")}, "waiting")


def ask_failed(turn: Turn) -> Screen:
    why, again = turn.say("errors.payment.cancelled_by_payer"), turn.say("chat.buy.try_again", total=_price(turn))
    return Screen(f"{why}\n\n{again}", rows_of(turn.choice("try_again"), turn.choice("cancel")))


def take_failed(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"try_again": Next("waiting"), "cancel": Next("buy", note=turn.say("chat.buy.dropped"))}, "failed")


def ask_paid(turn: Turn) -> Screen:
    text = turn.say("chat.buy.paid", total=_price(turn), number=NUMBER, shop=_shop(turn))
    return Screen(text, rows_of(turn.choice("practice_seller"), turn.choice("home")))


def take_paid(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"practice_seller": Next("order", data={"stands": str(OrderState.PAID)})}, "paid")


def ask_order(turn: Turn) -> Screen:
    more = (turn.choice("practice_buyer"),) if _stands(turn) is OrderState.DELIVERED else ()
    return _card(turn, Party.OWNER, *more)


def take_order(turn: Turn, answer: Answer) -> Next:
    """What the pretend order does not offer now is not done, whatever was pressed."""
    acts = {f"act_{act}" for act in _view(turn, Party.OWNER).acts}
    if answer.kind is Kind.CHOICE and answer.text in _BY_ACT and answer.text in acts:
        return Next("order", data={"stands": str(_BY_ACT[answer.text])})
    places = {"practice_buyer": Next("received")}
    if "act_ship" in acts:
        places["act_ship"] = Next("ship")
    if _stands(turn) is OrderState.DISPUTED:
        places["act_refund"] = Next("refund")
    return _picked(turn, answer, places, "order")


def ask_ship(turn: Turn) -> Screen:
    return Screen(turn.say("chat.orders.courier"), rows_of(turn.choice("no_courier"), turn.choice("back")))


def take_ship(turn: Turn, answer: Answer) -> Next:
    shipped = {"stands": str(OrderState.SHIPPED)}
    if answer.kind is Kind.TEXT:
        return Next("order", data={**shipped, "courier": clean_text(answer.text, "courier", 60)})
    if answer.kind is not Kind.CHOICE:
        return Next("ship", note=turn.say("chat.type_words"))
    return Next("order", data=shipped) if answer.text == "no_courier" else Next("order")


def ask_received(turn: Turn) -> Screen:
    return _card(turn, Party.BUYER)


def take_received(turn: Turn, answer: Answer) -> Next:
    return _picked(turn, answer, {"act_confirm": Next("confirm"), "act_problem": Next("problem")}, "received")


def ask_confirm(turn: Turn) -> Screen:
    text = turn.say("chat.order.confirm", item=turn.data["name"], total=_price(turn), shop=_shop(turn))
    return Screen(text, rows_of(turn.choice("yes_confirm"), turn.choice("not_yet")))


def take_confirm(turn: Turn, answer: Answer) -> Next:
    done = Next("end", data={"stands": str(_BY_ACT["yes_confirm"])})
    return _picked(turn, answer, {"yes_confirm": done, "not_yet": Next("received")}, "confirm")


def ask_problem(turn: Turn) -> Screen:
    reasons = [Choice(turn.t(f"chat.reason.{reason}"), str(reason)) for reason in Reason]
    return Screen(turn.say("chat.order.problem", item=turn.data["name"], total=_price(turn)), rows_of(*reasons, turn.choice("back")))


def take_problem(turn: Turn, answer: Answer) -> Next:
    return _picked(
        turn, answer, {"back": Next("received"), **{str(one): Next("words", data={"reason": str(one)}) for one in Reason}}, "problem"
    )


def ask_words(turn: Turn) -> Screen:
    return Screen(turn.say("chat.order.problem_words"), rows_of(turn.choice("skip"), turn.choice("back")))


def take_words(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text != "skip":
        return Next("problem")
    said = clean_text(answer.text, "words", MOST_WORDS) if answer.kind is Kind.TEXT else ""
    return Next("order", data={"words": said, "stands": str(OrderState.DISPUTED)}, note=turn.say("chat.order.problem_opened"))


def ask_refund(turn: Turn) -> Screen:
    text = turn.say("chat.orders.refund", total=_price(turn), name=turn.t("chat.practice.buyer"))
    return Screen(text, rows_of(turn.choice("yes_refund"), turn.choice("back")))


def take_refund(turn: Turn, answer: Answer) -> Next:
    done = Next("end", data={"stands": str(_BY_ACT["yes_refund"])})
    return _picked(turn, answer, {"yes_refund": done, "back": Next("order")}, "refund")


def ask_end(turn: Turn) -> Screen:
    stands = _stands(turn)
    ended = "refunded" if stands is OrderState.REFUNDED else "completed"
    lines = [turn.say(f"chat.practice.end_{ended}", percent=sell.percent(turn)), turn.say("chat.practice.end")]
    return Screen("\n\n".join(lines), rows_of(turn.choice("practice_real"), turn.choice("practice_again"), turn.choice("home"), per_row=1))


def take_end(turn: Turn, answer: Answer) -> Next:
    real = Next("name", "sell", forget=True) if turn.shop is not None else Next("shop", "start", {"onward": "sell"}, forget=True)
    return _picked(turn, answer, {"practice_real": real, "practice_again": Next("name", forget=True)}, "end")


DIALOG = {
    "intro": Step(_marked(ask_intro), take_intro),
    "name": Step(_marked(sell.ask_name), take_name),
    "price": Step(_marked(sell.ask_price), take_price),
    "check": Step(_marked(ask_check), take_check),
    "done": Step(_marked(ask_done), take_done),
    "buy": Step(_marked(ask_buy), take_buy),
    "pay": Step(_marked(ask_pay), take_pay),
    "waiting": Step(_marked(ask_waiting), take_waiting),
    "failed": Step(_marked(ask_failed), take_failed),
    "paid": Step(_marked(ask_paid), take_paid),
    "order": Step(_marked(ask_order), take_order),
    "ship": Step(_marked(ask_ship), take_ship),
    "received": Step(_marked(ask_received), take_received),
    "confirm": Step(_marked(ask_confirm), take_confirm),
    "problem": Step(_marked(ask_problem), take_problem),
    "words": Step(_marked(ask_words), take_words),
    "refund": Step(_marked(ask_refund), take_refund),
    "end": Step(_marked(ask_end), take_end),
}
