"""A sender's number proves nothing: what can be done by whoever forges it, and what cannot (docs/decisions/0013-what-an-sms-may-do.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from bot.dialogs import DIALOGS
from bot.engine import Engine
from bot.mouths.pages import menu_of
from bot.mouths.sms_turn import LEFT_OUT, MONEY, sms_turn
from domain.ids import PersonId
from domain.life import OrderState
from domain.order import MOST_CODE_TRIES, Order, Reason
from domain.person import ChannelKind, Conversation
from domain.phone import Phone
from domain.ports import Unit
from domain.records import RawEvent
from storage.statements import SQLITE, Session
from storage.unit import SqlUnit
from tests.bot.desk import Desk
from tests.bot.smsphone import SmsPhone, phone_of
from tests.bot.test_every_step import PLACES, data_of, order_in, who_stands_in
from tests.factories import ABILITIES, BUYER, OWNER, SHOP, buyer
from usecases import texting
from usecases.disputes import open_dispute
from usecases.payments import STK_LIMITS

SELLER_NUMBER, BUYER_NUMBER = "+254711000001", "+254722000002"
MOST_PROMPTS = STK_LIMITS[0][2]
MINUTE = timedelta(minutes=1)
ANSWERS = ("YES", "OK", "CONFIRM 123", "CONFIRM", "yes yes", "482193", "900", "Red sneakers 900", "sawa", "نعم")
MOVED = ("DELIVERED", "COMPLETED", "DISPUTED", "REFUNDED")


@pytest.fixture
def seller(desk: Desk) -> SmsPhone:
    return phone_of(desk.street, OWNER, SELLER_NUMBER)


@pytest.fixture
def brian(desk: Desk) -> SmsPhone:
    return phone_of(desk.street, BUYER, BUYER_NUMBER)


def money(run: Callable[[str], list[tuple[Any, ...]]]) -> list[list[tuple[Any, ...]]]:
    """Everything that is money, or decides when it moves and to whom; accepting and sending are not. Links last: more of them may be made."""
    return [
        run("SELECT * FROM postings ORDER BY 1, 2, 3"),
        run(
            f"SELECT id, CASE WHEN state IN {MOVED} THEN state END, escrow, delivered_at, ended_at, release_wanted FROM orders ORDER BY id"
        ),
        run("SELECT id, state FROM disputes ORDER BY id"),
        run("SELECT id, state FROM refunds ORDER BY id"),
        run("SELECT id, amount_minor FROM links ORDER BY id"),
    ]


@contextmanager
def undone(desk: Desk) -> Iterator[Unit]:
    """A unit that is taken back, to try everything from one and the same place."""
    ground = desk.street.ground
    ground.connection.execute("BEGIN")
    unit = SqlUnit(Session(ground.connection, SQLITE), ground.around)
    try:
        yield unit
    finally:
        ground.connection.execute("ROLLBACK")


def stand(unit: Unit, who: PersonId, dialog: str, step: str, data: dict[str, Any], shown: dict[str, Any]) -> None:
    unit.conversations.put(Conversation(who, ChannelKind.SMS, dialog, step, data, shown, unit.now))


def forged(unit: Unit, number: str, words: str) -> None:
    """One message in somebody's name, whose answer the forger never reads."""
    event = RawEvent(texting.GATEWAY, texting.INBOUND, urlencode({"id": "f1", "from": number, "text": words}).encode(), "10.0.0.1")
    inbound = texting.read_inbound(texting.fields_of(event.raw))
    texting.receive_inbound(unit, event, inbound)
    sms_turn(unit, Engine(DIALOGS, ABILITIES), inbound.event_key)


