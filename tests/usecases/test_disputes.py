"""Disputes: opened by the buyer alone, ended by a refund, a withdrawal or a decision; the parts of a split add up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.errors import BadInput, IllegalTransition, NotFound
from domain.ids import FileId
from domain.life import DisputeState, EscrowState, OrderState
from domain.money import Money
from domain.order import Due, Reason
from domain.payment import Outcome, Reply
from domain.rights import Actor, Party
from tests.factories import (
    ADMIN,
    BUYER,
    DAY,
    MANAGER,
    OTHER_OWNER,
    OWNER,
    SECOND,
    STAFF,
    Street,
    admin,
    arbiter,
    buyer,
    manager,
    other_owner,
    owner,
    staff,
    stranger,
)
from tests.fakes import Ground
from usecases.disputes import add_evidence, evidence_name, open_dispute, refund_dispute, resolve_dispute, withdraw_dispute
from usecases.orders import confirm_delivery

ALL = [f"{person}" for person in (OWNER, MANAGER, STAFF, BUYER)]
HELD = {"clearing:daraja": 250_000, "escrow": -250_000}
IN_TRANSIT = {"clearing:daraja": 250_000, "refunds_in_transit": -250_000}


def state_of(ground: Ground, dispute_id: int) -> DisputeState:
    return ground.unit(lambda unit: unit.disputes.get(dispute_id)).state  # type: ignore[arg-type]


def test_opening_freezes_the_escrow_and_tells_the_seller_and_a_person(street: Street, ground: Ground) -> None:
    order = street.delivered()
    pictures = [street.file(BUYER), street.file(BUYER)]
    dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, " torn \n sole ", pictures)
    now = street.order(order.id)
    assert (now.state, now.escrow, now.before_dispute) == (OrderState.DISPUTED, EscrowState.DISPUTED, OrderState.DELIVERED)
    assert (now.due, now.due_at) == (Due.DISPUTE_UNANSWERED, ground.clock.at + 3 * DAY)
    assert (dispute.reason, dispute.words, dispute.pictures, dispute.state) == (
        Reason.BROKEN,
        "torn\n sole",
        tuple(pictures),
        DisputeState.OPEN,
    )
    assert ground.told()[-5:] == [*(f"dispute_opened>{person}" for person in ALL), f"alert>{ADMIN}"]
    assert ground.books() == HELD
    with ground.unchanged():
        assert ground.unit(open_dispute, buyer, order.number, Reason.OTHER, "again").id == dispute.id


@pytest.mark.parametrize("actor", [owner, manager, staff, other_owner, stranger, admin, arbiter, Actor(Party.BUYER, "web")])
def test_nobody_else_opens_one(street: Street, ground: Ground, actor: Actor) -> None:
    ground.refuses(NotFound, open_dispute, actor, street.delivered().number, Reason.BROKEN, "")


def test_the_last_instant_of_the_window_counts(street: Street, ground: Ground) -> None:
    order, other = street.delivered(), street.delivered()
    for one in (order, other):
        ground.connection.execute("UPDATE orders SET due = 'release', due_at = delivered_at + 604800000000 WHERE id = ?", (one.id,))
    street.later(7 * DAY)
    assert ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "").state is DisputeState.OPEN
    street.later(timedelta(microseconds=1))
    ground.refuses(IllegalTransition, open_dispute, buyer, other.number, Reason.BROKEN, "")


def test_what_was_never_delivered_may_always_be_disputed(street: Street, ground: Ground) -> None:
    order = street.shipped()
    street.later(100 * DAY)
    assert ground.unit(open_dispute, buyer, order.number, Reason.NOT_ARRIVED, "").state is DisputeState.OPEN


def test_what_is_over_or_not_held_is_not_disputed(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.unit(confirm_delivery, buyer, order.number)
    ground.refuses(IllegalTransition, open_dispute, buyer, order.number, Reason.BROKEN, "")
    street.go_direct()
    ground.refuses(IllegalTransition, open_dispute, buyer, street.delivered().number, Reason.BROKEN, "")


# --- evidence --------------------------------------------------------------------------------------------------------


def test_evidence_is_the_buyers_own(street: Street, ground: Ground) -> None:
    order = street.delivered()
    theirs = street.file(OTHER_OWNER)
    assert ground.refuses(NotFound, open_dispute, buyer, order.number, Reason.BROKEN, "", [theirs]).facts == {"what": "file"}
    ground.refuses(NotFound, open_dispute, buyer, order.number, Reason.BROKEN, "", [FileId(1)])
    ground.refuses(NotFound, open_dispute, buyer, order.number, Reason.BROKEN, "", [street.file(None)])


def test_a_guests_evidence_belongs_to_the_order_it_was_sent_for(street: Street, ground: Ground) -> None:
    order, other = street.delivered(buyer_id=None), street.delivered(buyer_id=None)
    guest = Actor(Party.BUYER, "web", order_id=order.id)
    mine, others, plain = street.file(None, evidence_name(order.id)), street.file(None, evidence_name(other.id)), street.file(None)
    for file in (others, plain):
        ground.refuses(NotFound, open_dispute, guest, order.number, Reason.BROKEN, "", [file])
    assert ground.unit(open_dispute, guest, order.number, Reason.BROKEN, "", [mine]).pictures == (mine,)


def test_more_words_and_pictures_are_added_and_none_twice(street: Street, ground: Ground) -> None:
    order = street.delivered()
    first, second = street.file(BUYER), street.file(BUYER)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "torn", [first])
    more = ground.unit(add_evidence, buyer, order.number, "and wet", [first, second])
    assert (more.words, more.pictures) == ("torn\nand wet", (first, second))
    assert ground.unit(add_evidence, buyer, order.number, "  ").words == "torn\nand wet"
    ground.refuses(NotFound, add_evidence, buyer, order.number, "", [street.file(OTHER_OWNER)])
    ground.refuses(NotFound, add_evidence, owner, order.number, "x")
    ground.refuses(BadInput, add_evidence, buyer, order.number, "x" * 2001)


def test_evidence_is_bounded(street: Street, ground: Ground) -> None:
    order = street.delivered()
    many = [street.file(BUYER) for _ in range(11)]
    assert ground.refuses(BadInput, open_dispute, buyer, order.number, Reason.BROKEN, "", many).reason == "too_many"
    assert ground.refuses(BadInput, open_dispute, buyer, order.number, Reason.BROKEN, "x" * 2001).reason == "too_long"
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "x" * 2000, many[:10])
    assert ground.refuses(BadInput, add_evidence, buyer, order.number, "", many[10:]).reason == "too_many"
    assert ground.refuses(BadInput, add_evidence, buyer, order.number, "y" * 2000).reason == "too_long"


def test_without_an_open_dispute_there_is_nothing_to_add_to(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.refuses(NotFound, add_evidence, buyer, order.number, "x")
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    ground.unit(withdraw_dispute, buyer, order.number)
    ground.refuses(NotFound, add_evidence, buyer, order.number, "x")


# --- ends ------------------------------------------------------------------------------------------------------------


def test_a_withdrawn_dispute_returns_everything_to_where_it_was(street: Street, ground: Ground) -> None:
    for order, back in (
        (street.paid(), OrderState.PAID),
        (street.shipped(), OrderState.SHIPPED),
        (street.delivered(), OrderState.DELIVERED),
    ):
        dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
        restored = ground.unit(withdraw_dispute, buyer, order.number)
        assert (restored.state, restored.escrow, restored.before_dispute, restored.due) == (back, EscrowState.HELD, None, order.due)
        assert state_of(ground, dispute.id) is DisputeState.WITHDRAWN
        assert ground.told()[-4:] == [f"dispute_withdrawn>{person}" for person in ALL]
        with ground.unchanged():
            assert ground.unit(withdraw_dispute, buyer, order.number) == restored
        assert ground.unit(open_dispute, buyer, order.number, Reason.OTHER, "").id != dispute.id


def test_only_the_buyer_withdraws(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    for actor in (owner, admin, stranger):
        ground.refuses(NotFound, withdraw_dispute, actor, order.number)


@pytest.mark.parametrize("actor", [owner, manager])
def test_the_seller_gives_the_money_back(street: Street, ground: Ground, actor: Actor) -> None:
    order = street.delivered()
    dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    refunded = ground.unit(refund_dispute, actor, order.number)
    assert (refunded.state, refunded.escrow) == (OrderState.REFUNDED, EscrowState.REFUNDED)
    assert (state_of(ground, dispute.id), ground.books()) == (DisputeState.SETTLED, IN_TRANSIT)
    assert street.refund_of(order.attempt_id).reason == "dispute"
    with ground.unchanged():
        assert ground.unit(refund_dispute, actor, order.number) == refunded


def test_others_do_not_settle_it_and_without_a_dispute_there_is_nothing_to_settle(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.refuses(IllegalTransition, refund_dispute, owner, order.number)
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    for actor in (staff, buyer, other_owner, stranger, admin, arbiter):
        ground.refuses(NotFound, refund_dispute, actor, order.number)


@pytest.mark.parametrize(
    "decision,state,escrow,books",
    [
        (
            "release", OrderState.COMPLETED, EscrowState.RELEASED,
            {"clearing:daraja": 250_000, "wallet": -243_750, "fees:platform": -6_250},
        ),
        ("refund", OrderState.REFUNDED, EscrowState.REFUNDED, IN_TRANSIT),
    ],
)  # fmt: skip
def test_an_admin_decides_once(
    street: Street, ground: Ground, decision: str, state: OrderState, escrow: EscrowState, books: dict[str, int]
) -> None:
    order = street.delivered()
    dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    decided = ground.unit(resolve_dispute, admin, order.number, decision)
    assert (decided.state, decided.escrow, state_of(ground, dispute.id)) == (state, escrow, DisputeState.DECIDED)
    assert ground.books() == books
    with ground.unchanged():
        assert ground.unit(resolve_dispute, admin, order.number, decision) == decided
    other = {"release": "refund", "refund": "release"}[decision]
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, other)
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, "split", Money(1, "KES"))


@pytest.mark.parametrize("back", [1, 100_000, 249_999])
def test_the_parts_of_a_split_add_up_and_the_fee_is_of_what_is_kept(street: Street, ground: Ground, back: int) -> None:
    order = street.delivered()
    dispute = ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    decided = ground.unit(resolve_dispute, admin, order.number, "split", Money(back, "KES"))
    assert (decided.state, decided.escrow, state_of(ground, dispute.id)) == (OrderState.COMPLETED, EscrowState.SPLIT, DisputeState.DECIDED)
    fee = (250_000 - back) * 250 // 10_000
    books = {"clearing:daraja": 250_000, "refunds_in_transit": -back, "wallet": -(250_000 - back - fee), "fees:platform": -fee}
    assert ground.books() == {name: amount for name, amount in books.items() if amount}
    assert ground.told()[-4:] == [f"dispute_decided>{person}" for person in ALL]
    with ground.unchanged():
        assert ground.unit(resolve_dispute, admin, order.number, "split", Money(back, "KES")) == decided
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, "split", Money(2, "KES"))
    street.send_refund(street.refund_of(order.attempt_id), Reply(Outcome.SUCCEEDED))
    assert ground.balance("clearing:daraja") == 250_000 - back


@pytest.mark.parametrize("part", [None, Money(0, "KES"), Money(-1, "KES"), Money(250_000, "KES"), Money(250_001, "KES"), Money(1, "USD")])
def test_a_split_needs_a_part(street: Street, ground: Ground, part: Money | None) -> None:
    order = street.delivered()
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    assert ground.refuses(BadInput, resolve_dispute, admin, order.number, "split", part).reason == "not_a_part"


def test_only_an_admin_decides_and_only_what_there_is_to_decide(street: Street, ground: Ground) -> None:
    order = street.delivered()
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, "release")
    ground.unit(open_dispute, buyer, order.number, Reason.BROKEN, "")
    for actor in (owner, buyer, staff, arbiter):
        ground.refuses(NotFound, resolve_dispute, actor, order.number, "release")
    assert ground.refuses(BadInput, resolve_dispute, admin, order.number, "keep").facts["options"] == ["refund", "release", "split"]
    street.later(SECOND)
    ground.unit(withdraw_dispute, buyer, order.number)
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, "release")
