"""The desk brings money that is kept apart to its end: back to its payer, or to the checkout it was for. Each once, whoever is at the desk."""

from __future__ import annotations

import pytest

from domain.by_hand import Stray, StrayId, StrayState
from domain.errors import BadInput, DomainError, IllegalTransition, NotFound
from domain.ids import AttemptId, RefundId
from domain.late import LatePolicy
from domain.life import OrderState, RefundState
from domain.money import Money
from domain.payment import Attempt, Notice, Outcome, Proof, Reply
from domain.tokens import Purpose
from tests.factories import HOUR, PRICE, SHOP, Street, admin, owner
from tests.fakes import FakeGateway, Ground, GroundStore
from tests.usecases.test_by_hand import RECEIPT, tell, told
from usecases import suspense
from usecases.checkouts import expire_checkout
from usecases.settlement import Settled, apply_notice
from usecases.strays import record_return


@pytest.fixture
def stray(street: Street) -> Stray:
    """Money that named nothing of ours."""
    tell(street, told(account="nonsense"))
    found: Stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    return found


def now(street: Street, stray: Stray) -> Stray:
    found: Stray = street.do(suspense.read_stray, stray.id)
    return found


async def sent_back(ground: Ground, stray: Stray, *replies: Reply) -> tuple[Stray, FakeGateway]:
    gateway = FakeGateway(list(replies))
    return await suspense.return_stray(GroundStore(ground), {"daraja": gateway}, admin, stray.id), gateway


def result(stray: Stray, outcome: Outcome = Outcome.SUCCEEDED) -> Notice:
    """What the gateway says later, at the address of this return."""
    return Notice("daraja", f"reversal:{outcome}", "reversal", outcome, Proof.HINT, refund_id=RefundId(stray.id), ref="AG_1", result="R1")


async def test_money_of_nobody_goes_back_through_the_gateway_that_took_it(street: Street, ground: Ground, stray: Stray) -> None:
    assert street.do(suspense.strays) == [stray]
    waiting, gateway = await sent_back(ground, stray, Reply(Outcome.PENDING, "AG_1"))
    assert (waiting.state, waiting.ref, waiting.asked_at) == (StrayState.RETURNING, "AG_1", ground.clock.at)
    ((refund, receipt, credentials, token),) = gateway.refunded
    assert (refund.money, receipt, credentials["short_code"]) == (PRICE, RECEIPT, "600000")
    assert ground.tokens.read(Purpose.REFUND, token) == stray.id
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}
    assert street.do(suspense.strays) == [waiting]
    assert street.tell(result(stray)) == "noted"
    assert (now(street, stray).state, now(street, stray).returned_at) == (StrayState.RETURNED, ground.clock.at)
    assert ground.books() == {}
    assert street.do(suspense.strays) == []
    with ground.unchanged():
        assert street.tell(result(stray)) == "noted"
        assert street.tell(result(stray, Outcome.DECLINED)) == "noted"
    again, asked = await sent_back(ground, stray)
    assert (again.state, asked.refunded) == (StrayState.RETURNED, [])


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.NOT_SENT])
async def test_what_the_gateway_does_not_send_back_waits_again(street: Street, ground: Ground, stray: Stray, outcome: Outcome) -> None:
    waiting, _ = await sent_back(ground, stray, Reply(outcome, result="configuration" if outcome is Outcome.DECLINED else None))
    assert (waiting.state, waiting.asked_at) == (StrayState.WAITING, None)
    assert waiting.result == ("configuration" if outcome is Outcome.DECLINED else "unknown")
    assert ground.books() == {"clearing:daraja": 250_000, "suspense": -250_000}
    with ground.unchanged():
        street.tell(result(stray, Outcome.DECLINED))
        street.do(suspense.not_returned, admin, stray.id)
    assert street.tell(result(stray)) == "noted"
    assert ground.books() == {}, "it went after all, and the books follow"


async def test_a_return_without_an_answer_is_never_sent_a_second_time(street: Street, ground: Ground, stray: Stray) -> None:
    waiting, _ = await sent_back(ground, stray, Reply(Outcome.UNKNOWN))
    assert waiting.state is StrayState.RETURNING
    assert ground.alerts() == ["money_stray", "stray_without_answer"]
    with ground.unchanged(), pytest.raises(BadInput, match="under_way"):
        await sent_back(ground, stray)
    kept = street.do(suspense.not_returned, admin, stray.id)
    assert kept.state is StrayState.WAITING
    await sent_back(ground, stray, Reply(Outcome.SUCCEEDED, "AG_2"))
    assert (now(street, stray).ref, ground.books()) == ("AG_2", {})
    ground.refuses(IllegalTransition, suspense.not_returned, admin, stray.id)


