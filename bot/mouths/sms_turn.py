"""A turn by SMS: one message that arrived, what it did, and one answer, in one unit of work; the answer is an outbox row, so a crash loses neither.

Words (`SHIP 4821`) and numbers (`1`) lead into the same dialogs as everywhere. Anybody can forge a sender, but only the phone's holder reads what
we answer: so what moves money, or its clock, waits for a one-time number that is texted back (docs/decisions/0013-what-an-sms-may-do.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from bot.dialog import Answer, Kind, Screen
from bot.dialogs import late
from bot.engine import HOME, Engine, Heard, Said, place_of, refusal_words
from bot.mouths.keywords import LEAST_DIGITS, Spoken, Word, read_keys, read_spoken, readings, reason_in
from bot.mouths.pages import BACK, MORE, Keys, menu_of
from bot.mouths.pages import HOME as HOME_KEY
from bot.mouths.parts import parts, sayable
from domain.errors import BadCode, DomainError, LimitReached, NotFound, WrongCode
from domain.ids import AttemptId, read_digits
from domain.order import Order, OrderAct
from domain.person import ChannelKind, Conversation, Language, Person
from domain.ports import Unit
from domain.rights import MEMBERS, Party
from templates.words import Words
from usecases.codes import make_code, use_code, window_end
from usecases.late import named_late
from usecases.naming import named_orders, orders_to_confirm
from usecases.people import set_language
from usecases.phones import arrive_by_number
from usecases.texting import GATEWAY, HOUR_S, Inbound, Wish, is_last_answer, post_answer, take_text
from usecases.updates import screen_delivered
from usecases.views import order_for, party_in_order

FLOW: Final = "sms_act"
CODE_LIVES: Final = timedelta(minutes=10)
CODE_DIGITS: Final = 6
MOST_BACK: Final = 6
"""Steps one may go back."""
MONEY: Final = {
    ("order", str(OrderAct.CANCEL), "yes_cancel"): "cancel",
    ("order", str(OrderAct.WITHDRAW), "yes_withdraw"): "withdraw",
    ("order", "problem_photos", "open_problem"): "problem",
    ("orders", str(OrderAct.REFUND), "yes_refund"): "refund",
    ("late", "card", late.ACCEPT): "late_accept",
    ("late", "refund", "yes_refund"): "late_refund",
}
"""Choices that move money or stop its clock; `tests/bot/test_sms_spoofing.py` tries every choice of every step for one that is missing here."""
_TAKES_CODE: Final = {("order", str(OrderAct.CONFIRM)), ("orders", str(OrderAct.ENTER_CODE))}
"""Steps that ask for the delivery code themselves."""
_ASKING: Final = frozenset({"start", "sell", "buy", "links"})
"""Dialogs in which a bare YES or OK is an answer to what was asked there."""
LEFT_OUT: Final = frozenset({"home", "cancel", "back", "qr", "share", "help", "other_phone"})
"""Choices that are keys here, of no use without pictures, or that would let a forged sender ring somebody else's phone."""
_COMMANDS: Final = {
    Word.LINKS: "links", Word.ORDERS: "orders", Word.WALLET: "wallet", Word.HELP: "help", Word.MENU: "home", Word.LANGUAGE: "language",
}  # fmt: skip


def sms_turn(unit: Unit, engine: Engine, event_key: str) -> tuple[AttemptId, ...]:
    """The whole turn, answered once however often it is tried; returns the attempts that are to be handed to their gateways.

    Raises Stale when another turn of the same person won; then it is run again and finds what that one left.
    """
    inbound = take_text(unit, event_key)
    if inbound is None or inbound.phone is None:
        return ()
    person = arrive_by_number(unit, inbound.phone)
    return _Turn(unit, engine, inbound, person, place_of(unit, person, ChannelKind.SMS)).answer()


