"""A phone that can only text, in front of the mouth: every message is stored and heard as the hook does it, and every answer is checked and measured."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from urllib.parse import urlencode

from bot.dialogs import DIALOGS
from bot.engine import Engine
from bot.mouths.sms_turn import sms_turn
from domain.gsm import segments
from domain.ids import AttemptId, PersonId
from domain.person import Channel, ChannelKind, ChannelState, Conversation, Person
from domain.ports import Unit
from domain.records import RawEvent
from tests.factories import ABILITIES, Street
from usecases import texting

MOST_SEGMENTS = 2
_ids = itertools.count(1)


@dataclass
class SmsPhone:
    """`screen` is the newest answer. `attempts` are the prompts that were promised."""

    street: Street
    number: str
    screen: str = ""
    attempts: list[AttemptId] = field(default_factory=list)

    def text(self, words: str) -> str:
        """Write, and read what comes back; empty when nothing does."""
        return self.hear(self.send(words))

    def send(self, words: str) -> str:
        """The message arrives at the hook and is stored. Its key."""
        fields = {"id": f"in-{next(_ids)}", "from": self.number, "to": "22384", "text": words}
        event = RawEvent(texting.GATEWAY, texting.INBOUND, urlencode(fields).encode(), "10.0.0.1")
        inbound = texting.read_inbound(texting.fields_of(event.raw))
        self.street.do(texting.receive_inbound, event, inbound)
        return inbound.event_key

    def hear(self, event_key: str) -> str:
        """The mouth's turn, by a new engine, for nothing is kept in memory."""
        before = self.answers()
        self.attempts += self.street.do(sms_turn, Engine(DIALOGS, ABILITIES), event_key)
        fresh = self.answers()[len(before) :]
        assert len(fresh) <= 1, f"one message was answered {len(fresh)} times"
        self.screen = fresh[0] if fresh else ""
        if fresh:
            check(self.screen)
        return self.screen

    def choose(self, label: str) -> str:
        """Answer with the number beside a label, asking for more where there is more."""
        for _ in range(20):
            for line in self.screen.split("\n"):
                number, dot, text = line.partition(". ")
                if dot and label in text:
                    return self.text(number)
            assert "98." in self.screen, f"no “{label}” here: {self.screen}"
            self.text("98")
        raise AssertionError(f"no “{label}”")

    def code(self) -> str:
        """The number that the newest answer asks to be sent back."""
        found = re.search(r"\b\d{6}\b", self.screen)
        assert found is not None, f"no code in: {self.screen}"
        return found.group()

    def answers(self) -> list[str]:
        """Everything that was ever answered, oldest first."""
        rows = self.street.ground.rows(
            "SELECT json_extract(payload, '$.text') FROM outbox WHERE channel = 'sms' AND fact = 'screen'"
            " AND json_extract(payload, '$.to') = ? ORDER BY id",
            self.number,
        )
        return [str(row[0]) for row in rows]

    def person(self) -> Person:
        found: Person | None = self.street.do(lambda unit: unit.people.by_address(ChannelKind.SMS, self.number))
        assert found is not None
        return found

    def place(self) -> Conversation:
        who = self.person().id
        found: Conversation | None = self.street.do(lambda unit: unit.conversations.get(who, ChannelKind.SMS))
        assert found is not None
        return found


def check(text: str) -> None:
    """What nobody should be sent fails here."""
    assert text.strip(), "an empty answer"
    assert segments(text) <= MOST_SEGMENTS, f"{segments(text)} segments: {text}"
    assert "<b>" not in text and "&amp;" not in text and "{" not in text, text


def phone_of(street: Street, who: PersonId, number: str) -> SmsPhone:
    """Somebody of the street has this number too."""

    def give(unit: Unit) -> None:
        unit.people.add_channel(Channel(ChannelKind.SMS, number, who, ChannelState.ACTIVE, unit.now))

    street.do(give)
    return SmsPhone(street, number)
