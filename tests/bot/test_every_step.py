"""Every step of every dialog, asked in every language and answered with everything a person or a forger can send."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import pytest

from bot.dialog import Answer, Kind
from bot.dialogs import DIALOGS
from bot.dialogs.late import PRESSES
from bot.engine import Engine, Heard
from domain.ids import PersonId
from domain.late import Late, LatePolicy
from domain.life import OrderState
from domain.order import Order, OrderAct, Reason
from domain.person import ChannelKind, Language
from gateways.messages.markup import plain
from payloom.carriers import OWN_FIELDS
from templates.words import words
from tests.bot.desk import DOCUMENT, PICTURE, Desk, answer_to, check_screen
from tests.factories import ABILITIES, BUYER, OTHER_OWNER, OTHER_PHONE, OWNER, PRICE, STAFF, buyer, owner, staff
from usecases.checkouts import cancel_checkout
from usecases.disputes import open_dispute, refund_dispute
from usecases.gateways import seal_draft
from usecases.group import start_group
from usecases.orders import confirm_delivery, mark_delivered, ship_order

STEPS = [(dialog, step) for dialog, steps in DIALOGS.items() for step in steps]
SELLING = {"sell", "links", "orders", "late", "wallet", "settings", "gateway"}
TEXTS = (
    "hello", "2500", "١٥٠٠", "Red sneakers 2500", "Bag 1.500", "PL-AAAAA", "pl 7k2qd", "0712 345 678", "+254 722 000 000", "123 456", "3",
    "0", "-1", "NaN", "1e999", "²", "x" * 5000, "\x00\x01\u202e", "🎉" * 50, "<b>bold</b> & %s %(name)s", "' OR 1=1 --", "skip", "Skip",
    "9" * 400, "1,500/- bob", "00000000", "\n\n\n", "٣", "Sofa 15 500",
)  # fmt: skip
COMMANDS = (
    "/start", "/start PL-AAAAA", "/start fdeadbeef", "/start sell", "/start \x00", "/menu", "/help", "/sell", "/links", "/orders", "/wallet",
    "/buy", "/buy PL-ZZZZZ", "/track", "/track 00000000", "/purchases", "/role", "/language", "/lugha", "/cancel", "/frobnicate", "/" + "x" * 80,
)  # fmt: skip
JUNK_KEYS = (
    "", "n", "nabc", "n²", "n-1", "n0", "n1", "n" + "9" * 40, "p", "p0", "p²", "p" + "9" * 30, "after", "after1e9", "after" + "9" * 40, "home",
    "back", "skip", "cancel", "done", "create", "qr", "mine", "pay", "edit_name", "yes_confirm", "yes_refund", "seller", "en", "x" * 60, "\x00",
    "PL-AAAAA", "o", "try_again", "other_phone", "buy_again", "unlimited", "remove", "activate", "open_link", "history", "balance",
)  # fmt: skip


def things(order: Order, theirs: Order) -> list[str]:
    """Presses on cards: every act on the own order, on somebody else's, on none; and data that no card ever had."""
    acts = [*OrderAct, "card", "tracking", "done", "problem_words", "", "frobnicate", "\x00"]
    numbers = [order.number, theirs.number, "00000000", "١٢٣٤٥٦٧٨", "", "x" * 8]
    late = [f"o:{number}:{act}" for number, act in itertools.product((order.number, "00000000", ""), PRESSES)]
    return [f"o:{number}:{act}" for number, act in itertools.product(numbers, acts)] + late + ["o:", "o::::", "o:" + "9" * 61]


