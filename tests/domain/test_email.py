"""Addresses of mailboxes: one spelling for each, nothing corrected, nothing that a header or a server could take for more."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.email import MOST_ADDRESS, hidden, read_address
from domain.errors import BadInput


@pytest.mark.parametrize(
    "typed, kept",
    [
        ("amina@example.com", "amina@example.com"),
        ("  Amina@Example.COM\n", "amina@example.com"),
        ("mailto:amina@example.com", "amina@example.com"),
        ("\u200famina+shop@example.co.ke\u200e", "amina+shop@example.co.ke"),
        ("أمينة@مثال.com", "أمينة@xn--mgbh0fb.com"),
        ("a.b-c_d'e@x-y.example", "a.b-c_d'e@x-y.example"),
    ],
)
def test_one_spelling(typed: str, kept: str) -> None:
    assert read_address(typed) == kept
    assert read_address(kept) == kept


@pytest.mark.parametrize(
    "typed, reason",
    [
        ("", "empty"), ("   ", "empty"), ("amina", "not_an_address"), ("@example.com", "not_an_address"), ("amina@", "not_an_address"),
        ("amina@localhost", "not_an_address"), ("amina@127.0.0.1", "not_an_address"), ("a b@example.com", "not_an_address"),
        ("a@b@example.com", "not_an_address"), (".a@example.com", "not_an_address"), ("a.@example.com", "not_an_address"),
        ("a..b@example.com", "not_an_address"), ("a@example..com", "not_an_address"), ("a@-x.com", "not_an_address"),
        ("a@example.com\r\nBcc: b@example.com", "not_an_address"), ('"a b"@example.com', "not_an_address"), ("a,b@example.com", "not_an_address"),
        ("Amina <amina@example.com>", "not_an_address"), ("a\u202eb@example.com", "not_an_address"), ("a\x00@example.com", "not_an_address"),
        ("a" * 65 + "@example.com", "not_an_address"), ("a@" + "x" * 64 + ".com", "not_an_address"),
        ("a" * 60 + "@" + ".".join(["x" * 60] * 3) + ".example-of-length.com", "too_long"),
    ],
)  # fmt: skip
def test_what_is_no_address_is_told_why(typed: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_address(typed)
    assert (refused.value.field, refused.value.reason) == ("email", reason)


@given(st.text(max_size=80) | st.from_regex(r"[^@]{1,20}@[a-z.]{1,20}", fullmatch=True))
def test_whatever_is_typed_is_an_address_of_one_line_or_refused(typed: str) -> None:
    try:
        kept = read_address(typed)
    except BadInput:
        return
    assert (
        len(kept.encode()) <= MOST_ADDRESS and kept.count("@") == 1 and not any(char.isspace() or not char.isprintable() for char in kept)
    )
    assert read_address(kept) == kept


def test_half_hidden() -> None:
    assert hidden("amina@example.com") == "a•••@example.com"
