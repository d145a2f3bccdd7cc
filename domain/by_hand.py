"""M-Pesa by hand: a buyer who pays our paybill or till from the M-Pesa menu. What they typed there, and what they paste here, read forgivingly.

Nothing of it is believed: an account finds a checkout, a receipt is what the gateway is asked about.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, NewType, Protocol

from domain.errors import BadInput
from domain.ids import ALPHABET, LINK_CODE_LENGTH, AttemptId, CheckoutId, LinkId, OrganizationId, PersonId
from domain.life import AttemptState, CheckoutState, Life, Move
from domain.money import Money, from_major
from domain.payment import Attempt, Checkout, Reply
from domain.rights import Party

LookupId = NewType("LookupId", int)
StrayId = NewType("StrayId", int)

CHECKOUT_CODE_LENGTH: Final = 8
RECEIPT_LENGTH: Final = 10
MOST_PASTED: Final = 1000
PAID_BEFORE: Final = timedelta(hours=24)
"""A payment may be claimed for a checkout that was begun at most so long after it."""

NEWLY_MADE: Final = timedelta(minutes=2)
"""That long after its confirmation a payment that the gateway does not find is asked about again, before it counts as denied."""

LOOK_AGAIN: Final = tuple(timedelta(seconds=s) for s in (5, 15, 60, 120, 300, 900, 3_600))
MOST_LOOKS: Final = 24
MOST_CLAIM_LOOKS: Final = 7
"""A claim that nobody answers for is given up after about half an hour; the buyer can claim again."""

LATELY: Final = timedelta(days=7)
"""Checkouts that ended longer ago are not looked at for money that names only their link."""

_LOOKALIKES: Final = str.maketrans("OIL", "011")
_LINK_MARK, _CHECKOUT_MARK = "P1", "TEMP"


class Kind(StrEnum):
    """What an account number names: a link, which many may be buying, or one checkout."""

    LINK = "link"
    CHECKOUT = "checkout"


@dataclass(frozen=True, slots=True)
class Account:
    """`code` as we write it: PL-7K2QD or TEMP-7K2QD4W8."""

    kind: Kind
    code: str


def fold(text: str) -> str:
    """Letters and digits alone, in capitals, with those alike that people take for each other: O and 0, I, L and 1."""
    plain = unicodedata.normalize("NFKC", text).upper()
    return "".join(str(int(char)) if char.isdecimal() else char for char in plain if char.isalnum()).translate(_LOOKALIKES)


def read_account(text: str) -> Account | None:
    """What was typed as account number, with or without its beginning; None for what cannot be one of ours."""
    body = fold(text)
    for mark, length, kind in ((_CHECKOUT_MARK, CHECKOUT_CODE_LENGTH, Kind.CHECKOUT), (_LINK_MARK, LINK_CODE_LENGTH, Kind.LINK)):
        bare = body.removeprefix(mark) if len(body) == len(mark) + length else body
        if len(bare) == length and all(char in ALPHABET for char in bare):
            return Account(kind, f"{'TEMP' if kind is Kind.CHECKOUT else 'PL'}-{bare}")
    return None


def account_of(checkout_number: str) -> str:
    """What a buyer is told to type: TEMP7K2QD4W8, which fits everywhere an account number does."""
    return checkout_number.replace("-", "")


@dataclass(frozen=True, slots=True)
class Told:
    """Money that the gateway says was paid by hand. `validated` is what we answered to its question, echoed; `payer_ends` the last digits of the
    payer's number, empty when it was not told.
    """

    receipt: str
    money: Money
    short_code: str
    account: str
    payer_ends: str = ""
    validated: str = ""
    paid_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What the gateway says of one receipt. `found` None: it said nothing clear. `prompted` is money that a prompt on a phone brought."""

    found: bool | None
    ref: str
    event_key: str
    receipt: str = ""
    money: Money | None = None
    payee: str = ""
    payer: str = ""
    prompted: bool = False
    completed: bool = False
    paid_at: datetime | None = None
    result: str = "unknown"


