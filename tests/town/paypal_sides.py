"""Ground for the tests of the town's PayPal: a merchant's program at a PayPal of its own."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import aiohttp

from town.core import Fault
from town.paypal.standalone import Standalone

Json = dict[str, Any]
CONTEXT = {"return_url": "https://shop.example/back", "cancel_url": "https://shop.example/back", "user_action": "PAY_NOW"}


def an_order(value: str = "20.00", currency: str = "USD", **unit: Any) -> Json:
    amount = {"currency_code": currency, "value": value}
    return {
        "intent": "CAPTURE",
        "purchase_units": [{"amount": amount, "custom_id": "7", "invoice_id": "I-7", **unit}],
        "payment_source": {"paypal": {"experience_context": CONTEXT}},
    }


@dataclass
class Merchant:
    """A merchant's program."""

    alone: Standalone
    session: aiohttp.ClientSession
    token: str = ""

    async def sign_in(self, secret: str = "town-paypal-secret", client: str = "town-paypal-client") -> tuple[int, Json]:
        basic = base64.b64encode(f"{client}:{secret}".encode()).decode()
        url = f"{self.alone.base_url}/v1/oauth2/token"
        async with self.session.post(url, data={"grant_type": "client_credentials"}, headers={"Authorization": f"Basic {basic}"}) as answer:
            body = await answer.json()
            self.token = body.get("access_token", "")
            return answer.status, body

    async def call(self, method: str, path: str, body: object = None, key: str = "", **headers: str) -> tuple[int, Json]:
        known = {"Authorization": f"Bearer {self.token}", "Prefer": "return=representation", **headers}
        if key:
            known["PayPal-Request-Id"] = key
        async with self.session.request(method, self.alone.base_url + path, json=body, headers=known) as answer:
            return answer.status, await answer.json(content_type=None)

    async def order(self, body: Json | None = None, key: str = "k1") -> tuple[int, Json]:
        return await self.call("POST", "/v2/checkout/orders", body or an_order(), key)

    async def captured(self, invoice: str = "I-7", key: str = "k1") -> tuple[str, str]:
        """(order id, capture id)."""
        _, order = await self.order(an_order(invoice_id=invoice), key)
        self.alone.paypal.approve(order["id"])
        status, order = await self.call("POST", f"/v2/checkout/orders/{order['id']}/capture", {}, f"{key}-c")
        assert status == 201
        return order["id"], order["purchase_units"][0]["payments"]["captures"][0]["id"]

    def fault(self, name: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("paypal", name, times, detail))


@asynccontextmanager
async def running_shop() -> AsyncIterator[Merchant]:
    """A merchant who is signed in."""
    async with Standalone(seed=7, webhook_delay_s=0.0) as alone, aiohttp.ClientSession() as session:
        merchant = Merchant(alone, session)
        assert (await merchant.sign_in())[0] == 200
        yield merchant


def issue(body: Json) -> str:
    assert body["debug_id"] and body["message"]
    return str(body["details"][0]["issue"])
