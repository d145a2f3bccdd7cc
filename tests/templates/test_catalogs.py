"""The catalogs say the same in every language, and `Words` writes money, names, plurals and times as people there do."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from string import Formatter
from typing import Any, Final

import pytest
from babel import Locale

from domain.money import Money
from templates import words as room
from templates.words import LANGUAGES, RIGHT_TO_LEFT, Words, catalog

LOCALES: Final = Path(room.__file__).parent / "locales"
FILES: Final = sorted(path.name for path in (LOCALES / "en").glob("*.toml"))
OTHERS: Final = [language for language in LANGUAGES if language != "en"]
CATEGORIES: Final = {"en": {"one", "other"}, "sw": {"one", "other"}, "ar": {"zero", "one", "two", "few", "many", "other"}}
ANY_CATEGORY: Final = frozenset({"zero", "one", "two", "few", "many", "other"})
SAY_THE_NUMBER_IN_WORDS: Final = frozenset({"zero", "one", "two"})
COUNTS: Final = (0, 1, 2, 3, 10, 11, 99, 100, 101, 102, 103)
NOON: Final = datetime(2025, 11, 21, 9, 0, tzinfo=UTC)
DUMMIES: Final[dict[str, Any]] = {
    **dict.fromkeys(("total", "price", "revenue", "net"), Money(250_050, "KES")),
    "when": NOON,
    "retry_at": NOON,
}
TAG: Final = re.compile(r"<(/?)([a-z]+)>")
ISOLATED: Final = re.compile("[\u2066-\u2068][^\u2069]*\u2069|\\{\\w+\\}|</?[a-z]+>")
SEVERAL_LANGUAGES: Final = {"chat.start.language"}
"""A text that speaks to somebody whose language we do not know yet."""

Text = str | dict[str, str]


def leaves(prefix: str, table: dict[str, Any]) -> Iterator[tuple[str, Text]]:
    """Every text with its dotted key. A plural is a table of CLDR categories only; `[reason]` also has an `other`, and is none."""
    for name, value in table.items():
        plural = isinstance(value, dict) and "other" in value and value.keys() <= ANY_CATEGORY
        if isinstance(value, dict) and not plural:
            yield from leaves(f"{prefix}.{name}", value)
        else:
            yield f"{prefix}.{name}", value


def texts(language: str, file: str) -> dict[str, Text]:
    path = LOCALES / language / file
    assert path.exists(), f"{language}/{file} is not written yet"
    return dict(leaves(path.stem, tomllib.loads(path.read_text("utf-8"))))


def forms(text: Text) -> dict[str, str]:
    return {"": text} if isinstance(text, str) else text


def reference(english: Text, form: str) -> str:
    """The English form that a form of another language is compared with."""
    return english if isinstance(english, str) else english.get(form, english["other"])


def names_in(text: str) -> set[str]:
    found = set()
    for _, name, spec, conversion in Formatter().parse(text):
        if name is not None:
            assert name.isidentifier() and not spec and not conversion, f"a placeholder is a plain name: {text!r}"
            found.add(name)
    return found


def tags_in(text: str) -> list[str]:
    """The markup opened in a text; each is one of ours, and closed in order."""
    opened: list[str] = []
    standing: list[str] = []
    for closing, tag in TAG.findall(text):
        assert tag in {"b", "i", "code"}, text
        if closing:
            assert standing and standing.pop() == tag, f"closed, but not open: {text!r}"
        else:
            opened.append(tag)
            standing.append(tag)
    assert not standing, f"left open: {text!r}"
    assert "<" not in TAG.sub("", text) and ">" not in TAG.sub("", text), text
    return sorted(opened)


def pictures_in(text: str) -> list[str]:
    return [char for char in text if unicodedata.category(char) == "So"]


def pairs(language: str, file: str) -> Iterator[tuple[str, str, str, str]]:
    """(key, form, the text, the English of it) for every key that both have."""
    english = texts("en", file)
    for key, text in texts(language, file).items():
        if key in english:
            for form, said in forms(text).items():
                yield key, form, said, reference(english[key], form)


# --- the catalogs ----------------------------------------------------------------------------------------------------


def test_no_language_has_a_file_that_english_has_not() -> None:
    for language in OTHERS:
        assert {path.name for path in (LOCALES / language).glob("*.toml")} <= set(FILES)


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", OTHERS)
def test_the_same_keys(language: str, file: str) -> None:
    english, other = texts("en", file), texts(language, file)
    assert (sorted(english.keys() - other.keys()), sorted(other.keys() - english.keys())) == ([], []), "(missing, too many)"
    assert [key for key in english if isinstance(english[key], str) is not isinstance(other[key], str)] == [], "plural in one only"


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_plurals_have_exactly_the_forms_of_the_language(language: str, file: str) -> None:
    """A `zero` may be added where English has one: it says that there is nothing yet."""
    english, wrong = texts("en", file), []
    for key, text in texts(language, file).items():
        if isinstance(text, dict):
            spoken = english.get(key)
            wanted = CATEGORIES[language] | ({"zero"} if isinstance(spoken, dict) and "zero" in spoken else set())
            wrong += [key] if set(text) != wanted else []
    assert wrong == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_forms_are_those_of_cldr(language: str) -> None:
    assert Locale.parse(language).plural_form.tags | {"other"} == CATEGORIES[language]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_placeholders(language: str, file: str) -> None:
    """`count` may be left out where the form itself says the number."""
    wrong = []
    for key, form, said, english in pairs(language, file):
        optional = {"count"} if form in SAY_THE_NUMBER_IN_WORDS else set()
        if names_in(said) - optional != names_in(english) - optional:
            wrong.append((key, form, sorted(names_in(said) ^ names_in(english))))
    assert wrong == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_the_same_markup_and_pictures(language: str, file: str) -> None:
    wrong = []
    for key, form, said, english in pairs(language, file):
        if form != "zero" and (tags_in(said), pictures_in(said)) != (tags_in(english), pictures_in(english)):
            wrong.append((key, form))
    assert wrong == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_is_empty_or_has_stray_spaces(language: str, file: str) -> None:
    said = [(key, text) for key, found in texts(language, file).items() for text in forms(found).values()]
    assert [key for key, text in said if not text.strip() or text.endswith(" ") or " \n" in text or text.startswith(" ")] == []


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_every_text_can_be_said(language: str, file: str) -> None:
    """Through `Words`, as the house says it, with every kind of number."""
    spoken, wrong = Words(language), []
    for key, text in texts(language, file).items():
        names = {name for form in forms(text).values() for name in names_in(form)}
        values = {name: DUMMIES.get(name, f"<{name}&>") for name in names}
        for count in COUNTS if isinstance(text, dict) else COUNTS[:1]:
            try:
                plain, marked = (say(key, **{**values, "count": count}) for say in (spoken, spoken.html))
            except KeyError as missing:
                wrong.append(f"{key}: {missing!r}")
                break
            if "{" in plain + marked or any(f"<{name}&>" in marked for name in names - {"count"}):
                wrong.append(f"{key}: {marked}")
    assert wrong == []


@pytest.mark.parametrize("language", sorted(RIGHT_TO_LEFT))
def test_lines_of_a_chat_begin_in_the_direction_of_the_language(language: str) -> None:
    """A chat gives each line the direction of its first letter, so a line may not begin with a Latin word (or have only values)."""
    wrong = []
    for key, text in texts(language, "chat.toml").items():
        for line in (line for said in forms(text).values() for line in said.split("\n")):
            bare = ISOLATED.sub("", line)
            first = next((char for char in bare if unicodedata.bidirectional(char) in {"L", "R", "AL"}), "")
            only_a_value = not bare.strip(" :") or (not first and not ISOLATED.search(line))
            if key not in SEVERAL_LANGUAGES and not only_a_value and (not first or unicodedata.bidirectional(first) == "L"):
                wrong.append((key, line))
    assert wrong == []


@pytest.mark.parametrize("language", sorted(RIGHT_TO_LEFT))
@pytest.mark.parametrize("file", FILES)
def test_what_reads_from_the_left_is_isolated(language: str, file: str) -> None:
    """Commands, phone numbers and signs before a number would be turned around in a sentence from the right."""
    turned = re.compile(r"/[a-z]{2,}|\d \d|[+-]\{|\}%|[A-Z]-(?![A-Za-z0-9])")
    said = [(key, text) for key, found in texts(language, file).items() for text in forms(found).values()]
    outside = [(key, re.sub("</?[a-z]+>|[\u2066-\u2068][^\u2069]*\u2069", " ", text)) for key, text in said]
    assert [key for key, text in outside if turned.search(text)] == []
    assert [key for key, text in said if sum(map(text.count, "\u2066\u2067\u2068")) != text.count("\u2069")] == []


# --- words -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "minor, currency, latin, arabic",
    [
        (250_000, "KES", "Ksh 2,500", "KES 2,500"),
        (250_050, "KES", "Ksh 2,500.50", "KES 2,500.50"),
        (100_000_000, "KES", "Ksh 1,000,000", "KES 1,000,000"),
        (12_000, "UGX", "UGX 12,000", "UGX 12,000"),
        (12_000, "KWD", "KWD 12", "د.ك. 12"),
        (12_500, "KWD", "KWD 12.500", "د.ك. 12.500"),
        (10_000, "SAR", "SAR 100", "ر.س. 100"),
        (9_950, "SAR", "SAR 99.50", "ر.س. 99.50"),
    ],
)
def test_money(minor: int, currency: str, latin: str, arabic: str) -> None:
    money = Money(minor, currency)
    assert (Words("en").money(money), Words("sw").money(money)) == (latin, latin)
    assert Words("ar").money(money) == f"\u2068{arabic}\u2069"


def test_money_in_a_sentence_is_written_once() -> None:
    total = Money(250_050, "KES")
    assert Words("sw").html("chat.wallet.available", total=total) == "Zinazopatikana: <b>Ksh 2,500.50</b>"
    assert Words("ar").html("chat.wallet.available", total=total) == "المتاح: <b>\u2068KES 2,500.50\u2069</b>"


def test_values_are_isolated_where_the_sentence_runs_from_the_right() -> None:
    values = {"shop": "Mama Njeri"}
    assert Words("ar")("chat.card.shop", **values) == "البائع: \u2068Mama Njeri\u2069"
    assert Words("sw")("chat.card.shop", **values) == "Inauzwa na Mama Njeri"
    assert "\u2068" not in Words("ar")("chat.sell.photo_count", count=7), "a bare number needs no walls"
    assert [Words(language).direction for language in LANGUAGES] == ["ltr", "ltr", "rtl"]


def test_values_are_escaped_for_markup_and_only_there() -> None:
    rude = "<b>A</b> & \"B\" 'C'"
    escaped = "&lt;b&gt;A&lt;/b&gt; &amp; &quot;B&quot; &#x27;C&#x27;"
    assert Words("en").html("chat.buy.sold_by", shop=rude) == f"Sold by <b>{escaped}</b>"
    assert Words("ar").html("chat.buy.sold_by", shop=rude) == f"البائع: <b>\u2068{escaped}\u2069</b>"
    assert Words("en")("chat.value", value=rude) == rude
    assert Words("en")("chat.value", value="{total} {0}") == "{total} {0}", "what people write is never a pattern"


@pytest.mark.parametrize(
    "language, count, form",
    [
        *(("en", count, "one" if count == 1 else "other") for count in (0, 1, 2, 11)),
        *(("sw", count, "one" if count == 1 else "other") for count in (0, 1, 2, 11)),
        *(
            ("ar", count, form)
            for count, form in ((0, "zero"), (1, "one"), (2, "two"), (3, "few"), (10, "few"), (11, "many"), (99, "many"))
        ),
        *(("ar", count, form) for count, form in ((100, "other"), (101, "other"), (102, "other"), (103, "few"))),
    ],
)
def test_the_number_picks_the_form(language: str, count: int, form: str) -> None:
    found = catalog(language)["chat.home.to_ship"]
    assert not isinstance(found, str)
    assert Words(language)("chat.home.to_ship", count=count) == found[form].format(count=count)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_yet_has_a_sentence_of_its_own_where_one_is_written(language: str) -> None:
    found = catalog(language)["chat.order.problem_photos"]
    assert not isinstance(found, str)
    assert Words(language)("chat.order.problem_photos", count=0) == found["zero"]
    assert Words(language)("chat.order.problem_photos", count=1) == found["one"].format(count=1)


def test_moments_are_those_of_the_reader() -> None:
    midnight = datetime(2026, 1, 31, 21, 30, tzinfo=UTC)
    assert [Words(language).moment(midnight) for language in ("en", "sw")] == ["1 Feb, 00:30", "1 Feb, 00:30"]
    assert "فبراير" in Words("ar").moment(midnight) and "00:30" in Words("ar").moment(midnight)
    assert Words("en", "Asia/Dubai").moment(midnight) == "1 Feb, 01:30"
    assert Words("en", "UTC").moment(midnight) == "31 Jan, 21:30"
    assert Words("sw").full(midnight) == "1 Februari 2026, 00:30"
    assert Words("en")("chat.next.release_seller", total=Money(100, "KES"), when=midnight).endswith("on 1 Feb, 00:30.")


def test_an_unknown_language_is_english_and_an_unknown_text_is_an_error() -> None:
    assert Words("fr").language == "en"
    assert Words("en").has("chat.help") and not Words("en").has("chat.nothing")
    with pytest.raises(KeyError):
        Words("en")("chat.nothing")