def answers(desk: Desk, who: int, keys: list[str], order: Order, theirs: Order) -> list[Heard]:
    """Everything that can come. Words mean the same whatever became of the order, so they are tried with a fresh one only.

    The version of a press is counted from the present screen's: 0 is a button that is there now, anything else one of another screen.
    """
    found = [desk.heard(who, Answer(Kind.CHOICE, key), version=0) for key in (*keys, *JUNK_KEYS)]
    found += [desk.heard(who, Answer(Kind.CHOICE, key), version=other) for key in keys[:1] for other in (-1_000_000, -1, 1)]
    if order.state is OrderState.PAID:
        found += [desk.heard(who, answer_to(text)) for text in (*TEXTS, *COMMANDS)]
    found += [desk.heard(who, Answer(Kind.PHOTO, caption), pictures=(PICTURE,)) for caption in ("", "Green bag 900", "words")]
    found += [desk.heard(who, Answer(Kind.CONTACT, phone)) for phone in ("+254712345678", "+1", "+966501234567", "")]
    found += [
        desk.heard(who, Answer(Kind.PLACE, "-1.286389, 36.817223")),
        desk.heard(who, Answer(Kind.OTHER)),
        desk.heard(who, Answer(Kind.OTHER, "words")),
    ]
    found += [desk.heard(who, Answer(Kind.FILE, ""), document=DOCUMENT)]
    found += [desk.heard(who, Answer(Kind.CHOICE), thing=thing) for thing in things(order, theirs)]
    return found


def data_of(desk: Desk, order: Order) -> dict[str, Any]:
    """Everything any step may have gathered."""
    link = desk.street.link(name="Sneakers", pictures=(desk.street.file(OWNER),))
    checkout = desk.street.ringing(desk.street.checkout(link)).checkout_id
    return {
        "name": "Sneakers", "price": PRICE.amount_minor, "currency": "KES", "description": "Soft", "stock": 3, "code": link.code, "quantity": 2,
        "address": "Kilimani", "phone": "+254712345678", "checkout": checkout, "number": order.number, "reason": str(Reason.BROKEN),
        "words": "It is torn", "courier": "Rider Otieno", "field": "name", "options": [150_000, 150], "late": late_money(desk).number,
        "group": desk.street.do(start_group, desk.street.new_checkout(link, shares=3), ABILITIES).id, "count": 1,
        "gateway": "daraja", "at": 4, "typed": desk.street.do(seal_draft, OWNER, "daraja", {"consumer_key": "k"}),
    }  # fmt: skip


def late_money(desk: Desk) -> Late:
    """Money that came after the buyer went away, and waits for the shop."""
    street = desk.street
    street.settings(late_money=LatePolicy.ASK)
    attempt = street.ringing(street.checkout(phone=OTHER_PHONE))
    street.do(cancel_checkout, attempt.checkout_id, buyer)
    street.tell(street.success(attempt))
    street.settings(late_money=LatePolicy.ACCEPT)
    late = street.do(lambda unit: unit.late.of_attempt(attempt.id))
    assert late is not None
    return late  # type: ignore[no-any-return]


def order_in(desk: Desk, state: str) -> Order:
    """An order of the buyer in this state."""
    street = desk.street
    order = street.paid()
    if state in {"SHIPPED", "DELIVERED", "COMPLETED", "DISPUTED", "REFUNDED"}:
        street.do(ship_order, staff, order.number, "G4S", "KE1")
    if state in {"DELIVERED", "COMPLETED"}:
        street.do(mark_delivered, staff, order.number)
    if state == "COMPLETED":
        street.do(confirm_delivery, buyer, order.number)
    if state in {"DISPUTED", "REFUNDED"}:
        street.do(open_dispute, buyer, order.number, Reason.BROKEN, "It is <torn> & wet", [street.file(BUYER)])
    if state == "REFUNDED":
        street.do(refund_dispute, owner, order.number)
    return street.order(order.id)


def who_stands_in(dialog: str) -> int:
    return int(OWNER if dialog in SELLING else BUYER)


STATES = ("PAID", "SHIPPED", "DELIVERED", "COMPLETED", "DISPUTED", "REFUNDED")
PLACES = [(dialog, step, state) for dialog, step in STEPS for state in (STATES if dialog in {"order", "orders"} else STATES[:1])]


