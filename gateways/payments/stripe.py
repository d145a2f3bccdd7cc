"""Back room: Stripe Checkout (hosted page, mode=payment), refunds, disputes, webhooks. API 2026-10-28.endive, docs.stripe.com/api.

All calls go through the official package, over our own HTTP client and without its retries. Cards, Apple Pay and Google Pay are all on the
one hosted page. What is not answered is UNKNOWN and asked about; every change carries an idempotency key, so that sending it again is safe.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import stripe
import structlog
from stripe.params.checkout import SessionCreateParams

from domain.errors import BadInput
from domain.money import Money
from domain.payment import Ability, About, Ask, Attempt, Method, Notice, Outcome, Proof, Record, Refund, Reply, Unreadable
from domain.ports import Clock
from domain.statement import Bookkeeping, NoBooks
from gateways.http import CALLBACK_BYTES, Http, read_json
from gateways.payments.stripe_books import Books
from gateways.payments.stripe_events import ATTEMPT, KIND, NAME, REFUND, Session, an_id, read_notice, read_refund, read_session, read_told
from gateways.payments.stripe_units import LEAST, MOST, Units
from gateways.payments.stripe_wire import VERSION, Wire, client, failed

LIVE: Final = "https://api.stripe.com"
"""Test and live differ by the key only."""
FIELDS: Final = ("secret_key", "webhook_secret", "webhook_secret_before")
"""Credentials: sk_ or rk_ key; whsec_ of the webhook endpoint; the secret it had before, while it is being rolled (else empty)."""
API_VERSION: Final = VERSION
TOLERANCE_S: Final = 300
"""How far a signature's time may be from ours, either way."""
SHORTEST: Final = timedelta(minutes=31)
LONGEST: Final = timedelta(hours=23, minutes=55)
"""A session lasts strictly more than 30 minutes and strictly less than 24 hours; the rest is for clocks that differ."""
LOST_AFTER: Final = timedelta(minutes=10)
"""A session that is not in the list this long after it was asked for was never made."""
_METHODS: Final = frozenset({Method.VISA, Method.MASTERCARD, Method.APPLE_PAY, Method.GOOGLE_PAY})
_KEY: Final = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]{4,250}", re.ASCII)
_PLAIN: Final = re.compile(r"[!-~]{1,255}", re.ASCII)
_URL: Final = re.compile(r"https?://[!-~]{1,2000}", re.ASCII)
_LACKING: Final = frozenset({404, 405, 501})
"""Without a code: an address that the server does not have. Stripe has them all; somebody's imitation of it may not."""
_SIGNATURE: Final = re.compile(r"[0-9a-f]{64}", re.ASCII)
_BOOKS: Final = Bookkeeping(frozenset({About.PAYMENT, About.REFUND, About.CHARGEBACK}))

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Account:
    """Whose money it is."""

    secret_key: str = field(repr=False)

    @property
    def live(self) -> bool:
        return "_live_" in self.secret_key[:8]


