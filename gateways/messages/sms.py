"""A message as the plain words of an SMS: no markup, no pictures; of the buttons only the addresses. Pure."""

from __future__ import annotations

from typing import Final

from domain import gsm
from domain.ports import Message
from gateways.messages import markup

MOST_SEGMENTS: Final = 4


def words_of(message: Message, most_segments: int = MOST_SEGMENTS) -> str:
    """At most so many segments; where it is too long the words are cut, and addresses stay whole as long as they fit at all."""
    spelt = _as_written if message.own_letters else gsm.plain
    body = markup.plain(message.text).strip()
    lines = [f"{button.text}: {button.url}" for row in message.buttons for button in row if button.url and button.url not in body]
    whole = spelt("\n".join([*([body] if body else []), *lines]))
    limit = _room(whole, most_segments)
    if gsm.units(whole) <= limit:
        return whole
    tail = "".join(f"\n{spelt(line)}" for line in lines)
    body = spelt(body)
    limit = _room(body + tail, most_segments)
    room = limit - _width(tail, narrow=gsm.gsm7(body + tail))
    return gsm.cut(body, room) + tail if room > 0 else gsm.cut(whole, limit)


def _as_written(text: str) -> str:
    return text


def _room(text: str, segments: int) -> int:
    """Units that fit for certain: each part may lose one before a letter that weighs two."""
    one, part = (160, 152) if gsm.gsm7(text) else (70, 66)
    return one if segments <= 1 else part * segments


def _width(text: str, *, narrow: bool) -> int:
    return gsm.units(text) if narrow else markup.utf16(text)
