"""A purchase dropped on a feature phone goes on in the browser and in Telegram, over HTTP from end to end (N1, N7)."""

from __future__ import annotations

import re
from pathlib import Path

from domain.ids import dial_link
from payloom.tour_phones import Handset
from tests.bot.town import Here, living_town

CODE = re.compile(r"(https?://\S+)/c/([0-9A-Z]{6})")


async def cut_off(here: Here, msisdn: str) -> tuple[Handset, str, str]:
    """Somebody buys with the keys until they have said where to; the line drops. The address and the code of the SMS."""
    phone = Handset(here.wire, "Wanjiru", msisdn)
    await phone.dial(dial_link("*384*77#", here.link))
    await phone.choose("Buy now")
    await phone.press("Wanjiru", "Kilimani gate 12")
    await phone.hang_up()
    text = await phone.text("you were buying Red sneakers")
    found = CODE.search(text)
    assert found is not None, text
    return phone, found[1], found[2]


async def test_in_the_browser_it_is_filled_in(tmp_path: Path) -> None:
    async with living_town(tmp_path) as here:
        _, origin, code = await cut_off(here, "254733000777")
        async with here.wire.session.get(f"{origin}/c/{code}") as page:
            assert page.status == 200 and "Red sneakers" in await page.text()
        async with here.wire.session.post(f"{origin}/c/{code}") as page:
            text = await page.text()
        assert "+254733000777" in text and "Kilimani gate 12" in text and "Wanjiru" in text


async def test_in_telegram_it_goes_on_at_the_same_step_and_the_number_is_told(tmp_path: Path) -> None:
    async with living_town(tmp_path) as here:
        phone, _, code = await cut_off(here, "254733000778")
        chat = await here.somebody("Wanjiru")
        await chat.start(f"c_{code}")
        newest = await here.newest(chat)
        assert "Kilimani gate 12" in newest["text"] or "M-Pesa" in newest["text"]
        await phone.text("also used in a Telegram chat")
        place = await here.place(chat)
        assert place.dialog == "buy" and place.data["address"] == "Kilimani gate 12"
