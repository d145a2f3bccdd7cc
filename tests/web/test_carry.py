"""/c/{code}: a purchase begun with the keys of a phone goes on in the browser (N1)."""

from __future__ import annotations

import json
from typing import Any

import pytest

from domain.codes import CARRY_LIVES
from domain.ids import PersonId
from domain.person import Channel, ChannelKind, ChannelState, Conversation, Language, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from tests.web.ground import Ground
from usecases import carry

DIALLER, NUMBER = PersonId(71), Phone("+254733000111")


async def cut_off(ground: Ground, dialog: str = "buy", step: str = "address", **data: Any) -> str:
    """Somebody was cut off there; the code of their SMS."""

    def stand(unit: Unit) -> None:
        unit.people.add(Person(DIALLER, "Brian O'Neil", Language.EN, Role.BUYER, NUMBER, unit.now))
        unit.people.add_channel(Channel(ChannelKind.SMS, NUMBER.e164, DIALLER, ChannelState.ACTIVE, unit.now))
        unit.conversations.put(Conversation(DIALLER, ChannelKind.USSD, dialog, step, data, {}, unit.now))

    def offer(unit: Unit) -> bool:
        return carry.offer_by_text(unit, unit.people.get(DIALLER), "S1")

    def sent(unit: Unit) -> str:
        (payload,) = unit.session.plain("SELECT payload FROM outbox WHERE fact = 'carry'").fetchone()  # type: ignore[attr-defined]
        return carry.carried_code(unit, DIALLER, json.loads(payload)["sealed"])

    await ground.hall.store.write(stand)
    assert await ground.hall.store.write(offer)
    return await ground.hall.store.read(sent)


async def test_looking_takes_nothing_and_the_button_fills_in_what_was_typed_once(ground: Ground) -> None:
    link = await ground.link(name="Red <sneakers>", stock=5)
    code = await cut_off(ground, code=link.code, quantity=2, address="Kilimani, gate 12")
    for _ in range(2):
        answer = await ground.get(f"/c/{code.lower()}")
        text = await answer.text()
        assert answer.status == 200 and "Red &lt;sneakers&gt;" in text and f'action="/c/{code}?lang=en"' in text
        assert f"https://t.me/PayLoomBot?start=c_{code}" in text
        assert "Kilimani" not in text and NUMBER.e164 not in text, "what was typed is shown to whoever takes it only"
        assert answer.headers["Cache-Control"] == "no-store"
    text = await (await ground.post(f"/c/{code}")).text()
    assert 'value="+254733000111"' in text and 'value="Brian O&#39;Neil"' in text and "Kilimani, gate 12" in text
    assert '<option value="2" ' in text and f'action="/buy/{link.code}' in text
    again = await ground.post(f"/c/{code}")
    assert again.status == 404 and "used already" in await again.text()


async def test_the_form_that_comes_of_it_buys(ground: Ground) -> None:
    link = await ground.link()
    text = await (await ground.post(f"/c/{await cut_off(ground, code=link.code, quantity=1)}")).text()
    key = text.partition('name="key" value="')[2].partition('"')[0]
    form = {"phone": NUMBER.e164, "name": "Brian", "address": "", "note": "", "quantity": "1", "method": "mpesa", "key": key}
    answer = await ground.post(f"/buy/{link.code}", form)
    assert answer.status == 303 and answer.headers["Location"].startswith("/pay/")


async def test_a_sale_goes_on_in_telegram_only(ground: Ground) -> None:
    code = await cut_off(ground, "sell", "check", name="Bag", price=100, currency="KES")
    text = await (await ground.get(f"/c/{code}")).text()
    assert "You were making a link" in text and f"start=c_{code}" in text and "<form" not in text
    assert (await ground.post(f"/c/{code}")).status == 404


@pytest.mark.parametrize("typed", ["K7Q2M9", "nothing", "%25", "x" * 200])
async def test_a_code_that_never_was_is_counted(ground: Ground, typed: str) -> None:
    """W1, W2."""
    link = await ground.link()
    code = await cut_off(ground, code=link.code, quantity=1)
    for _ in range(carry.WRONG[2]):
        assert (await ground.get(f"/c/{typed}")).status == 404
    assert (await ground.get(f"/c/{code}")).status == 429


async def test_an_old_code_says_what_to_do(ground: Ground) -> None:
    link = await ground.link()
    code = await cut_off(ground, code=link.code, quantity=1)
    ground.clock.move(CARRY_LIVES)
    answer = await ground.get(f"/c/{code}")
    assert answer.status == 404 and "Dial again" in await answer.text()
