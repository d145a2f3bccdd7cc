"""The town's Moyasar behaves as documented: keys, fields, invoices, pages, refunds, voids, webhooks; tried as a merchant would."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from town import cards
from town.core import Core, Fault
from town.moyasar.books import Account
from town.moyasar.server import DEFAULT_ACCOUNT, Moyasar
from town.moyasar.standalone import Standalone

INVOICE = {"amount": 15050, "currency": "SAR", "description": "Order ORD-1", "metadata": {"order_id": "ORD-1"}}


@dataclass
class Shop:
    """A merchant's HTTP client, and the town it talks to."""

    alone: Standalone
    http: httpx.AsyncClient

    async def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        answer = await self.http.request(method, f"{self.alone.base_url}{path}", json=body)
        return answer.status_code, answer.json()

    async def invoice(self, **changed: Any) -> dict[str, Any]:
        status, invoice = await self.ask("POST", "/invoices", {**INVOICE, **changed})
        assert status == 201
        return dict(invoice)

    async def pay(self, invoice: dict[str, Any], number: str = cards.GOOD_MADA, answer: str = "ok") -> httpx.Response:
        card = {"type": "creditcard", "number": number, "name": "A B", "month": "12", "year": "2031", "cvc": "123"}
        bank = await self.http.post(invoice["url"], data=card)
        assert bank.status_code == 303
        return await self.http.post(f"{self.alone.url}{bank.headers['Location']}", data={"answer": answer})

    async def paid(self, **changed: Any) -> dict[str, Any]:
        invoice = await self.invoice(**changed)
        await self.pay(invoice)
        return dict((await self.ask("GET", f"/invoices/{invoice['id']}"))[1]["payments"][-1])


@pytest_asyncio.fixture
async def shop() -> AsyncIterator[Shop]:
    async with (
        Standalone(seed=3, callback_delay_s=0.0, page_size=2) as alone,
        httpx.AsyncClient(auth=(DEFAULT_ACCOUNT.secret_key, ""), trust_env=False) as http,
    ):
        yield Shop(alone, http)


async def test_an_invoice_is_what_the_documentation_shows(shop: Shop) -> None:
    invoice = await shop.invoice()
    assert invoice["status"] == "initiated" and invoice["amount_format"] == "150.50 SAR" and invoice["payments"] == []
    assert invoice["metadata"] == {"order_id": "ORD-1"} and invoice["id"] in invoice["url"]
    assert not any(name.startswith("_") for name in invoice)
    assert (await shop.ask("GET", f"/invoices/{invoice['id']}"))[1] == invoice
    assert (await shop.ask("GET", "/invoices"))[1]["meta"]["total_count"] == 1


@pytest.mark.parametrize(
    "changed,field",
    [
        ({"amount": 99}, "amount"), ({"amount": "15050"}, "amount"), ({"amount": 150.5}, "amount"), ({"amount": None}, "amount"), ({"currency": "XXX"}, "currency"),
        ({"description": ""}, "description"), ({"callback_url": "x"}, "callback_url"), ({"back_url": "ftp://x"}, "back_url"), ({"expired_at": "soon"}, "expired_at"),
        ({"metadata": {"a": 1}}, "metadata"), ({"metadata": {str(n): "x" for n in range(31)}}, "metadata"), ({"redirect_url": "https://x"}, "redirect_url"),
    ],
)  # fmt: skip
async def test_a_field_that_is_wrong_is_named(shop: Shop, changed: dict[str, Any], field: str) -> None:
    status, said = await shop.ask("POST", "/invoices", {**INVOICE, **changed})
    assert (status, said["type"], list(said["errors"])) == (400, "invalid_request_error", [field])
    assert shop.alone.moyasar.books.invoices == {}


async def test_a_key_that_is_not_theirs_is_refused(shop: Shop) -> None:
    for auth in (("sk_test_nobody", ""), (DEFAULT_ACCOUNT.secret_key, "password")):
        answer = await shop.http.get(f"{shop.alone.base_url}/payments", auth=auth)
        assert (answer.status_code, answer.json()["type"]) == (401, "authentication_error")
    async with httpx.AsyncClient(trust_env=False) as stranger:
        bearer = await stranger.get(f"{shop.alone.base_url}/payments", headers={"Authorization": "Bearer x"})
    assert bearer.status_code == 401
    shop.alone.moyasar.add_account(Account("sk_live_other", "Other"))
    invoice = await shop.invoice()
    other = await shop.http.get(f"{shop.alone.base_url}/invoices/{invoice['id']}", auth=("sk_live_other", ""))
    assert other.status_code == 404


