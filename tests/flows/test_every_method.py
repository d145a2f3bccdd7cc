"""A person pays by each method that a shop of the town offers, on the gateway's own page over HTTP; it is given back; the audit finds nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from playwright.async_api import Page as BrowserPage

from domain.ports import Unit
from payloom.audit import audit
from payloom.doctor_cards import cards, methods
from payloom.doctor_checks import FINE, Ground
from payloom.settings import Settings
from payloom.streets import Streets, town_settings
from payloom.tour_hosted import (
    DECLINED,
    MADA,
    MASTERCARD,
    STRIPE_ASKS,
    STRIPE_MASTERCARD,
    VISA,
    at_moyasar,
    at_paypal,
    at_paytabs,
    at_stripe,
    by_stc_pay,
    to_hosted_page,
)
from payloom.tour_people import Browser, Chatter, Page, Wire
from payloom.tour_print import Printer
from payloom.where import town_of
from tests.bot.town import Here, free_port, living_town

Way = Callable[[Browser, Page], Awaitable[Page]]


@dataclass(frozen=True)
class Case:
    """A method in a currency: who carries it, and what the payer does on that page."""

    method: str
    gateway: str
    way: Way


def pressing(value: str) -> Way:
    async def way(browser: Browser, page: Page) -> Page:
        return await browser.press(page, value)

    return way


def typing(at: Callable[..., Awaitable[Page]], card: str) -> Way:
    async def way(browser: Browser, page: Page) -> Page:
        return await at(browser, page, card)

    return way


BY_CURRENCY = {
    "KES": (
        Case("visa", "stripe", at_stripe), Case("mastercard", "stripe", typing(at_stripe, STRIPE_MASTERCARD)),
        Case("apple_pay", "stripe", pressing("apple_pay")), Case("google_pay", "stripe", pressing("google_pay")),
    ),
    "SAR": (
        Case("mada", "moyasar", at_moyasar), Case("apple_pay", "moyasar", pressing("applepay")), Case("stc_pay", "moyasar", by_stc_pay),
        Case("visa", "moyasar", typing(at_moyasar, VISA)), Case("mastercard", "moyasar", typing(at_moyasar, MASTERCARD)),
        Case("google_pay", "stripe", pressing("google_pay")),
    ),
    "AED": (
        Case("visa", "paytabs", at_paytabs), Case("mastercard", "paytabs", typing(at_paytabs, MASTERCARD)),
        Case("apple_pay", "paytabs", pressing("applepay")), Case("google_pay", "stripe", pressing("google_pay")),
    ),
    "USD": (Case("paypal", "paypal", at_paypal), Case("visa", "stripe", typing(at_stripe, STRIPE_ASKS))),
}  # fmt: skip


async def a_link(here: Here, currency: str) -> str:
    await here.amina.say(f"Blue dress 1500 {currency}")
    await here.amina.tap("do.create")
    text: str = (await here.newest(here.amina))["text"]
    return next(word.rpartition("/")[2] for word in text.split() if "/buy/PL-" in word)


async def begins(here: Here, code: str, method: str, who: str = "Brian") -> tuple[Browser, Page]:
    """A buyer who chose a method and waits on our page."""
    browser = Browser(here.wire, who)
    page = await browser.open(f"/buy/{code}")
    page = await browser.submit(page, "/buy/", name=who, address="Olaya Street 7", method=method)
    assert page.path.startswith("/pay/"), page.text
    return browser, page


async def hosted(here: Here, code: str, method: str, gateway: str) -> tuple[Browser, Page, Page]:
    """The same, led on to the page of this gateway: our page and theirs."""
    browser, ours = await begins(here, code, method)
    theirs = await to_hosted_page(browser, ours)
    assert theirs.status == 200 and theirs.path.startswith(f"/town/{gateway}/"), theirs.path
    return browser, ours, theirs


async def tracked(browser: Browser, page: Page) -> Page:
    """The order's page, which the pay page becomes."""

    async def there() -> Page | None:
        found = await browser.open(page.url)
        return found if found.path.startswith("/track/") else None

    found: Page = await browser.wire.eventually(there, f"the payment shows at {page.url}", step_s=1)
    return found


