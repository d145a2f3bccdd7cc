"""Tasks of the desk: disputes, refunds, and what waits in the inbox and the outbox."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from domain.errors import NotFound
from domain.ids import InboxId, OutboxId, RefundId
from domain.life import InboxState, OutboxState, RefundState
from domain.money import parse_amount
from domain.order import Order
from domain.payment import Refund, Unreadable
from domain.records import InboxEvent, RawEvent
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from usecases import admin, disputes, escrow, late, outbox, refunds, settlement
from usecases.admin import DESK
from usecases.updates import TELEGRAM

MOST = 200
MOST_CAUSES = 20


async def resolve(room: Room, *, order: str, decision: str, amount: str) -> Said:
    def decide(unit: Any, _: Any) -> Order:
        known = unit.orders.by_number(order)
        if known is None:
            raise NotFound(what="order")
        part = parse_amount(amount, known.total.currency) if amount else None
        return disputes.resolve_dispute(unit, DESK, order, decision, part, room.house.hall.abilities)

    done = await room.write(decide)
    data = {"order": done.number, "state": str(done.state), "escrow": str(done.escrow or ""), "decision": decision}
    return Said((f"order {done.number}: {decision} decided, now {done.state}; both sides are told",), data=data)


def _refund(refund: Refund) -> dict[str, Any]:
    return {
        "id": refund.id,
        "state": str(refund.state),
        "amount": f"{refund.money.major} {refund.money.currency}",
        "reason": refund.reason,
        "result": refund.result or "",
        "tries": refund.tries,
        "since": when(refund.created_at),
    }


async def refund_list(room: Room) -> Said:
    """Those a person must look at: failed, or pending with nothing left to do by itself."""
    found = await room.read(lambda _, desk: desk.refunds((RefundState.FAILED, RefundState.PENDING), MOST))
    data = [_refund(refund) for refund in found if refund.state is RefundState.FAILED or refund.act_at is None]
    return _table(data, "no refund waits for a person")


async def refund_retry(room: Room, *, number: int) -> Said:
    refund = await room.write(lambda unit, _: refunds.retry_refund(unit, DESK, RefundId(number)))
    return Said((f"refund {refund.id} of {_refund(refund)['amount']} is sent again",), data=_refund(refund))


async def refund_confirm(room: Room, *, number: int, reference: str) -> Said:
    refund = await room.write(lambda unit, _: refunds.confirm_refund_by_hand(unit, DESK, RefundId(number), reference))
    return Said((f"refund {refund.id} of {_refund(refund)['amount']} is done",), data=_refund(refund))


async def late_list(room: Room) -> Said:
    found = await room.read(lambda unit, _: unit.late.waiting(None, MOST))
    data = [
        {"number": one.number, "amount": f"{one.money.major} {one.money.currency}", "organization": one.organization_id,
         "since": when(one.created_at), "goes back": when(one.decide_by)}
        for one in found
    ]  # fmt: skip
    return _table(data, "no late money waits")


async def late_accept(room: Room, *, number: str) -> Said:
    order = await room.write(lambda unit, _: escrow.accept_late(unit, DESK, number))
    data = {"late": number, "order": order.number, "state": str(order.state)}
    return Said((f"late money {number} is order {order.number} now; both sides are told",), data=data)


async def late_refund(room: Room, *, number: str) -> Said:
    done = await room.write(lambda unit, _: late.refund_late(unit, DESK, number))
    amount = f"{done.money.major} {done.money.currency}"
    return Said((f"{amount} of late money {number} goes back; both sides are told",), data={"late": number, "state": str(done.state)})


def _event(event: InboxEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "gateway": event.gateway,
        "kind": event.kind,
        "state": str(event.state),
        "error": event.error,
        "tries": event.tries,
        "received": when(event.received_at),
    }


async def inbox_list(room: Room) -> Said:
    found = await room.read(lambda _, desk: desk.events((InboxState.PARKED, InboxState.STORED), MOST))
    return _table([_event(event) for event in found], "no event waits")


async def inbox_replay(room: Room, *, number: int) -> Said:
    """Due again for the worker; a gateway's event is applied at once, so that you see what comes of it."""
    event = await room.write(lambda unit, _: admin.replay_event(unit, DESK, InboxId(number)))
    gateway = room.house.hall.gateways.get(event.gateway) if event.gateway != TELEGRAM else None
    if gateway is None:
        return Said((f"event {event.id} is due again: the worker takes it up within seconds",), data=_event(event))
    try:
        raw = RawEvent(event.gateway, event.kind, event.raw, event.source, event.headers)
        notice = settlement.understand(gateway, raw)
    except Unreadable:
        return Said((f"event {event.id} still cannot be read: it needs a newer version of PayLoom",), data=_event(event), code=1)
    state = await room.write(lambda unit, _: settlement.apply_stored(unit, event, notice))
    after = await room.read(lambda unit, _: unit.inbox.get(InboxId(number)))
    fine = state in {InboxState.APPLIED, InboxState.IGNORED}
    lines = (f"event {event.id} is {str(state).lower()}" + ("" if fine else f" ({after.error}): it cannot be applied yet"),)
    return Said(lines, data=_event(after), code=0 if fine else 1)


async def outbox_dead(room: Room) -> Said:
    """The newest of them; what they died of, with how many, above."""
    found = await room.read(lambda _, desk: desk.messages((OutboxState.DEAD,), MOST))
    causes = await room.read(lambda unit, _: unit.outbox.causes(MOST_CAUSES))
    data = [
        {"id": message.id, "fact": message.fact, "channel": str(message.channel), "error": message.error, "tries": message.tries,
         "since": when(message.created_at)}
        for message in found
    ]  # fmt: skip
    said = _table(data, "no message is dead")
    return replace(said, lines=(*said.lines, *(f"{count} on {channel} died of: {error}" for channel, error, count in causes)))


async def outbox_retry(room: Room, *, number: int) -> Said:
    message = await room.write(lambda unit, _: outbox.retry_dead(unit, DESK, OutboxId(number)))
    return Said((f"message {message.id} ({message.fact}) is told again",), data={"id": message.id, "state": str(message.state)})


async def outbox_retry_all(room: Room, *, error: str | None) -> Said:
    """Some at a time, so that the running house is not held up."""
    count = 0
    while some := await room.write(lambda unit, _: outbox.retry_dead_of(unit, DESK, error, MOST)):
        count += some
    return Said(
        (f"{count} messages are told again" if count else "no such message is dead",), data={"count": count}, code=0 if count else 1
    )


def _table(data: list[dict[str, Any]], nothing: str) -> Said:
    if not data:
        return Said((nothing,), data=data)
    return Said((), tuple(data[0]), [tuple(str(value) for value in one.values()) for one in data], data)
