"""One turn = one call = one unit of work: the answer is understood, the use case runs, the next screen is made, the conversation saved.

Everything is committed together with the mark that the event was handled, so a crash at any point repeats nothing and loses nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from bot import commands
from bot.dialog import Answer, Dialog, Kind, Next, Screen, Turn
from domain.credentials import Field
from domain.errors import DomainError, Stale
from domain.ids import AttemptId, FileId, OutboxId
from domain.payment import Ability
from domain.person import ChannelKind, Conversation, Language, Person
from domain.phone import Phone
from domain.ports import Unit
from domain.records import StoredFile
from templates.words import Words, words
from usecases.people import arrive
from usecases.phones import arrive_by_number
from usecases.updates import finish_update, promise_screen, screen_delivered, waiting_update

HOME = ("home", "menu")


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that arrived, already re-encoded by us: (width, height, content type, bytes) from large to small."""

    sizes: tuple[tuple[int, int, str, bytes], ...]


@dataclass(frozen=True, slots=True)
class Document:
    """A file that arrived: kept as it is, and only ever handed out as an attachment."""

    name: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Heard:
    """What arrived on a channel. `event_key` is its id there; `version` is the conversation's when the pressed button was shown."""

    channel: ChannelKind
    address: str
    name: str
    language: str
    event_key: str
    answer: Answer
    version: int | None = None
    pictures: tuple[Picture, ...] = ()
    document: Document | None = None
    thing: str = ""
    pressed_ref: str = ""
    """What was pressed on a card, and the message that carried the button."""


@dataclass(frozen=True, slots=True)
class Said:
    """What to show. `replace_ref` is the message that the answer was pressed on, to be edited in place; `strip_ref` loses its buttons."""

    screen: Screen | None
    version: int = 0
    toast: str = ""
    replace_ref: str | None = None
    strip_ref: str | None = None
    attempts: tuple[AttemptId, ...] = ()
    outbox_id: OutboxId | None = None
    person: Person | None = None
    thanks: str = ""
    """Said first, to take the keyboard away that asked for a contact."""
    place: Conversation | None = None
    """Where the person stands now: saved, but on USSD, where the mouth saves it with what the phone shows."""
    conceal: bool = False
    trial: bool = False
    """See Turn."""


