"""Back room: Safaricom Daraja 2/3 (M-PESA Kenya): STK push, STK query, reversal. Documentation: developer.safaricom.co.ke/APIs.

Daraja signs nothing, calls back once, and knows no idempotency key: what is not answered is UNKNOWN and never sent again from here.
"""

from __future__ import annotations

import base64
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, timezone
from typing import Any, Final
from urllib.parse import urlsplit

import structlog

from domain.money import Money
from domain.payment import Ability, Ask, Attempt, Method, Notice, Outcome, Proof, Refund, Reply, Unreadable
from domain.ports import Clock
from gateways.http import Answer, Http, NotSent, Unknown, read_json
from gateways.payments.daraja_codes import BUSY, INVALID_TOKEN, refusal, reversal_meaning, stk_meaning
from gateways.payments.daraja_notice import KINDS, NAME, code_of, read_notice
from gateways.payments.daraja_token import NoToken, TokenShelf

SANDBOX: Final = "https://sandbox.safaricom.co.ke"
LIVE: Final = "https://api.safaricom.co.ke"
NAIROBI: Final = timezone(timedelta(hours=3))
"""East Africa Time; Kenya has no summer time."""
SOURCE_IPS: Final = frozenset(
    {f"196.201.214.{last}" for last in (200, 206, 207, 208)}
    | {f"196.201.213.{last}" for last in (44, 114)}
    | {f"196.201.212.{last}" for last in (69, 74, 127, 129, 136, 138)}
)
"""Where callbacks are said to come from; some lists differ, so it is only looked at, not relied on."""
FORBIDDEN: Final = ("mpesa", "safaricom", "exe", "cmd", "sql", "query")
"""Daraja refuses addresses with these words in them (`exec` is within `exe`)."""
_FORBIDDEN: Final = re.compile("|".join(FORBIDDEN), re.IGNORECASE)
BLOCKED_HOSTS: Final = ("ngrok", "mockbin", "requestbin")
_PUSH, _ASK_PUSH, _REVERSE = "/mpesa/stkpush/v1/processrequest", "/mpesa/stkpushquery/v1/query", "/mpesa/reversal/v1/request"
_ABILITY: Final = Ability(NAME, frozenset({Method.MPESA}), frozenset({"KES"}), {"KES": 100}, 100, 25_000_000, True, Proof.HINT)
_LATER_S: Final = 5

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Account:
    """Whose money it is: the short code and its secrets. `till` receives when it is a buy-goods account."""

    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    short_code: str
    passkey: str = field(repr=False)
    buy_goods: bool
    till: str
    initiator: str = field(repr=False)
    security_credential: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Error:
    """Daraja refused: its error code and sentence."""

    code: str
    message: str
    retry_after_s: int | None = None


_Said = Mapping[str, Any] | _Error | NotSent | Unknown | NoToken


