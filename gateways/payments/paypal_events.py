"""What PayPal posts to us, read strictly: captures, refunds, disputes. Offline; raises Unreadable and nothing else.

An event is only parsed after its signature held (`Certificates.signed`), so what it says is proof.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from domain.ids import AttemptId, RefundId
from domain.money import Money
from domain.payment import About, Notice, Outcome, Proof, Record, Unreadable
from gateways.http import read_json
from gateways.payments.paypal_codes import CAPTURE_STATUS, DISPUTE_OUTCOME, EXPIRED, REFUND_STATUS, UNKNOWN, WAITING, Meaning, read_amount

NAME: Final = "paypal"
KINDS: Final = frozenset({"event"})
EVENT_TYPES: Final = (
    "CHECKOUT.ORDER.APPROVED",
    "CHECKOUT.PAYMENT-APPROVAL.REVERSED",
    "PAYMENT.CAPTURE.COMPLETED",
    "PAYMENT.CAPTURE.PENDING",
    "PAYMENT.CAPTURE.DENIED",
    "PAYMENT.CAPTURE.DECLINED",
    "PAYMENT.CAPTURE.REFUNDED",
    "PAYMENT.CAPTURE.REVERSED",
    "CUSTOMER.DISPUTE.CREATED",
    "CUSTOMER.DISPUTE.UPDATED",
    "CUSTOMER.DISPUTE.RESOLVED",
)
"""What a webhook has to be subscribed to."""

_ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
_WORD: Final = re.compile(r"[A-Za-z0-9_.-]{1,64}", re.ASCII)
_OURS: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_REFUND: Final = re.compile(r"refund-([1-9][0-9]{0,18})-([1-9][0-9]{0,18})", re.ASCII)
_INVOICE: Final = re.compile(r".*-([1-9][0-9]{0,18})", re.ASCII | re.DOTALL)
_CAPTURES: Final[Mapping[str, str]] = {
    "PAYMENT.CAPTURE.COMPLETED": "COMPLETED",
    "PAYMENT.CAPTURE.PENDING": "PENDING",
    "PAYMENT.CAPTURE.DENIED": "DECLINED",
    "PAYMENT.CAPTURE.DECLINED": "DECLINED",
}


def read_notice(kind: str, raw: bytes) -> Notice:
    """One event. A type that means nothing to us is UNKNOWN, its name in `facts`."""
    if kind not in KINDS:
        raise Unreadable("unknown kind")
    event = read_json(raw)
    key, name, resource = text_of(event.get("id"), _ID), text_of(event.get("event_type"), _WORD), event.get("resource")
    if key is None or name is None or not isinstance(resource, dict):
        raise Unreadable("envelope")
    facts: dict[str, Any] = {"event": name}
    if name in _CAPTURES:
        return _capture(key, kind, name, resource, facts)
    if name == "PAYMENT.CAPTURE.REFUNDED":
        return _refund(key, kind, resource, facts)
    if name == "PAYMENT.CAPTURE.REVERSED":
        return _reversal(key, kind, resource, facts)
    if name.startswith("CUSTOMER.DISPUTE."):
        return _dispute(key, kind, name, resource, facts)
    if name.startswith("CHECKOUT."):
        return _order(key, kind, name, resource, facts)
    return Notice(NAME, key, kind, Outcome.UNKNOWN, Proof.PROOF, result=UNKNOWN[1], facts=facts)


def _order(key: str, kind: str, name: str, resource: Mapping[str, Any], facts: dict[str, Any]) -> Notice:
    """An approved order is not paid: it is to be captured. An approval that was taken back never will be."""
    units = a_list(resource.get("purchase_units"))
    meaning: Meaning = WAITING if name in ("CHECKOUT.ORDER.APPROVED", "CHECKOUT.ORDER.COMPLETED") else UNKNOWN
    ref = text_of(resource.get("id"), _ID)
    if name == "CHECKOUT.PAYMENT-APPROVAL.REVERSED":
        meaning, ref = EXPIRED, text_of(resource.get("order_id"), _ID) or ref
    if ref is None:
        raise Unreadable("order")
    return Notice(
        NAME, key, kind, meaning[0], Proof.PROOF, _attempt(an_object(units[0]).get("custom_id")) if units else None, ref, result=meaning[1],
        facts=facts,
    )  # fmt: skip


def _capture(key: str, kind: str, name: str, resource: Mapping[str, Any], facts: dict[str, Any]) -> Notice:
    """The event's name counts: `status` within may have moved on while it waited."""
    receipt = _needed(resource, "id")
    outcome, words = CAPTURE_STATUS[_CAPTURES[name]]
    money = read_amount(resource.get("amount"))
    order = an_object(an_object(resource.get("supplementary_data")).get("related_ids")).get("order_id")
    facts |= _fact("reason", an_object(resource.get("status_details")).get("reason"))
    return Notice(
        NAME, key, kind, outcome, Proof.PROOF, _attempt(resource.get("custom_id")), text_of(order, _ID), receipt, money, _payee(resource), words,
        facts=facts,
    )  # fmt: skip


