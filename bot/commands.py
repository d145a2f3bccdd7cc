"""Where a command or a press on a card leads. One table, the words of docs/commands.md."""

from __future__ import annotations

from collections.abc import Callable

from bot.dialog import Answer, Next, Turn
from bot.dialogs import carry, check, claim, group, late
from domain.check import read_check
from domain.errors import NotFound
from domain.ids import OrderId, read_digits, read_link_code
from domain.order import OrderAct
from domain.person import Role
from domain.rights import MEMBERS, Actor
from domain.tokens import Purpose
from usecases.orders import accept_order, follow_order, mark_delivered
from usecases.people import set_role
from usecases.views import order_for, party_in_order

FOLLOW = "f"
COMMANDS_SELLER = (
    "sell",
    "links",
    "orders",
    "wallet",
    "buy",
    "purchases",
    "check",
    "paid",
    "practice",
    "role",
    "settings",
    "language",
    "help",
)
COMMANDS_BUYER = ("buy", "purchases", "paid", "sell", "role", "settings", "language", "help")


def command(turn: Turn, answer: Answer) -> Next:
    """A command anywhere leaves what was being said. Unknown ones lead home with a word about it."""
    go = _COMMANDS.get(answer.text.lower())
    if go is None:
        return Next("menu", "home", forget=True, note=turn.say("chat.unknown_command"))
    return go(turn, answer.rest.strip())


def _start(turn: Turn, rest: str) -> Next:
    code = read_link_code(rest)
    if code is not None:
        return Next("card", "buy", {"code": code}, forget=True)
    if rest == "sell":
        return _COMMANDS["sell"](turn, "")
    if rest.startswith(carry.PREFIX):
        return carry.take_up(turn, rest.removeprefix(carry.PREFIX))
    if rest.startswith(group.PREFIX):
        return group.take_up(turn, rest.removeprefix(group.PREFIX))
    if rest.startswith(FOLLOW):
        return _follow(turn, rest.removeprefix(FOLLOW))
    if not turn.person.welcomed:
        return Next("language", "start", forget=True, note=carry.gone_elsewhere(turn))
    return carry.offer(turn) or _home(turn, rest)


def _follow(turn: Turn, token: str) -> Next:
    number = turn.unit.tokens.read(Purpose.FOLLOW, token)
    if number is None:
        raise NotFound(what="order")
    order = follow_order(turn.unit, OrderId(number), turn.person.id)
    return Next("card", "order", {"number": order.number}, forget=True, note=turn.say("chat.following"))


def _home(turn: Turn, rest: str) -> Next:
    return Next("menu", "home", forget=True, note=carry.gone_elsewhere(turn))


def _buy(turn: Turn, rest: str) -> Next:
    """Dialled digits come here too: those of a link, or a check number, which has more of them."""
    code = read_link_code(rest)
    if code is None and (asked := read_check(rest)) is not None and asked.number:
        return check.begin(turn, rest)
    return Next("card", "buy", {"code": code}, forget=True) if code else Next("code", "buy", forget=True)


def _track(turn: Turn, rest: str) -> Next:
    number = read_digits(rest, 8)
    return Next("card", "order", {"number": number}, forget=True) if number else Next("list", "purchases", forget=True)


def _role(turn: Turn, rest: str) -> Next:
    return Next("role", "start", forget=True)


def _language(turn: Turn, rest: str) -> Next:
    return Next("language", "start", forget=True)


def _settings(turn: Turn, rest: str) -> Next:
    return Next("menu", "settings", forget=True)


def _help(turn: Turn, rest: str) -> Next:
    return Next("help", "home", forget=True)


def _practice(turn: Turn, rest: str) -> Next:
    return Next("intro", "practice", forget=True)


def _purchases(turn: Turn, rest: str) -> Next:
    return Next("list", "purchases", forget=True)


def _email(turn: Turn, rest: str) -> Next:
    return Next("address", "email", forget=True)


def _seller(dialog: str, step: str) -> Callable[[Turn, str], Next]:
    """A place that needs a shop: somebody without one opens it first, and is told why."""

    def go(turn: Turn, rest: str) -> Next:
        if turn.shop is None:
            return Next("shop", "start", {"onward": dialog}, forget=True)
        if turn.person.role is not Role.SELLER:
            set_role(turn.unit, turn.person.id, Role.SELLER)
        return Next(step, dialog, forget=True)

    return go


_COMMANDS: dict[str, Callable[[Turn, str], Next]] = {
    "start": _start,
    "menu": _home,
    "home": _home,
    "cancel": _home,
    "help": _help,
    "language": _language,
    "lugha": _language,
    "role": _role,
    "settings": _settings,
    "sell": _seller("sell", "name"),
    "links": _seller("links", "list"),
    "orders": _seller("orders", "list"),
    "wallet": _seller("wallet", "balance"),
    "buy": _buy,
    "check": check.begin,
    "paid": claim.begin,
    "practice": _practice,
    "track": _track,
    "purchases": _purchases,
    "email": _email,
}


def _read_thing(pressed: str) -> tuple[str, str]:
    """On which order, or late money, and what. Nothing in it is trusted; the use case asks for the right each time."""
    head, _, rest = pressed.partition(":")
    number, _, act = rest.partition(":")
    if head != "o" or read_digits(number, 8) is None:
        raise NotFound(what="order")
    return number, act


def is_of_late_money(pressed: str) -> bool:
    return pressed.rpartition(":")[2] in late.PRESSES


def act_at_once(turn: Turn, pressed: str) -> bool:
    """Presses that need no question: they are done, and the card shows it by itself. False for all others."""
    number, act = _read_thing(pressed)
    if act == OrderAct.ACCEPT:
        accept_order(turn.unit, _actor(turn, number), number)
    elif act == OrderAct.DELIVERED:
        mark_delivered(turn.unit, _actor(turn, number), number)
    else:
        return False
    return True


def _actor(turn: Turn, number: str) -> Actor:
    """Whose press this is. Raises NotFound for a stranger's."""
    return party_in_order(turn.unit, turn.person.id, number, turn.channel)


def thing(turn: Turn, pressed: str) -> Next:
    """A press on a card that leads into a dialog: `o:48219377:ship`. What is not offered (any more, or to this side) shows the card as it is."""
    number, act = _read_thing(pressed)
    if act in late.PRESSES:
        return late.pressed(turn, number, act)
    actor = _actor(turn, number)
    dialog = "orders" if actor.party in MEMBERS else "order"
    offered = act in order_for(turn.unit, actor, number).acts
    return Next(act if offered else "card", dialog, {"number": number}, forget=True)
