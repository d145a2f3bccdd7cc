"""Texts fitted into a channel's limits: never half a letter, a tag, an emoji."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateways.messages.markup import fit, plain, utf16, visible


@pytest.mark.parametrize("text,units", [("", 0), ("abc", 3), ("é", 1), ("👍", 2), ("🇰🇪", 4), ("طلب", 3)])
def test_length_is_counted_as_telegram_does(text: str, units: int) -> None:
    assert utf16(text) == units


def test_markup_and_entities_do_not_count() -> None:
    assert visible('<b>a</b>&lt;<a href="https://x.example/?a=1&amp;b=2">link</a>') == 6
    assert plain("2 &lt; 3 &amp; <b>x</b>") == "2 < 3 & x"


def test_what_fits_is_left_alone() -> None:
    text = "<b>" + "x" * 4096 + "</b>"
    assert fit(text, 4096) == text
    assert fit("&amp;" * 10, 10) == "&amp;" * 10


@pytest.mark.parametrize(
    "markup,limit,cut",
    [
        ("one two three", 9, "one two…"),
        ("one two", 6, "one…"),
        ("onetwothree", 5, "onet…"),
        ("<b>one two three</b>", 9, "<b>one two…</b>"),
        ('<a href="https://x.example"><i>one two three</i></a>', 9, '<a href="https://x.example"><i>one two…</i></a>'),
        ("<b>one</b> <i>two</i> three", 9, "<b>one</b> <i>two</i>…"),
        ("a&amp;&lt;b", 3, "a&amp;…"),
        ("xy👍👍", 5, "xy👍…"),
        ("xy👍👍", 4, "xy…"),
        ("xy👩‍👩‍👧zz", 8, "xy…"),
        ("ab👍🏽cd", 5, "ab…"),
        ("🇰🇪🇸🇦", 6, "🇰🇪…"),
        ("abe\u0301fgh", 4, "ab…"),
        ("سلام عليكم ورحمة", 8, "سلام…"),
    ],
)
def test_a_cut_is_between_words_and_never_inside_a_letter(markup: str, limit: int, cut: str) -> None:
    assert fit(markup, limit) == cut
    assert visible(cut) <= limit


def test_a_script_without_spaces_is_cut_where_it_must_be() -> None:
    assert fit("字" * 5000, 4096) == "字" * 4095 + "…"


PIECES = st.lists(
    st.sampled_from(["<b>", "</b>", "<i>", "</i>", "<code>", "</code>", "&lt;", "&amp;", " ", "👍", "🇰🇪", "\u200d", "é", "x"])
    | st.text(max_size=3)
)


@settings(deadline=None, max_examples=200)
@given(PIECES, st.integers(1, 40))
def test_whatever_comes_it_fits(pieces: list[str], limit: int) -> None:
    text = "".join(pieces)
    done = fit(text, limit)
    assert visible(done) <= limit
    assert done == text or "…" in done


BALANCED = st.recursive(
    st.text(st.characters(exclude_characters="<>&", exclude_categories=["Cs"]), max_size=30),
    lambda inner: st.tuples(st.sampled_from("bi"), st.lists(inner, max_size=3)).map(lambda it: f"<{it[0]}>{''.join(it[1])}</{it[0]}>"),
    max_leaves=6,
)


@settings(deadline=None, max_examples=100)
@given(BALANCED, st.integers(1, 40))
def test_what_was_balanced_stays_balanced(text: str, limit: int) -> None:
    tags: list[str] = []
    for end, tag in re.findall(r"<(/?)(\w)>", fit(text, limit)):
        if not end:
            tags.append(tag)
        else:
            assert tags.pop() == tag
    assert tags == []
