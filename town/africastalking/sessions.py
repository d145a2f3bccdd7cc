"""One USSD session, and the notes Africa's Talking makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from town.africastalking.letters import too_long_for_a_screen
from town.africastalking.networks import SAFARICOM, Network
from town.africastalking.office import day_and_time
from town.africastalking.postman import Reply

SUCCESS, INCOMPLETE, FAILED = "Success", "Incomplete", "Failed"
UNAVAILABLE = "The service is not available right now. Please try again later."
TIMED_OUT = "Connection timed out."
UNKNOWN_CODE = "Connection problem or invalid MMI code."
_LABEL = re.compile(r"[^|]{1,99}")


@dataclass(slots=True)
class Session:
    """`inputs` is everything typed so far, a deep dial's first part included; `status` is empty while it lives."""

    id: str
    msisdn: str
    service_code: str
    began: datetime
    network: Network = SAFARICOM
    inputs: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    hops: int = 0
    last_reply: str = ""
    problem: str = ""
    status: str = ""
    idle_until: datetime | None = None
    told: bool = False

    @property
    def text(self) -> str:
        return "*".join(self.inputs)

    def over(self) -> bool:
        return bool(self.status)

    def turn(self) -> dict[str, str]:
        """The form of the interactive callback."""
        return {**self._who(), "text": self.text}

    def event(self, at: datetime, status: str) -> dict[str, str]:
        """The form of the end-of-session notification."""
        form = {
            "date": day_and_time(at),
            **self._who(),
            "status": status,
            "cost": f"KES {0.3 * max(1, self.hops):.4f}",
            "durationInMillis": str(round((at - self.began).total_seconds() * 1000)),
            "hopsCount": str(self.hops),
            "hopsMetadata": "|".join(self.labels),
            "input": self.text,
            "lastAppResponse": self.last_reply,
        }
        return {**form, "errorMessage": self.problem} if self.problem else form

    def _who(self) -> dict[str, str]:
        return {
            "sessionId": self.id,
            "serviceCode": self.service_code,
            "networkCode": self.network.code,
            "phoneNumber": f"+{self.msisdn}",
        }

    def shown(self) -> dict[str, Any]:
        return {
            "session_id": self.id,
            "msisdn": self.msisdn,
            "service_code": self.service_code,
            "began": self.began.isoformat(),
            "text": self.text,
            "hops": self.hops,
            "last_reply": self.last_reply,
            "status": self.status,
            "problem": self.problem,
        }


def take_reply(session: Session, reply: Reply) -> str:
    """Note the product's reply in the session; what is wrong with it, or empty."""
    session.hops += 1
    if reply.status is None:
        return f"The application did not answer: {reply.problem}"
    if _LABEL.fullmatch(reply.label):
        session.labels.append(reply.label)
    try:
        session.last_reply = reply.body.decode()
    except UnicodeDecodeError:
        session.last_reply = reply.body.decode(errors="replace")
        return "The application answered with something that is not UTF-8"
    if reply.status != 200:
        return f"The application answered with HTTP status {reply.status}"
    if not session.last_reply.startswith(("CON ", "END ")):
        return "The application's answer starts with neither 'CON ' nor 'END '"
    return ""


def refused_by_operator(session: Session) -> str:
    """Why the network does not show the last reply; empty when it does."""
    return too_long_for_a_screen(session.last_reply[4:])
