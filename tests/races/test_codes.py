"""A one-time code, typed by many at once (T18)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from domain.codes import MOST_TRIES
from domain.ports import Unit
from tests.races.arena import Arena, refusals
from usecases.codes import make_code, use_code

AT_ONCE = 20


def make(unit: Unit) -> str:
    return make_code(unit, "email", "a@b.example", None, {}, lives=timedelta(minutes=10))


async def test_two_who_type_the_same_code_at_once_one_wins(arena: Arena) -> None:
    code = arena.unit(make)
    async with arena.opened() as store:
        answers = await arena.race(store, *[partial(use_code, flow="email", subject="a@b.example", typed=code)] * 2)
    assert refusals(answers) == ["BadCode"]
    assert arena.count("codes", "used_at IS NOT NULL AND tries = 0") == 1


async def test_twenty_guesses_at_once_are_five_tries(arena: Arena) -> None:
    code = arena.unit(make)
    guesses = [f"{(int(code) + n) % 10**6:06}" for n in range(1, AT_ONCE + 1)]
    async with arena.opened() as store:
        answers = await arena.race(store, *(partial(use_code, flow="email", subject="a@b.example", typed=guess) for guess in guesses))
    told = refusals(answers)
    assert (told.count("WrongCode"), len(told)) == (MOST_TRIES, AT_ONCE)
    assert arena.count("codes", f"used_at IS NULL AND tries = {MOST_TRIES}") == 1


async def test_a_newer_code_and_the_use_of_the_older_one_never_both_win(arena: Arena) -> None:
    """Whoever comes second sees the other: the new code stays to be used, or the old one was used before it was made."""
    code = arena.unit(make)
    use = partial(use_code, flow="email", subject="a@b.example", typed=code)
    async with arena.opened() as store:
        await arena.race(store, use, make)
    assert arena.count("codes", "used_at IS NULL") == 1
