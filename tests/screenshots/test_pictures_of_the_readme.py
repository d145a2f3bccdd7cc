"""The README's pictures, really taken: a sale is played in the town and looked at. `make screenshots`; not part of the suite."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from PIL import Image
from playwright.async_api import Page

from payloom.streets import Streets, town_settings

PICTURES = Path(__file__).parents[2] / "docs" / "pictures"
OpenPage = Callable[..., Awaitable[Page]]


async def keep(page: Page, name: str, **how: Any) -> None:
    """A small PNG: 256 colours are enough for pages."""
    shot = Image.open(io.BytesIO(await page.screenshot(**how))).convert("RGB")
    PICTURES.mkdir(parents=True, exist_ok=True)
    shot.quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(PICTURES / name, optimize=True)


@pytest.mark.screenshots
async def test_the_town_and_the_pages_are_photographed(tmp_path: Path, open_page: OpenPage) -> None:
    port = free_port()
    streets = Streets(town_settings(tmp_path, port), by_hand=True)
    await streets.open()
    base = f"http://localhost:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            town = await open_page(width=1440, height=900)
            await town.goto(f"{base}/town")
            code = await a_shop_with_a_link(session, base)
            phone = await open_page(width=390, height=844)
            await phone.goto(f"{base}/buy/{code}")
            await keep(phone, "buy.png", full_page=True)
            await phone.goto(f"{base}/buy/{code}?lang=ar")
            await keep(phone, "buy-ar.png", full_page=True)
            await phone.goto(f"{base}/buy/{code}?lang=en")
            await phone.fill("[name=phone]", "0722000002")
            await phone.fill("[name=name]", "Brian")
            await phone.fill("[name=address]", "Kilimani, Rose Apartments 4")
            await phone.click("button:has-text('Pay safely')")
            await phone.wait_for_url("**/pay/**")
            await asyncio.sleep(1)
            await keep(phone, "pay.png", full_page=True)
            await town.wait_for_timeout(500)
            await keep(town, "town.png")
            async with session.post(f"{base}/town/api/phone/254722000002/pin", json={"answer": "right"}) as answer:
                assert answer.status == 200
            await phone.wait_for_url("**/track/**")
            await asyncio.sleep(1)
            await keep(phone, "track.png", full_page=True)
    finally:
        await streets.close()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def a_shop_with_a_link(session: aiohttp.ClientSession, base: str) -> str:
    """Amina opens her shop and sells from a photo, as a person would; returns the link's code."""
    chat = f"{base}/town/api/telegram/1001"

    async def act(verb: str, **given: Any) -> None:
        async with session.post(f"{chat}/{verb}", json=given) as answer:
            assert answer.status == 200, await answer.text()
        await asyncio.sleep(0.8)

    async def messages() -> list[dict[str, Any]]:
        async with session.get(f"{chat}/messages") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found

    async def tap(label: str) -> None:
        for _ in range(20):
            for message in reversed(await messages()):
                for button in (button for row in message.get("buttons") or [] for button in row):
                    if label in button["text"]:
                        return await act("tap", message_id=message["message_id"], button=button["text"])
            await asyncio.sleep(0.5)
        raise AssertionError(label)

    await act("profile", first_name="Amina", language_code="en")
    await act("send", text="/start")
    for label in ("English", "I sell", "Use"):
        await tap(label)
    await act("contact")
    await act("photo", sample="sneakers", caption="Red sneakers 2500")
    await tap("Create link")
    words = [word for message in reversed(await messages()) for word in str(message["text"]).split()]
    return next(word.rpartition("/")[2] for word in words if "/buy/PL-" in word)
