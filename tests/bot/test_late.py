"""Late money in conversations: the seller's card on Telegram, by SMS and on USSD, and what becomes of it in a shop's settings."""

from __future__ import annotations

import html
from datetime import UTC, datetime

import pytest

from bot.mouths.keywords import WORDS, Word, read_spoken
from bot.mouths.parts import sayable
from domain.gsm import segments
from domain.late import Late, LatePolicy, LateState
from domain.life import LinkState, OrderState
from domain.money import Money
from domain.person import Language
from templates.words import words
from tests.bot.desk import Desk
from tests.bot.handset import Handset
from tests.bot.smsphone import SmsPhone, phone_of
from tests.bot.test_every_step import late_money
from tests.factories import BUYER, MANAGER, OTHER_OWNER, OWNER, SHOP, STAFF, manager, owner
from usecases.escrow import accept_late
from usecases.late import refund_late
from usecases.links import set_link_state

NUMBER = "+254711000001"


def now(desk: Desk, late: Late) -> Late:
    found: Late = desk.street.do(lambda unit: unit.late.get(late.id))
    return found


def order_state(desk: Desk, late: Late) -> OrderState | None:
    order = desk.street.do(lambda unit: unit.orders.of_checkout(late.checkout_id))
    return None if order is None else order.state


def settled(desk: Desk, who: int) -> None:
    desk.say(who, "/help")


# --- Telegram --------------------------------------------------------------------------------------------------------


def test_one_press_accepts_and_the_order_is_there_to_be_sent(desk: Desk) -> None:
    """N2"""
    settled(desk, STAFF)
    late = late_money(desk)
    said = desk.tap(STAFF, f"o:{late.number}:late_accept")
    assert order_state(desk, late) is OrderState.ACCEPTED
    assert said.screen is not None
    assert "Accepted. Send it now" in said.screen.text


def test_a_second_press_and_another_members_show_how_it_stands(desk: Desk) -> None:
    """S2"""
    for who in (OWNER, MANAGER):
        settled(desk, who)
    late = late_money(desk)
    desk.tap(OWNER, f"o:{late.number}:late_accept")
    for who in (OWNER, MANAGER):
        for act in ("late_accept", "late", "late_refund"):
            said = desk.tap(who, f"o:{late.number}:{act}")
            assert said.screen is not None
            assert f"it is order {late.number} now" in said.screen.text
    assert len(desk.street.ground.rows("SELECT id FROM orders")) == 1


def test_giving_back_is_asked_once_more(desk: Desk) -> None:
    settled(desk, OWNER)
    late = late_money(desk)
    desk.tap(OWNER, f"o:{late.number}:late_refund")
    assert "Give Ksh 2,500 back to Amina?" in desk.text(OWNER)
    desk.tap(OWNER, "back")
    assert (now(desk, late).state, desk.keys(OWNER)[:2]) == (LateState.WAITING, ["late_accept", "late_refund"])
    desk.tap(OWNER, "late_refund")
    desk.tap(OWNER, "yes_refund")
    assert now(desk, late).state is LateState.REFUNDED
    assert "goes back to Amina" in desk.text(OWNER)
    assert desk.keys(OWNER) == ["orders", "home"]


def test_what_somebody_decided_meanwhile_is_shown_instead_of_the_question(desk: Desk) -> None:
    settled(desk, OWNER)
    late = late_money(desk)
    desk.tap(OWNER, f"o:{late.number}:late")
    desk.street.do(refund_late, manager, late.number)
    desk.tap(OWNER, "late_accept")
    assert "goes back to Amina" in desk.text(OWNER)
    assert order_state(desk, late) is None
    again = late_money(desk)
    desk.tap(OWNER, f"o:{again.number}:late_refund")
    desk.street.do(accept_late, manager, again.number)
    desk.tap(OWNER, "yes_refund")
    assert now(desk, again).state is LateState.ACCEPTED


def test_staff_are_not_offered_to_give_money_back(desk: Desk) -> None:
    settled(desk, STAFF)
    late = late_money(desk)
    desk.tap(STAFF, f"o:{late.number}:late_refund")
    assert desk.keys(STAFF) == ["late_accept", "orders", "home"]
    desk.tap(STAFF, "yes_refund")
    assert now(desk, late).state is LateState.WAITING


