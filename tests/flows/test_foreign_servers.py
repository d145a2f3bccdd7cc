"""The product as it is started, driven against a Bot API server, a Daraja and a Stripe that share nothing with the town: only settings differ."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import pytest
from aiohttp import web

from templates.words import words
from tests.cli.ground import end, free_port, payloom, running, settings
from tests.foreign.daraja import Mpesa
from tests.foreign.stripe import Cards
from tests.foreign.telegram import BotApi

Found = TypeVar("Found")
T = words("en")
TOKEN, KEY, SECRET, PASSKEY = "987654:elsewhere", "their-key", "their-secret", "their-passkey"
CARDS_KEY, CARDS_SECRET = "sk_test_of_another_server", "whsec_of_another_server"
AMINA, BRIAN = 71, 72
KEY_FIELD = re.compile(r'name="key" value="([0-9a-f]+)"')


@dataclass
class Abroad:
    """The house, as a process, and the servers it was pointed at."""

    api: BotApi
    mpesa: Mpesa
    cards: Cards
    base: str
    env: dict[str, str]
    folder: Path
    browser: aiohttp.ClientSession

    @property
    def log(self) -> str:
        return (self.folder / "running.log").read_text()

    def logged(self, name: str) -> list[dict[str, Any]]:
        events = [json.loads(line) for line in self.log.splitlines() if line.startswith("{")]
        return [event for event in events if event["event"] == name]

    def lacks(self) -> list[str]:
        return [event["method"] for event in self.logged("telegram_lacks")]

    async def introduced(self) -> bool | None:
        return "setMyCommands" in self.api.asked or None

    async def hears(self, who: int, *said: str) -> dict[str, Any]:
        """The newest message of the bot to them that holds all of this."""

        async def heard() -> dict[str, Any] | None:
            mine = [one for one in reversed(self.api.chats[who]) if one["from"] == "bot"]
            return next((one for one in mine if all(part in one["text"] for part in said)), None)

        return await self.until(heard, f"{said} in {self.api.chats[who][-3:]}")

    async def presses(self, who: int, label: str, on: str = "") -> None:
        async def shown() -> tuple[dict[str, Any], str] | None:
            for message in reversed(self.api.chats[who]):
                rows = message["reply_markup"].get("inline_keyboard", []) if on in message["text"] else []
                for button in [one for row in rows for one in row]:
                    if button["text"] == label:
                        return message, button["callback_data"]
            return None

        message, data = await self.until(shown, f"a button {label} in {self.api.chats[who][-3:]}")
        await self.api.presses(who, message, data)

    async def until(self, true: Callable[[], Awaitable[Found | None]], what: str, within_s: float = 20) -> Found:
        over = time.monotonic() + within_s
        while (found := await true()) is None:
            assert time.monotonic() < over, f"{what}\n{self.log[-3000:]}"
            await asyncio.sleep(0.02)
        return found

    async def page(self, path: str) -> tuple[str, str]:
        async with self.browser.get(self.base + path) as answer:
            assert answer.status == 200, await answer.text()
            return answer.url.path, await answer.text()

    async def sends(self, path: str, **form: str) -> str:
        """Where the browser is after the form."""
        async with self.browser.post(self.base + path, data=form, headers={"Origin": self.base}) as answer:
            assert answer.status == 200, await answer.text()
            return answer.url.path


@asynccontextmanager
async def abroad(folder: Path, database_url: str, *, loose: bool = False, **more: str) -> AsyncIterator[Abroad]:
    api, mpesa, port = BotApi(TOKEN, loose=loose), Mpesa(KEY, SECRET, PASSKEY, loose=loose), free_port()
    cards = Cards(CARDS_KEY, CARDS_SECRET, f"http://127.0.0.1:{port}/api/stripe/webhook", loose=loose)
    application = web.Application()
    application.add_routes([*api.routes("/mirrors/telegram"), *mpesa.routes("/mirrors/money/v9"), *cards.routes("/mirrors/cards")])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    there, base = f"http://127.0.0.1:{runner.addresses[0][1]}/mirrors", f"http://127.0.0.1:{port}"
    env = settings(
        database_url, port=str(port), base_url=base, log_format="json", telegram_token=TOKEN, telegram_api_base=f"{there}/telegram/",
        telegram_username="elsewhere_bot", mpesa_api_base=f"{there}/money/v9/", mpesa_consumer_key=KEY, mpesa_consumer_secret=SECRET,
        mpesa_passkey=PASSKEY, mpesa_short_code="600001", stripe_api_base=f"{there}/cards/", stripe_secret_key=CARDS_KEY,
        stripe_webhook_secret=CARDS_SECRET, **more,
    )  # fmt: skip
    house = running("run", "all", env=env, cwd=folder, port=port)
    try:
        process = await asyncio.to_thread(house.__enter__)
        try:
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as browser:
                here = Abroad(api, mpesa, cards, base, env, folder, browser)
                await here.until(here.introduced, "the bot introduces itself")
                yield here
            assert await asyncio.to_thread(end, process) == 0
        finally:
            house.__exit__(None, None, None)
    finally:
        await runner.cleanup()


async def opens_shop(here: Abroad) -> str:
    """From the first word to a link; its code."""
    await here.api.says(AMINA, "/start")
    await here.presses(AMINA, "English")
    await here.presses(AMINA, T("chat.do.i_sell"))
    await here.hears(AMINA, T("chat.start.shop"))
    await here.api.says(AMINA, "Mama Amina Shoes")
    await here.until(lambda: keyboard(here, AMINA), "the button that shares a number")
    await here.api.shares(AMINA, "+254722000071")
    await here.hears(AMINA, T("chat.start.ready"))
    await here.api.says(AMINA, "Red sneakers 2500")
    await here.presses(AMINA, T("chat.do.create"))
    made = await here.hears(AMINA, "/buy/PL-")
    await here.presses(AMINA, T("chat.do.qr"))
    await here.hears(AMINA, "Print it or show it")
    return str(re.findall(r"/buy/(PL-\w{5})", made["text"])[0])


async def keyboard(here: Abroad, who: int) -> str | None:
    rows = here.api.chats[who][-1]["reply_markup"].get("keyboard", []) if here.api.chats[who] else []
    return next((button["text"] for row in rows for button in row if button.get("request_contact")), None)


async def buys(here: Abroad, code: str, *, calls: bool = True) -> str:
    """On the web, with the right PIN; the path of the tracking page."""
    _, form = await here.page(f"/buy/{code}")
    key = str(KEY_FIELD.findall(form)[0])
    path = await here.sends(
        f"/buy/{code}",
        key=key,
        phone="0722000072",
        name="Brian",
        address="Kilimani, gate 12",
        note="",
        quantity="1",
        method="mpesa",
    )
    assert path.startswith("/pay/")

    async def rung() -> str | None:
        return next(iter(here.mpesa.pushes), None)

    ref = await here.until(rung, "the phone rings")
    push = here.mpesa.pushes[ref]
    assert (str(push["Amount"]), push["PhoneNumber"], push["PartyB"]) == ("2500", "254722000072", "600001")
    await here.mpesa.pays(ref, "TJ22T8IYOU", calls=calls)

    async def tracked() -> str | None:
        there, _ = await here.page(path)
        return there if there.startswith("/track/") else None

    return await here.until(tracked, "the payment arrives", 60)


async def sale(here: Abroad, *, calls: bool = True) -> None:
    """A whole sale; then the seller's wallet holds what she earned."""
    code = await opens_shop(here)
    track = await buys(here, code, calls=calls)
    _, shown = await here.page(track)
    number = re.findall(r"\b\d{8}\b", shown)[0]
    follow = re.findall(r"https://t\.me/elsewhere_bot\?start=(f[\w-]+)", shown)[0]
    await here.api.says(BRIAN, f"/start {follow}")
    await here.hears(BRIAN, number)
    for act in ("chat.act.accept", "chat.act.ship", "chat.do.no_courier", "chat.act.delivered"):
        await here.presses(AMINA, T(act), number if "act." in act else "")
    await here.hears(BRIAN, T("chat.fact.buyer.order_delivered", shop="Mama Amina Shoes", number=number))

    async def asked() -> str | None:
        there, page = await here.page(f"{track}/confirm")
        return page if there.endswith("/confirm") else None

    await here.until(asked, "the buyer is asked to confirm")
    await here.sends(f"{track}/confirm")
    await here.hears(AMINA, "2,437.50")


