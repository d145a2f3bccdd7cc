"""The town's Daraja over real HTTP: tokens, field rules, the life of an STK push, the query."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from town.daraja import Daraja
from town.daraja.merchant import Merchant
from town.daraja.standalone import Standalone

PHONE = "254712345678"


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=7, callback_delay_s=0.01) as standalone:
        yield standalone


@pytest_asyncio.fixture
async def shop(alone: Standalone) -> AsyncIterator[Merchant]:
    async with Merchant(alone.url + "/town/daraja", alone.daraja.apps["town-key"]) as merchant:
        await merchant.sign_in()
        yield merchant


async def act(alone: Standalone, path: str, body: dict[str, Any]) -> tuple[int, Any]:
    async with aiohttp.ClientSession() as http, http.post(f"{alone.url}/town/api{path}", json=body) as response:
        return response.status, await response.json()


async def answered(alone: Standalone, shop: Merchant, answer: str, **changed: Any) -> tuple[str, dict[str, Any]]:
    """Push, answer on the phone, and give the CheckoutRequestID and the callback."""
    _, reply = await shop.push(**changed)
    assert (await act(alone, f"/phone/{PHONE}/pin", {"answer": answer}))[0] == 200
    body = (await shop.heard())[-1]
    return reply["CheckoutRequestID"], body["Body"]["stkCallback"]


async def test_a_token_is_28_characters_and_expires_in_is_a_string(shop: Merchant) -> None:
    status, body = await shop.fetch_token()
    assert (status, len(body["access_token"]), body["expires_in"]) == (200, 28, "3599")


@pytest.mark.parametrize(
    ("grant", "authorization", "code"),
    [
        ("client_credentials", "Bearer x", "400.008.01"),
        ("client_credentials", "", "400.008.01"),
        ("client_credentials", "Basic !!!", "400.008.01"),
        ("client_credentials", "Basic " + base64.b64encode(b"town-key:wrong").decode(), "400.008.01"),
        ("password", None, "400.008.02"),
    ],
)
async def test_wrong_token_requests_are_named(shop: Merchant, grant: str, authorization: str | None, code: str) -> None:
    status, body = await shop.fetch_token(grant, authorization)
    assert (status, body["errorCode"]) == (400, code)
    assert set(body) == {"requestId", "errorCode", "errorMessage"}


async def test_a_new_token_ends_the_one_before(shop: Merchant) -> None:
    old = shop.token
    await shop.sign_in()
    shop.token = old
    status, body = await shop.push()
    assert (status, body["errorCode"]) == (404, "404.001.03")


async def test_a_token_ends_after_3599_seconds_of_town_time(alone: Standalone, shop: Merchant) -> None:
    alone.core.clock.advance(3590)
    assert (await shop.push())[0] == 200
    alone.core.clock.advance(10)
    status, body = await shop.push()
    assert (status, body["errorCode"], body["errorMessage"]) == (404, "404.001.03", "Invalid Access Token")


async def test_no_bearer_a_get_and_a_wrong_path_are_refused(alone: Standalone, shop: Merchant) -> None:
    url = shop.base + "/mpesa/stkpush/v1/processrequest"
    async with shop.http.post(url, json={}) as response:
        assert (response.status, (await response.json())["errorCode"]) == (401, "401.002.01")
    async with shop.http.get(url, headers={"Authorization": f"Bearer {shop.token}"}) as response:
        assert (response.status, (await response.json())["errorCode"]) == (405, "405.001")
    status, body = await shop.post("/mpesa/nothing", {})
    assert (status, body["errorCode"]) == (404, "404.001.01")


async def test_a_form_body_or_broken_json_makes_the_short_code_invalid(shop: Merchant) -> None:
    url, headers = shop.base + "/mpesa/stkpush/v1/processrequest", {"Authorization": f"Bearer {shop.token}"}
    async with shop.http.post(url, data={"Amount": "1"}, headers=headers) as response:
        body = await response.json()
    assert (response.status, body["errorCode"], body["errorMessage"]) == (400, "400.002.02", "Bad Request - Invalid BusinessShortCode")
    async with shop.http.post(url, data=b"{", headers={**headers, "Content-Type": "application/json"}) as response:
        assert (await response.json())["errorMessage"] == "Bad Request - Invalid BusinessShortCode"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("BusinessShortCode", "1234"),
        ("Timestamp", "20261340000000"),
        ("Password", ""),
        ("TransactionType", "PayBill"),
        *[("Amount", value) for value in (0, 250_001, 10.0, "10.50", "-1", True, None, "1 ")],
        *[("PhoneNumber", value) for value in ("0712345678", "+254712345678", "254812345678", "25471234567", None)],
        ("PartyA", "254"),
        ("PartyB", "x"),
        *[("AccountReference", value) for value in ("", "ABCDEFGHIJKLM", "a b", None)],
        *[("TransactionDesc", value) for value in ("", "12345678901234")],
        *[("CallBackURL", f"https://shop.example/{word}/x") for word in ("mpesa", "safaricom", "exe", "exec", "cmd", "sql", "Query")],
        *[("CallBackURL", url) for url in ("https://Shop.example/x", "https://a.ngrok.io/x", "ftp://a.example", "/x", None, "https://a b")],
    ],
)
async def test_a_bad_field_is_named(alone: Standalone, shop: Merchant, field: str, value: Any) -> None:
    status, body = await shop.push(**{field: value})
    assert (status, body["errorCode"], body["errorMessage"]) == (400, "400.002.02", f"Bad Request - Invalid {field}")
    assert alone.phones.waiting(PHONE) == []


async def test_a_password_of_another_time_or_merchant_is_500_001_1001(shop: Merchant) -> None:
    status, body = await shop.push(Timestamp="20200101000000")
    assert (status, body["errorCode"], body["errorMessage"]) == (500, "500.001.1001", "Wrong credentials")
    status, body = await shop.push(BusinessShortCode="600000")
    assert (status, body["errorCode"], body["errorMessage"]) == (500, "500.001.1001", "Merchant does not exist")


async def test_an_accepted_push_rings_the_phone(alone: Standalone, shop: Merchant) -> None:
    status, reply = await shop.push(Amount="2500", PhoneNumber=254712345678)
    assert status == 200
    assert reply["ResponseCode"] == "0" and reply["CheckoutRequestID"].startswith("ws_CO_")
    assert set(reply) == {"MerchantRequestID", "CheckoutRequestID", "ResponseCode", "ResponseDescription", "CustomerMessage"}
    async with shop.http.get(alone.url + "/town/api/phone/0712345678") as response:
        phone = await response.json()
    assert phone["ussd"] is None and phone["balance_minor"] == 100_000_00
    (prompt,) = phone["prompts"]
    assert (prompt["amount"], prompt["business"], prompt["reference"], prompt["short_code"]) == (2500, "PAYLOOM", "PL-7K2QD", "174379")
    status, body = await shop.push()
    assert (status, body["errorCode"]) == (500, "500.001.1001") and body["errorMessage"].startswith("Unable to lock subscriber")


async def test_a_right_pin_pays_calls_back_once_and_sends_the_sms(alone: Standalone, shop: Merchant) -> None:
    shop.answer_status = 500
    checkout, callback = await answered(alone, shop, "right")
    items = {item["Name"]: item.get("Value") for item in callback["CallbackMetadata"]["Item"]}
    assert (callback["ResultCode"], callback["CheckoutRequestID"]) == (0, checkout)
    assert (items["Amount"], items["PhoneNumber"]) == (2500.0, int(PHONE))
    assert list(items) == ["Amount", "MpesaReceiptNumber", "Balance", "TransactionDate", "PhoneNumber"]
    assert len(str(items["TransactionDate"])) == 14 and len(items["MpesaReceiptNumber"]) == 10
    headers = shop.calls[0][1]
    assert (headers["Content-Type"], headers["Businessshortcode"]) == ("application/json;charset=UTF-8", "174379")
    phone = alone.phones.phone(PHONE)
    sms = phone.sms[0]["text"]
    assert phone.balance_minor == 97_500_00
    assert sms.startswith(f"{items['MpesaReceiptNumber']} Confirmed. Ksh2,500.00 sent to PAYLOOM for account PL-7K2QD on ")
    left = "Amount you can transact within the day is 497,500.00."
    assert sms.endswith(f"New M-PESA balance is Ksh97,500.00. Transaction cost, Ksh0.00. {left}")
    (entry,) = alone.daraja.books()
    assert (entry["receipt"], entry["amount"], entry["checkout_request_id"]) == (items["MpesaReceiptNumber"], 2500, checkout)
    alone.core.clock.advance(3600)
    with pytest.raises(TimeoutError):
        await shop.heard(2, within_s=0.2)
    kinds = [event["kind"] for event in alone.core.journal.since(0)]
    assert kinds == ["daraja.prompt", "daraja.answered", "phone.sms", "daraja.callback"]


@pytest.mark.parametrize(("answer", "code"), [("wrong", 2001), ("cancel", 1032), ("broke", 1)])
async def test_other_answers_fail_with_their_code_and_move_nothing(alone: Standalone, shop: Merchant, answer: str, code: int) -> None:
    checkout, callback = await answered(alone, shop, answer)
    assert callback["ResultCode"] == code and "CallbackMetadata" not in callback
    assert alone.phones.phone(PHONE).balance_minor == 100_000_00 and alone.daraja.books() == []
    status, body = await shop.query(checkout)
    assert (status, body["ResultCode"], body["ResponseCode"]) == (200, str(code), "0")


async def test_too_little_money_and_the_day_limit_are_1_and_4(alone: Standalone, shop: Merchant) -> None:
    await act(alone, f"/phone/{PHONE}/balance", {"amount_minor": 2499_99})
    assert (await answered(alone, shop, "right"))[1]["ResultCode"] == 1
    await act(alone, f"/phone/{PHONE}/balance", {"amount_minor": 900_000_00})
    await act(alone, f"/phone/{PHONE}/auto", {"answer": "right"})
    for count in (2, 3, 4):
        await shop.push(amount=250_000)
        await shop.heard(count)
    assert [body["Body"]["stkCallback"]["ResultCode"] for body in await shop.heard(4)] == [1, 0, 0, 4]


async def test_nobody_answering_is_1037_after_60_seconds_of_town_time(alone: Standalone, shop: Merchant) -> None:
    await shop.push()
    await act(alone, f"/phone/{PHONE}/pin", {"answer": "ignore"})
    alone.core.clock.advance(59)
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    alone.core.clock.advance(1)
    assert (await act(alone, f"/phone/{PHONE}/pin", {"answer": "right"}))[0] == 404
    assert (await shop.heard())[0]["Body"]["stkCallback"]["ResultCode"] == 1037
    assert alone.phones.waiting(PHONE) == []


async def test_a_phone_that_is_off_is_1037_quickly(alone: Standalone, shop: Merchant) -> None:
    await act(alone, f"/phone/{PHONE}/power", {"on": False})
    await shop.push()
    assert (await shop.heard())[0]["Body"]["stkCallback"]["ResultCode"] == 1037
    await act(alone, f"/phone/{PHONE}/power", {"on": True})
    await shop.push()
    await act(alone, f"/phone/{PHONE}/power", {"on": False})
    assert (await shop.heard(2))[1]["Body"]["stkCallback"]["ResultCode"] == 1037


async def test_a_mismatch_of_kind_or_party_fails_late(alone: Standalone, shop: Merchant) -> None:
    alone.daraja.add_app(key="b", secret="b", short_code="600111", passkey="p", kind="BUYGOODS", till="700222", name="KIOSK")
    cases: list[tuple[int, dict[str, Any], int | str]] = [
        (1, {"TransactionType": "CustomerBuyGoodsOnline"}, 2028),
        (2, {"PartyB": "700222"}, 2028),
        (3, {"PartyB": "999999"}, "SFC_IC0003"),
    ]
    for number, changed, code in cases:
        assert (await shop.push(**changed))[0] == 200
        assert (await shop.heard(number))[-1]["Body"]["stkCallback"]["ResultCode"] == code


async def test_another_organization_pays_to_its_till_with_its_own_app(alone: Standalone) -> None:
    about = {"key": "k2", "secret": "s2", "short_code": "600111", "passkey": "p2", "kind": "BUYGOODS", "till": "700222", "name": "KIOSK"}
    assert (await act(alone, "/daraja/apps", about))[0] == 200
    assert (await act(alone, "/daraja/apps", {"key": "k3"}))[0] == 400
    async with Merchant(alone.url + "/town/daraja", alone.daraja.apps["k2"]) as kiosk:
        await kiosk.sign_in()
        _, callback = await answered(alone, kiosk, "right")
        assert callback["ResultCode"] == 0
    assert alone.daraja.apps["k2"].working_minor == 2500_00
    assert "paid to KIOSK. on " in alone.phones.phone(PHONE).sms[0]["text"]


async def test_a_query_in_flight_has_two_shapes_and_never_tells_money(alone: Standalone, shop: Merchant) -> None:
    checkout = (await shop.push())[1]["CheckoutRequestID"]
    first, second, third = [await shop.query(checkout) for _ in range(3)]
    assert (first[0], first[1]["ResultCode"]) == (200, "4999") == (third[0], third[1]["ResultCode"])
    assert (second[0], second[1]["errorCode"]) == (500, "500.001.1001")
    await act(alone, f"/phone/{PHONE}/pin", {"pin": "1234"})
    status, body = await shop.query(checkout)
    assert (status, body["ResultCode"]) == (200, "0")
    assert set(body) == {"ResponseCode", "ResponseDescription", "MerchantRequestID", "CheckoutRequestID", "ResultCode", "ResultDesc"}
    status, body = await shop.query("ws_CO_nobody")
    assert (status, body["errorCode"]) == (500, "500.001.1001")


async def test_memory_is_bounded(alone: Standalone) -> None:
    small = Daraja(alone.core, alone.phones, keep=2)
    app = small.apps["town-key"]
    async with Merchant("http://127.0.0.1:1", app) as shop:
        for number in range(5):
            await small._stk.push(app, shop.stk_body(f"25471234567{number}"))
            alone.phones.answer(f"25471234567{number}", "right")
    assert len(small.checkouts()) == len(small.books()) == 2
