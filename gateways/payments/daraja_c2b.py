"""Back room: Daraja's Customer To Business, Transaction Status and Pull Transactions (M-PESA Kenya): money paid from the M-PESA menu.

Documentation: portal pages "Customer To Business Register URL", "Transaction Status", "Pull Transaction". Nothing is signed: the address is the
secret, and what it tells is asked about. Credentials are those of `gateways/payments/daraja.py`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from domain.by_hand import Looked, Told, Verdict
from domain.payment import About, Outcome, Record, Reply, Unreadable
from domain.statement import Bookkeeping, NoBooks
from gateways.http import read_json
from gateways.payments.daraja import NAIROBI, Daraja, accepted
from gateways.payments.daraja_notice import code_of, id_of, items_of, money_of, object_in, receipt_of

VALIDATION, CONFIRMATION, LISTED = "validation", "confirmation", "listed"
RESULT, LATE = "result", "late"
TOLD_KINDS: Final = frozenset({VALIDATION, CONFIRMATION, LISTED})
LOOKED_KINDS: Final = frozenset({RESULT, LATE})
NOT_FOUND: Final = "R000002"
"""The one code that says clearly that there is no such transaction; every other failure says only that it was not looked up."""

_REGISTER, _STATUS = "/mpesa/c2b/v2/registerurl", "/mpesa/transactionstatus/v1/query"
_LIST_REGISTER, _LIST = "/pulltransactions/v1/register", "/pulltransactions/v1/query"
_ANSWERS: Final = {
    Verdict.ACCEPT: "0",
    Verdict.ACCOUNT: "C2B00012",
    Verdict.AMOUNT: "C2B00013",
    Verdict.SHORT_CODE: "C2B00015",
    Verdict.OTHER: "C2B00016",
}
_SHORT_CODE: Final = re.compile(r"[0-9]{5,7}", re.ASCII)
_PARTY: Final = re.compile(r"\s*([0-9]{5,12})(?![0-9])", re.ASCII)
_LONGEST: Final = 60
_PAGE: Final = 1000
_MOST_PAGES: Final = 50
_BOOKS: Final = Bookkeeping(frozenset({About.PAYMENT}), reaches=timedelta(hours=47), by_hand_only=True)
"""Their list holds what customers paid from the menu, the last 48 hours of it."""


class DarajaC2b:
    """Speaks through a Daraja, whose tokens it shares: a new token ends the one before."""

    def __init__(self, daraja: Daraja) -> None:
        self._daraja = daraja

    def read_told(self, kind: str, raw: bytes) -> Told:
        """`validation`, `confirmation`, or `listed`, one line of Pull Transactions. Raises Unreadable."""
        if kind not in TOLD_KINDS:
            raise Unreadable("unknown kind")
        body = read_json(raw)
        return _line(body) if kind == LISTED else _paid(body)

    def read_looked(self, kind: str, raw: bytes) -> Looked:
        """`result`, or `late`: Daraja did not get to it in its time. Raises Unreadable."""
        if kind not in LOOKED_KINDS:
            raise Unreadable("unknown kind")
        result = object_in(read_json(raw), "Result")
        conversation, code = id_of(result.get("ConversationID"), "ConversationID"), code_of(result.get("ResultCode"))
        key = f"{kind}:{conversation}:{code}:{hashlib.sha256(raw).hexdigest()[:16]}"
        if kind == LATE or code != "0":
            return Looked(False if code == NOT_FOUND and kind == RESULT else None, conversation, key)
        items = items_of(result.get("ResultParameters"), "ResultParameter", "Key")
        return Looked(
            found=True,
            ref=conversation,
            event_key=key,
            receipt=receipt_of(items.get("ReceiptNo")) or "",
            money=money_of(items.get("Amount")),
            payee=_party(items.get("CreditPartyName")),
            payer=_party(items.get("DebitPartyName")),
            prompted="online" in _words(items.get("ReasonType")).casefold(),
            completed=_words(items.get("TransactionStatus")).casefold() == "completed",
            paid_at=_instant(items.get("FinalisedTime")),
            result="found",
        )

    def answer(self, verdict: Verdict, validated: str) -> bytes:
        """Within about eight seconds; `ThirdPartyTransID` comes back in the confirmation."""
        said: dict[str, str] = {"ResultCode": _ANSWERS[verdict], "ResultDesc": "Accepted" if verdict is Verdict.ACCEPT else "Rejected"}
        if verdict is Verdict.ACCEPT and validated:
            said["ThirdPartyTransID"] = validated
        return json.dumps(said).encode()

    async def register(self, credentials: Mapping[str, str], token: str, *, unless_reached: bool) -> str | None:
        """POST /mpesa/c2b/v2/registerurl: once for ever in production. None, or why not: already_registered, configuration, try_later, unknown."""
        body = {
            "ShortCode": credentials.get("short_code", ""),
            "ResponseType": "Completed" if unless_reached else "Cancelled",
            "ConfirmationURL": self._daraja.callback_url(token, f"c2b/{CONFIRMATION}"),
            "ValidationURL": self._daraja.callback_url(token, f"c2b/{VALIDATION}"),
        }
        return _refused(await self._daraja.say(credentials, _REGISTER, body), ("0", "00000000"))

    async def register_list(self, credentials: Mapping[str, str], token: str, phone: str) -> str | None:
        """POST /pulltransactions/v1/register, before anything is listed; `phone` is the number that Safaricom knows the short code by."""
        body = {
            "ShortCode": credentials.get("short_code", ""),
            "RequestType": "Pull",
            "NominatedNumber": phone,
            "CallBackURL": self._daraja.callback_url(token, f"c2b/{CONFIRMATION}"),
        }
        return _refused(await self._daraja.say(credentials, _LIST_REGISTER, body), ("0", "00000000", "1000"))

    async def look_up(self, receipt: str, credentials: Mapping[str, str], token: str) -> Reply:
        """POST /mpesa/transactionstatus/v1/query: PENDING when it was heard; it changes nothing, so it may be asked again."""
        initiator, credential = credentials.get("initiator", ""), credentials.get("security_credential", "")
        if not initiator or not credential:
            return Reply(Outcome.DECLINED, result="configuration")
        body = {
            "Initiator": initiator,
            "SecurityCredential": credential,
            "CommandID": "TransactionStatusQuery",
            "TransactionID": receipt,
            "PartyA": credentials.get("short_code", ""),
            "IdentifierType": "4",
            "ResultURL": self._daraja.callback_url(token, f"lookup/{RESULT}"),
            "QueueTimeOutURL": self._daraja.callback_url(token, f"lookup/{LATE}"),
            "Remarks": "Receipt",
            "Occasion": "",
        }
        said = await self._daraja.say(credentials, _STATUS, body)
        return said if isinstance(said, Reply) else accepted(said, "ConversationID")

    async def listed(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[bytes] | None:
        """GET /pulltransactions/v1/query with a JSON body, page by page; reaches back 48 hours. 1001 says that there is nothing."""
        lines: list[bytes] = []
        for page in range(_MOST_PAGES):
            body = {
                "ShortCode": credentials.get("short_code", ""),
                "StartDate": _written(since),
                "EndDate": _written(until),
                "OffSetValue": str(page * _PAGE),
            }
            said = await self._daraja.say(credentials, _LIST, body, "GET")
            if isinstance(said, Reply):
                return None
            code = str(said.get("ResponseCode", ""))
            if code == "1001":
                return lines
            found = _rows(said.get("Response")) if code == "1000" else None
            if found is None:
                return None
            lines += [json.dumps({**row, "short_code": credentials.get("short_code", "")}, default=str).encode() for row in found]
            if len(found) < _PAGE:
                return lines
        return None

    @property
    def books(self) -> Bookkeeping:
        return _BOOKS

    async def records(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[Record]:
        """The same list. Raises NoBooks when it cannot be read whole."""
        lines = await self.listed(since, until, credentials)
        if lines is None:
            raise NoBooks("pulltransactions")
        try:
            found = {record.ref: record for record in map(_recorded, lines)}
        except Unreadable as problem:
            raise NoBooks(str(problem)) from None
        return [record for record in found.values() if since <= record.at < until]


def _recorded(line: bytes) -> Record:
    """As `_line`, with `trxDate`: an instant, in Nairobi where it does not say."""
    body = read_json(line)
    told, at = _line(body), _words(body.get("trxDate"))
    try:
        paid_at = datetime.fromisoformat(at)
    except ValueError:
        raise Unreadable("trxDate") from None
    paid_at = paid_at.replace(tzinfo=NAIROBI) if paid_at.tzinfo is None else paid_at
    return Record(About.PAYMENT, told.receipt, told.receipt, told.money, paid_at.astimezone(UTC))


def _paid(body: Mapping[str, Any]) -> Told:
    """{"TransID", "TransAmount": "500.00", "BusinessShortCode", "BillRefNumber", "MSISDN": "2547 ***** 126", "ThirdPartyTransID"}."""
    return _told(body, "TransID", "TransAmount", "BillRefNumber", "MSISDN", body.get("BusinessShortCode"), _instant(body.get("TransTime")))


def _line(body: Mapping[str, Any]) -> Told:
    """{"transactionId", "amount": "168.00", "billreference", "msisdn": 722000000, "trxDate"}; the short code was asked for, and is added by us."""
    return _told(body, "transactionId", "amount", "billreference", "msisdn", body.get("short_code"), None)


def _told(body: Mapping[str, Any], receipt: str, amount: str, account: str, payer: str, short_code: Any, at: datetime | None) -> Told:
    number, money, code = receipt_of(body.get(receipt)), money_of(body.get(amount)), str(short_code)
    if number is None or money is None or money.amount_minor <= 0:
        raise Unreadable(receipt if number is None else amount)
    if isinstance(short_code, bool) or not isinstance(short_code, str | int) or not _SHORT_CODE.fullmatch(code):
        raise Unreadable("short code")
    ends = _words(body.get(payer))[-3:]
    return Told(
        number, money, code, _words(body.get(account)), ends if len(ends) == 3 and ends.isascii() and ends.isdigit() else "",
        _words(body.get("ThirdPartyTransID")), at,
    )  # fmt: skip


def _words(value: object) -> str:
    """Text of a bounded length, or nothing. A hash of a number is as long as this, and tells no digits of it."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip() if not isinstance(value, int) or abs(value) < 10**15 else ""
    return text.replace("\0", "") if len(text) <= _LONGEST else ""


