"""People, their chats and the messages in them: the memory of the imitated Telegram. It does not know HTTP.

Message numbers run per bot in private chats and per chat in groups, as in Telegram. A chat keeps its last 500 messages.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from town.core import Core
from town.telegram import shapes
from town.telegram.errors import Impossible, bad, forbidden

Json = dict[str, Any]

MESSAGES_KEPT = 500
LARGEST_ID = 2**52
"""Ids have at most 52 significant bits (core.telegram.org/bots/api#user)."""


@dataclass(slots=True)
class Person:
    """Somebody with a Telegram account. `known` means the bot has heard of them without a chat of their own."""

    id: int
    first_name: str
    last_name: str = ""
    username: str = ""
    language_code: str = "en"
    phone: str = ""
    known: bool = False
    started: bool = False
    blocked: bool = False


@dataclass(slots=True, eq=False)
class Message:
    """A message as the Bot API shows it (`body`), and what only the town knows about it. `slug` names the invoice in it."""

    id: int
    chat: Chat
    body: Json
    author: int
    sent_at: datetime
    inline_id: str = ""
    keyboard: Json | None = None
    reactions: list[Json] = field(default_factory=list)
    slug: str = ""


@dataclass(slots=True, eq=False)
class Chat:
    """A private chat with the bot (`id` is the person's), a group, or two people talking without the bot (`pair`)."""

    id: int
    type: str
    title: str = ""
    members: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    reply_keyboard: Json | None = None
    last_number: int = 0
    owner: int = 0

    def newest_first(self) -> Iterator[Message]:
        return reversed(self.messages.values())


class People:
    """Everybody and everything they said."""

    def __init__(self, core: Core, bot: Json) -> None:
        self.core = core
        self.bot = bot
        self.persons: dict[int, Person] = {}
        self.chats: dict[int, Chat] = {}
        self.pairs: dict[tuple[int, int], Chat] = {}
        self.inline_messages: dict[str, Message] = {}
        self.last_number = core.chance.randint(1_000, 1_000_000)

    def person(self, person_id: int) -> Person:
        """That person; anybody not seen before comes into being with a plain name."""
        found = self.persons.get(person_id)
        if found is None:
            if not 0 < person_id < LARGEST_ID:
                raise Impossible("A Telegram user id is a positive number of at most 52 bits.")
            phone = f"2547{person_id % 10**8:08d}"
            found = self.persons[person_id] = Person(person_id, f"User {person_id}", username=f"user{person_id}", phone=phone)
        return found

    def private(self, person: Person) -> Chat:
        """The chat of a person with the bot."""
        found = self.chats.get(person.id)
        if found is None:
            found = self.chats[person.id] = Chat(person.id, "private", members={person.id})
        return found

    def pair(self, one: int, other: int) -> Chat:
        """The chat of two people with each other; the bot never sees it."""
        key = (min(one, other), max(one, other))
        return self.pairs.setdefault(key, Chat(0, "pair", members={one, other}))

    def make_group(self, title: str, owner: int, members: set[int], chat_id: int | None = None) -> Chat:
        number = chat_id if chat_id is not None else -1_000_000_000_000 - self.core.chance.randint(10**9, 2 * 10**9)
        if number >= 0 or number in self.chats:
            raise Impossible("A group id is a negative number that is not taken yet.")
        group = self.chats[number] = Chat(number, "supergroup", title, {owner, *members}, owner=owner)
        return group

    def chat_shape(self, chat: Chat) -> Json:
        return shapes.private_chat(self.persons[chat.id]) if chat.type == "private" else shapes.group_chat(chat)

    def reachable(self, chat_id: int | str | None) -> Chat:
        """The chat the bot names, if it may write there; Telegram's refusal otherwise."""
        if chat_id is None or chat_id == "":
            raise bad("chat_id is empty")
        try:
            number = int(chat_id)
        except (TypeError, ValueError):
            raise bad("chat not found") from None
        chat = self.chats.get(number)
        if number < 0:
            if chat is None:
                raise bad("chat not found")
            return chat
        person = self.persons.get(number)
        if person is not None and person.blocked:
            raise forbidden("bot was blocked by the user")
        if person is None or not person.started:
            if person is not None and person.known:
                raise forbidden("bot can't initiate conversation with a user")
            raise bad("chat not found")
        return self.private(person)

    def add(self, chat: Chat, author: int, content: Json, inline_id: str = "") -> Message:
        """Put a message into a chat. `author` is 0 for the bot. The oldest goes when the chat is full."""
        now = self.core.clock.now()
        if chat.type == "supergroup":
            chat.last_number += 1
            number = chat.last_number
        else:
            self.last_number = number = self.last_number + 1
        body: Json = {"message_id": number, "from": self.bot if author == 0 else shapes.user(self.person(author))}
        if chat.type != "pair":
            body["chat"] = self.chat_shape(chat)
        body["date"] = int(now.timestamp())
        body.update(content)
        message = Message(number, chat, body, author, now, inline_id)
        chat.messages[number] = message
        if inline_id:
            self.inline_messages[inline_id] = message
        while len(chat.messages) > MESSAGES_KEPT:
            self.forget(chat.messages[next(iter(chat.messages))])
        self.tell("telegram.message", message)
        return message

    def forget(self, message: Message) -> None:
        message.chat.messages.pop(message.id, None)
        self.inline_messages.pop(message.inline_id, None)

    def tell(self, kind: str, message: Message, **more: Any) -> None:
        """Note in the journal what happened to a message; `users` are those who see it."""
        body = message.body
        self.core.journal.add(
            kind,
            chat=message.chat.id,
            users=sorted(message.chat.members),
            message_id=message.id,
            **{"from": "bot" if message.author == 0 else message.author},
            text=body.get("text") or body.get("caption") or "",
            **more,
        )

    def chats_of(self, person_id: int) -> list[Chat]:
        """Every chat a person has, the one with the bot first."""
        mine = [chat for chat in self.chats.values() if person_id in chat.members]
        mine.sort(key=lambda chat: chat.type != "private")
        return mine + [chat for key, chat in self.pairs.items() if person_id in key]

    def seen_by(self, person_id: int, message_id: int, chat_id: int | None = None) -> Message:
        """The message of that number in one of a person's chats (in the named one, if named)."""
        for chat in self.chats_of(person_id):
            if (chat_id is None or chat.id == chat_id) and message_id in chat.messages:
                return chat.messages[message_id]
        raise Impossible(f"User {person_id} has no message {message_id}.", 404)
