"""N6, group pay: what is not filled in time, called off, denied, disputed or taken by a bank goes back to each payer, to the last unit."""

from __future__ import annotations

from datetime import timedelta

import pytest

from domain.by_hand import Told
from domain.errors import IllegalTransition, NotForSale, NotFound
from domain.group import GROUP_LASTS
from domain.ids import OrganizationId, PersonId
from domain.life import CheckoutState, EscrowState, OrderState, PaymentState, RefundState
from domain.money import Money
from domain.order import Reason
from domain.payment import About, Attempt, Notice, Outcome, Proof
from domain.records import RawEvent
from domain.rights import Actor, Party
from tests.factories import (
    ABILITIES,
    ADMIN,
    BUYER,
    OTHER_OWNER,
    SECOND,
    SHOP,
    STAFF,
    Street,
    admin,
    buyer,
    owner,
    staff,
    stranger,
)
from tests.fakes import Ground
from tests.usecases.friends import Friends
from usecases.by_hand import INBOX, LISTED, event_key, receive_told
from usecases.disputes import open_dispute, resolve_dispute
from usecases.gateways import PLATFORM
from usecases.group import cancel_group, expire, take_share
from usecases.orders import Confirmed, cancel_order, confirm_delivery, mark_delivered
from usecases.refunds import begin_refund
from usecases.sweeps import due_checkouts

MINUTE = timedelta(minutes=1)
ANN, BEN, CAT = PersonId(41), PersonId(42), PersonId(43)
THIRDS = (83_400, 83_300, 83_300)


pytestmark = pytest.mark.usefixtures("every_promise_holds")


def test_what_is_not_filled_in_time_goes_back_to_each_payer(street: Street, friends: Friends, ground: Ground) -> None:
    link = street.link(stock=1)
    whole = friends.start(3, link)
    paid = [friends.pay(whole, person=STAFF), friends.pay(whole, person=STAFF)]
    friends.take(whole, person=OTHER_OWNER)
    street.later(GROUP_LASTS)
    assert set(ground.unit(due_checkouts, 10)) >= {whole.id}
    assert ground.unit(expire, whole.id) is True
    with ground.unchanged():
        assert ground.unit(expire, whole.id) is False
    assert friends.now(whole.id).state is CheckoutState.EXPIRED and street.link_now(link).stock == 1
    backs = [friends.refund(attempt) for attempt in paid]
    assert [(back.money, back.reason, back.source) for back in backs] == [
        (attempt.money, "group", f"shares:{whole.id}") for attempt in paid
    ]
    assert ground.balance(f"shares:{whole.id}") == 0
    assert friends.told(STAFF)[-1] == "group_ended" and friends.told(BUYER)[-1] == "group_ended"
    ((told,),) = ground.rows("SELECT payload FROM outbox WHERE fact = 'group_ended' AND person_id = ?", STAFF)
    assert f'"amount_minor":{sum(attempt.money.amount_minor for attempt in paid)}' in told
    friends.send_back(*paid)
    assert ground.balance("clearing:daraja") == 0
    assert [street.payment_now(attempt).state for attempt in paid] == [PaymentState.REFUNDED] * 2
    assert friends.told(STAFF).count("money_returned") == 2


