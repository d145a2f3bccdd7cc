"""What may be typed as a credential."""

from __future__ import annotations

import pytest

from domain.credentials import MOST_CREDENTIAL, Field, read_credential
from domain.errors import BadInput

KEY = Field("secret_key", "Secret key")
KIND = Field("kind", "Kind", secret=False, needed=False, options=("PAYBILL", "BUYGOODS"))


@pytest.mark.parametrize("typed", ["sk_test_1", "  sk_test_1\n", "sk_test_1\t"])
def test_a_key_is_what_was_pasted_without_the_blanks_around_it(typed: str) -> None:
    assert read_credential(KEY, typed) == "sk_test_1"


def test_the_longest_one_is_taken() -> None:
    assert read_credential(KEY, "x" * MOST_CREDENTIAL) == "x" * MOST_CREDENTIAL


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("", "empty"), (" \n ", "empty"), ("x" * (MOST_CREDENTIAL + 1), "too_long"), ("two words", "not_one_line"), ("a\nb", "not_one_line"),
     ("a\x00b", "not_one_line"), ("ключ", "not_one_line"), ("a\u202eb", "not_one_line")],
)  # fmt: skip
def test_what_cannot_be_a_key_is_refused_without_repeating_it(typed: str, reason: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_credential(KEY, typed)
    assert refused.value.facts["reason"] == reason
    assert not typed.strip() or typed.strip() not in str(refused.value.facts)


def test_one_of_a_few_is_one_of_them_however_it_is_written() -> None:
    assert read_credential(KIND, "paybill") == "PAYBILL"
    with pytest.raises(BadInput) as refused:
        read_credential(KIND, "till")
    assert (refused.value.facts["reason"], refused.value.facts["options"]) == ("not_an_option", "PAYBILL, BUYGOODS")
