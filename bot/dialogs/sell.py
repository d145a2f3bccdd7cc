"""Sell: name, price, description, photos, stock, check; then the link with Copy, Share and QR. One message may say it all."""

from __future__ import annotations

from typing import Any

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from domain.errors import BadInput
from domain.ids import FileId, dial_link
from domain.link import MOST_DESCRIPTION, MOST_PICTURES, Link, check_stock, read_quick_sell
from domain.money import Money, parse_amount
from domain.person import clean_name, clean_text
from usecases.links import NewLink, create_link, own_link, tell_link


def read_product(turn: Turn, answer: Answer) -> Next | None:
    """`Red sneakers 2500`, as a message or as a photo's caption, straight to the check; None when it is not that."""
    quick = read_quick_sell(answer.text)
    if quick is None:
        return None
    try:
        price = parse_amount(quick.price, _currency(turn))
        name = clean_name(quick.name)
    except BadInput as unclear:
        if unclear.reason != "unclear":
            return None
        return Next(
            "price",
            "sell",
            {"name": clean_name(quick.name), "pictures": list(answer.pictures), **_readings(unclear)},
            forget=True,
        )
    return Next(
        "check",
        "sell",
        {"name": name, "price": price.amount_minor, "currency": price.currency, "pictures": list(answer.pictures)},
        forget=True,
    )


def _readings(unclear: BadInput) -> dict[str, Any]:
    """An amount that can be read in two ways: the choices, and the currency that was named with it."""
    return {"options": unclear.facts["options"], "options_in": unclear.facts["currency"]}


def _currency(turn: Turn) -> str:
    shop = turn.shop
    return shop.currency if shop else turn.unit.house.currency


def ask_name(turn: Turn) -> Screen:
    return Screen(turn.say("chat.sell.name"), rows_of(turn.choice("cancel")))


def take_name(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    if answer.kind not in {Kind.TEXT, Kind.PHOTO}:
        return Next("name", note=turn.say("chat.type_words"))
    product = read_product(turn, answer)
    if product is not None:
        return product
    pictures = [*turn.data.get("pictures", []), *answer.pictures]
    if answer.kind is Kind.PHOTO and not answer.text:
        return Next("name", data={"pictures": pictures}, note=turn.say("chat.sell.photo_kept"))
    return Next("price", data={"name": clean_name(answer.text), "pictures": pictures})


def ask_price(turn: Turn) -> Screen:
    currency = turn.data.get("options_in") or _currency(turn)
    options = [Choice(turn.t.money(Money(minor, currency)), f"p{minor}") for minor in turn.data.get("options", [])]
    key = "chat.sell.price_unclear" if options else "chat.sell.price"
    return Screen(turn.say(key, name=turn.data["name"], currency=_currency(turn)), rows_of(*options, turn.choice("cancel")))


def take_price(turn: Turn, answer: Answer) -> Next:
    picked = answer.number("p")
    if picked is not None and picked in turn.data.get("options", []):
        return Next(_after_price(turn), data={"price": picked, "currency": turn.data.get("options_in") or _currency(turn), "options": []})
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True)
    try:
        price = parse_amount(answer.text, _currency(turn))
    except BadInput as unclear:
        if unclear.reason == "unclear":
            return Next("price", data=_readings(unclear))
        raise
    return Next(_after_price(turn), data={"price": price.amount_minor, "currency": price.currency, "options": []})


def _after_price(turn: Turn) -> str:
    """On a small screen name and price are enough: the rest can be added later."""
    return "check" if turn.small else "description"


def ask_description(turn: Turn) -> Screen:
    return Screen(turn.say("chat.sell.description"), rows_of(turn.choice("skip"), turn.choice("cancel")))


