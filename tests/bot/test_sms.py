"""SMS as people use it: the words, the numbers, and the whole way over HTTP through the town's Africa's Talking."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from bot.mouths.keywords import WORDS, Word, read_keys, read_spoken, readings, reason_in
from domain.gsm import segments
from domain.life import InboxState, OrderState
from domain.order import Order, Reason
from domain.person import ChannelKind, Language
from domain.ports import Unit
from domain.records import RawEvent
from payloom.tour_phones import Handset
from tests.bot.desk import Desk
from tests.bot.smsphone import SmsPhone, phone_of
from tests.bot.town import Here, living_town
from tests.factories import BUYER, OWNER, Street
from usecases import texting
from usecases.payments import begin_attempt
from usecases.texting import MOST_ANSWERS
from usecases.updates import MOST_TRIES

SHORT_CODE = "22384"


# -- reading


@pytest.mark.parametrize("word", list(Word))
def test_every_word_is_known_in_every_language_and_however_it_is_written(word: Word) -> None:
    for language, together in zip(Language, WORDS[word], strict=True):
        for spelling in together.split():
            for written in (spelling, spelling.upper(), f"  {spelling.title()}. ", f"\u200f{spelling}!"):
                spoken = read_spoken(written)
                assert spoken is not None and (spoken.word, spoken.language) == (word, language), written


@pytest.mark.parametrize(
    "written, word, digits, rest",
    [
        ("SHIP 4821", Word.SHIP, "4821", ""), ("ship#4821", Word.SHIP, "4821", ""), ("Ship 48-21-93-77", Word.SHIP, "48219377", ""),
        ("Ship 4821 9377 G4S", Word.SHIP, "48219377", "G4S"), ("ship4821", Word.SHIP, "4821", ""), ("شحن ٤٨٢١", Word.SHIP, "4821", ""),
        ("PROBLEM 4821 2 are broken", Word.PROBLEM, "4821", "2 are broken"), ("Track: 4821.", Word.TRACK, "4821", ""),
        ("DELIVERED 482", Word.DELIVERED, "482", ""), ("إلغاء 4821", Word.CANCEL, "4821", ""), ("الرصيد", Word.WALLET, "", ""),
        ("sell  Red sneakers 2500", Word.SELL, "", "Red sneakers 2500"), ("BUY pl 7k2qd", Word.BUY, "", "PL-7K2QD"),
        ("check 10000071-50827", Word.CHECK, "", "10000071-50827"),
    ],
)  # fmt: skip
def test_what_comes_with_a_word(written: str, word: Word, digits: str, rest: str) -> None:
    spoken = read_spoken(written)
    assert spoken is not None
    assert (spoken.word, spoken.digits, spoken.rest) == (word, digits, rest)


@pytest.mark.parametrize(
    "written",
    [
        "Ship model 900",
        "orders please",
        "buy shoes",
        "track me",
        "help me",
        "yes please",
        "SHIP 12 rolls 3",
        "check it",
        "",
        "123",
        "🎁",
        "hello",
    ],
)
def test_what_only_begins_like_a_word_is_an_answer(written: str) -> None:
    assert read_spoken(written) is None


def test_digits_beside_yes_are_read_as_code_and_order() -> None:
    found = {
        tuple(groups): [(one.code, one.order) for one in readings(groups)] for groups in (("739", "216"), ("4821", "739216"), ("123",))
    }
    assert found == {("739", "216"): [("739216", "")], ("4821", "739216"): [("739216", "4821")], ("123",): []}


def test_keys_and_reasons() -> None:
    assert [read_keys(typed) for typed in (" 1. ", "١", "#00", "98", "123", "1a", "")] == ["1", "1", "00", "98", "", "", ""]
    assert [reason_in(words) for words in ("it is Broken!", "haijafika", "not as described", "no")] == [
        Reason.BROKEN, Reason.NOT_ARRIVED, Reason.NOT_AS_DESCRIBED, Reason.OTHER,
    ]  # fmt: skip


# -- conversations


@pytest.fixture
def seller(desk: Desk) -> SmsPhone:
    return phone_of(desk.street, OWNER, "+254711000001")


@pytest.fixture
def brian(desk: Desk) -> SmsPhone:
    return phone_of(desk.street, BUYER, "+254722000002")


def test_a_link_after_one_message_and_one_number(desk: Desk, seller: SmsPhone) -> None:
    """L1, L9, L2: and the link comes once more, alone, to be forwarded."""
    assert "Ksh 2,500" in seller.text("SELL Red sneakers 2500")
    assert "Ready: Red sneakers" in seller.text("1")
    assert f"link_made>{OWNER}" in desk.street.ground.told()
    assert "Red sneakers" in seller.text("LINKS")
    assert "0 paid" in seller.text("1")


def test_somebody_new_is_led_to_a_shop_first(desk: Desk) -> None:
    """L1: in the language of the word they used."""
    juma = SmsPhone(desk.street, "+254733000003")
    assert "duka" in juma.text("UZA Viatu 900")
    juma.text("Duka la Juma")
    assert "Viatu" in juma.text("UZA Viatu 900")
    assert "Tayari" in juma.text("1")
    assert juma.person().language is Language.SW


def test_an_order_from_paid_to_completed_with_words_alone(desk: Desk, seller: SmsPhone, brian: SmsPhone) -> None:
    """O2, O3, O4, O7, L7."""
    order = desk.street.paid()
    last = order.number[-4:]

    def state() -> OrderState:
        return desk.street.order(order.id).state

    assert order.number in seller.text("ORDERS")
    seller.text(f"ACCEPT {last}")
    assert state() is OrderState.ACCEPTED
    seller.text(f"ship {last} Rider Otieno")
    seller.choose("Skip")
    assert (state(), desk.street.order(order.id).courier) == (OrderState.SHIPPED, "Rider Otieno")
    assert "on its way" in brian.text(f"TRACK {last}")
    brian.text(f"PROBLEM {last} it is broken")
    brian.text(brian.code())
    dispute = desk.street.do(lambda unit: unit.disputes.of_order(order.id))
    assert (state(), dispute.reason, dispute.words) == (OrderState.DISPUTED, Reason.BROKEN, "it is broken")
    brian.text(f"TRACK {last}")
    brian.choose("Solved")
    brian.text("1")
    brian.text(brian.code())
    seller.text(f"DELIVERED {last}")
    seller.text(seller.code())
    assert state() is OrderState.DELIVERED
    brian.text(f"YES {order.delivery_code} {last}")
    assert state() is OrderState.COMPLETED
    assert "2,437.50" in seller.text("BAL")


def test_a_problem_in_numbers(desk: Desk, brian: SmsPhone) -> None:
    """O7: the same dialog as everywhere."""
    order = desk.street.paid()
    brian.text(f"PROBLEM {order.number}")
    brian.choose("did not arrive")
    brian.text("Nobody came")
    brian.choose("Report")
    brian.text(brian.code())
    assert desk.street.order(order.id).state is OrderState.DISPUTED


def test_a_word_for_what_cannot_be_done_shows_how_it_stands(desk: Desk, seller: SmsPhone, brian: SmsPhone) -> None:
    order = desk.street.shipped()
    assert "on its way" in seller.text(f"SHIP {order.number}")
    assert "on its way" in brian.text(f"CANCEL {order.number}")
    assert "on its way" in seller.text(f"ACCEPT {order.number}")
    assert "no order" in brian.text(f"SHIP {order.number}")
    assert "no order" in seller.text("TRACK 0000")
    assert "Which order" in seller.text("SHIP 12")
    assert "cannot" in seller.text("WITHDRAW 500")


def test_the_list_is_shown_where_no_order_is_named(desk: Desk, seller: SmsPhone, brian: SmsPhone) -> None:
    order = desk.street.paid()
    for phone, word in ((seller, "SHIP"), (seller, "DELIVERED"), (brian, "TRACK"), (brian, "PROBLEM")):
        assert order.number in phone.text(word), word


def test_two_orders_that_end_the_same_are_asked_about(desk: Desk, seller: SmsPhone, brian: SmsPhone) -> None:
    first, second = renumbered(desk.street, "11114821"), renumbered(desk.street, "22224821")
    assert "11114821" in seller.text("SHIP 4821") and "22224821" in seller.screen
    seller.text("SHIP 11114821")
    assert [desk.street.order(one.id).state for one in (first, second)] == [OrderState.SHIPPED, OrderState.PAID]
    assert "11114821" in brian.text(f"YES {first.delivery_code}"), "which of the two is asked, and no code is tried"
    assert desk.street.order(first.id).code_tries == 0
    brian.text(f"YES {first.delivery_code} 1111-4821")
    assert desk.street.order(first.id).state is OrderState.COMPLETED
    brian.text("TRACK 22224821")
    brian.text(f"YES {second.delivery_code}")
    assert desk.street.order(second.id).state is OrderState.COMPLETED


def renumbered(street: Street, number: str) -> Order:
    order = street.paid()
    street.ground.connection.execute("UPDATE orders SET number = ? WHERE id = ?", (number, order.id))
    return replace(order, number=number)


def test_the_keys_go_back_home_and_on(desk: Desk, seller: SmsPhone) -> None:
    """The same as on USSD; anything else goes on where it was, days later too."""
    desk.street.link(name="Red sneakers")
    for words in ("LUGHA", "3", "LINKS"):
        seller.text(words)
    first = seller.text("1")
    more = seller.text("98")
    assert more != first and seller.text("0") == first
    seller.text("98")
    assert seller.text("00") and seller.text("LANGUAGE") and seller.text("1")
    seller.text("SELL Bag")
    assert seller.place().step == "price"
    assert "name" in seller.text("0").casefold()
    seller.text("Bag 900")
    desk.street.later(timedelta(days=3))
    seller.text("2")
    assert seller.place().step == "name"
    assert "Mama Amina" in seller.text("00")
    assert seller.text("what is this") and seller.place().step == "menu"
    assert "LUGHA" in seller.text("HELP")


def test_a_message_that_comes_twice_is_one_turn(desk: Desk, seller: SmsPhone) -> None:
    """C1, T4: operators deliver twice, and the mouth may be asked again after a crash."""
    key = seller.send("SELL Red sneakers 2500")
    said = seller.hear(key)
    assert said and seller.hear(key) == ""
    assert (len(seller.answers()), seller.place().step) == (1, "check")


def test_the_last_answer_of_an_hour_says_so(desk: Desk, seller: SmsPhone) -> None:
    """T18."""
    said = [seller.text("MENU") for _ in range(MOST_ANSWERS + 2)]
    assert "many messages" in said[MOST_ANSWERS - 1] and said[MOST_ANSWERS:] == ["", ""]


def test_buying_by_sms(desk: Desk, brian: SmsPhone) -> None:
    """L5, L6, O5: a prompt on the phone that wrote, one however often it is asked for; what went wrong in words, and again."""
    link = desk.street.link(name="Red sneakers")
    for words in (f"BUY {link.code}", "1", "Kilimani gate 4", "1"):
        brian.text(words)
    assert "PIN" in brian.screen and len(brian.attempts) == 1
    brian.text("1")
    assert len(set(brian.attempts)) == 1 and desk.street.do(begin_attempt, brian.attempts[0]) is not None
    desk.answered(brian.attempts[0], "wrong_pin")
    assert "PIN was not right" in brian.text("?")
    brian.choose("Try again")
    desk.ring(brian.attempts[-1:])
    desk.answered(brian.attempts[-1])
    assert "Paid Ksh 2,500" in brian.text("?")


# -- through the real door


@pytest_asyncio.fixture(scope="module")
async def town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with living_town(Path(tmp_path_factory.mktemp("sms"))) as here:
        yield here


class Texting(Handset):
    """Somebody in the town who texts to our short code, and reads the newest answer."""

    async def says(self, words: str) -> str:
        before = await self.texts()
        await self.wire.act(f"/phone/{self.msisdn}/sms", to=SHORT_CODE, text=words)

        async def answered() -> str:
            await self.wire.settle()
            fresh = (await self.texts())[len(before) :]
            return fresh[-1] if fresh else ""

        self.screen = str(await self.wire.eventually(answered, f"{self.name} is answered “{words}”", step_s=1))
        assert segments(self.screen) <= 2, self.screen
        return self.screen

    async def texts(self) -> list[str]:
        return [str(one["text"]) for one in (await self.wire.look(f"/phone/{self.msisdn}"))["sms"]]


async def test_a_whole_sale_by_sms_over_http(town: Here) -> None:
    """L1, L5-L7, L9, O1-O4, T15: two phones, Africa's Talking, Daraja; nobody dials and nobody has a smartphone."""
    wangari, otieno = (Texting(town.wire, *who) for who in (("Wangari", "254733000011"), ("Otieno", "254722000019")))
    for words in ("hello", "1", "1", "Wangari Farm"):
        await wangari.says(words)
    assert "Avocado box" in await wangari.says("SELL Avocado box 900")
    await wangari.says("1")
    code = re.search(r"PL-\w{5}", await wangari.text("/buy/PL-"))
    assert code is not None
    for words in (f"BUY {code.group()}", "1", "Otieno", "Gikomba market, stall 9", "1"):
        await otieno.says(words)
    assert "PIN" in otieno.screen
    await otieno.pays("wrong")
    assert "Reply 1" in await otieno.text("PIN was not right")
    await otieno.says("1")
    await otieno.says("1")
    await otieno.pays()
    paid = await otieno.text("elivery code")
    secret, order = re.search(r"(\d{3}) (\d{3})", paid), re.search(r"\d{8}", await wangari.text("new order"))
    assert secret is not None and order is not None
    await wangari.says(f"SHIP {order.group()[-4:]}")
    await otieno.text("has sent order")
    await otieno.says("YES")
    assert await town.state(order.group()) == "SHIPPED"
    assert "completed" in await otieno.says(f"YES {secret.group()}")
    await wangari.text("completed")
    assert "877.50" in await wangari.says("BAL")
    await wangari.wire.act(f"/phone/{wangari.msisdn}/sms", to=SHORT_CODE, text="STOP")
    await town.wire.settle()