class Verdict(StrEnum):
    """Whether somebody may pay what they are about to pay."""

    ACCEPT = "accept"
    ACCOUNT = "account"
    AMOUNT = "amount"
    SHORT_CODE = "short_code"
    OTHER = "other"


def judge(open_ones: Sequence[Checkout], told: Told) -> tuple[Verdict, Checkout | None]:
    """For checkouts that can be paid now and that the account names. The checkout is given when there is no doubt which one is meant."""
    if not open_ones:
        return Verdict.ACCOUNT, None
    fitting = [checkout for checkout in open_ones if checkout.total == told.money]
    return (Verdict.ACCEPT, single(fitting, told)) if fitting else (Verdict.AMOUNT, None)


def single(checkouts: Sequence[Checkout], told: Told) -> Checkout | None:
    """The one that is meant: alone, or alone with the payer's number. Never one of two."""
    if len(checkouts) == 1:
        return checkouts[0]
    theirs = [checkout for checkout in checkouts if ends_alike(checkout.phone.e164 if checkout.phone else "", told.payer_ends)]
    return theirs[0] if len(theirs) == 1 else None


def choose(of_link: Sequence[Checkout], told: Told, now: datetime) -> Checkout | None:
    """Which of a link's checkouts money is for that names only the link: one that waits for this amount first, one of the payer's next."""
    waiting = [checkout for checkout in of_link if checkout.state in {CheckoutState.OPEN, CheckoutState.PAYING}]
    exact = [checkout for checkout in waiting if checkout.total == told.money]
    if exact:
        return single(exact, told)
    theirs = [checkout for checkout in of_link if ends_alike(checkout.phone.e164 if checkout.phone else "", told.payer_ends)]
    for candidates in (
        [checkout for checkout in theirs if checkout in waiting],
        [checkout for checkout in theirs if checkout.total == told.money and now - (checkout.ended_at or now) <= LATELY],
    ):
        if len(candidates) == 1:
            return candidates[0]
    return None


def ends_alike(number: str, ends: str) -> bool:
    return bool(ends) and number.endswith(ends)


def may_be(attempt: Attempt, told: Told) -> bool:
    """Whether this prompt on a phone may be what brought the money: prompts are confirmed like money paid by hand, with their link as account."""
    phone = attempt.phone.e164 if attempt.phone is not None else ""
    return (
        attempt.receipt is None
        and attempt.money == told.money
        and attempt.state in {AttemptState.SENDING, AttemptState.PENDING, AttemptState.SUCCEEDED}
        and (not told.payer_ends or not phone or ends_alike(phone, told.payer_ends))
    )


@dataclass(frozen=True, slots=True)
class Pasted:
    """What stands in a message of M-Pesa: for the person who pasted it, and the `receipt` to ask the gateway about. The rest is never used."""

    receipt: str
    money: Money | None = None
    account: str = ""
    day: str = ""


_RECEIPT: Final = re.compile(rf"(?<![A-Z0-9])([A-Z][A-Z0-9]{{{RECEIPT_LENGTH - 1}}})(?![A-Z0-9])", re.ASCII)
_CONFIRMED: Final = re.compile(_RECEIPT.pattern + r"[\s.:]*(?:CONFIRMED|IMETHIBITISHWA|UMETHIBITISHWA)", re.ASCII)
_AMOUNT: Final = re.compile(r"(?:KSHS?|KES)\.?\s*([0-9][0-9,]*(?:\.[0-9]{1,2})?)", re.ASCII)
_ACCOUNT: Final = re.compile(
    r"(?:FOR ACCOUNT|KWA AKAUNTI(?: YA| NAMBA| NO\.?)?|AKAUNTI YA)\s+(\S{1,20}(?: \S{1,20})?)\s+(?:ON|TAREHE|MNAMO)\b"
)
_DAY: Final = re.compile(r"(?:\bON|TAREHE|MNAMO)\s+([0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4})", re.ASCII)


