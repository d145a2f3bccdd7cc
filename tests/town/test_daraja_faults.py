"""Each thing the town's Daraja can be told to do wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from town.core import Fault
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


def plant(alone: Standalone, fault: str, times: int = 1, **detail: Any) -> None:
    alone.core.faults.plant(Fault("daraja", fault, times, detail))


async def paid(alone: Standalone, shop: Merchant, answer: str = "right") -> dict[str, Any]:
    """Push, answer, and give the callback's stkCallback."""
    await shop.push()
    alone.phones.answer(PHONE, answer)
    callback: dict[str, Any] = (await shop.heard())[0]["Body"]["stkCallback"]
    return callback


def item_names(callback: dict[str, Any]) -> list[str]:
    return [item["Name"] for item in callback["CallbackMetadata"]["Item"]]


async def test_token_500_and_token_slow(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "token_500")
    assert (await shop.fetch_token())[0] == 500
    plant(alone, "token_slow", seconds=0.1)
    before = time.monotonic()
    assert (await shop.fetch_token())[0] == 200
    assert time.monotonic() - before >= 0.1


async def test_expire_token_ends_the_token_in_use(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "expire_token")
    for _ in range(2):
        status, body = await shop.push()
        assert (status, body["errorCode"]) == (404, "404.001.03")
    await shop.sign_in()
    plant(alone, "expire_token", code="401.003.01")
    status, body = await shop.push()
    assert (status, body["errorCode"]) == (401, "401.003.01")


@pytest.mark.parametrize(("fault", "words"), [("stk_500", "System is busy"), ("spike", "Spike Arrest Violation")])
async def test_a_busy_gateway_refuses_before_processing(alone: Standalone, shop: Merchant, fault: str, words: str) -> None:
    plant(alone, fault)
    status, body = await shop.push()
    assert (status, body["errorCode"]) == (500, "500.003.02") and words in body["errorMessage"]
    assert alone.daraja.checkouts() == [] and alone.phones.waiting(PHONE) == []


@pytest.mark.parametrize(("fault", "rings"), [("stk_timeout_before", 0), ("stk_timeout_after", 1)])
async def test_a_lost_reply_leaves_the_prompt_ringing_or_not(alone: Standalone, shop: Merchant, fault: str, rings: int) -> None:
    plant(alone, fault, seconds=0.05)
    with pytest.raises(aiohttp.ClientError):
        await shop.push()
    assert len(alone.phones.waiting(PHONE)) == rings
    if rings:
        alone.phones.answer(PHONE, "right")
        assert (await shop.heard())[0]["Body"]["stkCallback"]["ResultCode"] == 0


@pytest.mark.parametrize(("fault", "kind"), [("stk_html", "text/html"), ("stk_half_json", "application/json")])
async def test_an_unreadable_reply_comes_after_processing(alone: Standalone, shop: Merchant, fault: str, kind: str) -> None:
    plant(alone, fault)
    url, headers = shop.base + "/mpesa/stkpush/v1/processrequest", {"Authorization": f"Bearer {shop.token}"}
    async with shop.http.post(url, json=shop.stk_body(), headers=headers) as response:
        assert (response.status, response.content_type) == (200, kind)
        text = await response.text()
    assert text.startswith("<html") or not text.endswith("}")
    assert len(alone.phones.waiting(PHONE)) == 1


async def test_no_callback_leaves_only_the_query(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "no_callback")
    checkout = (await shop.push())[1]["CheckoutRequestID"]
    alone.phones.answer(PHONE, "right")
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    assert (await shop.query(checkout))[1]["ResultCode"] == "0"
    assert alone.core.journal.since(0)[-1]["problem"] == "not sent"


async def test_a_late_callback_waits_for_town_time(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "late_callback", seconds=900)
    await shop.push()
    alone.phones.answer(PHONE, "right")
    alone.core.clock.advance(890)
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    alone.core.clock.advance(20)
    assert (await shop.heard())[0]["Body"]["stkCallback"]["ResultCode"] == 0


async def test_callbacks_can_come_out_of_order(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "late_callback", seconds=100)
    first = (await shop.push())[1]["CheckoutRequestID"]
    alone.phones.answer(PHONE, "cancel")
    second = (await shop.push())[1]["CheckoutRequestID"]
    alone.phones.answer(PHONE, "right")
    await shop.heard()
    alone.core.clock.advance(100)
    assert [body["Body"]["stkCallback"]["CheckoutRequestID"] for body in await shop.heard(2)] == [second, first]


async def test_a_duplicate_callback_moves_money_once(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "duplicate_callback", count=3)
    await paid(alone, shop)
    bodies = await shop.heard(3)
    assert bodies[0] == bodies[1] == bodies[2]
    assert len(alone.daraja.books()) == 1 and alone.phones.phone(PHONE).balance_minor == 97_500_00


async def test_the_callback_can_come_before_the_reply(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "callback_before_reply")
    _, reply = await shop.push()
    assert shop.calls[0][2]["Body"]["stkCallback"]["CheckoutRequestID"] == reply["CheckoutRequestID"]
    plant(alone, "callback_before_reply", answer="cancel")
    await shop.push()
    assert shop.calls[1][2]["Body"]["stkCallback"]["ResultCode"] == 1032


