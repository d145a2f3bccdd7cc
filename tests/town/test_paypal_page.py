"""The approval page of the town's PayPal: log in, pay, cancel, close the window."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.town.paypal_sides import CONTEXT, Merchant, an_order, running_shop


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Merchant]:
    async with running_shop() as merchant:
        yield merchant


async def click(shop: Merchant, order: str, **form: str) -> tuple[int, str, str]:
    """(status, where to, text)."""
    url = f"{shop.alone.base_url}/checkoutnow"
    async with shop.session.post(url, data={"token": order, **form}, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", ""), await answer.text()


LOGIN = {"email": "buyer@town.example", "password": "town-password"}


async def test_a_buyer_logs_in_and_pays(shop: Merchant) -> None:
    _, order = await shop.order(an_order(description="<b>Tea</b>"))
    href = next(one["href"] for one in order["links"] if one["rel"] == "payer-action")
    async with shop.session.get(href) as answer:
        assert answer.status == 200 and "Log In" in await answer.text()
    status, _, page = await click(shop, order["id"], action="login", **LOGIN)
    assert status == 200 and "20.00 USD" in page and "&lt;b&gt;Tea" in page and "Complete Purchase" in page
    status, where, _ = await click(shop, order["id"], action="pay", funding="balance", **LOGIN)
    assert (status, where) == (302, f"https://shop.example/back?token={order['id']}&PayerID=TWNPAYER22222")
    assert (await shop.call("GET", f"/v2/checkout/orders/{order['id']}"))[1]["payer"]["email_address"] == LOGIN["email"]
    assert (await click(shop, order["id"], action="pay", funding="balance", **LOGIN))[0] == 404, "once"


async def test_a_buyer_cancels_closes_the_window_or_mistypes(shop: Merchant) -> None:
    body = an_order()
    body["payment_source"]["paypal"]["experience_context"] = {
        **CONTEXT, "cancel_url": "https://shop.example/back?a=1", "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
    }  # fmt: skip
    _, order = await shop.order(body)
    status, _, page = await click(shop, order["id"], action="login", email="buyer@town.example", password="wrong")
    assert status == 401 and "Please try again" in page
    assert (await click(shop, order["id"], action="cancel"))[:2] == (302, f"https://shop.example/back?a=1&token={order['id']}")
    assert "echeck" not in (await click(shop, order["id"], action="login", **LOGIN))[2]
    assert (await click(shop, order["id"], action="pay", funding="echeck", **LOGIN))[0] == 400
    assert (await click(shop, order["id"], action="steal", **LOGIN))[0] == 400
    status, where, page = await click(shop, order["id"], action="close", funding="declined_card", **LOGIN)
    assert (status, where) == (200, "") and "closed" in page
    assert (await shop.call("GET", f"/v2/checkout/orders/{order['id']}"))[1]["status"] == "APPROVED"
    assert (await click(shop, "nothing", action="cancel"))[0] == 404
    async with shop.session.get(f"{shop.alone.base_url}/checkoutnow?token=nothing") as answer:
        assert answer.status == 404
