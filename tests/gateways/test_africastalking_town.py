"""The SMS messenger over the town's Africa's Talking: what a person reads, and what becomes of what could not be sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.gsm import plain, segments
from domain.ports import Button, Delivery, Message, Sent
from gateways.http import Http
from gateways.messages.africastalking import AfricasTalking
from tests.town.africastalking_sides import KEY, PHONE, Sides, running_sides
from town.africastalking.letters import sms_parts

ADDRESS = f"+{PHONE}"


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


def messenger(sides: Sides, http: Http, username: str = "payloom", key: str = KEY, **more: Any) -> AfricasTalking:
    return AfricasTalking(http, username, key, base=f"{sides.root}/town/africastalking", **more)


async def test_a_person_reads_it_and_a_report_names_it(sides: Sides, http: Http) -> None:
    rows = ((Button("Track", url="https://pay.example/t/1"),),)
    sent = await messenger(sides, http, sender="PayLoom").send(ADDRESS, Message("<b>Paid</b> — KES 2,500 ✅", rows))
    assert sent.delivery is Delivery.SENT
    assert {report["id"] for report in await sides.product.until("sms/delivery", 2)} == {sent.ref}
    [sms] = (await sides.phone())["sms"]
    assert (sms["from"], sms["text"]) == ("PayLoom", "Paid - KES 2,500\nTrack: https://pay.example/t/1")


async def test_opted_out_and_out_of_money(sides: Sides, http: Http) -> None:
    await sides.act("blacklist", on=True)
    assert await messenger(sides, http).send(ADDRESS, Message("Hi")) == Sent(Delivery.GONE, error="opted_out")
    await sides.act("blacklist", on=False)
    sides.town.africastalking.account.balance = 10
    assert (await messenger(sides, http).send(ADDRESS, Message("Hi"))).error == "insufficient_balance"


async def test_settings_that_are_wrong_are_named(sides: Sides, http: Http) -> None:
    for wrong in (messenger(sides, http, key="wrong"), messenger(sides, http, username="sandbox")):
        assert await wrong.send(ADDRESS, Message("Hi")) == Sent(Delivery.REFUSED, error="bad_credentials")
    unknown = await messenger(sides, http, sender="much too long a name").send(ADDRESS, Message("Hi"))
    assert unknown == Sent(Delivery.REFUSED, error="InvalidSenderId")


@pytest.mark.parametrize("fault,out", [("sms_timeout_before", 0), ("sms_timeout_after", 1), ("sms_500", 0), ("sms_html", 1)])
async def test_what_cannot_be_known_is_unknown(sides: Sides, http: Http, fault: str, out: int) -> None:
    """O2, O3: whether it went out or not looks the same from here."""
    sides.plant(fault)
    assert (await messenger(sides, http).send(ADDRESS, Message("Hi"))).delivery is Delivery.UNKNOWN
    assert len(sides.town.africastalking.sms.messages) == out


@pytest.mark.parametrize("text", ["x" * 161, "€" * 81, "ص" * 71, "🎉" * 36, "", "a[b]", "é’" * 40, "كلمة " * 40])
def test_both_sides_count_the_same_parts(text: str) -> None:
    for one in (text, plain(text)):
        assert segments(one) == sms_parts(one)
