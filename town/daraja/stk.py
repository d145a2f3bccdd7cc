"""M-PESA Express: the STK push, what becomes of its prompt, the callback, and the status query."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from aiohttp import web

from town.core import Fault
from town.daraja import fields
from town.daraja.apps import App, Refusal
from town.daraja.books import STK, Transaction, ksh
from town.daraja.office import BUSY, PROCESSING, SPIKE, Office
from town.daraja.outcomes import (
    BROKE,
    CANCELLED,
    MISMATCH,
    NO_ANSWER,
    NO_OPERATOR,
    PAID,
    TOO_LONG,
    UNREACHABLE,
    WRONG_PIN,
    Outcome,
    Paid,
    masked,
    outcome_of,
    stk_callback,
)  # fmt: skip
from town.mishaps import HangUp, seconds_of
from town.phones import NothingWaits, Prompt

LONGEST_PROMPT = 182
"""Characters a handset shows; longer prompts end in 1025."""
SUBSCRIBER_BUSY = 1001
"""An open USSD session, or another prompt, holds the line."""
ACCEPTED = "Success. Request accepted for processing"
_ANSWERS = {"wrong": WRONG_PIN, "cancel": CANCELLED, "broke": BROKE, "off": UNREACHABLE}


@dataclass(slots=True)
class Checkout:
    """One STK push. `outcome` is None until it ended; `asked` counts queries while in flight."""

    merchant_request_id: str
    checkout_request_id: str
    app: App
    msisdn: str
    amount: int
    reference: str
    callback_url: str
    at: datetime
    outcome: Outcome | None = None
    receipt: str = ""
    asked: int = 0
    calls_at_once: bool = False
    call: asyncio.Task[None] | None = None

    def shown(self) -> dict[str, Any]:
        return {
            "checkout_request_id": self.checkout_request_id,
            "merchant_request_id": self.merchant_request_id,
            "short_code": self.app.short_code,
            "msisdn": self.msisdn,
            "amount": self.amount,
            "reference": self.reference,
            "callback_url": self.callback_url,
            "at": self.at.isoformat(),
            "result_code": None if self.outcome is None else self.outcome.code,
            "receipt": self.receipt,
        }


class StkDesk:
    """Keeps the last checkouts. `on_paid` is told of each payment (C2B confirms them too, where URLs are registered)."""

    def __init__(self, office: Office, on_paid: Callable[[App, Transaction], Awaitable[None]]) -> None:
        self._office = office
        self._on_paid = on_paid
        self.checkouts: OrderedDict[str, Checkout] = OrderedDict()

    async def push(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/stkpush/v1/processrequest."""
        office = self._office
        if office.fault("stk_500"):
            raise BUSY
        if office.fault("spike"):
            raise SPIKE
        if fault := office.fault("stk_timeout_before"):
            raise HangUp(seconds_of(fault, 0.0))
        checkout, late = self._read(app, body)
        if office.phones.waiting(checkout.msisdn):
            raise Refusal(500, "500.001.1001", "Unable to lock subscriber, a transaction is already in process for the current subscriber")
        before_reply = office.fault("callback_before_reply")
        checkout.calls_at_once = before_reply is not None
        self._accept(checkout, late)
        if before_reply:
            await self._finish_now(checkout, str(before_reply.detail.get("answer", "right")))
        return self._reply(checkout)

    def _read(self, app: App, body: dict[str, Any]) -> tuple[Checkout, Outcome | None]:
        """Check every field; also gives the outcome that is already certain though it only comes with the callback."""
        fields.short_code(body, "BusinessShortCode")
        kind = fields.one_of(body, "TransactionType", ("CustomerPayBillOnline", "CustomerBuyGoodsOnline"))
        amount = fields.amount(body)
        fields.msisdn(body, "PartyA")
        party_b = fields.text(body, "PartyB", r"\d{5,7}")
        msisdn = fields.msisdn(body, "PhoneNumber")
        url = fields.address(body, "CallBackURL", self._office.https_only)
        reference = fields.text(body, "AccountReference", r"[A-Za-z0-9-]{1,12}")
        if "TransactionDesc" in body:
            fields.words(body, "TransactionDesc", 1, 13)
        fields.password(body, app)
        late: Outcome | None = None
        if not self._office.portal.knows_party(party_b):
            late = NO_OPERATOR
        elif kind != app.transaction_type or party_b != app.party_b:
            late = MISMATCH
        at = self._office.core.clock.now()
        checkout_id = self._office.names.checkout_request_id(at, msisdn)
        while checkout_id in self.checkouts:
            checkout_id = self._office.names.checkout_request_id(at, msisdn)
        return Checkout(self._office.names.merchant_request_id(), checkout_id, app, msisdn, amount, reference, url, at), late

    def _accept(self, checkout: Checkout, late: Outcome | None) -> None:
        office = self._office
        self.checkouts[checkout.checkout_request_id] = checkout
        if len(self.checkouts) > office.keep:
            self.checkouts.popitem(last=False)
        phone = office.phones.phone(checkout.msisdn)
        text = f"Do you want to pay {ksh(checkout.amount * 100)} to {checkout.app.name} Account no. {checkout.reference}? Enter M-PESA PIN:"
        if late is None and not phone.on:
            late = UNREACHABLE
        if late is None and phone.busy:
            late = outcome_of(SUBSCRIBER_BUSY)
        if late is None and len(text) > LONGEST_PROMPT:
            late = TOO_LONG
        if late is not None:
            self._soon(checkout, partial(self._end, checkout, late))
            return
        prompt = Prompt(
            office.phones.new_prompt_id(), checkout.msisdn, checkout.amount * 100, checkout.app.name, checkout.app.short_code,
            checkout.reference, text, checkout.at, checkout.at + timedelta(seconds=office.prompt_life_s), partial(self._answered, checkout),
        )  # fmt: skip
        office.phones.ring(prompt)
        office.core.journal.add(
            "daraja.prompt",
            msisdn=checkout.msisdn,
            prompt=prompt.id,
            amount=checkout.amount,
            reference=checkout.reference,
            text=text,
            short_code=checkout.app.short_code,
            checkout_request_id=checkout.checkout_request_id,
        )
        office.alarms.at(prompt.expires_at, partial(self._expire, checkout, prompt))
        if phone.auto is not None:
            self._soon(checkout, partial(self._answer_itself, prompt, phone.auto))

    def _soon(self, checkout: Checkout, act: Callable[[], None]) -> None:
        async def do() -> None:
            if checkout.outcome is None:
                act()

        self._office.alarms.after(self._office.callback_delay_s, do)

    def _answer_itself(self, prompt: Prompt, answer: str) -> None:
        try:
            self._office.phones.answer(prompt.msisdn, answer, prompt.id)
        except NothingWaits:
            return

    async def _expire(self, checkout: Checkout, prompt: Prompt) -> None:
        if checkout.outcome is None:
            self._office.phones.dismiss(prompt.msisdn, prompt.id)
            self._end(checkout, NO_ANSWER)

    def _answered(self, checkout: Checkout, answer: str) -> None:
        """Called by the phone, once."""
        at = self._office.core.clock.now()
        outcome = _ANSWERS.get(answer) or self._office.books.refusal(checkout.msisdn, checkout.amount, at) or PAID
        self._office.core.journal.add(
            "daraja.answered", msisdn=checkout.msisdn, answer=answer, checkout_request_id=checkout.checkout_request_id, outcome=outcome.code
        )
        self._end(checkout, outcome)

    def _end(self, checkout: Checkout, outcome: Outcome) -> None:
        """The push ended: move the money if it was paid, then call back."""
        office = self._office
        at = office.core.clock.now()
        if fault := office.fault("forced_result"):
            outcome = outcome_of(fault.detail.get("code", 17))
        lie = office.fault("wrong_success")
        if lie is not None and outcome.paid:
            outcome = NO_ANSWER
        checkout.outcome = outcome
        paid: Paid | None = None
        if outcome.paid:
            entry = Transaction(
                office.books.new_receipt(at), STK, checkout.msisdn, checkout.amount, checkout.app.short_code, checkout.reference, at,
                checkout_request_id=checkout.checkout_request_id,
            )  # fmt: skip
            office.books.pay_in(checkout.app, entry)
            checkout.receipt = entry.receipt
            paid = Paid(entry.amount, entry.receipt, at, entry.msisdn)
            office.alarms.after(office.callback_delay_s, partial(self._on_paid, checkout.app, entry))
        elif lie is not None:
            outcome, paid = PAID, Paid(checkout.amount, office.books.new_receipt(at), at, checkout.msisdn)
        self._call_back(checkout, outcome, paid)

    def _call_back(self, checkout: Checkout, outcome: Outcome, paid: Paid | None) -> None:
        office = self._office
        if office.fault("no_callback"):
            noted = {"checkout_request_id": checkout.checkout_request_id, "outcome": outcome.code}
            office.core.journal.add("daraja.callback", url=checkout.callback_url, body=None, status=None, problem="not sent", **noted)
            return
        late = office.fault("late_callback")
        again = office.fault("duplicate_callback")
        times = int(again.detail.get("count", 2)) if again else 1
        body = spoil(stk_callback(checkout.merchant_request_id, checkout.checkout_request_id, outcome, paid), paid, office.fault)
        if checkout.calls_at_once and late is None:
            checkout.call = office.alarms.spawn(self._deliver(checkout, outcome, body, times))
        else:
            delay_s = office.callback_delay_s if late is None else seconds_of(late, 300.0)
            office.alarms.after(delay_s, partial(self._deliver, checkout, outcome, body, times))

    async def _deliver(self, checkout: Checkout, outcome: Outcome, body: dict[str, Any], times: int) -> None:
        noted = {"checkout_request_id": checkout.checkout_request_id, "outcome": outcome.code}
        for _ in range(times):
            await self._office.courier.post("daraja.callback", checkout.callback_url, checkout.app.short_code, body, **noted)

    async def _finish_now(self, checkout: Checkout, answer: str) -> None:
        for prompt in self._office.phones.waiting(checkout.msisdn):
            self._office.phones.answer(checkout.msisdn, answer, prompt.id)
        if checkout.call is not None:
            await asyncio.wait([checkout.call])

    def _reply(self, checkout: Checkout) -> web.StreamResponse:
        office = self._office
        if fault := office.fault("stk_timeout_after"):
            raise HangUp(seconds_of(fault, 0.0))
        if office.fault("stk_html"):
            return web.Response(text="<html><body><h1>Service Temporarily Unavailable</h1></body></html>", content_type="text/html")
        response = web.json_response(
            {
                "MerchantRequestID": checkout.merchant_request_id,
                "CheckoutRequestID": checkout.checkout_request_id,
                "ResponseCode": "0",
                "ResponseDescription": ACCEPTED,
                "CustomerMessage": ACCEPTED,
            }
        )
        if office.fault("stk_half_json"):
            return web.Response(text=(response.text or "")[:90], content_type="application/json")
        return response

    async def query(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/stkpushquery/v1/query. An unknown id answers like one in flight: 500.001.1001 says nothing either way."""
        office = self._office
        if fault := office.fault("query_down"):
            raise HangUp(seconds_of(fault, 0.0))
        fields.short_code(body, "BusinessShortCode")
        checkout = self.checkouts.get(fields.text(body, "CheckoutRequestID", r"\S{1,64}"))
        fields.password(body, app)
        if office.fault("query_500"):
            raise Refusal(500, "500.001.1001", "")
        if office.fault("query_error_200"):
            raise Refusal(200, "500.001.1001", "The transaction is being processed")
        if checkout is None or checkout.app is not app:
            raise PROCESSING
        outcome = checkout.outcome
        if office.fault("query_4999"):
            outcome = None
        elif outcome is None:
            checkout.asked += 1
            if checkout.asked % 2 == 0:
                raise PROCESSING
        return web.json_response(
            {
                "ResponseCode": "0",
                "ResponseDescription": "The service request has been accepted successfully",
                "MerchantRequestID": checkout.merchant_request_id,
                "CheckoutRequestID": checkout.checkout_request_id,
                "ResultCode": "4999" if outcome is None else str(outcome.code),
                "ResultDesc": "The transaction is still under processing" if outcome is None else outcome.said_to_query,
            }
        )


def spoil(body: dict[str, Any], paid: Paid | None, fault: Callable[..., Fault | None]) -> dict[str, Any]:
    """Apply the planted faults that change a callback's body; those about success wait for a success."""
    inner = body["Body"]["stkCallback"]
    if found := fault("string_result_code"):
        inner["ResultCode"] = str(found.detail.get("code", inner["ResultCode"]))
    if paid is None:
        return body
    items = inner["CallbackMetadata"]["Item"]
    if found := fault("wrong_amount"):
        items[0]["Value"] = float(found.detail.get("amount", paid.amount - 1))
    if fault("masked_phone"):
        items[4]["Value"] = masked(paid.msisdn)
    if fault("missing_receipt"):
        del items[1]
    if fault("missing_metadata"):
        del inner["CallbackMetadata"]
    return body
