"""Talking to the engine without a network: every turn is one committed unit and a new Engine, so that nothing can live in memory (T4)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bot.dialog import Answer, Choice, Kind, Screen
from bot.dialogs import DIALOGS
from bot.engine import Document, Engine, Heard, Picture, Said
from bot.mouths.telegram import GATEWAY
from domain.ids import AttemptId, PersonId
from domain.life import RefundState
from domain.payment import Notice, Outcome, Proof, Reply
from domain.person import ChannelKind, Conversation, Language, Person
from domain.ports import Unit
from gateways.messages.markup import plain, visible
from payloom.carriers import OWN_FIELDS
from storage.statements import SQLITE, Session
from storage.unit import SqlUnit
from tests.factories import ABILITIES, Street
from usecases.orders import run_order_timer
from usecases.payments import begin_attempt, record_reply
from usecases.refunds import begin_refund, record_refund
from usecases.settlement import apply_notice, record_fetch
from usecases.sweeps import due_checkouts, due_orders, due_refunds

PICTURE = Picture(((720, 540, "image/webp", b"RIFF large"), (360, 270, "image/webp", b"RIFF small")))
DOCUMENT = Document("recipes.pdf", b"%PDF-1.4")
MOST_BUTTON_BYTES = 64
MOST_TEXT = 4096


@dataclass
class Desk:
    """`said` is what each person was last shown; a button can only be pressed where somebody sees it, or can be made up."""

    street: Street
    said: dict[int, Said] = field(default_factory=dict)
    events: int = 0

    def heard(self, who: int, answer: Answer, **more: Any) -> Heard:
        self.events += 1
        return Heard(ChannelKind.TELEGRAM, str(who), f"Person {who}", "en", str(self.events), answer, **more)

    def turn(self, heard: Heard) -> Said:
        """By a new engine, for a restart changes nothing; what was shown is checked, and arrives."""
        said: Said = self.street.do(Engine(DIALOGS, ABILITIES, fields=OWN_FIELDS).turn, heard, GATEWAY)
        assert said.screen is not None or said.toast, f"{heard} was answered with nothing"
        if said.screen is not None:
            check_screen(said.screen, said.version)
            self.said[int(heard.address)] = said
        return said

    def say(self, who: int, text: str) -> Said:
        return self.turn(self.heard(who, answer_to(text)))

    def tap(self, who: int, key: str) -> Said:
        """Press a button of the screen they see; a key they do not see can be pressed too, by whoever alters data."""
        if key.startswith("o:"):
            return self.turn(self.heard(who, Answer(Kind.CHOICE), thing=key))
        return self.turn(self.heard(who, Answer(Kind.CHOICE, key), version=self.said[who].version))

    def show_photo(self, who: int, caption: str = "") -> Said:
        return self.turn(self.heard(who, Answer(Kind.PHOTO, caption), pictures=(PICTURE,)))

    def keys(self, who: int) -> list[str]:
        screen = self.said[who].screen
        return [choice.key for row in screen.rows for choice in row if choice.key] if screen is not None else []

    def text(self, who: int) -> str:
        screen = self.said[who].screen
        return screen.text if screen is not None else ""

    def place(self, who: int) -> Conversation:
        place: Conversation | None = self.street.do(lambda unit: unit.conversations.get(PersonId(who), ChannelKind.TELEGRAM))
        assert place is not None
        return place

    def put(self, who: int, dialog: str, step: str, data: dict[str, Any], language: Language = Language.EN) -> Conversation:
        """Somebody stands in the middle of a conversation."""

        def stand(unit: Unit) -> Conversation:
            person = unit.people.get(PersonId(who))
            if person.language is not language or not person.welcomed:
                unit.people.save(replace(person, language=language, welcomed=True))
            known = unit.conversations.get(person.id, ChannelKind.TELEGRAM)
            fresh = Conversation(person.id, ChannelKind.TELEGRAM, dialog, step, data, {}, unit.now)
            return unit.conversations.put(replace(known, dialog=dialog, step=step, data=data, shown={}) if known is not None else fresh)

        placed: Conversation = self.street.do(stand)
        return placed

    @contextmanager
    def undone(self) -> Iterator[Callable[[Heard], Said]]:
        """A turn in a unit of its own that is taken back afterwards: to try everything from one and the same place."""
        ground = self.street.ground
        ground.connection.execute("BEGIN")
        unit = SqlUnit(Session(ground.connection, SQLITE), ground.around)
        try:
            yield lambda heard: Engine(DIALOGS, ABILITIES, fields=OWN_FIELDS).turn(unit, heard, GATEWAY)
            unit.flush()
        finally:
            ground.connection.execute("ROLLBACK")

    # -- what happens outside

    def ring(self, attempts: Sequence[AttemptId]) -> None:
        """The prompts are sent."""
        for attempt_id in attempts:
            if self.street.do(begin_attempt, attempt_id) is not None:
                self.street.do(record_reply, attempt_id, Reply(Outcome.PENDING, f"ws_{attempt_id}"))

    def answered(self, attempt_id: AttemptId, result: str = "") -> None:
        """The callback of a prompt: paid, or the result of why not."""
        attempt = self.street.attempt_now(attempt_id)
        outcome = Outcome.DECLINED if result else Outcome.SUCCEEDED
        receipt, money = (None, None) if result else (f"R{attempt_id}", attempt.money)
        notice = Notice(
            "daraja", f"e{attempt_id}:{result}", "stk", outcome, Proof.HINT, attempt_id, attempt.ref, receipt, money, result=result
        )
        self.street.do(apply_notice, notice)

    def prove(self, attempt_id: AttemptId) -> None:
        self.street.do(record_fetch, attempt_id, Reply(Outcome.SUCCEEDED, receipt=f"R{attempt_id}"))

    def sweep(self) -> None:
        """The jobs: timers of orders, refunds carried out, checkouts expired."""
        from usecases.group import expire  # noqa: PLC0415 - beside its use

        for order_id in self.street.do(due_orders, 100):
            self.street.do(run_order_timer, order_id)
        for checkout_id in self.street.do(due_checkouts, 100):
            self.street.do(expire, checkout_id)
        for refund_id in self.street.do(due_refunds, 100):
            call = self.street.do(begin_refund, refund_id, True)
            if call is not None and call.refund.state is RefundState.SENDING:
                self.street.do(record_refund, refund_id, Reply(Outcome.SUCCEEDED))


def answer_to(text: str) -> Answer:
    """What the mouth makes of a typed line."""
    if text.startswith("/") and len(text) > 1:
        head, _, rest = text[1:].partition(" ")
        return Answer(Kind.COMMAND, head[:64], rest[:200])
    return Answer(Kind.TEXT, text)


def check_screen(screen: Screen, version: int) -> None:
    """A channel can show it: words, and buttons of at most 64 bytes that say what they are."""
    words = plain(screen.text)
    assert words.strip(), "a screen without words"
    assert "{" not in screen.text and "chat." not in words, f"a text that was not filled in: {words}"
    assert visible(screen.text) <= MOST_TEXT
    for choice in (choice for row in screen.rows for choice in row):
        check_choice(choice, version)


def check_choice(choice: Choice, version: int) -> None:
    assert choice.text.strip(), f"a button without words: {choice}"
    assert choice.key or choice.url or choice.copy or choice.share, f"a button that does nothing: {choice}"
    data = choice.key if choice.key.startswith("o:") else f"{version}.{choice.key}"
    assert len(data.encode()) <= MOST_BUTTON_BYTES


def person_of(desk: Desk, who: int) -> Person:
    person: Person = desk.street.do(lambda unit: unit.people.get(PersonId(who)))
    return person
