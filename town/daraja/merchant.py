"""The simplest honest client of Daraja, with an address of its own for callbacks: for trying the imitation, and for its tests."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

import aiohttp
from aiohttp import web

from town.daraja.apps import App
from town.daraja.names import stamp


class Merchant:
    """Speaks for one app. What arrives at `callback_url` (any path) is in `calls`: (path, headers, body); answered with `answers`."""

    def __init__(self, base: str, app: App) -> None:
        self.base = base
        self.app = app
        self.token = ""
        self.callback_url = ""
        self.calls: list[tuple[str, Mapping[str, str], dict[str, Any]]] = []
        self.answer_status = 200
        self.answer: dict[str, Any] = {"ResultCode": "0", "ResultDesc": "Accepted"}
        self._arrived = asyncio.Condition()

    async def __aenter__(self) -> Merchant:
        self.http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))
        application = web.Application()
        application.router.add_post("/{tail:.*}", self._hear)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.callback_url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/callbacks"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None) -> None:
        await self.http.close()
        await self._runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        async with self._arrived:
            self.calls.append((request.path, dict(request.headers), json.loads(await request.read())))
            self._arrived.notify_all()
        return web.json_response(self.answer, status=self.answer_status)

    async def heard(self, count: int = 1, within_s: float = 5.0) -> list[dict[str, Any]]:
        """The bodies received, once there are at least `count`; raises TimeoutError."""
        async with asyncio.timeout(within_s), self._arrived:
            await self._arrived.wait_for(lambda: len(self.calls) >= count)
        return [body for _, _, body in self.calls]

    async def sign_in(self) -> str:
        """Get a token and keep it."""
        status, body = await self.fetch_token()
        if status != 200:
            raise RuntimeError(f"no token: {body}")
        self.token = body["access_token"]
        return self.token

    async def fetch_token(self, grant: str = "client_credentials", authorization: str | None = None) -> tuple[int, dict[str, Any]]:
        basic = "Basic " + base64.b64encode(f"{self.app.key}:{self.app.secret}".encode()).decode()
        headers = {"Authorization": basic if authorization is None else authorization}
        async with self.http.get(f"{self.base}/oauth/v1/generate", params={"grant_type": grant}, headers=headers) as response:
            return response.status, await response.json()

    async def post(self, path: str, body: Mapping[str, Any]) -> tuple[int, dict[str, Any]]:
        """POST an API call with the token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{self.base}{path}", json=body, headers=headers) as response:
            return response.status, await response.json()

    def signature(self) -> dict[str, Any]:
        timestamp = stamp(datetime.now(UTC))
        password = base64.b64encode(f"{self.app.short_code}{self.app.passkey}{timestamp}".encode()).decode()
        return {"BusinessShortCode": self.app.short_code, "Password": password, "Timestamp": timestamp}

    def stk_body(self, msisdn: str = "254712345678", amount: int = 2500, **changed: Any) -> dict[str, Any]:
        body = {
            **self.signature(),
            "TransactionType": self.app.transaction_type,
            "Amount": amount,
            "PartyA": msisdn,
            "PartyB": self.app.party_b,
            "PhoneNumber": msisdn,
            "CallBackURL": f"{self.callback_url}/stk",
            "AccountReference": "PL-7K2QD",
            "TransactionDesc": "Order",
        }
        return {**body, **changed}

    async def push(self, msisdn: str = "254712345678", amount: int = 2500, **changed: Any) -> tuple[int, dict[str, Any]]:
        return await self.post("/mpesa/stkpush/v1/processrequest", self.stk_body(msisdn, amount, **changed))

    async def query(self, checkout_request_id: str) -> tuple[int, dict[str, Any]]:
        return await self.post("/mpesa/stkpushquery/v1/query", {**self.signature(), "CheckoutRequestID": checkout_request_id})

    def order_body(self, **more: Any) -> dict[str, Any]:
        """The fields that reversal, status and balance share."""
        common = {
            "Initiator": self.app.initiator,
            "SecurityCredential": self.app.security_credential,
            "Remarks": "Refund",
            "ResultURL": f"{self.callback_url}/result",
            "QueueTimeOutURL": f"{self.callback_url}/timeout",
        }
        return {**common, **more}

    async def reverse(self, receipt: str, amount: int, **changed: Any) -> tuple[int, dict[str, Any]]:
        mine = {"CommandID": "TransactionReversal", "TransactionID": receipt, "Amount": amount, "ReceiverParty": self.app.short_code}
        return await self.post("/mpesa/reversal/v1/request", self.order_body(**mine, RecieverIdentifierType="11", **changed))

    async def pay_out(self, originator: str, msisdn: str, amount: int, **changed: Any) -> tuple[int, dict[str, Any]]:
        body = self.order_body(
            OriginatorConversationID=originator,
            InitiatorName=self.app.initiator,
            CommandID="BusinessPayment",
            Amount=amount,
            PartyA=self.app.short_code,
            PartyB=msisdn,
            Occassion="",
        )
        del body["Initiator"]
        return await self.post("/mpesa/b2c/v3/paymentrequest", {**body, **changed})
