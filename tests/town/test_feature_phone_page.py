"""The phone with keys on the page at /town, pressed and typed on in a real browser."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser import axe_violations
from tests.town.africastalking_sides import Sides, running_sides
from town.daraja.merchant import Merchant

Open = Callable[..., Awaitable[Page]]
PATIENCE_MS = 15_000
PHONE = "254700000003"
MENU = "CON PayLoom\n1. Sell\n2. Orders"


@pytest_asyncio.fixture
async def sides() -> AsyncIterator[Sides]:
    async with running_sides() as running:
        yield running


class Pressed:
    """Somebody with the phone in hand. `broken` collects what a page must never do: throw, or ask anybody else."""

    def __init__(self, page: Page, sides: Sides) -> None:
        self.page = page
        self.sides = sides
        self.phone: Locator = page.locator("#panel-feature")
        self.screen = self.phone.locator(".ff-body")
        self.broken: list[str] = []
        page.on("pageerror", lambda error: self.broken.append(str(error)))
        page.on("request", lambda request: None if request.url.startswith(sides.root) else self.broken.append(request.url))

    async def open(self) -> None:
        await self.page.goto(f"{self.sides.root}/town")
        await expect(self.phone).to_be_attached()

    async def shows(self, text: str) -> None:
        await expect(self.screen).to_contain_text(text, timeout=PATIENCE_MS)

    async def keys(self, text: str) -> None:
        for key in text:
            await self.phone.locator(f'[data-key="{key}"]').click()

    async def press(self, label: str) -> None:
        await self.phone.get_by_role("button", name=label, exact=True).click()


@pytest_asyncio.fixture
async def pressed(sides: Sides, open_page: Open) -> AsyncIterator[Pressed]:
    """On a desktop."""
    phone = Pressed(await open_page(width=1440, height=900), sides)
    await phone.open()
    yield phone
    assert phone.broken == []


async def test_a_code_is_dialled_and_answered_with_the_keys(pressed: Pressed) -> None:
    product = pressed.sides.product
    product.replies = [MENU, "CON Name?", "END Done"]
    await pressed.keys("*384*77#")
    await pressed.press("Green key: call")
    await pressed.shows("2. Orders")
    await pressed.keys("1")
    await pressed.press("Send")
    await pressed.shows("Name?")
    await pressed.keys("#")
    await pressed.keys("73")
    await pressed.press("Send")
    await pressed.shows("Done")
    assert [turn["text"] for turn in product.forms("ussd")] == ["", "1", "1*pd"]
    await pressed.press("OK")
    await pressed.shows("Dial *384*77#")


async def test_a_key_pressed_again_soon_gives_its_next_letter(pressed: Pressed) -> None:
    typing = """async () => {
        const { Multitap } = await import('/town/static/multitap.js');
        const tap = new Multitap();
        const type = (presses) => presses.reduce((text, [key, at]) => tap.press(text, key, at), '');
        const soon = type([['7', 0], ['7', 100], ['7', 200], ['3', 300], ['3', 400]]);
        const slowly = type([['2', 5000], ['2', 7000], ['0', 7100]]);
        tap.next();
        return [soon, slowly, type([['2', 9000]]), tap.mode];
    }"""
    assert await pressed.page.evaluate(typing) == ["re", "aa ", "A", "ABC"]


async def test_it_is_typed_on_a_keyboard_too(pressed: Pressed) -> None:
    pressed.sides.product.replies = [MENU, "CON Name?"]
    await pressed.screen.focus()
    await pressed.page.keyboard.type("*384*77*12345#")
    await pressed.page.keyboard.press("Enter")
    await pressed.shows("2. Orders")
    await pressed.page.keyboard.type("Red sneakers")
    await pressed.page.keyboard.press("Enter")
    await pressed.shows("Name?")
    assert [turn["text"] for turn in pressed.sides.product.forms("ussd")] == ["12345", "12345*Red sneakers"]
    await pressed.page.keyboard.press("Escape")
    assert (await pressed.sides.product.until("ussd/events"))[0]["status"] == "Incomplete"
    await pressed.shows("Dial *384*77#")


async def test_sms_are_counted_read_and_answered(pressed: Pressed) -> None:
    await pressed.sides.text(f"+{PHONE}", message="Ship order 4821", **{"from": "22384"})
    await pressed.shows("1 new message")
    await pressed.press("Messages")
    await expect(pressed.screen.get_by_role("img", name="unread")).to_have_count(1, timeout=PATIENCE_MS)
    await pressed.press("Down")
    await pressed.press("Open")
    await pressed.shows("Ship order 4821")
    await pressed.press("Reply")
    await pressed.phone.get_by_role("textbox", name="Message").fill("SHIP 4821")
    await pressed.press("Send")
    await pressed.shows("Message sent")
    [form] = await pressed.sides.product.until("sms/inbound")
    assert (form["from"], form["to"], form["text"]) == (f"+{PHONE}", "22384", "SHIP 4821")
    await pressed.page.reload()
    await pressed.press("Messages")
    await pressed.shows("22384")
    await expect(pressed.screen.get_by_role("img", name="unread")).to_have_count(0, timeout=PATIENCE_MS)


@pytest.mark.parametrize("pin,result", [("1234", 0), ("9999", 2001), (None, 1032)])
async def test_the_mpesa_pin_is_typed_on_it(pressed: Pressed, pin: str | None, result: int) -> None:
    sides = pressed.sides
    async with Merchant(f"{sides.root}/town/daraja", sides.town.daraja.apps["town-key"]) as shop:
        await shop.sign_in()
        await shop.push(PhoneNumber=PHONE, PartyA=PHONE)
        await pressed.shows("Enter M-PESA PIN")
        if pin is None:
            await pressed.press("Red key: hang up")
        else:
            await pressed.keys(pin)
            await pressed.press("OK")
        assert (await shop.heard())[0]["Body"]["stkCallback"]["ResultCode"] == result


async def test_the_sim_of_somebody_else_can_be_put_in(pressed: Pressed) -> None:
    await pressed.sides.text("+254711000001", message="For Amina", **{"from": "PayLoom"})
    await pressed.phone.get_by_role("combobox").select_option("254711000001")
    await pressed.shows("1 new message")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_it_fits_a_small_phone_and_hinders_nobody(sides: Sides, open_page: Open, scheme: str) -> None:
    """X2: at 360 points, by touch."""
    sides.product.replies = [MENU]
    phone = Pressed(await open_page(width=360, height=740, has_touch=True, color_scheme=scheme), sides)
    await phone.open()
    await phone.page.get_by_role("button", name="Zawadi").tap()
    await phone.phone.get_by_role("button", name="PayLoom", exact=True).tap()
    await phone.shows("2. Orders")
    assert await phone.page.evaluate("document.documentElement.scrollWidth") == 360
    for key in await phone.phone.locator(".ff-key").all():
        box = await key.bounding_box()
        assert box is not None and box["height"] >= 32 and box["x"] >= 0 and box["x"] + box["width"] <= 360
    assert await axe_violations(phone.page) == []
    assert phone.broken == []
