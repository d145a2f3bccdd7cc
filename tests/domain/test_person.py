"""Names and words as data, and the language somebody is spoken to in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from domain.errors import BadInput
from domain.ids import PersonId
from domain.person import Channel, ChannelKind, ChannelState, Language, clean_name, clean_text, cooling_until, language_of


@pytest.mark.parametrize(
    "tag,language",
    [
        ("en", "en"),
        ("sw", "sw"),
        ("sw-KE", "sw"),
        ("SW_tz", "sw"),
        ("ar", "ar"),
        ("ar-SA", "ar"),
        ("fr", "en"),
        ("swahili", "en"),
        ("", "en"),
        ("-", "en"),
        (None, "en"),
    ],
)
def test_everybody_is_spoken_to_in_the_nearest_language(tag: str | None, language: str) -> None:
    assert language_of(tag) is Language(language)


@pytest.mark.parametrize(
    "typed,name",
    [
        ("Njeri", "Njeri"),
        ("  Njeri \n Wambui\t", "Njeri Wambui"),
        ("Nje\x00ri", "Nje ri"),
        ("\u202eNjeri\u202c", "Njeri"),
        ("نجيري", "نجيري"),
        ("<b>Njeri</b>", "<b>Njeri</b>"),
        ("x" * 64, "x" * 64),
        (" " * 500 + "x", "x"),
    ],
)
def test_a_name_is_one_line_without_what_cannot_be_seen(typed: str, name: str) -> None:
    assert clean_name(typed) == name


@pytest.mark.parametrize("typed", ["", "   ", "\n", "\x00", "\u200b\u202e"])
def test_a_name_of_nothing_is_refused(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        clean_name(typed)
    assert refused.value.facts == {"field": "name", "reason": "empty"}


def test_a_name_that_is_too_long_is_refused_with_its_limit() -> None:
    with pytest.raises(BadInput) as refused:
        clean_name("x" * 65)
    assert refused.value.facts == {"field": "name", "reason": "too_long", "limit": 64}
    with pytest.raises(BadInput) as refused:
        clean_name("xxxx", "address", 3)
    assert refused.value.facts == {"field": "address", "reason": "too_long", "limit": 3}


@pytest.mark.parametrize(
    "typed,text",
    [
        ("", ""),
        ("  one\r\ntwo  \n\n", "one\ntwo"),
        ("one\n\n\ntwo", "one\n\n\ntwo"),
        ("a\x07b\u202ec", "abc"),
        ("x" * 10, "x" * 10),
        ("x" * 10 + "   \n", "x" * 10),
    ],
)
def test_words_keep_their_lines(typed: str, text: str) -> None:
    assert clean_text(typed, "words", 10) == text


def test_words_that_are_too_long_are_refused_with_their_limit() -> None:
    with pytest.raises(BadInput) as refused:
        clean_text("x" * 11, "words", 10)
    assert refused.value.facts == {"field": "words", "reason": "too_long", "limit": 10}


def test_money_rests_for_a_day_after_the_last_way_to_somebody_was_joined() -> None:
    """T16: the first way is how they came, and makes nobody wait."""
    came = datetime(2026, 1, 1, tzinfo=UTC)
    ways = [Channel(ChannelKind.SMS, str(n), PersonId(1), ChannelState.ACTIVE, came + timedelta(days=n)) for n in (5, 0, 2)]
    assert cooling_until(ways) == came + timedelta(days=6)
    assert cooling_until(ways[:1]) is None
    assert cooling_until(()) is None


def test_what_belongs_to_the_beginning_makes_nobody_wait() -> None:
    """T16: a seller who opens a shop and shares a number the same day says where the money goes at once."""
    came = datetime(2026, 1, 1, tzinfo=UTC)
    ways = [Channel(ChannelKind.SMS, str(n), PersonId(1), ChannelState.ACTIVE, came + timedelta(days=n)) for n in (0, 2)]
    assert cooling_until(ways, came + timedelta(days=1)) is None
    assert cooling_until(ways, came) == came + timedelta(days=3)