def test_goods_that_are_gone_are_said_and_nothing_moves(desk: Desk) -> None:
    settled(desk, OWNER)
    late = late_money(desk)
    checkout = desk.street.do(lambda unit: unit.checkouts.get(late.checkout_id))
    code = desk.street.do(lambda unit: unit.links.get(checkout.link_id)).code
    desk.street.do(set_link_state, owner, code, LinkState.INACTIVE)
    desk.tap(OWNER, f"o:{late.number}:late")
    assert "cannot be had at the moment" in desk.text(OWNER)
    desk.tap(OWNER, "late_accept")
    assert "Nothing has moved" in desk.text(OWNER)
    assert now(desk, late).state is LateState.WAITING


@pytest.mark.parametrize("act", ["late", "late_accept", "late_refund"])
@pytest.mark.parametrize("who", [BUYER, OTHER_OWNER])
def test_nobody_else_learns_that_it_is_there(desk: Desk, who: int, act: str) -> None:
    """T6"""
    settled(desk, who)
    late = late_money(desk)
    said = desk.tap(who, f"o:{late.number}:{act}")
    assert said.screen is not None
    assert late.number not in said.screen.text
    assert now(desk, late).state is LateState.WAITING


def test_home_and_orders_show_it_first(desk: Desk) -> None:
    late = late_money(desk)
    desk.put(OWNER, "home", "menu", {})
    desk.say(OWNER, "/role")
    desk.tap(OWNER, "seller")
    assert "1 late payment" in desk.text(OWNER)
    desk.say(OWNER, "/orders")
    assert "late, decide by" in desk.text(OWNER)
    assert desk.keys(OWNER)[0] == f"o:{late.number}:late"
    desk.tap(OWNER, desk.keys(OWNER)[0])
    assert "arrived late" in desk.text(OWNER)
    desk.say(OWNER, "words that mean nothing here")
    assert "arrived late" in desk.text(OWNER)
    desk.tap(OWNER, "orders")
    desk.tap(OWNER, f"o:{late.number}:late")
    desk.tap(OWNER, "home")
    assert desk.place(OWNER).dialog == "home"


# --- settings --------------------------------------------------------------------------------------------------------


def test_an_owner_says_what_becomes_of_late_money(desk: Desk) -> None:
    desk.put(OWNER, "settings", "menu", {})
    desk.say(OWNER, "/settings")
    desk.tap(OWNER, "late_policy")
    assert "Make an order of it at once" in desk.text(OWNER)
    desk.say(OWNER, "always")
    desk.tap(OWNER, "refund")
    assert desk.street.do(lambda unit: unit.organizations.get(SHOP)).late_money is LatePolicy.REFUND
    desk.tap(OWNER, "late_policy")
    desk.tap(OWNER, "back")
    assert desk.place(OWNER).step == "menu"


@pytest.mark.parametrize("who", [MANAGER, BUYER])
def test_nobody_else_is_asked_and_a_made_up_press_changes_nothing(desk: Desk, who: int) -> None:
    desk.put(who, "settings", "menu", {})
    desk.say(who, "/settings")
    assert "late_policy" not in desk.keys(who)
    desk.tap(who, "late_policy")
    desk.tap(who, "refund")
    assert desk.street.do(lambda unit: unit.organizations.get(SHOP)).late_money is LatePolicy.ACCEPT


# --- SMS -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def seller(desk: Desk) -> SmsPhone:
    return phone_of(desk.street, OWNER, NUMBER)


@pytest.mark.parametrize(("spoken", "state"), [("ACCEPT", LateState.ACCEPTED), ("kubali", LateState.ACCEPTED), ("قبول", LateState.ACCEPTED),
                                              ("REFUND", LateState.REFUNDED), ("Rudisha", LateState.REFUNDED), ("استرداد", LateState.REFUNDED)])  # fmt: skip
@pytest.mark.parametrize("digits", [4, 8])
def test_a_word_decides_once_the_number_came_back(desk: Desk, seller: SmsPhone, spoken: str, state: LateState, digits: int) -> None:
    """N2, T15: whoever forges the sender decides nothing."""
    late = late_money(desk)
    seller.text(f"{spoken} {late.number[-digits:]}")
    assert now(desk, late).state is LateState.WAITING
    assert "Ksh 2,500" in seller.screen or "KES 2,500" in seller.screen
    code = seller.code()
    seller.text(code)
    assert now(desk, late).state is state
    moved = desk.street.ground.books()
    seller.text(code)
    assert desk.street.ground.books() == moved