async def books(here: Abroad) -> None:
    audit = await asyncio.to_thread(payloom, "audit", "--json", env=here.env, cwd=here.folder)
    assert audit.code == 0, audit.out
    assert audit.data["ok"] is True
    assert "Traceback" not in here.log


@pytest.mark.parametrize("mode", ["polling", "webhook"])
async def test_a_whole_sale_on_servers_that_know_only_what_is_documented(tmp_path: Path, sqlite_url: str, mode: str) -> None:
    """Under a path prefix; what they lack is named once each, and stops nothing."""
    async with abroad(tmp_path, sqlite_url, telegram_mode=mode, telegram_webhook_secret="a-secret-of-the-tests") as here:
        await sale(here)
        assert sorted(here.lacks()) == ["sendPhoto", "setMyCommands"]
        assert ("getUpdates" in here.api.asked) == (mode == "polling")
        assert here.api.refused == []
    await books(here)


async def test_a_whole_sale_on_careless_servers(tmp_path: Path, sqlite_url: str) -> None:
    """Numbers as texts, milliseconds, fields left out, edits that answer nothing, questions answered at once."""
    async with abroad(tmp_path, sqlite_url, loose=True) as here:
        started = time.monotonic()
        await sale(here)
        assert here.api.polls < 10 + 4 * (time.monotonic() - started), "it is not asked without end"
        assert sorted(here.lacks()) == ["sendPhoto", "setMyCommands"]
    await books(here)


