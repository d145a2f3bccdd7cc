"""Africa's Talking's own Python client against the town: what its customers use finds nothing strange here."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from africastalking.Application import ApplicationService
from africastalking.Service import AfricasTalkingException
from africastalking.SMS import SMSService

from tests.town.africastalking_sides import KEY, PHONE, Sides, running_sides


class TownSms(SMSService):  # type: ignore[misc]
    """The client, told of another address the only way it can be."""

    address = ""

    def _init_service(self) -> None:
        self._baseUrl = self._contentUrl = self.address


class TownAccount(ApplicationService):  # type: ignore[misc]
    address = ""

    def _init_service(self) -> None:
        self._baseUrl = self.address


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


def client(kind: Any, sides: Sides, key: str = KEY) -> Any:
    placed = type(kind.__name__, (kind,), {"address": f"{sides.root}/town/africastalking/version1"})
    return placed("payloom", key)


async def test_the_client_sends_and_reads_the_reply_as_an_object(sides: Sides) -> None:
    sms = client(TownSms, sides)
    told = await asyncio.to_thread(sms.send, "Hello", [f"+{PHONE}", "+254733000003"], "PayLoom", True)
    recipients = told["SMSMessageData"]["Recipients"]
    assert [one["statusCode"] for one in recipients] == [102, 102]
    reports = await sides.product.until("sms/delivery", 4)
    assert {report["id"] for report in reports} == {one["messageId"] for one in recipients}
    assert [sms["text"] for sms in (await sides.phone())["sms"]] == ["Hello"]


async def test_the_client_answers_a_message_with_its_link(sides: Sides) -> None:
    await sides.act("sms", to="22384", text="BAL")
    [form] = await sides.product.until("sms/inbound")
    sms = client(TownSms, sides)
    told = await asyncio.to_thread(sms.send_premium, "KES 10", "22384", [form["from"]], None, form["linkId"])
    assert told["SMSMessageData"]["Recipients"][0]["statusCode"] == 101


async def test_the_client_asks_for_messages_and_the_balance(sides: Sides) -> None:
    await sides.act("sms", to="22384", text="BAL")
    found = await asyncio.to_thread(client(TownSms, sides).fetch_messages, 0)
    [message] = found["SMSMessageData"]["Messages"]
    assert (message["id"], message["text"], message["from"]) == (1, "BAL", f"+{PHONE}")
    account = await asyncio.to_thread(client(TownAccount, sides).fetch_application_data)
    assert account == {"UserData": {"balance": "KES 100000.0000"}}


async def test_the_client_raises_what_the_town_refuses(sides: Sides) -> None:
    with pytest.raises(AfricasTalkingException, match="The supplied authentication is invalid"):
        await asyncio.to_thread(client(TownSms, sides, "wrong").send, "Hello", [f"+{PHONE}"])
