"""What Africa's Talking tells about text messages: stored before it is answered, once, and only at our own address."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from domain.ids import OutboxId
from domain.life import OutboxState
from domain.person import Channel, ChannelKind, ChannelState
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage
from tests.web.ground import OWNER, Ground, standing
from usecases import texting
from usecases.outbox import claim_messages
from usecases.tell import tell_person
from usecases.texting import Inbound
from web.hooks.africastalking_sms import sms_routes

SECRET = "s3cret-of-the-sms-callbacks"
PHONE = "+254712345678"
HELLO = {"id": "in-1", "from": PHONE, "to": "22384", "text": "SELL Red sneakers 2500", "date": "2026-11-21 07:21:00", "linkId": ""}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass
class Here:
    ground: Ground
    heard: list[Inbound]

    async def post(self, kind: str, body: Any, secret: str = SECRET) -> int:
        data = body if isinstance(body, bytes) else urlencode(body).encode()
        answer = await self.ground.client.post(f"/sms/{secret}/{kind}", data=data, headers=FORM)
        return answer.status

    async def rows(self, table: str, columns: str) -> list[tuple[Any, ...]]:
        def read(unit: Unit) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in unit.session.plain(f"SELECT {columns} FROM {table} ORDER BY 1").fetchall()]  # type: ignore[attr-defined]

        return await self.ground.hall.store.read(read)

    async def counted(self, line: str) -> bool:
        return line in await (await self.ground.get("/metrics")).text()

    async def a_message(self, ref: str) -> OutboxId:
        """Sent to the owner by SMS."""

        def prepare(unit: Unit) -> None:
            unit.people.add_channel(Channel(ChannelKind.SMS, PHONE, OWNER, ChannelState.ACTIVE, unit.now))
            tell_person(unit, OWNER, "payment_failed", "k", result="no")

        store = self.ground.hall.store
        await store.write(prepare)
        (message,) = await store.write(claim_messages, 10, ChannelKind.SMS)
        assert await store.write(texting.record_text, message.id, Sent(Delivery.SENT, ref)) is OutboxState.SENT
        return message.id

    async def message(self, number: OutboxId) -> OutboxMessage:
        return await self.ground.hall.store.read(lambda unit: unit.outbox.get(number))


@pytest_asyncio.fixture
async def here(sqlite_url: str) -> AsyncIterator[Here]:
    heard: list[Inbound] = []
    async with standing(sqlite_url, phone_routes=sms_routes(SECRET, heard.append)) as ground:
        yield Here(ground, heard)


async def test_a_message_is_stored_and_heard_once_however_often_it_comes(here: Here) -> None:
    """C1."""
    answers = await asyncio.gather(*(here.post("inbound", HELLO) for _ in range(50)))
    assert set(answers) == {200}
    assert [(one.id, str(one.phone), one.text) for one in here.heard] == [("in-1", PHONE, "SELL Red sneakers 2500")]
    assert await here.rows("inbox", "gateway, event_key, kind, state, raw") == [
        ("sms", "inbound:in-1", "inbound", "STORED", urlencode(HELLO).encode())
    ]
    assert await here.counted('payloom_provider_events_total{gateway="sms",kind="inbound",result="repeated"} 49.0')


async def test_a_stop_takes_effect_and_is_not_heard(here: Here) -> None:
    assert await here.post("inbound", {**HELLO, "text": "إيقاف"}) == 200
    assert here.heard == []
    assert await here.rows("channels", "kind, address, state") == [("sms", PHONE, "BLOCKED")]


async def test_reports_in_any_order_and_twice(here: Here) -> None:
    """C1, C3: what is final stays."""
    number = await here.a_message("ATPid_1")
    for status in ("Success", "Sent", "Success", "Failed"):
        assert await here.post("delivery", {"id": "ATPid_1", "status": status, "phoneNumber": PHONE, "retryCount": "0"}) == 200
    told = await here.message(number)
    assert (told.state, told.error, told.report) == (OutboxState.SENT, "", "Success")


async def test_a_failure_closes_the_channel(here: Here) -> None:
    await here.a_message("ATPid_1")
    body = {"id": "ATPid_1", "status": "Failed", "failureReason": "UserInBlackList", "phoneNumber": PHONE}
    assert set(await asyncio.gather(*(here.post("delivery", body) for _ in range(20)))) == {200}
    assert await here.rows("channels", "kind, state") == [("sms", "BLOCKED")]
    assert await here.counted('payloom_provider_events_total{gateway="sms",kind="delivery",result="applied"} 1.0')


async def test_a_report_about_nothing_of_ours_is_kept_counted_and_ignored(here: Here) -> None:
    """C16."""
    assert await here.post("delivery", {"id": "ATPid_stranger", "status": "Failed", "failureReason": "UserInBlackList"}) == 200
    assert await here.rows("inbox", "event_key, state, error") == [("delivery:ATPid_stranger:Failed", "IGNORED", "unknown_id")]
    assert await here.counted('payloom_provider_events_total{gateway="sms",kind="delivery",result="unknown_id"} 1.0')


@pytest.mark.parametrize("secret", ["x", SECRET + "x", SECRET[:-1], SECRET.upper(), "%00", "%D8%A3"])
@pytest.mark.parametrize("kind", ["inbound", "delivery"])
async def test_another_address_is_nobodys(here: Here, secret: str, kind: str) -> None:
    """C5: 404, nothing stored, counted."""
    answer = await here.ground.client.post(f"/sms/{secret}/{kind}", data=urlencode(HELLO), headers=FORM)
    assert (answer.status, "secret" in await answer.text()) == (404, False)
    assert (await here.rows("inbox", "id"), here.heard) == ([], [])
    assert await here.counted('payloom_provider_events_refused_total{gateway="sms",why="token"} 1.0')


async def test_only_posts_of_the_two_kinds(here: Here) -> None:
    assert await here.post("other", HELLO) == 404
    assert (await here.ground.get(f"/sms/{SECRET}/inbound")).status == 405


@pytest.mark.parametrize("kind", ["inbound", "delivery"])
async def test_a_field_twice_is_refused(here: Here, kind: str) -> None:
    """C17: which of them is meant, nobody guesses."""
    both = urlencode({**HELLO, "status": "Success"}) + "&id=in-2"
    assert await here.post(kind, both.encode()) == 400
    assert (await here.rows("inbox", "id"), here.heard) == ([], [])
    assert await here.counted('payloom_provider_events_refused_total{gateway="sms",why="twice"} 1.0')


@pytest.mark.parametrize("kind", ["inbound", "delivery"])
async def test_a_body_too_large_is_refused(here: Here, kind: str) -> None:
    assert await here.post(kind, {**HELLO, "text": "x" * (64 << 10)}) == 413
    assert (await here.rows("inbox", "id"), here.heard) == ([], [])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"\xff\xfe",
        b"id=%FF&status=Sent",
        b"id=%00&status=Sent&from=%2B254712345678",
        b"text=hi",
        b"<html>",
        b"&" * 1000,
        b"id=1",
    ],
)
@pytest.mark.parametrize("kind", ["inbound", "delivery"])
async def test_what_cannot_be_understood_is_kept_once_and_answered(here: Here, kind: str, body: bytes) -> None:
    """C17: 200, for sent again it would be no better; a person is told."""
    assert [await here.post(kind, body) for _ in range(2)] == [200, 200]
    assert await here.rows("inbox", "kind, state, raw") == [(kind, "PARKED", body)]
    assert len(await here.rows("audit", "id")) == 1
    assert here.heard == []
    assert await here.post("inbound", HELLO) == 200
    assert len(here.heard) == 1


async def test_a_form_from_elsewhere_is_no_browser(here: Here) -> None:
    """W5: nothing here acts by a cookie; a provider sends no origin, and one that is sent changes nothing."""
    headers = {**FORM, "Origin": "https://elsewhere.example"}
    answer = await here.ground.client.post(f"/sms/{SECRET}/inbound", data=urlencode(HELLO), headers=headers)
    assert answer.status == 200


def test_without_a_secret_there_are_no_addresses() -> None:
    """C5."""
    heard: list[Inbound] = []
    with pytest.raises(ValueError, match="secret"):
        sms_routes("", heard.append)
