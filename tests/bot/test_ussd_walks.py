"""Anything may be typed at any time, and sessions end when they like: no screen is refused, nobody is stuck, and the books agree."""

from __future__ import annotations

import random

import pytest

from tests.bot.desk import Desk
from tests.bot.handset import Handset

WORDS = (
    "Mama Amina Shoes",
    "2500",
    "Red sneakers 2500",
    "Kilimani gate 12",
    "7K2QD",
    "482 193",
    "",
    "*",
    "%",
    "زينب",
    "🎁",
    "1" * 150,
    "Ń'é & Łukasz",
)
STEPS = 60


@pytest.mark.parametrize("seed", range(24))
def test_a_walk_of_any_keys_ends_in_no_error(desk: Desk, seed: int) -> None:
    """T12, T14."""
    walk(desk, seed)


@pytest.mark.soak
@pytest.mark.parametrize("hundred", range(100))
def test_ten_thousand_walks_end_in_no_error(desk: Desk, hundred: int) -> None:
    """T12, T14: a hundred walks among the same people, whose books are looked at at the end."""
    for seed in range(hundred * 100, hundred * 100 + 100):
        walk(desk, seed)


def walk(desk: Desk, seed: int) -> None:
    chance = random.Random(seed)
    phones = [Handset(desk.street, number, arabic=seed % 3 == 2) for number in ("+254711000001", "+254722000002")]
    for _ in range(STEPS):
        phone = chance.choice(phones)
        if not phone.open or chance.random() < 0.06:
            phone.dial(chance.choice(("", "", "", "5040531", "99999999999")))
        elif chance.random() < 0.05:
            phone.post()
        else:
            keys = [line.partition(". ")[0] for line in phone.screen.split("\n") if ". " in line[:4]]
            phone.press(chance.choice([*keys * 4, "0", "00", "98", *WORDS]))
        pay = [attempt for one in phones for attempt in one.attempts]
        if pay and chance.random() < 0.5:
            desk.ring(pay)
            desk.answered(chance.choice(pay), chance.choice(("", "", "cancelled")))
            for one in phones:
                one.attempts.clear()
    for phone in phones:
        phone.dial()
        assert phone.press("00").strip() if phone.open else True
