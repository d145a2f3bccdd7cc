"""Whatever the amounts: parts add up, what is written is read back, and no typing breaks the parser."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from domain.booking import release
from domain.errors import BadInput
from domain.ids import OrderId, OrganizationId
from domain.money import EXPONENTS, MOST_MINOR, Money, fee_of, from_major, parse_amount, split
from tests.domain.samples import read_or_refused

calm = settings(deadline=None)
"""A busy machine is no failure."""

currencies = st.sampled_from(sorted(EXPONENTS))
payable_minor = st.integers(1, MOST_MINOR)
any_minor = st.integers(-(10**18), 10**18)
weights = st.lists(st.integers(0, 10**9), min_size=1, max_size=12).filter(any)


@calm
@given(any_minor, weights, currencies)
def test_the_parts_of_a_split_add_up_to_the_whole(minor: int, shares: list[int], currency: str) -> None:
    parts = split(Money(minor, currency), shares)
    assert len(parts) == len(shares)
    assert sum(part.amount_minor for part in parts) == minor
    assert {part.currency for part in parts} == {currency}


@calm
@given(any_minor, weights)
def test_no_part_of_a_split_is_a_whole_unit_off_and_the_largest_remainders_are_rounded_up(minor: int, shares: list[int]) -> None:
    parts, weight = [part.amount_minor for part in split(Money(minor, "KES"), shares)], sum(shares)
    down: list[tuple[int, int]] = []
    up: list[tuple[int, int]] = []
    for index, (part, share) in enumerate(zip(parts, shares, strict=True)):
        exact, remainder = divmod(minor * share, weight)
        assert part in {exact, exact + 1}
        (up if part > exact else down).append((-remainder, index))
        assert remainder or part == exact
    assert not up or not down or max(up) < min(down)


@calm
@given(payable_minor, st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_fee_is_never_more_than_the_sum_and_grows_with_its_rate(minor: int, bps: int, more: int) -> None:
    total = Money(minor, "KES")
    fee = fee_of(total, bps)
    assert Money(0, "KES") <= fee <= total
    assert fee.amount_minor * 10_000 <= minor * bps < (fee.amount_minor + 1) * 10_000
    assert fee <= fee_of(total, min(10_000, bps + more))


@calm
@given(payable_minor, st.integers(0, 10_000), currencies)
def test_every_release_balances(minor: int, bps: int, currency: str) -> None:
    total = Money(minor, currency)
    postings = release(OrderId(1), OrganizationId(2), total, fee_of(total, bps)).postings
    assert sum(posting.money.amount_minor for posting in postings) == 0
    assert postings[0].money == total
    assert all(posting.money.amount_minor <= 0 for posting in postings[1:])


@calm
@given(any_minor, any_minor, st.integers(-1000, 1000))
def test_money_counts_like_whole_numbers(one: int, other: int, count: int) -> None:
    a, b = Money(one, "KES"), Money(other, "KES")
    assert (a + b) - b == a
    assert a + -a == Money(0, "KES")
    assert a.times(count) == Money(one * count, "KES")
    assert (a < b, a <= b, a > b, a >= b, a == b) == (one < other, one <= other, one > other, one >= other, one == other)


@calm
@given(st.integers(0, MOST_MINOR), currencies)
def test_the_plain_decimal_of_an_amount_is_read_back_exactly(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert from_major(money.major, currency) == money
    assert money.is_whole is ("." not in money.major or not money.major.split(".")[1].strip("0"))


def written(money: Money, group: str, point: str) -> str:
    whole, _, cents = money.major.partition(".")
    groups = [whole[max(0, end - 3) : end] for end in range(len(whole), 0, -3)]
    return group.join(reversed(groups)) + (point + cents if cents else "")


@calm
@given(payable_minor, currencies, st.sampled_from(["", ",", ".", " ", "'", "\u00a0", "٬"]), st.sampled_from([".", ",", "٫"]))
def test_an_amount_written_with_its_decimals_is_read_as_that_amount_or_asked_about(
    minor: int, currency: str, group: str, point: str
) -> None:
    assume(group != point)
    money = Money(minor, currency)
    read = read_or_refused(lambda: parse_amount(written(money, group, point), currency))
    if isinstance(read, BadInput):
        assert read.reason == "unclear"
        assert minor in read.facts["options"]
    else:
        assert read == money


@calm
@given(
    payable_minor,
    currencies,
    st.sampled_from(["{code} {number}", "{code}{number}", "{number} {code}", "{code}. {number}/=", " {number}/- "]),
)
def test_the_currency_by_its_code_and_the_end_of_a_price_tag_change_nothing(minor: int, currency: str, form: str) -> None:
    money = Money(minor, currency)
    assume(len(money.major.partition(".")[2]) != 3 or len(money.major) > 7)
    assert parse_amount(form.format(code=currency, number=money.major), currency) == money


digits_in = {"Arabic": "٠١٢٣٤٥٦٧٨٩", "Persian": "۰۱۲۳۴۵۶۷۸۹", "wide": "０１２３４５６７８９", "Devanagari": "०१२३४५६७८९"}


@calm
@given(st.integers(1, 10**9), st.sampled_from(sorted(digits_in)))
def test_digits_of_every_script_are_digits(number: int, script: str) -> None:
    typed = "".join(digits_in[script][int(digit)] for digit in str(number))
    assert parse_amount(typed, "KES") == Money(number * 100, "KES")


price_like = st.text(st.sampled_from("0123456789.,' kmKSh/-=$€٠٥٬٫،\u00a0\u200f\u2212"), max_size=20)


@calm
@given(st.text(max_size=70) | price_like, currencies)
@example("9" * 60 + "m", "KWD")
@example("\ud800", "KES")
@example("1" + "\u0301" * 30, "KES")
def test_no_typing_breaks_the_parser_and_no_answer_is_out_of_bounds(typed: str, currency: str) -> None:
    read = read_or_refused(lambda: parse_amount(typed, currency))
    if not isinstance(read, BadInput):
        assert 1 <= read.amount_minor <= MOST_MINOR
    elif read.reason == "unclear":
        options = read.facts["options"]
        assert len(options) == 2
        assert options == sorted(set(options))
        assert all(0 < option <= MOST_MINOR for option in options)
    else:
        assert read.reason in {"not_a_number", "too_precise", "not_positive", "too_large"}


@calm
@given(st.text(max_size=30) | st.from_regex(r"[0-9.]{1,20}", fullmatch=True), currencies)
def test_a_provider_s_number_is_read_whole_or_not_at_all(text: str, currency: str) -> None:
    money = read_or_refused(lambda: from_major(text, currency))
    if isinstance(money, BadInput):
        assert money.reason in {"not_a_number", "too_precise"}
        return
    whole, _, cents = money.major.partition(".")
    told, _, told_cents = text.partition(".")
    assert int(whole) == int(told)
    assert cents.rstrip("0") == told_cents.rstrip("0")


@pytest.mark.parametrize("currency", sorted(EXPONENTS))
def test_every_currency_can_be_named_by_its_code(currency: str) -> None:
    assert parse_amount(f"{currency} 7", "USD") == Money(7 * 10 ** EXPONENTS[currency], currency)
