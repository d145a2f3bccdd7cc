"""What Daraja posts to us, read strictly: STK callbacks and the results of reversals. Offline; raises Unreadable and nothing else."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from domain.errors import BadInput
from domain.money import Money, from_major
from domain.payment import Notice, Outcome, Proof, Unreadable
from gateways.http import read_json
from gateways.payments.daraja_codes import reversal_meaning, stk_meaning

NAME: Final = "daraja"
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,32}", re.ASCII)
_ID: Final = re.compile(r"[!-~]{1,100}", re.ASCII)
_RECEIPT: Final = re.compile(r"[A-Za-z0-9]{1,32}", re.ASCII)
_LONGEST_KEY: Final = 160


def read_notice(kind: str, raw: bytes) -> Notice:
    """`stk`, `reversal` or `reversal-late` (the address Daraja uses when a reversal waited too long in its queue)."""
    reader = _READERS.get(kind)
    if reader is None:
        raise Unreadable("unknown kind")
    return reader(kind, read_json(raw))


def code_of(value: object) -> str:
    """A ResultCode is an integer, the same in a string, or a string such as SFC_IC0003."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise Unreadable("ResultCode")
    text = str(value).strip()
    if not _CODE.fullmatch(text):
        raise Unreadable("ResultCode")
    return text


def _stk(kind: str, body: Mapping[str, Any]) -> Notice:
    """{"Body": {"stkCallback": {..., "CallbackMetadata": {"Item": [{"Name", "Value"}]}}}}; TransactionDate is not used: our clock dates it."""
    call = object_in(object_in(body, "Body"), "stkCallback")
    checkout = id_of(call.get("CheckoutRequestID"), "CheckoutRequestID")
    code = code_of(call.get("ResultCode"))
    outcome, words = stk_meaning(code)
    items = items_of(call.get("CallbackMetadata"), "Item", "Name")
    money, receipt = money_of(items.get("Amount")), receipt_of(items.get("MpesaReceiptNumber"))
    facts = {"code": code} | _optional("merchant_request_id", call.get("MerchantRequestID")) | payer_of(items.get("PhoneNumber"))
    return Notice(
        NAME, key_of(kind, checkout, code, receipt, money), kind, outcome, Proof.HINT, ref=checkout, receipt=receipt, money=money, result=words,
        facts=facts,
    )  # fmt: skip


def _reversal(kind: str, body: Mapping[str, Any]) -> Notice:
    """{"Result": {"ResultCode", "ConversationID", "TransactionID", "ResultParameters": {"ResultParameter": [{"Key", "Value"}]}}}."""
    result = object_in(body, "Result")
    conversation = id_of(result.get("ConversationID"), "ConversationID")
    code = code_of(result.get("ResultCode"))
    outcome, words = reversal_meaning(code)
    if kind == "reversal-late":
        # Daraja says it did not get to it in time; a result may still follow, so this is never an end.
        outcome, words = Outcome.UNKNOWN, "try_later"
    items = items_of(result.get("ResultParameters"), "ResultParameter", "Key")
    money, receipt = money_of(items.get("Amount")), receipt_of(result.get("TransactionID"))
    facts = {"code": code} | _optional("original_receipt", items.get("OriginalTransactionID"))
    facts |= _optional("originator_conversation_id", result.get("OriginatorConversationID"))
    return Notice(
        NAME, key_of(kind, conversation, code, receipt, money), kind, outcome, Proof.HINT, ref=conversation, receipt=receipt, money=money,
        result=words, facts=facts,
    )  # fmt: skip


_READERS: Final[Mapping[str, Callable[[str, Mapping[str, Any]], Notice]]] = {"stk": _stk, "reversal": _reversal, "reversal-late": _reversal}
KINDS: Final = frozenset(_READERS)


def object_in(body: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = body.get(name)
    if not isinstance(found, dict):
        raise Unreadable(name)
    return found


def items_of(holder: object, name: str, key: str) -> dict[str, Any]:
    """Entries by their name; all optional, each may lack its Value. One name twice with two values could mean anything: Unreadable."""
    entries = holder.get(name) if isinstance(holder, dict) else None
    if isinstance(entries, dict):
        entries = [entries]
    found: dict[str, Any] = {}
    for entry in entries if isinstance(entries, list) else []:
        if not isinstance(entry, dict) or not isinstance(entry.get(key), str):
            continue
        label = entry[key].replace(" ", "")
        if label in found and found[label] != entry.get("Value"):
            raise Unreadable(label)
        found[label] = entry.get("Value")
    return found


def money_of(value: object) -> Money | None:
    """Exact, in shillings: no sign, no exponent, no grouping."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable("Amount")
    try:
        return from_major(str(value), "KES")
    except (BadInput, ValueError):
        raise Unreadable("Amount") from None


def receipt_of(value: object) -> str | None:
    """Upper case always, so that one receipt cannot be used twice in two spellings."""
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | str) or not _RECEIPT.fullmatch(text_of(value)):
        raise Unreadable("receipt")
    return text_of(value).upper()


def text_of(value: int | str) -> str:
    """An integer of thousands of digits is not written out."""
    return value.strip() if isinstance(value, str) else str(value) if abs(value) < 10**40 else ""


def id_of(value: object, name: str) -> str:
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise Unreadable(name)
    return value


def _optional(name: str, value: object) -> dict[str, str]:
    return {name: value} if isinstance(value, str) and _ID.fullmatch(value) else {}


def payer_of(value: object) -> dict[str, str]:
    """The end of the payer's number (Daraja masks its middle for some merchants): enough to recognise, too little to call."""
    text = text_of(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    return {"payer_ends": text[-3:]} if len(text) >= 9 and text[-3:].isascii() and text[-3:].isdigit() else {}


def key_of(kind: str, ref: str, code: str, receipt: str | None, money: Money | None) -> str:
    """The same event gives the same key; the amount is part of it, so that a lie cannot keep the truth out of the inbox."""
    key = f"{kind}:{ref}:{code}:{receipt or ''}:{'' if money is None else money.amount_minor}"
    return key if len(key) <= _LONGEST_KEY else f"{kind}:{hashlib.sha256(key.encode()).hexdigest()}"
