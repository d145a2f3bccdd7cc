"""What an organization's own server is told: which facts, to whom, once, and as it was at that instant."""

from __future__ import annotations

import json

import pytest

from domain.order import Reason
from domain.records import RawEvent
from tests.factories import Street, buyer, manager, other_owner, staff
from tests.fakes import Ground
from tests.usecases.hooks import Hooks
from usecases.disputes import open_dispute
from usecases.orders import cancel_order, mark_delivered
from usecases.settlement import receive
from usecases.tell import tell_order
from usecases.webhooks import deliveries


@pytest.fixture
def hooks(street: Street) -> Hooks:
    return Hooks(street)


def test_a_sale_is_published_once_to_each_endpoint_that_wants_it(street: Street, hooks: Hooks) -> None:
    everything, shipped, theirs = hooks.make(), hooks.make("order.shipped"), hooks.make(by=other_owner)
    order = street.shipped()
    street.do(mark_delivered, staff, order.number)
    assert hooks.types() == ["order.paid", "order.shipped", "order.delivered"]
    assert [one.type for one in hooks.log(everything)] == ["order.paid", "order.shipped", "order.delivered"]
    assert [one.type for one in hooks.log(shipped)] == ["order.shipped"]
    assert street.do(deliveries, other_owner, theirs.id, None, 10) == []
    paid = hooks.bodies()[0]
    assert paid["id"].startswith("evt_") and paid["timestamp"] == paid["created"] == "2026-11-21T12:00:00Z"
    assert (paid["data"]["order"]["number"], paid["data"]["order"]["state"]) == (order.number, "PAID")
    assert paid["data"]["order"]["amount"] == {"amount_minor": 250_000, "currency": "KES"}
    assert paid["data"]["order"]["delivery_code"] is None and order.delivery_code not in json.dumps(paid)


def test_a_shop_without_endpoints_writes_nothing(street: Street, ground: Ground) -> None:
    street.shipped()
    assert ground.rows("SELECT count(*) FROM webhook_events")[0][0] == 0


def test_disputes_refunds_and_failed_payments_are_published(street: Street, hooks: Hooks) -> None:
    hooks.make()
    order = street.delivered()
    street.do(open_dispute, buyer, order.number, Reason.OTHER, "It is broken")
    assert hooks.bodies()[-1]["data"]["order"]["dispute"]["words"] == "It is broken"
    other = street.paid()
    street.do(cancel_order, manager, other.number)
    assert hooks.bodies()[-1]["data"]["order"]["refund"]["amount"]["amount_minor"] == 250_000
    attempt = street.ringing()
    street.tell(street.failure(attempt))
    assert hooks.types()[-2:] == ["order.refunded", "payment.failed"]
    failed = hooks.bodies()[-1]["data"]["payment"]
    assert (failed["result"], failed["gateway"], failed["amount"]["currency"]) == ("wrong_pin", "daraja", "KES")
    assert failed["link"].startswith("PL-") and "phone" not in failed


def test_what_is_told_twice_is_one_event(street: Street, hooks: Hooks) -> None:
    endpoint = hooks.make()
    order = street.paid()
    street.do(tell_order, order, "order_paid", once="again")
    street.do(tell_order, order, "order_paid", once="again")
    street.do(tell_order, order, "remind_ship", once="again")
    assert [one.type for one in hooks.log(endpoint)] == ["order.paid", "order.paid"]


def test_a_sale_of_a_shop_without_endpoints_asks_no_question_more(street: Street, ground: Ground) -> None:
    """Whether anybody listens comes along with what applying a payment asks for anyway."""
    attempt, asked = street.ringing(), list[str]()
    ground.connection.set_trace_callback(asked.append)
    notice = street.success(attempt)
    street.do(receive, RawEvent("daraja", "stk", b"{}", "203.0.113.1"), notice.event_key, notice)
    ground.connection.set_trace_callback(None)
    assert street.order_of(attempt).proved is False
    about = [text for text in asked if "webhook_" in text]
    assert len(about) == 1 and "min(webhook_endpoints.id)" in about[0] and "attempts.id" in about[0]