class Engine:
    """Knows the dialogs. Keeps nothing between turns."""

    def __init__(
        self,
        dialogs: Mapping[str, Dialog],
        abilities: Mapping[str, Ability],
        *,
        arabic_on_ussd: bool = False,
        fields: Mapping[str, Sequence[Field]] | None = None,
    ) -> None:
        self._fields = fields or {}
        self._dialogs = dialogs
        self._abilities = abilities
        self.arabic_on_ussd = arabic_on_ussd

    def words_on(self, channel: ChannelKind, person: Person) -> Words:
        """The person's language; on USSD English for Arabic, unless the service code is known to carry its letters."""
        unsayable = channel is ChannelKind.USSD and person.language is Language.AR and not self.arabic_on_ussd
        return words(Language.EN if unsayable else person.language)

    def turn(self, unit: Unit, heard: Heard, gateway: str) -> Said:
        """The whole turn. An event that was handled before says nothing again."""
        event, waits = waiting_update(unit, gateway, heard.event_key)
        if not waits:
            return Said(None)
        person = arrived(unit, heard)
        said = self.answer(unit, heard, gateway, person, place_of(unit, person, heard.channel))
        finish_update(unit, event, conceal=said.conceal)
        return said

    def answer(self, unit: Unit, heard: Heard, gateway: str, person: Person, place: Conversation) -> Said:
        """The turn of a person who is known already, in the place where they stand; for mouths that look at both first."""
        turn = self._turn(unit, person, place, f"{gateway}:{heard.event_key}")
        said = self._answer(turn, place, heard)
        said = said if said.person is not None else replace(said, attempts=tuple(turn.attempts), person=turn.person)
        return replace(said, conceal=turn.conceal, trial=turn.trial) if turn.conceal or turn.trial else said

    def _turn(self, unit: Unit, person: Person, place: Conversation, key: str) -> Turn:
        t, data = self.words_on(place.channel, person), dict(place.data)
        return Turn(unit, person, place.channel, t, data, key, self._abilities, arabic_on_ussd=self.arabic_on_ussd, fields=self._fields)

    def _answer(self, turn: Turn, place: Conversation, heard: Heard) -> Said:
        answer = (
            replace(heard.answer, pictures=tuple(_keep(turn, picture) for picture in heard.pictures)) if heard.pictures else heard.answer
        )
        if heard.document is not None:
            answer = replace(answer, file=_keep_document(turn, heard.document))
        labels = place.shown.get("labels", {})
        if answer.kind is Kind.TEXT and answer.text in labels:
            answer = Answer(Kind.CHOICE, labels[answer.text])
        if answer.kind is Kind.CHOICE and heard.version is not None and heard.version != place.version:
            return _stale(turn, place, heard.pressed_ref)
        try:
            with turn.unit.savepoint():
                done = bool(heard.thing) and commands.act_at_once(turn, heard.thing)
                if done and turn.channel is ChannelKind.TELEGRAM:  # there the order's card shows it by itself
                    return Said(None, toast=turn.t("chat.done"))
                onward = _its_card(turn, heard.thing) if done else self._take(turn, place, answer, heard.thing)
                turn.person = turn.unit.people.get(turn.person.id)
                turn.t = self.words_on(turn.channel, turn.person)
                dialog, step, screen = self._follow(turn, place, onward)
                place = _now_theirs(turn, place)
        except Stale:
            raise
        except DomainError as refusal:
            return self._refused(turn, place, refusal)
        said = self._show(turn, place, dialog, step, screen, onward.note, heard.pressed_ref)
        if heard.pressed_ref and commands.is_of_late_money(heard.thing):  # nothing edits that card later, and it was answered
            return replace(said, strip_ref=heard.pressed_ref)
        return said

    def _take(self, turn: Turn, place: Conversation, answer: Answer, thing: str) -> Next:
        turn.attempts.clear()
        if thing:
            return commands.thing(turn, thing)
        if answer.kind is Kind.COMMAND:
            return commands.command(turn, answer)
        if not turn.person.welcomed and place.dialog == HOME[0]:
            return Next("language", "start", forget=True)
        step = self._dialogs.get(place.dialog, {}).get(place.step)
        if step is None:
            return Next(HOME[1], HOME[0], forget=True)
        return step.take(turn, answer)

    def _follow(self, turn: Turn, place: Conversation, onward: Next) -> tuple[str, str, Screen]:
        dialog = onward.dialog or place.dialog
        turn.data = {**({} if onward.forget else turn.data), **onward.data}
        return dialog, onward.step, self._dialogs[dialog][onward.step].ask(turn)

    def _refused(self, turn: Turn, place: Conversation, refusal: DomainError) -> Said:
        """The rules said no: the sentence about it, and the same question again."""
        turn.data, turn.trial = dict(place.data), False
        turn.attempts.clear()
        note = refusal_words(turn.t, refusal)
        try:
            screen = self._dialogs[place.dialog][place.step].ask(turn)
            dialog, step = place.dialog, place.step
        except (DomainError, KeyError):
            dialog, step = HOME
            turn.data = {}
            screen = self._dialogs[dialog][step].ask(turn)
        return self._show(turn, place, dialog, step, screen, note, "")

    def _show(self, turn: Turn, place: Conversation, dialog: str, step: str, screen: Screen, note: str, pressed_ref: str) -> Said:
        if note:
            screen = replace(screen, text=f"{note}\n\n{screen.text}")
        before = place.shown.get("ref")
        shown: dict[str, Any] = {"fresh": screen.fresh, "ref": None}
        if screen.contact:
            shown["labels"] = {choice.text: choice.key for row in screen.rows for choice in row}
        left = Conversation(place.person_id, place.channel, dialog, step, turn.data, shown, turn.unit.now, place.version)
        if turn.channel is ChannelKind.USSD:  # the answer to the request is the only way to say anything: nothing is promised
            return Said(screen, attempts=tuple(turn.attempts), person=turn.person, place=left)
        saved = turn.unit.conversations.put(left)
        plain = not (screen.fresh or screen.picture or screen.qr or screen.contact or place.shown.get("fresh"))
        in_place = plain and before is not None and before == pressed_ref
        outbox_id = promise_screen(turn.unit, turn.person.id, turn.channel, saved.version, turn.key)
        strip = before if before is not None and not in_place and not place.shown.get("fresh") else None
        thanks = turn.t("chat.thanks") if place.shown.get("labels") and not screen.contact else ""
        return Said(
            screen, saved.version, replace_ref=before if in_place else None, strip_ref=strip, attempts=tuple(turn.attempts), outbox_id=outbox_id,
            person=turn.person, thanks=thanks, place=saved,
        )  # fmt: skip

    def again(self, unit: Unit, person: Person, channel: ChannelKind) -> Said:
        """The present screen once more, as things stand now: for a live message, or one that was never delivered."""
        place = unit.conversations.get(person.id, channel)
        return Said(None) if place is None else self.at(unit, person, place)

    def at(self, unit: Unit, person: Person, place: Conversation) -> Said:
        """What somebody sees who stands in this place. Raises what its step raises: what it was about may be gone."""
        turn = self._turn(unit, person, place, "again")
        screen = self._dialogs[place.dialog][place.step].ask(turn)
        return Said(screen, place.version, replace_ref=place.shown.get("ref"), person=person, place=place)