def test_after_accepting_the_order_can_be_sent_by_its_number(desk: Desk, seller: SmsPhone) -> None:
    late = late_money(desk)
    seller.text(f"ACCEPT {late.number}")
    seller.text(seller.code())
    seller.text(f"SHIP {late.number[-4:]}")
    assert order_state(desk, late) is OrderState.SHIPPED


def test_the_list_leads_to_it_too(desk: Desk, seller: SmsPhone) -> None:
    late = late_money(desk)
    seller.text("ORDERS")
    seller.choose("2,500")
    assert "arrived late" in seller.screen
    seller.choose("Accept and ship")
    assert now(desk, late).state is LateState.WAITING
    seller.text(seller.code())
    assert order_state(desk, late) is OrderState.ACCEPTED


def test_what_was_decided_is_told_by_its_whole_number(desk: Desk, seller: SmsPhone) -> None:
    late = late_money(desk)
    desk.street.do(refund_late, manager, late.number)
    seller.text(f"ACCEPT {late.number}")
    assert order_state(desk, late) is None
    assert now(desk, late).state is LateState.REFUNDED


def test_digits_that_an_order_has_as_well_are_asked_for_whole(desk: Desk, seller: SmsPhone) -> None:
    late, order = late_money(desk), desk.street.paid()
    desk.street.ground.connection.execute("UPDATE orders SET number = ? WHERE id = ?", (f"1111{late.number[-4:]}", order.id))
    seller.text(f"REFUND {late.number[-4:]}")
    assert now(desk, late).state is LateState.WAITING
    seller.text(f"REFUND {late.number}")
    seller.text(seller.code())
    assert now(desk, late).state is LateState.REFUNDED


def test_refund_of_an_order_asks_as_cancel_does(desk: Desk, seller: SmsPhone) -> None:
    order = desk.street.paid()
    seller.text(f"REFUND {order.number}")
    seller.choose("give it back")
    seller.text(seller.code())
    assert desk.street.order(order.id).state is OrderState.REFUNDED
    assert "Orders" in seller.text("REFUND") or "No orders" in seller.screen


def test_a_strangers_word_finds_nothing(desk: Desk) -> None:
    """T6"""
    late = late_money(desk)
    phone = phone_of(desk.street, OTHER_OWNER, "+254711000009")
    assert "no order that ends in" in phone.text(f"ACCEPT {late.number[-4:]}")
    phone.text(f"REFUND {late.number}")
    assert now(desk, late).state is LateState.WAITING


# --- USSD ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", Language)
def test_on_ussd_the_orders_hold_it(desk: Desk, language: Language) -> None:
    late = late_money(desk)
    phone_of(desk.street, OWNER, NUMBER)
    desk.put(OWNER, "home", "menu", {}, language)
    desk.say(OWNER, "/orders")
    phone = Handset(desk.street, NUMBER, arabic=True)
    phone.dial()
    labels = {Language.EN: ("Orders", "2,500", "Accept and ship"), Language.SW: ("Oda", "2,500", "Kubali na utume"),
              Language.AR: ("الطلبات", "2,500", "قبول وإرسال")}[language]  # fmt: skip
    for label in labels:
        phone.choose(label)
    assert order_state(desk, late) is OrderState.ACCEPTED


@pytest.mark.parametrize("language", Language)
def test_the_question_by_sms_is_short_and_has_the_words_that_answer_it(language: Language) -> None:
    """The words are those that are understood in this language."""
    total = Money(120_000, "KES")
    values = {"total": total, "name": "Amina", "item": "Red sneakers", "number": "48219377", "when": datetime(2026, 11, 22, 12, tzinfo=UTC)}
    text = html.unescape(words(language).html("sms.late.ask", **values))
    assert segments(sayable(text, own_letters=language is Language.AR)) <= 2
    heard = [read_spoken(f"{WORDS[word][list(Language).index(language)].split()[0]} 48219377") for word in (Word.ACCEPT, Word.REFUND)]
    assert [one.word for one in heard if one is not None] == [Word.ACCEPT, Word.REFUND]
    for word in (Word.ACCEPT, Word.REFUND):
        assert WORDS[word][list(Language).index(language)].split()[0] in text.casefold()
