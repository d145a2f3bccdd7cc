"""The whole town: every provider around one core, their routes, the control API and the page."""

from __future__ import annotations

import asyncio
from pathlib import Path

from aiohttp import web

from town.acquirers import Acquirers, Merchant
from town.africastalking import AfricasTalking, Subscription
from town.control import Control
from town.core import Core
from town.daraja import Daraja
from town.mail import MailServer
from town.mail.returns import Returns
from town.phones import Phones
from town.telegram import BotApi, Telegram
from town.telegram.api import BODY_LIMIT
from town.telegram.memory import load, save

SAVED_EVERY_S = 2.0
PAGE = Path(__file__).parent / "page"
TYPES = {
    ".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".mjs": "text/javascript", ".svg": "image/svg+xml",
    ".png": "image/png", ".jpg": "image/jpeg", ".webp": "image/webp", ".ico": "image/x-icon", ".json": "application/json",
    ".woff2": "font/woff2", ".webmanifest": "application/manifest+json",
}  # fmt: skip
DEFAULT_TOKEN = "100200300:TOWN-TOKEN-not-a-secret-0000000000000"


class Town:
    """One town. `routes()` can be mounted into any aiohttp application; whoever does calls `start` and `stop`.

    With `keep`, a file, its providers, the phones and the clock are as they were left when the town starts again.
    Without `africastalking` no USSD code is answered and no SMS is taken; phones still write to each other. `mail_returns` is where reports
    about letters go that did not arrive. `merchant` is the house at the providers of cards and wallets.
    """

    def __init__(
        self,
        core: Core,
        bot_token: str = DEFAULT_TOKEN,
        bot_username: str = "payloom_bot",
        public_url: str = "",
        keep: Path | None = None,
        africastalking: Subscription | None = None,
        mail_returns: str = "",
        merchant: Merchant | None = None,
    ) -> None:
        self.core = core
        self.public_url = public_url.rstrip("/")
        self.keep = keep
        self._saving: asyncio.Task[None] | None = None
        self.telegram = Telegram(core, bot_token, bot_username)
        self.bot_api = BotApi(self.telegram)
        self.phones = Phones(core)
        self.daraja = Daraja(core, self.phones)
        self.africastalking = AfricasTalking(core, self.phones, africastalking)
        self.acquirers = Acquirers(core, self.public_url, merchant)
        self.mail = MailServer(core)
        self._returns = Returns(mail_returns) if mail_returns else None
        self.mail.bounced = self._returns
        states = {"phones": self.phones.state, "daraja": self.daraja.state, "mail": self.mail.state, **self.acquirers.states}
        if africastalking is not None:
            states["africastalking"] = self.africastalking.state
        self.control = Control(core, self.telegram, states)

    @property
    def bot_api_base(self) -> str:
        """What a Bot API client takes as base address: the token is appended directly."""
        return f"{self.public_url}/town/telegram/bot"

    @property
    def file_api_base(self) -> str:
        """The same for downloading files."""
        return f"{self.public_url}/town/telegram/file/bot"

    @property
    def africastalking_base(self) -> str:
        """What a client of Africa's Talking takes instead of `https://api.africastalking.com`."""
        return f"{self.public_url}/town/africastalking"

    def routes(self) -> list[web.AbstractRouteDef]:
        providers = (self.bot_api, self.control, self.phones, self.daraja, self.africastalking, self.acquirers, self.mail)
        routes = [route for provider in providers for route in provider.routes()]
        return [*routes, web.get("/town", _page), web.get("/town/", _to_page), web.get("/town/static/{name}", _static)]

    def application(self) -> web.Application:
        """The town alone, as an application that starts and stops it."""
        application = web.Application(client_max_size=BODY_LIMIT)
        application.add_routes(self.routes())

        async def begin(_: web.Application) -> None:
            await self.start()

        async def end(_: web.Application) -> None:
            await self.stop()

        application.on_startup.append(begin)
        application.on_shutdown.append(end)
        return application

    async def start(self) -> None:
        """Take up what was kept and begin the background work of the providers."""
        self.control.closing = False
        self.telegram.updates.open()
        if self.keep is not None:
            load(self.telegram, self.keep)
            self.daraja.load(_money(self.keep))
            self.africastalking.load(_messages(self.keep))
            self.mail.inboxes.load(_letters(self.keep))
            self._saving = asyncio.get_running_loop().create_task(self._save_now_and_then(self.keep))
        await self.acquirers.start(self.keep)
        await self.daraja.start()
        await self.africastalking.start()
        await self.mail.start()
        if self._returns is not None:
            await self._returns.start()

    async def stop(self) -> None:
        """End everything that waits or delivers: polls, streams, webhooks, call-backs. Safe to repeat."""
        self.control.close()
        await self.telegram.close()
        if self._saving is not None and self.keep is not None:
            self._saving.cancel()
            self._saving = None
            self._save(self.keep)
        await self.acquirers.stop()
        await self.daraja.stop()
        await self.africastalking.stop()
        await self.mail.stop()
        if self._returns is not None:
            await self._returns.stop()

    async def _save_now_and_then(self, keep: Path) -> None:
        """So that even a town that is killed loses only the last seconds."""
        while True:
            if await self.core.journal.wait(60):
                await asyncio.sleep(SAVED_EVERY_S)
                self._save(keep)

    def _save(self, keep: Path) -> None:
        save(self.telegram, keep)
        self.acquirers.save(keep)
        self.daraja.save(_money(keep))
        self.africastalking.save(_messages(keep))
        self.mail.inboxes.save(_letters(keep))


def _money(keep: Path) -> Path:
    return keep.with_suffix(".daraja.json")


def _messages(keep: Path) -> Path:
    return keep.with_suffix(".africastalking.json")


def _letters(keep: Path) -> Path:
    return keep.with_suffix(".mail.json")


def _file(name: str) -> web.Response:
    """A file of the page, by a name that stands in its folder."""
    path = next((path for path in PAGE.iterdir() if path.name == name), None) if PAGE.is_dir() else None
    if path is None or path.suffix not in TYPES or not path.is_file():
        return web.Response(status=404, text="There is no such page in the town.")
    charset = "utf-8" if TYPES[path.suffix].startswith("text/") else None
    headers = {"Cache-Control": "no-cache", "X-Content-Type-Options": "nosniff"}
    return web.Response(body=path.read_bytes(), content_type=TYPES[path.suffix], charset=charset, headers=headers)


async def _page(request: web.Request) -> web.Response:
    return _file("index.html")


async def _to_page(request: web.Request) -> web.Response:
    raise web.HTTPFound("/town")


async def _static(request: web.Request) -> web.Response:
    return _file(request.match_info["name"])
