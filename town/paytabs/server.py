"""PayTabs as one thing: its API and hosted page below `base_path`, the town's controls below `/town/api/paytabs`.

Follows docs.paytabs.com (PT2): /payment/request, /payment/query, callback, IPN, browser return.
"""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core, Fault
from town.delivery import Delivery
from town.mishaps import HangUp, cut, seconds_of
from town.paytabs import rules
from town.paytabs.books import DUPLICATE_WITHIN_S, Books, Json, Profile, Refusal, shown
from town.paytabs.hooks import PROVIDER, WAITS_S, Hooks
from town.paytabs.pages import Pages

DEFAULT_PROFILE = Profile(12345, "STOWN00000-TOWNTOWN00-TOWNTOWN00")
Desk = Callable[[web.Request, Profile, Json], Awaitable[Any]]
LETTERS = {
    "A": "Authorised",
    "H": "Hold for review",
    "P": "Pending",
    "V": "Voided",
    "E": "Error",
    "D": "Declined",
    "X": "Expired",
    "C": "Cancelled",
}


class PayTabs:
    """The provider. Between `start` and `stop` it tells merchants; requests are answered whenever the routes are served."""

    def __init__(self, core: Core, base_path: str = "/town/paytabs", *, callback_delay_s: float = 0.05) -> None:
        self._core = core
        self._base = base_path.rstrip("/")
        self.profiles = {DEFAULT_PROFILE.profile_id: DEFAULT_PROFILE}
        self.books = Books(core.clock, core.chance)
        self._alarms = Alarms(core.clock, PROVIDER)
        self._delivery = Delivery(core, self._alarms, "paytabs.callback", WAITS_S)
        self.hooks = Hooks(core, self.books, self._delivery, callback_delay_s)
        self._pages = Pages(core.clock, self.books, self.hooks, self.profiles, f"{self._base}/payment/page")

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

    def add_profile(self, profile: Profile) -> Profile:
        """Add one, or put another in its place (with another key, or an IPN address)."""
        self.profiles[profile.profile_id] = profile
        return profile

    def state(self) -> Json:
        profiles = [{"profile_id": one.profile_id, "name": one.name, "ipn_url": one.ipn_url} for one in self.profiles.values()]
        transactions = [shown(tran) for tran in self.books.transactions.values()]
        return {"profiles": profiles, "transactions": transactions, "books": self.books.movements}

    def decide(self, tran_ref: str, letter: str) -> Json:
        """The bank, or the people who look at fraud, end what was held or pending; raises KeyError for what is not there."""
        tran = self.books.transactions[tran_ref]
        self.books.end(tran, letter, "G08490" if letter == "A" else "0", LETTERS[letter])
        self.hooks.tell(self.profiles[tran["profile_id"]], tran)
        return shown(tran)

    def routes(self) -> list[web.AbstractRouteDef]:
        return [
            *self._pages.routes(),
            web.post(f"{self._base}/payment/request", self._gate(self._request)),
            web.post(f"{self._base}/payment/query", self._gate(self._query)),
            web.get("/town/api/paytabs", self._get_state),
            web.get("/town/api/paytabs/books", self._get_books),
            web.post("/town/api/paytabs/decide", self._post_decide),
        ]

    def _gate(self, desk: Desk) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """A desk behind the key, the profile and the body; faults of the whole API happen before or after it did its work."""

        async def handler(request: web.Request) -> web.StreamResponse:
            if fault := self._fault("429", "500", "html", "timeout_before", "slow"):
                if fault.fault == "slow":
                    await asyncio.sleep(seconds_of(fault, 3.0))
                else:
                    return await self._mishap(request, fault)
            try:
                body = rules.read_body(await request.read())
                reply = await desk(request, self._admit(request.headers.get("Authorization", ""), body), body)
            except Refusal as refusal:
                return self._refused(refusal)
            except HangUp as hang_up:
                return await cut(request, hang_up.wait_s)
            if fault := self._fault("timeout_after"):
                return await cut(request, seconds_of(fault, 0.0))
            return web.json_response(reply)

        return handler

    def _refused(self, refusal: Refusal) -> web.Response:
        told = {"code": refusal.code, "message": refusal.message, "trace": self.books.name("PMNT0402.")}
        return web.json_response(told, status=refusal.status)

    async def _mishap(self, request: web.Request, fault: Fault) -> web.StreamResponse:
        match fault.fault:
            case "429":
                wait = {"Retry-After": str(fault.detail["seconds"])} if "seconds" in fault.detail else {}
                return web.json_response({"message": "Too many requests"}, status=429, headers=wait)
            case "500":
                return self._refused(Refusal(500, 400, "Internal error"))
            case "html":
                return web.Response(text="<html><body>Bad gateway</body></html>", content_type="text/html")
            case _:
                return await cut(request, seconds_of(fault, 0.0))

    def _admit(self, key: str, body: Json) -> Profile:
        """The raw server key of the profile that the body names; anything else, `Bearer` too, is code 1."""
        profile_id = body.get("profile_id")
        profile = self.profiles.get(profile_id) if type(profile_id) is int else None
        if profile is None or not hmac.compare_digest(profile.server_key.encode(), key.encode()):
            raise Refusal(401, 1, "Authentication failed. Check authentication header.")
        return profile

    def _fault(self, *names: str) -> Fault | None:
        return self._core.faults.take(PROVIDER, *names)

    async def _request(self, request: web.Request, profile: Profile, body: Json) -> Json:
        rules.payment(body, profile)
        self._refuse_duplicate(profile, body)
        if body["tran_type"] in ("refund", "void"):
            return self._back(profile, body)
        tran = self.books.add(profile, body, body["tran_type"])
        if self._fault("other_amount"):
            tran["cart_amount"] = f"{Decimal(tran['cart_amount']) + 1}"
        names = ("tran_ref", "tran_type", "cart_id", "cart_description", "cart_currency", "cart_amount", "tran_total")
        return {
            **{name: tran[name] for name in names}, "callback": tran["_callback"], "return": tran["_return"],
            "redirect_url": f"{request.url.origin()}{self._base}/payment/page/{tran['_page']}", "serviceId": 2,
            "profileId": profile.profile_id, "merchantId": profile.merchant_id, "trace": self.books.name("PMNT0402."),
        }  # fmt: skip

    def _refuse_duplicate(self, profile: Profile, body: Json) -> None:
        """The same cart and amount within two minutes."""
        now, amount = self._core.clock.now(), Decimal(str(body["cart_amount"]))
        for tran in self.books.of_cart(profile, body["cart_id"]):
            age_s = (now - datetime.fromisoformat(tran["_at"])).total_seconds()
            if age_s < DUPLICATE_WITHIN_S and Decimal(tran["cart_amount"]) == amount:
                raise Refusal(409, 4, "Duplicate Request")

    def _back(self, profile: Profile, body: Json) -> Json:
        """A refund of what is left of a sale, or a void of all of it; each is a transaction of its own."""
        sale = self.books.transactions.get(body["tran_ref"])
        if sale is None or sale["profile_id"] != profile.profile_id or sale.get("payment_result", {}).get("response_status") != "A":
            raise rules.invalid("tran_ref")
        if body["cart_currency"] != sale["cart_currency"]:
            raise Refusal(400, 206, "Currency not available")
        left = Decimal(sale["cart_amount"]) - self.books.gone_back(sale["tran_ref"])
        if Decimal(str(body["cart_amount"])) > left:
            raise rules.invalid("cart_amount")
        tran = self.books.add(profile, body, body["tran_type"], sale["tran_ref"])
        if self._fault("refund_pending"):
            self.books.end(tran, "P", "600", "Pending")
        elif self._fault("refund_declined"):
            self.books.end(tran, "D", "300", "Declined")
        else:
            self.books.end(tran, "A", "G12345", "Authorised")
        self.hooks.tell(profile, tran)
        if self._fault("refund_unanswered"):
            raise HangUp
        return shown(tran)

    async def _query(self, request: web.Request, profile: Profile, body: Json) -> Any:
        """By `tran_ref`: one. By `cart_id`: all of that cart. Both together are refused."""
        if len([name for name in ("tran_ref", "cart_id") if name in body]) != 1 or set(body) - {"profile_id", "tran_ref", "cart_id"}:
            raise rules.invalid("request")
        if "cart_id" in body:
            found = self.books.of_cart(profile, rules.text(body, "cart_id", 64))
        else:
            tran = self.books.transactions.get(rules.text(body, "tran_ref", 64))
            found = [tran] if tran is not None and tran["profile_id"] == profile.profile_id else []
            if not found:
                raise rules.invalid("tran_ref")
        for one in found:
            self._pages.expire(one)
        return [shown(one) for one in found] if "cart_id" in body else shown(found[0])

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_books(self, request: web.Request) -> web.Response:
        return web.json_response(self.books.movements)

    async def _post_decide(self, request: web.Request) -> web.Response:
        """{"tran_ref", "letter"}: end what is held or pending, or void what was paid."""
        try:
            body = rules.read_body(await request.read())
            letter, tran_ref = str(body.get("letter")), str(body.get("tran_ref"))
            if letter not in LETTERS or tran_ref not in self.books.transactions:
                raise rules.invalid("tran_ref or letter")
        except Refusal as refusal:
            return web.json_response({"error": refusal.message}, status=400)
        return web.json_response(self.decide(tran_ref, letter))
