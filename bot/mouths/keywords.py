"""The words of SMS: one for each common action, in English, Swahili and Arabic, and what came with it. Pure.

Case, spaces, punctuation, digits of any script, and the dashes and `#` of a number are forgiven. A word counts only with what belongs to it, so
that `Ship model 900` stays the name of a product; whatever is not understood here is an answer to what was asked last.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from domain.by_hand import looks_pasted, read_pasted
from domain.errors import BadInput
from domain.ids import DELIVERY_CODE_DIGITS, ORDER_NUMBER_DIGITS, read_link_code
from domain.order import Reason
from domain.person import Language


class Word(StrEnum):
    SELL = "sell"
    LINKS = "links"
    ORDERS = "orders"
    WALLET = "wallet"
    WITHDRAW = "withdraw"
    ACCEPT = "accept"
    REFUND = "refund"
    SHIP = "ship"
    DELIVERED = "delivered"
    BUY = "buy"
    TRACK = "track"
    CHECK = "check"
    PAID = "paid"
    YES = "yes"
    PROBLEM = "problem"
    CANCEL = "cancel"
    HELP = "help"
    MENU = "menu"
    LANGUAGE = "language"


WORDS: Final[dict[Word, tuple[str, str, str]]] = {
    Word.SELL: ("sell", "uza", "بيع"),
    Word.LINKS: ("links link", "linki viungo", "روابط روابطي"),
    Word.ORDERS: ("orders order", "oda maagizo", "طلبات طلباتي"),
    Word.WALLET: ("bal balance wallet", "salio", "رصيد رصيدي"),
    Word.WITHDRAW: ("withdraw", "toa", "سحب"),
    Word.ACCEPT: ("accept", "kubali", "قبول"),
    Word.REFUND: ("refund", "rudisha", "استرداد ارجاع"),
    Word.SHIP: ("ship shipped send sent", "tuma nimetuma", "شحن ارسال"),
    Word.DELIVERED: ("delivered", "imefika", "وصل تسليم"),
    Word.BUY: ("buy", "nunua", "شراء اشتري"),
    Word.TRACK: ("track", "fuatilia", "تتبع"),
    Word.CHECK: ("check", "angalia kagua", "تحقق فحص"),
    Word.PAID: ("paid", "nimelipa", "دفعت"),
    Word.YES: ("yes ok okay confirm", "ndiyo ndio sawa thibitisha", "نعم تاكيد"),
    Word.PROBLEM: ("problem", "shida tatizo", "مشكلة مشكله"),
    Word.CANCEL: ("cancel", "ghairi futa", "الغاء"),
    Word.HELP: ("help", "msaada", "مساعدة مساعده"),
    Word.MENU: ("menu", "menyu", "قائمة قائمه"),
    Word.LANGUAGE: ("language", "lugha", "لغة لغه"),
}
"""English, Swahili, Arabic (without hamza on an alef and without the article, which are forgiven)."""

_REASONS: Final = (
    (Reason.NOT_AS_DESCRIBED, ("described", "wrong", "different", "tofauti", "sio", "siyo", "مختلف")),
    (Reason.NOT_ARRIVED, ("arrive", "arrived", "haijafika", "haikufika", "يصل", "تصل")),
    (Reason.BROKEN, ("broken", "broke", "torn", "damaged", "imevunjika", "imeharibika", "mbovu", "مكسور", "مكسورة", "تالف")),
)
_ALONE: Final = frozenset({Word.LINKS, Word.ORDERS, Word.WALLET, Word.HELP, Word.MENU, Word.LANGUAGE})
_OF_AN_ORDER: Final = frozenset({Word.ACCEPT, Word.REFUND, Word.DELIVERED, Word.TRACK, Word.CANCEL})
_BETWEEN: Final = " \t\r\n.,:;!?*#/\\-_()[]\"'،؛؟\u2010\u2011\u2012\u2013\u2014\u2015\u2212"
LEAST_DIGITS: Final = 4
"""An order may be named by so many of its last digits."""


@dataclass(frozen=True, slots=True)
class Spoken:
    """A word with what came after it: the `digits` of an order and the words that follow them, in `rest` the code of a link, or for SELL, CHECK and PAID everything."""

    word: Word
    language: Language
    digits: str = ""
    rest: str = ""
    groups: tuple[str, ...] = ()
    """For YES: the digits as they were spaced."""


@dataclass(frozen=True, slots=True)
class Reading:
    """One way to read `YES 739 216 4821`: the delivery code, and which order."""

    code: str
    order: str


def bare(text: str) -> str:
    """Letters alone, without case, marks, hamza or the width of a keyboard."""
    return "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if char.isalpha() and char != "\u0640")


_KNOWN: Final[dict[str, tuple[Word, Language]]] = {
    bare(spelling): (word, language)
    for word, spellings in WORDS.items()
    for language, together in zip(Language, spellings, strict=True)
    for spelling in together.split()
}
_HEAD: Final = re.compile(r"[^\W\d_][^\W\d]*")


def read_keys(text: str) -> str:
    """What was pressed where numbers are offered: `1`, ` 1. `, `#1`, `١`. Empty when it is anything else."""
    typed = _tidy(text)
    return "".join(str(int(char)) for char in typed) if typed.isdecimal() and len(typed) <= 2 else ""


def read_spoken(text: str) -> Spoken | None:
    """None for what is no word of ours, or has something with it that does not belong there."""
    if looks_pasted(text):
        return Spoken(Word.PAID, Language.SW if "thibitish" in text.casefold() else Language.EN, rest=text)
    said = _tidy(text)
    head = _HEAD.match(unicodedata.normalize("NFKC", said))
    known = _known(bare(head.group())) if head is not None else None
    if head is None or known is None:
        return None
    (word, language), rest = known, unicodedata.normalize("NFKC", said)[head.end() :].strip(_BETWEEN)
    if word is Word.SELL:
        return Spoken(word, language, rest=_after_head(said))
    if not rest:
        return Spoken(word, language)
    if word is Word.BUY:
        code = read_link_code(rest)
        return Spoken(word, language, rest=code) if code is not None else None
    if word is Word.CHECK:
        return Spoken(word, language, rest=rest) if any(char.isdecimal() for char in rest) else None
    if word is Word.PAID:
        return Spoken(word, language, rest=rest) if _holds_receipt(rest) else None
    if word in _ALONE:
        return None
    groups, words = _numbers(rest)
    if word is Word.YES:
        return Spoken(word, language, groups=groups) if groups and not words else None
    digits, left = _order_in(groups)
    after = " ".join([*left, words]).strip()
    if not digits or (after and word in _OF_AN_ORDER) or (after and len(digits) < LEAST_DIGITS):
        return None
    return Spoken(word, language, digits, after)


def readings(groups: tuple[str, ...]) -> list[Reading]:
    """Every way in which digits with spaces between them hold a delivery code, alone or beside an order's last digits; code first."""
    found = []
    for cut in range(len(groups) + 1):
        first, last = "".join(groups[:cut]), "".join(groups[cut:])
        for code, order in ((first, last), (last, first)):
            reading = Reading(code, order)
            if (
                len(code) == DELIVERY_CODE_DIGITS
                and (not order or LEAST_DIGITS <= len(order) <= ORDER_NUMBER_DIGITS)
                and reading not in found
            ):
                found.append(reading)
    return found