async def test_a_result_that_never_comes_is_told_once(street: Street, ground: Ground, stray: Stray) -> None:
    await sent_back(ground, stray, Reply(Outcome.PENDING, "AG_1"))
    assert street.do(suspense.remind) == 0
    street.later(HOUR)
    assert [street.do(suspense.remind) for _ in range(2)] == [1, 0]
    assert ground.alerts() == ["money_stray", "stray_without_answer"]


async def test_a_return_by_hand_needs_a_reference_and_is_booked_once(street: Street, ground: Ground, stray: Stray) -> None:
    for reference, reason in ((" ", "empty"), ("x" * 101, "too_long")):
        assert ground.refuses(BadInput, suspense.returned_by_hand, admin, stray.id, reference).facts["reason"] == reason
    done = street.do(suspense.returned_by_hand, admin, stray.id, " SKL1 ")
    assert (done.state, done.ref, done.result, ground.books()) == (StrayState.RETURNED, "SKL1", "by_hand", {})
    with ground.unchanged():
        street.do(suspense.returned_by_hand, admin, stray.id, "another")
    assert ground.trail(f"stray:{stray.id}") == ["money_stray by gateway@daraja", "stray_returned by admin@admin"]


async def test_only_the_desk_may(street: Street, ground: Ground, stray: Stray) -> None:
    ground.refuses(NotFound, suspense.returned_by_hand, owner, stray.id, "SKL1")
    ground.refuses(NotFound, suspense.not_returned, owner, stray.id)
    ground.refuses(NotFound, suspense.match, owner, stray.id, "x")
    ground.refuses(NotFound, suspense.give_back, owner, AttemptId(1))
    ground.refuses(NotFound, suspense.write_off, owner, AttemptId(1))
    assert ground.refuses(NotFound, suspense.read_stray, StrayId(1)).facts["what"] == "stray"
    with ground.unchanged(), pytest.raises(NotFound):
        await suspense.return_stray(GroundStore(ground), {}, owner, stray.id)


async def test_a_stray_that_went_back_is_no_prompts_any_more(street: Street, ground: Ground, stray: Stray) -> None:
    """The late success of a prompt tells of money that is with its payer again."""
    attempt = street.ringing()
    street.tell(street.failure(attempt, "no_answer"))
    await sent_back(ground, stray, Reply(Outcome.PENDING))
    for _ in range(2):
        notice = street.success(attempt, receipt=RECEIPT)
        assert ground.refuses(DomainError, apply_notice, notice).facts["reason"] == "money_returned"
        street.tell(result(stray))


def test_a_result_for_money_that_was_counted_meanwhile_is_for_a_person(street: Street, ground: Ground, stray: Stray) -> None:
    street.do(suspense.match, admin, stray.id, street.checkout().number)
    refusal = ground.refuses(DomainError, record_return, stray.id, Reply(Outcome.SUCCEEDED))
    assert refusal.facts["reason"] == "stray_returned_too"


def test_money_is_matched_to_the_checkout_it_was_for(street: Street, ground: Ground, stray: Stray) -> None:
    checkout = street.checkout()
    matched, settled = street.do(suspense.match, admin, stray.id, f" {checkout.number.lower()} ")
    assert (matched.state, settled) == (StrayState.MATCHED, Settled.PAID)
    assert ground.books() == {"clearing:daraja": 250_000, "escrow": -250_000}
    assert ground.trail(f"stray:{stray.id}")[-1] == "stray_matched by admin@admin"
    with ground.unchanged():
        assert street.do(suspense.match, admin, stray.id, checkout.number)[1] is Settled.NOTHING
    refusal = ground.refuses(DomainError, suspense.returned_by_hand, admin, stray.id, "SKL1")
    assert refusal.facts["reason"] == "stray_returned_too"


def test_money_for_an_order_that_is_paid_goes_back_as_paid_twice(street: Street, ground: Ground, stray: Stray) -> None:
    order = street.paid()
    matched, settled = street.do(suspense.match, admin, stray.id, order.number)
    assert settled is Settled.SUSPENSE
    assert street.refund_of(AttemptId(matched.attempt_id or 0)).reason == "double"
    assert street.order(order.id).state is OrderState.PAID


async def test_what_cannot_be_matched_stays_where_it_is(street: Street, ground: Ground, stray: Stray) -> None:
    assert ground.refuses(NotFound, suspense.match, admin, stray.id, "NONE").facts["what"] == "checkout"
    dollars = street.checkout(street.link(price=Money(2500, "USD")))
    assert ground.refuses(BadInput, suspense.match, admin, stray.id, dollars.number).facts["reason"] == "other_currency"
    await sent_back(ground, stray, Reply(Outcome.PENDING))
    ground.refuses(IllegalTransition, suspense.match, admin, stray.id, street.checkout().number)


