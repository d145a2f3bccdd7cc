"""SMS as Africa's Talking keeps them: what was sent to a phone and what came from one."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from town.africastalking.networks import network_of
from town.africastalking.office import day_and_time, price

ACCEPTED = (100, 101, 102)
STATUS = {
    100: "Success", 101: "Success", 102: "Success", 401: "RiskHold", 402: "InvalidSenderId", 403: "InvalidPhoneNumber",
    404: "UnsupportedNumberType", 405: "InsufficientBalance", 406: "UserInBlacklist", 407: "CouldNotRoute",
    409: "DoNotDisturbRejection", 500: "InternalServerError", 501: "GatewayError", 502: "RejectedByGateway",
}  # fmt: skip
_NUMBER = re.compile(r"\+[1-9]\d{7,14}")
_KENYAN = re.compile(r"\+254([17])?\d{8,9}")
_SENDER = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._&-]{0,10}|\d{3,15}")


@dataclass(slots=True)
class Message:
    """One SMS to one number. `status` is the last one reported, which is not always the truest."""

    id: str
    number: str
    sender: str
    text: str
    code: int
    parts: int
    cost: int
    at: str
    status: str = ""

    @property
    def accepted(self) -> bool:
        return self.code in ACCEPTED

    def recipient(self) -> dict[str, Any]:
        """As in the reply to the customer."""
        return {
            "statusCode": self.code,
            "number": self.number,
            "status": STATUS.get(self.code, "InternalServerError"),
            "cost": price(self.cost) if self.accepted else "0",
            "messageId": self.id,
            "messageParts": self.parts,
        }

    def shown(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(slots=True)
class Incoming:
    """One SMS from a person to the short code. `taken` once the product answered 200; `tries` so far."""

    number: int
    sender: str
    to: str
    text: str
    link_id: str
    at: datetime
    taken: bool = False
    tries: int = 0

    def form(self) -> dict[str, str]:
        """As it is posted."""
        return {
            **{name: str(value) for name, value in self.polled().items()},
            "networkCode": network_of(self.sender).code,
            "cost": price(0),
        }

    def polled(self) -> dict[str, Any]:
        """As it is given to whoever asks."""
        return {
            "id": self.number,
            "linkId": self.link_id,
            "text": self.text,
            "to": self.to,
            "from": f"+{self.sender}",
            "date": day_and_time(self.at),
        }

    def shown(self) -> dict[str, Any]:
        return {**asdict(self), "at": self.at.isoformat()}


def bad_number(number: str) -> int:
    """The status code for a number that cannot get SMS, 0 for one that can."""
    if not _NUMBER.fullmatch(number):
        return 403
    if not number.startswith("+254"):
        return 0
    kenyan = _KENYAN.fullmatch(number)
    if kenyan is None or (kenyan[1] and len(number) != 13):
        return 403
    return 0 if kenyan[1] else 404


def sender_may_be(sender: str, approved: tuple[str, ...]) -> bool:
    """Names have at most eleven characters; where some are approved, no other is."""
    return not sender or (sender in approved if approved else _SENDER.fullmatch(sender) is not None)
