"""The mobile networks of Kenya, as Africa's Talking numbers them, and what each allows a USSD session."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Network:
    """`idle_s` is how long a customer may think; `input_limit` what a handset lets them type."""

    name: str
    code: str
    idle_s: float
    input_limit: int


SAFARICOM = Network("Safaricom", "63902", 30.0, 80)
AIRTEL = Network("Airtel", "63903", 60.0, 90)
TELKOM = Network("Telkom", "63907", 30.0, 80)
EQUITEL = Network("Equitel", "63999", 30.0, 80)
ATHENA = Network("Athena", "99999", 30.0, 80)
"""The sandbox's own network; in the town, everybody from abroad."""

SESSION_S = 180.0
_BY_PREFIX = (
    (AIRTEL, re.compile(r"254(73|78|75[0-6]|762|10[0-9])")),
    (TELKOM, re.compile(r"25477")),
    (EQUITEL, re.compile(r"25476[3-6]")),
    (SAFARICOM, re.compile(r"254[17]")),
)


def network_of(msisdn: str) -> Network:
    """By the prefix of the number (numbers that moved to another network are not known)."""
    return next((network for network, prefix in _BY_PREFIX if prefix.match(msisdn)), ATHENA)
