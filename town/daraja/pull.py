"""Pull Transactions: the list of what was paid to a short code by hand in the last 48 hours, for who missed a confirmation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from aiohttp import web

from town.daraja import fields
from town.daraja.apps import App, Refusal
from town.daraja.books import C2B, Transaction
from town.daraja.names import EAT
from town.daraja.office import BUSY, Office

REACHES = timedelta(hours=48)
PAGE = 1000


class PullDesk:
    """Lists payments to those who registered for it."""

    def __init__(self, office: Office) -> None:
        self._office = office

    async def register(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """POST /pulltransactions/v1/register."""
        if fields.short_code(body, "ShortCode") != app.short_code:
            raise fields.bad("ShortCode")
        fields.one_of(body, "RequestType", ("Pull",))
        fields.text(body, "NominatedNumber", r"(?:0|254)[17]\d{8}")
        fields.address(body, "CallBackURL", self._office.https_only)
        said = "ShortCode already Registered" if app.pulls else "ShortCode Registered Successfully"
        app.pulls = True
        return web.json_response(
            {"ResponseRefID": self._office.names.originator_id(), "ResponseStatus": "1000", "ResponseDescription": said}
        )

    async def query(self, app: App, body: dict[str, Any]) -> web.StreamResponse:
        """GET /pulltransactions/v1/query, its fields in a JSON body."""
        if self._office.fault("pull_500"):
            raise BUSY
        if fields.short_code(body, "ShortCode") != app.short_code:
            raise fields.bad("ShortCode")
        since, until = _instant(body, "StartDate"), _instant(body, "EndDate")
        skipped = int(fields.text(body, "OffSetValue", r"\d{1,9}"))
        if not app.pulls:
            raise Refusal(404, "404.001.01", "Resource not found")
        oldest = self._office.core.clock.now() - REACHES
        found = [
            entry
            for entry in self._office.books.all()
            if entry.kind == C2B and entry.short_code == app.short_code and max(since, oldest) <= entry.at <= until + timedelta(seconds=1)
        ][skipped : skipped + PAGE]
        ref = self._office.names.originator_id()
        if not found:
            return web.json_response({"ResponseRefID": ref, "ResponseCode": "1001", "ResponseMessage": "No transactions", "Response": [[]]})
        rows = [_row(entry, app) for entry in found]
        return web.json_response({"ResponseRefID": ref, "ResponseCode": "1000", "ResponseMessage": "Success", "Response": [rows]})


def _row(entry: Transaction, app: App) -> dict[str, Any]:
    return {
        "transactionId": entry.receipt,
        "trxDate": entry.at.astimezone(EAT).isoformat(),
        "msisdn": int(entry.msisdn),
        "sender": "MPESA",
        "transactiontype": "c2b-pay-bill-debit",
        "billreference": entry.reference,
        "amount": f"{entry.amount}.00",
        "organizationname": app.name,
    }


def _instant(body: dict[str, Any], field: str) -> datetime:
    try:
        return datetime.strptime(str(body.get(field)), "%Y-%m-%d %H:%M:%S").replace(tzinfo=EAT)
    except ValueError:
        raise fields.bad(field) from None
