"""The asynchronous calls: reversal, B2C payout, transaction status, account balance. Each is accepted at once and ends at its ResultURL."""

from __future__ import annotations

import hmac
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from town.daraja import fields
from town.daraja.apps import App, Refusal
from town.daraja.books import B2C, C2B, LARGEST_BALANCE_MINOR, REVERSAL, STK, Transaction
from town.daraja.names import dotted, stamp
from town.daraja.office import BUSY, SPIKE, Office
from town.daraja.outcomes import PAID, WRONG_PIN, Outcome, outcome_of, result
from town.mishaps import HangUp, seconds_of

ACCEPTED = "Accept the service request successfully."
_REASONS = {
    STK: "Pay Bill Online",
    C2B: "Pay Bill",
    B2C: "Business Payment to Customer via API",
    REVERSAL: "Transaction Reversal via API",
}


@dataclass(frozen=True, slots=True)
class Order:
    """One accepted call. `kind` names its faults: `reversal_fails`, `b2c_no_result`, ..."""

    kind: str
    app: App
    conversation: tuple[str, str]
    result_url: str
    timeout_url: str
    known_initiator: bool


@dataclass(frozen=True, slots=True)
class Done:
    """What came of an order; `parameters` None when it failed."""

    outcome: Outcome
    receipt: str = ""
    parameters: dict[str, Any] | None = None


Work = Callable[[Order], Done]


