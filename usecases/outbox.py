"""The outbox worker's units: take what is due, write down what became of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from domain.errors import NotFound
from domain.ids import OutboxId
from domain.life import OutboxState
from domain.person import ChannelKind
from domain.ports import Delivery, Sent, Unit
from domain.records import OutboxMessage
from domain.rights import Actor, Party
from usecases.people import channel_gone
from usecases.tell import OUTBOX, alert, tell_another_way

LEASE = timedelta(seconds=60)
BACKOFF_S = (2, 10, 30, 120, 600, 1800, 3600)
MOST_TRIES = 15
GIVEN_UP_AFTER = timedelta(days=3)
"""A provider that takes nothing for so long is a matter for a person; what waits for its turn, or for the provider, is not lost before."""
UNKNOWN = "unknown"
PACE = "pace"
"""The error of what was put off only because others go before."""
REPORTED = frozenset({ChannelKind.SMS, ChannelKind.EMAIL})
"""Where a provider tells later what became of a message, by an id that is unique. (Telegram's are, in a chat; its cards know theirs.)"""
HOUR_S = 3_600
MOST_ALERTS = 20
"""Causes of which an hour tells one by one; the provider's words are in some of them, and may be new each time."""
MOST_CAUSE = 60


def claim_messages(unit: Unit, limit: int, channel: ChannelKind) -> Sequence[OutboxMessage]:
    """What is due on a channel. A row that cannot be read any more is parked, with an alert, and does not hold up the others."""
    claimed = unit.outbox.claim(unit.now, unit.now + LEASE, limit, channel)
    for outbox_id in unit.outbox.parked():
        _tell_of_dead(unit, outbox_id, "unreadable", "unreadable", str(channel))
    return claimed


def record_sent(unit: Unit, outbox_id: OutboxId, sent: Sent) -> OutboxState:
    """SENT, or due again later, or given up: SKIPPED when the person cannot be reached there, DEAD with an alert.

    An unknown end counts as a try. What the provider, or the pace, puts off does not: ten thousand that wait for their turn all get it.
    """
    message = unit.outbox.get(outbox_id)
    if message.state is not OutboxState.SENDING:
        return message.state
    after = _after(unit, message, sent)
    if sent.delivery is Delivery.GONE:
        channel_gone(unit, message.person_id, message.channel)
        tell_another_way(unit, message)
    unit.outbox.save(after)
    if after.state is OutboxState.DEAD and message.fact != "alert":
        _tell_of_dead(unit, outbox_id, message.fact, after.error, str(message.channel))
    return after.state


def _after(unit: Unit, message: OutboxMessage, sent: Sent) -> OutboxMessage:
    waits = replace(message, state=OutboxState.WAITING)
    match sent.delivery:
        case Delivery.SENT:
            ref = _free_ref(unit, message, sent.ref)
            return replace(message, state=OutboxState.SENT, act_at=unit.now, error=sent.error, sent_at=unit.now, ref=ref, report="")
        case Delivery.GONE:
            return replace(message, state=OutboxState.SKIPPED, act_at=unit.now, error="gone")
        case Delivery.LATER if unit.now - message.created_at < GIVEN_UP_AFTER:
            # It was not said this time: what an earlier sending left unknown stays so.
            error = UNKNOWN if message.error == UNKNOWN else sent.error or str(sent.delivery)
            return replace(waits, act_at=unit.now + timedelta(seconds=max(sent.retry_after_s, 1)), tries=message.tries - 1, error=error)
        case Delivery.UNKNOWN if message.tries < MOST_TRIES:
            wait_s = max(sent.retry_after_s, BACKOFF_S[min(message.tries - 1, len(BACKOFF_S) - 1)])
            return replace(waits, act_at=unit.now + timedelta(seconds=wait_s), error=UNKNOWN)
    return replace(message, state=OutboxState.DEAD, act_at=unit.now, error=sent.error or str(sent.delivery))


def _free_ref(unit: Unit, message: OutboxMessage, ref: str | None) -> str | None:
    """An id that the provider gave before belongs to the message that it was given for."""
    if ref is None or message.channel not in REPORTED:
        return None
    known = unit.outbox.by_ref(message.channel, ref)
    return ref if known is None or known.id == message.id else None


def _tell_of_dead(unit: Unit, outbox_id: OutboxId, fact: str, error: str, channel: str = "") -> None:
    """Once an hour for each cause, however many died of it: the desk counts them."""
    cause = cause_of(error)
    if unit.limits.count("message_dead", f"{channel}:{cause}", HOUR_S, unit.now) > 1:
        return
    if unit.limits.count("message_dead", "causes", HOUR_S, unit.now) <= MOST_ALERTS:
        alert(unit, "message_dead", f"{channel}:{cause}:{unit.now:%Y-%m-%dT%H}", fact=fact, error=error, channel=channel, id=outbox_id)


def cause_of(error: str) -> str:
    """An error without what differs from one message to the next."""
    return re.sub(r"\d+", "#", error)[:MOST_CAUSE]


def retry_dead(unit: Unit, actor: Actor, outbox_id: OutboxId) -> OutboxMessage:
    """An admin sends a dead message again."""
    message = unit.outbox.get(outbox_id)
    if actor.party is not Party.ADMIN or message.state is not OutboxState.DEAD:
        raise NotFound(what="outbox")
    unit.trail.add(f"outbox:{outbox_id}", actor, "retried")
    unit.wake(OUTBOX)
    return unit.outbox.save(replace(message, state=OutboxState.WAITING, created_at=unit.now, act_at=unit.now, tries=0))


def retry_dead_of(unit: Unit, actor: Actor, error: str | None, limit: int) -> int:
    """An admin sends again what died of one error, or of any, some at a time. How many; 0 when none is left."""
    if actor.party is not Party.ADMIN:
        raise NotFound(what="outbox")
    count = unit.outbox.revive(error, unit.now, limit)
    if count:
        unit.trail.add("outbox", actor, "retried_all", error=error, count=count)
        unit.wake(OUTBOX)
    return count


def prune(unit: Unit, told_before_days: int, limit: int) -> int:
    """Messages told, or skipped, so long ago. How many were thrown away."""
    return unit.outbox.forget(unit.now - timedelta(days=told_before_days), limit)


def prune_limits(unit: Unit, limit: int) -> int:
    """Counters of windows that are long over; the longest counts for a day."""
    return unit.limits.forget(unit.now - timedelta(days=8), limit)
