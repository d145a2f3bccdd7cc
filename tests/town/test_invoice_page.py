"""An invoice on the page at /town: the card in the chat, the sheet that opens from it, a card declined, a no of the bot, and a payment."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser import axe_violations
from tests.town.telegram_sides import Sides, running_town
from town.telegram.service import PROVIDER_TOKEN

Open = Callable[..., Awaitable[Page]]
BUYER = 2002
ASKED: dict[str, Any] = {
    "title": "Sneakers", "description": "<b>Red</b>, size 42", "payload": "p", "provider_token": PROVIDER_TOKEN, "currency": "KES",
    "prices": [{"label": "Sneakers", "amount": 250_000}],
}  # fmt: skip


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        await sides.act(BUYER, "start")
        yield sides


async def answers(t: Sides, *said: dict[str, Any]) -> None:
    """The bot answers one press after the other."""
    for one in said:
        async with asyncio.timeout(15):
            while not t.town.telegram.pre_checkouts:
                await t.ok("getMe")
        number = next(iter(t.town.telegram.pre_checkouts))
        await t.ok("answerPreCheckoutQuery", pre_checkout_query_id=number, **one)
        while number in t.town.telegram.pre_checkouts:
            await t.ok("getMe")


@pytest.mark.parametrize(("width", "scheme", "by_link"), [(1280, "light", False), (390, "dark", True)])
async def test_an_invoice_is_paid_on_its_sheet(t: Sides, open_page: Open, width: int, scheme: str, by_link: bool) -> None:
    if by_link:
        link = await t.ok("createInvoiceLink", **ASKED)
        await t.ok("sendMessage", chat_id=BUYER, text="Pay", reply_markup={"inline_keyboard": [[{"text": "Pay now", "url": link}]]})
    else:
        await t.ok("sendInvoice", chat_id=BUYER, **ASKED)
    page = await open_page(width=width, height=844, color_scheme=scheme)
    broken: list[str] = []
    page.on("pageerror", lambda error: broken.append(str(error)))
    page.on("request", lambda request: None if request.url.startswith(t.root) else broken.append(request.url))
    await page.goto(f"{t.root}/town")
    chat = page.locator("[data-app=telegram]").filter(has=page.get_by_label("Message as Brian"))
    if width < 760:
        await page.get_by_role("button", name="Brian").first.click()
    if not by_link:
        await expect(chat.locator(".invoice .total")).to_have_text("KES 2,500.00")
    await chat.get_by_role("button", name="Pay now" if by_link else "Pay KES 2,500.00").click()
    sheet = chat.locator(".paying")
    await expect(sheet).to_contain_text("<b>Red</b>, size 42")
    await expect(sheet).to_contain_text("Test payment")
    assert [one for one in await axe_violations(page) if any(part in one for part in ("paying", "sheet", ".go", ".cards"))] == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    pressing = asyncio.ensure_future(answers(t, {"ok": False, "error_message": "Sold out."}, {"ok": True}, {"ok": True}))
    pay = sheet.get_by_role("button", name="Pay KES 2,500.00")
    await pay.click()
    await expect(sheet.get_by_role("alert")).to_have_text("Sold out.")
    await sheet.get_by_role("button", name="Declined").click()
    await pay.click()
    await expect(sheet.get_by_role("alert")).to_contain_text("declined")
    assert t.town.telegram.payments == []
    await sheet.get_by_role("button", name="Good card").click()
    await pay.click()
    await expect(chat.locator(".paid-line")).to_contain_text("2,500.00")
    await expect(sheet).to_be_hidden()
    await pressing
    assert len(t.town.telegram.payments) == 1
    assert broken == []


async def test_closing_the_sheet_charges_nothing(t: Sides, open_page: Open) -> None:
    await t.ok("sendInvoice", chat_id=BUYER, **ASKED)
    page = await open_page(width=1280, height=844)
    await page.goto(f"{t.root}/town")
    await page.get_by_role("button", name="Pay KES 2,500.00").click()
    await page.locator(".sheet:visible").get_by_role("button", name="Close").click()
    await expect(page.locator(".paying")).to_be_hidden()
    assert t.town.telegram.payments == [] and t.town.telegram.pre_checkouts == {}