def arrived(unit: Unit, heard: Heard) -> Person:
    """Who speaks: on a phone network whoever has the number, elsewhere whoever has the address."""
    if heard.channel in {ChannelKind.USSD, ChannelKind.SMS}:
        return arrive_by_number(unit, Phone(heard.address))
    return arrive(unit, heard.channel, heard.address, heard.name, Language(heard.language))


def place_of(unit: Unit, person: Person, channel: ChannelKind) -> Conversation:
    """Where the person stands on a channel; at home when they never spoke there."""
    return unit.conversations.get(person.id, channel) or Conversation(person.id, channel, *HOME, {}, {}, unit.now)


def _its_card(turn: Turn, thing: str) -> Next:
    """The order that a press was about, with a word that it was done."""
    return replace(commands.thing(turn, f"{thing.rpartition(':')[0]}:card"), note=turn.t("chat.done"))


def _now_theirs(turn: Turn, place: Conversation) -> Conversation:
    """The conversation of whoever the turn turned out to be about: a shared number may show that they were here before."""
    if turn.person.id == place.person_id:
        return place
    known = turn.unit.conversations.get(turn.person.id, turn.channel)
    return known or replace(place, person_id=turn.person.id, version=0)


def _stale(turn: Turn, place: Conversation, pressed_ref: str) -> Said:
    """A button of an earlier question, or a second tap: nothing happens twice, and the person is told. A screen that was overtaken while it was on
    its way stands below the one that counts: its buttons go, lest it be pressed for ever."""
    ref = place.shown.get("ref")
    return Said(None, toast=turn.t("chat.old_button"), strip_ref=pressed_ref if ref is not None and ref != pressed_ref else None)


def _keep(turn: Turn, picture: Picture) -> FileId:
    """Store the sizes of a picture as one group; the first, largest one names it."""
    first = FileId(turn.unit.new_id())
    for n, (width, height, content_type, body) in enumerate(picture.sizes):
        shop = turn.shop
        number = first if n == 0 else FileId(turn.unit.new_id())
        turn.unit.files.add(
            StoredFile(
                number, shop.id if shop else None, turn.person.id, f"picture:{first}", content_type, width, height, body, turn.unit.now
            )
        )
    return first


def _keep_document(turn: Turn, document: Document) -> FileId:
    number, shop = FileId(turn.unit.new_id()), turn.shop
    turn.unit.files.add(
        StoredFile(
            number, shop.id if shop else None, turn.person.id, "document", "application/octet-stream", 0, 0, document.body, turn.unit.now,
            document.name[:120],
        )
    )  # fmt: skip
    return number


def delivered(unit: Unit, said: Said, channel: ChannelKind, ref: str | None) -> None:
    """The screen reached the channel."""
    if said.person is not None:
        screen_delivered(unit, said.outbox_id, said.person.id, channel, said.version, ref)


def refusal_words(t: Words, refusal: DomainError) -> str:
    """The sentence for a refusal: the most specific one there is."""
    facts: dict[str, Any] = {
        name: value for name, value in refusal.facts.items() if isinstance(value, str | int) or hasattr(value, "tzinfo")
    }
    field_name, reason = facts.get("field", ""), facts.get("reason") or facts.get("limit", "")
    for key in (
        f"errors.{refusal.code}.{field_name}.{reason}",
        f"errors.{refusal.code}.{reason}",
        f"errors.{refusal.code}.any",
        f"errors.{refusal.code}",
    ):
        if t.has(key):
            try:
                return t.html(key, **facts)
            except (KeyError, IndexError):
                continue
    return t.html("errors.any")