def read_pasted(text: str) -> Pasted:
    """A receipt as it is typed (`sjk4 h7l2 qx`), or a whole message of M-Pesa in English or Swahili. Raises BadInput(`receipt`, reason)."""
    if not text.strip():
        raise BadInput("receipt", "empty")
    if len(text) > MOST_PASTED:
        raise BadInput("receipt", "too_long")
    said = " ".join(unicodedata.normalize("NFKC", text).upper().split())
    bare = re.sub(r"[\s.\-]", "", said)
    if _RECEIPT.fullmatch(bare) and (" " not in said or any(char.isdigit() for char in bare)):
        return Pasted(bare)
    confirmed = _CONFIRMED.search(said)
    if confirmed is None:
        found = {code for code in _RECEIPT.findall(said) if any(char.isdigit() for char in code)}
        if len(found) != 1:
            raise BadInput("receipt", "many" if found else "no_code")
        return Pasted(found.pop())
    rest = said[confirmed.end() :]
    amount, account, day = _AMOUNT.search(rest), _ACCOUNT.search(rest), _DAY.search(rest)
    return Pasted(
        confirmed.group(1),
        _shillings(amount.group(1)) if amount else None,
        account.group(1) if account else "",
        day.group(1) if day else "",
    )


def looks_pasted(text: str) -> bool:
    """Whether this is a message of M-Pesa, whoever it is sent to."""
    return len(text) <= MOST_PASTED and _CONFIRMED.search(" ".join(text.upper().split())) is not None


def _shillings(text: str) -> Money | None:
    try:
        return from_major(text.replace(",", ""), "KES")
    except BadInput:
        return None


class LookupState(StrEnum):
    """A question to the gateway about one receipt; its answer comes to an address of ours, later."""

    ASKED = "ASKED"
    SENDING = "SENDING"
    PENDING = "PENDING"
    DONE = "DONE"
    FAILED = "FAILED"


_CLOCK: Final = frozenset({Party.CLOCK})
_GATEWAY: Final = frozenset({Party.GATEWAY})
_UNDER_WAY: Final = (LookupState.ASKED, LookupState.SENDING, LookupState.PENDING)
LOOKUP: Final = Life(
    "lookup",
    frozenset({LookupState.ASKED}),
    Move(LookupState.ASKED, LookupState.SENDING, _CLOCK),
    Move(LookupState.SENDING, LookupState.ASKED, _CLOCK),
    Move(LookupState.SENDING, LookupState.PENDING, _GATEWAY),
    Move(LookupState.PENDING, LookupState.ASKED, _CLOCK),
    *(Move(state, LookupState.DONE, _GATEWAY) for state in _UNDER_WAY),
    *(Move(state, LookupState.FAILED, _GATEWAY | _CLOCK) for state in _UNDER_WAY),
    Move(LookupState.FAILED, LookupState.ASKED, frozenset({Party.BUYER})),
)
"""Asking changes nothing at the gateway, so it may be asked again."""


class StrayState(StrEnum):
    """Money that named nothing of ours."""

    WAITING = "WAITING"
    MATCHED = "MATCHED"
    RETURNING = "RETURNING"
    RETURNED = "RETURNED"


