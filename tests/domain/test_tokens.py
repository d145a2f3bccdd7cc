"""Unguessable addresses: only what we made, only for its purpose."""

from __future__ import annotations

import inspect

import pytest

from domain.tokens import Purpose, Tokens

OLD, NEW = b"old key, 16 byte", b"new key, 32 bytes long, indeed.."
NUMBER = 7_046_029_254_386_353_131


def test_a_token_carries_its_number_for_its_purpose() -> None:
    tokens = Tokens([OLD])
    token = tokens.make(Purpose.TRACK, NUMBER)
    assert tokens.read(Purpose.TRACK, token) == NUMBER
    assert len(token) == 48
    assert set(token) <= set("0123456789abcdef")
    assert token.startswith("61c8864680b583eb")


def test_a_token_is_the_same_today_and_tomorrow() -> None:
    """Addresses that were sent out must stay valid: a change of the way they are made breaks this value."""
    assert Tokens([OLD]).make(Purpose.PAY, 1) == "0000000000000001f900f989227fdb287c5b3ddc1fe3d4f7"


@pytest.mark.parametrize("number", [0, 1, 2**63 - 1, 2**64 - 1])
def test_the_whole_room_of_ids_has_tokens(number: int) -> None:
    tokens = Tokens([OLD])
    assert tokens.read(Purpose.FILE, tokens.make(Purpose.FILE, number)) == number


@pytest.mark.parametrize("made", Purpose)
def test_a_token_of_one_purpose_opens_nothing_of_another(made: Purpose) -> None:
    tokens = Tokens([OLD])
    token = tokens.make(made, NUMBER)
    assert [purpose for purpose in Purpose if tokens.read(purpose, token) is not None] == [made]


@pytest.mark.parametrize("place", range(48))
def test_a_token_with_any_sign_changed_opens_nothing(place: int) -> None:
    tokens = Tokens([NEW, OLD])
    token = tokens.make(Purpose.ATTEMPT, NUMBER)
    for sign in "0123456789abcdefgz-. \x00é٣":
        if sign != token[place]:
            assert tokens.read(Purpose.ATTEMPT, token[:place] + sign + token[place + 1 :]) is None


@pytest.mark.parametrize("length", [0, 1, 16, 46, 47, 49, 50, 96, 4800])
def test_a_token_of_another_length_opens_nothing(length: int) -> None:
    tokens = Tokens([OLD])
    assert tokens.read(Purpose.PAY, (tokens.make(Purpose.PAY, NUMBER) * 100)[:length]) is None


def test_blanks_between_the_digits_are_not_overlooked() -> None:
    tokens = Tokens([OLD])
    token = tokens.make(Purpose.PAY, NUMBER)
    assert tokens.read(Purpose.PAY, token[:44] + "  " + token[44:46]) is None
    assert tokens.read(Purpose.PAY, " " + token) is None
    assert tokens.read(Purpose.PAY, token + "\n") is None


def test_keys_are_rotated_with_an_overlap() -> None:
    """C20."""
    before, during, after = Tokens([OLD]), Tokens([NEW, OLD]), Tokens([NEW])
    old, new = before.make(Purpose.PAY, NUMBER), during.make(Purpose.PAY, NUMBER)
    assert old != new
    assert [house.read(Purpose.PAY, old) for house in (before, during, after)] == [NUMBER, NUMBER, None]
    assert [house.read(Purpose.PAY, new) for house in (before, during, after)] == [None, NUMBER, NUMBER]


@pytest.mark.parametrize("keys", [[], [b""], [b"fifteen bytes.."], [NEW, b"short"]])
def test_a_house_without_a_good_key_does_not_open(keys: list[bytes]) -> None:
    with pytest.raises(ValueError, match="16 bytes"):
        Tokens(keys)


@pytest.mark.parametrize("number", [-1, 2**64])
def test_a_number_that_is_no_id_has_no_token(number: int) -> None:
    with pytest.raises(OverflowError):
        Tokens([OLD]).make(Purpose.PAY, number)


def test_tokens_are_compared_in_constant_time_with_every_key() -> None:
    """By construction: all keys are tried, each with compare_digest, before anything is decided."""
    source = inspect.getsource(Tokens.read)
    assert source.count("compare_digest") == 1
    assert "genuine = [hmac.compare_digest(mark, self._mark(key, purpose, body)) for key in self._keys]" in source
    assert "==" not in source
