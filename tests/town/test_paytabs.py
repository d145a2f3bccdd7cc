"""The town's PayTabs behaves as documented: keys, fields, duplicates, pages, the signed ways back, refunds, queries; tried as a merchant would."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
import pytest_asyncio

from town import cards
from town.core import Core, Fault
from town.paytabs.server import DEFAULT_PROFILE, PayTabs
from town.paytabs.standalone import Standalone

SALE = {
    "profile_id": 12345, "tran_type": "sale", "tran_class": "ecom", "cart_id": "c1", "cart_description": "Order", "cart_currency": "SAR",
    "cart_amount": 150.5, "return": "https://shop.example/back~me", "return_using_get": True,
}  # fmt: skip


@dataclass
class Shop:
    """A merchant's HTTP client, and the town it talks to."""

    alone: Standalone
    http: httpx.AsyncClient

    async def ask(self, path: str, body: Any, key: str = DEFAULT_PROFILE.server_key) -> tuple[int, Any]:
        answer = await self.http.post(f"{self.alone.base_url}/payment/{path}", json=body, headers={"Authorization": key})
        return answer.status_code, answer.json()

    async def page(self, **changed: Any) -> dict[str, Any]:
        status, made = await self.ask("request", {**SALE, **changed})
        assert status == 200
        return dict(made)

    async def pay(self, made: dict[str, Any], number: str = cards.GOOD_VISA, answer: str = "ok") -> httpx.Response:
        bank = await self.http.post(made["redirect_url"], data={"how": "card", "number": number, "cvc": "123"})
        return await self.http.post(f"{self.alone.url}{bank.headers['Location']}", data={"answer": answer})

    async def back(self, tran_ref: str, amount: float, cart: str, **changed: Any) -> tuple[int, Any]:
        body = {**SALE, "tran_type": "refund", "tran_ref": tran_ref, "cart_amount": amount, "cart_id": cart, **changed}
        del body["return"], body["return_using_get"]
        return await self.ask("request", body)


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    async with Standalone(seed=3, callback_delay_s=0.0) as alone, httpx.AsyncClient(trust_env=False) as http:
        yield Shop(alone, http)


async def test_a_page_is_what_the_documentation_shows(shop: Shop) -> None:
    made = await shop.page()
    assert (made["tran_type"], made["cart_amount"], made["tran_total"], made["profileId"]) == ("Sale", "150.50", "0", 12345)
    assert made["tran_ref"].startswith("TST") and "payment_result" not in made
    await shop.pay(made)
    status, told = await shop.ask("query", {"profile_id": 12345, "tran_ref": made["tran_ref"]})
    assert (status, told["tran_total"], told["payment_result"]["response_status"]) == (200, "150.50", "A")
    assert told["payment_info"]["payment_method"] == "Visa" and not any(name.startswith("_") for name in told)


@pytest.mark.parametrize(
    "changed,code",
    [
        ({"tran_type": "gift"}, 2), ({"tran_class": "shop"}, 2), ({"cart_id": ""}, 2), ({"cart_id": "c" * 65}, 2), ({"cart_description": None}, 2),
        ({"cart_currency": "XXX"}, 206), ({"cart_amount": "150.50"}, 2), ({"cart_amount": 0}, 2), ({"cart_amount": 1.005}, 2), ({"cart_amount": -1}, 2),
        ({"callback": "x"}, 2), ({"return": "https://x/" + "a" * 250}, 2), ({"paypage_lang": "sw"}, 2), ({"paypage_ttl": 0}, 2), ({"payment_methods": ["cash"]}, 2),
        ({"payment_methods": []}, 2), ({"cart_currency": "AED", "payment_methods": ["mada"]}, 206), ({"amount": 1}, 2), ({"profile_id": "12345"}, 1),
    ],
)  # fmt: skip
async def test_a_field_that_is_wrong_is_refused_with_their_code(shop: Shop, changed: dict[str, Any], code: int) -> None:
    status, said = await shop.ask("request", {**SALE, **changed})
    assert (status, said["code"]) == (401 if code == 1 else 400, code) and said["trace"]
    assert shop.alone.paytabs.books.transactions == {}


async def test_a_key_that_is_not_the_profiles_is_refused(shop: Shop) -> None:
    for key in ("S-another", f"Bearer {DEFAULT_PROFILE.server_key}", ""):
        assert (await shop.ask("request", SALE, key))[1]["code"] == 1


async def test_the_same_cart_and_amount_within_two_minutes_is_a_duplicate(shop: Shop) -> None:
    first = await shop.page()
    status, said = await shop.ask("request", SALE)
    assert (status, said["code"], said["message"]) == (409, 4, "Duplicate Request")
    await shop.page(cart_amount=151)
    shop.alone.core.clock.advance(121)
    second = await shop.page()
    found = (await shop.ask("query", {"profile_id": 12345, "cart_id": "c1"}))[1]
    assert [one["tran_ref"] for one in found][::2] == [first["tran_ref"], second["tran_ref"]]


