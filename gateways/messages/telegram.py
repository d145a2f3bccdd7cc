"""Back room: Telegram Bot API 10 through python-telegram-bot. Documentation: core.telegram.org/bots/api.

Telegram knows no idempotency key: a message whose answer was lost is UNKNOWN. Refs are `t:<id>` for a text, `p:<id>` for a picture.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any, Final

import structlog
from telegram import (
    Bot,
    CopyTextButton,
    InlineKeyboardButton,
    InlineKeyboardMarkup,
    InputFile,
    KeyboardButton,
    LinkPreviewOptions,
    ReplyKeyboardMarkup,
    ReplyKeyboardRemove,
    ReplyParameters,
    SwitchInlineQueryChosenChat,
)
from telegram.error import BadRequest, ChatMigrated, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError

from domain.ports import Button, Delivery, Message, Sent
from gateways.messages.markup import fit, plain, visible
from gateways.messages.pace import Pace
from gateways.telegram_transport import NoSuchMethod, NotConnected

MOST_TEXT: Final = 4096
MOST_CAPTION: Final = 1024
PICTURES_KEPT: Final = 512
_GONE: Final = (
    "chat not found",
    "user not found",
    "user is deactivated",
    "peer_id_invalid",
    "group chat was deactivated",
    "input_user_deactivated",
)
_BAD_PICTURE: Final = (
    "image_process_failed",
    "photo_invalid",
    "photo_ext_invalid",
    "photo_save_file_invalid",
    "too big",
    "wrong type of the web page",
)
_STALE_FILE: Final = ("file identifier", "file_id", "file reference", "file_reference")
_ERROR_LENGTH: Final = 200
_NO_PREVIEW: Final = LinkPreviewOptions(is_disabled=True)
_UNREADABLE: Final = (KeyError, TypeError, ValueError, AttributeError)
"""What python-telegram-bot raises for an answer that lacks what the documentation promises."""

log = structlog.get_logger(__name__)
Markup = InlineKeyboardMarkup | ReplyKeyboardMarkup | ReplyKeyboardRemove | None


class TelegramMessenger:
    """`bot` is initialized by its owner. With a `pace`, a message waits up to `most_wait_s` for its turn, and is LATER beyond.

    One message has one keyboard: a contact is asked for rather than buttons shown, and buttons are shown rather than a keyboard removed.
    """

    def __init__(self, bot: Bot, pace: Pace | None = None, most_wait_s: float = 2.0) -> None:
        self._bot = bot
        self._pace = pace
        self._most_wait_s = most_wait_s
        self._file_ids: OrderedDict[bytes, str] = OrderedDict()
        self._lacking: set[str] = set()

    async def send(self, address: str, message: Message) -> Sent:
        """SENT with the ref. A group that moved is followed once; its new address is then told as `error`, `migrated:<chat id>`."""
        markup = _markup(message)
        return await self._to(address, lambda chat_id: self._send(chat_id, message, markup))

    async def strip(self, address: str, ref: str) -> None:
        """Buttons away; whatever the provider thinks of it is only logged, for an old button does nothing when pressed."""
        _, _, number = ref.partition(":")
        if _is_number(number):
            with contextlib.suppress(TelegramError, *_UNREADABLE):
                await self._bot.edit_message_reply_markup(chat_id=address, message_id=int(number), reply_markup=None)

    async def edit(self, address: str, ref: str, message: Message) -> Sent:
        """Repeatable: what is already so is SENT. The kind of message stays what it was; a picture is not exchanged."""
        kind, _, number = ref.partition(":")
        if kind not in ("t", "p") or not _is_number(number):
            return Sent(Delivery.REFUSED, error="not a message of ours")
        inline = _inline(message.buttons)
        return await self._to(address, lambda chat_id: self._edit(chat_id, kind, int(number), message.text, inline), ref)

    async def _to(self, address: str, act: Callable[[int], Awaitable[Sent]], ref: str | None = None) -> Sent:
        if not _is_number(address.removeprefix("-")):
            return Sent(Delivery.REFUSED, error="not a chat")
        if self._pace is None:
            return await self._acted(int(address), act, ref)
        async with self._pace.turn(address, self._most_wait_s) as lacks_s:
            if lacks_s > 0:
                return Sent(Delivery.LATER, retry_after_s=lacks_s, error="pace")
            return await self._acted(int(address), act, ref)

    async def _acted(self, chat_id: int, act: Callable[[int], Awaitable[Sent]], ref: str | None) -> Sent:
        try:
            return await act(chat_id)
        except ChatMigrated as moved:
            try:
                sent = await act(moved.new_chat_id)
            except (TelegramError, *_UNREADABLE) as problem:
                return self._failed(problem, ref)
            return replace(sent, error=f"migrated:{moved.new_chat_id}")
        except (TelegramError, *_UNREADABLE) as problem:
            return self._failed(problem, ref)

    async def _send(self, chat_id: int, message: Message, markup: Markup) -> Sent:
        how: dict[str, Any] = {"disable_notification": message.silent}
        if number := _number_of(message.reply_to):
            how["reply_parameters"] = ReplyParameters(number, allow_sending_without_reply=True)
        if message.picture is not None:
            if visible(message.text) <= MOST_CAPTION:
                ref = await self._picture(chat_id, message.picture, message.text, {**how, "reply_markup": markup})
                if ref is not None or not message.text:
                    return Sent(Delivery.SENT, ref) if ref else Sent(Delivery.REFUSED, error="picture refused")
            else:
                await self._picture(chat_id, message.picture, "", how)
        sent = await _with_markup(
            lambda text, mode: self._bot.send_message(
                chat_id, text, parse_mode=mode, link_preview_options=_NO_PREVIEW, reply_markup=markup, **how
            ),
            message.text,
            MOST_TEXT,
        )
        return Sent(Delivery.SENT, f"t:{sent.message_id}")

    async def _picture(self, chat_id: int, picture: bytes, caption: str, how: Mapping[str, Any]) -> str | None:
        """The ref, or None for a picture that Telegram does not take. Uploaded once, then sent by the id Telegram gave it."""
        name = hashlib.sha256(picture).digest()
        photo: str | InputFile = self._file_ids.get(name) or _upload(picture)

        def send(text: str, mode: str | None) -> Awaitable[Any]:
            return self._bot.send_photo(chat_id, photo, caption=text or None, parse_mode=mode, **how)

        try:
            sent = await _with_markup(send, caption, MOST_CAPTION)
        except BadRequest as problem:
            if isinstance(photo, str) and _says(problem, _STALE_FILE):
                self._file_ids.pop(name, None)
                photo = _upload(picture)
                sent = await _with_markup(send, caption, MOST_CAPTION)
            elif _says(problem, _BAD_PICTURE):
                log.warning("telegram_picture_refused", size_bytes=len(picture), error=_text_of(problem))
                return None
            else:
                raise
        except NoSuchMethod:
            self._lacks("sendPhoto", "pictures are left out, their text is sent alone")
            return None
        if sent.photo:
            self._file_ids[name] = sent.photo[-1].file_id
            self._file_ids.move_to_end(name)
            while len(self._file_ids) > PICTURES_KEPT:
                self._file_ids.popitem(last=False)
        return f"p:{sent.message_id}"

    async def _edit(self, chat_id: int, kind: str, number: int, text: str, inline: InlineKeyboardMarkup | None) -> Sent:
        where: dict[str, Any] = {"chat_id": chat_id, "message_id": number, "reply_markup": inline}
        try:
            if kind == "t":
                await _with_markup(
                    lambda body, mode: self._bot.edit_message_text(body, parse_mode=mode, link_preview_options=_NO_PREVIEW, **where),
                    text,
                    MOST_TEXT,
                )
            else:
                await _with_markup(
                    lambda body, mode: self._bot.edit_message_caption(caption=body or None, parse_mode=mode, **where), text, MOST_CAPTION
                )
        except BadRequest as problem:
            if not _says(problem, ("message is not modified",)):
                raise
        except NoSuchMethod:
            self._lacks("editMessageText" if kind == "t" else "editMessageCaption", "what changed is sent as a new message")
            return Sent(Delivery.REFUSED, f"{kind}:{number}", error="no such method")
        return Sent(Delivery.SENT, f"{kind}:{number}")

    def _lacks(self, method: str, instead: str) -> None:
        """Said once of each method: a Bot API server other than Telegram's own may not have them all."""
        if method not in self._lacking:
            self._lacking.add(method)
            log.warning("telegram_lacks", method=method, instead=instead)

    def _failed(self, problem: Exception, ref: str | None) -> Sent:
        sent = replace(_meaning(problem), ref=ref)
        if isinstance(problem, RetryAfter) and self._pace is not None:
            self._pace.pause(sent.retry_after_s)
        log.info("telegram_not_sent", delivery=sent.delivery.value, error=sent.error)
        return sent


