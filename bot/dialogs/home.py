"""Home: what waits comes first, then what can be done, by role. A product in one message, or a photo with its caption, starts a sale."""

from __future__ import annotations

from bot.dialog import Answer, Kind, Next, Screen, Step, Turn, rows_of
from bot.dialogs import carry
from bot.dialogs.sell import read_product
from domain.codes import read_carry_code
from domain.ids import read_link_code
from domain.person import ChannelKind, Role
from usecases.views import waiting_for

_PLACES = {
    "sell": ("name", "sell"),
    "links": ("list", "links"),
    "orders": ("list", "orders"),
    "wallet": ("balance", "wallet"),
    "purchases": ("list", "purchases"),
    "buy": ("code", "buy"),
    "check": ("ask", "check"),
    "practice": ("intro", "practice"),
    "role": ("role", "start"),
    "open_shop": ("shop", "start"),
    "language": ("language", "start"),
    "email": ("address", "email"),
    "settings": ("menu", "settings"),
    "help": ("help", "home"),
}
_BEFORE_THE_FIRST_SALE = ("sell", "practice", "orders", "links", "wallet", "purchases", "check", "role")


def ask_menu(turn: Turn) -> Screen:
    shop = turn.shop
    waits = waiting_for(turn.unit, turn.person.id, shop.id if shop else None)
    selling = turn.person.role is Role.SELLER and shop is not None
    places: tuple[str, ...]
    lines = [
        turn.say("chat.home.seller", shop=shop.name if shop else "") if selling else turn.say("chat.home.buyer", name=turn.person.name),
        "",
    ]
    if selling:
        lines += [turn.say("chat.home.disputes", count=waits.disputes)] if waits.disputes else []
        lines += [turn.say("chat.home.late", count=waits.late)] if waits.late else []
        lines += [turn.say("chat.home.to_ship", count=waits.to_ship)] if waits.to_ship else []
        lines += [] if turn.small else [turn.say("chat.home.quick_sell")]
        sold = waits.to_ship or waits.disputes or waits.late or turn.unit.orders.completed(shop.id, 1) if shop is not None else 0
        places = ("orders", "sell", "links", "wallet", "purchases", "check", "role") if sold else _BEFORE_THE_FIRST_SALE
    else:
        lines += [turn.say("chat.home.to_confirm", count=waits.to_confirm)] if waits.to_confirm else []
        lines += [] if turn.small else [turn.say("chat.home.how_to_buy")]
        places = ("purchases", "buy", "check", "role" if shop else "open_shop")
    if turn.unit.house.mail and not turn.small:
        places = (*places, "email")
    return Screen(
        "\n".join(lines),
        rows_of(*(turn.choice(place) for place in places), turn.choice("settings"), None if turn.small else turn.choice("help")),
    )


def shortcut(turn: Turn, answer: Answer) -> Next | None:
    """What works on every screen that asks for no words: a link's code, or a product in one message. None for anything else."""
    if answer.kind is Kind.TEXT and (code := read_link_code(answer.text)) is not None and turn.unit.links.by_code(code) is not None:
        return Next("card", "buy", {"code": code}, forget=True)
    if answer.kind in {Kind.TEXT, Kind.PHOTO} and (product := read_product(turn, answer)) is not None:
        if turn.shop is None:
            return Next("shop", "start", {"onward": "sell"}, forget=True, note=turn.say("chat.home.shop_first"))
        return product
    if turn.channel is ChannelKind.TELEGRAM and answer.kind is Kind.TEXT and (code := read_carry_code(answer.text)) is not None:
        return carry.take_up(turn, code)
    return None


def take_menu(turn: Turn, answer: Answer) -> Next:
    if answer.kind is Kind.CHOICE and answer.text in _PLACES:
        step, dialog = _PLACES[answer.text]
        return Next(step, dialog, forget=True)
    short = shortcut(turn, answer)
    if short is not None:
        return short
    if answer.kind is Kind.PHOTO:
        return Next("name", "sell", {"pictures": list(answer.pictures)}, forget=True, note=turn.say("chat.sell.photo_kept"))
    return Next("menu", "home", forget=True, note=carry.gone_elsewhere(turn) or turn.say("chat.not_understood"))


def ask_help(turn: Turn) -> Screen:
    return Screen(turn.say("chat.help"), rows_of(turn.choice("home")))


def take_help(turn: Turn, answer: Answer) -> Next:
    return Next("menu", "home", forget=True) if answer.kind is Kind.CHOICE else take_menu(turn, answer)


DIALOG = {"menu": Step(ask_menu, take_menu), "help": Step(ask_help, take_help)}