async def test_a_question_is_about_one_transaction_or_one_cart(shop: Shop) -> None:
    for wrong in ({}, {"tran_ref": "TST0"}, {"tran_ref": "TST0", "cart_id": "c1"}, {"cart_id": "c1", "more": 1}):
        assert (await shop.ask("query", {"profile_id": 12345, **wrong}))[0] == 400
    assert await shop.ask("query", {"profile_id": 12345, "cart_id": "c1"}) == (200, [])


@pytest.mark.parametrize("get", [True, False])
async def test_the_browser_brings_back_a_signed_answer(shop: Shop, get: bool) -> None:
    """Sorted, empty fields left out, written as PHP does it, HMAC-SHA256 with the server key."""
    made = await shop.page(cart_id="c~1 ü", return_using_get=get)
    page = await shop.pay(made)
    if get:
        assert page.headers["Location"].startswith("https://shop.example/back~me?")
        fields = dict(parse_qsl(urlsplit(page.headers["Location"]).query))
    else:
        found = [part.split('"')[1::2] for part in page.text.split("<input ")[1:]]
        fields = {name: value for _, name, value, *_ in found if value}
    told = fields.pop("signature")
    query = urlencode(sorted(fields.items())).replace("~", "%7E")
    assert told == hmac.new(DEFAULT_PROFILE.server_key.encode(), query.encode(), hashlib.sha256).hexdigest()
    assert (fields["respStatus"], fields["tranRef"], fields["cartId"]) == ("A", made["tran_ref"], "c~1 ü")


async def test_a_page_ends_with_its_first_result_or_with_its_time(shop: Shop) -> None:
    paid, late = await shop.page(), await shop.page(cart_id="c2", paypage_ttl=1)
    await shop.pay(paid)
    again = await shop.http.post(paid["redirect_url"], data={"how": "applepay"})
    assert again.status_code == 303 and len(shop.alone.paytabs.books.movements) == 1
    shop.alone.core.clock.advance(61)
    assert "respStatus=X" in (await shop.http.get(late["redirect_url"])).headers["Location"]
    assert (await shop.http.get(f"{shop.alone.base_url}/payment/page/nothing")).status_code == 404


async def test_a_card_that_cannot_be_is_said_and_a_mada_card_pays_in_riyals(shop: Shop) -> None:
    made = await shop.page(cart_currency="AED")
    for number in ("4111111111111112", "", cards.GOOD_MADA):
        page = await shop.http.post(made["redirect_url"], data={"how": "card", "number": number, "cvc": "123"})
        assert "Please check" in page.text or "riyals only" in page.text
    assert "Please choose" in (await shop.http.post(made["redirect_url"], data={})).text


async def test_refunds_are_transactions_of_their_own_up_to_the_sale(shop: Shop) -> None:
    made = await shop.page()
    assert (await shop.back(made["tran_ref"], 1, "r0"))[0] == 400
    await shop.pay(made)
    status, first = await shop.back(made["tran_ref"], 100, "r1")
    assert (status, first["previous_tran_ref"], first["tran_type"], first["cart_amount"]) == (200, made["tran_ref"], "Refund", "100.00")
    assert (await shop.back(made["tran_ref"], 100, "r1"))[0] == 409
    assert (await shop.back(made["tran_ref"], 50.51, "r2"))[0] == 400
    assert (await shop.back(made["tran_ref"], 50.5, "r2", cart_currency="AED"))[1]["code"] == 206
    assert (await shop.back(made["tran_ref"], 50.5, "r2"))[0] == 200
    assert [one["amount"] for one in shop.alone.paytabs.books.movements] == ["150.50", "100.00", "50.50"]


async def test_a_person_of_the_bank_ends_what_is_held(shop: Shop) -> None:
    made = await shop.page()
    await shop.pay(made, "4000000000000119")
    decide = f"{shop.alone.url}/town/api/paytabs/decide"
    assert (await shop.http.post(decide, json={"tran_ref": made["tran_ref"], "letter": "Q"})).status_code == 400
    ended = await shop.http.post(decide, json={"tran_ref": made["tran_ref"], "letter": "A"})
    assert ended.json()["payment_result"]["response_status"] == "A"
    assert len((await shop.http.get(f"{shop.alone.url}/town/api/paytabs/books")).json()) == 1


@pytest.mark.parametrize("fault,status", [("429", 429), ("500", 500), ("html", 200)])
async def test_faults_come_as_often_as_planted(shop: Shop, fault: str, status: int) -> None:
    shop.alone.core.faults.plant(Fault("paytabs", fault, 1))
    answer = await shop.http.post(f"{shop.alone.base_url}/payment/query", json={})
    assert answer.status_code == status
    assert (await shop.ask("query", {"profile_id": 12345, "cart_id": "c1"}))[0] == 200


async def test_a_town_that_starts_again_is_the_town_that_was_left(shop: Shop, tmp_path: Path) -> None:
    await shop.pay(await shop.page())
    keep = tmp_path / "town.paytabs.json"
    again = PayTabs(Core(4))
    assert not again.load(keep)
    shop.alone.paytabs.save(keep)
    assert again.load(keep) and again.state() == shop.alone.paytabs.state()
    assert (await shop.http.get(f"{shop.alone.url}/town/api/paytabs")).json() == again.state()
