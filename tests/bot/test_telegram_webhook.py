"""The webhook as Telegram and as strangers knock on it: the secret header, bodies that are no updates, updates that come twice."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from payloom.wiring import webhook_path
from tests.bot.town import WEBHOOK_SECRET, Here, living_town
from web.hooks.telegram import HEADER


@pytest.fixture(scope="module")
async def here(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Here]:
    folder = tmp_path_factory.mktemp("hooked")
    async with living_town(folder, telegram_mode="webhook", telegram_webhook_secret=WEBHOOK_SECRET) as town:
        yield town


async def knock(here: Here, body: bytes, secret: str | None = WEBHOOK_SECRET, path: str = "") -> int:
    """The status of a POST to the webhook."""
    path = path or webhook_path(here.streets.house.hall.tokens)
    headers = {"Content-Type": "application/json"} | ({} if secret is None else {HEADER: secret})
    async with here.wire.session.post(f"{here.wire.base}/telegram/{path}", data=body, headers=headers) as response:
        status = response.status
    await here.wire.settle()
    return status


def message(update_id: int, text: str, who: int = 777) -> dict[str, Any]:
    person = {"id": who, "is_bot": False, "first_name": "Zuri", "language_code": "sw"}
    chat = {"id": who, "type": "private", "first_name": "Zuri"}
    return {"update_id": update_id, "message": {"message_id": update_id, "date": 1_700_000_000, "from": person, "chat": chat, "text": text}}


def stored(here: Here) -> Any:
    return here.read(lambda unit: unit.session.plain("SELECT event_key, state FROM inbox WHERE gateway = 'telegram'").fetchall())


@pytest.mark.parametrize("secret", [None, "", "wrong", WEBHOOK_SECRET + "x", "é"])
async def test_without_the_secret_header_an_update_is_refused_and_not_stored(here: Here, secret: str | None) -> None:
    """T5."""
    before = await stored(here)
    assert await knock(here, json.dumps(message(501, "/start")).encode(), secret) == 401
    assert await stored(here) == before


async def test_at_another_address_there_is_nothing(here: Here) -> None:
    """T5."""
    before = await stored(here)
    assert await knock(here, json.dumps(message(502, "/start")).encode(), path="0" * 48) == 404
    assert await stored(here) == before


async def test_an_update_that_comes_ten_times_is_handled_once(here: Here) -> None:
    """T5: answered 200 each time, for Telegram must not send it again."""
    body = json.dumps(message(600, "/help")).encode()
    assert [await knock(here, body) for _ in range(10)] == [200] * 10
    said = [one for one in await here.wire.look("/telegram/777/messages") if one["from"] == "bot"]
    assert len(said) == 0 or len(said) == 1
    rows = [state for key, state in await stored(here) if key == "600"]
    assert rows == ["APPLIED"]


BODIES = (
    b"", b"not json", b"[]", b"null", b"{}", b'"x"', b'{"update_id": "seven"}', b'{"update_id": null}', b"\xff\xfe", b"[" * 5_000, b'{"update_id": 1e400}',
)  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_what_is_no_update_is_answered_200_and_forgotten(here: Here, body: bytes) -> None:
    """T5, C17: Telegram would repeat anything else for ever."""
    before = await stored(here)
    assert await knock(here, body) == 200
    assert await stored(here) == before


ODD: tuple[dict[str, Any], ...] = (
    {"update_id": 701},
    {"update_id": 702, "business_message": {"x": 1}},
    {"update_id": 703, "message": "a string"},
    {"update_id": 704, "message": {"from": {"id": "not a number"}}},
    {"update_id": 705, "message": {"message_id": 1}},
    {
        "update_id": 706,
        "callback_query": {"id": "1", "from": {"id": 777, "is_bot": False, "first_name": "Z"}, "chat_instance": "1", "data": "x"},
    },
    {"update_id": 707, "poll": {"id": "1"}},
    {"update_id": 708, "message": None},
    {"update_id": 2**62, "message": {}},
    {"update_id": 709, "message": [], "callback_query": 7},
    {**message(710, "\ud83d lone half"), "more": "\ud800"},
    {**message(711, "nul \u0000 inside"), "new_in_api_99": {"a": [1, 2]}},
)


@pytest.mark.parametrize("update", ODD, ids=[str(update["update_id"]) for update in ODD])
async def test_an_update_nobody_understands_is_stored_answered_and_in_nobodys_way(here: Here, update: dict[str, Any]) -> None:
    """T5, K15, C16: whatever comes, the next message is answered."""
    assert await knock(here, json.dumps(update).encode()) == 200
    assert str(update["update_id"]) in {key for key, _ in await stored(here)}
    await here.amina.say("/help")
    await here.wire.pass_time(3_600)
    await here.amina.say("/menu")


async def test_what_could_not_be_handled_is_parked_in_the_end(here: Here) -> None:
    """K15: tried a few times over some minutes, then kept for a person to look at; nothing stays half done."""
    await knock(here, json.dumps({"update_id": 800, "message": "a string"}).encode())
    for _ in range(8):
        await here.wire.pass_time(3_600)
    assert [key for key, state in await stored(here) if state == "STORED"] == []
    assert [state for key, state in await stored(here) if key == "800"] == ["PARKED"]
