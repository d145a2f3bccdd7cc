"""The Telegram mouth: updates are stored, then turned into Answers in order per chat; Screens become messages with inline buttons.

Bot API through python-telegram-bot. An update is confirmed to Telegram only after it was stored; one that was cut off is taken up again.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

import segno
import structlog
import telegram
from telegram import InlineQueryResultArticle, InputTextMessageContent, LinkPreviewOptions, Update
from telegram.constants import ParseMode

from bot.dialog import Answer, Choice, Kind, Screen
from bot.engine import Document, Engine, Heard, Picture, Said, delivered
from bot.mouths.till import Till
from bot.mouths.updates import readable
from bot.mouths.vault import Vault
from domain.errors import BadInput
from domain.ids import AttemptId, FileId, read_link_code
from domain.link import Link
from domain.person import ChannelKind, language_of
from domain.ports import Button, Delivery, Message, Messenger, PictureMaker, Sent, Unit
from templates.words import words
from usecases import sweeps
from usecases.hall import Hall
from usecases.payments import send_attempt, the_attempt
from usecases.people import channel_gone
from usecases.updates import TELEGRAM, end_update, store_updates, tells_of_money

GATEWAY = TELEGRAM
MOST_AT_ONCE = 64
BATCH = 100
MOST_DOWNLOAD = 20 * 2**20
_log = structlog.get_logger("telegram")


class TelegramMouth:
    """`messenger` speaks, `bot` fetches files and answers presses and inline queries."""

    def __init__(self, hall: Hall, engine: Engine, bot: telegram.Bot, messenger: Messenger, pictures: PictureMaker) -> None:
        self._hall = hall
        self._engine = engine
        self._bot = bot
        self._messenger = messenger
        self._pictures = pictures
        self._lanes: dict[int, deque[Mapping[str, Any]]] = {}
        self._room = asyncio.Semaphore(MOST_AT_ONCE)
        self._running: set[asyncio.Task[None]] = set()
        self._shots: dict[FileId, bytes] = {}
        self._till = Till(hall)
        self._vault = Vault(hall, engine, bot, messenger, self.speak)
        self.dispatch: Callable[[Update], Awaitable[BaseException | None]] = _undispatched
        """Gives an update to its handler (the table is in bot/application.py); returns what went wrong, if anything did."""

    async def hear(self, updates: Sequence[Mapping[str, Any]]) -> None:
        """Store updates; when this returns they may be confirmed. What is new is handled in the background, in order per chat."""
        usable = [update for update in map(readable, updates) if isinstance(update.get("update_id"), int)]
        if usable:
            fresh = set(await self._hall.store.write(store_updates, GATEWAY, usable))
            for update in usable:
                if str(update["update_id"]) in fresh:
                    self.handle_later(update)

    def handle_later(self, update: Mapping[str, Any]) -> None:
        if "pre_checkout_query" in update:  # answered within seconds or not at all: it waits behind nothing that the person said before
            self._begin(self._handle(update))
            return
        chat = _chat_of(update)
        lane = self._lanes.get(chat)
        if lane is not None:
            lane.append(update)
            return
        self._lanes[chat] = deque([update])
        self._begin(self._run_lane(chat))

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run_lane(self, chat: int) -> None:
        lane = self._lanes[chat]
        try:
            while lane:
                update = lane.popleft()
                async with self._room:
                    await self._handle(update)
        finally:
            del self._lanes[chat]

    async def again(self) -> int:
        """Updates that were stored and cut off by a crash."""
        for event in await self._hall.store.read(sweeps.due_events, (GATEWAY,), BATCH):
            self.handle_later(json.loads(event.raw))
        await self.drain()
        return 0

    async def drain(self, timeout_s: float = 10) -> None:
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_s)

    async def _handle(self, raw: Mapping[str, Any]) -> None:
        """One update to its end. Whatever goes wrong is written beside it: the update is taken up again."""
        key = str(raw["update_id"])
        try:
            update: Update = Update.de_json(dict(raw), self._bot)
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            _log.warning("update_unreadable", update_id=key, error=type(error).__name__)
            if tells_of_money(raw):  # we read it ourselves, and a person is told of what nobody can read
                await self._till.take(key)
            else:
                await self._hall.store.write(end_update, GATEWAY, key, "unreadable")
            return
        failure = await self.dispatch(update)
        if failure is not None:
            _log.error("update_failed", update_id=key, exc_info=failure)
            await self._hall.store.write(end_update, GATEWAY, key, type(failure).__name__)

    async def on_person(self, update: Update, _context: object = None) -> None:
        """A message or a press: one turn of the conversation."""
        user, chat, key = update.effective_user, update.effective_chat, str(update.update_id)
        heard = None
        if user is not None and chat is not None and not user.is_bot and chat.type == "private":
            heard = await self._heard(update, user, key)
        if heard is None:
            await self._hall.store.write(end_update, GATEWAY, key)
            return
        said = await self._hall.store.write(self._engine.turn, heard, GATEWAY)
        sending = [self._hall.spawn(send_attempt(self._hall.store, self._hall.gateways, attempt_id)) for attempt_id in said.attempts]
        if update.callback_query is not None:
            await self._answer_press(update.callback_query, said.toast)
        if said.conceal and said.person is not None and update.message is not None:
            await self._vault.conceal(heard.address, update.message.message_id, said.person)
        await self.speak(heard.address, said)
        self._vault.begin(heard.address, said)
        if sending:
            self._hall.spawn(self._show_page(heard.address, said, sending))

    async def _show_page(self, address: str, shown: Said, sending: Sequence[asyncio.Task[None]]) -> None:
        """The gateway answered with a page: the button that leads there comes by itself, if they still stand where they wait for it."""
        await asyncio.wait(sending)
        if shown.person is None or not await self._hall.store.read(_has_page, shown.attempts):
            return
        said = await self._hall.store.read(self._engine.again, shown.person, ChannelKind.TELEGRAM)
        if said.version == shown.version:
            await self.speak(address, said)

    async def on_pre_checkout(self, update: Update, _context: object = None) -> None:
        await self._till.answer(update)

    async def on_payment(self, update: Update, _context: object = None) -> None:
        await self._till.take(str(update.update_id))

    async def on_inline(self, update: Update, _context: object = None) -> None:
        if update.inline_query is not None:
            await self._inline(update.inline_query)
        await self._hall.store.write(end_update, GATEWAY, str(update.update_id))

    async def on_other(self, update: Update, _context: object = None) -> None:
        """A kind of update that says nothing to us: done with, so that it is not taken up again and again."""
        await self._hall.store.write(end_update, GATEWAY, str(update.update_id))

    async def on_membership(self, update: Update, _context: object = None) -> None:
        """The person blocked the bot, or took it back."""
        change = update.my_chat_member
        if change is not None and change.chat.type == "private" and change.new_chat_member.status in {"kicked", "left"}:
            await self._hall.store.write(_blocked, str(change.from_user.id))
        await self._hall.store.write(end_update, GATEWAY, str(update.update_id))

    async def _heard(self, update: Update, user: telegram.User, key: str) -> Heard | None:
        blank = Heard(ChannelKind.TELEGRAM, str(user.id), user.full_name, str(language_of(user.language_code)), key, Answer(Kind.OTHER))
        if update.callback_query is not None:
            return _pressed(blank, update.callback_query)
        message = update.message
        if message is None:
            return None
        if message.photo:
            return await self._photo(blank, message)
        if message.document is not None:
            return await self._document(blank, message.document, message.caption or "")
        return replace(blank, answer=_answer_of(message, user))

    async def _photo(self, blank: Heard, message: telegram.Message) -> Heard:
        """The photo is fetched and made anew before the turn: no network inside a unit of work."""
        with contextlib.suppress(telegram.error.TelegramError):  # a courtesy, which not every Bot API server has
            await self._bot.send_chat_action(message.chat_id, "upload_photo")
        file = await message.photo[-1].get_file()
        raw = bytes(await file.download_as_bytearray()) if (file.file_size or 0) <= MOST_DOWNLOAD else b""
        answer = Answer(Kind.PHOTO, message.caption or "")
        try:
            sizes = await self._pictures.sizes(raw)
        except BadInput:
            return replace(blank, answer=replace(answer, kind=Kind.OTHER))
        return replace(blank, answer=answer, pictures=(Picture(sizes),))

    async def _document(self, blank: Heard, sent: telegram.Document, caption: str) -> Heard:
        """A file, fetched before the turn. A picture sent as a file is a picture."""
        if (sent.file_size or 0) > MOST_DOWNLOAD:
            return replace(blank, answer=Answer(Kind.OTHER, caption))
        raw = bytes(await (await sent.get_file()).download_as_bytearray())
        if (sent.mime_type or "").startswith("image/"):
            with contextlib.suppress(BadInput):
                return replace(blank, answer=Answer(Kind.PHOTO, caption), pictures=(Picture(await self._pictures.sizes(raw)),))
        return replace(blank, answer=Answer(Kind.FILE, caption), document=Document(sent.file_name or "file", raw))

    async def _answer_press(self, query: telegram.CallbackQuery, toast: str) -> None:
        try:
            await query.answer(toast or None)
        except telegram.error.TelegramError as error:
            _log.info("press_not_answered", error=type(error).__name__)

    async def speak(self, address: str, said: Said) -> Sent | None:
        """Show a screen: in place of the message that was pressed where that is possible, as a new one otherwise."""
        if said.screen is None:
            if said.strip_ref is not None:
                await self._messenger.strip(address, said.strip_ref)
            return None
        if said.thanks:
            await self._messenger.send(address, Message(said.thanks, remove_keyboard=True))
        message = await self.message_of(said.screen, said.version)
        sent = await self._messenger.edit(address, said.replace_ref, message) if said.replace_ref is not None else None
        if sent is None or sent.delivery is Delivery.REFUSED:
            sent = await self._messenger.send(address, message)
        if sent.delivery is Delivery.SENT:
            await self._hall.store.write(delivered, said, ChannelKind.TELEGRAM, sent.ref or said.replace_ref)
        elif sent.delivery is Delivery.GONE and said.person is not None:
            await self._hall.store.write(channel_gone, said.person.id, ChannelKind.TELEGRAM)
        if said.strip_ref is not None and said.strip_ref != said.replace_ref:
            await self._messenger.strip(address, said.strip_ref)
        return sent

    async def message_of(self, screen: Screen, version: int) -> Message:
        picture = qr_picture(screen.qr) if screen.qr else await self._shot(screen.picture) if screen.picture is not None else None
        rows = tuple(tuple(_button(choice, version) for choice in row) for row in screen.rows)
        return Message(screen.text, rows, picture, ask_contact=screen.contact)

    async def _shot(self, file_id: FileId) -> bytes | None:
        """The bytes of a picture for a message, from a small cache (pictures never change)."""
        if file_id not in self._shots:
            body = await self._hall.store.read(_read_picture, file_id)
            while len(self._shots) >= 64:
                self._shots.pop(next(iter(self._shots)))
            self._shots[file_id] = body
        return self._shots[file_id]

    async def _inline(self, query: telegram.InlineQuery) -> None:
        """A product card for any chat: by code for everybody, by words for the seller's own links."""
        links = await self._hall.store.read(_inline_links, str(query.from_user.id), query.query)
        language = str(language_of(query.from_user.language_code))
        results = [self._card(link, shop, language) for link, shop in links]
        button = None
        if not results:
            button = telegram.InlineQueryResultsButton(words(language)("chat.inline.none"), start_parameter="sell")
        try:
            await query.answer(results, cache_time=5, is_personal=True, button=button)
        except telegram.error.TelegramError as error:
            _log.info("inline_not_answered", error=type(error).__name__)

    def _card(self, link: Link, shop: str, language: str) -> InlineQueryResultArticle:
        t, house = words(language), self._hall.house
        text = t.html("chat.inline.card", name=link.name, price=link.price, shop=shop)
        deep = f"https://t.me/{house.bot_username}?start={link.code}"
        keyboard = [
            [telegram.InlineKeyboardButton(t("chat.inline.buy", price=link.price), url=deep)],
            [telegram.InlineKeyboardButton(t("chat.inline.open"), url=f"{house.base_url}/buy/{link.code}")],
        ]
        return InlineQueryResultArticle(
            id=link.code,
            title=link.name,
            description=t.money(link.price),
            input_message_content=InputTextMessageContent(text, ParseMode.HTML, link_preview_options=LinkPreviewOptions(is_disabled=True)),
            reply_markup=telegram.InlineKeyboardMarkup(keyboard),
        )


