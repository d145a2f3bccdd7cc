"""What Moyasar posts to us and replies, read strictly: webhooks, invoices, payments. Offline; raises Unreadable and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from domain.ids import AttemptId
from domain.money import EXPONENTS, MOST_MINOR, Money
from domain.payment import About, Notice, Outcome, Proof, Unreadable
from gateways.http import read_json
from gateways.payments.moyasar_codes import EVENTS, RETURNED, TAKEN, WENT_BACK, card_words

NAME: Final = "moyasar"
WEBHOOK, INVOICE = "event", "invoice"
"""Kinds: a webhook of the account (carries the secret), and the unsigned POST of an invoice that was paid to its own secret address."""
KINDS: Final = frozenset({WEBHOOK, INVOICE})
ATTEMPT: Final = "attempt"
"""Our key in the metadata of an invoice."""
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_TYPE: Final = re.compile(r"[a-z0-9_.]{1,64}", re.ASCII)
_NUMBER: Final = re.compile(r"[1-9][0-9]{0,18}", re.ASCII)
_TOKEN: Final = re.compile(rb'"secret_token"\s*:\s*"(?:[^"\\]|\\.)*"')
_LONGEST_KEY: Final = 160


def read_notice(kind: str, raw: bytes) -> Notice:
    body = read_json(raw)
    if kind == WEBHOOK:
        return _webhook(body)
    if kind == INVOICE:
        return _invoice(body)
    raise Unreadable("unknown kind")


def told_secret(raw: bytes, secrets: tuple[str, ...], live: bool) -> bool:
    """Whether a webhook knows one of our secrets and speaks of the mode we are in (one address gets test and live events)."""
    try:
        body = read_json(raw)
    except Unreadable:
        return False
    told = body.get("secret_token")
    if not isinstance(told, str):
        return False
    right = [hmac.compare_digest(told.encode(), secret.encode()) for secret in secrets if secret]
    return any(right) and body.get("live") is live


def without_secret(raw: bytes) -> bytes:
    """The body as it may be kept and logged."""
    return _TOKEN.sub(b'"secret_token":"[redacted]"', raw)


def _webhook(body: Mapping[str, Any]) -> Notice:
    """{"id", "type", "created_at", "secret_token", "live", "data": payment}. A type we do not know says nothing."""
    event, kind, data = _id(body.get("id"), "id"), body.get("type"), body.get("data")
    if not isinstance(kind, str) or not _TYPE.fullmatch(kind):
        raise Unreadable("type")
    if kind not in EVENTS:
        return Notice(NAME, _key(event, kind), WEBHOOK, Outcome.UNKNOWN, Proof.HINT, facts={"type": kind})
    if not isinstance(data, dict):
        raise Unreadable("data")
    payment, state = _id(data.get("id"), "data.id"), text(data.get("status"))
    money, refunded = money_of(data), whole(data.get("refunded", 0), "refunded")
    facts = {"type": kind, "state": state, "payment": payment} | ({} if money else {"currency": text(data.get("currency"))})
    key = _key(event, kind, payment, state, "" if money is None else str(money.amount_minor), str(refunded))
    invoice = data.get("invoice_id")
    notice = Notice(
        NAME, key, WEBHOOK, EVENTS[kind], Proof.HINT, attempt_id=attempt_in(data), ref=None if invoice is None else _id(invoice, "invoice_id"),
        receipt=payment, money=money, facts=facts,
    )  # fmt: skip
    if kind in WENT_BACK:
        return _back(notice, state, refunded)
    if notice.outcome is Outcome.SUCCEEDED and (state not in TAKEN or money is None):
        return _but(notice, Outcome.UNKNOWN, "unknown")
    words = {Outcome.SUCCEEDED: "paid", Outcome.UNKNOWN: "unknown"}.get(notice.outcome) or _why_not(kind, data)
    return _but(notice, notice.outcome, words)


def _why_not(kind: str, data: Mapping[str, Any]) -> str:
    failed = kind in {"payment_failed", "payment_faild", "card_auth_failed"}
    return card_words(data.get("source"), kind) if failed else "waiting"


def _but(notice: Notice, outcome: Outcome, words: str) -> Notice:
    """A receipt and an amount only stand with a success: nothing else has taken money."""
    paid = outcome is Outcome.SUCCEEDED
    return Notice(
        notice.gateway, notice.event_key, notice.kind, outcome, notice.proof, notice.attempt_id, notice.ref,
        notice.receipt if paid else None, notice.money if paid else None, result=words, facts=notice.facts,
    )  # fmt: skip


def _back(notice: Notice, state: str, refunded: int) -> Notice:
    """Money that went back. They tell the sum of all refunds only (`facts.refunded_minor`), so what this one took is known where it was all;
    else it is 0, which fits no book: a part that we did not ask for ourselves goes to a person, and is never taken for the whole.
    """
    if notice.facts["type"] == "payment_voided" and notice.money is not None:
        refunded = notice.money.amount_minor
    known = notice.money is not None and state in RETURNED | TAKEN and refunded > 0
    part = notice.money is not None and refunded != notice.money.amount_minor
    money = Money(0, notice.money.currency) if notice.money is not None and part else notice.money
    return Notice(
        notice.gateway, notice.event_key, notice.kind, Outcome.SUCCEEDED if known else Outcome.UNKNOWN, notice.proof, notice.attempt_id,
        notice.ref, notice.receipt, money, result="refunded", about=About.REFUND, refund_ref=refund_ref(str(notice.receipt), refunded),
        facts={**notice.facts, "refunded_minor": refunded},
    )  # fmt: skip


def _invoice(body: Mapping[str, Any]) -> Notice:
    """The invoice itself, unsigned: which one is said by the address, and nothing but `paid` is of use."""
    invoice, state = _id(body.get("id"), "id"), text(body.get("status"))
    money, payment = money_of(body), taken_payment(body)
    paid = state == "paid" and money is not None
    receipt = None if payment is None else _id(payment.get("id"), "payments.id")
    key = _key(INVOICE, invoice, state, "" if money is None else str(money.amount_minor), receipt or "")
    return Notice(
        NAME, key, INVOICE, Outcome.SUCCEEDED if paid else Outcome.PENDING, Proof.HINT, attempt_id=attempt_in(body), ref=invoice,
        receipt=receipt if paid else None, money=money if paid else None, result="paid" if paid else "waiting", facts={"state": state},
    )  # fmt: skip


def refund_ref(payment: str, refunded: int) -> str:
    """Their refunds have no ids: the payment and what went back of it in all after this one, which grows with each."""
    return f"{payment}:{refunded}"


def taken_payment(invoice: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The payment of an invoice whose money was taken; several that failed may stand beside it."""
    payments = invoice.get("payments")
    found = [one for one in payments if isinstance(one, dict)] if isinstance(payments, list) else []
    return next((one for one in found if one.get("status") in TAKEN | RETURNED), None)