_DESK: Final = frozenset({Party.ADMIN})
STRAY: Final = Life(
    "stray",
    frozenset({StrayState.WAITING}),
    Move(StrayState.WAITING, StrayState.MATCHED, _GATEWAY | _DESK),
    Move(StrayState.WAITING, StrayState.RETURNING, _DESK),
    Move(StrayState.WAITING, StrayState.RETURNED, _GATEWAY | _DESK),
    Move(StrayState.RETURNING, StrayState.RETURNED, _GATEWAY | _DESK),
    Move(StrayState.RETURNING, StrayState.WAITING, _GATEWAY | _DESK),
)
"""Sent back it is never a second time by itself: without an answer it stays RETURNING until a person says what became of it."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """`cause` is unique: a proof of an attempt, or a claim of a receipt for a checkout. `owner` is whose short code is asked about, 0 the platform's.

    `expects_minor` is what the money was told to be, for a proof; `source` the channel of a claim.
    """

    id: LookupId
    gateway: str
    owner: OrganizationId
    receipt: str
    cause: str
    state: LookupState
    created_at: datetime
    attempt_id: AttemptId | None = None
    checkout_id: CheckoutId | None = None
    source: str = ""
    expects_minor: int | None = None
    ref: str | None = None
    result: str | None = None
    tries: int = 0
    act_at: datetime | None = None
    done_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Stray:
    """Money in suspense that no checkout is known for; (gateway, receipt) is unique. Whoever shows its receipt for a checkout has it matched.

    `ref` is the gateway's id of its return, or what a person wrote down who returned it by hand; `result` what the gateway said of it last.
    """

    id: StrayId
    gateway: str
    owner: OrganizationId
    receipt: str
    money: Money
    account: str
    payer_ends: str
    state: StrayState
    created_at: datetime
    attempt_id: AttemptId | None = None
    matched_at: datetime | None = None
    version: int = 0
    ref: str | None = None
    result: str | None = None
    asked_at: datetime | None = None
    returned_at: datetime | None = None


def look_again(lookup: Lookup, now: datetime) -> datetime | None:
    """When the gateway is asked again, or None when it was asked often enough."""
    if lookup.tries >= (MOST_LOOKS if lookup.checkout_id is None else MOST_CLAIM_LOOKS):
        return None
    return now + LOOK_AGAIN[min(lookup.tries, len(LOOK_AGAIN) - 1)]


class HandGateway(Protocol):
    """What a gateway offers for payments by hand. The first three are offline; the others talk to it and never raise for what it does."""

    def read_told(self, kind: str, raw: bytes) -> Told:
        """A question whether somebody may pay, the word that they did, or a line of a list. Raises Unreadable."""
        ...

    def read_looked(self, kind: str, raw: bytes) -> Looked:
        """Raises Unreadable."""
        ...

    def answer(self, verdict: Verdict, validated: str) -> bytes:
        """What the gateway is answered that asks whether somebody may pay."""
        ...

    async def register(self, credentials: Mapping[str, str], token: str, *, unless_reached: bool) -> str | None:
        """Tell it our addresses. `unless_reached`: whether money is taken when we cannot be asked. The words key of what is wrong, or None."""
        ...

    async def register_list(self, credentials: Mapping[str, str], token: str, phone: str) -> str | None: ...
    async def look_up(self, receipt: str, credentials: Mapping[str, str], token: str) -> Reply: ...
    async def listed(self, since: datetime, until: datetime, credentials: Mapping[str, str]) -> Sequence[bytes] | None:
        """What was paid by hand in between, each line as `read_told` takes it; None when there is no whole answer."""
        ...


class HandPaid(Protocol):
    """What by-hand payments keep, and the questions about checkouts that only they ask."""

    def lookup(self, lookup_id: LookupId) -> Lookup | None: ...
    def lookup_by_cause(self, cause: str) -> Lookup | None: ...
    def claims_of(self, checkout_id: CheckoutId) -> Sequence[Lookup]:
        """Newest first."""
        ...

    def add_lookup(self, lookup: Lookup) -> None: ...
    def save_lookup(self, lookup: Lookup) -> Lookup: ...
    def lookups_due(self, now: datetime, limit: int) -> Sequence[LookupId]: ...
    def stray(self, gateway: str, receipt: str) -> Stray | None: ...
    def stray_by_id(self, stray_id: StrayId) -> Stray | None: ...
    def add_stray(self, stray: Stray) -> None: ...
    def save_stray(self, stray: Stray) -> Stray: ...
    def strays_waiting(self, limit: int) -> Sequence[Stray]:
        """Those that are nobody's yet, the ones that are on their way back too; oldest first."""
        ...

    def checkout_numbered(self, number: str) -> Checkout | None: ...
    def checkouts_of_link(self, link_id: LinkId, since: datetime, limit: int) -> Sequence[Checkout]:
        """Unpaid, begun since then, newest first."""
        ...

    def latest_of_buyer(self, buyer_id: PersonId) -> Checkout | None: ...
    def prompts_of_link(self, link_id: LinkId, gateway: str, limit: int) -> Sequence[Attempt]:
        """Attempts of its checkouts without a receipt that are under way or succeeded, newest first."""
        ...
