"""Money paid by hand: may it be paid, whose is it, counted once whoever tells of it first, and what becomes of what names nothing of ours."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any, cast

import pytest

from domain.by_hand import StrayState, Told
from domain.errors import Stale
from domain.ids import OrganizationId
from domain.life import AttemptState, CheckoutState, InboxState
from domain.money import Money
from domain.payment import Attempt, Checkout, Proof
from domain.ports import Unit
from domain.records import RawEvent
from tests.factories import OTHER_PHONE, PRICE, SHOP, Street, admin
from tests.fakes import Ground
from usecases import by_hand
from usecases.by_hand import CONFIRMED, INBOX, LISTED, apply_again, event_key, receive_told
from usecases.checkouts import cancel_checkout, expire_checkout
from usecases.gateways import PLATFORM
from usecases.settlement import Received, Settled, apply_notice
from usecases.strays import BY_HAND
from usecases.sweeps import due_events

RECEIPT = "SJK4H7L2QX"


def told(checkout: Checkout | None = None, **changes: Any) -> Told:
    account = "" if checkout is None else checkout.number
    return replace(Told(RECEIPT, PRICE, "600000", account, "678"), **changes)


def tell(street: Street, said: Told, *, kind: str = CONFIRMED, owner_id: OrganizationId = PLATFORM) -> Received:
    raw = json.dumps([said.receipt, said.money.amount_minor, said.account]).encode()
    event = RawEvent(INBOX, kind, raw, "196.201.214.200", {"owner": owner_id})
    received: Received = street.do(receive_told, event, event_key(kind, owner_id, raw, said), owner_id, said)
    return received


def again(street: Street, said: Told) -> list[InboxState]:
    """The worker's turn with everything that is due."""
    return [street.do(apply_again, event, said) for event in street.do(due_events, (INBOX,), 10)]


def attempt_with(street: Street, receipt: str = RECEIPT) -> Attempt | None:
    found: Attempt | None = street.do(lambda unit: unit.payments.attempt_by_receipt("daraja", receipt))
    return found


def by_hand_attempt(street: Street) -> Attempt:
    found = attempt_with(street)
    assert found is not None
    return found


def code_of(street: Street, checkout: Checkout) -> str:
    return str(street.do(lambda unit: unit.links.get(checkout.link_id).code))


# --- it was paid


def test_money_by_hand_becomes_an_order_that_is_proved_afterwards(street: Street, ground: Ground) -> None:
    """C7: held at once, released only after the gateway agreed."""
    checkout = street.checkout()
    assert tell(street, told(checkout)) is Received.APPLIED
    assert ("lookups", {}) in ground.wakes
    attempt = by_hand_attempt(street)
    assert (attempt.state, attempt.source, attempt.live, attempt.proved_at, attempt.ask_at) == (
        AttemptState.SUCCEEDED, BY_HAND, False, None, None,
    )  # fmt: skip
    order = street.order_of(attempt)
    assert not order.proved
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}
    assert ground.rows("SELECT receipt, state, expects_minor FROM lookups") == [(RECEIPT, "ASKED", 250_000)]


def test_the_same_confirmation_a_hundred_times_counts_once(street: Street, ground: Ground) -> None:
    """C1"""
    checkout = street.checkout()
    tell(street, told(checkout))
    with ground.unchanged():
        assert {tell(street, told(checkout)) for _ in range(100)} == {Received.REPEATED}


def test_the_same_receipt_with_another_amount_changes_nothing(street: Street, ground: Ground) -> None:
    """C8: the first word counts until the gateway is asked; the other is kept for people to see."""
    checkout = street.checkout()
    tell(street, told(checkout))
    before = ground.books()
    assert tell(street, told(checkout, money=Money(1, "KES"))) is Received.APPLIED
    assert ground.books() == before
    assert ground.rows("SELECT state FROM inbox ORDER BY id") == [("APPLIED",), ("IGNORED",)]


