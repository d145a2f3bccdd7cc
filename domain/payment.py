"""Checkouts, payments and their attempts; what a gateway may answer; when silence is asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol, runtime_checkable

from domain.errors import BadInput, CannotPay
from domain.ids import AttemptId, CheckoutId, LinkId, OrderId, OrganizationId, PaymentId, PersonId, RefundId
from domain.life import AttemptState, CheckoutState, PaymentState, RefundState
from domain.money import Money
from domain.phone import Phone

CHECKOUT_LASTS: Final = timedelta(minutes=30)
ASK_AFTER: Final = tuple(timedelta(seconds=s) for s in (15, 30, 60, 120, 300))
ASK_PAGE_AFTER: Final = tuple(timedelta(seconds=s) for s in (60, 360, 660, 960, 1260, 1560))
"""A payer on a hosted page takes minutes: one minute, then every five."""
ASK_HOURLY: Final = timedelta(hours=1)
ASK_NO_MORE: Final = timedelta(hours=24)
"""After this long an attempt that nobody answers for goes to the work list of a person."""

PROVE_AFTER: Final = tuple(timedelta(seconds=s) for s in (1, 5, 15, 30, 60, 120, 300))
LATE_ACCEPT: Final = timedelta(hours=24)
"""A payment this long after its checkout ended still becomes an order, if the goods are there and the seller's policy says so."""

SEND_WITHIN: Final = timedelta(seconds=90)
"""An attempt that was written but never sent is sent after a restart if it is younger than this; the person has left otherwise."""


class Method(StrEnum):
    """What a person picks."""

    MPESA = "mpesa"
    MADA = "mada"
    VISA = "visa"
    MASTERCARD = "mastercard"
    APPLE_PAY = "apple_pay"
    GOOGLE_PAY = "google_pay"
    STC_PAY = "stc_pay"
    PAYPAL = "paypal"
    PAYTABS = "paytabs"
    MOYASAR = "moyasar"
    TELEGRAM = "telegram"


class Outcome(StrEnum):
    """What an outside call ended in. Only NOT_SENT may be tried again by itself; UNKNOWN is asked about."""

    SUCCEEDED = "SUCCEEDED"
    PENDING = "PENDING"
    DECLINED = "DECLINED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"


class Proof(StrEnum):
    """How far an event can be believed: `proof` is signed or fetched from the provider, `hint` only knew a secret address."""

    PROOF = "proof"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Checkout:
    """What exists before money arrives. `reserved` counts stock taken from the link for it; `source` is the channel it began in."""

    id: CheckoutId
    number: str
    organization_id: OrganizationId
    link_id: LinkId
    buyer_id: PersonId | None
    quantity: int
    total: Money
    state: CheckoutState
    phone: Phone | None
    name: str
    address: str
    note: str
    language: str
    source: str
    created_at: datetime
    expires_at: datetime
    key: str
    reserved: int = 0
    ended_at: datetime | None = None
    order_id: OrderId | None = None
    version: int = 0
    group_id: CheckoutId | None = None
    shares: int = 0
    paid_by: AttemptId | None = None
    """Of a group checkout: `shares` is into how many parts it is split. Of a share of one: `group_id` is the whole, `shares` how many of its
    parts these are, `paid_by` whose money is held for them (domain/group.py)."""

    @property
    def is_group(self) -> bool:
        return self.shares > 0 and self.group_id is None


@dataclass(frozen=True, slots=True)
class Payment:
    """What is owed through one gateway for a checkout. `direct` money goes to the organization's own short code: nothing is held."""

    id: PaymentId
    checkout_id: CheckoutId
    organization_id: OrganizationId
    method: Method
    gateway: str
    money: Money
    state: PaymentState
    created_at: datetime
    direct: bool = False
    settled_at: datetime | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try. `ref` is the gateway's own id of it, `receipt` what people see in their M-Pesa message; `proved_at` is when the gateway itself agreed.

    `short_code` is whose account was asked to be paid, so that a change of settings never confuses an attempt under way.
    """

    id: AttemptId
    payment_id: PaymentId
    checkout_id: CheckoutId
    organization_id: OrganizationId
    gateway: str
    direct: bool
    money: Money
    state: AttemptState
    phone: Phone | None
    created_at: datetime
    key: str
    live: bool = True
    short_code: str = ""
    ref: str | None = None
    receipt: str | None = None
    result: str | None = None
    asked: int = 0
    ask_at: datetime | None = None
    settled_at: datetime | None = None
    proved_at: datetime | None = None
    disproved: bool = False
    source: str = ""
    version: int = 0
    url: str | None = None
    """The gateway's page on which the payer goes on."""


