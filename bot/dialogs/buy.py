"""Buy in chat: card, quantity, where to, phone, check, "Check your phone", paid."""

from __future__ import annotations

from typing import Any

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.errors import BadInput, NotFound
from domain.ids import CheckoutId, read_link_code
from domain.life import AttemptState, CheckoutState
from domain.link import MOST_QUANTITY, check_for_sale
from domain.payment import Method
from domain.person import Role, clean_text
from domain.phone import Phone, read_phone
from usecases.checkouts import MOST_ADDRESS, NewCheckout, cancel_checkout
from usecases.payments import NewAttempt, buy, open_attempt
from usecases.people import set_name, set_phone, set_role
from usecases.phones import NAMELESS, own_number
from usecases.views import PayView, ProductView, pay_page, product


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
    return product(turn.unit, turn.data["code"], turn.abilities)


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
        lines += ["", turn.say(f"chat.buy.cannot_pay.{view.methods[0].why_not}")]
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
    """Whoever dials pays from the phone in their hand; another number is one key away."""
    own = turn.person.phone
    if turn.small and own is not None and own.is_kenyan_mobile:
        return Next("check", data={**data, "phone": own.e164})
    return Next("phone", data=data)


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
    lines = [
        turn.say("chat.buy.check", name=view.link.name, count=data["quantity"], total=view.link.price.times(data["quantity"])),
        turn.say("chat.buy.check_address", address=data["address"]) if data["address"] else "",
        turn.say("chat.buy.check_phone", phone=data["phone"]),
        "",
        turn.say("chat.buy.direct" if view.methods[0].direct else "chat.buy.protected"),
    ]
    return Screen(
        "\n".join(line for n, line in enumerate(lines) if line or n == 3),
        rows_of(turn.choice("pay"), turn.choice("other_phone"), turn.choice("cancel")),
    )


def take_check(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("check", note=turn.say("chat.pick_one"))
    if answer.text == "other_phone":
        return Next("other_phone")
    if answer.text != "pay":
        return Next("menu", "home", forget=True, note=turn.say("chat.buy.dropped"))
    data = turn.data
    new = NewCheckout(
        key=turn.key, link_code=data["code"], quantity=data["quantity"], name=turn.person.name, address=data["address"], note="",
        phone=Phone(data["phone"]), language=turn.t.language, source=turn.channel, buyer_id=turn.person.id,
    )  # fmt: skip
    attempt = buy(turn.unit, new, Method.MPESA, turn.abilities)
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
    view = pay_page(turn.unit, CheckoutId(turn.data["checkout"]))
    if view.checkout.buyer_id != turn.person.id:
        raise NotFound(what="checkout")
    return view


def ask_waiting(turn: Turn) -> Screen:
    view = _pay_view(turn)
    checkout, attempt = view.checkout, view.attempt
    if view.order is not None:
        key = "chat.buy.paid_direct" if view.order.escrow is None else "chat.buy.paid"
        text = turn.say(key, total=checkout.total, number=view.order.number, shop=view.shop)
        return Screen(text, rows_of(Choice(turn.t("chat.do.open_order"), f"o:{view.order.number}:card"), turn.choice("home")))
    if attempt is not None and attempt.state is AttemptState.SUCCEEDED:
        why = _why(turn, f"money_{view.refund.reason if view.refund is not None else 'unknown'}")
        return Screen(why, rows_of(turn.choice("buy_again"), turn.choice("home")))
    if checkout.state in {CheckoutState.EXPIRED, CheckoutState.CANCELLED}:
        key = "expired" if checkout.state is CheckoutState.EXPIRED else "cancelled"
        return Screen(turn.say(f"chat.buy.{key}", name=view.link.name), rows_of(turn.choice("buy_again"), turn.choice("home")))
    if attempt is None or attempt.state in {AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED}:
        why = _why(turn, attempt.result if attempt is not None and attempt.result else "unknown")
        return Screen(f"{why}\n\n{turn.say('chat.buy.try_again', total=checkout.total)}", rows_of(*_retry(turn)))
    text = turn.say("chat.buy.waiting", total=checkout.total, phone=attempt.phone.masked if attempt.phone else "-")
    return Screen(text, rows_of(turn.choice("look_again"), turn.choice("cancel")))


def _why(turn: Turn, result: str) -> str:
    """What became of a try to pay, or of money that came all the same, in words."""
    key = f"errors.payment.{result}"
    return turn.say(key if turn.t.has(key) else "errors.payment.unknown")


def _retry(turn: Turn) -> tuple[Choice, ...]:
    return turn.choice("try_again"), turn.choice("other_phone"), turn.choice("cancel")


def _try_again(turn: Turn, phone: Phone | None) -> Next:
    view = _pay_view(turn)
    attempt = open_attempt(turn.unit, NewAttempt(turn.key, view.checkout.id, Method.MPESA, phone, turn.channel), turn.abilities)
    turn.send_later(attempt.id)
    return Next("waiting")


def take_waiting(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE or answer.text == "look_again":
        return Next("waiting")
    if answer.text == "other_phone":
        return Next("other_phone")
    if answer.text == "try_again":
        return _try_again(turn, None)
    view = _pay_view(turn)
    if answer.text == "buy_again":
        return Next("card", data={"code": view.link.code}, forget=True)
    if answer.text == "cancel" and view.order is None:
        cancel_checkout(turn.unit, view.checkout.id, turn.buyer())
        ringing = view.attempt is not None and view.attempt.live
        return Next("menu", "home", forget=True, note=turn.say("chat.buy.dropped_ringing" if ringing else "chat.buy.dropped"))
    return Next("menu", "home", forget=True)


DIALOG = {
    "code": Step(ask_code, take_code),
    "card": Step(ask_card, take_card),
    "who": Step(ask_who, take_who),
    "quantity": Step(ask_quantity, take_quantity),
    "address": Step(ask_address, take_address),
    "phone": Step(ask_phone, take_phone),
    "check": Step(ask_check, take_check),
    "other_phone": Step(ask_other_phone, take_other_phone),
    "waiting": Step(ask_waiting, take_waiting),
}
