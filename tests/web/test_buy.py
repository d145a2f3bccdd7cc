"""The product page and the form that begins a purchase."""

from __future__ import annotations

import asyncio
import gzip
from dataclasses import replace
from datetime import timedelta

import aiohttp
import pytest

from domain.ids import LinkId
from domain.life import LinkState
from domain.money import Money
from domain.phone import Phone
from domain.ports import Unit
from domain.records import GatewaySettings
from domain.rights import Actor, Party
from tests.web.ground import FORM, OWNER, SHOP, Ground, key_in
from usecases import links
from web.door import DOOR

FIRST_LOAD_BYTES = 14 * 1024


async def test_a_sale_without_javascript_goes_from_the_page_to_the_tracking_page(ground: Ground) -> None:
    link = await ground.link(pictures=2)
    page = await (await ground.get(f"/buy/{link.code}")).text()
    assert all(said in page for said in ("Red sneakers", "Ksh 2,500", "Mama Amina Shoes", "Your money is protected"))
    pay = await ground.begin(link)
    assert len(ground.gateway.asked) == 1
    assert ground.gateway.asked[0].money == Money(250_000, "KES")
    waiting = await (await ground.get(pay)).text()
    assert "Look at your phone" in waiting
    assert '<noscript><meta http-equiv="refresh"' in waiting
    await ground.pay(pay)
    paid = await ground.get(pay)
    assert paid.status == 303
    tracked = await ground.get(paid.headers["Location"])
    order = await ground.order(pay)
    assert tracked.status == 200
    assert order.number in await tracked.text()
    assert order.buyer_name == "Wanjiru Kamau" and order.address == "Kilimani, Wood Avenue, gate 12" and order.note == "Call first"


async def test_a_form_sent_twice_begins_one_checkout_and_rings_once(ground: Ground) -> None:
    """O7: also when both arrive at the same moment."""
    link = await ground.link()
    form = {**FORM, "key": key_in(await (await ground.get(f"/buy/{link.code}")).text())}
    answers = await asyncio.gather(*(ground.post(f"/buy/{link.code}", form) for _ in range(5)))
    await ground.hall.drain()
    assert {answer.status for answer in answers} == {303}
    assert len({answer.headers["Location"] for answer in answers}) == 1
    assert (await ground.counts())[:2] == (1, 1)
    assert len(ground.gateway.asked) == 1


async def test_every_visitor_gets_a_key_of_their_own_from_one_kept_page(ground: Ground) -> None:
    link = await ground.link()
    pages = [await (await ground.get(f"/buy/{link.code}", headers={"Accept-Encoding": way})).text() for way in ("gzip", "identity", "gzip")]
    keys = [key_in(page) for page in pages]
    assert len(set(keys)) == 3
    assert len({page.replace(key, "") for page, key in zip(pages, keys, strict=True)}) == 1


@pytest.mark.parametrize("language", ["en", "sw", "ar"])
async def test_the_first_load_stays_small(ground: Ground, language: str) -> None:
    """HTML, style and script in one answer, compressed; nothing else is loaded but the pictures."""
    link = await ground.link(pictures=5, description="A long and careful description of what is sold here. " * 18, stock=40)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        answer = await session.get(ground.client.make_url(f"/buy/{link.code}?lang={language}"), headers={"Accept-Encoding": "gzip"})
        packed = await answer.read()
    page = gzip.decompress(packed).decode()
    assert len(packed) <= FIRST_LOAD_BYTES
    assert "<link rel=stylesheet" not in page and " src=" not in page.replace('<img src="/pictures/', "")


@pytest.mark.parametrize(
    "changes,said",
    [
        ({"state": LinkState.INACTIVE}, "Not for sale at the moment"),
        ({"state": LinkState.USED, "single_use": True}, "This link has been used"),
        ({"state": LinkState.SOLD_OUT, "stock": 0}, "Sold out"),
        ({"state": LinkState.EXPIRED}, "This offer has ended"),
    ],
)
async def test_what_cannot_be_bought_says_so_and_takes_no_order(ground: Ground, changes: dict[str, object], said: str) -> None:
    link = await ground.link(**changes)
    page = await ground.get(f"/buy/{link.code}")
    assert page.status == 410
    text = await page.text()
    assert said in text and "<form" not in text and text.endswith("</html>")
    before = await ground.counts()
    answer = await ground.post(f"/buy/{link.code}", FORM)
    assert answer.status == 409
    assert said in await answer.text()
    assert await ground.counts() == before


