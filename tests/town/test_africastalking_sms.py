"""The town's SMS over real HTTP: the messaging API, what arrives on phones, reports, and what people write."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.town.africastalking_sides import JSON, KEY, PHONE, Sides, running_sides
from town.africastalking.letters import sms_parts

FORM = {"username": "payloom", "to": f"+{PHONE}", "message": "Hello"}


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


async def ask(sides: Sides, path: str = "messaging", method: str = "POST", **how: Any) -> tuple[int, str, str]:
    url = f"{sides.root}/town/africastalking/version1/{path}"
    async with sides.http.request(method, url, **{"headers": JSON, **how}) as answer:
        return answer.status, answer.headers["Content-Type"], await answer.text()


async def test_an_sms_is_accepted_arrives_and_is_reported(sides: Sides) -> None:
    told = await sides.text(message="Paid: KES 2,500", **{"from": "PayLoom"})
    assert told["Message"] == "Sent to 1/1 Total Cost: KES 0.8000"
    [one] = told["Recipients"]
    assert (one["statusCode"], one["status"], one["cost"], one["messageParts"]) == (101, "Success", "KES 0.8000", 1)
    assert one["number"] == f"+{PHONE}" and one["messageId"].startswith("ATXid_")
    interim, final = await sides.product.until("sms/delivery", 2)
    assert (interim["status"], final["status"]) == ("Sent", "Success")
    assert final == {"id": one["messageId"], "phoneNumber": f"+{PHONE}", "networkCode": "63902", "retryCount": "0", "status": "Success"}
    [sms] = (await sides.phone())["sms"]
    assert (sms["from"], sms["text"]) == ("PayLoom", "Paid: KES 2,500")


@pytest.mark.parametrize(
    "text,parts",
    [("x" * 160, 1), ("x" * 161, 2), ("x" * 306, 2), ("x" * 307, 3), ("€" * 80, 1), ("ص" * 70, 1), ("ص" * 71, 2), ("ص" * 135, 3)],
)
def test_parts_are_counted_in_their_alphabet(text: str, parts: int) -> None:
    assert sms_parts(text) == parts


async def test_every_part_costs_and_the_balance_shows_it(sides: Sides) -> None:
    assert (await sides.text(message="x" * 161))["Recipients"][0]["cost"] == "KES 1.6000"
    assert '"KES 99998.4000"' in (await ask(sides, "user", "GET", params={"username": "payloom"}))[2]
    sides.town.africastalking.account.balance = 10
    [one] = (await sides.text())["Recipients"]
    assert (one["statusCode"], one["status"], one["messageId"], one["cost"]) == (405, "InsufficientBalance", "None", "0")


async def test_numbers_that_cannot_get_sms_do_not_stop_the_others(sides: Sides) -> None:
    await sides.act("blacklist", 200, "254711000009", on=True)
    told = await sides.text("+254712345678,0712345678,+254200000001,+254711000009,+966501234567", enqueue=1)
    assert [one["statusCode"] for one in told["Recipients"]] == [102, 403, 404, 406, 102]
    assert told["Recipients"][0]["status"] == "Success"
    assert told["Message"] == "Sent to 2/5 Total Cost: KES 1.6000"
    await sides.product.until("sms/delivery", 4)
    assert len((await sides.phone("966501234567"))["sms"]) == 1 and (await sides.phone("254711000009"))["sms"] == []
    await sides.act("blacklist", 200, "254711000009", on=False)
    assert (await sides.text("+254711000009"))["Recipients"][0]["statusCode"] == 101
    await sides.act("blacklist", 400, on="yes")


async def test_codes_can_be_planted_for_each_recipient(sides: Sides) -> None:
    codes = [101, 401, 402, 407, 409, 500, 501, 502]
    sides.plant("recipient_codes", codes=codes)
    told = await sides.text(",".join(f"+25471234567{place}" for place in range(8)))
    assert [one["statusCode"] for one in told["Recipients"]] == codes
    sides.plant("recipient_code", code=502)
    assert [one["statusCode"] for one in (await sides.text(f"+{PHONE},+254712345679"))["Recipients"]] == [502, 101]


async def test_no_recipients_come_with_an_explanation(sides: Sides) -> None:
    assert await sides.text(**{"from": "much too long a name"}) == {"Message": "InvalidSenderId", "Recipients": []}
    sides.plant("no_recipients", message="Invalid request")
    assert await sides.text() == {"Message": "Invalid request", "Recipients": []}


async def test_wrong_keys_and_names_are_refused_in_plain_text(sides: Sides) -> None:
    refused = (401, "text/plain; charset=utf-8", "The supplied authentication is invalid")
    for headers in ({}, {"apiKey": "wrong"}):
        assert await ask(sides, data=FORM, headers=headers) == refused
    assert await ask(sides, data={**FORM, "username": "sandbox"}) == refused
    for path in ("user", "messaging"):
        assert await ask(sides, path, "GET", params={"username": "other"}) == refused


async def test_json_is_taken_too_and_answered_with_a_bare_content_type(sides: Sides) -> None:
    assert (await ask(sides, json={**FORM, "to": [f"+{PHONE}"]}))[:2] == (201, "application/json")
    bulk = {"username": "payloom", "message": "Hello", "phoneNumbers": [f"+{PHONE}"], "senderId": "PayLoom", "enqueue": True}
    status, _, text = await ask(sides, "messaging/bulk", json=bulk)
    assert status == 201 and '"statusCode": 102' in text
    assert (await ask(sides, "messaging/bulk", json={**bulk, "phoneNumbers": []}))[0] == 400


async def test_whoever_does_not_ask_for_json_gets_xml(sides: Sides) -> None:
    _, kind, text = await ask(sides, data=FORM, headers={"apiKey": KEY})
    assert kind == "application/xml" and "<Recipients><Recipient><statusCode>101</statusCode>" in text


async def test_what_cannot_be_read_is_refused(sides: Sides) -> None:
    assert (await ask(sides, data={"username": "payloom", "message": "x"}))[0] == 400
    assert (await ask(sides, data=b"[]", headers={**JSON, "Content-Type": "application/json"}))[0] == 400
    assert (await ask(sides, data=b"x", headers={**JSON, "Content-Type": "text/plain"}))[0] == 415
    assert (await ask(sides, "nothing", "GET"))[0] == 404


async def test_the_gateway_fails_before_or_after_the_message_went_out(sides: Sides) -> None:
    for fault, sent in (("sms_timeout_before", 0), ("sms_timeout_after", 1)):
        sides.plant(fault)
        with pytest.raises(aiohttp.ClientError):
            await ask(sides, data=FORM)
        assert len(sides.town.africastalking.sms.messages) == sent
    for fault, expected in (("sms_500", 500), ("sms_html", 502)):
        sides.plant(fault)
        assert (await ask(sides, data=FORM))[0] == expected


async def test_what_people_write_to_the_short_code_is_posted_until_it_is_taken(sides: Sides) -> None:
    sides.product.statuses = [500, 503]
    sent = await sides.act("sms", to="22384", text="BUY PL-7K2QD & go")
    await sides.product.until("sms/inbound")
    for count in (2, 3):
        await sides.until_noted("sms.posted", count - 1)
        await sides.town.core.pass_time(60)
        await sides.product.until("sms/inbound", count)
    await sides.until_noted("sms.posted", 3)
    await sides.town.core.pass_time(3600)
    forms = sides.product.forms("sms/inbound")
    assert len(forms) == 3 and forms[0] == forms[1] == forms[2]
    form = forms[0]
    assert (form["id"], form["from"], form["to"], form["text"]) == (sent["id"], f"+{PHONE}", "22384", "BUY PL-7K2QD & go")
    assert form["networkCode"] == "63902" and len(form["linkId"]) == 32 and len(form["date"]) == 19


async def test_messages_can_be_asked_for_from_a_number_on(sides: Sides) -> None:
    for text in ("one", "two"):
        await sides.act("sms", to="22384", text=text)
    for last, expected in (("0", 2), ("1", 1), ("2", 0)):
        _, _, text = await ask(sides, "messaging", "GET", params={"username": "payloom", "lastReceivedId": last})
        assert text.count('"linkId"') == expected


async def test_people_write_to_each_other_and_not_to_nonsense(sides: Sides) -> None:
    await sides.act("sms", to="0722000002", text="Hi")
    [sms] = (await sides.phone("254722000002"))["sms"]
    assert (sms["from"], sms["text"]) == (f"+{PHONE}", "Hi")
    for body in ({"to": "999", "text": "x"}, {"to": "22384", "text": ""}, {"text": "x"}):
        await sides.act("sms", 400, **body)


async def test_a_town_that_starts_again_knows_its_messages_and_still_brings_what_was_not_taken(tmp_path: Path) -> None:
    keep = tmp_path / "town.json"
    async with running_sides(keep) as sides:
        sides.product.statuses = [500]
        await sides.text()
        await sides.product.until("sms/delivery", 2)
        await sides.act("blacklist", 200, "254711000009", on=True)
        await sides.act("sms", to="22384", text="LATER")
        await sides.product.until("sms/inbound")
        before = sides.town.africastalking.state()
    async with running_sides(keep) as sides:
        after = sides.town.africastalking.state()
        assert {name: after[name] for name in ("balance", "blacklist", "sent")} == {n: before[n] for n in ("balance", "blacklist", "sent")}
        assert (await sides.product.until("sms/inbound"))[0]["text"] == "LATER"
        assert (await sides.act("sms", to="22384", text="x"))["id"] == "2"


async def test_the_state_of_the_town_tells_of_it(sides: Sides) -> None:
    async with sides.http.get(f"{sides.root}/town/api/state") as answer:
        state = (await answer.json())["africastalking"]
    assert (state["service_code"], state["short_code"], state["sessions"]) == ("*384*77#", "22384", [])
    async with sides.http.get(f"{sides.root}/town/api/africastalking") as answer:
        assert await answer.json() == state
