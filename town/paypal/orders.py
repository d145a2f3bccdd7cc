"""Orders v2: create, show, capture; and what a buyer does with an order on the approval page."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from town.paypal import money
from town.paypal.apps import App, Buyer, Missing, bad, cannot, nowhere
from town.paypal.hooks import Hooks
from town.paypal.office import ORDER_KEYS_LIVE, Call, Office, an_object, only, text
from town.paypal.records import Capture, Json, Order, link
from town.phones import NoSuchThing

APPROVE_WITHIN = timedelta(hours=3)
CAPTURE_WITHIN = timedelta(hours=3)
FUNDINGS = ("balance", "declined_card", "review", "echeck")
"""What a buyer can pay with: money that is there, a card that will be declined, money that is looked into first, a cheque of days."""
_CONTEXT = (
    "brand_name", "locale", "shipping_preference", "contact_preference", "return_url", "cancel_url", "landing_page", "user_action",
    "payment_method_preference",
)  # fmt: skip
_CHOICES = {
    "shipping_preference": ("GET_FROM_FILE", "NO_SHIPPING", "SET_PROVIDED_ADDRESS"),
    "user_action": ("CONTINUE", "PAY_NOW"),
    "payment_method_preference": ("UNRESTRICTED", "IMMEDIATE_PAYMENT_REQUIRED"),
    "landing_page": ("LOGIN", "GUEST_CHECKOUT", "NO_PREFERENCE"),
}


class OrderDesk:
    def __init__(self, office: Office, hooks: Hooks) -> None:
        self._office = office
        self._hooks = hooks

    async def create(self, call: Call) -> tuple[int, Json]:
        """POST /v2/checkout/orders."""
        office, body = self._office, call.body
        if (known := office.remembered(call.app, "create", call.key, ORDER_KEYS_LIVE)) is not None:
            return 200, office.orders[known].shown(office.base, whole=call.whole)
        only(body, "", "intent", "purchase_units", "payment_source", "application_context")
        if body.get("intent") != "CAPTURE":
            raise bad("MISSING_REQUIRED_PARAMETER" if "intent" not in body else "INVALID_PARAMETER_VALUE", "/intent")
        redirect = "payment_source" in body
        if redirect and not call.key:
            raise bad("PAYPAL_REQUEST_ID_REQUIRED", "PayPal-Request-Id")
        context = _context(body, redirect=redirect)
        unit, units, currency = self._unit(call.app, body)
        order = Order(
            office.names.id(), call.app, unit, units, currency, str(context.get("return_url", "")), str(context.get("cancel_url", "")),
            context.get("payment_method_preference") == "IMMEDIATE_PAYMENT_REQUIRED", office.now(), redirect,
            "PAYER_ACTION_REQUIRED" if redirect else "CREATED",
        )  # fmt: skip
        office.orders[order.id] = order
        while len(office.orders) > office.keep:
            office.orders.popitem(last=False)
        office.remember(call.app, "create", call.key, order.id)
        office.core.journal.add("paypal.order", order=order.id, value=money.shown(units, currency)["value"], currency=currency)
        return 201, order.shown(office.base, whole=call.whole)

    def _unit(self, app: App, body: Json) -> tuple[Json, int, str]:
        units = body.get("purchase_units")
        if not isinstance(units, list) or not units or not isinstance(units[0], dict):
            raise bad("MISSING_REQUIRED_PARAMETER" if "purchase_units" not in body else "INVALID_ARRAY_MIN_ITEMS", "/purchase_units")
        if len(units) > 1:
            raise bad("INVALID_ARRAY_MAX_ITEMS", "/purchase_units", "The town takes one purchase unit.")
        unit, at = dict(units[0]), "/purchase_units/0"
        only(unit, at, "reference_id", "custom_id", "invoice_id", "description", "soft_descriptor", "amount", "items")
        for name, longest in (
            ("reference_id", 256),
            ("custom_id", 127),
            ("invoice_id", 127),
            ("description", 127),
            ("soft_descriptor", 22),
        ):
            text(unit, name, at, longest)
        value, currency = money.read(unit.get("amount"), f"{at}/amount")
        _add_up(unit, value, currency, at)
        self._single(app, unit)
        return {"reference_id": "default", **unit}, value, currency

    def _single(self, app: App, unit: Json) -> None:
        """An invoice is paid once."""
        invoice = unit.get("invoice_id")
        taken = (one.order for one in self._office.captures.values() if one.status not in ("DECLINED", "FAILED"))
        if invoice and any(order.app is app and order.unit.get("invoice_id") == invoice for order in taken):
            raise cannot("DUPLICATE_INVOICE_ID", "Duplicate Invoice ID detected.", "/purchase_units/@reference_id/invoice_id")

    def order(self, app: App | None, order_id: str) -> Order:
        """Of this app; one that nobody approved or captured in time is forgotten."""
        order = self._office.orders.get(order_id)
        if order is None or (app is not None and order.app is not app):
            raise nowhere()
        waited = self._office.now() - (order.approved_at or order.at)
        if order.status != "COMPLETED" and waited >= (APPROVE_WITHIN if order.approved_at is None else CAPTURE_WITHIN):
            raise nowhere()
        return order

    async def show(self, call: Call) -> tuple[int, Json]:
        """GET /v2/checkout/orders/{id}."""
        return 200, self.order(call.app, call.request.match_info["id"]).shown(self._office.base)

    async def capture(self, call: Call) -> tuple[int, Json]:
        """POST /v2/checkout/orders/{id}/capture."""
        office = self._office
        only(call.body, "", "payment_source")
        order = self.order(call.app, call.request.match_info["id"])
        if office.remembered(call.app, "capture", call.key, ORDER_KEYS_LIVE) == order.id:
            return 200, order.shown(office.base, whole=call.whole)
        if order.status == "COMPLETED":
            raise cannot("ORDER_ALREADY_CAPTURED", "Order already captured. If 'intent=CAPTURE' only one capture per order is allowed.")
        if order.status != "APPROVED":
            links = (link("payer-action", f"{office.base}/checkoutnow?token={order.id}"),)
            raise cannot("ORDER_NOT_APPROVED", "Payer has not yet approved the Order for payment.", links=links)
        if fault := office.fault("capture_issue"):
            raise cannot(str(fault.detail.get("issue", "TRANSACTION_REFUSED")))
        if order.funding == "declined_card" or office.fault("instrument_declined"):
            order.status, order.approved_at = "PAYER_ACTION_REQUIRED", None
            links = (link("payer-action", f"{office.base}/checkoutnow?token={order.id}"),)
            raise cannot("INSTRUMENT_DECLINED", "The instrument presented was either declined by the processor or bank.", links=links)
        self._single(call.app, order.unit)
        self._take(order)
        office.remember(call.app, "capture", call.key, order.id)
        return 201, order.shown(office.base, whole=call.whole)

    def _take(self, order: Order) -> None:
        office = self._office
        pending, declined, other = (office.fault(name) for name in ("capture_pending", "capture_declined", "capture_other_amount"))
        reason = {"review": "PENDING_REVIEW", "echeck": "ECHECK"}.get(order.funding, "")
        if pending is not None:
            reason = str(pending.detail.get("reason", "PENDING_REVIEW"))
        status = "DECLINED" if declined is not None else "PENDING" if reason else "COMPLETED"
        units = order.units if other is None else int(other.detail.get("units", order.units - 1))
        capture = Capture(office.names.id(), order, units, status, office.now(), reason)
        order.captures.append(capture)
        order.status = "COMPLETED"
        office.captures[capture.id] = capture
        self._tell(capture)

    def _tell(self, capture: Capture) -> None:
        """Book what came and tell the merchant."""
        office, order = self._office, capture.order
        if capture.status == "COMPLETED":
            fee = money.fee_of(capture.units, order.currency)
            office.book("capture", order.app, capture.id, capture.units, order.currency, order=order.id, **_ours(order))
            office.book("fee", order.app, capture.id, -fee, order.currency, order=order.id)
        name = {"COMPLETED": "COMPLETED", "PENDING": "PENDING", "DECLINED": "DENIED"}[capture.status]
        summary = f"Payment {name.lower()} for {money.shown(capture.units, order.currency)['value']} {order.currency}"
        self._hooks.tell(order.app, f"PAYMENT.CAPTURE.{name}", "capture", capture.shown(office.base), summary)

    def resolve(self, capture_id: str, *, completed: bool) -> Capture:
        """What was looked into is decided."""
        capture = self._office.captures.get(capture_id)
        if capture is None or capture.status != "PENDING":
            raise Missing("There is no such capture that is pending.")
        capture.status, capture.reason = ("COMPLETED" if completed else "DECLINED"), ""
        self._tell(capture)
        return capture

    def approve(self, order_id: str, buyer: Buyer, funding: str) -> Order:
        """A buyer agrees to pay. Raises NoSuchThing where the page would not let them."""
        order = self._office.orders.get(order_id)
        if order is None or order.status not in ("CREATED", "PAYER_ACTION_REQUIRED") or self._office.now() - order.at >= APPROVE_WITHIN:
            raise Missing("Things don't appear to be working at the moment. This order cannot be paid.")
        if funding not in FUNDINGS or (funding == "echeck" and order.immediate):
            raise NoSuchThing("The seller does not take that.")
        order.payer, order.funding, order.status, order.approved_at = buyer, funding, "APPROVED", self._office.now()
        self._office.core.journal.add("paypal.approved", order=order.id, buyer=buyer.email, funding=funding)
        self._hooks.tell(
            order.app, "CHECKOUT.ORDER.APPROVED", "checkout-order", order.shown(self._office.base), "An order has been approved by buyer"
        )
        return order


def _ours(order: Order) -> dict[str, Any]:
    return {name: order.unit.get(name, "") for name in ("custom_id", "invoice_id")}


def _context(body: Json, *, redirect: bool) -> Json:
    """experience_context, or application_context as it was."""
    if not redirect:
        context = body.get("application_context", {})
        return context if isinstance(context, dict) else {}
    source = an_object(body, "payment_source", "")
    only(source, "/payment_source", "paypal")
    paypal = an_object(source, "paypal", "/payment_source")
    only(paypal, "/payment_source/paypal", "experience_context", "email_address", "name")
    at = "/payment_source/paypal/experience_context"
    context = an_object(paypal, "experience_context", "/payment_source/paypal")
    only(context, at, *_CONTEXT)
    for name, choices in _CHOICES.items():
        if name in context and context[name] not in choices:
            raise bad("INVALID_PARAMETER_VALUE", f"{at}/{name}", value=context[name])
    for name in ("return_url", "cancel_url"):
        if urlsplit(text(context, name, at, 4000, needed=True)).scheme not in ("http", "https"):
            raise bad("INVALID_PARAMETER_SYNTAX", f"{at}/{name}", value=context[name])
    return context


def _add_up(unit: Json, value: int, currency: str, at: str) -> None:
    """The amount is the sum of its parts, and the items are the item total."""
    amount = unit["amount"]
    only(amount, f"{at}/amount", "currency_code", "value", "breakdown")
    parts = amount.get("breakdown", {})
    found = {}
    for name, part in parts.items():
        found[name], other = money.read(part, f"{at}/amount/breakdown/{name}")
        if other != currency:
            raise cannot("MULTI_CURRENCY_ORDER", pointer=f"{at}/amount/breakdown/{name}")
    if parts:
        total = sum(-units if "discount" in name else units for name, units in found.items())
        if total != value:
            raise cannot(
                "AMOUNT_MISMATCH", "Should equal item_total + tax_total + shipping + handling + insurance - discounts.", f"{at}/amount"
            )
    items = unit.get("items", [])
    if items and "item_total" not in found:
        raise cannot("ITEM_TOTAL_REQUIRED", pointer=f"{at}/amount/breakdown/item_total")
    if (
        items
        and sum(money.read(one.get("unit_amount"), f"{at}/items")[0] * int(one.get("quantity", "0")) for one in items)
        != found["item_total"]
    ):
        raise cannot("ITEM_TOTAL_MISMATCH", pointer=f"{at}/amount/breakdown/item_total")
