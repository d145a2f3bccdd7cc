"""Sends events as Stripe signs them, again and again until they are taken, and wrongly when a fault says so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json

import aiohttp

from town.alarms import Alarms
from town.core import Core
from town.mishaps import seconds_of
from town.stripe.books import Account, Endpoint
from town.stripe.shapes import Json

PROVIDER = "stripe"
REPLY_WITHIN_S = 10.0
AGAIN_S = (10.0, 60.0, 300.0, 3600.0, 3 * 3600.0, 12 * 3600.0, 24 * 3600.0, 32 * 3600.0)
"""Town time between tries: about three days."""
LATE_S, STALE_S = 3600.0, 900


class Courier:
    """Owns the HTTP session to the product."""

    def __init__(self, core: Core, alarms: Alarms, delay_s: float) -> None:
        self._core = core
        self._alarms = alarms
        self._delay_s = delay_s
        self._session: aiohttp.ClientSession | None = None
        self._held: list[tuple[Account, Json]] = []

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REPLY_WITHIN_S))

    async def stop(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def signed(self, endpoint: Endpoint, raw: bytes, at: int | None = None, secret: str = "") -> dict[str, str]:
        """The headers of a delivery: one v1 for each secret in force, and a v0 of test mode that means nothing."""
        stamp = int(self._core.clock.now().timestamp()) if at is None else at
        secrets = [secret] if secret else [endpoint.secret, *([endpoint.before] if endpoint.before else [])]
        proofs = [f"v1={signature(one, stamp, raw)}" for one in secrets]
        return {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": ",".join([f"t={stamp}", *proofs, f"v0={signature('v0', stamp, raw)}"]),
            "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        }

    def tell(self, account: Account, event: Json) -> None:
        """Send an event to every endpoint that wants it, soon."""
        endpoints = [one for one in account.endpoints if one.wants(event["type"])]
        event["pending_webhooks"] = len(endpoints)
        self._core.journal.add("stripe.event", id=event["id"], type=event["type"])
        if not endpoints or self._take("webhook_never"):
            return
        if self._take("webhook_shuffled"):
            self._held.append((account, event))
            return
        delay_s = self._delay_s
        late = self._core.faults.take(PROVIDER, "webhook_late")
        if late is not None:
            delay_s = seconds_of(late, LATE_S)
        held, self._held = self._held, []
        times = 2 if self._take("webhook_twice") else 1
        for endpoint in endpoints:
            for _ in range(times):
                self._later(delay_s, account, endpoint, event, 0)
        for other, before in held:
            for endpoint in other.endpoints:
                if endpoint.wants(before["type"]):
                    self._later(delay_s + 0.1, other, endpoint, before, 0)

    def _take(self, name: str) -> bool:
        return self._core.faults.take(PROVIDER, name) is not None

    def _later(self, delay_s: float, account: Account, endpoint: Endpoint, event: Json, tried: int) -> None:
        async def deliver() -> None:
            taken = await self.deliver(account, endpoint, event)
            if not taken and tried < len(AGAIN_S):
                self._later(AGAIN_S[tried], account, endpoint, event, tried + 1)

        self._alarms.after(delay_s, deliver)

    async def deliver(self, account: Account, endpoint: Endpoint, event: Json) -> bool:
        """One delivery, signed now; True when it was answered with 2xx."""
        raw = json.dumps(event, indent=2).encode()
        if self._take("webhook_forged"):
            headers = self.signed(endpoint, raw, secret="whsec_of_a_stranger")
        elif self._take("webhook_stale"):
            headers = self.signed(endpoint, raw, at=int(self._core.clock.now().timestamp()) - STALE_S)
        else:
            headers = self.signed(endpoint, raw)
        status = await self.post(endpoint.url, raw, headers)
        self._core.journal.add("stripe.webhook", event=event["id"], type=event["type"], url=endpoint.url, status=status)
        return status is not None and 200 <= status < 300

    async def post(self, url: str, raw: bytes, headers: dict[str, str]) -> int | None:
        """The status, None when nobody answered."""
        if self._session is None:
            raise RuntimeError("Stripe is not started")
        try:
            async with self._session.post(url, data=raw, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status
        except (aiohttp.ClientError, TimeoutError, OSError, asyncio.IncompleteReadError):
            return None


def signature(secret: str, stamp: int, raw: bytes) -> str:
    """HMAC-SHA256 over `time.body` with the whole secret as it is written."""
    return hmac.new(secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
