"""What a seller owes after a bank took money back, and chargebacks of a part: taken first, frozen as a whole, released and refunded to the rest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from domain.errors import BadInput
from domain.life import EscrowState, OrderState, PaymentState
from domain.money import Money
from domain.order import Reason
from domain.payment import Outcome, Reply
from tests.factories import PRICE, SHOP, Street, admin, buyer, owner
from tests.fakes import Ground, check_books
from tests.usecases.test_chargebacks import PART, REST, attempt_of, bank, come, gone
from usecases.disputes import open_dispute, resolve_dispute
from usecases.orders import cancel_order, confirm_delivery
from usecases.views import wallet_view


def test_what_is_owed_is_taken_out_of_the_next_releases(street: Street, ground: Ground) -> None:
    """C18: a chargeback after the release; the wallet never goes below zero, and pays nothing out while anything is owed."""
    order = street.delivered()
    street.do(confirm_delivery, buyer, order.number)
    wallet = -ground.balance(f"wallet:{SHOP}")
    come(ground, bank(order, Outcome.PENDING))
    assert (ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (0, PRICE.amount_minor - wallet)
    assert [line for line in ground.told() if line.startswith("chargeback_opened")] == [f"chargeback_opened>{n}" for n in (11, 12, 13, 21)]
    second = street.delivered()
    street.do(confirm_delivery, buyer, second.number)
    assert (-ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (2 * wallet - PRICE.amount_minor, 0)
    check_books(ground)
    told = ground.rows("SELECT payload FROM outbox WHERE fact = 'order_completed' AND order_id = ?", second.id)
    assert all(f'"owed_minor":{PRICE.amount_minor - wallet}' in payload.replace(" ", "") for (payload,) in told)


def test_the_wallet_tells_what_is_owed_and_what_was_taken_and_for_which_order(street: Street, ground: Ground) -> None:
    first, second = street.delivered(), street.delivered()
    street.do(confirm_delivery, buyer, first.number)
    wallet = -ground.balance(f"wallet:{SHOP}")
    come(ground, gone(first, Money(10_000, "KES")))
    come(ground, bank(first, Outcome.PENDING))
    view = street.do(wallet_view, owner)
    owed = PRICE.amount_minor - (wallet - 10_000)
    assert (view.available, view.owed) == ({"KES": 0}, {"KES": owed})
    street.do(confirm_delivery, buyer, second.number)
    view = street.do(wallet_view, owner)
    assert (view.available, view.owed) == ({"KES": wallet - owed}, {})
    assert [(row["kind"], -row["amount_minor"], row["number"]) for row in view.history] == [
        ("owed_taken", -owed, second.number),
        ("release", wallet, second.number),
        ("owed_taken", 10_000 - wallet, first.number),
        ("refund_asked", -10_000, first.number),
        ("release", wallet, first.number),
    ]


def test_a_debt_larger_than_a_release_takes_all_of_it(street: Street, ground: Ground) -> None:
    first, second = street.delivered(), street.delivered()
    street.do(confirm_delivery, buyer, first.number)
    come(ground, bank(first, Outcome.PENDING))
    for n, case in enumerate(("dp_2", "dp_3")):
        come(ground, replace(bank(first, Outcome.PENDING, case=case), event_key=f"more{n}"))
    owed = ground.balance(f"receivable:{SHOP}")
    street.do(confirm_delivery, buyer, second.number)
    assert ground.balance(f"wallet:{SHOP}") == 0
    assert 0 < ground.balance(f"receivable:{SHOP}") < owed
    check_books(ground)


def test_a_debt_that_was_paid_and_is_given_up_comes_back_into_the_wallet(street: Street, ground: Ground) -> None:
    order, second = street.delivered(), street.delivered()
    street.do(confirm_delivery, buyer, order.number)
    wallet = -ground.balance(f"wallet:{SHOP}")
    come(ground, bank(order, Outcome.PENDING))
    street.do(confirm_delivery, buyer, second.number)
    come(ground, bank(order, Outcome.DECLINED))
    assert (-ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (2 * wallet, 0)


def test_what_a_bank_gives_back_pays_another_debt_first(street: Street, ground: Ground) -> None:
    order, other = street.delivered(), street.delivered()
    for one in (order, other):
        street.do(confirm_delivery, buyer, one.number)
    come(ground, bank(order, Outcome.PENDING))
    come(ground, bank(other, Outcome.PENDING, case="dp_2"))
    owed = ground.balance(f"receivable:{SHOP}")
    assert owed > 0
    come(ground, bank(order, Outcome.DECLINED))
    assert (-ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (PRICE.amount_minor - owed, 0)


def test_a_seller_whose_fee_is_everything_owes_as_before(street: Street, ground: Ground) -> None:
    first, second = street.delivered(), street.delivered()
    street.do(confirm_delivery, buyer, first.number)
    come(ground, bank(first, Outcome.PENDING))
    owed = ground.balance(f"receivable:{SHOP}")
    ground.connection.execute("UPDATE organizations SET fee_bps = 10000")
    street.do(confirm_delivery, buyer, second.number)
    assert (ground.balance(f"wallet:{SHOP}"), ground.balance(f"receivable:{SHOP}")) == (0, owed)
    check_books(ground)


# --- a part of what is held


def test_a_part_of_a_held_escrow_freezes_as_all_of_it_does(street: Street, ground: Ground) -> None:
    order = street.delivered()
    come(ground, bank(order, Outcome.PENDING, money=PART))
    frozen = street.order(order.id)
    assert (frozen.state, frozen.escrow, frozen.due) == (OrderState.FROZEN, EscrowState.FROZEN, None)
    assert (ground.balance(f"escrow:{order.id}"), ground.balance(f"receivable:{SHOP}")) == (-REST.amount_minor, 0)
    ground.refuses(Exception, confirm_delivery, buyer, order.number)


def test_a_part_won_goes_on_as_it_was(street: Street, ground: Ground) -> None:
    order, books = street.delivered(), ground.books()
    come(ground, bank(order, Outcome.PENDING, money=PART))
    come(ground, bank(order, Outcome.DECLINED, money=PART))
    after = street.order(order.id)
    assert (after.state, after.escrow, after.due, ground.books()) == (order.state, order.escrow, order.due, books)


def test_a_part_lost_goes_on_with_the_rest_which_is_all_that_is_released(street: Street, ground: Ground) -> None:
    order = street.delivered()
    come(ground, bank(order, Outcome.PENDING, money=PART))
    come(ground, bank(order, Outcome.SUCCEEDED, money=PART))
    after = street.order(order.id)
    assert (after.state, after.escrow, after.due) == (order.state, order.escrow, order.due)
    assert street.payment_now(attempt_of(street, order)).state is PaymentState.CHARGED_BACK
    street.do(confirm_delivery, buyer, order.number)
    assert -ground.balance(f"wallet:{SHOP}") == REST.amount_minor * 975 // 1000
    assert ground.balance(f"escrow:{order.id}") == 0
    check_books(ground)


def test_a_part_lost_leaves_the_rest_to_be_refunded_and_no_more(street: Street, ground: Ground) -> None:
    order = street.paid()
    for outcome in (Outcome.PENDING, Outcome.SUCCEEDED):
        come(ground, bank(order, outcome, money=PART))
    street.do(cancel_order, buyer, order.number)
    refund = street.refunds(order.attempt_id)[0]
    assert refund.money == REST
    street.send_refund(refund, Reply(Outcome.SUCCEEDED, "re_1"))
    assert (ground.books(), street.order(order.id).escrow) == ({}, EscrowState.REFUNDED)


@pytest.mark.parametrize(
    ("first", "second", "state", "escrow"),
    [
        (Outcome.SUCCEEDED, Outcome.SUCCEEDED, OrderState.VOID, EscrowState.CHARGED_BACK),
        (Outcome.SUCCEEDED, Outcome.DECLINED, OrderState.PAID, EscrowState.HELD),
        (Outcome.DECLINED, Outcome.SUCCEEDED, OrderState.PAID, EscrowState.HELD),
        (Outcome.DECLINED, Outcome.DECLINED, OrderState.PAID, EscrowState.HELD),
    ],
)
def test_two_parts_thaw_when_the_last_is_decided(
    street: Street, ground: Ground, first: Outcome, second: Outcome, state: OrderState, escrow: EscrowState
) -> None:
    order = street.paid()
    come(ground, bank(order, Outcome.PENDING, money=PART))
    come(ground, bank(order, Outcome.PENDING, money=REST, case="dp_2"))
    come(ground, bank(order, first, money=PART))
    assert street.order(order.id).state is OrderState.FROZEN
    come(ground, bank(order, second, money=REST, case="dp_2"))
    after = street.order(order.id)
    assert (after.state, after.escrow) == (state, escrow)


def test_a_second_case_after_a_lost_one_freezes_what_is_left(street: Street, ground: Ground) -> None:
    order = street.paid()
    for outcome in (Outcome.PENDING, Outcome.SUCCEEDED):
        come(ground, bank(order, outcome, money=PART))
    come(ground, bank(order, Outcome.PENDING, money=REST, case="dp_2"))
    assert (street.order(order.id).state, ground.balance(f"escrow:{order.id}")) == (OrderState.FROZEN, 0)
    come(ground, bank(order, Outcome.SUCCEEDED, money=REST, case="dp_2"))
    assert (street.order(order.id).escrow, ground.books()) == (EscrowState.CHARGED_BACK, {})


def test_more_than_is_left_freezes_and_is_owed(street: Street, ground: Ground) -> None:
    """The escrow does not cover it: it stays where it is, and the order stands still all the same."""
    order = street.paid()
    for outcome in (Outcome.PENDING, Outcome.SUCCEEDED):
        come(ground, bank(order, outcome, money=PART))
    come(ground, bank(order, Outcome.PENDING, case="dp_2"))
    assert street.order(order.id).state is OrderState.FROZEN
    assert (ground.balance(f"escrow:{order.id}"), ground.balance(f"receivable:{SHOP}")) == (-REST.amount_minor, PRICE.amount_minor)
    come(ground, bank(order, Outcome.SUCCEEDED, case="dp_2"))
    assert street.order(order.id).state is OrderState.PAID


def test_a_digital_order_hands_over_what_is_left_when_a_part_is_lost(street: Street, ground: Ground) -> None:
    order = street.paid(street.digital_link(), proved=False)
    come(ground, bank(order, Outcome.PENDING, money=PART))
    street.prove(order.attempt_id)
    come(ground, bank(order, Outcome.SUCCEEDED, money=PART))
    assert street.order(order.id).state is OrderState.COMPLETED
    assert -ground.balance(f"wallet:{SHOP}") == REST.amount_minor * 975 // 1000


def test_a_disputed_order_is_split_out_of_what_is_left(street: Street, ground: Ground) -> None:
    order = street.delivered()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "", ())
    for outcome in (Outcome.PENDING, Outcome.SUCCEEDED):
        come(ground, bank(order, outcome, money=PART))
    assert street.order(order.id).state is OrderState.DISPUTED
    ground.refuses(BadInput, resolve_dispute, admin, order.number, "split", REST)
    street.do(resolve_dispute, admin, order.number, "split", Money(50_000, "KES"))
    assert -ground.balance(f"wallet:{SHOP}") == 100_000 * 975 // 1000
    check_books(ground)
