"""Back room: Moyasar (Saudi Arabia), API v1: invoices with their hosted page, refunds, webhooks, payments. Documentation: docs.moyasar.com.

A webhook carries a shared secret in its body and no signature: a hint, after which the invoice is fetched. Neither invoices nor refunds know an
idempotency key: what was not answered is UNKNOWN, and looked for by our metadata.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import structlog

from domain.money import MOST_MINOR, Money
from domain.payment import Ability, About, Ask, Attempt, Method, Notice, Outcome, Proof, Record, Refund, Reply, Unreadable
from domain.statement import Bookkeeping, NoBooks
from gateways.http import MOST_BYTES, Answer, Http, NotSent, Unknown, read_json
from gateways.payments.moyasar_codes import INVOICE as MEANING
from gateways.payments.moyasar_codes import RETURNED, TAKEN, UNKNOWN, refusal
from gateways.payments.moyasar_events import (
    ATTEMPT,
    INVOICE,
    NAME,
    WEBHOOK,
    attempt_in,
    id_in,
    moment,
    money_of,
    read_notice,
    refund_ref,
    taken_payment,
    text,
    told_secret,
    whole,
    without_secret,
)

LIVE: Final = "https://api.moyasar.com/v1"
"""Test and live alike: the key says which."""
FIELDS: Final = ("secret_key", "webhook_secret", "webhook_secret_before")
"""Credentials. `webhook_secret_before` may be empty: the old one, while a new one is being set in their dashboard."""
LEAST_MINOR: Final = 100
ONLY_RIYALS: Final = frozenset({Method.MADA, Method.STC_PAY})
REFUNDS_WITHIN: Final = timedelta(days=180)
"""How old a payment may be whose refund is still found for the books; their list is dated by when a payment was made."""
_METHODS: Final = frozenset({Method.MADA, Method.VISA, Method.MASTERCARD, Method.APPLE_PAY, Method.STC_PAY, Method.MOYASAR})
_CURRENCIES: Final = frozenset({"SAR", "AED", "QAR", "KWD", "BHD", "OMR", "JOD", "EGP", "USD", "EUR", "GBP"})
"""Which of them an account may take is set there; another one is refused with words."""
_ABILITY: Final = Ability(NAME, _METHODS, _CURRENCIES, {}, LEAST_MINOR, MOST_MINOR, True, Proof.HINT, repeatable_refunds=True)
_BOOKS: Final = Bookkeeping(frozenset({About.PAYMENT, About.REFUND}), refunds_so_far=True)
_LATER_S: Final = 5
_BUSY_S: Final = 10
_MOST_PAGES: Final = 500
_SEARCHED_PAGES: Final = 10
_CLOCKS_APART: Final = timedelta(minutes=5)
_SECOND: Final = timedelta(seconds=1)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Refused:
    """4xx: nothing was done. `result` is the words key; `asked` says that they looked at what was asked, rather than at who asks."""

    result: str
    asked: bool = False
    retry_after_s: int | None = None


_Said = Mapping[str, Any] | _Refused | NotSent | Unknown


class Moyasar:
    """`callback_base` is our public origin: a paid invoice is told to an address of its attempt below it."""

    def __init__(self, http: Http, base_url: str, callback_base: str) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._callbacks = callback_base.rstrip("/")

    @property
    def ability(self) -> Ability:
        return _ABILITY

    async def start(self, ask: Ask) -> Reply:
        """POST /invoices: PENDING with the address of the hosted page. After a lost answer the invoice is looked for, never made again."""
        if _basic(ask.credentials) is None:
            return Reply(Outcome.DECLINED, result="configuration")
        if ask.method in ONLY_RIYALS and ask.money.currency != "SAR":
            return Reply(Outcome.DECLINED, result="currency_refused")
        if ask.money.amount_minor < LEAST_MINOR:
            return Reply(Outcome.DECLINED, result="amount_refused")
        said = await self._call("POST", "/invoices", ask.credentials, self._invoice(ask))
        if isinstance(said, Unknown):
            found = await self._search(str(ask.attempt_id), None, ask.credentials)
            return Reply(Outcome.UNKNOWN, result="unknown") if found is None else self._hosted(found, ask)
        if not isinstance(said, Mapping):
            return _failed(said)
        return self._hosted(said, ask)

    def _invoice(self, ask: Ask) -> dict[str, Any]:
        return {
            "amount": ask.money.amount_minor,
            "currency": ask.money.currency,
            "description": f"{ask.reference} {ask.description}".strip()[:255],
            "callback_url": f"{self._callbacks}/callbacks/{NAME}/{ask.callback_token}/{INVOICE}",
            "success_url": ask.back_url,
            "back_url": ask.back_url,
            **({} if ask.expires_at is None else {"expired_at": _stamp(ask.expires_at)}),
            "metadata": {ATTEMPT: str(ask.attempt_id), "reference": ask.reference},
        }

    def _hosted(self, invoice: Mapping[str, Any], ask: Ask) -> Reply:
        """An invoice that asks for another amount than we did is never shown to the payer."""
        try:
            ref, money, url = id_in(invoice), money_of(invoice), _page(invoice.get("url"), self._base_url)
        except Unreadable:
            return Reply(Outcome.UNKNOWN, result="unknown")
        if not ref or invoice.get("status") != "initiated" or url is None:
            return Reply(Outcome.UNKNOWN, ref or None, "unknown")
        if money != ask.money:
            log.warning("moyasar_asks_for_another_amount", attempt=ask.attempt_id, ref=ref)
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        return Reply(Outcome.PENDING, ref, url=url)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """GET /invoices/{id}, or the invoice with our metadata where the answer to `start` was lost. `receipt` is the payment's id."""
        if attempt.ref is None:
            invoice = await self._search(str(attempt.id), attempt.created_at, credentials)
            return Reply(Outcome.UNKNOWN, result="unknown") if invoice is None else self._truth(invoice, attempt)
        said = await self._call("GET", f"/invoices/{attempt.ref}", credentials)
        if not isinstance(said, Mapping):
            return _no_answer(said, attempt.ref)
        if said.get("id") != attempt.ref:
            log.warning("moyasar_answers_for_another", why="the invoice has another id: it proves nothing")
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        return self._truth(said, attempt)

    def _truth(self, invoice: Mapping[str, Any], attempt: Attempt) -> Reply:
        """Paid only when the invoice is ours, asks for what we asked and holds one payment of just that much that did not go back."""
        ref = id_in(invoice) or attempt.ref
        outcome, words = MEANING.get(text(invoice.get("status")), UNKNOWN)
        try:
            payment, ours = taken_payment(invoice), attempt_in(invoice) == attempt.id and money_of(invoice) == attempt.money
            back = 0 if payment is None else _gone_back(payment)
            same = payment is not None and money_of(payment) == attempt.money
        except Unreadable:
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        if payment is None and words not in {"paid", "refunded"}:
            url = _page(invoice.get("url"), self._base_url) if words == "waiting" and attempt.ref is None else None
            return Reply(outcome, ref, words, url=url)
        receipt = id_in(payment) if payment is not None else ""
        if not (ours and same and receipt):
            log.warning("moyasar_contradicts", attempt=attempt.id, ref=ref, why="a payment that is not what was asked for proves nothing")
            return Reply(Outcome.UNKNOWN, ref, "unknown")
        if back == 0:
            return Reply(Outcome.SUCCEEDED, ref, "paid", receipt=receipt)
        if back == attempt.money.amount_minor:
            return Reply(Outcome.DECLINED, ref, "refunded", receipt=receipt)
        return Reply(Outcome.UNKNOWN, ref, "unknown", receipt=receipt)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """POST /payments/{id}/refund, after reading what went back before: they refund again whoever asks again, as long as there is money.

        A whole refund may be asked for again (the one before is seen); a part whose answer was lost may not.
        """
        path, amount = f"/payments/{receipt}", refund.money.amount_minor
        before = await self._call("GET", path, credentials)
        if not isinstance(before, Mapping):
            return _not_refunded(before, NotSent("NotAskedYet"))
        try:
            money, back = money_of(before), _gone_back(before)
        except Unreadable:
            return _failed(NotSent("NotAskedYet"))
        if money == refund.money and back == amount:
            return Reply(Outcome.SUCCEEDED, refund_ref(receipt, back), "already_refunded")
        if before.get("id") != receipt or money is None or money.currency != refund.money.currency or back + amount > money.amount_minor:
            return Reply(Outcome.DECLINED, result="not_refundable")
        if text(before.get("status")) not in TAKEN | RETURNED or text(before.get("status")) == "voided":
            return Reply(Outcome.DECLINED, result="not_refundable")
        said = await self._call("POST", f"{path}/refund", credentials, {"amount": amount})
        if not isinstance(said, Mapping):
            return _not_refunded(said, Unknown("NoAnswer"))
        try:
            after = whole(said.get("refunded"), "refunded")
        except Unreadable:
            return Reply(Outcome.UNKNOWN, result="unknown")
        if said.get("id") != receipt or after != back + amount:
            log.warning("moyasar_refunded_another_amount", refund=refund.id, asked=amount, before=back, after=after)
            return Reply(Outcome.UNKNOWN, result="unknown")
        return Reply(Outcome.SUCCEEDED, refund_ref(receipt, after), "refunded")

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """`event`: the secret in the body, and the mode of our key. `invoice`: the address, which the door has read, is the only secret."""
        if kind == INVOICE:
            return True
        key = credentials.get("secret_key", "")
        secrets = (credentials.get("webhook_secret", ""), credentials.get("webhook_secret_before", ""))
        return kind == WEBHOOK and key.startswith(("sk_live_", "sk_test_")) and told_secret(raw, secrets, key.startswith("sk_live_"))

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """Kinds: `event`, `invoice`. Raises Unreadable."""
        return read_notice(kind, raw)

    def redact(self, kind: str, raw: bytes) -> bytes:
        """The body without the shared secret: this is what may be stored. It reads the same."""
        return without_secret(raw)

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when Moyasar knows the key, else the words key of what is wrong."""
        said = await self._call("GET", "/payments?page=1", credentials)
        if isinstance(said, Mapping):
            return None if credentials.get("webhook_secret") else "configuration"
        return "configuration" if isinstance(said, _Refused) and said.result != "try_later" else "try_later"

    @property
    def books(self) -> Bookkeeping:
        return _BOOKS

    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        """Payments taken, and what went back, from `since` until before `until`. Raises NoBooks when the list cannot be read whole.

        Their list has one line for a payment with the sum of its refunds, dated by the last of them.
        """
        made = await self._payments(since, until, credentials)
        older = [one for state in sorted(RETURNED) for one in await self._payments(since - REFUNDS_WITHIN, since, credentials, state)]
        known = {id_in(one): one for one in [*made, *older]}
        try:
            found = [record for one in known.values() for record in _recorded(one)]
        except Unreadable as problem:
            raise NoBooks(str(problem)) from None
        return sorted((record for record in found if since <= record.at < until), key=lambda record: (record.at, record.ref))

    async def _payments(self, since: datetime, until: datetime, credentials: Mapping[str, str], state: str = "") -> list[Mapping[str, Any]]:
        """Every page of GET /payments, made in this time; whether the edges belong to it is not said, so both are asked for and looked at."""
        found: list[Mapping[str, Any]] = []
        asked = {"created[gt]": _stamp(since - _SECOND), "created[lt]": _stamp(until + _SECOND)} | ({"status": state} if state else {})
        page: int | None = 1
        for _ in range(_MOST_PAGES):
            said = await self._call("GET", f"/payments?{urlencode({**asked, 'page': page})}", credentials)
            if not isinstance(said, Mapping) or not isinstance(said.get("payments"), list):
                raise NoBooks("a page of /payments")
            found += [one for one in said["payments"] if isinstance(one, dict)]
            page = _next_page(said, page)
            if page is None:
                return found
        raise NoBooks("more pages than can be")

    async def _search(self, attempt_id: str, made_at: datetime | None, credentials: Mapping[str, str]) -> Mapping[str, Any] | None:
        """The invoice with our metadata among those made since `made_at` (newest first), else among the newest page."""
        page: int | None = 1
        for _ in range(_SEARCHED_PAGES if made_at else 1):
            said = await self._call("GET", f"/invoices?page={page}", credentials)
            invoices = said.get("invoices") if isinstance(said, Mapping) else None
            if not isinstance(said, Mapping) or not isinstance(invoices, list):
                return None
            for one in invoices:
                if isinstance(one, dict) and str(attempt_in(one)) == attempt_id:
                    return one
            page = _next_page(said, page)
            if page is None or (made_at and all(_made_before(one, made_at - _CLOCKS_APART) for one in invoices)):
                return None
        return None

    async def _call(self, method: str, path: str, credentials: Mapping[str, str], body: Mapping[str, Any] | None = None) -> _Said:
        basic = _basic(credentials)
        if basic is None:
            return _Refused("configuration")
        answer = await self._http.call(method, self._base_url + path, headers={"Authorization": basic}, body=body)
        return _understand(answer)


def _understand(answer: Answer | NotSent | Unknown) -> _Said:
    """201 and 200: done, read the status. 4xx: refused, nothing was done. All else: not known."""
    if not isinstance(answer, Answer):
        return answer
    try:
        reply = read_json(answer.body, MOST_BYTES)
    except Unreadable:
        reply = {}
    if answer.status in (200, 201) and reply:
        return reply
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        told = wait.isascii() and wait.isdigit() and len(wait) <= 6
        return _Refused("try_later", retry_after_s=max(1, min(int(wait), 3600)) if told else _BUSY_S)
    if answer.status in (401, 403):
        return _Refused("configuration")
    if answer.status in (400, 404, 405, 422) and isinstance(reply.get("type"), str):
        words = refusal(reply)
        log.info("moyasar_refused", status=answer.status, type=reply["type"], words=words)
        return _Refused(words, asked=True)
    return Unknown(f"Status{answer.status}")


def _failed(said: _Refused | NotSent | Unknown) -> Reply:
    match said:
        case Unknown():
            return Reply(Outcome.UNKNOWN, result="unknown")
        case NotSent():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        case _Refused(words, _, int(wait_s)):
            return Reply(Outcome.NOT_SENT, result=words, retry_after_s=wait_s)
        case _Refused(words):
            return Reply(Outcome.DECLINED, result=words)


def _not_refunded(said: _Refused | NotSent | Unknown, when_silent: NotSent | Unknown) -> Reply:
    """`when_silent`: what it means here that no answer came, which depends on what was asked."""
    if isinstance(said, Unknown):
        return _failed(when_silent)
    return Reply(Outcome.DECLINED, result="not_refundable") if isinstance(said, _Refused) and said.asked else _failed(said)


def _no_answer(said: _Refused | NotSent | Unknown, ref: str) -> Reply:
    """A question that got no answer: nothing is known of the attempt, whatever went wrong with asking."""
    failed = _failed(said)
    words = failed.result if failed.result in ("configuration", "try_later") else "unknown"
    return Reply(Outcome.UNKNOWN, ref, words, failed.retry_after_s)


def _basic(credentials: Mapping[str, str]) -> str | None:
    """The key as user name, no password; None for what cannot be a secret key."""
    key = credentials.get("secret_key", "").strip()
    if not key.startswith(("sk_live_", "sk_test_")) or not key.isascii() or not key.isprintable() or ":" in key:
        return None
    return "Basic " + base64.b64encode(f"{key}:".encode()).decode()


def _page(url: object, base_url: str) -> str | None:
    """The hosted page: https, but where their API itself is not."""
    if not isinstance(url, str) or len(url) > 2000 or not url.isascii() or not url.isprintable() or " " in url:
        return None
    parts = urlsplit(url)
    return url if parts.scheme in {"https", urlsplit(base_url).scheme} and parts.hostname else None


def _gone_back(payment: Mapping[str, Any]) -> int:
    """A voided payment went back whole, whatever its number of refunds says."""
    return whole(payment.get("amount") if payment.get("status") == "voided" else payment.get("refunded", 0), "refunded")


def _recorded(payment: Mapping[str, Any]) -> Iterator[Record]:
    """The lines of one payment: taken, and gone back. Amounts as they are, without a sign."""
    state, money, payment_id = text(payment.get("status")), money_of(payment), id_in(payment)
    if state not in TAKEN | RETURNED or money is None or not payment_id:
        return
    ref, fee = id_in(payment, "invoice_id") or payment_id, payment.get("fee")
    fees = Money(fee, money.currency) if type(fee) is int and fee >= 0 else None
    yield Record(About.PAYMENT, ref, payment_id, money, moment(payment.get("created_at"), "created_at"), fees)
    back = _gone_back(payment)
    if back:
        at = payment.get("voided_at") if state == "voided" else payment.get("refunded_at")
        gone_at = moment(at or payment.get("updated_at"), "refunded_at")
        yield Record(About.REFUND, refund_ref(payment_id, back), payment_id, Money(back, money.currency), gone_at)


def _next_page(said: Mapping[str, Any], page: int | None) -> int | None:
    """Pages only go forward: a list that turns in a circle ends."""
    meta = said.get("meta")
    found = meta.get("next_page") if isinstance(meta, dict) else None
    return found if type(found) is int and found > (page or 0) else None


def _made_before(invoice: object, at: datetime) -> bool:
    try:
        return isinstance(invoice, dict) and moment(invoice.get("created_at"), "created_at") < at
    except Unreadable:
        return False


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