def test_a_group_waits_for_a_prompt_that_is_ringing(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    friends.pay(whole)
    street.later(GROUP_LASTS - SECOND)
    last = friends.ring(whole)
    street.later(MINUTE)
    with ground.unchanged():
        assert ground.unit(expire, whole.id) is False
    assert street.tell(friends.success(last)) == "paid"
    assert friends.order(whole) is not None


def test_money_that_comes_after_the_time_goes_back(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    friends.pay(whole)
    street.later(GROUP_LASTS - SECOND)
    last = friends.ring(whole)
    street.later(4 * MINUTE)
    assert ground.unit(expire, whole.id) is True
    assert friends.now(last.checkout_id).state is CheckoutState.EXPIRED
    assert street.tell(friends.success(last)) == "suspense"
    assert friends.refund(last).reason == "late"


def test_who_began_it_may_call_it_off_while_it_is_not_full(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(3)
    paid = friends.pay(whole)
    friends.ring(whole)
    assert ground.refuses(NotFound, cancel_group, whole.id, stranger).facts == {"what": "group"}
    assert ground.unit(cancel_group, whole.id, buyer).state is CheckoutState.CANCELLED
    with ground.unchanged():
        ground.unit(cancel_group, whole.id, buyer)
    assert friends.refund(paid).money == paid.money
    assert {share.state for share in friends.group(whole).taken} == {CheckoutState.PAID, CheckoutState.CANCELLED}
    assert ground.refuses(NotForSale, take_share, whole.id, friends.new(), ABILITIES).facts == {"reason": "expired"}


def test_whoever_has_the_secret_address_may_call_it_off(friends: Friends, ground: Ground) -> None:
    whole = friends.start(2, buyer_id=None)
    ground.unit(cancel_group, whole.id, Actor(Party.BUYER, "web"))
    assert friends.now(whole.id).state is CheckoutState.CANCELLED


def test_a_full_group_is_an_order_and_is_not_called_off(friends: Friends, ground: Ground) -> None:
    order, _ = friends.full()
    ground.refuses(IllegalTransition, cancel_group, order.checkout_id, buyer)


def test_nothing_is_released_before_every_share_is_proved(street: Street, friends: Friends, ground: Ground) -> None:
    order, attempts = friends.full(proved=False)
    street.do(mark_delivered, staff, order.number)
    assert street.do(confirm_delivery, buyer, order.number) is Confirmed.WAITING
    for attempt in attempts[:2]:
        street.prove(attempt.id)
    assert not street.order(order.id).proved
    street.prove(attempts[2].id)
    done = street.order(order.id)
    assert (done.proved, done.state, done.escrow) == (True, OrderState.COMPLETED, EscrowState.RELEASED)
    assert ground.balance(f"wallet:{SHOP}") == -243_750


def test_digital_goods_are_handed_over_when_the_last_share_is_paid(street: Street, friends: Friends) -> None:
    link = street.digital_link()
    whole = friends.start(2, link)
    friends.pay(whole)
    last = friends.ring(whole)
    assert street.tell(friends.success(last, proof=Proof.PROOF)) == "paid"
    order = friends.order(whole)
    assert order is not None and order.state is OrderState.COMPLETED


def test_a_cancelled_order_gives_each_payer_their_share(street: Street, friends: Friends, ground: Ground) -> None:
    order, attempts = friends.full()
    street.do(cancel_order, buyer, order.number)
    assert [friends.refund(attempt).money.amount_minor for attempt in attempts] == list(THIRDS)
    friends.send_back(*attempts)
    assert ground.books() == {}
    assert friends.told(OTHER_OWNER)[-1] == "money_returned"
    assert [street.payment_now(attempt).state for attempt in attempts] == [PaymentState.REFUNDED] * 3


def test_a_split_dispute_gives_each_payer_their_part(street: Street, friends: Friends, ground: Ground) -> None:
    order, attempts = friends.full()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "no")
    part = Money(100_000, "KES")
    street.do(resolve_dispute, admin, order.number, "split", part)
    assert [friends.refund(attempt).money.amount_minor for attempt in attempts] == [33_400, 33_300, 33_300]
    with ground.unchanged():
        street.do(resolve_dispute, admin, order.number, "split", part)
    ground.refuses(IllegalTransition, resolve_dispute, admin, order.number, "split", Money(90_000, "KES"))
    friends.send_back(*attempts)
    assert street.payment_now(attempts[0]).state is PaymentState.PARTLY_REFUNDED


def test_a_part_smaller_than_the_payers_goes_to_the_first(street: Street, friends: Friends) -> None:
    order, attempts = friends.full()
    street.do(open_dispute, buyer, order.number, Reason.BROKEN, "no")
    street.do(resolve_dispute, admin, order.number, "split", Money(100, "KES"))
    assert [len(street.refunds(attempt.id)) for attempt in attempts] == [1, 0, 0]


def test_a_share_that_the_gateway_denies_ends_the_group(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(3)
    good, bad = friends.pay(whole), friends.pay(whole, proved=False)
    street.prove(bad.id, Outcome.DECLINED, result="no_such_payment")
    assert friends.now(whole.id).state is CheckoutState.EXPIRED
    assert friends.refund(good).money == good.money
    street.later(MINUTE)
    refused = friends.refund(bad)
    assert ground.unit(begin_refund, refused.id, True) is None
    assert friends.refund(bad).state is RefundState.FAILED
    assert ground.balance(f"suspense:{bad.id}") == -bad.money.amount_minor


@pytest.mark.parametrize("disputed", [False, True])
def test_a_share_that_the_gateway_denies_later_voids_the_order_and_the_others_get_theirs(
    street: Street, friends: Friends, ground: Ground, disputed: bool
) -> None:
    order, attempts = friends.full(proved=False)
    if disputed:
        street.do(open_dispute, buyer, order.number, Reason.BROKEN, "no")
    street.prove(attempts[0].id)
    street.prove(attempts[1].id, Outcome.DECLINED, result="no_such_payment")
    void = street.order(order.id)
    assert (void.state, void.escrow) == (OrderState.VOID, EscrowState.VOID)
    assert ground.balance(f"suspense:{attempts[1].id}") == -83_300
    assert [len(street.refunds(attempt.id)) for attempt in attempts] == [1, 0, 1]
    street.prove(attempts[2].id, Outcome.DECLINED, result="no_such_payment")
    assert ground.balance(f"escrow:{order.id}") == 0


def test_the_only_payer_that_is_denied_leaves_nothing_to_give_back(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    attempt = friends.pay(whole, 2, proved=False)
    street.prove(attempt.id, Outcome.DECLINED, result="no_such_payment")
    order = friends.order(whole)
    assert order is not None and order.state is OrderState.VOID and street.refunds(attempt.id) == []


def by_hand(friends: Friends, number: str, receipt: str, minor: int, *, owner_id: OrganizationId = PLATFORM, to: str = "600000") -> None:
    """Somebody pays from the M-Pesa menu."""
    said = Told(receipt, Money(minor, "KES"), to, number, "678")
    raw = f"{receipt}:{minor}".encode()
    event = RawEvent(INBOX, LISTED, raw, "196.201.214.200", {"owner": owner_id})
    friends.street.do(receive_told, event, event_key(LISTED, owner_id, raw, said), owner_id, said)


def test_a_share_may_be_paid_by_hand_and_the_whole_may_not(street: Street, friends: Friends, ground: Ground) -> None:
    """G7: the number of a share is an account like any other; that of the whole names nothing, for it is paid by its shares."""
    whole = friends.start(2)
    share = friends.now(friends.take(whole).checkout_id)
    street.tell(street.failure(friends.sent(street.attempt(share))))
    by_hand(friends, share.number, "SJK4H7L2QX", 125_000)
    assert friends.now(share.id).state is CheckoutState.PAID
    by_hand(friends, whole.number, "SJK4H7L2QY", 250_000)
    assert ground.rows("SELECT receipt, state FROM strays") == [("SJK4H7L2QY", "WAITING")]


def test_a_share_paid_by_hand_at_the_sellers_own_account_is_not_counted_and_a_person_looks(
    street: Street, friends: Friends, ground: Ground
) -> None:
    whole = friends.start(2)
    attempt = friends.ring(whole)
    street.tell(street.failure(attempt))
    street.go_direct()
    share = friends.now(attempt.checkout_id)
    by_hand(friends, share.number, "SJK4H7L2QZ", 125_000, owner_id=SHOP, to="777777")
    assert friends.now(share.id).state is CheckoutState.OPEN and friends.order(whole) is None
    assert ground.balance(f"shares:{whole.id}") == 0
    assert "alert" in friends.told(ADMIN)


def gone(attempt: Attempt, ref: str = "elsewhere", money: Money | None = None) -> Notice:
    return Notice(
        "daraja", f"back:{ref}", "event", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, about=About.REFUND, refund_ref=ref, money=money
    )


def test_a_share_given_back_in_the_portal_ends_the_group(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(3)
    stays, goes = friends.pay(whole), friends.pay(whole)
    street.tell(gone(goes))
    assert friends.now(whole.id).state is CheckoutState.EXPIRED
    assert [back.reason for back in street.refunds(goes.id)] == ["elsewhere"]
    assert friends.refund(stays).money == stays.money
    assert ground.balance(f"shares:{whole.id}") == 0


def test_a_part_of_a_share_given_back_in_the_portal_ends_it_too(street: Street, friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    goes = friends.pay(whole)
    street.tell(gone(goes, money=Money(25_000, "KES")))
    assert sorted((back.reason, back.money.amount_minor) for back in street.refunds(goes.id)) == [("elsewhere", 25_000), ("group", 100_000)]
    assert ground.balance(f"shares:{whole.id}") == 0


def test_a_share_given_back_in_the_portal_after_the_order_leaves_the_rest_held(street: Street, friends: Friends, ground: Ground) -> None:
    order, attempts = friends.full()
    street.tell(gone(attempts[0]))
    assert ground.balance(f"escrow:{order.id}") == -166_600
    street.do(cancel_order, buyer, order.number)
    assert [[back.money.amount_minor for back in street.refunds(attempt.id)] for attempt in attempts] == [[83_400], [83_300], [83_300]]


def bank(attempt: Attempt, outcome: Outcome, ref: str, money: Money | None = None) -> Notice:
    return Notice(
        "daraja", f"{ref}:{outcome}", "event", outcome, Proof.PROOF, attempt.id, about=About.CHARGEBACK, refund_ref=ref, money=money
    )


def test_a_bank_that_takes_a_share_freezes_the_order_and_the_rest_goes_back_without_it(
    street: Street, friends: Friends, ground: Ground
) -> None:
    order, attempts = friends.full()
    street.tell(bank(attempts[0], Outcome.PENDING, "one"))
    assert street.order(order.id).state is OrderState.FROZEN
    street.tell(bank(attempts[1], Outcome.PENDING, "two"))
    street.tell(bank(attempts[0], Outcome.SUCCEEDED, "one"))
    assert street.order(order.id).state is OrderState.FROZEN, "the other bank has not decided"
    street.tell(bank(attempts[1], Outcome.DECLINED, "two"))
    assert street.order(order.id).state is OrderState.PAID
    street.do(cancel_order, buyer, order.number)
    assert [[back.money.amount_minor for back in street.refunds(attempt.id)] for attempt in attempts] == [[], [83_300], [83_300]]


def test_a_bank_takes_no_more_than_the_share(street: Street, friends: Friends, ground: Ground) -> None:
    _, attempts = friends.full()
    before = ground.books()
    with pytest.raises(Exception, match="chargeback_amount"):
        street.tell(bank(attempts[0], Outcome.PENDING, "much", Money(83_500, "KES")))
    assert ground.books() == before


def test_only_admins_hear_alarms_of_a_quiet_group(friends: Friends) -> None:
    friends.full()
    assert "alert" not in friends.told(ADMIN)


def test_the_owner_has_no_part_in_it_before_it_is_an_order(friends: Friends, ground: Ground) -> None:
    whole = friends.start(2)
    ground.refuses(NotFound, cancel_group, whole.id, owner)