async def _undispatched(update: Update) -> BaseException | None:
    return LookupError("the application was not built")


def _chat_of(update: Mapping[str, Any]) -> int:
    """Whose turn it is: the user's id where there is one, so that one person's messages and presses stay in order."""
    for kind, body in update.items():
        if kind != "update_id" and isinstance(body, Mapping):
            sender = body.get("from") or body.get("chat")
            number = sender.get("id") if isinstance(sender, Mapping) else None
            return number if isinstance(number, int) else 0
    return 0


def _answer_of(message: telegram.Message, user: telegram.User) -> Answer:
    if message.contact is not None:
        own = message.contact.user_id == user.id
        return Answer(Kind.CONTACT, f"+{message.contact.phone_number.lstrip('+')}") if own else Answer(Kind.OTHER)
    if message.location is not None:
        return Answer(Kind.PLACE, f"{message.location.latitude:.6f}, {message.location.longitude:.6f}")
    text = message.text or ""
    if text.startswith("/") and len(text) > 1:
        head, _, rest = text[1:].partition(" ")
        return Answer(Kind.COMMAND, head.split("@")[0][:64], rest[:200])
    return Answer(Kind.TEXT, text) if text else Answer(Kind.OTHER)


def _pressed(blank: Heard, query: telegram.CallbackQuery) -> Heard:
    """Button data is untrusted: `version.key` of a conversation, or `o:...` of a card. Anything else is an old button."""
    data, ref = query.data or "", ""
    if isinstance(query.message, telegram.Message):
        ref = f"{'p' if query.message.photo else 't'}:{query.message.message_id}"
    if data.startswith("o:"):
        return replace(blank, answer=Answer(Kind.CHOICE), thing=data, pressed_ref=ref)
    version, _, key = data.partition(".")
    number = int(version) if version.isascii() and version.isdigit() and len(version) < 10 else -1
    return replace(blank, answer=Answer(Kind.CHOICE, key), version=number, pressed_ref=ref)


