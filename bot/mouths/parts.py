"""An answer as text messages: at most two segments each, cut between lines, then between words, and numbered through like the pages of USSD."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.mouths.pages import Keys, without_markup, without_signs
from domain.gsm import cut, gsm7, plain, segments, units

MOST_SEGMENTS: Final = 2
_ROOM: Final = {True: 290, False: 120}
"""Units a single word may have, whether the alphabet is GSM-7 or not, beside the keys."""


def sayable(text: str, *, own_letters: bool = False) -> str:
    """As a phone without pictures reads it: in the small alphabet where that can be, so that it costs less, unless its own letters are wanted."""
    shown = without_markup(text)
    small = shown if own_letters or gsm7(shown) else plain(shown)
    return small if gsm7(small) else without_signs(shown)


def parts(text: str, choices: Sequence[str], keys: Keys) -> list[str]:
    """At least one; each fits."""
    lines = [line for line in (*text.split("\n"), *choices) if line.strip()]
    whole = _joined(*lines, keys.leave)
    if _fits(whole):
        return [whole]
    waiting = [piece for line in lines for piece in _pieces(line, keys)]
    made: list[str] = []
    body: list[str] = []
    while waiting:
        if _fits(_joined(*body, *waiting, keys.leave)):
            return [*made, _joined(*body, *waiting, keys.leave)]
        if body and not _fits(_joined(*body, waiting[0], keys.onward, keys.leave)):
            made.append(_joined(*body, keys.onward, keys.leave))
            body = []
            continue
        body.append(waiting.pop(0))
    return [*made, _joined(*body, keys.leave)]


def _fits(text: str) -> bool:
    return segments(text) <= MOST_SEGMENTS


def _joined(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _pieces(line: str, keys: Keys) -> list[str]:
    """A line in pieces that each fit beside the keys."""
    found, now = [], ""
    for word in line.split(" "):
        longer = f"{now} {word}" if now else word
        if _fits(_joined(longer, keys.onward, keys.leave)):
            now = longer
            continue
        found += [now] if now else []
        whole = _joined(word, keys.onward, keys.leave)
        now = word if _fits(whole) else cut(word, min(units(word), _ROOM[gsm7(whole)]) - units(keys.onward + keys.leave))
    return [*found, now]
