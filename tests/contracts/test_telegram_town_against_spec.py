"""The town's Bot API against Telegram's machine-readable specification: nothing read or returned that Telegram does not know."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.town.telegram_sides import Sides, picture, running_town
from town.telegram.params import METHODS, Method
from town.telegram.service import PROVIDER_TOKEN

Json = dict[str, Any]

FOLDER = Path(os.environ.get("PAYLOOM_SPECS") or Path(__file__).parents[2].parent / "shared" / "specs")
SPEC = FOLDER / "telegram-bot-api.json"
pytestmark = pytest.mark.skipif(not SPEC.is_file(), reason=f"Telegram's specification is not at {SPEC}; PAYLOOM_SPECS says where it is.")

PLAIN = {"Integer": int, "String": str, "Boolean": bool, "Float": (int, float)}


@cache
def spec() -> Json:
    loaded: Json = json.loads(SPEC.read_text())
    return loaded


def problems(value: Any, kinds: list[str], where: str) -> list[str]:
    """What is wrong with a value that should be of one of these types; the best matching type counts."""
    found = [_problems(value, kind, where) for kind in kinds]
    return min(found, key=len)


def _problems(value: Any, kind: str, where: str) -> list[str]:
    if kind.startswith("Array of "):
        if not isinstance(value, list):
            return [f"{where}: a list is expected"]
        return [one for number, item in enumerate(value) for one in problems(item, [kind[9:]], f"{where}[{number}]")]
    if kind in PLAIN:
        right = isinstance(value, PLAIN[kind]) and (kind == "Boolean" or not isinstance(value, bool))  # type: ignore[arg-type]
        return [] if right else [f"{where}: {kind} is expected, not {value!r}"]
    known = spec()["types"][kind]
    if known.get("subtypes"):
        return problems(value, known["subtypes"], where)
    if not isinstance(value, dict):
        return [f"{where}: {kind} is expected"]
    fields = {field["name"]: field for field in known.get("fields", [])}
    wrong = [f"{where}: {kind} has no field {name}" for name in value if name not in fields]
    wrong += [f"{where}: {kind} needs {name}" for name, field in fields.items() if field["required"] and name not in value]
    for name, inner in value.items():
        if name in fields:
            wrong += problems(inner, fields[name]["types"], f"{where}.{name}")
    return wrong


@pytest.mark.parametrize("method", list(METHODS.values()), ids=[one.name for one in METHODS.values()])
def test_every_parameter_read_is_one_of_telegram(method: Method) -> None:
    known = spec()["methods"].get(method.name)
    assert known is not None, f"Telegram has no method {method.name}"
    assert method.reads <= {field["name"] for field in known.get("fields", [])}
    required = {field["name"] for field in known.get("fields", []) if field["required"]}
    assert required <= method.reads, "a required parameter is never read"


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        yield sides


BUTTONS = [
    [{"text": "d", "callback_data": "d"}, {"text": "u", "url": "https://a.example"}, {"text": "c", "copy_text": {"text": "c"}}],
    [{"text": "s", "switch_inline_query": ""}, {"text": "w", "web_app": {"url": "https://a.example"}}],
]
KEYS: Json = {"inline_keyboard": BUTTONS}


class Checked:
    """Calls methods and holds every result against the specification."""

    def __init__(self, sides: Sides) -> None:
        self.sides = sides
        self.called: set[str] = set()

    def right(self, method: str, result: Any) -> Any:
        assert problems(result, spec()["methods"][method]["returns"], method) == []
        self.called.add(method)
        return result

    async def __call__(self, method: str, **parameters: Any) -> Any:
        return self.right(method, await self.sides.ok(method, **parameters))

    async def upload(self, method: str, field: str, content: bytes, name: str) -> Any:
        form = aiohttp.FormData({"chat_id": "1", "caption": "<b>c</b> /x", "parse_mode": "HTML"})
        form.add_field(field, content, filename=name)
        address = f"{self.sides.root}/town/telegram/bot{self.sides.town.telegram.bot_token}/{method}"
        async with self.sides.http.post(address, data=form) as answer:
            return self.right(method, (await answer.json())["result"])


async def test_every_object_returned_is_shaped_as_telegram_says(t: Sides) -> None:
    call = Checked(t)
    allowed = [
        "message", "edited_message", "callback_query", "inline_query", "chosen_inline_result", "my_chat_member", "pre_checkout_query",
    ]  # fmt: skip
    await call("getUpdates", allowed_updates=allowed)
    await t.act(1, "profile", last_name="Otieno")
    await t.act(2, "start")
    await _messages(t, call)
    await _account(t, call)
    await _updates(t, call)
    await _invoices(t, call)
    await call("setWebhook", url="http://127.0.0.1:1/", secret_token="s", ip_address="127.0.0.1", allowed_updates=["message"])
    await t.act(1, "send", text="x")
    await call("getWebhookInfo")
    await call("deleteWebhook")
    assert call.called == {one.name for one in METHODS.values()}


async def _messages(t: Sides, call: Checked) -> None:
    """Everything that sends and changes messages."""
    mine = (await t.act(1, "start", payload="x"))["message_id"]
    text = '<b>b</b> <a href="https://a.example">l</a> <pre><code class="language-py">x</code></pre> @payloom_bot #tag'
    sent = await call("sendMessage", chat_id=1, text=text, parse_mode="HTML", reply_markup=KEYS, reply_parameters={"message_id": mine})
    number = sent["message_id"]
    photo = await call.upload("sendPhoto", "photo", picture(500, 400), "p.jpg")
    file_id = photo["photo"][-1]["file_id"]
    await call.upload("sendDocument", "document", b"data", "d.pdf")
    await call("sendMediaGroup", chat_id=1, media=[{"type": "photo", "media": file_id}] * 2)
    await call("sendContact", chat_id=1, phone_number="1", first_name="A")
    await call("sendLocation", chat_id=1, latitude=1.5, longitude=2.5)
    await call("sendChatAction", chat_id=1, action="typing")
    await call("editMessageText", chat_id=1, message_id=number, text="new", link_preview_options={"is_disabled": True}, reply_markup=KEYS)
    await call("editMessageReplyMarkup", chat_id=1, message_id=number)
    await call("editMessageCaption", chat_id=1, message_id=photo["message_id"], caption="new")
    await call("editMessageMedia", chat_id=1, message_id=photo["message_id"], media={"type": "photo", "media": file_id, "caption": "z"})
    forwarded = await call("forwardMessage", chat_id=2, from_chat_id=1, message_id=number)
    await call("copyMessage", chat_id=2, from_chat_id=1, message_id=number)
    await call("setMessageReaction", chat_id=1, message_id=number, reaction=[{"type": "emoji", "emoji": "👍"}])
    await call("deleteMessage", chat_id=2, message_id=forwarded["message_id"])
    await call("deleteMessages", chat_id=1, message_ids=[mine])


async def _account(t: Sides, call: Checked) -> None:
    """What the bot says about itself and asks about others."""
    await call("setMyCommands", commands=[{"command": "a", "description": "b"}])
    await call("setMyName", name="n")
    await call("setMyDescription", description="n")
    await call("setMyShortDescription", short_description="n")
    await call("setChatMenuButton", menu_button={"type": "web_app", "text": "t", "web_app": {"url": "https://a.example"}})
    for simple in ("getMe", "getMyCommands", "getMyName", "getMyDescription", "getMyShortDescription", "getChatMenuButton"):
        await call(simple)
    await call("deleteMyCommands")
    await call("getFile", file_id=t.town.telegram.files.all()[0].file_id)
    await call("getChat", chat_id=1)
    await call("getUserProfilePhotos", user_id=1)
    group = (await t.act(1, "group", title="G", members=[2]))["chat"]
    await call("getChat", chat_id=group)
    for user in (1, 2, t.town.telegram.bot_id):
        await call("getChatMember", chat_id=group, user_id=user)


async def _invoices(t: Sides, call: Checked) -> None:
    """An invoice in the chat and one behind a link, the question before it is paid, and the payment."""
    asked = {
        "title": "t", "description": "d", "payload": "p", "provider_token": PROVIDER_TOKEN, "currency": "USD",
        "prices": [{"label": "l", "amount": 500}],
    }  # fmt: skip
    number = (await call("sendInvoice", chat_id=1, **asked))["message_id"]
    await call("createInvoiceLink", **asked)
    task = asyncio.ensure_future(t.act(1, "pay", message_id=number))
    async with asyncio.timeout(5):
        while not t.town.telegram.pre_checkouts:
            await t.ok("getMe")
    await call("answerPreCheckoutQuery", pre_checkout_query_id=next(iter(t.town.telegram.pre_checkouts)), ok=True)
    assert (await task)["state"] == "paid"
    kinds = {kind for update in await call("getUpdates") for kind in {*update, *update.get("message", {})}}
    assert {"pre_checkout_query", "successful_payment"} <= kinds


async def _updates(t: Sides, call: Checked) -> None:
    """Every kind of update the town makes, checked by getUpdates itself."""
    number = (await t.ok("sendMessage", chat_id=1, text="tap", reply_markup=KEYS))["message_id"]
    await t.act(1, "tap", message_id=number, button="d", wait_s=0)
    said = (await t.act(1, "send", text="typo /here"))["message_id"]
    await t.act(1, "edit", message_id=said, text="fixed")
    await t.act(1, "photo", sample="x", caption="#x")
    await t.act(1, "contact")
    await t.act(1, "location", lat=1, lon=2)
    await t.act(2, "block")
    bot = t.town.telegram
    task = asyncio.ensure_future(t.act(1, "inline", query="q"))
    async with asyncio.timeout(5):
        while not bot.inline_queries:
            await t.ok("getMe")
    result = {"type": "article", "id": "1", "title": "t", "input_message_content": {"message_text": "m"}, "reply_markup": {
        "inline_keyboard": [[{"text": "d", "callback_data": "d"}]]}}  # fmt: skip
    await call("answerInlineQuery", inline_query_id=next(iter(bot.inline_queries)), results=[result])
    await task
    chosen = (await t.act(1, "inline/choose", query="q", result_id="1", to=2))["message_id"]
    await t.act(2, "tap", message_id=chosen, button="d", wait_s=0)
    await t.act(1, "inline/choose", query="q", result_id="1")
    updates = await call("getUpdates")
    kinds = {kind for update in updates for kind in update} - {"update_id"}
    assert kinds == {"message", "edited_message", "callback_query", "inline_query", "chosen_inline_result", "my_chat_member"}
    tapped = [update["callback_query"] for update in updates if "callback_query" in update]
    assert len(tapped) == 2
    await call("answerCallbackQuery", callback_query_id=tapped[0]["id"], text="ok")
