"""How a text weighs and reads on a phone."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.gsm import ALPHABET, EXTENSION, cut, graphemes, gsm7, plain, segments, units

ANY = st.text(
    st.one_of(
        st.sampled_from(
            [*sorted(ALPHABET | EXTENSION), "é", "ç", "’", "✅", "🎉", "\u200d", "\ufe0f", "🇰", "🇪", "👍", "🏽", "م", "\u0301", "\r"]
        ),
        st.characters(blacklist_categories=["Cs"]),
    ),
    max_size=200,
)


def test_the_alphabet_is_whole() -> None:
    """TS 23.038, 6.2.1: 128 places, one of them the escape; ten characters behind the escape."""
    assert (len(ALPHABET), len(EXTENSION), ALPHABET & EXTENSION) == (127, 10, frozenset())
    assert gsm7("".join(ALPHABET | EXTENSION))
    assert not any(gsm7(char) for char in "`çí\tم’🎉\x1b\u00a0")


@pytest.mark.parametrize(
    "text,weighs",
    [("", 0), ("KES 2,500", 9), ("€", 2), ("[a]", 5), ("\f^{}\\[~]|€", 20), ("è\r\n", 3), ("سلام", 4), ("🎉", 2), ("€🎉", 3), ("’[", 2)],
)
def test_septets_where_the_alphabet_suffices_else_utf16(text: str, weighs: int) -> None:
    assert units(text) == weighs


@pytest.mark.parametrize(
    "text,count",
    [
        ("", 1), ("a" * 160, 1), ("a" * 161, 2), ("a" * 306, 2), ("a" * 307, 3), ("a" * 459, 3), ("a" * 460, 4),
        ("€" * 80, 1), ("€" * 80 + "a", 2), ("a" * 152 + "€" + "a" * 152, 3), ("a" * 151 + "€" + "a" * 153, 2), ("€" * 152, 2), ("€" * 153, 3),
        ("م" * 70, 1), ("م" * 71, 2), ("م" * 134, 2), ("م" * 135, 3),
        ("🎉" * 35, 1), ("🎉" * 66, 2), ("🎉" * 67, 3), ("م" * 66 + "🎉" + "م" * 66, 3), ("م" * 65 + "🎉" + "م" * 67, 2), ("[" * 34 + "م", 1),
    ],
)  # fmt: skip
def test_what_weighs_two_lies_in_one_segment(text: str, count: int) -> None:
    assert segments(text) == count


@pytest.mark.parametrize(
    "text,reading",
    [
        ("KES 2,500 [now] 5€", "KES 2,500 [now] 5€"),
        ("It’s “ok”… → next «x»", 'It\'s "ok"... -> next "x"'),
        ("a—b – c • d\u00a0e\u202ff − g", "a-b - c - d e f - g"),
        ("\u2068Asha\u2069 \u200e٢٥٠٠ ۲۵۰", "Asha 2500 250"),
        (
            "José Çelik, şık ğ ı, Łódź Đỗ",
            "José Çelik, sik g i, Lodz Do",
        ),
        ("e\u0301 n\u0303 c\u0327", "é ñ c"),
        ("① ½ ™ № ﬁ ㎏ Ⅻ", "1 1/2 TM No fi kg XII"),
        ("20°C © ® × ÷", "20C (c) (R) x /"),
        ("a\tb\u2028c\u0085d", "a b\nc\nd"),
        ("zero\u200bwidth\ufeff soft\u00adhyphen", "zerowidth softhyphen"),
        ("5 ₦ ₹", "5 ?"),
        ("\ue000a\x07b\x1bc", "abc"),
    ],
)
def test_the_best_reading(text: str, reading: str) -> None:
    assert plain(text) == reading


@pytest.mark.parametrize(
    "text,reading",
    [
        ("✅ Paid — KES 2,500 ✅ now 🎉!", "Paid - KES 2,500 now!"),
        ("✅ Paid\n🎉\n✅ Sent ✅\n  ok 👍🏽", "Paid\n\nSent\n  ok"),
        ("a🎉b", "ab"),
        ("a 🎉b", "a b"),
        ("a🎉 b", "a b"),
        ("5 ✅  ✅ 6", "5 6"),
        ("1️⃣ Sell 👩‍👩‍👧 2️⃣ Buy 🇰🇪", "1 Sell 2 Buy"),
        ("✅", ""),
        ("👍🏽 ✔️", ""),
    ],
)
def test_pictures_go_and_leave_no_hole(text: str, reading: str) -> None:
    assert plain(text) == reading


@pytest.mark.parametrize(
    "text,reading",
    [
        ("Pay محمد علي 500 here now please", "Pay ? 500 here now please"),
        ("From Дима: I paid now", "From ?: I paid now"),
        ("\u2067تم الدفع\u2069 https://pay.example/t/1", "تم الدفع https://pay.example/t/1"),
        ("طلب Red", "طلب Red"),
        ("تم ✅ ٢٥٠٠", "تم ✅ ٢٥٠٠"),
    ],
)
def test_another_script_is_left_alone_unless_it_is_a_word_or_two(text: str, reading: str) -> None:
    assert plain(text) == reading


@pytest.mark.parametrize(
    "text,limit,left",
    [
        ("hello", 5, "hello"),
        ("hello world", 8, "hello.."),
        ("hello", 4, "he.."),
        ("hello", 2, ".."),
        ("hello", 1, "."),
        ("hello", 0, ""),
        ("hello", -1, ""),
        ("€€€€", 6, "€€.."),
        ("€€€€", 7, "€€.."),
        ("🎉🎉🎉🎉", 7, "🎉🎉.."),
        ("👩‍👩‍👧👩‍👩‍👧", 12, "👩‍👩‍👧.."),
        ("👩‍👩‍👧👩‍👩‍👧", 9, ".."),
        ("[[[[م" + "م" * 9, 8, "[[[.."),
        ("🇰🇪🇺🇬🇹🇿", 11, "🇰🇪🇺🇬.."),
        ("👍🏽👍🏽", 6, "👍🏽.."),
        ("شَشَشَ", 5, "شَ.."),
    ],
)
def test_a_cut_is_between_letters(text: str, limit: int, left: str) -> None:
    assert cut(text, limit) == left
    assert units(cut(text, limit)) <= max(limit, 0)


def test_letters_as_a_reader_sees_them() -> None:
    flag = "🏴\U000e0067\U000e0062\U000e007f"
    assert list(graphemes("a\r\ne\u0301🇰🇪🇺" + flag + "👩‍👧")) == ["a", "\r\n", "e\u0301", "🇰🇪", "🇺", flag, "👩‍👧"]
    assert list(graphemes("")) == []


@given(ANY, st.integers(-1, 200))
def test_a_cut_always_fits(text: str, limit: int) -> None:
    left = cut(text, limit)
    assert units(left) <= max(limit, 0) or left == text == ""
    assert left == text or left.endswith(".." if limit >= 2 else "." * max(limit, 0))


@given(ANY)
def test_reading_twice_is_reading_once_and_never_costs_more_segments_than_utf16(text: str) -> None:
    read = plain(text)
    assert plain(read) == read
    assert "".join(graphemes(text)) == text
    narrow = gsm7(text)
    one, part = (160, 153) if narrow else (70, 67)
    least = 1 if units(text) <= one else -(-units(text) // part)
    assert least <= segments(text) <= least * 2