async def test_a_wrong_amount_is_only_in_the_callback(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "wrong_amount", amount=1)
    callback = await paid(alone, shop)
    assert callback["CallbackMetadata"]["Item"][0]["Value"] == 1.0
    assert alone.daraja.books()[0]["amount"] == 2500


async def test_shapes_of_a_success_that_is_not_as_it_should_be(alone: Standalone, shop: Merchant) -> None:
    for fault in ("string_result_code", "missing_receipt", "masked_phone"):
        plant(alone, fault)
    callback = await paid(alone, shop)
    assert callback["ResultCode"] == "0"
    assert item_names(callback) == ["Amount", "Balance", "TransactionDate", "PhoneNumber"]
    assert callback["CallbackMetadata"]["Item"][3]["Value"] == "2547 ***** 678"


async def test_missing_metadata_waits_for_a_success(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "missing_metadata")
    await paid(alone, shop, "cancel")
    assert len(alone.core.faults.waiting()) == 1
    await shop.push()
    alone.phones.answer(PHONE, "right")
    callback = (await shop.heard(2))[1]["Body"]["stkCallback"]
    assert callback["ResultCode"] == 0 and "CallbackMetadata" not in callback


async def test_a_forced_result_may_be_any_code(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "forced_result", code="SFC_IC0003")
    assert (await paid(alone, shop))["ResultCode"] == "SFC_IC0003"
    assert alone.daraja.books() == []


async def test_the_query_faults(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "no_callback")
    checkout = (await shop.push())[1]["CheckoutRequestID"]
    alone.phones.answer(PHONE, "right")
    plant(alone, "query_4999")
    assert (await shop.query(checkout))[1]["ResultCode"] == "4999"
    plant(alone, "query_500")
    status, body = await shop.query(checkout)
    assert (status, body["errorCode"], body["errorMessage"]) == (500, "500.001.1001", "")
    plant(alone, "query_error_200")
    status, body = await shop.query(checkout)
    assert (status, body["errorCode"]) == (200, "500.001.1001")
    plant(alone, "query_down")
    with pytest.raises(aiohttp.ClientError):
        await shop.query(checkout)
    assert (await shop.query(checkout))[1]["ResultCode"] == "0"


@pytest.mark.parametrize(("answer", "truth"), [("right", "1037"), ("cancel", "1032")])
async def test_wrong_success_is_unmasked_by_the_query(alone: Standalone, shop: Merchant, answer: str, truth: str) -> None:
    plant(alone, "wrong_success")
    callback = await paid(alone, shop, answer)
    assert callback["ResultCode"] == 0 and "MpesaReceiptNumber" in item_names(callback)
    assert (await shop.query(callback["CheckoutRequestID"]))[1]["ResultCode"] == truth
    assert alone.daraja.books() == [] and alone.phones.phone(PHONE).balance_minor == 100_000_00


async def test_a_forged_callback_is_in_nobodys_books(alone: Standalone, shop: Merchant) -> None:
    checkout = (await shop.push())[1]["CheckoutRequestID"]
    assert await alone.daraja.forge_callback(checkout, 2500, "UKFORGED01") == 200
    callback = (await shop.heard())[0]["Body"]["stkCallback"]
    assert (callback["CheckoutRequestID"], callback["CallbackMetadata"]["Item"][1]["Value"]) == (checkout, "UKFORGED01")
    assert alone.daraja.books() == []
    body = {"checkout_request_id": "ws_CO_none", "amount": 1, "url": shop.callback_url + "/guess"}
    async with shop.http.post(alone.url + "/town/api/daraja/forge", json=body) as response:
        assert await response.json() == {"status": 200}
    async with shop.http.post(alone.url + "/town/api/daraja/forge", json={"amount": 1, "checkout_request_id": "x"}) as response:
        assert response.status == 400


async def test_nobody_at_the_callback_address_is_noted_and_not_tried_again(alone: Standalone, shop: Merchant) -> None:
    await shop.push(CallBackURL="http://127.0.0.1:9/nobody")
    alone.phones.answer(PHONE, "right")
    async with asyncio.timeout(5):
        while alone.core.journal.since(0)[-1]["kind"] != "daraja.callback":
            await alone.core.journal.wait(1)
    event = alone.core.journal.since(0)[-1]
    assert event["status"] is None and event["problem"] and len(alone.daraja.books()) == 1


async def test_stopping_with_work_under_way_is_clean() -> None:
    before = asyncio.all_tasks()
    async with Standalone(seed=1, callback_delay_s=30.0) as alone:
        async with Merchant(alone.url + "/town/daraja", alone.daraja.apps["town-key"]) as shop:
            await shop.sign_in()
            await shop.push()
            alone.phones.answer(PHONE, "right")
        await alone.daraja.stop()
    assert [task for task in asyncio.all_tasks() - before if not task.done()] == []
