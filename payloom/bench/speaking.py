"""The two sides of the telegram bench, each in a process of its own: `python -m payloom.bench.speaking JSON`; the question is how many updates."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import telegram
from telegram import Update
from telegram.ext import Application, CallbackContext, MessageHandler, filters

from gateways.telegram_transport import AiohttpRequest
from payloom import log
from payloom.bench.process import Answer, serve
from payloom.migrate import migrate
from payloom.streets import town_settings
from payloom.wiring import build

TOKEN = "100200300:BENCH-TOKEN"  # noqa: S105 - of nobody's bot
PEOPLE = 500
_numbers = itertools.count(1)


def updates(count: int, text: str) -> list[bytes]:
    """As Telegram would spell them: one message each from people who are all different, until they begin again."""
    made = []
    for _ in range(count):
        number = next(_numbers)
        person = 7_000_000_000 + number % PEOPLE
        user = {"id": person, "is_bot": False, "first_name": "Amina", "language_code": "en"}
        message = {
            "message_id": number, "date": 1_770_000_000, "chat": {"id": person, "type": "private", "first_name": "Amina"}, "from": user,
            "text": text, "entities": [{"type": "bot_command", "offset": 0, "length": len(text)}],
        }  # fmt: skip
        made.append(json.dumps({"update_id": number, "message": message}).encode())
    return made


@contextlib.asynccontextmanager
async def open_house(asked: dict[str, Any]) -> AsyncIterator[tuple[int, Answer | None]]:
    """Ours: stored, answered in order per chat, the conversation kept. Ends when what was said is written down as said."""
    data, url = Path(asked["data"]), asked["database_url"]
    await asyncio.to_thread(migrate, url)
    given = {"telegram_api_base": asked["api"], "telegram_mode": "webhook", "telegram_webhook_secret": "0123456789abcdef"}
    built = build(town_settings(data, 0, url, **given), paced=False)
    await built.open_store()
    await built.open_doors("bot")
    await asyncio.sleep(0.5)

    async def answer(question: str) -> dict[str, Any]:
        made = updates(int(question), "/help")
        began_s = time.perf_counter()
        for at in range(0, len(made), 100):  # as many as Telegram gives at once
            await built.mouth.hear([json.loads(update) for update in made[at : at + 100]])
        await built.mouth.drain(120)
        return {"per_s": len(made) / (time.perf_counter() - began_s)}

    try:
        yield 0, answer
    finally:
        await built.close_doors()
        await built.close_store()


@contextlib.asynccontextmanager
async def open_ptb(asked: dict[str, Any]) -> AsyncIterator[tuple[int, Answer | None]]:
    """The floor: the library with one handler that answers, as many updates under way as ours may have, nothing stored."""
    builder = Application.builder().token(TOKEN).base_url(f"{asked['api']}/bot").updater(None).job_queue(None)
    if asked["transport"] == "ours":
        builder = builder.request(AiohttpRequest()).get_updates_request(AiohttpRequest(connections=1))
    application = builder.build()

    async def reply(update: Update, context: CallbackContext[Any, Any, Any, Any]) -> None:
        assert update.effective_chat is not None
        await context.bot.send_message(update.effective_chat.id, "Hello. What would you like to do?")

    application.add_handler(MessageHandler(filters.ALL, reply))
    await application.initialize()
    room = asyncio.Semaphore(asked["at_once"])

    async def handle(raw: bytes) -> None:
        async with room:
            await application.process_update(Update.de_json(json.loads(raw), application.bot))

    async def answer(question: str) -> dict[str, Any]:
        made = updates(int(question), "/help")
        began_s = time.perf_counter()
        await asyncio.gather(*(handle(raw) for raw in made))
        return {"per_s": len(made) / (time.perf_counter() - began_s)}

    try:
        yield 0, answer
    finally:
        await application.shutdown()


def main(text: str) -> None:
    asked = json.loads(text)
    log.configure(level="error")
    serve(lambda: open_ptb(asked) if asked["side"] == "ptb" else open_house(asked), uvloop=asked.get("uvloop", True))


if __name__ == "__main__":
    assert telegram.__version__
    main(sys.argv[1])
