"""Fits our markup (`<b>`, `<i>`, `<code>`, `<a href>`, escaped text) into a channel's limits without breaking it. Pure."""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_TOKEN: Final = re.compile(
    r"<(?P<end>/?)(?P<tag>[a-zA-Z][a-zA-Z0-9-]*)[^<>]*>|&(?:#\d{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z]{1,10});|.", re.DOTALL
)
_WORD: Final = 60
"""A cut goes back to the last space if it is at most so many units away; some scripts have none."""
_JOINER: Final = "\u200d"


def utf16(text: str) -> int:
    """Length as Telegram counts it: UTF-16 units."""
    return len(text) + sum(char > "\uffff" for char in text)


def plain(markup: str) -> str:
    """The text without its markup."""
    return html.unescape(re.sub(r"</?[a-zA-Z][^<>]*>", "", markup))


def visible(markup: str) -> int:
    """UTF-16 units that remain after the markup is read."""
    return utf16(plain(markup))


def fit(markup: str, limit: int) -> str:
    """At most `limit` visible units: cut between words, never inside a letter, emoji, tag or entity; an ellipsis shows it; tags are closed."""
    if len(markup) * 2 <= limit or visible(markup) <= limit:
        return markup
    pieces = _pieces(markup)
    cut, used = 0, 0
    while cut < len(pieces) and used + pieces[cut].units <= limit - 1:
        used += pieces[cut].units
        cut += 1
    cut = _word_border(pieces, cut)
    kept = pieces[:cut]
    return "".join(piece.markup for piece in kept).rstrip() + "…" + "".join(f"</{tag}>" for tag in reversed(_open_tags(kept)))


@dataclass(slots=True)
class _Piece:
    """A tag (no units), or what a reader sees as one character."""

    markup: str
    units: int
    opens: str = ""
    closes: str = ""


def _pieces(markup: str) -> list[_Piece]:
    found: list[_Piece] = []
    for token in _TOKEN.finditer(markup):
        text, tag = token.group(), token.group("tag")
        if tag:
            found.append(_Piece(text, 0, **{"closes" if token.group("end") else "opens": tag.lower()}))
            continue
        seen = html.unescape(text) if len(text) > 1 else text
        if found and found[-1].units and _belongs(found[-1].markup, seen):
            found[-1].markup += text
            found[-1].units += utf16(seen)
        else:
            found.append(_Piece(text, utf16(seen)))
    return found


def _belongs(before: str, char: str) -> bool:
    """Whether a reader sees `char` as part of what stands before it: marks, joined emoji, skin tones, the second half of a flag."""
    first = char[0]
    if first in (_JOINER, "\u20e3") or unicodedata.category(first) in {"Mn", "Me", "Mc"} or "\U0001f3fb" <= first <= "\U0001f3ff":
        return True
    return before.endswith(_JOINER) or (_is_flag_half(first) and len(before) == 1 and _is_flag_half(before))


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"


def _word_border(pieces: Sequence[_Piece], cut: int) -> int:
    used = 0
    for place in range(cut, 0, -1):
        if place < len(pieces) and pieces[place].markup.isspace():
            return place
        used += pieces[place - 1].units
        if used > _WORD:
            break
    return cut


def _open_tags(pieces: Sequence[_Piece]) -> list[str]:
    tags: list[str] = []
    for piece in pieces:
        if piece.opens:
            tags.append(piece.opens)
        elif piece.closes in tags:
            while tags.pop() != piece.closes:
                pass
    return tags