async def test_a_link_that_ends_while_somebody_reads_ends_without_a_new_page_being_asked_for(ground: Ground) -> None:
    link = await ground.link(expires_at=ground.clock.at + timedelta(minutes=1))
    assert (await ground.get(f"/buy/{link.code}")).status == 200
    ground.clock.move(timedelta(minutes=2))
    assert (await ground.get(f"/buy/{link.code}")).status == 410


async def test_a_changed_link_is_shown_at_once(ground: Ground) -> None:
    link = await ground.link()
    assert "Ksh 2,500" in await (await ground.get(f"/buy/{link.code}")).text()

    def reprice(unit: Unit) -> None:
        unit.links.save(replace(unit.links.get(link.id), price=Money(300_050, "KES")))
        unit.wake("link", id=link.id)

    await ground.hall.store.write(reprice)
    page = await (await ground.get(f"/buy/{link.code}")).text()
    assert "Ksh 3,000.50" in page and "whole shillings only" in page and "<form" not in page


async def test_a_change_that_rang_no_bell_is_shown_after_a_second(ground: Ground) -> None:
    link = await ground.link(stock=5)
    assert "Only 5 left" in await (await ground.get(f"/buy/{link.code}")).text()
    await ground.hall.store.write(lambda unit: unit.links.take_stock(link.id, 2))
    assert "Only 5 left" in await (await ground.get(f"/buy/{link.code}")).text()
    ground.clock.move(timedelta(seconds=1))
    assert "Only 3 left" in await (await ground.get(f"/buy/{link.code}")).text()


async def test_the_last_unit_is_sold_once_and_the_second_buyer_hears_it(ground: Ground) -> None:
    """S3, W24: never more than there is."""
    link = await ground.link(stock=1)
    await ground.begin(link)
    answer = await ground.post(f"/buy/{link.code}", {**FORM, "phone": "0722000111"})
    assert answer.status == 409
    assert "Sold out" in await answer.text()


@pytest.mark.parametrize("quantity", ["0", "-1", "0.5", "1e9", "1000000000000000000", "x", "", "1001", "１x"])
async def test_a_quantity_that_is_none_is_refused_beside_its_field(ground: Ground, quantity: str) -> None:
    """W24."""
    link = await ground.link()
    before = await ground.counts()
    answer = await ground.post(f"/buy/{link.code}", {**FORM, "quantity": quantity})
    assert answer.status == 422
    assert 'id="quantity-wrong"' in await answer.text()
    assert await ground.counts() == before


async def test_wrong_input_comes_back_with_the_sentence_beside_the_field_and_everything_that_was_typed(ground: Ground) -> None:
    link = await ground.link()
    answer = await ground.post(
        f"/buy/{link.code}", {**FORM, "phone": "0712", "name": " ", "note": "Ring twice", "quantity": "3", "key": "a" * 32}
    )
    text = await answer.text()
    assert answer.status == 422
    assert 'id="phone-wrong"' in text and "Write it like 0712 345 678" in text and 'id="name-wrong"' in text
    assert 'value="0712"' in text and 'value="Ring twice"' in text and "Kilimani, Wood Avenue" in text and f'value="{"a" * 32}"' in text
    assert '<option value="3" data-total="Ksh 7,500" selected' in text


async def test_a_number_that_is_not_safaricoms_is_told_before_anything_begins(ground: Ground) -> None:
    link = await ground.link()
    answer = await ground.post(f"/buy/{link.code}", {**FORM, "phone": "+14155552671"})
    assert answer.status == 422
    assert "Safaricom" in await answer.text()
    assert (await ground.counts())[:2] == (0, 0)


async def test_a_link_for_one_customer_takes_no_other_phone(ground: Ground) -> None:
    link = await ground.link(customer_phone=Phone("+254711222333"))
    page = await (await ground.get(f"/buy/{link.code}")).text()
    assert "+254711***333" in page and "+254711222333" not in page
    answer = await ground.post(f"/buy/{link.code}", FORM)
    assert answer.status == 422
    assert "another phone number" in await answer.text()


