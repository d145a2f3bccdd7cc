"""Reversals, payouts, status, balance and payments by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from town.core import Fault
from town.daraja.merchant import Merchant
from town.daraja.standalone import Standalone

PHONE = "254712345678"


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=7, callback_delay_s=0.01) as standalone:
        yield standalone


@pytest_asyncio.fixture
async def shop(alone: Standalone) -> AsyncIterator[Merchant]:
    async with Merchant(alone.url + "/town/daraja", alone.daraja.apps["town-key"]) as merchant:
        await merchant.sign_in()
        yield merchant


def plant(alone: Standalone, fault: str, **detail: Any) -> None:
    alone.core.faults.plant(Fault("daraja", fault, 1, detail))


async def receipt_of_payment(alone: Standalone, shop: Merchant) -> str:
    """Somebody paid 2,500; its callback is forgotten."""
    await shop.push()
    alone.phones.answer(PHONE, "right")
    await shop.heard()
    shop.calls.clear()
    return str(alone.daraja.books()[-1]["receipt"])


async def next_result(shop: Merchant) -> dict[str, Any]:
    result: dict[str, Any] = (await shop.heard())[0]["Result"]
    shop.calls.clear()
    return result


def parameters(result: dict[str, Any]) -> dict[str, Any]:
    return {entry["Key"]: entry.get("Value") for entry in result["ResultParameters"]["ResultParameter"]}


async def test_a_reversal_gives_the_money_back_once(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    status, reply = await shop.reverse(receipt, 2500)
    assert (status, reply["ResponseCode"]) == (200, "0")
    result = await next_result(shop)
    assert (result["ResultCode"], result["ConversationID"]) == (0, reply["ConversationID"])
    assert result["OriginatorConversationID"] == reply["OriginatorConversationID"]
    assert (parameters(result)["OriginalTransactionID"], parameters(result)["Amount"]) == (receipt, 2500)
    assert {"DebitAccountBalance", "TransCompletedTime", "Charge", "CreditPartyPublicName", "DebitPartyPublicName"} < set(
        parameters(result)
    )
    phone = alone.phones.phone(PHONE)
    assert phone.balance_minor == 100_000_00 and "Reversal of transaction" in phone.sms[-1]["text"]
    assert [(entry["kind"], entry["reversed_amount"]) for entry in alone.daraja.books()] == [("stk", 2500), ("reversal", 0)]
    await shop.reverse(receipt, 2500)
    again = await next_result(shop)
    assert again["ResultCode"] == "R000001" and "ResultParameters" not in again
    assert phone.balance_minor == 100_000_00


async def test_parts_can_be_reversed_until_nothing_is_left(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    codes = []
    for amount in (1000, 1500, 1):
        await shop.reverse(receipt, amount)
        codes.append((await next_result(shop))["ResultCode"])
    assert codes == [0, 0, "R000001"]


async def test_reversals_that_cannot_be(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    await shop.reverse("UANOSUCH00", 2500)
    assert (await next_result(shop))["ResultCode"] == "R000002"
    await shop.reverse(receipt, 2501)
    assert (await next_result(shop))["ResultCode"] == 3
    await shop.reverse(receipt, 2500, Initiator="somebody")
    assert (await next_result(shop))["ResultCode"] == 2001
    await shop.reverse(receipt, 2500, SecurityCredential="wrong")
    assert (await next_result(shop))["ResultCode"] == 2001
    alone.daraja.apps["town-key"].working_minor = 0
    await shop.reverse(receipt, 2500)
    assert (await next_result(shop))["ResultCode"] == 1
    assert alone.phones.phone(PHONE).balance_minor == 97_500_00


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Initiator", ""),
        ("CommandID", "Reversal"),
        ("TransactionID", ""),
        ("Amount", "1.5"),
        ("ReceiverParty", "600000"),
        ("RecieverIdentifierType", "4"),
        ("SecurityCredential", None),
        ("Remarks", "x"),
        ("ResultURL", "https://x.example/query"),
        ("QueueTimeOutURL", "no"),
    ],
)
async def test_a_bad_field_of_a_reversal_is_named(shop: Merchant, field: str, value: object) -> None:
    right = {"CommandID": "TransactionReversal", "TransactionID": "UA1", "ReceiverParty": "174379", "RecieverIdentifierType": "11"}
    body = shop.order_body(**right, Amount=1)
    status, reply = await shop.post("/mpesa/reversal/v1/request", {**body, field: value})
    assert (status, reply["errorMessage"]) == (400, f"Bad Request - Invalid {field}")


async def test_the_reversal_faults(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    plant(alone, "reversal_fails", code=2028)
    await shop.reverse(receipt, 100)
    assert (await next_result(shop))["ResultCode"] == 2028
    plant(alone, "reversal_500")
    assert (await shop.reverse(receipt, 100))[1]["errorCode"] == "500.003.02"
    plant(alone, "spike")
    assert (await shop.reverse(receipt, 100))[1]["errorCode"] == "500.003.02"
    plant(alone, "reversal_timeout_before")
    with pytest.raises(aiohttp.ClientError):
        await shop.reverse(receipt, 100)
    plant(alone, "reversal_queue_timeout")
    await shop.reverse(receipt, 100)
    await shop.heard()
    assert shop.calls[0][0] == "/callbacks/timeout"
    shop.calls.clear()
    assert alone.phones.phone(PHONE).balance_minor == 97_500_00
    plant(alone, "reversal_timeout_after")
    with pytest.raises(aiohttp.ClientError):
        await shop.reverse(receipt, 100)
    assert (await next_result(shop))["ResultCode"] == 0
    plant(alone, "reversal_duplicate_result")
    await shop.reverse(receipt, 100)
    assert len(await shop.heard(2)) == 2
    shop.calls.clear()
    plant(alone, "reversal_late_result", seconds=500)
    await shop.reverse(receipt, 100)
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    alone.core.clock.advance(500)
    assert (await next_result(shop))["ResultCode"] == 0
    plant(alone, "reversal_no_result")
    await shop.sign_in()
    await shop.reverse(receipt, 100)
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    assert alone.phones.phone(PHONE).balance_minor == 97_900_00


async def test_a_payout_is_done_once_per_originator_id(alone: Standalone, shop: Merchant) -> None:
    status, reply = await shop.pay_out("PL-W-1", PHONE, 500)
    assert (status, reply["OriginatorConversationID"], reply["ResponseCode"]) == (200, "PL-W-1", "0")
    assert reply["ConversationID"].startswith("AG_")
    result = await next_result(shop)
    told = parameters(result)
    assert (result["ResultCode"], told["TransactionAmount"], told["TransactionReceipt"]) == (0, 500, result["TransactionID"])
    assert told["B2CRecipientIsRegisteredCustomer"] == "Y" and told["B2CUtilityAccountAvailableFunds"] == 999_500.0
    assert result["ReferenceData"]["ReferenceItem"]["Key"] == "QueueTimeoutURL"
    status, body = await shop.pay_out("PL-W-1", PHONE, 500)
    assert (status, body["errorCode"], body["errorMessage"]) == (500, "500.002.1001", "Duplicate OriginatorConversationID")
    phone = alone.phones.phone(PHONE)
    assert phone.balance_minor == 100_500_00 and "You have received Ksh500.00 from PAYLOOM" in phone.sms[-1]["text"]


async def test_payouts_that_fail_say_why(alone: Standalone, shop: Merchant) -> None:
    app = alone.daraja.apps["town-key"]
    for number, (amount, changed, code) in enumerate([(9, {}, 2), (500, {"InitiatorName": "no"}, 2001), (250_000, {}, 8)]):
        alone.phones.phone(PHONE).balance_minor = 400_000_00
        await shop.pay_out(f"PL-W-{number}", PHONE, amount, **changed)
        result = await next_result(shop)
        assert result["ResultCode"] == code and "ResultParameters" not in result
    app.utility_minor = 0
    await shop.pay_out("PL-W-9", PHONE, 500)
    assert (await next_result(shop))["ResultCode"] == 1
    status, body = await shop.pay_out("PL-W-10", PHONE, 500, PartyA="600000")
    assert (status, body["errorMessage"]) == (400, "Bad Request - Invalid PartyA")


async def test_a_lost_payout_result_can_be_asked_by_originator_id(alone: Standalone, shop: Merchant) -> None:
    plant(alone, "b2c_no_result")
    await shop.pay_out("PL-W-1", PHONE, 500)
    with pytest.raises(TimeoutError):
        await shop.heard(within_s=0.1)
    body = shop.order_body(CommandID="TransactionStatusQuery", OriginalConversationID="PL-W-1", PartyA="174379", IdentifierType="4")
    assert (await shop.post("/mpesa/transactionstatus/v1/query", body))[0] == 200
    result = await next_result(shop)
    told = parameters(result)
    assert (told["TransactionStatus"], told["Amount"], told["ReceiptNo"]) == ("Completed", 500.0, alone.daraja.books()[0]["receipt"])
    assert told["DebitPartyCharges"] is None and isinstance(result["ReferenceData"]["ReferenceItem"], list)


async def test_status_by_receipt_of_ours_and_of_nobody(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    body = shop.order_body(CommandID="TransactionStatusQuery", TransactionID=receipt, PartyA="174379", IdentifierType="4", Occasion="")
    await shop.post("/mpesa/transactionstatus/v1/query", body)
    told = parameters(await next_result(shop))
    assert (told["ReceiptNo"], told["Amount"], told["DebitPartyName"]) == (receipt, 2500.0, f"{PHONE} - TOWN PERSON")
    await shop.post("/mpesa/transactionstatus/v1/query", {**body, "TransactionID": "UANOSUCH00"})
    assert (await next_result(shop))["ResultCode"] == "R000002"
    status, reply = await shop.post("/mpesa/transactionstatus/v1/query", {**body, "TransactionID": ""})
    assert (status, reply["errorMessage"]) == (400, "Bad Request - Invalid TransactionID")


async def test_the_account_balance_is_joined_text(alone: Standalone, shop: Merchant) -> None:
    await receipt_of_payment(alone, shop)
    await shop.post("/mpesa/accountbalance/v1/query", shop.order_body(CommandID="AccountBalance", PartyA="174379", IdentifierType=4))
    told = parameters(await next_result(shop))
    assert told["AccountBalance"].startswith("Working Account|KES|2500.00|2500.00|0.00|0.00&Utility Account|KES|1000000.00|")


async def register(shop: Merchant, **changed: str) -> tuple[int, dict[str, Any]]:
    urls = {"ConfirmationURL": f"{shop.callback_url}/confirmation", "ValidationURL": f"{shop.callback_url}/validation"}
    return await shop.post("/mpesa/c2b/v2/registerurl", {"ShortCode": "174379", "ResponseType": "Completed", **urls, **changed})


async def test_urls_are_registered_once(shop: Merchant) -> None:
    status, body = await register(shop, ResponseType="completed")
    assert (status, body["errorMessage"]) == (400, "Bad Request - Invalid ResponseType")
    status, body = await register(shop)
    assert (status, body["ResponseDescription"]) == (200, "Success") and "OriginatorCoversationID" in body
    status, body = await register(shop)
    assert (status, body["errorCode"], body["errorMessage"]) == (500, "500.003.1001", "Urls are already registered")


async def test_a_payment_by_hand_is_confirmed_and_so_is_an_stk_payment(alone: Standalone, shop: Merchant) -> None:
    await register(shop)
    body = {"ShortCode": "174379", "CommandID": "CustomerPayBillOnline", "Amount": 500, "Msisdn": PHONE, "BillRefNumber": "pl 7k2qd"}
    assert (await shop.post("/mpesa/c2b/v2/simulate", body))[0] == 200
    confirmation = (await shop.heard())[0]
    assert confirmation["TransAmount"] == "500.00" and confirmation["BillRefNumber"] == "pl 7k2qd"
    assert confirmation["MSISDN"] == "2547 ***** 678" and all(isinstance(value, str) for value in confirmation.values())
    await shop.push()
    alone.phones.answer(PHONE, "right")
    await shop.heard(3)
    assert [entry["kind"] for entry in alone.daraja.books()] == ["c2b", "stk"]
    assert {path for path, _, _ in shop.calls} == {"/callbacks/confirmation", "/callbacks/stk"}


async def test_external_validation_can_refuse(alone: Standalone, shop: Merchant) -> None:
    alone.daraja.apps["town-key"].external_validation = True
    await register(shop, ResponseType="Cancelled")
    shop.answer = {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}
    body: dict[str, Any] = {"msisdn": "0712345678", "short_code": "174379", "account": "WRONG", "amount": 500}
    for answer_status, answer, moved in [
        (200, {"ResultCode": "C2B00012", "ResultDesc": "Rejected"}, False),
        (500, {}, False),
        (200, {"ResultCode": "0", "ResultDesc": "Accepted", "ThirdPartyTransID": "T-9"}, True),
    ]:
        shop.answer_status, shop.answer = answer_status, answer
        async with shop.http.post(alone.url + "/town/api/daraja/pay", json=body) as response:
            assert ((await response.json())["receipt"] is not None) == moved
    assert shop.calls[-1][2]["ThirdPartyTransID"] == "T-9"
    assert len(alone.daraja.books()) == 1
    async with shop.http.post(alone.url + "/town/api/daraja/pay", json={**body, "short_code": "1"}) as response:
        assert response.status == 400


async def test_the_books_are_shown(alone: Standalone, shop: Merchant) -> None:
    receipt = await receipt_of_payment(alone, shop)
    async with shop.http.get(alone.url + "/town/api/daraja/books") as response:
        (entry,) = await response.json()
    wanted = {"receipt", "kind", "msisdn", "amount", "short_code", "reference", "at", "reversed_amount", "checkout_request_id"}
    assert wanted <= set(entry) and (entry["receipt"], entry["reference"], entry["msisdn"]) == (receipt, "PL-7K2QD", PHONE)
    async with shop.http.get(alone.url + "/town/api/daraja") as response:
        assert (await response.json())["apps"][0]["working_minor"] == 2500_00
