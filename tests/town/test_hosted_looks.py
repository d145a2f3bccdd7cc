"""The hosted pages of the town in a real browser: they fit a phone, hinder nobody, ask nobody else, and need no script."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser import axe_violations
from tests.town import paypal_sides, test_moyasar, test_paytabs
from town.moyasar.server import DEFAULT_ACCOUNT
from town.moyasar.standalone import Standalone as Moyasar
from town.paytabs.standalone import Standalone as PayTabs
from town.stripe.standalone import Standalone as Stripe

Open = Callable[..., Awaitable[Page]]
DECLINED = "4000000000000002"
SALE = {
    "mode": "payment",
    "success_url": "https://shop.example/ok",
    "cancel_url": "https://shop.example/no",
    "line_items[0][price_data][currency]": "kes",
    "line_items[0][price_data][unit_amount]": "250000",
    "line_items[0][price_data][product_data][name]": "Red sneakers",
    "line_items[0][quantity]": "1",
}


@dataclass
class Payer:
    """Somebody on a small phone. `found` collects what a page must never be."""

    page: Page
    found: list[str] = field(default_factory=list)

    async def looks(self, where: str) -> None:
        """At the page as it is now."""
        if await self.page.locator("script").count():
            self.found.append(f"{where}: a script")
        if await self.page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            self.found.append(f"{where}: wider than the phone")
        for button in await self.page.locator("button:visible, a.button:visible, summary:visible").all():
            box = await button.bounding_box()
            if box is None or box["height"] < 28:
                self.found.append(f"{where}: a button too small for a thumb")
        self.found += [f"{where}: {one}" for one in await axe_violations(self.page)]

    async def press(self, name: str) -> None:
        await self.page.get_by_role("button", name=name, exact=True).click()


@pytest_asyncio.fixture
async def payer(open_page: Open) -> AsyncIterator[Payer]:
    page = await open_page(width=360, height=740)
    somebody = Payer(page)
    page.on("request", lambda request: None if request.url.startswith("http://127.0.0.1") else somebody.found.append(request.url))
    yield somebody
    assert somebody.found == []


@pytest.mark.parametrize(("language", "way"), [("en", "ltr"), ("ar", "rtl")])
async def test_the_pages_of_paytabs(payer: Payer, language: str, way: str) -> None:
    async with PayTabs(seed=3) as alone, httpx.AsyncClient(trust_env=False) as http:
        made = await test_paytabs.Shop(alone, http).page(paypage_lang=language, return_using_get=False)
        await payer.page.goto(made["redirect_url"])
        assert await payer.page.evaluate("[document.documentElement.lang, document.documentElement.dir]") == [language, way]
        await payer.looks("to pay")
        await payer.page.locator("summary").click()
        await payer.looks("other cards")
        await payer.page.locator(f"button[name=number][value='{DECLINED}']").click()
        await expect(payer.page.get_by_role("heading", name="3-D Secure")).to_be_visible()
        await payer.looks("3-D Secure")
        await payer.page.locator("[name=answer][value=ok]").click()
        await expect(payer.page.get_by_role("alert")).to_have_text("Declined" if language == "en" else "رُفضت البطاقة")
        await payer.looks("declined")


@pytest.mark.parametrize("language", ["en", "ar"])
async def test_the_pages_of_moyasar(payer: Payer, language: str) -> None:
    keys = (DEFAULT_ACCOUNT.secret_key, "")
    async with Moyasar(seed=3) as alone, httpx.AsyncClient(auth=keys, trust_env=False) as http:
        invoice = await test_moyasar.Shop(alone, http).invoice()
        await payer.page.goto(invoice["url"].replace("lang=en", f"lang={language}"))
        await payer.looks("to pay")
        await payer.page.locator("summary").click()
        await payer.page.locator(f"button[name=number][value='{DECLINED}']").click()
        await payer.looks("3-D Secure")
        await payer.page.locator("[name=answer][value=ok]").click()
        await expect(payer.page.get_by_role("alert")).to_have_text("DECLINED" if language == "en" else "رُفضت البطاقة")
        assert await payer.page.evaluate("document.documentElement.lang") == language
        await payer.looks("declined")
        await payer.page.locator("[name=type][value=stcpay]").click()
        assert await payer.page.evaluate("document.documentElement.lang") == language
        await payer.looks("code of stc pay")
        await payer.page.locator("button").click()
        await expect(payer.page.get_by_text("This invoice has been paid." if language == "en" else "دُفعت هذه الفاتورة.")).to_be_visible()


async def test_a_card_in_shillings_is_no_mada(payer: Payer) -> None:
    """What is filled in already pays."""
    async with PayTabs(seed=3) as alone, httpx.AsyncClient(trust_env=False) as http:
        made = await test_paytabs.Shop(alone, http).page(cart_currency="AED", return_using_get=False)
        await payer.page.goto(made["redirect_url"])
        await payer.press("Pay now")
        await payer.press("Confirm")
        await expect(payer.page.get_by_text("Authorised")).to_be_visible()


async def test_the_pages_of_paypal(payer: Payer) -> None:
    async with paypal_sides.running_shop() as shop:
        _, order = await shop.order(paypal_sides.an_order(description="Red sneakers"))
        await payer.page.goto(next(one["href"] for one in order["links"] if one["rel"] == "payer-action"))
        await payer.looks("log in")
        await payer.page.get_by_label("Password").fill("wrong")
        await payer.press("Log In")
        await expect(payer.page.get_by_role("alert")).to_contain_text("Please try again.")
        await payer.looks("wrong password")
        await payer.press("Log In")
        await expect(payer.page.get_by_text("20.00 USD")).to_be_visible()
        await payer.looks("review")
        await payer.press("Pay, then close the window")
        await expect(payer.page.get_by_role("heading", name="The window is closed")).to_be_visible()


async def test_the_pages_of_stripe(payer: Payer) -> None:
    async with Stripe(seed=1) as alone, httpx.AsyncClient(trust_env=False) as http:
        keys = {"Authorization": f"Bearer {next(iter(alone.stripe.accounts))}"}
        made = await http.post(f"{alone.base_url}/v1/checkout/sessions", data=SALE, headers=keys)
        await payer.page.goto(made.json()["url"])
        await expect(payer.page.get_by_text("KES 2500.00")).to_be_visible()
        await payer.looks("to pay")
        await payer.page.get_by_label("Card number").fill(DECLINED)
        await payer.press("Pay")
        await expect(payer.page.get_by_role("alert")).to_have_text("Your card was refused. (generic_decline) Nothing was taken.")
        await payer.looks("declined")
        await payer.page.locator("summary").click()
        await payer.page.get_by_role("button", name="asks for 3-D Secure").click()
        await expect(payer.page.get_by_role("heading", name="3-D Secure")).to_be_visible()
        await payer.looks("3-D Secure")
        await payer.press("No")
        await expect(payer.page.get_by_role("alert")).to_be_visible()
