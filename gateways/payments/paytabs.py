"""Back room: PayTabs (PT2 REST API): hosted payment page, callback and IPN, query, refund. Documentation: docs.paytabs.com, paytabscom/php-sdk.

Their words are signed with the server key: proof. There is no idempotency key; every attempt and refund has a cart of its own, by which it is
found again. They have no list of transactions, so nothing to reconcile with.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from domain.money import EXPONENTS, MOST_MINOR
from domain.payment import CHECKOUT_LASTS, Ability, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.ports import Clock
from gateways.http import MOST_BYTES, Answer, Http, NotSent, Unknown, read_json
from gateways.payments.paytabs_codes import AUTHENTICATION, DUPLICATE, REFUSED
from gateways.payments.paytabs_events import (
    EVENT,
    NAME,
    Transaction,
    cart_of,
    encode,
    read_notice,
    read_transaction,
    refund_cart,
    signed,
)

REGIONS: Final[Mapping[str, str]] = {
    "KSA": "https://secure.paytabs.sa",
    "UAE": "https://secure.paytabs.com",
    "EGYPT": "https://secure-egypt.paytabs.com",
    "OMAN": "https://secure-oman.paytabs.com",
    "JORDAN": "https://secure-jordan.paytabs.com",
    "KUWAIT": "https://secure-kuwait.paytabs.com",
    "IRAQ": "https://secure-iraq.paytabs.com",
    "MOROCCO": "https://secure-morocco.paytabs.com",
    "QATAR": "https://secure-doha.paytabs.com",
    "GLOBAL": "https://secure-global.paytabs.com",
}
"""Where a profile lives: its key is refused everywhere else."""
FIELDS: Final = ("profile_id", "server_key", "server_key_before", "region")
"""Credentials. `server_key_before` may be empty: the old key, whose signatures are still taken while a new one is set."""
METHODS: Final[Mapping[Method, str]] = {
    Method.MADA: "mada",
    Method.VISA: "creditcard",
    Method.MASTERCARD: "creditcard",
    Method.APPLE_PAY: "applepay",
    Method.STC_PAY: "stcpay",
    Method.PAYTABS: "all",
}
ONLY_RIYALS: Final = frozenset({Method.MADA, Method.STC_PAY})
PAGE_OVER: Final = CHECKOUT_LASTS + timedelta(minutes=5)
"""An attempt this old of which they know nothing was not paid: its page lived for CHECKOUT_LASTS at most."""
_CURRENCIES: Final = frozenset({"SAR", "AED", "QAR", "KWD", "BHD", "OMR", "JOD", "EGP", "USD", "EUR", "GBP"})
_REQUEST, _QUERY = "/payment/request", "/payment/query"
_LATER_S: Final = 5
_BUSY_S: Final = 10
_MOST_ADDRESS: Final = 255

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Profile:
    id: int
    key: str
    base_url: str

    def __repr__(self) -> str:
        return f"_Profile({self.id})"


@dataclass(frozen=True, slots=True)
class _Refused:
    """They said no before doing anything; `code` is theirs, empty for a 404 without one."""

    code: str
    retry_after_s: int | None = None


_Said = Sequence[Mapping[str, Any]] | _Refused | NotSent | Unknown


class PayTabs:
    """`callback_base` is our public origin. `base_url` stands for every region, in the town. Without `thousandths` the profile takes two
    decimals of dinars and Omani riyals only.
    """

    def __init__(self, http: Http, clock: Clock, callback_base: str, base_url: str | None = None, *, thousandths: bool = True) -> None:
        self._http = http
        self._clock = clock
        self._callbacks = callback_base.rstrip("/")
        self._base_url = base_url.rstrip("/") if base_url else None
        step = {} if thousandths else {currency: 10 for currency, exponent in EXPONENTS.items() if exponent == 3}
        self._ability = Ability(
            NAME, frozenset(METHODS), _CURRENCIES, step, 1, MOST_MINOR, part_refunds=True, proof=Proof.PROOF, repeatable_refunds=True
        )

    @property
    def ability(self) -> Ability:
        return self._ability

    async def start(self, ask: Ask) -> Reply:
        """POST /payment/request, tran_type sale: PENDING with the hosted page. A page whose address was lost is not asked for again."""
        profile = self._profile(ask.credentials)
        callback = f"{self._callbacks}/callbacks/{NAME}/{ask.callback_token}"
        if profile is None:
            return Reply(Outcome.DECLINED, result="configuration")
        if max(len(callback), len(ask.back_url)) > _MOST_ADDRESS:
            return Reply(Outcome.DECLINED, result="configuration")
        if ask.method in ONLY_RIYALS and ask.money.currency != "SAR":
            return Reply(Outcome.DECLINED, result="currency_refused")
        if ask.money.amount_minor <= 0 or ask.money.amount_minor % self._ability.step_minor.get(ask.money.currency, 1):
            return Reply(Outcome.DECLINED, result="amount_refused")
        left = CHECKOUT_LASTS if ask.expires_at is None else min(ask.expires_at - self._clock.now(), CHECKOUT_LASTS)
        body = {
            "profile_id": profile.id,
            "tran_type": "sale",
            "tran_class": "ecom",
            "cart_id": cart_of(ask.attempt_id),
            "cart_description": f"{ask.reference} {ask.description}".strip()[:128],
            "cart_currency": ask.money.currency,
            "cart_amount": ask.money,
            "callback": callback,
            "return": ask.back_url,
            "return_using_get": True,
            "hide_shipping": True,
            "paypage_lang": "ar" if ask.language == "ar" else "en",
            "paypage_ttl": max(1, left // timedelta(minutes=1)),
            "payment_methods": [METHODS.get(ask.method, "all")],
        }
        said = await self._call(profile, _REQUEST, body)
        if isinstance(said, _Refused) and said.code == DUPLICATE:
            return Reply(Outcome.UNKNOWN, result="unknown")
        return self._hosted(said[0], ask, profile) if isinstance(said, Sequence) and said else _failed(said)

    def _hosted(self, reply: Mapping[str, Any], ask: Ask, profile: _Profile) -> Reply:
        """A page that asks for another amount than we did (rounded, say) is never shown to the payer."""
        try:
            found = read_transaction(reply)
        except Unreadable:
            return Reply(Outcome.UNKNOWN, result="unknown")
        url = _page(reply.get("redirect_url"), profile.base_url)
        if found.asked != ask.money or found.cart != cart_of(ask.attempt_id):
            log.warning("paytabs_asks_for_something_else", attempt=ask.attempt_id, ref=found.ref)
            return Reply(Outcome.UNKNOWN, found.ref, "unknown")
        return Reply(Outcome.UNKNOWN, found.ref, "unknown") if url is None else Reply(Outcome.PENDING, found.ref, url=url)

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """POST /payment/query by `tran_ref`, or by our cart where it is not known or not known to them. `receipt` is the `tran_ref`."""
        profile = self._profile(credentials)
        if profile is None:
            return Reply(Outcome.UNKNOWN, attempt.ref, "configuration")
        said: _Said = []
        if attempt.ref is not None:
            said = await self._call(profile, _QUERY, {"profile_id": profile.id, "tran_ref": attempt.ref})
        if _nothing(said):
            said = await self._call(profile, _QUERY, {"profile_id": profile.id, "cart_id": cart_of(attempt.id)})
        if not isinstance(said, Sequence) and not _nothing(said):
            return _no_answer(said, attempt.ref)
        try:
            found = [read_transaction(one) for one in said] if isinstance(said, Sequence) else []
        except Unreadable:
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        ended = [one for one in found if not one.goes_back and one.letter]
        if ended:
            return self._truth(ended, attempt, profile)
        ref = attempt.ref or next((one.ref for one in found if not one.goes_back), None)
        over = self._clock.now() >= attempt.created_at + PAGE_OVER
        return Reply(Outcome.DECLINED, ref, "expired") if over else Reply(Outcome.PENDING, ref, "waiting")

    def _truth(self, found: Sequence[Transaction], attempt: Attempt, profile: _Profile) -> Reply:
        """Of several under one cart the paid one counts, then one that is still open, then the last that failed."""
        order = (Outcome.SUCCEEDED, Outcome.UNKNOWN, Outcome.PENDING, Outcome.DECLINED)
        last = min(enumerate(found), key=lambda pair: (order.index(pair[1].meaning[0]), -pair[0]))[1]
        outcome, words = last.meaning
        ours = last.cart == cart_of(attempt.id) and last.profile in ("", str(profile.id)) and attempt.ref in (None, last.ref)
        if not ours or (outcome is Outcome.SUCCEEDED and not (last.money == last.asked == attempt.money)):
            log.warning("paytabs_contradicts", attempt=attempt.id, ref=last.ref, why="what is not what was asked for proves nothing")
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        return Reply(outcome, last.ref, words, receipt=last.ref if outcome is Outcome.SUCCEEDED else None)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """POST /payment/request, tran_type refund, under a cart of its own: whoever asks again is told what became of the first.

        PENDING until a callback comes to our address, or until it is asked for again.
        """
        profile, cart = self._profile(credentials), refund_cart(refund.id)
        if profile is None:
            return Reply(Outcome.DECLINED, result="configuration")
        if refund.money.amount_minor % self._ability.step_minor.get(refund.money.currency, 1):
            return Reply(Outcome.DECLINED, result="amount_refused")
        before = await self._call(profile, _QUERY, {"profile_id": profile.id, "cart_id": cart})
        known = [_refunded(one, refund, receipt) for one in before] if isinstance(before, Sequence) else []
        standing = [one for one in known if one.outcome is not Outcome.DECLINED]
        if standing:
            return standing[-1]
        if not known and not _nothing(before):
            # Nothing was asked for in this call; whether an earlier one arrived is found out before another is sent.
            return _failed(before) if isinstance(before, _Refused) else _failed(NotSent("NotAskedYet"))
        body = {
            "profile_id": profile.id,
            "tran_type": "refund",
            "tran_class": "ecom",
            "cart_id": cart,
            "cart_currency": refund.money.currency,
            "cart_amount": refund.money,
            "cart_description": (refund.reason or "refund")[:128],
            "tran_ref": receipt,
            "callback": f"{self._callbacks}/callbacks/{NAME}/{callback_token}",
        }
        said = await self._call(profile, _REQUEST, body)
        if isinstance(said, _Refused) and said.retry_after_s is None and said.code != AUTHENTICATION:
            duplicate = said.code == DUPLICATE
            return Reply(Outcome.UNKNOWN, result="unknown") if duplicate else Reply(Outcome.DECLINED, result="not_refundable")
        return _refunded(said[0], refund, receipt) if isinstance(said, Sequence) and said else _failed(said)

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """`Signature`: HMAC-SHA256 of the raw body under the server key of the profile that it speaks of."""
        told = next((value for name, value in headers.items() if name.lower() == "signature"), "")
        keys = (credentials.get("server_key", "").strip(), credentials.get("server_key_before", "").strip())
        if kind != EVENT or not signed(raw, told, keys):
            return False
        try:
            profile = read_json(raw).get("profile_id")
        except Unreadable:
            return True  # it is theirs all the same: kept, and looked at by a person
        return profile is None or str(profile) == credentials.get("profile_id", "").strip()

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """Kind: `event`. Raises Unreadable."""
        return read_notice(kind, raw)

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when PayTabs knows profile and key in that region, else the words key of what is wrong."""
        profile = self._profile(credentials)
        if profile is None:
            return "configuration"
        said = await self._call(profile, _QUERY, {"profile_id": profile.id, "cart_id": "payloom-check"})
        if isinstance(said, Sequence) or _nothing(said):
            return None
        return "configuration" if isinstance(said, _Refused) and said.retry_after_s is None else "try_later"

    def _profile(self, credentials: Mapping[str, str]) -> _Profile | None:
        """None when something is missing, or could not be sent. The key goes as it is, without `Bearer`."""
        number, key = credentials.get("profile_id", "").strip(), credentials.get("server_key", "").strip()
        base_url = self._base_url or REGIONS.get(credentials.get("region", "").strip().upper())
        if not (number.isascii() and number.isdigit() and len(number) <= 12) or base_url is None:
            return None
        return _Profile(int(number), key, base_url) if key and key.isascii() and key.isprintable() and " " not in key else None

    async def _call(self, profile: _Profile, path: str, body: Mapping[str, Any]) -> _Said:
        headers = {"Authorization": profile.key, "Content-Type": "application/json"}
        return _understand(await self._http.call("POST", profile.base_url + path, headers=headers, content=encode(body)))


