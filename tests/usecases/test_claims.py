"""Receipt claims and proofs: the gateway is asked, its answer counts once and for the right checkout, and a refusal tells nobody anything."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from domain.by_hand import (
    PAID_BEFORE,
    Looked,
    Lookup,
    LookupId,
    LookupState,
    StrayState,
    Told,
    Verdict,
)
from domain.errors import BadInput, CannotPay, LimitReached, NotForSale
from domain.life import AttemptState
from domain.money import Money
from domain.payment import Checkout, Outcome, Reply, Unreadable
from domain.records import RawEvent
from tests.factories import BUYER, OTHER_PHONE, PRICE, Street
from tests.fakes import NOON, Ground
from tests.usecases.test_by_hand import RECEIPT, by_hand_attempt, tell, told
from usecases.by_hand import INBOX
from usecases.claims import CLAIM_ADDRESS, CLAIM_CHECKOUT, CLAIM_PERSON, Claim, claim, last_claim, receive_looked
from usecases.gateways import PLATFORM
from usecases.lookups import begin_lookup, due_lookups, record_asked
from usecases.settlement import Received

FOUND = Looked(True, "AG_1", "result:AG_1:0:x", RECEIPT, PRICE, "600000", "254712345678", completed=True, result="found")
DENIED = Looked(False, "AG_1", "result:AG_1:R000002:x")
HEARD = Reply(Outcome.PENDING, "AG_1")


@dataclass
class Hand:
    """A gateway for payments by hand, on a script."""

    replies: list[Reply] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    lines: list[bytes] | None = None
    wrong: str | None = None
    wrong_list: str | None = None
    times: list[tuple[datetime, datetime]] = field(default_factory=list)

    def read_told(self, kind: str, raw: bytes) -> Told:
        if raw == b"?":
            raise Unreadable("not ours")
        return told(account=raw.decode())

    def read_looked(self, kind: str, raw: bytes) -> Looked:
        return FOUND

    def answer(self, verdict: Verdict, validated: str) -> bytes:
        return b""

    async def register(self, credentials: Any, token: str, *, unless_reached: bool) -> str | None:
        return self.wrong

    async def register_list(self, credentials: Any, token: str, phone: str) -> str | None:
        return self.wrong_list

    async def look_up(self, receipt: str, credentials: Any, token: str) -> Reply:
        self.asked.append(receipt)
        return self.replies.pop(0)

    async def listed(self, since: datetime, until: datetime, credentials: Any) -> Sequence[bytes] | None:
        self.times.append((since, until))
        return self.lines


def claimed(street: Street, checkout: Checkout, typed: str = RECEIPT, **changes: Any) -> Lookup:
    lookup: Lookup = street.do(claim, replace(Claim(checkout.id, typed, "telegram", BUYER), **changes))
    return lookup


def asked(street: Street, lookup_id: LookupId) -> None:
    """The worker asks, and the gateway says that it heard."""
    assert street.do(begin_lookup, lookup_id) is not None
    street.do(record_asked, lookup_id, HEARD)


def answered(street: Street, lookup_id: LookupId, looked: Looked | None, key: str = "") -> Received:
    event = RawEvent(INBOX, "lookup_result", b"{}", "", {"lookup_id": lookup_id})
    received: Received = street.do(
        receive_looked, event, f"lookup:{lookup_id}:{key or (looked.event_key if looked else '?')}", lookup_id, looked
    )
    return received


def now(street: Street, lookup: Lookup) -> Lookup:
    found: Lookup = street.do(lambda unit: unit.by_hand.lookup(lookup.id))
    return found


def proof(street: Street) -> Lookup:
    cause = f"proof:{by_hand_attempt(street).id}"
    found: Lookup = street.do(lambda unit: unit.by_hand.lookup_by_cause(cause))
    return found


# --- a claim


def test_a_claim_believes_nothing_and_asks(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    lookup = claimed(street, checkout, "SJK4H7L2QX Confirmed. Ksh2,500.00 sent to PAYLOOM for account PL7K2QD on 21/11/26 at 10:21 AM.")
    assert (lookup.receipt, lookup.state, lookup.owner) == (RECEIPT, LookupState.ASKED, PLATFORM)
    assert ground.books() == {}
    assert street.do(due_lookups, 10) == [lookup.id]
    view = street.do(last_claim, checkout.id)
    assert (view.receipt, view.asking, view.result) == (RECEIPT, True, None)
    assert claimed(street, checkout, "sjk4 h7l2 qx").id == lookup.id


def test_what_the_gateway_finds_pays_the_checkout_and_is_proved(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    lookup = claimed(street, checkout)
    asked(street, lookup.id)
    assert answered(street, lookup.id, FOUND) is Received.APPLIED
    attempt = by_hand_attempt(street)
    assert (attempt.checkout_id, attempt.proved_at) == (checkout.id, ground.clock.at)
    assert street.order_of(attempt).proved
    assert (now(street, lookup).state, now(street, lookup).result) == (LookupState.DONE, "counted")
    assert street.do(last_claim, checkout.id).asking is False
    before = ground.snapshot()
    assert answered(street, lookup.id, FOUND) is Received.REPEATED
    assert ground.snapshot() == before
    assert answered(street, lookup.id, FOUND, key="once more") is Received.APPLIED
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


@pytest.mark.parametrize(
    "looked",
    [
        DENIED,
        replace(FOUND, receipt="SJK4H7L2QY"),
        replace(FOUND, money=None),
        replace(FOUND, payee="600001"),
        replace(FOUND, payee=""),
        replace(FOUND, paid_at=NOON - PAID_BEFORE - timedelta(seconds=1)),
        replace(FOUND, prompted=True),
    ],
)
def test_what_does_not_fit_is_refused_in_the_same_words(street: Street, ground: Ground, looked: Looked) -> None:
    """C8, C10"""
    checkout = street.checkout()
    lookup = claimed(street, checkout)
    asked(street, lookup.id)
    answered(street, lookup.id, looked)
    assert ground.books() == {}
    assert (now(street, lookup).state, now(street, lookup).result) == (LookupState.FAILED, "not_found")
    assert ground.told()[-1] == f"payment_failed>{BUYER}"
    view = street.do(last_claim, checkout.id)
    assert (view.asking, view.result) == (False, "not_found")


def test_a_receipt_that_paid_for_somebody_else_is_refused_in_the_same_words(street: Street, ground: Ground) -> None:
    theirs = street.checkout(phone=OTHER_PHONE)
    tell(street, told(theirs))
    before = ground.books()
    lookup = claimed(street, street.checkout())
    asked(street, lookup.id)
    answered(street, lookup.id, FOUND)
    assert (now(street, lookup).state, now(street, lookup).result) == (LookupState.FAILED, "not_found")
    assert ground.books() == before
    assert by_hand_attempt(street).checkout_id == theirs.id


def test_a_receipt_counted_for_this_checkout_meanwhile_is_done(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    lookup = claimed(street, checkout)
    asked(street, lookup.id)
    tell(street, told(checkout))
    before = ground.books()
    answered(street, lookup.id, FOUND)
    assert now(street, lookup).state is LookupState.DONE
    assert ground.books() == before


def test_money_kept_apart_is_matched_by_its_receipt(street: Street, ground: Ground) -> None:
    """C14"""
    tell(street, told(account="nonsense"))
    checkout = street.checkout()
    lookup = claimed(street, checkout)
    asked(street, lookup.id)
    answered(street, lookup.id, FOUND)
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}
    stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    assert (stray.state, stray.attempt_id) == (StrayState.MATCHED, by_hand_attempt(street).id)


def test_money_kept_apart_of_another_amount_stays_apart(street: Street, ground: Ground) -> None:
    tell(street, told(account="nonsense", money=Money(100, "KES")))
    lookup = claimed(street, street.checkout())
    asked(street, lookup.id)
    answered(street, lookup.id, FOUND)
    assert ground.books() == {"clearing:daraja": 100, "suspense": -100}
    assert now(street, lookup).state is LookupState.FAILED


def test_money_of_a_prompt_belongs_to_the_prompt_of_this_checkout(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    lookup = claimed(street, street.checkout_now(attempt))
    asked(street, lookup.id)
    answered(street, lookup.id, replace(FOUND, prompted=True))
    assert street.attempt_now(attempt.id).state is AttemptState.SUCCEEDED
    assert street.order_of(attempt).proved
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}


def test_a_claim_that_contradicts_the_books_changes_nothing(street: Street, ground: Ground) -> None:
    """The prompt's own money has another receipt by now: a person looks."""
    attempt = street.ringing()
    street.tell(street.success(attempt))
    street.prove(attempt.id)
    second = street.checkout()
    ringing = street.ringing(second)
    street.do(
        lambda unit: unit.payments.save_attempt(
            replace(unit.payments.attempt(ringing.id), money=Money(100, "KES"), state=AttemptState.CREATED)
        )
    )
    lookup = claimed(street, second)
    asked(street, lookup.id)
    answered(street, lookup.id, replace(FOUND, prompted=True))
    assert now(street, lookup).state is LookupState.FAILED


