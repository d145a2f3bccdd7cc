"""The USSD mouth: the same dialogs on a feature phone, whatever the operator does to a session."""

from __future__ import annotations

from datetime import timedelta

from domain.ids import dial_link, link_dial
from domain.person import ChannelKind
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
