"""A screen on a feature phone: text and numbered choices cut into pages that fit, never inside a word where that can be helped.

The same keys everywhere: `0` back, `00` home, `98` more. Choices are numbered through all pages, so that a number seen once stays right.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from html import unescape
from typing import Final

from bot.dialog import Choice, Screen
from domain.gsm import cut, gsm7, units

BACK: Final = "0"
HOME: Final = "00"
MORE: Final = "98"
MOST: Final = 160
MOST_WIDE: Final = 70
FIRST_BESIDE_NUMBERS: Final = 91
"""Where a number may be typed as an answer, choices are counted from here."""


_TAG: Final = re.compile(r"</?[a-z]+>")


def without_markup(text: str) -> str:
    """The words' own small tags taken out, and escaped values as they were."""
    return unescape(_TAG.sub("", text))


def without_signs(text: str) -> str:
    """Letters, digits and punctuation only: a phone with keys has neither pictures among its letters nor marks of direction."""
    kept = "".join(char for char in text if unicodedata.category(char) not in {"So", "Sk", "Cf", "Mn"})
    return "\n".join(" ".join(line.split()) for line in kept.split("\n"))


@dataclass(frozen=True, slots=True)
class Keys:
    """The words beside the keys, such as `0.Back 00.Home`. Empty where there is nowhere to go."""

    onward: str
    leave: str


def menu_of(screen: Screen, left_out: Collection[str]) -> dict[str, Choice]:
    """The choices by what is pressed. Numbers that are offered as buttons elsewhere are simply typed."""
    choices = [choice for row in screen.rows for choice in row if choice.key and choice.key not in left_out]
    left = [choice for choice in choices if not (choice.text.isdecimal() and choice.key == f"n{choice.text}")]
    first = FIRST_BESIDE_NUMBERS if screen.numbers else 1
    return {str(first + n): choice for n, choice in enumerate(left)}


def limit_of(text: str) -> int:
    """A screen of 160 septets, or of 70 letters where GSM-7 lacks one; `CON ` counts too, as nobody documents whether it does."""
    return MOST - 4 if gsm7(text) else MOST_WIDE - 4


def pages(text: str, choices: Sequence[str], keys: Keys) -> list[str]:
    """At least one page, each of which fits."""
    limit = limit_of("\n".join([text, *choices, keys.onward, keys.leave]))
    lines = [line for line in text.split("\n") if line.strip()] + list(choices)
    whole = _joined([*lines, keys.leave])
    if units(whole) <= limit:
        return [whole]
    parts = [part for line in lines for part in _parts(line, limit - _room(keys.onward, keys.leave))]
    weights = [units(part) + 1 for part in parts]
    made, first, used, left = [], 0, -1, sum(weights) - 1
    for at, weight in enumerate(weights):
        if used + 1 + left + _room(keys.leave) <= limit:
            break
        if at > first and used + weight + _room(keys.onward, keys.leave) > limit:
            made.append(_joined([*parts[first:at], keys.onward, keys.leave]))
            first, used = at, -1
        used, left = used + weight, left - weight
    return [*made, _joined([*parts[first:], keys.leave])]


def _room(*keys: str) -> int:
    """What the keys take at the foot of a page, with the ends of the lines before them."""
    return sum(units(key) + 1 for key in keys if key)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(line for line in lines if line)


def _parts(line: str, limit: int) -> list[str]:
    """A line in pieces that each fit on a page, cut between words; a word that is longer than a page is cut."""
    if units(line) <= limit:
        return [line]
    parts, now = [], ""
    for word in line.split(" "):
        longer = f"{now} {word}" if now else word
        if units(longer) <= limit:
            now = longer
            continue
        if now:
            parts.append(now)
        now = word if units(word) <= limit else cut(word, limit)
    return [*parts, now]