def _understand(answer: Answer | NotSent | Unknown) -> _Said:
    """Transactions of a 200 (one, or a list of a cart); {"code", "message"} of a refusal, with whatever status; else not known."""
    if not isinstance(answer, Answer):
        return answer
    try:
        told = read_json(b'{"told":' + answer.body + b"}", MOST_BYTES)["told"]
    except Unreadable:
        told = None
    if answer.status == 429:
        wait = answer.headers.get("retry-after", "")
        told_s = wait.isascii() and wait.isdigit() and len(wait) <= 6
        return _Refused("", max(1, min(int(wait), 3600)) if told_s else _BUSY_S)
    if answer.status == 401:
        return _Refused(AUTHENTICATION)
    code = told.get("code") if isinstance(told, dict) and "tran_ref" not in told else None
    if type(code) is int or (isinstance(code, str) and code):
        log.info("paytabs_refused", status=answer.status, code=code)
        return _Refused(str(code)) if answer.status < 500 else Unknown(f"Status{answer.status}")
    if answer.status == 200 and isinstance(told, dict) and told:
        return [told]
    if answer.status == 200 and isinstance(told, list) and all(isinstance(one, dict) for one in told):
        return told
    return _Refused("") if answer.status == 404 and isinstance(told, dict) else Unknown(f"Status{answer.status}")


