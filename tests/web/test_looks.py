"""The pages in a real browser: they fit a phone in every language, hinder nobody, and work with and without JavaScript."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import ConsoleMessage, Page

from domain.order import Reason
from tests.browser import axe_violations
from tests.web.ground import Ground, standing
from tests.web.test_carry import cut_off
from usecases import disputes, orders
from web.pages.track import buyer_of

Open = Callable[..., Awaitable[Page]]
LANGUAGES = ("en", "sw", "ar")


@pytest_asyncio.fixture
async def house(sqlite_url: str) -> AsyncIterator[Ground]:
    """As `ground`, at an address a browser can follow."""
    async with standing(sqlite_url, base_url="http://127.0.0.1") as stands:
        yield stands


def at(house: Ground, path: str) -> str:
    return str(house.client.make_url(path))


async def _every_page(house: Ground) -> dict[str, str]:
    link, other = await house.link(stock=5), await house.link()
    waiting, failed = await house.begin(link), await house.begin(other)
    await house.pay(failed, 1)
    track, _ = await house.sold()
    disputed, order = await house.sold()
    await house.hall.store.write(disputes.open_dispute, buyer_of(order.id), order.number, Reason.BROKEN, "It is broken.")
    done, order = await house.sold()
    await house.prove(order)
    await house.hall.store.write(orders.confirm_delivery, buyer_of(order.id), order.number)
    return {
        "home": "/", "buy": f"/buy/{link.code}", "waiting": waiting, "failed": failed, "track": track, "disputed": disputed, "done": done,
        "confirm": f"{track}/confirm", "problem": f"{track}/problem", "nothing": "/nothing",
        "check": "/check", "carry": f"/c/{await cut_off(house, code=other.code, quantity=2, address='Kilimani')}", "carried": "/c/K7Q2M9",
    }  # fmt: skip


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_fits_a_phone_and_hinders_nobody(house: Ground, open_page: Open, language: str) -> None:
    """X2: by day and by night."""
    paths = await _every_page(house)
    found: list[str] = []

    def console(said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            found.append(said.text)

    def broken(error: object) -> None:
        found.append(str(error))

    for scheme in ("light", "dark"):
        page = await open_page(locale=language, color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", broken)
        page.on("console", console)
        for name, path in paths.items():
            await page.goto(at(house, f"{path}?lang={language}"))
            assert await page.evaluate("document.documentElement.lang") == language
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{name}: wider than the phone")
            found += [f"{name} {scheme}: {one}" for one in await axe_violations(page)]
    assert not found


async def test_a_whole_purchase_by_hand_with_a_page_that_goes_on_by_itself(house: Ground, open_page: Open) -> None:
    """L4 to L7, O3."""
    link = await house.link(stock=5)
    page = await open_page()
    await page.goto(at(house, f"/buy/{link.code}"))
    await page.get_by_label("How many?").select_option("2")
    assert await page.locator("#total").inner_text() == "Ksh 5,000"
    await page.get_by_label("M-Pesa number").fill("0712345678")
    await page.get_by_label("Your name").fill("Wanjiru")
    await page.get_by_role("button", name="Pay safely").click()
    await page.get_by_role("heading", name="Look at your phone").wait_for()
    pay = page.url.partition("127.0.0.1")[2].partition("/")[2]
    await house.hall.drain()
    await house.pay(f"/{pay}", 1032)
    await page.get_by_role("heading", name="Not paid yet").wait_for()
    assert await page.locator("#said").inner_text() == "Not paid yet"
    house.clock.move(timedelta(seconds=20))
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("heading", name="Look at your phone").wait_for()
    await house.hall.drain()
    attempt = max(await house.hall.store.read(lambda unit: unit.payments.attempts(house.checkout_of(f"/{pay}"))), key=lambda one: one.live)
    await house.client.post(house.callback(attempt), data=house.body(attempt))
    await page.get_by_role("heading", name="Paid. Your money is safe.").wait_for()
    order = await house.order(f"/{pay}")
    await house.prove(order)
    await house.seller(orders.mark_delivered, order)
    await page.get_by_role("link", name="I have it, it is fine").click()
    await page.get_by_role("button", name="Yes, I have it").click()
    await page.get_by_role("heading", name="All done. Thank you!").wait_for()


async def test_a_whole_purchase_without_javascript(house: Ground, open_page: Open) -> None:
    link = await house.link()
    page = await open_page(java_script_enabled=False)
    await page.goto(at(house, f"/buy/{link.code}"))
    await page.get_by_label("M-Pesa number").fill("07")
    await page.get_by_role("button", name="Pay safely").click()
    await page.get_by_text("Please write your name").wait_for()
    assert await page.get_by_label("M-Pesa number").input_value() == "07"
    await page.get_by_label("M-Pesa number").fill("0712345678")
    await page.get_by_label("Your name").fill("Wanjiru")
    await page.get_by_role("button", name="Pay safely").click()
    await page.get_by_role("heading", name="Look at your phone").wait_for()
    await house.hall.drain()
    await house.pay("/" + page.url.partition("127.0.0.1")[2].partition("/")[2])
    await page.get_by_role("heading", name="Paid. Your money is safe.").wait_for(timeout=9_000)