@dataclass(frozen=True, slots=True)
class Refund:
    """Money on its way back through the gateway that took it. `cause` is unique: the same reason refunds once."""

    id: RefundId
    attempt_id: AttemptId
    organization_id: OrganizationId
    order_id: OrderId | None
    gateway: str
    direct: bool
    money: Money
    reason: str
    cause: str
    source: str
    state: RefundState
    created_at: datetime
    ref: str | None = None
    result: str | None = None
    tries: int = 0
    act_at: datetime | None = None
    done_at: datetime | None = None
    version: int = 0

    @property
    def is_of_price(self) -> bool:
        """Of what was paid for an order, or for a share of one that never was; the rest is what came beside it."""
        return self.order_id is not None or self.source.startswith("shares:")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a gateway is asked to start. `reference` and `description` are shown to the payer."""

    attempt_id: AttemptId
    money: Money
    phone: Phone | None
    reference: str
    description: str
    credentials: Mapping[str, str]
    callback_token: str
    method: Method = Method.MPESA
    key: str = ""
    """The attempt's own key: what the provider's idempotency is asked with."""
    back_url: str = ""
    """Our page to which a hosted page sends the payer back, whatever happened there."""
    language: str = "en"
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What a gateway answered at once. `result` is its own code, for the words; `ref` its id of the attempt; `url` the hosted page on which the
    payer goes on (then the outcome is PENDING).
    """

    outcome: Outcome
    ref: str | None = None
    result: str | None = None
    retry_after_s: int | None = None
    receipt: str | None = None
    url: str | None = None


class About(StrEnum):
    """What an event tells of. Of a chargeback: PENDING, the bank took the money; SUCCEEDED, it keeps it; DECLINED, it came back."""

    PAYMENT = "payment"
    REFUND = "refund"
    CHARGEBACK = "chargeback"


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a gateway's own books, for reconciliation: `money` as it moved there in the direction of `about` (a refund and a chargeback go
    out), negative for what was turned back.
    """

    about: About
    ref: str
    receipt: str | None
    money: Money
    at: datetime
    fee: Money | None = None


@dataclass(frozen=True, slots=True)
class Notice:
    """A provider event, understood. `ref` or `attempt_id` says whose it is; `money` and `receipt` are there for a success when told."""

    gateway: str
    event_key: str
    kind: str
    outcome: Outcome
    proof: Proof
    attempt_id: AttemptId | None = None
    ref: str | None = None
    receipt: str | None = None
    money: Money | None = None
    payee: str | None = None
    result: str | None = None
    refund_id: RefundId | None = None
    about: About = About.PAYMENT
    refund_ref: str | None = None
    """The gateway's id of a refund or of a chargeback."""
    owner: OrganizationId | None = None
    """Whose account told it, 0 for the platform's, read off the address by the door; None where the address names the attempt itself."""
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ability:
    """What a gateway can do, as data. Limits in minor units."""

    gateway: str
    methods: frozenset[Method]
    currencies: frozenset[str]
    step_minor: Mapping[str, int]
    least_minor: int
    most_minor: int
    part_refunds: bool
    proof: Proof
    repeatable_refunds: bool = False
    """The provider refuses a second whole refund of the same receipt by itself, so a lost answer may be asked for by sending again."""


def check_payable(ability: Ability, method: Method, money: Money) -> None:
    """Raises CannotPay, with the reason, before anything starts."""
    if method not in ability.methods or money.currency not in ability.currencies:
        raise CannotPay(method=str(method), reason="currency", currency=money.currency)
    if money.amount_minor % ability.step_minor.get(money.currency, 1):
        raise CannotPay(method=str(method), reason="cents")
    if money.amount_minor < ability.least_minor:
        raise CannotPay(method=str(method), reason="too_small", limit=ability.least_minor)
    if money.amount_minor > ability.most_minor:
        raise CannotPay(method=str(method), reason="too_large", limit=ability.most_minor)


def check_part(ability: Ability, part: Money) -> None:
    """Raises BadInput(refund) for a part of a payment that its gateway cannot give back: whole_only, step."""
    if not ability.part_refunds:
        raise BadInput("refund", "whole_only")
    if part.amount_minor % ability.step_minor.get(part.currency, 1):
        raise BadInput("refund", "step", limit=ability.step_minor[part.currency])


