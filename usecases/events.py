"""What happened, for an organization's own server: frozen and put on its way in the unit that makes the fact."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from domain.ids import OrganizationId, WebhookDeliveryId, WebhookEventId
from domain.late import Late
from domain.money import Money
from domain.order import Order, dispute_ends, order_acts
from domain.payment import Attempt, Checkout
from domain.ports import Unit
from domain.rights import Party
from domain.webhook import TYPES, DeliveryState, WebhookDelivery, WebhookEndpoint, WebhookEvent

WEBHOOKS = "webhooks"


def publish_order(unit: Unit, order: Order, fact: str, key: str) -> None:
    """The order as its seller sees it now, to each of their endpoints that wants this. Once for each key. Nothing for facts that are not told so."""
    if fact in TYPES:
        _publish(unit, order.organization_id, fact, key, lambda: {"order": _order(unit, order)})


def publish_payment(unit: Unit, checkout: Checkout, attempt: Attempt, fact: str, result: str) -> None:
    """A try to pay that came to nothing: there is no order."""
    data = {
        "checkout": checkout.number,
        "amount": _amount(checkout.total),
        "gateway": attempt.gateway,
        "result": result,
    }
    _publish(
        unit,
        checkout.organization_id,
        fact,
        f"{fact}:{attempt.id}:{result}",
        lambda: {"payment": {**data, "link": unit.links.get(checkout.link_id).code}},
    )


def publish_late(unit: Unit, late: Late, checkout: Checkout, attempt: Attempt) -> None:
    """Money that came after its checkout ended, and by when it is to be decided about."""
    data = {
        "number": late.number,
        "checkout": checkout.number,
        "amount": _amount(late.money),
        "gateway": attempt.gateway,
        "decide_by": _instant(late.decide_by),
    }
    key = f"late_money:{late.id}"
    _publish(unit, late.organization_id, "late_money", key, lambda: {"late": {**data, "link": unit.links.get(checkout.link_id).code}})


def _publish(unit: Unit, organization_id: OrganizationId, fact: str, key: str, data: Callable[[], Mapping[str, Any]]) -> None:
    kind = TYPES[fact]
    wanting = [endpoint for endpoint in unit.webhooks.listening(organization_id) if endpoint.wants(kind)]
    if wanting:
        send_event(unit, organization_id, kind, key, data(), wanting)


def send_event(
    unit: Unit, organization_id: OrganizationId, kind: str, key: str, data: Mapping[str, Any], to: Sequence[WebhookEndpoint]
) -> WebhookDelivery | None:
    """Write an event and its deliveries; the last of them, or None when this key was written before."""
    number = WebhookEventId(unit.new_id())
    event = WebhookEvent(number, organization_id, key, kind, "", unit.now)
    head = {"id": event.message_id, "type": kind, "timestamp": _instant(unit.now), "created": _instant(unit.now)}
    body = json.dumps({**head, "data": data}, ensure_ascii=False, separators=(",", ":"))
    if not unit.webhooks.add_event(WebhookEvent(number, organization_id, key, kind, body, unit.now)):
        return None
    delivery = None
    for endpoint in to:
        delivery = WebhookDelivery(
            id=WebhookDeliveryId(unit.new_id()),
            event_id=number,
            endpoint_id=endpoint.id,
            organization_id=organization_id,
            type=kind,
            state=DeliveryState.PENDING,
            created_at=unit.now,
            act_at=unit.now,
        )
        unit.webhooks.add_delivery(delivery)
    unit.wake(WEBHOOKS)
    return delivery


def _order(unit: Unit, order: Order) -> dict[str, Any]:
    """What `GET /api/v1/orders/{number}` shows an owner: a test holds one against the other."""
    attempt = unit.payments.attempt(order.attempt_id)
    dispute = unit.disputes.of_order(order.id)
    refunds = [refund for refund in unit.payments.refunds_of(order.attempt_id) if refund.order_id == order.id]
    ended = dispute_ends(order)
    return {
        "number": order.number,
        "state": order.state,
        "escrow": order.escrow,
        "item": order.item,
        "quantity": order.quantity,
        "amount": _amount(order.total),
        "shop": unit.organizations.get(order.organization_id).name,
        "link": unit.links.get(order.link_id).code,
        "buyer": {
            "name": order.buyer_name,
            "phone": order.phone.e164 if order.phone is not None else None,
            "address": order.address,
            "note": order.note,
        },
        "courier": order.courier,
        "tracking": order.tracking,
        "confirmed_by_gateway": order.proved,
        "receipt": attempt.receipt if attempt is not None else None,
        "paid_at": _instant(order.paid_at),
        "accepted_at": _maybe(order.accepted_at),
        "shipped_at": _maybe(order.shipped_at),
        "delivered_at": _maybe(order.delivered_at),
        "ended_at": _maybe(order.ended_at),
        "acts": list(order_acts(order, Party.OWNER, unit.now)),
        "dispute": {
            "reason": dispute.reason,
            "words": dispute.words,
            "state": dispute.state,
            "opened_at": _instant(dispute.opened_at),
            "ended_at": _maybe(dispute.ended_at),
        }
        if dispute is not None
        else None,
        "dispute_ends": _maybe(ended),
        "refund": {"amount": _amount(refunds[-1].money), "reason": refunds[-1].reason, "state": refunds[-1].state} if refunds else None,
        "delivery_code": None,
    }


def _amount(money: Money) -> dict[str, Any]:
    return {"amount_minor": money.amount_minor, "currency": money.currency}


def _instant(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")


def _maybe(instant: datetime | None) -> str | None:
    return None if instant is None else _instant(instant)
