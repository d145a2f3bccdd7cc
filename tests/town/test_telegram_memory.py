"""A town that is stopped and started again is the town that was left."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from aiohttp.test_utils import TestClient, TestServer

from town.application import Town
from town.core import Core
from town.telegram.service import PROVIDER_TOKEN

BOT = "/town/telegram/bot100200300:TOWN-TOKEN-not-a-secret-0000000000000"


async def test_people_chats_files_settings_and_waiting_updates_survive_a_restart(tmp_path: Path) -> None:
    keep = tmp_path / "town.json"

    async def run(*calls: tuple[str, dict[str, Any]]) -> list[Any]:
        town = Town(Core(), keep=keep)
        async with TestClient(TestServer(town.application())) as client:
            answers = []
            for path, body in calls:
                answer = await client.request("POST" if body else "GET", path, json=body or None)
                assert answer.status == 200, await answer.text()
                answers.append(await answer.json())
        return answers

    keys = {"inline_keyboard": [[{"text": "Go", "callback_data": "g"}]]}
    before = await run(
        ("/town/api/telegram/1/start", {"payload": "x"}),
        ("/town/api/telegram/1/photo", {"sample": "shoes"}),
        (f"{BOT}/sendMessage", {"chat_id": 1, "text": "<b>hello</b>", "parse_mode": "HTML", "reply_markup": keys}),
        (f"{BOT}/setMyCommands", {"commands": [{"command": "sell", "description": "Sell"}]}),
        ("/town/api/clock", {"advance_s": 86400}),
        ("/town/api/telegram/1/messages", {}),
        (f"{BOT}/getUpdates", {}),
    )
    number = before[2]["result"]["message_id"]
    photo = before[6]["result"][1]["message"]["photo"][-1]["file_id"]
    after = await run(
        ("/town/api/telegram/1/messages", {}),
        (f"{BOT}/getUpdates", {}),
        ("/town/api/telegram/1/commands", {}),
        ("/town/api/clock", {}),
        (f"{BOT}/sendPhoto", {"chat_id": 1, "photo": photo}),
        (f"{BOT}/editMessageText", {"chat_id": 1, "message_id": number, "text": "edited"}),
    )
    assert after[0] == before[5]
    assert after[1] == before[6]
    assert after[2] == [{"command": "sell", "description": "Sell"}]
    assert after[3]["now"] > before[4]["now"]
    assert after[4]["result"]["message_id"] > number
    assert after[5]["result"]["text"] == "edited"


async def test_an_invoice_of_yesterday_can_still_be_paid_and_its_payment_stands_in_the_books(tmp_path: Path) -> None:
    keep = tmp_path / "town.json"
    asked = {
        "chat_id": 1, "title": "t", "description": "d", "payload": "p", "provider_token": PROVIDER_TOKEN, "currency": "USD",
        "prices": [{"label": "l", "amount": 500}],
    }  # fmt: skip
    town = Town(Core(), keep=keep)
    async with TestClient(TestServer(town.application())) as client:
        await client.post("/town/api/telegram/1/start", json={})
        sent = await (await client.post(f"{BOT}/sendInvoice", json=asked)).json()
        invoice = next(iter(town.telegram.invoices.values()))
        town.control.till.deliver(town.control.till.charge(1, invoice))
    again = Town(Core(), keep=keep)
    async with TestClient(TestServer(again.application())) as client:
        sheet = await (await client.post("/town/api/telegram/1/invoice", json={"message_id": sent["result"]["message_id"]})).json()
        assert (sheet["total"], sheet["paid"]) == ("USD 5.00", 1)
        assert again.telegram.payments == town.telegram.payments and len(again.telegram.payments) == 1
