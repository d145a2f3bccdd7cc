"""One-time codes: made, used once, forgotten. Who gets to see one, and how it travels, is for whoever asks for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from domain.codes import KEPT_FOR, MADE_A_DAY, MADE_AN_HOUR, MADE_IN_ALL, MOST_TRIES, Code, digits_from, spoken
from domain.errors import BadCode, LimitReached, WrongCode
from domain.ids import PersonId, read_digits
from domain.ports import Unit


def make_code(
    unit: Unit, flow: str, subject: str, person_id: PersonId | None, data: dict[str, Any], *, lives: timedelta, digits: int = 6
) -> str:
    """The code, which is kept nowhere. The one made before for the same flow and subject opens nothing any more. Raises LimitReached."""
    _count_made(unit, flow, subject)
    code = digits_from(unit.chance(64), digits)
    digest = unit.tokens.digest(spoken(flow, subject, code))
    unit.codes.put(Code(flow, subject, person_id, digest, data, unit.now, unit.now + lives))
    return code


def use_code(unit: Unit, flow: str, subject: str, typed: str) -> Code:
    """What the code was made with; it works once. Call it before anything else of the unit is written: a wrong try is counted, although it raises.

    Raises BadCode: wrong (with `tries_left`), used, used_up, expired; one that was never made is told as an expired one.
    """
    code = unit.codes.of(flow, subject)
    why_not = "expired" if code is None else code.why_not(unit.now)
    if code is None or why_not is not None:
        raise BadCode(reason=why_not)
    if unit.tokens.matches(spoken(flow, subject, _digits_of(typed)), code.digest):
        return unit.codes.save(replace(code, used_at=unit.now))
    unit.codes.save(replace(code, tries=code.tries + 1))
    raise WrongCode(reason="wrong", tries_left=MOST_TRIES - code.tries - 1)


def prune_codes(unit: Unit, limit: int) -> int:
    return unit.codes.prune(unit.now - KEPT_FOR, limit)


def _digits_of(typed: str) -> str:
    """As typed in any script, with spaces or dashes; what is no code at all stays as it is, and fits nothing."""
    return read_digits(typed, sum(char.isdecimal() for char in typed)) or typed


def _count_made(unit: Unit, flow: str, subject: str) -> None:
    limits = ((MADE_AN_HOUR, f"{flow}:{subject}"), (MADE_A_DAY, f"{flow}:{subject}"), (MADE_IN_ALL, "all"))
    for (name, window_s, most), whose in limits:
        if unit.limits.count(name, whose, window_s, unit.now) > most:
            raise LimitReached(limit=name, retry_at=window_end(unit.now, window_s))


def window_end(now: datetime, window_s: int) -> datetime:
    """When a counter of windows that long begins anew."""
    return now + timedelta(seconds=window_s - int(now.timestamp()) % window_s)
