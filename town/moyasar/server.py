"""Moyasar as one thing: its API below `base_path`, its hosted pages beside it, the town's controls below `/town/api/moyasar`.

Follows docs.moyasar.com: invoices, payments, refund, void, webhooks.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import json
from collections.abc import Awaitable, Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core, Fault
from town.delivery import Delivery
from town.mishaps import HangUp, cut, seconds_of
from town.moyasar import rules
from town.moyasar.books import TAKEN, Account, Books, Json, Refusal, account_shown, find, invalid, own, owned, shown
from town.moyasar.hooks import PROVIDER, WAITS_S, Hooks
from town.moyasar.pages import Pages

DEFAULT_ACCOUNT = Account("sk_test_town0000000000000000000000000000")
Desk = Callable[[web.Request, Account, Json], Awaitable[Json]]


class Moyasar:
    """The provider. Between `start` and `stop` it tells merchants; requests are answered whenever the routes are served."""

    def __init__(self, core: Core, base_path: str = "/town/moyasar", *, callback_delay_s: float = 0.05, page_size: int = 40) -> None:
        self._core = core
        self._base = base_path.rstrip("/")
        self._page_size = page_size
        self.accounts = {DEFAULT_ACCOUNT.secret_key: DEFAULT_ACCOUNT}
        self.books = Books(core.clock, core.chance)
        self._alarms = Alarms(core.clock, PROVIDER)
        self._delivery = Delivery(core, self._alarms, "moyasar.callback", WAITS_S)
        self.hooks = Hooks(core, self.books, self._delivery, callback_delay_s)
        self._pages = Pages(self.books, self.hooks, self.accounts, f"{self._base}/checkout")

    async def start(self) -> None:
        await self._delivery.start()
        await self._alarms.start()

    async def stop(self) -> None:
        await self._alarms.stop()
        await self._delivery.stop()

    def save(self, keep: Path) -> None:
        self.books.save(keep)

    def load(self, keep: Path) -> bool:
        """Take up what a file keeps, before the first request."""
        return self.books.load(keep)

    def add_account(self, account: Account) -> Account:
        self.accounts[account.secret_key] = account
        return account

    def listen(self, account: Account, url: str, shared_secret: str) -> Json:
        """Register a webhook for every event instead of those it has, as a merchant does in the dashboard."""
        for hook in owned(self.books.webhooks, account):
            del self.books.webhooks[hook["id"]]
        return self._hook(account, {"url": url, "http_method": "post", "shared_secret": shared_secret})

    def state(self) -> Json:
        return {
            "accounts": [account_shown(account) for account in self.accounts.values()],
            "invoices": [self.books.shown_invoice(invoice) for invoice in self.books.invoices.values()],
            "books": self.books.movements,
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        at, gate = self._base, self._gate
        return [
            *self._pages.routes(),
            web.post(f"{at}/invoices", gate(self._new_invoice, 201)),
            web.get(f"{at}/invoices", gate(self._invoices)),
            web.get(f"{at}/invoices/{{id}}", gate(self._one_invoice)),
            web.put(f"{at}/invoices/{{id}}/cancel", gate(self._cancel)),
            web.get(f"{at}/payments", gate(self._payments)),
            web.get(f"{at}/payments/{{id}}", gate(self._one_payment)),
            web.post(f"{at}/payments/{{id}}/refund", gate(self._refund, 201)),
            web.post(f"{at}/payments/{{id}}/void", gate(self._void, 201)),
            web.post(f"{at}/webhooks", gate(self._new_hook, 201)),
            web.get(f"{at}/webhooks", gate(self._hooks)),
            web.get(f"{at}/webhooks/available_events", gate(self._events)),
            web.get(f"{at}/webhooks/{{id}}/attempts", gate(self._attempts)),
            web.delete(f"{at}/webhooks/{{id}}", gate(self._forget_hook)),
            web.route("*", f"{at}/{{tail:.*}}", self._nowhere),
            web.get("/town/api/moyasar", self._get_state),
            web.get("/town/api/moyasar/books", self._get_books),
            web.post("/town/api/moyasar/settle", self._settle),
        ]

    def _gate(self, desk: Desk, status: int = 200) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A desk behind the key and the body; faults of the whole API happen here, before or after the desk did its work."""

        async def handler(request: web.Request) -> web.StreamResponse:
            if fault := self._fault("429", "500", "html", "timeout_before", "slow"):
                if fault.fault == "slow":
                    await asyncio.sleep(seconds_of(fault, 3.0))
                else:
                    return await _mishap(request, fault)
            try:
                account = self._admit(request.headers.get("Authorization", ""))
                reply = await desk(request, account, await _body(request))
            except Refusal as refusal:
                return web.json_response(refusal.body, status=refusal.status)
            except HangUp as hang_up:
                return await cut(request, hang_up.wait_s)
            if fault := self._fault("timeout_after"):
                return await cut(request, seconds_of(fault, 0.0))
            return web.json_response(reply, status=status)

        return handler

    def _admit(self, authorization: str) -> Account:
        """Basic, the secret key as user name, no password."""
        wrong = Refusal(401, "authentication_error", "Invalid authorization credentials")
        scheme, _, encoded = authorization.partition(" ")
        try:
            key, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            raise wrong from None
        found = [account for account in self.accounts.values() if hmac.compare_digest(account.secret_key.encode(), key.encode())]
        if scheme.lower() != "basic" or not found or password:
            raise wrong
        return found[0]

    def _fault(self, *names: str) -> Fault | None:
        return self._core.faults.take(PROVIDER, *names)

    async def _new_invoice(self, request: web.Request, account: Account, body: Json) -> Json:
        asked = rules.invoice(body, account)
        if self._fault("other_amount"):
            asked = {**asked, "amount": asked["amount"] + 1}
        invoice = self.books.add_invoice(account, asked, f"{request.url.origin()}{self._base}/checkout/invoices")
        return self.books.shown_invoice(invoice)

    async def _invoices(self, request: web.Request, account: Account, body: Json) -> Json:
        page = rules.page_number(request.query)
        found = [self.books.shown_invoice(invoice) for invoice in owned(self.books.invoices, account)]
        return rules.paged("invoices", found, page, self._page_size)

    async def _one_invoice(self, request: web.Request, account: Account, body: Json) -> Json:
        return self.books.shown_invoice(find(self.books.invoices, request.match_info["id"], account, "Invoice"))

    async def _cancel(self, request: web.Request, account: Account, body: Json) -> Json:
        invoice = find(self.books.invoices, request.match_info["id"], account, "Invoice")
        if self.books.fresh(invoice)["status"] != "initiated":
            raise Refusal(400, "invalid_request_error", "Invoice cannot be canceled")
        invoice["status"], invoice["updated_at"] = "canceled", self.books.stamp()
        return self.books.shown_invoice(invoice)

    async def _payments(self, request: web.Request, account: Account, body: Json) -> Json:
        page = rules.page_number(request.query)
        found = rules.chosen(request.query, [shown(payment) for payment in owned(self.books.payments, account)])
        return rules.paged("payments", found, page, self._page_size)

    async def _one_payment(self, request: web.Request, account: Account, body: Json) -> Json:
        return shown(find(self.books.payments, request.match_info["id"], account, "Payment"))

    async def _refund(self, request: web.Request, account: Account, body: Json) -> Json:
        """A part, or all that is left. Asked twice it refunds twice, while there is money."""
        rules.known(body, {"amount"})
        payment = find(self.books.payments, request.match_info["id"], account, "Payment")
        left = payment["amount"] - payment["refunded"]
        if payment["status"] not in (*TAKEN, "refunded") or left == 0:
            raise Refusal(400, "invalid_request_error", f"Payment cannot be refunded, status is {payment['status']}")
        wanted = rules.amount(body) if "amount" in body else left
        if wanted > left:
            raise invalid(amount="must be less than or equal to the remaining amount")
        self.books.give_back(payment, wanted)
        self.hooks.tell(account, "payment_refunded", payment)
        if self._fault("refund_unanswered"):
            raise HangUp
        return shown(payment)

    async def _void(self, request: web.Request, account: Account, body: Json) -> Json:
        """Only while the money has not been paid out to the merchant."""
        payment = find(self.books.payments, request.match_info["id"], account, "Payment")
        settled = self.books.settled_at is not None and datetime.fromisoformat(payment["created_at"]) <= self.books.settled_at
        if payment["status"] not in (*TAKEN, "authorized") or settled:
            raise Refusal(400, "invalid_request_error", "Payment cannot be voided, please refund it")
        self.books.give_back(payment, payment["amount"], "void")
        self.hooks.tell(account, "payment_voided", payment)
        return shown(payment)

    def _hook(self, account: Account, body: Json) -> Json:
        hook = own({"id": self.books.new_id(), **rules.webhook(body), "created_at": self.books.stamp()}, account)
        self.books.webhooks[hook["id"]] = hook
        return hook

    async def _new_hook(self, request: web.Request, account: Account, body: Json) -> Json:
        return shown(self._hook(account, body))

    async def _hooks(self, request: web.Request, account: Account, body: Json) -> Json:
        return {"webhooks": [shown(hook) for hook in owned(self.books.webhooks, account)]}

    async def _events(self, request: web.Request, account: Account, body: Json) -> Json:
        return {"events": list(rules.EVENTS)}

    async def _attempts(self, request: web.Request, account: Account, body: Json) -> Json:
        hook = find(self.books.webhooks, request.match_info["id"], account, "Webhook")
        return {"webhook_attempts": self.hooks.attempts.get(hook["id"], [])}

    async def _forget_hook(self, request: web.Request, account: Account, body: Json) -> Json:
        hook = find(self.books.webhooks, request.match_info["id"], account, "Webhook")
        return shown(self.books.webhooks.pop(hook["id"]))

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        return web.json_response(Refusal(404, "invalid_request_error", "Not found").body, status=404)

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_books(self, request: web.Request) -> web.Response:
        return web.json_response(self.books.movements)

    async def _settle(self, request: web.Request) -> web.Response:
        """All that was taken until now is paid out to the merchants."""
        self.books.settled_at = self._core.clock.now()
        return web.json_response({"settled_at": self.books.settled_at.isoformat()})


async def _mishap(request: web.Request, fault: Fault) -> web.StreamResponse:
    match fault.fault:
        case "429":
            wait = {"Retry-After": str(fault.detail["seconds"])} if "seconds" in fault.detail else {}
            return web.json_response(Refusal(429, "rate_limit_error", "Too many requests").body, status=429, headers=wait)
        case "500":
            return web.json_response(Refusal(500, "api_error", "Something went wrong").body, status=500)
        case "html":
            return web.Response(text="<html><body>Bad gateway</body></html>", content_type="text/html")
        case _:
            return await cut(request, seconds_of(fault, 0.0))


async def _body(request: web.Request) -> Json:
    raw = await request.read()
    if not raw:
        return {}
    try:
        body: Any = json.loads(raw)
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Refusal(400, "invalid_request_error", "The body is not a JSON object")
    return body
