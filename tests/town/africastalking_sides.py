"""Both sides of the town's Africa's Talking: a product that listens, and the people with their phones."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from town.africastalking import Subscription
from town.application import Town
from town.core import Core, Fault

Form = dict[str, str]
PHONE = "254712345678"
KEY = "town-africastalking-key"
JSON = {"apiKey": KEY, "Accept": "application/json"}


class Product:
    """Stands for us. Notes what is posted, by path; answers USSD with `replies` in turn, and everything else with `statuses`."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Form]] = []
        self.headers: list[dict[str, str]] = []
        self.replies: list[str | bytes | int] = []
        self.statuses: list[int] = []
        self.label = ""
        self.waits_s = 0.0
        self._arrived = asyncio.Event()
        application = web.Application()
        application.router.add_post("/ussd/s3cret", self._ussd)
        for path in ("/ussd/s3cret/events", "/sms/s3cret/inbound", "/sms/s3cret/delivery"):
            application.router.add_post(path, self._take)
        self.server = TestServer(application)

    async def _note(self, request: web.Request) -> None:
        assert request.content_type == "application/x-www-form-urlencoded"
        form = {name: str(value) for name, value in (await request.post()).items()}
        self.heard.append((request.path.removeprefix("/").replace("/s3cret", ""), form))
        self.headers.append(dict(request.headers))
        self._arrived.set()

    async def _ussd(self, request: web.Request) -> web.Response:
        await self._note(request)
        await asyncio.sleep(self.waits_s)
        reply = self.replies.pop(0) if self.replies else "CON Again?"
        headers = {"at-ussd-hop-metadata": self.label} if self.label else None
        if isinstance(reply, int):
            return web.Response(status=reply)
        return web.Response(body=reply.encode() if isinstance(reply, str) else reply, content_type="text/plain", headers=headers)

    async def _take(self, request: web.Request) -> web.Response:
        await self._note(request)
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    def forms(self, kind: str) -> list[Form]:
        """What came to `ussd`, `ussd/events`, `sms/inbound` or `sms/delivery`."""
        return [form for heard, form in self.heard if heard == kind]

    async def until(self, kind: str, count: int = 1) -> list[Form]:
        async with asyncio.timeout(5):
            while len(self.forms(kind)) < count:
                self._arrived.clear()
                await self._arrived.wait()
        return self.forms(kind)


class Sides:
    """The town, the product it calls, and somebody with phones."""

    def __init__(self, town: Town, product: Product, root: str, http: aiohttp.ClientSession) -> None:
        self.town = town
        self.product = product
        self.root = root
        self.http = http

    def plant(self, fault: str, times: int = 1, **detail: Any) -> None:
        self.town.core.faults.plant(Fault("africastalking", fault, times, detail))

    async def act(self, what: str, status: int = 200, phone: str = PHONE, /, **fields: Any) -> Any:
        async with self.http.post(f"{self.root}/town/api/phone/{phone}/{what}", json=fields) as answer:
            body = await answer.json()
            assert answer.status == status, body
            return body

    async def phone(self, phone: str = PHONE) -> Any:
        async with self.http.get(f"{self.root}/town/api/phone/{phone}") as answer:
            return await answer.json()

    async def text(self, to: str = f"+{PHONE}", **fields: Any) -> Any:
        """The product sends an SMS; gives SMSMessageData."""
        form = {"username": "payloom", "to": to, "message": "Hello", **fields}
        async with self.http.post(f"{self.root}/town/africastalking/version1/messaging", data=form, headers=JSON) as answer:
            assert answer.status == 201, await answer.text()
            return (await answer.json())["SMSMessageData"]

    def journal(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.town.core.journal.since(0) if event["kind"] == kind]

    async def until_noted(self, kind: str, count: int) -> None:
        async with asyncio.timeout(5):
            while len(self.journal(kind)) < count:
                await self.town.core.journal.wait(5)


@asynccontextmanager
async def running_sides(keep: Path | None = None) -> AsyncIterator[Sides]:
    """A town on a free loopback port that tells its product everything; nothing is left of them afterwards."""
    product = Product()
    await product.server.start_server()
    base = str(product.server.make_url("")).rstrip("/")
    subscription = Subscription(
        ussd_url=f"{base}/ussd/s3cret",
        ussd_events_url=f"{base}/ussd/s3cret/events",
        sms_inbound_url=f"{base}/sms/s3cret/inbound",
        sms_delivery_url=f"{base}/sms/s3cret/delivery",
        username="payloom",
        api_key=KEY,
    )
    town = Town(Core(seed=1), keep=keep, africastalking=subscription)
    server = TestServer(town.application())
    await server.start_server()
    async with aiohttp.ClientSession() as http:
        try:
            yield Sides(town, product, str(server.make_url("")).rstrip("/"), http)
        finally:
            await server.close()
            await product.server.close()