def test_a_prompt_and_its_confirmation_are_one_payment(street: Street, ground: Ground) -> None:
    """C2: Daraja confirms prompts too. Before the result it waits; after it, it is known."""
    attempt = street.ringing()
    said = told(account=code_of(street, street.checkout_now(attempt)).replace("-", ""))
    assert tell(street, said) is Received.STORED
    assert ground.books() == {}
    street.later(timedelta(seconds=5))
    assert again(street, said) == [InboxState.STORED]
    street.tell(street.success(attempt, receipt=RECEIPT))
    before = ground.books()
    street.later(timedelta(seconds=120))
    assert again(street, said) == [InboxState.IGNORED]
    assert ground.books() == before == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_confirmation_after_the_result_is_known(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.success(attempt, receipt=RECEIPT))
    before = ground.books()
    tell(street, told(account=code_of(street, street.checkout_now(attempt))))
    assert ground.books() == before


def test_a_confirmation_brings_the_receipt_that_a_query_did_not(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.prove(attempt.id)
    assert tell(street, told(account=code_of(street, street.checkout_now(attempt)))) is Received.APPLIED
    now = street.attempt_now(attempt.id)
    assert (now.receipt, now.source) == (RECEIPT, "web")
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_money_by_hand_while_a_prompt_rings_is_counted_when_the_prompt_has_ended(street: Street, ground: Ground) -> None:
    """C3: by the provider's truth, not by arrival."""
    attempt = street.ringing()
    said = told(account=code_of(street, street.checkout_now(attempt)))
    assert tell(street, said) is Received.STORED
    street.tell(street.failure(attempt, "cancelled_by_payer"))
    street.later(timedelta(seconds=5))
    assert again(street, said) == [InboxState.APPLIED]
    assert by_hand_attempt(street).source == BY_HAND
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_checkouts_own_number_is_never_a_prompts(street: Street) -> None:
    attempt = street.ringing()
    assert tell(street, told(street.checkout_now(attempt))) is Received.APPLIED
    assert by_hand_attempt(street).checkout_id == attempt.checkout_id
    assert street.tell(street.success(attempt)) == "suspense"
    assert street.refund_of(attempt.id).reason == "double"


def test_the_late_success_of_a_prompt_given_up_is_the_same_money(street: Street, ground: Ground) -> None:
    """C3, C4"""
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    tell(street, told(account=code_of(street, street.checkout_now(attempt))))
    before = ground.books()
    assert street.tell(street.success(attempt, receipt=RECEIPT)) == "nothing"
    assert ground.books() == before
    assert street.attempt_now(attempt.id).state is AttemptState.FAILED


def test_the_late_success_with_a_receipt_that_paid_for_something_else_is_for_a_person(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    tell(street, told(street.checkout()))
    notice = street.success(attempt, receipt=RECEIPT)
    assert ground.refuses(Exception, lambda unit: apply_notice(unit, notice)).facts["reason"] == "receipt_used"


def test_money_apart_is_taken_by_the_prompt_that_brought_it(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    tell(street, told(account="nonsense"))
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}
    assert street.tell(street.success(attempt, receipt=RECEIPT)) == "paid"
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}
    stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    assert (stray.state, stray.attempt_id) == (StrayState.MATCHED, attempt.id)


def test_a_late_success_without_a_receipt_or_with_its_own_goes_its_way(street: Street) -> None:
    for receipt in (None, "RSELF00001"):
        attempt = street.ringing()
        street.tell(street.failure(attempt, "no_answer"))
        assert street.tell(street.success(attempt, receipt=receipt)) == "paid"


@pytest.mark.parametrize(("minor", "why"), [(249_900, "short"), (1, "short")])
def test_less_than_the_price_goes_back(street: Street, ground: Ground, minor: int, why: str) -> None:
    """C8, C13"""
    checkout = street.checkout()
    tell(street, told(checkout, money=Money(minor, "KES")))
    attempt = by_hand_attempt(street)
    assert street.no_order(attempt)
    assert street.refund_of(attempt.id).reason == why
    assert street.checkout_now(attempt).state is CheckoutState.OPEN
    assert ground.books() == {"clearing:daraja": minor, "refunds_in_transit": -minor}


def test_more_than_the_price_is_an_order_and_the_rest_goes_back(street: Street) -> None:
    """C8, C13"""
    checkout = street.checkout()
    tell(street, told(checkout, money=Money(250_100, "KES")))
    attempt = by_hand_attempt(street)
    assert street.order_of(attempt).total == PRICE
    assert street.refund_of(attempt.id).money == Money(100, "KES")


def test_a_second_payment_by_hand_goes_back(street: Street) -> None:
    """C13"""
    checkout = street.checkout()
    tell(street, told(checkout))
    assert tell(street, told(checkout, receipt="SJK4H7L2QY")) is Received.APPLIED
    second = attempt_with(street, "SJK4H7L2QY")
    assert second is not None
    assert street.refund_of(second.id).reason == "double"


def test_late_money_by_hand_becomes_an_order_or_goes_back(street: Street) -> None:
    """C4, C14"""
    taken = street.checkout()
    street.later(timedelta(minutes=31))
    street.do(expire_checkout, taken.id)
    tell(street, told(taken))
    assert street.order_of(by_hand_attempt(street)).checkout_id == taken.id
    back = street.checkout()
    street.do(cancel_checkout, back.id, admin)
    street.later(timedelta(days=8))
    tell(street, told(back, receipt="SJK4H7L2QY"))
    late = attempt_with(street, "SJK4H7L2QY")
    assert late is not None
    assert street.refund_of(late.id).reason == "late"


def test_of_two_checkouts_of_a_link_the_payers_own_is_paid(street: Street) -> None:
    link = street.link()
    mine, other = street.checkout(link), street.checkout(link, phone=OTHER_PHONE)
    tell(street, told(account=link.code))
    assert by_hand_attempt(street).checkout_id == mine.id
    tell(street, told(account=link.code, receipt="SJK4H7L2QY", payer_ends="", validated=other.number.replace("-", "")))
    second = attempt_with(street, "SJK4H7L2QY")
    assert second is not None
    assert second.checkout_id == other.id


def test_what_was_validated_counts_only_for_the_link_that_was_named(street: Street) -> None:
    link, elsewhere = street.link(), street.checkout()
    mine = street.checkout(link)
    tell(street, told(account=link.code, validated=elsewhere.number))
    assert by_hand_attempt(street).checkout_id == mine.id


@pytest.mark.parametrize("account", ["", "INV00042", "TEMP-22222222", "PL-22222"])
def test_money_that_names_nothing_of_ours_is_kept_apart(street: Street, ground: Ground, account: str) -> None:
    """C14"""
    assert tell(street, told(account=account)) is Received.APPLIED
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}
    assert ground.alerts() == ["money_stray"]
    before = ground.books()
    tell(street, told(account=account, money=Money(1, "KES")))
    assert ground.books() == before
    waiting = street.do(lambda unit: unit.by_hand.strays_waiting(10))
    assert [(stray.receipt, stray.money, stray.account) for stray in waiting] == [(RECEIPT, PRICE, account)]