def _refund(key: str, kind: str, resource: Mapping[str, Any], facts: dict[str, Any]) -> Notice:
    """Of a refund that we asked for, or of one that the seller made at PayPal: then it names no refund of ours."""
    outcome, words = REFUND_STATUS.get(str(resource.get("status")), UNKNOWN)
    refund_id, attempt_id = _refund_of(resource)
    return Notice(
        NAME, key, kind, outcome, Proof.PROOF, attempt_id, None, _up(resource), read_amount(resource.get("amount")), _payee(resource), words,
        refund_id, About.REFUND, _needed(resource, "id"), facts=facts,
    )  # fmt: skip


def _reversal(key: str, kind: str, resource: Mapping[str, Any], facts: dict[str, Any]) -> Notice:
    """A bank or PayPal took the money of a capture. Known by the capture, as a dispute about it is, so that both are one chargeback."""
    capture = _up(resource) or _needed(resource, "id")
    facts |= _fact("reversal", resource.get("id"))
    return Notice(
        NAME, key, kind, Outcome.PENDING, Proof.PROOF, _refund_of(resource)[1], None, capture, read_amount(resource.get("amount")),
        _payee(resource), about=About.CHARGEBACK, refund_ref=capture, facts=facts,
    )  # fmt: skip


def _dispute(key: str, kind: str, name: str, resource: Mapping[str, Any], facts: dict[str, Any]) -> Notice:
    """About one capture, and known by it. Until it is resolved the money is held; whom it went to in the end, its outcome says."""
    dispute = _needed(resource, "dispute_id")
    found = a_list(resource.get("disputed_transactions"))
    about = an_object(found[0]) if found else {}
    capture = _needed(about, "seller_transaction_id")
    code = an_object(resource.get("dispute_outcome")).get("outcome_code")
    outcome = Outcome.PENDING
    if name == "CUSTOMER.DISPUTE.RESOLVED" or resource.get("status") == "RESOLVED":
        outcome = DISPUTE_OUTCOME.get(str(code), Outcome.UNKNOWN)
    facts |= {"dispute": dispute} | _fact("reason", resource.get("reason")) | _fact("outcome", code)
    facts |= _fact("stage", resource.get("dispute_life_cycle_stage"))
    attempt_id = _attempt(about.get("custom")) or _attempt(_last(about.get("invoice_number")))
    return Notice(
        NAME, key, kind, outcome, Proof.PROOF, attempt_id, None, capture, read_amount(resource.get("dispute_amount")),
        text_of(an_object(about.get("seller")).get("merchant_id"), _WORD), about=About.CHARGEBACK, refund_ref=capture,
        facts=facts,
    )  # fmt: skip


def read_record(event: object) -> Record | None:
    """A line of the books out of an event of the list: money that really moved. None for any other. Raises Unreadable for one that is cut."""
    held = an_object(event)
    name, resource = held.get("event_type"), an_object(held.get("resource"))
    about = {
        "PAYMENT.CAPTURE.COMPLETED": About.PAYMENT,
        "PAYMENT.CAPTURE.REFUNDED": About.REFUND,
        "PAYMENT.CAPTURE.REVERSED": About.CHARGEBACK,
    }.get(name if isinstance(name, str) else "")
    at, ref = _instant(held.get("create_time")), text_of(resource.get("id"), _ID)
    if about is None or (about is About.REFUND and resource.get("status") != "COMPLETED"):
        return None
    if at is None or ref is None:
        raise Unreadable("an event's time or id")
    money = read_amount(resource.get("amount"))
    fee = an_object(resource.get("seller_receivable_breakdown")).get("paypal_fee")
    taken: Money | None = read_amount(fee) if about is About.PAYMENT and fee is not None else None
    return Record(about, ref, ref if about is About.PAYMENT else _up(resource), money, at, taken)


def _instant(value: object) -> datetime | None:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    return None if at is None or at.tzinfo is None else at.astimezone(UTC)


def text_of(value: object, shape: re.Pattern[str]) -> str | None:
    return value if isinstance(value, str) and shape.fullmatch(value) else None


def an_object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def a_list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else ()


def _needed(resource: Mapping[str, Any], name: str) -> str:
    found = text_of(resource.get(name), _ID)
    if found is None:
        raise Unreadable(name)
    return found


def _attempt(value: object) -> AttemptId | None:
    """Our attempt's id, which was sent as `custom_id`; None for what somebody else sent."""
    found = text_of(value, _OURS)
    return None if found is None or int(found) >= 1 << 63 else AttemptId(int(found))


def _refund_of(resource: Mapping[str, Any]) -> tuple[RefundId | None, AttemptId | None]:
    custom = resource.get("custom_id")
    found = _REFUND.fullmatch(custom) if isinstance(custom, str) else None
    if found is None:
        return None, _attempt(custom)
    return RefundId(int(found[1])), AttemptId(int(found[2]))


def _last(invoice: object) -> str | None:
    found = _INVOICE.fullmatch(invoice) if isinstance(invoice, str) else None
    return None if found is None else found[1]


def _up(resource: Mapping[str, Any]) -> str | None:
    """The capture that a refund is of: only its link says so."""
    for link in a_list(resource.get("links")):
        one = an_object(link)
        href = one.get("href")
        if one.get("rel") == "up" and isinstance(href, str):
            return text_of(href.rstrip("/").rpartition("/")[2], _WORD)
    return None


def _payee(resource: Mapping[str, Any]) -> str | None:
    return text_of(an_object(resource.get("payee")).get("merchant_id"), _WORD)


def _fact(name: str, value: object) -> dict[str, str]:
    found = text_of(value, _ID)
    return {} if found is None else {name: found}
