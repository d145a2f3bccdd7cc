"""The whole way of a letter: written in a language, handed in by SMTP, laid into an inbox, opened in a browser."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from domain.ports import Delivery
from gateways.messages.email import Mail
from templates.letters import letter
from templates.words import LANGUAGES, words
from tests.browser import type_of_open_page
from tests.domain.samples import an_order
from tests.gateways.email_ground import NOON, SENDER
from tests.gateways.provider import HandClock
from town.core import Core
from town.mail import MailServer

AMINA = "amina@example.com"
RUDE = '<script>document.title = "stolen"</script><img src="https://evil.example/x.png">'


@pytest.fixture
async def town() -> AsyncIterator[MailServer]:
    server = MailServer(Core(1))
    await server.start()
    yield server
    await server.stop()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_from_the_words_to_the_screen(town: MailServer, open_page: type_of_open_page, language: str) -> None:
    """W6: what the reader sees is what was written, under the rules of the inbox, and a rude name is only words."""
    order = an_order(item=f"Sneakers {RUDE}")
    written = letter(
        words(language), "order_paid", side="buyer", page="https://pay.example/track/abc", shop="محل أمينة", order=order,
        receipt="UKL7A9B2C3", unsubscribe="https://pay.example/u/x",
    )  # fmt: skip
    assert written is not None
    sent = await Mail(town.url, SENDER, HandClock(NOON)).send(AMINA, written, "order_paid:9182")
    assert sent.delivery is Delivery.SENT
    (came,) = town.letters(AMINA)
    assert (came.subject, came.text, came.html.strip()) == (written.subject, written.text, written.html.strip())
    assert came.links == ("https://pay.example/track/abc", "https://pay.example/u/x")
    assert came.header("List-Unsubscribe-Post") == "List-Unsubscribe=One-Click"

    application = web.Application()
    application.add_routes(town.routes())
    async with TestServer(application) as inbox:
        page = await open_page(width=360)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        here = str(inbox.make_url(f"/town/api/mail/{AMINA}/{came.number}.html"))
        await page.goto(here)
        assert await page.title() == written.subject
        assert "Sneakers <script>" in await page.locator("td.ink bdi").nth(1).inner_text()
        assert await page.locator(".card").evaluate("card => getComputedStyle(card).borderRadius") == "20px", "its own style is allowed"
        assert asked == [here]
