"""A street to test the hall on: a shop with its people, a buyer, somebody else, and sales at every step, made with the hall's own verbs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.ids import AttemptId, FileId, OrderId, OrganizationId, PersonId
from domain.late import LatePolicy
from domain.link import Link
from domain.money import Money
from domain.order import Order
from domain.payment import Attempt, Checkout, Method, Notice, Outcome, Payment, Proof, Refund, Reply
from domain.person import Channel, ChannelKind, ChannelState, Language, Member, Organization, Person, Role
from domain.phone import Phone
from domain.ports import Unit
from domain.records import StoredFile
from domain.rights import Actor, Party
from tests.fakes import ABILITY, Ground
from usecases.checkouts import NewCheckout, start_checkout
from usecases.gateways import save_credentials
from usecases.links import NewLink, create_link
from usecases.orders import mark_delivered, run_order_timer, ship_order
from usecases.payments import NewAttempt, begin_attempt, open_attempt, record_reply
from usecases.refunds import begin_refund, record_refund
from usecases.settlement import apply_notice, record_fetch
from usecases.tell import ADMINS

ABILITIES = {"daraja": ABILITY}
PRICE = Money(250_000, "KES")
PHONE = Phone("+254712345678")
OTHER_PHONE = Phone("+254722000111")
SHOP, OTHER_SHOP = OrganizationId(1), OrganizationId(2)
OWNER, MANAGER, STAFF, BUYER, OTHER_OWNER, ADMIN = (PersonId(number) for number in (11, 12, 13, 21, 31, 91))
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)

owner = Actor(Party.OWNER, "telegram", OWNER, SHOP)
manager = Actor(Party.MANAGER, "telegram", MANAGER, SHOP)
staff = Actor(Party.STAFF, "telegram", STAFF, SHOP)
buyer = Actor(Party.BUYER, "telegram", BUYER)
stranger = Actor(Party.BUYER, "telegram", OTHER_OWNER)
other_owner = Actor(Party.OWNER, "telegram", OTHER_OWNER, OTHER_SHOP)
admin = Actor(Party.ADMIN, "admin")
arbiter = Actor(Party.ARBITER, "web", PersonId(91))
SELLERS = (OWNER, MANAGER, STAFF)


def build_street(unit: Unit) -> None:
    """Two shops with their people, a buyer, an admin; the platform's gateway is set up. Late money becomes an order at once."""
    for number in (OWNER, MANAGER, STAFF, BUYER, OTHER_OWNER, ADMIN):
        unit.people.add(Person(number, f"Person {number}", Language.EN, Role.BUYER, None, unit.now))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(number), number, ChannelState.ACTIVE, unit.now))
    for shop, name in ((SHOP, "Mama Amina"), (OTHER_SHOP, "Next door")):
        unit.organizations.add(Organization(shop, name, "KE", "KES", 250, unit.now, late_money=LatePolicy.ACCEPT))
    for number, party in ((OWNER, Party.OWNER), (MANAGER, Party.MANAGER), (STAFF, Party.STAFF)):
        unit.organizations.add_member(Member(SHOP, number, party, unit.now))
    unit.organizations.add_member(Member(OTHER_SHOP, OTHER_OWNER, Party.OWNER, unit.now))
    unit.marks.put(ADMINS, {"persons": [ADMIN]})
    save_credentials(unit, admin, "daraja", {"short_code": "600000"}, tested=True)