def _button(choice: Choice, version: int) -> Button:
    if choice.key:
        return Button(choice.text, data=choice.key if choice.key.startswith("o:") else f"{version}.{choice.key}")
    return Button(choice.text, url=choice.url, copy=choice.copy, share=choice.share)


def qr_picture(text: str) -> bytes:
    """A PNG that phones read from paper and from screens."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(out, kind="png", scale=10, border=4)
    return out.getvalue()


def _has_page(unit: Unit, attempts: Sequence[AttemptId]) -> bool:
    return any(the_attempt(unit, attempt_id).url is not None for attempt_id in attempts)


def _read_picture(unit: Unit, file_id: FileId) -> bytes:
    return unit.files.get(file_id).body


def _blocked(unit: Unit, address: str) -> None:
    person = unit.people.by_address(ChannelKind.TELEGRAM, address)
    if person is not None:
        channel_gone(unit, person.id, ChannelKind.TELEGRAM)


def _inline_links(unit: Unit, address: str, query: str) -> list[tuple[Link, str]]:
    code = read_link_code(query)
    link = unit.links.by_code(code) if code is not None else None
    if link is not None:
        return [(link, unit.organizations.get(link.organization_id).name)]
    person = unit.people.by_address(ChannelKind.TELEGRAM, address)
    shops = unit.organizations.of_person(person.id) if person is not None else ()
    return [(link, shop.name) for shop in shops for link in unit.links.search(shop.id, query.strip(), 20)]
