"""`Telegram`: the imitated service for one bot. Holds people, files and updates, and what the bot set about itself.

The Bot API methods live in sending.py, editing.py, account.py and answering.py; each is a function over this object.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import secrets
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from town.core import Core
from town.telegram import shapes
from town.telegram.errors import too_many
from town.telegram.files import Files
from town.telegram.people import Chat, Message, People, Person
from town.telegram.updates import Updates

if TYPE_CHECKING:
    from town.telegram.invoices import Invoice

Json = dict[str, Any]

OPEN_QUERIES_KEPT = 10_000
PROVIDER_TOKEN = "284685063:TEST:TOWN-not-a-secret"
"""Of the one payment provider that the bot's owner joined to it."""


@dataclass(slots=True)
class Answer:
    """A callback or inline query on its way: `done` is set with what the bot answered."""

    asked_at: float
    person_id: int
    done: asyncio.Future[Json]
    query: str = ""
    offset: str = ""


@dataclass(slots=True)
class Profile:
    """What the bot told about itself, by language code ("" for all)."""

    names: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    short_descriptions: dict[str, str] = field(default_factory=dict)
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    menu_buttons: dict[int, Json] = field(default_factory=dict)


class Limits:
    """Telegram's flood limits (core.telegram.org/bots/faq#broadcasting-to-users): off unless `on`."""

    def __init__(self) -> None:
        self.on = False
        self.overall_per_s = 30.0
        self.chat_per_s = 1.0
        self.chat_burst = 3.0
        self._buckets: dict[int, tuple[float, float]] = {}

    def check(self, chat_id: int) -> None:
        """Count one message; refuse with 429 when the chat or the whole bot is too fast."""
        if self.on:
            self._take(0, self.overall_per_s, self.overall_per_s)
            self._take(chat_id, self.chat_per_s, self.chat_burst)

    def _take(self, key: int, per_s: float, burst: float) -> None:
        now = time.monotonic()
        left, at = self._buckets.get(key, (burst, now))
        left = min(burst, left + (now - at) * per_s)
        if left < 1:
            raise too_many(max(1, round((1 - left) / per_s)))
        self._buckets[key] = (left - 1, now)


class Telegram:
    """One bot's Telegram."""

    def __init__(self, core: Core, bot_token: str, bot_username: str, bot_name: str = "PayLoom", base_path: str = "/town") -> None:
        self.core = core
        self.bot_token = bot_token
        self.bot_id = int(bot_token.split(":", 1)[0])
        self.bot_username = bot_username
        self.base_path = base_path
        self.bot = shapes.bot_user(self.bot_id, bot_name, bot_username)
        self.people = People(core, self.bot)
        self.files = Files()
        self.updates = Updates(core, first_id=core.chance.randint(100_000_000, 900_000_000))
        self.limits = Limits()
        self.profile = Profile()
        self.callbacks: dict[str, Answer] = {}
        self.inline_queries: dict[str, Answer] = {}
        self.inline_cache: dict[tuple[str, str, int], tuple[float, Json]] = {}
        self.invoices: dict[str, Invoice] = {}
        self.pre_checkouts: dict[str, Answer] = {}
        self.payments: list[Json] = []
        self.provider_tokens = {PROVIDER_TOKEN}
        self.pre_checkout_life_s = 10.0
        self.inline_feedback = True
        self.callback_life_s = 900.0
        self.inline_life_s = 30.0
        self.group_privacy = True
        self.requests = 0
        self._albums = itertools.count(13_000_000_000_000_000)

    def album_id(self) -> str:
        return str(next(self._albums))

    def number_id(self) -> str:
        """A query id: many digits, as Telegram makes them."""
        return str(self.core.chance.getrandbits(62) | 1 << 62)

    def chat_instance(self, chat: Chat) -> str:
        """The same for a chat always, nothing else to be read from it."""
        key = f"{self.bot_id}:{chat.id}:{sorted(chat.members) if chat.type == 'pair' else ''}"
        return str(int.from_bytes(hashlib.sha256(key.encode()).digest()[:8], "big", signed=True))

    def token_matches(self, token: str) -> bool:
        return secrets.compare_digest(token.encode(), self.bot_token.encode())

    def remember(self, kept: dict[str, Answer], key: str, answer: Answer) -> None:
        kept[key] = answer
        while len(kept) > OPEN_QUERIES_KEPT:
            del kept[next(iter(kept))]

    def post(self, chat: Chat, content: Json, keyboard: Json | None = None) -> Message:
        """The bot writes into a chat."""
        message = self.people.add(chat, 0, content)
        if keyboard is not None:
            chat.reply_keyboard = keyboard if "keyboard" in keyboard else None
            message.keyboard = keyboard
        return message

    def hear(self, person: Person, chat: Chat, content: Json) -> Message:
        """A person writes into a chat; the bot is told unless the privacy of a group hides it."""
        message = self.people.add(chat, person.id, content)
        if chat.type != "pair" and (chat.type == "private" or not self.group_privacy or self._meant_for_bot(message.body)):
            self.updates.put("message", message.body, chat.id)
        return message

    def _meant_for_bot(self, body: Json) -> bool:
        """In groups a bot sees commands, mentions of itself and replies to itself (core.telegram.org/bots/features#privacy-mode)."""
        text = body.get("text") or body.get("caption") or ""
        answered = body.get("reply_to_message", {}).get("from", {}).get("id")
        return text.startswith("/") or f"@{self.bot_username}" in text or answered == self.bot_id

    def menu_commands(self, person: Person) -> list[Json]:
        """What the menu of the private chat shows: the narrowest scope that has commands, the language before the general."""
        for scope in (f"chat:{person.id}", "all_private_chats", "default"):
            for language in (person.language_code.split("-")[0], ""):
                found = self.profile.commands.get((scope, language))
                if found:
                    return found
        return []

    async def close(self) -> None:
        """Let go of everybody who waits."""
        for answer in (*self.callbacks.values(), *self.inline_queries.values(), *self.pre_checkouts.values()):
            answer.done.cancel()
        await self.updates.close()
