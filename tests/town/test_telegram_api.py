"""Promises of the town's Bot API, over real HTTP."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.town.telegram_sides import Hook, Sides, picture, running_town
from town.core import Fault

Json = dict[str, Any]


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        yield sides


async def test_a_call_may_be_a_query_a_form_json_or_multipart(t: Sides) -> None:
    await t.act(1001, "start")
    address = f"{t.root}/town/telegram/bot{t.town.telegram.bot_token}/SENDmessage"
    markup = json.dumps({"inline_keyboard": [[{"text": "Pay", "callback_data": "p"}]]})
    sent = {"chat_id": "1001", "text": "hello", "reply_markup": markup}
    with aiohttp.MultipartWriter("form-data") as multipart:
        for name, value in sent.items():
            multipart.append(value).set_content_disposition("form-data", name=name)
    for call in (
        t.http.get(address, params=sent), t.http.post(address, data=sent), t.http.post(address, json=sent),
        t.http.post(address, data=multipart),
    ):  # fmt: skip
        async with call as answer:
            body = await answer.json()
            assert answer.status == 200, body
            assert body["result"]["text"] == "hello"
            assert body["result"]["reply_markup"] == {"inline_keyboard": [[{"text": "Pay", "callback_data": "p"}]]}
            assert body["result"]["from"]["is_bot"] is True


async def test_a_wrong_token_is_401_and_an_unknown_method_404(t: Sides) -> None:
    async with t.http.get(f"{t.root}/town/telegram/bot1:x/getMe") as answer:
        assert answer.status == 401
        assert await answer.json() == {"ok": False, "error_code": 401, "description": "Unauthorized"}
    assert await t.refused("getTea") == "404 Not Found"


async def test_the_bot_cannot_speak_first(t: Sides) -> None:
    assert await t.refused("sendMessage", chat_id=7, text="hi") == "400 Bad Request: chat not found"
    asking = asyncio.ensure_future(t.act(7, "inline", query="shoes"))
    query = (await t.ok("getUpdates", timeout=2))[0]["inline_query"]
    await t.ok("answerInlineQuery", inline_query_id=query["id"], results=[])
    assert (await asking)["results"] == []
    assert await t.refused("sendMessage", chat_id=7, text="hi") == "403 Forbidden: bot can't initiate conversation with a user"


async def test_a_blocked_bot_is_told_and_refused_until_start_is_pressed_again(t: Sides) -> None:
    await t.act(1001, "start")
    await t.act(1001, "block")
    assert await t.refused("sendMessage", chat_id=1001, text="hi") == "403 Forbidden: bot was blocked by the user"
    assert "blocked" in (await t.act(1001, "send", 409, text="hello"))["error"]
    await t.act(1001, "start")
    assert (await t.ok("sendMessage", chat_id=1001, text="hi"))["text"] == "hi"
    kinds = [next(kind for kind in update if kind != "update_id") for update in await t.ok("getUpdates")]
    assert kinds == ["message", "my_chat_member", "my_chat_member", "message"]


async def test_limits_of_texts_and_captions_count_what_is_shown(t: Sides) -> None:
    await t.act(1, "start")
    shown = "&amp;" * 4096
    assert len((await t.ok("sendMessage", chat_id=1, text=shown, parse_mode="HTML"))["text"]) == 4096
    assert await t.refused("sendMessage", chat_id=1, text="x" * 4097) == "400 Bad Request: message is too long"
    assert await t.refused("sendMessage", chat_id=1, text="<b> </b>", parse_mode="HTML") == "400 Bad Request: message text is empty"
    assert (await t.refused("sendMessage", chat_id=1, text="<b>", parse_mode="HTML")).startswith("400 Bad Request: can't parse entities: ")
    photo = (await t.act(1, "photo", sample="sneakers"))["message"]["photo"]
    async with t.http.get(t.root + photo) as answer:
        assert answer.content_type == "image/jpeg"
    file_id = (await t.ok("getUpdates", offset=-1))[0]["message"]["photo"][-1]["file_id"]
    assert await t.refused("sendPhoto", chat_id=1, photo=file_id, caption="y" * 1025) == "400 Bad Request: message caption is too long"
    assert len((await t.ok("sendPhoto", chat_id=1, photo=file_id, caption="y" * 1024))["caption"]) == 1024


@pytest.mark.parametrize(
    ("button", "refusal"),
    [
        ({"text": "x", "callback_data": "é" * 33}, "BUTTON_DATA_INVALID"),
        ({"text": "x", "callback_data": ""}, "BUTTON_DATA_INVALID"),
        ({"text": "x"}, "Text buttons are unallowed"),
        ({"text": "x", "callback_data": "a", "url": "https://a.example"}, "exactly one action"),
        ({"text": "x", "url": "javascript:alert(1)"}, "Wrong HTTP URL"),
        ({"text": "x", "copy_text": {"text": "c" * 257}}, "BUTTON_COPY_TEXT_INVALID"),
        ({"text": " ", "callback_data": "a"}, "non-empty"),
        ({"text": "x", "web_app": {"url": "tg://x"}}, "URL is invalid"),
    ],
)
async def test_a_wrong_button_is_refused_and_nothing_is_sent(t: Sides, button: Json, refusal: str) -> None:
    await t.act(1, "start")
    before = await t.look(1, "messages")
    assert refusal in await t.refused("sendMessage", chat_id=1, text="x", reply_markup={"inline_keyboard": [[button]]})
    assert await t.look(1, "messages") == before


async def test_edits_change_the_message_in_place_and_refuse_sameness(t: Sides) -> None:
    await t.act(1, "start")
    keys = {"inline_keyboard": [[{"text": "Go", "callback_data": "g"}]]}
    number = (await t.ok("sendMessage", chat_id=1, text="one", reply_markup=keys))["message_id"]
    assert "message is not modified" in await t.refused("editMessageText", chat_id=1, message_id=number, text="one", reply_markup=keys)
    edited = await t.ok("editMessageText", chat_id=1, message_id=number, text="<b>two</b>", parse_mode="HTML")
    assert (edited["text"], edited["entities"], "reply_markup" in edited) == ("two", [{"type": "bold", "offset": 0, "length": 3}], False)
    assert edited["edit_date"] >= edited["date"]
    await t.ok("editMessageReplyMarkup", chat_id=1, message_id=number, reply_markup=keys)
    assert "message is not modified" in await t.refused("editMessageReplyMarkup", chat_id=1, message_id=number, reply_markup=keys)
    assert await t.refused("editMessageText", chat_id=1, message_id=999, text="x") == "400 Bad Request: message to edit not found"
    assert "no caption" in await t.refused("editMessageCaption", chat_id=1, message_id=number, caption="x")
    mine = (await t.act(1, "send", text="mine"))["message_id"]
    assert "can't be edited" in await t.refused("editMessageText", chat_id=1, message_id=mine, text="x")
    assert await t.ok("deleteMessage", chat_id=1, message_id=mine) is True
    assert await t.refused("deleteMessage", chat_id=1, message_id=mine) == "400 Bad Request: message to delete not found"


async def test_a_message_older_than_48_hours_cannot_be_deleted(t: Sides) -> None:
    await t.act(1, "start")
    number = (await t.ok("sendMessage", chat_id=1, text="old"))["message_id"]
    async with t.http.post(f"{t.root}/town/api/clock", json={"advance_s": 48 * 3600 + 1}) as answer:
        assert answer.status == 200
    assert "can't be deleted" in await t.refused("deleteMessage", chat_id=1, message_id=number)


async def test_pictures_are_uploaded_reused_edited_and_downloaded(t: Sides) -> None:
    await t.act(1, "start")
    address = f"{t.root}/town/telegram/bot{t.town.telegram.bot_token}"
    form = aiohttp.FormData({"chat_id": "1", "caption": "<b>Shoes</b>", "parse_mode": "HTML", "photo": "attach://p"})
    form.add_field("p", picture(), filename="p.jpg", content_type="image/jpeg")
    async with t.http.post(f"{address}/sendPhoto", data=form) as answer:
        sent = (await answer.json())["result"]
    assert (sent["photo"][-1]["width"], sent["photo"][-1]["height"], sent["caption"]) == (60, 40, "Shoes")
    file_id = sent["photo"][-1]["file_id"]
    path = (await t.ok("getFile", file_id=file_id))["file_path"]
    async with t.http.get(f"{t.root}/town/telegram/file/bot{t.town.telegram.bot_token}/{path}") as answer:
        assert await answer.read() == picture()
    assert "failed to get HTTP URL content" in await t.refused("sendPhoto", chat_id=1, photo="https://a.example/p.jpg")
    album = await t.ok("sendMediaGroup", chat_id=1, media=[{"type": "photo", "media": file_id, "caption": "a"}] * 2)
    assert len({one["media_group_id"] for one in album}) == 1
    assert "2-10" in await t.refused("sendMediaGroup", chat_id=1, media=[{"type": "photo", "media": file_id}])
    media = {"type": "photo", "media": file_id, "caption": "Sold"}
    edited = await t.ok("editMessageMedia", chat_id=1, message_id=sent["message_id"], media=media)
    assert edited["caption"] == "Sold"
    form = aiohttp.FormData({"chat_id": "1"})
    form.add_field("photo", b"no picture", filename="p.jpg")
    async with t.http.post(f"{address}/sendPhoto", data=form) as answer:
        assert (await answer.json())["description"] == "Bad Request: IMAGE_PROCESS_FAILED"
    form = aiohttp.FormData({"chat_id": "1"})
    form.add_field("document", b"%PDF-1.7", filename="invoice.pdf", content_type="application/pdf")
    async with t.http.post(f"{address}/sendDocument", data=form) as answer:
        document = (await answer.json())["result"]["document"]
    assert (document["file_name"], document["mime_type"], document["file_size"]) == ("invoice.pdf", "application/pdf", 8)


async def test_too_large_files_are_refused(t: Sides) -> None:
    await t.act(1, "start")
    address = f"{t.root}/town/telegram/bot{t.town.telegram.bot_token}/sendDocument"
    form = aiohttp.FormData({"chat_id": "1"})
    form.add_field("document", io.BytesIO(b"x" * (52 * 1024 * 1024)), filename="big.bin")
    async with t.http.post(address, data=form) as answer:
        assert answer.status == 413
    form = aiohttp.FormData({"chat_id": "1"})
    form.add_field("document", io.BytesIO(b"x" * (21 * 1024 * 1024)), filename="big.bin")
    async with t.http.post(address, data=form) as answer:
        file_id = (await answer.json())["result"]["document"]["file_id"]
    assert await t.refused("getFile", file_id=file_id) == "400 Bad Request: file is too big"


async def test_updates_are_kept_until_confirmed_by_offset(t: Sides) -> None:
    for text in ("/start", "a", "b"):
        await t.act(1, "send", text=text)
    first = await t.ok("getUpdates", limit=2)
    assert [one["message"]["text"] for one in first] == ["/start", "a"]
    assert await t.ok("getUpdates", limit=2) == first
    rest = await t.ok("getUpdates", offset=first[-1]["update_id"] + 1)
    assert [one["message"]["text"] for one in rest] == ["b"]
    assert await t.ok("getUpdates", offset=rest[-1]["update_id"] + 1) == []


async def test_a_long_poll_answers_at_once_when_something_comes_and_ends_when_another_begins(t: Sides) -> None:
    first = asyncio.ensure_future(t.bot("getUpdates", timeout=20))
    await asyncio.sleep(0.05)
    second = asyncio.ensure_future(t.bot("getUpdates", timeout=20))
    ended = await first
    assert (ended["error_code"], ended["description"].split(";")[0]) == (409, "Conflict: terminated by other getUpdates request")
    await t.act(1, "start", payload="ref_1")
    async with asyncio.timeout(1):
        got = (await second)["result"]
    assert got[0]["message"]["text"] == "/start ref_1"
    assert got[0]["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 6}]


async def test_only_kinds_asked_for_are_queued(t: Sides) -> None:
    await t.ok("getUpdates", allowed_updates=["callback_query"])
    await t.act(1, "start")
    sent = await t.ok("sendMessage", chat_id=1, text="x", reply_markup={"inline_keyboard": [[{"text": "A", "callback_data": "a"}]]})
    await t.act(1, "tap", message_id=sent["message_id"], button="A", wait_s=0)
    got = await t.ok("getUpdates")
    assert [sorted(one) for one in got] == [["callback_query", "update_id"]]
    assert got[0]["callback_query"]["message"]["message_id"] == sent["message_id"]


@pytest_asyncio.fixture
async def hook() -> AsyncIterator[Hook]:
    one = Hook()
    await one.server.start_server()
    yield one
    await one.server.close()


async def test_a_webhook_gets_updates_in_order_with_its_secret_and_again_until_it_takes_them(t: Sides, hook: Hook) -> None:
    t.town.telegram.updates.first_backoff_s = 0.01
    hook.statuses = [500, 401]
    await t.act(1, "send", text="before")
    await t.ok("setWebhook", url=str(hook.server.make_url("/hook")), secret_token="s3cret")
    assert "webhook is active" in await t.refused("getUpdates")
    for number in range(5):
        await t.act(1, "send", text=str(number))
    got = await hook.until(6)
    assert [one["message"]["text"] for one in got] == ["before", "0", "1", "2", "3", "4"]
    assert set(hook.secrets) == {"s3cret"}
    info = await t.ok("getWebhookInfo")
    assert info["last_error_message"] == "Wrong response from the webhook: 401 Unauthorized"
    assert info["pending_update_count"] == 0
    await t.ok("deleteWebhook")
    await t.act(1, "send", text="polled")
    assert (await t.ok("getUpdates"))[0]["message"]["text"] == "polled"


async def test_a_webhook_may_answer_with_a_method_call(t: Sides, hook: Hook) -> None:
    hook.reply = {"method": "sendMessage", "chat_id": 1, "text": "from the answer"}
    await t.ok("setWebhook", url=str(hook.server.make_url("/hook")))
    await t.act(1, "start")
    shown = await t.look(1, "messages", wait_s=3)
    assert shown[-1]["text"] == "from the answer"


async def test_dropping_pending_updates_drops_them(t: Sides, hook: Hook) -> None:
    await t.act(1, "start")
    await t.ok("deleteWebhook", drop_pending_updates=True)
    assert await t.ok("getUpdates") == []
    assert "unallowed characters" in await t.refused("setWebhook", url="https://a.example", secret_token="not good")


async def test_duplicated_and_reordered_updates(t: Sides, hook: Hook) -> None:
    await t.act(1, "start")
    start = (await t.ok("getUpdates"))[-1]["update_id"]
    t.town.core.faults.plant(Fault("telegram", "duplicate_update", 1))
    await t.act(1, "send", text="twice")
    twice = await t.ok("getUpdates", offset=start + 1)
    assert [one["update_id"] for one in twice] == [start + 1, start + 1]
    t.town.core.faults.plant(Fault("telegram", "reorder_updates", 1))
    await t.act(1, "send", text="first")
    await t.act(1, "send", text="second")
    got = await t.ok("getUpdates", offset=start + 2)
    assert [(one["update_id"], one["message"]["text"]) for one in got] == [(start + 2, "second"), (start + 3, "first")]
    await t.ok("setWebhook", url=str(hook.server.make_url("/hook")), drop_pending_updates=True)
    t.town.core.faults.plant(Fault("telegram", "reorder_updates", 1))
    await t.act(1, "send", text="third")
    await t.act(1, "send", text="fourth")
    assert [(one["update_id"], one["message"]["text"]) for one in await hook.until(2)] == [(start + 5, "fourth"), (start + 4, "third")]


async def fault(t: Sides, name: str, **detail: Any) -> None:
    async with t.http.post(f"{t.root}/town/api/faults", json={"provider": "telegram", "fault": name, "times": 1, **detail}) as answer:
        assert answer.status == 200


async def test_faults_happen_once_each(t: Sides) -> None:
    await t.act(1, "start")
    await fault(t, "429", retry_after=7)
    await t.ok("getUpdates")
    limited = await t.bot("sendMessage", chat_id=1, text="x")
    assert limited["description"] == "Too Many Requests: retry after 7"
    assert limited["parameters"] == {"retry_after": 7}
    await fault(t, "500")
    assert (await t.refused("sendMessage", chat_id=1, text="x")).startswith("500 ")
    await fault(t, "blocked")
    assert await t.refused("sendMessage", chat_id=1, text="x") == "403 Forbidden: bot was blocked by the user"
    await fault(t, "html")
    async with t.http.post(f"{t.root}/town/telegram/bot{t.town.telegram.bot_token}/sendMessage", json={}) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")
    assert [one["from"] for one in await t.look(1, "messages")] == ["me"]
    await fault(t, "drop")
    with pytest.raises(aiohttp.ClientError):
        await t.bot("sendMessage", chat_id=1, text="arrived")
    assert [one["text"] for one in await t.look(1, "messages")] == ["/start", "arrived"]
    await fault(t, "not_found_on_edit")
    number = (await t.ok("sendMessage", chat_id=1, text="y"))["message_id"]
    assert "message to edit not found" in await t.refused("editMessageText", chat_id=1, message_id=number, text="z")
    await t.ok("editMessageText", chat_id=1, message_id=number, text="z")
    await fault(t, "429", method="sendPhoto")
    await t.ok("sendMessage", chat_id=1, text="another method")
    async with t.http.delete(f"{t.root}/town/api/faults") as answer:
        assert await answer.json() == {"faults": []}


async def test_real_limits_hold_when_switched_on(t: Sides) -> None:
    await t.act(1, "start")
    t.town.telegram.limits.on = True
    answers = [await t.bot("sendMessage", chat_id=1, text=str(number)) for number in range(5)]
    assert [one["ok"] for one in answers] == [True, True, True, False, False]
    assert answers[-1]["parameters"]["retry_after"] >= 1


async def test_commands_are_chosen_by_scope_then_language(t: Sides) -> None:
    await t.act(1, "profile", language_code="sw")
    await t.act(1, "start")

    async def menu() -> list[str]:
        return [one["description"] for one in await t.look(1, "commands")]

    async def put(about: str, **more: Any) -> None:
        await t.ok("setMyCommands", commands=[{"command": "sell", "description": about}], **more)

    assert await menu() == []
    await put("general")
    assert await menu() == ["general"]
    await put("general sw", language_code="sw")
    assert await menu() == ["general sw"]
    await put("private", scope={"type": "all_private_chats"})
    assert await menu() == ["private"]
    await put("yours", scope={"type": "chat", "chat_id": 1})
    assert await menu() == ["yours"]
    await t.ok("deleteMyCommands", scope={"type": "chat", "chat_id": 1})
    assert await menu() == ["private"]
    assert await t.ok("getMyCommands", language_code="sw") == [{"command": "sell", "description": "general sw"}]
    assert "BOT_COMMAND_INVALID" in await t.refused("setMyCommands", commands=[{"command": "Sell!", "description": "x"}])


async def test_names_menu_button_chat_and_member(t: Sides) -> None:
    await t.act(1, "start")
    await t.ok("setMyName", name="PayLoom Sw", language_code="sw")
    assert await t.ok("getMyName", language_code="sw") == {"name": "PayLoom Sw"}
    assert await t.ok("getMyName") == {"name": "PayLoom"}
    await t.ok("setMyShortDescription", short_description="Safe payments")
    assert await t.ok("getMyShortDescription", language_code="ar") == {"short_description": "Safe payments"}
    assert (await t.refused("setMyDescription", description="x" * 513)).startswith("400")
    button = {"type": "web_app", "text": "Open", "web_app": {"url": "http://localhost:8080/app"}}
    await t.ok("setChatMenuButton", menu_button=button)
    assert await t.ok("getChatMenuButton", chat_id=1) == button
    assert (await t.look(1, "menu"))["url"].startswith("http://localhost:8080/app#tgWebAppData=user%3D")
    assert (await t.ok("getChat", chat_id=1))["first_name"] == "User 1"
    assert (await t.ok("getChatMember", chat_id=1, user_id=1))["status"] == "member"
    assert await t.ok("getUserProfilePhotos", user_id=1) == {"total_count": 0, "photos": []}


async def test_copies_forwards_replies_and_reactions(t: Sides) -> None:
    await t.act(1, "start")
    await t.act(2, "start")
    mine = (await t.act(1, "send", text="broken on arrival"))["message_id"]
    forwarded = await t.ok("forwardMessage", chat_id=2, from_chat_id=1, message_id=mine)
    assert forwarded["forward_origin"]["sender_user"]["id"] == 1
    copied = await t.ok("copyMessage", chat_id=2, from_chat_id=1, message_id=mine)
    assert (await t.look(2, "messages"))[-1]["message_id"] == copied["message_id"]
    reply = await t.ok("sendMessage", chat_id=1, text="noted", reply_parameters={"message_id": mine})
    assert reply["reply_to_message"]["message_id"] == mine
    assert "replied not found" in await t.refused("sendMessage", chat_id=1, text="x", reply_parameters={"message_id": 12345})
    await t.ok("setMessageReaction", chat_id=1, message_id=mine, reaction=[{"type": "emoji", "emoji": "👍"}])
    assert (await t.look(1, "messages"))[1]["reactions"] == ["👍"]


async def test_a_chat_keeps_its_last_500_messages(t: Sides) -> None:
    await t.act(1, "start")
    chat = t.town.telegram.people.chats[1]
    for number in range(600):
        t.town.telegram.post(chat, {"text": str(number)})
    assert len(chat.messages) == 500
    assert next(iter(chat.messages.values())).body["text"] == "100"