class Daraja:
    """`callback_base` is our public origin. `source_ips` None looks at no address; callers from elsewhere are only logged unless `enforce_source`.

    Credentials (keys of the mapping): consumer_key, consumer_secret, short_code, passkey, transaction_type (PAYBILL or BUYGOODS), till,
    initiator, security_credential. Raises ValueError for a `callback_base` that Daraja would refuse.
    """

    def __init__(
        self,
        http: Http,
        base_url: str,
        clock: Clock,
        callback_base: str,
        source_ips: frozenset[str] | None = None,
        *,
        enforce_source: bool = False,
    ) -> None:
        self._http = http
        self._base_url = base_url.rstrip("/")
        self._clock = clock
        self._callbacks = _callback_base(callback_base)
        self._source_ips = source_ips
        self._enforce_source = enforce_source
        self._tokens = TokenShelf(http, self._base_url, clock)

    async def aclose(self) -> None:
        await self._tokens.aclose()

    @property
    def ability(self) -> Ability:
        return _ABILITY

    async def start(self, ask: Ask) -> Reply:
        """POST /mpesa/stkpush/v1/processrequest: ring the phone. PENDING means it was queued, no more."""
        account = _read(ask.credentials)
        if account is None:
            return Reply(Outcome.DECLINED, result="configuration")
        if not _payable(ask.money):
            return Reply(Outcome.DECLINED, result="amount_refused")
        if ask.phone is None or not ask.phone.is_kenyan_mobile:
            return Reply(Outcome.DECLINED, result="phone_refused")
        body = {
            **self._signature(account),
            "TransactionType": "CustomerBuyGoodsOnline" if account.buy_goods else "CustomerPayBillOnline",
            "Amount": ask.money.amount_minor // 100,
            "PartyA": ask.phone.msisdn,
            "PartyB": account.till if account.buy_goods else account.short_code,
            "PhoneNumber": ask.phone.msisdn,
            "CallBackURL": self.callback_url(ask.callback_token, "stk"),
            "AccountReference": plain(ask.reference, 12, "") or "PAYLOOM",
            "TransactionDesc": plain(ask.description, 13, " .-") or "Payment",
        }
        said = await self._post(account, _PUSH, body)
        if not isinstance(said, Mapping):
            return _failed(said)
        return accepted(said, "CheckoutRequestID")

    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """POST /mpesa/stkpushquery/v1/query. Tells neither amount nor receipt; an unclear answer is no answer, and never a refusal."""
        if attempt.ref is None:
            return Reply(Outcome.UNKNOWN, result="unknown")
        account = _read(credentials)
        if account is None or (attempt.short_code and attempt.short_code not in (account.short_code, account.till)):
            return Reply(Outcome.UNKNOWN, attempt.ref, "configuration")
        said = await self._post(account, _ASK_PUSH, {**self._signature(account), "CheckoutRequestID": attempt.ref})
        if not isinstance(said, Mapping):
            return _no_answer(said, attempt.ref)
        if said.get("CheckoutRequestID", attempt.ref) != attempt.ref:
            log.warning("daraja_answers_for_another", why="the query was answered with another CheckoutRequestID: it proves nothing")
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        if str(said.get("ResponseCode", "")) != "0":
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        try:
            outcome, words = stk_meaning(code_of(said.get("ResultCode")))
        except Unreadable:
            return Reply(Outcome.UNKNOWN, attempt.ref, "unknown")
        return Reply(outcome, attempt.ref, words)

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply:
        """POST /mpesa/reversal/v1/request: PENDING until the result comes to our address; not repeatable while UNKNOWN."""
        account = _read(credentials)
        if account is None or not account.initiator or not account.security_credential:
            return Reply(Outcome.DECLINED, result="configuration")
        if not _payable(refund.money):
            return Reply(Outcome.DECLINED, result="amount_refused")
        body = {
            "Initiator": account.initiator,
            "SecurityCredential": account.security_credential,
            "CommandID": "TransactionReversal",
            "TransactionID": receipt,
            "Amount": refund.money.amount_minor // 100,
            "ReceiverParty": account.short_code,
            "RecieverIdentifierType": "11",
            "ResultURL": self.callback_url(callback_token, "reversal"),
            "QueueTimeOutURL": self.callback_url(callback_token, "reversal-late"),
            "Remarks": plain(refund.reason, 100, " .-_").ljust(2, "-") if refund.reason else "Refund",
        }
        said = await self._post(account, _REVERSE, body)
        if isinstance(said, _Error) and said.code.startswith("R0"):
            outcome, words = reversal_meaning(said.code)
            return Reply(outcome, result=words)
        if not isinstance(said, Mapping):
            return _failed(said)
        return accepted(said, "ConversationID")

    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """Daraja signs nothing: the door has compared the token in the path, here only the caller's address is looked at; credentials say nothing."""
        if kind not in KINDS:
            return False
        if self._source_ips is None or source in self._source_ips:
            return True
        log.warning("callback_from_elsewhere", gateway=NAME, kind=kind, source=source, refused=self._enforce_source)
        return not self._enforce_source

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """Kinds: `stk`, `reversal`, `reversal-late`. `facts` holds Daraja's own `code`. Raises Unreadable."""
        return read_notice(kind, raw)

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when Daraja gives a token for these credentials, else the words key of what is wrong."""
        account = _read(credentials)
        if account is None:
            return "configuration"
        token = await self._tokens.get(account.consumer_key, account.consumer_secret)
        return token.why if isinstance(token, NoToken) else None

    def callback_url(self, token: str, kind: str) -> str:
        """Our address for one attempt or refund. A token that spells a forbidden word by chance has that word's first letter escaped."""
        spelled = token
        while found := _FORBIDDEN.search(spelled):
            spelled = f"{spelled[: found.start()]}%{ord(spelled[found.start()]):02X}{spelled[found.start() + 1 :]}"
        return f"{self._callbacks}/callbacks/daraja/{spelled}/{kind}"

    def _signature(self, account: _Account) -> dict[str, str]:
        timestamp = self._clock.now().astimezone(NAIROBI).strftime("%Y%m%d%H%M%S")
        password = base64.b64encode(f"{account.short_code}{account.passkey}{timestamp}".encode()).decode()
        return {"BusinessShortCode": account.short_code, "Password": password, "Timestamp": timestamp}

    async def say(
        self, credentials: Mapping[str, str], path: str, body: Mapping[str, Any], method: str = "POST"
    ) -> Mapping[str, Any] | Reply:
        """Any other call with the same tokens: what it replied, or what its failure means."""
        account = _read(credentials)
        if account is None:
            return Reply(Outcome.DECLINED, result="configuration")
        said = await self._post(account, path, body, method)
        return said if isinstance(said, Mapping) else _failed(said)

    async def _post(self, account: _Account, path: str, body: Mapping[str, Any], method: str = "POST") -> _Said:
        """One call; a refused token is replaced and the call made once more, for it was refused before anything was done."""
        said: _Said = NotSent("InvalidToken")
        for _ in range(2):
            token = await self._tokens.get(account.consumer_key, account.consumer_secret)
            if isinstance(token, NoToken):
                return token
            headers = {"Authorization": f"Bearer {token.value}"}
            said = _understand(await self._http.call(method, self._base_url + path, headers=headers, body=body))
            if not isinstance(said, _Error) or not said.code.startswith(INVALID_TOKEN):
                return said
            self._tokens.drop(account.consumer_key, account.consumer_secret, token)
        return NotSent("InvalidToken")


