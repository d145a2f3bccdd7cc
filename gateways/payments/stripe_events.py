"""What Stripe tells of its objects, read strictly, in an event or in a reply alike. Offline; raises Unreadable and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from domain.ids import AttemptId, RefundId
from domain.money import Money
from domain.payment import About, Notice, Outcome, Proof, Unreadable
from gateways.payments.stripe_codes import Meaning, declined, dispute_meaning, refund_meaning
from gateways.payments.stripe_units import Units

NAME: Final = "stripe"
KIND: Final = "events"
"""The last part of the address that the webhook endpoint is made with."""
ATTEMPT: Final = "payloom_attempt"
"""Our attempt's id among the metadata of the session and of its payment intent (Stripe copies the latter to the charge)."""
REFUND: Final = "payloom_refund"
EVENTS: Final = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "charge.refunded",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.closed",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
)
"""What the webhook endpoint is to be subscribed to; all others are stored and mean nothing."""
_ID: Final = re.compile(r"[a-z]{2,8}_[A-Za-z0-9_]{1,200}", re.ASCII)
_OUR_ID: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z0-9_.]{1,100}", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
_Id = TypeVar("_Id")


@dataclass(frozen=True, slots=True)
class Session:
    """A Checkout Session. `money` is None when its currency is not ours; `charge_failed` are the words of a delayed payment that failed."""

    id: str
    status: str
    payment_status: str
    intent: str | None
    amount: int
    currency: str
    money: Money | None
    attempt_id: AttemptId | None
    url: str | None
    live: bool
    charge_failed: str | None

    @property
    def meaning(self) -> Meaning:
        """Paid is what its payment_status calls so, and nothing else: `complete` alone is not."""
        if self.payment_status == "paid":
            return (Outcome.SUCCEEDED, "paid") if self.money is not None else (Outcome.UNKNOWN, "currency_refused")
        if self.status == "expired":
            return Outcome.DECLINED, "expired"
        if self.payment_status != "unpaid" or self.status not in ("open", "complete"):
            return Outcome.UNKNOWN, "unknown"
        if self.status == "complete" and self.charge_failed is not None:
            return Outcome.DECLINED, self.charge_failed
        return Outcome.PENDING, "waiting"


@dataclass(frozen=True, slots=True)
class Told:
    """An event's envelope around its object."""

    id: str
    type: str
    live: bool
    account: str | None
    object: Mapping[str, Any]


def read_session(body: Mapping[str, Any], units: Units) -> Session:
    """From an event, or from a reply with `payment_intent` expanded or not."""
    expect(body, "checkout.session")
    intent = body.get("payment_intent")
    amount, currency = amount_of(body, "amount_total")
    url = body.get("url")
    return Session(
        id=an_id(body.get("id"), "id"),
        status=_text(body, "status"),
        payment_status=_text(body, "payment_status"),
        intent=optional_id(intent),
        amount=amount,
        currency=currency,
        money=units.back(amount, currency),
        attempt_id=_attempt(body) or _number(AttemptId, body.get("client_reference_id")),
        url=url if isinstance(url, str) and url.startswith(("https://", "http://")) else None,
        live=_flag(body, "livemode"),
        charge_failed=_charge_failed(intent),
    )


def read_told(body: Mapping[str, Any]) -> Told:
    expect(body, "event")
    kind, data = _text(body, "type"), body.get("data")
    inner = data.get("object") if isinstance(data, dict) else None
    if not isinstance(inner, dict) or not _TYPE.fullmatch(kind):
        raise Unreadable("data")
    account = body.get("account")
    return Told(an_id(body.get("id"), "id"), kind, _flag(body, "livemode"), account if isinstance(account, str) else None, inner)


def read_notice(body: Mapping[str, Any], units: Units) -> Notice:
    """A type nobody knows is no error: it is stored, and means nothing. An event of a connected account is nobody's of ours."""
    told = read_told(body)
    reader = _READERS.get(told.type)
    if told.account is not None or reader is None:
        words = "unknown" if told.account is None else "other_account"
        return _notice(told, (Outcome.UNKNOWN, words), payee=told.account)
    return reader(told, units)


def _session(told: Told, units: Units) -> Notice:
    session = read_session(told.object, units)
    meaning = session.meaning
    if told.type == "checkout.session.async_payment_failed" and meaning[0] is Outcome.PENDING:
        meaning = Outcome.DECLINED, "card_declined"
    return _notice(
        told, meaning, attempt_id=session.attempt_id, ref=session.id, receipt=session.intent, money=session.money,
        amount=session.amount, currency=session.currency, payment_status=session.payment_status,
    )  # fmt: skip


def _intent_failed(told: Told, _: Units) -> Notice:
    """One card was refused. The page stays open and the payer may take another: never an end."""
    expect(told.object, "payment_intent")
    words = _charge_failed(told.object) or "card_declined"
    return _notice(told, (Outcome.PENDING, words), attempt_id=_attempt(told.object), intent=an_id(told.object.get("id"), "id"))


def _charge_refunded(told: Told, _: Units) -> Notice:
    """A charge with the sum of what went back: it names no refund, and so it decides none."""
    expect(told.object, "charge")
    amount, currency = amount_of(told.object, "amount_refunded")
    return _notice(
        told, (Outcome.UNKNOWN, "unknown"), about=About.REFUND, attempt_id=_attempt(told.object),
        receipt=optional_id(told.object.get("payment_intent")), amount_refunded=amount, currency=currency,
        refunded=told.object.get("refunded") is True,
    )  # fmt: skip


