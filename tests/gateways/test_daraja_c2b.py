"""Payments by hand as Daraja tells them: every shape read strictly; and its calls, against the town."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.by_hand import Verdict
from domain.money import Money
from domain.payment import About, Outcome, Unreadable
from domain.statement import NoBooks
from gateways.http import Http
from gateways.payments.daraja import Daraja
from gateways.payments.daraja_c2b import DarajaC2b
from town.daraja.merchant import Merchant
from town.daraja.standalone import Standalone

CONFIRMATION: dict[str, Any] = {
    "TransactionType": "Pay Bill", "TransID": "rkl51zdr4f", "TransTime": "20261121121325", "TransAmount": "500.00", "BusinessShortCode": "600966",
    "BillRefNumber": " INV00042", "InvoiceNumber": "", "OrgAccountBalance": "", "ThirdPartyTransID": "TEMP7K2QD4W8", "MSISDN": "2547 ***** 126",
    "FirstName": "JANE", "MiddleName": "", "LastName": "",
}  # fmt: skip
PARAMETERS: dict[str, Any] = {
    "ReceiptNo": "SG632NMUAB", "TransactionStatus": "Completed", "Amount": 10.5, "FinalisedTime": 20261121121325,
    "DebitPartyName": "254712345678 - JANE DOE", "CreditPartyName": "174379 - PAYLOOM", "ReasonType": "Pay Bill",
}  # fmt: skip


class SystemClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return 0.0


def offline() -> DarajaC2b:
    return DarajaC2b(Daraja(Http(), "https://sandbox.safaricom.co.ke", SystemClock(), "https://pay.example"))


def result(code: Any = 0, parameters: dict[str, Any] | None = None, conversation: Any = "AG_1") -> bytes:
    inner: dict[str, Any] = {"ResultCode": code, "ConversationID": conversation, "TransactionID": "X1"}
    if parameters is not None:
        inner["ResultParameters"] = {"ResultParameter": [{"Key": key, "Value": value} for key, value in parameters.items()]}
    return json.dumps({"Result": inner}).encode()


def test_a_confirmation_is_read() -> None:
    told = offline().read_told("confirmation", json.dumps(CONFIRMATION).encode())
    assert (told.receipt, told.money, told.short_code, told.account) == ("RKL51ZDR4F", Money(50_000, "KES"), "600966", "INV00042")
    assert (told.payer_ends, told.validated, told.paid_at) == ("126", "TEMP7K2QD4W8", datetime(2026, 11, 21, 9, 13, 25, tzinfo=UTC))


@pytest.mark.parametrize(
    "changes",
    [
        {"TransID": None}, {"TransID": ""}, {"TransID": "no receipt!"}, {"TransID": True}, {"TransAmount": None}, {"TransAmount": "0.00"},
        {"TransAmount": "-5.00"}, {"TransAmount": "1,000"}, {"TransAmount": "NaN"}, {"TransAmount": "1e3"}, {"TransAmount": "5.001"},
        {"TransAmount": "9" * 40}, {"BusinessShortCode": ""}, {"BusinessShortCode": True}, {"BusinessShortCode": "60-966"},
        {"BusinessShortCode": None}, {"BusinessShortCode": ["600966"]},
    ],
)  # fmt: skip
def test_what_cannot_be_a_payment_is_not_read(changes: dict[str, Any]) -> None:
    """C8, C17"""
    with pytest.raises(Unreadable):
        offline().read_told("confirmation", json.dumps({**CONFIRMATION, **changes}).encode())


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"\xff", b"<html>", b'{"TransID":1,"TransID":2}', b"[" * 100_000])
def test_what_is_no_object_is_not_read(raw: bytes) -> None:
    """C17"""
    for kind in ("validation", "confirmation", "listed"):
        with pytest.raises(Unreadable):
            offline().read_told(kind, raw)
    with pytest.raises(Unreadable):
        offline().read_looked("result", raw)


def test_kinds_that_are_not_ours_are_not_read() -> None:
    with pytest.raises(Unreadable):
        offline().read_told("stk", json.dumps(CONFIRMATION).encode())
    with pytest.raises(Unreadable):
        offline().read_looked("stk", result())


@pytest.mark.parametrize("payer", ["", "a" * 64, None, 7, {"x": 1}])
def test_a_payer_that_is_not_told_has_no_digits(payer: Any) -> None:
    told = offline().read_told("confirmation", json.dumps({**CONFIRMATION, "MSISDN": payer, "BillRefNumber": None}).encode())
    assert (told.payer_ends, told.account) == ("", "")


def test_what_daraja_says_of_a_receipt_is_read() -> None:
    looked = offline().read_looked("result", result(0, PARAMETERS))
    assert (looked.found, looked.ref, looked.receipt, looked.money) == (True, "AG_1", "SG632NMUAB", Money(1_050, "KES"))
    assert (looked.payee, looked.payer, looked.completed, looked.prompted) == ("174379", "254712345678", True, False)
    assert looked.paid_at == datetime(2026, 11, 21, 9, 13, 25, tzinfo=UTC)
    spaced = {"Receipt No": "SG632NMUAB", "Transaction Status": "Completed", "Reason Type": "Pay Bill Online", "Credit Party Name": "x"}
    looked = offline().read_looked("result", result("0", spaced))
    assert (looked.receipt, looked.completed, looked.prompted, looked.payee, looked.money) == ("SG632NMUAB", True, True, "", None)


@pytest.mark.parametrize(
    ("kind", "code", "found"), [("result", "R000002", False), ("result", 2001, None), ("result", "26", None), ("late", 0, None)]
)
def test_only_one_code_says_that_there_is_no_such_payment(kind: str, code: Any, found: bool | None) -> None:
    assert offline().read_looked(kind, result(code)).found is found


@pytest.mark.parametrize(
    ("verdict", "code"),
    [
        (Verdict.ACCEPT, "0"),
        (Verdict.ACCOUNT, "C2B00012"),
        (Verdict.AMOUNT, "C2B00013"),
        (Verdict.SHORT_CODE, "C2B00015"),
        (Verdict.OTHER, "C2B00016"),
    ],
)
def test_a_question_is_answered_in_darajas_codes(verdict: Verdict, code: str) -> None:
    said = json.loads(offline().answer(verdict, "TEMP7K2QD4W8"))
    assert said["ResultCode"] == code
    assert said.get("ThirdPartyTransID") == ("TEMP7K2QD4W8" if verdict is Verdict.ACCEPT else None)


# --- against the town


@pytest.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=1) as found:
        yield found


async def test_addresses_payments_receipts_and_the_list(alone: Standalone) -> None:
    """Registered once; a payment is found by its receipt and in the list; what is refused is said so."""
    app = next(iter(alone.daraja.apps.values()))
    credentials = {
        "consumer_key": app.key, "consumer_secret": app.secret, "short_code": app.short_code, "passkey": app.passkey,
        "initiator": app.initiator, "security_credential": app.security_credential,
    }  # fmt: skip
    http = Http()
    async with Merchant(f"{alone.url}/town/daraja", app) as merchant:
        base = merchant.callback_url.removesuffix("/callbacks")
        daraja = Daraja(http, f"{alone.url}/town/daraja", SystemClock(), base)
        hand, now = DarajaC2b(daraja), datetime.now(UTC)
        assert await hand.listed(now - timedelta(hours=1), now, credentials) is None
        assert await hand.register_list(credentials, "abc", "254700000000") is None
        assert await hand.listed(now - timedelta(hours=1), now + timedelta(minutes=1), credentials) == []
        assert await hand.register(credentials, "abc", unless_reached=False) is None
        assert await hand.register(credentials, "abc", unless_reached=False) == "already_registered"
        assert await hand.register({**credentials, "consumer_secret": "x"}, "abc", unless_reached=True) == "configuration"
        receipt = await alone.daraja.pay_by_hand("254712345678", app.short_code, "PL7K2QD", 2500)
        assert receipt is not None
        (confirmed,) = await merchant.heard(1)
        told = hand.read_told("confirmation", json.dumps(confirmed).encode())
        lines = await hand.listed(now - timedelta(hours=1), now + timedelta(minutes=1), credentials)
        assert lines is not None
        listed = hand.read_told("listed", lines[0])
        assert (listed.receipt, listed.money, listed.account, listed.short_code) == (receipt, told.money, told.account, told.short_code)
        assert listed.payer_ends == told.payer_ends == "678"
        later = datetime.now(UTC) + timedelta(minutes=1)
        (record,) = await hand.records(now - timedelta(hours=1), later, credentials)
        assert (record.about, record.ref, record.receipt, record.money) == (About.PAYMENT, receipt, receipt, told.money)
        assert abs(record.at - now) < timedelta(minutes=5)
        assert await hand.records(later, later + timedelta(hours=1), credentials) == []
        with pytest.raises(NoBooks):
            await hand.records(now - timedelta(hours=1), later, {**credentials, "consumer_secret": "x"})
        reply = await hand.look_up(receipt, credentials, "def")
        assert reply.outcome is Outcome.PENDING
        looked = hand.read_looked("result", json.dumps((await merchant.heard(2))[1]).encode())
        assert (looked.ref, looked.receipt, looked.money, looked.payee) == (reply.ref, receipt, Money(250_000, "KES"), app.short_code)
        assert (await hand.look_up(receipt, {**credentials, "initiator": ""}, "def")).outcome is Outcome.DECLINED
        await daraja.aclose()
    await http.aclose()
