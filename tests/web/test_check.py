"""/check: what a seller sees who is shown a screenshot (N7)."""

from __future__ import annotations

import pytest

from domain.check import ASKER_WRONG, check_number
from domain.order import Order
from domain.ports import Unit
from tests.web.ground import Ground
from usecases import orders
from web.pages.track import buyer_of

OF_ANOTHER_SITE = {"Sec-Fetch-Site": "cross-site"}


async def number_of(ground: Ground, order: Order) -> str:
    def read(unit: Unit) -> str:
        return check_number(unit.tokens, order)

    return await ground.hall.store.read(read)


def wrong(number: str) -> str:
    return f"{number[:-5]}{(int(number[-5:]) + 1) % 10**5:05}"


async def test_a_payment_is_told_with_amount_item_and_day_and_without_people(ground: Ground) -> None:
    track, order = await ground.sold()
    number = await number_of(ground, order)
    assert number in await (await ground.get(track)).text()
    asked = await (await ground.get(f"/check?n={number}")).text()
    assert f'value="{number}"' in asked and "Not sure yet" not in asked, "a link that is opened answers nothing by itself"
    text = await (await ground.post("/check", {"n": number})).text()
    assert "Not sure yet" in text, "a callback alone is no proof"
    await ground.prove(order)
    text = await (await ground.post("/check", {"n": number})).text()
    assert "Paid and held safely" in text and order.item in text and "Ksh 2,500" in text
    for secret in (order.buyer_name, str(order.phone), order.delivery_code, order.address):
        assert secret not in text
    await ground.hall.store.write(orders.confirm_delivery, buyer_of(order.id), order.number)
    assert "Paid and released" in await (await ground.post("/check", {"n": number})).text()


async def test_a_wrong_code_and_no_such_number_get_the_same_page(ground: Ground) -> None:
    """W1: an order's number tells nothing."""
    _, order = await ground.sold()
    one, other = wrong(await number_of(ground, order)), "10000001-50216"
    pages = []
    for typed in (one, other):
        answer = await ground.post("/check", {"n": typed})
        assert answer.status == 404
        pages.append((await answer.text()).replace(typed, "?"))
    assert pages[0] == pages[1] and "We know of no such payment" in pages[0]


async def test_a_link_is_told_as_an_offer_and_nothing_more(ground: Ground) -> None:
    link = await ground.link()
    text = await (await ground.post("/check", {"n": link.code.lower()})).text()
    assert "This is an offer, not a payment" in text and link.name in text and f'href="/buy/{link.code}"' in text


@pytest.mark.parametrize("typed", ["", "48219377", "<script>alert(1)</script>", "x" * 5000, "%", "٤٨"])
async def test_what_cannot_be_read_comes_back_with_a_sentence(ground: Ground, typed: str) -> None:
    """W2, W6."""
    answer = await ground.post("/check", {"n": typed})
    text = await answer.text()
    assert answer.status == 422 and "neither a check number nor the code of a link" in text
    assert "<script>" not in text


async def test_whoever_tries_many_numbers_is_stopped(ground: Ground) -> None:
    _, order = await ground.sold()
    for n in range(ASKER_WRONG[2]):
        assert (await ground.post("/check", {"n": f"{10_000_000 + n}-50216"})).status == 404
    answer = await ground.post("/check", {"n": await number_of(ground, order)})
    assert answer.status == 429 and "Too many wrong numbers" in await answer.text()


async def test_another_site_cannot_ask_for_somebody(ground: Ground) -> None:
    """W5."""
    assert (await ground.post("/check", {"n": "10000001-50216"}, headers=OF_ANOTHER_SITE)).status == 403
    assert (await ground.client.post("/check", json={"n": "10000001-50216"})).status in {200, 400, 415, 422}


@pytest.mark.parametrize(
    "language,said",
    [("sw", "Picha ya skrini haithibitishi chochote"), ("ar", "صورة الشاشة لا تثبت شيئًا"), ("en", "A screenshot proves nothing")],
)
async def test_the_page_says_what_it_is_for_and_is_linked_where_it_is_wanted(ground: Ground, language: str, said: str) -> None:
    assert said in await (await ground.get(f"/check?lang={language}")).text()
    link = await ground.link()
    assert 'href="/check"' in await (await ground.get(f"/buy/{link.code}")).text()
