"""What PayPal keeps: orders, captures, refunds, disputes; and how it shows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from town.paypal.apps import App, Buyer
from town.paypal.money import fee_of, shown

Json = dict[str, Any]


def stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def link(rel: str, href: str, method: str = "GET") -> dict[str, str]:
    return {"href": href, "rel": rel, "method": method}


@dataclass(slots=True)
class Order:
    """One order of one purchase unit. `funding` is what the payer chose, `redirect` whether the link is called payer-action."""

    id: str
    app: App
    unit: Json
    units: int
    currency: str
    return_url: str
    cancel_url: str
    immediate: bool
    at: datetime
    redirect: bool = True
    status: str = "PAYER_ACTION_REQUIRED"
    payer: Buyer | None = None
    funding: str = ""
    approved_at: datetime | None = None
    captures: list[Capture] = field(default_factory=list)

    def shown(self, base: str, *, whole: bool = True) -> Json:
        api = f"{base}/v2/checkout/orders/{self.id}"
        links = [link("self", api)]
        if self.status in ("CREATED", "PAYER_ACTION_REQUIRED"):
            links.append(link("payer-action" if self.redirect else "approve", f"{base}/checkoutnow?token={self.id}"))
        if self.status == "APPROVED":
            links += [link("update", api, "PATCH"), link("capture", f"{api}/capture", "POST")]
        body: Json = {"id": self.id, "status": self.status, "links": links}
        if not whole:
            return body
        unit = {**self.unit, "payee": {"email_address": self.app.email, "merchant_id": self.app.merchant_id}}
        if self.captures:
            unit["payments"] = {"captures": [one.within(base) for one in self.captures]}
        source: Json = {}
        if self.payer is not None:
            source = {"email_address": self.payer.email, "account_id": self.payer.payer_id, "account_status": "VERIFIED"}
            body["payer"] = {
                "email_address": self.payer.email,
                "payer_id": self.payer.payer_id,
                "name": {"given_name": self.payer.given_name, "surname": self.payer.surname},
            }
        return {
            **body, "intent": "CAPTURE", "payment_source": {"paypal": source}, "purchase_units": [unit], "create_time": stamp(self.at),
        }  # fmt: skip


@dataclass(slots=True)
class Capture:
    """Money taken. `reason` says why it is pending."""

    id: str
    order: Order
    units: int
    status: str
    at: datetime
    reason: str = ""
    refunds: list[Refund] = field(default_factory=list)
    reversed_units: int = 0

    @property
    def refunded(self) -> int:
        return sum(one.units for one in self.refunds if one.status in ("COMPLETED", "PENDING"))

    def settle(self) -> None:
        """Its status after a refund."""
        back = sum(one.units for one in self.refunds if one.status == "COMPLETED")
        self.status = "COMPLETED" if back == 0 else "REFUNDED" if back == self.units else "PARTIALLY_REFUNDED"

    def shown(self, base: str) -> Json:
        """By itself: it also says what order it is of, and whose."""
        order = self.order
        return {
            **self.within(base),
            "supplementary_data": {"related_ids": {"order_id": order.id}},
            "payee": {"email_address": order.app.email, "merchant_id": order.app.merchant_id},
        }

    def within(self, base: str) -> Json:
        """As its order shows it."""
        order, currency = self.order, self.order.currency
        api = f"{base}/v2/payments/captures/{self.id}"
        fee = fee_of(self.units, currency)
        body: Json = {
            "id": self.id,
            "status": self.status,
            "amount": shown(self.units, currency),
            "final_capture": True,
            "seller_protection": {"status": "ELIGIBLE", "dispute_categories": ["ITEM_NOT_RECEIVED", "UNAUTHORIZED_TRANSACTION"]},
            "create_time": stamp(self.at),
            "update_time": stamp(self.at),
            "links": [
                link("self", api),
                link("refund", f"{api}/refund", "POST"),
                link("up", f"{base}/v2/checkout/orders/{order.id}"),
            ],
        }
        if self.reason:
            body["status_details"] = {"reason": self.reason}
        if self.status not in ("PENDING", "DECLINED", "FAILED"):
            body["seller_receivable_breakdown"] = {
                "gross_amount": shown(self.units, currency),
                "paypal_fee": shown(fee, currency),
                "net_amount": shown(self.units - fee, currency),
            }
        return body | {name: order.unit[name] for name in ("custom_id", "invoice_id") if name in order.unit}


@dataclass(slots=True)
class Refund:
    """Money given back, all or a part. Of a `reversal` nobody asked: a bank or PayPal took it."""

    id: str
    capture: Capture
    units: int
    status: str
    at: datetime
    about: Json
    reversal: bool = False

    def shown(self, base: str) -> Json:
        currency = self.capture.order.currency
        amount = shown(self.units, currency)
        return {
            "id": self.id,
            "status": self.status,
            "amount": amount,
            "seller_payable_breakdown": {
                "gross_amount": amount,
                "paypal_fee": shown(0, currency),
                "net_amount": amount,
                "total_refunded_amount": shown(self.capture.refunded, currency),
            },
            "create_time": stamp(self.at),
            "update_time": stamp(self.at),
            "links": [
                link("self", f"{base}/v2/payments/refunds/{self.id}"),
                link("up", f"{base}/v2/payments/captures/{self.capture.id}"),
            ],
            **self.about,
        }


@dataclass(slots=True)
class Dispute:
    """A buyer's case about one capture."""

    id: str
    capture: Capture
    units: int
    reason: str
    at: datetime
    status: str = "WAITING_FOR_SELLER_RESPONSE"
    outcome: str = ""

    def shown(self, base: str) -> Json:
        order = self.capture.order
        amount = shown(self.units, order.currency)
        about: Json = {
            "seller_transaction_id": self.capture.id,
            "transaction_status": "COMPLETED",
            "gross_amount": shown(self.capture.units, order.currency),
            "seller": {"email": order.app.email, "merchant_id": order.app.merchant_id, "name": order.app.name},
        }
        if order.payer is not None:
            about["buyer"] = {"name": f"{order.payer.given_name} {order.payer.surname}"}
        if "custom_id" in order.unit:
            about["custom"] = order.unit["custom_id"]
        if "invoice_id" in order.unit:
            about["invoice_number"] = order.unit["invoice_id"]
        body: Json = {
            "dispute_id": self.id,
            "create_time": stamp(self.at),
            "update_time": stamp(self.at),
            "disputed_transactions": [about],
            "reason": self.reason,
            "status": self.status,
            "dispute_amount": amount,
            "dispute_life_cycle_stage": "CHARGEBACK",
            "dispute_channel": "INTERNAL",
            "links": [link("self", f"{base}/v1/customer/disputes/{self.id}")],
        }
        return body | ({"dispute_outcome": {"outcome_code": self.outcome, "amount_refunded": amount}} if self.outcome else {})
