"""What a person wants to be told, said in the chat and kept by everything that is told after it: in the town, over HTTP."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

from domain.person import ChannelKind, ChannelState
from domain.ports import Unit
from payloom.tour_people import Chatter
from tests.bot.town import Here, living_town

NAIROBI = timezone(timedelta(hours=3))


async def settings(buyer: Chatter) -> None:
    await buyer.say("/settings")
    await buyer.hears("settings.menu")


def hours_around_now(here: Here) -> str:
    """From an hour ago until in two hours, by the clock on a wall in Nairobi."""
    local = here.streets.core.clock.now().astimezone(NAIROBI)
    return f"{local - timedelta(hours=1):%H:%M}-{local + timedelta(hours=2):%H:%M}"


async def test_quiet_hours_are_typed_and_work_waits_for_their_end_but_money_does_not(tmp_path: Path) -> None:
    """P3, T2: and what cannot be read is said to be so."""
    async with living_town(tmp_path) as here:
        buyer = await here.somebody()
        number = await here.sold(buyer)
        await settings(buyer)
        await buyer.tap("do.quiet")
        await buyer.say("25:00-7")
        await buyer.hears("errors.bad_input.hours.not_hours")
        await buyer.say(hours_around_now(here))
        await buyer.hears("settings.kept")
        assert (await here.person(buyer)).wants.quiet
        await here.amina.tap("act.accept", on=number)
        await here.amina.tap("act.ship", on=number)
        await here.amina.tap("do.no_courier")
        assert (await here.ways(buyer, "order_shipped")) == {"telegram": "WAITING"}
        assert not await buyer.read("facts.order_shipped")
        await here.wire.pass_time(3 * 3600)
        assert (await here.ways(buyer, "order_shipped")) == {"telegram": "SENT"}
        await settings(buyer)
        await buyer.tap("do.quiet")
        await buyer.say(hours_around_now(here))
        await here.sold(buyer)
        assert (await here.outbox(buyer))["order_paid"] == "SENT"


async def test_news_that_are_switched_off_are_left_out_until_they_are_switched_on(tmp_path: Path) -> None:
    async with living_town(tmp_path) as here:
        buyer = await here.somebody()
        first, second = await here.sold(buyer), await here.sold(buyer)
        await settings(buyer)
        await buyer.tap("do.news_off")
        await here.amina.tap("act.accept", on=first)
        assert (await here.ways(buyer, "order_accepted")) == {"telegram": "SKIPPED"}
        await buyer.tap("do.news_on")
        await here.amina.tap("act.accept", on=second)
        assert (await here.outbox(buyer))["order_accepted"] == "SENT"


async def test_the_way_that_was_chosen_is_taken_and_another_where_it_does_not_work(tmp_path: Path) -> None:
    """T1: the dialog names the ways that are open, and no other; a number that was shared in the chat is one."""
    async with living_town(tmp_path) as here:
        buyer = await here.somebody()
        number = await here.sold(buyer)
        person = await here.person(buyer)
        await settings(buyer)
        await buyer.tap("do.way")
        shown = [button["text"] for row in (await here.newest(buyer))["buttons"] for button in row]
        assert shown[:2] == ["Telegram", "SMS"] and "E-mail" not in shown
        await buyer.tap("settings.way_sms")
        await buyer.hears("settings.kept")
        await here.amina.tap("act.accept", on=number)
        await here.amina.tap("act.ship", on=number)
        await here.amina.tap("do.no_courier")
        assert (await here.ways(buyer, "order_shipped")) == {"sms": "SENT"}
        texts = (await here.wire.look(f"/phone/{buyer.msisdn}"))["sms"]
        assert any(number in text["text"] for text in texts), texts

        def lose(unit: Unit) -> None:
            for channel in unit.people.channels(person.id):
                if channel.kind is ChannelKind.SMS:
                    unit.people.save_channel(replace(channel, state=ChannelState.BLOCKED))

        await here.streets.house.hall.store.write(lose)
        await here.amina.tap("act.delivered", on=number)
        assert (await here.ways(buyer, "order_delivered")) == {"telegram": "SENT"}
        await settings(buyer)
        await buyer.tap("do.way")
        shown = [button["text"] for row in (await here.newest(buyer))["buttons"] for button in row]
        assert "SMS" not in shown