@pytest.mark.parametrize("dialog, step, state", [place for place in PLACES if place[0] != "gateway"])  # which is on Telegram only
def test_no_number_and_no_word_in_any_step_moves_money_for_a_forged_sender(desk: Desk, dialog: str, step: str, state: str) -> None:
    """T15: every choice of every step of every dialog, by its number; and bare words of consent."""
    order = order_in(desk, state)
    who, data = PersonId(who_stands_in(dialog)), data_of(desk, order)
    number = SELLER_NUMBER if who == OWNER else BUYER_NUMBER
    phone_of(desk.street, who, number)
    fields = ("price", "stock") if (dialog, step) == ("links", "edit") else ("name",)
    tried = 0
    for field in fields:
        place = {**data, "field": field}
        with undone(desk) as unit:
            stand(unit, who, dialog, step, place, {})
            screen = Engine(DIALOGS, ABILITIES).again(unit, unit.people.get(who), ChannelKind.SMS).screen
        assert screen is not None
        menu = {key: choice.key for key, choice in menu_of(screen, LEFT_OUT).items()}
        for words in (*menu, *ANSWERS):
            with undone(desk) as unit:
                stand(unit, who, dialog, step, place, {"menu": menu})
                before = money(lambda sql: unit.session.plain(sql).fetchall())  # type: ignore[attr-defined]
                forged(unit, number, words)
                unit.flush()  # type: ignore[attr-defined]
                after = money(lambda sql: unit.session.plain(sql).fetchall())  # type: ignore[attr-defined]
            assert before == [*after[:-1], after[-1][: len(before[-1])]], f"“{words}” ({menu.get(words, 'a word')}) in {dialog}, {step}"
            tried += 1
    assert tried >= len(ANSWERS)


@pytest.mark.parametrize(
    "words",
    [
        "DELIVERED {n}",
        "PROBLEM {n} broken",
        "CANCEL {n}",
        "YES",
        "YES {n}",
        "OK",
        "CONFIRM 123",
        "CONFIRM {n}",
        "SAWA",
        "نعم",
        "1",
        "YES 123",
    ],
)
@pytest.mark.parametrize("number", [SELLER_NUMBER, BUYER_NUMBER])
def test_a_forged_word_moves_no_money(desk: Desk, seller: SmsPhone, brian: SmsPhone, words: str, number: str) -> None:
    """T15: however often it is sent."""
    order = desk.street.paid()
    ground = desk.street.ground
    before = money(ground.rows)
    phone = SmsPhone(desk.street, number)
    for _ in range(3):
        phone.text(words.format(n=order.number))
    assert money(ground.rows) == before
    assert desk.street.order(order.id).code_tries == 0, "what cannot be a code is no try"


def situation(desk: Desk, act: str) -> tuple[Order, str, list[str], OrderState]:
    """An order in which the act may be done; who does it, what they write until they are asked, and where it leads."""
    street = desk.street
    order = street.paid()
    if act == "withdraw":
        street.do(open_dispute, buyer, order.number, Reason.BROKEN, "torn", [])
    number = order.number
    return {
        "delivered": (order, SELLER_NUMBER, [f"DELIVERED {number}"], OrderState.DELIVERED),
        "refund": (order, SELLER_NUMBER, [f"CANCEL {number}", "1"], OrderState.REFUNDED),
        "cancel": (order, BUYER_NUMBER, [f"CANCEL {number}", "1"], OrderState.REFUNDED),
        "problem": (order, BUYER_NUMBER, [f"PROBLEM {number} broken"], OrderState.DISPUTED),
        "withdraw": (order, BUYER_NUMBER, [f"TRACK {number}", "1", "1"], OrderState.PAID),
    }[act]


@pytest.mark.parametrize("act", ["delivered", *(act for act in MONEY.values() if not act.startswith("late"))])
def test_what_moves_money_waits_for_the_number_that_was_texted(desk: Desk, seller: SmsPhone, brian: SmsPhone, act: str) -> None:
    """T15: asked back, done once with the number, and not with it again. Of late money: tests/bot/test_late.py."""
    order, number, words, leads_to = situation(desk, act)
    phone = SmsPhone(desk.street, number)
    before = desk.street.order(order.id).state
    for one in words:
        phone.text(one)
    code = phone.code()
    assert desk.street.order(order.id).state is before
    phone.text(code)
    assert desk.street.order(order.id).state is leads_to
    told = money(desk.street.ground.rows)
    phone.text(code)
    assert money(desk.street.ground.rows) == told


