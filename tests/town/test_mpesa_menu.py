"""The M-PESA menu of a phone: Pay Bill and Buy Goods, answered by SMS as M-PESA answers, and told to whoever is paid."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from domain.by_hand import read_pasted
from domain.money import Money
from town.core import Fault
from town.daraja.merchant import Merchant
from town.daraja.standalone import Standalone

PHONE = "254712345678"
BILL: dict[str, Any] = {"service": "paybill", "short_code": "174379", "account": "TEMP7K2QD4W8", "amount": 2500, "pin": "1234"}
TILL: dict[str, Any] = {"service": "till", "short_code": "700222", "amount": 300, "pin": "1234"}


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=7, callback_delay_s=0.01) as standalone:
        standalone.daraja.add_app(key="b", secret="b", short_code="600111", passkey="p", kind="BUYGOODS", till="700222", name="KIOSK")
        yield standalone


@pytest_asyncio.fixture
async def shop(alone: Standalone) -> AsyncIterator[Merchant]:
    """Asked before money moves, told afterwards."""
    alone.daraja.apps["town-key"].external_validation = True
    async with Merchant(alone.url + "/town/daraja", alone.daraja.apps["town-key"]) as merchant:
        await merchant.sign_in()
        urls = {"ConfirmationURL": f"{merchant.callback_url}/confirmation", "ValidationURL": f"{merchant.callback_url}/validation"}
        await merchant.post("/mpesa/c2b/v2/registerurl", {"ShortCode": "174379", "ResponseType": "Cancelled", **urls})
        yield merchant


async def pay(shop: Merchant, order: dict[str, Any], **changed: Any) -> tuple[int, dict[str, Any]]:
    root = shop.base.removesuffix("/town/daraja")
    async with shop.http.post(f"{root}/town/api/phone/{PHONE}/pay", json={**order, **changed}) as response:
        return response.status, await response.json()


def balance(alone: Standalone) -> int:
    return alone.phones.phone(PHONE).balance_minor


async def test_a_bill_is_asked_about_paid_confirmed_and_its_message_can_be_pasted(alone: Standalone, shop: Merchant) -> None:
    status, answer = await pay(shop, BILL)
    assert status == 200
    assert [path for path, _, _ in shop.calls] == ["/callbacks/validation", "/callbacks/confirmation"]
    asked, confirmed = (body for _, _, body in shop.calls)
    assert {asked["TransID"], confirmed["TransID"]} == {answer["receipt"]}
    assert (confirmed["TransactionType"], confirmed["BillRefNumber"], confirmed["TransAmount"]) == ("Pay Bill", "TEMP7K2QD4W8", "2500.00")
    assert alone.phones.phone(PHONE).sms[-1] == {**alone.phones.phone(PHONE).sms[-1], "from": "MPESA", "text": answer["said"]}
    assert answer["said"].startswith(f"{answer['receipt']} Confirmed. Ksh2,500.00 sent to PAYLOOM for account TEMP7K2QD4W8 on ")
    pasted = read_pasted(answer["said"])
    assert (pasted.receipt, pasted.money, pasted.account) == (answer["receipt"], Money(250_000, "KES"), "TEMP7K2QD4W8")
    assert balance(alone) == 97_500_00


async def test_a_till_has_no_account_and_its_message_can_be_pasted_too(alone: Standalone, shop: Merchant) -> None:
    _, answer = await pay(shop, TILL, account="NOBODY ASKS")
    assert " Confirmed. Ksh300.00 paid to KIOSK. on " in answer["said"]
    assert read_pasted(answer["said"]).receipt == answer["receipt"]
    (entry,) = alone.daraja.books()
    assert (entry["kind"], entry["short_code"], entry["reference"], entry["amount"]) == ("c2b", "600111", "", 300)


@pytest.mark.parametrize(
    ("order", "changed", "why"),
    [
        (BILL, {"pin": "9999"}, "You have entered a wrong M-PESA PIN."),
        (BILL, {"pin": ""}, "You have entered a wrong M-PESA PIN."),
        (BILL, {"short_code": "999999"}, "The business number 999999 is not correct."),
        (BILL, {"short_code": "700222"}, "The business number 700222 is not correct."),
        (TILL, {"short_code": "174379"}, "The till number 174379 is not correct."),
        (BILL, {"account": " "}, "PAYLOOM needs an account number."),
        (BILL, {"amount": 0}, "You can pay from Ksh1.00 to Ksh250,000.00 at once."),
        (BILL, {"amount": 250_001}, "You can pay from Ksh1.00 to Ksh250,000.00 at once."),
        (BILL, {"amount": 100_001}, "You do not have enough money in your M-PESA account to pay Ksh100,001.00 to PAYLOOM."),
    ],
)
async def test_what_the_menu_refuses_is_told_by_sms(
    alone: Standalone, shop: Merchant, order: dict[str, Any], changed: dict[str, Any], why: str
) -> None:
    status, answer = await pay(shop, order, **changed)
    assert (status, answer["receipt"]) == (200, None)
    assert answer["said"].startswith(f"Failed. {why}")
    assert alone.phones.phone(PHONE).sms[-1]["text"] == answer["said"]
    assert balance(alone) == 100_000_00
    assert shop.calls == []
    assert alone.daraja.books() == []


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("C2B00012", "The account number TEMP7K2QD4W8 is not correct for PAYLOOM."),
        ("C2B00013", "The amount Ksh2,500.00 is not correct for account TEMP7K2QD4W8 of PAYLOOM."),
        ("C2B00015", "The business number 174379 is not correct."),
        ("C2B00016", "PAYLOOM cannot take your payment now."),
        ("nonsense", "PAYLOOM cannot take your payment now."),
    ],
)
async def test_what_the_business_refuses_is_told_by_sms(alone: Standalone, shop: Merchant, code: str, why: str) -> None:
    shop.answer = {"ResultCode": code, "ResultDesc": "Rejected"}
    _, answer = await pay(shop, BILL)
    assert answer["receipt"] is None
    assert answer["said"].startswith(f"Failed. {why}")
    assert answer["said"].endswith("Your M-PESA balance is Ksh100,000.00.")
    assert balance(alone) == 100_000_00


async def test_a_business_that_does_not_answer_is_paid_or_not_as_it_registered(alone: Standalone, shop: Merchant) -> None:
    shop.answer_status = 500
    _, answer = await pay(shop, BILL)
    assert (answer["receipt"], answer["said"].split(".")[1]) == (None, " PAYLOOM cannot take your payment now")
    urls = alone.daraja.apps["town-key"].urls
    assert urls is not None
    urls.response_type = "Completed"
    assert (await pay(shop, BILL))[1]["receipt"] is not None


async def test_the_day_has_a_limit_and_the_message_tells_what_is_left(alone: Standalone, shop: Merchant) -> None:
    alone.phones.phone(PHONE).balance_minor = 900_000_00
    _, first = await pay(shop, BILL, amount=250_000)
    assert first["said"].endswith("Amount you can transact within the day is 250,000.00.")
    await pay(shop, BILL, amount=250_000)
    _, third = await pay(shop, BILL, amount=1)
    assert third["said"].startswith("Failed. Paying Ksh1.00 to PAYLOOM would exceed the amount you can transact within the day.")
    alone.core.clock.advance(86_400)
    assert (await pay(shop, BILL, amount=1))[1]["receipt"] is not None


async def test_money_spent_while_the_business_is_asked_is_not_spent_twice(alone: Standalone, shop: Merchant) -> None:
    """The balance is looked at again after the answer."""
    phone = alone.phones.phone(PHONE)
    desk_post = alone.daraja._office.courier.post

    async def slow(*given: Any, **noted: Any) -> tuple[int | None, bytes]:
        phone.balance_minor = 100
        return await desk_post(*given, **noted)

    object.__setattr__(alone.daraja._office.courier, "post", slow)
    _, answer = await pay(shop, BILL)
    assert answer["said"].startswith("Failed. You do not have enough money")
    assert balance(alone) == 100


async def test_the_tour_needs_no_pin_and_no_service(alone: Standalone, shop: Merchant) -> None:
    bill = {"short_code": "174379", "account": "TEMP7K2QD4W8", "amount": 2500}
    assert (await pay(shop, bill))[1]["receipt"] is not None
    assert "paid to KIOSK" in (await pay(shop, {"short_code": "700222", "amount": 5}))[1]["said"]
    assert "business number 1 is not correct" in (await pay(shop, {**bill, "short_code": "1"}))[1]["said"]


async def test_a_confirmation_that_is_lost_leaves_the_message_to_paste(alone: Standalone, shop: Merchant) -> None:
    alone.core.faults.plant(Fault("daraja", "no_confirmation", 1))
    _, answer = await pay(shop, BILL)
    assert read_pasted(answer["said"]).receipt == answer["receipt"]
    assert [path for path, _, _ in shop.calls] == ["/callbacks/validation"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": "2500"},
        {"amount": True},
        {"amount": 2.5},
        {"pin": 1234},
        {"short_code": "abc"},
        {"short_code": ""},
        {"account": "A" * 21},
        {"service": "send money"},
    ],
)
async def test_what_no_menu_could_send_is_an_error(alone: Standalone, shop: Merchant, wrong: dict[str, Any]) -> None:
    status, answer = await pay(shop, BILL, **wrong)
    assert status == 400
    assert "`" in answer["error"]
    assert list(alone.phones.phone(PHONE).sms) == []


async def test_a_phone_that_is_off_pays_nobody(alone: Standalone, shop: Merchant) -> None:
    alone.phones.power(PHONE, False)
    assert await pay(shop, BILL) == (400, {"error": "The phone is switched off."})
