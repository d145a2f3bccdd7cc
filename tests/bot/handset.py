"""A feature phone in front of the engine: dials, presses keys, and checks that every screen it is shown fits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

from bot.dialogs import DIALOGS
from bot.engine import Engine
from bot.mouths.ussd import Dialled, Reply, ussd_turn
from domain.gsm import gsm7, units
from domain.ids import AttemptId
from domain.phone import Phone
from tests.factories import ABILITIES, Street

MOST_UNITS = 160
MOST_ARABIC = 70
_sessions = itertools.count(1)


@dataclass
class Handset:
    """`screen` is what it shows. `attempts` are the prompts that were promised."""

    street: Street
    number: str
    arabic: bool = False
    session: str = ""
    typed: str = ""
    screen: str = ""
    open: bool = False
    attempts: list[AttemptId] = field(default_factory=list)

    def dial(self, digits: str = "") -> str:
        self.session, self.typed, self.open = f"ATUid_{next(_sessions)}", digits, True
        return self.post()

    def press(self, *answers: str) -> str:
        """Answers one after the other in the open session; the last screen."""
        for answer in answers:
            assert self.open, f"the session is over: {self.screen}"
            self.typed = f"{self.typed}*{answer}" if self.typed else answer
            self.post()
        return self.screen

    def choose(self, label: str) -> str:
        """Press the number beside a label, looking on further pages for it."""
        for _ in range(20):
            for line in self.screen.split("\n"):
                number, dot, text = line.partition(". ")
                if dot and label in text:
                    return self.press(number)
            assert "98." in self.screen, f"no “{label}” here: {self.screen}"
            self.press("98")
        raise AssertionError(f"no “{label}”")

    def post(self) -> str:
        """The operator posts the turn (again); by a new engine, for nothing is kept in memory."""
        engine = Engine(DIALOGS, ABILITIES, arabic_on_ussd=self.arabic)
        reply: Reply = self.street.do(ussd_turn, engine, Dialled(self.session, Phone(self.number), self.typed))
        check(reply)
        self.screen, self.open = reply.text, not reply.ends
        self.attempts += reply.attempts
        return self.screen


def check(reply: Reply) -> None:
    """What an operator would refuse fails here."""
    body = reply.body
    assert body.startswith(("CON ", "END ")) and reply.text.strip(), body
    assert units(body) <= (MOST_UNITS if gsm7(body) else MOST_ARABIC), f"{units(body)} units: {body}"
    assert "<b>" not in body and "&amp;" not in body, body
