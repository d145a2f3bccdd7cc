"""The town's USSD over real HTTP: dialling, the growing transcript, how sessions end, and what the operator refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.town.africastalking_sides import PHONE, Sides, running_sides
from town.application import Town
from town.core import Core
from town.daraja.merchant import Merchant

GONE = "The service is not available right now. Please try again later."


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


async def test_a_session_is_told_as_one_growing_text(sides: Sides) -> None:
    sides.product.replies = ["CON Welcome\n1. Sell", "CON Name?", "CON Price?", "END Done"]
    assert await sides.act("dial", code="*384*77#") == {"open": True, "screen": "Welcome\n1. Sell"}
    await sides.act("answer", text="1")
    await sides.act("answer", text="1")
    assert await sides.act("answer", text="a*b+c ") == {"open": False, "screen": "Done"}
    turns = sides.product.forms("ussd")
    assert [turn["text"] for turn in turns] == ["", "1", "1*1", "1*1*a*b+c "]
    assert {(turn["phoneNumber"], turn["networkCode"], turn["serviceCode"]) for turn in turns} == {(f"+{PHONE}", "63902", "*384*77#")}
    assert len({turn["sessionId"] for turn in turns}) == 1 and turns[0]["sessionId"].startswith("ATUid_")
    [event] = await sides.product.until("ussd/events")
    assert event["status"] == "Success" and event["sessionId"] == turns[0]["sessionId"]
    assert (event["input"], event["hopsCount"], event["lastAppResponse"]) == ("1*1*a*b+c ", "4", "END Done")
    assert "errorMessage" not in event and event["durationInMillis"].isdigit()
    assert (await sides.phone())["ussd"] == {"code": "*384*77#", "open": False, "waiting": False, "screen": "Done"}


@pytest.mark.parametrize("code,text", [("*384*77*12345#", "12345"), ("*384*77*1*2#", "1*2"), (" *384*77# ", "")])
async def test_a_longer_code_brings_its_rest_as_the_first_text(sides: Sides, code: str, text: str) -> None:
    assert (await sides.act("dial", code=code))["open"]
    await sides.act("answer", text="9")
    assert [turn["text"] for turn in sides.product.forms("ussd")] == [text, f"{text}*9" if text else "9"]


@pytest.mark.parametrize("code", ["*384*78#", "*384*77", "*384*771#", "*100#"])
async def test_a_code_of_nobody_gets_the_words_every_phone_has_for_it(sides: Sides, code: str) -> None:
    assert await sides.act("dial", code=code) == {"open": False, "screen": "Connection problem or invalid MMI code."}
    assert sides.product.heard == []


async def test_networks_are_told_by_the_number(sides: Sides) -> None:
    for phone in ("254733000003", "254770000001", "254764000001", "966501234567"):
        await sides.act("dial", 200, phone, code="*384*77#")
    assert [turn["networkCode"] for turn in sides.product.forms("ussd")] == ["63903", "63907", "63999", "99999"]


@pytest.mark.parametrize(
    "reply", ["Hello", " CON x", "CON", "con x", "", "END", "\ufeffCON x", b"CON \xff", 404, 500, '{"text": "CON x"}', "CON\nx"]
)
async def test_an_answer_in_the_wrong_shape_ends_the_session(sides: Sides, reply: str | bytes | int) -> None:
    sides.product.replies = [reply]
    assert await sides.act("dial", code="*384*77#") == {"open": False, "screen": GONE}
    [event] = await sides.product.until("ussd/events")
    assert event["status"] == "Failed" and event["errorMessage"]
    if isinstance(reply, str):
        assert event["lastAppResponse"] == reply
    await sides.act("answer", 400, text="1")


@pytest.mark.parametrize(
    "screen,fits",
    [("x" * 182, True), ("x" * 183, False), ("€" * 91, True), ("€" * 92, False), ("ص" * 70, True), ("ص" * 71, False), ("😀" * 36, False)],
)
async def test_the_operator_shows_182_letters_or_70(sides: Sides, screen: str, fits: bool) -> None:
    sides.product.replies = [f"CON {screen}"]
    shown = await sides.act("dial", code="*384*77#")
    assert shown == ({"open": True, "screen": screen} if fits else {"open": False, "screen": GONE})
    assert bool(sides.journal("ussd.refused")) is not fits
    if not fits:
        [event] = await sides.product.until("ussd/events")
        assert event["status"] == "Failed" and event["lastAppResponse"] == f"CON {screen}"


async def test_hanging_up_leaves_the_session_incomplete(sides: Sides) -> None:
    await sides.act("dial", code="*384*77#")
    assert await sides.act("hangup") == {"open": False, "screen": ""}
    [event] = await sides.product.until("ussd/events")
    assert (event["status"], event["lastAppResponse"]) == ("Incomplete", "CON Again?")
    await sides.act("hangup")
    assert len(sides.product.forms("ussd/events")) == 1 and (await sides.phone())["ussd"] is None


async def test_whoever_thinks_for_30_seconds_is_cut_off_and_on_airtel_60(sides: Sides) -> None:
    for phone in (PHONE, "254733000003"):
        await sides.act("dial", 200, phone, code="*384*77#")
    await sides.town.core.pass_time(31)
    [event] = await sides.product.until("ussd/events")
    assert (event["status"], event["phoneNumber"]) == ("Incomplete", f"+{PHONE}")
    assert (await sides.phone())["ussd"]["screen"] == "Connection timed out."
    await sides.act("answer", 400, text="1")
    assert (await sides.act("answer", 200, "254733000003", text="1"))["open"]


async def test_a_session_lasts_180_seconds_however_busy(sides: Sides) -> None:
    await sides.act("dial", code="*384*77#")
    for _ in range(6):
        await sides.town.core.pass_time(29)
        await sides.act("answer", text="1")
    await sides.town.core.pass_time(7)
    await sides.act("answer", 400, text="1")
    [event] = await sides.product.until("ussd/events")
    assert (event["status"], event["hopsCount"]) == ("Incomplete", "7") and int(event["durationInMillis"]) >= 180_000


async def test_one_line_takes_one_thing_at_a_time(sides: Sides) -> None:
    sides.product.waits_s = 0.2
    dialling = asyncio.create_task(sides.act("dial", code="*384*77#"))
    await sides.product.until("ussd")
    assert (await sides.phone())["ussd"]["waiting"]
    await sides.act("dial", 409, code="*384*77#")
    await sides.act("answer", 409, text="1")
    assert (await dialling)["open"]
    await sides.act("answer", 400, text="x" * 81)
    await sides.act("answer", 400)
    await sides.act("dial", 400)


async def test_hanging_up_while_the_product_thinks(sides: Sides) -> None:
    sides.product.waits_s = 0.2
    sides.product.replies = ["END Too late"]
    dialling = asyncio.create_task(sides.act("dial", code="*384*77#"))
    await sides.product.until("ussd")
    await sides.act("hangup")
    assert await dialling == {"open": False, "screen": ""}
    assert [event["status"] for event in await sides.product.until("ussd/events")] == ["Incomplete"]


async def test_a_phone_that_goes_off_leaves_its_session_and_cannot_dial(sides: Sides) -> None:
    await sides.act("dial", code="*384*77#")
    await sides.act("power", on=False)
    assert [event["status"] for event in await sides.product.until("ussd/events")] == ["Incomplete"]
    await sides.act("dial", 409, code="*384*77#")


async def test_a_label_of_a_step_comes_back_and_is_in_the_event(sides: Sides) -> None:
    sides.product.replies, sides.product.label = ["CON a", "END b"], "home"
    await sides.act("dial", code="*384*77#")
    await sides.act("answer", text="1")
    labels = [headers.get("at-ussd-hop-metadata") for headers in sides.product.headers[:2]]
    [event] = await sides.product.until("ussd/events")
    assert labels == [None, "home"] and event["hopsMetadata"] == "home|home"


async def test_an_open_session_keeps_a_prompt_from_ringing(sides: Sides) -> None:
    """O5: result 1001, and after the session it rings."""
    async with Merchant(f"{sides.root}/town/daraja", sides.town.daraja.apps["town-key"]) as shop:
        await shop.sign_in()
        await sides.act("dial", code="*384*77#")
        await shop.push(PhoneNumber=PHONE, PartyA=PHONE)
        assert (await sides.phone())["prompts"] == []
        result = (await shop.heard())[0]["Body"]["stkCallback"]
        assert result["ResultCode"] == 1001 and "Unable to lock subscriber" in result["ResultDesc"]
        await sides.act("hangup")
        await shop.push(PhoneNumber=PHONE, PartyA=PHONE)
        assert len((await sides.phone())["prompts"]) == 1


async def test_a_town_without_a_subscription_has_the_routes_and_nothing_behind_them() -> None:
    town = Town(Core(1))
    assert "africastalking" not in town.control.states
    assert (await town.africastalking.ussd.dial(town.phones.phone(PHONE), "*384*77#"))["open"] is False