def _meaning(problem: Exception) -> Sent:
    """What became of a message whose sending failed. BadRequest and TimedOut are kinds of NetworkError, hence the order."""
    said = _text_of(problem)
    match problem:
        case RetryAfter():
            return Sent(Delivery.LATER, retry_after_s=problem._retry_after.total_seconds(), error=said)
        case Forbidden():
            return Sent(Delivery.GONE, error=said)
        case BadRequest():
            return Sent(Delivery.GONE if _says(problem, _GONE) else Delivery.REFUSED, error=said)
        case NotConnected():
            return Sent(Delivery.LATER, retry_after_s=2, error=said)
        case InvalidToken() | Conflict():
            # Ours to put right; the message is still wanted.
            return Sent(Delivery.LATER, retry_after_s=60, error=said)
        case ChatMigrated():
            return Sent(Delivery.REFUSED, error=said)
        case NetworkError() if "too large" in said.casefold():
            return Sent(Delivery.REFUSED, error=said)
        case TelegramError():
            return Sent(Delivery.UNKNOWN, error=said)
        case _:
            return Sent(Delivery.UNKNOWN, error=f"answer not understood ({type(problem).__name__})")


async def _with_markup(send: Callable[[str, str | None], Awaitable[Any]], text: str, limit: int) -> Any:
    """Send as HTML; where Telegram cannot read our markup, nothing was sent, and the words alone are better than nothing."""
    try:
        return await send(fit(text, limit), "HTML")
    except BadRequest as problem:
        if not _says(problem, ("can't parse entities",)):
            raise
        log.warning("telegram_markup_refused", error=_text_of(problem))
        bare = plain(text)
        return await send(bare if len(bare) * 2 <= limit else plain(fit(text, limit)), None)