def reason_in(words: str) -> Reason:
    """What is wrong, as the words that came with PROBLEM have it."""
    said = {bare(word) for word in words.split()}
    return next((reason for reason, marks in _REASONS if said & {bare(mark) for mark in marks}), Reason.OTHER)


def _known(head: str) -> tuple[Word, Language] | None:
    return _KNOWN.get(head) or _KNOWN.get(head.removeprefix("ال"))


def _holds_receipt(text: str) -> bool:
    try:
        read_pasted(text)
    except BadInput:
        return False
    return True


def _tidy(text: str) -> str:
    """Without marks nobody sees and without what stands around it."""
    return "".join(char for char in text if unicodedata.category(char) != "Cf").strip(_BETWEEN)


def _after_head(said: str) -> str:
    """The words as they were written; only the first is ours."""
    head = _HEAD.match(said)
    return said[head.end() if head is not None else 0 :].strip(_BETWEEN)


def _numbers(rest: str) -> tuple[tuple[str, ...], str]:
    """The groups of digits at the beginning, in our own digits, and the words after them as they were written."""
    found = re.match(rf"(?:[\d{re.escape(_BETWEEN)}]*\d)?(?!\w)", rest)
    end = found.end() if found is not None else 0
    groups = re.findall(r"\d+", rest[:end])
    return tuple("".join(str(int(char)) for char in group) for group in groups), rest[end:].strip(_BETWEEN)


def _order_in(groups: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The digits of an order, and those that are not part of it: `4821 9377` is one whole number, `4821 2` is an order and something else."""
    for count in range(len(groups), 0, -1):
        if len("".join(groups[:count])) == ORDER_NUMBER_DIGITS:
            return "".join(groups[:count]), groups[count:]
    if groups and len(groups[0]) >= LEAST_DIGITS:
        return groups[0], groups[1:]
    return "".join(groups), ()
