"""The identifiers Daraja makes up, in the shapes it makes them, repeatable by the town's seed; and its local time."""

from __future__ import annotations

import itertools
import string
from datetime import datetime, timedelta, timezone
from random import Random

EAT = timezone(timedelta(hours=3), "EAT")
"""Africa/Nairobi: UTC+3 all year."""
_HEX = "0123456789abcdef"
_RECEIPT = string.ascii_uppercase + string.digits
_DAY = "0" + string.digits[1:] + string.ascii_uppercase


def stamp(at: datetime) -> str:
    """`YYYYMMDDHHmmss` in Nairobi."""
    return at.astimezone(EAT).strftime("%Y%m%d%H%M%S")


def dotted(at: datetime) -> str:
    """`06.07.2026 22:48:52` in Nairobi, as B2C results write it."""
    return at.astimezone(EAT).strftime("%d.%m.%Y %H:%M:%S")


def sms_time(at: datetime) -> str:
    """`21/11/26 at 10:21 AM` in Nairobi, as the SMS writes it (no leading zeros in day, month and hour)."""
    there = at.astimezone(EAT)
    return f"{there.day}/{there.month}/{there:%y} at {there.hour % 12 or 12}:{there:%M %p}"


class Names:
    """Makes identifiers; never the same one twice."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._numbers = itertools.count(1)

    def request_id(self) -> str:
        """`1c5b-4ba8-815c-ac45c57a3db0` and a number, like the gateway's."""
        return f"{self._hex(4)}-{self._hex(4)}-{self._hex(4)}-{self._hex(12)}"

    def merchant_request_id(self) -> str:
        """`2654-4b64-97ff-b827b542881d3130`."""
        return f"{self._hex(4)}-{self._hex(4)}-{self._hex(4)}-{self._hex(16)}"

    def checkout_request_id(self, at: datetime, msisdn: str) -> str:
        """`ws_CO_` + DDMMYYYYHHMMSS + two digits + the last nine of the number."""
        return f"ws_CO_{at.astimezone(EAT):%d%m%Y%H%M%S}{next(self._numbers) % 100:02d}{msisdn[-9:]}"

    def conversation_id(self, at: datetime) -> str:
        """`AG_20261121_` + 20 hex digits."""
        return f"AG_{at.astimezone(EAT):%Y%m%d}_{self._hex(20)}"

    def originator_id(self) -> str:
        return f"{self._chance.randrange(10**4, 10**5)}-{self._chance.randrange(10**7, 10**8)}-{next(self._numbers)}"

    def receipt(self, at: datetime) -> str:
        """`TJ22T8IYOU`: year (T = 2025), month, day, then seven drawn; ten characters."""
        there = at.astimezone(EAT)
        head = string.ascii_uppercase[(there.year - 2006) % 26] + string.ascii_uppercase[there.month - 1] + _DAY[there.day]
        return head + "".join(self._chance.choices(_RECEIPT, k=7))

    def _hex(self, length: int) -> str:
        return "".join(self._chance.choices(_HEX, k=length))
