"""The Telegram mouth in a town: people who block, limits, edits that fail, photos, contacts, groups, inline cards."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

import aiohttp
import pytest
from PIL import Image

from domain.payment import Method
from payloom.tour_people import phrase
from templates.methods import method_name
from templates.words import LANGUAGES, words
from tests.bot.town import Here, living_town


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    async with living_town(tmp_path_factory.mktemp("town")) as town:
        yield town


async def upload(here: Here, number: int, kind: str, content: bytes, name: str, mime: str, **fields: str) -> dict[str, Any]:
    form = aiohttp.FormData()
    for field, value in fields.items():
        form.add_field(field, value)
    form.add_field(kind, content, filename=name, content_type=mime)
    async with here.wire.session.post(f"{here.wire.base}/town/api/telegram/{number}/{kind}", data=form) as response:
        return {"status": response.status, **(await response.json())}


def jpeg(width: int = 640, height: int = 480) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(out, "JPEG")
    return out.getvalue()


async def test_a_person_who_blocked_the_bot_is_marked_and_the_order_goes_on(here: Here) -> None:
    """T1: 403 from Telegram marks the channel; the order is not stuck; /start opens it again and everything is there."""
    buyer = await here.somebody()
    number = await here.sold(buyer)
    await here.fault("blocked", 50, chat_id=buyer.number)
    await here.amina.tap("act.accept", on=number)
    assert await here.channel_state(buyer) == "BLOCKED"
    await here.amina.tap("act.delivered", on=number)
    assert await here.state(number) == "DELIVERED"
    assert await here.ways(buyer, "order_accepted") == {"telegram": "SKIPPED", "sms": "SENT"}
    async with here.wire.session.delete(f"{here.wire.base}/town/api/faults") as response:
        assert response.status == 200

    await buyer.start()
    assert await here.channel_state(buyer) == "ACTIVE"
    await buyer.say("/purchases")
    await buyer.tap(number)
    await buyer.tap("act.confirm", on=number)
    await buyer.tap("do.yes_confirm")
    assert await here.state(number) == "COMPLETED"


async def test_blocking_and_coming_back_is_noticed_without_sending(here: Here) -> None:
    """T1: my_chat_member."""
    buyer = await here.somebody()
    await buyer.start()
    await here.wire.act(f"/telegram/{buyer.number}/block")

    async def blocked() -> bool:
        return await here.channel_state(buyer) == "BLOCKED"

    await here.wire.eventually(blocked, "the block is noticed")
    await buyer.start()
    assert await here.channel_state(buyer) == "ACTIVE"


async def test_a_limit_is_waited_out_and_the_message_comes(here: Here) -> None:
    """T2: 429 with retry_after 30: nothing before, the message after; told once."""
    buyer = await here.somebody()
    number = await here.sold(buyer)
    before = len(await buyer.messages())
    await here.fault("429", 1, retry_after=30, chat_id=buyer.number, method="sendMessage")
    await here.amina.tap("act.accept", on=number)
    assert len(await buyer.messages()) == before
    await here.wire.pass_time(29)
    assert len(await buyer.messages()) == before
    await here.wire.pass_time(3)
    told = [one for one in await buyer.messages() if phrase("fact.buyer.order_accepted") in one["text"]]
    assert len(told) == 1


async def test_a_screen_that_met_a_limit_is_shown_later(here: Here) -> None:
    """T2: a person's own question is not lost either."""
    buyer = await here.somebody()
    await buyer.start()
    await here.fault("429", 1, retry_after=5, chat_id=buyer.number, method="sendMessage")
    await here.wire.act(f"/telegram/{buyer.number}/send", text="/help")

    async def helped() -> bool:
        return await buyer.read("help")

    await here.wire.eventually(helped, "the help comes", step_s=6)


