"""What a person wants to be told, which way, and when not to be disturbed. Pure rules over frozen values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from domain.channel import ChannelKind
from domain.errors import BadInput
from domain.facts import Urgency
from domain.phone import Phone

PREFERENCE: Final = (ChannelKind.TELEGRAM, ChannelKind.SMS, ChannelKind.EMAIL)
"""The best way that works: a chat shows the most and costs nothing, an SMS reaches any phone. USSD can only answer."""

DAY_MIN: Final = 24 * 60

ZONES: Final[Mapping[str, str]] = {
    "AE": "Asia/Dubai", "BI": "Africa/Bujumbura", "CD": "Africa/Kinshasa", "CI": "Africa/Abidjan", "CM": "Africa/Douala",
    "DZ": "Africa/Algiers", "EG": "Africa/Cairo", "ET": "Africa/Addis_Ababa", "FR": "Europe/Paris", "GB": "Europe/London",
    "GH": "Africa/Accra", "IN": "Asia/Kolkata", "JO": "Asia/Amman", "KE": "Africa/Nairobi", "KW": "Asia/Kuwait",
    "MA": "Africa/Casablanca", "MW": "Africa/Blantyre", "MZ": "Africa/Maputo", "NG": "Africa/Lagos", "OM": "Asia/Muscat",
    "QA": "Asia/Qatar", "RW": "Africa/Kigali", "SA": "Asia/Riyadh", "SD": "Africa/Khartoum", "SN": "Africa/Dakar",
    "SO": "Africa/Mogadishu", "SS": "Africa/Juba", "TN": "Africa/Tunis", "TZ": "Africa/Dar_es_Salaam", "UG": "Africa/Kampala",
    "ZA": "Africa/Johannesburg", "ZM": "Africa/Lusaka", "ZW": "Africa/Harare",
}  # fmt: skip
"""One zone for a country: where most of its people are. For any other the house's own is taken."""


@dataclass(frozen=True, slots=True)
class Wants:
    """`channel` None: the best that works. Quiet hours are minutes of the local day, and none when both are the same.

    `zone` is an IANA name where the country of the phone would mislead.
    """

    channel: ChannelKind | None = None
    quiet_from_min: int = 0
    quiet_to_min: int = 0
    news: bool = True
    zone: str = ""

    @property
    def quiet(self) -> bool:
        return self.quiet_from_min != self.quiet_to_min

    def kept(self) -> dict[str, Any]:
        """As it is stored: what is not as for everybody."""
        found: dict[str, Any] = {}
        if self.channel is not None:
            found["channel"] = str(self.channel)
        if self.quiet:
            found["quiet"] = [self.quiet_from_min, self.quiet_to_min]
        if not self.news:
            found["news"] = False
        if self.zone:
            found["zone"] = self.zone
        return found


PLAIN: Final = Wants()
"""Of somebody who said nothing."""


def read_wants(kept: Mapping[str, Any]) -> Wants:
    """What `Wants.kept` gave. Raises for anything else."""
    if not kept:
        return PLAIN
    quiet_from_min, quiet_to_min = kept.get("quiet", (0, 0))
    channel = kept.get("channel")
    return Wants(
        None if channel is None else ChannelKind(channel),
        quiet_from_min,
        quiet_to_min,
        bool(kept.get("news", True)),
        str(kept.get("zone", "")),
    )


@dataclass(frozen=True, slots=True)
class Way:
    """One open way to reach a person, with what decides whether and when it is used."""

    kind: ChannelKind
    wants: Wants = PLAIN
    phone: Phone | None = None


def best_way(ways: Iterable[Way]) -> Way | None:
    """Their wish where it works, else the best that does. None: nobody can tell them anything."""
    tellable = [way for way in ways if way.kind in PREFERENCE]
    return min(tellable, key=lambda way: (way.kind is not way.wants.channel, PREFERENCE.index(way.kind)), default=None)


def is_wanted(wants: Wants, urgency: Urgency) -> bool:
    """News can be left out; work and money cannot."""
    return wants.news or urgency < Urgency.NEWS


def zone_of(wants: Wants, phone: Phone | None, country: str) -> str:
    """Where a person's day is: as they said, else by the country of their phone, else as `country` is, the house's own."""
    return wants.zone or ZONES.get("" if phone is None else phone.country) or ZONES.get(country, "UTC")


def told_at(wants: Wants, urgency: Urgency, now: datetime, zone: str) -> datetime:
    """When a fact of `now` may be told: at once, or for what is not money at the end of the quiet hours, by the wall clock of `zone`."""
    if not wants.quiet or urgency == Urgency.MONEY:
        return now
    there = _zone(zone)
    local = now.astimezone(there)
    minute = local.hour * 60 + local.minute
    overnight = wants.quiet_from_min > wants.quiet_to_min
    if overnight:
        inside = minute >= wants.quiet_from_min or minute < wants.quiet_to_min
    else:
        inside = wants.quiet_from_min <= minute < wants.quiet_to_min
    if not inside:
        return now
    day = local.date() + timedelta(days=1 if overnight and minute >= wants.quiet_from_min else 0)
    # A minute that a change of clocks leaves out is read by the clock before the change; of one that comes twice it is the first.
    end = datetime.combine(day, time(wants.quiet_to_min // 60, wants.quiet_to_min % 60), there)
    return max(now, end.astimezone(UTC))


def _zone(name: str) -> tzinfo:
    """UTC where the machine does not know the zone: being told early does less harm than a sale that fails."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def read_hours(text: str) -> tuple[int, int]:
    """`21:00-7:00`, `21-7`, `2100 0700`, `21000700`, `٢١:٠٠ - ٧:٠٠`, and `9pm to 7am` as minutes. Raises BadInput(hours: not_hours, same)."""
    plain = "".join(str(int(char)) if char.isdecimal() else char.casefold() for char in text.strip())
    parts = plain.replace(" to ", "-").replace("\N{EN DASH}", "-").replace("\N{EM DASH}", "-").split("-")
    if len(parts) == 1:
        parts = [plain[:4], plain[4:]] if len(plain) == 8 and plain.isdigit() else plain.split()
    if len(parts) != 2:
        raise BadInput("hours", "not_hours")
    begin, end = (_minute(part) for part in parts)
    if begin == end:
        raise BadInput("hours", "same")
    return begin, end


def _minute(text: str) -> int:
    bare = text.replace(" ", "")
    half = bare[-2:] if bare[-2:] in {"am", "pm"} else ""
    hours, _, minutes = bare.removesuffix(half).replace(".", ":").partition(":")
    if not minutes and len(hours) in {3, 4}:
        hours, minutes = hours[:-2], hours[-2:]
    minutes = minutes or "00"
    if not (hours.isascii() and hours.isdigit() and minutes.isascii() and minutes.isdigit() and len(hours) <= 2 and len(minutes) == 2):
        raise BadInput("hours", "not_hours")
    hour, minute = int(hours), int(minutes)
    if half:
        if not 1 <= hour <= 12:
            raise BadInput("hours", "not_hours")
        hour = hour % 12 + (12 if half == "pm" else 0)
    if hour > 24 or minute > 59 or (hour == 24 and minute):
        raise BadInput("hours", "not_hours")
    return (hour * 60 + minute) % DAY_MIN


def spell_hours(wants: Wants) -> str:
    """`21:00-07:00`."""
    return "-".join(f"{minute // 60:02}:{minute % 60:02}" for minute in (wants.quiet_from_min, wants.quiet_to_min))