def _refund(told: Told, units: Units) -> Notice:
    """Succeeded may still become failed: `refund.failed` says so with the same refund."""
    outcome, words, money, amount, currency = read_refund(told.object, units)
    return _notice(
        told, (outcome, words), about=About.REFUND, attempt_id=_attempt(told.object),
        refund_id=_number(RefundId, _metadata(told.object).get(REFUND)), refund_ref=an_id(told.object.get("id"), "id"),
        receipt=optional_id(told.object.get("payment_intent")), money=money, amount=amount, currency=currency,
    )  # fmt: skip


def read_refund(body: Mapping[str, Any], units: Units) -> tuple[Outcome, str, Money | None, int, str]:
    """What became of it, the words, the money if it is in a currency of ours, and the amount as it was told."""
    expect(body, "refund")
    reason = body.get("failure_reason")
    outcome, words = refund_meaning(_text(body, "status"), reason if isinstance(reason, str) else None)
    amount, currency = amount_of(body, "amount")
    return outcome, words, units.back(amount, currency), amount, currency


def _dispute(told: Told, units: Units) -> Notice:
    """Its status says more than the event's type, which may come late. Metadata of the payment are not on it: the receipt finds the sale."""
    expect(told.object, "dispute")
    amount, currency = amount_of(told.object, "amount")
    status, reason = _text(told.object, "status"), told.object.get("reason")
    return _notice(
        told, dispute_meaning(status), about=About.CHARGEBACK, attempt_id=_attempt(told.object),
        refund_ref=an_id(told.object.get("id"), "id"), receipt=optional_id(told.object.get("payment_intent")),
        money=units.back(amount, currency), amount=amount, currency=currency, status=status,
        reason=reason if isinstance(reason, str) else "",
    )  # fmt: skip


_READERS: Final[Mapping[str, Callable[[Told, Units], Notice]]] = {
    **dict.fromkeys((kind for kind in EVENTS if kind.startswith("checkout.session.")), _session),
    **dict.fromkeys((kind for kind in EVENTS if kind.startswith("charge.dispute.")), _dispute),
    **dict.fromkeys(("refund.created", "refund.updated", "refund.failed", "charge.refund.updated"), _refund),
    "payment_intent.payment_failed": _intent_failed,
    "charge.refunded": _charge_refunded,
}


def _notice(
    told: Told,
    meaning: Meaning,
    *,
    about: About = About.PAYMENT,
    attempt_id: AttemptId | None = None,
    ref: str | None = None,
    receipt: str | None = None,
    money: Money | None = None,
    payee: str | None = None,
    refund_id: RefundId | None = None,
    refund_ref: str | None = None,
    **facts: str | int | bool,
) -> Notice:
    """Its key is Stripe's own id of the event: a second delivery has the same one."""
    return Notice(
        NAME, told.id, KIND, meaning[0], Proof.PROOF, attempt_id=attempt_id, ref=ref, receipt=receipt, money=money, payee=payee,
        result=meaning[1], refund_id=refund_id, about=about, refund_ref=refund_ref,
        facts={"type": told.type, "livemode": told.live, **facts},
    )  # fmt: skip


def expect(body: Mapping[str, Any], kind: str) -> None:
    if body.get("object") != kind:
        raise Unreadable(f"not a {kind}")


def an_id(value: object, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable(name)
    return value


def optional_id(value: object) -> str | None:
    """An id, the object that it names (expanded), or nothing."""
    if isinstance(value, dict):
        value = value.get("id")
    return None if value is None else an_id(value, "id of another object")


def amount_of(body: Mapping[str, Any], name: str) -> tuple[int, str]:
    """An amount as it stands with its currency in capitals."""
    amount, currency = body.get(name), body.get("currency")
    if type(amount) is not int or abs(amount) >= 10**15 or not isinstance(currency, str) or not _CURRENCY.fullmatch(currency):
        raise Unreadable(name)
    return amount, currency.upper()


def _charge_failed(intent: object) -> str | None:
    """The words for the last card that an (expanded) payment intent refused."""
    if not isinstance(intent, dict) or intent.get("status") not in ("requires_payment_method", "canceled"):
        return None
    error = intent.get("last_payment_error")
    if not isinstance(error, dict):
        return None
    decline, code = error.get("decline_code"), error.get("code")
    return declined(decline if isinstance(decline, str) else None, code if isinstance(code, str) else None)


def _text(body: Mapping[str, Any], name: str) -> str:
    value = body.get(name)
    if not isinstance(value, str) or not _TYPE.fullmatch(value):
        raise Unreadable(name)
    return value


def _flag(body: Mapping[str, Any], name: str) -> bool:
    value = body.get(name)
    if not isinstance(value, bool):
        raise Unreadable(name)
    return value


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any]:
    value = body.get("metadata")
    return value if isinstance(value, dict) else {}


def _attempt(body: Mapping[str, Any]) -> AttemptId | None:
    return _number(AttemptId, _metadata(body).get(ATTEMPT))


def _number(make: Callable[[int], _Id], value: object) -> _Id | None:
    """One of our ids as we sent it; whatever else stands there is somebody else's."""
    return make(int(value)) if isinstance(value, str) and _OUR_ID.fullmatch(value) else None
