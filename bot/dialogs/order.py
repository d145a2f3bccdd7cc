"""The buyer's order: its card, confirm (asked once more, because money moves; by SMS with the delivery code), problem, withdraw, cancel."""

from __future__ import annotations

from bot.cards import download_choice, order_choices, order_text, small_order_text
from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs.home import shortcut
from domain.errors import LimitReached
from domain.ids import FileId
from domain.order import MOST_CODE_TRIES, OrderAct, Reason
from domain.person import ChannelKind, clean_text
from domain.rights import Action
from templates.methods import method_name
from usecases.disputes import MOST_EVIDENCE, MOST_WORDS, open_dispute, withdraw_dispute
from usecases.orders import Confirmed, cancel_order, confirm_by_own_code, confirm_delivery, the_order
from usecases.views import order_for


def ask_card(turn: Turn) -> Screen:
    view = order_for(turn.unit, turn.buyer(), turn.data["number"])
    web = Choice(turn.t("chat.do.open_page"), url=f"{turn.unit.house.base_url}/track/{view.track_token}")
    return Screen(
        small_order_text(turn.t, view) if turn.small else order_text(turn.t, view),
        (
            *rows_of(*order_choices(turn.t, view)),
            *rows_of(download_choice(turn.t, view, turn.unit.house.base_url), web, turn.choice("purchases"), turn.choice("home")),
        ),
    )


