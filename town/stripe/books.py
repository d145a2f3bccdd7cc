"""One account: its sessions, payments, refunds, disputes and balance, and what may happen to each. Whatever happens is told as an event."""

from __future__ import annotations

import string
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from town.core import Core
from town.stripe import shapes
from town.stripe.cards import Card
from town.stripe.forms import Refusal
from town.stripe.shapes import Json

DISPUTE_FEE = 1500
EVIDENCE_S = 7 * 86400
_ALPHABET = string.ascii_letters + string.digits


@dataclass(slots=True)
class Endpoint:
    """Where events are posted. `before` is the secret until a roll ends; both sign."""

    id: str
    url: str
    secret: str
    enabled: tuple[str, ...] = ("*",)
    before: str = ""
    api_version: str = shapes.VERSION

    def wants(self, kind: str) -> bool:
        return "*" in self.enabled or kind in self.enabled

    def shown(self, live: bool, created: int) -> Json:
        return {
            "id": self.id, "object": "webhook_endpoint", "api_version": self.api_version, "application": None, "created": created,
            "description": None, "enabled_events": list(self.enabled), "livemode": live, "metadata": {}, "status": "enabled",
            "url": self.url,
        }  # fmt: skip


@dataclass(slots=True)
class Account:
    """`tell` is called with every event and the endpoint's list is read then. Money of failed requests is never in `transactions`."""

    core: Core
    key: str
    tell: Callable[[Account, Json], None]
    endpoints: list[Endpoint] = field(default_factory=list)
    sessions: dict[str, Json] = field(default_factory=dict)
    lines: dict[str, list[Json]] = field(default_factory=dict)
    intents: dict[str, Json] = field(default_factory=dict)
    charges: dict[str, Json] = field(default_factory=dict)
    refunds: dict[str, Json] = field(default_factory=dict)
    disputes: dict[str, Json] = field(default_factory=dict)
    transactions: dict[str, Json] = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)
    asked_with: dict[str, Json] = field(default_factory=dict)
    """By session: `payment_intent_data`, for the payment that begins later."""
    challenges: dict[str, Card] = field(default_factory=dict)
    """By session: the card whose holder is being asked by the bank."""

    @property
    def live(self) -> bool:
        return "_live_" in self.key[:8]

    def name(self, prefix: str, length: int = 24) -> str:
        return f"{prefix}_{''.join(self.core.chance.choices(_ALPHABET, k=length))}"

    def now(self) -> int:
        return int(self.core.clock.now().timestamp())

    def emit(self, kind: str, thing: Json, was: Json | None = None, request: str | None = None, key: str | None = None) -> Json:
        """Note an event with the object as it is now, and tell it."""
        data: Json = {"object": _copy(thing)} | ({"previous_attributes": was} if was else {})
        event = shapes.event(
            id=self.name("evt"), created=self.now(), data=data, livemode=self.live, type=kind,
            request={"id": request, "idempotency_key": key},
        )  # fmt: skip
        self.events[event["id"]] = event
        self.tell(self, event)
        return event

    # --- the payer ---------------------------------------------------------------------------------------------------

    def open_session(self, session_id: str) -> Json:
        """The session, if it can still be paid; Refusal otherwise."""
        session = self.sessions.get(session_id)
        if session is None:
            raise Refusal(404, f"No such checkout.session: '{session_id}'", code="resource_missing", param="session")
        if session["status"] == "open" and session["expires_at"] <= self.now():
            self.expire(session)
        if session["status"] != "open":
            raise Refusal(400, f"This Session has status {session['status']}: it cannot be paid.")
        return session

    def pay(self, session_id: str, card: Card, wallet: str | None = None) -> str:
        """The payer presses the button: `paid`, `declined`, `asked` (3-D Secure stands open) or `delayed`."""
        session = self.open_session(session_id)
        self._intent_of(session)
        if card.refused:
            self._declined(session, card, card.refused, card.decline)
            return "declined"
        if card.asks:
            self.intents[session["payment_intent"]]["status"] = "requires_action"
            self.challenges[session_id] = card
            return "asked"
        if card.delayed:
            self.intents[session["payment_intent"]]["status"] = "processing"
            session.update(status="complete", url=None)
            self.emit("checkout.session.completed", session)
            return "delayed"
        self._paid(session, card, wallet)
        return "paid"

    def answer(self, session_id: str, *, yes: bool) -> str:
        """The holder answers their bank."""
        session = self.open_session(session_id)
        card = self.challenges.pop(session_id, None)
        if card is None:
            raise Refusal(400, "Nobody is being asked by a bank on this page.")
        if yes:
            self._paid(session, card, None)
            return "paid"
        self._declined(session, card, "payment_intent_authentication_failure", "")
        return "declined"

    def clear_delayed(self, session_id: str, *, paid: bool) -> None:
        """The bank of a delayed payment says how it ended."""
        session = self.sessions[session_id]
        if session["status"] != "complete" or session["payment_status"] != "unpaid":
            raise Refusal(400, "There is no delayed payment under way on this Session.")
        if paid:
            self._capture(session, Card("000123456789", "", brand="bank"), None)
            self.emit("checkout.session.async_payment_succeeded", session)
        else:
            intent = self.intents[session["payment_intent"]]
            self._refuse(intent, "insufficient_funds", "insufficient_funds")
            self.emit("checkout.session.async_payment_failed", session)

    def expire(self, session: Json) -> None:
        session.update(status="expired", url=None)
        self.challenges.pop(session["id"], None)
        if session["payment_intent"]:
            self.intents[session["payment_intent"]].update(status="canceled", canceled_at=self.now(), cancellation_reason="automatic")
        self.emit("checkout.session.expired", session)

    def _intent_of(self, session: Json) -> Json:
        if session["payment_intent"] is None:
            asked = self.asked_with.get(session["id"], {})
            intent = shapes.payment_intent(
                id=self.name("pi"), amount=session["amount_total"], currency=session["currency"], created=self.now(),
                livemode=self.live, metadata=dict(asked.get("metadata", {})), description=asked.get("description"),
            )  # fmt: skip
            self.intents[intent["id"]] = intent
            session["payment_intent"] = intent["id"]
        return self.intents[session["payment_intent"]]

    def _paid(self, session: Json, card: Card, wallet: str | None) -> None:
        charge = self._capture(session, card, wallet)
        self.emit("checkout.session.completed", session)
        if card.disputed:
            self.open_dispute(charge["id"])

    def _capture(self, session: Json, card: Card, wallet: str | None) -> Json:
        intent = self._intent_of(session)
        charge = shapes.charge(
            card.details(wallet), id=self.name("ch"), amount=intent["amount"], amount_captured=intent["amount"], captured=True,
            created=self.now(), currency=intent["currency"], description=intent["description"], livemode=self.live,
            metadata=dict(intent["metadata"]), paid=True, payment_intent=intent["id"], payment_method=self.name("pm"),
            status="succeeded", outcome={"network_status": "approved_by_network", "type": "authorized"},
        )  # fmt: skip
        fee = min(charge["amount"] * 29 // 1000 + 30, charge["amount"])
        charge["balance_transaction"] = self._book("charge", charge, charge["amount"], fee)
        self.charges[charge["id"]] = charge
        intent.update(status="succeeded", latest_charge=charge["id"], amount_received=intent["amount"], last_payment_error=None)
        session.update(status="complete", payment_status="paid", url=None)
        session["customer_details"] = {**dict.fromkeys(("address", "name", "phone", "tax_ids")), "email": "payer@town.example"}
        self.emit("charge.succeeded", charge)
        self.emit("payment_intent.succeeded", intent)
        return charge

    def _declined(self, session: Json, card: Card, code: str, decline: str) -> None:
        self._refuse(self._intent_of(session), code, decline)

    def _refuse(self, intent: Json, code: str, decline: str) -> None:
        error: Json = {"type": "card_error", "code": code, "message": "The payment was refused."}
        intent.update(status="requires_payment_method", last_payment_error=error | ({"decline_code": decline} if decline else {}))
        self.emit("payment_intent.payment_failed", intent)

    # --- money back --------------------------------------------------------------------------------------------------

    def refund(self, charge: Json, amount: int | None, status: str, **known: Any) -> Json:
        """Raises Refusal as Stripe would. `pending` money has left the balance too, and comes back when it fails."""
        left = charge["amount"] - charge["amount_refunded"]
        if left <= 0:
            raise Refusal(400, f"Charge {charge['id']} has already been refunded.", code="charge_already_refunded", stored=True)
        if charge["disputed"] and any(d["charge"] == charge["id"] and _open(d) for d in self.disputes.values()):
            raise Refusal(400, f"Charge {charge['id']} has been charged back; cannot issue a refund.", code="charge_disputed", stored=True)
        amount = left if amount is None else amount
        if amount <= 0:
            raise Refusal(400, "Invalid positive integer", code="parameter_invalid_integer", param="amount")
        if amount > left:
            raise Refusal(
                400, f"Refund amount ({amount}) is greater than unrefunded amount on charge ({left})", param="amount", stored=True
            )
        refund = shapes.refund(
            id=self.name("re"), amount=amount, charge=charge["id"], created=self.now(), currency=charge["currency"],
            payment_intent=charge["payment_intent"], status=status, **known,
        )  # fmt: skip
        if status == "pending":
            refund["pending_reason"] = "processing"
        refund["balance_transaction"] = self._book("refund", refund, -amount, 0)
        self.refunds[refund["id"]] = refund
        charge["amount_refunded"] += amount
        charge["refunded"] = charge["amount_refunded"] == charge["amount"]
        self.emit("refund.created", refund)
        self.emit("charge.refunded", charge)
        return refund

    def settle_refund(self, refund_id: str, status: str, reason: str = "unknown") -> Json:
        """`succeeded`, `failed` or `canceled`. One that succeeded may still fail: the money comes back to the balance."""
        refund = self.refunds[refund_id]
        if refund["status"] in ("failed", "canceled") or status not in ("succeeded", "failed", "canceled"):
            raise Refusal(400, f"A refund that is {refund['status']} does not become {status}.")
        was = {"status": refund["status"]}
        refund["status"] = status
        refund.pop("pending_reason", None)
        if status != "succeeded":
            refund["failure_reason"] = reason
            refund["failure_balance_transaction"] = self._book("refund_failure", refund, refund["amount"], 0)
            charge = self.charges[refund["charge"]]
            charge["amount_refunded"] -= refund["amount"]
            charge["refunded"] = False
        self.emit("refund.failed" if status == "failed" else "refund.updated", refund, was)
        return refund

    # --- the payer's bank --------------------------------------------------------------------------------------------

    def open_dispute(self, charge_id: str, *, reason: str = "fraudulent", inquiry: bool = False, amount: int | None = None) -> Json:
        """The bank takes the money (an inquiry only asks)."""
        charge = self.charges[charge_id]
        if any(d["charge"] == charge_id and _open(d) for d in self.disputes.values()):
            raise Refusal(400, "This charge is disputed already.")
        dispute = shapes.dispute(
            self.now() + EVIDENCE_S, charge["payment_method_details"]["card"]["brand"], id=self.name("du"), charge=charge_id,
            amount=amount or charge["amount"], created=self.now(), currency=charge["currency"], livemode=self.live, reason=reason,
            payment_intent=charge["payment_intent"],
        )  # fmt: skip
        self.disputes[dispute["id"]] = dispute
        charge["disputed"] = True
        if inquiry:
            dispute.update(status="warning_needs_response", is_charge_refundable=True)
            self.emit("charge.dispute.created", dispute)
        else:
            self.emit("charge.dispute.created", dispute)
            self._withdraw(dispute)
        return dispute

    def _withdraw(self, dispute: Json) -> None:
        taken = self._book("adjustment", dispute, -dispute["amount"], DISPUTE_FEE)
        dispute["balance_transactions"].append(_copy(self.transactions[taken]))
        self.emit("charge.dispute.funds_withdrawn", dispute)

    def close_dispute(self, dispute_id: str, *, won: bool) -> Json:
        """The bank decides. What was won comes back; the fee does not."""
        dispute = self.disputes[dispute_id]
        if not _open(dispute):
            raise Refusal(400, f"This dispute is {dispute['status']}.")
        inquiry = dispute["status"].startswith("warning_")
        was = {"status": dispute["status"]}
        dispute["status"] = "warning_closed" if inquiry else "won" if won else "lost"
        if won and not inquiry:
            given = self._book("adjustment", dispute, dispute["amount"], 0)
            dispute["balance_transactions"].append(_copy(self.transactions[given]))
        self.emit("charge.dispute.closed", dispute, was)
        if won and not inquiry:
            self.emit("charge.dispute.funds_reinstated", dispute)
        return dispute

    # --- books -------------------------------------------------------------------------------------------------------

    def _book(self, kind: str, source: Json, amount: int, fee: int) -> str:
        category = {"adjustment": "dispute" if amount < 0 else "dispute_reversal"}.get(kind, kind)
        details = [{"amount": fee, "currency": source["currency"], "description": "Stripe processing fees", "type": "stripe_fee"}]
        line = shapes.balance_transaction(
            id=self.name("txn"), amount=amount, available_on=self.now(), created=self.now(), currency=source["currency"], fee=fee,
            fee_details=details if fee else [], net=amount - fee, reporting_category=category, source=source["id"], type=kind,
        )  # fmt: skip
        self.transactions[line["id"]] = line
        return str(line["id"])

    def balance(self) -> dict[str, int]:
        """What stands in the account, by currency."""
        sums: dict[str, int] = {}
        for line in self.transactions.values():
            sums[line["currency"]] = sums.get(line["currency"], 0) + line["net"]
        return sums


def _open(dispute: Json) -> bool:
    return dispute["status"] not in ("won", "lost", "warning_closed", "prevented")


def _copy(thing: Json) -> Json:
    """As it is now: an event does not change when its object does."""
    return {
        name: _copy(value) if isinstance(value, dict) else [_copy(one) if isinstance(one, dict) else one for one in value]
        if isinstance(value, list) else value
        for name, value in thing.items()
    }  # fmt: skip
