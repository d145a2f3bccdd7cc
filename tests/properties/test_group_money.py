"""Whatever payers, prompts, clocks and providers do to a group, in whatever order and however often: the books are clean, and nobody is kept short."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from domain.errors import Refused
from domain.ids import AttemptId, CheckoutId
from domain.life import AttemptState, CheckoutState
from domain.money import Money
from domain.payment import Attempt, Method, Notice, Outcome, Proof, Reply
from domain.phone import Phone
from storage.proofs import Reading, prove
from storage.statements import SQLITE, Session
from tests.factories import ABILITIES, Street, buyer
from tests.fakes import Ground, check_books
from usecases.group import NewShare, cancel_group, expire, group_of, start_group, take_share
from usecases.orders import cancel_order
from usecases.payments import NewAttempt, begin_attempt, open_attempt, record_reply
from usecases.refunds import begin_refund, record_refund
from usecases.settlement import apply_notice, record_fetch
from usecases.sweeps import due_checkouts, due_refunds

STEPS = (
    "take",
    "take",
    "take",
    "pay",
    "pay",
    "pay",
    "fail",
    "again",
    "prove",
    "deny",
    "wait",
    "wait_long",
    "sweep",
    "refunds",
    "cancel",
    "cancel_order",
)


class Play:
    """One group and a hand that does things to it; everything may be done twice, and a refusal changes nothing."""

    def __init__(self, ground: Ground, shares: int, price: int) -> None:
        self.street, self.ground = Street(ground), ground
        link = self.street.link(price=Money(price * 100, "KES"), stock=1)
        self.whole = self.street.do(start_group, self.street.new_checkout(link, shares=shares), ABILITIES).id
        self.attempts: list[AttemptId] = []
        self.sent_out: dict[AttemptId, int] = {}

    def do(self, what: str, number: int) -> None:
        with contextlib.suppress(Refused):
            getattr(self, what)(number)

    def _one(self, number: int) -> Attempt | None:
        if not self.attempts:
            return None
        return self.street.attempt_now(self.attempts[number % len(self.attempts)])

    def take(self, number: int) -> None:
        key = self.street.key()
        phone = Phone(f"+2547{self.street.made:08}")
        new = NewShare(key, number % 3 + 1, "Friend", Method.MPESA, phone, "en", "web")
        self._ring(self.ground.unit(take_share, self.whole, new, ABILITIES))

    def again(self, number: int) -> None:
        one = self._one(number)
        if one is not None:
            new = NewAttempt(self.street.key(), one.checkout_id, Method.MPESA, None, "web")
            self._ring(self.ground.unit(open_attempt, new, ABILITIES))

    def _ring(self, attempt: Attempt) -> None:
        if self.ground.unit(begin_attempt, attempt.id) is not None:
            self.ground.unit(record_reply, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))
            self.attempts.append(attempt.id)

    def pay(self, number: int) -> None:
        """The payer enters the PIN, whatever has become of the prompt here; told twice."""
        one = self._one(number)
        if one is not None:
            notice = self.street.success(one, money=one.money, proof=Proof.PROOF if number % 2 else Proof.HINT)
            for _ in range(2):
                self.ground.unit(apply_notice, notice)

    def fail(self, number: int) -> None:
        one = self._one(number)
        if one is not None:
            self.ground.unit(apply_notice, self.street.failure(one))

    def prove(self, number: int) -> None:
        one = self._one(number)
        if one is not None and one.state is AttemptState.SUCCEEDED:
            self.ground.unit(record_fetch, one.id, Reply(Outcome.SUCCEEDED))

    def deny(self, number: int) -> None:
        one = self._one(number)
        if one is not None and one.state is AttemptState.SUCCEEDED and number % 5 == 0:
            self.ground.unit(record_fetch, one.id, Reply(Outcome.DECLINED, result="no_such_payment"))

    def wait(self, number: int) -> None:
        self.street.later(timedelta(minutes=number % 40))

    def wait_long(self, number: int) -> None:
        self.street.later(timedelta(hours=number % 9))

    def sweep(self, number: int) -> None:
        for checkout_id in self.ground.unit(due_checkouts, 100):
            for _ in range(2):
                self.ground.unit(expire, checkout_id)

    def refunds(self, number: int) -> None:
        for refund_id in self.ground.unit(due_refunds, 100):
            if self.ground.unit(begin_refund, refund_id, True) is not None:
                self.ground.unit(record_refund, refund_id, Reply(Outcome.SUCCEEDED if number % 4 else Outcome.DECLINED, f"c{refund_id}"))

    def cancel(self, number: int) -> None:
        if number % 4 == 0:
            self.ground.unit(cancel_group, self.whole, buyer)

    def cancel_order(self, number: int) -> None:
        order = self.ground.unit(lambda unit: unit.orders.of_checkout(self.whole))
        if order is not None and number % 3 == 0:
            self.ground.unit(cancel_order, buyer, order.number)

    def settle(self) -> None:
        """A long time later: the gateway has proved what it was not asked about, and every refund was answered."""
        for attempt_id in self.attempts:
            one = self.street.attempt_now(attempt_id)
            if one.state is AttemptState.SUCCEEDED and one.proved_at is None and not one.disproved:
                self.ground.unit(record_fetch, attempt_id, Reply(Outcome.SUCCEEDED))
        for _ in range(3):
            self.street.later(timedelta(hours=25))
            self.sweep(1)
            self.refunds(1)


def owed(ground: Ground, whole: CheckoutId) -> None:
    """Every paid shilling of the group is in the order's escrow, or went back, or waits where a person was told of it."""
    group = ground.unit(group_of, whole)
    assert sum(share.shares for share in group.held) <= group.whole.shares
    left = ground.balance(f"shares:{whole}")
    assert left == 0, "the group is over or full"
    if group.whole.state is CheckoutState.PAID:
        assert group.paid_money == group.whole.total


@contextlib.contextmanager
def fresh(template: Path) -> Iterator[Ground]:
    ground = Ground(template)
    try:
        yield ground
    finally:
        ground.close()


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(2, 5), st.integers(7, 3000), st.lists(st.tuples(st.sampled_from(STEPS), st.integers(0, 1000)), max_size=40))
def test_a_group_ends_with_clean_books_whatever_happens(
    sqlite_template: Path, shares: int, price: int, steps: list[tuple[str, int]]
) -> None:
    with fresh(sqlite_template) as ground:
        play = Play(ground, shares, price)
        for what, number in steps:
            play.do(what, number)
        play.settle()
        check_books(ground)
        owed(ground, play.whole)
        reading = Reading(Session(ground.connection, SQLITE), ground.clock.at, ground.around.audit_key)
        broken = [finding for finding in prove(reading) if finding.broken and finding.name != "messages_end"]
        assert not broken, [(finding.name, finding.offences) for finding in broken]


def test_the_hand_can_fill_a_group(sqlite_template: Path) -> None:
    """What the steps reach: not only groups that nobody pays."""
    with fresh(sqlite_template) as ground:
        play = Play(ground, 3, 1000)
        for number in (0, 1):
            play.take(number)
        for number in (0, 1):
            play.pay(number)
        assert ground.unit(lambda unit: unit.orders.of_checkout(play.whole)) is not None
        assert isinstance(play.street.success(play.street.attempt_now(play.attempts[0])), Notice)