def _markup(message: Message) -> Markup:
    if message.ask_contact:
        ask = KeyboardButton(message.ask_contact, request_contact=True)
        others = [[KeyboardButton(button.text) for button in row] for row in message.buttons]
        return ReplyKeyboardMarkup([[ask], *others], resize_keyboard=True, one_time_keyboard=True)
    if message.buttons:
        return _inline(message.buttons)
    return ReplyKeyboardRemove() if message.remove_keyboard else None


def _inline(rows: tuple[tuple[Button, ...], ...]) -> InlineKeyboardMarkup | None:
    return InlineKeyboardMarkup([[_button(button) for button in row] for row in rows if row]) if any(rows) else None


def _button(button: Button) -> InlineKeyboardButton:
    if button.url:
        return InlineKeyboardButton(button.text, url=button.url)
    if button.copy:
        return InlineKeyboardButton(button.text, copy_text=CopyTextButton(button.copy))
    if button.share:
        chosen = SwitchInlineQueryChosenChat(button.share, allow_user_chats=True, allow_group_chats=True, allow_channel_chats=True)
        return InlineKeyboardButton(button.text, switch_inline_query_chosen_chat=chosen)
    return InlineKeyboardButton(button.text, callback_data=button.data)


def _upload(picture: bytes) -> InputFile:
    return InputFile(picture, filename="picture.png" if picture.startswith(b"\x89PNG") else "picture.jpg")


def _number_of(ref: str | None) -> int:
    """The message id in a ref of ours, 0 where there is none."""
    number = (ref or "").rpartition(":")[2]
    return int(number) if _is_number(number) else 0


def _is_number(text: str) -> bool:
    return re.fullmatch(r"\d{1,18}", text, re.ASCII) is not None


def _says(problem: TelegramError, words: tuple[str, ...]) -> bool:
    said = problem.message.casefold()
    return any(word in said for word in words)


def _text_of(problem: Exception) -> str:
    said = problem.message if isinstance(problem, TelegramError) else type(problem).__name__
    return "".join(char if char.isprintable() else " " for char in said)[:_ERROR_LENGTH]
