"""Stripe as one thing: its API and pages below `base_path`, the town's controls for it below `/town/api/stripe`, its books, its clean end.

Follows docs.stripe.com/api: Checkout Sessions, PaymentIntents, Charges, Refunds, Disputes, Events, Balance Transactions, Webhook Endpoints.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core
from town.stripe import memory
from town.stripe.books import Account, Endpoint
from town.stripe.cards import card_of
from town.stripe.courier import PROVIDER, Courier
from town.stripe.desk import Desks
from town.stripe.forms import Refusal
from town.stripe.gate import Gate
from town.stripe.page import Page
from town.stripe.shapes import Json

DEFAULT_KEY = "sk_test_town0000000000000000"
DEFAULT_SECRET = "whsec_town0000000000000000000000"
_WORDS = {True: ("true", "won", "yes"), False: ("false", "lost", "no")}


class Stripe:
    """The provider. Between `start` and `stop` it delivers events; requests are answered whenever the routes are served."""

    def __init__(self, core: Core, base_path: str = "/town/stripe", *, delay_s: float = 0.05) -> None:
        self._core = core
        self._base = base_path.rstrip("/")
        self._alarms = Alarms(core.clock, PROVIDER)
        self.courier = Courier(core, self._alarms, delay_s)
        self.accounts: dict[str, Account] = {}
        self._gate = Gate(core, self.accounts, self._base)
        self._desks = Desks(core, self._alarms)
        self._page = Page(self.accounts, self._base)
        self.add_account(DEFAULT_KEY)

    async def start(self) -> None:
        await self.courier.start()
        await self._alarms.start()

    async def stop(self) -> None:
        await self._alarms.stop()
        await self.courier.stop()

    def save(self, keep: Path) -> None:
        """Keep the accounts, and the answers to idempotency keys, in a file."""
        memory.save(self.accounts, self._gate, keep)

    def load(self, keep: Path) -> bool:
        """Take up what a file keeps, before the first request."""
        found = memory.load(self.accounts, self._gate, keep)
        for account in self.accounts.values():
            for session in account.sessions.values():
                if session["status"] == "open":
                    self._desks.end_in_time(account, session)
        return found

    def add_account(self, key: str, webhook_url: str = "", webhook_secret: str = DEFAULT_SECRET) -> Account:
        """Add an account, or give one that is there its webhook endpoint instead of those it has."""
        if not key.startswith(("sk_test_", "sk_live_", "rk_test_", "rk_live_")):
            raise Refusal(400, "A key begins with sk_test_ or sk_live_.")
        account = self.accounts.setdefault(key, Account(self._core, key, self._tell))
        if webhook_url:
            account.endpoints[:] = [Endpoint(account.name("we"), webhook_url, webhook_secret)]
        return account

    def _tell(self, account: Account, event: Json) -> None:
        self.courier.tell(account, event)

    def books(self) -> list[Json]:
        """Every movement of money of all accounts, oldest first."""
        return [line for account in self.accounts.values() for line in account.transactions.values()]

    def state(self) -> Json:
        return {
            "accounts": [
                {
                    "key": account.key,
                    "endpoints": [one.url for one in account.endpoints],
                    "balance": account.balance(),
                    "sessions": list(account.sessions.values()),
                    "charges": list(account.charges.values()),
                    "refunds": list(account.refunds.values()),
                    "disputes": list(account.disputes.values()),
                }
                for account in self.accounts.values()
            ]
        }

    # --- what the town's people do, by API or from a test -------------------------------------------------------------

    def pay(self, session_id: str, card: str = "4242424242424242", wallet: str | None = None) -> str:
        """`paid`, `declined`, `asked` or `delayed`. Raises Refusal."""
        return self._page.of(session_id).pay(session_id, card_of(card), wallet)

    def answer(self, session_id: str, *, yes: bool) -> str:
        """The holder answers the bank's question."""
        return self._page.of(session_id).answer(session_id, yes=yes)

    def clear_delayed(self, session_id: str, *, paid: bool) -> None:
        self._page.of(session_id).clear_delayed(session_id, paid=paid)

    def settle_refund(self, refund_id: str, status: str, reason: str = "unknown") -> Json:
        return self._of("refunds", refund_id).settle_refund(refund_id, status, reason)

    def open_dispute(self, charge_or_intent: str, **how: Any) -> Json:
        """By the charge's id or its payment's."""
        for account in self.accounts.values():
            intent = account.intents.get(charge_or_intent)
            charge_id = str(intent["latest_charge"]) if intent else charge_or_intent
            if charge_id in account.charges:
                return account.open_dispute(charge_id, **how)
        raise Refusal(404, f"No such charge: '{charge_or_intent}'", code="resource_missing")

    def close_dispute(self, dispute_id: str, *, won: bool) -> Json:
        return self._of("disputes", dispute_id).close_dispute(dispute_id, won=won)

    async def send_again(self, event_id: str) -> bool:
        """Deliver an event once more to every endpoint."""
        account = self._of("events", event_id)
        taken = [await self.courier.deliver(account, one, account.events[event_id]) for one in account.endpoints]
        return all(taken)

    def _of(self, what: str, name: str) -> Account:
        for account in self.accounts.values():
            if name in getattr(account, what):
                return account
        raise Refusal(404, f"Nothing among the {what} is called '{name}'.", code="resource_missing")

    # --- HTTP --------------------------------------------------------------------------------------------------------

    def routes(self) -> list[web.AbstractRouteDef]:
        api = "/town/api/stripe"
        by_method = {"GET": (web.get, self._gate.get), "POST": (web.post, self._gate.post)}
        rows: list[web.AbstractRouteDef] = []
        for method, path, desk, schema in self._desks.rows():
            route, gate = by_method[method]
            rows.append(route(f"{self._base}{path}", gate(desk, schema)))
        return [
            *rows,
            web.route("*", f"{self._base}/v1/{{tail:.*}}", _nothing_there),
            *self._page.routes(),
            web.get(api, self._get_state),
            web.get(f"{api}/books", self._get_books),
            web.post(f"{api}/account", _control(self._post_account)),
            web.post(f"{api}/pay", _control(self._post_pay)),
            web.post(f"{api}/answer", _control(self._post_answer)),
            web.post(f"{api}/delayed", _control(self._post_delayed)),
            web.post(f"{api}/refund", _control(self._post_refund)),
            web.post(f"{api}/dispute", _control(self._post_dispute)),
            web.post(f"{api}/dispute/close", _control(self._post_close)),
            web.post(f"{api}/send", _control(self._post_send)),
        ]

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_books(self, request: web.Request) -> web.Response:
        return web.json_response(self.books())

    async def _post_account(self, body: Mapping[str, str]) -> Any:
        account = self.add_account(body["key"], body.get("webhook_url", ""), body.get("webhook_secret", DEFAULT_SECRET))
        return {"key": account.key, "endpoints": [one.url for one in account.endpoints]}

    async def _post_pay(self, body: Mapping[str, str]) -> Any:
        return {"outcome": self.pay(body["session"], body.get("card", "4242424242424242"), body.get("wallet") or None)}

    async def _post_answer(self, body: Mapping[str, str]) -> Any:
        return {"outcome": self.answer(body["session"], yes=_yes(body["yes"]))}

    async def _post_delayed(self, body: Mapping[str, str]) -> Any:
        self.clear_delayed(body["session"], paid=_yes(body["paid"]))
        return {}

    async def _post_refund(self, body: Mapping[str, str]) -> Any:
        return self.settle_refund(body["refund"], body["status"], body.get("reason", "unknown"))

    async def _post_dispute(self, body: Mapping[str, str]) -> Any:
        return self.open_dispute(body["charge"], reason=body.get("reason", "fraudulent"), inquiry=_yes(body.get("inquiry", "no")))

    async def _post_close(self, body: Mapping[str, str]) -> Any:
        return self.close_dispute(body["dispute"], won=_yes(body["won"]))

    async def _post_send(self, body: Mapping[str, str]) -> Any:
        return {"taken": await self.send_again(body["event"])}


def _yes(word: str) -> bool:
    for value, words in _WORDS.items():
        if word.lower() in words:
            return value
    raise Refusal(400, f"`{word}` is neither yes nor no.")


async def _nothing_there(request: web.Request) -> web.Response:
    message = f"Unrecognized request URL ({request.method}: {request.path}). Please see https://stripe.com/docs."
    return web.json_response({"error": {"message": message, "type": "invalid_request_error"}}, status=404)


def _control(act: Callable[[Mapping[str, str]], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A control of the town: JSON object of texts in, JSON out, {"error": sentence} with 400 when it cannot be."""

    async def handler(request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read() or b"{}")
            if not isinstance(body, dict):
                return web.json_response({"error": "The body is a JSON object."}, status=400)
            return web.json_response(await act({name: str(value) for name, value in body.items()}))
        except ValueError:
            return web.json_response({"error": "The body is not JSON."}, status=400)
        except KeyError as missing:
            return web.json_response({"error": f"{missing} is missing."}, status=400)
        except Refusal as refusal:
            return web.json_response({"error": str(refusal)}, status=refusal.status)

    return handler
