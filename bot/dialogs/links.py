"""My links: the list with figures; one link: edit, switch off and on, stock, QR."""

from __future__ import annotations

from bot.dialog import Answer, Choice, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs.sell import ask_qr, link_choices, link_url, read_count, read_product
from domain.errors import BadInput
from domain.ids import FileId, dial_link
from domain.life import LinkState
from domain.link import MOST_PICTURES
from domain.money import Money, parse_amount
from domain.rights import Actor
from usecases.links import edit_link, own_link, set_link_state, tell_link
from usecases.views import LinkRow, my_links

PAGE = 6


def ask_list(turn: Turn) -> Screen:
    rows = my_links(turn.unit, turn.seller(), turn.data.get("after"), PAGE + 1)
    if not rows:
        return Screen(turn.say("chat.links.none"), rows_of(turn.choice("sell"), turn.choice("home")))
    shown = rows[:PAGE]
    lines = [turn.say("chat.links.title"), "", *(_row(turn, row) for row in shown)]
    if turn.small:
        lines = lines[:1]
    choices = [Choice(f"{row.link.name[:24]} · {row.link.code}", row.link.code) for row in shown]
    more = Choice(turn.t("chat.do.more"), f"after{shown[-1].link.id}") if len(rows) > PAGE else None
    return Screen("\n".join(lines), (*rows_of(*choices, per_row=1), *rows_of(more, turn.choice("sell"), turn.choice("home"))))


def _row(turn: Turn, row: LinkRow) -> str:
    revenue = Money(row.figures.revenue_minor, row.link.price.currency)
    return turn.say(
        f"chat.links.row.{row.link.state}",
        name=row.link.name,
        price=row.link.price,
        visits=row.figures.visits,
        paid=row.figures.paid,
        revenue=revenue,
    )


