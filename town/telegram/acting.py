"""What people do on Telegram: write, tap, send pictures, share cards. Each act raises Impossible when a person could not do it."""

from __future__ import annotations

import asyncio
import re
from typing import Any

from town.telegram import shapes
from town.telegram.answering import result_content
from town.telegram.errors import Impossible, Refused
from town.telegram.files import StoredFile
from town.telegram.formatting import find_entities
from town.telegram.people import Chat, Message, Person
from town.telegram.sending import photo_content
from town.telegram.service import Answer, Telegram
from town.telegram.views import message_view, result_view

Json = dict[str, Any]

START_PAYLOAD = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
INLINE_WAIT_S = 10.0
TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024


class Acting:
    """Acts of people, by their ids."""

    def __init__(self, telegram: Telegram) -> None:
        self.telegram = telegram

    # -- writing

    def _opened(self, user: int, chat_id: int | None = None, restart: bool = False) -> tuple[Person, Chat]:
        """The person and the chat they write in: with the bot, unless a group is named."""
        person = self.telegram.people.person(user)
        if chat_id is not None and chat_id != user:
            chat = self.telegram.people.chats.get(chat_id)
            if chat is None or user not in chat.members:
                raise Impossible(f"User {user} is in no chat {chat_id}.", 404)
            person.known = True
            return person, chat
        if person.blocked:
            if not restart:
                raise Impossible(f"User {user} has blocked the bot; unblock it first.", 409)
            self.unblock(user)
        person.known = person.started = True
        return person, self.telegram.people.private(person)

    def send(self, user: int, text: str, chat_id: int | None = None, reply_to: int | None = None) -> Message:
        """Type a text."""
        words = text.strip()
        if not words or len(words) > TEXT_LIMIT:
            raise Impossible(f"A text has 1 to {TEXT_LIMIT} characters.")
        person, chat = self._opened(user, chat_id, restart=words.split()[0] == "/start")
        content: Json = {"text": words}
        entities = find_entities(words, [])
        if entities:
            content["entities"] = entities
        if reply_to is not None:
            quoted = chat.messages.get(reply_to)
            if quoted is None:
                raise Impossible(f"There is no message {reply_to} to reply to.", 404)
            content["reply_to_message"] = {name: value for name, value in quoted.body.items() if name != "reply_to_message"}
        return self.telegram.hear(person, chat, content)

    def start(self, user: int, payload: str = "") -> Message:
        """Press START, perhaps after a deep link with a payload; unblocks a blocked bot."""
        if payload and not START_PAYLOAD.match(payload):
            raise Impossible("A start payload has 1 to 64 characters of A-Z a-z 0-9 _ -.")
        return self.send(user, f"/start {payload}".strip())

    def edit(self, user: int, message_id: int, text: str) -> Message:
        """Correct an own text."""
        message = self.telegram.people.seen_by(user, message_id)
        if message.author != user or "text" not in message.body:
            raise Impossible(f"Message {message_id} is not a text of user {user}.")
        words = text.strip()
        if not words or len(words) > TEXT_LIMIT:
            raise Impossible(f"A text has 1 to {TEXT_LIMIT} characters.")
        kept = {name: value for name, value in message.body.items() if name != "entities"}
        entities = find_entities(words, [])
        changed: Json = {**kept, "text": words, **({"entities": entities} if entities else {})}
        message.body = {**changed, "edit_date": int(self.telegram.core.clock.now().timestamp())}
        self.telegram.people.tell("telegram.edited", message)
        if message.chat.type != "pair":
            self.telegram.updates.put("edited_message", message.body, message.chat.id)
        return message

    def photo(self, user: int, content: bytes, caption: str = "", chat_id: int | None = None, album: str = "") -> Message:
        """Send a picture; pictures with the same `album` word belong together."""
        stored = self._kept(lambda: self.telegram.files.photo(content))
        return self._media(user, photo_content(stored), caption, chat_id, album)

    def document(self, user: int, name: str, mime: str, content: bytes, caption: str = "", chat_id: int | None = None) -> Message:
        """Send a file."""
        stored = self._kept(lambda: self.telegram.files.document(name, mime, content))
        return self._media(user, {"document": stored.document_shape()}, caption, chat_id, "")

    @staticmethod
    def _kept(keep: Any) -> StoredFile:
        try:
            stored: StoredFile = keep()
        except Refused as refused:
            raise Impossible(f"Telegram would not take this file: {refused.description.removeprefix('Bad Request: ')}.") from None
        return stored

    def _media(self, user: int, content: Json, caption: str, chat_id: int | None, album: str) -> Message:
        person, chat = self._opened(user, chat_id)
        words = caption.strip()
        if len(words) > CAPTION_LIMIT:
            raise Impossible(f"A caption has at most {CAPTION_LIMIT} characters.")
        if words:
            entities = find_entities(words, [])
            content = {**content, "caption": words, **({"caption_entities": entities} if entities else {})}
        if album:
            content = {**content, "media_group_id": album}
        return self.telegram.hear(person, chat, content)

    def contact(self, user: int, phone: str = "", other: Json | None = None) -> Message:
        """Share the own number, or somebody else's card (`other`: phone_number, first_name, user_id)."""
        person, chat = self._opened(user)
        if other is None:
            if phone:
                person.phone = phone
            card: Json = {"phone_number": person.phone, "first_name": person.first_name}
            if person.last_name:
                card["last_name"] = person.last_name
            card["user_id"] = person.id
        else:
            card = {name: other[name] for name in ("phone_number", "first_name", "last_name", "user_id") if other.get(name)}
            if not {"phone_number", "first_name"} <= card.keys():
                raise Impossible("Somebody else's contact needs phone_number and first_name.")
        content = {"contact": card, **self._answering_keyboard(chat, "request_contact")}
        return self.telegram.hear(person, chat, content)

    def location(self, user: int, latitude: float, longitude: float) -> Message:
        if not (abs(latitude) <= 90 and abs(longitude) <= 180):
            raise Impossible("lat is -90 to 90 and lon is -180 to 180.")
        person, chat = self._opened(user)
        return self.telegram.hear(person, chat, {"location": {"latitude": latitude, "longitude": longitude}})

    def _answering_keyboard(self, chat: Chat, request: str) -> Json:
        """`reply_to_message`: a contact shared through a keyboard button answers the message that brought the keyboard."""
        for message in chat.newest_first():
            rows = (message.keyboard or {}).get("keyboard", [])
            if any(isinstance(button, dict) and button.get(request) for row in rows for button in row):
                return {"reply_to_message": message.body}
        return {}

    # -- leaving and coming back

    def _member_update(self, person: Person, old: str, new: str) -> None:
        bot = self.telegram
        shape: Json = {
            "chat": shapes.private_chat(person),
            "from": shapes.user(person),
            "date": int(bot.core.clock.now().timestamp()),
            "old_chat_member": shapes.member(old, bot.bot),
            "new_chat_member": shapes.member(new, bot.bot),
        }
        bot.core.journal.add("telegram.blocked" if new == "kicked" else "telegram.unblocked", chat=person.id, users=[person.id])
        bot.updates.put("my_chat_member", shape, person.id)

    def block(self, user: int) -> None:
        person = self.telegram.people.person(user)
        if not person.blocked:
            person.blocked = person.known = True
            self._member_update(person, "member", "kicked")

    def unblock(self, user: int) -> None:
        person = self.telegram.people.person(user)
        if person.blocked:
            person.blocked = False
            self._member_update(person, "kicked", "member")

    def make_group(self, user: int, title: str, others: list[int], chat_id: int | None = None) -> Chat:
        """Make a group with the bot in it."""
        bot = self.telegram
        person = bot.people.person(user)
        for one in (user, *others):
            bot.people.person(one).known = True
        group = bot.people.make_group(title, user, set(others), chat_id)
        shape: Json = {
            "chat": bot.people.chat_shape(group),
            "from": shapes.user(person),
            "date": int(bot.core.clock.now().timestamp()),
            "old_chat_member": shapes.member("left", bot.bot),
            "new_chat_member": shapes.member("member", bot.bot),
        }
        bot.updates.put("my_chat_member", shape, group.id)
        joined = bot.people.add(group, user, {"new_chat_members": [bot.bot]})
        bot.updates.put("message", joined.body, group.id)
        return group

    # -- inline mode

    async def inline(self, user: int, query: str, offset: str = "", place: str = "sender") -> Json:
        """Type `@bot query` somewhere: {"results", "next_offset", "button"}; answers are cached as the bot asked."""
        answer = await self._results(user, query, offset, place)
        shown = [result_view(self.telegram, one, result_content(self.telegram, one)) for one in answer["results"]]
        return {"results": shown, "next_offset": answer["next_offset"], "button": answer["button"]}

    async def _results(self, user: int, query: str, offset: str = "", place: str = "sender") -> Json:
        bot = self.telegram
        if len(query) > 256:
            raise Impossible("An inline query has at most 256 characters.")
        person = bot.people.person(user)
        person.known = True
        now = bot.core.clock.now().timestamp()
        for key in ((query, offset, user), (query, offset, 0)):
            until, cached = bot.inline_cache.get(key, (0.0, {}))
            if until > now:
                return cached
        query_id = bot.number_id()
        asked = Answer(now, user, asyncio.get_running_loop().create_future(), query, offset)
        bot.remember(bot.inline_queries, query_id, asked)
        shape = {"id": query_id, "from": shapes.user(person), "query": query, "offset": offset, "chat_type": place}
        bot.updates.put("inline_query", shape, user)
        try:
            return await asyncio.wait_for(asked.done, INLINE_WAIT_S)
        except (TimeoutError, asyncio.CancelledError) as stopped:
            if isinstance(stopped, asyncio.CancelledError) and not asked.done.cancelled():
                raise
            raise Impossible("The bot did not answer the inline query in time.", 504) from None

    async def choose(self, user: int, query: str, result_id: str, to: int) -> Json:
        """Pick an inline result: the card goes into the chat with person `to`, or into the chat with the bot or a group."""
        bot = self.telegram
        answer = await self._results(user, query)
        result = next((one for one in answer["results"] if str(one["id"]) == result_id), None)
        if result is None:
            raise Impossible(f"The bot offered no result {result_id} for this query.", 404)
        chat = self._chat_towards(user, to)
        content = {**result_content(bot, result), "via_bot": bot.bot}
        inline_id = f"BAAA{bot.number_id()}" if "reply_markup" in content or chat.type == "pair" else ""
        message = bot.people.add(chat, user, content, inline_id)
        person = bot.people.person(user)
        if bot.inline_feedback:
            shape: Json = {"result_id": result_id, "from": shapes.user(person), "query": query}
            if inline_id and "reply_markup" in content:
                shape["inline_message_id"] = inline_id
            bot.updates.put("chosen_inline_result", shape, user)
        if chat.type == "private":
            bot.updates.put("message", message.body, chat.id)
        return message_view(bot, message, user)

    def _chat_towards(self, user: int, to: int) -> Chat:
        if to < 0 or to in {user, self.telegram.bot_id}:
            return self._opened(user, to if to < 0 else None)[1]
        self.telegram.people.person(to)
        return self.telegram.people.pair(user, to)