def newest_order(unit: Unit) -> dict[str, Any]:
    text = "SELECT o.number, o.escrow, a.gateway, a.receipt FROM orders o JOIN attempts a ON a.id = o.attempt_id ORDER BY o.id DESC"
    rows = unit.session.plain(text).fetchall()  # type: ignore[attr-defined]
    return dict(zip(("number", "escrow", "gateway", "receipt"), rows[0], strict=True)) if rows else {}


async def clean(here: Here) -> list[str]:
    await here.wire.settle()
    report = await audit(here.streets.settings, now=here.streets.core.clock.now())
    return [f"{one.name}: {one.offences}" for one in report.broken]


async def given_back(here: Here, number: str) -> None:
    """The seller gives it back before anything was sent; waits until the gateway has done so."""
    await here.amina.hears("fact.seller.order_paid", number, step_s=1)
    await here.amina.tap("act.refund", on=number)
    await here.amina.tap("do.yes_refund")

    async def done() -> bool:
        return (await here.read(newest_order))["escrow"] == "REFUNDED" and not await here.read(open_refunds)

    await here.wire.eventually(done, f"order {number} is given back", step_s=31)


def open_refunds(unit: Unit) -> list[Any]:
    return list(unit.session.plain("SELECT id, state FROM refunds WHERE state <> 'DONE'").fetchall())  # type: ignore[attr-defined]


@pytest.mark.parametrize("currency", list(BY_CURRENCY))
async def test_every_method_of_a_currency_pays_and_is_given_back(currency: str, tmp_path: Path) -> None:
    async with living_town(tmp_path, cards=True) as here:
        code = await a_link(here, currency)
        numbers = set()
        for case in BY_CURRENCY[currency]:
            browser, ours, theirs = await hosted(here, code, case.method, case.gateway)
            page = await case.way(browser, theirs)
            assert page.path.startswith(("/track/", "/pay/")), f"{case.method}: {page.path} {page.text}"
            page = await tracked(browser, ours)
            assert "1,500" in page.text
            order = await here.read(newest_order)
            assert (order["gateway"], order["escrow"]) == (case.gateway, "HELD"), case
            await given_back(here, order["number"])
            numbers.add(order["number"])
        assert len(numbers) == len(BY_CURRENCY[currency])
        assert await clean(here) == []


async def test_a_card_that_is_declined_takes_nothing_and_the_next_one_pays(tmp_path: Path) -> None:
    """Stripe's and Moyasar's pages stay open for another card; PayTabs' and PayPal's end, and ours says what happened and tries again."""
    async with living_town(tmp_path, cards=True) as here:
        shillings, riyals = await a_link(here, "KES"), await a_link(here, "SAR")
        browser, ours, page = await hosted(here, shillings, "visa", "stripe")
        page = await at_stripe(browser, page, DECLINED)
        assert page.path.startswith("/town/stripe/")
        assert (await at_stripe(browser, page, STRIPE_ASKS, confirms=False)).path.startswith("/town/stripe/")
        assert await here.read(newest_order) == {}
        await at_stripe(browser, page)
        await tracked(browser, ours)

        browser, ours, page = await hosted(here, riyals, "mada", "moyasar")
        page = await at_moyasar(browser, page, DECLINED)
        assert page.path.startswith("/town/moyasar/")
        await at_moyasar(browser, page)
        await tracked(browser, ours)
        assert await clean(here) == []


@pytest.mark.parametrize("confirms,said", [(True, "did not allow this card"), (False, "confirm")])
async def test_a_page_that_ended_without_money_says_so_and_another_try_pays(tmp_path: Path, confirms: bool, said: str) -> None:
    async with living_town(tmp_path, cards=True) as here:
        browser, ours, page = await hosted(here, await a_link(here, "AED"), "visa", "paytabs")
        page = await at_paytabs(browser, page, DECLINED if confirms else VISA, confirms=confirms)
        assert page.path == ours.path and said in page.text, page.text
        assert await here.read(newest_order) == {}
        page = await browser.submit(page, "/retry")
        page = await to_hosted_page(browser, page)
        await at_paytabs(browser, page)
        await tracked(browser, ours)
        assert await clean(here) == []


