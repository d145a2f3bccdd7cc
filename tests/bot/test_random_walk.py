"""Thousands of random answers of people in three languages, with payments, callbacks and days in between; every turn by a new engine."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from bot.dialog import Answer, Kind
from bot.engine import Said
from domain.ids import AttemptId
from domain.order import OrderAct
from domain.person import Language, Person
from tests.bot.desk import DOCUMENT, PICTURE, Desk, answer_to, check_screen, person_of
from tests.bot.test_every_step import COMMANDS, JUNK_KEYS, TEXTS
from tests.factories import BUYER, OTHER_OWNER, OWNER, STAFF

PEOPLE = (int(OWNER), int(STAFF), int(BUYER), int(OTHER_OWNER), 7001, 7002)
STEPS = 2_500
PHONES = tuple(f"0722 000 {n:03}" for n in range(100, 160))
SENSIBLE_KEYS = (
    "pay",
    "buy_one",
    "try_again",
    "yes_confirm",
    "open_problem",
    "broken",
    "create",
    "yes_refund",
    "yes_withdraw",
    "yes_cancel",
    "no_courier",
)
SENSIBLE_WORDS = {"address": ("Kilimani", "Umoja 3"), "phone": PHONES, "other_phone": PHONES, "name": ("Blue bag 900",), "price": ("900", "1.500"),
                  "shop": ("Duka Letu",), "problem_words": ("It is torn",)}  # fmt: skip


class Walk:
    """One seed. What it does next depends on nothing but the dice and what people see."""

    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk = desk
        self.dice = random.Random(seed)
        self.ringing: list[AttemptId] = []
        self.unproved: list[AttemptId] = []
        self.log: list[str] = []
        for n, who in enumerate(PEOPLE):
            desk.say(who, "/start")
            desk.tap(who, str(list(Language)[n % 3]))
        self.codes = [desk.street.link(stock=stock).code for stock in (None, 3, 1)]

    def step(self) -> None:
        who = self.dice.choice(PEOPLE)
        throw = self.dice.random()
        if throw < 0.25:
            said = self._sensible(who)
        elif throw < 0.5:
            said = self._button(who)
        elif throw < 0.62:
            said = self._card(who)
        elif throw < 0.92:
            said = self._words(who)
        else:
            self._world()
            return
        self.desk.ring(said.attempts)
        self.ringing += said.attempts

    def _sensible(self, who: int) -> Said:
        """What somebody who wants to buy or sell would do here."""
        step = self.desk.place(_number(self.desk, who)).step
        keys = [key for key in SENSIBLE_KEYS if key in self.desk.keys(who)]
        if keys:
            self.log.append(f"{who} [{keys[0]}] at {step}")
            return self.desk.tap(who, keys[0])
        text = self.dice.choice(SENSIBLE_WORDS.get(step, (f"/start {self.dice.choice(self.codes)}",)))
        self.log.append(f"{who} {text!r} at {step}")
        return self.desk.say(who, text)

    def _button(self, who: int) -> Said:
        keys = self.desk.keys(who)
        key = self.dice.choice(keys) if keys and self.dice.random() < 0.93 else self.dice.choice(JUNK_KEYS)
        self.log.append(f"{who} [{key}]")
        return self.desk.tap(who, key)

    def _card(self, who: int) -> Said:
        numbers = [row[0] for row in self.desk.street.ground.rows("SELECT number FROM orders ORDER BY id DESC LIMIT 6")] or ["00000000"]
        key = f"o:{self.dice.choice(numbers)}:{self.dice.choice([*OrderAct, 'card', 'x'])}"
        self.log.append(f"{who} [{key}]")
        return self.desk.tap(who, key)

    def _words(self, who: int) -> Said:
        texts = (*TEXTS[:9], *PHONES, "Kilimani", "/sell", "/orders", "/wallet", f"/start {self.dice.choice(self.codes)}", self._code())
        kind = self.dice.choice((Kind.TEXT, Kind.TEXT, Kind.TEXT, Kind.TEXT, Kind.PHOTO, Kind.CONTACT, Kind.PLACE, Kind.FILE, Kind.COMMAND))
        text = self.dice.choice(COMMANDS if kind is Kind.COMMAND else TEXTS if self.dice.random() < 0.2 else texts)
        self.log.append(f"{who} {kind} {text[:40]!r}")
        answer = answer_to(text)
        if kind is Kind.CONTACT:
            answer = Answer(kind, f"+2547{self.dice.randrange(10**8):08}")
        elif kind not in {Kind.TEXT, Kind.COMMAND}:
            answer = Answer(kind, "" if self.dice.random() < 0.5 else text)
        pictures = (PICTURE,) if answer.kind is Kind.PHOTO else ()
        return self.desk.turn(self.desk.heard(who, answer, pictures=pictures, document=DOCUMENT if answer.kind is Kind.FILE else None))

    def _code(self) -> str:
        codes = [row[0] for row in self.desk.street.ground.rows("SELECT delivery_code FROM orders ORDER BY id DESC LIMIT 3")]
        return str(self.dice.choice(codes)) if codes else "123456"

    def _world(self) -> None:
        """A callback comes (sometimes twice), the gateway agrees, time goes by, the jobs look."""
        if self.ringing:
            attempt_id = self.ringing.pop(self.dice.randrange(len(self.ringing)))
            result = self.dice.choice(("", "", "", "cancelled_by_payer", "wrong_pin", "insufficient_funds"))
            self.log.append(f"callback {result or 'paid'}")
            for _ in range(self.dice.choice((1, 1, 2))):
                self.desk.answered(attempt_id, result)
            self.unproved += [] if result else [attempt_id]
        if self.unproved and self.dice.random() < 0.8:
            self.desk.prove(self.unproved.pop())
        self.desk.street.later(timedelta(seconds=self.dice.choice((1, 60, 1_000, 40_000, 200_000))))
        self.desk.sweep()


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_random_walk_ends_with_clean_books_and_nobody_stuck(desk: Desk, seed: int) -> None:
    """S2, T4, T6: whatever people press and type, in any order, the books stay clean (checked when the desk closes) and everybody gets home."""
    walk = Walk(desk, seed)
    for n in range(STEPS):
        try:
            walk.step()
        except Exception as failure:
            trace = "\n".join(walk.log[-15:])
            raise AssertionError(f"seed {seed}, step {n}:\n{trace}") from failure

    assert desk.street.ground.rows("SELECT count(*) FROM orders")[0][0] > 10, "the walk sold nothing: it proves nothing"
    for who in PEOPLE:
        said = desk.say(who, "/menu")
        assert said.screen is not None
        check_screen(said.screen, said.version)
        if not person_of_address(desk, who).welcomed:
            desk.tap(who, "en")
            desk.tap(who, "buyer")
        assert (desk.place(_number(desk, who)).dialog, desk.place(_number(desk, who)).step) == ("home", "menu")
        assert set(desk.keys(who)) >= {"purchases", "help"}


def _number(desk: Desk, who: int) -> int:
    return int(desk.street.ground.rows("SELECT person_id FROM channels WHERE address = ?", str(who))[0][0])


def person_of_address(desk: Desk, who: int) -> Person:
    return person_of(desk, _number(desk, who))
