"""How a person sees chats: the shapes of the control API (not Telegram's own)."""

from __future__ import annotations

from typing import Any

from town.telegram.formatting import to_html
from town.telegram.people import Chat, Message
from town.telegram.service import Telegram

Json = dict[str, Any]


def file_address(bot: Telegram, unique_id: str) -> str:
    """Where a page finds a file, without the bot's token in it."""
    return f"{bot.base_path}/api/telegram/file/{unique_id}"


def button_view(button: Json) -> Json:
    """A button with what it does: `data`, `url`, `copy`, `switch_inline`, `web_app` or `pay`; the others are null."""
    chosen = button.get("switch_inline_query_chosen_chat") or {}
    switch = button.get("switch_inline_query", button.get("switch_inline_query_current_chat", chosen.get("query", "") if chosen else None))
    login, web_app = button.get("login_url") or {}, button.get("web_app") or {}
    return {
        "text": button["text"],
        "data": button.get("callback_data"),
        "url": button.get("url") or login.get("url"),
        "copy": (button.get("copy_text") or {}).get("text"),
        "switch_inline": switch,
        "current_chat": "switch_inline_query_current_chat" in button,
        "web_app": web_app.get("url"),
        "style": button.get("style"),
        "pay": bool(button.get("pay")),
    }


def buttons_view(body: Json) -> list[list[Json]]:
    return [[button_view(button) for button in row] for row in (body.get("reply_markup") or {}).get("inline_keyboard", [])]


def keyboard_view(message: Message) -> list[list[Json]] | None:
    """Rows of the reply keyboard this message brought; empty when it took the keyboard away; None when it left it."""
    if message.keyboard is None:
        return None
    rows = message.keyboard.get("keyboard", [])
    return [[{"text": button} if isinstance(button, str) else button for button in row] for row in rows]


def message_view(bot: Telegram, message: Message, viewer: int) -> Json:
    """One message as `viewer` sees it."""
    body = message.body
    text: str = body.get("text") or body.get("caption") or ""
    document = body.get("document")
    photo = file_address(bot, body["photo"][-1]["file_unique_id"]) if "photo" in body else body.get("photo_url")
    return {
        "message_id": message.id,
        "from": "bot" if message.author == 0 else "me" if message.author == viewer else message.author,
        "name": body["from"]["first_name"],
        "via": f"@{bot.bot_username}" if "via_bot" in body else None,
        "text": text,
        "html": to_html(text, body.get("entities") or body.get("caption_entities") or []),
        "photo": photo,
        "document": document and {"name": document["file_name"], "url": file_address(bot, document["file_unique_id"])},
        "contact": body.get("contact"),
        "invoice": _invoice_view(bot, message),
        "paid": _paid_view(body),
        "location": body.get("location"),
        "album": body.get("media_group_id"),
        "buttons": buttons_view(body),
        "keyboard": keyboard_view(message),
        "reply_to": (body.get("reply_to_message") or {}).get("message_id"),
        "forwarded": "forward_origin" in body,
        "reactions": [one["emoji"] for one in message.reactions],
        "edited": "edit_date" in body,
        "at": message.sent_at.isoformat(),
    }


def _invoice_view(bot: Telegram, message: Message) -> Json | None:
    invoice = bot.invoices.get(message.slug)
    if invoice is None:
        return None
    return {"slug": invoice.slug, "title": invoice.title, "description": invoice.description, "total": invoice.total}


def _paid_view(body: Json) -> Json | None:
    """What the line in the chat says after a payment."""
    told = body.get("successful_payment") or body.get("refunded_payment")
    if not told:
        return None
    return {"amount": told["total_amount"], "currency": told["currency"], "back": "refunded_payment" in body}


def chat_view(bot: Telegram, chat: Chat, viewer: int) -> list[Json]:
    return [message_view(bot, message, viewer) for message in chat.messages.values()]


def others_view(bot: Telegram, viewer: int) -> list[Json]:
    """Groups and talks with other people, each with its messages."""
    shown = []
    for chat in bot.people.chats_of(viewer):
        if chat.type == "private":
            continue
        other = next((one for one in sorted(chat.members) if one != viewer), viewer)
        shown.append({
            "chat": chat.id or None,
            "type": chat.type,
            "with": other if chat.type == "pair" else None,
            "title": bot.people.person(other).first_name if chat.type == "pair" else chat.title,
            "messages": chat_view(bot, chat, viewer),
        })  # fmt: skip
    return shown


def result_view(bot: Telegram, result: Json, content: Json) -> Json:
    """An inline result before it is chosen."""
    text: str = content.get("text") or content.get("caption") or ""
    photo = file_address(bot, content["photo"][-1]["file_unique_id"]) if "photo" in content else content.get("photo_url")
    return {
        "id": str(result["id"]),
        "type": result["type"],
        "title": result.get("title") or "",
        "description": result.get("description") or "",
        "text": text,
        "html": to_html(text, content.get("entities") or content.get("caption_entities") or []),
        "photo": photo,
        "thumbnail_url": result.get("thumbnail_url") or photo,
        "buttons": buttons_view(content),
    }


def state_view(bot: Telegram) -> Json:
    """Everything, for `GET /town/api/state`."""
    people = {}
    for person in list(bot.people.persons.values()):
        people[str(person.id)] = {
            "name": person.first_name,
            "username": person.username,
            "language_code": person.language_code,
            "phone": person.phone,
            "started": person.started,
            "blocked": person.blocked,
            "messages": chat_view(bot, bot.people.private(person), person.id) if person.id in bot.people.chats else [],
            "others": others_view(bot, person.id),
        }
    return {
        "bot": {"id": bot.bot_id, "username": bot.bot_username, "name": bot.profile.names.get("", bot.bot["first_name"])},
        "people": people,
        "updates_waiting": bot.updates.pending,
        "webhook": bot.updates.info(),
        "requests": bot.requests,
        "payments": bot.payments,
    }
