"""Check a payment: what somebody was shown as proof is typed, and the house says what it knows."""

from __future__ import annotations

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of, short_key
from domain.check import Answer as Checked
from domain.check import LinkChecked, PaymentChecked, Unanswered, read_check
from templates.words import Words
from usecases.check import answer_to, check_payment


def check_text(t: Words, answer: Checked, *, small: bool) -> str:
    """An answer in words, in a few short lines where `small`; for a screen, and for an SMS."""

    def say(key: str, **values: object) -> str:
        return t.html(short_key(t, key) if small else key, **values)

    if isinstance(answer, PaymentChecked):
        lines = [
            say(f"chat.check.standing.{answer.standing}"),
            say("chat.card.item", item=answer.item, count=answer.quantity, total=answer.total),
            say("chat.check.details", number=answer.number, when=answer.paid_at, code=answer.link_code),
            say("chat.check.ended", when=answer.ended_at) if answer.ended_at is not None and not small else "",
            say("chat.check.yours"),
        ]
    elif isinstance(answer, LinkChecked):
        lines = [
            say("chat.card.item", item=answer.name, count=1, total=answer.price),
            say("chat.buy.sold_by", shop=answer.shop),
            say("web.buy.sales", count=answer.sales) if answer.sales else "",
            say("chat.check.open" if answer.why_not is None else f"chat.buy.not_now.{answer.why_not}"),
        ]
    else:
        lines = [say(f"chat.check.{answer}")]
    return "\n".join(line for line in lines if line)


def begin(turn: Turn, typed: str) -> Next:
    """`/check`, perhaps with a number behind it."""
    return _look(turn, typed) if typed else Next("ask", "check", forget=True)


def _look(turn: Turn, typed: str) -> Next:
    answer, asked = check_payment(turn.unit, typed, f"{turn.channel}:{turn.person.id}"), read_check(typed)
    if asked is None or isinstance(answer, Unanswered):
        return Next("ask", "check", forget=True, note=check_text(turn.t, answer, small=turn.small))
    return Next("answer", "check", {"asked": asked.written}, forget=True)


def ask_number(turn: Turn) -> Screen:
    return Screen(turn.say("chat.check.ask"), rows_of(turn.choice("home")))


def take_number(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("ask") if answer.text == "check_more" else Next("menu", "home", forget=True)
    if answer.kind is not Kind.TEXT:
        return Next("ask", note=turn.say("chat.type_words"))
    return _look(turn, answer.text)


def ask_answer(turn: Turn) -> Screen:
    asked = read_check(turn.data.get("asked", ""))
    answer = Unanswered.UNKNOWN if asked is None else answer_to(turn.unit, asked)
    return Screen(check_text(turn.t, answer, small=turn.small), rows_of(turn.choice("check_more"), turn.choice("home")))


DIALOG = {"ask": Step(ask_number, take_number), "answer": Step(ask_answer, take_number)}