async def test_a_payment_of_an_invoice_has_no_metadata(shop: Shop) -> None:
    payment = await shop.paid(success_url="https://shop.example/thanks?a=1")
    assert (payment["status"], payment["metadata"], payment["source"]["company"], payment["fee"]) == ("paid", None, "mada", 225)
    assert "transaction_url" not in payment["source"] and "(Test Environment)" in payment["source"]["message"]


async def test_the_payer_goes_back_to_the_shop_or_to_the_page(shop: Shop) -> None:
    invoice = await shop.invoice(success_url="https://shop.example/thanks?a=1", back_url="https://shop.example/back")
    assert "https://shop.example/back" in (await shop.http.get(invoice["url"])).text
    declined = await shop.pay(invoice, "4000000000000002")
    assert "message=DECLINED" in declined.headers["Location"] and "/checkout/invoices/" in declined.headers["Location"]
    paid = await shop.pay(invoice)
    assert paid.headers["Location"].startswith("https://shop.example/thanks?a=1&id=")
    again = await shop.http.post(invoice["url"], data={"type": "applepay"})
    assert "has been paid" in again.text
    assert [one["status"] for one in (await shop.ask("GET", f"/invoices/{invoice['id']}"))[1]["payments"]] == ["failed", "paid"]


async def test_two_banks_pages_of_one_invoice_are_paid_once(shop: Shop) -> None:
    """Two windows: whoever confirms second finds the invoice paid."""
    invoice = await shop.invoice()
    card = {"type": "creditcard", "number": cards.GOOD_VISA, "name": "A B", "cvc": "123"}
    windows = [(await shop.http.post(invoice["url"], data=card)).headers["Location"] for _ in range(2)]
    for window in (*windows, *windows):
        await shop.http.post(f"{shop.alone.url}{window}", data={"answer": "ok"})
    assert len(shop.alone.moyasar.books.movements) == 1


@pytest.mark.parametrize(
    "given", [{"type": "creditcard", "number": "4111111111111112", "name": "A", "cvc": "123"}, {"type": "stcpay", "mobile": "7"}, {}]
)
async def test_what_a_payer_types_wrong_is_said(shop: Shop, given: dict[str, str]) -> None:
    invoice = await shop.invoice()
    assert "Please check" in (await shop.http.post(invoice["url"], data=given)).text
    assert shop.alone.moyasar.books.payments == {}


@pytest.mark.parametrize(
    "mobile,otp,status",
    [("0500000001", "000000", "paid"), ("0500000001", "222222", "failed"), ("0500000001", "9", "failed"), ("0515555555", "", "failed")],
)
async def test_stc_pay_follows_their_table(shop: Shop, mobile: str, otp: str, status: str) -> None:
    invoice = await shop.invoice()
    asked = await shop.http.post(invoice["url"], data={"type": "stcpay", "mobile": mobile})
    if otp:
        await shop.http.post(f"{shop.alone.url}{asked.headers['Location']}", data={"otp_value": otp})
    payment = (await shop.ask("GET", f"/invoices/{invoice['id']}"))[1]["payments"][0]
    assert (payment["status"], payment["source"]["type"]) == (status, "stcpay")


async def test_an_invoice_can_be_cancelled_until_it_is_paid_or_over(shop: Shop) -> None:
    open_one, soon_over = await shop.invoice(), await shop.invoice(expired_at=shop.alone.core.clock.now().isoformat())
    assert (await shop.ask("PUT", f"/invoices/{open_one['id']}/cancel"))[1]["status"] == "canceled"
    for invoice in (open_one, soon_over):
        assert (await shop.ask("PUT", f"/invoices/{invoice['id']}/cancel"))[0] == 400
    assert (await shop.ask("GET", f"/invoices/{soon_over['id']}"))[1]["status"] == "expired"