def attempt_in(thing: Mapping[str, Any]) -> AttemptId | None:
    """Our attempt's id in the metadata; None where there is none (the payment on an invoice has no metadata)."""
    metadata = thing.get("metadata")
    value = metadata.get(ATTEMPT) if isinstance(metadata, dict) else None
    return AttemptId(int(value)) if isinstance(value, str) and _NUMBER.fullmatch(value) else None


def money_of(thing: Mapping[str, Any], name: str = "amount") -> Money | None:
    """`amount` in the currency's smallest unit, an integer and nothing else; None for a currency that we do not know."""
    amount, currency = whole(thing.get(name), name), thing.get("currency")
    if not isinstance(currency, str):
        raise Unreadable("currency")
    return Money(amount, currency) if currency in EXPONENTS else None


def whole(value: object, name: str) -> int:
    if type(value) is not int or not 0 <= value <= MOST_MINOR:
        raise Unreadable(name)
    return value


def moment(value: object, name: str) -> datetime:
    """ISO 8601 with its zone."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise Unreadable(name)
    return at.astimezone(UTC)


def text(value: object) -> str:
    return value if isinstance(value, str) and len(value) <= 64 else ""


def id_in(thing: Mapping[str, Any], name: str = "id") -> str:
    """An id that may stand in an address; empty for anything else."""
    value = thing.get(name)
    return value if isinstance(value, str) and _ID.fullmatch(value) else ""


def _id(value: object, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable(name)
    return value


def _key(*parts: str) -> str:
    """The same event gives the same key; what it says is part of it, so that a lie cannot keep the truth out of the inbox."""
    key = ":".join(parts)
    return key if len(key) <= _LONGEST_KEY else f"{parts[0][:64]}:{hashlib.sha256(key.encode()).hexdigest()}"
