"""The one parser of typed amounts: every way we have seen people write them, and what each means in four currencies.

A cell is the minor units, `A|B` for a question between two readings, or the reason of a refusal.
"""

from __future__ import annotations

import pytest

from domain.errors import BadInput
from domain.money import Money, parse_amount

NO, FINE, ZERO, BIG = "not_a_number", "too_precise", "not_positive", "too_large"

# as typed, in KES, in UGX, in KWD, in SAR
PLAIN = [
    ("1500", "150000", "1500", "1500000", "150000"),
    ("1,500", "150000", "1500", "1500|1500000", "150000"),
    ("1.500", "150|150000", "1500", "1500|1500000", "150|150000"),
    ("1.234", "123400", "1234", "1234|1234000", "123400"),
    ("1.500,50", "150050", FINE, "1500500", "150050"),
    ("1,500.50", "150050", FINE, "1500500", "150050"),
    ("1.500,5", "150050", FINE, "1500500", "150050"),
    ("1.500,00", "150000", "1500", "1500000", "150000"),
    ("1500.00", "150000", "1500", "1500000", "150000"),
    ("1500.000", "150000", "1500", "1500000", "150000"),
    ("1500.50", "150050", FINE, "1500500", "150050"),
    ("1500.005", FINE, FINE, "1500005", FINE),
    ("1,234.567", FINE, FINE, "1234567", FINE),
    ("1.234,567", FINE, FINE, "1234567", FINE),
    ("1500.0005", FINE, FINE, FINE, FINE),
    ("1,50", "150", FINE, "1500", "150"),
    ("1,5", "150", FINE, "1500", "150"),
    ("1.5", "150", FINE, "1500", "150"),
    ("0.5", "50", FINE, "500", "50"),
    (".5", "50", FINE, "500", "50"),
    (",5", NO, NO, NO, NO),
    ("0.500", "50", FINE, "500", "50"),
    ("5.000", "500|500000", "5000", "5000|5000000", "500|500000"),
    ("1 500", "150000", "1500", "1500000", "150000"),
    ("1\u00a0500", "150000", "1500", "1500000", "150000"),
    ("1\u202f500", "150000", "1500", "1500000", "150000"),
    ("1'500", "150000", "1500", "1500000", "150000"),
    ("1’500", "150000", "1500", "1500000", "150000"),
    ("1'500.50", "150050", FINE, "1500500", "150050"),
    ("1 000,50", "100050", FINE, "1000500", "100050"),
    ("1,500,000", "150000000", "1500000", "1500000000", "150000000"),
    ("1.500.000", "150000000", "1500000", "1500000000", "150000000"),
    ("1 500 000", "150000000", "1500000", "1500000000", "150000000"),
    ("1.500.000,00", "150000000", "1500000", "1500000000", "150000000"),
    ("1500.", "150000", "1500", "1500000", "150000"),
    ("  1500\n", "150000", "1500", "1500000", "150000"),
]
MULTIPLES = [
    ("2.5k", "250000", "2500", "2500000", "250000"),
    ("2,5k", "250000", "2500", "2500000", "250000"),
    ("2k", "200000", "2000", "2000000", "200000"),
    ("2 K", "200000", "2000", "2000000", "200000"),
    ("2.5M", "250000000", "2500000", "2500000000", "250000000"),
    ("0.5m", "50000000", "500000", "500000000", "50000000"),
    ("1.2345k", "123450", FINE, "1234500", "123450"),
    ("1.500k", "150000|150000000", "1500|1500000", "1500000|1500000000", "150000|150000000"),
    ("2.5k/-", "250000", "2500", "2500000", "250000"),
    ("999.999m", "99999900000", "999999000|999999000000", "999999000000", "99999900000"),
    ("k", NO, NO, NO, NO),
    ("2kk", NO, NO, NO, NO),
    ("2.5 thousand", NO, NO, NO, NO),
]
PRICE_TAGS = [
    ("1500/-", "150000", "1500", "1500000", "150000"),
    ("1500/=", "150000", "1500", "1500000", "150000"),
    ("1500 /=", "150000", "1500", "1500000", "150000"),
    ("20,000/", "2000000", "20000", "20000|20000000", "2000000"),
    ("1500=", "150000", "1500", "1500000", "150000"),
    ("1500-", NO, NO, NO, NO),
]
ARABIC = [
    ("١٥٠٠", "150000", "1500", "1500000", "150000"),
    ("۱۵۰۰", "150000", "1500", "1500000", "150000"),
    ("١٬٥٠٠", "150000", "1500", "1500000", "150000"),
    ("١٬٥٠٠٫٥٠", "150050", FINE, "1500500", "150050"),
    ("١٫٥", "150", FINE, "1500", "150"),
    ("١٫٥٠٠", "150", FINE, "1500", "150"),
    ("١،٥٠٠", "150000", "1500", "1500|1500000", "150000"),
    ("\u200f١٥٠٠\u200f", "150000", "1500", "1500000", "150000"),
    ("１５００", "150000", "1500", "1500000", "150000"),
    ("٠", ZERO, ZERO, ZERO, ZERO),
]
REFUSED = [
    ("0", ZERO, ZERO, ZERO, ZERO),
    ("0.00", ZERO, ZERO, ZERO, ZERO),
    ("0,000", ZERO, ZERO, ZERO, ZERO),
    ("-5", ZERO, ZERO, ZERO, ZERO),
    ("\u22125", ZERO, ZERO, ZERO, ZERO),
    ("-1,500", ZERO, ZERO, ZERO, ZERO),
    ("KSh -5", ZERO, ZERO, ZERO, ZERO),
    ("-$5", ZERO, ZERO, ZERO, ZERO),
    ("--5", NO, NO, NO, NO),
    ("(1500)", NO, NO, NO, NO),
    ("+1500", NO, NO, NO, NO),
    ("1e3", NO, NO, NO, NO),
    ("1e999", NO, NO, NO, NO),
    ("NaN", NO, NO, NO, NO),
    ("inf", NO, NO, NO, NO),
    ("Infinity", NO, NO, NO, NO),
    ("∞", NO, NO, NO, NO),
    ("0x10", NO, NO, NO, NO),
    ("1_500", NO, NO, NO, NO),
    ("½", NO, NO, NO, NO),
    ("1½", NO, NO, NO, NO),
    ("5²", NO, NO, NO, NO),
    ("①", NO, NO, NO, NO),
    ("1/2", NO, NO, NO, NO),
    ("1,00,000", NO, NO, NO, NO),
    ("1,,500", NO, NO, NO, NO),
    ("1..5", NO, NO, NO, NO),
    ("1,500,", NO, NO, NO, NO),
    ("15 00", NO, NO, NO, NO),
    ("1  500", NO, NO, NO, NO),
    ("1,000 500", NO, NO, NO, NO),
    ("1.50.0", NO, NO, NO, NO),
    ("1\n500", NO, NO, NO, NO),
    ("1\x00500", NO, NO, NO, NO),
    ("0712345678", NO, NO, NO, NO),
    ("+254712345678", NO, NO, NO, NO),
    ("007", NO, NO, NO, NO),
    ("0,500,000", NO, NO, NO, NO),
    ("fifteen hundred", NO, NO, NO, NO),
    ("approx 1500", NO, NO, NO, NO),
    ("1500%", NO, NO, NO, NO),
    ("1500 only", NO, NO, NO, NO),
    ("KES 1500 USD", NO, NO, NO, NO),
    ("ksh", NO, NO, NO, NO),
    ("-", NO, NO, NO, NO),
    ("", NO, NO, NO, NO),
    ("   ", NO, NO, NO, NO),
    ("1" * 61, NO, NO, NO, NO),
    ("1" * 60, BIG, BIG, BIG, BIG),
    ("12345678901234", BIG, BIG, BIG, BIG),
    ("1,000,000,000,001", BIG, BIG, BIG, BIG),
    ("10000000000", "1000000000000", "10000000000", BIG, "1000000000000"),
    ("10000000000.01", BIG, FINE, BIG, BIG),
    ("1000000000", "100000000000", "1000000000", "1000000000000", "100000000000"),
]
CURRENCIES = ("KES", "UGX", "KWD", "SAR")
CASES = [
    pytest.param(typed, currency, cell, id=f"{ascii(typed)[:30]}-{currency}")
    for typed, *cells in (*PLAIN, *MULTIPLES, *PRICE_TAGS, *ARABIC, *REFUSED)
    for currency, cell in zip(CURRENCIES, cells, strict=True)
]


