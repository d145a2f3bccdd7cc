"""Updates of a Bot API server that is not Telegram's own, brought to the form the library reads. What Telegram itself sends stays as it is.

Nothing is added that could give a right: who sent an update, and where, must be in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

_NUMBER: Final = re.compile(r"-?\d{1,18}", re.ASCII)
_LAST_SECOND: Final = 10**11
"""A moment beyond this was counted in milliseconds."""


def readable(update: Mapping[str, Any]) -> dict[str, Any]:
    """The update with numbers as numbers, moments in seconds, and the fields that some servers leave out."""
    found = dict(update)
    _numbers(found, "update_id")
    for kind, body in update.items():
        if isinstance(body, Mapping):
            found[kind] = _body(kind, body)
    return found


def _body(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    body = dict(given)
    if isinstance(body.get("from"), Mapping):
        body["from"] = _person(body["from"])
    if kind in {"callback_query", "inline_query", "pre_checkout_query"} and _is_number(body.get("id")):
        body["id"] = str(body["id"])
    if kind == "callback_query":
        body.setdefault("chat_instance", "")
        if isinstance(body.get("message"), Mapping):
            body["message"] = _message(body["message"])
    if kind == "inline_query":
        body.setdefault("offset", "")
    return _message(body) if kind == "message" else body


def _message(given: Mapping[str, Any]) -> dict[str, Any]:
    """A date of 0 is Telegram's own way of saying that nothing is known of a message."""
    message = {"message_id": 0, "date": 0, **given}
    _numbers(message, "message_id", "date")
    if isinstance(message["date"], int) and message["date"] > _LAST_SECOND:
        message["date"] //= 1000
    sender = message.get("from")
    if isinstance(sender, Mapping):
        message["from"] = sender = _person(sender)
    if isinstance(message.get("chat"), Mapping):
        message["chat"] = chat = dict(message["chat"])
        _numbers(chat, "id")
        if "type" not in chat and isinstance(sender, Mapping) and isinstance(chat.get("id"), int) and sender.get("id") == chat["id"]:
            chat["type"] = "private"
    if isinstance(message.get("contact"), Mapping):
        message["contact"] = contact = dict(message["contact"])
        _numbers(contact, "user_id")
    return message


def _person(given: Mapping[str, Any]) -> dict[str, Any]:
    person = {"is_bot": False, "first_name": "", **given}
    _numbers(person, "id")
    return person


def _numbers(holder: dict[str, Any], *names: str) -> None:
    for name in names:
        value = holder.get(name)
        if isinstance(value, str) and _NUMBER.fullmatch(value):
            holder[name] = int(value)


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
