"""Webhooks from a sale to somebody else's server, through the real doors: a town, a receiver of our own on loopback, a clock that is moved."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from domain.ids import WebhookEndpointId
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.webhook import Parcel
from tests.bot.town import Here, free_port, living_town
from usecases import webhooks
from usecases.api_keys import make_api_key

ROOT = Path(__file__).parents[2]


class Receiver:
    """Somebody's server: verifies by itself, and answers as a test says (200 when it says nothing)."""

    def __init__(self) -> None:
        self.secret = ""
        self.answers: list[int] = []
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.hangs: asyncio.Event | None = None
        self.url = ""

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        name, at = request.headers["webhook-id"], request.headers["webhook-timestamp"]
        key = base64.b64decode(self.secret.removeprefix("whsec_"))
        wanted = base64.b64encode(hmac.new(key, name.encode() + b"." + at.encode() + b"." + body, hashlib.sha256).digest()).decode()
        if f"v1,{wanted}" not in request.headers["webhook-signature"].split(" "):
            return web.Response(status=401)
        self.heard.append((name, json.loads(body)))
        if self.hangs is not None:
            await self.hangs.wait()
        return web.Response(status=self.answers.pop(0) if self.answers else 200, text="heard")

    @property
    def types(self) -> list[str]:
        return [body["type"] for _, body in self.heard]


@contextlib.asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hooks", receiver.receive)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    receiver.url = f"http://127.0.0.1:{port}/hooks"
    try:
        yield receiver
    finally:
        if receiver.hangs is not None:
            receiver.hangs.set()
        await runner.cleanup()


class Owner:
    """Amina with an API key."""

    def __init__(self, here: Here, session: aiohttp.ClientSession, key: str) -> None:
        self.here, self.session, self.key = here, session, key
        self.asked = 0

    async def ask(self, method: str, path: str, body: Any = None) -> Any:
        self.asked += 1
        headers = {"Authorization": f"Bearer {self.key}", "Idempotency-Key": f"k{self.asked}"}
        url = f"http://127.0.0.1:{self.here.streets.settings.port}/api/v1/webhooks{path}"
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            shown = await answer.json()
            assert answer.status < 300, shown
            return shown

    async def listen(self, receiver: Receiver, *types: str) -> str:
        made = await self.ask("POST", "", {"url": receiver.url, "types": list(types)})
        receiver.secret = made["secret"]
        return str(made["webhook"]["id"])

    async def log(self, webhook: str) -> list[dict[str, Any]]:
        """Oldest first."""
        return list(reversed((await self.ask("GET", f"/{webhook}/deliveries"))["deliveries"]))

    async def settle(self) -> None:
        await self.here.streets.settle()


def key_for(unit: Unit, link: str) -> str:
    found = unit.links.by_code(link)
    assert found is not None
    owner = next(member for member in unit.organizations.members(found.organization_id) if member.party is Party.OWNER)
    return make_api_key(unit, Actor(Party.OWNER, "web", owner.person_id, found.organization_id), "hooks")[1]


@contextlib.asynccontextmanager
async def shop(folder: Path, **settings: Any) -> AsyncIterator[Owner]:
    async with living_town(folder, **settings) as here, aiohttp.ClientSession() as session:
        yield Owner(here, session, await here.streets.house.hall.store.write(key_for, here.link))


async def test_a_sale_reaches_the_sellers_server_and_a_broken_one_is_tried_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """W30, K4: signed, with the same webhook-id each time, and in the log as it went."""
    async with receiving() as receiver, shop(tmp_path) as owner:
        webhook = await owner.listen(receiver)
        receiver.answers = [500, 302, 503]
        wanjiru = await owner.here.somebody("Wanjiru")
        number = await owner.here.sold(wanjiru)
        await owner.settle()
        (first,) = {name for name, body in receiver.heard if body["type"] == "order.paid"}
        for pause_s in (5, 300, 1800):
            await owner.here.wire.pass_time(pause_s)
            await owner.settle()
        paid = [(name, body) for name, body in receiver.heard if body["type"] == "order.paid"]
        assert {name for name, _ in paid} == {first} and len(paid) == 4
        assert len({json.dumps(body) for _, body in paid}) == 1, "the event is frozen"
        assert paid[0][1]["data"]["order"]["number"] == number
        (logged,) = [one for one in await owner.log(webhook) if one["type"] == "order.paid"]
        assert (logged["event"], logged["state"], logged["tries"], logged["status"], logged["answer"]) == (
            first,
            "DELIVERED",
            4,
            200,
            "heard",
        )
        assert logged["next_try_at"] is None
        shown = await owner.ask("GET", f"/{webhook}")
        assert shown["failing_since"] is None
        said = capsys.readouterr()
        assert receiver.secret not in said.out + said.err and "/hooks" not in said.err
        assert receiver.secret not in json.dumps(await owner.ask("GET", ""))


