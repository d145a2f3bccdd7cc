"""Bot API methods that change or take away messages. https://core.telegram.org/bots/api#updating-messages."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from town.telegram.contents import caption_of, text_of
from town.telegram.errors import bad
from town.telegram.keyboards import inline_keyboard
from town.telegram.params import Params, method
from town.telegram.people import Message
from town.telegram.sending import media_content
from town.telegram.service import Telegram

Json = dict[str, Any]

WHICH = "chat_id message_id inline_message_id reply_markup"
DELETABLE_FOR = timedelta(hours=48)
CONTENT = (
    "text", "entities", "caption", "caption_entities", "photo", "document", "reply_markup", "link_preview_options",
    "show_caption_above_media",
)  # fmt: skip
NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content and "
    "reply markup of the message"
)


def _message(bot: Telegram, params: Params) -> Message:
    """The message to edit: in a chat, or sent through inline mode."""
    inline_id = params.text("inline_message_id")
    if inline_id:
        found = bot.people.inline_messages.get(inline_id)
        if found is None:
            raise bad("MESSAGE_ID_INVALID")
        return found
    if bot.core.faults.take("telegram", "not_found_on_edit"):
        raise bad("message to edit not found")
    chat = bot.people.reachable(params.raw("chat_id"))
    number = params.integer("message_id")
    if number is None:
        raise bad("message identifier is not specified")
    found = chat.messages.get(number)
    if found is None:
        raise bad("message to edit not found")
    if found.author != 0:
        raise bad("message can't be edited")
    return found


def _change(bot: Telegram, message: Message, params: Params, content: Json, replaces: tuple[str, ...]) -> Json | bool:
    """Put `content` in place of the fields `replaces`, with the keyboard of the call (none given: none kept)."""
    body = message.body
    new = {name: value for name, value in body.items() if name not in replaces and name != "reply_markup"}
    new.update(content)
    inline = inline_keyboard(params.table("reply_markup"), message.chat.type != "supergroup")
    if inline:
        new["reply_markup"] = inline
    if all(new.get(name) == body.get(name) for name in CONTENT):
        raise bad(NOT_MODIFIED)
    new["edit_date"] = int(bot.core.clock.now().timestamp())
    message.body = new
    bot.people.tell("telegram.edited", message)
    return True if message.inline_id else new


@method("editMessageText", f"{WHICH} text parse_mode entities link_preview_options")
def edit_message_text(bot: Telegram, params: Params) -> Json | bool:
    message = _message(bot, params)
    if "text" not in message.body:
        raise bad("there is no text in the message to edit")
    content = text_of(params)
    preview = params.table("link_preview_options")
    if preview:
        content["link_preview_options"] = preview
    return _change(bot, message, params, content, ("text", "entities", "link_preview_options"))


@method("editMessageCaption", f"{WHICH} caption parse_mode caption_entities show_caption_above_media")
def edit_message_caption(bot: Telegram, params: Params) -> Json | bool:
    message = _message(bot, params)
    if "photo" not in message.body and "document" not in message.body:
        raise bad("there is no caption in the message to edit")
    content = caption_of(params)
    if params.flag("show_caption_above_media"):
        content["show_caption_above_media"] = True
    return _change(bot, message, params, content, ("caption", "caption_entities", "show_caption_above_media"))


@method("editMessageReplyMarkup", WHICH)
def edit_message_reply_markup(bot: Telegram, params: Params) -> Json | bool:
    return _change(bot, _message(bot, params), params, {}, ())


@method("editMessageMedia", f"{WHICH} media")
def edit_message_media(bot: Telegram, params: Params) -> Json | bool:
    message = _message(bot, params)
    if "media_group_id" in message.body and message.body.keys() & {"document"} and (params.table("media") or {}).get("type") != "document":
        raise bad("message of this type can't be changed inside an album")
    content = media_content(bot, params, params.table("media"))
    replaced = ("text", "entities", "photo", "document", "caption", "caption_entities", "link_preview_options")
    return _change(bot, message, params, content, replaced)


def _delete(bot: Telegram, chat_id: Any, number: int) -> None:
    chat = bot.people.reachable(chat_id)
    found = chat.messages.get(number)
    if found is None:
        raise bad("message to delete not found")
    if bot.core.clock.now() - found.sent_at > DELETABLE_FOR:
        raise bad("message can't be deleted for everyone")
    if chat.type != "private" and found.author != 0:
        raise bad("message can't be deleted")
    bot.people.forget(found)
    bot.people.tell("telegram.deleted", found)


@method("deleteMessage", "chat_id message_id")
def delete_message(bot: Telegram, params: Params) -> bool:
    _delete(bot, params.raw("chat_id"), params.integer("message_id") or 0)
    return True


@method("deleteMessages", "chat_id message_ids")
def delete_messages(bot: Telegram, params: Params) -> bool:
    """Messages that are not there are passed over, as in Telegram."""
    numbers = params.rows("message_ids") or []
    if not 1 <= len(numbers) <= 100:
        raise bad("expected 1-100 message identifiers")
    chat = bot.people.reachable(params.raw("chat_id"))
    for number in numbers:
        if isinstance(number, int) and number in chat.messages:
            _delete(bot, chat.id, number)
    return True


@method("setMessageReaction", "chat_id message_id reaction is_big")
def set_message_reaction(bot: Telegram, params: Params) -> bool:
    chat = bot.people.reachable(params.raw("chat_id"))
    found = chat.messages.get(params.integer("message_id") or 0)
    if found is None:
        raise bad("message to react not found")
    reactions = params.rows("reaction") or []
    if len(reactions) > 1:
        raise bad("REACTIONS_TOO_MANY")
    if not all(isinstance(one, dict) and one.get("type") == "emoji" and one.get("emoji") for one in reactions):
        raise bad("REACTION_INVALID")
    found.reactions = [{"type": "emoji", "emoji": str(one["emoji"])} for one in reactions]
    bot.people.tell("telegram.reaction", found, reactions=[one["emoji"] for one in found.reactions])
    return True
