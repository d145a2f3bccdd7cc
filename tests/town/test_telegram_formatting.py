"""Promises of the town's Telegram about formatted text."""

from __future__ import annotations

import pytest

from town.telegram.contents import formatted
from town.telegram.errors import Refused
from town.telegram.formatting import to_html


def spans(source: str, mode: str | None = "HTML") -> tuple[str, list[tuple[str, int, int]]]:
    text, entities = formatted(source, mode)
    return text, [(one["type"], one["offset"], one["length"]) for one in entities]


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("plain", "plain", []),
        ("<b>Ksh 2,500</b> &lt;held&gt;", "Ksh 2,500 <held>", [("bold", 0, 9)]),
        ("👟👟 <i>two</i>", "👟👟 two", [("italic", 5, 3)]),
        ("<b>a<i>b</i></b>", "ab", [("bold", 0, 2), ("italic", 1, 1)]),
        ("  <u>x</u>  ", "x", [("underline", 0, 1)]),
        ('<a href="https://payloom.example/buy/1">buy</a>', "buy", [("text_link", 0, 3)]),
        ('<a href="">nothing</a>', "nothing", []),
        ('<span class="tg-spoiler">code</span>', "code", [("spoiler", 0, 4)]),
        ("<blockquote expandable>long</blockquote>", "long", [("expandable_blockquote", 0, 4)]),
        ('<pre><code class="language-python">x</code></pre>', "x", [("pre", 0, 1)]),
        ("<b></b>empty", "empty", []),
        ("&nbsp; &quot;&#39;&amp;", "&nbsp; \"'&", []),
        ("/sell now", "/sell now", [("bot_command", 0, 5)]),
        ("<code>/sell</code>", "/sell", [("code", 0, 5)]),
        ("see https://a.example/x. ok", "see https://a.example/x. ok", [("url", 4, 19)]),
    ],
)
def test_html_becomes_text_and_entities_counted_in_utf16(source: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    assert spans(source) == (text, expected)


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<b>open", 'Can\'t find end tag corresponding to start tag "b"'),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("é<div>x</div>", 'Unsupported start tag "div" at byte offset 2'),
        ("a < b", "Unclosed start tag at byte offset 2"),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
    ],
)
def test_broken_html_is_refused_with_the_words_of_telegram(source: str, reason: str) -> None:
    with pytest.raises(Refused) as refused:
        formatted(source, "HTML")
    assert refused.value.code == 400
    assert refused.value.description == f"Bad Request: can't parse entities: {reason}"


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        (r"*bold* and _it_ 1\.5", "bold and it 1.5", [("bold", 0, 4), ("italic", 9, 2)]),
        ("__u__ ~s~ ||sp||", "u s sp", [("underline", 0, 1), ("strikethrough", 2, 1), ("spoiler", 4, 2)]),
        ("`a*b`", "a*b", [("code", 0, 3)]),
        ("```python\nx = 1```", "x = 1", [("pre", 0, 5)]),
        (r"[buy](https://a.example/\))", "buy", [("text_link", 0, 3)]),
        (">quoted\n>more\nafter", "quoted\nmore\nafter", [("blockquote", 0, 12)]),
    ],
)
def test_markdown_v2_becomes_text_and_entities(source: str, text: str, expected: list[tuple[str, int, int]]) -> None:
    assert spans(source, "MarkdownV2") == (text, expected)


@pytest.mark.parametrize("source", ["1.5", "*open", "a-b", "`code", "[x](y"])
def test_unescaped_or_unclosed_markdown_v2_is_refused(source: str) -> None:
    with pytest.raises(Refused, match="can't parse entities"):
        formatted(source, "MarkdownV2")


def test_shown_html_escapes_everything_and_links_only_where_it_is_safe() -> None:
    text, entities = formatted('<b>&lt;script&gt;</b> <a href="https://a.example/?a=1&amp;b=2">go</a>', "HTML")
    shown = to_html(text, entities)
    assert shown == ('<b>&lt;script&gt;</b> <a href="https://a.example/?a=1&amp;b=2" rel="noopener" target="_blank">go</a>')
    assert to_html("x", [{"type": "text_link", "offset": 0, "length": 1, "url": "javascript:alert(1)"}]) == "x"


def test_overlapping_entities_still_give_well_nested_html() -> None:
    entities = [{"type": "bold", "offset": 0, "length": 3}, {"type": "italic", "offset": 2, "length": 3}]
    assert to_html("abcde", entities) == "<b>ab</b><b><i>c</i></b><i>de</i>"
