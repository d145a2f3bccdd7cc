"""Keeping the imitated Telegram in files, so that a town that starts again is the town that was left.

One JSON file for people, chats and settings; beside it a folder with the contents of files, each written once.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from town.telegram.files import StoredFile
from town.telegram.invoices import Invoice
from town.telegram.people import Chat, Message, Person
from town.telegram.service import Telegram
from town.telegram.shapes import encode
from town.telegram.updates import Webhook

Json = dict[str, Any]

VERSION = 1
FILE_FIELDS = ("file_id", "unique_id", "path", "name", "mime", "width", "height")


def _chat(chat: Chat) -> Json:
    names = ("id", "type", "title", "reply_keyboard", "last_number", "owner")
    messages = [
        [one.id, one.body, one.author, one.sent_at.isoformat(), one.inline_id, one.keyboard, one.reactions, one.slug]
        for one in chat.messages.values()
    ]
    return {**{name: getattr(chat, name) for name in names}, "members": sorted(chat.members), "messages": messages}


def dump(bot: Telegram) -> Json:
    """Everything but the contents of files."""
    people, profile, hook = bot.people, bot.profile, bot.updates.webhook
    return {
        "version": VERSION,
        "ahead_s": (bot.core.clock.now() - datetime.now(UTC)).total_seconds(),
        "persons": [asdict(person) for person in people.persons.values()],
        "chats": [_chat(chat) for chat in (*people.chats.values(), *people.pairs.values())],
        "last_number": people.last_number,
        "files": [{name: getattr(stored, name) for name in FILE_FIELDS} for stored in bot.files.all()],
        "last_file": bot.files.last_number,
        "names": profile.names,
        "descriptions": profile.descriptions,
        "short_descriptions": profile.short_descriptions,
        "commands": [[*key, commands] for key, commands in profile.commands.items()],
        "menu_buttons": [[chat_id, button] for chat_id, button in profile.menu_buttons.items()],
        "invoices": [asdict(invoice) for invoice in bot.invoices.values()],
        "payments": bot.payments,
        "updates": bot.updates.waiting(),
        "next_update": bot.updates.next_id,
        "allowed": None if bot.updates.allowed is None else sorted(bot.updates.allowed),
        "webhook": None if hook is None else asdict(hook),
    }


def save(bot: Telegram, keep: Path) -> None:
    """Write `keep` whole or not at all."""
    folder = keep.with_suffix(".files")
    folder.mkdir(parents=True, exist_ok=True)
    kept = {stored.unique_id: stored.content for stored in bot.files.all()}
    there = {path.name for path in folder.iterdir()}
    for name in kept.keys() - there:
        (folder / name).write_bytes(kept[name])
    beside = keep.with_suffix(".new")
    beside.write_text(encode(dump(bot)), encoding="utf-8")
    beside.replace(keep)
    for name in there - kept.keys():
        (folder / name).unlink()


def load(bot: Telegram, keep: Path) -> bool:
    """Take up what `keep` holds; False when there is nothing (of this version) to take up."""
    if not keep.is_file():
        return False
    kept: Json = json.loads(keep.read_text(encoding="utf-8"))
    if kept.get("version") != VERSION:
        return False
    ahead_s = kept["ahead_s"] - (bot.core.clock.now() - datetime.now(UTC)).total_seconds()
    bot.core.clock.advance(max(0.0, ahead_s))
    _load_people(bot, kept)
    _load_files(bot, kept, keep.with_suffix(".files"))
    profile, updates = bot.profile, bot.updates
    profile.names, profile.descriptions = kept["names"], kept["descriptions"]
    profile.short_descriptions = kept["short_descriptions"]
    profile.commands = {(scope, language): commands for scope, language, commands in kept["commands"]}
    profile.menu_buttons = {int(chat_id): button for chat_id, button in kept["menu_buttons"]}
    bot.invoices = {one["slug"]: Invoice(**one) for one in kept.get("invoices", [])}
    bot.payments = kept.get("payments", [])
    updates.next_id = kept["next_update"]
    updates.allowed = None if kept["allowed"] is None else frozenset(kept["allowed"])
    updates.put_back(kept["updates"])
    if kept["webhook"] is not None:
        updates.set_webhook(Webhook(**kept["webhook"]), drop=False)
    return True


def _load_people(bot: Telegram, kept: Json) -> None:
    people = bot.people
    people.persons = {one["id"]: Person(**one) for one in kept["persons"]}
    people.last_number = kept["last_number"]
    people.chats, people.pairs, people.inline_messages = {}, {}, {}
    for one in kept["chats"]:
        messages, members = one.pop("messages"), set(one.pop("members"))
        chat = Chat(**one, members=members)
        if chat.type == "pair":
            people.pairs[min(members), max(members)] = chat
        else:
            people.chats[chat.id] = chat
        for number, body, author, sent_at, inline_id, keyboard, reactions, *slug in messages:
            message = Message(number, chat, body, author, datetime.fromisoformat(sent_at), inline_id, keyboard, reactions, *slug)
            chat.messages[number] = message
            if inline_id:
                people.inline_messages[inline_id] = message


def _load_files(bot: Telegram, kept: Json, folder: Path) -> None:
    bot.files.last_number = kept["last_file"]
    for one in kept["files"]:
        content = folder / one["unique_id"]
        if content.is_file():
            bot.files.put_back(StoredFile(**one, content=content.read_bytes()))
