"""Stripe's adapter and the town's Stripe on one ground, for tests that run over all gateways alike."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from aiohttp import web

from domain.money import Money
from domain.payment import Ask, Attempt, Method, Outcome, Refund, Reply
from gateways.http import Http
from gateways.payments.stripe import Stripe
from tests.gateways.provider import a_refund, an_ask, an_attempt
from town.core import Fault
from town.stripe.books import Account
from town.stripe.server import DEFAULT_KEY, DEFAULT_SECRET
from town.stripe.standalone import Standalone

KIND = "events"
KEYS = {"secret_key": DEFAULT_KEY, "webhook_secret": DEFAULT_SECRET, "webhook_secret_before": ""}
BACK = "https://shop.example/pay/back"
METHOD = Method.VISA
DECLINING = "4000000000000002"


def stripe_ask(amount_minor: int = 2500_00, currency: str = "KES", **changed: Any) -> Ask:
    fields: dict[str, Any] = {
        "money": Money(amount_minor, currency), "phone": None, "credentials": KEYS, "method": METHOD, "key": "key-1", "back_url": BACK,
    }  # fmt: skip
    return an_ask(**{**fields, **changed})


def stripe_attempt(ref: str | None, money: Money | None = None, **changed: Any) -> Attempt:
    return an_attempt(ref, gateway="stripe", phone=None, short_code="", money=money or Money(2500_00, "KES"), **changed)


def stripe_refund(amount_minor: int = 2500_00, currency: str = "KES", **changed: Any) -> Refund:
    return a_refund(**{"money": Money(amount_minor, currency), "gateway": "stripe", "tries": 1, **changed})


@dataclass(frozen=True)
class Delivered:
    """A webhook as it came."""

    raw: bytes
    headers: Mapping[str, str]

    @property
    def type(self) -> str:
        return str(json.loads(self.raw)["type"])


@dataclass
class Ground:
    """The adapter talks to the town over HTTP; the town's webhooks arrive in `mailbox`."""

    alone: Standalone
    gateway: Stripe
    mailbox: list[Delivered] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    """What the next deliveries are answered with; 200 when there are none."""

    @property
    def account(self) -> Account:
        return self.alone.stripe.accounts[DEFAULT_KEY]

    def plant(self, fault: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("stripe", fault, times, detail))

    async def start(self, ask: Ask | None = None) -> Reply:
        return await self.gateway.start(ask or stripe_ask(expires_at=None))

    async def fetch(self, ref: str | None, **changed: Any) -> Reply:
        return await self.gateway.fetch(stripe_attempt(ref, **{"created_at": self.now(), **changed}), KEYS)

    def pay(self, ref: str) -> str:
        return self.alone.stripe.pay(ref)

    def decline(self, ref: str) -> str:
        return self.alone.stripe.pay(ref, DECLINING)

    async def refund(self, receipt: str, amount_minor: int = 2500_00, **changed: Any) -> Reply:
        return await self.gateway.refund(stripe_refund(amount_minor, **changed), receipt, KEYS, "")

    async def delivered(self, kind: str, times: int = 1) -> Delivered:
        """The webhook of this type that came (the last of so many), waiting for it up to three seconds."""
        for _ in range(60):
            found = [one for one in self.mailbox if one.type == kind]
            if len(found) >= times:
                return found[times - 1]
            await self.alone.core.journal.wait(0.05)
        raise AssertionError(f"no {kind} among {[one.type for one in self.mailbox]}")

    def authentic(self, event: Delivered, **changed: Any) -> bool:
        return self.gateway.authentic(KIND, event.raw, event.headers, "127.0.0.1", {**KEYS, **changed})

    def now(self) -> datetime:
        return self.alone.core.clock.now()


@asynccontextmanager
async def stripe_ground(**settings: Any) -> AsyncIterator[Ground]:
    """`async with stripe_ground() as ground:`; the town runs on its own clock, which the adapter reads too."""
    async with Standalone(seed=7, delay_s=0.0) as alone:
        http = Http(connect_timeout_s=2.0, read_timeout_s=1.0, deadline_s=5.0)
        ground = Ground(alone, Stripe(http, alone.base_url, alone.core.clock, **settings))

        async def receive(request: web.Request) -> web.Response:
            ground.mailbox.append(Delivered(await request.read(), {name.lower(): value for name, value in request.headers.items()}))
            return web.Response(status=ground.answers.pop(0) if ground.answers else 200)

        application = web.Application()
        application.router.add_post("/events", receive)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        alone.stripe.add_account(DEFAULT_KEY, f"http://127.0.0.1:{runner.addresses[0][1]}/events", DEFAULT_SECRET)
        try:
            yield ground
        finally:
            await http.aclose()
            await runner.cleanup()


async def started(ground: Ground, **changed: Any) -> str:
    reply = await ground.start(stripe_ask(**changed))
    assert reply.outcome is Outcome.PENDING and reply.ref is not None and reply.url is not None
    return reply.ref


async def paid(ground: Ground, **changed: Any) -> tuple[str, str]:
    """A paid session and its receipt."""
    ref = await started(ground, **changed)
    assert ground.pay(ref) == "paid"
    return ref, str(ground.account.sessions[ref]["payment_intent"])
