"""Telephone numbers as people write them."""

from __future__ import annotations

import pytest

from domain.errors import BadInput
from domain.phone import Phone, read_phone

SAFARICOM = "+254712345678"


@pytest.mark.parametrize(
    "typed",
    ["0712345678", "0712 345 678", "0712-345-678", "0712.345.678", "(0712) 345678", "07 12345678", "0712 34 56 78", "712345678", "254712345678",
     "+254712345678", "+254 712 345 678", "+254-712-345678", "+254(0)712345678", "+2540712345678", "2540712345678", "254 0712 345678",
     "00254712345678", "00254 712 345 678", "000254712345678", "٠٧١٢٣٤٥٦٧٨", "+٢٥٤٧١٢٣٤٥٦٧٨", "٢٥٤٧١٢٣٤٥٦٧٨", "٠٠٢٥٤٧١٢٣٤٥٦٧٨", "۰۷۱۲۳۴۵۶۷۸",
     "０７１２３４５６７８", " 0712345678\n", "\u202a+254712345678\u202c", "0712\u2011345\u2011678", "tel:+254712345678"],
)  # fmt: skip
def test_every_kenyan_way_of_writing_is_one_number(typed: str) -> None:
    phone = read_phone(typed)
    assert phone == Phone(SAFARICOM)
    assert phone.is_kenyan_mobile


@pytest.mark.parametrize(
    "typed,e164", [("0112345678", "+254112345678"), ("0110 123 456", "+254110123456"), ("254110123456", "+254110123456")]
)
def test_the_newer_kenyan_mobile_numbers_get_a_prompt_too(typed: str, e164: str) -> None:
    assert read_phone(typed) == Phone(e164)
    assert read_phone(typed).is_kenyan_mobile


@pytest.mark.parametrize(
    "typed,e164",
    [
        ("+966501234567", "+966501234567"),
        ("00966501234567", "+966501234567"),
        ("+256 772 123456", "+256772123456"),
        ("+1 (415) 555-2671", "+14155552671"),
        ("+44 7911 123456", "+447911123456"),
        ("020 2345678", "+254202345678"),
    ],
)
def test_a_foreign_number_or_a_landline_is_read_but_gets_no_prompt(typed: str, e164: str) -> None:
    assert read_phone(typed) == Phone(e164)
    assert not read_phone(typed).is_kenyan_mobile


@pytest.mark.parametrize(
    "typed,country,e164",
    [
        ("0501234567", "SA", "+966501234567"),
        ("٠٥٠١٢٣٤٥٦٧", "SA", "+966501234567"),
        ("0772 123456", "UG", "+256772123456"),
        ("50123456", "KW", "+96550123456"),
        ("96550123456", "KW", "+96550123456"),
        ("+254712345678", "SA", SAFARICOM),
        ("+254712345678", "XX", SAFARICOM),
    ],
)
def test_a_house_elsewhere_reads_the_numbers_of_its_country(typed: str, country: str, e164: str) -> None:
    assert read_phone(typed, country) == Phone(e164)


@pytest.mark.parametrize(
    "typed",
    ["", "   ", "+", "abc", "911", "1500", "0712", "071234567", "07123456789", "0812345678", "+254812345678", "+254", "0000000000", "*334#",
     "0722MYSHOP", "0712ABCDEF", "O712345678", "07l2345678", "call me 0712345678", "0712345678 ext 5", "0712345678,5", "0712345678;ext=5",
     "0712345678 0722345678", "0712345678/0722345678", "0712_345_678", "0712\x00345678", "12:30 0712345678", "0712 345678 M-Pesa", "00", "000000",
     "1" * 24, "1" * 25, "9" * 5000, "+254712345678x", "-----------", "++++++++", "((((((((", "٠" * 10],
)  # fmt: skip
def test_what_is_no_number_or_might_be_a_stranger_s_is_refused(typed: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_phone(typed)
    assert refused.value.facts == {"field": "phone", "reason": "not_a_phone"}


@pytest.mark.parametrize("typed,country", [("712345678", "SA"), ("254712345678", "SA"), ("0501234567", "XX")])
def test_a_number_of_no_known_country_is_refused(typed: str, country: str) -> None:
    with pytest.raises(BadInput):
        read_phone(typed, country)


def test_a_number_is_shown_whole_masked_or_as_daraja_wants_it() -> None:
    phone = Phone(SAFARICOM)
    assert (str(phone), phone.masked, phone.msisdn) == (SAFARICOM, "+254712***678", "254712345678")
    assert Phone("+96550123456").masked == "+96550***456"