class Stripe:
    """`base_url` is LIVE but in a town. `decimals` tells how UGX is counted (see `stripe_units`); untold, it cannot be paid with.

    Credentials (keys of the mapping): FIELDS. The webhook endpoint is to be made with API_VERSION and `stripe_events.EVENTS`.
    Receipts are payment intents (`pi_...`), refs are sessions (`cs_...`).
    """

    def __init__(self, http: Http, base_url: str, clock: Clock, decimals: Mapping[str, int] | None = None) -> None:
        self._wire = Wire(http)
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._units = Units(dict(decimals or {}))
        self._read_last: tuple[bytes, Mapping[str, Any]] = (b"", {})
        self._ability = Ability(
            NAME, _METHODS, self._units.currencies, self._units.steps, LEAST, MOST, True, Proof.PROOF, repeatable_refunds=True
        )

    @property
    def ability(self) -> Ability:
        return self._ability

    async def start(self, ask: Ask) -> Reply:
        """POST /v1/checkout/sessions. PENDING with the page's address; the payer has at least 31 minutes there, whatever the ask says."""
        account = _read(ask.credentials)
        if account is None or ask.method not in _METHODS:
            return Reply(Outcome.DECLINED, result="configuration")
        if not _URL.fullmatch(ask.back_url):
            return Reply(Outcome.DECLINED, result="address_refused")
        try:
            amount = self._units.into(ask.money)
        except BadInput as problem:
            return Reply(Outcome.DECLINED, result=problem.reason)
        key = ask.key if _PLAIN.fullmatch(ask.key) else f"attempt-{ask.attempt_id}"
        try:
            made = await self._client(account).v1.checkout.sessions.create_async(
                _page(ask, amount, self._until(ask.expires_at)), {"idempotency_key": key}
            )
            session = read_session(made.to_dict(), self._units)
        except stripe.StripeError as problem:
            return self._failed("start", problem)
        except Unreadable:
            return Reply(Outcome.UNKNOWN, result="unknown")
        wrong = self._wrong(session, account, int(ask.attempt_id), ask.money)
        if wrong is not None or session.url is None:
            return Reply(Outcome.UNKNOWN, session.id, wrong or "unknown")
        return Reply(Outcome.PENDING, session.id, url=session.url)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """GET /v1/checkout/sessions/{id}; without an id (its answer was lost) it is looked for among those made since.

        Another amount, currency, attempt or mode than ours proves nothing: UNKNOWN, with `other_amount` or `other_account`.
        """
        account = _read(credentials)
        if account is None:
            return Reply(Outcome.UNKNOWN, attempt.ref, "configuration")
        try:
            if attempt.ref is None:
                session = await self._books(account).session_of(attempt)
                if session is None:
                    late = self._clock.now() - attempt.created_at >= LOST_AFTER
                    return Reply(Outcome.DECLINED if late else Outcome.UNKNOWN, result="expired" if late else "unknown")
            else:
                said = await self._client(account).v1.checkout.sessions.retrieve_async(
                    an_id(attempt.ref, "ref"), {"expand": ["payment_intent"]}
                )
                session = read_session(said.to_dict(), self._units)
        except stripe.StripeError as problem:
            reply = self._failed("fetch", problem)
            words = reply.result if reply.result in ("configuration", "try_later") else "unknown"
            return Reply(Outcome.UNKNOWN, attempt.ref, words, reply.retry_after_s)
        except Unreadable:
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        if attempt.ref not in (None, session.id):
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        wrong = self._wrong(session, account, int(attempt.id), attempt.money)
        if wrong is not None:
            return Reply(Outcome.UNKNOWN, session.id, wrong)
        outcome, words = session.meaning
        if outcome is Outcome.SUCCEEDED and session.intent is None:
            return Reply(Outcome.UNKNOWN, session.id, "unknown")
        receipt = session.intent if outcome is Outcome.SUCCEEDED else None
        return Reply(outcome, session.id, words, receipt=receipt, url=session.url if outcome is Outcome.PENDING else None)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """POST /v1/refunds, whole or a part. One refund of ours is one of theirs: the key is its id, and when it was sent before (keys are
        kept for a day only) it is looked for first."""
        account = _read(credentials)
        if account is None:
            return Reply(Outcome.DECLINED, result="configuration")
        try:
            amount = self._units.into(refund.money)
            an_id(receipt, "receipt")
        except BadInput as problem:
            return Reply(Outcome.DECLINED, result=problem.reason)
        except Unreadable:
            return Reply(Outcome.DECLINED, result="not_refundable")
        books = self._books(account)
        try:
            if (refund.tries > 1 or refund.ref is not None) and (before := await books.refund_of_ours(receipt, refund)) is not None:
                return self._refunded(before, refund.money)
            made = await self._client(account).v1.refunds.create_async(
                {
                    "payment_intent": receipt,
                    "amount": amount,
                    "metadata": {REFUND: str(refund.id), ATTEMPT: str(refund.attempt_id)},
                },
                {"idempotency_key": f"refund-{refund.id}"},
            )
            return self._refunded(made.to_dict(), refund.money)
        except stripe.StripeError as problem:
            return self._failed("refund", problem)
        except Unreadable:
            return Reply(Outcome.UNKNOWN, result="unknown")

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """Stripe-Signature over time and raw bytes, by either secret while one is rolled; and of the mode that our key is for."""
        account = _read(credentials)
        if account is None or kind != KIND or len(raw) > CALLBACK_BYTES:
            return False
        secrets = [secret for name in FIELDS[1:] if (secret := credentials.get(name, "").strip())]
        if not secrets or not self._signed(raw, headers.get("stripe-signature", ""), secrets):
            return False
        try:
            told = read_told(self._body(raw))
        except Unreadable:
            return True
        if told.live is not account.live:
            log.warning("stripe_event_of_other_mode", why="the key is for the other mode (test, live) than the webhook endpoint")
            return False
        return True

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """One event."""
        if kind != KIND:
            raise Unreadable("unknown kind")
        return read_notice(self._body(raw), self._units)

    def _body(self, raw: bytes) -> Mapping[str, Any]:
        """Read once for the two questions about one event."""
        last = self._read_last
        if last[0] is not raw:
            last = self._read_last = (raw, read_json(raw))
        return last[1]

    @property
    def books(self) -> Bookkeeping:
        return _BOOKS

    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        """GET /v1/balance_transactions: payments, refunds and chargebacks in what the payer was charged, fees in what the account settles in.

        What came back (a refund that failed, a chargeback won) is a negative line. Raises NoBooks when the list could not be had whole.
        """
        account = _read(credentials)
        if account is None:
            raise NoBooks("configuration")
        try:
            return await self._books(account).records(since, until)
        except (stripe.StripeError, Unreadable) as problem:
            if isinstance(problem, stripe.StripeError):
                self._failed("records", problem)
            raise NoBooks(type(problem).__name__) from None

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when Stripe knows the key and it may read sessions, else the words key of what is wrong; both secrets have to be there."""
        account = _read(credentials)
        if account is None or not credentials.get("webhook_secret", "").strip():
            return "configuration"
        try:
            await self._client(account).v1.checkout.sessions.list_async({"limit": 1})
        except stripe.StripeError as problem:
            return "configuration" if self._failed("check", problem).result == "configuration" else "try_later"
        return None

    def _client(self, account: _Account) -> stripe.StripeClient:
        return client(self._wire, self._base_url, account.secret_key)

    def _books(self, account: _Account) -> Books:
        return Books(self._client(account), self._units)

    def _until(self, expires_at: datetime | None) -> datetime:
        now = self._clock.now()
        least, most = now + SHORTEST, now + LONGEST
        return min(max(expires_at or least, least), most)

    def _wrong(self, session: Session, account: _Account, attempt_id: int, money: Money) -> str | None:
        """What of a session is not as we asked for it; it is told of, and nothing is believed."""
        if session.live is not account.live or session.attempt_id != attempt_id:
            log.warning("stripe_answers_for_another", session=session.id, why="another attempt or mode: it proves nothing")
            return "other_account"
        if session.money != money:
            log.warning("stripe_other_amount", session=session.id, amount=session.amount, currency=session.currency)
            return "other_amount"
        return None

    def _refunded(self, body: Mapping[str, Any], money: Money) -> Reply:
        outcome, words, told, _, _ = read_refund(body, self._units)
        ref = an_id(body.get("id"), "id")
        return Reply(outcome, ref, words) if told == money else Reply(Outcome.UNKNOWN, ref, "other_amount")

    def _failed(self, what: str, problem: stripe.StripeError) -> Reply:
        reply = failed(problem)
        log.info(
            "stripe_refused", what=what, why=type(problem).__name__, status=problem.http_status, code=problem.code,
            request_id=problem.request_id, outcome=reply.outcome.value, words=reply.result,
        )  # fmt: skip
        if problem.http_status in _LACKING and problem.code is None:
            log.warning("stripe_lacks", what=what, status=problem.http_status, why="what is at stripe_api_base does not know this address")
        return reply

    def _signed(self, raw: bytes, header: str, secrets: Sequence[str]) -> bool:
        """`t=...,v1=...,v1=...`: one v1 by one of the secrets, at a time near ours. Other schemes are not looked at."""
        parts = [part.partition("=") for part in header.split(",")][:20]
        times = [value for name, _, value in parts if name.strip() == "t"]
        if len(times) != 1 or not re.fullmatch(r"[0-9]{1,12}", times[0], re.ASCII):
            return False
        if abs(self._clock.now().timestamp() - int(times[0])) > TOLERANCE_S:
            return False
        given = [value for name, _, value in parts if name.strip() == "v1" and _SIGNATURE.fullmatch(value)]
        signed = times[0].encode() + b"." + raw
        good = [hmac.digest(secret.encode(), signed, "sha256").hex() for secret in secrets]
        matches = [hmac.compare_digest(one, other) for one in good for other in given]
        return any(matches)


def _read(credentials: Mapping[str, str]) -> _Account | None:
    """None when there is no key, or one that is none."""
    key = credentials.get("secret_key", "").strip()
    return _Account(key) if _KEY.fullmatch(key) else None


def _page(ask: Ask, amount: int, until: datetime) -> SessionCreateParams:
    """What the session is asked with. Our id stands on the session and on the payment, for events of charges carry the latter only; no
    personal data is among it. Arabic and Swahili are not offered there: `auto` takes the browser's language."""
    return {
        "mode": "payment",
        "line_items": [
            {
                "quantity": 1,
                "price_data": {
                    "currency": ask.money.currency.lower(),
                    "unit_amount": amount,
                    "product_data": {"name": _shown(ask)},
                },
            }
        ],
        "allowed_payment_method_types": ["card"],
        "success_url": ask.back_url,
        "cancel_url": ask.back_url,
        "client_reference_id": str(ask.attempt_id),
        "metadata": {ATTEMPT: str(ask.attempt_id)},
        "payment_intent_data": {"metadata": {ATTEMPT: str(ask.attempt_id)}, "description": ask.reference[:200]},
        "adaptive_pricing": {"enabled": False},
        "expires_at": int(until.timestamp()),
        "locale": "en" if ask.language == "en" else "auto",
        "submit_type": "pay",
    }


def _shown(ask: Ask) -> str:
    """What the payer reads beside the amount; never empty."""
    return " ".join(f"{ask.description} {ask.reference}".split())[:250] or "PayLoom"
