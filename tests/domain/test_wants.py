"""What people want to be told: which way, and not at night, except about their money."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from domain.errors import BadInput
from domain.facts import Urgency
from domain.person import ChannelKind
from domain.phone import Phone
from domain.wants import PLAIN, Wants, Way, best_way, is_wanted, read_hours, read_wants, spell_hours, told_at, zone_of

NIGHT = Wants(None, 21 * 60, 7 * 60)
NOON_REST = Wants(None, 12 * 60, 14 * 60)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    "wish,open_ways,best",
    [
        (None, ["sms", "telegram"], "telegram"),
        ("sms", ["telegram", "sms"], "sms"),
        ("email", ["telegram", "sms"], "telegram"),
        ("ussd", ["ussd", "email"], "email"),
        (None, ["ussd"], None),
        (None, [], None),
    ],
)
def test_their_wish_goes_first_and_ussd_never_tells(wish: str | None, open_ways: list[str], best: str | None) -> None:
    wants = Wants(None if wish is None else ChannelKind(wish))
    found = best_way(Way(ChannelKind(kind), wants) for kind in open_ways)
    assert (None if found is None else str(found.kind)) == best


def test_news_can_be_left_out_work_and_money_cannot() -> None:
    quiet = Wants(news=False)
    assert [is_wanted(quiet, urgency) for urgency in Urgency] == [True, True, False]
    assert all(is_wanted(PLAIN, urgency) for urgency in Urgency)


@pytest.mark.parametrize(
    "wants,now,then",
    [
        (NIGHT, "2026-11-21T19:00", "2026-11-22T04:00"),  # 22:00 in Nairobi
        (NIGHT, "2026-11-21T22:00", "2026-11-22T04:00"),  # 1:00, after midnight
        (NIGHT, "2026-11-21T18:00", "2026-11-22T04:00"),  # 21:00 sharp
        (NIGHT, "2026-11-21T04:00", "2026-11-21T04:00"),  # 7:00 sharp
        (NIGHT, "2026-11-21T12:00", "2026-11-21T12:00"),
        (NOON_REST, "2026-11-21T10:30", "2026-11-21T11:00"),
        (NOON_REST, "2026-11-21T08:30", "2026-11-21T08:30"),
        (PLAIN, "2026-11-21T22:00", "2026-11-21T22:00"),
    ],
)
def test_what_can_wait_waits_for_the_morning_where_they_are(wants: Wants, now: str, then: str) -> None:
    assert [told_at(wants, urgency, at(now), "Africa/Nairobi") for urgency in (Urgency.WORK, Urgency.NEWS)] == [at(then)] * 2
    assert told_at(wants, Urgency.MONEY, at(now), "Africa/Nairobi") == at(now)


def test_the_morning_is_by_the_wall_clock_when_clocks_change() -> None:
    """London: in the night to 29 March 2026 the clocks go forward, in that to 25 October back."""
    assert told_at(NIGHT, Urgency.NEWS, at("2026-03-28T22:00"), "Europe/London") == at("2026-03-29T06:00")
    assert told_at(NIGHT, Urgency.NEWS, at("2026-10-24T21:00"), "Europe/London") == at("2026-10-25T07:00")
    short = Wants(None, 0, 90)
    assert told_at(short, Urgency.NEWS, at("2026-03-29T00:30"), "Europe/London") == at("2026-03-29T01:30")


def test_a_zone_that_the_machine_does_not_know_is_utc() -> None:
    assert told_at(NIGHT, Urgency.NEWS, at("2026-11-21T22:00"), "Mars/Olympus") == at("2026-11-22T07:00")


@pytest.mark.parametrize(
    "wants,phone,country,zone",
    [
        (PLAIN, None, "KE", "Africa/Nairobi"),
        (PLAIN, Phone("+966501234567"), "KE", "Asia/Riyadh"),
        (PLAIN, Phone("+447400123456"), "KE", "Europe/London"),
        (PLAIN, Phone("+819012345678"), "KE", "Africa/Nairobi"),
        (PLAIN, Phone("nonsense"), "XX", "UTC"),
        (PLAIN, Phone("+8881234567890"), "KE", "Africa/Nairobi"),
        (Wants(zone="Asia/Dubai"), Phone("+254712345678"), "KE", "Asia/Dubai"),
    ],
)
def test_where_their_day_is(wants: Wants, phone: Phone | None, country: str, zone: str) -> None:
    assert zone_of(wants, phone, country) == zone


@pytest.mark.parametrize(
    "text", ["21:00-7:00", "21-7", "2100 0700", "21000700", "٢١:٠٠ - ٧:٠٠", "9pm to 7am", "21.00–7.00", " 21:00 — 07:00 "]
)
def test_hours_are_read_as_people_write_them(text: str) -> None:
    assert read_hours(text) == (21 * 60, 7 * 60)
    assert spell_hours(Wants(None, *read_hours(text))) == "21:00-07:00"


def test_midnight_and_noon() -> None:
    assert read_hours("12am-12pm") == (0, 720)
    assert read_hours("24-6:30") == (0, 390)


@pytest.mark.parametrize(
    "text", ["", "21", "21-7-9", "25-7", "21:60-7", "24:30-7", "13pm-2", "0am-7", "a-b", "²-7", "21:0-7", "1:2:3-4", "12345-7"]
)
def test_other_words_are_no_hours(text: str) -> None:
    with pytest.raises(BadInput) as refusal:
        read_hours(text)
    assert (refusal.value.field, refusal.value.reason) == ("hours", "not_hours")


def test_hours_that_are_the_same_are_none() -> None:
    with pytest.raises(BadInput) as refusal:
        read_hours("24-0:00")
    assert refusal.value.reason == "same"


@pytest.mark.parametrize("wants", [PLAIN, NIGHT, Wants(ChannelKind.SMS, 60, 120, news=False, zone="Asia/Dubai")])
def test_wants_survive_being_kept(wants: Wants) -> None:
    assert read_wants(wants.kept()) == wants
