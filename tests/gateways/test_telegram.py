"""The Telegram messenger over the town's Telegram: what a person sees, and what becomes of what could not be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from telegram import Bot

from domain.ports import Button, Delivery, Message, Messenger, Sent
from gateways.messages.pace import Pace
from gateways.messages.telegram import TelegramMessenger
from gateways.telegram_transport import AiohttpRequest
from tests.town.telegram_sides import Sides, picture, running_town
from town.core import Fault

PERSON = 1001


@dataclass
class Stage:
    """A town with one person who started the bot, and our messenger."""

    sides: Sides
    bot: Bot
    messenger: TelegramMessenger

    async def shown(self, person: int = PERSON) -> list[dict[str, Any]]:
        messages: list[dict[str, Any]] = await self.sides.look(person, "messages")
        return [message for message in messages if message["text"] != "/start"]

    def plant(self, fault: str, **detail: Any) -> None:
        self.sides.town.core.faults.plant(Fault("telegram", fault, 1, detail))


def bot_of(sides: Sides, transport: AiohttpRequest) -> Bot:
    base = f"{sides.root}/town/telegram"
    return Bot(sides.town.telegram.bot_token, base_url=f"{base}/bot", base_file_url=f"{base}/file/bot", request=transport)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with running_town() as sides:
        transport = AiohttpRequest(read_timeout_s=1.0)
        bot = bot_of(sides, transport)
        await bot.initialize()
        await sides.act(PERSON, "start")
        yield Stage(sides, bot, TelegramMessenger(bot))
        await bot.shutdown()


async def test_a_message_with_every_kind_of_button(stage: Stage) -> None:
    messenger: Messenger = stage.messenger
    rows = (
        (Button("Confirm ✅", data="c:1"), Button("Open", url="https://shop.example/t/1")),
        (Button("Copy", copy="PL-7K2QD"), Button("Share", share="PL-7K2QD")),
    )
    sent = await messenger.send(str(PERSON), Message("<b>Paid</b> &lt;KSh 2,500&gt;", rows))
    (message,) = await stage.shown()
    assert sent == Sent(Delivery.SENT, f"t:{message['message_id']}")
    assert message["text"] == "Paid <KSh 2,500>"
    buttons = [button for row in message["buttons"] for button in row]
    assert [button["text"] for button in buttons] == ["Confirm ✅", "Open", "Copy", "Share"]
    tap = {"message_id": message["message_id"]}
    assert (await stage.sides.act(PERSON, "tap", **tap, button="Copy"))["copy"] == "PL-7K2QD"
    assert (await stage.sides.act(PERSON, "tap", **tap, button="Share"))["inline_query"] == "PL-7K2QD"


async def test_an_edit_changes_it_and_a_second_one_is_no_error(stage: Stage) -> None:
    sent = await stage.messenger.send(str(PERSON), Message("Pay?", ((Button("Pay", data="p"),),)))
    assert sent.ref is not None
    for _ in range(2):
        assert await stage.messenger.edit(str(PERSON), sent.ref, Message("<i>Done</i>")) == Sent(Delivery.SENT, sent.ref)
    (message,) = await stage.shown()
    assert (message["text"], message["buttons"]) == ("Done", [])


@pytest.mark.parametrize("ref", ["t:999999", "p:999999", "x:1", "12", "t:", "t:-5", ""])
async def test_what_is_not_there_cannot_be_edited(stage: Stage, ref: str) -> None:
    assert (await stage.messenger.edit(str(PERSON), ref, Message("x"))).delivery is Delivery.REFUSED


async def test_a_picture_goes_up_once_and_its_caption_can_be_edited(stage: Stage) -> None:
    card = Message("<b>Kiondo</b>", ((Button("Buy", data="b"),),), picture=picture())
    first = await stage.messenger.send(str(PERSON), card)
    second = await stage.messenger.send(str(PERSON), card)
    assert first.ref is not None
    assert first.ref.startswith("p:")
    assert second.delivery is Delivery.SENT
    assert len(stage.messenger._file_ids) == 1
    assert (await stage.messenger.edit(str(PERSON), first.ref, Message("Sold"))).delivery is Delivery.SENT
    assert [message["text"] for message in await stage.shown()] == ["Sold", "Kiondo"]


async def test_a_long_text_follows_its_picture(stage: Stage) -> None:
    sent = await stage.messenger.send(str(PERSON), Message("word " * 300, ((Button("Buy", data="b"),),), picture=picture()))
    photo, text = await stage.shown()
    assert sent.ref == f"t:{text['message_id']}"
    assert (photo["text"], photo["buttons"], len(text["buttons"])) == ("", [], 1)


async def test_a_picture_telegram_does_not_take_leaves_the_words(stage: Stage) -> None:
    sent = await stage.messenger.send(str(PERSON), Message("Kiondo", picture=b"no picture"))
    assert sent.delivery is Delivery.SENT
    assert [message["text"] for message in await stage.shown()] == ["Kiondo"]
    assert (await stage.messenger.send(str(PERSON), Message("", picture=b"no picture"))).delivery is Delivery.REFUSED


async def test_a_text_too_long_is_cut_and_a_broken_one_is_sent_plain(stage: Stage) -> None:
    assert (await stage.messenger.send(str(PERSON), Message("<b>" + "word " * 2000 + "</b>"))).delivery is Delivery.SENT
    assert (await stage.messenger.send(str(PERSON), Message("<b>never closed & <u", ()))).delivery is Delivery.SENT
    long, broken = await stage.shown()
    assert (len(long["text"]) <= 4096, long["text"].endswith("word…")) == (True, True)
    assert broken["text"].startswith("never closed &")


async def test_the_own_number_is_asked_for_and_the_keyboard_taken_away(stage: Stage) -> None:
    await stage.messenger.send(str(PERSON), Message("Your number?", ask_contact="Share my number"))
    assert (await stage.shown())[-1]["keyboard"] == [[{"text": "Share my number", "request_contact": True}]]
    await stage.messenger.send(str(PERSON), Message("Thanks", remove_keyboard=True))
    assert (await stage.shown())[-1]["keyboard"] == []


async def test_an_answer_to_a_message_that_is_gone_is_sent_all_the_same(stage: Stage) -> None:
    first = await stage.messenger.send(str(PERSON), Message("one"))
    for reply_to in (first.ref, "t:999999", "odd", ""):
        assert (await stage.messenger.send(str(PERSON), Message("two", reply_to=reply_to, silent=True))).delivery is Delivery.SENT


@pytest.mark.parametrize("address", ["5555", "-100555", "x", "", "1001 ", "١٠٠١", "-"])
async def test_nobody_at_the_address(stage: Stage, address: str) -> None:
    """T1."""
    known = address in ("5555", "-100555")
    assert (await stage.messenger.send(address, Message("x"))).delivery is (Delivery.GONE if known else Delivery.REFUSED)


@pytest.mark.parametrize(
    "fault,detail,delivery,wait_s",
    [
        ("429", {"retry_after": 7}, Delivery.LATER, 7),
        ("blocked", {}, Delivery.GONE, 0),
        ("500", {}, Delivery.UNKNOWN, 0),
        ("html", {}, Delivery.UNKNOWN, 0),
        ("drop", {}, Delivery.UNKNOWN, 0),
        ("slow", {"seconds": 2}, Delivery.UNKNOWN, 0),
    ],
)
async def test_what_goes_wrong_with_sending(stage: Stage, fault: str, detail: dict[str, Any], delivery: Delivery, wait_s: float) -> None:
    """O1, O2, O3, T1."""
    stage.plant(fault, **detail)
    sent = await stage.messenger.send(str(PERSON), Message("x"))
    assert (sent.delivery, sent.retry_after_s) == (delivery, wait_s)
    assert stage.bot.token not in sent.error
    assert (await stage.messenger.send(str(PERSON), Message("y"))).delivery is Delivery.SENT


async def test_flood_control_silences_everybody_for_as_long_as_told(stage: Stage) -> None:
    """O1."""
    seconds = [1000.0]
    messenger = TelegramMessenger(stage.bot, Pace(lambda: seconds[0], 1e15, chat_burst=3), most_wait_s=0)
    stage.plant("429", retry_after=7)
    assert (await messenger.send(str(PERSON), Message("x"))).retry_after_s == 7
    assert await messenger.send("1002", Message("x")) == Sent(Delivery.LATER, retry_after_s=7, error="pace")
    seconds[0] += 7
    assert [(await messenger.send(str(PERSON), Message("x"))).delivery for _ in range(3)] == [Delivery.SENT, Delivery.SENT, Delivery.SENT]
    assert (await messenger.send(str(PERSON), Message("x"))).delivery is Delivery.LATER