def test_a_price_is_changed_with_the_number_only(desk: Desk, seller: SmsPhone) -> None:
    """T15: who could forge a lower price could buy at it."""
    link = desk.street.link(name="Red sneakers")
    seller.text("LINKS")
    seller.choose("Red sneakers")
    seller.choose("Change price")
    assert "900" not in seller.text("900")
    assert desk.street.link_now(link).price == link.price
    seller.text(seller.code())
    assert desk.street.link_now(link).price.amount_minor == 90_000


def test_a_guessed_number_is_counted_and_the_act_is_lost(desk: Desk, seller: SmsPhone) -> None:
    """T15, T18: five tries; then even the right one opens nothing."""
    order = desk.street.paid()
    seller.text(f"DELIVERED {order.number}")
    code = seller.code()
    wrong = f"{(int(code) + 1) % 10**6:06}"
    assert "4" in seller.text(wrong)
    for _ in range(4):
        seller.text(wrong)
    seller.text(code)
    assert desk.street.order(order.id).state is OrderState.PAID


def test_a_number_is_too_old_after_ten_minutes(desk: Desk, seller: SmsPhone) -> None:
    """T18."""
    order = desk.street.paid()
    seller.text(f"DELIVERED {order.number}")
    code = seller.code()
    desk.street.later(10 * MINUTE)
    assert "too old" in seller.text(code)
    assert desk.street.order(order.id).state is OrderState.PAID


def test_numbers_are_not_made_for_ever(desk: Desk, seller: SmsPhone) -> None:
    """T18: a storm of them in somebody's name ends, and says when it works again."""
    order = desk.street.paid()
    said = [seller.text(f"DELIVERED {order.number}") for _ in range(5)]
    assert "reply" in said[0] and "reply" not in said[-1], said


def test_a_forged_message_cannot_change_what_a_number_does(desk: Desk, seller: SmsPhone) -> None:
    """T15: between the question and its answer somebody asks for something else in the seller's name; the earlier number does nothing."""
    first, second = desk.street.paid(), desk.street.paid()
    seller.text(f"DELIVERED {first.number}")
    code = seller.code()
    seller.text(f"DELIVERED {second.number}")
    assert seller.code() != code
    seller.text(code)
    assert {desk.street.order(one.id).state for one in (first, second)} == {OrderState.PAID}


def test_a_number_is_no_number_any_more_when_the_talk_went_on(desk: Desk, seller: SmsPhone) -> None:
    """T15: six digits typed as a price are a price."""
    order = desk.street.paid()
    seller.text(f"DELIVERED {order.number}")
    code = seller.code()
    seller.text("SELL Land")
    seller.text(code)
    assert desk.street.order(order.id).state is OrderState.PAID
    assert seller.place().dialog == "sell"


# -- the delivery code


@pytest.mark.parametrize("who", ["buyer", "seller"])
@pytest.mark.parametrize(
    "written", ["YES {a} {b}", "yes {a}{b}", "Ndiyo {a}-{b}", "نعم {a} {b}", "YES {a} {b} {last}", "YES {last} {a}{b}"]
)
def test_the_delivery_code_releases_from_either_phone(desk: Desk, seller: SmsPhone, brian: SmsPhone, who: str, written: str) -> None:
    """T15, O3, O4: whoever has it has the goods, or was given it for them."""
    order = desk.street.shipped()
    phone = seller if who == "seller" else brian
    code = order.delivery_code
    phone.text(written.format(a=code[:3], b=code[3:], last=order.number[-4:]))
    assert desk.street.order(order.id).state is OrderState.COMPLETED
    assert desk.street.ground.balance(f"wallet:{SHOP}") < 0
    assert any(
        line.startswith("order_completed by buyer") and "code.sms" in line for line in desk.street.ground.trail(f"sale:{order.checkout_id}")
    )


