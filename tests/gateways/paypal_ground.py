"""Ground for the tests of PayPal: the adapter before a town that plays PayPal, what payer, merchant and bank do there, and the events it tells."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from aiohttp import web

from domain.ids import AttemptId, RefundId
from domain.life import AttemptState
from domain.money import Money
from domain.payment import Ask, Attempt, Method, Refund, Reply
from domain.ports import Clock
from gateways.http import Http
from gateways.payments.paypal import PayPal
from tests.gateways.provider import a_refund as any_refund
from tests.gateways.provider import an_ask, an_attempt
from town.core import Fault
from town.paypal.standalone import Standalone

KIND = "event"
WEBHOOK_ID = "1JE4291016473214C"
CREDENTIALS = {
    "client_id": "town-paypal-client", "client_secret": "town-paypal-secret", "webhook_id": WEBHOOK_ID, "merchant_id": "TWNMERCHANT22",
}  # fmt: skip
BACK = "https://shop.example/pay/1?lang=en"


class TownClock:
    """The town's time, for ours."""

    def __init__(self, alone: Standalone) -> None:
        self._clock = alone.core.clock

    def now(self) -> datetime:
        return self._clock.now()

    def monotonic_s(self) -> float:
        return self._clock.monotonic_s()


@dataclass(frozen=True)
class Told:
    """One event as it came to our door: header names in lower case."""

    raw: bytes
    headers: Mapping[str, str]


@dataclass
class Ground:
    """`gateway` at the town `alone`; `told` are the events that came, in order, to a door that answers `answers` (one for each, the last stays)."""

    alone: Standalone
    gateway: PayPal
    clock: Clock
    told: list[Told] = field(default_factory=list)
    answers: list[int] = field(default_factory=lambda: [200])
    hook_url: str = ""
    asks: int = 0

    @property
    def credentials(self) -> dict[str, str]:
        return CREDENTIALS

    def fault(self, name: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("paypal", name, times, detail))

    def ask(self, amount_minor: int = 2000, currency: str = "USD", **changed: Any) -> Ask:
        self.asks += 1
        fields: dict[str, Any] = {
            "attempt_id": AttemptId(1000 + self.asks),
            "money": Money(amount_minor, currency),
            "phone": None,
            "credentials": CREDENTIALS,
            "method": Method.PAYPAL,
            "key": f"key-{self.asks}",
            "back_url": BACK,
        }
        return replace(an_ask(), **{**fields, **changed})

    def attempt(self, ask: Ask, reply: Reply, **changed: Any) -> Attempt:
        """What is kept of an ask that was answered."""
        fields: dict[str, Any] = {
            "id": ask.attempt_id,
            "gateway": "paypal",
            "money": ask.money,
            "state": AttemptState.PENDING,
            "phone": None,
            "created_at": self.clock.now(),
            "short_code": "",
        }
        return an_attempt(reply.ref, **{**fields, **changed})

    async def start(self, amount_minor: int = 2000, currency: str = "USD", **changed: Any) -> Attempt:
        """An attempt whose payer was sent to the approval page."""
        ask = self.ask(amount_minor, currency, **changed)
        reply = await self.gateway.start(ask)
        assert reply.ref is not None and reply.url is not None, reply
        return self.attempt(ask, reply)

    async def fetch(self, attempt: Attempt) -> Reply:
        return await self.gateway.fetch(attempt, CREDENTIALS)

    def pay(self, attempt: Attempt, funding: str = "balance") -> None:
        """The payer agrees on the page."""
        assert attempt.ref is not None
        self.alone.paypal.approve(attempt.ref, funding=funding)

    def decline(self, attempt: Attempt) -> None:
        """The payer agrees with a card that their bank declines when it is charged."""
        self.pay(attempt, "declined_card")

    async def paid(self, amount_minor: int = 2000, currency: str = "USD") -> tuple[Attempt, str]:
        """A paid attempt and its receipt."""
        attempt = await self.start(amount_minor, currency)
        self.pay(attempt)
        reply = await self.fetch(attempt)
        assert reply.receipt is not None, reply
        return attempt, reply.receipt

    def a_refund(self, attempt: Attempt, amount_minor: int | None = None, number: int = 1, **changed: Any) -> Refund:
        money = attempt.money if amount_minor is None else Money(amount_minor, attempt.money.currency)
        return replace(any_refund(), id=RefundId(number), attempt_id=attempt.id, gateway="paypal", money=money, **changed)

    async def refund(self, attempt: Attempt, receipt: str, amount_minor: int | None = None, number: int = 1) -> Reply:
        return await self.gateway.refund(self.a_refund(attempt, amount_minor, number), receipt, CREDENTIALS, "token")

    def charge_back(self, receipt: str) -> str:
        """The payer opens a case; gives its id."""
        return self.alone.paypal.dispute(receipt)

    def end_chargeback(self, case: str, *, won: bool) -> None:
        self.alone.paypal.resolve_dispute(case, "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR")

    async def hears(self, name: str, count: int = 1) -> Told:
        """The last of `count` events of this name that came."""
        for _ in range(400):
            found = [told for told in self.told if f'"{name}"'.encode() in told.raw]
            if len(found) >= count:
                return found[count - 1]
            await asyncio.sleep(0.01)
        raise AssertionError(f"{name} did not come {count} times; {len(self.told)} events came")

    async def deliver(self, told: Told, credentials: Mapping[str, str] = CREDENTIALS) -> bool:
        """As the door does it: prepare, then ask whether it is authentic."""
        await self.gateway.prepare(KIND, told.raw, told.headers)
        return self.gateway.authentic(KIND, told.raw, told.headers, "127.0.0.1", credentials)

    async def _hear(self, request: web.Request) -> web.Response:
        self.told.append(Told(await request.read(), {name.lower(): value for name, value in request.headers.items()}))
        return web.Response(status=self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def paypal_ground(seed: int = 7, http: Http | None = None) -> AsyncIterator[Ground]:
    """PayPal's town with our webhook registered, and the adapter, all on loopback."""
    http = http or Http(connect_timeout_s=2.0, read_timeout_s=0.5, deadline_s=5.0)
    async with Standalone(seed, webhook_delay_s=0.0) as alone:
        clock = TownClock(alone)
        gateway = PayPal(http, alone.base_url, clock)
        ground = Ground(alone, gateway, clock)
        door = web.Application()
        door.router.add_post("/callbacks/paypal", ground._hear)
        runner = web.AppRunner(door, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ground.hook_url = f"http://127.0.0.1:{runner.addresses[0][1]}/callbacks/paypal"
        alone.paypal.hooks.add(alone.paypal.apps[CREDENTIALS["client_id"]], ground.hook_url, webhook_id=WEBHOOK_ID)
        try:
            yield ground
        finally:
            await runner.cleanup()
            await gateway.aclose()
            await http.aclose()
