"""Buy in chat: card, quantity, where to, phone, check, "Check your phone", paid."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.errors import BadInput, NotFound
from domain.ids import CheckoutId, read_link_code
from domain.life import AttemptState, CheckoutState
from domain.link import MOST_QUANTITY, check_for_sale
from domain.payment import Method
from domain.person import ChannelKind, Role, clean_text
from domain.phone import Phone, read_phone
from templates.methods import method_name, payment_key
from usecases.checkouts import MOST_ADDRESS, NewCheckout, cancel_checkout
from usecases.payments import NewAttempt, buy, open_attempt
from usecases.people import set_name, set_phone, set_role
from usecases.phones import NAMELESS, own_number
from usecases.views import PayView, ProductView, pay_page, product, undecided


def ask_code(turn: Turn) -> Screen:
    return Screen(turn.say("chat.buy.code"), rows_of(turn.choice("home")))


def take_code(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    code = read_link_code(answer.text) if answer.kind is Kind.TEXT else None
    if code is None or turn.unit.links.by_code(code) is None:
        return Next("code", note=turn.say("chat.buy.no_such_code"))
    return Next("card", data={"code": code})


def _product(turn: Turn) -> ProductView:
    """In the chat of Telegram its own invoices are one more way to pay."""
    return product(turn.unit, turn.data["code"], turn.abilities, in_chat=turn.channel is ChannelKind.TELEGRAM)


def ask_card(turn: Turn) -> Screen:
    view = _product(turn)
    link = view.link
    lines = [f"<b>{turn.say('chat.value', value=link.name)}</b>", turn.t.money(link.price), turn.say("chat.buy.sold_by", shop=view.shop)]
    if link.description:
        lines += ["", turn.say("chat.value", value=link.description[:500])]
    usable = [offer for offer in view.methods if offer.why_not is None]
    if view.why_not is not None:
        lines += ["", turn.say(f"chat.buy.not_now.{view.why_not}")]
        choices = [turn.choice("home")]
    elif not usable:
        lines += ["", turn.say(f"chat.buy.cannot_pay.{view.methods[0].why_not}", method=method_name(turn.t, view.methods[0].method))]
        choices = [turn.choice("home")]
    else:
        lines += ["", turn.say("chat.buy.direct" if usable[0].direct else "chat.buy.protected")]
        many = turn.choice("buy_many") if link.stock != 1 else None
        return Screen(
            "\n".join(lines),
            rows_of(turn.choice("buy_one"), many, turn.choice("home")),
            picture=link.pictures[0] if link.pictures else None,
        )
    return Screen("\n".join(lines), rows_of(*choices), picture=link.pictures[0] if link.pictures else None)


def take_card(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "buy_one":
        return _onward(turn, 1)
    if answer.kind is Kind.CHOICE and answer.text == "buy_many":
        return Next("quantity")
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    return Next("card", note=turn.say("chat.pick_one"))


def _onward(turn: Turn, quantity: int) -> Next:
    link = _product(turn).link
    check_for_sale(link, quantity, turn.unit.now)
    if turn.person.name == NAMELESS:
        return Next("who", data={"quantity": quantity})
    if link.digital_file is not None:
        return _pay_from(turn, {"quantity": quantity, "address": ""})
    return Next("address", data={"quantity": quantity, "address": ""})


def ask_who(turn: Turn) -> Screen:
    return Screen(turn.say("chat.buy.who"), rows_of(turn.choice("back")))


def take_who(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("card")
    if answer.kind is not Kind.TEXT:
        return Next("who", note=turn.say("chat.type_words"))
    turn.person = set_name(turn.unit, turn.person.id, answer.text)
    if not turn.person.welcomed:
        turn.person = set_role(turn.unit, turn.person.id, Role.BUYER)
    return _onward(turn, turn.data["quantity"])


def _pay_from(turn: Turn, data: dict[str, Any]) -> Next:
    """How, where there is a choice. A phone with a few lines of text pays by M-Pesa wherever that works."""
    usable = _usable(turn)
    if Method.MPESA in usable and (turn.small or len(usable) == 1):
        return _from_phone(turn, data)
    return Next("method", data=data) if len(usable) > 1 else Next("check", data={**data, "method": str(usable[0]), "phone": ""})


def _usable(turn: Turn) -> list[Method]:
    return [offer.method for offer in _product(turn).methods if offer.why_not is None] or [Method.MPESA]


def _from_phone(turn: Turn, data: dict[str, Any]) -> Next:
    """Whoever dials pays from the phone in their hand; another number is one key away."""
    own = turn.person.phone
    if turn.small and own is not None and own.is_kenyan_mobile:
        return Next("check", data={**data, "phone": own.e164})
    return Next("phone", data=data)


def ask_method(turn: Turn) -> Screen:
    choices = [Choice(turn.t(f"web.method.{method}"), str(method)) for method in _usable(turn)]
    return Screen(turn.say("chat.pay_page.method"), rows_of(*choices, turn.choice("back"), per_row=2))


def take_method(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("method", note=turn.say("chat.pick_one"))
    if answer.text not in set(_usable(turn)):
        return Next("card")
    if answer.text == Method.MPESA:
        return _from_phone(turn, {"method": answer.text})
    return Next("check", data={"method": answer.text, "phone": ""})


def ask_quantity(turn: Turn) -> Screen:
    numbers = [Choice(str(n), f"n{n}") for n in (2, 3, 4, 5, 10)]
    return Screen(
        turn.say("chat.buy.quantity", name=_product(turn).link.name), rows_of(*numbers, turn.choice("back"), per_row=5), numbers=True
    )


def take_quantity(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        count = answer.number("n")
        return _onward(turn, count) if count is not None else Next("card")
    digits = answer.text.strip()
    if not (digits.isdecimal() and len(digits) <= 6):
        raise BadInput("quantity", "out_of_range", limit=MOST_QUANTITY)
    return _onward(turn, int(digits))


def ask_address(turn: Turn) -> Screen:
    return Screen(turn.say("chat.buy.address"), rows_of(turn.choice("pick_up"), turn.choice("back")))


def take_address(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "pick_up":
        return _pay_from(turn, {"address": turn.t("chat.buy.pick_up")})
    if answer.kind is Kind.CHOICE:
        return Next("card")
    if answer.kind not in {Kind.TEXT, Kind.PLACE}:
        return Next("address", note=turn.say("chat.type_words"))
    return _pay_from(turn, {"address": clean_text(answer.text, "address", MOST_ADDRESS)})


def ask_phone(turn: Turn) -> Screen:
    known = turn.person.phone
    mine = Choice(known.e164, "mine") if known is not None and known.is_kenyan_mobile else None
    contact = "" if mine is not None else turn.t("chat.do.share_phone")
    return Screen(turn.say("chat.buy.phone"), rows_of(mine, turn.choice("back")), contact=contact)


def take_phone(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "mine":
        return Next("check", data={"phone": str(turn.person.phone)})
    if answer.kind is Kind.CHOICE:
        return Next("address")
    phone = read_phone(answer.text, turn.unit.house.country)
    if not phone.is_kenyan_mobile:
        raise BadInput("phone", "not_mpesa")
    if answer.kind is Kind.CONTACT:
        turn.person = own_number(turn.unit, turn.person, phone)
    if turn.person.phone is None:
        set_phone(turn.unit, turn.person.id, phone)
    return Next("check", data={"phone": phone.e164})


def ask_check(turn: Turn) -> Screen:
    view, data = _product(turn), turn.data
    method = _method_of(turn)
    lines = [
        turn.say("chat.buy.check", name=view.link.name, count=data["quantity"], total=view.link.price.times(data["quantity"])),
        turn.say("chat.buy.check_address", address=data["address"]) if data["address"] else "",
        turn.say("chat.buy.check_phone", phone=data["phone"])
        if data["phone"]
        else turn.say("chat.pay_page.check", method=method_name(turn.t, method)),
        "",
        turn.say("chat.buy.direct" if _is_direct(view, method) else "chat.buy.protected"),
    ]
    other = turn.choice("other_phone") if data["phone"] else None
    return Screen(
        "\n".join(line for n, line in enumerate(lines) if line or n == 3),
        rows_of(turn.choice("pay", method=method_name(turn.t, method)), other, _split(turn, view), turn.choice("cancel")),
    )


def _split(turn: Turn, view: ProductView) -> Choice | None:
    """Where there are buttons to send a link with, and a way to pay that is held by us (bot/dialogs/group.py)."""
    held = any(offer.why_not is None and not offer.direct for offer in view.methods)
    return turn.choice("split") if held and not turn.small else None


def _method_of(turn: Turn) -> Method:
    return Method(turn.data.get("method") or Method.MPESA)


def _is_direct(view: ProductView, method: Method) -> bool:
    """Whether this method goes to an account of the seller's own."""
    return next((offer.direct for offer in view.methods if offer.method is method), view.methods[0].direct)