def _nothing(said: _Said) -> bool:
    """A question about what they do not know. How they say so is not written down: an empty list, or a refusal that is not about who asks."""
    if isinstance(said, _Refused):
        return said.retry_after_s is None and said.code not in (AUTHENTICATION, DUPLICATE)
    return isinstance(said, Sequence) and not said


def _failed(said: _Refused | NotSent | Unknown | Sequence[Mapping[str, Any]]) -> Reply:
    match said:
        case NotSent():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        case _Refused(_, int(wait_s)):
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=wait_s)
        case _Refused(code):
            return Reply(Outcome.DECLINED, result=REFUSED.get(code, "configuration"))
        case _:
            return Reply(Outcome.UNKNOWN, result="unknown")


def _no_answer(said: _Said, ref: str | None) -> Reply:
    """A question that got no answer: nothing is known of the attempt, whatever went wrong with asking."""
    failed = _failed(said)
    words = failed.result if failed.result in ("configuration", "try_later") else "unknown"
    return Reply(Outcome.UNKNOWN, ref, words, failed.retry_after_s)


def _refunded(reply: Mapping[str, Any], refund: Refund, receipt: str) -> Reply:
    """What became of a refund, if it is the one that was asked for."""
    try:
        found = read_transaction(reply)
    except Unreadable:
        return Reply(Outcome.UNKNOWN, result="unknown")
    same = found.goes_back and found.asked == refund.money and found.before in (None, receipt) and found.cart == refund_cart(refund.id)
    if not same:
        log.warning("paytabs_refunded_something_else", refund=refund.id, ref=found.ref)
        return Reply(Outcome.UNKNOWN, result="unknown")
    outcome, words = found.meaning
    return Reply(outcome, found.ref, words)


def _page(url: object, base_url: str) -> str | None:
    """The hosted page: https, but where their API itself is not."""
    if not isinstance(url, str) or len(url) > 2000 or not url.isascii() or not url.isprintable() or " " in url:
        return None
    parts = urlsplit(url)
    return url if parts.scheme in {"https", urlsplit(base_url).scheme} and parts.hostname else None