def next_ask(attempt: Attempt, now: datetime) -> datetime | None:
    """When the gateway is asked about this attempt next, or None when a person has to look. Proof of a paid one is asked for sooner."""
    if attempt.settled_at is not None and attempt.proved_at is None:
        since, plan = attempt.settled_at, PROVE_AFTER
    else:
        since, plan = attempt.created_at, ASK_AFTER if attempt.url is None else ASK_PAGE_AFTER
    if now - since >= ASK_NO_MORE:
        return None
    if attempt.asked < len(plan):
        return max(now + timedelta(seconds=1), since + plan[attempt.asked])
    return now + ASK_HOURLY


class Checkouts(Protocol):
    def get(self, checkout_id: CheckoutId) -> Checkout: ...
    def by_key(self, key: str) -> Checkout | None: ...
    def add(self, checkout: Checkout) -> None: ...
    def save(self, checkout: Checkout) -> Checkout: ...
    def due(self, now: datetime, limit: int) -> Sequence[CheckoutId]: ...
    def shares_of(self, checkout_id: CheckoutId) -> Sequence[Checkout]:
        """Everything that was ever taken of a group checkout, the first one first."""
        ...


class Payments(Protocol):
    def get(self, payment_id: PaymentId) -> Payment: ...
    def of_checkout(self, checkout_id: CheckoutId) -> Sequence[Payment]: ...
    def add(self, payment: Payment) -> None: ...
    def save(self, payment: Payment) -> Payment: ...
    def attempt(self, attempt_id: AttemptId) -> Attempt | None: ...
    def attempt_by_ref(self, gateway: str, ref: str) -> Attempt | None: ...
    def attempt_by_receipt(self, gateway: str, receipt: str) -> Attempt | None: ...
    def live_attempt(self, checkout_id: CheckoutId) -> Attempt | None: ...
    def attempts(self, checkout_id: CheckoutId) -> Sequence[Attempt]: ...
    def add_attempt(self, attempt: Attempt) -> None: ...
    def save_attempt(self, attempt: Attempt) -> Attempt: ...
    def to_ask(self, now: datetime, limit: int) -> Sequence[AttemptId]: ...
    def rest_attempt(self, attempt_id: AttemptId, until: datetime) -> None:
        """Put the next question about it off, whatever it is that its row holds."""
        ...

    def to_send(self, before: datetime, limit: int) -> Sequence[AttemptId]: ...
    def add_refund(self, refund: Refund) -> bool:
        """False when this cause was refunded already."""
        ...

    def refund(self, refund_id: RefundId) -> Refund | None: ...
    def refunds_of(self, attempt_id: AttemptId) -> Sequence[Refund]: ...
    def save_refund(self, refund: Refund) -> Refund: ...
    def refunds_due(self, now: datetime, limit: int) -> Sequence[RefundId]: ...


class Gateway(Protocol):
    """Five verbs. `start`, `fetch` and `refund` talk to the provider and never raise for what it does; `authentic` and `parse` are offline."""

    @property
    def ability(self) -> Ability: ...
    async def start(self, ask: Ask) -> Reply: ...
    async def fetch(self, attempt: Attempt, credentials: Mapping[str, str]) -> Reply:
        """The provider's own truth about an attempt: SUCCEEDED, DECLINED, or PENDING/UNKNOWN when it has none yet."""
        ...

    async def refund(self, refund: Refund, receipt: str, credentials: Mapping[str, str], callback_token: str) -> Reply: ...
    def authentic(self, kind: str, raw: bytes, headers: Mapping[str, str], source: str, credentials: Mapping[str, str]) -> bool:
        """Whether the provider said this, by its signature over the raw bytes. Header names are lower case; `credentials` are those of the
        account that the address belongs to, empty where the address itself is the secret. Compares in constant time."""
        ...

    def parse(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> Notice:
        """Raises Unreadable for a body that cannot be one of the provider's."""
        ...


@runtime_checkable
class Prepares(Protocol):
    """A gateway that has to fetch something (a certificate) before `authentic` can say anything offline."""

    async def prepare(self, kind: str, raw: bytes, headers: Mapping[str, str]) -> None:
        """Bounded in time, cached, and never raises: what could not be fetched makes `authentic` say no, and the provider sends again."""
        ...


@runtime_checkable
class Redacts(Protocol):
    """A gateway whose events carry a secret in their body."""

    def redact(self, kind: str, raw: bytes) -> bytes:
        """What may be stored of it; it reads the same."""
        ...


class Unreadable(Exception):
    """A provider body that cannot be understood; it is stored all the same."""