def take_list(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE:
        if answer.text.startswith("after"):
            return Next("list", data={"after": answer.number("after")})
        if answer.text == "sell":
            return Next("name", "sell", forget=True)
        if answer.text == "home":
            return Next("menu", "home", forget=True)
        return Next("one", data={"code": answer.text})
    if answer.kind in {Kind.TEXT, Kind.PHOTO} and (product := read_product(turn, answer)) is not None:
        return product
    return Next("list", note=turn.say("chat.pick_one"))


def ask_one(turn: Turn) -> Screen:
    actor = turn.seller()
    link = own_link(turn.unit, actor, turn.data["code"])
    figures = turn.unit.links.figures([link.id])[link.id]
    lines = [
        turn.say(f"chat.links.state.{link.state}", name=link.name, price=link.price, code=link.code),
        turn.say("ussd.dial", dial=dial_link(turn.unit.house.ussd_code, link.code)) if turn.small else turn.say("chat.value", value=link_url(turn, link)),
        "",
        turn.say("chat.links.figures", visits=figures.visits, checkouts=figures.checkouts, paid=figures.paid,
                 revenue=Money(figures.revenue_minor, link.price.currency)),
    ]  # fmt: skip
    if link.stock is not None:
        lines.append(turn.say("chat.sell.stock_count", count=link.stock))
    switch = turn.choice("deactivate") if link.state in {LinkState.ACTIVE, LinkState.SOLD_OUT} else turn.choice("activate")
    edits = [turn.choice(key) for key in ("edit_name", "edit_price", "edit_words", "edit_photos", "edit_stock") if usable(turn, key)]
    return Screen(
        "\n".join(lines), rows_of(*link_choices(turn, link), *edits, switch, turn.choice("links"), turn.choice("home"), per_row=3)
    )


def usable(turn: Turn, key: str) -> bool:
    """A phone without pictures sends none."""
    return not (turn.small and key == "edit_photos")


def take_one(turn: Turn, answer: Answer) -> Next:
    if answer.kind is not Kind.CHOICE:
        return Next("one", note=turn.say("chat.pick_one"))
    if answer.text in {"activate", "deactivate"}:
        state = LinkState.ACTIVE if answer.text == "activate" else LinkState.INACTIVE
        set_link_state(turn.unit, turn.seller(), turn.data["code"], state)
        return Next("one")
    if answer.text in {"edit_name", "edit_price", "edit_words", "edit_photos", "edit_stock"}:
        return Next("edit", data={"field": answer.text.removeprefix("edit_")})
    if answer.text == "qr":
        return Next("qr")
    if answer.text == "send_link":
        tell_link(turn.unit, own_link(turn.unit, turn.seller(), turn.data["code"]), turn.person.id, turn.key)
        return Next("one", note=turn.say("chat.links.sent"))
    return Next("list", data={"after": None}) if answer.text == "links" else Next("menu", "home", forget=True)


def ask_edit(turn: Turn) -> Screen:
    field = turn.data["field"]
    link = own_link(turn.unit, turn.seller(), turn.data["code"])
    empty = turn.choice("unlimited") if field == "stock" else turn.choice("remove") if field in {"words", "photos"} else None
    currency = turn.data.get("options_in") or link.price.currency
    options = [Choice(turn.t.money(Money(minor, currency)), f"p{minor}") for minor in turn.data.get("options") or []]
    text = turn.say(f"chat.links.edit.{field}", name=link.name, price=link.price, most=MOST_PICTURES)
    if options:
        text = turn.say("chat.sell.price_unclear", name=link.name, currency=currency)
    return Screen(text, rows_of(*options, empty, turn.choice("back")), numbers=field == "stock")


def take_edit(turn: Turn, answer: Answer) -> Next:
    field, actor, code = turn.data["field"], turn.seller(), turn.data["code"]
    if answer.kind is Kind.CHOICE and answer.text == "back":
        return Next("one", data={"options": []})
    emptied = answer.kind is Kind.CHOICE
    if field == "photos":
        link = own_link(turn.unit, actor, code)
        if not emptied and answer.kind is not Kind.PHOTO:
            return Next("edit", note=turn.say("chat.sell.send_photo"))
        kept: list[FileId] = [] if emptied else [*link.pictures, *answer.pictures][-MOST_PICTURES:]
        edit_link(turn.unit, actor, code, {"pictures": kept})
        return Next("one" if emptied else "edit", note=turn.say("chat.links.saved"))
    if answer.kind not in {Kind.TEXT, Kind.CHOICE}:
        return Next("edit", note=turn.say("chat.type_words"))
    if field == "stock":
        edit_link(turn.unit, actor, code, {"stock": None if emptied else read_count(answer)})
    elif field == "price":
        return _edit_price(turn, answer, actor, code)
    else:
        edit_link(turn.unit, actor, code, {"name" if field == "name" else "description": "" if emptied else answer.text})
    return Next("one", note=turn.say("chat.links.saved"))


def _edit_price(turn: Turn, answer: Answer, actor: Actor, code: str) -> Next:
    """A typed price; one that can be read in two ways is asked about."""
    currency = own_link(turn.unit, actor, code).price.currency
    picked = answer.number("p")
    if picked is not None and picked in (turn.data.get("options") or []):
        price = Money(picked, turn.data.get("options_in") or currency)
    else:
        try:
            price = parse_amount(answer.text, currency)
        except BadInput as unclear:
            if unclear.reason != "unclear":
                raise
            return Next("edit", data={"options": unclear.facts["options"], "options_in": unclear.facts["currency"]})
    edit_link(turn.unit, actor, code, {"price": price})
    return Next("one", data={"options": []}, note=turn.say("chat.links.saved"))


def take_qr(turn: Turn, answer: Answer) -> Next:
    return Next("one") if answer.kind is Kind.CHOICE and answer.text == "open_link" else Next("menu", "home", forget=True)


DIALOG = {
    "list": Step(ask_list, take_list),
    "one": Step(ask_one, take_one),
    "edit": Step(ask_edit, take_edit),
    "qr": Step(ask_qr, take_qr),
}
