"""K12, K14: the clock of the machine is wrong, or nobody ran the timers for days. Nothing is released early, and nothing twice."""

from __future__ import annotations

from datetime import timedelta

from tests.crash.desk import alerted
from tests.crash.nursery import Nursery
from tests.crash.sale import Sale, sale
from tests.crash.street import Street, street

DAY_S = 86_400.0
HOUR_S = 3_600.0
LAST = "deliver"


async def delivered(there: Street) -> Sale:
    """A sale up to the delivery; the buyer says nothing."""
    script = sale(there)
    for name, step in script.steps():
        await step()
        if name == LAST:
            break
    await (await there.revive()).settle()
    return script


def escrow(there: Street) -> tuple[str, str]:
    ((state, held),) = there.rows("SELECT state, escrow FROM orders")
    return state, held


async def test_a_clock_that_jumps_eight_days_ahead_releases_nothing_and_tells_a_person(home: Nursery, engine_url: str) -> None:
    """K12. The wall clock jumps, the monotonic one does not: timers stop until somebody has looked."""
    async with street(engine_url, home) as there:
        await delivered(there)
        house = await there.revive()
        there.board.skew = timedelta(days=8)
        for _ in range(3):
            assert await house.settle()
        assert escrow(there) == ("DELIVERED", "HELD")
        assert alerted(there, "clock_jumped")
        there.board.skew = timedelta(0)
        assert await house.settle()
        assert escrow(there) == ("DELIVERED", "HELD")
        await there.core.pass_time(7 * DAY_S - HOUR_S)
        assert escrow(there) == ("DELIVERED", "HELD")
        await there.pass_time(HOUR_S + 60)
        assert escrow(there) == ("COMPLETED", "RELEASED")
        assert there.one("SELECT count(*) FROM entries WHERE kind = 'release'") == 1


async def test_a_clock_that_falls_a_day_back_stops_the_timers_until_it_is_right_again(home: Nursery, engine_url: str) -> None:
    """K12, also across a restart: the highest instant ever seen is kept in the database."""
    async with street(engine_url, home) as there:
        await delivered(there)
        await there.core.pass_time(3 * DAY_S)
        there.board.skew = -timedelta(days=1)
        await (await there.revive()).kill()
        house = await there.revive()
        for _ in range(3):
            assert await house.settle()
        assert alerted(there, "clock_jumped")
        there.board.skew = timedelta(0)
        assert await house.settle()
        assert await house.settle(b"trust")
        await there.core.pass_time(4 * DAY_S - HOUR_S)
        await there.pass_time(HOUR_S + 60)
        assert escrow(there) == ("COMPLETED", "RELEASED")


async def test_a_clock_that_was_rightly_set_ahead_counts_again_once_a_person_says_so(home: Nursery, sqlite_url: str) -> None:
    """K12. Without a restart; and even then the warning comes first."""
    async with street(sqlite_url, home) as there:
        await delivered(there)
        house = await there.revive()
        there.board.skew = timedelta(days=8)
        assert await house.settle()
        assert await house.settle(b"trust")
        assert await house.settle()
        assert escrow(there) == ("DELIVERED", "HELD")
        assert there.one("SELECT count(*) FROM outbox WHERE fact = 'warn_release'") == 1
        await there.core.pass_time(DAY_S - HOUR_S)
        await there.pass_time(HOUR_S + 60)
        assert escrow(there) == ("COMPLETED", "RELEASED")


async def test_a_house_that_was_down_for_days_warns_before_it_releases_and_does_so_once(home: Nursery, engine_url: str) -> None:
    """K14. Due work runs once; the window to object is extended by the outage: the last warning comes a day before the release."""
    async with street(engine_url, home) as there:
        script = await delivered(there)
        house = await there.revive()
        await house.kill()
        await there.core.pass_time(10 * DAY_S)
        assert await (await there.revive()).settle()
        await there.pass_time(600)
        assert escrow(there) == ("DELIVERED", "HELD")
        warning = await script.brian.reads("please confirm, or report a problem. On", script.numbers["Brian"])
        assert warning is not None
        await there.core.pass_time(DAY_S - HOUR_S)
        assert escrow(there) == ("DELIVERED", "HELD")
        await there.pass_time(HOUR_S)
        assert escrow(there) == ("COMPLETED", "RELEASED")
        assert there.one("SELECT count(*) FROM outbox WHERE fact = 'warn_release'") == 1
        assert there.one("SELECT count(*) FROM entries WHERE kind = 'release'") == 1