def take_description(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("photos") if answer.text == "skip" else Next("menu", "home", forget=True)
    if answer.kind in {Kind.PHOTO, Kind.FILE}:
        return take_photos(turn, answer)
    return Next("photos", data={"description": clean_text(answer.text, "description", MOST_DESCRIPTION)})


def ask_photos(turn: Turn) -> Screen:
    count = len(turn.data.get("pictures", []))
    text = turn.say("chat.sell.photos_more", count=count, most=MOST_PICTURES) if count else turn.say("chat.sell.photos", most=MOST_PICTURES)
    return Screen(text, rows_of(turn.choice("done" if count else "skip"), turn.choice("cancel")))


def take_photos(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        return Next("menu", "home", forget=True) if answer.text == "cancel" else Next("stock")
    if answer.kind is Kind.FILE and answer.file is not None:
        return Next("stock", data={"digital": answer.file}, note=turn.say("chat.sell.digital_kept"))
    if answer.kind is not Kind.PHOTO:
        return Next("photos", note=turn.say("chat.sell.send_photo"))
    pictures = [*turn.data.get("pictures", []), *answer.pictures]
    if len(pictures) >= MOST_PICTURES:
        return Next("stock", data={"pictures": pictures[:MOST_PICTURES]})
    return Next("photos", data={"pictures": pictures})


def ask_stock(turn: Turn) -> Screen:
    return Screen(
        turn.say("chat.sell.stock"), rows_of(turn.choice("unlimited"), Choice("1", "n1"), Choice("5", "n5"), Choice("10", "n10"), per_row=4),
        numbers=True,
    )  # fmt: skip


def take_stock(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        count = answer.number("n")
        return Next("check", data={"stock": None if count is None else check_stock(count)})
    return Next("check", data={"stock": read_count(answer)})


def read_count(answer: Answer) -> int:
    """A typed whole number in digits of any script. Raises BadInput."""
    digits = answer.text.strip()
    if not (digits.isdecimal() and len(digits) <= 7):
        raise BadInput("stock", "not_a_number")
    return check_stock(int(digits))


def ask_check(turn: Turn) -> Screen:
    data = turn.data
    lines = [turn.say("chat.sell.check"), "", f"<b>{turn.say('chat.value', value=data['name'])}</b>", turn.t.money(_price(data))]
    if data.get("description"):
        lines.append(turn.say("chat.value", value=data["description"]))
    if data.get("pictures"):
        lines.append(turn.say("chat.sell.photo_count", count=len(data["pictures"])))
    if data.get("stock") is not None:
        lines.append(turn.say("chat.sell.stock_count", count=data["stock"]))
    if data.get("digital") is not None:
        lines.append(turn.say("chat.sell.digital"))
    lines += ["", turn.say("chat.sell.fee_note", percent=percent(turn))]
    choices = [
        turn.choice("create"),
        turn.choice("edit_name"),
        turn.choice("edit_price"),
        None if turn.small else turn.choice("add_details"),
        turn.choice("cancel"),
    ]
    pictures = data.get("pictures")
    return Screen("\n".join(lines), rows_of(*choices), picture=FileId(pictures[0]) if pictures else None)


def _price(data: dict[str, Any]) -> Money:
    return Money(data["price"], data["currency"])


def percent(turn: Turn) -> str:
    shop = turn.shop
    whole, rest = divmod(shop.fee_bps if shop else turn.unit.house.fee_bps, 100)
    return f"{whole}.{rest:02d}".rstrip("0").rstrip(".")


def take_check(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.FILE and answer.file is not None:
        return Next("check", data={"digital": answer.file}, note=turn.say("chat.sell.digital_kept"))
    if answer.kind is not Kind.CHOICE:
        product = read_product(turn, answer) if answer.kind in {Kind.TEXT, Kind.PHOTO} else None
        return product or Next("check", note=turn.say("chat.sell.check_hint"))
    places = {"edit_name": "name", "edit_price": "price", "add_details": "description"}
    if answer.text in places:
        return Next(places[answer.text])
    if answer.text != "create":
        return Next("menu", "home", forget=True, note=turn.say("chat.sell.dropped"))
    data = turn.data
    link = create_link(
        turn.unit,
        turn.seller(),
        NewLink(
            key=turn.key, name=data["name"], price=_price(data), description=data.get("description", ""),
            pictures=tuple(FileId(number) for number in data.get("pictures", [])), stock=data.get("stock"),
            digital_file=FileId(data["digital"]) if data.get("digital") is not None else None,
        ),
    )  # fmt: skip
    if turn.small:
        tell_link(turn.unit, link, turn.person.id, turn.key)
    return Next("done", data={"code": link.code}, forget=True)


def link_url(turn: Turn, link: Link) -> str:
    return f"{turn.unit.house.base_url}/buy/{link.code}"


def link_choices(turn: Turn, link: Link) -> list[Choice]:
    """Copy, Share and QR: one tap each. Where nothing can be copied, the link comes by SMS."""
    if turn.small:
        return [turn.choice("send_link")]
    return [
        Choice(turn.t("chat.do.copy"), copy=link_url(turn, link)),
        Choice(turn.t("chat.do.share"), share=link.code),
        turn.choice("qr"),
    ]


def ask_done(turn: Turn) -> Screen:
    link = own_link(turn.unit, turn.seller(), turn.data["code"])
    url, dial = link_url(turn, link), dial_link(turn.unit.house.ussd_code, link.code)
    text = turn.say("chat.sell.done", name=link.name, price=link.price, code=link.code, url=url, dial=dial)
    return Screen(
        text,
        rows_of(*link_choices(turn, link), turn.choice("open_link"), turn.choice("sell_more"), turn.choice("home"), per_row=3),
        fresh=True,
    )


def take_done(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text == "qr":
        return Next("qr")
    if answer.kind is Kind.CHOICE and answer.text in {"open_link", "send_link"}:
        return Next("one", "links")
    if answer.kind is Kind.CHOICE and answer.text == "sell_more":
        return Next("name", forget=True)
    if answer.kind in {Kind.TEXT, Kind.PHOTO} and (product := read_product(turn, answer)) is not None:
        return product
    return Next("menu", "home", forget=True)


def ask_qr(turn: Turn) -> Screen:
    link = own_link(turn.unit, turn.seller(), turn.data["code"])
    text = turn.say("chat.sell.qr", name=link.name, price=link.price, url=link_url(turn, link))
    return Screen(text, rows_of(turn.choice("open_link"), turn.choice("home")), qr=link_url(turn, link), fresh=True)


DIALOG = {
    "name": Step(ask_name, take_name),
    "price": Step(ask_price, take_price),
    "description": Step(ask_description, take_description),
    "photos": Step(ask_photos, take_photos),
    "stock": Step(ask_stock, take_stock),
    "check": Step(ask_check, take_check),
    "done": Step(ask_done, take_done),
    "qr": Step(ask_qr, take_done),
}
