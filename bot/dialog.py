"""The parts of a conversation: Screen, Answer, Step, Next, and the Turn that a step is given. No channel, no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from domain.credentials import Field
from domain.errors import NotFound
from domain.ids import AttemptId, FileId
from domain.payment import Ability
from domain.person import ChannelKind, Language, Organization, Person
from domain.ports import Unit
from domain.rights import Actor, Party
from templates.words import Words
from usecases.people import member_actor, shop_of


@dataclass(frozen=True, slots=True)
class Choice:
    """Something to press. `key` comes back as the answer; or it opens a url, copies a text, or shares a card into another chat."""

    text: str
    key: str = ""
    url: str = ""
    copy: str = ""
    share: str = ""


@dataclass(frozen=True, slots=True)
class Screen:
    """What a step shows. `text` is in the words' own small markup with values escaped; `rows` of choices.

    `fresh` screens are kept in the chat: they come as a message of their own and what follows does not replace them.
    `contact` asks for the person's own number with a button of that label. `qr` is a text to show as a QR picture. `numbers`: a number may be
    typed, so where choices are numbered theirs must not be mistaken for it.
    """

    text: str
    rows: tuple[tuple[Choice, ...], ...] = ()
    picture: FileId | None = None
    qr: str = ""
    contact: str = ""
    fresh: bool = False
    numbers: bool = False


class Kind(StrEnum):
    CHOICE = "choice"
    TEXT = "text"
    PHOTO = "photo"
    CONTACT = "contact"
    PLACE = "place"
    FILE = "file"
    COMMAND = "command"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back. `text` is a choice's key, a text, a caption, a number, or a command without its slash; `rest` what followed a command."""

    kind: Kind
    text: str = ""
    rest: str = ""
    pictures: tuple[FileId, ...] = ()
    file: FileId | None = None

    def number(self, before: str) -> int | None:
        """The number in a choice's key such as `n5`. None for every other key: a key comes back from outside and may be anything."""
        digits = self.text.removeprefix(before)
        usable = self.kind is Kind.CHOICE and digits != self.text and digits.isascii() and digits.isdigit() and len(digits) < 20
        return int(digits) if usable and int(digits) < 2**63 else None


@dataclass(frozen=True, slots=True)
class Next:
    """Where to go. Data given here is added to what was gathered; `forget` starts with none. `note` is said briefly before the next screen."""

    step: str
    dialog: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)
    forget: bool = False
    note: str = ""


Ask = Callable[["Turn"], Screen]
Take = Callable[["Turn", Answer], Next]


@dataclass(frozen=True, slots=True)
class Step:
    ask: Ask
    take: Take


Dialog = Mapping[str, Step]


@dataclass(slots=True)
class Turn:
    """One answer and what follows from it, inside one unit of work. `key` names the event that caused it: creating twice with it creates once."""

    unit: Unit
    person: Person
    channel: ChannelKind
    t: Words
    data: dict[str, Any]
    key: str
    abilities: Mapping[str, Ability]
    attempts: list[AttemptId] = field(default_factory=list)
    arabic_on_ussd: bool = False
    fields: Mapping[str, Sequence[Field]] = field(default_factory=dict)
    """What an organization's own account at each gateway is set up with."""
    conceal: bool = False
    """What was said is a secret: its message is deleted from the chat, and nothing is kept of it."""
    trial: bool = False
    """After the commit: try the credentials that were typed."""

    @property
    def shop(self) -> Organization | None:
        return shop_of(self.unit, self.person.id)

    def seller(self) -> Actor:
        """The person as a member of their shop. Raises NotFound when they have none."""
        shop = self.shop
        if shop is None:
            raise NotFound(what="organization")
        return member_actor(self.unit, self.person.id, shop.id, self.channel)

    def buyer(self) -> Actor:
        return Actor(Party.BUYER, self.channel, self.person.id)

    @property
    def small(self) -> bool:
        """The screen takes a few lines of plain text, and no pictures."""
        return self.channel in {ChannelKind.USSD, ChannelKind.SMS}

    def says(self, language: Language) -> bool:
        """Whether the channel can show the letters of a language."""
        return language is not Language.AR or self.channel is not ChannelKind.USSD or self.arabic_on_ussd

    def _short(self, key: str) -> str:
        own = f"sms.{key.removeprefix('chat.')}"
        if self.channel is ChannelKind.SMS and self.t.has(own):
            return own
        return short_key(self.t, key) if self.small else key

    def say(self, key: str, /, **values: Any) -> str:
        """Words for a screen: values escaped."""
        return self.t.html(self._short(key), **values)

    def choice(self, key: str, /, word: str = "", **values: Any) -> Choice:
        """A choice whose label is the text `chat.do.<word or key>`."""
        return Choice(self.t(self._short(f"chat.do.{word or key}"), **values), key)

    def send_later(self, attempt_id: AttemptId) -> None:
        """After the commit: hand this attempt to its gateway."""
        self.attempts.append(attempt_id)


def short_key(t: Words, key: str) -> str:
    """`chat.sell.name` has a short form for small screens where there is `ussd.sell.name`."""
    short = f"ussd.{key.removeprefix('chat.')}"
    return short if t.has(short) else key


def rows_of(*choices: Choice | None, per_row: int = 2) -> tuple[tuple[Choice, ...], ...]:
    """Choices in rows by the length of their labels: short ones share a row, long ones have it alone."""
    rows: list[tuple[Choice, ...]] = []
    row: list[Choice] = []
    for choice in choices:
        if choice is None:
            continue
        if row and (len(row) == per_row or len(choice.text) > 18 or len(row[-1].text) > 18):
            rows.append(tuple(row))
            row = []
        row.append(choice)
    if row:
        rows.append(tuple(row))
    return tuple(rows)
