"""One-time codes as values: why one opens nothing, and what its digest is made of."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.codes import MOST_TRIES, Code, digits_from, spoken
from domain.errors import BadCode, Refused, WrongCode
from domain.tokens import Tokens

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
CODE = Code("email", "a@b.example", None, "d", {}, NOON, NOON + timedelta(minutes=10))


@pytest.mark.parametrize(
    "code,now,why",
    [
        (CODE, NOON, None),
        (CODE, CODE.expires_at - timedelta(microseconds=1), None),
        (CODE, CODE.expires_at, "expired"),
        (replace(CODE, tries=MOST_TRIES - 1), NOON, None),
        (replace(CODE, tries=MOST_TRIES), NOON, "used_up"),
        (replace(CODE, used_at=NOON), CODE.expires_at, "used"),
    ],
)
def test_why_a_code_opens_nothing(code: Code, now: datetime, why: str | None) -> None:
    assert code.why_not(now) == why


@pytest.mark.parametrize("number,digits", [(0, "000000"), (7, "000007"), (10**6 + 41, "000041"), (2**64 - 1, "551615")])
def test_digits_of_any_number(number: int, digits: str) -> None:
    assert digits_from(number, 6) == digits


def test_a_digest_is_of_one_flow_one_subject_and_one_key() -> None:
    """T18: digits for one thing are worth nothing for another, and without the key they cannot be tried."""
    tokens, other = Tokens([b"k" * 16]), Tokens([b"o" * 16])
    ours = spoken("email", "a@b.example", "123456")
    digest = tokens.digest(ours)
    assert tokens.matches(ours, digest)
    for flow, subject, digits in (
        ("phone", "a@b.example", "123456"),
        ("email", "c@d.example", "123456"),
        ("email", "a@b.example", "123457"),
    ):
        assert not tokens.matches(spoken(flow, subject, digits), digest)
    assert not other.matches(ours, digest)
    assert "123456" not in digest


def test_a_digest_of_an_older_key_still_fits() -> None:
    old, both = Tokens([b"o" * 16]), Tokens([b"n" * 16, b"o" * 16])
    assert both.matches("x", old.digest("x"))
    assert both.digests("x")[1] == old.digest("x") != both.digest("x")


def test_only_a_wrong_try_is_kept() -> None:
    assert (WrongCode.keeps, BadCode.keeps, Refused.keeps) == (True, False, False)
    assert WrongCode.code == BadCode.code == "bad_code"
