"""Pressing buttons: inline keyboards of messages, the reply keyboard, and links that lead back to the bot."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import parse_qs, urlsplit

from town.telegram import shapes
from town.telegram.acting import Acting
from town.telegram.errors import Impossible
from town.telegram.keyboards import valid_url
from town.telegram.miniapp import init_data, login_address, web_app_address
from town.telegram.people import Message
from town.telegram.service import Answer
from town.telegram.till import slug_of
from town.telegram.views import button_view

Json = dict[str, Any]

ANSWER_WAIT_S = 2.0
"""How long a tap waits for answerCallbackQuery before it returns without one."""


class Tapping:
    """Presses by people."""

    def __init__(self, acting: Acting) -> None:
        self.acting = acting
        self.telegram = acting.telegram

    async def tap(self, user: int, message_id: int | None, label: str, wait_s: float = ANSWER_WAIT_S, chat_id: int | None = None) -> Json:
        """Press the button with that label or callback data. Without a message: the newest message that has it, or the reply keyboard."""
        message, button = self._find(user, message_id, label, chat_id)
        if message is None:
            return self._press_reply_key(user, button)
        return await self._press(user, message, button, wait_s)

    async def tap_data(self, user: int, message_id: int, data: str, wait_s: float = ANSWER_WAIT_S, chat_id: int | None = None) -> Json:
        """Send callback data whether or not the message (still) has such a button, as a modified or late client can."""
        if not 1 <= len(data.encode()) <= 64:
            raise Impossible("Callback data has 1 to 64 bytes.")
        return await self._callback(user, self.telegram.people.seen_by(user, message_id, chat_id), data, wait_s)

    def _find(self, user: int, message_id: int | None, label: str, chat_id: int | None) -> tuple[Message | None, Json]:
        if message_id is not None:
            message = self.telegram.people.seen_by(user, message_id, chat_id)
            button = _button(message, label)
            if button is None:
                raise Impossible(_no_button(message, label), 404)
            return message, button
        for chat in self.telegram.people.chats_of(user):
            for message in chat.newest_first():
                button = _button(message, label)
                if button is not None:
                    return message, button
            for row in (chat.reply_keyboard or {}).get("keyboard", []):
                for plain in row:
                    key = {"text": plain} if isinstance(plain, str) else plain
                    if key["text"] == label:
                        return None, key
        raise Impossible(f"User {user} sees no button {label!r}.", 404)

    def _press_reply_key(self, user: int, key: Json) -> Json:
        if key.get("request_contact"):
            sent = self.acting.contact(user)
        elif key.get("request_location"):
            sent = self.acting.location(user, -1.2864, 36.8172)
        elif key.get("web_app"):
            return _outcome(url=self._web_app(user, key["web_app"]["url"], query=False))
        else:
            sent = self.acting.send(user, key["text"])
        chat = sent.chat
        if (chat.reply_keyboard or {}).get("one_time_keyboard"):
            chat.reply_keyboard = None
        return _outcome(sent=sent.id)

    async def _press(self, user: int, message: Message, button: Json, wait_s: float) -> Json:
        shown = button_view(button)
        if shown["data"] is not None:
            return await self._callback(user, message, shown["data"], wait_s)
        if shown["copy"] is not None:
            return _outcome(copy=shown["copy"])
        if shown["switch_inline"] is not None:
            return _outcome(inline_query=shown["switch_inline"], current_chat=shown["current_chat"])
        if shown["web_app"] is not None:
            return _outcome(url=self._web_app(user, shown["web_app"], query=True))
        if "login_url" in button:
            return _outcome(url=login_address(shown["url"], self._person(user), self.telegram.bot_token, self.telegram.core.clock.now()))
        if shown["url"] is not None:
            return self.follow(user, shown["url"])
        if "pay" in button:
            return _outcome(invoice=message.slug)
        raise Impossible("This button needs a game, which the town does not play.", 501)

    def _person(self, user: int) -> Any:
        return self.telegram.people.person(user)

    def _web_app(self, user: int, url: str, query: bool) -> str:
        query_id = f"AAF{self.telegram.number_id()}" if query else ""
        data = init_data(self._person(user), self.telegram.bot_token, self.telegram.core.clock.now(), query_id=query_id)
        return web_app_address(url, data)

    def follow(self, user: int, url: str) -> Json:
        """Open a link. One to the bot with `start` acts as START with that payload, one to an invoice opens its sheet; any other is given back."""
        if not valid_url(url):
            raise Impossible("This is no address Telegram would open.")
        slug = slug_of(url)
        if slug is not None:
            return _outcome(invoice=slug)
        payload = self._start_payload(url)
        if payload is None:
            return _outcome(url=url)
        return _outcome(started=payload, sent=self.acting.start(user, payload).id)

    def _start_payload(self, url: str) -> str | None:
        parts = urlsplit(url)
        fields = parse_qs(parts.query)
        if parts.scheme == "tg" and parts.netloc == "resolve":
            name = fields.get("domain", [""])[0]
        elif (parts.hostname or "").lower() in {"t.me", "telegram.me", "telegram.dog"}:
            name = parts.path.strip("/")
        else:
            return None
        if name.lower() != self.telegram.bot_username.lower() or fields.keys() & {"startapp", "startgroup"}:
            return None
        return fields.get("start", [""])[0]

    async def _callback(self, user: int, message: Message, data: str, wait_s: float) -> Json:
        """callback_query to the bot, then its answer if it comes in time."""
        bot = self.telegram
        person = self._person(user)
        if person.blocked and message.chat.type == "private":
            raise Impossible(f"User {user} has blocked the bot; unblock it first.", 409)
        person.known = True
        query_id = bot.number_id()
        asked = Answer(bot.core.clock.now().timestamp(), user, asyncio.get_running_loop().create_future())
        bot.remember(bot.callbacks, query_id, asked)
        shape: Json = {"id": query_id, "from": shapes.user(person), "chat_instance": bot.chat_instance(message.chat), "data": data}
        if message.inline_id:
            shape["inline_message_id"] = message.inline_id
        else:
            shape["message"] = message.body
        bot.core.journal.add("telegram.tap", chat=message.chat.id, users=[user], message_id=message.id, data=data)
        bot.updates.put("callback_query", shape, message.chat.id or user)
        done, _ = await asyncio.wait({asked.done}, timeout=wait_s)
        if not done or asked.done.cancelled():
            return _outcome(answered=False)
        answer = asked.done.result()
        if answer["url"]:
            return {**self.follow(user, answer["url"]), "answered": True}
        return _outcome(toast=answer["text"] or None, alert=answer["alert"])


def _button(message: Message, label: str) -> Json | None:
    """The button of a message with that label, else with that callback data."""
    keys = [key for row in (message.body.get("reply_markup") or {}).get("inline_keyboard", []) for key in row]
    by_label = next((key for key in keys if key["text"] == label), None)
    found: Json | None = by_label or next((key for key in keys if key.get("callback_data") == label), None)
    return found


def _no_button(message: Message, label: str) -> str:
    keys = [key["text"] for row in (message.body.get("reply_markup") or {}).get("inline_keyboard", []) for key in row]
    return f"Message {message.id} has no button {label!r}; it has {', '.join(map(repr, keys)) if keys else 'none'}."


def _outcome(**what: Any) -> Json:
    """What the person sees after a press; everything that did not happen is null."""
    seen: Json = {"answered": True, "toast": None, "alert": False, "url": None, "copy": None, "inline_query": None}
    return {**seen, "current_chat": False, "started": None, "sent": None, "invoice": None, **what}