@pytest.mark.parametrize("fault", ["not_found_on_edit", "not_modified"])
async def test_an_edit_that_fails_leads_to_a_new_message(here: Here, fault: str) -> None:
    """T3: the message is gone: the card comes anew. Not modified: as good as done. The state is what it is either way."""
    buyer = await here.somebody()
    number = await here.sold(buyer)
    if fault == "not_found_on_edit":
        await here.fault(fault, 1)
        await here.amina.tap("act.accept", on=number)
        await here.wire.settle()
    else:
        message = next(one for one in reversed(await here.amina.messages()) if number in one["text"] and one["buttons"])
        before = len(await here.amina.messages())
        for _ in range(2):
            outcome = await here.tap_data(here.amina, message["message_id"], f"o:{number}:accept")
            assert outcome["toast"] == phrase("done")
        assert len(await here.amina.messages()) == before
    assert await here.state(number) == "ACCEPTED"
    for person in (here.amina, buyer):
        cards = [one for one in await person.messages() if f"{number}" in one["text"] and one["buttons"]]
        assert cards, "a card with buttons is there"


async def test_altered_button_data_is_answered_and_changes_nothing(here: Here) -> None:
    """T6: other orders, other sides, other versions, 64 bytes of junk: each press is answered, nothing moves."""
    buyer, stranger = await here.somebody(), await here.somebody("Zuri")
    number = await here.sold(buyer)
    await stranger.start()
    message = (await here.newest(stranger))["message_id"]
    acts = ("accept", "ship", "delivered", "confirm", "refund", "cancel", "problem", "enter_code", "x")
    junk = [f"o:{number}:{act}" for act in acts] + ["\u0001" * 64, "é" * 32, "o:", "999.home", "-1.home", ".", "1.", "²..", "0.n²"]
    for data in junk:
        outcome = await here.tap_data(stranger, message, data)
        assert outcome["answered"], data
    assert await here.state(number) == "PAID"
    assert not any(number in one["text"] for one in await stranger.messages())
    await stranger.say("/help")


async def test_a_photo_with_a_caption_is_a_product(here: Here) -> None:
    seller = here.amina
    await seller.say("/menu")
    await seller.photo("bag", "Green bag 900")
    await seller.tap("do.create")
    text = (await here.newest(seller))["text"]
    code = next(word.rpartition("/")[2] for word in text.split() if "/buy/PL-" in word)
    link = await here.read(lambda unit: unit.links.by_code(code))
    assert (link.name, link.price.amount_minor, len(link.pictures)) == ("Green bag", 90_000, 1)


async def test_what_is_no_picture_is_refused_in_words(here: Here) -> None:
    """W12: a text that calls itself a picture, and a file where a photo is asked for: said so, and the conversation goes on."""
    seller = here.amina
    await seller.say("/sell")
    await seller.say("Chair")
    await seller.say("700")
    await seller.tap("do.skip")
    sent = await upload(here, seller.number, "document", b"not a picture", "photo.jpg", "image/jpeg")
    assert sent["status"] == 200
    await here.wire.eventually(lambda: _newer(here, seller, sent["message_id"]), "the file is answered")
    assert (await here.place(seller)).dialog == "sell"
    await seller.say("/menu")


async def _newer(here: Here, who: Any, message_id: int) -> bool:
    return bool((await here.newest(who))["message_id"] > message_id)


async def test_a_very_large_photo_arrives_small_and_without_its_metadata(here: Here) -> None:
    seller = here.amina
    await seller.say("/menu")
    sent = await upload(here, seller.number, "photo", jpeg(4000, 3000), "big.jpg", "image/jpeg", caption="Big table 8000")
    assert sent["status"] == 200
    await here.wire.eventually(lambda: _newer(here, seller, sent["message_id"]), "the photo is answered")
    assert (await here.place(seller)).step == "check"
    picture = (await here.place(seller)).data["pictures"][0]
    file = await here.read(lambda unit: unit.files.get(picture))
    assert max(file.width, file.height) <= 1080