async def test_a_server_that_hangs_holds_up_nobody_else(tmp_path: Path) -> None:
    """W30."""
    async with receiving() as slow, receiving() as quick, shop(tmp_path) as owner:
        first, second = await owner.listen(slow), await owner.listen(quick)
        slow.hangs = asyncio.Event()
        for _ in range(3):
            await owner.ask("POST", f"/{first}/test")
        for _ in range(5):
            await owner.ask("POST", f"/{second}/test")
        for _ in range(100):
            if len(quick.heard) == 5:
                break
            await asyncio.sleep(0.05)
        assert len(quick.heard) == 5
        assert len(slow.heard) == 1, "one at a time"
        slow.hangs.set()
        await owner.settle()
        assert slow.types == ["ping"] * 3


async def test_gone_is_told_in_the_chat_and_replayed_when_it_is_back(tmp_path: Path) -> None:
    """W30."""
    async with receiving() as receiver, shop(tmp_path) as owner:
        webhook = await owner.listen(receiver)
        receiver.answers = [410]
        await owner.ask("POST", f"/{webhook}/test")
        await owner.settle()
        shown = await owner.ask("GET", f"/{webhook}")
        assert (shown["state"], shown["off_why"]) == ("DISABLED", "gone")
        await owner.settle()
        assert "it answered that it is gone for good" in (await owner.here.newest(owner.here.amina))["text"]
        (failed,) = await owner.log(webhook)
        await owner.ask("PATCH", f"/{webhook}", {"enabled": True})
        await owner.ask("POST", f"/deliveries/{failed['id']}/replay")
        await owner.settle()
        assert [name for name, _ in receiver.heard] == [failed["event"]] * 2
        receiver.answers = [400]
        await owner.ask("POST", f"/{webhook}/test")
        await owner.settle()
        await owner.here.wire.pass_time(timedelta(days=4).total_seconds())
        await owner.settle()
        assert {one["state"] for one in await owner.log(webhook)} == {"DELIVERED"}


async def test_a_crash_between_sending_and_writing_it_down_sends_again_with_the_same_id(tmp_path: Path) -> None:
    """K4: the process dies with the answer in its hands."""
    async with receiving() as receiver, shop(tmp_path) as owner:
        webhook = await owner.listen(receiver)
        store, post = owner.here.streets.house.hall.store, owner.here.streets.house.webhook_post
        (parcel,) = await store.write(_taken, int(webhook.removeprefix("we_"), 16))
        assert (await post.post(parcel.url, parcel.headers, parcel.body)).arrived
        await owner.settle()
        assert len(receiver.heard) == 1
        await owner.here.wire.pass_time(61)
        await owner.settle()
        assert [name for name, _ in receiver.heard] == [parcel.headers["webhook-id"]] * 2
        assert [one["state"] for one in await owner.log(webhook)] == ["DELIVERED"]


def _taken(unit: Unit, number: int) -> list[Parcel]:
    """Made and taken in one unit, so that the town's own worker does not get it."""
    endpoint = unit.webhooks.endpoint(WebhookEndpointId(number))
    assert endpoint is not None
    webhooks.ping(unit, Actor(Party.OWNER, "web", None, endpoint.organization_id), endpoint.id, "taken")
    return webhooks.claim_parcels(unit, 10)


async def test_the_receiver_in_the_documentation_works_as_it_stands(tmp_path: Path) -> None:
    """Its program is taken out of the page and run; it hears a ping, and refuses what is not signed."""
    page = (ROOT / "docs" / "webhooks.md").read_text("utf-8")
    (program,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len([line for line in program.splitlines() if line.strip()]) <= 24
    port = free_port()
    async with shop(tmp_path) as owner:
        made = await owner.ask("POST", "", {"url": f"http://127.0.0.1:{port}/payloom"})
        environment = {**os.environ, "WEBHOOK_SECRET": made["secret"], "PORT": str(port)}
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", program, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        try:
            await _answers(port)
            await owner.ask("POST", f"/{made['webhook']['id']}/test")
            assert process.stdout is not None
            assert (await asyncio.wait_for(process.stdout.readline(), 20)).decode().strip() == "ping"
            forged = {"webhook-id": "evt_1", "webhook-timestamp": "1", "webhook-signature": "v1,AAAA"}
            async with owner.session.post(f"http://127.0.0.1:{port}/", data=b"{}", headers=forged) as answer:
                assert answer.status == 401
            await owner.settle()
            assert [one["status"] for one in await owner.log(made["webhook"]["id"])] == [204]
        finally:
            process.kill()
            await process.wait()


async def _answers(port: int) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never began to listen")
