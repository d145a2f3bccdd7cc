"""Bot API methods about the bot itself, its webhook, and what it may know of chats and files."""

from __future__ import annotations

import re
from typing import Any

from town.telegram import shapes
from town.telegram.errors import Refused, bad
from town.telegram.files import DOWNLOAD_LIMIT
from town.telegram.keyboards import valid_url
from town.telegram.params import Params, method
from town.telegram.service import Telegram
from town.telegram.updates import Webhook

Json = dict[str, Any]

COMMAND = re.compile(r"[a-z0-9_]{1,32}\Z")
SECRET = re.compile(r"[A-Za-z0-9_-]{1,256}\Z")
SCOPES_OF_A_CHAT = {"chat", "chat_administrators", "chat_member"}
SCOPES = {"default", "all_private_chats", "all_group_chats", "all_chat_administrators", *SCOPES_OF_A_CHAT}


@method("getMe")
def get_me(bot: Telegram, params: Params) -> Json:
    return shapes.me({**bot.bot, "first_name": bot.profile.names.get("", bot.bot["first_name"])})


def _allowed(bot: Telegram, params: Params) -> None:
    """An empty list means the default kinds; nothing given means as before."""
    asked = params.rows("allowed_updates")
    if asked is not None:
        bot.updates.allowed = frozenset(map(str, asked)) or None


@method("getUpdates", "offset limit timeout allowed_updates")
async def get_updates(bot: Telegram, params: Params) -> list[Json]:
    _allowed(bot, params)
    limit = params.integer("limit")
    limit = 100 if limit is None or not 1 <= limit <= 100 else limit
    timeout_s = max(0, min(params.integer("timeout") or 0, 50))
    return await bot.updates.poll(params.integer("offset") or 0, limit, timeout_s)


@method("setWebhook", "url certificate ip_address max_connections allowed_updates drop_pending_updates secret_token")
def set_webhook(bot: Telegram, params: Params) -> bool:
    """Plain HTTP and any port are allowed, as on a local Bot API server."""
    url = params.words("url")
    if url and not valid_url(url, ("http", "https")):
        raise bad("bad webhook: An HTTPS URL must be provided for webhook")
    secret = params.words("secret_token")
    if secret and not SECRET.match(secret):
        raise bad("secret token contains unallowed characters" if len(secret) <= 256 else "secret token is too long")
    connections = params.integer("max_connections")
    if connections is not None and not 1 <= connections <= 100:
        connections = 40
    _allowed(bot, params)
    hook = Webhook(url, secret, connections or 40, params.words("ip_address"), params.has("certificate")) if url else None
    bot.updates.set_webhook(hook, params.flag("drop_pending_updates"))
    return True


@method("deleteWebhook", "drop_pending_updates")
def delete_webhook(bot: Telegram, params: Params) -> bool:
    bot.updates.set_webhook(None, params.flag("drop_pending_updates"))
    return True


@method("getWebhookInfo")
def get_webhook_info(bot: Telegram, params: Params) -> Json:
    return bot.updates.info()


def _language(params: Params) -> str:
    code = params.words("language_code")
    if code and not re.fullmatch(r"[a-z]{2}", code):
        raise bad("LANG_CODE_INVALID")
    return code


def _scope(bot: Telegram, params: Params) -> str:
    """A scope as one string: its type, and the chat and person it names."""
    scope = params.table("scope") or {"type": "default"}
    kind = scope.get("type")
    if not isinstance(kind, str) or kind not in SCOPES:
        raise bad("can't parse BotCommandScope: unsupported type specified")
    if kind not in SCOPES_OF_A_CHAT:
        return kind
    chat = bot.people.reachable(scope.get("chat_id"))
    return f"{kind}:{chat.id}" + (f":{scope.get('user_id')}" if kind == "chat_member" else "")


@method("setMyCommands", "commands scope language_code")
def set_my_commands(bot: Telegram, params: Params) -> bool:
    commands = params.rows("commands")
    if commands is None or len(commands) > 100:
        raise bad("BOT_COMMANDS_TOO_MUCH" if commands else "can't parse commands: expected an Array of BotCommand")
    kept = []
    for one in commands:
        name = str(one.get("command", "")).removeprefix("/") if isinstance(one, dict) else ""
        about = str(one.get("description", "")).strip() if isinstance(one, dict) else ""
        if not COMMAND.match(name):
            raise bad("BOT_COMMAND_INVALID")
        if not 1 <= len(about) <= 256:
            raise bad("BOT_COMMAND_DESCRIPTION_INVALID")
        kept.append({"command": name, "description": about})
    key = (_scope(bot, params), _language(params))
    if kept:
        bot.profile.commands[key] = kept
    else:
        bot.profile.commands.pop(key, None)
    bot.core.journal.add("telegram.commands", scope=key[0], language=key[1])
    return True