def take_check(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("check", note=turn.say("chat.pick_one"))
    if answer.text == "other_phone":
        return Next("other_phone")
    if answer.text == "split":
        return Next("shares", "group")
    if answer.text != "pay":
        return Next("menu", "home", forget=True, note=turn.say("chat.buy.dropped"))
    data = turn.data
    new = NewCheckout(
        key=turn.key, link_code=data["code"], quantity=data["quantity"], name=turn.person.name, address=data["address"], note="",
        phone=Phone(data["phone"]) if data["phone"] else None, language=turn.t.language, source=turn.channel, buyer_id=turn.person.id,
    )  # fmt: skip
    attempt = buy(turn.unit, new, _method_of(turn), turn.abilities)
    turn.send_later(attempt.id)
    return Next("waiting", data={"checkout": attempt.checkout_id}, forget=True)


def ask_other_phone(turn: Turn) -> Screen:
    return Screen(turn.say("chat.buy.other_phone"), rows_of(turn.choice("back")))


def take_other_phone(turn: Turn, answer: Answer) -> Next:
    paying = "checkout" in turn.data
    if answer.kind is Kind.CHOICE:
        return Next("waiting" if paying else "check")
    phone = read_phone(answer.text, turn.unit.house.country)
    if not phone.is_kenyan_mobile:
        raise BadInput("phone", "not_mpesa")
    if paying:
        return _try_again(turn, phone)
    return Next("check", data={"phone": phone.e164})


def _pay_view(turn: Turn) -> PayView:
    view = pay_page(turn.unit, CheckoutId(turn.data["checkout"]), turn.abilities)
    if view.checkout.buyer_id != turn.person.id:
        raise NotFound(what="checkout")
    # An invoice of Telegram is opened where the buyer is, and a phone of a few lines opens none.
    return replace(view, offers=tuple(offer for offer in view.offers if offer.method is not Method.TELEGRAM)) if turn.small else view


def ask_waiting(turn: Turn) -> Screen:
    view = _pay_view(turn)
    checkout, attempt = view.checkout, view.attempt
    if view.order is not None:
        key = "chat.buy.paid_direct" if view.order.escrow is None else "chat.buy.paid"
        text = turn.say(key, total=checkout.total, number=view.order.number, shop=view.shop)
        return Screen(text, rows_of(Choice(turn.t("chat.do.open_order"), f"o:{view.order.number}:card"), turn.choice("home")))
    if (late := undecided(view)) is not None:
        text = turn.say("chat.late.buyer_waits", total=late.money, shop=view.shop, when=late.decide_by)
        return Screen(text, rows_of(turn.choice("look_again"), turn.choice("home")))
    if checkout.paid_by is not None and attempt is not None and attempt.id == checkout.paid_by:
        return Screen(turn.say("chat.group.mine_paid", total=checkout.total), rows_of(turn.choice("open_group"), turn.choice("home")))
    if attempt is not None and attempt.state is AttemptState.SUCCEEDED:
        why = _why(turn, view, f"money_{view.refund.reason if view.refund is not None else 'unknown'}")
        return Screen(why, rows_of(turn.choice("buy_again"), turn.choice("home")))
    if checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}:
        key = "expired" if checkout.state is CheckoutState.EXPIRED else "cancelled"
        return Screen(turn.say(f"chat.buy.{key}", name=view.link.name), rows_of(turn.choice("buy_again"), turn.choice("home")))
    if attempt is None or attempt.state in {AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED}:
        why = _why(turn, view, attempt.result if attempt is not None and attempt.result else "unknown")
        return Screen(f"{why}\n\n{turn.say(_again(view), total=checkout.total)}", rows_of(*_retry(turn, view)))
    if view.method is not Method.MPESA:
        return _ask_page(turn, view)
    text = turn.say("chat.buy.waiting", total=checkout.total, phone=attempt.phone.masked if attempt.phone else "-")
    return Screen(text, rows_of(turn.choice("look_again"), turn.choice("paid_already"), turn.choice("cancel")))


