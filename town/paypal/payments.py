"""Payments v2: captures and their refunds; and what befalls a capture later: reversals and disputes."""

from __future__ import annotations

from town.paypal import money
from town.paypal.apps import App, Missing, cannot, nowhere
from town.paypal.hooks import Hooks
from town.paypal.office import PAYMENT_KEYS_LIVE, Call, Office, only, text
from town.paypal.records import Capture, Dispute, Json, Refund
from town.phones import NoSuchThing

MOST_REFUNDS = 50
LAST_DAY = 180
OUTCOMES = ("RESOLVED_BUYER_FAVOUR", "RESOLVED_SELLER_FAVOUR", "RESOLVED_WITH_PAYOUT", "CANCELED_BY_BUYER", "ACCEPTED", "DENIED", "NONE")


class PaymentDesk:
    def __init__(self, office: Office, hooks: Hooks) -> None:
        self._office = office
        self._hooks = hooks

    async def show_capture(self, call: Call) -> tuple[int, Json]:
        """GET /v2/payments/captures/{id}."""
        return 200, self._capture(call.app, call.request.match_info["id"]).shown(self._office.base)

    async def show_refund(self, call: Call) -> tuple[int, Json]:
        """GET /v2/payments/refunds/{id}."""
        refund = self._office.refunds.get(call.request.match_info["id"])
        if refund is None or refund.capture.order.app is not call.app:
            raise nowhere()
        return 200, refund.shown(self._office.base)

    async def refund(self, call: Call) -> tuple[int, Json]:
        """POST /v2/payments/captures/{id}/refund: all that is left, or `amount` of it."""
        office, body = self._office, call.body
        capture = self._capture(call.app, call.request.match_info["id"])
        if (known := office.remembered(call.app, "refund", call.key, PAYMENT_KEYS_LIVE)) is not None:
            return 200, self._shown(office.refunds[known], whole=call.whole)
        only(body, "", "amount", "custom_id", "invoice_id", "note_to_payer")
        for name, longest in (("custom_id", 127), ("invoice_id", 127), ("note_to_payer", 255)):
            text(body, name, "", longest)
        units = self._refundable(capture, body)
        about: Json = {name: body[name] for name in ("custom_id", "invoice_id", "note_to_payer") if name in body}
        if "custom_id" not in about and "custom_id" in capture.order.unit:
            about["custom_id"] = capture.order.unit["custom_id"]
        status = "PENDING" if office.fault("refund_pending") else "FAILED" if office.fault("refund_failed") else "COMPLETED"
        refund = Refund(office.names.id(), capture, units, status, office.now(), about)
        capture.refunds.append(refund)
        office.refunds[refund.id] = refund
        office.remember(call.app, "refund", call.key, refund.id)
        self._told(refund)
        return 201, self._shown(refund, whole=call.whole)

    def _refundable(self, capture: Capture, body: Json) -> int:
        office, order = self._office, capture.order
        if fault := office.fault("refund_issue"):
            raise cannot(str(fault.detail.get("issue", "REFUND_FAILED_INSUFFICIENT_FUNDS")))
        if capture.status == "PENDING":
            raise cannot("PENDING_CAPTURE", "Cannot initiate a refund as the capture is pending.")
        if capture.status not in ("COMPLETED", "PARTIALLY_REFUNDED", "REFUNDED"):
            raise cannot("REFUND_NOT_ALLOWED")
        if capture.reversed_units or any(one.capture is capture and not one.outcome for one in office.disputes.values()):
            raise cannot(
                "REFUND_NOT_PERMITTED_DUE_TO_CHARGEBACK", "Refunds not allowed on this capture due to a chargeback on the card or bank."
            )
        left = capture.units - capture.refunded
        if left <= 0:
            raise cannot("CAPTURE_FULLY_REFUNDED", "The capture has already been fully refunded.")
        if (office.now() - capture.at).days >= LAST_DAY:
            raise cannot("REFUND_TIME_LIMIT_EXCEEDED", "You are over the time limit to perform a refund on this capture.")
        if len(capture.refunds) >= MOST_REFUNDS:
            raise cannot("MAX_NUMBER_OF_REFUNDS_EXCEEDED")
        units, currency = money.read(body["amount"], "/amount") if "amount" in body else (left, order.currency)
        if currency != order.currency:
            raise cannot("REFUND_CAPTURE_CURRENCY_MISMATCH", "Refund must be in the same currency as the capture.", "/amount/currency_code")
        if units > left:
            raise cannot(
                "REFUND_AMOUNT_EXCEEDED",
                "The refund amount must be less than or equal to the capture amount that has not yet been refunded.",
                "/amount/value",
            )
        return units

    def _told(self, refund: Refund) -> None:
        """Book a refund that is done, and tell the merchant of one that has an end."""
        if refund.status == "PENDING":
            return
        office, capture = self._office, refund.capture
        order = capture.order
        if refund.status == "COMPLETED":
            capture.settle()
            custom = str(refund.about.get("custom_id", ""))
            office.book("refund", order.app, refund.id, -refund.units, order.currency, capture=capture.id, custom_id=custom)
        summary = f"A {money.shown(refund.units, order.currency)['value']} {order.currency} capture payment was refunded"
        self._hooks.tell(order.app, "PAYMENT.CAPTURE.REFUNDED", "refund", refund.shown(office.base), summary)

    def resolve_refund(self, refund_id: str, status: str) -> Refund:
        """A pending refund ends: COMPLETED, FAILED or CANCELLED."""
        refund = self._office.refunds.get(refund_id)
        if refund is None or refund.status != "PENDING" or status not in ("COMPLETED", "FAILED", "CANCELLED"):
            raise Missing("There is no such refund that is pending, or it cannot end like that.")
        refund.status = status
        self._told(refund)
        return refund

    def refund_by_hand(self, capture_id: str, units: int) -> Refund:
        """The merchant refunds in PayPal's own pages."""
        office, capture = self._office, self._known(capture_id)
        if not 0 < units <= capture.units - capture.refunded:
            raise NoSuchThing("That is more than is left of it.")
        about: Json = {name: capture.order.unit[name] for name in ("custom_id", "invoice_id") if name in capture.order.unit}
        refund = Refund(office.names.id(), capture, units, "COMPLETED", office.now(), about)
        capture.refunds.append(refund)
        office.refunds[refund.id] = refund
        self._told(refund)
        return refund

    def reverse(self, capture_id: str) -> Refund:
        """A bank takes the money back."""
        office, capture = self._office, self._known(capture_id)
        units = capture.units - capture.refunded
        if capture.reversed_units or units <= 0:
            raise NoSuchThing("There is nothing left of it.")
        capture.reversed_units = units
        order = capture.order
        about: Json = {name: order.unit[name] for name in ("custom_id", "invoice_id") if name in order.unit}
        reversal = Refund(office.names.id(), capture, units, "COMPLETED", office.now(), about, reversal=True)
        office.book("reversal", order.app, reversal.id, -units, order.currency, capture=capture.id)
        self._hooks.tell(order.app, "PAYMENT.CAPTURE.REVERSED", "refund", reversal.shown(office.base), "A payment capture was reversed")
        return reversal

    def dispute(self, capture_id: str, reason: str) -> Dispute:
        """The buyer opens a case: the money is held."""
        office, capture = self._office, self._known(capture_id)
        units = capture.units - capture.refunded
        if units <= 0 or any(one.capture is capture and not one.outcome for one in office.disputes.values()):
            raise NoSuchThing("There is nothing left to dispute.")
        dispute = Dispute(office.names.dispute_id(), capture, units, reason, office.now())
        office.disputes[dispute.id] = dispute
        office.book("dispute_hold", capture.order.app, dispute.id, -units, capture.order.currency, capture=capture_id)
        self._case(dispute, "CREATED", "A new dispute opened with Case # " + dispute.id)
        return dispute

    def resolve_dispute(self, dispute_id: str, outcome: str) -> Dispute:
        """PayPal decides, or the buyer gives up."""
        dispute = self._office.disputes.get(dispute_id)
        if dispute is None or dispute.outcome or outcome not in OUTCOMES:
            raise Missing("There is no such case that is open, or it cannot end like that.")
        dispute.status, dispute.outcome = "RESOLVED", outcome
        capture = dispute.capture
        if outcome in ("RESOLVED_BUYER_FAVOUR", "ACCEPTED"):
            capture.reversed_units = dispute.units
        else:
            self._office.book("dispute_release", capture.order.app, dispute.id, dispute.units, capture.order.currency, capture=capture.id)
        self._case(dispute, "RESOLVED", "A dispute was resolved with case # " + dispute.id)
        return dispute

    def _case(self, dispute: Dispute, what: str, summary: str) -> None:
        self._hooks.tell(
            dispute.capture.order.app, f"CUSTOMER.DISPUTE.{what}", "dispute", dispute.shown(self._office.base), summary, resource_version=""
        )

    def _capture(self, app: App, capture_id: str) -> Capture:
        capture = self._office.captures.get(capture_id)
        if capture is None or capture.order.app is not app:
            raise nowhere()
        return capture

    def _known(self, capture_id: str) -> Capture:
        capture = self._office.captures.get(capture_id)
        if capture is None or capture.status in ("PENDING", "DECLINED"):
            raise Missing("There is no such capture that took money.")
        return capture

    def _shown(self, refund: Refund, *, whole: bool) -> Json:
        body = refund.shown(self._office.base)
        return body if whole else {name: body[name] for name in ("id", "status", "links")}
