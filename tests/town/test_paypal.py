"""The town's PayPal through its API: refusals in PayPal's shape, keys, the life of an order, refunds, disputes, webhooks, faults, books."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from tests.town.paypal_sides import CONTEXT, Json, Merchant, an_order, issue, running_shop
from town.paypal.apps import App
from town.paypal.hooks import RETRY_AFTER_S
from town.paypal.standalone import Standalone


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with running_shop() as merchant:
        yield merchant


async def test_tokens(shop: Merchant) -> None:
    status, body = await shop.sign_in()
    assert (status, body["token_type"], body["expires_in"]) == (200, "Bearer", 32400)
    shop.alone.core.clock.advance(32_400)
    status, body = await shop.order()
    assert (status, body["name"]) == (401, "AUTHENTICATION_FAILURE")
    assert (await shop.sign_in("wrong"))[0] == 401
    assert (await shop.sign_in("x", "nobody"))[1]["error"] == "invalid_client"


async def test_both_names_of_the_link(shop: Merchant) -> None:
    status, order = await shop.order()
    assert (status, order["status"]) == (201, "PAYER_ACTION_REQUIRED")
    assert {one["rel"] for one in order["links"]} == {"self", "payer-action"}
    old = {**an_order(invoice_id="I-8"), "application_context": CONTEXT}
    del old["payment_source"]
    _, order = await shop.order(old, "")
    assert order["status"] == "CREATED" and "approve" in {one["rel"] for one in order["links"]}


async def test_a_minimal_answer_has_no_amounts(shop: Merchant) -> None:
    _, order = await shop.call("POST", "/v2/checkout/orders", an_order(), "k", Prefer="return=minimal")
    assert set(order) == {"id", "status", "links"}


async def test_a_key_gives_the_latest_state_for_six_hours(shop: Merchant) -> None:
    _, first = await shop.order()
    shop.alone.paypal.approve(first["id"])
    status, again = await shop.order()
    assert (status, again["id"], again["status"]) == (200, first["id"], "APPROVED")
    shop.alone.core.clock.advance(6 * 3600)
    status, other = await shop.order()
    assert status == 201 and other["id"] != first["id"]


@pytest.mark.parametrize(
    "changed,status,what",
    [
        ({"intent": "SALE"}, 400, "INVALID_PARAMETER_VALUE"),
        ({"purchase_units": []}, 400, "INVALID_ARRAY_MIN_ITEMS"),
        ({"purchase_units": [{}]}, 400, "MISSING_REQUIRED_PARAMETER"),
        ({"purchase_units": [{"amount": {"currency_code": "KES", "value": "1.00"}}]}, 422, "INVALID_CURRENCY_CODE"),
        ({"purchase_units": [{"amount": {"currency_code": "USD", "value": "1.001"}}]}, 422, "DECIMAL_PRECISION"),
        ({"purchase_units": [{"amount": {"currency_code": "JPY", "value": "1.5"}}]}, 422, "DECIMAL_PRECISION"),
        ({"purchase_units": [{"amount": {"currency_code": "USD", "value": "0.00"}}]}, 422, "CANNOT_BE_ZERO_OR_NEGATIVE"),
        ({"purchase_units": [{"amount": {"currency_code": "USD", "value": "1e3"}}]}, 400, "INVALID_PARAMETER_SYNTAX"),
        ({"purchase_units": [{"amount": {"currency_code": "USD", "value": 5}}]}, 400, "INVALID_PARAMETER_SYNTAX"),
        ({"payment_source": {"paypal": {"experience_context": {"return_url": "https://a.example"}}}}, 400, "MISSING_REQUIRED_PARAMETER"),
        ({"payment_source": {"card": {}}}, 400, "INVALID_PARAMETER_SYNTAX"),
        ({"surprise": 1}, 400, "INVALID_PARAMETER_SYNTAX"),
    ],
)
async def test_a_wrong_order_is_refused_as_paypal_does(shop: Merchant, changed: Json, status: int, what: str) -> None:
    got, body = await shop.order({**an_order(), **changed})
    assert (got, issue(body)) == (status, what)


@pytest.mark.parametrize(
    "unit,what",
    [
        ({"amount": {"currency_code": "USD", "value": "20.00", "breakdown": {"item_total": {"currency_code": "USD", "value": "19.00"}}}}, "AMOUNT_MISMATCH"),
        ({"items": [{"name": "Tea", "quantity": "2", "unit_amount": {"currency_code": "USD", "value": "9.00"}}]}, "ITEM_TOTAL_REQUIRED"),
        ({"amount": {"currency_code": "USD", "value": "20.00", "breakdown": {"item_total": {"currency_code": "USD", "value": "20.00"}}},
          "items": [{"name": "Tea", "quantity": "2", "unit_amount": {"currency_code": "USD", "value": "9.00"}}]}, "ITEM_TOTAL_MISMATCH"),
    ],
)  # fmt: skip
async def test_sums_have_to_agree(shop: Merchant, unit: Json, what: str) -> None:
    assert issue((await shop.order(an_order(**unit)))[1]) == what


async def test_headers_and_bodies(shop: Merchant) -> None:
    assert issue((await shop.order(key=""))[1]) == "PAYPAL_REQUEST_ID_REQUIRED"
    assert issue((await shop.order(key="k" * 109))[1]) == "INVALID_STRING_LENGTH"
    assert (await shop.call("POST", "/v2/checkout/orders", [], "k"))[0] == 400
    headers = {"Authorization": f"Bearer {shop.token}"}
    async with shop.session.post(f"{shop.alone.base_url}/v2/checkout/orders", data=b"x", headers=headers) as answer:
        assert answer.status == 415
    assert (await shop.call("GET", "/v9/nothing"))[1]["name"] == "RESOURCE_NOT_FOUND"


async def test_the_life_of_an_order(shop: Merchant) -> None:
    _, order = await shop.order()
    path = f"/v2/checkout/orders/{order['id']}"
    assert issue((await shop.call("POST", f"{path}/capture", {}, "c"))[1]) == "ORDER_NOT_APPROVED"
    shop.alone.paypal.approve(order["id"])
    status, done = await shop.call("POST", f"{path}/capture", {}, "c")
    (capture,) = done["purchase_units"][0]["payments"]["captures"]
    assert (status, done["status"], capture["status"]) == (201, "COMPLETED", "COMPLETED")
    assert capture["seller_receivable_breakdown"]["paypal_fee"]["value"] == "1.19"
    assert (await shop.call("POST", f"{path}/capture", {}, "c"))[0] == 200
    assert issue((await shop.call("POST", f"{path}/capture", {}, "other"))[1]) == "ORDER_ALREADY_CAPTURED"
    assert (await shop.call("GET", f"/v2/payments/captures/{capture['id']}"))[1]["amount"]["value"] == "20.00"
    assert issue((await shop.order(key="k2"))[1]) == "DUPLICATE_INVOICE_ID"
    (app,) = shop.alone.paypal.state()["apps"]
    assert app["balances"] == {"USD": 2000 - 119}


async def test_an_order_that_nobody_approves_or_captures_is_forgotten(shop: Merchant) -> None:
    for approved in (False, True):
        _, order = await shop.order(key=f"k{approved}")
        if approved:
            shop.alone.paypal.approve(order["id"])
        shop.alone.core.clock.advance(3 * 3600 - 60)
        path = f"/v2/checkout/orders/{order['id']}"
        assert (await shop.call("GET", path))[0] == 200
        shop.alone.core.clock.advance(60)
        assert (await shop.call("GET", path))[0] == 404
        await shop.sign_in()


async def test_a_declined_card_and_then_a_good_one(shop: Merchant) -> None:
    _, order = await shop.order()
    path = f"/v2/checkout/orders/{order['id']}"
    shop.alone.paypal.approve(order["id"], funding="declined_card")
    _, body = await shop.call("POST", f"{path}/capture", {}, "c")
    assert issue(body) == "INSTRUMENT_DECLINED" and body["links"][0]["rel"] == "payer-action"
    shop.alone.paypal.approve(order["id"])
    assert (await shop.call("POST", f"{path}/capture", {}, "c"))[0] == 201


async def test_another_merchant_sees_nothing(shop: Merchant) -> None:
    order, capture = await shop.captured()
    shop.alone.paypal.add_app("other", "secret", merchant_id="OTHERMERCHANT")
    await shop.sign_in("secret", "other")
    for path in (f"/v2/checkout/orders/{order}", f"/v2/payments/captures/{capture}", "/v2/payments/refunds/X"):
        assert (await shop.call("GET", path))[0] == 404
    assert isinstance(shop.alone.paypal.apps["other"], App)


async def test_refunds(shop: Merchant) -> None:
    _, capture = await shop.captured()
    path = f"/v2/payments/captures/{capture}/refund"
    status, first = await shop.call("POST", path, {"amount": {"currency_code": "USD", "value": "5.00"}}, "r1")
    assert (status, first["status"]) == (201, "COMPLETED")
    assert (await shop.call("POST", path, {"amount": {"currency_code": "USD", "value": "5.00"}}, "r1"))[0] == 200
    assert (await shop.call("GET", f"/v2/payments/refunds/{first['id']}"))[1]["amount"]["value"] == "5.00"
    for amount, what in (("15.01", "REFUND_AMOUNT_EXCEEDED"), ("0.00", "CANNOT_BE_ZERO_OR_NEGATIVE")):
        assert issue((await shop.call("POST", path, {"amount": {"currency_code": "USD", "value": amount}}, "r"))[1]) == what
    other = {"amount": {"currency_code": "EUR", "value": "1.00"}}
    assert issue((await shop.call("POST", path, other, "r2"))[1]) == "REFUND_CAPTURE_CURRENCY_MISMATCH"
    assert (await shop.call("GET", f"/v2/payments/captures/{capture}"))[1]["status"] == "PARTIALLY_REFUNDED"
    status, rest = await shop.call("POST", path, {}, "r3")
    assert (status, rest["amount"]["value"]) == (201, "15.00")
    assert issue((await shop.call("POST", path, {}, "r4"))[1]) == "CAPTURE_FULLY_REFUNDED"
    assert (await shop.call("GET", f"/v2/payments/captures/{capture}"))[1]["status"] == "REFUNDED"
    shop.alone.core.clock.advance(180 * 86_400)
    _, other_capture = await _later(shop)
    shop.alone.core.clock.advance(180 * 86_400)
    await shop.sign_in()
    assert issue((await shop.call("POST", f"/v2/payments/captures/{other_capture}/refund", {}, "r5"))[1]) == "REFUND_TIME_LIMIT_EXCEEDED"


async def _later(shop: Merchant) -> tuple[str, str]:
    await shop.sign_in()
    return await shop.captured("I-9", "k9")


@pytest.mark.parametrize(("fault", "status"), [("error_500", 500), ("rate_limit", 429), ("expire_token", 401), ("forbidden", 403)])
async def test_faults_that_answer(shop: Merchant, fault: str, status: int) -> None:
    shop.fault(fault)
    got, body = await shop.order()
    assert got == status and body["debug_id"] and shop.alone.paypal.orders() == []


@pytest.mark.parametrize(("fault", "orders"), [("drop", 0), ("drop_after", 1), ("create_drop", 0), ("create_drop_after", 1)])
async def test_a_lost_reply_did_it_or_not(shop: Merchant, fault: str, orders: int) -> None:
    shop.fault(fault)
    with pytest.raises(aiohttp.ClientError):
        await shop.order()
    assert len(shop.alone.paypal.orders()) == orders
    assert (await shop.order())[0] == (200 if orders else 201)


async def test_slow_and_nonsense(shop: Merchant) -> None:
    shop.fault("slow", seconds=0.1)
    before = time.monotonic()
    assert (await shop.order())[0] == 201 and time.monotonic() - before >= 0.1
    shop.fault("html")
    headers = {"Authorization": f"Bearer {shop.token}"}
    async with shop.session.get(f"{shop.alone.base_url}/v2/checkout/orders/1", headers=headers) as answer:
        assert (answer.status, answer.content_type) == (200, "text/html")


async def test_webhooks_are_registered_listed_and_sent_again(shop: Merchant) -> None:
    body = {"url": "http://127.0.0.1:9/hook", "event_types": [{"name": "PAYMENT.CAPTURE.COMPLETED"}]}
    status, hook = await shop.call("POST", "/v1/notifications/webhooks", body)
    assert status == 201 and hook["url"] == body["url"]
    assert (await shop.call("POST", "/v1/notifications/webhooks", body))[0] == 400
    assert (await shop.call("GET", "/v1/notifications/webhooks"))[1]["webhooks"] == [hook]
    await shop.captured()
    _, listed = await shop.call("GET", "/v1/notifications/webhooks-events?page_size=1")
    assert listed["count"] == 1 and listed["links"][1]["rel"] == "next"
    _, named = await shop.call("GET", "/v1/notifications/webhooks-events?event_type=PAYMENT.CAPTURE.COMPLETED")
    (event,) = named["events"]
    assert (await shop.call("POST", f"/v1/notifications/webhooks-events/{event['id']}/resend", {}))[0] == 202
    assert (await shop.call("POST", "/v1/notifications/webhooks-events/nothing/resend", {}))[0] == 404
    assert (await shop.call("GET", "/v1/notifications/webhooks-events?page_size=x"))[0] == 400


async def test_an_event_that_is_not_taken_comes_again_for_three_days(shop: Merchant) -> None:
    app = shop.alone.paypal.apps["town-paypal-client"]
    shop.alone.paypal.hooks.add(app, "http://127.0.0.1:9/hook", "PAYMENT.CAPTURE.COMPLETED")
    await shop.captured()
    (event,) = [one for one in shop.alone.paypal.hooks.events.values() if one.name == "PAYMENT.CAPTURE.COMPLETED"]
    for tries in range(1, 28):
        for _ in range(200):
            if len(event.deliveries) >= min(tries, 26):
                break
            await shop.alone.core.journal.wait(0.01)
        shop.alone.core.clock.advance(RETRY_AFTER_S)
    assert event.deliveries == [None] * 26


@pytest.mark.parametrize(("fault", "times"), [("webhook_never", 0), ("webhook_twice", 2), ("webhook_late", 0)])
async def test_what_can_go_wrong_with_an_event(shop: Merchant, fault: str, times: int) -> None:
    app = shop.alone.paypal.apps["town-paypal-client"]
    shop.alone.paypal.hooks.add(app, "http://127.0.0.1:9/hook", "CHECKOUT.ORDER.APPROVED")
    _, order = await shop.order()
    shop.fault(fault, seconds=500)
    shop.alone.paypal.approve(order["id"])
    (event,) = shop.alone.paypal.hooks.events.values()
    for _ in range(30):
        await shop.alone.core.journal.wait(0.01)
    assert len(event.deliveries) == times
    shop.alone.core.clock.advance(500)
    for _ in range(30):
        await shop.alone.core.journal.wait(0.01)
    assert len(event.deliveries) == (1 if fault == "webhook_late" else times)


async def act(shop: Merchant, **body: Any) -> tuple[int, Any]:
    async with shop.session.post(f"{shop.alone.url}/town/api/paypal/act", json=body) as answer:
        said = await answer.json()
        return answer.status, said.get("done", said.get("error"))


async def test_the_controls_do_what_people_and_banks_do(shop: Merchant) -> None:
    _, order = await shop.order()
    assert (await act(shop, do="approve", order=order["id"], funding="review"))[0] == 200
    await shop.call("POST", f"/v2/checkout/orders/{order['id']}/capture", {}, "c")
    (capture,) = shop.alone.paypal.orders()[0]["purchase_units"][0]["payments"]["captures"]
    assert (await act(shop, do="resolve_capture", capture=capture["id"], completed=True))[0] == 200
    assert (await act(shop, do="refund_by_hand", capture=capture["id"], units=100))[0] == 200
    _, case = await act(shop, do="dispute", capture=capture["id"])
    assert (await act(shop, do="resolve_dispute", dispute=case, outcome="RESOLVED_SELLER_FAVOUR"))[0] == 200
    assert (await act(shop, do="reverse", capture=capture["id"]))[0] == 200
    _, hook = await act(shop, do="webhook", url="http://127.0.0.1:9/x")
    assert await act(shop, do="forge", url="http://127.0.0.1:9/x", webhook_id=hook, event={}, how="stranger") == (200, None)
    for wrong in ({}, {"do": "nothing"}, {"do": "reverse"}, {"do": "reverse", "capture": capture["id"]}, {"do": "approve", "order": "x"},
                  {"do": "resolve_capture", "capture": "x"}, {"do": "resolve_refund", "refund": "x"}, {"do": "dispute", "capture": "x"},
                  {"do": "refund_by_hand", "capture": capture["id"], "units": "x"}):  # fmt: skip
        status, sentence = await act(shop, **wrong)
        assert status in (400, 404) and sentence.endswith("."), wrong
    async with shop.session.get(f"{shop.alone.url}/town/api/paypal/books") as answer:
        kinds = [entry["kind"] for entry in await answer.json()]
    assert kinds == ["capture", "fee", "refund", "dispute_hold", "dispute_release", "reversal"]
    async with shop.session.get(f"{shop.alone.url}/town/api/paypal") as answer:
        assert (await answer.json())["disputes"][0]["status"] == "RESOLVED"


async def test_a_town_that_starts_again_keeps_its_money(shop: Merchant, tmp_path: Path) -> None:
    app = shop.alone.paypal.apps["town-paypal-client"]
    shop.alone.paypal.hooks.add(app, "http://127.0.0.1:9/hook")
    _, capture = await shop.captured()
    await shop.call("POST", f"/v2/payments/captures/{capture}/refund", {"amount": {"currency_code": "USD", "value": "5.00"}}, "r1")
    shop.alone.paypal.dispute(capture)
    _, waiting = await shop.order(an_order(invoice_id="I-8"), "k8")
    keep = tmp_path / "town.paypal.json"
    shop.alone.paypal.save(keep)
    async with Standalone(seed=8, public_url=shop.alone.url) as again:
        assert not again.paypal.load(tmp_path / "nothing.json")
        assert again.paypal.load(keep)
        assert again.paypal.state() == shop.alone.paypal.state()
        assert [one.raw for one in again.paypal.hooks.events.values()] == [one.raw for one in shop.alone.paypal.hooks.events.values()]
        other = Merchant(again, shop.session)
        await other.sign_in()
        assert (await other.order(an_order(invoice_id="I-8"), "k8"))[1]["id"] == waiting["id"]
        again.paypal.approve(waiting["id"])
        keep.write_text('{"version": 0}')
        assert not again.paypal.load(keep)
