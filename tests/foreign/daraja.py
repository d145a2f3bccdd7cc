"""A Daraja that is nobody's but this test's: a token, the push, the query and the callback; everything else is a wrong path."""

from __future__ import annotations

import base64
import secrets
from typing import Any

import aiohttp
from aiohttp import web

Json = dict[str, Any]


class Mpesa:
    """`pushes` by CheckoutRequestID; `pays` is the customer's PIN. A `loose` one writes numbers where texts belong, and leaves out what may be left out."""

    def __init__(self, key: str, secret: str, passkey: str, *, loose: bool = False) -> None:
        self.pushes: dict[str, Json] = {}
        self._basic = "Basic " + base64.b64encode(f"{key}:{secret}".encode()).decode()
        self._passkey = passkey
        self._loose = loose
        self._token = ""
        self._results: dict[str, int] = {}

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [
            web.get(f"{prefix}/oauth/v1/generate", self._generate),
            web.post(f"{prefix}/mpesa/stkpush/v1/processrequest", self._push),
            web.post(f"{prefix}/mpesa/stkpushquery/v1/query", self._query),
            web.route("*", f"{prefix}/{{path:.*}}", self._nothing),
        ]

    async def _generate(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != self._basic or request.query.get("grant_type") != "client_credentials":
            return _error("400.008.01", "Invalid Authentication passed")
        self._token = secrets.token_urlsafe(21)
        return web.json_response({"access_token": self._token} if self._loose else {"access_token": self._token, "expires_in": "3599"})

    async def _push(self, request: web.Request) -> web.Response:
        body, trouble = await self._read(request)
        if trouble is not None:
            return trouble
        if not 1 <= int(body["Amount"]) <= 250_000:
            return _error("400.002.02", "Bad Request - Invalid Amount")
        ref = f"ws_CO_{len(self.pushes) + 1:020}"
        self.pushes[ref] = body
        return self._says({"MerchantRequestID": "29115-34620561-1", "CheckoutRequestID": ref, "ResponseDescription": "Accepted"})

    async def _query(self, request: web.Request) -> web.Response:
        body, trouble = await self._read(request)
        if trouble is not None:
            return trouble
        ref = body["CheckoutRequestID"]
        if ref not in self._results:
            return _error("500.001.1001", "The transaction is being processed")
        result = self._results[ref]
        told: Json = {"ResultCode": result, "ResultDesc": "-"} if self._loose else {"CheckoutRequestID": ref, "ResultCode": str(result)}
        return self._says(told)

    async def _nothing(self, request: web.Request) -> web.Response:
        return _error("404.001.01", "Resource not found")

    async def _read(self, request: web.Request) -> tuple[Json, web.Response | None]:
        if request.headers.get("Authorization") != f"Bearer {self._token}":
            return {}, _error("404.001.03", "Invalid Access Token")
        body: Json = await request.json()
        password = base64.b64encode(f"{body['BusinessShortCode']}{self._passkey}{body['Timestamp']}".encode()).decode()
        return body, None if body["Password"] == password else _error("500.001.1001", "Wrong credentials")

    def _says(self, told: Json) -> web.Response:
        return web.json_response({"ResponseCode": 0 if self._loose else "0", **told})

    async def pays(self, ref: str, receipt: str, *, calls: bool = True) -> None:
        """The right PIN: the query knows it, and the callback tells it once."""
        push = self.pushes[ref]
        self._results[ref] = 0
        if not calls:
            return
        items: list[Json] = [{"Name": "Amount", "Value": int(push["Amount"])}, {"Name": "MpesaReceiptNumber", "Value": receipt}]
        if not self._loose:
            items += [{"Name": "Balance"}, {"Name": "PhoneNumber", "Value": int(push["PhoneNumber"])}]
        told = {"CheckoutRequestID": ref, "ResultCode": "0" if self._loose else 0, "CallbackMetadata": {"Item": items}}
        async with aiohttp.ClientSession() as session, session.post(push["CallBackURL"], json={"Body": {"stkCallback": told}}) as answer:
            assert answer.status == 200, await answer.text()


def _error(code: str, message: str) -> web.Response:
    return web.json_response({"requestId": "1c5b-4ba8", "errorCode": code, "errorMessage": message}, status=int(code[:3]))
