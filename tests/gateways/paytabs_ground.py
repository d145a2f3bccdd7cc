"""Ground for tests with PayTabs: our adapter, the town's PayTabs, an ear at our addresses, and a person at the hosted page."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import httpx

from domain.ids import AttemptId
from domain.money import Money
from domain.payment import Ask, Attempt, Method, Notice, Refund
from gateways.http import Http
from gateways.payments.paytabs import PayTabs
from tests.gateways.ear import Ear, Told
from tests.gateways.provider import TOKEN, a_refund, an_attempt
from town import cards
from town.core import Clock as TownClock
from town.core import Fault
from town.paytabs.server import DEFAULT_PROFILE
from town.paytabs.standalone import Standalone

KEY = DEFAULT_PROFILE.server_key
KEYS = {"profile_id": "12345", "server_key": KEY, "server_key_before": "", "region": "KSA"}
CURRENCY = "SAR"


class FollowsTown:
    """Our clock, where the town sets the time."""

    def __init__(self, town: TownClock) -> None:
        self._town = town

    def now(self) -> datetime:
        return self._town.now()

    def monotonic_s(self) -> float:
        return self._town.monotonic_s()


@dataclass
class Ground:
    """What the suite of all adapters asks for: `start`, `pay`, `decline`, `refund`, `told`."""

    alone: Standalone
    ear: Ear
    http: Http
    gateway: PayTabs
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
            "method": Method.PAYTABS,
            "key": f"key-{attempt_id}",
            "back_url": f"{self.ear.url}/pay/PL-7K2QD",
            "expires_at": self.alone.core.clock.now() + timedelta(minutes=30),
        }
        return Ask(**{**fields, **changed})

    def attempt(self, ask: Ask, ref: str | None, **changed: Any) -> Attempt:
        fields = {"id": ask.attempt_id, "gateway": "paytabs", "money": ask.money, "phone": None, "short_code": ""}
        return an_attempt(ref, **{**fields, "created_at": self.alone.core.clock.now(), **changed})

    def a_refund(self, money: Money, **changed: Any) -> Refund:
        return a_refund(**{"gateway": "paytabs", "money": money, **changed})

    def plant(self, fault: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("paytabs", fault, times, detail))

    async def pay(self, url: str, number: str = cards.GOOD_VISA, answer: str = "ok") -> httpx.Response:
        """A person types a card and answers the bank; gives the page on which that ends."""
        bank = await self.person.post(url, data={"how": "card", "number": number, "name": "Brian Otieno", "cvc": "123"})
        return await self.person.post(str(bank.url), data={"answer": answer})

    async def decline(self, url: str) -> httpx.Response:
        return await self.pay(url, "4000000000000002")

    async def told(self, count: int = 1) -> Told:
        """The last of the first `count` events."""
        return (await self.ear.heard(count))[count - 1]

    def understood(self, told: Told) -> Notice:
        """As the door does it: first the signature, then the reading."""
        assert self.gateway.authentic(told.kind, told.raw, told.headers, "127.0.0.1", self.credentials)
        return self.gateway.parse(told.kind, told.raw, told.headers)


@asynccontextmanager
async def ground() -> AsyncIterator[Ground]:
    """Everything running; no IPN address is set, as on a new profile."""
    async with Standalone(seed=7, callback_delay_s=0.0) as alone, Ear() as ear:
        http = Http(connect_timeout_s=2.0, read_timeout_s=1.0, deadline_s=5.0)
        gateway = PayTabs(http, FollowsTown(alone.core.clock), ear.url, alone.base_url)
        async with httpx.AsyncClient(follow_redirects=True, trust_env=False) as person:
            yield Ground(alone, ear, http, gateway, person)
        await http.aclose()


def a_callback(**changed: Any) -> bytes:
    """The example of their documentation, as one of ours."""
    body = {
        "tran_ref": "TST2610500912345", "merchant_id": 6789, "profile_id": 12345, "cart_id": "payloom-4211", "cart_description": "Order ORD-1",
        "cart_currency": "SAR", "cart_amount": "150.50", "tran_currency": "SAR", "tran_total": "150.50", "tran_type": "Sale", "tran_class": "ECom",
        "customer_details": {"name": "A B", "email": "a@example.com", "country": "SA", "ip": "192.0.2.1"},
        "payment_result": {
            "response_status": "A", "response_code": "G08490", "response_message": "Authorised", "acquirer_ref": "TRAN0001.6764066A.00033E57",
            "transaction_time": "2026-11-01T11:41:30Z",
        },
        "payment_info": {"payment_method": "mada", "card_type": "Debit", "card_scheme": "mada", "payment_description": "5297 41## #### 1234"},
    }  # fmt: skip
    return json.dumps({**body, **changed}).encode()


def signature(raw: bytes, key: str = KEY) -> dict[str, str]:
    return {"signature": hmac.new(key.encode(), raw, hashlib.sha256).hexdigest()}
