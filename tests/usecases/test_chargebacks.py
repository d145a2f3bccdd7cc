"""Chargebacks and refunds made elsewhere: in any order, any number of times, the books, the order and the people agree."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from domain.errors import BadInput
from domain.ids import OrganizationId
from domain.life import DisputeState, EscrowState, OrderState, PaymentState, RefundState
from domain.money import Money
from domain.order import Order, Reason
from domain.payment import About, Attempt, Notice, Outcome, Proof, Reply
from domain.records import RawEvent
from tests.factories import ABILITIES, PRICE, SHOP, Street, admin, buyer, owner, staff
from tests.fakes import ABILITY, Ground, check_books
from usecases.disputes import open_dispute, resolve_dispute
from usecases.orders import accept_order, cancel_order, confirm_delivery
from usecases.settlement import Received, receive

PART = Money(100_000, "KES")
REST = PRICE - PART


def told(order: Order, about: About, outcome: Outcome, case: str | None = "dp_1", money: Money | None = None, **changes: Any) -> Notice:
    key = f"{about}:{case}:{outcome}"
    notice = Notice("daraja", key, "event", outcome, Proof.PROOF, order.attempt_id, money=money, about=about, refund_ref=case)
    return replace(notice, **changes)


def bank(order: Order, outcome: Outcome, **changes: Any) -> Notice:
    return told(order, About.CHARGEBACK, outcome, **changes)


def come(ground: Ground, notice: Notice) -> Received:
    """As the door stores and applies it."""
    received = ground.unit(receive, RawEvent("daraja", notice.kind, b"{}", "10.0.0.1", {}), notice.event_key, notice)
    check_books(ground)
    return received


def attempt_of(street: Street, order: Order) -> Attempt:
    return street.attempt_now(order.attempt_id)


def test_all_of_a_held_escrow_freezes_the_order_and_tells_both(street: Street, ground: Ground) -> None:
    order = street.paid()
    assert come(ground, bank(order, Outcome.PENDING)) is Received.APPLIED
    frozen = street.order(order.id)
    assert (frozen.state, frozen.escrow, frozen.due) == (OrderState.FROZEN, EscrowState.FROZEN, None)
    assert street.payment_now(attempt_of(street, order)).state is PaymentState.DISPUTED_BY_BANK
    assert ground.books() == {}
    assert [line for line in ground.told() if line.startswith("chargeback_opened")] == [f"chargeback_opened>{n}" for n in (11, 12, 13, 21)]
    assert ground.alerts() == ["chargeback_opened"]


def test_a_frozen_order_moves_for_nobody(street: Street, ground: Ground) -> None:
    order = street.paid()
    come(ground, bank(order, Outcome.PENDING))
    for work, actor in ((accept_order, staff), (confirm_delivery, buyer), (cancel_order, buyer), (cancel_order, owner)):
        ground.refuses(Exception, work, actor, order.number)


@pytest.mark.parametrize("before", ["paid", "shipped", "delivered"])
def test_won_everything_is_as_it_was(street: Street, ground: Ground, before: str) -> None:
    order = getattr(street, before)()
    books = ground.books()
    come(ground, bank(order, Outcome.PENDING))
    come(ground, bank(order, Outcome.DECLINED))
    after = street.order(order.id)
    assert (after.state, after.escrow, after.due) == (order.state, order.escrow, order.due)
    assert ground.books() == books
    assert street.payment_now(attempt_of(street, order)).state is PaymentState.SUCCEEDED


def test_lost_is_final(street: Street, ground: Ground) -> None:
    order = street.paid(street.link(stock=3))
    come(ground, bank(order, Outcome.PENDING))
    come(ground, bank(order, Outcome.SUCCEEDED))
    after = street.order(order.id)
    assert (after.state, after.escrow) == (OrderState.VOID, EscrowState.CHARGED_BACK)
    assert street.payment_now(attempt_of(street, order)).state is PaymentState.CHARGED_BACK
    assert come(ground, bank(order, Outcome.DECLINED)) is Received.PARKED
    assert ground.books() == {}


@pytest.mark.parametrize("outcomes", [(Outcome.DECLINED, Outcome.PENDING), (Outcome.PENDING, Outcome.PENDING, Outcome.DECLINED)])
def test_told_in_another_order_or_again_it_ends_the_same(street: Street, ground: Ground, outcomes: tuple[Outcome, ...]) -> None:
    order = street.paid()
    books = ground.books()
    for n, outcome in enumerate(outcomes):
        come(ground, replace(bank(order, outcome), event_key=f"e{n}"))
    assert street.order(order.id).state is OrderState.PAID
    assert ground.books() == books


def test_a_dispute_waits_while_the_bank_decides(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "", ())
    come(ground, bank(order, Outcome.PENDING))
    come(ground, bank(order, Outcome.DECLINED))
    assert (street.order(order.id).state, street.order(order.id).escrow) == (OrderState.DISPUTED, EscrowState.DISPUTED)
    come(ground, bank(order, Outcome.SUCCEEDED, case="dp_2"))
    dispute = street.do(lambda unit: unit.disputes.of_order(order.id))
    assert dispute.state is DisputeState.WITHDRAWN


def test_after_the_release_the_wallet_pays_and_then_the_seller_owes(street: Street, ground: Ground) -> None:
    order, other = street.delivered(), street.delivered()
    for one in (order, other):
        street.do(confirm_delivery, buyer, one.number)
    wallet = -ground.balance(f"wallet:{SHOP}")
    part = Money(100_000, "KES")
    come(ground, bank(order, Outcome.PENDING, money=part))
    assert -ground.balance(f"wallet:{SHOP}") == wallet - part.amount_minor
    come(ground, bank(other, Outcome.PENDING, case="dp_2"))
    come(ground, bank(order, Outcome.PENDING, case="dp_3", money=Money(150_000, "KES")))
    assert (ground.balance(f"receivable:{SHOP}"), ground.balance(f"wallet:{SHOP}")) == (12_500, 0)
    assert street.order(order.id).state is OrderState.COMPLETED


def test_of_the_sellers_own_account_it_is_a_memo(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid()
    come(ground, bank(order, Outcome.PENDING, owner=SHOP))
    come(ground, bank(order, Outcome.SUCCEEDED, owner=SHOP))
    assert ground.books() == {}
    assert street.order(order.id).state is OrderState.PAID


@pytest.mark.parametrize(
    "changes",
    [{"money": Money(1, "SAR")}, {"money": PRICE + PRICE}, {"owner": OrganizationId(2)}, {"owner": SHOP}],
)
def test_what_contradicts_the_books_is_parked_for_a_person(street: Street, ground: Ground, changes: dict[str, Any]) -> None:
    """C7: authentic is not valid; an account speaks of its own payments only."""
    order = street.paid()
    books = ground.books()
    assert come(ground, bank(order, Outcome.PENDING, **changes)) is Received.PARKED
    assert (ground.books(), street.order(order.id).state) == (books, OrderState.PAID)
    assert len(ground.alerts()) == 1


def test_one_case_is_about_one_payment(street: Street, ground: Ground) -> None:
    first, second = street.paid(), street.paid()
    come(ground, bank(first, Outcome.PENDING))
    assert come(ground, replace(bank(second, Outcome.SUCCEEDED), event_key="other")) is Received.PARKED


def test_what_no_order_rests_on_is_for_a_person(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(replace(street.success(attempt), money=Money(100, "KES")))
    notice = Notice("daraja", "e", "event", Outcome.PENDING, Proof.PROOF, attempt.id, about=About.CHARGEBACK, refund_ref="dp_1")
    assert come(ground, notice) is Received.PARKED


def test_nothing_that_is_unknown_changes_anything(street: Street, ground: Ground) -> None:
    order = street.paid()
    before = ground.books()
    for n, notice in enumerate(
        (bank(order, Outcome.UNKNOWN), bank(order, Outcome.PENDING, refund_ref=None), told(order, About.REFUND, Outcome.PENDING))
    ):
        come(ground, replace(notice, event_key=f"n{n}"))
    come(ground, told(order, About.REFUND, Outcome.SUCCEEDED, refund_ref=None))
    assert (ground.books(), street.order(order.id).state) == (before, OrderState.PAID)


@pytest.mark.parametrize("by", ["attempt_id", "ref", "receipt"])
def test_whose_money_went_out_is_found_by_any_of_three_names(street: Street, ground: Ground, by: str) -> None:
    order = street.paid()
    attempt = attempt_of(street, order)
    nobody = {"attempt_id": None, "ref": None, "receipt": None}
    named = {"attempt_id": attempt.id, "ref": attempt.ref, "receipt": attempt.receipt}
    come(ground, bank(order, Outcome.PENDING, **{**nobody, by: named[by]}))
    assert street.order(order.id).state is OrderState.FROZEN


def test_money_of_nobody_here_waits_and_is_looked_at_again(street: Street, ground: Ground) -> None:
    order = street.paid()
    assert come(ground, bank(order, Outcome.PENDING, attempt_id=None, receipt="elsewhere")) is Received.STORED


# --- refunds made on the gateway's own dashboard


def gone(order: Order, money: Money | None = None, ref: str = "re_1", outcome: Outcome = Outcome.SUCCEEDED) -> Notice:
    return told(order, About.REFUND, outcome, ref, money or PRICE)


@pytest.mark.parametrize("before", ["paid", "shipped", "delivered"])
def test_a_whole_refund_made_elsewhere_ends_the_order(street: Street, ground: Ground, before: str) -> None:
    order = getattr(street, before)()
    for _ in range(2):
        come(ground, gone(order))
    after = street.order(order.id)
    assert (after.state, after.escrow) == (OrderState.REFUNDED, EscrowState.REFUNDED)
    refund = street.refunds(order.attempt_id)[0]
    assert (refund.state, refund.reason, refund.ref) == (RefundState.DONE, "elsewhere", "re_1")
    assert ground.books() == {}
    assert ground.alerts() == ["refund_elsewhere"]
    assert street.payment_now(attempt_of(street, order)).state is PaymentState.REFUNDED


def test_a_disputed_order_refunded_elsewhere_ends_its_dispute(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "", ())
    come(ground, gone(order))
    assert street.do(lambda unit: unit.disputes.of_order(order.id)).state is DisputeState.WITHDRAWN


def test_a_part_refunded_elsewhere_leaves_the_escrow_and_the_rest_ends_the_order(street: Street, ground: Ground) -> None:
    order = street.paid()
    come(ground, gone(order, PART))
    assert street.order(order.id).state is OrderState.PAID
    assert (ground.balance(f"escrow:{order.id}"), ground.balance(f"receivable:{SHOP}")) == (-REST.amount_minor, 0)
    come(ground, gone(order, REST, "re_2"))
    assert (street.order(order.id).state, ground.books()) == (OrderState.REFUNDED, {})


def test_a_part_refunded_elsewhere_is_not_given_back_again(street: Street, ground: Ground) -> None:
    order = street.paid()
    come(ground, gone(order, PART))
    street.do(cancel_order, buyer, order.number)
    assert street.refunds(order.attempt_id)[1].money == REST
    check_books(ground)


def test_what_is_refunded_elsewhere_while_a_bank_decides_ends_nothing_by_itself(street: Street, ground: Ground) -> None:
    order = street.paid()
    come(ground, bank(order, Outcome.PENDING, money=PART))
    come(ground, gone(order, REST))
    assert (street.order(order.id).state, ground.balance(f"escrow:{order.id}")) == (OrderState.FROZEN, 0)
    come(ground, bank(order, Outcome.SUCCEEDED, money=PART))
    assert (street.order(order.id).escrow, ground.books()) == (EscrowState.CHARGED_BACK, {})


def test_refunded_elsewhere_after_the_release_the_seller_owes_what_the_wallet_does_not_cover(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.do(confirm_delivery, buyer, order.number)
    wallet = -ground.balance(f"wallet:{SHOP}")
    come(ground, gone(order))
    assert (ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (0, PRICE.amount_minor - wallet)


def test_one_reference_of_a_refund_is_about_one_payment(street: Street, ground: Ground) -> None:
    """Booked for one payment, it is told of another: nothing is booked, and a person looks."""
    first, second = street.paid(), street.paid()
    come(ground, gone(first, PART))
    books = ground.books()
    assert come(ground, replace(gone(second, PART), event_key="other")) is Received.PARKED
    assert (ground.books(), street.order(second.id).state, street.refunds(second.attempt_id)) == (books, OrderState.PAID, [])


@pytest.mark.parametrize(("gone_first", "left"), [(PART, REST), (None, None)])
def test_of_an_own_account_no_more_goes_back_than_is_left_there(
    street: Street, ground: Ground, gone_first: Money | None, left: Money | None
) -> None:
    """Part of it went back at the gateway, or a bank took all of it: cancelling the order asks for the rest, if there is any."""
    street.go_direct()
    order = street.paid()
    if gone_first is not None:
        come(ground, replace(gone(order, gone_first), owner=SHOP))
    else:
        come(ground, bank(order, Outcome.PENDING, owner=SHOP))
    street.do(cancel_order, buyer, order.number)
    asked = [refund.money for refund in street.refunds(order.attempt_id) if refund.reason != "elsewhere"]
    assert (asked, street.order(order.id).state) == ([left] if left is not None else [], OrderState.REFUNDED)


def test_a_part_that_the_gateway_cannot_give_back_decides_nothing(street: Street, ground: Ground) -> None:
    """O9: before anything is decided, whoever carries the payment."""
    order = street.delivered()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "", ())
    whole_only = {"daraja": replace(ABILITY, part_refunds=False)}
    for abilities, part, reason in ((ABILITIES, Money(1_050, "KES"), "step"), (whole_only, PART, "whole_only")):
        refused = ground.refuses(BadInput, resolve_dispute, admin, order.number, "split", part, abilities)
        assert refused.facts["reason"] == reason
    street.do(resolve_dispute, admin, order.number, "split", PART, ABILITIES)
    assert street.order(order.id).escrow is EscrowState.SPLIT


def test_of_an_own_account_the_order_ends_too(street: Street, ground: Ground) -> None:
    street.go_direct()
    order = street.paid()
    come(ground, gone(order))
    assert (street.order(order.id).state, ground.books()) == (OrderState.REFUNDED, {})


def test_after_the_release_the_order_stays_done(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.do(confirm_delivery, buyer, order.number)
    come(ground, gone(order, Money(10_000, "KES")))
    assert street.order(order.id).state is OrderState.COMPLETED


def test_more_than_was_paid_cannot_have_gone_back(street: Street, ground: Ground) -> None:
    order = street.paid()
    come(ground, gone(order))
    assert come(ground, gone(order, Money(1, "KES"), "re_2")) is Received.PARKED


def test_one_of_ours_without_an_answer_is_known_by_its_amount(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.do(cancel_order, buyer, order.number)
    refund = street.refunds(order.attempt_id)[0]
    street.send_refund(refund, Reply(Outcome.UNKNOWN))
    assert come(ground, gone(order, Money(1, "KES"), "re_other")) is Received.STORED
    assert come(ground, gone(order)) is Received.APPLIED
    assert [(one.id, one.state, one.ref) for one in street.refunds(order.attempt_id)] == [(refund.id, RefundState.DONE, "re_1")]


def test_a_refund_that_came_back_later_is_booked_back_and_sent_once_more(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.do(cancel_order, buyer, order.number)
    refund = street.send_refund(street.refunds(order.attempt_id)[0], Reply(Outcome.SUCCEEDED, "re_1"))
    assert refund.state is RefundState.DONE
    for n in range(2):
        come(ground, replace(gone(order, outcome=Outcome.DECLINED), event_key=f"late{n}"))
    again = street.refunds(order.attempt_id)[1]
    assert (again.state, again.cause) == (RefundState.ASKED, f"again:{refund.id}")
    street.send_refund(again, Reply(Outcome.SUCCEEDED, "re_2"))
    come(ground, gone(order, ref="re_2", outcome=Outcome.DECLINED))
    assert len(street.refunds(order.attempt_id)) == 2
    assert ground.balance(f"suspense:{order.attempt_id}") == -PRICE.amount_minor


def test_an_answer_to_one_of_ours_by_its_reference(street: Street, ground: Ground) -> None:
    order = street.paid()
    street.do(cancel_order, buyer, order.number)
    street.send_refund(street.refunds(order.attempt_id)[0], Reply(Outcome.PENDING, "re_1"))
    come(ground, gone(order, outcome=Outcome.DECLINED))
    assert street.refunds(order.attempt_id)[0].state is RefundState.FAILED


def test_suspense_money_given_back_elsewhere_leaves_suspense(street: Street, ground: Ground) -> None:
    attempt = street.ringing()
    street.tell(replace(street.success(attempt), money=Money(250_000, "SAR")))
    street.prove(attempt.id)
    notice = Notice("daraja", "e", "event", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, money=PRICE, about=About.REFUND, refund_ref="re_1")
    assert come(ground, notice) is Received.APPLIED
