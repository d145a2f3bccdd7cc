"""The kinds of ways to reach a person."""

from __future__ import annotations

from enum import StrEnum


class ChannelKind(StrEnum):
    """USSD can only answer: what must reach somebody who uses it goes by SMS to the same number."""

    TELEGRAM = "telegram"
    USSD = "ussd"
    SMS = "sms"
    EMAIL = "email"
