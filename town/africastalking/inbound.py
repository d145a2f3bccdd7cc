"""SMS from people: to the short code they go to the product until it answers 200, to another phone they simply arrive.

Faults: `inbound_twice`, `inbound_late` (seconds), `inbound_lost` (never posted; whoever asks gets it), `no_network_code_sms`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from functools import partial
from typing import Any

from aiohttp import web

from town.africastalking.asked import answer
from town.africastalking.messages import Incoming
from town.africastalking.office import Office, gate
from town.mishaps import seconds_of
from town.phones import NoSuchThing, Phone, normal_msisdn

KEPT = 1000
PAGE = 100
LONGEST_SMS = 1600
GIVES_UP_AFTER_S = 12 * 3600.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 15.0, 3600.0


class InboundDesk:
    """Keeps the last messages, by number."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self.messages: deque[Incoming] = deque(maxlen=KEPT)
        self.last_number = 0

    def routes(self, base: str) -> list[web.AbstractRouteDef]:
        return [
            web.get(f"{base}/version1/messaging", gate(self._poll)),
            web.post("/town/api/phone/{msisdn}/sms", self._office.phones.act(self._post_sms)),
        ]

    def resume(self) -> None:
        """Go on with what the product did not take before the town was closed."""
        for message in self.messages:
            if not message.taken:
                self._try_after(message, self._office.delay_s)

    async def _poll(self, request: web.Request) -> web.Response:
        self._office.customer(request, request.query.get("username", ""))
        last = request.query.get("lastReceivedId", "0")
        after = int(last) if last.isdecimal() else 0
        found = [message.polled() for message in self.messages if message.number > after][:PAGE]
        return answer(request, {"SMSMessageData": {"Messages": found}})

    async def _post_sms(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        to, text = body.get("to"), body.get("text")
        if not isinstance(to, str) or not isinstance(text, str) or not text or len(text) > LONGEST_SMS:
            raise NoSuchThing(f"`to` is a number or short code, and `text` has 1 to {LONGEST_SMS} characters.")
        return self.send(phone, to.strip(), text)

    def send(self, phone: Phone, to: str, text: str) -> dict[str, Any]:
        """A person sends an SMS; gives what was sent, with the number it goes by where it went to the short code."""
        office, known = self._office, self._office.subscription
        if not phone.on:
            raise NoSuchThing("The phone is switched off.")
        at = office.core.clock.now()
        sent: dict[str, Any] = {"from": phone.msisdn, "to": to, "text": text, "at": at.isoformat()}
        if known is None or to != known.short_code:
            office.phones.receive_sms(normal_msisdn(to), f"+{phone.msisdn}", text)
            return sent
        self.last_number += 1
        message = Incoming(self.last_number, phone.msisdn, to, text, office.new_id("", 32), at)
        self.messages.append(message)
        office.core.journal.add("sms.received", msisdn=phone.msisdn, to=to, text=text, id=message.number, at=at.isoformat())
        if not office.fault("inbound_lost"):
            late = office.fault("inbound_late")
            self._try_after(message, seconds_of(late, 300.0) if late else office.delay_s)
        return {**sent, "id": str(message.number)}

    def _try_after(self, message: Incoming, seconds: float) -> None:
        self._office.alarms.after(seconds, partial(self._try, message))

    async def _try(self, message: Incoming) -> None:
        office, known = self._office, self._office.subscription
        if message.taken or known is None or not known.sms_inbound_url:
            return
        form = message.form()
        if office.fault("no_network_code_sms"):
            del form["networkCode"]
        message.tries += 1
        reply = await office.postman.post(known.sms_inbound_url, form)
        if office.fault("inbound_twice"):
            reply = await office.postman.post(known.sms_inbound_url, form)
        message.taken = reply.status == 200
        at = office.core.clock.now()
        office.core.journal.add("sms.posted", msisdn=message.sender, id=message.number, text=message.text, status=reply.status,
                                problem=reply.problem, tries=message.tries, at=at.isoformat())  # fmt: skip
        if not message.taken and (at - message.at).total_seconds() < GIVES_UP_AFTER_S:
            self._try_after(message, min(FIRST_PAUSE_S * 2 ** (message.tries - 1), LONGEST_PAUSE_S))
