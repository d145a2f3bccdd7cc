"""No typing breaks a reader, and what was read is read again as the same."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import BadInput
from domain.ids import link_code, read_digits, read_link_code
from domain.link import read_quick_sell
from domain.person import clean_name, clean_text
from domain.phone import read_phone
from domain.tokens import Purpose, Tokens
from tests.domain.samples import read_or_refused

calm = settings(deadline=None)
"""A busy machine is no failure."""

anything = st.text(max_size=80)
TOKENS = Tokens([b"a key for properties", b"an older key than that"])


@calm
@given(anything | st.text(st.sampled_from("0123456789٠١٢٣٤٥+-() .;,x"), max_size=26), st.sampled_from(["KE", "SA", "UG", "KW", "XX"]))
def test_a_phone_is_refused_or_a_number_that_is_read_again_as_itself(typed: str, country: str) -> None:
    phone = read_or_refused(lambda: read_phone(typed, country))
    if isinstance(phone, BadInput):
        assert phone.reason == "not_a_phone"
        return
    assert re.fullmatch(r"\+[1-9][0-9]{6,14}", phone.e164)
    assert read_phone(phone.e164, country) == phone
    assert phone.masked.count("*") == 3
    assert phone.e164[-6:-3] not in {"", phone.masked[-6:-3]}


@calm
@given(st.integers(0, 99_999_999), st.sampled_from(["07", "01", "+2547", "2541", "002547", "7"]))
def test_a_kenyan_number_is_the_same_with_any_beginning(number: int, beginning: str) -> None:
    digits = f"{number:08}"
    phone = read_or_refused(lambda: read_phone(beginning + digits))
    assert isinstance(phone, BadInput) or phone.e164 == "+254" + beginning[-1] + digits


@calm
@given(st.integers(0, 31**5 - 1), st.sampled_from(["{0}", " {0} ", "{1}", "https {0}"]))
def test_a_link_code_is_read_back(number: int, form: str) -> None:
    code = link_code(number)
    typed = form.format(code, code.lower().replace("-", " "))
    assert read_link_code(typed) == (code if "https" not in form else None)


@calm
@given(anything, st.integers(1, 10))
def test_codes_are_read_whole_or_not_at_all(typed: str, length: int) -> None:
    code = read_link_code(typed)
    assert code is None or (re.fullmatch(r"PL-[2-9A-HJKMNP-Z]{5}", code) and read_link_code(code) == code)
    digits = read_digits(typed, length)
    assert digits is None or (re.fullmatch(r"[0-9]+", digits) and len(digits) == length and read_digits(digits, length) == digits)


@calm
@given(anything)
def test_a_quick_sell_loses_no_word(typed: str) -> None:
    quick = read_quick_sell(typed)
    if quick is not None:
        assert f"{quick.name} {quick.price}".split() == typed.split()
        assert quick.name
        assert any(char.isdecimal() for char in quick.price)


@calm
@given(anything)
def test_cleaning_twice_is_cleaning_once(typed: str) -> None:
    text = clean_text(typed, "words", 100)
    assert clean_text(text, "words", 100) == text
    name = read_or_refused(lambda: clean_name(typed, limit=100))
    if isinstance(name, BadInput):
        assert name.reason == "empty"
    else:
        assert clean_name(name, limit=100) == name
        assert name.isprintable()


@calm
@given(st.sampled_from(Purpose), st.text(min_size=48, max_size=48) | st.text(st.sampled_from("0123456789abcdef"), min_size=48, max_size=48))
def test_nobody_guesses_a_token(purpose: Purpose, guess: str) -> None:
    assert TOKENS.read(purpose, guess) is None


@calm
@given(st.sampled_from(Purpose), st.integers(0, 2**63 - 1))
def test_every_token_is_read_back(purpose: Purpose, number: int) -> None:
    assert TOKENS.read(purpose, TOKENS.make(purpose, number)) == number