def _ask_page(turn: Turn, view: PayView) -> Screen:
    """The gateway's own page: by a button where there are buttons, by a text message to a phone without."""
    url, method = view.attempt.url if view.attempt is not None else None, method_name(turn.t, view.method)
    if url is None:
        text = turn.say("chat.pay_page.opening", total=view.checkout.total)
        return Screen(text, rows_of(turn.choice("look_again"), turn.choice("cancel")))
    go = None if turn.small else Choice(turn.t("chat.pay_page.go", method=method), url=url)
    text = turn.say("chat.pay_page.page", total=view.checkout.total, method=method)
    return Screen(text, rows_of(go, turn.choice("look_again"), _other_method(turn, view), turn.choice("cancel")))


def _other_method(turn: Turn, view: PayView) -> Choice | None:
    return Choice(turn.t("chat.pay_page.another"), "other_method") if len(view.offers) > 1 else None


def _why(turn: Turn, view: PayView, result: str) -> str:
    """What became of a try to pay, or of money that came all the same, in words."""
    return turn.say(payment_key(turn.t, result, view.method))


def _again(view: PayView) -> str:
    return "chat.buy.try_again" if view.method is Method.MPESA else "chat.pay_page.try_again"


def _dropped(view: PayView) -> str:
    """Gone away while a phone still rings, or a page is still open."""
    return "chat.buy.dropped_ringing" if view.method is Method.MPESA else "chat.pay_page.dropped"