def take_card(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "purchases":
        return Next("list", "purchases", forget=True)
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    return shortcut(turn, answer) or Next("card", note=turn.say("chat.pick_one"))


def ask_done(turn: Turn) -> Screen:
    """After a step: one line. The order's card in the chat shows the rest by itself."""
    view = order_for(turn.unit, turn.buyer(), turn.data["number"])
    line = turn.say(f"chat.card.state_buyer.{view.order.state}", number=view.order.number)
    if view.order.release_wanted and view.order.ended_at is None:
        line = turn.say("chat.order.waiting_proof", method=method_name(turn.t, view.method))
    return Screen(line, rows_of(turn.choice("purchases"), turn.choice("home")))


def ask_confirm(turn: Turn) -> Screen:
    view = order_for(turn.unit, turn.buyer(), turn.data["number"])
    by_code = turn.channel is ChannelKind.SMS
    if OrderAct.CONFIRM not in view.acts or (by_code and view.order.digital):
        return ask_card(turn)
    key = "chat.order.confirm_direct" if view.order.escrow is None else "chat.order.confirm"
    text = turn.say(key, item=view.order.item, total=view.order.total, shop=view.shop)
    if by_code:
        left = MOST_CODE_TRIES - view.order.code_tries
        return Screen(text if left > 0 else turn.say("sms.code_locked"), rows_of(turn.choice("back")))
    return Screen(text, rows_of(turn.choice("yes_confirm"), turn.choice("not_yet")))


def take_confirm(turn: Turn, answer: Answer) -> Next:
    if turn.channel is ChannelKind.SMS:
        return _take_code(turn, answer)
    if answer.kind is not Kind.CHOICE or answer.text != "yes_confirm":
        return Next("card")
    confirm_delivery(turn.unit, turn.buyer(), turn.data["number"])
    return Next("done")


def _take_code(turn: Turn, answer: Answer) -> Next:
    """Where a sender can be forged it is the delivery code that confirms, and nothing else does (docs/decisions/0013-what-an-sms-may-do.md)."""
    if answer.kind is not Kind.TEXT:
        return Next("card")
    try:
        done = confirm_by_own_code(turn.unit, turn.buyer(), turn.data["number"], answer.text)
    except LimitReached:
        return Next(str(OrderAct.CONFIRM))
    if done is Confirmed.WRONG:
        left = MOST_CODE_TRIES - the_order(turn.unit, turn.buyer(), turn.data["number"], Action.SEE_ORDER).code_tries
        return Next(str(OrderAct.CONFIRM), note=turn.say("sms.wrong_code", count=left) if left > 0 else "")
    return Next("done")


def ask_problem(turn: Turn) -> Screen:
    order = the_order(turn.unit, turn.buyer(), turn.data["number"], Action.OPEN_DISPUTE)
    reasons = [Choice(turn.t(f"chat.reason.{reason}"), str(reason)) for reason in Reason]
    return Screen(turn.say("chat.order.problem", item=order.item, total=order.total), rows_of(*reasons, turn.choice("back")))


def take_problem(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text in set(Reason):
        return Next("problem_words", data={"reason": answer.text, "pictures": []})
    if answer.kind is Kind.CHOICE:
        return Next("card")
    return Next("problem", note=turn.say("chat.pick_one"))


def ask_words(turn: Turn) -> Screen:
    return Screen(turn.say("chat.order.problem_words"), rows_of(turn.choice("skip"), turn.choice("back")))


def take_words(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("problem")
    if answer.kind is Kind.PHOTO:
        words = clean_text(answer.text, "words", MOST_WORDS)
        return Next("problem_photos", data={"words": words, "pictures": list(answer.pictures)})
    return Next("problem_photos", data={"words": clean_text(answer.text, "words", MOST_WORDS) if answer.kind is Kind.TEXT else ""})


def ask_photos(turn: Turn) -> Screen:
    count = len(turn.data.get("pictures", []))
    order = the_order(turn.unit, turn.buyer(), turn.data["number"], Action.OPEN_DISPUTE)
    text = turn.say("chat.order.problem_photos", count=count, total=order.total)
    return Screen(text, rows_of(turn.choice("open_problem"), turn.choice("back")))


def take_photos(turn: Turn, answer: Answer) -> Next:
    pictures = turn.data.get("pictures", [])
    if answer.kind is Kind.PHOTO:
        return Next("problem_photos", data={"pictures": [*pictures, *answer.pictures][:MOST_EVIDENCE]})
    if answer.kind is Kind.CHOICE and answer.text == "open_problem":
        evidence = [FileId(number) for number in pictures]
        open_dispute(turn.unit, turn.buyer(), turn.data["number"], Reason(turn.data["reason"]), turn.data.get("words", ""), evidence)
        return Next("done", data={"pictures": [], "words": ""}, note=turn.say("chat.order.problem_opened"))
    if answer.kind is Kind.CHOICE:
        return Next("problem_words")
    return Next("problem_photos", note=turn.say("chat.sell.send_photo"))


def ask_withdraw(turn: Turn) -> Screen:
    return Screen(turn.say("chat.order.withdraw"), rows_of(turn.choice("yes_withdraw"), turn.choice("back")))


def take_withdraw(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "yes_withdraw":
        withdraw_dispute(turn.unit, turn.buyer(), turn.data["number"])
        return Next("done")
    return Next("card")


def ask_cancel(turn: Turn) -> Screen:
    order = the_order(turn.unit, turn.buyer(), turn.data["number"], Action.CANCEL_WITH_REFUND)
    return Screen(
        turn.say("chat.order.cancel", item=order.item, total=order.total), rows_of(turn.choice("yes_cancel"), turn.choice("back"))
    )


def take_cancel(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "yes_cancel":
        cancel_order(turn.unit, turn.buyer(), turn.data["number"])
        return Next("done")
    return Next("card")


DIALOG = {
    "card": Step(ask_card, take_card),
    "done": Step(ask_done, take_card),
    str(OrderAct.CONFIRM): Step(ask_confirm, take_confirm),
    str(OrderAct.PROBLEM): Step(ask_problem, take_problem),
    "problem_words": Step(ask_words, take_words),
    "problem_photos": Step(ask_photos, take_photos),
    str(OrderAct.WITHDRAW): Step(ask_withdraw, take_withdraw),
    str(OrderAct.CANCEL): Step(ask_cancel, take_cancel),
}