async def buys_by_card(here: Abroad, code: str, *, calls: bool = True) -> str:
    """On the web, with a card on the other server's page; the path of the tracking page. Without events whoever comes back makes us ask."""
    _, form = await here.page(f"/buy/{code}")
    key = str(KEY_FIELD.findall(form)[0])
    filled = {"phone": "", "name": "Brian", "address": "Kilimani, gate 12", "note": "", "quantity": "1", "method": "visa"}
    path = await here.sends(f"/buy/{code}", key=key, **filled)
    assert path.startswith("/pay/")
    async with here.browser.get(f"{here.base}{path}/go") as answer:
        assert (answer.status, answer.url.path.startswith("/mirrors/cards/c/pay/")) == (200, True), answer.url
        number = answer.url.path.rpartition("/")[2]
    assert here.cards.sessions[number]["amount_total"] == 2500_00
    await here.cards.pays(number, calls=calls)
    there, _ = await here.page(f"{path}/back")
    return there


@pytest.mark.parametrize("loose,calls", [(False, True), (False, False), (True, True)])
async def test_a_card_on_a_stripe_that_knows_only_what_is_documented(tmp_path: Path, sqlite_url: str, loose: bool, calls: bool) -> None:
    """Under a path prefix; with its events and without. It has no refunds: that is said in one line, the money stays booked, nothing falls over."""
    async with abroad(tmp_path, sqlite_url, loose=loose) as here:
        track = await buys_by_card(here, await opens_shop(here), calls=calls)
        assert track.startswith("/track/")
        assert len(here.cards.seen) == 1 and here.cards.seen[0]["mode"] == "payment"
        await here.cards.tells({"id": "evt_1", "object": "event", "type": "something.new", "livemode": False, "data": {"object": {}}})
        await here.sends(f"{track}/cancel")

        async def said() -> list[dict[str, Any]] | None:
            return [line for line in here.logged("stripe_lacks") if line["what"] == "refund"] or None

        lacks = await here.until(said, "the log says what is not there")
        assert {line["status"] for line in lacks} == {501 if loose else 404}
        assert {line["what"] for line in here.logged("stripe_lacks")} <= {"refund", "records"}
        assert "POST /v1/refunds" in here.cards.lacked
        assert (await here.page(track))[0] == track
    await books(here)
