"""A whole town in which a payment arrives after its time: the seller's card on Telegram and by SMS, the buyer's page, and the clock; over HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from domain.late import Late
from payloom.audit import audit
from payloom.tour_people import Browser, Chatter, phrase
from tests.bot.town import Here, living_town

HALF_HOUR_S = 31 * 60.0
DAY_S = 24 * 3_600.0


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Here]:
    async with living_town(tmp_path) as found:
        yield found
        report = await audit(found.streets.settings, now=found.streets.core.clock.now())
        assert [finding.name for finding in report.broken] == []


async def pays_late(here: Here) -> Chatter:
    """Somebody whose prompt is answered, but Daraja tells of it an hour later."""
    buyer = await here.somebody()
    await buyer.start(here.link)
    await buyer.tap("do.buy_one")
    await buyer.say("Kilimani")
    await buyer.share_number()
    await buyer.tap("do.pay")
    await here.wire.fault("late_callback", seconds=3_600)
    await here.wire.fault("query_4999", 500)
    await buyer.pin("right")
    await here.wire.pass_time(HALF_HOUR_S)
    await buyer.tap("do.look_again")
    await here.wire.pass_time(HALF_HOUR_S)
    await here.wire.no_faults()
    await here.amina.hears("late.waits", step_s=1)
    return buyer


async def late_of(here: Here) -> Late:
    (row,) = await here.read(lambda unit: unit.session.plain("SELECT id FROM late_money").fetchall())
    late: Late = await here.read(lambda unit: unit.late.get(row[0]))
    return late


async def order_state(here: Here, late: Late) -> str:
    order: Any = await here.read(lambda unit: unit.orders.of_checkout(late.checkout_id))
    return "" if order is None else str(order.state)


async def test_the_seller_accepts_on_the_card_and_ships(here: Here) -> None:
    """N2, C4: the buyer's waiting message says that the seller decides; one press makes the order; the card is answered and has no buttons."""
    buyer = await pays_late(here)
    late = await late_of(here)
    await buyer.hears("late.buyer_waits", step_s=1)
    card = await here.amina.hears("late.waits")
    assert [button["text"] for row in card["buttons"] for button in row] == [phrase("do.late_accept"), phrase("do.late_refund")]
    await here.amina.tap("do.late_accept", on="arrived late")
    assert await order_state(here, late) == "ACCEPTED"
    await buyer.hears("buy.paid", step_s=1)
    pressed = next(one for one in await here.amina.messages() if one["message_id"] == card["message_id"])
    assert pressed["buttons"] == []
    await here.tap_data(here.amina, card["message_id"], f"o:{late.number}:late_refund")
    assert await order_state(here, late) == "ACCEPTED"
    await here.amina.tap("act.delivered", on=late.number)
    assert await order_state(here, late) == "DELIVERED"


async def test_the_seller_gives_it_back_and_the_buyer_has_every_shilling(here: Here) -> None:
    buyer = await pays_late(here)
    late = await late_of(here)
    await here.amina.tap("do.late_refund", on="arrived late")
    await here.amina.tap("do.yes_refund")
    await buyer.hears("fact.money_returned", step_s=31)
    assert await buyer.balance_minor() == 100_000_00
    assert await order_state(here, late) == ""


async def test_nobody_decides_and_after_a_day_the_clock_gives_it_back(here: Here) -> None:
    buyer = await pays_late(here)
    await here.wire.pass_time(DAY_S - 60)
    assert (await late_of(here)).state == "WAITING"
    await here.wire.pass_time(120)
    await here.amina.hears("fact.late_over.clock", step_s=1)
    await buyer.hears("fact.money_returned", step_s=31)
    assert (await late_of(here)).ended_by == "clock@job"


async def test_a_buyer_on_the_web_reads_by_when_the_seller_decides(here: Here) -> None:
    """The page follows: first the question, then the order."""
    browser, buyer = Browser(here.wire, "Njeri"), await here.somebody("Njeri")
    page = await browser.open(f"/buy/{here.link}")
    page = await browser.submit(page, "/buy/", name="Njeri", address="Ruaka", phone=f"0{buyer.msisdn[3:]}")
    await here.wire.fault("late_callback", seconds=3_600)
    await here.wire.fault("query_4999", 500)
    await buyer.pin("right")
    for _ in range(2):
        await here.wire.pass_time(HALF_HOUR_S)
    await here.wire.no_faults()
    await here.amina.hears("late.waits", step_s=1)
    shown = await browser.open(page.path)
    assert "Your money arrived late" in shown.text and "Mama Amina Shoes decides by" in shown.text
    await here.amina.tap("do.late_accept", on="arrived late")
    assert (await browser.open(page.path)).path.startswith("/track/")
    assert await order_state(here, await late_of(here)) == "ACCEPTED"