@pytest.mark.parametrize("dialog, step, state", PLACES)
def test_every_step_speaks_every_language(desk: Desk, dialog: str, step: str, state: str) -> None:
    order = order_in(desk, state)
    data, who = data_of(desk, order), who_stands_in(dialog)
    said = []
    for language in Language:
        desk.put(who, dialog, step, data, language)
        shown = desk.street.do(
            lambda unit: Engine(DIALOGS, ABILITIES, fields=OWN_FIELDS).again(unit, unit.people.get(PersonId(who)), ChannelKind.TELEGRAM)
        )
        check_screen(shown.screen, shown.version)
        said.append(plain(shown.screen.text))
    assert len(set(said)) == 3 or (dialog, step) == ("start", "language"), f"two languages say the same: {said}"


@pytest.mark.parametrize("dialog, step, state", PLACES)
def test_every_step_answers_everything_with_a_screen_or_a_word(desk: Desk, dialog: str, step: str, state: str) -> None:
    """T6: whatever comes back, from whomever, is understood or refused in words; never an exception, never silence."""
    order = order_in(desk, state)
    theirs = desk.street.paid(buyer_id=OTHER_OWNER, phone=OTHER_PHONE)
    data, who = data_of(desk, order), who_stands_in(dialog)
    fields = ("name", "price", "words", "photos", "stock") if step == "edit" else ("name",)
    for n, field in enumerate(fields):
        language = list(Language)[(len(step) + n) % 3]
        everything = {**data, "field": field}
        desk.put(who, dialog, step, everything, language)
        for heard in answers(desk, who, offered(desk, who), order, theirs):
            place = desk.put(who, dialog, step, everything, language)
            with desk.undone() as turn:
                said = turn(heard if heard.version is None else replace(heard, version=place.version + heard.version))
            assert said.screen is not None or said.toast, f"{heard} was answered with nothing"
            if said.screen is not None:
                check_screen(said.screen, said.version)
            if heard.version is not None:
                refused = said.toast == words(language)("chat.old_button")
                assert refused is (heard.version != 0), f"{heard} counts as {'old' if refused else 'new'}"


def offered(desk: Desk, who: int) -> list[str]:
    """The keys on the screen where they stand."""
    shown = desk.street.do(
        lambda unit: Engine(DIALOGS, ABILITIES, fields=OWN_FIELDS).again(unit, unit.people.get(PersonId(who)), ChannelKind.TELEGRAM)
    )
    return [choice.key for row in shown.screen.rows for choice in row if choice.key and not choice.key.startswith("o:")]


@pytest.mark.parametrize("who", [STAFF, OWNER, BUYER, OTHER_OWNER])
def test_a_press_on_somebody_elses_order_shows_and_changes_nothing(desk: Desk, who: int) -> None:
    """T6: a button altered to another order, or one of another side, is answered like an order that does not exist."""
    order = desk.street.paid(buyer_id=None)
    desk.say(who, "/help")
    member = who in {STAFF, OWNER}
    before = desk.street.order(order.id)
    for act in OrderAct:
        said = desk.tap(who, f"o:{order.number}:{act}")
        if not member:
            assert said.screen is not None
            assert order.number not in said.screen.text
            assert desk.street.order(order.id) == before


def test_a_buyer_cannot_press_the_sellers_buttons_nor_the_seller_the_buyers(desk: Desk) -> None:
    """T6: another role."""
    order = desk.street.paid()
    for who, acts in (
        (int(BUYER), (OrderAct.SHIP, OrderAct.ENTER_CODE, OrderAct.REFUND)),
        (int(OWNER), (OrderAct.CONFIRM, OrderAct.PROBLEM)),
    ):
        desk.say(who, "/help")
        for act in acts:
            desk.tap(who, f"o:{order.number}:{act}")
            assert order.number in desk.text(who)
            assert desk.place(who).step == "card"
    for act in (OrderAct.ACCEPT, OrderAct.DELIVERED):
        desk.tap(int(BUYER), f"o:{order.number}:{act}")
    assert desk.street.order(order.id).state is OrderState.PAID