def test_an_organizations_own_money_is_for_its_own_checkouts(street: Street, ground: Ground) -> None:
    street.go_direct()
    tell(street, told(account="nonsense", short_code="777777"), owner_id=SHOP)
    stray = street.do(lambda unit: unit.by_hand.stray("daraja", RECEIPT))
    elsewhere = street.checkout()
    ground.connection.execute("UPDATE strays SET owner = 2")
    ground.refuses(NotFound, suspense.match, admin, stray.id, elsewhere.number)
    ground.connection.execute("UPDATE strays SET owner = ?", (SHOP,))
    street.do(suspense.returned_by_hand, admin, stray.id, "SKL1")
    assert ground.books() == {}


# --- payments that did not fit


def unfit(street: Street, **changes: object) -> Attempt:
    attempt = street.ringing()
    street.tell(street.success(attempt, **({"payee": "999999"} | changes)))
    return street.attempt_now(attempt.id)


def listed(street: Street) -> list[tuple[AttemptId, Money, bool]]:
    return [(one.attempt.id, one.money, one.denied) for one in street.do(suspense.suspended)]


def test_money_for_another_payee_is_listed_and_goes_back(street: Street, ground: Ground, stray: Stray) -> None:
    attempt = unfit(street)
    street.prove(attempt.id)
    assert listed(street) == [(attempt.id, PRICE, False)]
    (refund,) = street.do(suspense.give_back, admin, attempt.id)
    assert (refund.state, refund.money) == (RefundState.ASKED, PRICE)
    assert listed(street) == []
    assert ground.refuses(NotFound, suspense.give_back, admin, attempt.id).facts["what"] == "suspense"
    street.send_refund(refund, Reply(Outcome.DECLINED, result="configuration"))
    assert listed(street) == [], "what failed has a command of its own"
    ground.refuses(NotFound, suspense.give_back, admin, attempt.id)


def test_money_of_another_currency_goes_back_by_hand(street: Street, ground: Ground) -> None:
    attempt = unfit(street, payee=None, money=Money(9_99, "USD"))
    assert listed(street) == [(attempt.id, Money(9_99, "USD"), False)]
    (refund,) = street.do(suspense.give_back, admin, attempt.id, "bank 1")
    assert (refund.state, ground.books()) == (RefundState.DONE, {})
    assert ground.refuses(BadInput, suspense.give_back, admin, unfit(street).id, "x" * 101).facts["reason"] == "too_long"


def test_two_at_the_desk_send_it_back_once(street: Street, ground: Ground) -> None:
    """Who comes second finds nothing; who read before the first wrote is stopped by the unique cause."""
    attempt, other = unfit(street), unfit(street)
    street.do(suspense.give_back, admin, other.id)
    ground.refuses(NotFound, suspense.give_back, admin, other.id)
    ground.connection.execute("UPDATE refunds SET cause = ?", (f"suspense:{attempt.id}:KES:0",))
    assert ground.refuses(BadInput, suspense.give_back, admin, attempt.id).facts["reason"] == "under_way"


def test_what_a_seller_decides_on_is_not_the_desks(street: Street) -> None:
    street.settings(late_money=LatePolicy.ASK)
    attempt = street.ringing()
    street.later(HOUR)
    street.do(expire_checkout, attempt.checkout_id)
    assert street.tell(street.success(attempt)) == "suspense"
    assert listed(street) == []


def test_denied_money_is_written_off_and_nothing_else_is(street: Street, ground: Ground) -> None:
    attempt = unfit(street)
    assert ground.refuses(BadInput, suspense.write_off, admin, attempt.id).facts["reason"] == "not_denied"
    street.prove(attempt.id, Outcome.DECLINED)
    assert listed(street) == [(attempt.id, PRICE, True)]
    assert ground.refuses(BadInput, suspense.give_back, admin, attempt.id).facts["reason"] == "denied"
    assert street.do(suspense.write_off, admin, attempt.id) == [PRICE]
    assert (ground.books(), listed(street)) == ({}, [])
    assert ground.refuses(NotFound, suspense.write_off, admin, attempt.id).facts["what"] == "suspense"


def test_a_result_for_nothing_of_ours_is_kept_for_later(street: Street, ground: Ground, stray: Stray) -> None:
    notice = Notice("daraja", "r", "reversal", Outcome.SUCCEEDED, Proof.HINT, refund_id=RefundId(1))
    assert ground.refuses(NotFound, apply_notice, notice).facts["what"] == "refund"
