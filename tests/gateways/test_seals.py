"""Sealed secrets: opened only by us, only for whom they were sealed, and still readable after the keys changed."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.records import Seals
from gateways.seals import AesSeals, CannotOpen

OLD = base64.b64encode(bytes(range(32))).decode()
NEW = base64.b64encode(bytes(range(100, 132))).decode()
CONTEXT = "organization:7:daraja:passkey"


@settings(deadline=None)
@given(st.text(), st.text())
def test_what_was_sealed_opens_again(clear: str, context: str) -> None:
    seals: Seals = AesSeals([OLD])
    if "\ud800" <= max(clear + context, default="") <= "\udfff":
        return
    assert seals.open(seals.seal(clear, context), context) == clear


def test_sealing_twice_gives_two_texts_and_neither_shows_anything() -> None:
    seals = AesSeals([OLD])
    first, second = seals.seal("passkey", CONTEXT), seals.seal("passkey", CONTEXT)
    assert first != second
    assert "passkey" not in first
    assert OLD not in repr(seals)


def test_another_context_does_not_open() -> None:
    seals = AesSeals([OLD])
    sealed = seals.seal("passkey", CONTEXT)
    for context in ("organization:8:daraja:passkey", "", CONTEXT + " "):
        with pytest.raises(CannotOpen):
            seals.open(sealed, context)
        with pytest.raises(CannotOpen):
            seals.rotate(sealed, context)


def test_every_changed_character_is_noticed() -> None:
    seals = AesSeals([OLD])
    sealed = seals.seal("passkey", CONTEXT)
    for place, char in enumerate(sealed):
        changed = sealed[:place] + ("A" if char != "A" else "Q") + sealed[place + 1 :]
        with pytest.raises(CannotOpen):
            seals.open(changed, CONTEXT)


def test_parts_of_two_sealed_texts_do_not_fit_together() -> None:
    seals = AesSeals([OLD])
    first, second = seals.seal("one", CONTEXT).split("."), seals.seal("two", CONTEXT).split(".")
    with pytest.raises(CannotOpen):
        seals.open(".".join((*first[:3], second[3])), CONTEXT)


@pytest.mark.parametrize(
    "sealed", ["", ".", "1...", "passkey", "2.aaaaaaaa.AAAA.AAAA", "1.aaaaaaaa.AAAA.AAAA", "1.é.A.A", "1.{id}.A.A", "1.{id}.é.é"]
)
def test_what_we_did_not_seal_does_not_open(sealed: str) -> None:
    seals = AesSeals([OLD])
    key_id = seals.seal("x", CONTEXT).split(".")[1]
    with pytest.raises(CannotOpen):
        seals.open(sealed.replace("{id}", key_id), CONTEXT)


def test_keys_are_changed_with_an_overlap() -> None:
    """C20."""
    sealed = AesSeals([OLD]).seal("passkey", CONTEXT)
    both = AesSeals([NEW, OLD])
    assert both.open(sealed, CONTEXT) == "passkey"
    rotated = both.rotate(sealed, CONTEXT)
    assert AesSeals([NEW]).open(rotated, CONTEXT) == "passkey"
    assert both.rotate(rotated, CONTEXT) == rotated
    with pytest.raises(CannotOpen):
        AesSeals([NEW]).open(sealed, CONTEXT)
    with pytest.raises(CannotOpen):
        AesSeals([OLD]).open(rotated, CONTEXT)


@pytest.mark.parametrize(
    "keys", [[], [""], ["short"], [base64.b64encode(b"x" * 31).decode()], [OLD, "%%%"], [base64.b64encode(b"\0" * 32).decode()]]
)
def test_a_ring_that_cannot_be_used_is_refused_at_the_start(keys: list[str]) -> None:
    with pytest.raises(ValueError, match="key"):
        AesSeals(keys)
