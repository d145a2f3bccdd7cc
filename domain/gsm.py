"""How a text weighs and reads on a phone: the GSM 7 bit default alphabet and its extension table.

Source: 3GPP TS 23.038, 6.2.1 (alphabet, extension table); TS 23.040, 9.2.3.24.1 (a part of a longer message carries 153 septets or 67 UCS-2
characters beside its header).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Final

ALPHABET: Final = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""One septet each."""
EXTENSION: Final = frozenset("\f^{}\\[~]|€")
"""Two septets each: an escape and a character, which stay together."""
_READABLE: Final = ALPHABET | EXTENSION
_ONE_7, _PART_7, _ONE_16, _PART_16 = 160, 153, 70, 67
_DOTS: Final = ".."
_JOINER: Final = "\u200d"
_BIDI: Final = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_DROPPED, _STRANGE = "\0", "\1"
_TIDY: Final = re.compile(r"( *)\0[\0 ]*(.?)")
_NAMELESS: Final = re.compile("\1(?:[\1 ]*\1)?")
_SYMBOLS: Final = frozenset({"So", "Sk", "Cc", "Cn", "Co", "Cs"})


def _table(*rows: tuple[str, str]) -> dict[str, str]:
    return {char: read for chars, read in rows for char in chars}


_READ: Final = _table(
    ("\u2018\u2019\u201a\u201b\u2032\u2039\u203a\u02b9\u02bb\u02bc\u02c8`\u00b4", "'"),
    ("\u201c\u201d\u201e\u201f\u2033\u00ab\u00bb", '"'),
    ("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\u00b7\u2022\u2023\u2043\u25aa\u25cf\u25e6\u2219\u30fb", "-"),
    ("\u2026", "..."),
    ("\u2192\u2794\u279c\u279d\u279e\u27a1\u27f6", "->"),
    ("\u2190\u27f5\u2b05", "<-"),
    ("\u2194", "<->"),
    ("\u21d2", "=>"),
    ("\u00d7\u2715\u2716", "x"),
    ("\u00f7\u2044\u2215", "/"),
    ("\u2028\u2029\u0085", "\n"),
    ("\t\v", " "),
    ("\u060c\u066c\u3001", ","),
    ("\u061b", ";"),
    ("\u061f", "?"),
    ("\u066b\u06d4\u3002", "."),
    ("\u066a", "%"),
    ("\u00a9", "(c)"),
    ("\u00ae", "(R)"),
    ("ı", "i"),
    ("ł", "l"),
    ("Ł", "L"),
    ("đð", "d"),
    ("ĐÐ", "D"),
    ("œ", "oe"),
    ("Œ", "OE"),
    ("þ", "th"),
    ("Þ", "Th"),
    ("ħ", "h"),
    ("Ħ", "H"),
    ("ŋ", "ng"),
    ("Ŋ", "Ng"),
)


def gsm7(text: str) -> bool:
    """Whether all of it fits the alphabet."""
    return _READABLE.issuperset(text)


def units(text: str) -> int:
    """Septets when all of it fits the alphabet, else UTF-16 units."""
    if not gsm7(text):
        return len(text.encode("utf-16-le", "surrogatepass")) // 2
    return len(text) if EXTENSION.isdisjoint(text) else sum(_weights(text, narrow=True))


def segments(text: str) -> int:
    """Messages an operator sends (and charges) for it. What weighs two units never lies in two of them."""
    narrow = gsm7(text)
    weights = _weights(text, narrow)
    one, part = (_ONE_7, _PART_7) if narrow else (_ONE_16, _PART_16)
    if sum(weights) <= one:
        return 1
    count, used = 1, 0
    for weight in weights:
        if used + weight > part:
            count, used = count + 1, 0
        used += weight
    return count


def _weights(text: str, narrow: bool) -> list[int]:
    return [2 if (char in EXTENSION if narrow else char > "\uffff") else 1 for char in text]


def plain(text: str) -> str:
    """The best reading within the alphabet; pictures go with a space beside them, words in another script become one `?`.

    A text of which half the words or more are in another script is left as it is, but for the marks of direction.
    """
    text = unicodedata.normalize("NFC", _BIDI.sub("", text))
    if gsm7(text):
        return text
    words = [letters for word in text.split() if (letters := [_read(char) for char in word if char.isalpha()])]
    strange = sum(_STRANGE in letters for letters in words)
    if strange and strange * 2 >= len(words):
        return text
    return _NAMELESS.sub("?", _TIDY.sub(_tidied, "".join(map(_read, text))))


def _read(char: str) -> str:
    if char in _READABLE:
        return char
    if char in _READ:
        return _READ[char]
    parts = [_READ.get(part, part) for part in unicodedata.normalize("NFKD", char) if unicodedata.category(part)[0] != "M"]
    kind = unicodedata.category(char)
    if gsm7("".join(parts)):
        return "".join(parts)
    if kind == "Nd":
        return str(unicodedata.digit(char))
    if kind == "Cf":
        return ""
    return _DROPPED if kind in _SYMBOLS else _STRANGE


def _tidied(found: re.Match[str]) -> str:
    """What stands in the place of dropped pictures: nothing at the ends of a line and before a stop, else the space that was there."""
    before, after = found.groups()
    at_start = found.start() == 0 or found.string[found.start() - 1] == "\n"
    if at_start or not after or after in ".,:;!?)":
        return str(after)
    spaced = bool(before) or found.group()[: -len(after)].endswith(" ")
    return (" " if spaced else "") + after


def cut(text: str, limit: int) -> str:
    """At most `limit` units, whichever alphabet the result is in: cut between letters as a reader sees them; two dots show it."""
    if units(text) <= limit:
        return text
    letters = graphemes(text)
    used = accumulate(max(units(letter), sum(_weights(letter, narrow=False))) for letter in letters)
    kept = [letter for letter, upto in zip(letters, used, strict=True) if upto <= limit - len(_DOTS)]
    return "".join(kept).rstrip() + _DOTS[: max(limit, 0)]


def graphemes(text: str) -> Sequence[str]:
    """What a reader sees as one letter each: with its marks, joined pictures, skin tones, both halves of a flag."""
    found: list[str] = list(text[:1])
    for before, char in pairwise(text):
        if _belongs(found[-1], before, char):
            found[-1] += char
        else:
            found.append(char)
    return found


def _belongs(letter: str, before: str, char: str) -> bool:
    if _JOINER in (before, char) or before + char == "\r\n":
        return True
    if unicodedata.category(char)[0] == "M" or "\U0001f3fb" <= char <= "\U0001f3ff" or "\U000e0020" <= char <= "\U000e007f":
        return True
    return len(letter) == 1 and _is_flag_half(before) and _is_flag_half(char)


def _is_flag_half(char: str) -> bool:
    return "\U0001f1e6" <= char <= "\U0001f1ff"
