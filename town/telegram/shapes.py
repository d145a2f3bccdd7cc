"""The objects of the Bot API as Telegram sends them, built from the town's people and chats.

Only fields the specification knows; dates in whole seconds since 1970.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from town.telegram.people import Chat, Person

Json = dict[str, Any]

encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def user(person: Person) -> Json:
    """`User`."""
    shape: Json = {"id": person.id, "is_bot": False, "first_name": person.first_name}
    if person.last_name:
        shape["last_name"] = person.last_name
    if person.username:
        shape["username"] = person.username
    if person.language_code:
        shape["language_code"] = person.language_code
    return shape


def bot_user(bot_id: int, name: str, username: str) -> Json:
    """`User` of the bot, as inside messages."""
    return {"id": bot_id, "is_bot": True, "first_name": name, "username": username}


def me(bot: Json) -> Json:
    """`User` of the bot, as getMe tells it."""
    return {
        **bot,
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": True,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


def private_chat(person: Person) -> Json:
    """`Chat` with one person."""
    shape: Json = {"id": person.id, "type": "private", "first_name": person.first_name}
    if person.last_name:
        shape["last_name"] = person.last_name
    if person.username:
        shape["username"] = person.username
    return shape


def group_chat(chat: Chat) -> Json:
    """`Chat` of several people."""
    return {"id": chat.id, "type": chat.type, "title": chat.title}


def full_chat(chat: Json) -> Json:
    """`ChatFullInfo`."""
    gifts = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")
    return {
        **chat,
        "accent_color_id": chat["id"] % 7,
        "max_reaction_count": 11,
        "accepted_gift_types": dict.fromkeys(gifts, True),
    }


def member(status: str, who: Json) -> Json:
    """`ChatMember` of one of its kinds: creator, administrator is not used, member, left, kicked."""
    shape: Json = {"user": who, "status": status}
    if status == "creator":
        shape["is_anonymous"] = False
    if status == "kicked":
        shape["until_date"] = 0
    return shape
