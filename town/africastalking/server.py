"""Africa's Talking as one thing: its API below `base_path`, the acts of people on their phones, its memory, its clean end.

Follows the documentation's SMS, USSD callback and notification pages, and what its official client expects.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiohttp import web

from town.africastalking import memory
from town.africastalking.inbound import InboundDesk
from town.africastalking.office import Account, Office, Subscription, price
from town.africastalking.postman import REPLY_WITHIN_S, Postman
from town.africastalking.sms import SmsDesk
from town.africastalking.ussd import UssdDesk
from town.alarms import Alarms
from town.core import Core
from town.phones import NoSuchThing, Phone, Phones


class AfricasTalking:
    """The provider, for one customer or none. Between `start` and `stop` it calls the product."""

    def __init__(
        self,
        core: Core,
        phones: Phones,
        subscription: Subscription | None,
        base_path: str = "/town/africastalking",
        *,
        delay_s: float = 0.05,
        reply_within_s: float = REPLY_WITHIN_S,
    ) -> None:
        self._base = base_path.rstrip("/")
        self.subscription = subscription
        self.account = Account()
        self._office = office = Office(
            core=core,
            phones=phones,
            subscription=subscription,
            alarms=Alarms(core.clock, "africastalking"),
            postman=Postman(reply_within_s),
            account=self.account,
            delay_s=delay_s,
        )
        self.ussd = UssdDesk(office)
        self.sms = SmsDesk(office)
        self.inbound = InboundDesk(office)

    async def start(self) -> None:
        await self._office.postman.start()
        await self._office.alarms.start()

    async def stop(self) -> None:
        await self._office.alarms.stop()
        await self._office.postman.stop()

    def save(self, keep: Path) -> None:
        memory.save(self.account, self.sms, self.inbound, keep)

    def load(self, keep: Path) -> bool:
        """Take up what a file keeps, before the first request."""
        known = memory.load(self.account, self.sms, self.inbound, keep)
        self.inbound.resume()
        return known

    def _codes(self) -> dict[str, str | None]:
        known = self.subscription
        return {"service_code": known.service_code if known else None, "short_code": known.short_code if known else None}

    def state(self) -> dict[str, Any]:
        return {
            **self._codes(),
            "balance": price(self.account.balance),
            "blacklist": sorted(self.account.blacklist),
            "sessions": self.ussd.state(),
            "sent": [message.shown() for message in self.sms.messages.values()],
            "received": [message.shown() for message in self.inbound.messages],
        }

    def routes(self) -> list[web.AbstractRouteDef]:
        act = self._office.phones.act
        return [
            *self.sms.routes(self._base),
            *self.inbound.routes(self._base),
            *self.ussd.routes(),
            web.route("*", f"{self._base}/{{tail:.*}}", _nowhere),
            web.get("/town/api/africastalking", self._get_state),
            web.get("/town/api/africastalking/codes", self._get_codes),
            web.post("/town/api/phone/{msisdn}/blacklist", act(self._post_blacklist)),
        ]

    async def _get_state(self, request: web.Request) -> web.Response:
        return web.json_response(self.state())

    async def _get_codes(self, request: web.Request) -> web.Response:
        """What people are told to dial and write to; null without a customer."""
        return web.json_response(self._codes())

    async def _post_blacklist(self, phone: Phone, body: Mapping[str, Any]) -> Any:
        """`on`: this phone wants no messages (recipients get 406), or wants them again."""
        on = body.get("on")
        if not isinstance(on, bool):
            raise NoSuchThing("`on` is true or false.")
        (self.account.blacklist.add if on else self.account.blacklist.discard)(phone.msisdn)
        return {"blacklisted": on}


async def _nowhere(request: web.Request) -> web.Response:
    return web.Response(status=404, text="The requested resource could not be found.")
