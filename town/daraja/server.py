"""Daraja as one thing: its API below `base_path`, the town's controls for it below `/town/api/daraja`, its books, its clean end.

Follows the portal's M-PESA Express, Customer To Business, Business To Customer, Reversals and Transaction Status pages.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import fields as fields_of
from pathlib import Path
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core
from town.daraja import fields, memory
from town.daraja.apps import TOKEN_LIFE_S, App, Portal, Refusal
from town.daraja.books import Books
from town.daraja.c2b import C2bDesk
from town.daraja.courier import Courier
from town.daraja.menu import Menu
from town.daraja.names import Names
from town.daraja.office import Gate, Office
from town.daraja.orders import OrderDesk
from town.daraja.outcomes import PAID, Paid, stk_callback
from town.daraja.pull import PullDesk
from town.daraja.stk import StkDesk
from town.mishaps import seconds_of
from town.phones import NoSuchThing, Phones, normal_msisdn

DEFAULT_APP = App("town-key", "town-secret", "174379", "town-passkey-00000000000000000000000000000000")
_ADDABLE = ("key", "secret", "short_code", "passkey", "kind", "till", "name", "initiator", "security_credential", "external_validation")


class Daraja:
    """The provider. Between `start` and `stop` it calls back; requests are answered whenever the routes are served."""

    def __init__(
        self,
        core: Core,
        phones: Phones,
        base_path: str = "/town/daraja",
        *,
        keep: int = 10_000,
        callback_delay_s: float = 0.05,
        prompt_life_s: float = 60.0,
        https_only: bool = False,
    ) -> None:
        self._base = base_path.rstrip("/")
        names = Names(core.chance)
        self._office = office = Office(
            core=core,
            phones=phones,
            portal=Portal(core.clock, core.chance),
            names=names,
            books=Books(phones, names, keep),
            alarms=Alarms(core.clock, "daraja"),
            courier=Courier(core),
            keep=keep,
            callback_delay_s=callback_delay_s,
            prompt_life_s=prompt_life_s,
            https_only=https_only,
        )
        self._c2b = C2bDesk(office)
        self._stk = StkDesk(office, self._c2b.confirm)
        self._orders = OrderDesk(office)
        self._pull = PullDesk(office)
        self._menu = Menu(office, self._c2b)
        self._gate = Gate(office)
        self.add_app(**{name: getattr(DEFAULT_APP, name) for name in _ADDABLE})

    async def start(self) -> None:
        await self._office.courier.start()
        await self._office.alarms.start()

    async def stop(self) -> None:
        await self._office.alarms.stop()
        await self._office.courier.stop()

    def save(self, keep: Path) -> None:
        """Keep books, pushes and phones in a file."""
        memory.save(self._office.books, self._stk, self._office.phones, keep)

    def load(self, keep: Path) -> bool:
        """Take up what a file keeps, before the first request."""
        return memory.load(self._office.books, self._stk, self._office.phones, self.apps, keep)

    @property
    def apps(self) -> dict[str, App]:
        """By consumer key."""
        return self._office.portal.apps

    def add_app(self, **about: Any) -> App:
        """Add (or replace) an app: key, secret, short_code, passkey; the other fields of App down to external_validation if wanted."""
        return self._office.portal.add(App(**about))

    def books(self) -> list[dict[str, Any]]:
        """Every movement of money that is still kept, oldest first."""
        return [entry.shown() for entry in self._office.books.all()]

    def checkouts(self) -> list[dict[str, Any]]:
        """Every STK push that is still kept, oldest first."""
        return [checkout.shown() for checkout in self._stk.checkouts.values()]

    def state(self) -> dict[str, Any]:
        return {"apps": [app.shown() for app in self.apps.values()], "books": self.books(), "checkouts": self.checkouts()}

    async def forge_callback(self, checkout_request_id: str, amount: int, receipt: str, url: str | None = None) -> int | None:
        """Post a success callback for a payment nobody made, as a stranger would; gives the HTTP status, None without answer.

        `url` replaces the checkout's own address. Raises NoSuchThing for an unknown checkout without `url`.
        """
        checkout = self._stk.checkouts.get(checkout_request_id)
        if checkout is None and url is None:
            raise NoSuchThing(f"There is no checkout {checkout_request_id}.")
        msisdn = checkout.msisdn if checkout else "254700000000"
        merchant = checkout.merchant_request_id if checkout else self._office.names.merchant_request_id()
        short_code = checkout.app.short_code if checkout else DEFAULT_APP.short_code
        paid = Paid(amount, receipt, self._office.core.clock.now(), msisdn)
        body = stk_callback(merchant, checkout_request_id, PAID, paid)
        target = url or (checkout.callback_url if checkout else "")
        noted = {"checkout_request_id": checkout_request_id, "outcome": 0, "forged": True}
        status, _ = await self._office.courier.post("daraja.callback", target, short_code, body, **noted)
        return status

    async def pay_by_hand(self, msisdn: str, short_code: str, account: str, amount: int) -> str | None:
        """A person pays a paybill or till from the M-PESA menu; gives the receipt, None when refused. Amount in whole KES."""
        app = next((app for app in self.apps.values() if short_code in (app.short_code, app.till)), None)
        if app is None:
            raise NoSuchThing(f"Nobody has the short code {short_code}.")
        if not 1 <= amount <= fields.LARGEST_KES or len(account) > 20:
            raise NoSuchThing("The amount is 1 to 250000 whole shillings and the account at most 20 characters.")
        entry, _ = await self._c2b.pay_by_hand(app, normal_msisdn(msisdn), amount, account)
        return entry.receipt if entry else None

    def routes(self) -> list[web.AbstractRouteDef]:
        base, post = self._base, self._gate.post
        return [
            web.route("*", f"{base}/oauth/v1/generate", self._token),
            web.route("*", f"{base}/mpesa/stkpush/v1/processrequest", post(self._stk.push)),
            web.route("*", f"{base}/mpesa/stkpushquery/v1/query", post(self._stk.query)),
            web.route("*", f"{base}/mpesa/reversal/v1/request", post(self._orders.reverse)),
            web.route("*", f"{base}/mpesa/transactionstatus/v1/query", post(self._orders.status)),
            web.route("*", f"{base}/mpesa/accountbalance/v1/query", post(self._orders.balance)),
            web.route("*", f"{base}/mpesa/b2c/v3/paymentrequest", post(self._orders.pay_out)),
            web.route("*", f"{base}/mpesa/c2b/v2/registerurl", post(self._c2b.register)),
            web.route("*", f"{base}/mpesa/c2b/v2/simulate", post(self._c2b.simulate)),
            web.route("*", f"{base}/pulltransactions/v1/register", post(self._pull.register)),
            web.route("*", f"{base}/pulltransactions/v1/query", self._gate.get(self._pull.query)),
            web.route("*", f"{base}/{{tail:.*}}", self._nowhere),
            web.get("/town/api/daraja", self._get_state),
            web.get("/town/api/daraja/books", self._get_books),
            web.get("/town/api/daraja/checkouts", self._get_checkouts),
            web.post("/town/api/daraja/apps", _control(self._post_app)),
            web.post("/town/api/daraja/forge", _control(self._post_forge)),
            web.post("/town/api/daraja/pay", _control(self._post_pay)),
            web.post("/town/api/phone/{msisdn}/pay", self._office.phones.act(self._menu.act)),
        ]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        """GET /oauth/v1/generate?grant_type=client_credentials."""
        office = self._office
        if office.fault("token_500"):
            return self._gate.refuse(Refusal(500, "500.003.1001", "Internal Server Error"))
        if fault := office.fault("token_slow"):
            await asyncio.sleep(seconds_of(fault, 3.0))
        try:
            if request.method != "GET":
                raise Refusal(405, "405.001", "Method Not Allowed")
            if request.query.get("grant_type") != "client_credentials":
                raise Refusal(400, "400.008.02", "Invalid grant type passed")
            app = office.portal.new_token(request.headers.get("Authorization", ""))
        except Refusal as refusal:
            return self._gate.refuse(refusal)
        return web.json_response({"access_token": app.token, "expires_in": str(TOKEN_LIFE_S)})

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        return self._gate.refuse(Refusal(404, "404.001.01", "Resource not found"))

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_books(self, request: web.Request) -> web.Response:
        return web.json_response(self.books())

    async def _get_checkouts(self, request: web.Request) -> web.Response:
        return web.json_response(self.checkouts())

    async def _post_app(self, body: Mapping[str, Any]) -> Any:
        types = {field.name: bool if field.name == "external_validation" else str for field in fields_of(App) if field.name in _ADDABLE}
        for name, value in body.items():
            if name not in types or not isinstance(value, types[name]):
                raise NoSuchThing(f"`{name}` is not a field of an app, or not of the right type.")
        try:
            return self.add_app(**body).shown()
        except (TypeError, ValueError) as problem:
            raise NoSuchThing(f"This app cannot be: {problem}.") from None

    async def _post_forge(self, body: Mapping[str, Any]) -> Any:
        amount, url = body.get("amount"), body.get("url")
        if not isinstance(amount, int) or not isinstance(url, str | None):
            raise NoSuchThing("`amount` is whole shillings; `url`, if given, is an address.")
        status = await self.forge_callback(str(body.get("checkout_request_id")), amount, str(body.get("receipt", "UA00000000")), url)
        return {"status": status}

    async def _post_pay(self, body: Mapping[str, Any]) -> Any:
        amount = body.get("amount")
        if not isinstance(amount, int) or isinstance(amount, bool):
            raise NoSuchThing("`amount` is whole shillings.")
        receipt = await self.pay_by_hand(str(body.get("msisdn")), str(body.get("short_code")), str(body.get("account", "")), amount)
        return {"receipt": receipt}


def _control(act: Callable[[Mapping[str, Any]], Awaitable[Any]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A control of the town: JSON object in, JSON out, {"error": sentence} with 400 when it cannot be."""

    async def handler(request: web.Request) -> web.Response:
        try:
            body = json.loads(await request.read() or b"{}")
            if not isinstance(body, dict):
                raise NoSuchThing("The body is a JSON object.")
            return web.json_response(await act(body))
        except ValueError:
            return web.json_response({"error": "The body is not JSON."}, status=400)
        except NoSuchThing as problem:
            return web.json_response({"error": str(problem)}, status=problem.status)

    return handler
