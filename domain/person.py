"""People: who they are, how they are reached, and for whom they act."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from domain.channel import ChannelKind as ChannelKind
from domain.errors import BadInput
from domain.ids import OrganizationId, PersonId
from domain.late import LatePolicy
from domain.phone import Phone
from domain.rights import Party
from domain.wants import PLAIN, Wants, Way


class Language(StrEnum):
    EN = "en"
    SW = "sw"
    AR = "ar"


def language_of(tag: str | None) -> Language:
    """The nearest language we speak for an IETF tag such as `sw-KE`; English otherwise."""
    head = (tag or "").replace("_", "-").split("-")[0].lower()
    return Language(head) if head in set(Language) else Language.EN


class Role(StrEnum):
    """Which home screen a person sees; rights come from membership, not from here."""

    BUYER = "buyer"
    SELLER = "seller"


@dataclass(frozen=True, slots=True)
class Person:
    id: PersonId
    name: str
    language: Language
    role: Role
    phone: Phone | None
    created_at: datetime
    welcomed: bool = False
    version: int = 0
    wants: Wants = PLAIN


class ChannelState(StrEnum):
    ACTIVE = "ACTIVE"
    BLOCKED = "BLOCKED"


@dataclass(frozen=True, slots=True)
class Channel:
    """One way to reach a person: the address is the numeric chat id on Telegram (a name can change hands, the id cannot)."""

    kind: ChannelKind
    address: str
    person_id: PersonId
    state: ChannelState
    created_at: datetime
    version: int = 0


@dataclass(frozen=True, slots=True)
class Organization:
    """Whoever sells. `fee_bps` is the platform's part of a release; `late_money` says what a late payment does (domain/late.py)."""

    id: OrganizationId
    name: str
    country: str
    currency: str
    fee_bps: int
    created_at: datetime
    late_money: LatePolicy = LatePolicy.ASK
    frozen: bool = False
    features: dict[str, Any] = field(default_factory=dict)
    version: int = 0


@dataclass(frozen=True, slots=True)
class Member:
    organization_id: OrganizationId
    person_id: PersonId
    party: Party
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """Where a person stands in a channel. `screen` is what was last shown (kept until its delivery is known), `version` counts answers."""

    person_id: PersonId
    channel: ChannelKind
    dialog: str
    step: str
    data: dict[str, Any]
    shown: dict[str, Any]
    updated_at: datetime
    version: int = 0


COOLING = timedelta(hours=24)


def cooling_until(channels: Sequence[Channel], settled_at: datetime | None = None) -> datetime | None:
    """Until when somebody cannot say where money goes: a day after the last way to reach them was joined to those they had; None where none was.

    What was joined within a day of `settled_at` belongs to how they began, and makes nobody wait.
    """
    joined = sorted(channel.created_at for channel in channels)[1:]
    return joined[-1] + COOLING if joined and (settled_at is None or joined[-1] > settled_at + COOLING) else None


MOST_NAME = 64


def clean_name(text: str, what: str = "name", limit: int = MOST_NAME) -> str:
    """A name as data: trimmed, control characters gone, one line. Raises BadInput: empty, too_long (with `limit`)."""
    name = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if not name:
        raise BadInput(what, "empty")
    if len(name) > limit:
        raise BadInput(what, "too_long", limit=limit)
    return name


def clean_text(text: str, what: str, limit: int) -> str:
    """Several lines as data: control characters gone, blank ends cut. Raises BadInput(too_long)."""
    lines = ["".join(char for char in line if char.isprintable()).rstrip() for line in text.replace("\r", "").split("\n")]
    body = "\n".join(lines).strip()
    if len(body) > limit:
        raise BadInput(what, "too_long", limit=limit)
    return body


class People(Protocol):
    def get(self, person_id: PersonId) -> Person: ...
    def by_address(self, kind: ChannelKind, address: str) -> Person | None: ...
    def expect(self, kind: ChannelKind, address: str, channel: ChannelKind) -> None:
        """Whoever has this address is about to be asked for, and where they stand on `channel`: fetch both at once."""
        ...

    def by_phone(self, phone: Phone) -> Sequence[Person]: ...
    def add(self, person: Person) -> None: ...
    def save(self, person: Person) -> Person: ...
    def add_channel(self, channel: Channel) -> None: ...
    def channels(self, person_id: PersonId) -> Sequence[Channel]: ...
    def reach(self, person_id: PersonId) -> Sequence[tuple[PersonId, Way]]:
        """Active channels of one person."""
        ...

    def reach_members(self, organization_id: OrganizationId) -> Sequence[tuple[PersonId, Way]]:
        """Active channels of everybody who acts for an organization."""
        ...

    def save_channel(self, channel: Channel) -> Channel: ...


class Organizations(Protocol):
    def get(self, organization_id: OrganizationId) -> Organization: ...
    def add(self, organization: Organization) -> None: ...
    def save(self, organization: Organization) -> Organization: ...
    def add_member(self, member: Member) -> None: ...
    def party_of(self, person_id: PersonId, organization_id: OrganizationId) -> Party | None: ...
    def of_person(self, person_id: PersonId) -> Sequence[Organization]: ...
    def members(self, organization_id: OrganizationId) -> Sequence[Member]: ...


class Conversations(Protocol):
    def get(self, person_id: PersonId, channel: ChannelKind) -> Conversation | None: ...
    def put(self, conversation: Conversation) -> Conversation:
        """Insert at version 0, else compare-and-set on the version; raises Stale when another answer won."""
        ...

    def note_shown(self, person_id: PersonId, channel: ChannelKind, version: int, shown: dict[str, Any]) -> None:
        """Remember the message that shows this version; nothing happens when the conversation has moved on."""
        ...
