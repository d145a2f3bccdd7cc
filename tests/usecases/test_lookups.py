"""Questions about receipts: asked until they are answered; proof of what a confirmation told; the gateway's own list."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.by_hand import (
    LOOK_AGAIN,
    MOST_CLAIM_LOOKS,
    NEWLY_MADE,
    Looked,
    Lookup,
    LookupId,
    LookupState,
)
from domain.errors import NotFound
from domain.money import Money
from domain.payment import Outcome, Reply
from domain.tokens import Purpose
from tests.factories import BUYER, SHOP, Street, admin, manager
from tests.fakes import Ground, GroundStore
from tests.usecases.test_by_hand import RECEIPT, attempt_with, by_hand_attempt, tell, told
from tests.usecases.test_claims import DENIED, FOUND, HEARD, Hand, answered, asked, claimed, now, proof
from usecases import lists
from usecases.gateways import PLATFORM
from usecases.lists import due_lists, read_list, register, switch_on
from usecases.lookups import LookupCall, begin_lookup, record_asked, send_lookup
from usecases.settlement import Received

# --- the question


def test_a_question_is_asked_until_it_is_answered(street: Street, ground: Ground) -> None:
    """O2, O9"""
    lookup = claimed(street, street.checkout())
    call = street.do(begin_lookup, lookup.id)
    assert isinstance(call, LookupCall)
    assert (call.lookup.state, call.lookup.tries, call.credentials) == (LookupState.SENDING, 1, {"short_code": "600000"})
    assert ground.tokens.read(Purpose.LOOKUP, call.token) == lookup.id
    assert street.do(begin_lookup, lookup.id) is None
    street.do(record_asked, lookup.id, Reply(Outcome.UNKNOWN))
    waiting = now(street, lookup)
    assert (waiting.state, waiting.act_at) == (LookupState.ASKED, ground.clock.at + LOOK_AGAIN[1])
    street.later(LOOK_AGAIN[1])
    asked(street, lookup.id)
    street.do(record_asked, lookup.id, Reply(Outcome.UNKNOWN))
    assert now(street, lookup).state is LookupState.PENDING
    street.later(timedelta(seconds=60))
    asked(street, lookup.id)
    answered(street, lookup.id, replace(DENIED, found=None))
    assert now(street, lookup).state is LookupState.ASKED
    answered(street, lookup.id, replace(FOUND, completed=False), key="2")
    assert now(street, lookup).state is LookupState.ASKED


def test_an_answer_to_another_question_is_not_heard(street: Street, ground: Ground) -> None:
    """C7"""
    lookup = claimed(street, street.checkout())
    asked(street, lookup.id)
    answered(street, lookup.id, replace(FOUND, ref="AG_forged"))
    assert now(street, lookup).state is LookupState.PENDING
    answered(street, LookupId(1), FOUND)
    assert ground.rows("SELECT state FROM inbox ORDER BY id") == [("IGNORED",), ("IGNORED",)]


def test_an_answer_that_cannot_be_read_is_kept(street: Street, ground: Ground) -> None:
    """C17"""
    lookup = claimed(street, street.checkout())
    assert answered(street, lookup.id, None) is Received.PARKED
    assert ground.alerts() == ["event_unreadable"]


def test_a_claim_nobody_answers_for_is_given_up_and_told(street: Street, ground: Ground) -> None:
    lookup = claimed(street, street.checkout())
    for _ in range(MOST_CLAIM_LOOKS):
        asked(street, lookup.id)
        street.later(timedelta(hours=1))
    assert street.do(begin_lookup, lookup.id) is None
    assert (now(street, lookup).state, now(street, lookup).result) == (LookupState.FAILED, "no_answer")
    assert ground.told()[-1] == f"payment_failed>{BUYER}"
    assert street.do(begin_lookup, lookup.id) is None


def test_a_question_the_gateway_refuses_is_over(street: Street) -> None:
    lookup = claimed(street, street.checkout())
    assert street.do(begin_lookup, lookup.id) is not None
    street.do(record_asked, lookup.id, Reply(Outcome.DECLINED, result="configuration"))
    assert now(street, lookup).result == "configuration"


def test_a_question_without_credentials_is_over(street: Street, ground: Ground) -> None:
    lookup = claimed(street, street.checkout())
    ground.connection.execute("DELETE FROM gateway_settings")
    assert street.do(begin_lookup, lookup.id) is None
    assert now(street, lookup).result == "configuration"


async def test_unit_call_unit(street: Street, ground: Ground) -> None:
    hand = Hand([HEARD])
    lookup = claimed(street, street.checkout())
    await send_lookup(GroundStore(ground), hand, lookup.id)
    await send_lookup(GroundStore(ground), hand, lookup.id)
    assert hand.asked == [RECEIPT]
    assert now(street, lookup).ref == "AG_1"


# --- proof of what a confirmation told


def confirmed(street: Street) -> Lookup:
    tell(street, told(street.checkout()))
    lookup = proof(street)
    asked(street, lookup.id)
    return lookup


def test_the_gateway_agrees_with_a_confirmation(street: Street) -> None:
    """C7"""
    lookup = confirmed(street)
    answered(street, lookup.id, FOUND)
    assert street.order_of(by_hand_attempt(street)).proved
    assert now(street, lookup).result == "proved"


@pytest.mark.parametrize(
    "looked", [replace(FOUND, money=Money(100, "KES")), replace(FOUND, payee="600001"), replace(FOUND, receipt="SJK4H7L2QY")]
)
def test_a_confirmation_that_the_gateway_contradicts_goes_to_suspense(street: Street, ground: Ground, looked: Looked) -> None:
    """C7, C8, C10: a forged confirmation"""
    lookup = confirmed(street)
    answered(street, lookup.id, looked)
    assert by_hand_attempt(street).disproved
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}
    assert "payment_disproved" in ground.alerts()


def test_a_confirmation_that_the_gateway_does_not_know_is_asked_twice_and_then_denied(street: Street, ground: Ground) -> None:
    """C7"""
    lookup = confirmed(street)
    answered(street, lookup.id, DENIED)
    assert now(street, lookup).state is LookupState.ASKED
    assert not by_hand_attempt(street).disproved
    street.later(NEWLY_MADE)
    asked(street, lookup.id)
    answered(street, lookup.id, DENIED, key="2")
    assert by_hand_attempt(street).disproved
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}


def test_an_account_that_is_gone_proves_nothing(street: Street, ground: Ground) -> None:
    lookup = confirmed(street)
    ground.connection.execute("DELETE FROM gateway_settings")
    answered(street, lookup.id, FOUND)
    assert by_hand_attempt(street).disproved


def test_what_is_proved_otherwise_is_not_asked_about(street: Street) -> None:
    checkout = street.checkout()
    tell(street, told(checkout))
    tell(street, told(checkout), kind="listed")
    lookup = proof(street)
    assert street.do(begin_lookup, lookup.id) is None
    assert (now(street, lookup).state, now(street, lookup).result) == (LookupState.DONE, "known")


def test_money_that_stays_without_proof_is_for_a_person(street: Street, ground: Ground) -> None:
    tell(street, told(street.checkout()))
    lookup = proof(street)
    street.do(begin_lookup, lookup.id)
    street.do(record_asked, lookup.id, Reply(Outcome.DECLINED, result="configuration"))
    assert ground.alerts() == ["payment_without_proof"]


# --- the gateway's list


async def test_the_list_of_the_last_hours_is_applied_once(street: Street, ground: Ground) -> None:
    checkout, store = street.checkout(), GroundStore(ground)
    hand = Hand(lines=[checkout.number.encode(), b"?"])
    assert street.do(due_lists) == []
    street.do(switch_on, admin, PLATFORM, listed=False)
    assert street.do(due_lists) == []
    street.do(switch_on, admin, PLATFORM, listed=True)
    (call,) = street.do(due_lists)
    assert (call.owner, call.until - call.since) == (PLATFORM, timedelta(hours=25))
    assert await read_list(store, hand, call)
    assert by_hand_attempt(street).proved_at is not None
    assert ground.alerts() == ["event_unreadable"]
    assert street.do(due_lists) == []
    street.later(timedelta(minutes=10))
    (call,) = street.do(due_lists)
    assert call.until - call.since == timedelta(minutes=70)
    before = ground.books()
    assert await read_list(store, hand, call)
    assert ground.books() == before
    street.later(timedelta(days=9))
    (call,) = street.do(due_lists)
    assert call.until - call.since == timedelta(hours=47)
    hand.lines = None
    assert not await read_list(store, hand, call)
    assert street.do(due_lists) == [call]
    ground.connection.execute("DELETE FROM gateway_settings")
    assert street.do(due_lists) == []


async def test_addresses_are_registered_by_an_admin(street: Street, ground: Ground) -> None:
    store, hand = GroundStore(ground), Hand()
    checkout = street.checkout()

    async def go(phone: str = "") -> str:
        return await register(store, hand, admin, PLATFORM, "token", unless_reached=False, phone=phone)

    hand.wrong = "try_later"
    assert await go() == "try_later"
    assert street.do(lambda unit: unit.marks.get(lists.mark_of(PLATFORM))) is None
    hand.wrong = "already_registered"
    assert await go() == "already_registered"
    assert street.do(lambda unit: unit.marks.get(lists.mark_of(PLATFORM))) == {"registered": True}
    hand.wrong, hand.wrong_list = None, "configuration"
    assert await go("0712345678") == "configuration"
    hand.wrong_list = None
    assert await go("0712345678") == ""
    assert street.do(lambda unit: unit.marks.get(lists.mark_of(PLATFORM))) == {"registered": True, "list": True}
    assert checkout.id


def test_nobody_else_switches_payments_by_hand_on(street: Street, ground: Ground) -> None:
    ground.refuses(NotFound, switch_on, manager, SHOP, listed=True)
    assert attempt_with(street) is None