class Street:
    """Everything a test of the hall begins with. Each verb is one committed unit or a few."""

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.made = 0
        ground.unit(build_street)

    def do(self, work: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        return self.ground.unit(work, *args, **kwargs)

    def later(self, step: timedelta) -> None:
        self.ground.clock.move(step)

    def key(self) -> str:
        self.made += 1
        return f"k{self.made}"

    def link(self, **changes: Any) -> Link:
        new = replace(NewLink(self.key(), "Sneakers", PRICE), **changes)
        return self.ground.unit(create_link, owner, new)

    def new_checkout(self, link: Link, **changes: Any) -> NewCheckout:
        return replace(NewCheckout(self.key(), link.code, 1, "Amina", "Kilimani", "", PHONE, "en", "web", BUYER), **changes)

    def checkout(self, link: Link | None = None, **changes: Any) -> Checkout:
        return self.ground.unit(start_checkout, self.new_checkout(link or self.link(), **changes))

    def attempt(self, checkout: Checkout | None = None, **changes: Any) -> Attempt:
        """Written, not sent."""
        new = replace(NewAttempt(self.key(), (checkout or self.checkout()).id, Method.MPESA, None, "web"), **changes)
        return self.ground.unit(open_attempt, new, ABILITIES)

    def ringing(self, checkout: Checkout | None = None, **changes: Any) -> Attempt:
        """Sent: the phone rings."""
        attempt = self.attempt(checkout, **changes)
        assert self.ground.unit(begin_attempt, attempt.id) is not None
        return self.ground.unit(record_reply, attempt.id, Reply(Outcome.PENDING, f"ws_{attempt.id}"))

    def success(self, attempt: Attempt, **changes: Any) -> Notice:
        """A callback that says it was paid: a hint, with the exact amount and a receipt of its own."""
        notice = Notice(
            "daraja",
            f"stk:ws_{attempt.id}:0",
            "stk",
            Outcome.SUCCEEDED,
            Proof.HINT,
            attempt.id,
            f"ws_{attempt.id}",
            f"R{attempt.id}",
            PRICE,
        )
        return replace(notice, **changes)

    def failure(self, attempt: Attempt, result: str = "wrong_pin") -> Notice:
        return replace(
            self.success(attempt), outcome=Outcome.DECLINED, receipt=None, money=None, result=result, event_key=f"{attempt.id}:{result}"
        )

    def tell(self, notice: Notice) -> str:
        """What applying a notice did."""
        return str(self.ground.unit(apply_notice, notice))

    def prove(self, attempt_id: AttemptId, outcome: Outcome = Outcome.SUCCEEDED, **changes: Any) -> None:
        self.ground.unit(record_fetch, attempt_id, replace(Reply(outcome), **changes))

    def paid(self, link: Link | None = None, *, proved: bool = True, **changes: Any) -> Order:
        """A paid order, its escrow held."""
        attempt = self.ringing(self.checkout(link, **{"phone": Phone(f"+2547{self.made:08}"), **changes}))
        assert self.tell(self.success(attempt)) == "paid"
        if proved:
            self.prove(attempt.id)
        return self.order_of(attempt)

    def shipped(self, **changes: Any) -> Order:
        order = self.paid(**changes)
        return self.ground.unit(ship_order, staff, order.number, "G4S", "KE1")

    def delivered(self, **changes: Any) -> Order:
        order = self.paid(**changes)
        return self.ground.unit(mark_delivered, staff, order.number)

    def digital_link(self) -> Link:
        return self.link(digital_file=self.file(OWNER))

    def file(self, person: PersonId | None, name: str = "") -> FileId:
        def add(unit: Unit) -> FileId:
            file = StoredFile(FileId(unit.new_id()), None, person, "picture", "image/jpeg", 1, 1, b"x", unit.now, name)
            unit.files.add(file)
            return file.id

        return self.ground.unit(add)

    def go_direct(self) -> None:
        """From now on the shop is paid at its own short code."""
        self.ground.unit(save_credentials, owner, "daraja", {"short_code": "777777"}, tested=True)

    def settings(self, **changes: Any) -> None:
        """The shop as somebody set it: late_money, frozen."""
        self.ground.unit(lambda unit: unit.organizations.save(replace(unit.organizations.get(SHOP), **changes)))

    def timer(self, order: Order) -> str | None:
        due = self.ground.unit(run_order_timer, order.id)
        return None if due is None else str(due)

    def send_refund(self, refund: Refund, reply: Reply | None = None, *, repeatable: bool = False) -> Refund:
        """The worker's turn: begin, call, record."""
        assert self.ground.unit(begin_refund, refund.id, repeatable) is not None
        return self.ground.unit(record_refund, refund.id, reply or Reply(Outcome.PENDING, "conversation"))

    def order(self, order_id: OrderId) -> Order:
        return self.ground.unit(lambda unit: unit.orders.get(order_id))

    def order_of(self, attempt: Attempt) -> Order:
        order = self.ground.unit(lambda unit: unit.orders.of_checkout(attempt.checkout_id))
        assert order is not None
        return order

    def no_order(self, attempt: Attempt) -> bool:
        return self.ground.unit(lambda unit: unit.orders.of_checkout(attempt.checkout_id)) is None

    def attempt_now(self, attempt_id: AttemptId) -> Attempt:
        attempt = self.ground.unit(lambda unit: unit.payments.attempt(attempt_id))
        assert attempt is not None
        return attempt

    def checkout_now(self, attempt: Attempt) -> Checkout:
        return self.ground.unit(lambda unit: unit.checkouts.get(attempt.checkout_id))

    def payment_now(self, attempt: Attempt) -> Payment:
        return self.ground.unit(lambda unit: unit.payments.get(attempt.payment_id))

    def link_now(self, link: Link) -> Link:
        return self.ground.unit(lambda unit: unit.links.get(link.id))

    def refunds(self, attempt_id: AttemptId) -> list[Refund]:
        return list(self.ground.unit(lambda unit: unit.payments.refunds_of(attempt_id)))

    def refund_of(self, attempt_id: AttemptId) -> Refund:
        (refund,) = self.refunds(attempt_id)
        return refund
