"""M-Pesa's menu on the page at /town, on a phone with glass and on the one with keys, in a real browser."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser import axe_violations
from tests.town.africastalking_sides import Sides, running_sides
from tests.town.test_feature_phone_page import PATIENCE_MS, Pressed
from town.daraja.merchant import Merchant

Open = Callable[..., Awaitable[Page]]
BUYER, KEYS = "254722000002", "254700000003"


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


@pytest_asyncio.fixture
async def shop(sides: Sides) -> AsyncIterator[Merchant]:
    """Is asked whether money may be paid, and told when it was."""
    app = sides.town.daraja.apps["town-key"]
    app.external_validation = True
    async with Merchant(f"{sides.root}/town/daraja", app) as merchant:
        await merchant.sign_in()
        urls = {"ConfirmationURL": f"{merchant.callback_url}/confirmation", "ValidationURL": f"{merchant.callback_url}/validation"}
        await merchant.post("/mpesa/c2b/v2/registerurl", {"ShortCode": app.short_code, "ResponseType": "Cancelled", **urls})
        yield merchant


@pytest_asyncio.fixture
async def pressed(sides: Sides, open_page: Open) -> AsyncIterator[Pressed]:
    """Zawadi's phone with keys, on a desktop."""
    phone = Pressed(await open_page(width=1440, height=900), sides)
    await phone.open()
    yield phone
    assert phone.broken == []


async def fill_bill(phone: Locator, account: str = "TEMP7K2QD4W8") -> None:
    await phone.get_by_role("button", name="M-Pesa", exact=True).click()
    await phone.get_by_role("button", name="Pay Bill").click()
    await phone.get_by_label("Business number").fill("174379")
    await phone.get_by_label("Account number").fill(account)
    await phone.get_by_label("Amount in shillings").fill("2500")
    await phone.get_by_role("button", name="Continue").click()


async def type_pin(phone: Locator, pin: str) -> None:
    pad = phone.get_by_role("group", name="M-Pesa asks")
    for digit in pin:
        await pad.get_by_role("button", name=digit, exact=True).click()
    await pad.get_by_role("button", name="Send", exact=True).click()


async def test_a_bill_is_paid_with_the_glass_phone_and_its_message_copied(pressed: Pressed, shop: Merchant) -> None:
    page = pressed.page
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    phone = page.locator("#panel-buyer")
    await fill_bill(phone)
    await expect(phone.get_by_text("Pay to business 174379 for account TEMP7K2QD4W8.")).to_be_visible()
    await type_pin(phone, "9999")
    await expect(phone.locator(".mpesa-said")).to_contain_text("You have entered a wrong M-PESA PIN.", timeout=PATIENCE_MS)
    await phone.get_by_role("button", name="Try again", exact=True).click()
    await expect(phone.get_by_label("Account number")).to_have_value("TEMP7K2QD4W8")
    await phone.get_by_role("button", name="Continue").click()
    await page.keyboard.type("1234")
    await page.keyboard.press("Enter")
    await expect(phone.get_by_role("heading", name="Paid", exact=True)).to_be_visible(timeout=PATIENCE_MS)
    said = pressed.sides.town.phones.phone(BUYER).sms[-1]["text"]
    assert said.split()[2:8] == ["Ksh2,500.00", "sent", "to", "PAYLOOM", "for", "account"]
    await expect(phone.locator(".mpesa-said")).to_have_text(said)
    assert [path for path, _, _ in shop.calls] == ["/callbacks/validation", "/callbacks/confirmation"]
    await phone.get_by_role("button", name=re.compile("^Messages")).click()
    messages = phone.get_by_role("list", name="SMS")
    await messages.get_by_role("button", name=f"Copy {said[:10]}").click()
    assert await page.evaluate("navigator.clipboard.readText()") == said[:10]
    await messages.get_by_role("button", name="Copy message").click()
    assert await page.evaluate("navigator.clipboard.readText()") == said
    await phone.get_by_role("button", name="Telegram", exact=True).click()
    await expect(phone.get_by_role("button", name=f"Paste {said[:10]}")).to_be_visible()  # the bot takes it too