@pytest.mark.parametrize("who", ["buyer", "seller"])
def test_wrong_codes_are_counted_and_then_none_counts(desk: Desk, seller: SmsPhone, brian: SmsPhone, who: str) -> None:
    """T15, T18: as on every other channel."""
    order = desk.street.shipped()
    phone = seller if who == "seller" else brian
    for n in range(MOST_CODE_TRIES):
        said = phone.text("YES 999 999")
        assert desk.street.order(order.id).code_tries == n + 1
        assert n == MOST_CODE_TRIES - 1 or str(MOST_CODE_TRIES - n - 1) in said
    phone.text(f"YES {order.delivery_code}")
    assert desk.street.order(order.id).state is OrderState.SHIPPED
    assert desk.street.order(order.id).code_tries == MOST_CODE_TRIES


def test_the_choice_to_confirm_asks_for_the_code(desk: Desk, brian: SmsPhone) -> None:
    """T15: on this channel there is no number to press for it."""
    order = desk.street.delivered()
    brian.text(f"TRACK {order.number}")
    brian.choose("Confirm delivery")
    assert "YES" in brian.screen and "1." not in brian.screen
    brian.text("1")
    assert desk.street.order(order.id).state is OrderState.DELIVERED
    assert "739 216" in brian.text(f"{order.delivery_code[:3]}") and desk.street.order(order.id).state is OrderState.DELIVERED
    brian.text(f"{order.delivery_code[:3]} {order.delivery_code[3:]}")
    assert desk.street.order(order.id).state is OrderState.COMPLETED


def test_a_stranger_who_has_a_code_has_nothing(desk: Desk) -> None:
    """T15: the code belongs to an order, and a stranger has none."""
    order = desk.street.shipped()
    stranger = SmsPhone(desk.street, "+254733000003")
    stranger.text(f"YES {order.delivery_code}")
    stranger.text(f"YES {order.delivery_code} {order.number}")
    assert desk.street.order(order.id).state is OrderState.SHIPPED
    assert desk.street.order(order.id).code_tries == 0


# -- prompts


def test_a_prompt_rings_the_number_that_wrote_and_no_other(desk: Desk) -> None:
    """T15, T17: whatever number somebody is known by, and whatever they type."""
    link = desk.street.link()
    asha = phone_of(desk.street, BUYER, "+254744000004")
    asha.street.do(_known_by, BUYER, "+254799999999")
    for words in (f"BUY {link.code}", "1", "Kilimani gate 4"):
        asha.text(words)
    assert "+254744000004" in asha.screen and "+254799999999" not in asha.screen
    assert "other" not in asha.screen.casefold().replace("mother", "")
    asha.text("0799 999 999")
    asha.choose("Pay with M-Pesa")
    assert [str(desk.street.attempt_now(one).phone) for one in asha.attempts] == ["+254744000004"]


def test_nobody_abroad_is_rung(desk: Desk) -> None:
    """T17: a number that M-Pesa does not know is shown the page; one that is typed instead is not rung."""
    link = desk.street.link()
    paul = SmsPhone(desk.street, "+256772123456")
    for words in (f"BUY {link.code}", "1", "Paul", "Kampala road 1"):
        paul.text(words)
    assert f"/buy/{link.code}" in paul.screen
    paul.text("0712 345 678")
    paul.text("1")
    assert paul.attempts == []


def test_prompts_have_their_caps(desk: Desk, brian: SmsPhone) -> None:
    """T17: the caps of every channel, for what is begun by SMS."""
    link = desk.street.link()
    for _ in range(MOST_PROMPTS + 2):
        for words in (f"BUY {link.code}", "1", "Kilimani gate 4", "1"):
            brian.text(words)
        desk.ring(brian.attempts)
        for attempt in brian.attempts:
            desk.answered(attempt, "cancelled_by_payer")
    assert len(set(brian.attempts)) <= MOST_PROMPTS


def _known_by(unit: Unit, who: PersonId, number: str) -> None:
    unit.people.save(replace(unit.people.get(who), phone=Phone(number)))