@pytest.mark.parametrize("typed,currency,cell", CASES)
def test_what_was_typed_is_understood_asked_about_or_refused(typed: str, currency: str, cell: str) -> None:
    if cell.isdigit():
        assert parse_amount(typed, currency) == Money(int(cell), currency)
        return
    with pytest.raises(BadInput) as refused:
        parse_amount(typed, currency)
    assert refused.value.field == "amount"
    if "|" in cell:
        assert refused.value.reason == "unclear"
        assert refused.value.facts["options"] == [int(option) for option in cell.split("|")]
        assert refused.value.facts["currency"] == currency
    else:
        assert refused.value.reason == cell


@pytest.mark.parametrize(
    "typed,expected,minor,currency",
    [
        ("KSh 1500/-", "UGX", 150000, "KES"),
        ("Ksh1,500/=", "UGX", 150000, "KES"),
        ("KES 1,500.00", "UGX", 150000, "KES"),
        ("1500 KES", "UGX", 150000, "KES"),
        ("1500ksh/-", "UGX", 150000, "KES"),
        ("Kshs. 1,500.", "UGX", 150000, "KES"),
        ("Ksh.50", "KES", 5000, "KES"),
        ("KSh .50", "KES", 50, "KES"),
        ("ksh: 1500", "KES", 150000, "KES"),
        ("ksh 2.5k", "KES", 250000, "KES"),
        ("2.5k ksh", "KES", 250000, "KES"),
        ("$5", "KES", 500, "USD"),
        ("$.50", "KES", 50, "USD"),
        ("5$", "KES", 500, "USD"),
        ("€ 5", "KES", 500, "EUR"),
        ("£5", "KES", 500, "GBP"),
        ("₦5000", "KES", 500000, "NGN"),
        ("UGX 5000", "KES", 5000, "UGX"),
        ("5000/= UGX", "KES", 5000, "UGX"),
        ("ush 5,000", "KES", 5000, "UGX"),
        ("TSh 5000", "KES", 500000, "TZS"),
        ("RWF 5000", "KES", 5000, "RWF"),
        ("50 dhs", "KES", 5000, "AED"),
        ("2kd", "SAR", 2000, "KWD"),
        ("٥٠ د.ك", "SAR", 50000, "KWD"),
        ("٥٠ ر.س", "KES", 5000, "SAR"),
        ("50 ﷼", "KES", 5000, "SAR"),
        # a name that several countries share means the one at home
        ("5000 sh", "KES", 500000, "KES"),
        ("Shs 5,000", "UGX", 5000, "UGX"),
        ("sh. 5000", "TZS", 500000, "TZS"),
        ("5000 bob", "SAR", 500000, "KES"),
        ("٥٠ ريال", "QAR", 5000, "QAR"),
        ("٥٠ ريال", "OMR", 50000, "OMR"),
        ("٥٠ ريال", "KES", 5000, "SAR"),
        ("٥٠ دينار", "JOD", 50000, "JOD"),
    ],
)
def test_a_currency_that_was_named_is_the_one_that_is_meant(typed: str, expected: str, minor: int, currency: str) -> None:
    assert parse_amount(typed, expected) == Money(minor, currency)


def test_a_question_names_the_currency_that_was_typed() -> None:
    with pytest.raises(BadInput) as asked:
        parse_amount("KWD 1.500", "KES")
    assert asked.value.facts == {"field": "amount", "reason": "unclear", "options": [1500, 1500000], "currency": "KWD"}


def test_a_house_without_a_known_currency_reads_nothing() -> None:
    with pytest.raises(BadInput) as refused:
        parse_amount("1500", "BTC")
    assert refused.value.facts == {"field": "currency", "reason": "unknown_currency", "currency": "BTC"}
