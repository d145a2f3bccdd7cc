"""Group pay in chat: how many shares, the card that may be sent to friends, one's own share, calling it off."""

from __future__ import annotations

from urllib.parse import quote

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.errors import BadInput, NotFound
from domain.group import LEAST_SHARES, MOST_SHARES
from domain.ids import CheckoutId
from domain.life import CheckoutState
from domain.payment import Method
from domain.phone import Phone, read_phone
from domain.tokens import Purpose
from templates.methods import method_name
from usecases.checkouts import NewCheckout
from usecases.group import GroupView, NewShare, cancel_group, group_view, start_group, take_share
from usecases.people import set_name
from usecases.phones import NAMELESS, own_number

PREFIX = "g-"
"""What begins the payload of a group's deep link."""


def take_up(turn: Turn, token: str) -> Next:
    """Whoever comes with a group's link stands before its card. Raises NotFound for a token that is not ours."""
    number = turn.unit.tokens.read(Purpose.GROUP, token)
    if number is None:
        raise NotFound(what="group")
    return Next("card", "group", {"group": number}, forget=True)


def ask_shares(turn: Turn) -> Screen:
    numbers = [Choice(str(n), f"n{n}") for n in (2, 3, 4, 5, 6, 8, 10)]
    return Screen(turn.say("chat.group.shares"), rows_of(*numbers, turn.choice("back"), per_row=4), numbers=True)


def take_shares(turn: Turn, answer: Answer) -> Next:
    """With what was said of the purchase before (bot/dialogs/buy.py)."""
    count = answer.number("n") if answer.kind is Kind.CHOICE else _typed(answer)
    if count is None:
        return Next("check", "buy")
    data = turn.data
    new = NewCheckout(
        key=turn.key, link_code=data["code"], quantity=data["quantity"], name=turn.person.name, address=data["address"], note="",
        phone=Phone(data["phone"]) if data["phone"] else turn.person.phone, language=turn.t.language, source=turn.channel,
        buyer_id=turn.person.id, shares=count,
    )  # fmt: skip
    whole = start_group(turn.unit, new, turn.abilities)
    return Next("card", data={"group": whole.id}, forget=True)


def _typed(answer: Answer) -> int:
    digits = answer.text.strip()
    if not (digits.isdecimal() and len(digits) <= 6):
        raise BadInput("shares", "out_of_range", least=LEAST_SHARES, limit=MOST_SHARES)
    return int(digits)


def _view(turn: Turn) -> GroupView:
    return group_view(turn.unit, CheckoutId(turn.data["group"]), turn.abilities)


def _is_mine(turn: Turn, view: GroupView) -> bool:
    return view.group.whole.buyer_id == turn.person.id


def ask_card(turn: Turn) -> Screen:
    view = _view(turn)
    group, whole = view.group, view.group.whole
    lines = [
        turn.say("chat.group.title", name=view.link.name, shop=view.shop, who=whole.name.split(maxsplit=1)[0]),
        "",
        turn.say("chat.group.progress", paid=group.paid_money, total=whole.total, bar=_bar(view)),
        *(turn.say("chat.group.payer", name=one.name.split(maxsplit=1)[0], total=one.total, mark=_mark(one.state)) for one in group.held),
        "",
    ]
    if whole.state is CheckoutState.PAID:
        return Screen("\n".join([*lines, turn.say("chat.group.full")]), rows_of(_order(turn, view), turn.choice("home")))
    if view.over:
        state = "cancelled" if whole.state is CheckoutState.CANCELLED else "expired"
        return Screen("\n".join([*lines, turn.say(f"chat.group.{state}")]), rows_of(turn.choice("home")))
    usable = [offer for offer in view.offers if offer.why_not is None]
    if group.free and not usable:
        lines.append(turn.say(f"errors.cannot_pay.{view.offers[0].why_not}"))
    elif group.free:
        lines.append(turn.say("chat.group.free", price=group.price(1), when=whole.expires_at))
    else:
        lines.append(turn.say("chat.group.none_free"))
    choices = [
        turn.choice("pay_share", price=group.price(1)) if usable else None,
        turn.choice("pay_more") if usable and group.free > 1 else None,
        Choice(turn.t("chat.do.send_friends"), url=_share_url(turn, view)),
        turn.choice("look_again"),
        turn.choice("call_off") if _is_mine(turn, view) else None,
        turn.choice("home"),
    ]
    return Screen("\n".join(lines), rows_of(*choices))


def _bar(view: GroupView) -> str:
    group = view.group
    return "🟩" * group.paid_shares + "🟨" * (group.whole.shares - group.paid_shares - group.free) + "⬜" * group.free


def _mark(state: CheckoutState) -> str:
    return "✅" if state is CheckoutState.PAID else "⏳"


def _order(turn: Turn, view: GroupView) -> Choice | None:
    """The order belongs to whoever began it."""
    mine = view.order is not None and view.order.buyer_id == turn.person.id
    return Choice(turn.t("chat.do.open_order"), f"o:{view.order.number}:card") if mine and view.order is not None else None