async def test_somebody_elses_contact_is_refused(here: Here) -> None:
    """T17: a number is taken only from the person themself."""
    seller = await here.somebody("Chipo")
    await seller.start()
    await seller.tap("English")
    await seller.tap("do.i_sell")
    await seller.say("Chipo's")
    other = {"phone_number": "+254799999999", "first_name": "Victim", "user_id": 424242}
    await seller._answered(await here.wire.act(f"/telegram/{seller.number}/contact", other=other))
    assert (await here.person(seller)).phone is None
    assert (await here.place(seller)).step == "phone"
    await seller.share_number()
    assert str((await here.person(seller)).phone) == f"+{seller.msisdn}"


async def test_a_card_shared_by_inline_mode_starts_a_purchase(here: Here) -> None:
    found = await here.wire.act(f"/telegram/{here.amina.number}/inline", query=here.link)
    assert [one["title"] for one in found["results"]] == ["Red sneakers"]
    buyer = await here.somebody("Dalila")
    card = await here.wire.act(
        f"/telegram/{here.amina.number}/inline/choose", query=here.link, result_id=found["results"][0]["id"], to=buyer.number
    )
    url = card["message"]["buttons"][0][0]["url"]
    await buyer.open(url)
    assert "Red sneakers" in (await here.newest(buyer))["text"]
    assert (await here.place(buyer)).dialog == "buy"
    own = await here.wire.act(f"/telegram/{here.amina.number}/inline", query="sneak")
    assert [one["title"] for one in own["results"]] == ["Red sneakers"]
    nobody = await here.wire.act(f"/telegram/{buyer.number}/inline", query="sneak")
    assert nobody["results"] == []
    assert nobody["button"]


@pytest.mark.parametrize("asked", ["%", "_", "%sneak", "s_eak", "\\", "' OR 1=1 --", "{0}", "*"])
async def test_signs_that_mean_something_to_a_database_are_only_signs(here: Here, asked: str) -> None:
    """W16: LIKE wildcards and injection in the search that everybody can type into."""
    found = await here.wire.act(f"/telegram/{here.amina.number}/inline", query=asked)
    assert found["results"] == []


async def test_groups_are_left_alone(here: Here) -> None:
    group = await here.wire.act(f"/telegram/{here.amina.number}/group", title="Friends", members=[9990])
    await here.wire.act(f"/telegram/{here.amina.number}/send", text="Red sneakers 2500", chat=group["chat"])
    await here.wire.act(f"/telegram/{here.amina.number}/send", text="/start", chat=group["chat"])
    await here.wire.settle()
    others = await here.wire.look(f"/telegram/{here.amina.number}/others")
    messages = [one for chat in others if chat["chat"] == group["chat"] for one in chat["messages"]]
    assert [one["from"] for one in messages if one["from"] == "bot"] == []


async def test_commands_are_there_in_every_language(here: Here) -> None:
    for language in LANGUAGES:
        person = await here.somebody("Reader", language)
        listed = await here.wire.look(f"/telegram/{person.number}/commands")
        t = words(language)
        assert {one["command"] for one in listed} >= {"sell", "orders", "wallet", "buy", "purchases", "help"}
        assert all(one["description"] == t(f"chat.command.{one['command']}") for one in listed)


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_whole_conversation_stays_in_the_persons_language(here: Here, language: str) -> None:
    """X2: each party in their own language, never the other's."""
    t = words(language)
    buyer = await here.somebody("Msomaji", language)
    await buyer.start(here.link)
    for label, typed in (("buy_one", "Kilimani"), ("", f"0{buyer.msisdn[3:]}"), ("pay", "")):
        if label:
            await buyer.tap(t(f"chat.do.{label}", method=method_name(t, Method.MPESA)))
        if typed:
            await buyer.say(typed)
    await buyer.pin("right")
    # The conversation's screen and the order's card are two messages, and come in any order.
    for label in (t("chat.do.open_order"), t("chat.act.confirm")):
        await here.wire.eventually(partial(_read, buyer, label), f"“{label}” is there to be pressed")
    await here.amina.hears("fact.seller.order_paid")


async def _read(buyer: Any, label: str) -> bool:
    return any(label in _labels(one) for one in await buyer.messages())


def _labels(message: dict[str, Any]) -> list[str]:
    return [button["text"] for row in message["buttons"] for button in row]
