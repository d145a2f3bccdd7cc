"""What a gateway can be asked, and when silence is asked about."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import CannotPay
from domain.money import Money
from domain.payment import Ability, Method, Proof, check_payable, next_ask
from tests.domain.samples import INSTANT, START, an_attempt

SHILLINGS = Ability(
    gateway="daraja",
    methods=frozenset({Method.MPESA}),
    currencies=frozenset({"KES"}),
    step_minor={"KES": 100},
    least_minor=100,
    most_minor=25_000_000,
    part_refunds=False,
    proof=Proof.HINT,
)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize("minor", [100, 200, 25_000_000])
def test_what_the_gateway_takes_may_be_asked(minor: int) -> None:
    check_payable(SHILLINGS, Method.MPESA, Money(minor, "KES"))


@pytest.mark.parametrize(
    "money,facts",
    [
        (Money(150050, "KES"), {"reason": "cents"}),
        (Money(1, "KES"), {"reason": "cents"}),
        (Money(0, "KES"), {"reason": "too_small", "limit": 100}),
        (Money(-100, "KES"), {"reason": "too_small", "limit": 100}),
        (Money(25_000_100, "KES"), {"reason": "too_large", "limit": 25_000_000}),
        (Money(150000, "UGX"), {"reason": "currency", "currency": "UGX"}),
    ],
)
def test_what_the_gateway_does_not_take_is_refused_before_anything_starts(money: Money, facts: dict[str, object]) -> None:
    with pytest.raises(CannotPay) as refused:
        check_payable(SHILLINGS, Method.MPESA, money)
    assert refused.value.facts == {"method": "mpesa", **facts}


def test_a_method_that_the_gateway_does_not_carry_out_is_refused() -> None:
    nothing = Ability("none", frozenset(), frozenset({"KES"}), {}, 1, 10, False, Proof.PROOF)
    with pytest.raises(CannotPay):
        check_payable(nothing, Method.MPESA, Money(5, "KES"))


def test_a_currency_without_a_step_may_have_any_amount() -> None:
    check_payable(Ability("any", frozenset(Method), frozenset({"KES"}), {}, 1, 10, False, Proof.PROOF), Method.MPESA, Money(7, "KES"))


@pytest.mark.parametrize("asked,seconds", [(0, 15), (1, 30), (2, 60), (3, 120), (4, 300)])
def test_silence_is_asked_about_after_15_s_30_s_60_s_2_min_and_5_min(asked: int, seconds: int) -> None:
    assert next_ask(an_attempt(asked=asked), START) == START + seconds * SECOND


@pytest.mark.parametrize("asked", [5, 6, 27])
def test_then_it_is_asked_about_every_hour(asked: int) -> None:
    now = START + timedelta(minutes=7)
    assert next_ask(an_attempt(asked=asked), now) == now + timedelta(hours=1)


def test_a_question_that_is_late_is_asked_in_a_second_and_not_in_the_past() -> None:
    now = START + timedelta(hours=3)
    assert next_ask(an_attempt(asked=1), now) == now + SECOND
    assert next_ask(an_attempt(asked=0), START + 14 * SECOND) == START + 15 * SECOND
    assert next_ask(an_attempt(asked=0), START + 14 * SECOND + INSTANT) == START + 15 * SECOND + INSTANT


def test_after_a_day_a_person_has_to_look() -> None:
    day = timedelta(hours=24)
    assert next_ask(an_attempt(asked=9), START + day - INSTANT) == START + day - INSTANT + timedelta(hours=1)
    assert next_ask(an_attempt(asked=9), START + day) is None
    assert next_ask(an_attempt(asked=0), START + 30 * day) is None


@pytest.mark.parametrize("asked,seconds", [(0, 1), (1, 5), (2, 15), (3, 30), (4, 60), (5, 120), (6, 300)])
def test_the_proof_of_a_payment_that_was_only_hinted_at_is_asked_for_sooner(asked: int, seconds: int) -> None:
    settled = START + timedelta(hours=2)
    assert next_ask(an_attempt(asked=asked, settled_at=settled), settled) == settled + seconds * SECOND


def test_the_day_for_a_proof_begins_with_the_hint() -> None:
    settled = START + timedelta(hours=23)
    waiting = an_attempt(asked=7, settled_at=settled)
    assert next_ask(waiting, START + timedelta(hours=30)) == START + timedelta(hours=31)
    assert next_ask(waiting, settled + timedelta(hours=24)) is None


def test_a_proved_payment_has_the_ordinary_schedule() -> None:
    proved = an_attempt(asked=0, settled_at=START + SECOND, proved_at=START + 2 * SECOND)
    assert next_ask(proved, START + 2 * SECOND) == START + 15 * SECOND