async def test_a_paypal_payer_whose_bank_says_no_and_one_who_never_comes_back(tmp_path: Path) -> None:
    async with living_town(tmp_path, cards=True) as here:
        dollars = await a_link(here, "USD")
        browser, ours, page = await hosted(here, dollars, "paypal", "paypal")
        page = await at_paypal(browser, page, "declined_card")
        assert page.path == ours.path and page.status == 200
        await here.wire.settle()
        assert await here.read(newest_order) == {}

        browser, ours, page = await hosted(here, dollars, "paypal", "paypal")
        page = await at_paypal(browser, page, button="close")
        assert page.path == "/town/paypal/checkoutnow"
        await here.amina.hears("fact.seller.order_paid", step_s=1)
        order = await here.read(newest_order)
        assert (order["gateway"], order["escrow"]) == ("paypal", "HELD")
        assert await clean(here) == []


async def test_who_leaves_the_page_for_another_method_pays_by_that_one(tmp_path: Path) -> None:
    """T29: and the page that was left takes nothing any more, or what it takes goes back."""
    async with living_town(tmp_path, cards=True) as here:
        browser, ours, left = await hosted(here, await a_link(here, "KES"), "visa", "stripe")
        page = await browser.submit(left, f"{left.path}/close")
        assert page.path == ours.path
        brian = await here.somebody("Brian")
        page = await browser.submit(page, "/retry", method="mpesa", phone=f"0{brian.msisdn[3:]}")
        await brian.pin("right")
        await tracked(browser, ours)
        assert (await here.read(newest_order))["gateway"] == "daraja"
        await at_stripe(browser, left)

        async def gone_back() -> bool:
            return (await here.wire.look("/stripe"))["accounts"][0]["refunds"] != [] and not await here.read(open_refunds)

        await here.wire.eventually(gone_back, "what was paid on the page that was left goes back", step_s=31)
        assert await clean(here) == []


async def test_a_gateway_that_is_down_makes_way_for_the_next_one_with_the_same_card(tmp_path: Path) -> None:
    async with living_town(tmp_path, cards=True) as here:
        riyals = await a_link(here, "SAR")
        await here.wire.act("/faults", provider="moyasar", fault="429", times=1)
        browser, ours = await begins(here, riyals, "mada")
        await here.wire.settle()
        page = await browser.open(ours.url)
        page = await browser.submit(page, "/retry")
        page = await to_hosted_page(browser, page)
        assert page.path.startswith("/town/paytabs/")
        await at_paytabs(browser, page, MADA)
        await tracked(browser, ours)
        assert (await here.read(newest_order))["gateway"] == "paytabs"
        await here.wire.no_faults()
        assert await clean(here) == []


async def test_in_the_chat_a_method_is_picked_and_the_page_is_one_button_away(tmp_path: Path) -> None:
    async with living_town(tmp_path, cards=True) as here:
        code, brian = await a_link(here, "USD"), await here.somebody("Brian")
        await brian.start(code)
        await brian.tap("do.buy_one")
        await brian.say("Kilimani")
        await brian.tap("PayPal")
        await brian.tap("💚 Pay with PayPal")

        async def led() -> str:
            rows = [button for row in (await here.newest(brian))["buttons"] for button in row]
            return next((str(button["url"]) for button in rows if "/town/paypal/" in (button["url"] or "")), "")

        url: str = await here.wire.eventually(led, "Brian is shown the way to PayPal", step_s=1)
        browser = Browser(here.wire, "Brian")
        await at_paypal(browser, await browser.open(url))
        await brian.hears("buy.paid")
        assert (await here.read(newest_order))["gateway"] == "paypal"
        assert await clean(here) == []