def _retry(turn: Turn, view: PayView) -> tuple[Choice | None, ...]:
    if view.method is not Method.MPESA:
        return turn.choice("try_again"), _other_method(turn, view), turn.choice("cancel")
    return (
        turn.choice("try_again"),
        turn.choice("other_phone"),
        _other_method(turn, view),
        turn.choice("paid_already"),
        turn.choice("cancel"),
    )


def _try_again(turn: Turn, phone: Phone | None, method: Method | None = None) -> Next:
    view = _pay_view(turn)
    how = method or (Method.MPESA if phone is not None else view.method or Method.MPESA)
    attempt = open_attempt(turn.unit, NewAttempt(turn.key, view.checkout.id, how, phone, turn.channel), turn.abilities)
    turn.send_later(attempt.id)
    return Next("waiting")


def take_waiting(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE or answer.text == "look_again":
        return Next("waiting")
    if answer.text == "other_phone":
        return Next("other_phone")
    if answer.text == "paid_already":
        return Next("code", "claim")
    if answer.text == "try_again":
        return _try_again(turn, None)
    if answer.text == "other_method":
        return Next("other_method")
    view = _pay_view(turn)
    if answer.text in {"open_group", "buy_again"} and view.checkout.group_id is not None:
        return Next("card", "group", {"group": view.checkout.group_id}, forget=True)
    if answer.text == "buy_again":
        return Next("card", data={"code": view.link.code}, forget=True)
    if answer.text == "cancel" and view.order is None:
        cancel_checkout(turn.unit, view.checkout.id, turn.buyer())
        ringing = view.attempt is not None and view.attempt.live
        return Next("menu", "home", forget=True, note=turn.say(_dropped(view) if ringing else "chat.buy.dropped"))
    return Next("menu", "home", forget=True)


def ask_other_method(turn: Turn) -> Screen:
    choices = [Choice(turn.t(f"web.method.{offer.method}"), str(offer.method)) for offer in _pay_view(turn).offers if offer.why_not is None]
    return Screen(turn.say("chat.pay_page.method"), rows_of(*choices, turn.choice("back"), per_row=2))


def take_other_method(turn: Turn, answer: Answer) -> Next:
    """M-Pesa needs a number, which a buyer by card may not have given."""
    if answer.kind is not Kind.CHOICE or answer.text not in set(Method):
        return Next("waiting")
    view, method = _pay_view(turn), Method(answer.text)
    if method is Method.MPESA and (view.checkout.phone is None or not view.checkout.phone.is_kenyan_mobile):
        return Next("other_phone")
    return _try_again(turn, None, method)


DIALOG = {
    "code": Step(ask_code, take_code),
    "card": Step(ask_card, take_card),
    "who": Step(ask_who, take_who),
    "quantity": Step(ask_quantity, take_quantity),
    "method": Step(ask_method, take_method),
    "other_method": Step(ask_other_method, take_other_method),
    "address": Step(ask_address, take_address),
    "phone": Step(ask_phone, take_phone),
    "check": Step(ask_check, take_check),
    "other_phone": Step(ask_other_phone, take_other_phone),
    "waiting": Step(ask_waiting, take_waiting),
}
