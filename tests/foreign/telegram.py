"""A Bot API server that is nobody's but this test's: the few methods a bot cannot do without, and a 404 for everything else.

`loose` makes it as careless as such servers have been seen to be.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import defaultdict
from typing import Any

import aiohttp
from aiohttp import web

Json = dict[str, Any]
HEADER = "X-Telegram-Bot-Api-Secret-Token"


class BotApi:
    """Chats with one bot. `says`, `shares` and `presses` are what people do; `chats` is what they see."""

    def __init__(self, token: str, *, loose: bool = False) -> None:
        self.chats: dict[int, list[Json]] = defaultdict(list)
        self.asked: list[str] = []
        self.refused: list[int] = []
        self.polls = 0
        self._token = token
        self._loose = loose
        self._webhook: Json = {}
        self._waiting: list[Json] = []
        self._news = asyncio.Event()
        self._number = 100
        self._methods = {
            "getMe": self._me,
            "getUpdates": self._updates,
            "setWebhook": self._set_webhook,
            "deleteWebhook": self._delete_webhook,
            "sendMessage": self._send,
            "editMessageText": self._edit,
            "answerCallbackQuery": self._done,
        }

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [web.route("*", prefix + "/bot{token}/{method}", self._method)]

    async def _method(self, request: web.Request) -> web.Response:
        """Parameters come in the address, as a form, or as JSON."""
        name = request.match_info["method"]
        self.asked.append(name)
        given: Json = dict(request.query)
        given |= await request.json() if request.content_type == "application/json" else dict(await request.post())
        if request.match_info["token"] != self._token:
            return _error(401, "Unauthorized")
        method = self._methods.get(name)
        if method is None and self._loose:
            return web.json_response({"message": f"API method '{name}' is not supported."}, status=500)
        if method is None:
            return _error(404, "Not Found: method not found")
        try:
            return web.json_response({"ok": True, "result": await method(given)})
        except LookupError as problem:
            return _error(400, f"Bad Request: {problem.args[0]}")

    async def _me(self, given: Json) -> Json:
        me = {"id": int(self._token.partition(":")[0]), "first_name": "Elsewhere", "username": "elsewhere_bot"}
        return me if self._loose else {**me, "is_bot": True}

    async def _updates(self, given: Json) -> list[Json]:
        """What is not confirmed yet; held until there is something, or not."""
        self.polls += 1
        confirmed = int(given.get("offset", 0))
        self._waiting = [update for update in self._waiting if int(update["update_id"]) >= confirmed]
        if not self._waiting and not self._loose:
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), float(given.get("timeout", 0)))
            except TimeoutError:
                return []
        return list(self._waiting)

    async def _set_webhook(self, given: Json) -> bool:
        self._webhook = given
        return True

    async def _delete_webhook(self, given: Json) -> bool:
        self._webhook = {}
        return True

    async def _send(self, given: Json) -> Json:
        chat = self.chats[int(given["chat_id"])]
        message: Json = {"message_id": self._next(), "text": given["text"], "reply_markup": json.loads(given.get("reply_markup", "{}"))}
        chat.append({"from": "bot", **message})
        sent: Json = {**message, "date": int(time.time()), "chat": {"id": int(given["chat_id"]), "type": "private"}}
        if self._loose:
            sent |= {"date": sent["date"] * 1000, "message_id": str(sent["message_id"]), "link_preview_options": "{}"}
        if not message["reply_markup"] or "inline_keyboard" not in message["reply_markup"]:
            del sent["reply_markup"]
        return sent

    async def _edit(self, given: Json) -> Json | None:
        for message in self.chats[int(given["chat_id"])]:
            if message["message_id"] == int(given["message_id"]):
                message |= {"text": given["text"], "reply_markup": json.loads(given.get("reply_markup", "{}"))}
                sent = {
                    "message_id": message["message_id"],
                    "date": int(time.time()),
                    "chat": {"id": int(given["chat_id"]), "type": "private"},
                }
                return None if self._loose else sent
        raise LookupError("message to edit not found")

    async def _done(self, given: Json) -> bool | None:
        return None if self._loose else True

    async def says(self, who: int, text: str) -> None:
        await self._happens({"message": {**self._message(who), "text": text}})

    async def shares(self, who: int, phone: str) -> None:
        """The person's own number, by the keyboard's button."""
        await self._happens(
            {"message": {**self._message(who), "contact": {"phone_number": phone, "first_name": "X", "user_id": self._id(who)}}}
        )

    async def presses(self, who: int, message: Json, data: str) -> None:
        shown: Json = {"chat": self._chat(who), "message_id": message["message_id"], "from": self._person(who)}
        press: Json = {"id": str(self._next()), "from": self._person(who), "data": data, "message": shown}
        if not self._loose:
            press["chat_instance"], shown["date"] = "1", int(time.time())
        await self._happens({"callback_query": press})

    async def _happens(self, what: Json) -> None:
        update = {"update_id": self._id(self._next()), **what}
        if not self._webhook:
            self._waiting.append(update)
            self._news.set()
            return
        headers = {HEADER: self._webhook["secret_token"]}
        async with aiohttp.ClientSession() as session, session.post(self._webhook["url"], json=update, headers=headers) as answer:
            if answer.status != 200:
                self.refused.append(answer.status)

    def _message(self, who: int) -> Json:
        message = {"message_id": self._next(), "date": int(time.time()), "from": self._person(who), "chat": self._chat(who)}
        self.chats[who].append({"from": "person", "message_id": message["message_id"], "text": "", "reply_markup": {}})
        return message

    def _person(self, who: int) -> Json:
        person = {"id": self._id(who), "first_name": f"Person {who}"}
        return person if self._loose else {**person, "is_bot": False, "language_code": "en"}

    def _chat(self, who: int) -> Json:
        chat: Json = {"id": self._id(who)}
        return chat if self._loose else {**chat, "type": "private"}

    def _id(self, number: int) -> int | str:
        return str(number) if self._loose else number

    def _next(self) -> int:
        self._number += 1
        return self._number


def _error(code: int, description: str) -> web.Response:
    return web.json_response({"ok": False, "error_code": code, "description": description}, status=code)
