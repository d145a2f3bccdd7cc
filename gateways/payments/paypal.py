"""Back room: PayPal, Orders v2 by redirect, captured when the payer has approved; Payments v2 refunds. developer.paypal.com/docs/api.

An order that is not captured moves no money, and only `fetch` captures: so an attempt that has ended, or waited too long, ends for good.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import structlog

from domain.life import AttemptState
from domain.money import Money
from domain.payment import CHECKOUT_LASTS, Ability, About, Ask, Attempt, Method, Notice, Outcome, Proof, Record, Refund, Reply, Unreadable
from domain.ports import Clock
from domain.statement import Bookkeeping, NoBooks
from gateways.http import MOST_BYTES, Http, Unknown
from gateways.payments.paypal_certificates import Certificates
from gateways.payments.paypal_codes import (
    CAPTURE_STATUS,
    EXPIRED,
    MOST_MINOR,
    REFUND_STATUS,
    UNKNOWN,
    WAITING,
    payable_currencies,
    payment_refusal,
    read_amount,
    refund_refusal,
    written,
)
from gateways.payments.paypal_events import KINDS, NAME, a_list, an_object, read_notice, read_record, text_of
from gateways.payments.paypal_wire import FIELDS, Account, Refused, Said, Wire, failed, origin, read_account

LIVE: Final = "https://api-m.paypal.com"
SANDBOX: Final = "https://api-m.sandbox.paypal.com"
PAGES: Final[Mapping[str, frozenset[str]]] = {
    LIVE: frozenset({"https://www.paypal.com"}),
    SANDBOX: frozenset({"https://www.sandbox.paypal.com"}),
}
"""Where the page stands on which a payer approves; with any other address of the API, there."""
LOCALES: Final = {"en": "en-US", "ar": "ar-EG"}
"""PayPal has no Swahili."""
EXPIRES_AFTER: Final = CHECKOUT_LASTS + timedelta(minutes=2)
"""Nothing is captured after CHECKOUT_LASTS; the two minutes are for a capture that is under way then."""
FORGOTTEN_AFTER: Final = timedelta(hours=3)
"""PayPal forgets an order that nobody approved after this long."""
LONGEST_KEY: Final = 108
PAGE_SIZE: Final = 100
MOST_PAGES: Final = 200
_ENDED: Final = frozenset({AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED})
_DONE_ALREADY: Final = frozenset({"ORDER_ALREADY_CAPTURED", "ORDER_COMPLETED_OR_VOIDED"})
_REF: Final = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
EVENTS_KEPT: Final = timedelta(days=29)
"""They keep 30 days."""
_BOOKS: Final = Bookkeeping(frozenset({About.PAYMENT, About.REFUND}), reaches=EVENTS_KEPT)
_EVENTS: Final = "/v1/notifications/webhooks-events"
_ABILITY: Final = Ability(
    NAME, frozenset({Method.PAYPAL}), payable_currencies(), {}, 1, MOST_MINOR, True, Proof.PROOF, repeatable_refunds=True
)  # fmt: skip

log = structlog.get_logger(__name__)


class PayPal:
    """`base_url` is LIVE, SANDBOX or a town. Credentials are named in FIELDS: client_id, client_secret; webhook_id, without which no event is
    authentic; merchant_id, which may be empty, is the payee that orders must name.
    """

    def __init__(self, http: Http, base_url: str, clock: Clock) -> None:
        self._wire = Wire(http, base_url, clock)
        self._clock = clock
        self._certificates = Certificates(http, base_url, clock)
        self._pages = PAGES.get(base_url.rstrip("/"), frozenset({origin(base_url)}))

    async def aclose(self) -> None:
        await self._wire.aclose()

    @property
    def ability(self) -> Ability:
        return _ABILITY

    async def start(self, ask: Ask) -> Reply:
        """POST /v2/checkout/orders: PENDING with the page to approve on. What got no answer is asked once more under the same key."""
        account = read_account(ask.credentials)
        if account is None:
            return Reply(Outcome.DECLINED, result="configuration")
        amount = written(ask.money)
        if amount is None:
            return Reply(Outcome.DECLINED, result="amount_refused")
        if not origin(ask.back_url):
            return Reply(Outcome.DECLINED, result="address_refused")
        context = {
            "locale": LOCALES.get(ask.language, "en-US"),
            "shipping_preference": "NO_SHIPPING",
            "user_action": "PAY_NOW",
            # A bank transfer of days cannot pay a checkout of half an hour.
            "payment_method_preference": "IMMEDIATE_PAYMENT_REQUIRED",
            "return_url": ask.back_url,
            "cancel_url": ask.back_url,
        }
        unit = {
            "reference_id": ask.reference[:256] or "default",
            "custom_id": str(ask.attempt_id),
            "invoice_id": f"{ask.reference[:80]}-{ask.attempt_id}",
            "description": " ".join(ask.description.split())[:127] or "Payment",
            "amount": amount,
        }
        body = {"intent": "CAPTURE", "purchase_units": [unit], "payment_source": {"paypal": {"experience_context": context}}}
        key = _key(ask.key or f"attempt-{ask.attempt_id}")
        said = await self._wire.call(account, "POST", "/v2/checkout/orders", body, key)
        if isinstance(said, Unknown):
            said = await self._wire.call(account, "POST", "/v2/checkout/orders", body, key)
        if isinstance(said, Refused):
            outcome, words = payment_refusal(said.issues)
            return Reply(Outcome.DECLINED, result=words if outcome is Outcome.DECLINED else "configuration")
        if not isinstance(said, Mapping):
            return failed(said)
        return self._started(said)

    def _started(self, order: Mapping[str, Any]) -> Reply:
        """The link is `payer-action`, or `approve` as it was. A page that stands elsewhere than PayPal's is nothing to send a payer to."""
        ref = text_of(order.get("id"), _REF)
        if ref is None:
            return Reply(Outcome.UNKNOWN, result="unknown")
        links = {one.get("rel"): one.get("href") for one in a_list(order.get("links")) if isinstance(one, dict)}
        url = links.get("payer-action") or links.get("approve")
        if not isinstance(url, str) or origin(url) not in self._pages:
            log.warning("paypal_order_without_page", why="its link is missing or does not lead to PayPal")
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        return Reply(Outcome.PENDING, ref, WAITING[1], url=url)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """GET /v2/checkout/orders/{id}. An approved order of an attempt that is still waited for is captured, under one key for ever."""
        account = read_account(credentials)
        if attempt.ref is None or account is None or _REF.fullmatch(attempt.ref) is None:
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown" if account is not None else "configuration")
        said = await self._order(account, attempt.ref)
        reply = self._judge(said, attempt, account)
        if reply is not None:
            return reply
        path = f"/v2/checkout/orders/{attempt.ref}/capture"
        said = await self._wire.call(account, "POST", path, {}, f"{attempt.id}-capture")
        if isinstance(said, Mapping) or (isinstance(said, Refused) and _DONE_ALREADY.intersection(said.issues)):
            # What the order says afterwards is the truth: a capture's own answer may be cut short.
            said = await self._order(account, attempt.ref)
            return self._judge(said, attempt, account) or Reply(WAITING[0], attempt.ref, WAITING[1])
        if isinstance(said, Refused):
            outcome, words = payment_refusal(said.issues)
            return Reply(outcome, attempt.ref, words)
        return self._judge(said, attempt, account) or Reply(Outcome.UNKNOWN, attempt.ref, "unknown")

    async def _order(self, account: Account, ref: str) -> Said:
        return await self._wire.call(account, "GET", f"/v2/checkout/orders/{ref}")

    def _judge(self, said: Said, attempt: Attempt, account: Account) -> Reply | None:
        """What an order says of its attempt; None when it is approved and to be captured."""
        ref, age = attempt.ref, self._clock.now() - attempt.created_at
        if isinstance(said, Refused):
            if said.status == 404 and age >= FORGOTTEN_AFTER and attempt.settled_at is None:
                return Reply(EXPIRED[0], ref, EXPIRED[1])
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        if not isinstance(said, Mapping):
            reply = failed(said)
            return Reply(Outcome.UNKNOWN, ref, reply.result, reply.retry_after_s)
        unit = _unit(said, attempt, account)
        if unit is None:
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        if (captured := _captured(unit, attempt)) is not None:
            return captured
        status, late = said.get("status"), attempt.state in _ENDED or not attempt.live or age >= EXPIRES_AFTER
        if status in ("CREATED", "SAVED", "PAYER_ACTION_REQUIRED", "APPROVED"):
            if late:
                return Reply(EXPIRED[0], ref, EXPIRED[1])
            return None if status == "APPROVED" and age < CHECKOUT_LASTS else Reply(WAITING[0], ref, WAITING[1])
        if status == "VOIDED":
            return Reply(EXPIRED[0], ref, EXPIRED[1])
        return Reply(Outcome.UNKNOWN, ref, "unknown")

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """POST /v2/payments/captures/{id}/refund, whole or part. Sending again under the same key tells how the first stands, for 45 days."""
        account = read_account(credentials)
        if account is None:
            return Reply(Outcome.DECLINED, result="configuration")
        amount = written(refund.money)
        if amount is None or _REF.fullmatch(receipt) is None:
            return Reply(Outcome.DECLINED, result="amount_refused" if amount is None else "paypal_not_refundable")
        body = {
            "amount": amount,
            "custom_id": f"refund-{refund.id}-{refund.attempt_id}",
            "invoice_id": f"refund-{refund.id}",
        }
        said = await self._wire.call(account, "POST", f"/v2/payments/captures/{receipt}/refund", body, f"refund-{refund.id}")
        if isinstance(said, Refused):
            if "CAPTURE_FULLY_REFUNDED" in said.issues and await self._was_whole(account, receipt, refund.money):
                return Reply(Outcome.SUCCEEDED, result="already_refunded")
            outcome, words = refund_refusal(said.issues)
            return Reply(outcome, result=words, retry_after_s=3600 if outcome is Outcome.NOT_SENT else None)
        if not isinstance(said, Mapping):
            return failed(said)
        ref = text_of(said.get("id"), _REF)
        outcome, words = REFUND_STATUS.get(str(said.get("status")), UNKNOWN)
        return Reply(outcome, ref, words) if ref is not None else Reply(Outcome.UNKNOWN, result="unknown")

    async def _was_whole(self, account: Account, capture: str, money: Money) -> bool:
        """Whether all that this capture took, which went back already, is what was to be refunded."""
        said = await self._wire.call(account, "GET", f"/v2/payments/captures/{capture}")
        try:
            return isinstance(said, Mapping) and said.get("status") == "REFUNDED" and read_amount(said.get("amount")) == money
        except Unreadable:
            return False

    async def prepare(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> None:
        """Fetch the certificate that an event names, unless it is held."""
        if kind in KINDS:
            await self._certificates.fetch(headers.get("paypal-cert-url", ""))

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """By PayPal's signature over id, time, our webhook id and the CRC32 of the body, with a certificate that `prepare` fetched; and about
        money of our merchant, where that is set: an app may hear of the sales of others."""
        if kind not in KINDS or not self._certificates.signed(raw, headers, credentials.get("webhook_id", "").strip()):
            return False
        try:
            payee = read_notice(kind, raw).payee
        except Unreadable:
            return True  # it is theirs all the same: kept, and looked at by a person
        if payee in (None, credentials.get("merchant_id", "").strip() or payee):
            return True
        log.warning("paypal_event_of_other_merchant", why="the money it tells of is not of the merchant that is set")
        return False

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """Kind: `event`. `facts` holds the event's own name as `event`. Raises Unreadable."""
        return read_notice(kind, raw)

    @property
    def books(self) -> Bookkeeping:
        return _BOOKS

    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        """GET /v1/notifications/webhooks-events: what moved, as PayPal told this app of it. Raises NoBooks when it cannot be read whole."""
        account = read_account(credentials)
        if account is None:
            raise NoBooks("configuration")
        if since < self._clock.now() - EVENTS_KEPT - timedelta(days=1):
            raise NoBooks("older than they keep")
        query = {"page_size": PAGE_SIZE, "start_time": _stamp(since), "end_time": _stamp(until + timedelta(seconds=1))}
        path = f"{_EVENTS}?{urlencode(query)}"
        found: dict[tuple[str, str], Record] = {}
        for _ in range(MOST_PAGES):
            said = await self._wire.call(account, "GET", path, limit=MOST_BYTES)
            if not isinstance(said, Mapping) or not isinstance(said.get("events"), list):
                raise NoBooks(f"a page of events: {type(said).__name__}")
            try:
                records = [read_record(event) for event in said["events"]]
            except Unreadable as problem:
                raise NoBooks(str(problem)) from None
            for record in records:
                if record is not None and since <= record.at < until:
                    found.setdefault((record.about, record.ref), record)
            following = _next(said)
            if following is None:
                return sorted(found.values(), key=lambda record: record.at)
            path = following
        raise NoBooks("more pages than can be")

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when PayPal gives a token for these credentials, else the words key of what is wrong."""
        account = read_account(credentials)
        return "configuration" if account is None else await self._wire.token(account)


def _key(key: str) -> str:
    """A header can hold 108 printable characters; another key is replaced by its digest."""
    plain = len(key) <= LONGEST_KEY and key.isascii() and key.isprintable() and " " not in key
    return key if plain else hashlib.sha256(key.encode()).hexdigest()


def _unit(order: Mapping[str, Any], attempt: Attempt, account: Account) -> Mapping[str, Any] | None:
    """The one purchase unit, if the order is this attempt's in every way: id, our id, payee and amount. Else it proves nothing."""
    units = a_list(order.get("purchase_units"))
    unit = an_object(units[0]) if len(units) == 1 else {}
    try:
        money = read_amount(unit.get("amount"))
    except Unreadable:
        money = None
    payee = an_object(unit.get("payee")).get("merchant_id")
    wrong = [
        what
        for what, fits in (
            ("order", order.get("id") == attempt.ref),
            ("attempt", unit.get("custom_id") == str(attempt.id)),
            ("amount", money == attempt.money),
            ("payee", not account.merchant_id or payee in (None, account.merchant_id)),
        )
        if not fits
    ]
    if not wrong:
        return unit
    log.warning(
        "paypal_order_of_another", wrong=wrong, why="the order does not say what was asked for: it is not captured and proves nothing"
    )
    return None


def _captured(unit: Mapping[str, Any], attempt: Attempt) -> Reply | None:
    """What the capture says: the order's COMPLETED is not enough. None when there is none."""
    captures = [an_object(one) for one in a_list(an_object(unit.get("payments")).get("captures"))]
    if not captures:
        return None
    capture = next((one for one in captures if CAPTURE_STATUS.get(str(one.get("status")), UNKNOWN)[0] is Outcome.SUCCEEDED), captures[-1])
    receipt = text_of(capture.get("id"), _REF)
    outcome, words = CAPTURE_STATUS.get(str(capture.get("status")), UNKNOWN)
    try:
        money = read_amount(capture.get("amount"))
    except Unreadable:
        money = None
    if receipt is None or money != attempt.money:
        log.error("paypal_captured_other", why="the capture is not of the amount that was asked for", asked=attempt.money.major)
        return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
    return Reply(outcome, attempt.ref, words, receipt=receipt)


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _next(said: Mapping[str, Any]) -> str | None:
    """Path and query of the next page, asked of where we ask; never of where a link may lead."""
    for link in a_list(said.get("links")):
        one = an_object(link)
        href = one.get("href")
        if one.get("rel") == "next" and isinstance(href, str):
            parts = urlsplit(href)
            return f"{_EVENTS}?{quote(parts.query, safe='=&%:+-_.~')}" if parts.path.endswith(_EVENTS) else None
    return None


__all__ = ["FIELDS", "LIVE", "SANDBOX", "PayPal"]