@pytest.mark.parametrize("fault", ["inbound_twice", "sms_timeout_before", "sms_500"])
async def test_an_operator_that_stumbles_changes_nothing(town: Here, fault: str) -> None:
    """C1, O2: the message is a turn once; an answer that surely did not go is sent again."""
    n = ["inbound_twice", "sms_timeout_before", "sms_500"].index(fault)
    kamau = Texting(town.wire, "Kamau", f"2547330001{n:02}")
    await kamau.says("hello")
    await town.wire.act("/faults", provider="africastalking", fault=fault, times=1, detail={})
    before = len(await kamau.texts())
    assert "I sell" in await kamau.says("1")
    assert len(await kamau.texts()) == before + 1


async def test_arabic_arrives_in_its_own_letters(town: Here) -> None:
    """X2: as UCS-2, with names in Latin letters among them."""
    layla = Texting(town.wire, "Layla", "254733000021")
    await layla.says("hello")
    await layla.says("3")
    await layla.says("1")
    assert "روابط" in await layla.says("Layla Best Shoes Of All Nairobi Town")
    assert "Layla Best" in layla.screen and "?" not in layla.screen


def _stored(number: str, words: str, n: int) -> tuple[RawEvent, texting.Inbound]:
    raw = urlencode({"id": f"cut-{n}", "from": f"+{number}", "to": SHORT_CODE, "text": words}).encode()
    return RawEvent(texting.GATEWAY, texting.INBOUND, raw, "10.0.0.1"), texting.read_inbound(texting.fields_of(raw))


