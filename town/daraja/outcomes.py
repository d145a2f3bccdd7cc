"""Result codes and the bodies that carry them: STK callbacks and the result envelope of the asynchronous calls."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from town.daraja.names import stamp


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a request ended. The prose of callback and query differ, as they do in reality."""

    code: int | str
    said: str
    said_to_query: str

    @property
    def paid(self) -> bool:
        return self.code == 0


def _same(code: int | str, said: str) -> Outcome:
    return Outcome(code, said, said)


PAID = _same(0, "The service request is processed successfully.")
BROKE = Outcome(1, "The balance is insufficient for the transaction.", "The balance is insufficient for the transaction")
DAY_LIMIT = _same(4, "Declined due to limit rule: would exceed the daily transfer limit.")
TOO_LONG = _same(1025, "An error occurred while sending a push request")
CANCELLED = Outcome(1032, "Request cancelled by user", "Request Cancelled by user.")
NO_ANSWER = Outcome(1037, "No response from user.", "DS timeout user cannot be reached")
UNREACHABLE = _same(1037, "DS timeout user cannot be reached")
WRONG_PIN = Outcome(2001, "The initiator information is invalid.", "The initiator information is invalid")
MISMATCH = _same(2028, "The request is not permitted according to product assignment.")
NO_OPERATOR = _same("SFC_IC0003", "The operator does not exist.")

_KNOWN = {outcome.code: outcome for outcome in (PAID, BROKE, DAY_LIMIT, TOO_LONG, CANCELLED, NO_ANSWER, WRONG_PIN, MISMATCH, NO_OPERATOR)}
_PROSE: dict[int | str, str] = {
    2: "Declined due to limit rule: less than the minimum transaction amount.",
    3: "Declined due to limit rule: greater than the maximum transaction amount.",
    8: "Declined due to limit rule: would exceed the maximum balance.",
    17: "System internal error.",
    21: "The initiator is not allowed to initiate this request",
    26: "System busy. Try again in a short while.",
    1001: "Unable to lock subscriber, a transaction is already in process for the current subscriber",
    1019: "Transaction has expired",
    2006: "The account status does not allow this transaction.",
    2040: "Credit party customer type (Unregistered or Registered customer) can't be supported by the service.",
    8006: "The security credential is locked.",
    9999: "Request failed.",
    "R000001": "The transaction has already been reversed.",
    "R000002": "The OriginalTransactionID is invalid.",
}


def outcome_of(code: int | str) -> Outcome:
    """The outcome with this result code; `"17"` and 17 are the same."""
    if isinstance(code, str) and code.isdigit():
        code = int(code)
    return _KNOWN.get(code) or _same(code, _PROSE.get(code, "Request failed."))


@dataclass(frozen=True, slots=True)
class Paid:
    """What a success callback tells."""

    amount: int
    receipt: str
    at: datetime
    msisdn: str


def stk_callback(merchant_request_id: str, checkout_request_id: str, outcome: Outcome, paid: Paid | None) -> dict[str, Any]:
    """The body POSTed to CallBackURL; a failure has no CallbackMetadata."""
    inner: dict[str, Any] = {
        "MerchantRequestID": merchant_request_id,
        "CheckoutRequestID": checkout_request_id,
        "ResultCode": outcome.code,
        "ResultDesc": outcome.said,
    }
    if paid is not None:
        items: list[dict[str, Any]] = [
            {"Name": "Amount", "Value": float(paid.amount)},
            {"Name": "MpesaReceiptNumber", "Value": paid.receipt},
            {"Name": "Balance"},
            {"Name": "TransactionDate", "Value": int(stamp(paid.at))},
            {"Name": "PhoneNumber", "Value": int(paid.msisdn)},
        ]
        inner["CallbackMetadata"] = {"Item": items}
    return {"Body": {"stkCallback": inner}}


def masked(msisdn: str) -> str:
    """`2547 ***** 126`, as C2B v2 masks it."""
    return f"{msisdn[:4]} ***** {msisdn[-3:]}"


def result(
    outcome: Outcome,
    conversation: tuple[str, str],
    receipt: str,
    timeout_url: str,
    parameters: dict[str, Any] | None,
    as_list: bool = False,
) -> dict[str, Any]:
    """The envelope POSTed to ResultURL. A None among `parameters` becomes an entry without Value; a failure has no parameters.

    `as_list` writes ReferenceItem as an array: both are seen.
    """
    reference = {"Key": "QueueTimeoutURL", "Value": timeout_url}
    inner: dict[str, Any] = {
        "ResultType": 0,
        "ResultCode": outcome.code,
        "ResultDesc": outcome.said,
        "OriginatorConversationID": conversation[1],
        "ConversationID": conversation[0],
        "TransactionID": receipt,
    }
    if parameters is not None:
        entries = [{"Key": key} if value is None else {"Key": key, "Value": value} for key, value in parameters.items()]
        inner["ResultParameters"] = {"ResultParameter": entries}
    inner["ReferenceData"] = {"ReferenceItem": [reference] if as_list else reference}
    return {"Result": inner}
