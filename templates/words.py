"""The catalogs: `Words("sw")("order.paid", price=...)`. One TOML file a subject under `locales/<language>/`; a plural is a small table.

Values are data: they are isolated from the direction of the sentence in right-to-left languages, and escaped by `html`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from functools import cache, lru_cache
from html import escape
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_currency

from domain.money import Money

LANGUAGES: Final = ("en", "sw", "ar")
RIGHT_TO_LEFT: Final = frozenset({"ar"})
PLURALS: Final = frozenset({"zero", "one", "two", "few", "many", "other"})
_LOCALES: Final = {"en": "en_KE", "sw": "sw_KE", "ar": "ar"}
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
_MARKS: Final = dict.fromkeys(map(ord, "\u200e\u200f\u061c"))
_HERE: Final = Path(__file__).parent / "locales"


@cache
def catalog(language: str) -> Mapping[str, str | Mapping[str, str]]:
    """Every text of a language by its dotted key; a plural is a mapping of CLDR categories."""
    found: dict[str, str | Mapping[str, str]] = {}
    for path in sorted((_HERE / language).glob("*.toml")):
        _flatten(path.stem, tomllib.loads(path.read_text("utf-8")), found)
    return found


def _flatten(prefix: str, table: Mapping[str, Any], into: dict[str, str | Mapping[str, str]]) -> None:
    for name, value in table.items():
        key = f"{prefix}.{name}"
        if isinstance(value, dict) and not ("other" in value and value.keys() <= PLURALS):
            _flatten(key, value, into)
        else:
            into[key] = value


@cache
def _locale(language: str) -> Locale:
    return Locale.parse(_LOCALES[language])


class Words:
    """The words of one language, for one place in the world."""

    def __init__(self, language: str, zone: str = "Africa/Nairobi") -> None:
        self.language = str(language) if language in LANGUAGES else "en"  # a `Language` is another key to a cache than its text is
        self.zone = ZoneInfo(zone)
        self._texts = catalog(self.language)

    @property
    def direction(self) -> str:
        return "rtl" if self.language in RIGHT_TO_LEFT else "ltr"

    def has(self, key: str) -> bool:
        return key in self._texts

    def __call__(self, key: str, /, **values: Any) -> str:
        """The sentence, plain. `count` picks the plural form. A missing key raises KeyError: a test keeps the catalogs equal."""
        return self._pick(key, values).format(**{name: self._value(value) for name, value in values.items()})

    def html(self, key: str, /, **values: Any) -> str:
        """The sentence for a place that reads markup: its values are escaped, its own `<b>` and the like are kept."""
        return self._pick(key, values).format(**{name: escape(self._value(value)) for name, value in values.items()})

    def _pick(self, key: str, values: Mapping[str, Any]) -> str:
        text = self._texts[key]
        if isinstance(text, str):
            return text
        count = values.get("count", 0)
        category = "zero" if count == 0 and "zero" in text else _locale(self.language).plural_form(count)
        return text.get(category, text["other"])

    def _value(self, value: Any) -> str:
        if isinstance(value, Money):
            return self.money(value)
        if isinstance(value, datetime):
            return self.moment(value)
        text = str(value)
        return f"{_ISOLATE}{text}{_END_ISOLATE}" if self.direction == "rtl" and not isinstance(value, int) else text

    def money(self, money: Money) -> str:
        """`Ksh 2,500` or `Ksh 2,500.50`, as people there write it; cents only where there are some, and then all of them."""
        pattern = "¤ #,##0" if money.is_whole else f"¤ #,##0.{'0' * money.exponent}"
        major = format_currency(_decimal(money), money.currency, pattern, locale=_locale(self.language), currency_digits=False)
        text = major.translate(_MARKS).replace("\u00a0", " ").strip()
        return f"{_ISOLATE}{text}{_END_ISOLATE}" if self.direction == "rtl" else text

    def moment(self, instant: datetime) -> str:
        """Day and time in the reader's zone: `21 Nov, 10:21`."""
        return f"{self.day(instant)}{'،' if self.language == 'ar' else ','} {self.clock(instant)}"

    def day(self, instant: datetime) -> str:
        return str(format_date(instant.astimezone(self.zone), "d MMM", locale=_locale(self.language)))

    def clock(self, instant: datetime) -> str:
        return str(format_time(instant, "HH:mm", tzinfo=self.zone, locale=_locale(self.language)))

    def full(self, instant: datetime) -> str:
        return str(format_datetime(instant, "d MMMM y, HH:mm", tzinfo=self.zone, locale=_locale(self.language)))


def _decimal(money: Money) -> Decimal:
    return Decimal(money.major)


@lru_cache(maxsize=16)
def words(language: str) -> Words:
    """The shared words of a language (they keep no state)."""
    return Words(language)
