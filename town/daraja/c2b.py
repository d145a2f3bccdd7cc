"""C2B: a customer pays a short code by hand, with validation and confirmation at the registered addresses."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from aiohttp import web

from town.daraja import fields
from town.daraja.apps import BUYGOODS, App, Refusal, Urls
from town.daraja.books import C2B, Transaction, ksh
from town.daraja.names import stamp
from town.daraja.office import Office
from town.daraja.outcomes import BROKE, Outcome, masked
from town.mishaps import seconds_of

ACCEPTED = "0"
_REFUSED = {
    "C2B00011": "Your phone number was not accepted by {name}.",
    "C2B00012": "The account number {account} is not correct for {name}. Please check it and try again.",
    "C2B00013": "The amount {amount} is not correct for account {account} of {name}. Please check it and try again.",
    "C2B00014": "Your details were not accepted by {name}.",
    "C2B00015": "The business number {number} is not correct. Please check it and try again.",
}
"""By the code that the validation answered."""
_CLOSED = "{name} cannot take your payment now. Please try again later."


class C2bDesk:
    """Registers addresses once per app and tells them of payments."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def register(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/c2b/v2/registerurl; a second time is refused, as in production."""
        if fields.short_code(body, "ShortCode") != app.short_code:
            raise fields.bad("ShortCode")
        response_type = fields.one_of(body, "ResponseType", ("Completed", "Cancelled"))
        confirmation = fields.address(body, "ConfirmationURL", self._office.https_only)
        validation = fields.address(body, "ValidationURL", self._office.https_only)
        if app.urls is not None:
            raise Refusal(500, "500.003.1001", "Urls are already registered")
        app.urls = Urls(confirmation, validation, response_type)
        return self._reply("Success")

    async def simulate(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /mpesa/c2b/v2/simulate."""
        if fields.short_code(body, "ShortCode") != app.short_code:
            raise fields.bad("ShortCode")
        fields.one_of(body, "CommandID", ("CustomerPayBillOnline", "CustomerBuyGoodsOnline"))
        amount = fields.amount(body)
        msisdn = fields.msisdn(body, "Msisdn")
        reference = fields.words(body, "BillRefNumber", 0, 20)

        async def pay() -> None:
            await self.pay_by_hand(app, msisdn, amount, reference)

        self._office.alarms.after(self._office.callback_delay_s, pay)
        return self._reply("Accept the service request successfully.")

    async def pay_by_hand(self, app: App, msisdn: str, amount: int, reference: str) -> tuple[Transaction | None, str]:
        """Somebody pays from the M-PESA menu; with it the SMS they are sent. None when no money moved: too little, or validation refused."""
        office = self._office
        at = office.core.clock.now()
        if refusal := office.books.refusal(msisdn, amount, at):
            return None, self._failed(msisdn, _why(refusal, app, amount))
        entry = Transaction(office.books.new_receipt(at), C2B, msisdn, amount, app.short_code, reference, at)
        third_party = ""
        if app.external_validation and app.urls is not None:
            code, third_party = await self._validate(app, app.urls, entry)
            if code != ACCEPTED:
                why = _REFUSED.get(code, _CLOSED)
                number = app.short_code if app.kind != BUYGOODS else app.till
                return None, self._failed(msisdn, why.format(name=app.name, account=reference, amount=ksh(amount * 100), number=number))
            if refusal := office.books.refusal(msisdn, amount, at):
                return None, self._failed(msisdn, _why(refusal, app, amount))
        said = office.books.pay_in(app, entry)
        await self.confirm(app, entry, third_party)
        return entry, said

    def _failed(self, msisdn: str, why: str) -> str:
        phones = self._office.phones
        said = f"Failed. {why} Your M-PESA balance is {ksh(phones.phone(msisdn).balance_minor)}."
        phones.receive_sms(msisdn, "MPESA", said)
        return said

    async def confirm(self, app: App, entry: Transaction, third_party: str = "") -> None:
        """Tell the ConfirmationURL, once, if there is one; STK payments are told of as well."""
        if app.urls is None or self._office.fault("no_confirmation"):
            return
        body = self._body(app, entry, f"{app.working_minor // 100}.{app.working_minor % 100:02d}", third_party)
        again = self._office.fault("duplicate_confirmation")
        tell = partial(self._tell, app, app.urls.confirmation, body, entry.receipt, int(again.detail.get("count", 2)) if again else 1)
        if late := self._office.fault("late_confirmation"):
            self._office.alarms.after(seconds_of(late, 300.0), tell)
        else:
            await tell()

    async def _tell(self, app: App, url: str, body: dict[str, Any], receipt: str, times: int) -> None:
        for _ in range(times):
            await self._office.courier.post("daraja.confirmation", url, app.short_code, body, receipt=receipt)

    async def _validate(self, app: App, urls: Urls, entry: Transaction) -> tuple[str, str]:
        """Ask the ValidationURL; without a usable answer the registered ResponseType decides. Gives (ResultCode, ThirdPartyTransID)."""
        body = self._body(app, entry, "", "")
        status, raw = await self._office.courier.post("daraja.validation", urls.validation, app.short_code, body, receipt=entry.receipt)
        try:
            answer = json.loads(raw) if status == 200 else None
        except ValueError:
            answer = None
        if not isinstance(answer, dict) or "ResultCode" not in answer:
            return (ACCEPTED if urls.response_type == "Completed" else ""), ""
        return str(answer["ResultCode"]), str(answer.get("ThirdPartyTransID", ""))

    def _body(self, app: App, entry: Transaction, balance: str, third_party: str) -> dict[str, Any]:
        return {
            "TransactionType": "Buy Goods" if app.kind == BUYGOODS else "Pay Bill",
            "TransID": entry.receipt,
            "TransTime": stamp(entry.at),
            "TransAmount": f"{entry.amount}.00",
            "BusinessShortCode": app.short_code,
            "BillRefNumber": entry.reference,
            "InvoiceNumber": "",
            "OrgAccountBalance": balance,
            "ThirdPartyTransID": third_party,
            "MSISDN": masked(entry.msisdn),
            "FirstName": "TOWN",
            "MiddleName": "",
            "LastName": "",
        }

    def _reply(self, description: str) -> web.Response:
        body = {"OriginatorCoversationID": self._office.names.originator_id(), "ResponseCode": "0", "ResponseDescription": description}
        return web.json_response(body)


def _why(refusal: Outcome, app: App, amount: int) -> str:
    if refusal is BROKE:
        return f"You do not have enough money in your M-PESA account to pay {ksh(amount * 100)} to {app.name}."
    return f"Paying {ksh(amount * 100)} to {app.name} would exceed the amount you can transact within the day."
