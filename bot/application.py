"""The python-telegram-bot Application: its handler table in one literal, and how updates reach it (polling or webhook)."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import structlog
import telegram
from telegram import BotCommand, BotCommandScopeAllPrivateChats, Update
from telegram.error import RetryAfter, TelegramError
from telegram.ext import (
    Application,
    CallbackContext,
    CallbackQueryHandler,
    ChatMemberHandler,
    InlineQueryHandler,
    MessageHandler,
    TypeHandler,
    filters,
)
from telegram.request import BaseRequest

from bot.commands import COMMANDS_SELLER
from bot.mouths.telegram import TelegramMouth
from templates.words import LANGUAGES, words

ALLOWED = ("message", "callback_query", "inline_query", "my_chat_member")
POLL_S = 20
_log = structlog.get_logger("telegram")


def _seconds(wait: int | timedelta) -> float:
    return wait.total_seconds() if isinstance(wait, timedelta) else float(wait)


def build_application(bot: telegram.Bot, mouth: TelegramMouth) -> Application[Any, Any, Any, Any, Any, Any]:
    """The handler table. Conversations are ours (bot/engine.py); the library carries updates to the right verb."""
    application = Application.builder().bot(bot).updater(None).job_queue(None).build()
    application.add_handlers(
        [
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
    """Receives updates; `polling` is the transport that waits for them. `mode` is `polling` or `webhook`; in webhook mode the web door hands them over through `receive`."""

    def __init__(
        self, bot: telegram.Bot, polling: BaseRequest, mouth: TelegramMouth, *, mode: str, webhook_url: str, webhook_secret: str
    ) -> None:
        self._bot = bot
        self._polling = polling
        self._mouth = mouth
        self._application = build_application(bot, mouth)
        self._mode = mode
        self._webhook_url = webhook_url
        self._webhook_secret = webhook_secret
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Log in, tell Telegram the commands of each language, and start to listen. Telegram being away does not stop the house."""
        self._task = asyncio.get_running_loop().create_task(self._begin())

    async def _begin(self) -> None:
        wait = 1.0
        while True:
            try:
                await self._introduce()
                break
            except TelegramError as error:
                _log.warning("telegram_away", error=type(error).__name__)
                await asyncio.sleep(wait)
                wait = min(wait * 2, 60)
        if self._mode == "polling":
            await self._poll()

    async def _introduce(self) -> None:
        await self._application.initialize()
        for language in LANGUAGES:
            t = words(language)
            commands = [BotCommand(name, t(f"chat.command.{name}")) for name in COMMANDS_SELLER]
            code = None if language == "en" else language
            await self._bot.set_my_commands(commands, scope=BotCommandScopeAllPrivateChats(), language_code=code)
        if self._mode == "webhook":
            await self._bot.set_webhook(self._webhook_url, allowed_updates=ALLOWED, secret_token=self._webhook_secret)
        else:
            await self._bot.delete_webhook(drop_pending_updates=False)

    async def _poll(self) -> None:
        """Ask, store, and only then confirm by asking for the next: a crash in between makes Telegram send them again."""
        offset = 0
        while True:
            try:
                updates: list[dict[str, Any]] = await self._updates(offset)
            except RetryAfter as told:
                await asyncio.sleep(_seconds(told.retry_after))
                continue
            except TelegramError as error:
                _log.info("poll_failed", error=type(error).__name__)
                await asyncio.sleep(1)
                continue
            try:
                await self._mouth.hear(updates)
            except Exception:  # noqa: BLE001 - nothing was confirmed: whatever went wrong, they are asked for again
                _log.exception("updates_not_stored")
                await asyncio.sleep(1)
                continue
            if updates:
                offset = int(updates[-1]["update_id"]) + 1

    async def _updates(self, offset: int) -> list[dict[str, Any]]:
        """As Telegram wrote them, unparsed, for the inbox."""
        asked = urlencode({"offset": offset, "timeout": POLL_S, "allowed_updates": json.dumps(ALLOWED)})
        answer: Any = await self._polling.post(f"{self._bot.base_url}/getUpdates?{asked}", read_timeout=POLL_S + 10)
        return list(answer)

    async def receive(self, update: Mapping[str, Any], secret: str) -> bool:
        """From the webhook. False when the secret header is not ours; when it returns True the update is stored."""
        if not hmac.compare_digest(secret.encode(), self._webhook_secret.encode()):
            return False
        await self._mouth.hear([update])
        return True

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        await self._mouth.drain()
        await self._application.shutdown()
        for transport in (self._polling, self._bot.request):  # the library leaves them open when it was stopped while it logged in
            await transport.shutdown()
