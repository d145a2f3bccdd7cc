"""Paid already: how to pay by hand, and the M-Pesa code of what was paid, typed or in a whole message; M-Pesa is asked about it."""

from __future__ import annotations

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs import buy
from domain.errors import NotFound
from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.payment import Checkout
from usecases import by_hand, claims

CHOICE = "paid_already"


def begin(turn: Turn, typed: str) -> Next:
    """`/paid`, perhaps with the code behind it: for what is being paid in this chat, else for what was begun last."""
    checkout = _here(turn) or turn.unit.by_hand.latest_of_buyer(turn.person.id)
    if checkout is None or checkout.state is CheckoutState.PAID:
        return Next("menu", "home", forget=True, note=turn.say("chat.claim.nothing"))
    data = {"checkout": checkout.id}
    if not typed:
        return Next("code", "claim", data, forget=True)
    _claim(turn, checkout, typed)
    return Next("asked", "claim", data, forget=True)


def _here(turn: Turn) -> Checkout | None:
    number = turn.data.get("checkout")
    if number is None:
        return None
    checkout = turn.unit.checkouts.get(CheckoutId(number))
    return checkout if checkout.buyer_id == turn.person.id else None


def _checkout(turn: Turn) -> Checkout:
    checkout = _here(turn)
    if checkout is None:
        raise NotFound(what="checkout")
    return checkout


def _claim(turn: Turn, checkout: Checkout, typed: str) -> None:
    claims.claim(turn.unit, claims.Claim(checkout.id, typed, turn.channel, turn.person.id))


def ask_code(turn: Turn) -> Screen:
    how = by_hand.how_to(turn.unit, _checkout(turn).id)
    lines = [turn.say("chat.claim.ask")]
    if how is not None:
        key = "chat.claim.how_till" if how.till else "chat.claim.how_paybill"
        lines.append(turn.say(key, code=how.short_code, account=how.account, total=how.total))
    return Screen(("\n" if turn.small else "\n\n").join(lines), rows_of(turn.choice("back")))


def take_code(turn: Turn, answer: Answer) -> Next:
    checkout = _checkout(turn)
    if answer.kind is Kind.CHOICE:
        return Next("waiting", "buy")
    if answer.kind is not Kind.TEXT:
        return Next("code", note=turn.say("chat.type_words"))
    _claim(turn, checkout, answer.text)
    return Next("asked")


def ask_asked(turn: Turn) -> Screen:
    """How it stands; once it came to an end, how the purchase stands."""
    last = claims.last_claim(turn.unit, _checkout(turn).id)
    if last is None or (not last.asking and last.result is None):
        return buy.ask_waiting(turn)
    if last.asking:
        return Screen(turn.say("chat.claim.asking", receipt=last.receipt), rows_of(turn.choice("look_again"), turn.choice("back")))
    key = f"errors.payment.claim_{last.result}"
    return Screen(turn.say(key if turn.t.has(key) else "errors.payment.unknown"), rows_of(turn.choice(CHOICE), turn.choice("back")))


def take_asked(turn: Turn, answer: Answer) -> Next:
    _checkout(turn)
    if answer.kind is Kind.TEXT:
        return take_code(turn, answer)
    if answer.kind is Kind.CHOICE and answer.text == CHOICE:
        return Next("code")
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("waiting", "buy")
    last = claims.last_claim(turn.unit, _checkout(turn).id)
    if answer.kind is Kind.CHOICE and answer.text != "look_again" and not (last is not None and last.asking):
        return _as_waiting(turn, answer)
    return Next("asked")


def _as_waiting(turn: Turn, answer: Answer) -> Next:
    """The screen of the purchase was shown: its choices are taken as there."""
    onward = buy.take_waiting(turn, answer)
    return onward if onward.dialog else Next(onward.step, "buy", onward.data, onward.forget, onward.note)


DIALOG = {"code": Step(ask_code, take_code), "asked": Step(ask_asked, take_asked)}
