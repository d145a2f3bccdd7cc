"""Letters in a real browser: on a phone and in a wide window, light and dark, from the left and from the right."""

from __future__ import annotations

import pytest
from playwright.async_api import Page

from tests.browser import axe_violations, type_of_open_page
from tests.domain.samples import an_order
from tests.templates.test_letters import RUDE, write

LONG = "Handmade-sandals-with-a-name-that-has-no-space-in-it-anywhere-and-goes-on " * 2


async def opened(open_page: type_of_open_page, width: int, scheme: str, markup: str) -> Page:
    page = await open_page(width=width, height=800, color_scheme=scheme)
    await page.set_content(markup)
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 360, 600])
@pytest.mark.parametrize("language", ["en", "ar"])
async def test_it_fits_and_can_be_read(open_page: type_of_open_page, language: str, width: int, scheme: str) -> None:
    """Nothing sticks out, the column is at most 600 wide, the button is a thumb high, and axe finds nothing (contrast is part of that)."""
    order = an_order(item=LONG, address=LONG, quantity=12)
    page = await opened(open_page, width, scheme, write(language, "order_paid", "seller", order, shop="محل أمينة").html)
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    card, button = await page.locator(".card").bounding_box(), await page.locator(".go a").bounding_box()
    assert card is not None and button is not None
    assert card["width"] <= 600 and button["height"] >= 44
    if width < 480:
        assert button["width"] > card["width"] * 0.8, "on a phone the button is as wide as the letter"
    assert await axe_violations(page) == []


async def test_what_comes_first_is_where_the_language_begins(open_page: type_of_open_page) -> None:
    for language, side in (("en", "left"), ("ar", "right")):
        page = await opened(open_page, 360, "light", write(language, "order_paid", "buyer", an_order()).html)
        label, value = await page.locator("th").first.bounding_box(), await page.locator("th + td").first.bounding_box()
        assert label is not None and value is not None
        assert (label["x"] < value["x"]) is (side == "left")


async def test_dark_is_dark(open_page: type_of_open_page) -> None:
    markup = write("en", "order_paid", "buyer", an_order()).html
    for scheme, colour in (("light", "rgb(255, 255, 255)"), ("dark", "rgb(22, 32, 28)")):
        page = await opened(open_page, 360, scheme, markup)
        assert await page.locator(".card").evaluate("card => getComputedStyle(card).backgroundColor") == colour


async def test_rude_names_do_nothing(open_page: type_of_open_page) -> None:
    """W6: in a browser that runs everything, without a policy that would stop it."""
    page = await open_page(width=360)
    happened: list[str] = []
    page.on("dialog", lambda dialog: happened.append(dialog.message))
    page.on("request", lambda request: happened.append(request.url))
    page.on("pageerror", lambda problem: happened.append(str(problem)))
    order = an_order(item=RUDE, buyer_name=RUDE, address=RUDE)
    await page.set_content(write("en", "order_paid", "seller", order, shop=RUDE, receipt=RUDE).html)
    await page.wait_for_timeout(100)
    assert happened == []
    assert await page.locator("a").count() == 2
