"""A page with a hole is the page, however it is packed."""

from __future__ import annotations

import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from web.splice import Spliced
from web.splice import gzip as packed

TEXT = st.text(st.characters(min_codepoint=9, exclude_categories=["Cs"]), max_size=3000).map(str.encode)


@given(TEXT, st.text("0123456789abcdef", min_size=32, max_size=32).map(str.encode), TEXT)
def test_what_is_unpacked_is_the_page_with_its_hole_filled(before: bytes, key: bytes, after: bytes) -> None:
    page = Spliced(before, 32, after)
    whole = before + key + after
    assert page.plain(key) == whole
    assert gzip.decompress(page.gzip(key)) == whole


@given(TEXT)
def test_a_page_without_a_hole_and_a_page_packed_once_are_what_they_were(body: bytes) -> None:
    assert gzip.decompress(Spliced(body, 0, b"").gzip(b"")) == body
    assert gzip.decompress(packed(body)) == body


def test_what_stands_on_both_sides_is_still_packed_together() -> None:
    line = b"the same words on both sides of the hole, many times over. " * 40
    assert len(Spliced(line, 32, line).gzip(b"a" * 32)) < len(packed(line)) + 120


def test_a_filling_of_another_size_is_a_bug() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Spliced(b"a", 32, b"b").gzip(b"short")
