"""Carry on anywhere: from the keys to the chat and back, through the mouths themselves (N1, X1)."""

from __future__ import annotations

import json

import pytest

from bot.dialogs import DIALOGS
from bot.dialogs.carry import PREFIX, session_ended
from domain.ids import link_dial
from domain.person import Channel, ChannelKind, ChannelState
from domain.phone import Phone
from domain.ports import Unit
from templates.words import words
from tests.bot.desk import Desk
from tests.bot.handset import Handset
from tests.factories import BUYER as KNOWN
from usecases.carry import MIDDLE, SMALL_STEPS, carried_code

NUMBER = "+254733000111"
CHAT = 555


def dropped(desk: Desk, phone: Handset) -> str:
    """The network ends the session in the middle; the code in the SMS that follows."""
    assert desk.street.do(session_ended, phone.session, Phone(phone.number))
    assert not desk.street.do(session_ended, phone.session, Phone(phone.number)), "one for a session"
    person, payload = desk.street.ground.rows("SELECT person_id, payload FROM outbox WHERE fact = 'carry' ORDER BY rowid DESC LIMIT 1")[0]
    return str(desk.street.do(carried_code, person, json.loads(payload)["sealed"]))


def buying(desk: Desk) -> Handset:
    phone = Handset(desk.street, NUMBER)
    phone.dial(link_dial(desk.street.link(name="Red sneakers").code))
    phone.choose("Buy now")
    phone.press("Brian")
    assert "Where to deliver" in phone.screen
    return phone


def test_every_place_that_is_carried_is_a_step_that_exists() -> None:
    for dialog, steps in MIDDLE.items():
        assert steps <= set(DIALOGS[dialog])
        assert not any(DIALOGS[dialog].get(step) is None for step in SMALL_STEPS.values() if dialog == "sell")


@pytest.mark.parametrize("way", ["start", "typed"])
def test_a_purchase_dropped_on_the_phone_goes_on_in_the_chat_at_the_same_step(desk: Desk, way: str) -> None:
    phone = buying(desk)
    code = dropped(desk, phone)
    desk.say(CHAT, "/start")
    desk.tap(CHAT, "en")
    desk.tap(CHAT, "buyer")
    said = desk.say(CHAT, f"/start {PREFIX}{code}" if way == "start" else code.lower())
    assert said.screen is not None and words("en")("chat.buy.address") in said.screen.text
    said = desk.say(CHAT, "Kilimani gate 12")
    assert said.screen is not None and "M-Pesa" in said.screen.text
    assert "It went on in Telegram" in phone.dial()
    assert "It went on" not in phone.dial(), "said once"


def test_a_chat_nobody_knows_is_joined_to_the_number_and_sees_its_shop(desk: Desk) -> None:
    phone = Handset(desk.street, NUMBER)
    phone.dial()
    phone.choose("English")
    phone.choose("I sell")
    phone.press("Dial shop")
    phone.choose("Sell something")
    phone.press("Red sneakers")
    code = dropped(desk, phone)
    said = desk.say(CHAT, f"/start {PREFIX}{code}")
    assert said.screen is not None and "Red sneakers" in said.screen.text
    desk.say(CHAT, "2500")
    assert "Dial shop" in (desk.say(CHAT, "/menu").screen or said.screen).text
    assert desk.street.ground.rows("SELECT count(*) FROM outbox WHERE fact = 'joined'") == [(1,)]


def test_a_wrong_or_used_code_is_a_sentence_and_wrong_ones_are_counted(desk: Desk) -> None:
    """T18: although the turn is refused, the try stays counted."""
    code = dropped(desk, buying(desk))
    desk.say(CHAT, "/start")
    for n in range(2, 5):
        said = desk.say(CHAT, f"/start {PREFIX}ZZZZZ{n}")
        assert said.screen is not None and words("en")("errors.bad_code.carry_unknown") in said.screen.text
    assert desk.street.ground.rows("SELECT count FROM limits WHERE name = 'carry_wrong'") == [(3,)]
    desk.say(CHAT, f"/start {PREFIX}{code}")
    said = desk.say(CHAT, f"/start {PREFIX}{code}")
    assert said.screen is not None and words("en")("errors.bad_code.carry_used") in said.screen.text


def test_what_began_in_the_chat_is_offered_to_whoever_dials(desk: Desk) -> None:
    number = "+254733000222"

    def theirs(unit: Unit) -> None:
        unit.people.add_channel(Channel(ChannelKind.SMS, number, KNOWN, ChannelState.ACTIVE, unit.now))

    desk.street.do(theirs)
    link = desk.street.link(name="Red sneakers")
    desk.say(KNOWN, "/start")
    desk.tap(KNOWN, "en")
    desk.tap(KNOWN, "buyer")
    desk.say(KNOWN, f"/buy {link.code}")
    desk.tap(KNOWN, "buy_one")
    desk.say(KNOWN, "Kilimani")
    phone = Handset(desk.street, number)
    assert "On Telegram you began to buy Red sneakers" in phone.dial()
    phone.press("zzz")
    assert "M-Pesa number" in phone.press("1")
    said = desk.say(KNOWN, "0712345678")
    assert said.screen is not None and words("en")("chat.carry.moved.ussd") in said.screen.text
    phone.dial()
    phone.choose("Start over")
    desk.say(KNOWN, f"/buy {link.code}")
    desk.tap(KNOWN, "buy_one")
    phone.dial()
    phone.choose("Start over")
    assert "On Telegram" not in phone.dial(), "whoever starts over is not asked again"


def test_a_session_that_ended_where_nothing_is_lost_sends_nothing(desk: Desk) -> None:
    phone = buying(desk)
    assert not desk.street.do(session_ended, "another session", Phone(NUMBER))
    assert not desk.street.do(session_ended, phone.session, Phone("+254733000999"))
    phone.press("Kilimani")
    phone.choose("Pay with M-Pesa")
    assert not desk.street.do(session_ended, phone.session, Phone(NUMBER)), "we ended it ourselves, for the prompt"
