"""The post office on the page at /town: letters that arrive, read as letters and as text, sent back; in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import aiosmtplib
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser import axe_violations
from tests.town.africastalking_sides import Sides, running_sides
from tests.town.test_mail import AMINA, a_letter

Open = Callable[..., Awaitable[Page]]
PATIENCE_MS = 15_000


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


async def arrives(sides: Sides, to: str = AMINA) -> None:
    await aiosmtplib.send(
        a_letter(to), hostname="127.0.0.1", port=sides.town.mail.port, username="town", password="town-mail", start_tls=False, timeout=5
    )


@pytest.mark.parametrize("width, scheme", [(1280, "light"), (390, "dark")])
async def test_a_letter_is_read_and_sent_back(sides: Sides, open_page: Open, width: int, scheme: str) -> None:
    """W6: the letter's own script does not run, and nothing is asked of anybody else."""
    page = await open_page(width=width, height=844, color_scheme=scheme)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("dialog", lambda dialog: broken.append(dialog.message))
    page.on("request", lambda request: None if request.url.startswith(sides.root) else broken.append(request.url))
    await page.goto(f"{sides.root}/town")
    office = page.locator("#panel-mail")
    if width < 760:
        await page.get_by_role("button", name="Post", exact=True).click()
    await expect(office).to_contain_text("No letters yet")
    await arrives(sides)
    await expect(office.locator(".po-row")).to_have_count(1, timeout=PATIENCE_MS)
    await office.locator(".po-row").click()
    inside = page.frame_locator("#panel-mail iframe")
    await expect(inside.get_by_role("link", name="Open")).to_be_visible(timeout=PATIENCE_MS)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    await office.get_by_role("button", name="As text").click()
    await expect(office.locator(".po-text a")).to_have_attribute("href", "https://pay.example/plain")
    await office.get_by_role("button", name="Bounce this").click()
    await expect(office.locator(".po-note")).not_to_be_empty()
    assert [one for one in await axe_violations(page) if "po-" in one or "panel-mail" in one] == []
    assert broken == []
