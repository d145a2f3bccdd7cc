"""PayPal as one thing: its API below `base_path`, its approval page, the town's controls below `/town/api/paypal`, its books, its clean end.

Follows the OpenAPI documents of Orders v2, Payments v2 and Webhooks v1, and the pages "Integrate webhooks" and "Idempotency".
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from town.alarms import Alarms
from town.core import Core
from town.mishaps import cut, seconds_of
from town.paypal import memory
from town.paypal.apps import TOKEN_LIFE_S, App, Buyer, Missing, Names, Portal, Refusal
from town.paypal.hooks import Hooks
from town.paypal.office import PROVIDER, Gate, Office
from town.paypal.orders import OrderDesk
from town.paypal.pages import Pages
from town.paypal.payments import PaymentDesk
from town.phones import NoSuchThing

DEFAULT_APP = App("town-paypal-client", "town-paypal-secret")
DEFAULT_BUYER = Buyer("buyer@town.example", "town-password", "TWNPAYER22222", "Amina", "Otieno")
SCOPE = "https://uri.paypal.com/services/payments/payment https://uri.paypal.com/services/applications/webhooks openid"
CONTROLS = "/town/api/paypal"


class PayPal:
    """The provider. Between `start` and `stop` it delivers events; requests are answered whenever the routes are served.

    `public_url` is where it stands for the links that it gives out; without it, where it was asked.
    """

    def __init__(
        self, core: Core, base_path: str = "/town/paypal", *, keep: int = 10_000, webhook_delay_s: float = 0.05, public_url: str = ""
    ) -> None:
        path, names = base_path.rstrip("/"), Names(core.chance)
        self._office = office = Office(
            core,
            names,
            Portal(core.clock, names),
            Alarms(core.clock, PROVIDER),
            keep,
            path,
            f"{public_url.rstrip('/')}{path}",
            bool(public_url),
        )
        self.hooks = Hooks(office, webhook_delay_s)
        self._orders = OrderDesk(office, self.hooks)
        self._payments = PaymentDesk(office, self.hooks)
        self._pages = Pages(office, self._orders)
        self._gate = Gate(office)
        self.add_app(DEFAULT_APP.client_id, DEFAULT_APP.secret)
        self.add_buyer(DEFAULT_BUYER)

    async def start(self) -> None:
        await self.hooks.start()
        await self._office.alarms.start()

    async def stop(self) -> None:
        await self._office.alarms.stop()
        await self.hooks.stop()

    def save(self, keep: Path) -> None:
        """Keep orders, money, webhooks and events in a file."""
        memory.save(self._office, self.hooks, keep)

    def load(self, keep: Path) -> bool:
        """Take up what a file keeps, before the first request."""
        return memory.load(self._office, self.hooks, keep)

    @property
    def apps(self) -> dict[str, App]:
        """By client id."""
        return self._office.portal.apps

    def add_app(self, client_id: str, secret: str, **about: Any) -> App:
        app = self.apps[client_id] = App(client_id, secret, **about)
        return app

    def add_buyer(self, buyer: Buyer) -> None:
        self._office.buyers[buyer.email.lower()] = buyer

    def books(self) -> list[dict[str, Any]]:
        """Every movement of money that is still kept, oldest first."""
        return list(self._office.books)

    def orders(self) -> list[dict[str, Any]]:
        return [order.shown(self._office.base) for order in self._office.orders.values()]

    def state(self) -> dict[str, Any]:
        office = self._office
        return {
            "apps": [app.shown() for app in self.apps.values()],
            "orders": self.orders(),
            "refunds": [one.shown(office.base) for one in office.refunds.values()],
            "disputes": [one.shown(office.base) for one in office.disputes.values()],
            "webhooks": [hook.shown(office.base) for hook in self.hooks.hooks.values()],
            "events": self.hooks.shown(),
            "books": self.books(),
        }

    # What people do, for tests and the controls.

    def approve(self, order_id: str, email: str = DEFAULT_BUYER.email, funding: str = "balance") -> dict[str, Any]:
        """A buyer pays on the page."""
        buyer = self._office.buyers.get(email.lower())
        if buyer is None:
            raise Missing(f"Nobody has the address {email}.")
        return self._orders.approve(order_id, buyer, funding).shown(self._office.base)

    def resolve_capture(self, capture_id: str, *, completed: bool) -> None:
        self._orders.resolve(capture_id, completed=completed)

    def resolve_refund(self, refund_id: str, status: str = "COMPLETED") -> None:
        self._payments.resolve_refund(refund_id, status)

    def refund_by_hand(self, capture_id: str, units: int) -> str:
        return self._payments.refund_by_hand(capture_id, units).id

    def reverse(self, capture_id: str) -> str:
        return self._payments.reverse(capture_id).id

    def dispute(self, capture_id: str, reason: str = "MERCHANDISE_OR_SERVICE_NOT_RECEIVED") -> str:
        return self._payments.dispute(capture_id, reason).id

    def resolve_dispute(self, dispute_id: str, outcome: str) -> None:
        self._payments.resolve_dispute(dispute_id, outcome)

    def routes(self) -> list[web.AbstractRouteDef]:
        base, take, hooks = self._office.path, self._gate.take, self.hooks
        orders, payments = f"{base}/v2/checkout/orders", f"{base}/v2/payments"
        notes = f"{base}/v1/notifications"
        return [
            web.post(f"{base}/v1/oauth2/token", self._token),
            web.post(orders, take("create", self._orders.create)),
            web.get(f"{orders}/{{id}}", take("order", self._orders.show)),
            web.post(f"{orders}/{{id}}/capture", take("capture", self._orders.capture)),
            web.get(f"{payments}/captures/{{id}}", take("payment", self._payments.show_capture)),
            web.post(f"{payments}/captures/{{id}}/refund", take("refund", self._payments.refund)),
            web.get(f"{payments}/refunds/{{id}}", take("payment", self._payments.show_refund)),
            web.get(f"{notes}/certs/{{name}}", hooks.certificate),
            web.post(f"{notes}/webhooks", take("webhooks", hooks.register)),
            web.get(f"{notes}/webhooks", take("webhooks", hooks.list_hooks)),
            web.get(f"{notes}/webhooks-events", take("events", hooks.list_events)),
            web.post(f"{notes}/webhooks-events/{{id}}/resend", take("events", hooks.resend)),
            web.get(f"{base}/checkoutnow", self._pages.show),
            web.post(f"{base}/checkoutnow", self._pages.act),
            web.route("*", f"{base}/{{tail:.*}}", self._nowhere),
            web.get(CONTROLS, self._get_state),
            web.get(f"{CONTROLS}/books", self._get_books),
            web.post(f"{CONTROLS}/act", self._post_act),
        ]

    async def _token(self, request: web.Request) -> web.StreamResponse:
        """POST /v1/oauth2/token. Faults: token_500, token_slow, token_drop."""
        office = self._office
        office.see(request)
        if office.fault("token_500"):
            return self._gate.refuse(Refusal("INTERNAL_SERVER_ERROR"))
        if fault := office.fault("token_drop"):
            return await cut(request, seconds_of(fault, 0.0))
        if fault := office.fault("token_slow"):
            return await cut(request, seconds_of(fault, 3.0))
        if (await request.post()).get("grant_type") != "client_credentials":
            wrong = {"error": "unsupported_grant_type", "error_description": "Grant Type is NULL or not supported"}
            return web.json_response(wrong, status=400)
        found = office.portal.new_token(request.headers.get("Authorization", ""))
        if found is None:
            return web.json_response({"error": "invalid_client", "error_description": "Client Authentication failed"}, status=401)
        nonce = office.now().strftime("%Y-%m-%dT%H:%M:%SZ") + office.names.debug_id()
        return web.json_response(
            {
                "scope": SCOPE, "access_token": found[1], "token_type": "Bearer", "app_id": "APP-80W284485P519543T",
                "expires_in": TOKEN_LIFE_S, "nonce": nonce,
            }
        )  # fmt: skip

    async def _nowhere(self, request: web.Request) -> web.StreamResponse:
        return self._gate.refuse(Refusal("RESOURCE_NOT_FOUND"))

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_books(self, request: web.Request) -> web.Response:
        return web.json_response(self.books())

    async def _post_act(self, request: web.Request) -> web.Response:
        """POST /town/api/paypal/act {"do": what, ...}: what people and banks do. {"error": sentence} with 4xx when it cannot be."""
        try:
            body = json.loads(await request.read() or b"{}")
            deed = self._deeds().get(str(body.get("do"))) if isinstance(body, dict) else None
            if deed is None:
                raise NoSuchThing(f"`do` is one of {', '.join(self._deeds())}.")
            return web.json_response({"done": await deed(body)})
        except (ValueError, TypeError):
            return web.json_response({"error": "The body is not JSON, or a field of it is of the wrong kind."}, status=400)
        except NoSuchThing as problem:
            return web.json_response({"error": str(problem)}, status=problem.status)

    def _deeds(self) -> Mapping[str, Callable[[dict[str, Any]], Awaitable[Any]]]:
        def now(act: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Awaitable[Any]]:
            async def do(body: dict[str, Any]) -> Any:
                return act(body)

            return do

        async def forge(body: dict[str, Any]) -> int | None:
            return await self.hooks.forge(
                _text(body, "url"), _text(body, "webhook_id"), body.get("event", {}), str(body.get("how", "unsigned"))
            )

        return {
            "approve": now(
                lambda b: self.approve(_text(b, "order"), str(b.get("email", DEFAULT_BUYER.email)), str(b.get("funding", "balance")))
            ),
            "resolve_capture": now(lambda b: self.resolve_capture(_text(b, "capture"), completed=b.get("completed") is True)),
            "resolve_refund": now(lambda b: self.resolve_refund(_text(b, "refund"), str(b.get("status", "COMPLETED")))),
            "refund_by_hand": now(lambda b: self.refund_by_hand(_text(b, "capture"), int(b["units"]) if "units" in b else 0)),
            "reverse": now(lambda b: self.reverse(_text(b, "capture"))),
            "dispute": now(lambda b: self.dispute(_text(b, "capture"), str(b.get("reason", "MERCHANDISE_OR_SERVICE_NOT_RECEIVED")))),
            "resolve_dispute": now(lambda b: self.resolve_dispute(_text(b, "dispute"), _text(b, "outcome"))),
            "webhook": now(lambda b: self.hooks.add(next(iter(self.apps.values())), _text(b, "url"), webhook_id=str(b.get("id", ""))).id),
            "forge": forge,
        }


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str):
        raise NoSuchThing(f"`{name}` must be a text.")
    return value
