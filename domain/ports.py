"""How the hall meets the back rooms: Protocols only. The builder joins them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from domain.by_hand import HandPaid
from domain.chargeback import Chargebacks
from domain.codes import Codes
from domain.health import Measures
from domain.ids import AttemptId
from domain.late import LateMoney
from domain.link import Links
from domain.order import Disputes, Orders
from domain.payment import Checkouts, Gateway, Payments
from domain.person import Conversations, Organizations, People
from domain.reconcile import Reconciled
from domain.records import Books, Files, Inbox, Keys, Limits, Marks, Outbox, Seals, Settings, Trail
from domain.tokens import Tokens
from domain.webhook import Webhooks

P = ParamSpec("P")
R = TypeVar("R")


class Clock(Protocol):
    def now(self) -> datetime:
        """Aware UTC."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that never jump; together with `now` they show that somebody moved the clock."""
        ...


class Chance(Protocol):
    def bits(self, count: int) -> int:
        """An unguessable non-negative integer below 2**count."""
        ...


@dataclass(frozen=True, slots=True)
class House:
    """What of the settings the rules need."""

    base_url: str
    bot_username: str
    country: str
    currency: str
    fee_bps: int
    ussd_code: str = "*384*77#"
    webhook_loopback: bool = False
    mail: bool = False


class Unit(Protocol):
    """One unit of work: everything in it is committed together, or nothing is. It cannot await."""

    @property
    def now(self) -> datetime: ...
    @property
    def house(self) -> House: ...
    @property
    def people(self) -> People: ...
    @property
    def organizations(self) -> Organizations: ...
    @property
    def conversations(self) -> Conversations: ...
    @property
    def links(self) -> Links: ...
    @property
    def checkouts(self) -> Checkouts: ...
    @property
    def payments(self) -> Payments: ...
    @property
    def orders(self) -> Orders: ...
    @property
    def disputes(self) -> Disputes: ...
    @property
    def chargebacks(self) -> Chargebacks: ...
    @property
    def books(self) -> Books: ...
    @property
    def inbox(self) -> Inbox: ...
    @property
    def outbox(self) -> Outbox: ...
    @property
    def trail(self) -> Trail: ...
    @property
    def files(self) -> Files: ...
    @property
    def keys(self) -> Keys: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def marks(self) -> Marks: ...
    @property
    def codes(self) -> Codes: ...
    @property
    def by_hand(self) -> HandPaid: ...
    @property
    def reconciled(self) -> Reconciled: ...
    @property
    def late(self) -> LateMoney: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def seals(self) -> Seals: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def measures(self) -> Measures: ...
    def new_id(self) -> int:
        """A 63-bit id that grows with time."""
        ...

    def chance(self, bits: int) -> int: ...
    def savepoint(self) -> AbstractContextManager[None]:
        """What happens inside is undone alone when it raises."""
        ...

    def wake(self, topic: str, **what: Any) -> None:
        """After the commit: tell whoever waits for `topic` (a worker, a live page), in every process."""
        ...


class Store(Protocol):
    """Runs units on database threads. A unit that loses a race (Stale, deadlock, serialization) is run again whole, a bounded number of times."""

    async def write(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R: ...
    async def read(self, unit: Callable[Concatenate[Unit, P], R], *args: P.args, **kwargs: P.kwargs) -> R: ...


@dataclass(frozen=True, slots=True)
class ExpectedEvent:
    """An event about this attempt is going to be applied."""

    gateway: str
    event_key: str
    attempt_id: AttemptId
    ref: str | None
    receipt: str | None


def expecting(
    expected: Callable[P, ExpectedEvent | None],
) -> Callable[[Callable[Concatenate[Unit, P], R]], Callable[Concatenate[Unit, P], R]]:
    """A unit that says, by what it is given, which event it is going to apply: a store may fetch what that asks for, for all units that wait."""

    def mark(unit: Callable[Concatenate[Unit, P], R]) -> Callable[Concatenate[Unit, P], R]:
        unit.expected = expected  # type: ignore[attr-defined]
        return unit

    return mark


class Delivery(StrEnum):
    """What became of a message handed to a channel's provider."""

    SENT = "SENT"
    LATER = "LATER"
    GONE = "GONE"
    REFUSED = "REFUSED"
    UNKNOWN = "UNKNOWN"


@dataclass(frozen=True, slots=True)
class Sent:
    """`ref` is the provider's id of the message; GONE means the person cannot be reached there any more; LATER says after how many seconds."""

    delivery: Delivery
    ref: str | None = None
    retry_after_s: float = 0
    error: str = ""


@dataclass(frozen=True, slots=True)
class Button:
    """One of: data (comes back to us), url, copy (to the clipboard), share (an inline query in a chat picker)."""

    text: str
    data: str = ""
    url: str = ""
    copy: str = ""
    share: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """What a channel is asked to show: plain text with `<b>`-like markup already escaped by templates, a picture, rows of buttons."""

    text: str
    buttons: tuple[tuple[Button, ...], ...] = ()
    picture: bytes | None = None
    reply_to: str | None = None
    ask_contact: str = ""
    remove_keyboard: bool = False
    silent: bool = False
    own_letters: bool = False
    """Sent in the letters it is written in, although others would cost less: a sentence in Arabic that holds more Latin names than words of its own."""


class Messenger(Protocol):
    """A channel that can speak first. Neither verb raises for what the provider does."""

    async def send(self, address: str, message: Message) -> Sent: ...
    async def edit(self, address: str, ref: str, message: Message) -> Sent: ...
    async def strip(self, address: str, ref: str) -> None:
        """Take the buttons of a finished step away. Failing does no harm: old buttons are refused when pressed."""
        ...


class Letter(Protocol):
    """Both readings of one text. `unsubscribe` is an address of ours that takes one POST (RFC 8058), or empty."""

    @property
    def subject(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def html(self) -> str: ...
    @property
    def unsubscribe(self) -> str: ...


class Post(Protocol):
    """Takes letters. Raises for nothing that a server, the network or an address does."""

    async def send(self, address: str, letter: Letter, mark: str) -> Sent:
        """`mark` is the unguessable part of its Message-ID, the same for every try."""
        ...


class PictureMaker(Protocol):
    async def sizes(self, raw: bytes) -> tuple[tuple[int, int, str, bytes], ...]:
        """A picture decoded and made anew in a few sizes, largest first, without any of the original's metadata: (width, height, content type,
        bytes). Raises BadInput(picture, reason): not_a_picture, too_large."""
        ...


class Bell(Protocol):
    """Wakes those who wait, in this process and the others. Losing a ring only costs the wait until the next look."""

    def ring(self, topic: str, what: Mapping[str, Any]) -> None: ...
    def listen(self, topic: str, listener: Callable[[Mapping[str, Any]], None]) -> Callable[[], None]:
        """Returns how to stop listening."""
        ...


Gateways = Mapping[str, Gateway]
