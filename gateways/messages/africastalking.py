"""The SMS messenger: Africa's Talking as words on any phone.

POST {base}/version1/messaging (the africastalking SDK 2.0.3, SMS.py: form fields and header; the provider's "SMS" pages: status codes of a
recipient). There is no idempotency key and no way to ask what became of a message: a lost answer is UNKNOWN, and whatever is said again says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import structlog

from domain.payment import Unreadable
from domain.ports import Delivery, Message, Sent
from gateways.http import Answer, Http, NotSent, Result, Unknown, read_json
from gateways.messages.pace import Pace
from gateways.messages.sms import MOST_SEGMENTS, words_of

LIVE: Final = "https://api.africastalking.com"
SANDBOX: Final = "https://api.sandbox.africastalking.com"
PATH: Final = "/version1/messaging"
_PHONE: Final = re.compile(r"\+[1-9][0-9]{6,14}")
_ERROR_LENGTH: Final = 200
_SOON_S, _BUSY_S, _TROUBLE_S, _NO_MONEY_S, _LONGEST_S = 5.0, 30.0, 120.0, 900.0, 3600.0
_ACCEPTED: Final = frozenset({100, 101, 102})
_OUTCOMES: Final[Mapping[int, Sent]] = {
    401: Sent(Delivery.REFUSED, error="risk_hold"),
    402: Sent(Delivery.REFUSED, error="invalid_sender_id"),
    403: Sent(Delivery.GONE, error="invalid_number"),
    404: Sent(Delivery.GONE, error="unsupported_number"),
    405: Sent(Delivery.LATER, retry_after_s=_NO_MONEY_S, error="insufficient_balance"),
    406: Sent(Delivery.GONE, error="opted_out"),
    407: Sent(Delivery.REFUSED, error="no_route"),
    409: Sent(Delivery.GONE, error="do_not_disturb"),
    500: Sent(Delivery.LATER, retry_after_s=_TROUBLE_S, error="provider_error"),
    501: Sent(Delivery.LATER, retry_after_s=_TROUBLE_S, error="operator_error"),
    502: Sent(Delivery.LATER, retry_after_s=_TROUBLE_S, error="operator_rejected"),
}
"""What a recipient's statusCode means for a message that the provider has looked at. 407 is a matter of routes, which come back; 405 of ours to pay."""
_NOT_UNDERSTOOD: Final = Sent(Delivery.UNKNOWN, error="answer_not_understood")

log = structlog.get_logger(__name__)


