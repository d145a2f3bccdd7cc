"""The python-telegram-bot Application: its handler table in one literal, and how updates reach it (polling or webhook)."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import structlog
import telegram
from telegram import BotCommand, BotCommandScopeAllPrivateChats, Update
from telegram.error import BadRequest, EndPointNotFound, InvalidToken, RetryAfter, TelegramError
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    ChatMemberHandler,
    InlineQueryHandler,
    MessageHandler,
    PreCheckoutQueryHandler,
    TypeHandler,
    filters,
)
from telegram.request import BaseRequest

from bot.commands import COMMANDS_SELLER
from bot.mouths.telegram import TelegramMouth
from bot.mouths.updates import readable
from templates.words import LANGUAGES, words

ALLOWED = ("message", "callback_query", "inline_query", "my_chat_member", "pre_checkout_query")
POLL_S = 20
AT_ONCE_S = 0.5
COMMANDS_TRIES = 8
_FINAL = (InvalidToken, EndPointNotFound)
_UNREADABLE = (KeyError, TypeError, ValueError, AttributeError)
"""What comes of an answer that lacks what the documentation promises."""
_log = structlog.get_logger("telegram")


def _seconds(wait: int | timedelta) -> float:
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def _say_if_failed(task: asyncio.Task[None]) -> None:
    """Nobody waits for the door: what ends it must not go unsaid, nor keep the house from closing."""
    if not task.cancelled() and (problem := task.exception()) is not None:
        _log.error("telegram_door_failed", exc_info=problem)


def build_application(bot: telegram.Bot, mouth: TelegramMouth) -> Application[Any, Any, Any, Any, Any, Any]:
    """The handler table. Conversations are ours (bot/engine.py); the library carries updates to the right verb."""
    application = Application.builder().bot(bot).updater(None).job_queue(None).build()
    application.add_handlers(
        [
            PreCheckoutQueryHandler(mouth.on_pre_checkout),
            MessageHandler(filters.SUCCESSFUL_PAYMENT | filters.StatusUpdate.REFUNDED_PAYMENT, mouth.on_payment),
            MessageHandler(filters.UpdateType.MESSAGE, mouth.on_person),
            CallbackQueryHandler(mouth.on_person),
            InlineQueryHandler(mouth.on_inline),
            ChatMemberHandler(mouth.on_membership, ChatMemberHandler.MY_CHAT_MEMBER),
            TypeHandler(Update, mouth.on_other),
        ]
    )
    failed: dict[int, BaseException] = {}

    async def note_failure(update: object, context: CallbackContext[Any, Any, Any, Any]) -> None:
        if isinstance(update, Update) and context.error is not None:
            failed[update.update_id] = context.error

    async def dispatch(update: Update) -> BaseException | None:
        await application.process_update(update)
        return failed.pop(update.update_id, None)

    application.add_error_handler(note_failure)
    mouth.dispatch = dispatch
    return application


class TelegramDoor:
    """Receives updates; `polling` is the transport that waits for them. `mode` is `polling` or `webhook`; in webhook mode the web door hands them over through `receive`.

    Telegram is told the first of `webhook_secrets`; an update may show any of them, so that they can be changed without losing one.
    """

    def __init__(
        self, bot: telegram.Bot, polling: BaseRequest, mouth: TelegramMouth, *, mode: str, webhook_url: str, webhook_secrets: Sequence[str]
    ) -> None:
        self._bot = bot
        self._polling = polling
        self._mouth = mouth
        self._application = build_application(bot, mouth)
        self._mode = mode
        self._webhook_url = webhook_url
        self._webhook_secrets = tuple(webhook_secrets)
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Log in, tell Telegram the commands of each language, and start to listen. Telegram being away does not stop the house."""
        self._task = asyncio.get_running_loop().create_task(self._begin())
        self._task.add_done_callback(_say_if_failed)

    async def _begin(self) -> None:
        await self._until_done(self._application.initialize)
        if self._mode == "webhook":
            await self._if_known("setWebhook", self._set_webhook, "updates come only if they are sent to our address some other way")
        else:
            await self._if_known("deleteWebhook", self._delete_webhook, "updates are asked for all the same")
        async with asyncio.TaskGroup() as both:
            both.create_task(self._if_known("setMyCommands", self._tell_commands, "the menu of commands is not shown", COMMANDS_TRIES))
            if self._mode == "polling":
                both.create_task(self._poll())

    async def _until_done(self, act: Callable[[], Awaitable[object]], tries: int = 0, final: tuple[type[TelegramError], ...] = ()) -> None:
        """Again and again while Telegram is away; what is `final`, and the last of `tries`, is raised."""
        wait_s, left = 1.0, tries
        while True:
            left -= 1
            try:
                await act()
                return
            except (TelegramError, *_UNREADABLE) as error:
                if isinstance(error, final) or left == 0:
                    raise
                _log.warning("telegram_away", error=type(error).__name__)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 60)

    async def _if_known(self, method: str, act: Callable[[], Awaitable[None]], instead: str, tries: int = 0) -> None:
        """A server that does not know the method says so as it would of a wrong token; but ours was good a moment ago."""
        try:
            await self._until_done(act, tries, _FINAL if tries == 0 else (*_FINAL, BadRequest))
        except (TelegramError, *_UNREADABLE) as error:
            _log.warning("telegram_lacks", method=method, error=type(error).__name__, instead=instead)

    async def _tell_commands(self) -> None:
        for language in LANGUAGES:
            t = words(language)
            commands = [BotCommand(name, t(f"chat.command.{name}")) for name in COMMANDS_SELLER]
            code = None if language == "en" else language
            await self._bot.set_my_commands(commands, scope=BotCommandScopeAllPrivateChats(), language_code=code)

    async def _set_webhook(self) -> None:
        await self._bot.set_webhook(self._webhook_url, allowed_updates=ALLOWED, secret_token=self._webhook_secrets[0])

    async def _delete_webhook(self) -> None:
        await self._bot.delete_webhook(drop_pending_updates=False)

    async def _poll(self) -> None:
        """Ask, store, and only then confirm by asking for the next: a crash in between makes Telegram send them again."""
        offset, loop = 0, asyncio.get_running_loop()
        while True:
            asked_at_s = loop.time()
            try:
                updates = await self._updates(offset)
            except RetryAfter as told:
                await asyncio.sleep(_seconds(told.retry_after))
                continue
            except (TelegramError, *_UNREADABLE) as error:
                _log.info("poll_failed", error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            try:
                await self._mouth.hear(updates)
            except Exception:  # noqa: BLE001 - nothing was confirmed: whatever went wrong, they are asked for again
                _log.exception("updates_not_stored")
                await asyncio.sleep(1)
                continue
            newest = max((update["update_id"] for update in updates), default=-1)
            if newest >= offset:
                offset = newest + 1
            elif loop.time() - asked_at_s < AT_ONCE_S:  # it does not hold the question until there is something, as Telegram does
                await asyncio.sleep(AT_ONCE_S)

    async def _updates(self, offset: int) -> list[dict[str, Any]]:
        """Unparsed, for the inbox; what has no number cannot be confirmed and is left out."""
        asked = urlencode({"offset": offset, "timeout": POLL_S, "allowed_updates": json.dumps(ALLOWED)})
        answer: Any = await self._polling.post(f"{self._bot.base_url}/getUpdates?{asked}", read_timeout=POLL_S + 10)
        updates = [readable(update) for update in answer]
        return [update for update in updates if isinstance(update.get("update_id"), int)]

    async def receive(self, update: Mapping[str, Any], secret: str) -> bool:
        """From the webhook. False when the secret header is none of ours; when it returns True the update is stored."""
        genuine = [hmac.compare_digest(secret.encode(), ours.encode()) for ours in self._webhook_secrets]
        if not any(genuine):
            return False
        await self._mouth.hear([update])
        return True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task})
        await self._mouth.drain()
        await self._application.shutdown()
        for transport in (self._polling, self._bot.request):  # the library leaves them open when it was stopped while it logged in
            await transport.shutdown()
