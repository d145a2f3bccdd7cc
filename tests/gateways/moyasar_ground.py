"""Ground for tests with Moyasar: our adapter, the town's Moyasar, an ear at our addresses, and a person at the hosted page."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from domain.ids import AttemptId
from domain.money import Money
from domain.payment import Ask, Attempt, Method, Notice, Refund
from gateways.http import Http
from gateways.payments.moyasar import Moyasar
from tests.gateways.ear import Ear, Told
from tests.gateways.provider import TOKEN, a_refund, an_attempt
from town import cards
from town.core import Fault
from town.moyasar.server import DEFAULT_ACCOUNT
from town.moyasar.standalone import Standalone

SECRET = "a-shared-secret-of-the-dashboard"
KEYS = {"secret_key": DEFAULT_ACCOUNT.secret_key, "webhook_secret": SECRET, "webhook_secret_before": ""}
CURRENCY = "SAR"


@dataclass
class Ground:
    """What the suite of all adapters asks for: `start`, `pay`, `decline`, `refund`, `told`."""

    alone: Standalone
    ear: Ear
    http: Http
    gateway: Moyasar
    person: httpx.AsyncClient
    credentials: Mapping[str, str] = field(default_factory=lambda: dict(KEYS))

    def ask(self, money: Money | None = None, attempt_id: int = 1, **changed: Any) -> Ask:
        fields: dict[str, Any] = {
            "attempt_id": AttemptId(attempt_id),
            "money": money or Money(150_50, CURRENCY),
            "phone": None,
            "reference": "PL-7K2QD",
            "description": "Order",
            "credentials": self.credentials,
            "callback_token": TOKEN,
            "method": Method.MADA,
            "key": f"key-{attempt_id}",
            "back_url": f"{self.ear.url}/pay/PL-7K2QD",
            "expires_at": self.alone.core.clock.now() + timedelta(minutes=30),
        }
        return Ask(**{**fields, **changed})

    def attempt(self, ask: Ask, ref: str | None, **changed: Any) -> Attempt:
        fields = {"id": ask.attempt_id, "gateway": "moyasar", "money": ask.money, "phone": None, "short_code": ""}
        return an_attempt(ref, **{**fields, "created_at": self.alone.core.clock.now(), **changed})

    def a_refund(self, money: Money, **changed: Any) -> Refund:
        return a_refund(**{"gateway": "moyasar", "money": money, **changed})

    def plant(self, fault: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("moyasar", fault, times, detail))

    async def pay(self, url: str, number: str = cards.GOOD_MADA, answer: str = "ok") -> httpx.Response:
        """A person types a card and answers the bank; gives the page on which that ends."""
        bank = await self.person.post(url, data={**card(number), "type": "creditcard"})
        return await self.person.post(str(bank.url), data={"answer": answer})

    async def decline(self, url: str) -> httpx.Response:
        return await self.pay(url, "4000000000000002")

    async def told(self, count: int = 1, kind: str = "event") -> Told:
        """The last of the first `count` events of this kind."""
        return (await self.ear.heard(count, kind))[count - 1]

    def understood(self, told: Told) -> Notice:
        """As the door does it: first the secret, then the reading of what may be kept."""
        assert self.gateway.authentic(told.kind, told.raw, told.headers, "127.0.0.1", self.credentials)
        return self.gateway.parse(told.kind, self.gateway.redact(told.kind, told.raw), told.headers)


def card(number: str) -> dict[str, str]:
    return {"number": number, "name": "Brian Otieno", "month": "12", "year": "2031", "cvc": "123"}


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Everything running; the webhook is registered as in the dashboard."""
    async with Standalone(seed=7, callback_delay_s=0.0, page_size=2) as alone, Ear() as ear:
        http = Http(connect_timeout_s=2.0, read_timeout_s=1.0, deadline_s=5.0)
        alone.moyasar.listen(DEFAULT_ACCOUNT, f"{ear.url}/callbacks/moyasar", SECRET)
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as person:
            yield Ground(alone, ear, http, Moyasar(http, alone.base_url, ear.url), person)
        await http.aclose()


def a_webhook(**changed: Any) -> bytes:
    """The example of their documentation; `data` is merged, everything else replaced."""
    data: dict[str, Any] = {
        "id": "0f3d87c2-88ae-438a-82ec-51cc42a1e1a7", "status": "paid", "amount": 15050, "fee": 260, "currency": "SAR", "refunded": 0,
        "description": "Order ORD-1", "invoice_id": "73bda482-5f95-4f59-87d3-3fe3615c54bc", "metadata": None,
        "source": {"type": "creditcard", "company": "mada", "number": "4200-23XX-XXXX-4111", "message": "APPROVED", "response_code": "00"},
        "created_at": "2026-11-01T09:04:44.791Z",
    }  # fmt: skip
    body = {
        "id": "bf8fee8c-8bc0-4948-bde5-b8d06f97df00", "type": "payment_paid", "created_at": "2026-11-01T09:05:03+00:00",
        "secret_token": SECRET, "account_name": None, "live": False, **changed, "data": {**data, **changed.get("data", {})},
    }  # fmt: skip
    return json.dumps(body).encode()
