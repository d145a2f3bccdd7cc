"""Both sides of a running town for the tests of its Telegram: the bot, its webhook, and the people."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from PIL import Image

from town.application import Town
from town.core import Core

Json = dict[str, Any]


class Sides:
    """A running town with both sides: `bot` calls methods, `act` and `look` are people."""

    def __init__(self, town: Town, server: TestServer, http: aiohttp.ClientSession) -> None:
        self.town, self.server, self.http = town, server, http
        self.root = str(server.make_url("")).rstrip("/")

    async def bot(self, method: str, /, **parameters: Any) -> Json:
        async with self.http.post(f"{self.root}/town/telegram/bot{self.town.telegram.bot_token}/{method}", json=parameters) as answer:
            body: Json = await answer.json()
            assert body["ok"] is (answer.status == 200)
            assert body["ok"] or body["error_code"] == answer.status
            return body

    async def ok(self, method: str, /, **parameters: Any) -> Any:
        body = await self.bot(method, **parameters)
        assert body["ok"], body
        return body["result"]

    async def refused(self, method: str, /, **parameters: Any) -> str:
        body = await self.bot(method, **parameters)
        assert not body["ok"], body
        return f"{body['error_code']} {body['description']}"

    async def act(self, user: int, what: str, status: int = 200, /, **fields: Any) -> Any:
        async with self.http.post(f"{self.root}/town/api/telegram/{user}/{what}", json=fields) as answer:
            body = await answer.json()
            assert answer.status == status, body
            return body

    async def look(self, user: int, what: str, **query: Any) -> Any:
        async with self.http.get(f"{self.root}/town/api/telegram/{user}/{what}", params=query) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()


@asynccontextmanager
async def running_town() -> AsyncIterator[Sides]:
    """A town on a free loopback port, and nothing left of it afterwards."""
    town = Town(Core(seed=1))
    server = TestServer(town.application())
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        try:
            yield Sides(town, server, http)
        finally:
            await server.close()


class Hook:
    """A bot's webhook: answers with `statuses` in turn (200 when used up) and keeps what came."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.got: list[Json] = []
        self.secrets: list[str | None] = []
        self.reply: Json | None = None
        self.arrived = asyncio.Event()
        app = web.Application()
        app.router.add_post("/hook", self.take)
        self.server = TestServer(app)

    async def take(self, request: web.Request) -> web.Response:
        status = self.statuses.pop(0) if self.statuses else 200
        if status == 200:
            self.got.append(await request.json())
            self.arrived.set()
        self.secrets.append(request.headers.get("X-Telegram-Bot-Api-Secret-Token"))
        return web.json_response(self.reply or {}, status=status)

    async def until(self, count: int) -> list[Json]:
        async with asyncio.timeout(5):
            while len(self.got) < count:
                self.arrived.clear()
                await self.arrived.wait()
        return self.got


def picture(width: int = 60, height: int = 40) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), "red").save(out, "JPEG")
    return out.getvalue()
