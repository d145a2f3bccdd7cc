"""Every refusal of the house, as facts without prose; doors turn codes into words.

DomainError
├── Refused            the person asked for something the rules do not allow now
│   ├── NotFound           also the answer to an action without the right (rights are not revealed)
│   ├── IllegalTransition  the life of the thing has no such row
│   ├── BadInput           what was typed cannot be used (with a reason and what is accepted)
│   ├── LimitReached       too many of these, with the instant from which it works again
│   ├── NotForSale         the link is inactive, expired, used, or sold out
│   ├── CannotPay          the method or gateway cannot take this amount or currency
│   ├── NotProvedYet       money that rests on a callback without proof may not leave yet
│   ├── BadCode            a one-time code opens nothing: used, used up, expired
│   │   └── WrongCode          what was typed is not it; the try is counted
│   └── KeyReused          the same idempotency key came with another request
├── Stale              somebody else moved the row first: read again and retry the unit
└── Broken             a promise of the books would break: the unit must not commit
"""

from __future__ import annotations

from typing import Any, ClassVar


class DomainError(Exception):
    """`code` names the fact, `facts` holds the values a sentence about it needs."""

    code: ClassVar[str] = "error"
    keeps: ClassVar[bool] = False
    """What its unit wrote stays, although it is raised: only for a refusal that has to be counted, and that comes before all other writing."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(f"{self.code} {facts}" if facts else self.code)
        self.facts = facts


class Refused(DomainError):
    code = "refused"


class NotFound(Refused):
    code = "not_found"


class IllegalTransition(Refused):
    """Facts: `life`, `source`, `target`."""

    code = "illegal_transition"


class BadInput(Refused):
    """Facts: `field`, `reason` (a code such as `too_long`), and whatever the reason needs (`limit`, `options`)."""

    code = "bad_input"

    def __init__(self, field: str, reason: str, **facts: Any) -> None:
        super().__init__(field=field, reason=reason, **facts)
        self.field = field
        self.reason = reason


class LimitReached(Refused):
    """Facts: `limit` (its name), `retry_at` (aware UTC)."""

    code = "limit_reached"


class NotForSale(Refused):
    """Facts: `reason`: inactive, expired, used, sold_out, few_left (with `left`)."""

    code = "not_for_sale"


class CannotPay(Refused):
    """Facts: `method`, `reason`: not_configured, currency, cents, too_small, too_large, paused, only_in_chat."""

    code = "cannot_pay"


class NotProvedYet(Refused):
    code = "not_proved_yet"


class BadCode(Refused):
    """Facts: `reason`: wrong (with `tries_left`), expired (or never made), used, used_up (too many wrong tries)."""

    code = "bad_code"


class WrongCode(BadCode):
    """A wrong try counts, so the unit that raises this is committed all the same."""

    keeps = True


class KeyReused(Refused):
    """The same idempotency key came with another request."""

    code = "key_reused"


class Stale(DomainError):
    code = "stale"


class Broken(DomainError):
    """Facts: `promise` (its number in docs/ledger.md) and what broke it."""

    code = "broken"