def _share_url(turn: Turn, view: GroupView) -> str:
    """Telegram's own way to send a link into any chat; whoever taps it there pays their own share in private."""
    deep = f"https://t.me/{turn.unit.house.bot_username}?start={PREFIX}{view.token}"
    text = turn.t(
        "web.group.invite", name=view.link.name, each=turn.t.money(view.group.price(1) if view.group.free else view.group.whole.total)
    )
    return f"https://t.me/share/url?url={quote(deep, safe='')}&text={quote(text, safe='')}"


def take_card(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("card", note=turn.say("chat.pick_one"))
    if answer.text == "pay_share":
        return _with_count(turn, 1)
    if answer.text == "pay_more":
        return Next("count")
    if answer.text == "call_off":
        return Next("call_off")
    return Next("card") if answer.text == "look_again" else Next("menu", "home", forget=True)


def _with_count(turn: Turn, count: int) -> Next:
    _view(turn).group.price(count)
    if turn.person.name == NAMELESS:
        return Next("who", data={"count": count})
    return _how(turn, count)


def _methods(turn: Turn) -> list[Method]:
    return [offer.method for offer in _view(turn).offers if offer.why_not is None]


def _how(turn: Turn, count: int) -> Next:
    methods = _methods(turn)
    if methods == [Method.MPESA]:
        return Next("phone", data={"count": count})
    return Next("method" if methods else "card", data={"count": count})


def ask_count(turn: Turn) -> Screen:
    group = _view(turn).group
    counts = [Choice(f"{n} · {turn.t.money(group.price(n))}", f"n{n}") for n in range(1, min(group.free, 6) + 1)]
    return Screen(turn.say("chat.group.count"), rows_of(*counts, turn.choice("back")), numbers=True)


def take_count(turn: Turn, answer: Answer) -> Next:
    count = answer.number("n") if answer.kind is Kind.CHOICE else _typed(answer)
    return Next("card") if count is None else _with_count(turn, count)


def ask_who(turn: Turn) -> Screen:
    return Screen(turn.say("chat.buy.who"), rows_of(turn.choice("back")))


def take_who(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("card")
    if answer.kind is not Kind.TEXT:
        return Next("who", note=turn.say("chat.type_words"))
    turn.person = set_name(turn.unit, turn.person.id, answer.text)
    return _how(turn, turn.data["count"])


def ask_method(turn: Turn) -> Screen:
    choices = [Choice(method_name(turn.t, method), str(method)) for method in _methods(turn)]
    return Screen(turn.say("chat.pay_page.method"), rows_of(*choices, turn.choice("back")))


def take_method(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("method", note=turn.say("chat.pick_one"))
    if answer.text not in set(_methods(turn)):
        return Next("card")
    return Next("phone") if answer.text == Method.MPESA else _take(turn, Method(answer.text), None)


def ask_phone(turn: Turn) -> Screen:
    known = turn.person.phone
    mine = Choice(known.e164, "mine") if known is not None and known.is_kenyan_mobile else None
    contact = "" if mine is not None else turn.t("chat.do.share_phone")
    return Screen(turn.say("chat.buy.phone"), rows_of(mine, turn.choice("back")), contact=contact)


def take_phone(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text != "mine":
        return Next("card")
    if answer.kind is Kind.CHOICE:
        return _take(turn, Method.MPESA, turn.person.phone)
    phone = read_phone(answer.text, turn.unit.house.country)
    if not phone.is_kenyan_mobile:
        raise BadInput("phone", "not_mpesa")
    if answer.kind is Kind.CONTACT:
        turn.person = own_number(turn.unit, turn.person, phone)
    return _take(turn, Method.MPESA, phone)


def _take(turn: Turn, method: Method, phone: Phone | None) -> Next:
    """The share is kept, its own prompt goes out, and its payer waits where every payer waits."""
    new = NewShare(turn.key, turn.data["count"], turn.person.name, method, phone, turn.t.language, turn.channel, turn.person.id)
    attempt = take_share(turn.unit, CheckoutId(turn.data["group"]), new, turn.abilities)
    turn.send_later(attempt.id)
    return Next("waiting", "buy", {"checkout": attempt.checkout_id}, forget=True)


def ask_call_off(turn: Turn) -> Screen:
    return Screen(turn.say("chat.group.call_off"), rows_of(turn.choice("yes_call_off"), turn.choice("back")))


def take_call_off(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "yes_call_off":
        cancel_group(turn.unit, CheckoutId(turn.data["group"]), turn.buyer())
    return Next("card")


DIALOG = {
    "shares": Step(ask_shares, take_shares),
    "card": Step(ask_card, take_card),
    "count": Step(ask_count, take_count),
    "who": Step(ask_who, take_who),
    "method": Step(ask_method, take_method),
    "phone": Step(ask_phone, take_phone),
    "call_off": Step(ask_call_off, take_call_off),
}
