"""Bot API methods that put new messages into chats. https://core.telegram.org/bots/api#sendmessage and the following."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from town.telegram.contents import caption_in, caption_of, text_of
from town.telegram.errors import bad
from town.telegram.files import StoredFile
from town.telegram.keyboards import reply_markup
from town.telegram.params import Params, method
from town.telegram.people import Chat, Message
from town.telegram.service import Telegram

Json = dict[str, Any]

COMMON = "chat_id disable_notification protect_content reply_parameters reply_markup"
CAPTION = "caption parse_mode caption_entities show_caption_above_media"
ACTIONS = frozenset({
    "typing", "upload_photo", "record_video", "upload_video", "record_voice", "upload_voice", "upload_document", "choose_sticker",
    "find_location", "record_video_note", "upload_video_note",
})  # fmt: skip


def target(bot: Telegram, params: Params, name: str = "chat_id") -> Chat:
    """The chat to write into, if the bot may and is not too fast."""
    chat = bot.people.reachable(params.raw(name))
    bot.limits.check(chat.id)
    return chat


def _quoted(chat: Chat, params: Params) -> Json:
    """`reply_to_message` for `reply_parameters`; refused when the message is gone, unless the bot said to go on."""
    asked = params.table("reply_parameters")
    if not asked or not asked.get("message_id"):
        return {}
    number = asked["message_id"]
    found = chat.messages.get(int(number)) if str(number).isdecimal() else None
    if found is None:
        if asked.get("allow_sending_without_reply") is True:
            return {}
        raise bad("message to be replied not found")
    return {"reply_to_message": {name: value for name, value in found.body.items() if name != "reply_to_message"}}


def send(bot: Telegram, chat: Chat, params: Params, content: Json) -> Message:
    """Add what all sending methods share, and post."""
    inline, keyboard = reply_markup(params.table("reply_markup"), chat.type == "private")
    body = _quoted(chat, params)
    body.update(content)
    if params.flag("protect_content"):
        body["has_protected_content"] = True
    if inline:
        body["reply_markup"] = inline
    return bot.post(chat, body, keyboard)


@method("sendMessage", f"{COMMON} text parse_mode entities link_preview_options")
def send_message(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    content = text_of(params)
    preview = params.table("link_preview_options")
    if preview:
        content["link_preview_options"] = preview
    return send(bot, chat, params, content).body


def photo_named(bot: Telegram, params: Params, name: str) -> StoredFile:
    """The photo a parameter holds: uploaded, or by file id. The town fetches nothing from the network."""
    upload = params.upload(name)
    if upload is not None:
        return bot.files.photo(upload.content)
    value = params.words(name)
    if not value:
        raise bad("there is no photo in the request")
    return _stored(bot, value, photo=True)


def _stored(bot: Telegram, value: str, photo: bool) -> StoredFile:
    if "://" in value:
        fetched = value.startswith(("http://", "https://"))
        raise bad("failed to get HTTP URL content" if fetched else "wrong file identifier/HTTP URL specified")
    stored = bot.files.by_id(value)
    if photo != bool(stored.width):
        raise bad(f"can't use file of type {'Photo' if stored.width else 'Document'} as {'Photo' if photo else 'Document'}")
    return stored


def photo_content(stored: StoredFile) -> Json:
    """`photo` of a message: the sizes Telegram offers, smallest first. The town keeps one picture for all of them."""
    full = stored.size_shape()
    width, height = stored.width, stored.height
    largest = max(width, height)
    small = [
        {**full, "width": max(1, width * edge // largest), "height": max(1, height * edge // largest)}
        for edge in (90, 320)
        if edge < largest
    ]
    return {"photo": [*small, full]}


@method("sendPhoto", f"{COMMON} {CAPTION} photo has_spoiler")
def send_photo(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    content = photo_content(photo_named(bot, params, "photo"))
    content.update(caption_of(params))
    if params.flag("has_spoiler"):
        content["has_media_spoiler"] = True
    if params.flag("show_caption_above_media"):
        content["show_caption_above_media"] = True
    return send(bot, chat, params, content).body


@method("sendDocument", f"{COMMON} caption parse_mode caption_entities document thumbnail disable_content_type_detection")
def send_document(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    upload = params.upload("document")
    if upload is not None:
        stored = bot.files.document(upload.name, upload.mime, upload.content)
    else:
        value = params.words("document")
        if not value:
            raise bad("there is no document in the request")
        stored = _stored(bot, value, photo=False)
    return send(bot, chat, params, {"document": stored.document_shape(), **caption_of(params)}).body


def media_content(bot: Telegram, params: Params, item: Any) -> Json:
    """Content of a message from an `InputMediaPhoto` or `InputMediaDocument`."""
    if not isinstance(item, Mapping) or not isinstance(item.get("media"), str):
        raise bad("can't parse InputMedia: media not found")
    kind, media = item.get("type"), item["media"]
    if kind not in ("photo", "document"):
        raise bad("can't parse InputMedia: type must be photo or document in this town")
    if media.startswith("attach://"):
        upload = params.attached(media)
        if kind == "photo":
            content = photo_content(bot.files.photo(upload.content))
        else:
            content = {"document": bot.files.document(upload.name, upload.mime, upload.content).document_shape()}
    else:
        stored = _stored(bot, media, photo=kind == "photo")
        content = photo_content(stored) if kind == "photo" else {"document": stored.document_shape()}
    content.update(caption_in(item))
    return content


@method("sendMediaGroup", "chat_id media disable_notification protect_content reply_parameters")
def send_media_group(bot: Telegram, params: Params) -> list[Json]:
    chat = target(bot, params)
    items = params.rows("media") or []
    if not 2 <= len(items) <= 10:
        raise bad("expected 2-10 media items in an album" if items else "there are no messages to send")
    if len({str(item.get("type")) if isinstance(item, Mapping) else "" for item in items}) > 1:
        raise bad("documents can't be mixed with other media types in an album")
    contents = [media_content(bot, params, item) for item in items]
    shared = {**_quoted(chat, params), "media_group_id": bot.album_id()}
    if params.flag("protect_content"):
        shared["has_protected_content"] = True
    return [bot.post(chat, {**shared, **content}).body for content in contents]


@method("sendContact", f"{COMMON} phone_number first_name last_name vcard")
def send_contact(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    contact = {name: params.words(name) for name in ("phone_number", "first_name", "last_name", "vcard") if params.words(name)}
    if not {"phone_number", "first_name"} <= contact.keys():
        raise bad("contact must have a phone number and a first name")
    return send(bot, chat, params, {"contact": contact}).body


@method("sendLocation", f"{COMMON} latitude longitude horizontal_accuracy")
def send_location(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    latitude, longitude = params.number("latitude"), params.number("longitude")
    if latitude is None or longitude is None or abs(latitude) > 90 or abs(longitude) > 180:
        raise bad("wrong location specified")
    location = {"latitude": latitude, "longitude": longitude}
    accuracy = params.number("horizontal_accuracy")
    if accuracy is not None:
        location["horizontal_accuracy"] = accuracy
    return send(bot, chat, params, {"location": location}).body


@method("sendChatAction", "chat_id action")
def send_chat_action(bot: Telegram, params: Params) -> bool:
    chat = bot.people.reachable(params.raw("chat_id"))
    action = params.words("action")
    if action not in ACTIONS:
        raise bad("wrong parameter action in request")
    bot.core.journal.add("telegram.action", chat=chat.id, users=sorted(chat.members), action=action)
    return True


CARRIED = ("text", "entities", "photo", "document", "contact", "location", "caption", "caption_entities", "link_preview_options")


def original(bot: Telegram, params: Params, what: str) -> Message:
    """The message `message_id` of `from_chat_id`."""
    chat = bot.people.reachable(params.raw("from_chat_id"))
    found = chat.messages.get(params.integer("message_id") or 0)
    if found is None:
        raise bad(f"message to {what} not found")
    if found.body.get("has_protected_content"):
        raise bad(f"message can't be {'forwarded' if what == 'forward' else 'copied'}")
    return found


@method("forwardMessage", "chat_id from_chat_id message_id disable_notification protect_content")
def forward_message(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    found = original(bot, params, "forward")
    content: Json = {name: found.body[name] for name in CARRIED if name in found.body}
    earlier = found.body.get("forward_origin")
    content["forward_origin"] = earlier or {"type": "user", "date": found.body["date"], "sender_user": found.body["from"]}
    if params.flag("protect_content"):
        content["has_protected_content"] = True
    return bot.post(chat, content).body


@method("copyMessage", f"{COMMON} {CAPTION} from_chat_id message_id")
def copy_message(bot: Telegram, params: Params) -> Json:
    chat = target(bot, params)
    found = original(bot, params, "copy")
    content: Json = {name: found.body[name] for name in CARRIED if name in found.body}
    if params.raw("caption") is not None and ("photo" in content or "document" in content):
        content = {name: value for name, value in content.items() if not name.startswith("caption")}
        content.update(caption_of(params))
    return {"message_id": send(bot, chat, params, content).id}
