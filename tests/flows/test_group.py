"""N6, group pay, through a whole town over HTTP: begun on a page or in the chat, paid by several phones, an order or everything back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import aiohttp

from domain.tokens import Purpose
from payloom.audit import audit
from payloom.tour_people import Browser, Chatter, Page
from tests.bot.town import Here, living_town

DAY_S = 86_400


def local(who: Chatter) -> str:
    return "0" + who.msisdn.removeprefix("254")


def seen(page: Page, kind: str) -> str:
    return next(link for link in page.links if kind in link)


async def clean(here: Here) -> None:
    """Every promise holds over the database of the running town."""
    report = await audit(here.streets.settings, now=here.streets.core.clock.now())
    assert report.ok, [(finding.name, finding.offences) for finding in report.broken]


async def has_back(here: Here, who: Chatter, minor: int) -> None:
    """A refund takes its steps, each of which waits for the one before: proved, sent, told."""

    async def back() -> bool:
        return await who.balance_minor() == minor

    await here.wire.eventually(back, f"{who.name} has everything back", step_s=31)


async def paid_on_the_page(here: Here, browser: Browser, group: str, who: Chatter, shares: str = "1") -> None:
    page = await browser.submit(await browser.open(group), "/group/", name=who.name, phone=local(who), shares=shares)
    assert page.path.startswith("/pay/"), page.text
    await who.pin("right")
    await here.wire.settle()


async def test_a_group_begun_on_a_page_is_paid_there_and_in_the_chat_and_a_cancelled_order_gives_each_their_share(tmp_path: Path) -> None:
    async with (
        living_town(tmp_path) as here,
        aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as session,
    ):  # keeps cookies of 127.0.0.1, as browsers do
        mine, browser = Browser(replace(here.wire, session=session), "Wanjiru"), Browser(here.wire, "a friend")
        await _split_on_the_page(here, mine, browser)


async def _split_on_the_page(here: Here, mine: Browser, browser: Browser) -> None:
    ann, ben = await here.somebody("Ann"), await here.somebody("Ben")
    before = {who.name: await who.balance_minor() for who in (ann, ben)}
    split = await mine.open(seen(await mine.open(f"/buy/{here.link}"), "/split"))
    group = await mine.submit(split, "/split", name="Wanjiru Kamau", phone="0799111222", shares="3", address="Kilimani")
    assert "Ksh 0 of Ksh 2,500" in group.text
    await paid_on_the_page(here, browser, group.path, ann)
    await ben.open(seen(await browser.open(group.path), "start=g-"))
    await ben.tap("do.pay_more")
    await ben.tap("2 ·")
    await ben.share_number()
    await ben.pin("right")
    await ben.hears("is paid and held safe")
    await here.wire.pass_time(5)
    await here.amina.hears("2,500")
    track = await mine.open(group.path)
    assert track.path.startswith("/track/"), "whoever began it has the order"
    assert before["Ann"] - await ann.balance_minor() == 83_400
    await clean(here)
    await mine.submit(await mine.open(f"{track.path}/cancel"), "/cancel")
    for who in (ann, ben):
        await has_back(here, who, before[who.name])
    await clean(here)


async def test_a_group_begun_in_the_chat_is_shown_live_and_what_is_not_filled_in_a_day_goes_back(tmp_path: Path) -> None:
    async with living_town(tmp_path) as here:
        brian, cate = await here.somebody("Brian"), await here.somebody("Cate")
        before = await cate.balance_minor()
        await brian.start(here.link)
        await brian.tap("do.buy_one")
        await brian.say("Kilimani")
        await brian.share_number()
        await brian.tap("do.split")
        await brian.tap("3")
        card = await here.newest(brian)
        assert "⬜⬜⬜" in card["text"]
        token = (await here.place(brian)).data["group"]
        payload = await here.read(lambda unit: unit.tokens.make(Purpose.GROUP, token))
        await cate.start(f"g-{payload}")
        await cate.tap("do.pay_share")
        await cate.share_number()
        await cate.pin("right")
        await cate.hears("is paid and held safe")
        await brian.hears("🟩⬜⬜")
        await clean(here)
        await here.wire.pass_time(DAY_S + 120)
        await here.wire.pass_time(120)
        await cate.hears("comes back to you by itself")
        await brian.hears("Nothing was bought")
        await has_back(here, cate, before)
        await clean(here)