class OrderDesk:
    """Accepts orders, does their work a moment later, and posts the result once."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._originators: OrderedDict[tuple[str, str], str] = OrderedDict()

    async def reverse(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/reversal/v1/request. Parts may be reversed until nothing is left (not verified with the real one)."""
        self._before("reversal")
        fields.text(body, "Initiator", r"\S{1,64}")
        fields.one_of(body, "CommandID", ("TransactionReversal",))
        receipt = fields.text(body, "TransactionID", r"\S{1,32}")
        amount = fields.amount(body)
        if fields.short_code(body, "ReceiverParty") not in (app.short_code, app.till):
            raise fields.bad("ReceiverParty")
        fields.text(body, "RecieverIdentifierType", "11")
        order = self._order("reversal", app, body, self._office.names.originator_id())
        return self._accept(order, partial(self._do_reverse, receipt, amount))

    def _do_reverse(self, receipt: str, amount: int, order: Order) -> Done:
        books, app = self._office.books, order.app
        original = books.find(receipt)
        if original is None or original.kind not in (STK, C2B) or original.short_code != app.short_code:
            return Done(outcome_of("R000002"))
        if original.reversed_amount and amount > original.amount - original.reversed_amount:
            return Done(outcome_of("R000001"))
        if amount > original.amount:
            return Done(outcome_of(3))
        if app.working_minor < amount * 100:
            return Done(outcome_of(1))
        at = self._office.core.clock.now()
        entry = books.give_back(app, original, amount, at, order.conversation)
        parameters = {
            "DebitAccountBalance": account("Utility Account", app.working_minor),
            "Amount": amount,
            "TransCompletedTime": int(stamp(at)),
            "OriginalTransactionID": receipt,
            "Charge": 0,
            "CreditPartyPublicName": f"{original.msisdn} - TOWN PERSON",
            "DebitPartyPublicName": f"{app.short_code} - {app.name}",
        }
        return Done(PAID, entry.receipt, parameters)

    async def pay_out(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/b2c/v3/paymentrequest. OriginatorConversationID once per app; a second time is 500.002.1001."""
        self._before("b2c")
        originator = fields.text(body, "OriginatorConversationID", r"\S{1,64}")
        fields.text(body, "InitiatorName", r"\S{1,64}")
        fields.one_of(body, "CommandID", ("BusinessPayment", "SalaryPayment", "PromotionPayment"))
        amount = fields.amount(body)
        if fields.short_code(body, "PartyA") != app.short_code:
            raise fields.bad("PartyA")
        msisdn = fields.msisdn(body, "PartyB")
        fields.words(body, "Occassion", 0, 100)
        order = self._order("b2c", app, body, originator, initiator="InitiatorName")
        if (app.key, originator) in self._originators:
            raise Refusal(500, "500.002.1001", "Duplicate OriginatorConversationID")
        self._originators[app.key, originator] = order.conversation[0]
        if len(self._originators) > self._office.keep:
            self._originators.popitem(last=False)
        return self._accept(order, partial(self._do_pay_out, msisdn, amount, str(body["Remarks"])))

    def _do_pay_out(self, msisdn: str, amount: int, remarks: str, order: Order) -> Done:
        app = order.app
        if amount < 10:
            return Done(outcome_of(2))
        if app.utility_minor < amount * 100:
            return Done(outcome_of(1))
        if self._office.phones.phone(msisdn).balance_minor + amount * 100 > LARGEST_BALANCE_MINOR:
            return Done(outcome_of(8))
        at = self._office.core.clock.now()
        entry = self._office.books.pay_out(app, msisdn, amount, remarks, at, order.conversation)
        parameters = {
            "TransactionAmount": amount,
            "TransactionReceipt": entry.receipt,
            "ReceiverPartyPublicName": f"{msisdn} - TOWN PERSON",
            "TransactionCompletedDateTime": dotted(at),
            "B2CUtilityAccountAvailableFunds": app.utility_minor / 100,
            "B2CWorkingAccountAvailableFunds": app.working_minor / 100,
            "B2CRecipientIsRegisteredCustomer": "Y",
            "B2CChargesPaidAccountAvailableFunds": 0.0,
        }
        return Done(PAID, entry.receipt, parameters)

    async def status(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/transactionstatus/v1/query, by receipt and/or OriginalConversationID."""
        self._before("status")
        fields.text(body, "Initiator", r"\S{1,64}")
        fields.one_of(body, "CommandID", ("TransactionStatusQuery",))
        receipt = body.get("TransactionID") or ""
        conversation = body.get("OriginalConversationID") or ""
        if not isinstance(receipt, str) or not isinstance(conversation, str) or not (receipt or conversation):
            raise fields.bad("TransactionID")
        if fields.text(body, "PartyA", r"\d{5,7}") not in (app.short_code, app.till):
            raise fields.bad("PartyA")
        fields.text(body, "IdentifierType", "4")
        fields.words(body, "Occasion", 0, 100)
        order = self._order("status", app, body, self._office.names.originator_id())
        return self._accept(order, partial(self._do_status, receipt, conversation))

    def _do_status(self, receipt: str, conversation: str, order: Order) -> Done:
        books, app = self._office.books, order.app
        entry = books.find(receipt) if receipt else books.find_conversation(conversation)
        if entry is None or entry.short_code != app.short_code:
            return Done(outcome_of("R000002"))
        return Done(PAID, self._office.books.new_receipt(self._office.core.clock.now()), status_parameters(entry, app))

    async def balance(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/accountbalance/v1/query."""
        self._before("balance")
        fields.text(body, "Initiator", r"\S{1,64}")
        fields.one_of(body, "CommandID", ("AccountBalance",))
        if fields.short_code(body, "PartyA") != app.short_code:
            raise fields.bad("PartyA")
        fields.text(body, "IdentifierType", "4")
        order = self._order("balance", app, body, self._office.names.originator_id())
        return self._accept(order, self._do_balance)

    def _do_balance(self, order: Order) -> Done:
        now, app = self._office.core.clock.now(), order.app
        accounts = f"{account('Working Account', app.working_minor)}&{account('Utility Account', app.utility_minor)}"
        return Done(PAID, self._office.books.new_receipt(now), {"AccountBalance": accounts, "BOCompletedTime": int(stamp(now))})

    def _before(self, kind: str) -> None:
        """Faults that keep a call from being processed at all."""
        if self._office.fault(f"{kind}_500"):
            raise BUSY
        if kind in ("reversal", "b2c") and self._office.fault("spike"):
            raise SPIKE
        if fault := self._office.fault(f"{kind}_timeout_before"):
            raise HangUp(seconds_of(fault, 0.0))

    def _order(self, kind: str, app: App, body: dict[str, Any], originator: str, initiator: str = "Initiator") -> Order:
        """The fields all these calls share. Who signs is only looked at later, as in reality: a wrong one is result 2001."""
        credential = fields.words(body, "SecurityCredential", 1, 1000)
        fields.words(body, "Remarks", 2, 100)
        timeout_url = fields.address(body, "QueueTimeOutURL", self._office.https_only)
        result_url = fields.address(body, "ResultURL", self._office.https_only)
        right = hmac.compare_digest(credential.encode(), app.security_credential.encode())
        conversation = (self._office.names.conversation_id(self._office.core.clock.now()), originator)
        return Order(kind, app, conversation, result_url, timeout_url, right and body[initiator] == app.initiator)

    def _accept(self, order: Order, work: Work) -> web.Response:
        self._office.alarms.after(self._office.callback_delay_s, partial(self._carry_out, order, work))
        if fault := self._office.fault(f"{order.kind}_timeout_after"):
            raise HangUp(seconds_of(fault, 0.0))
        conversation_id, originator = order.conversation
        return web.json_response(
            {
                "ConversationID": conversation_id,
                "OriginatorConversationID": originator,
                "ResponseCode": "0",
                "ResponseDescription": ACCEPTED,
            }
        )

    async def _carry_out(self, order: Order, work: Work) -> None:
        office = self._office
        url, unprocessed = order.result_url, office.fault(f"{order.kind}_queue_timeout")
        if unprocessed:
            url, done = order.timeout_url, Done(outcome_of(26))
        elif fault := office.fault(f"{order.kind}_fails"):
            done = Done(outcome_of(fault.detail.get("code", 1)))
        else:
            done = work(order) if order.known_initiator else Done(WRONG_PIN)
        receipt = done.receipt or office.books.new_receipt(office.core.clock.now())
        as_list = order.kind == "status"
        body = result(done.outcome, order.conversation, receipt, order.timeout_url, done.parameters, as_list)
        if office.fault(f"{order.kind}_no_result"):
            office.core.journal.add(f"daraja.{order.kind}", outcome=done.outcome.code, status=None, problem="not sent", body=None)
            return
        again = office.fault(f"{order.kind}_duplicate_result")
        times = int(again.detail.get("count", 2)) if again else 1
        send = partial(self._send, order, url, body, times, done.outcome)
        if late := office.fault(f"{order.kind}_late_result"):
            office.alarms.after(seconds_of(late, 300.0), send)
        else:
            await send()

    async def _send(self, order: Order, url: str, body: dict[str, Any], times: int, outcome: Outcome) -> None:
        for _ in range(times):
            await self._office.courier.post(
                f"daraja.{order.kind}", url, order.app.short_code, body, outcome=outcome.code, conversation_id=order.conversation[0]
            )


def account(name: str, minor: int) -> str:
    """`Working Account|KES|700000.00|700000.00|0.00|0.00`."""
    money = f"{minor // 100}.{minor % 100:02d}"
    return f"{name}|KES|{money}|{money}|0.00|0.00"


def status_parameters(entry: Transaction, app: App) -> dict[str, Any]:
    """ResultParameters of a transaction status; DebitPartyCharges comes without a Value."""
    ours = f"{app.short_code} - {app.name}"
    theirs = f"{entry.msisdn} - TOWN PERSON"
    outgoing = entry.kind not in (STK, C2B)
    when = int(stamp(entry.at))
    return {
        "ReceiptNo": entry.receipt,
        "TransactionStatus": "Completed",
        "Amount": float(entry.amount),
        "InitiatedTime": when,
        "FinalisedTime": when,
        "DebitPartyName": ours if outgoing else theirs,
        "CreditPartyName": theirs if outgoing else ours,
        "ReasonType": _REASONS[entry.kind],
        "DebitPartyCharges": None,
        "ConversationID": entry.conversation_id or None,
        "OriginatorConversationID": entry.originator_conversation_id or None,
    }
