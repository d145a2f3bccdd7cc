"""Telegram's own payments and the web: not offered to a guest, and refused with a sentence when somebody asks for them all the same."""

from __future__ import annotations

from tests.web.ground import Ground


async def test_a_guest_on_the_page_is_not_offered_it_and_cannot_take_it(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    await ground.pay(pay, 1)
    page = await (await ground.get(pay)).text()
    assert "inside Telegram" not in page
    answer = await ground.post(f"{pay}/retry", {"method": "telegram"})
    assert answer.status == 409
    assert "works in our Telegram chat only. No money was taken." in await answer.text()
    assert len(ground.gateway.asked) == 1