def test_a_mismatch_is_told_to_a_person(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    lookup = claimed(street, street.checkout_now(attempt))
    asked(street, lookup.id)
    answered(street, lookup.id, replace(FOUND, prompted=True, money=Money(0, "KES")))
    assert ground.alerts() == ["claim_contradicts"]
    assert now(street, lookup).state is LookupState.FAILED


def test_a_claim_that_came_to_nothing_can_be_made_again(street: Street) -> None:
    checkout = street.checkout()
    lookup = claimed(street, checkout)
    asked(street, lookup.id)
    answered(street, lookup.id, DENIED)
    again = claimed(street, checkout)
    assert (again.id, again.state, again.tries, again.result) == (lookup.id, LookupState.ASKED, 0, None)


@pytest.mark.parametrize("typed", ["", "hello there", "x" * 1001])
def test_what_holds_no_code_asks_nothing(street: Street, ground: Ground, typed: str) -> None:
    checkout = street.checkout()
    assert ground.refuses(BadInput, claim, Claim(checkout.id, typed, "web")).field == "receipt"


def test_what_is_paid_takes_no_claim(street: Street, ground: Ground) -> None:
    order = street.paid()
    assert ground.refuses(NotForSale, claim, Claim(order.checkout_id, RECEIPT, "web")).facts["reason"] == "paid"


def test_where_nothing_is_set_up_nothing_can_be_claimed(street: Street, ground: Ground) -> None:
    checkout = street.checkout()
    ground.connection.execute("DELETE FROM gateway_settings")
    assert ground.refuses(CannotPay, claim, Claim(checkout.id, RECEIPT, "web")).facts["reason"] == "not_configured"


@pytest.mark.parametrize("limit", [CLAIM_CHECKOUT, CLAIM_PERSON, CLAIM_ADDRESS])
def test_claims_are_capped(street: Street, ground: Ground, limit: tuple[str, int, int]) -> None:
    """Each is a question to the gateway: per checkout, per person and per network address."""
    name, _, most = limit
    checkouts = [street.checkout() for _ in range(1 if limit is CLAIM_CHECKOUT else most + 1)]
    choices: dict[str, dict[str, Any]] = {"claim_person_hour": {"person_id": BUYER}, "claim_address_hour": {"address": "10.0.0.1"}}
    about = choices.get(name, {})
    for number in range(most):
        street.do(claim, replace(Claim(checkouts[number % len(checkouts)].id, RECEIPT, "web"), **about))
    last = replace(Claim(checkouts[-1].id, RECEIPT, "web"), **about)
    assert ground.refuses(LimitReached, claim, last).facts["limit"] == name


def test_nobody_claimed_is_nothing_to_show(street: Street) -> None:
    assert street.do(last_claim, street.checkout().id) is None