async def test_refunds_are_not_idempotent_and_end_with_the_money(shop: Shop) -> None:
    payment = await shop.paid()
    at = f"/payments/{payment['id']}/refund"
    for refunded in (5000, 10_000):
        status, after = await shop.ask("POST", at, {"amount": 5000})
        assert (status, after["refunded"], after["status"]) == (201, refunded, "refunded")
    assert (await shop.ask("POST", at, {"amount": 5051}))[0] == 400
    assert (await shop.ask("POST", at))[1]["refunded"] == 15_050
    assert (await shop.ask("POST", at))[0] == 400
    assert [one["amount"] for one in shop.alone.moyasar.books.movements] == [15_050, 5000, 5000, 5050]


async def test_a_void_only_works_until_the_money_was_paid_out(shop: Shop) -> None:
    first = await shop.paid()
    assert (await shop.ask("POST", f"/payments/{first['id']}/void"))[1]["status"] == "voided"
    second = await shop.paid()
    shop.alone.core.clock.advance(60)
    await shop.http.post(f"{shop.alone.url}/town/api/moyasar/settle")
    assert (await shop.ask("POST", f"/payments/{second['id']}/void"))[0] == 400


async def test_lists_are_paged_and_filtered(shop: Shop) -> None:
    for _ in range(3):
        await shop.paid()
    first = (await shop.ask("GET", "/payments?page=1"))[1]
    assert (len(first["payments"]), first["meta"]["next_page"], first["meta"]["total_pages"]) == (2, 2, 2)
    assert (await shop.ask("GET", "/payments?page=2&status=paid"))[1]["meta"]["next_page"] is None
    assert (await shop.ask("GET", "/payments?status=failed"))[1]["payments"] == []
    for wrong in ("page=0", "page=x", "created[gt]=soon", "sort=asc"):
        assert (await shop.ask("GET", f"/payments?{wrong}"))[0] == 400
    assert (await shop.ask("GET", "/payments/nothing"))[0] == 404
    assert (await shop.ask("GET", "/nothing"))[0] == 404


async def test_webhooks_are_registered_listed_and_forgotten(shop: Shop) -> None:
    events = (await shop.ask("GET", "/webhooks/available_events"))[1]["events"]
    hook = {"url": "https://shop.example/hook", "http_method": "post", "shared_secret": "s", "events": events}
    status, made = await shop.ask("POST", "/webhooks", hook)
    assert status == 201 and "shared_secret" not in made and "_secret" not in made
    for wrong in ({"url": "x"}, {"http_method": "get"}, {"shared_secret": ""}, {"events": ["payment.paid"]}, {"more": 1}):
        assert (await shop.ask("POST", "/webhooks", {**hook, **wrong}))[0] == 400
    assert [one["id"] for one in (await shop.ask("GET", "/webhooks"))[1]["webhooks"]] == [made["id"]]
    assert (await shop.ask("GET", f"/webhooks/{made['id']}/attempts"))[1] == {"webhook_attempts": []}
    assert (await shop.ask("DELETE", f"/webhooks/{made['id']}"))[0] == 200
    assert (await shop.ask("DELETE", f"/webhooks/{made['id']}"))[0] == 404


@pytest.mark.parametrize("fault,status", [("429", 429), ("500", 500), ("html", 200)])
async def test_faults_come_as_often_as_planted(shop: Shop, fault: str, status: int) -> None:
    shop.alone.core.faults.plant(Fault("moyasar", fault, 1))
    assert (await shop.http.get(f"{shop.alone.base_url}/payments")).status_code == status
    assert (await shop.ask("GET", "/payments"))[0] == 200


async def test_a_town_that_starts_again_is_the_town_that_was_left(shop: Shop, tmp_path: Path) -> None:
    await shop.paid()
    keep = tmp_path / "town.moyasar.json"
    again = Moyasar(Core(4))
    assert not again.load(keep)
    shop.alone.moyasar.save(keep)
    assert again.load(keep) and again.state() == shop.alone.moyasar.state()
    keep.write_text('{"version": 99}', encoding="utf-8")
    assert not again.load(keep)
    told = await shop.http.get(f"{shop.alone.url}/town/api/moyasar")
    assert told.json()["books"] == (await shop.http.get(f"{shop.alone.url}/town/api/moyasar/books")).json() != []