class AfricasTalking:
    """`sender` is an approved sender id or short code; without one the operator's own number is shown. The sandbox is chosen by its username.

    With a `pace`, a message waits up to `most_wait_s` for its turn, and is LATER beyond.
    """

    def __init__(
        self,
        http: Http,
        username: str,
        api_key: str,
        *,
        sender: str = "",
        base: str = "",
        pace: Pace | None = None,
        most_wait_s: float = 2.0,
        most_segments: int = MOST_SEGMENTS,
    ) -> None:
        self._http = http
        self._url = (base or (SANDBOX if username == "sandbox" else LIVE)).rstrip("/") + PATH
        self._username, self._sender = username, sender
        self._headers = {"Accept": "application/json", "apiKey": api_key}
        self._pace = pace
        self._most_wait_s = most_wait_s
        self._most_segments = most_segments

    async def send(self, address: str, message: Message) -> Sent:
        """One message to one phone. SENT means that the provider took it; whether it arrived a delivery report may tell."""
        if _PHONE.fullmatch(address) is None:
            return Sent(Delivery.REFUSED, error="not_a_phone")
        words = words_of(message, self._most_segments)
        if not words:
            return Sent(Delivery.REFUSED, error="nothing_to_say")
        if self._pace is None:
            return await self._say(address, words)
        async with self._pace.turn(address, self._most_wait_s) as lacks_s:
            if lacks_s > 0:
                return Sent(Delivery.LATER, retry_after_s=lacks_s, error="pace")
            return await self._say(address, words)

    async def _say(self, address: str, words: str) -> Sent:
        form = {"username": self._username, "to": address, "message": words, "bulkSMSMode": "1", "enqueue": "1"}
        if self._sender:
            form["from"] = self._sender
        sent = self._meaning(address, await self._http.call("POST", self._url, headers=self._headers, form=form))
        if sent.delivery is not Delivery.SENT:
            log.info("sms_not_sent", delivery=sent.delivery.value, error=sent.error)
        return sent

    async def edit(self, address: str, ref: str, message: Message) -> Sent:
        """What was sent by SMS stays as it is."""
        return Sent(Delivery.REFUSED, ref=ref, error="cannot_be_edited")

    async def strip(self, address: str, ref: str) -> None:
        """There are no buttons to take away."""

    def _meaning(self, address: str, result: Result) -> Sent:
        match result:
            case NotSent(why):
                return Sent(Delivery.LATER, retry_after_s=_SOON_S, error=why)
            case Answer() as answer:
                return self._answered(address, answer)
            case Unknown(why):
                return Sent(Delivery.UNKNOWN, error=why)

    def _answered(self, address: str, answer: Answer) -> Sent:
        """By HTTP status first: the body of a refusal is plain text."""
        status = answer.status
        if status == 429:
            wait_s = _wait_s(answer, _BUSY_S)
            if self._pace is not None:
                self._pace.pause(wait_s)
            return Sent(Delivery.LATER, retry_after_s=wait_s, error="too_many_requests")
        if status in {401, 403}:
            return Sent(Delivery.REFUSED, error="bad_credentials")
        if status >= 500 or status == 408:
            return Sent(Delivery.UNKNOWN, retry_after_s=_wait_s(answer, 0.0), error=f"http_{status}")
        if status >= 300:
            return Sent(Delivery.REFUSED, error=f"http_{status}")
        return _told(address, answer.body)


def _wait_s(answer: Answer, otherwise_s: float) -> float:
    """Retry-After in seconds; a date, or nonsense, says no more than nothing."""
    said = answer.headers.get("retry-after", "")
    return min(float(said), _LONGEST_S) if re.fullmatch(r"[0-9]{1,9}", said) else otherwise_s


def _told(address: str, body: bytes) -> Sent:
    """What the JSON of a success says of our one recipient. A success of HTTP alone means nothing."""
    try:
        data = read_json(body).get("SMSMessageData")
    except Unreadable:
        return _NOT_UNDERSTOOD
    recipients = data.get("Recipients") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(recipients, list):
        return _NOT_UNDERSTOOD
    if not recipients:
        return Sent(Delivery.REFUSED, error=_line(data.get("Message")) or "no_recipients")
    found = _ours(address, recipients)
    code = _code(found.get("statusCode"))
    if code in _ACCEPTED:
        return Sent(Delivery.SENT, _ref(found.get("messageId")))
    return _OUTCOMES.get(code, Sent(Delivery.UNKNOWN, error=f"status_{code}"))


def _ours(address: str, recipients: Sequence[Any]) -> Mapping[str, Any]:
    """The entry of our number, or the only one: the provider may write a number in another way."""
    entries = [one for one in recipients if isinstance(one, dict)]
    for one in entries:
        if one.get("number") == address:
            return one
    return entries[0] if len(entries) == 1 else {}


def _code(said: Any) -> int:
    """0 for what is no code."""
    text = str(said)
    return int(text) if re.fullmatch(r"[0-9]{3}", text) else 0


def _ref(said: Any) -> str | None:
    """The provider writes `None` where it has no id."""
    return said if isinstance(said, str) and re.fullmatch(r"[!-~]{1,100}", said) and said != "None" else None


def _line(said: Any) -> str:
    return "".join(char if char.isprintable() else " " for char in str(said or ""))[:_ERROR_LENGTH].strip()
