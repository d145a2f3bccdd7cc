"""SMS to phones: the messaging API, what arrives, and the delivery reports.

Faults: `sms_500`, `sms_timeout_before`, `sms_timeout_after`, `sms_html`, `no_recipients` (message), `recipient_code` (code),
`recipient_codes` (codes), `report_failed` (status, reason), `report_out_of_order`, `report_twice`, `report_unknown`, `no_report`,
`report_late` (seconds).
"""

from __future__ import annotations

from collections import OrderedDict
from functools import partial
from typing import Any

from aiohttp import web

from town.africastalking.asked import answer, fields_of, needed
from town.africastalking.letters import sms_parts
from town.africastalking.messages import Message, bad_number, sender_may_be
from town.africastalking.networks import network_of
from town.africastalking.office import Office, Refusal, Subscription, gate, price
from town.mishaps import HangUp, seconds_of

PART_PRICE = 8000
DEFAULT_SENDER = "AFRICASTKNG"
"""Who a message is from when the customer names no sender."""
KEPT = 1000
INTERIM, FINAL = "Sent", "Success"
_FAILED = ("Failed", "Rejected", "AbsentSubscriber", "Expired")


class SmsDesk:
    """Keeps the last messages, by id."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.messages: OrderedDict[str, Message] = OrderedDict()

    def routes(self, base: str) -> list[web.AbstractRouteDef]:
        return [
            web.post(f"{base}/version1/messaging", gate(self._classic)),
            web.post(f"{base}/version1/messaging/bulk", gate(self._bulk)),
            web.get(f"{base}/version1/user", gate(self._user)),
        ]

    def keep(self, message: Message) -> None:
        self.messages[message.id] = message
        if len(self.messages) > KEPT:
            self.messages.popitem(last=False)

    async def _user(self, request: web.Request) -> web.Response:
        self._office.customer(request, request.query.get("username", ""))
        return answer(request, {"UserData": {"balance": price(self._office.account.balance)}})

    async def _classic(self, request: web.Request) -> web.Response:
        """`to` is a list with commas, as the official clients send it."""
        fields = await fields_of(request)
        known = self._office.customer(request, needed(fields, "username"))
        to = fields.get("to")
        numbers = [str(one) for one in to] if isinstance(to, list) else needed(fields, "to").split(",")
        return await self._send(request, known, fields, numbers, str(fields.get("from") or ""))

    async def _bulk(self, request: web.Request) -> web.Response:
        """The newer form, JSON. Numbers hidden by a hash are not known here."""
        fields = await fields_of(request)
        known = self._office.customer(request, needed(fields, "username"))
        numbers = fields.get("phoneNumbers")
        if not isinstance(numbers, list) or not numbers:
            raise Refusal(400, "Request is missing required form field 'phoneNumbers'")
        return await self._send(request, known, fields, [str(one) for one in numbers], str(fields.get("senderId") or ""))

    async def _send(
        self, request: web.Request, known: Subscription, fields: dict[str, Any], numbers: list[str], sender: str
    ) -> web.Response:
        office, text = self._office, needed(fields, "message")
        if office.fault("sms_500"):
            raise Refusal(500, "The server was not able to produce a timely response to your request.")
        if fault := office.fault("sms_timeout_before"):
            raise HangUp(seconds_of(fault, 0.0))
        if fault := office.fault("no_recipients"):
            return self._told(request, str(fault.detail.get("message", "Invalid request")), [])
        if sender != known.short_code and not sender_may_be(sender, known.senders):
            return self._told(request, "InvalidSenderId", [])
        queued = str(fields.get("enqueue", "")).lower() in {"1", "true"}
        planted = office.fault("recipient_codes")
        codes = list(planted.detail.get("codes", [500])) if planted else []
        sent = []
        for place, number in enumerate(numbers):
            wanted = int(codes[place]) if place < len(codes) else 0
            sent.append(self._one(number.strip(), sender or DEFAULT_SENDER, text, wanted, 102 if queued else 101))
        if fault := office.fault("sms_timeout_after"):
            raise HangUp(seconds_of(fault, 0.0))
        if office.fault("sms_html"):
            return web.Response(text="<html><body><h1>502 Bad Gateway</h1></body></html>", status=502, content_type="text/html")
        accepted = [message for message in sent if message.accepted]
        total = price(sum(message.cost for message in accepted))
        return self._told(request, f"Sent to {len(accepted)}/{len(sent)} Total Cost: {total}", sent)

    @staticmethod
    def _told(request: web.Request, words: str, sent: list[Message]) -> web.Response:
        data = {"Message": words, "Recipients": [message.recipient() for message in sent]}
        return answer(request, {"SMSMessageData": data}, status=201)

    def _one(self, number: str, sender: str, text: str, wanted: int, accepted: int) -> Message:
        """One message to one number; nothing is charged or sent when it is refused."""
        office, parts = self._office, sms_parts(text)
        cost = parts * PART_PRICE
        code = wanted or bad_number(number)
        if not code and number.removeprefix("+") in office.account.blacklist:
            code = 406
        if not code and office.account.balance < cost:
            code = 405
        if not code and (fault := office.fault("recipient_code")):
            code = int(fault.detail.get("code", 500))
        at = office.core.clock.now().isoformat()
        message = Message("None", number, sender, text, code or accepted, parts, cost, at)
        if message.accepted:
            message.id = office.new_id("ATXid_")
            office.account.balance -= cost
            self.keep(message)
            self._on_its_way(message)
        self._note("sms.sent", message, code=message.code, parts=parts)
        return message

    # -- delivery

    def _on_its_way(self, message: Message) -> None:
        office = self._office
        failed = office.fault("report_failed")
        if not failed:

            async def arrive() -> None:
                office.phones.receive_sms(message.number, message.sender, message.text)

            office.alarms.after(office.delay_s, arrive)
        for wait_s, form in self._reports(message, self._final(failed.detail if failed else None)):
            office.alarms.after(wait_s, partial(self._report, message, form))

    @staticmethod
    def _final(failed: Any) -> dict[str, str]:
        if failed is None:
            return {"status": FINAL}
        status = str(failed.get("status", "Failed"))
        reason = {"failureReason": str(failed.get("reason", "DeliveryFailure"))} if status in _FAILED[:2] else {}
        return {"status": status, **reason}

    def _reports(self, message: Message, final: dict[str, str]) -> list[tuple[float, dict[str, str]]]:
        """When to send which report, with the faults of the way back."""
        office = self._office
        if office.fault("no_report"):
            return []
        network = network_of(message.number.removeprefix("+")).code
        whole = {"id": message.id, "phoneNumber": message.number, "networkCode": network, "retryCount": "0"}
        reports = [{**whole, "status": INTERIM}, {**whole, **final}]
        if office.fault("report_out_of_order"):
            reports.reverse()
        if office.fault("report_twice"):
            reports += reports[-1:]
        if office.fault("report_unknown"):
            reports.insert(0, {**whole, "id": office.new_id("ATXid_"), "status": FINAL})
        late = office.fault("report_late")
        first_s = seconds_of(late, 300.0) if late else office.delay_s
        return [(first_s + place * office.delay_s, report) for place, report in enumerate(reports)]

    async def _report(self, message: Message, form: dict[str, str]) -> None:
        office = self._office
        if form["id"] == message.id:
            message.status = form["status"]
        if office.subscription is None or not office.subscription.sms_delivery_url:
            return
        reply = await office.postman.post(office.subscription.sms_delivery_url, form)
        self._note(
            "sms.report", message, summary=f"{form['status']}: {message.text}", form=form, status=reply.status, problem=reply.problem
        )

    def _note(self, kind: str, message: Message, **what: Any) -> None:
        office, number = self._office, message.number.removeprefix("+")
        at = office.core.clock.now().isoformat()
        office.core.journal.add(kind, msisdn=number, id=message.id, sender=message.sender, text=message.text, at=at, **what)
