"""The USSD mouth: the same dialogs on a feature phone, whatever the operator does to a session."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.ids import dial_link, link_dial
from domain.person import ChannelKind, Conversation
from domain.ports import Unit
from tests.bot.desk import Desk
from tests.bot.handset import Handset

SELLER, BUYER = "+254711000001", "+254722000002"


def opened(desk: Desk) -> Handset:
    phone = Handset(desk.street, SELLER)
    phone.dial()
    phone.choose("English")
    phone.choose("I sell")
    phone.press("Mama Amina Shoes")
    return phone


def sold(desk: Desk) -> tuple[Handset, str]:
    phone = opened(desk)
    phone.choose("Sell something")
    phone.press("Red sneakers", "2500")
    phone.choose("Create link")
    code: str = desk.street.do(newest_code)
    return phone, code


def newest_code(unit: Unit) -> str:
    seller = unit.people.by_address(ChannelKind.SMS, SELLER)
    assert seller is not None
    return unit.links.of_organization(unit.organizations.of_person(seller.id)[0].id, None, 1)[0].code


def test_a_shop_is_opened_and_a_link_sold_with_the_keypad_alone(desk: Desk) -> None:
    phone, code = sold(desk)
    assert "Ready: Red sneakers" in phone.screen and dial_link("*384*77#", code) in phone.screen


def test_a_dialled_link_is_bought_and_the_prompt_waits_for_the_end_of_the_session(desk: Desk) -> None:
    _, code = sold(desk)
    buyer = Handset(desk.street, BUYER)
    assert "Red sneakers" in buyer.dial(link_dial(code))
    buyer.choose("Buy now")
    buyer.press("Brian", "Kilimani gate 12")
    assert "Red sneakers" in buyer.screen
    buyer.choose("Pay with M-Pesa")
    assert not buyer.open and "PIN" in buyer.screen and len(buyer.attempts) == 1


def test_the_same_turn_posted_again_shows_the_same_and_does_nothing_twice(desk: Desk) -> None:
    """T12."""
    _, code = sold(desk)
    buyer = Handset(desk.street, BUYER)
    buyer.dial(link_dial(code))
    buyer.choose("Buy now")
    buyer.press("Brian", "Kilimani")
    shown = buyer.choose("Pay with M-Pesa")
    assert buyer.post() == shown
    assert len(buyer.attempts) == 1


def test_dropped_and_dialled_again_it_goes_on_or_starts_over(desk: Desk) -> None:
    """T12."""
    phone = opened(desk)
    phone.choose("Sell something")
    phone.press("Red sneakers")
    assert "1. Continue" in phone.dial()
    assert "How much" in phone.choose("Continue")
    phone.dial()
    phone.choose("Start over")
    assert "Mama Amina Shoes" in phone.screen
    phone.choose("Sell something")
    desk.street.ground.clock.move(timedelta(minutes=11))
    assert "Continue" not in phone.dial()


def test_back_and_home_are_the_same_keys_everywhere(desk: Desk) -> None:
    phone = opened(desk)
    phone.choose("Sell something")
    asked = phone.press("Red sneakers")
    phone.press("2500")
    assert phone.press("0") == asked
    assert "Mama Amina Shoes" in phone.press("00")
    assert "Mama Amina Shoes" in phone.press("0")


def test_what_is_no_choice_gets_a_sentence_and_the_same_question(desk: Desk) -> None:
    phone = opened(desk)
    for typed in ("77", "*", "%", "hello there", "1" * 200):
        phone.press(typed)
        assert phone.open
    phone.press("00")
    assert "Mama Amina Shoes" in phone.screen


def test_arabic_is_english_unless_the_service_code_carries_it(desk: Desk) -> None:
    phone = Handset(desk.street, SELLER)
    assert "العربية" not in phone.dial()
    able = Handset(desk.street, BUYER, arabic=True)
    able.dial()
    able.choose("العربية")
    assert "ماذا تريد" in able.screen


def test_one_turn_is_one_write_of_where_somebody_stands(desk: Desk) -> None:
    phone, _ = sold(desk)
    before = place(desk).version
    phone.press("00")
    assert place(desk).version == before + 1
    phone.press("2", "0", "77", "00")
    assert place(desk).version == before + 5


def place(desk: Desk) -> Conversation:
    def read(unit: Unit) -> Conversation | None:
        seller = unit.people.by_address(ChannelKind.SMS, SELLER)
        assert seller is not None
        return unit.conversations.get(seller.id, ChannelKind.USSD)

    found: Conversation | None = desk.street.do(read)
    assert found is not None
    return found


def test_back_to_what_is_gone_leads_home(desk: Desk) -> None:
    """T12: the menu shows the true state; nobody is left before an error."""
    _, code = sold(desk)
    buyer = Handset(desk.street, BUYER)
    buyer.dial(link_dial(code))
    buyer.choose("Buy now")
    desk.street.ground.connection.execute("UPDATE links SET code = 'ZZZZZ'")
    buyer.press("0")
    assert buyer.open and "Red sneakers" not in buyer.screen


def test_a_key_pressed_again_after_a_drop_does_nothing_twice(desk: Desk) -> None:
    """S2, T12: the operator posts the press three times, and the person dials again and looks."""
    _, code = sold(desk)
    buyer = Handset(desk.street, BUYER)
    buyer.dial(link_dial(code))
    buyer.choose("Buy now")
    buyer.press("Brian", "Kilimani")
    buyer.choose("Pay with M-Pesa")
    asked = list(buyer.attempts)
    buyer.post()
    buyer.post()
    assert "1. Continue" in buyer.dial()
    assert "is not paid yet" in buyer.press("1")
    assert set(buyer.attempts) == set(asked) and len(asked) == 1
    assert desk.street.ground.rows("SELECT count(*) FROM attempts") == [(1,)]


@pytest.mark.parametrize("typed", ["' OR 1=1 --", '"; DROP TABLE persons; --', "%s%n{0}{{7*7}}", "${7*7} %(x)s", "Tom & Jerry", "100%_"])
def test_what_is_typed_is_words_and_nothing_else(desk: Desk, typed: str) -> None:
    """W16: the shop is called what was typed, and the next screen says it so."""
    phone = Handset(desk.street, SELLER)
    phone.dial()
    phone.choose("English")
    phone.choose("I sell")
    phone.press(typed)
    assert typed in phone.screen and "Sell something" in phone.screen
    assert desk.street.ground.rows("SELECT count(*) FROM organizations WHERE name = ?", typed) == [(1,)]


def test_prompt_after_prompt_to_one_number_meets_the_cap(desk: Desk) -> None:
    """T17: it ends with a sentence, and no more of them is sent."""
    _, code = sold(desk)
    buyer = Handset(desk.street, BUYER)
    for _ in range(8):
        buyer.dial(link_dial(code))
        buyer.choose("Buy now")
        if "Your name" in buyer.screen:
            buyer.press("Brian")
        buyer.press("Kilimani")
        buyer.choose("Pay with M-Pesa")
    assert len(set(buyer.attempts)) == 3
    assert buyer.open and "asked several times already" in buyer.screen