@method("getMyCommands", "scope language_code")
def get_my_commands(bot: Telegram, params: Params) -> list[Json]:
    return bot.profile.commands.get((_scope(bot, params), _language(params)), [])


@method("deleteMyCommands", "scope language_code")
def delete_my_commands(bot: Telegram, params: Params) -> bool:
    bot.profile.commands.pop((_scope(bot, params), _language(params)), None)
    return True


def _set_words(kept: dict[str, str], params: Params, name: str, limit: int) -> bool:
    words = params.words(name).strip()
    if len(words) > limit:
        raise bad(f"BOT_{name.upper()}_TOO_LONG" if name != "name" else "BOT_TITLE_INVALID")
    language = _language(params)
    if words:
        kept[language] = words
    else:
        kept.pop(language, None)
    return True


def _get_words(kept: dict[str, str], params: Params, default: str = "") -> str:
    return kept.get(_language(params)) or kept.get("") or default


@method("setMyName", "name language_code")
def set_my_name(bot: Telegram, params: Params) -> bool:
    return _set_words(bot.profile.names, params, "name", 64)


@method("getMyName", "language_code")
def get_my_name(bot: Telegram, params: Params) -> Json:
    return {"name": _get_words(bot.profile.names, params, bot.bot["first_name"])}


@method("setMyDescription", "description language_code")
def set_my_description(bot: Telegram, params: Params) -> bool:
    return _set_words(bot.profile.descriptions, params, "description", 512)


@method("getMyDescription", "language_code")
def get_my_description(bot: Telegram, params: Params) -> Json:
    return {"description": _get_words(bot.profile.descriptions, params)}


@method("setMyShortDescription", "short_description language_code")
def set_my_short_description(bot: Telegram, params: Params) -> bool:
    return _set_words(bot.profile.short_descriptions, params, "short_description", 120)


@method("getMyShortDescription", "language_code")
def get_my_short_description(bot: Telegram, params: Params) -> Json:
    return {"short_description": _get_words(bot.profile.short_descriptions, params)}


@method("setChatMenuButton", "chat_id menu_button")
def set_chat_menu_button(bot: Telegram, params: Params) -> bool:
    chat_id = params.integer("chat_id")
    button = params.table("menu_button") or {"type": "default"}
    kind = button.get("type")
    if kind == "web_app":
        address = button["web_app"].get("url") if isinstance(button.get("web_app"), dict) else None
        if not str(button.get("text") or "").strip() or not valid_url(address, ("http", "https")):
            raise bad("can't parse MenuButton: text and an HTTP web_app url are needed")
        button = {"type": kind, "text": str(button["text"]), "web_app": {"url": address}}
    elif kind in ("commands", "default"):
        button = {"type": kind}
    else:
        raise bad("can't parse MenuButton: unsupported type specified")
    bot.profile.menu_buttons[bot.people.reachable(chat_id).id if chat_id else 0] = button
    return True


@method("getChatMenuButton", "chat_id")
def get_chat_menu_button(bot: Telegram, params: Params) -> Json:
    buttons = bot.profile.menu_buttons
    own = buttons.get(params.integer("chat_id") or 0, {"type": "default"})
    return own if own["type"] != "default" else buttons.get(0, {"type": "default"})


@method("getFile", "file_id")
def get_file(bot: Telegram, params: Params) -> Json:
    file_id = params.words("file_id")
    if not file_id:
        raise bad("file_id not specified")
    try:
        stored = bot.files.by_id(file_id)
    except Refused:
        raise bad("wrong file_id or the file is temporarily unavailable") from None
    if len(stored.content) > DOWNLOAD_LIMIT:
        raise bad("file is too big")
    return stored.file_shape()


@method("getChat", "chat_id")
def get_chat(bot: Telegram, params: Params) -> Json:
    return shapes.full_chat(bot.people.chat_shape(bot.people.reachable(params.raw("chat_id"))))


@method("getChatMember", "chat_id user_id")
def get_chat_member(bot: Telegram, params: Params) -> Json:
    chat = bot.people.reachable(params.raw("chat_id"))
    user_id = params.integer("user_id") or 0
    if user_id == bot.bot_id:
        return shapes.member("member", bot.bot)
    person = bot.people.persons.get(user_id)
    if person is None:
        raise bad("PARTICIPANT_ID_INVALID")
    status = "left" if user_id not in chat.members else "creator" if user_id == chat.owner else "member"
    return shapes.member(status, shapes.user(person))


@method("getUserProfilePhotos", "user_id offset limit")
def get_user_profile_photos(bot: Telegram, params: Params) -> Json:
    """Nobody in the town has a picture of themselves."""
    if (params.integer("user_id") or 0) not in bot.people.persons:
        raise bad("user not found")
    return {"total_count": 0, "photos": []}