async def test_a_town_that_starts_again_lets_a_payer_go_on_and_is_told_at_the_address_of_today(tmp_path: Path) -> None:
    """Sessions, invoices and orders that were open are paid after the town was closed; refunds of what was paid before go through."""
    keep, port = tmp_path / "town.json", free_port()
    first = town_settings(tmp_path, port, cards=True)
    pages: dict[str, tuple[Page, Page]] = {}
    async with living(first, keep) as here:
        await here.opens_shop()
        for method, currency, gateway in (
            ("visa", "KES", "stripe"),
            ("paypal", "USD", "paypal"),
            ("visa", "AED", "paytabs"),
            ("mada", "SAR", "moyasar"),
        ):
            _, ours, theirs = await hosted(here, await a_link(here, currency), method, gateway)
            pages[gateway] = (ours, theirs)
    async with living(first, keep) as here:
        browser = Browser(here.wire, "Brian")
        for gateway, way in (("stripe", at_stripe), ("paypal", at_paypal), ("paytabs", at_paytabs), ("moyasar", at_moyasar)):
            ours, theirs = pages[gateway]
            await way(browser, await browser.open(theirs.url))
            await tracked(browser, ours)
    moved = town_settings(tmp_path, free_port(), cards=True)
    async with living(moved, keep) as here:
        here.amina = Chatter(here.wire, 9001, "Amina", "254722000001")
        numbers = await here.read(lambda unit: [row[0] for row in unit.session.plain("SELECT number FROM orders").fetchall()])
        for number in numbers:
            await here.amina.say(str(number))
            await here.amina.tap("act.refund", on=number)
            await here.amina.tap("do.yes_refund")

        async def done() -> bool:
            return not await here.read(open_refunds)

        await here.wire.eventually(done, "everything is given back", step_s=31)
        assert len(numbers) == 4
        state = await here.wire.look("/state")
        told = [state["stripe"]["accounts"][0]["endpoints"], [one["url"] for one in state["paypal"]["webhooks"]]]
        assert told == [[f"{here.wire.base}/callbacks/stripe"], [f"{here.wire.base}/callbacks/paypal"]]
        assert await clean(here) == []


@pytest.mark.parametrize("script", [True, False])
async def test_in_a_real_browser_each_hosted_page_leads_there_and_back(
    script: bool, tmp_path: Path, open_page: Callable[..., Awaitable[BrowserPage]]
) -> None:
    """The sites are different ones, as in life: nothing of a browser's own safety stands between the shop, the gateway and the way back."""
    presses: dict[tuple[str, str, str], tuple[str, ...]] = {
        ("KES", "visa", "stripe"): ("form[action$='/pay'] button >> nth=0",),
        ("USD", "paypal", "paypal"): ("button[value=login]", "button[value=pay]"),
        ("AED", "visa", "paytabs"): ("button[value=card]", "button[value=ok]"),
        ("SAR", "mada", "moyasar"): ("button[value=creditcard]", "button[value=ok]"),
    }
    async with living_town(tmp_path, cards=True) as here:
        page = await open_page(java_script_enabled=script)
        for (currency, method, gateway), buttons in presses.items():
            await page.goto(f"{here.streets.settings.base_url}/buy/{await a_link(here, currency)}")
            await page.fill("#name", "Brian")
            await page.check(f"input[value={method}]", force=True)
            await page.click("#order button.go")
            await page.click("a.go[href*='/town/']")
            await page.wait_for_url(f"**/town/{gateway}/**")
            for button in buttons:
                await page.click(button)
            await page.wait_for_url("**/track/**")
            assert "1,500" in await page.content()
        assert await clean(here) == []


async def test_the_doctor_finds_every_gateway_of_the_town_well(tmp_path: Path) -> None:
    async with living_town(tmp_path, cards=True) as here:
        settings = town_of(tmp_path, here.streets.settings.port)
        assert settings == here.streets.settings
        ground = Ground(settings, True, True, here.streets.core.clock.now())
        found = [*[one async for one in cards(ground)], *[one async for one in methods(ground)]]
    states = {one.name: one.state for one in found}
    assert [states[name] for name in ("stripe", "paypal", "paytabs", "moyasar", "methods")] == [FINE] * 5


@asynccontextmanager
async def living(settings: Settings, keep: Path) -> AsyncIterator[Here]:
    """A town that keeps what happened, as that of `make run`."""
    streets = Streets(settings, keep=keep)
    await streets.open()
    try:
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as session:
            yield Here(streets, Wire(session, f"http://127.0.0.1:{settings.port}", Printer(quiet=True)))
    finally:
        await streets.close()
