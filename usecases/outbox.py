"""The outbox worker's units: take what is due, write down what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from domain.errors import NotFound
from domain.ids import OutboxId
from domain.life import OutboxState
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage
from domain.rights import Actor, Party
from usecases.people import channel_gone
from usecases.tell import alert, tell_another_way

LEASE = timedelta(seconds=60)
BACKOFF_S = (2, 10, 30, 120, 600, 1800, 3600)
MOST_TRIES = 15
UNKNOWN = "unknown"


def claim_messages(unit: Unit, limit: int) -> Sequence[OutboxMessage]:
    """What is due. A row that cannot be read any more is parked, with an alert, and does not hold up the others."""
    claimed = unit.outbox.claim(unit.now, unit.now + LEASE, limit)
    for outbox_id in unit.outbox.parked():
        alert(unit, "message_dead", f"{outbox_id}:unreadable", fact="unreadable", error="unreadable")
    return claimed


def record_sent(unit: Unit, outbox_id: OutboxId, sent: Sent) -> OutboxState:
    """SENT, or due again later, or given up: SKIPPED when the person cannot be reached there, DEAD with an alert after many tries."""
    message = unit.outbox.get(outbox_id)
    if message.state is not OutboxState.SENDING:
        return message.state
    state, act_at, error = OutboxState.SENT, unit.now, sent.error
    if sent.delivery is Delivery.GONE:
        channel_gone(unit, message.person_id, message.channel)
        state, error = OutboxState.SKIPPED, "gone"
        tell_another_way(unit, message)
    elif sent.delivery is not Delivery.SENT:
        state = OutboxState.DEAD if message.tries >= MOST_TRIES or sent.delivery is Delivery.REFUSED else OutboxState.WAITING
        wait = max(sent.retry_after_s, BACKOFF_S[min(message.tries - 1, len(BACKOFF_S) - 1)] if sent.delivery is Delivery.UNKNOWN else 0, 1)
        act_at = unit.now + timedelta(seconds=wait)
        error = UNKNOWN if sent.delivery is Delivery.UNKNOWN else sent.error or str(sent.delivery)
    unit.outbox.save(replace(message, state=state, act_at=act_at, error=error, sent_at=unit.now if state is OutboxState.SENT else None))
    if state is OutboxState.DEAD and message.fact != "alert":
        alert(unit, "message_dead", f"{outbox_id}:{message.version}", fact=message.fact, error=error)
    return state


def retry_dead(unit: Unit, actor: Actor, outbox_id: OutboxId) -> OutboxMessage:
    """An admin sends a dead message again."""
    message = unit.outbox.get(outbox_id)
    if actor.party is not Party.ADMIN or message.state is not OutboxState.DEAD:
        raise NotFound(what="outbox")
    unit.trail.add(f"outbox:{outbox_id}", actor, "retried")
    unit.wake("outbox")
    return unit.outbox.save(replace(message, state=OutboxState.WAITING, act_at=unit.now, tries=0))