async def test_fields_that_are_not_the_buyers_are_ignored(ground: Ground) -> None:
    """W4: price, state, fee and owner come from the books."""
    pay = await ground.begin(await ground.link(), price="1", total_minor="1", state="PAID", fee="0", organization_id="99", currency="USD")
    view = await ground.hall.store.read(lambda unit: unit.checkouts.get(ground.checkout_of(pay)))
    assert view.total == Money(250_000, "KES") and view.organization_id == SHOP and view.order_id is None


async def test_money_that_goes_straight_to_the_seller_is_said_plainly(ground: Ground) -> None:
    def own_account(unit: Unit) -> None:
        sealed = unit.seals.seal('{"short_code": "600000"}', f"organization:{SHOP}:daraja:credentials")
        unit.settings.put(GatewaySettings(SHOP, "daraja", sealed, unit.now, unit.now))

    await ground.hall.store.write(own_account)
    link = await ground.link()
    page = await (await ground.get(f"/buy/{link.code}")).text()
    assert (
        "straight to the seller" in page
        and "Pay safely" not in page
        and "holds" not in page
        and "does not hold it" in page
        and "Your money is protected" not in page
    )
    assert "does not hold it" in await (await ground.get(await ground.begin(link))).text()


async def test_a_paused_gateway_is_a_reason_on_the_page_and_no_form(ground: Ground) -> None:
    """O13."""
    link = await ground.link()
    await ground.hall.store.write(lambda unit: unit.marks.put("paused:daraja", {"paused": True}))
    text = await (await ground.get(f"/buy/{link.code}")).text()
    assert "Paused for a moment" in text and "<form" not in text


async def test_visits_are_counted_and_written_without_a_write_for_each(ground: Ground) -> None:
    link = await ground.link()
    for _ in range(5):
        await ground.get(f"/buy/{link.code}")
    await ground.client.head(f"/buy/{link.code}")
    await ground.get(f"/buy/{link.code}", headers={"Sec-Purpose": "prefetch"})
    await ground.client.app[DOOR].visits.flush()
    figures = await ground.hall.store.read(lambda unit: unit.links.figures([LinkId(link.id)]))
    assert figures[link.id].visits == 5


async def test_a_code_is_found_however_it_is_written(ground: Ground) -> None:
    link = await ground.link()
    answer = await ground.get(f"/buy/{link.code.lower().replace('-', '%20')}")
    assert answer.status == 301 and answer.headers["Location"] == f"/buy/{link.code}"
    found = await ground.get("/find", params={"code": link.code[3:].lower()})
    assert found.status == 303 and found.headers["Location"] == f"/buy/{link.code}"
    assert (await ground.get("/find", params={"code": "hello"})).status == 422


async def test_a_seller_who_switches_a_link_off_stops_its_sales(ground: Ground) -> None:
    link = await ground.link()
    owner = Actor(Party.OWNER, "telegram", OWNER, SHOP)
    assert (await ground.get(f"/buy/{link.code}")).status == 200
    await ground.hall.store.write(links.set_link_state, owner, link.code, LinkState.INACTIVE)
    assert (await ground.get(f"/buy/{link.code}")).status == 410


async def test_pictures_come_in_the_size_asked_for_and_are_kept_for_ever(ground: Ground) -> None:
    link = await ground.link(pictures=1)
    page = await (await ground.get(f"/buy/{link.code}")).text()
    address = page.partition('<img src="')[2].partition('"')[0].rpartition("/")[0]
    for width, body in (("360", b"RIFF360-0"), ("400", b"RIFF720-0"), ("1080", b"RIFF1080-0"), ("4000", b"RIFF1080-0")):
        answer = await ground.get(f"{address}/{width}")
        assert await answer.read() == body
        assert answer.headers["Content-Type"] == "image/webp"
        assert "immutable" in answer.headers["Cache-Control"]
    again = await ground.get(f"{address}/360", headers={"If-None-Match": (await ground.get(f"{address}/360")).headers["ETag"]})
    assert again.status == 304


async def test_a_pause_between_two_tries_does_not_lose_the_key(ground: Ground) -> None:
    """The same form after Back, once more: the same purchase."""
    link = await ground.link()
    form = {**FORM, "key": "b" * 32}
    first = await ground.post(f"/buy/{link.code}", form)
    await ground.hall.drain()
    ground.clock.move(timedelta(minutes=5))
    second = await ground.post(f"/buy/{link.code}", form)
    assert first.headers["Location"] == second.headers["Location"]
    assert (await ground.counts())[0] == 1
