"""What people type and paste when they pay by hand, read forgivingly and never guessed at."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.by_hand import (
    LATELY,
    LOOK_AGAIN,
    MOST_CLAIM_LOOKS,
    MOST_LOOKS,
    Account,
    Kind,
    Lookup,
    LookupId,
    LookupState,
    Told,
    Verdict,
    account_of,
    choose,
    judge,
    look_again,
    looks_pasted,
    may_be,
    read_account,
    read_pasted,
    single,
)
from domain.errors import BadInput
from domain.ids import AttemptId, CheckoutId, LinkId, OrganizationId, PaymentId
from domain.life import AttemptState, CheckoutState
from domain.money import Money
from domain.payment import Attempt, Checkout
from domain.phone import Phone
from tests.fakes import NOON

PRICE = Money(250_000, "KES")
TOLD = Told("SJK4H7L2QX", PRICE, "600000", "PL7K2QD", "678")


def a_checkout(number: int, **changes: object) -> Checkout:
    made = Checkout(
        CheckoutId(number), f"TEMP-{number:0>8}", OrganizationId(1), LinkId(1), None, 1, PRICE, CheckoutState.OPEN, Phone("+254712345678"), "A",
        "", "", "en", "web", NOON, NOON + timedelta(minutes=30), str(number),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def an_attempt(**changes: object) -> Attempt:
    made = Attempt(
        AttemptId(1), PaymentId(1), CheckoutId(1), OrganizationId(1), "daraja", False, PRICE, AttemptState.PENDING, Phone("+254712345678"), NOON, "k"
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


OTHERS = {"phone": Phone("+254722000111")}


@pytest.mark.parametrize(
    ("typed", "account"),
    [
        ("PL-7K2QD", Account(Kind.LINK, "PL-7K2QD")),
        ("pl 7k2qd", Account(Kind.LINK, "PL-7K2QD")),
        ("P1-7K2QD", Account(Kind.LINK, "PL-7K2QD")),
        ("pi7k2qd", Account(Kind.LINK, "PL-7K2QD")),
        ("7K2QD", Account(Kind.LINK, "PL-7K2QD")),
        ("\uff30\uff2c7K2QD", Account(Kind.LINK, "PL-7K2QD")),
        ("TEMP-7K2QD4W8", Account(Kind.CHECKOUT, "TEMP-7K2QD4W8")),
        ("temp 7k2q d4w8", Account(Kind.CHECKOUT, "TEMP-7K2QD4W8")),
        ("7K2QD4W8", Account(Kind.CHECKOUT, "TEMP-7K2QD4W8")),
        ("٧K٢QD", Account(Kind.LINK, "PL-7K2QD")),
        ("PL-7K2Q0", None),
        ("PL-7K2QO", None),
        ("PL-7K2QDD", None),
        ("INV00042", None),
        ("", None),
        ("'; --", None),
    ],
)
def test_an_account_is_read_as_people_type_it(typed: str, account: Account | None) -> None:
    """C14"""
    assert read_account(typed) == account


def test_what_a_buyer_is_told_to_type_reads_back() -> None:
    assert account_of("TEMP-7K2QD4W8") == "TEMP7K2QD4W8"
    assert read_account(account_of("TEMP-7K2QD4W8")) == Account(Kind.CHECKOUT, "TEMP-7K2QD4W8")


PAYBILL = (
    "SJK4H7L2QX Confirmed. Ksh2,500.00 sent to PAYLOOM for account PL7K2QD on 21/11/26 at 10:21 AM. New M-PESA balance is Ksh1,234.00."
)
TILL = "SJK4H7L2QX Confirmed. Ksh500 paid to PAYLOOM. on 1/2/26 at 1:05 PM.New M-PESA balance is Ksh0.00. Transaction cost, Ksh0.00."
SW_PAYBILL = (
    "SJK4H7L2QX Imethibitishwa. Ksh2,500.00 imetumwa kwa PAYLOOM kwa akaunti ya PL7K2QD tarehe 21/11/26 saa 10:21 AM. Baki yako ni Ksh9.00."
)
SW_TILL = "SJK4H7L2QX Imethibitishwa. Ksh500.00 imelipwa kwa PAYLOOM. tarehe 1/2/26 saa 1:05 PM Salio lako la M-PESA ni Ksh9.00."


@pytest.mark.parametrize(
    ("text", "minor", "account", "day"),
    [
        (PAYBILL, 250_000, "PL7K2QD", "21/11/26"),
        (PAYBILL.lower(), 250_000, "PL7K2QD", "21/11/26"),
        (f"Fwd: {PAYBILL}", 250_000, "PL7K2QD", "21/11/26"),
        (TILL, 50_000, "", "1/2/26"),
        (SW_PAYBILL, 250_000, "PL7K2QD", "21/11/26"),
        (SW_TILL, 50_000, "", "1/2/26"),
        ("SJK4H7L2QX Confirmed.", None, "", ""),
        ("SJK4H7L2QX Confirmed. Ksh999999999999999999 paid", None, "", ""),
        ("sjk4 h7l2 qx", None, "", ""),
        ("SJK4-H7L2-QX", None, "", ""),
        ("my code is SJK4H7L2QX thanks", None, "", ""),
    ],
)
def test_a_message_of_mpesa_is_read_in_its_shapes(text: str, minor: int | None, account: str, day: str) -> None:
    pasted = read_pasted(text)
    assert (pasted.receipt, pasted.account, pasted.day) == ("SJK4H7L2QX", account, day)
    assert (pasted.money.amount_minor if pasted.money is not None else None) == minor


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("  ", "empty"),
        ("x" * 1001, "too_long"),
        ("hello there", "no_code"),
        ("1234567890", "no_code"),
        ("CONFIRMED", "no_code"),
        ("I paid SJK4H7L2QX or SJK4H7L2QY", "many"),
    ],
)
def test_what_holds_no_code_is_told_so(text: str, reason: str) -> None:
    """C17"""
    with pytest.raises(BadInput) as refusal:
        read_pasted(text)
    assert (refusal.value.field, refusal.value.reason) == ("receipt", reason)


def test_a_message_of_mpesa_is_recognized_anywhere() -> None:
    assert looks_pasted(PAYBILL)
    assert looks_pasted(SW_TILL)
    assert not looks_pasted("SJK4H7L2QX")
    assert not looks_pasted(PAYBILL + "x" * 1000)


def test_a_payment_may_be_made_for_what_is_open_and_costs_that() -> None:
    one = a_checkout(2)
    assert judge([], TOLD) == (Verdict.ACCOUNT, None)
    assert judge([one], replace(TOLD, money=Money(249_900, "KES"))) == (Verdict.AMOUNT, None)
    assert judge([one], TOLD) == (Verdict.ACCEPT, one)
    assert judge([one, a_checkout(3)], TOLD) == (Verdict.ACCEPT, None)


def test_of_two_only_the_payers_own_is_meant() -> None:
    mine, other = a_checkout(2), a_checkout(3, **OTHERS)
    assert single([mine, other], TOLD) == mine
    assert single([mine, a_checkout(4)], TOLD) is None
    assert single([a_checkout(5, phone=None), other], TOLD) is None
    assert single([mine, other], replace(TOLD, payer_ends="")) is None


def test_money_for_a_link_finds_the_checkout_it_is_for() -> None:
    mine, other = a_checkout(2), a_checkout(3, **OTHERS)
    over = {"state": CheckoutState.EXPIRED, "ended_at": NOON}
    short = replace(TOLD, money=Money(100, "KES"))
    assert choose([mine], TOLD, NOON) == mine
    assert choose([mine, other], TOLD, NOON) == mine
    assert choose([other, a_checkout(4, **OTHERS)], TOLD, NOON) is None
    assert choose([mine, other], short, NOON) == mine
    assert choose([other], short, NOON) is None
    assert choose([a_checkout(2, **over)], TOLD, NOON) == a_checkout(2, **over)
    assert choose([a_checkout(2, **over)], short, NOON) is None
    assert choose([a_checkout(2, **over)], TOLD, NOON + LATELY + timedelta(seconds=1)) is None
    assert choose([a_checkout(2, **over), a_checkout(4, **over)], TOLD, NOON) is None
    assert choose([a_checkout(2, state=CheckoutState.CANCELLED)], TOLD, NOON) is not None
    assert choose([], TOLD, NOON) is None


def test_a_prompt_may_be_what_brought_the_money() -> None:
    assert may_be(an_attempt(), TOLD)
    assert may_be(an_attempt(phone=None), TOLD)
    assert may_be(an_attempt(), replace(TOLD, payer_ends=""))
    assert not may_be(an_attempt(**OTHERS), TOLD)
    assert not may_be(an_attempt(receipt="R1"), TOLD)
    assert not may_be(an_attempt(state=AttemptState.FAILED), TOLD)
    assert not may_be(an_attempt(money=Money(100, "KES")), TOLD)


def test_a_question_is_asked_again_with_growing_patience_and_not_for_ever() -> None:
    asked = Lookup(LookupId(1), "daraja", OrganizationId(0), "R1", "proof:1", LookupState.ASKED, NOON, AttemptId(1))
    assert look_again(asked, NOON) == NOON + LOOK_AGAIN[0]
    assert look_again(replace(asked, tries=MOST_LOOKS - 1), NOON) == NOON + LOOK_AGAIN[-1]
    assert look_again(replace(asked, tries=MOST_LOOKS), NOON) is None
    claimed = replace(asked, attempt_id=None, checkout_id=CheckoutId(1))
    assert look_again(replace(claimed, tries=MOST_CLAIM_LOOKS), NOON) is None
