"""What the town's Africa's Talking does wrong when it is told to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.town.africastalking_sides import PHONE, Sides, running_sides
from town.africastalking import AfricasTalking
from town.phones import Phones

CODE = "*384*77#"
LOST = {"open": False, "screen": "Connection problem or invalid MMI code."}


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


async def test_a_turn_is_lost_before_the_product_hears_it(sides: Sides) -> None:
    await sides.act("dial", code=CODE)
    sides.plant("drop_before")
    assert await sides.act("answer", text="1") == LOST
    assert [event["status"] for event in await sides.product.until("ussd/events")] == ["Incomplete"]
    assert [turn["text"] for turn in sides.product.forms("ussd")] == [""]


async def test_a_turn_is_lost_after_the_product_answered(sides: Sides) -> None:
    await sides.act("dial", code=CODE)
    sides.product.replies = ["END Paid"]
    sides.plant("drop_after")
    assert await sides.act("answer", text="1") == LOST
    assert [event["status"] for event in await sides.product.until("ussd/events")] == ["Success"]
    sides.plant("drop_after")
    assert await sides.act("dial", code=CODE) == LOST
    assert (await sides.product.until("ussd/events", 2))[1]["status"] == "Incomplete"


async def test_a_turn_is_lost_while_the_product_thinks(sides: Sides) -> None:
    sides.product.waits_s = 0.3
    sides.plant("drop_during")
    assert await sides.act("dial", code=CODE) == LOST
    assert len(sides.product.forms("ussd")) == 1


async def test_a_turn_is_posted_twice_one_after_the_other_or_at_once(sides: Sides) -> None:
    for at_once in (False, True):
        sides.plant("turn_twice", at_once=at_once)
        assert (await sides.act("dial", code=CODE))["open"]
        await sides.act("hangup")
    turns = sides.product.forms("ussd")
    assert len(turns) == 4 and turns[0] == turns[1] and turns[2] == turns[3] and turns[0] != turns[2]


async def test_a_network_may_be_nameless_and_slow(sides: Sides) -> None:
    sides.plant("no_network_code")
    sides.plant("slow_operator", seconds=0.01)
    assert (await sides.act("dial", code=CODE))["open"]
    assert "networkCode" not in sides.product.forms("ussd")[0]


async def test_the_event_of_the_end_is_missing_early_late_or_doubled(sides: Sides) -> None:
    for fault, count in (("no_event", 0), ("event_twice", 2)):
        sides.plant(fault)
        sides.product.replies = ["END Bye"]
        await sides.act("dial", code=CODE)
        await sides.town.core.pass_time(1)
        if count:
            await sides.product.until("ussd/events", count)
        assert len(sides.product.forms("ussd/events")) == count
    sides.plant("event_early")
    sides.product.replies = ["END Bye"]
    await sides.act("dial", code=CODE)
    assert [kind for kind, _ in sides.product.heard][-2:] == ["ussd/events", "ussd"]
    sides.plant("event_late", seconds=600)
    sides.product.replies = ["END Bye"]
    await sides.act("dial", code=CODE)
    assert len(sides.product.forms("ussd/events")) == 3
    await sides.town.core.pass_time(601)
    assert len(await sides.product.until("ussd/events", 4)) == 4


async def test_a_product_that_takes_longer_than_the_gateway_waits(sides: Sides) -> None:
    core = sides.town.core
    impatient = AfricasTalking(core, Phones(core), sides.town.africastalking.subscription, delay_s=0.0, reply_within_s=0.1)
    await impatient.start()
    sides.product.waits_s = 0.5
    shown = await impatient.ussd.dial(Phones(core).phone(PHONE), CODE)
    assert not shown["open"] and "not available" in shown["screen"]
    [event] = await sides.product.until("ussd/events")
    assert event["status"] == "Failed" and "0.1 s" in event["errorMessage"]
    await impatient.stop()


async def test_reports_come_in_the_wrong_order_twice_for_nobody_late_or_never(sides: Sides) -> None:
    for fault, expected in [
        ("report_out_of_order", ["Success", "Sent"]),
        ("report_twice", ["Sent", "Success", "Success"]),
        ("report_unknown", ["Success", "Sent", "Success"]),
        ("report_late", ["Sent", "Success"]),
        ("no_report", []),
        ("report_failed", ["Sent", "Failed"]),
    ]:
        sides.product.heard.clear()
        sides.plant(fault)
        message_id = (await sides.text())["Recipients"][0]["messageId"]
        await sides.town.core.pass_time(400)
        reports = await sides.product.until("sms/delivery", len(expected))
        assert [report["status"] for report in reports] == expected, fault
        strangers = [report for report in reports if report["id"] != message_id]
        assert len(strangers) == (fault == "report_unknown")
        assert [report.get("failureReason") for report in reports if report["status"] == "Failed"] == ["DeliveryFailure"] * (
            fault == "report_failed"
        )
    assert len((await sides.phone())["sms"]) == 5


async def test_incoming_messages_are_doubled_late_or_only_found_by_asking(sides: Sides) -> None:
    sides.plant("inbound_twice")
    await sides.act("sms", to="22384", text="BAL")
    first, second = await sides.product.until("sms/inbound", 2)
    assert first == second
    sides.plant("inbound_late", seconds=120)
    await sides.act("sms", to="22384", text="LATE")
    sides.plant("inbound_lost")
    await sides.act("sms", to="22384", text="LOST")
    await sides.town.core.pass_time(121)
    assert [form["text"] for form in await sides.product.until("sms/inbound", 3)] == ["BAL", "BAL", "LATE"]
    assert [message["text"] for message in (message.polled() for message in sides.town.africastalking.inbound.messages)][-1] == "LOST"