class _Turn:
    def __init__(self, unit: Unit, engine: Engine, inbound: Inbound, person: Person, place: Conversation) -> None:
        self._unit, self._engine, self._inbound, self._person, self._place = unit, engine, inbound, person, place
        self._memory: dict[str, Any] = dict(place.shown)
        self._sender = str(inbound.phone)
        self._attempts: tuple[AttemptId, ...] = ()

    @property
    def _t(self) -> Words:
        return self._engine.words_on(ChannelKind.SMS, self._person)

    def answer(self) -> tuple[AttemptId, ...]:
        assert self._inbound.phone is not None
        if is_last_answer(self._unit, self._inbound.phone):
            self._say("enough", when=window_end(self._unit.now, HOUR_S), ussd=self._unit.house.ussd_code)
        else:
            self._heard(self._inbound.text.strip())
        return self._attempts

    # -- what was meant

    def _heard(self, typed: str) -> None:
        here = (self._place.dialog, self._place.step)
        if self._memory.get("waits") and here not in _TAKES_CODE and read_digits(typed, CODE_DIGITS) is not None:
            return self._code(typed)
        pressed = read_keys(typed)
        if pressed and self._pressed(pressed):
            return None
        if self._inbound.wish is Wish.START:
            return self._command("start")
        spoken = read_spoken(typed)
        if spoken is not None and (spoken.word is not Word.YES or spoken.groups or self._place.dialog not in _ASKING):
            return self._spoken(spoken)
        return self._hear(Answer(Kind.TEXT, typed))

    def _pressed(self, key: str) -> bool:
        said, page = self._memory.get("pages", ()), self._memory.get("page", 0)
        offered = self._memory.get("menu", {}).get(key)
        if key == MORE and page + 1 < len(said):
            self._turned(page + 1)
        elif key == BACK and 0 < page < len(said):
            self._turned(page - 1)
        elif key == HOME_KEY:
            self._command("home")
        elif key == BACK and self._place.version:
            self._back()
        elif offered is not None:
            self._hear(Answer(Kind.CHOICE, offered), offered if offered.startswith("o:") else "")
        else:
            return False
        return True

    def _turned(self, page: int) -> None:
        self._keep({**self._memory, "page": page})
        self._post(self._memory["pages"][page])

    def _back(self) -> None:
        trail = list(self._memory.get("trail", ()))
        if not trail:
            return self._command("home")
        dialog, step, data = trail.pop()
        self._place = self._unit.conversations.put(replace(self._place, dialog=dialog, step=step, data=data))
        return self._show(self._engine.again(self._unit, self._person, ChannelKind.SMS), trail)

    def _command(self, word: str, rest: str = "") -> None:
        self._hear(Answer(Kind.COMMAND, word, rest))

    def _spoken(self, spoken: Spoken) -> None:
        if not (self._person.welcomed or self._place.version):  # the first word they ever wrote says which language they speak
            self._person = set_language(self._unit, self._person.id, spoken.language)
        word = spoken.word
        if word is Word.YES:
            self._yes(spoken.groups)
        elif word is Word.SELL and spoken.rest and self._unit.organizations.of_person(self._person.id):
            self._go("sell", "name", {}, Answer(Kind.TEXT, spoken.rest))
        elif word is Word.PAID:
            self._command("paid", spoken.rest)
        elif word in _COMMANDS:
            self._command(_COMMANDS[word])
        elif word is Word.WITHDRAW:
            self._say("no_withdraw")
        elif word in {Word.SELL, Word.BUY, Word.CHECK} or not spoken.digits:
            self._command(_LISTS[word], spoken.rest)
        else:
            self._about_an_order(spoken)

    def _about_an_order(self, spoken: Spoken) -> None:
        word = spoken.word
        if word in _DECIDES and self._about_late_money(spoken):
            return
        sold, bought = word is not Word.PROBLEM, word not in {Word.ACCEPT, Word.SHIP, Word.DELIVERED, Word.REFUND}
        order = self._meant(spoken.digits, sold=sold, bought=bought)
        if order is None:
            return
        if word is Word.SHIP and self._offered(order, OrderAct.SHIP):
            answer = Answer(Kind.TEXT, spoken.rest) if spoken.rest else Answer(Kind.CHOICE, "no_courier")
            self._go("orders", "ship", {"number": order.number}, answer)
        elif word is Word.PROBLEM and spoken.rest and self._offered(order, OrderAct.PROBLEM):
            told = {"number": order.number, "reason": str(reason_in(spoken.rest)), "words": spoken.rest, "pictures": []}
            self._go("order", "problem_photos", told, Answer(Kind.CHOICE, "open_problem"))
        elif word is Word.CANCEL:
            act = OrderAct.CANCEL if self._offered(order, OrderAct.CANCEL) else OrderAct.REFUND
            self._hear(Answer(Kind.CHOICE), f"o:{order.number}:{act}")
        else:
            self._hear(Answer(Kind.CHOICE), f"o:{order.number}:{_ACTS[word]}")

    def _about_late_money(self, spoken: Spoken) -> bool:
        """Whether what was named is late money, and no order. One that was decided shows what became of it."""
        if len(spoken.digits) < LEAST_DIGITS:
            return False
        found = named_late(self._unit, self._person.id, spoken.digits)
        named = {one.number for one in found} | {order.number for order in self._sold(spoken.digits)}
        if len(found) != 1 or len(named) != 1:
            return False
        step, key = _DECIDES[spoken.word]
        self._go("late", step, {"late": found[0].number}, Answer(Kind.CHOICE, key))
        return True

    def _sold(self, digits: str) -> Sequence[Order]:
        return named_orders(self._unit, self._person.id, digits, sold=True, bought=False)

    def _meant(self, digits: str, *, sold: bool = True, bought: bool = True) -> Order | None:
        """The one order of theirs that ends so; else it was asked which."""
        if len(digits) < LEAST_DIGITS:
            self._say("order_short")
            return None
        found = named_orders(self._unit, self._person.id, digits, sold=sold, bought=bought)
        if len(found) == 1:
            return found[0]
        if found:
            self._say("order_many", digits=digits, numbers=_listed(found))
        else:
            self._say("order_none", digits=digits)
        return None

    def _offered(self, order: Order, act: OrderAct) -> bool:
        actor = party_in_order(self._unit, self._person.id, order.number, ChannelKind.SMS)
        return act in order_for(self._unit, actor, order.number).acts

    # -- the delivery code

    def _yes(self, groups: tuple[str, ...]) -> None:
        """`YES 739 216` completes the one order that waits, or the one that is being spoken of; `YES 739 216 4821` the one that ends so."""
        waiting = list(orders_to_confirm(self._unit, self._person.id))
        here = self._place.data.get("number") if self._place.dialog in {"order", "orders"} else None
        one = waiting if len(waiting) == 1 else [(order, party) for order, party in waiting if order.number == here]
        if not waiting:
            return self._say("confirm_none")
        digits = "".join(groups)
        for reading in readings(groups):
            about = [pair for pair in waiting if pair[0].number.endswith(reading.order)] if reading.order else one
            if len(about) == 1:
                return self._confirm(*about[0], reading.code)
        if readings(groups) and len(digits) == CODE_DIGITS:
            return self._say("confirm_many", numbers=_listed([order for order, _ in waiting]))
        named = [pair for pair in waiting if pair[0].number.endswith(digits)] if len(digits) >= LEAST_DIGITS else one
        if len(named) == 1:
            return self._confirm(*named[0], digits if digits and len(digits) < LEAST_DIGITS else "")
        return self._say("confirm_how")

    def _confirm(self, order: Order, party: Party, code: str) -> None:
        """The step that asks for the code, and the code where there is one."""
        dialog, step = ("orders", OrderAct.ENTER_CODE) if party in MEMBERS else ("order", OrderAct.CONFIRM)
        if code:
            return self._go(dialog, str(step), {"number": order.number}, Answer(Kind.TEXT, code))
        return self._hear(Answer(Kind.CHOICE), f"o:{order.number}:{step}")

    # -- what needs a number that is texted back

    def _held(self, answer: Answer, thing: str) -> str:
        """What this would do to money or its clock; empty for everything that may be done at once."""
        place = self._place
        if thing:
            _, number, act = [*thing.split(":"), "", ""][:3]
            return "delivered" if act == OrderAct.DELIVERED and self._may(number) else ""
        if answer.kind is not Kind.COMMAND and (place.dialog, place.step, place.data.get("field")) == ("links", "edit", "price"):
            return "price"
        return MONEY.get((place.dialog, place.step, answer.text), "") if answer.kind is Kind.CHOICE else ""

    def _may(self, number: str) -> bool:
        order = self._unit.orders.by_number(number)
        try:
            return order is not None and self._offered(order, OrderAct.DELIVERED)
        except NotFound:
            return False

    def _ask_back(self, act: str, answer: Answer, thing: str) -> None:
        """Nothing happens yet: what was asked for is kept with the code that would do it."""
        place, unit = self._place, self._unit
        about = thing.split(":")[1] if thing else str(place.data.get(_NAMED.get(place.dialog, "number")) or place.data.get("code"))
        waits = f"{self._sender}:{about}"
        held = {
            "dialog": place.dialog,
            "step": place.step,
            "data": place.data,
            "kind": str(answer.kind),
            "text": answer.text,
            "thing": thing,
        }
        try:
            code = make_code(unit, FLOW, waits, self._person.id, held, lives=CODE_LIVES, digits=CODE_DIGITS)
        except LimitReached as refusal:
            return self._refuse(refusal)
        self._keep({**self._memory, "waits": waits})
        order = unit.orders.by_number(about)
        held_late = unit.late.by_number(about) if place.dialog == "late" else None
        total = held_late.money if held_late is not None else order.total if order is not None else ""
        return self._say(f"act.{act}", number=about, total=total, code=code, minutes=CODE_LIVES.seconds // 60)

    def _code(self, typed: str) -> None:
        """The number came back: from the phone that it was sent to, so what was held is done."""
        try:
            held = use_code(self._unit, FLOW, self._memory["waits"], typed).data
        except BadCode as refusal:
            if not isinstance(refusal, WrongCode):
                self._memory.pop("waits")
                self._keep(self._memory)
            return self._refuse(refusal)
        self._memory.pop("waits")
        self._place = replace(self._place, dialog=held["dialog"], step=held["step"], data=held["data"])
        return self._hear(Answer(Kind(held["kind"]), held["text"]), held["thing"], sure=True)

    # -- the turn and what is said

    def _go(self, dialog: str, step: str, data: dict[str, Any], answer: Answer) -> None:
        """A word that leads into the middle of a dialog."""
        self._place = replace(self._place, dialog=dialog, step=step, data=data)
        self._hear(answer)

    def _hear(self, answer: Answer, thing: str = "", *, sure: bool = False) -> None:
        act = "" if sure else self._held(answer, thing)
        if act:
            return self._ask_back(act, answer, thing)
        left = self._place
        if left.dialog == "buy" and "phone" in left.data:
            left = replace(left, data={**left.data, "phone": self._sender})
        heard = Heard(ChannelKind.SMS, self._sender, "", Language.EN, self._inbound.event_key, answer, thing=thing)
        said = self._engine.answer(self._unit, heard, GATEWAY, self._person, left)
        assert said.person is not None
        assert said.place is not None, "on this channel a turn leaves a conversation"
        self._person, now, self._attempts = said.person, said.place, said.attempts
        screen_delivered(self._unit, said.outbox_id, now.person_id, ChannelKind.SMS, now.version, None)  # it goes out as the answer, below
        trail = list(self._memory.get("trail", ()))
        if (now.dialog, now.step) == HOME or not left.version:
            trail = []
        elif (now.dialog, now.step) != (left.dialog, left.step):
            trail = [*trail, [left.dialog, left.step, left.data]][-MOST_BACK:]
        return self._show(said, trail)

    def _show(self, said: Said, trail: Sequence[Any]) -> None:
        assert said.place is not None
        assert said.screen is not None, "on this channel a turn shows something"
        before, self._place = (self._place.dialog, self._place.step), said.place
        screen = self._own_number(said.screen)
        place = self._place
        now = (place.dialog, place.step)
        menu = menu_of(screen, LEFT_OUT)
        leave = "" if now == HOME or place.dialog == "start" else self._t("ussd.leave")
        lines = [f"{number}. {self._spelt(choice.text)}" for number, choice in menu.items()]
        made = parts(self._spelt(screen.text), lines, Keys(self._t("ussd.more"), leave))
        shown: dict[str, Any] = {"menu": {number: choice.key for number, choice in menu.items()}, "trail": list(trail)}
        if len(made) > 1:
            shown |= {"pages": made, "page": 0}
        if before == now and "waits" in self._memory:
            shown["waits"] = self._memory["waits"]
        self._keep(shown)
        self._post(made[0])

    def _own_number(self, screen: Screen) -> Screen:
        """A forged sender may not ring a stranger: the prompt goes to the number that wrote, or nowhere."""
        place, phone = self._place, self._inbound.phone
        if place.dialog != "buy" or place.step not in {"phone", "check"} or place.data.get("phone") == self._sender:
            return screen
        if phone is None or not phone.is_kenyan_mobile:
            return Screen(self._t.html("sms.pay_elsewhere", url=f"{self._unit.house.base_url}/buy/{place.data['code']}"))
        own = replace(place, step="check", data={**place.data, "phone": self._sender})
        self._place = self._unit.conversations.put(own)
        again = self._engine.again(self._unit, self._person, ChannelKind.SMS)
        assert again.screen is not None
        return again.screen

    def _keep(self, shown: dict[str, Any]) -> None:
        self._place = self._unit.conversations.put(replace(self._place, shown=shown))

    def _say(self, key: str, /, **values: Any) -> None:
        """A sentence beside the conversation, which stays where it is."""
        self._post(self._spelt(self._t.html(f"sms.{key}", **values)))

    def _refuse(self, refusal: DomainError) -> None:
        self._post(self._spelt(refusal_words(self._t, refusal)))

    def _spelt(self, text: str) -> str:
        return sayable(text, own_letters=self._person.language is Language.AR)

    def _post(self, text: str) -> None:
        post_answer(self._unit, self._person.id, self._inbound, text)


_DECIDES: Final = {Word.ACCEPT: ("card", late.ACCEPT), Word.REFUND: ("refund", "yes_refund")}
"""Words that answer what is to become of late money: the step and the choice there."""
_NAMED: Final = {"late": "late"}
"""What a dialog calls the number of what it is about, where that is no order's."""
_LISTS: Final = {
    Word.SELL: "sell", Word.BUY: "buy", Word.CHECK: "check", Word.ACCEPT: "orders", Word.REFUND: "orders", Word.SHIP: "orders", Word.DELIVERED: "orders",
    Word.TRACK: "track", Word.PROBLEM: "purchases", Word.CANCEL: "purchases",
}  # fmt: skip
"""Where a word leads that came alone."""
_ACTS: Final = {
    Word.ACCEPT: OrderAct.ACCEPT, Word.REFUND: OrderAct.REFUND, Word.SHIP: OrderAct.SHIP, Word.DELIVERED: OrderAct.DELIVERED, Word.PROBLEM: OrderAct.PROBLEM, Word.TRACK: "card",
}  # fmt: skip


def _listed(orders: Sequence[Order]) -> str:
    return ", ".join(order.number for order in orders[:5])
