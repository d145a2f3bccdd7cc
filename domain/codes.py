"""One-time codes: short, for people to type, bound to what they are for and to whom (T18)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

from domain.ids import ALPHABET, PersonId, code_from

MOST_TRIES: Final = 5
MADE_AN_HOUR: Final = ("codes_hour", 3_600, 3)
MADE_A_DAY: Final = ("codes_day", 86_400, 10)
"""For one flow and subject: (name, window in seconds, most)."""

MADE_IN_ALL: Final = ("codes_all", 3_600, 3_000)
"""Each costs a message: what a storm of them may cost in an hour."""

_DIGITS: Final = "23456789"
KEPT_FOR: Final = timedelta(days=1)
"""After its end, so that whoever types it late hears why it does not work."""


@dataclass(frozen=True, slots=True)
class Code:
    """`digest` is keyed and stands for flow, subject and digits; the code itself is nowhere. (flow, subject) is unique: a new one replaces it."""

    flow: str
    subject: str
    person_id: PersonId | None
    digest: str
    data: dict[str, Any]
    created_at: datetime
    expires_at: datetime
    tries: int = 0
    used_at: datetime | None = None
    version: int = 0

    def why_not(self, now: datetime) -> str | None:
        """Why it opens nothing, whatever is typed: used, used_up, expired."""
        if self.used_at is not None:
            return "used"
        if self.tries >= MOST_TRIES:
            return "used_up"
        return "expired" if now >= self.expires_at else None


def spoken(flow: str, subject: str, digits: str) -> str:
    """What the digest is made of: digits for one thing are worth nothing for another."""
    return "\0".join(("code", flow, subject, digits))


CARRY_LENGTH: Final = 6
CARRY_LIVES: Final = timedelta(hours=48)


def carry_code(number: int) -> str:
    """`K7Q2M9` from any non-negative number. One of its letters at least is a digit, so that no word is taken for a code."""
    number, place = divmod(number, CARRY_LENGTH)
    number, digit = divmod(number, len(_DIGITS))
    letters = code_from(number, CARRY_LENGTH)
    return letters if any(char in _DIGITS for char in letters) else letters[:place] + _DIGITS[digit] + letters[place + 1 :]


def read_carry_code(text: str) -> str | None:
    """The code in what somebody typed, in one word, or None."""
    code = text.strip().upper()
    usable = len(code) == CARRY_LENGTH and all(char in ALPHABET for char in code) and any(char in _DIGITS for char in code)
    return code if usable else None


def digits_from(number: int, count: int) -> str:
    """`count` digits, kept as text because the first may be zero."""
    return str(number % 10**count).zfill(count)


class Codes(Protocol):
    def put(self, code: Code) -> None:
        """In place of the one before it, if any."""
        ...

    def of(self, flow: str, subject: str) -> Code | None: ...
    def by_digest(self, flow: str, digest: str) -> Code | None:
        """For codes that say by themselves whose they are."""
        ...

    def save(self, code: Code) -> Code:
        """Compare-and-set on the version; raises Stale."""
        ...

    def prune(self, before: datetime, limit: int) -> int:
        """Forget those that ended before then, oldest first. How many."""
        ...