def test_money_for_a_link_that_two_of_the_payers_wait_for_is_never_guessed(street: Street, ground: Ground) -> None:
    """C14"""
    link = street.link()
    street.checkout(link), street.checkout(link)
    tell(street, told(account=link.code))
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}


def test_money_at_a_shops_own_short_code_is_a_memo(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    street.go_direct()
    tell(street, told(checkout, short_code="777777"), owner_id=SHOP)
    assert by_hand_attempt(street).direct
    assert ground.books() == {"direct_clearing:1.daraja": 250_000, "direct_sales": -250_000}
    tell(street, told(account="nonsense", short_code="777777", receipt="SJK4H7L2QY"), owner_id=SHOP)
    assert ground.books() == {"direct_clearing:1.daraja": 500_000, "direct_sales": -250_000, "suspense": -250_000}


def test_a_confirmation_for_another_short_code_is_parked(street: Street, ground: Ground) -> None:
    """C10"""
    assert tell(street, told(street.checkout(), short_code="600001")) is Received.PARKED
    assert ground.books() == {}
    assert ground.alerts() == ["wrong_payee"]


def test_a_confirmation_that_cannot_be_read_is_kept(street: Street, ground: Ground) -> None:
    """C16, C17"""
    event = RawEvent(INBOX, CONFIRMED, b"\xff{", "", {"owner": 0})
    key = event_key(CONFIRMED, PLATFORM, event.raw, None)
    assert street.do(receive_told, event, key, PLATFORM, None) is Received.PARKED
    assert ground.alerts() == ["event_unreadable"]
    assert street.do(receive_told, event, key, PLATFORM, None) is Received.REPEATED


def test_a_confirmation_where_nothing_is_set_up_waits_and_is_given_up_after_a_day(street: Street, ground: Ground) -> None:
    said = told(street.checkout(), short_code="888888")
    assert tell(street, said, owner_id=OrganizationId(2)) is Received.STORED
    street.later(timedelta(hours=25))
    assert again(street, said) == [InboxState.STORED]
    street.later(timedelta(minutes=3))
    assert again(street, said) == [InboxState.PARKED]
    assert ground.alerts() == ["event_parked"]


def test_a_prompt_of_another_account_is_not_waited_for(street: Street) -> None:
    attempt = street.ringing()
    street.go_direct()
    said = told(account=code_of(street, street.checkout_now(attempt)), short_code="777777")
    assert tell(street, said, owner_id=SHOP) is Received.APPLIED


# --- the gateway's list


def test_the_gateways_list_proves_what_a_confirmation_told(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    tell(street, told(checkout))
    assert tell(street, told(checkout), kind=LISTED) is Received.APPLIED
    attempt = by_hand_attempt(street)
    assert attempt.proved_at is not None
    assert street.order_of(attempt).proved
    assert tell(street, told(checkout, money=Money(1, "KES")), kind=LISTED) is Received.APPLIED
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_payment_that_was_never_confirmed_is_found_in_the_list_and_needs_no_proof(street: Street, ground: Ground) -> None:
    tell(street, told(street.checkout()), kind=LISTED)
    assert by_hand_attempt(street).proved_at is not None
    assert ground.rows("SELECT count(*) FROM lookups") == [(0,)]


def test_settling_says_what_it_did(street: Street) -> None:
    def settle(unit: Unit) -> Settled | None:
        return by_hand.apply_told(unit, PLATFORM, told(account="nonsense"), Proof.HINT)

    assert street.do(settle) is Settled.SUSPENSE
    assert street.do(settle) is Settled.NOTHING


def test_losing_a_race_is_begun_again_from_reading(street: Street, ground: Ground) -> None:
    """C1: two confirmations at once."""
    checkout = street.checkout()

    def second(unit: Unit) -> Received:
        class Faster:
            def __getattr__(self, name: str) -> Any:
                raise Stale

        class Racing:
            payments = Faster()

            def __getattr__(self, name: str) -> Any:
                return getattr(unit, name)

        return receive_told(cast(Unit, Racing()), RawEvent(INBOX, CONFIRMED, b"{}", "", {}), "k", PLATFORM, told(checkout))

    ground.refuses(Stale, second)


def test_what_is_owed_through_another_gateway_stays_as_it_is(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    ground.connection.execute("UPDATE payments SET gateway = 'stripe'")
    ground.connection.execute("UPDATE attempts SET gateway = 'stripe'")
    tell(street, told(street.checkout_now(attempt)))
    assert ground.rows("SELECT gateway, state FROM payments ORDER BY id") == [("stripe", "FAILED"), ("daraja", "SUCCEEDED")]
