"""What is due is found by query; a clock that went back fires nothing."""

from __future__ import annotations

from datetime import timedelta

from domain.life import AttemptState
from domain.payment import Notice, Outcome, Proof
from domain.records import RawEvent
from tests.factories import SECOND, Street, buyer
from tests.fakes import Ground
from usecases.orders import cancel_order
from usecases.payments import begin_attempt
from usecases.seals import seal_trail
from usecases.settlement import receive
from usecases.sweeps import claim_asks, clock_jumped, due_events, due_refunds, tick, unsent_attempts


def test_asking_is_claimed_so_that_two_workers_do_not_ask(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    assert ground.unit(claim_asks, 10) == []
    street.later(15 * SECOND)
    assert ground.unit(claim_asks, 10) == [attempt.id]
    assert ground.unit(claim_asks, 10) == []
    assert street.attempt_now(attempt.id).ask_at == ground.clock.at + 90 * SECOND
    street.later(90 * SECOND)
    assert ground.unit(claim_asks, 10) == [attempt.id]


def test_what_a_crash_left_behind_is_found(street: Street, ground: Ground) -> None:
    fresh, cut_off, ringing = street.attempt(), street.attempt(), street.ringing()
    ground.unit(begin_attempt, cut_off.id)
    street.later(3 * SECOND - timedelta(microseconds=1))
    assert ground.unit(unsent_attempts, 10) == []
    street.later(timedelta(microseconds=1))
    assert ground.unit(unsent_attempts, 10) == [fresh.id]
    street.later(72 * SECOND)
    assert sorted(ground.unit(unsent_attempts, 10)) == sorted([fresh.id, cut_off.id])
    assert street.attempt_now(ringing.id).state is AttemptState.PENDING


def test_refunds_and_events_are_due_when_their_time_has_come(street: Street, ground: Ground) -> None:
    order = street.paid()
    ground.unit(cancel_order, buyer, order.number)
    assert ground.unit(due_refunds, 10) == [street.refund_of(order.attempt_id).id]
    early = Notice("daraja", "early", "stk", Outcome.SUCCEEDED, Proof.HINT, ref="nobody")
    ground.unit(receive, RawEvent("daraja", "stk", b"{}", ""), "early", early)
    assert ground.unit(due_events, ["daraja"], 10) == []
    street.later(30 * SECOND)
    assert [event.event_key for event in ground.unit(due_events, ["daraja"], 10)] == ["early"]
    assert ground.unit(due_events, ["stripe"], 10) == []


def test_the_clock_may_stand_still_and_go_on(street: Street, ground: Ground) -> None:
    assert ground.unit(tick)
    with ground.unchanged():
        assert ground.unit(tick)
        street.later(10 * SECOND)
        assert ground.unit(tick)
    street.later(SECOND)
    assert ground.unit(tick)
    assert ground.unit(lambda unit: unit.marks.get("clock")) == {"highest": ground.clock.at.isoformat()}


def test_a_clock_that_went_back_fires_nothing_until_it_has_caught_up(street: Street, ground: Ground) -> None:
    """K12: a day; and a minute, as leap seconds and NTP take back at most, does no harm."""
    street.later(timedelta(days=2))
    ground.unit(tick)
    highest = ground.clock.at
    with ground.unchanged():
        ground.clock.jump(-60 * SECOND)
        assert ground.unit(tick)
        ground.clock.jump(-SECOND)
        assert not ground.unit(tick)
        ground.clock.jump(-timedelta(days=1))
        assert not ground.unit(tick)
    ground.clock.at = highest
    assert ground.unit(tick)


def test_a_jump_is_told_once_a_day(street: Street, ground: Ground) -> None:
    for _ in range(3):
        ground.unit(clock_jumped, 691_200)
    assert len(ground.told()) == 1
    assert ground.alerts() == ["clock_jumped"] * 3


def test_the_trail_is_sealed_up_to_a_moment_ago_and_once(street: Street, ground: Ground) -> None:
    street.paid()
    written = len(ground.rows("SELECT id FROM audit"))
    assert ground.unit(seal_trail) == 0
    street.later(6 * SECOND)
    assert ground.unit(seal_trail) == written
    with ground.unchanged():
        assert ground.unit(seal_trail) == 0