async def test_what_the_seller_refuses_is_told_on_the_glass_phone(pressed: Pressed, shop: Merchant) -> None:
    shop.answer = {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    phone = pressed.page.locator("#panel-buyer")
    await fill_bill(phone, "WRONG")
    await type_pin(phone, "1234")
    await expect(phone.get_by_role("heading", name="Not paid")).to_be_visible(timeout=PATIENCE_MS)
    await expect(phone.locator(".mpesa-said")).to_contain_text("The account number WRONG is not correct for PAYLOOM.")
    assert pressed.sides.town.phones.phone(BUYER).balance_minor == 100_000_00


async def test_a_bill_is_paid_with_keys(pressed: Pressed, shop: Merchant) -> None:
    await pressed.shows("M-PESA KES 100,000")
    await pressed.press("Up")
    await pressed.shows("1. Lipa na M-PESA")
    await pressed.press("Select")
    await pressed.keys("1")
    await pressed.shows("Enter business no.")
    await pressed.keys("174379")
    await pressed.press("OK")
    await pressed.shows("Enter account no.")
    await pressed.keys("83")  # T, D
    await pressed.keys("##")  # ABC, 123, and back to letters: the account may have both
    await pressed.keys("7")
    await pressed.press("OK")
    await pressed.shows("Enter amount")
    await pressed.keys("2500*")
    await pressed.press("OK")
    await pressed.shows("Enter M-PESA PIN")
    await pressed.keys("1234")
    await pressed.press("OK")
    await pressed.shows("Pay KES 2,500 to business 174379 for account TDp?")
    await pressed.press("OK")
    await pressed.shows("Request sent. Wait for the M-PESA message.")
    await pressed.shows("1 new message")
    (entry,) = pressed.sides.town.daraja.books()
    assert (entry["msisdn"], entry["reference"], entry["amount"]) == (KEYS, "TDp", 2500)


async def test_a_till_is_paid_on_a_keyboard_through_its_code(pressed: Pressed) -> None:
    pressed.sides.town.daraja.add_app(key="b", secret="b", short_code="600111", passkey="p", kind="BUYGOODS", till="700222", name="KIOSK")
    await pressed.screen.focus()
    keyboard = pressed.page.keyboard
    await keyboard.type("*334#")
    await keyboard.press("Enter")
    await pressed.shows("1. Lipa na M-PESA")
    await keyboard.type("12")
    for shown, typed in (("Enter till no.", "700222"), ("Enter amount", "300"), ("Enter M-PESA PIN", "1234")):
        await pressed.shows(shown)
        await keyboard.type(typed)
        await keyboard.press("Enter")
    await pressed.shows("Pay KES 300 to till 700222?")
    await keyboard.press("Enter")
    await pressed.shows("1 new message")
    assert " Confirmed. Ksh300.00 paid to KIOSK. on " in pressed.sides.town.phones.phone(KEYS).sms[-1]["text"]


async def test_the_menu_is_left_step_by_step_and_nothing_is_paid(pressed: Pressed) -> None:
    await pressed.press("Up")
    await pressed.press("Down")
    await pressed.press("Select")
    await pressed.shows("Your M-PESA balance is KES 100,000.")
    await pressed.press("OK")
    await pressed.press("Up")
    await pressed.keys("12")
    await pressed.shows("Enter till no.")
    await pressed.keys("7")
    await pressed.press("Clear")
    await pressed.press("Cancel")
    await pressed.shows("Dial *384*77#")
    assert pressed.sides.town.daraja.books() == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_menus_fit_a_small_phone_and_hinder_nobody(sides: Sides, open_page: Open, scheme: str) -> None:
    """X2: at 360 points, by touch."""
    page = await open_page(width=360, height=740, has_touch=True, color_scheme=scheme)
    await page.goto(f"{sides.root}/town")
    await page.get_by_role("button", name="Brian", exact=True).tap()
    phone = page.locator("#panel-buyer")
    found: list[str] = []

    async def look(where: str) -> None:
        if await page.evaluate("document.documentElement.scrollWidth") != 360:
            found.append(f"{where}: wider than the phone")
        found.extend(f"{where}: {one}" for one in await axe_violations(page))

    await phone.get_by_role("button", name="M-Pesa", exact=True).tap()
    await look("menu")
    await fill_bill(phone)
    await look("pin")
    await type_pin(phone, "9999")
    await expect(phone.get_by_role("heading", name="Not paid")).to_be_visible(timeout=PATIENCE_MS)
    await look("refused")
    await phone.get_by_role("button", name=re.compile("^Messages")).tap()
    await look("messages")
    await page.get_by_role("button", name="Zawadi").tap()
    keys = page.locator("#panel-feature")
    await keys.get_by_role("button", name="Up", exact=True).tap()
    await look("menu of the SIM")
    assert found == []
