"""The pages in a real browser: they fit a phone in every language, hinder nobody, and work with and without JavaScript."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import pytest_asyncio
from playwright.async_api import ConsoleMessage, Page, Request

from domain.money import Money
from domain.order import Reason
from domain.payment import Outcome, Reply
from tests.browser import axe_violations
from tests.web.every_way import open_every_way
from tests.web.ground import Ground, standing
from tests.web.test_buy import FIRST_LOAD_BYTES
from tests.web.test_carry import cut_off
from usecases import disputes, orders
from web.pages.track import buyer_of

Open = Callable[..., Awaitable[Page]]
LANGUAGES = ("en", "sw", "ar")
CONTRAST = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
"""All that the night changes."""


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


async def _every_way_page(house: Ground) -> dict[str, str]:
    """With all gateways: what is offered, on the way to a hosted page, back from it with nothing, by hand, and money that goes back."""
    gateways = await open_every_way(house)
    link, riyals = await house.link(stock=5), await house.link(price=Money(18_000, "SAR"))
    hosted = await house.begin(await house.link(), method="visa", phone="")
    gateways["paypal"].reply = Reply(Outcome.UNKNOWN)
    checking = await house.begin(await house.link(), method="paypal", phone="")
    gateways["paypal"].reply = Reply(Outcome.DECLINED, result="declined")
    refused = await house.begin(await house.link(), method="paypal", phone="")
    refunded, order = await house.sold()
    await house.prove(order)
    await house.seller(orders.cancel_order, order)
    return {
        "many ways": f"/buy/{link.code}", "riyals": f"/buy/{riyals.code}", "hosted": hosted, "checking": checking, "refused": refused,
        "claim": f"{hosted}/claim", "refunded": refunded,
    }  # fmt: skip


async def _too_small(page: Page) -> list[str]:
    """Ways to pay that a thumb does not hit, or whose name is cut or broken."""
    return list(
        await page.evaluate(
            """() => [...document.querySelectorAll('.ways .method')].filter((row) => row.checkVisibility()).filter((row) => {
                const name = row.querySelector('b'), words = name.textContent.split(' ').length;
                return row.getBoundingClientRect().height < 44 || row.scrollWidth > row.clientWidth || name.getClientRects().length > words;
            }).map((row) => row.textContent.trim())"""
        )
    )


@pytest.mark.parametrize("language", LANGUAGES)
async def test_every_page_fits_a_phone_and_hinders_nobody(house: Ground, open_page: Open, language: str) -> None:
    """X2: by day and by night."""
    paths = {**await _every_page(house), **await _every_way_page(house)}
    found: list[str] = []
    here = at(house, "/")

    def console(said: ConsoleMessage) -> None:
        if "Content Security Policy" in said.text:
            found.append(said.text)

    def broken(error: object) -> None:
        found.append(str(error))

    def asked(request: Request) -> None:
        if not request.url.startswith((here, "data:")):
            found.append(request.url)

    for scheme in ("light", "dark"):
        page = await open_page(locale=language, color_scheme=scheme, reduced_motion="reduce")
        page.on("pageerror", broken)
        page.on("console", console)
        page.on("request", asked)
        for name, path in paths.items():
            await page.goto(at(house, f"{path}?lang={language}"))
            assert await page.evaluate("document.documentElement.lang") == language
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append(f"{name}: wider than the phone")
            await page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
            found += [f"{name} {scheme}: {one}" for one in await axe_violations(page, CONTRAST if scheme == "dark" else None)]
            found += [f"{name}: too small or cut: {one}" for one in await _too_small(page)]
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


@pytest.mark.parametrize("width", [320, 360, 390, 412])
async def test_many_ways_to_pay_are_thumb_sized_on_every_phone(house: Ground, open_page: Open, width: int) -> None:
    await open_every_way(house)
    link = await house.link()
    page = await open_page(width=width)
    await page.goto(at(house, f"/buy/{link.code}"))
    assert await page.get_by_role("radio").count() == 6
    assert await _too_small(page) == []
    assert not await page.evaluate("document.documentElement.scrollWidth > innerWidth")


async def test_first_loads_stay_small_with_every_way_to_pay(house: Ground) -> None:
    """O4: each page in one flight of packets, compressed."""
    paths = await _every_way_page(house)
    for name, path in paths.items():
        answer = await house.client.get(path, headers={"Accept-Encoding": "gzip"}, auto_decompress=False)
        assert (answer.headers.get("Content-Encoding"), answer.status) == ("gzip", 200), name
        assert len(await answer.read()) <= FIRST_LOAD_BYTES, name


async def test_the_mpesa_number_is_asked_for_mpesa_alone_also_without_javascript(house: Ground, open_page: Open) -> None:
    paths = await _every_way_page(house)
    page = await open_page(java_script_enabled=False)
    await page.goto(at(house, paths["refused"]))
    assert await page.get_by_role("radio", name="PayPal").is_checked()
    number = page.get_by_label("M-Pesa number")
    assert not await number.is_visible()
    await page.get_by_role("radio", name="M-Pesa").check()
    await number.fill("07")
    await page.get_by_role("button", name="Try again").click()
    assert await page.get_by_role("radio", name="M-Pesa").is_checked(), "what was named stays"
    assert await number.input_value() == "07"
    await page.get_by_role("alert").first.wait_for()
    house.clock.move(timedelta(seconds=1))  # of two tries the newer one counts, and two ids of one millisecond have no order
    await number.fill("0712345678")
    await page.get_by_role("button", name="Try again").click()
    await page.get_by_role("heading", name="Look at your phone").wait_for()


async def test_a_number_left_behind_does_not_hinder_another_way(house: Ground) -> None:
    """The field is not shown then, so nobody could mend it."""
    paths = await _every_way_page(house)
    answer = await house.post(f"{paths['refused']}/retry", {"method": "visa", "phone": "07"})
    assert answer.status == 303
