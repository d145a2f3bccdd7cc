"""What SMS and USSD share: the customer's account, identifiers, faults, and how a request of the customer is let in."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime

from aiohttp import web

from town.africastalking.postman import Postman
from town.alarms import Alarms
from town.core import Core, Fault
from town.mishaps import HangUp, cut
from town.phones import Phones

PROVIDER = "africastalking"
FIRST_BALANCE = 100_000_0000
"""Ten-thousandths of a shilling, as prices have four places."""
AUTH = "The supplied authentication is invalid"


@dataclass(frozen=True, slots=True)
class Subscription:
    """One customer of Africa's Talking: who it is, its codes, and where its product listens.

    `senders` are the approved sender names; empty means that every name is approved.
    """

    ussd_url: str
    ussd_events_url: str
    sms_inbound_url: str
    sms_delivery_url: str
    username: str
    api_key: str
    service_code: str = "*384*77#"
    short_code: str = "22384"
    senders: tuple[str, ...] = ()


@dataclass
class Account:
    """What changes of a customer: its money, and who wants no messages from it."""

    balance: int = FIRST_BALANCE
    blacklist: set[str] = field(default_factory=set)


class Refusal(Exception):
    """A reply in plain text, as Africa's Talking refuses."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(frozen=True, slots=True)
class Office:
    """`delay_s` is town time between a thing and what is told about it."""

    core: Core
    phones: Phones
    subscription: Subscription | None
    alarms: Alarms
    postman: Postman
    account: Account
    delay_s: float

    def fault(self, *names: str) -> Fault | None:
        return self.core.faults.take(PROVIDER, *names)

    def new_id(self, prefix: str, digits: int = 32) -> str:
        return f"{prefix}{self.core.chance.getrandbits(4 * digits):0{digits}x}"

    def customer(self, request: web.Request, username: str) -> Subscription:
        """The subscription the request is for; refuses a wrong key or a wrong name alike."""
        known = self.subscription
        if known is None or request.headers.get("apiKey") != known.api_key or username != known.username:
            raise Refusal(401, AUTH)
        return known


def price(ten_thousandths: int) -> str:
    """`KES 0.8000`."""
    return f"KES {ten_thousandths / 10_000:.4f}"


def day_and_time(at: datetime) -> str:
    """`2026-11-21 07:45:00`, UTC."""
    return at.strftime("%Y-%m-%d %H:%M:%S")


def gate(desk: Callable[[web.Request], Awaitable[web.Response]]) -> Callable[[web.Request], Awaitable[web.Response]]:
    """The desk as a route handler: refusals become plain text, a hang-up ends the connection."""

    async def handler(request: web.Request) -> web.Response:
        try:
            return await desk(request)
        except Refusal as refusal:
            return web.Response(status=refusal.status, text=refusal.text)
        except HangUp as hang_up:
            return await cut(request, hang_up.wait_s)

    return handler
