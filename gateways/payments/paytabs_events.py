"""What PayTabs tells of a transaction, read strictly, in a callback, an IPN or a reply alike. Offline; raises Unreadable and nothing else."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from domain.errors import BadInput
from domain.ids import AttemptId, RefundId
from domain.money import EXPONENTS, MOST_MINOR, Money, from_major
from domain.payment import About, Notice, Outcome, Proof, Unreadable
from gateways.http import read_json
from gateways.payments.paytabs_codes import GOING_BACK, Meaning, refund_meaning, sale_meaning

NAME: Final = "paytabs"
EVENT: Final = "event"
"""The one kind: the callback of a payment and the IPN of the account have the same body."""
_REF: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_ATTEMPT: Final = re.compile(r"payloom-([1-9][0-9]{0,18})", re.ASCII)
_REFUND: Final = re.compile(r"payloom-refund-([1-9][0-9]{0,18})", re.ASCII)
_LONGEST_KEY: Final = 160


@dataclass(frozen=True, slots=True)
class Transaction:
    """One of theirs. `money` is what really moved where that is told, else what the cart asks for; None in a currency we do not know."""

    ref: str
    kind: str
    cart: str
    profile: str
    letter: str
    code: str
    money: Money | None
    asked: Money | None
    before: str | None

    @property
    def goes_back(self) -> bool:
        return self.kind in GOING_BACK

    @property
    def meaning(self) -> Meaning:
        """Only a sale takes money: what an `auth` holds is not there yet, and other kinds say nothing of ours."""
        if self.goes_back:
            return refund_meaning(self.letter)
        outcome, words = sale_meaning(self.letter, self.code)
        if outcome is not Outcome.SUCCEEDED or self.kind == "sale":
            return outcome, words
        return (Outcome.PENDING, "waiting") if self.kind == "auth" else (Outcome.UNKNOWN, "unknown")


def cart_of(attempt_id: AttemptId) -> str:
    return f"payloom-{attempt_id}"


def refund_cart(refund_id: RefundId) -> str:
    """A cart of its own: a refund with the cart and amount of another request within two minutes is called a duplicate."""
    return f"payloom-refund-{refund_id}"


def signed(raw: bytes, told: str, keys: tuple[str, ...]) -> bool:
    """Whether `told` is the lower-case hex HMAC-SHA256 of the whole body under one of our server keys; an empty key is none."""
    right = [hmac.compare_digest(hmac.new(key.encode(), raw, hashlib.sha256).hexdigest().encode(), told.encode()) for key in keys if key]
    return any(right)


def encode(body: Mapping[str, Any]) -> bytes:
    """JSON in which Money stands as a plain decimal number in major units, exact to the last decimal of its currency."""
    fields = (f"{json.dumps(name)}:{value.major if isinstance(value, Money) else json.dumps(value)}" for name, value in body.items())
    return ("{" + ",".join(fields) + "}").encode()


def read_notice(kind: str, raw: bytes) -> Notice:
    if kind != EVENT:
        raise Unreadable("unknown kind")
    found = read_transaction(read_json(raw))
    outcome, words = found.meaning
    if outcome is Outcome.SUCCEEDED and found.money is None:
        outcome, words = Outcome.UNKNOWN, "unknown"
    paid, of_refund = outcome is Outcome.SUCCEEDED, _REFUND.fullmatch(found.cart)
    attempt = _ATTEMPT.fullmatch(found.cart)
    facts = {"type": found.kind, "letter": found.letter, "code": found.code, "transaction": found.ref}
    return Notice(
        NAME, _key(found), EVENT, outcome, Proof.PROOF, attempt_id=AttemptId(int(attempt[1])) if attempt else None,
        ref=found.before if found.goes_back else found.ref, receipt=found.ref if paid and not found.goes_back else None,
        money=found.money if paid or found.goes_back else None, result=words, refund_id=RefundId(int(of_refund[1])) if of_refund else None,
        about=About.REFUND if found.goes_back else About.PAYMENT, refund_ref=found.ref if found.goes_back else None, facts=facts,
    )  # fmt: skip


def read_transaction(body: Mapping[str, Any]) -> Transaction:
    """`payment_result` is missing while the page waits for its payer: the letter is empty then."""
    result = body.get("payment_result")
    if result is not None and not isinstance(result, dict):
        raise Unreadable("payment_result")
    kind, before, profile = body.get("tran_type"), body.get("previous_tran_ref"), body.get("profile_id", body.get("profileId"))
    if not isinstance(kind, str) or not isinstance(profile, int | str | None) or isinstance(profile, bool):
        raise Unreadable("tran_type" if not isinstance(kind, str) else "profile_id")
    asked = _money(body, "cart_amount", "cart_currency")
    moved = result and body.get("tran_total") not in (None, "", "0") and body.get("tran_currency")
    return Transaction(
        ref=_match(_REF, body.get("tran_ref"), "tran_ref"),
        kind=kind.strip().casefold()[:32],
        cart=_text(body.get("cart_id")),
        profile=str(profile or "")[:32],
        letter=_text(result.get("response_status"))[:1] if result else "",
        code=_code(result.get("response_code")) if result else "",
        money=_money(body, "tran_total", "tran_currency") if moved else asked,
        asked=asked,
        before=_match(_REF, before, "previous_tran_ref") if before else None,
    )


def _money(body: Mapping[str, Any], amount: str, currency: str) -> Money | None:
    """A plain decimal in major units, as text or as a number: no sign, no exponent, no grouping, no decimals the currency has not."""
    value, code = body.get(amount), body.get(currency)
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal) or not isinstance(code, str):
        raise Unreadable(amount)
    if code not in EXPONENTS:
        return None
    try:
        money = from_major(str(value), code)
    except (BadInput, ValueError):
        raise Unreadable(amount) from None
    if money.amount_minor > MOST_MINOR:
        raise Unreadable(amount)
    return money


def _text(value: object) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > 128:
        raise Unreadable("text")
    return value


def _code(value: object) -> str:
    """Free-form where it went well (`G08490`); a number or text where it did not."""
    said = str(value) if type(value) is int and abs(value) < 10**9 else value
    return said if isinstance(said, str) and _CODE.fullmatch(said) else ""


def _match(pattern: re.Pattern[str], value: object, name: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise Unreadable(name)
    return value


def _key(found: Transaction) -> str:
    """The same state of the same transaction gives the same key, whether callback or IPN told it; what it says is part of it."""
    amount = "" if found.money is None else f"{found.money.amount_minor}{found.money.currency}"
    key = f"{found.ref}:{found.kind}:{found.letter}:{found.code}:{amount}:{found.cart}"
    return key if len(key) <= _LONGEST_KEY else f"{found.ref}:{hashlib.sha256(key.encode()).hexdigest()}"
