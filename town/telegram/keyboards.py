"""Keyboards the bot sends, checked as Telegram checks them.

One difference on purpose: Telegram refuses inline buttons to `http://localhost`; the town accepts them, since the product
under test lives there.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from town.telegram.errors import bad

Json = dict[str, Any]

ACTIONS = (
    "url", "callback_data", "web_app", "login_url", "switch_inline_query", "switch_inline_query_current_chat",
    "switch_inline_query_chosen_chat", "copy_text", "callback_game", "pay",
)  # fmt: skip
KEYBOARD_FIELDS = {
    "inline_keyboard": {"inline_keyboard"},
    "keyboard": {"keyboard", "is_persistent", "resize_keyboard", "one_time_keyboard", "input_field_placeholder", "selective"},
}
BUTTON_REQUESTS = ("request_users", "request_chat", "request_contact", "request_location", "request_poll", "web_app")
MOST_BUTTONS = 100


def valid_url(url: Any, schemes: tuple[str, ...] = ("http", "https", "tg", "ton")) -> bool:
    """True for an address Telegram would open; a bare domain counts as http."""
    if not isinstance(url, str) or not url or any(mark.isspace() for mark in url):
        return False
    try:
        parts = urlsplit(url if ":" in url else f"http://{url}")
    except ValueError:
        return False
    if parts.scheme in {"tg", "ton"}:
        return parts.scheme in schemes and len(url) > len(parts.scheme) + 1
    host = parts.hostname or ""
    return parts.scheme in schemes and (host == "localhost" or "." in host.strip(".") or ":" in host)


def _problem(reason: str) -> Exception:
    return bad(f"can't parse inline keyboard button: {reason}")


def _check_inline_button(button: Any, first: bool, private: bool) -> Json:
    if not isinstance(button, dict):
        raise _problem("InlineKeyboardButton must be an Object")
    if not isinstance(button.get("text"), str) or not button["text"].strip():
        raise _problem('Field "text" must be a non-empty String')
    used = [action for action in ACTIONS if button.get(action) is not None]
    if not used:
        raise _problem("Text buttons are unallowed in the inline keyboard")
    if len(used) > 1:
        raise _problem(f"exactly one action must be used, found {', '.join(used)}")
    action, value = used[0], button[used[0]]
    if action == "callback_data" and (not isinstance(value, str) or not 1 <= len(value.encode()) <= 64):
        raise bad("BUTTON_DATA_INVALID")
    if action == "url" and not valid_url(value):
        raise bad(f"inline keyboard button URL '{value}' is invalid: Wrong HTTP URL")
    if action in {"web_app", "login_url"}:
        if not isinstance(value, dict) or not valid_url(value.get("url"), ("http", "https")):
            raise bad(f"inline keyboard button {action.replace('_', ' ')} URL is invalid: Wrong HTTP URL")
        if action == "web_app" and not private:
            raise bad("BUTTON_TYPE_INVALID")
    if action == "copy_text" and (not isinstance(value, dict) or not 1 <= len(str(value.get("text") or "")) <= 256):
        raise bad("BUTTON_COPY_TEXT_INVALID")
    if action == "switch_inline_query_chosen_chat" and not (isinstance(value, dict) and isinstance(value.get("query", ""), str)):
        raise _problem("SwitchInlineQueryChosenChat must be an Object with a query of type String")
    if action.startswith("switch_inline_query") and action != "switch_inline_query_chosen_chat" and not isinstance(value, str):
        raise _problem(f'Field "{action}" must be of type String')
    if action == "pay" and not first:
        raise bad("BUTTON_POS_INVALID")
    kept: Json = {"text": button["text"], action: value}
    for extra in ("icon_custom_emoji_id", "style"):
        if extra in button:
            kept[extra] = button[extra]
    return kept


def _rows(value: Any) -> list[list[Any]]:
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise bad("object expected as reply markup")
    if sum(len(row) for row in value) > MOST_BUTTONS:
        raise bad("reply markup is too long")
    return [row for row in value if row]


def inline_keyboard(markup: Any, private: bool = True) -> Json | None:
    """`InlineKeyboardMarkup` after checks; None when it has no buttons (that removes a keyboard)."""
    if markup is None:
        return None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" not in markup:
        raise bad("inline keyboard expected")
    rows = _rows(markup["inline_keyboard"])
    checked = [[_check_inline_button(button, (y, x) == (0, 0), private) for x, button in enumerate(row)] for y, row in enumerate(rows)]
    return {"inline_keyboard": checked} if checked else None


def _check_reply_button(button: Any, private: bool) -> Json:
    if isinstance(button, str):
        button = {"text": button}
    if not isinstance(button, dict) or not isinstance(button.get("text"), str) or not button["text"].strip():
        raise bad('can\'t parse keyboard button: Field "text" must be a non-empty String')
    asked = [name for name in BUTTON_REQUESTS if button.get(name)]
    if len(asked) > 1:
        raise bad("can't parse keyboard button: exactly one action must be used")
    if asked and not private:
        raise bad("BUTTON_TYPE_INVALID" if asked[0] == "web_app" else f"{asked[0].split('_')[1]} can be requested in private chats only")
    return button


def reply_markup(markup: Any, private: bool = True) -> tuple[Json | None, Json | None]:
    """What `reply_markup` asks for: (inline keyboard of the message, change of the keyboard under the text field).

    The second is a `ReplyKeyboardMarkup`, `ReplyKeyboardRemove` or `ForceReply`.
    """
    if markup is None:
        return None, None
    if not isinstance(markup, dict):
        raise bad("object expected as reply markup")
    if "inline_keyboard" in markup:
        return inline_keyboard(markup, private), None
    if "keyboard" in markup:
        rows = _rows(markup["keyboard"])
        if not rows:
            raise bad("keyboard must contain at least one button")
        kept = {name: value for name, value in markup.items() if name in KEYBOARD_FIELDS["keyboard"]}
        return None, {**kept, "keyboard": [[_check_reply_button(button, private) for button in row] for row in rows]}
    if markup.get("remove_keyboard") is True or markup.get("force_reply") is True:
        return None, markup
    if not markup:
        return None, None
    raise bad("can't parse reply keyboard markup JSON object")
