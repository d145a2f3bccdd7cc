"""Chargebacks and refunds made elsewhere, the rarer roads: a word said twice, two cases of one payment, money that no order rests on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.ids import AttemptId
from domain.life import ChargebackState, EscrowState, OrderState, PaymentState, RefundState
from domain.money import Money
from domain.order import Order
from domain.payment import About, Notice, Outcome, Proof, Reply
from domain.records import RawEvent
from tests.factories import ADMIN, BUYER, PRICE, SECOND, SHOP, Street
from tests.fakes import Ground, check_books
from usecases.settlement import Received, receive


def kes(minor: int) -> Money:
    return Money(minor, "KES")


class Bank:
    """What the gateway tells of money that went out; each word is an event of its own."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.said = 0

    def takes(self, order: Order, outcome: Outcome, case: str = "dp_1", money: Money = PRICE) -> Received:
        return self._says(order.attempt_id, About.CHARGEBACK, outcome, case, money)

    def refunds(self, attempt_id: AttemptId, money: Money = PRICE, ref: str = "re_1", outcome: Outcome = Outcome.SUCCEEDED) -> Received:
        return self._says(attempt_id, About.REFUND, outcome, ref, money)

    def _says(self, attempt_id: AttemptId, about: About, outcome: Outcome, ref: str, money: Money) -> Received:
        self.said += 1
        key = f"evt_{self.said}"
        notice = Notice("daraja", key, "event", outcome, Proof.PROOF, attempt_id, money=money, about=about, refund_ref=ref)
        received = self.ground.unit(receive, RawEvent("daraja", "event", b"{}", "10.0.0.1", {}), key, notice)
        check_books(self.ground)
        return received


@pytest.fixture
def bank(ground: Ground) -> Bank:
    return Bank(ground)


def payment_state(street: Street, order: Order) -> PaymentState:
    return street.payment_now(street.attempt_now(order.attempt_id)).state


def cases(street: Street, order: Order) -> dict[str, ChargebackState]:
    return street.do(lambda unit: {case.ref: case.state for case in unit.chargebacks.of_attempt(order.attempt_id)})  # type: ignore[no-any-return]


# --- chargebacks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("last", "state", "paid"),
    [
        (Outcome.DECLINED, OrderState.PAID, PaymentState.SUCCEEDED),
        (Outcome.SUCCEEDED, OrderState.VOID, PaymentState.CHARGED_BACK),
    ],
)
def test_the_last_word_said_in_two_events_counts_once(
    street: Street, ground: Ground, bank: Bank, last: Outcome, state: OrderState, paid: PaymentState
) -> None:
    order = street.paid()
    for outcome in (Outcome.PENDING, last):
        bank.takes(order, outcome)
    after, books, told, trail = street.order(order.id), ground.books(), ground.told(), ground.trail(f"sale:{order.checkout_id}")
    street.later(SECOND)
    assert bank.takes(order, last) is Received.APPLIED
    assert street.order(order.id) == after
    assert (after.state, payment_state(street, order)) == (state, paid)
    assert (ground.books(), ground.told(), ground.trail(f"sale:{order.checkout_id}")) == (books, told, trail)


def test_a_part_that_was_won_goes_back_where_it_came_from(street: Street, ground: Ground, bank: Bank) -> None:
    order = street.paid()
    books = ground.books()
    bank.takes(order, Outcome.PENDING, money=kes(1_000))
    assert (street.order(order.id).state, ground.balance(f"escrow:{order.id}")) == (OrderState.FROZEN, -249_000)
    bank.takes(order, Outcome.DECLINED, money=kes(1_000))
    assert ground.books() == books
    assert replace(street.order(order.id), version=order.version) == order
    assert payment_state(street, order) is PaymentState.SUCCEEDED
    assert [line for line in ground.told() if line.startswith("chargeback_won")] == [f"chargeback_won>{n}" for n in (11, 12, 13, BUYER)]


def test_digital_goods_proved_while_the_bank_decided_are_handed_over_when_it_is_won(street: Street, ground: Ground, bank: Bank) -> None:
    order = street.paid(street.digital_link(), proved=False)
    bank.takes(order, Outcome.PENDING)
    street.prove(order.attempt_id)
    frozen = street.order(order.id)
    assert (frozen.state, frozen.proved, f"digital_ready>{BUYER}" in ground.told()) == (OrderState.FROZEN, True, False)
    bank.takes(order, Outcome.DECLINED)
    after = street.order(order.id)
    assert (after.state, after.escrow) == (OrderState.COMPLETED, EscrowState.RELEASED)
    assert ground.told()[-1] == f"digital_ready>{BUYER}"
    assert ground.balance(f"wallet:{SHOP}") == -243_750