def _party(value: object) -> str:
    """The number at the beginning of `174379 - PAYLOOM`."""
    found = _PARTY.match(_words(value)) if isinstance(value, str) and len(value) <= _LONGEST else None
    found = found or (_PARTY.match(value[:_LONGEST]) if isinstance(value, str) else None)
    return found.group(1) if found is not None else ""


def _instant(value: object) -> datetime | None:
    """`20261121121325`, a number or a text, in Nairobi."""
    try:
        return datetime.strptime(_words(value), "%Y%m%d%H%M%S").replace(tzinfo=NAIROBI).astimezone(UTC)
    except ValueError:
        return None


def _written(at: datetime) -> str:
    return at.astimezone(NAIROBI).strftime("%Y-%m-%d %H:%M:%S")


def _rows(response: object) -> list[dict[str, Any]] | None:
    """The lines are in a list, or in a list in a list."""
    if not isinstance(response, list):
        return None
    flat = [row for part in response for row in (part if isinstance(part, list) else [part])]
    return flat if all(isinstance(row, dict) for row in flat) else None


def _refused(said: Mapping[str, Any] | Reply, good: tuple[str, ...]) -> str | None:
    if isinstance(said, Reply):
        return said.result or "unknown"
    return None if str(said.get("ResponseCode", said.get("ResponseStatus", ""))) in good else "unknown"