def _understand(answer: Answer | NotSent | Unknown) -> _Said:
    """What the body says: an error of theirs in any envelope and with any status, or the reply of a 200."""
    if not isinstance(answer, Answer):
        return answer
    wait = answer.headers.get("retry-after", "")
    wait_s = min(int(wait), 3600) if wait.isascii() and wait.isdigit() and len(wait) <= 6 else None
    try:
        reply = read_json(answer.body)
    except Unreadable:
        reply = {}
    code, message, fault = reply.get("errorCode"), reply.get("errorMessage"), reply.get("fault")
    if isinstance(code, str) and code:
        return _Error(code, message if isinstance(message, str) else "", wait_s)
    if answer.status == 429:
        return _Error("500.003.02", "", 10 if wait_s is None else wait_s)
    if answer.status == 401:
        return _Error("401.", "")
    if isinstance(fault, dict):
        said = str(fault.get("faultstring", "")).casefold()
        return _Error(
            "404.fault" if "no apiproduct match" in said else "500.003.02" if "spike arrest" in said else "500.fault", said, wait_s
        )
    return reply if answer.status == 200 and reply else Unknown(f"Status{answer.status}")


def accepted(said: Mapping[str, Any], name: str) -> Reply:
    """ResponseCode "0" and an id: queued. Anything else is not known, for it may have been queued all the same."""
    ref = said.get(name)
    if str(said.get("ResponseCode", "")) == "0" and isinstance(ref, str) and re.fullmatch(r"[!-~]{1,100}", ref):
        return Reply(Outcome.PENDING, ref)
    return Reply(Outcome.UNKNOWN, result="unknown")


def _failed(said: _Error | NotSent | Unknown | NoToken) -> Reply:
    """A push or reversal that was not accepted."""
    match said:
        case Unknown():
            return Reply(Outcome.UNKNOWN, result="unknown")
        case NotSent():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        case NoToken(why="configuration"):
            return Reply(Outcome.DECLINED, result="configuration")
        case NoToken():
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=_LATER_S)
        case _Error(code, _, wait_s) if code in BUSY:
            return Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=BUSY[code] if wait_s is None else max(wait_s, 1))
        case _Error(code, message):
            outcome, words = refusal(code, message)
            log.info("daraja_refused", code=code, outcome=outcome.value, words=words)
            return Reply(outcome, result=words)


def _no_answer(said: _Error | NotSent | Unknown | NoToken, ref: str) -> Reply:
    """A question that got no answer: nothing is known of the attempt, whatever went wrong with asking."""
    failed = _failed(said)
    if isinstance(said, _Error) and said.code == "500.001.1001" and "being processed" in said.message.casefold():
        return Reply(Outcome.PENDING, ref, "waiting")
    words = failed.result if failed.result in ("configuration", "try_later") else "unknown"
    return Reply(Outcome.UNKNOWN, ref, words, failed.retry_after_s)


def _read(credentials: Mapping[str, str]) -> _Account | None:
    """None when what every call needs is missing, or could not be sent."""
    needed = [credentials.get(name, "").strip() for name in ("consumer_key", "consumer_secret", "short_code", "passkey")]
    kind = credentials.get("transaction_type", "PAYBILL") or "PAYBILL"
    everything = "".join(credentials.values())
    if not all(needed) or kind not in ("PAYBILL", "BUYGOODS") or not (everything.isascii() and everything.isprintable()):
        return None
    key, secret, short_code, passkey = needed
    till = credentials.get("till", "").strip() or short_code
    initiator, credential = credentials.get("initiator", ""), credentials.get("security_credential", "")
    return _Account(key, secret, short_code, passkey, kind == "BUYGOODS", till, initiator, credential)


def _payable(money: Money) -> bool:
    """Whole shillings only: Daraja refuses cents, and rounding is not ours to do."""
    return money.currency == "KES" and money.amount_minor > 0 and money.amount_minor % 100 == 0


def plain(text: str, longest: int, also: str) -> str:
    """ASCII letters and digits of a text, and the characters of `also`; an accent is taken off its letter."""
    bare = unicodedata.normalize("NFKD", text)
    return "".join(char for char in bare if char.isascii() and (char.isalnum() or char in also))[:longest].strip()


def _callback_base(base: str) -> str:
    """Checked once, at the start, rather than refused by Daraja with the first payment."""
    base = base.rstrip("/")
    parts = urlsplit(base)
    words = [word for word in FORBIDDEN if word in base.lower()] + [word for word in BLOCKED_HOSTS if word in parts.netloc.lower()]
    if words:
        raise ValueError(f"Daraja refuses callback addresses with {', '.join(words)} in them: {base}")
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.netloc != parts.netloc.lower() or parts.query or parts.fragment:
        raise ValueError(f"not a public address in lower case: {base}")
    return base