def test_digital_goods_without_proof_wait_for_it_after_it_is_won(street: Street, ground: Ground, bank: Bank) -> None:
    order = street.paid(street.digital_link(), proved=False)
    for outcome in (Outcome.PENDING, Outcome.DECLINED):
        bank.takes(order, outcome)
    assert (street.order(order.id).state, ground.balance(f"wallet:{SHOP}")) == (OrderState.PAID, 0)


def test_a_payment_is_the_banks_until_its_last_case_is_decided(street: Street, bank: Bank) -> None:
    order = street.paid()
    for case in ("dp_1", "dp_2"):
        bank.takes(order, Outcome.PENDING, case, kes(1_000))
    bank.takes(order, Outcome.DECLINED, "dp_1", kes(1_000))
    assert cases(street, order) == {"dp_1": ChargebackState.WON, "dp_2": ChargebackState.OPEN}
    assert payment_state(street, order) is PaymentState.DISPUTED_BY_BANK
    bank.takes(order, Outcome.DECLINED, "dp_2", kes(1_000))
    assert payment_state(street, order) is PaymentState.SUCCEEDED


def test_one_lost_case_outweighs_one_that_was_won_after_it(street: Street, ground: Ground, bank: Bank) -> None:
    order = street.paid()
    for case in ("dp_1", "dp_2"):
        bank.takes(order, Outcome.PENDING, case, kes(1_000))
    bank.takes(order, Outcome.SUCCEEDED, "dp_1", kes(1_000))
    assert payment_state(street, order) is PaymentState.DISPUTED_BY_BANK
    bank.takes(order, Outcome.DECLINED, "dp_2", kes(1_000))
    assert payment_state(street, order) is PaymentState.CHARGED_BACK
    assert (street.order(order.id).state, ground.balance(f"escrow:{order.id}")) == (OrderState.PAID, -249_000)


@pytest.mark.parametrize(
    ("back", "state"),
    [(kes(50_000), PaymentState.PARTLY_REFUNDED), (PRICE, PaymentState.REFUNDED)],
)
def test_a_payment_that_was_refunded_before_the_bank_spoke_is_so_again(
    street: Street, ground: Ground, bank: Bank, back: Money, state: PaymentState
) -> None:
    order = street.paid()
    bank.refunds(order.attempt_id, back)
    books = ground.books()
    assert payment_state(street, order) is state
    bank.takes(order, Outcome.PENDING, money=kes(1_000))
    assert payment_state(street, order) is PaymentState.DISPUTED_BY_BANK
    bank.takes(order, Outcome.DECLINED, money=kes(1_000))
    assert (payment_state(street, order), ground.books()) == (state, books)


# --- refunds made elsewhere ------------------------------------------------------------------------------------------


def test_suspense_money_that_came_back_waits_there_and_is_sent_once_more_for_no_order(street: Street, ground: Ground, bank: Bank) -> None:
    attempt = street.ringing()
    assert street.tell(street.success(attempt, money=kes(100_000))) == "suspense"
    street.prove(attempt.id)
    refund = street.send_refund(street.refund_of(attempt.id), Reply(Outcome.SUCCEEDED, "re_1"))
    assert (refund.state, refund.order_id, ground.books()) == (RefundState.DONE, None, {})
    told = ground.told()
    assert bank.refunds(attempt.id, kes(100_000), outcome=Outcome.DECLINED) is Received.APPLIED
    again = street.refunds(attempt.id)[1]
    assert (again.state, again.money, again.order_id) == (RefundState.ASKED, kes(100_000), None)
    assert (again.cause, again.source) == (f"again:{refund.id}", f"suspense:{attempt.id}")
    assert ground.books() == {"clearing:daraja": 100_000, "refunds_in_transit": -100_000}
    assert (ground.told(), ground.alerts()) == ([*told, f"alert>{ADMIN}"], ["refund_failed"])


def test_one_reference_gives_back_one_payment(street: Street, ground: Ground, bank: Bank) -> None:
    first, second = street.paid(), street.paid()
    bank.refunds(first.attempt_id)
    books, told = ground.books(), ground.told()
    assert bank.refunds(second.attempt_id) is Received.PARKED
    assert (street.refunds(second.attempt_id), street.order(second.id)) == ([], second)
    assert (ground.books(), ground.told()) == (books, [*told, f"alert>{ADMIN}"])


def test_a_part_given_back_from_an_own_account_leaves_the_order_open(street: Street, ground: Ground, bank: Bank) -> None:
    street.go_direct()
    order = street.paid()
    assert bank.refunds(order.attempt_id, kes(50_000)) is Received.APPLIED
    refund = street.refund_of(order.attempt_id)
    assert (refund.state, refund.direct, refund.source) == (RefundState.DONE, True, f"direct_sales:{SHOP}")
    assert street.order(order.id) == order
    assert ground.balance(f"direct_sales:{SHOP}") == -200_000
    assert payment_state(street, order) is PaymentState.PARTLY_REFUNDED
