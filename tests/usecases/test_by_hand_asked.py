"""Money that is about to be paid by hand: accepted or refused from what we have, and how it is told to be paid."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from domain.by_hand import Verdict
from domain.ids import OrganizationId
from domain.money import Money
from domain.phone import Phone
from tests.factories import PRICE, SECOND, SHOP, Street, admin, owner
from tests.usecases.test_by_hand import by_hand_attempt, code_of, tell, told
from usecases import lists
from usecases.by_hand import how_to, may_pay
from usecases.checkouts import expire_checkout
from usecases.gateways import PLATFORM, pause_gateway, save_credentials

# --- may it be paid


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, Verdict.ACCEPT),
        ({"money": Money(249_900, "KES")}, Verdict.AMOUNT),
        ({"money": Money(250_100, "KES")}, Verdict.AMOUNT),
        ({"short_code": "600001"}, Verdict.SHORT_CODE),
        ({"account": "INV00042"}, Verdict.ACCOUNT),
        ({"account": "TEMP-22222222"}, Verdict.ACCOUNT),
        ({"account": "PL-22222"}, Verdict.ACCOUNT),
    ],
)
def test_a_payment_is_accepted_or_refused_from_what_we_have(street: Street, changes: dict[str, Any], verdict: Verdict) -> None:
    """C8, C10, C14"""
    checkout = street.checkout()
    with street.ground.unchanged():
        said, validated = street.do(may_pay, PLATFORM, told(checkout, **changes))
    assert said is verdict
    assert validated == (checkout.number.replace("-", "") if verdict is Verdict.ACCEPT else "")


def test_a_link_is_accepted_too_and_the_checkout_told_only_where_it_is_clear(street: Street) -> None:
    one = street.checkout()
    account = code_of(street, one)
    assert street.do(may_pay, PLATFORM, told(account=account.lower())) == (Verdict.ACCEPT, one.number.replace("-", ""))
    street.checkout(street.do(lambda unit: unit.links.get(one.link_id)))
    assert street.do(may_pay, PLATFORM, told(account=account)) == (Verdict.ACCEPT, "")


def test_what_is_over_is_refused(street: Street) -> None:
    """C14"""
    checkout = street.checkout()
    street.later(timedelta(minutes=30))
    assert street.do(may_pay, PLATFORM, told(checkout))[0] is Verdict.ACCOUNT
    street.do(expire_checkout, checkout.id)
    assert street.do(may_pay, PLATFORM, told(checkout))[0] is Verdict.ACCOUNT


def test_a_paused_gateway_takes_nothing_by_hand(street: Street) -> None:
    checkout = street.checkout()
    street.do(pause_gateway, admin, "daraja", True)
    assert street.do(may_pay, PLATFORM, told(checkout))[0] is Verdict.OTHER


def test_a_till_takes_money_without_an_account_and_a_paybill_does_not(street: Street) -> None:
    """Buy Goods asks for none: the buyer shows the receipt."""
    checkout = street.checkout()
    assert street.do(may_pay, PLATFORM, told(checkout, account=""))[0] is Verdict.ACCOUNT
    street.do(save_credentials, admin, "daraja", {"short_code": "600000", "till": "555555", "transaction_type": "BUYGOODS"}, tested=True)
    assert street.do(may_pay, PLATFORM, told(account="", short_code="555555")) == (Verdict.ACCEPT, "")
    assert street.do(may_pay, PLATFORM, told(account="INV00042", short_code="555555"))[0] is Verdict.ACCOUNT
    assert street.do(may_pay, PLATFORM, told(account="", short_code="600001"))[0] is Verdict.SHORT_CODE


def test_each_account_takes_its_own_only(street: Street) -> None:
    """C10: a shop with a short code of its own is paid there, and nobody else is."""
    checkout = street.checkout()
    assert street.do(may_pay, SHOP, told(checkout))[0] is Verdict.SHORT_CODE
    street.go_direct()
    assert street.do(may_pay, PLATFORM, told(checkout))[0] is Verdict.ACCOUNT
    assert street.do(may_pay, SHOP, told(checkout, short_code="777777"))[0] is Verdict.ACCEPT
    street.do(save_credentials, replace(owner, organization_id=OrganizationId(2)), "daraja", {"short_code": "888888"}, tested=True)
    assert street.do(may_pay, OrganizationId(2), told(checkout, short_code="888888"))[0] is Verdict.ACCOUNT


# --- how it is paid


def test_how_to_pay_is_told_where_it_can_be(street: Street) -> None:
    checkout = street.checkout()
    assert street.do(how_to, checkout.id) is None
    street.do(lists.switch_on, admin, PLATFORM, listed=False)
    how = street.do(how_to, checkout.id)
    assert (how.short_code, how.till, how.account, how.total) == ("600000", False, checkout.number.replace("-", ""), PRICE)
    street.do(save_credentials, admin, "daraja", {"short_code": "600000", "till": "555555", "transaction_type": "BUYGOODS"}, tested=True)
    assert (street.do(how_to, checkout.id).short_code, street.do(how_to, checkout.id).till) == ("555555", True)
    street.do(pause_gateway, admin, "daraja", True)
    assert street.do(how_to, checkout.id) is None
    street.do(pause_gateway, admin, "daraja", False)
    street.later(timedelta(minutes=30) + SECOND)
    assert street.do(how_to, checkout.id) is None


def test_a_payer_without_a_number_of_ours_is_found_by_the_amount(street: Street) -> None:
    link = street.link()
    checkout = street.checkout(link, phone=Phone("+966501234567"))
    tell(street, told(account=link.code, payer_ends=""))
    assert by_hand_attempt(street).checkout_id == checkout.id
