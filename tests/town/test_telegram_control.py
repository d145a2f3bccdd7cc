"""Promises of the control API: what people can do in the town's Telegram, and what they see."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import aiohttp
import pytest_asyncio

from tests.town.telegram_sides import Sides, picture, running_town

Json = dict[str, Any]


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        yield sides


async def next_update(t: Sides, kind: str) -> Json:
    """The next update of that kind; everything before it is confirmed."""
    async with asyncio.timeout(5):
        while True:
            for update in await t.ok("getUpdates", timeout=2):
                await t.ok("getUpdates", offset=update["update_id"] + 1)
                if kind in update:
                    found: Json = update[kind]
                    return found


async def test_messages_show_both_sides_with_safe_html_and_buttons(t: Sides) -> None:
    await t.act(1001, "start")
    rows = [
        [{"text": "Pay", "callback_data": "p:1"}, {"text": "Copy", "copy_text": {"text": "PL-1"}}],
        [{"text": "Open", "url": "https://a.example/buy"}, {"text": "Share", "switch_inline_query": "PL-1"}],
    ]
    await t.ok("sendMessage", chat_id=1001, text="<b>Ksh 2,500</b>\n&lt;you&gt;", parse_mode="HTML", reply_markup={"inline_keyboard": rows})
    mine, shown = await t.look(1001, "messages")
    assert (mine["from"], mine["text"]) == ("me", "/start")
    assert (shown["from"], shown["text"], shown["html"]) == ("bot", "Ksh 2,500\n<you>", "<b>Ksh 2,500</b><br>&lt;you&gt;")
    assert [(key["text"], key["data"], key["url"], key["copy"], key["switch_inline"]) for row in shown["buttons"] for key in row] == [
        ("Pay", "p:1", None, None, None),
        ("Copy", None, None, "PL-1", None),
        ("Open", None, "https://a.example/buy", None, None),
        ("Share", None, None, None, "PL-1"),
    ]
    assert (shown["keyboard"], shown["edited"], shown["photo"], shown["document"]) == (None, False, None, None)
    number = shown["message_id"]
    assert (await t.act(1001, "tap", message_id=number, button="Copy"))["copy"] == "PL-1"
    assert (await t.act(1001, "tap", message_id=number, button="Open"))["url"] == "https://a.example/buy"
    assert (await t.act(1001, "tap", message_id=number, button="Share"))["inline_query"] == "PL-1"
    assert "has no button 'Nope'" in (await t.act(1001, "tap", 404, message_id=number, button="Nope"))["error"]


async def test_a_tap_brings_back_the_toast_when_the_bot_answers_in_time(t: Sides) -> None:
    await t.act(1, "start")
    keys = {"inline_keyboard": [[{"text": "Confirm ✅", "callback_data": "c:1"}]]}
    number = (await t.ok("sendMessage", chat_id=1, text="Got it?", reply_markup=keys))["message_id"]
    tap = asyncio.ensure_future(t.act(1, "tap", message_id=number, button="Confirm ✅"))
    query = await next_update(t, "callback_query")
    assert (query["data"], query["message"]["message_id"], query["from"]["id"]) == ("c:1", number, 1)
    assert query["chat_instance"]
    await t.ok("answerCallbackQuery", callback_query_id=query["id"], text="Released", show_alert=True)
    answer = await tap
    assert (answer["answered"], answer["toast"], answer["alert"]) == (True, "Released", True)
    assert "query is too old" in await t.refused("answerCallbackQuery", callback_query_id="12345")
    quiet = await t.act(1, "tap", message_id=number, button="c:1", wait_s=0)
    assert (quiet["answered"], quiet["toast"]) == (False, None)
    t.town.core.clock.advance(3600)
    late = await next_update(t, "callback_query")
    assert "query is too old" in await t.refused("answerCallbackQuery", callback_query_id=late["id"])


async def test_data_of_a_button_that_is_gone_can_still_be_sent(t: Sides) -> None:
    await t.act(1, "start")
    keys = {"inline_keyboard": [[{"text": "Go", "callback_data": "old"}]]}
    number = (await t.ok("sendMessage", chat_id=1, text="x", reply_markup=keys))["message_id"]
    await t.ok("editMessageReplyMarkup", chat_id=1, message_id=number)
    await t.act(1, "tap", message_id=number, data="old", wait_s=0)
    assert (await next_update(t, "callback_query"))["data"] == "old"


async def test_links_back_to_the_bot_act_as_start(t: Sides) -> None:
    await t.act(1, "start")
    keys = {"inline_keyboard": [[{"text": "Buy", "url": "https://t.me/payloom_bot?start=buy_7K2"}]]}
    number = (await t.ok("sendMessage", chat_id=1, text="x", reply_markup=keys))["message_id"]
    assert (await t.act(1, "tap", message_id=number, button="Buy"))["started"] == "buy_7K2"
    assert (await t.look(1, "messages"))[-1]["text"] == "/start buy_7K2"
    assert (await t.act(1, "open", url="https://t.me/other?start=x"))["url"] == "https://t.me/other?start=x"
    assert "payload" in (await t.act(1, "start", 400, payload="not good!"))["error"]


async def test_the_reply_keyboard_shares_the_own_number(t: Sides) -> None:
    await t.act(1001, "start")
    keyboard = {"keyboard": [[{"text": "Share my phone", "request_contact": True}], ["Later"]], "one_time_keyboard": True}
    asked = (await t.ok("sendMessage", chat_id=1001, text="Your phone?", reply_markup=keyboard))["message_id"]
    assert (await t.look(1001, "messages"))[-1]["keyboard"] == [[{"text": "Share my phone", "request_contact": True}], [{"text": "Later"}]]
    await t.act(1001, "tap", button="Share my phone")
    updates = await t.ok("getUpdates")
    contact = updates[-1]["message"]
    assert contact["contact"] == {"phone_number": "254700001001", "first_name": "User 1001", "user_id": 1001}
    assert contact["reply_to_message"]["message_id"] == asked
    await t.ok("sendMessage", chat_id=1001, text="Thanks", reply_markup={"remove_keyboard": True})
    assert (await t.look(1001, "messages"))[-1]["keyboard"] == []
    await t.act(1001, "contact", phone="+254711222333")
    assert (await t.ok("getUpdates"))[-1]["message"]["contact"]["phone_number"] == "+254711222333"
    await t.act(1001, "contact", other={"phone_number": "1", "first_name": "Eve", "user_id": 5})
    assert (await t.ok("getUpdates"))[-1]["message"]["contact"]["user_id"] == 5


async def test_a_picture_is_sent_as_a_file_with_a_caption(t: Sides) -> None:
    form = aiohttp.FormData({"caption": "Red sneakers 2500"})
    form.add_field("photo", picture(), filename="p.jpg", content_type="image/jpeg")
    async with t.http.post(f"{t.root}/town/api/telegram/1/photo", data=form) as answer:
        shown = (await answer.json())["message"]
    assert (shown["text"], shown["from"]) == ("Red sneakers 2500", "me")
    async with t.http.get(t.root + shown["photo"]) as answer:
        assert await answer.read() == picture()
    message = await next_update(t, "message")
    assert message["photo"][-1]["width"] == 60
    assert "sample" in (await t.act(1, "photo", 400))["error"]
    await t.act(1, "location", lat=-1.28, lon=36.82)
    assert (await next_update(t, "message"))["location"] == {"latitude": -1.28, "longitude": 36.82}


async def test_a_card_shared_through_inline_mode_reaches_another_person_and_its_buttons_work(t: Sides) -> None:
    await t.act(1, "start")
    asking = asyncio.ensure_future(t.act(1, "inline", query="PL-7"))
    query = await next_update(t, "inline_query")
    keys = {"inline_keyboard": [[{"text": "Buy", "url": "https://t.me/payloom_bot?start=PL-7"}, {"text": "Like", "callback_data": "l"}]]}
    content = {"message_text": "<b>Sneakers</b>", "parse_mode": "HTML"}
    card = {"type": "article", "id": "r1", "title": "Sneakers", "input_message_content": content, "reply_markup": keys}
    await t.ok("answerInlineQuery", inline_query_id=query["id"], results=[card], is_personal=True)
    results = (await asking)["results"]
    assert [(one["id"], one["title"], one["text"]) for one in results] == [("r1", "Sneakers", "Sneakers")]
    chosen = await t.act(1, "inline/choose", query="PL-7", result_id="r1", to=2)
    feedback = await next_update(t, "chosen_inline_result")
    assert (feedback["result_id"], feedback["query"], feedback["from"]["id"]) == ("r1", "PL-7", 1)
    (talk,) = await t.look(2, "others")
    assert (talk["with"], talk["messages"][0]["html"], talk["messages"][0]["via"]) == (1, "<b>Sneakers</b>", "@payloom_bot")
    assert await t.look(2, "messages") == []
    await t.act(2, "tap", message_id=chosen["message_id"], button="Like", wait_s=0)
    like = await next_update(t, "callback_query")
    assert (like["inline_message_id"], "message" in like, like["from"]["id"]) == (feedback["inline_message_id"], False, 2)
    assert await t.ok("editMessageText", inline_message_id=like["inline_message_id"], text="Sold", reply_markup=keys) is True
    assert (await t.look(2, "others"))[0]["messages"][0]["text"] == "Sold"
    assert (await t.act(2, "tap", message_id=chosen["message_id"], button="Buy"))["started"] == "PL-7"
    assert (await t.look(2, "messages"))[0]["text"] == "/start PL-7"


async def test_inline_answers_are_cached_for_everybody_unless_personal(t: Sides) -> None:
    async def ask(user: int, answer: Json | None) -> list[str]:
        asking = asyncio.ensure_future(t.act(user, "inline", query="x"))
        if answer is not None:
            query = await next_update(t, "inline_query")
            await t.ok("answerInlineQuery", inline_query_id=query["id"], **answer)
        return [one["title"] for one in (await asking)["results"]]

    def titled(title: str) -> list[Json]:
        return [{"type": "article", "id": "1", "title": title, "input_message_content": {"message_text": "t"}}]

    assert await ask(1, {"results": titled("mine"), "is_personal": True}) == ["mine"]
    assert await ask(1, None) == ["mine"]
    assert await ask(2, {"results": titled("all"), "cache_time": 10}) == ["all"]
    assert await ask(3, None) == ["all"]
    t.town.core.clock.advance(11)
    assert await ask(3, {"results": titled("new"), "cache_time": 0}) == ["new"]
    assert "RESULT_ID_DUPLICATE" in await refused_results(t, titled("a") * 2)
    assert "RESULTS_TOO_MUCH" in await refused_results(t, [{**titled("a")[0], "id": str(n)} for n in range(51)])


async def refused_results(t: Sides, results: list[Json]) -> str:
    asking = asyncio.ensure_future(t.act(9, "inline", query=f"q{len(results)}"))
    query = await next_update(t, "inline_query")
    refusal = await t.refused("answerInlineQuery", inline_query_id=query["id"], results=results)
    await t.ok("answerInlineQuery", inline_query_id=query["id"], results=[])
    await asking
    return refusal


async def test_a_group_is_a_chat_where_the_bot_sees_commands_only(t: Sides) -> None:
    group = (await t.act(1, "group", title="Kitchen", members=[2]))["chat"]
    assert (await next_update(t, "my_chat_member"))["chat"] == {"id": group, "type": "supergroup", "title": "Kitchen"}
    assert "new_chat_members" in await next_update(t, "message")
    await t.act(2, "send", text="chatter", chat=group)
    await t.act(2, "send", text="/board", chat=group)
    assert (await next_update(t, "message"))["text"] == "/board"
    await t.ok("sendMessage", chat_id=group, text="Ready")
    shown = await t.look(2, "messages", chat=group)
    assert [(one["from"], one["text"]) for one in shown] == [(1, ""), ("me", "chatter"), ("me", "/board"), ("bot", "Ready")]
    assert (await t.ok("getChatMember", chat_id=group, user_id=1))["status"] == "creator"


async def test_mini_app_and_login_data_are_signed_as_telegram_does(t: Sides) -> None:
    await t.act(1, "start")
    url = "http://localhost:1/app"
    keys = {"inline_keyboard": [[{"text": "App", "web_app": {"url": url}}, {"text": "Log in", "login_url": {"url": f"{url}?a=1"}}]]}
    number = (await t.ok("sendMessage", chat_id=1, text="x", reply_markup=keys))["message_id"]
    opened = (await t.act(1, "tap", message_id=number, button="App"))["url"]
    fields = dict(parse_qsl(unquote(dict(parse_qsl(urlsplit(opened).fragment, keep_blank_values=True))["tgWebAppData"])))
    raw = dict(parse_qsl(dict(parse_qsl(urlsplit(opened).fragment))["tgWebAppData"]))
    assert json.loads(raw["user"])["id"] == 1
    given = raw.pop("hash")
    token = t.town.telegram.bot_token
    key = hmac.new(b"WebAppData", token.encode(), hashlib.sha256).digest()
    assert given == hmac.new(key, "\n".join(f"{k}={v}" for k, v in sorted(raw.items())).encode(), hashlib.sha256).hexdigest()
    assert fields.keys() >= {"auth_date", "query_id"}
    login = dict(parse_qsl(urlsplit((await t.act(1, "tap", message_id=number, button="Log in"))["url"]).query))
    given = login.pop("hash")
    assert login.pop("a") == "1"
    key = hashlib.sha256(token.encode()).digest()
    assert given == hmac.new(key, "\n".join(f"{k}={v}" for k, v in sorted(login.items())).encode(), hashlib.sha256).hexdigest()


async def test_what_a_person_cannot_do_is_said_in_one_sentence(t: Sides) -> None:
    assert (await t.act(1, "send", 400))["error"] == "`text` is missing."
    assert (await t.act(1, "send", 400, text="  "))["error"] == "A text has 1 to 4096 characters."
    assert (await t.act(0, "send", 400, text="x"))["error"].startswith("A Telegram user id is a positive number")
    assert (await t.act(1, "tap", 404, message_id=5, button="x"))["error"] == "User 1 has no message 5."
    async with t.http.post(f"{t.root}/town/api/clock", json={"advance_s": -1}) as answer:
        assert (answer.status, "forward" in (await answer.json())["error"]) == (400, True)
    async with t.http.post(f"{t.root}/town/api/faults", data="nonsense") as answer:
        assert answer.status == 400


async def test_messages_can_be_waited_for(t: Sides) -> None:
    started = (await t.act(1, "start"))["message_id"]
    waiting = asyncio.ensure_future(t.look(1, "messages", after=started, wait_s=5))
    await asyncio.sleep(0.05)
    await t.ok("sendMessage", chat_id=1, text="at last")
    async with asyncio.timeout(1):
        assert [one["text"] for one in await waiting] == ["at last"]


async def test_the_state_shows_everything_and_the_clock_moves(t: Sides) -> None:
    await t.act(1, "profile", first_name="Amina", language_code="sw")
    await t.act(1, "send", text="hello")
    async with t.http.post(f"{t.root}/town/api/clock", json={"advance_s": 86400}) as answer:
        moved = (await answer.json())["now"]
    async with t.http.get(f"{t.root}/town/api/state") as answer:
        state = await answer.json()
    person = state["telegram"]["people"]["1"]
    assert (person["name"], person["language_code"], person["messages"][0]["text"]) == ("Amina", "sw", "hello")
    assert state["now"] >= moved
    assert state["telegram"]["updates_waiting"] == 1


async def test_events_stream_from_where_one_left(t: Sides) -> None:
    await t.act(1, "send", text="one")
    await t.act(1, "send", text="two")
    async with t.http.get(f"{t.root}/town/api/events", headers={"Last-Event-ID": "1"}) as stream:
        assert stream.content_type == "text/event-stream"

        async def event() -> tuple[str, Json]:
            number = ""
            async for line in stream.content:
                if line.startswith(b"id: "):
                    number = line[4:].decode().strip()
                if line.startswith(b"data: "):
                    return number, json.loads(line[6:])
            raise AssertionError("the stream ended")

        number, what = await event()
        assert (number, what["kind"], what["text"], what["users"]) == ("2", "telegram.message", "two", [1])
        await t.act(1, "send", text="three")
        async with asyncio.timeout(1):
            assert (await event())[1]["text"] == "three"


async def test_the_page_is_served_from_its_folder_only(t: Sides) -> None:
    async with t.http.get(f"{t.root}/town/static/..%2fcore.py") as answer:
        assert answer.status == 404
    async with t.http.get(f"{t.root}/town/static/nothing.js") as answer:
        assert answer.status == 404
