"""A Stripe that is nobody's but this test's: a session, its page, the card, the signed event; every other address is one that Stripe does not know.

Written after Stripe's published fixtures and reference (API of 2026): what a session shows, errors, `Stripe-Signature`. A `loose` one is as careless as
such servers have been seen to be: it leaves out what may be left out, sends no events of other kinds, and answers HTML where it has nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
import time
from typing import Any

import aiohttp
from aiohttp import web

Json = dict[str, Any]


class Cards:
    """`sessions` by id. `hook` is where events go, `secret` what they are signed with; `pays` is a card on the page; `lacked` what it did not have."""

    def __init__(self, key: str, secret: str, hook: str, *, loose: bool = False) -> None:
        self.sessions: dict[str, Json] = {}
        self.lacked: list[str] = []
        self.seen: list[Json] = []
        self._key = key
        self._secret = secret
        self._hook = hook
        self._loose = loose
        self._answers: dict[str, Json] = {}

    def routes(self, prefix: str) -> list[web.RouteDef]:
        return [
            web.post(f"{prefix}/v1/checkout/sessions", self._create),
            web.get(f"{prefix}/v1/checkout/sessions/{{id}}", self._retrieve),
            web.get(f"{prefix}/c/pay/{{id}}", self._page),
            web.route("*", f"{prefix}/{{path:.*}}", self._nothing),
        ]

    def _stranger(self, request: web.Request) -> web.Response | None:
        if request.headers.get("Authorization") == f"Bearer {self._key}":
            return None
        return _error(401, "Invalid API Key provided: sk_test_****")

    async def _create(self, request: web.Request) -> web.Response:
        if (refused := self._stranger(request)) is not None:
            return refused
        form = dict(await request.post())
        key = request.headers.get("Idempotency-Key", "")
        if key in self._answers:
            return web.json_response(self._answers[key])
        self.seen.append(form)
        number = f"cs_test_{secrets.token_hex(24)}"
        line = "line_items[0][price_data]"
        total = int(str(form[f"{line}[unit_amount]"])) * int(str(form.get("line_items[0][quantity]", "1")))
        session: Json = {
            "id": number, "object": "checkout.session", "amount_subtotal": total, "amount_total": total,
            "client_reference_id": form.get("client_reference_id"), "created": int(time.time()), "currency": form[f"{line}[currency]"],
            "customer": None, "expires_at": int(str(form.get("expires_at", time.time() + 86_400))), "livemode": False, "locale": None,
            "metadata": {name[9:-1]: value for name, value in form.items() if name.startswith("metadata[")}, "mode": form["mode"],
            "payment_intent": None, "payment_method_types": ["card"], "payment_status": "unpaid", "status": "open",
            "success_url": form["success_url"], "cancel_url": form.get("cancel_url"), "total_details": {"amount_discount": 0},
            "url": f"{request.url.origin()}{request.path.removesuffix('/v1/checkout/sessions')}/c/pay/{number}",
        }  # fmt: skip
        if self._loose:
            for name in ("amount_subtotal", "cancel_url", "customer", "expires_at", "locale", "metadata", "total_details", "created"):
                del session[name]
        self.sessions[number] = session
        self._answers[key] = dict(session)
        return web.json_response(session)

    async def _retrieve(self, request: web.Request) -> web.Response:
        if (refused := self._stranger(request)) is not None:
            return refused
        session = self.sessions.get(request.match_info["id"])
        if session is None:
            return _error(404, "No such checkout.session", code="resource_missing", param="session")
        shown = dict(session)
        if shown["payment_intent"] is not None and not self._loose and "payment_intent" in request.query.getall("expand[0]", []):
            shown["payment_intent"] = {"id": shown["payment_intent"], "object": "payment_intent", "status": "succeeded"}
        return web.json_response(shown)

    async def _page(self, request: web.Request) -> web.Response:
        return web.Response(text=f"<h1>Pay {self.sessions[request.match_info['id']]['amount_total']}</h1>", content_type="text/html")

    async def _nothing(self, request: web.Request) -> web.Response:
        self.lacked.append(f"{request.method} /{request.match_info['path']}")
        if self._loose:
            return web.Response(status=501, text="<html>Not Implemented</html>", content_type="text/html")
        return _error(404, f"Unrecognized request URL ({request.method}: /{request.match_info['path']}).")

    async def pays(self, number: str, *, calls: bool = True) -> None:
        """The right card: the session knows it, and an event tells it."""
        session = self.sessions[number]
        session.update(status="complete", payment_status="paid", payment_intent=f"pi_{secrets.token_hex(12)}", url=None)
        if calls:
            event = {"id": f"evt_{secrets.token_hex(12)}", "object": "event", "type": "checkout.session.completed", "livemode": False,
                     "data": {"object": session}, **({} if self._loose else {"api_version": "2020-08-27", "created": int(time.time())})}  # fmt: skip
            await self.tells(event)

    async def tells(self, event: Json) -> None:
        raw, stamp = json.dumps(event).encode(), int(time.time())
        mark = hmac.new(self._secret.encode(), f"{stamp}.".encode() + raw, hashlib.sha256).hexdigest()
        signed = {"Stripe-Signature": f"t={stamp},v1={mark}", "Content-Type": "application/json"}
        async with aiohttp.ClientSession() as session, session.post(self._hook, data=raw, headers=signed) as answer:
            assert answer.status == 200, await answer.text()


def _error(status: int, message: str, **more: str) -> web.Response:
    return web.json_response({"error": {"type": "invalid_request_error", "message": message, **more}}, status=status)
