"""The group's page in a real browser: it fits a phone in every language, hinders nobody, and follows by itself without losing what is typed."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Page

from tests.browser import axe_violations
from tests.web.ground import Ground, standing
from tests.web.test_group import Party

Open = Callable[..., Awaitable[Page]]


@pytest_asyncio.fixture
async def house(sqlite_url: str) -> AsyncIterator[Ground]:
    """As `ground`, at an address a browser can follow."""
    async with standing(sqlite_url, base_url="http://127.0.0.1") as stands:
        yield stands


def at(house: Ground, path: str) -> str:
    return str(house.client.make_url(path))


async def begun(house: Ground, page: Page, language: str = "en") -> Party:
    """By whoever begins it, in this browser."""
    link = await house.link(stock=5)
    await page.goto(at(house, f"/buy/{link.code}/split?lang={language}"))
    await page.locator("#shares").select_option("4")
    await page.locator("#name").fill("Wanjiru Kamau")
    await page.locator("#phone").fill("0799111222")
    await page.locator("button.go").click()
    await page.locator("progress").wait_for()
    return Party(house, "/" + page.url.partition("127.0.0.1")[2].partition("/")[2].partition("?")[0])


@pytest.mark.parametrize("language", ["en", "sw", "ar"])
async def test_the_pages_fit_a_phone_and_hinder_nobody(house: Ground, open_page: Open, language: str) -> None:
    found: list[str] = []

    def broken(error: object) -> None:
        found.append(str(error))

    for scheme in ("light", "dark"):
        page = await open_page(locale=language, color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", broken)
        party = await begun(house, page, language)
        await party.pay()
        await party.take(shares="2")
        link = (await party.view()).link.code
        for name, path in (("group", party.path), ("split", f"/buy/{link}/split")):
            await page.goto(at(house, f"{path}?lang={language}"))
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{name}: wider than the phone")
            found += [f"{name} {scheme}: {one}" for one in await axe_violations(page)]
            if shots := os.environ.get("SHOTS"):
                await page.screenshot(path=Path(shots) / f"{name}-{language}-{scheme}.png", full_page=True)
    assert not found


async def test_the_page_follows_and_keeps_what_somebody_is_typing(house: Ground, open_page: Open) -> None:
    page = await open_page()
    party = await begun(house, page)
    await page.locator("#name").fill("Ann")
    await page.locator("#shares").select_option("2")
    await page.locator("#phone").focus()
    await party.pay()
    await page.get_by_role("heading", name="Ksh 625 of Ksh 2,500").wait_for()
    assert await page.locator("#name").input_value() == "Ann" and await page.locator("#shares").input_value() == "2"
    assert await page.evaluate("document.activeElement.id") == "phone"
    await party.pay(shares="3")
    await page.wait_for_url("**/track/**")


async def test_a_share_is_paid_without_javascript(house: Ground, open_page: Open) -> None:
    page = await open_page(java_script_enabled=False)
    party = await begun(house, page)
    await page.locator("#name").fill("Ann")
    await page.locator("#phone").fill("0722000999")
    await page.get_by_role("button", name="Pay").click()
    await page.get_by_role("heading", name="Look at your phone").wait_for()
    await house.hall.drain()
    pay = "/" + page.url.partition("127.0.0.1")[2].partition("/")[2]
    assert (await house.pay(pay)).status == 200
    await page.goto(at(house, pay))
    await page.get_by_role("heading", name="Ksh 625 of Ksh 2,500").wait_for()
    assert party.path in page.url
