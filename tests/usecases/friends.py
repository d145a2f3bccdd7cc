"""A group on the street of the tests, and its payers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from domain.group import Group
from domain.ids import CheckoutId, PersonId
from domain.link import Link
from domain.order import Order
from domain.payment import Attempt, Checkout, Method, Notice, Outcome, Refund, Reply
from domain.phone import Phone
from tests.factories import (
    ABILITIES,
    OTHER_OWNER,
    STAFF,
    Street,
)
from usecases.group import GroupView, NewShare, group_view, start_group, take_share
from usecases.payments import begin_attempt, record_reply


class Friends:
    """A group on the street, and its payers."""

    def __init__(self, street: Street) -> None:
        self.street, self.ground = street, street.ground

    def start(self, shares: int = 3, link: Link | None = None, **changes: Any) -> Checkout:
        new = self.street.new_checkout(link or self.street.link(), **{"shares": shares, **changes})
        made: Checkout = self.street.do(start_group, new, ABILITIES)
        return made

    def new(self, count: int = 1, person: PersonId | None = None, **changes: Any) -> NewShare:
        key = self.street.key()
        phone = Phone(f"+2547{self.street.made:08}")
        return replace(NewShare(key, count, f"Friend {self.street.made}", Method.MPESA, phone, "en", "web", person), **changes)

    def take(self, whole: Checkout, count: int = 1, person: PersonId | None = None, **changes: Any) -> Attempt:
        """Taken and written; nothing sent yet."""
        attempt: Attempt = self.street.do(take_share, whole.id, self.new(count, person, **changes), ABILITIES)
        return attempt

    def ring(self, whole: Checkout, count: int = 1, person: PersonId | None = None) -> Attempt:
        attempt = self.take(whole, count, person)
        return self.sent(attempt)

    def sent(self, attempt: Attempt) -> Attempt:
        assert self.street.do(begin_attempt, attempt.id) is not None
        sent: Attempt = self.street.do(record_reply, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))
        return sent

    def success(self, attempt: Attempt, **changes: Any) -> Notice:
        return self.street.success(attempt, **{"money": attempt.money, **changes})

    def pay(self, whole: Checkout, count: int = 1, person: PersonId | None = None, *, proved: bool = True) -> Attempt:
        attempt = self.ring(whole, count, person)
        assert self.street.tell(self.success(attempt)) == "paid"
        if proved:
            self.street.prove(attempt.id)
        return self.street.attempt_now(attempt.id)

    def full(self, link: Link | None = None, *, proved: bool = True) -> tuple[Order, list[Attempt]]:
        whole = self.start(3, link)
        attempts = [self.pay(whole, person=person, proved=proved) for person in (None, STAFF, OTHER_OWNER)]
        order = self.order(whole)
        assert order is not None
        return order, attempts

    def now(self, checkout_id: CheckoutId) -> Checkout:
        found: Checkout = self.street.do(lambda unit: unit.checkouts.get(checkout_id))
        return found

    def order(self, whole: Checkout) -> Order | None:
        found: Order | None = self.street.do(lambda unit: unit.orders.of_checkout(whole.id))
        return found

    def view(self, whole: Checkout) -> GroupView:
        found: GroupView = self.street.do(group_view, whole.id, ABILITIES)
        return found

    def group(self, whole: Checkout) -> Group:
        return self.view(whole).group

    def refund(self, attempt: Attempt) -> Refund:
        return self.street.refund_of(attempt.id)

    def told(self, person: PersonId) -> list[str]:
        return [row[0] for row in self.ground.rows("SELECT fact FROM outbox WHERE person_id = ? ORDER BY id", person)]

    def send_back(self, *attempts: Attempt) -> None:
        for attempt in attempts:
            self.street.send_refund(self.refund(attempt), Reply(Outcome.SUCCEEDED, f"conv_{attempt.id}"))