async def test_a_message_that_a_crash_cut_off_is_answered_once_all_the_same(town: Here) -> None:
    """K4: it was stored, and the process died before it was heard."""
    njeri = Texting(town.wire, "Njeri", "254733000031")
    await njeri.says("hello")
    before = len(await njeri.texts())
    store = town.streets.house.hall.store
    await store.write(texting.receive_inbound, *_stored(njeri.msisdn, "1", 1))
    await town.wire.pass_time(61)
    await town.wire.pass_time(61)
    fresh = (await njeri.texts())[before:]
    assert len(fresh) == 1 and "I sell" in fresh[0]


async def test_a_message_that_fails_holds_up_no_other_and_is_parked(town: Here) -> None:
    """K15: a conversation that cannot be gone on with is written down, and MENU leads out of it."""
    atieno, musa = Texting(town.wire, "Atieno", "254733000041"), Texting(town.wire, "Musa", "254733000042")
    for phone in (atieno, musa):
        await phone.says("hello")
    store = town.streets.house.hall.store

    def damage(unit: Unit) -> None:
        person = unit.people.by_address(ChannelKind.SMS, f"+{atieno.msisdn}")
        assert person is not None
        place = unit.conversations.get(person.id, ChannelKind.SMS)
        assert place is not None
        unit.conversations.put(replace(place, dialog="buy", step="card", data={}, shown={"menu": {"1": "buy_one"}}))

    await store.write(damage)
    await store.write(texting.receive_inbound, *_stored(atieno.msisdn, "1", 2))
    await store.write(texting.receive_inbound, *_stored(musa.msisdn, "1", 3))
    for _ in range(MOST_TRIES + 1):
        await town.wire.pass_time(60 * MOST_TRIES)
    assert "I sell" in (await musa.texts())[-1]
    event = await store.read(lambda unit: unit.inbox.by_key(texting.GATEWAY, "inbound:cut-2"))
    assert event is not None
    assert (event.state, event.error) == (InboxState.PARKED, "KeyError")
    assert await atieno.says("MENU")
