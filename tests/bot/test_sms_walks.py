"""Anything may be texted at any time: every message is answered once, in two segments or less, nobody is stuck, and the books agree."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from bot.mouths.keywords import WORDS as KEYWORDS
from tests.bot.desk import Desk
from tests.bot.smsphone import SmsPhone
from usecases.texting import MOST_ANSWERS

TYPED = (
    "Mama Amina Shoes", "2500", "Red sneakers 2500", "SELL Red sneakers 2500", "Kilimani gate 12", "7K2QD", "482 193", "YES 482 193", "YES",
    "SHIP 0071", "PROBLEM 0071 broken", "CANCEL 0071", "DELIVERED 0071", "%", "زينب", "🎁", "1" * 150, "x" * 1500, "Ń'é & Łukasz <3",
    "98", "0", "00", "\u202eevil", "STOP IT", "CHECK 10000071-50827",
)  # fmt: skip
STEPS = 60
PER_HOUR = MOST_ANSWERS // 2


@pytest.mark.parametrize("seed", range(36))
def test_a_walk_of_any_texts_ends_in_no_error(desk: Desk, seed: int) -> None:
    """T14, T15: and one in three of them comes in Arabic."""
    chance = random.Random(seed)
    phones = [SmsPhone(desk.street, number) for number in ("+254711000001", "+254722000002")]
    for phone in phones:
        phone.text("hello")
        phone.text("3" if seed % 3 == 2 else "1")
    words = [spelling for together in KEYWORDS.values() for spellings in together for spelling in spellings.split()]
    for step in range(STEPS):
        phone = chance.choice(phones)
        keys = [line.partition(". ")[0] for line in phone.screen.split("\n") if ". " in line[:4]]
        asked = [word.strip(".") for word in phone.screen.split() if len(word) == 6 and word.isdecimal()]
        assert phone.text(chance.choice([*keys * 6, *asked * 8, "0", *TYPED, chance.choice(words)])), "nobody is left without an answer"
        if phone.attempts and chance.random() < 0.5:
            desk.ring(phone.attempts)
            desk.answered(phone.attempts[-1], chance.choice(("", "", "cancelled_by_payer")))
            phone.attempts.clear()
        if step % PER_HOUR == PER_HOUR - 1:
            desk.street.later(timedelta(hours=1))
            desk.sweep()
    for phone in phones:
        assert phone.text("MENU")
        assert (phone.place().dialog, phone.place().step) in {("home", "menu"), ("start", "language")}
