"""K15: one row that cannot be read or acted on, in each sweep and in the outbox: the others go on, and a person is told."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from domain.payment import Outcome, Reply
from domain.person import ChannelKind
from domain.phone import Phone
from domain.ports import Delivery, Sent
from domain.records import OutboxMessage, RawEvent
from jobs import outbox, sweeps
from tests.factories import buyer
from tests.fakes import FakeGateway, NullBell
from tests.races.arena import Arena
from tests.races.test_orders import ripe
from usecases.hall import Hall
from usecases.orders import cancel_order
from usecases.payments import begin_attempt, record_reply
from usecases.settlement import Received, receive


def hall_of(arena: Arena, store: object, gateway: FakeGateway) -> Hall:
    return Hall(store, {"daraja": gateway}, NullBell(), arena.clock, arena.around.house, arena.around.tokens)  # type: ignore[arg-type]


class Teller:
    """Chokes on one message, says the others."""

    def __init__(self, poison: int) -> None:
        self.poison = poison
        self.told: list[int] = []

    async def tell(self, message: OutboxMessage) -> Sent:
        if message.id == self.poison:
            raise KeyError("a word that is missing")
        self.told.append(message.id)
        return Sent(Delivery.SENT, "1")


def poison(arena: Arena, table: str, change: str, row: int) -> None:
    with arena.session() as session:
        session.connection.execute(f"UPDATE {table} SET {change} WHERE id = {row}")


@pytest.fixture
def arena(engine_url: str) -> Arena:
    return Arena(engine_url)


async def test_an_order_that_cannot_be_read_does_not_stop_the_timers_of_the_others(arena: Arena) -> None:
    """K15, orders."""
    orders = ripe(arena, 3)
    arena.street.later(timedelta(hours=2))
    poison(arena, "orders", "buyer_name = '', due = 'NONSENSE'", orders[0].id)
    async with arena.opened(4) as store:
        timers = sweeps.Timers(hall_of(arena, store, FakeGateway()))
        for _ in range(3):
            await _suffer(timers)
    states = dict(arena.rows("SELECT id, state FROM orders"))
    assert [states[order.id] for order in orders] == ["DELIVERED", "COMPLETED", "COMPLETED"]


async def _suffer(job: Callable[[], Awaitable[int]]) -> None:
    """As the timetable does: a job that raises comes again at its next time."""
    with contextlib.suppress(Exception):
        await job()


async def test_a_message_that_cannot_be_told_does_not_hold_up_the_others(arena: Arena) -> None:
    """K15, outbox: tried again later, and never in the way."""
    arena.street.paid()
    numbers = [row[0] for row in arena.rows("SELECT id FROM outbox ORDER BY id")]
    teller = Teller(numbers[0])
    async with arena.opened(4) as store:
        await outbox.deliver(hall_of(arena, store, FakeGateway()), {ChannelKind.TELEGRAM: teller})
    assert sorted(teller.told) == numbers[1:]
    assert arena.rows(f"SELECT state, error FROM outbox WHERE id = {numbers[0]}") == [("WAITING", "unknown")]


async def test_a_message_that_cannot_be_read_does_not_hold_up_the_others(arena: Arena) -> None:
    """K15, outbox: a payload that is no JSON."""
    arena.street.paid()
    numbers = [row[0] for row in arena.rows("SELECT id FROM outbox ORDER BY id")]
    poison(arena, "outbox", "payload = 'not json'", numbers[0])
    teller = Teller(0)
    async with arena.opened(4) as store:
        for _ in range(3):
            await _suffer(lambda: outbox.deliver(hall_of(arena, store, FakeGateway()), {ChannelKind.TELEGRAM: teller}))
    assert set(numbers[1:]) < set(teller.told)
    assert arena.rows(f"SELECT state, error FROM outbox WHERE id = {numbers[0]}") == [("DEAD", "unreadable")]
    assert arena.count("outbox", "fact = 'alert'") == 1


async def test_a_refund_that_cannot_be_read_does_not_stop_the_others(arena: Arena) -> None:
    """K15, refunds."""
    orders = [arena.street.paid() for _ in range(3)]
    for order in orders:
        arena.unit(cancel_order, buyer, order.number)
    refunds = [row[0] for row in arena.rows("SELECT id FROM refunds ORDER BY id")]
    poison(arena, "refunds", "currency = 'NONSENSE'", refunds[0])
    gateway = FakeGateway()
    async with arena.opened(4) as store:
        hall = hall_of(arena, store, gateway)
        await _suffer(lambda: sweeps.send_refunds(hall))
    assert sorted(refund.id for refund, _, _, _ in gateway.refunded) == refunds[1:]


async def test_a_checkout_that_cannot_be_read_does_not_stop_the_others_from_expiring(arena: Arena) -> None:
    """K15, checkouts."""
    checkouts = [arena.street.checkout() for _ in range(3)]
    poison(arena, "checkouts", "currency = 'NONSENSE'", checkouts[0].id)
    arena.street.later(timedelta(hours=1))
    async with arena.opened(4) as store:
        hall = hall_of(arena, store, FakeGateway())
        await _suffer(lambda: sweeps.expire(hall))
    states = dict(arena.rows("SELECT id, state FROM checkouts"))
    assert [states[checkout.id] for checkout in checkouts] == ["OPEN", "EXPIRED", "EXPIRED"]


async def test_an_attempt_that_cannot_be_read_does_not_stop_the_others_from_being_asked_about(arena: Arena) -> None:
    """K15, attempts: one claim takes them all, and must not fail for one."""
    attempts = [arena.street.ringing(arena.street.checkout(phone=Phone(f"+25471200000{number}"))) for number in range(3)]
    poison(arena, "attempts", "phone = 'nonsense', currency = 'NONSENSE'", attempts[0].id)
    arena.street.later(timedelta(seconds=16))
    gateway = FakeGateway()
    async with arena.opened(4) as store:
        hall = hall_of(arena, store, gateway)
        for _ in range(3):
            await _suffer(lambda: sweeps.ask_gateways(hall))
    assert {attempt.id for attempt, _ in gateway.fetched} == {attempt.id for attempt in attempts[1:]}
    assert arena.count("outbox", "fact = 'alert'") == 1


async def test_an_event_that_cannot_be_read_does_not_stop_the_others(arena: Arena) -> None:
    """K15, inbox."""
    attempt = arena.street.attempt()
    bodies = [b"\xff\x00 nonsense", json.dumps({"ref": "ws_early", "outcome": "SUCCEEDED", "receipt": "R1", "minor": 250_000}).encode()]
    for number, raw in enumerate(bodies):
        notice = arena.street.success(attempt, attempt_id=None, ref="ws_early", event_key=f"early:{number}")
        event = RawEvent("daraja", "stk", raw, "10.0.0.1", {})
        assert arena.unit(receive, event, f"early:{number}", notice) is Received.STORED
    assert arena.unit(begin_attempt, attempt.id) is not None
    arena.unit(record_reply, attempt.id, Reply(Outcome.PENDING, "ws_early"))
    arena.street.later(timedelta(minutes=1))
    async with arena.opened(4) as store:
        hall = hall_of(arena, store, FakeGateway())
        for _ in range(2):
            await _suffer(lambda: sweeps.apply_events(hall))
    assert arena.count("orders") == 1
