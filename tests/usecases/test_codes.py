"""One-time codes: used once, by who was meant, a few tries, and not for ever (T18)."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.codes import KEPT_FOR, MADE_A_DAY, MADE_AN_HOUR, MADE_IN_ALL, MOST_TRIES
from domain.errors import BadCode, LimitReached, WrongCode
from domain.ports import Unit
from tests.factories import BUYER
from tests.fakes import Ground
from usecases.codes import make_code, prune_codes, use_code, window_end

LIVES = timedelta(minutes=10)
WHO = ("email", "a@b.example")


def make(unit: Unit, subject: str = WHO[1]) -> str:
    return make_code(unit, WHO[0], subject, BUYER, {"to": subject}, lives=LIVES)


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


@pytest.fixture(autouse=True)
def people(street: object) -> None:
    """Those whose codes these are."""


@pytest.mark.parametrize("typed", ["{}", " {} ", "{0[0]}{0[1]}{0[2]}-{0[3]}{0[4]}{0[5]}", "{0[0]}{0[1]}{0[2]} {0[3]}{0[4]}{0[5]}"])
def test_a_code_brings_back_what_it_was_made_with_once(ground: Ground, typed: str) -> None:
    code = ground.unit(make)
    used = ground.unit(use_code, *WHO, typed.format(code))
    assert (used.person_id, used.data, used.used_at) == (BUYER, {"to": WHO[1]}, ground.clock.at)
    assert ground.refuses(BadCode, use_code, *WHO, code).facts == {"reason": "used"}


def test_arabic_digits_are_digits(ground: Ground) -> None:
    code = ground.unit(make)
    assert ground.unit(use_code, *WHO, "".join(chr(0x660 + int(digit)) for digit in code)).used_at


def test_the_code_itself_is_stored_nowhere(ground: Ground) -> None:
    ground.chance.throws = [987_654]
    code = ground.unit(make)
    assert code == "987654"
    assert code not in str(ground.snapshot())


def test_five_wrong_tries_and_then_not_even_the_right_one(ground: Ground) -> None:
    code = ground.unit(make)
    for left in reversed(range(MOST_TRIES)):
        with pytest.raises(WrongCode) as refusal:
            ground.unit(use_code, *WHO, wrong(code))
        assert refusal.value.facts == {"reason": "wrong", "tries_left": left}
    assert ground.refuses(BadCode, use_code, *WHO, code).facts == {"reason": "used_up"}


@pytest.mark.parametrize("typed", ["", "abc", "12345", "1234567", "١٢", "1" * 5000])
def test_what_is_no_code_is_a_wrong_try(ground: Ground, typed: str) -> None:
    ground.unit(make)
    with pytest.raises(WrongCode):
        ground.unit(use_code, *WHO, typed)


def test_the_last_moment_and_the_one_after(ground: Ground) -> None:
    code = ground.unit(make)
    ground.clock.move(LIVES - timedelta(microseconds=1))
    with pytest.raises(WrongCode):
        ground.unit(use_code, *WHO, wrong(code))
    ground.clock.move(timedelta(microseconds=1))
    assert ground.refuses(BadCode, use_code, *WHO, code).facts == {"reason": "expired"}


def test_one_of_another_flow_or_subject_is_worth_nothing(ground: Ground) -> None:
    ground.chance.throws = [111_111, 222_222]
    code = ground.unit(make)
    ground.unit(make, "c@d.example")
    with pytest.raises(WrongCode):
        ground.unit(use_code, WHO[0], "c@d.example", code)
    assert ground.refuses(BadCode, use_code, "phone", WHO[1], code).facts == {"reason": "expired"}


def test_a_new_one_makes_the_earlier_one_worthless_and_its_tries_with_it(ground: Ground) -> None:
    ground.chance.throws = [111_111, 222_222]
    ground.unit(make)
    with pytest.raises(WrongCode):
        ground.unit(use_code, *WHO, "000000")
    second = ground.unit(make)
    with pytest.raises(WrongCode) as refusal:
        ground.unit(use_code, *WHO, "111111")
    assert refusal.value.facts["tries_left"] == MOST_TRIES - 1
    assert ground.unit(use_code, *WHO, second).used_at


def test_a_storm_of_them_ends_soon_and_says_when_it_goes_on(ground: Ground) -> None:
    name, window_s, most = MADE_AN_HOUR
    for _ in range(most):
        ground.unit(make)
    refusal = ground.refuses(LimitReached, make)
    assert refusal.facts == {"limit": name, "retry_at": window_end(ground.clock.at, window_s)}
    ground.unit(make, "c@d.example")
    ground.clock.move(timedelta(seconds=window_s))
    ground.unit(make)


def test_a_day_has_its_end_too(ground: Ground) -> None:
    name, _, most = MADE_A_DAY
    ground.clock.at = ground.clock.at.replace(hour=0)
    for n in range(most):
        ground.unit(make)
        if n % 2:
            ground.clock.move(timedelta(hours=1))
    assert ground.refuses(LimitReached, make).facts["limit"] == name


def test_all_of_them_together_cost_no_more_than_so_much(ground: Ground) -> None:
    name, window_s, most = MADE_IN_ALL
    at = int(ground.clock.at.timestamp())
    ground.connection.execute("INSERT INTO limits VALUES (?, 'all', ?, ?)", (name, at - at % window_s, most))
    assert ground.refuses(LimitReached, make).facts["limit"] == name


def test_those_long_over_are_forgotten_and_the_others_are_not(ground: Ground) -> None:
    ground.unit(make)
    ground.clock.move(KEPT_FOR)
    second = ground.unit(make, "c@d.example")
    ground.clock.move(LIVES)
    assert ground.unit(prune_codes, 100) == 0
    ground.clock.move(timedelta(microseconds=1))
    assert ground.unit(prune_codes, 100) == 1
    assert ground.rows("SELECT subject FROM codes") == [("c@d.example",)]
    assert ground.refuses(BadCode, use_code, WHO[0], "c@d.example", second).facts == {"reason": "expired"}
    assert ground.refuses(BadCode, use_code, *WHO, "0").facts == {"reason": "expired"}


def test_a_wrong_try_inside_a_larger_unit_is_counted_all_the_same(ground: Ground) -> None:
    """As in a turn of a conversation, which undoes by a savepoint whatever was refused."""
    code = ground.unit(make)

    def turn(unit: Unit) -> str:
        try:
            with unit.savepoint():
                use_code(unit, *WHO, wrong(code))
        except BadCode as refusal:
            return str(refusal.facts["tries_left"])
        return ""

    assert [ground.unit(turn) for _ in range(2)] == ["4", "3"]
