"""Outbox: claimed, told by the channel's teller, and written down as sent, later, or dead."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Protocol

import structlog

from domain.person import ChannelKind
from domain.ports import Delivery, Sent
from domain.records import OutboxMessage
from usecases.hall import Hall
from usecases.outbox import claim_messages, record_sent
from usecases.texting import record_text

BATCH = 50
_log = structlog.get_logger("outbox")


class Teller(Protocol):
    """Says a fact on one channel, in the receiver's language."""

    async def tell(self, message: OutboxMessage) -> Sent: ...


async def deliver(hall: Hall, tellers: Mapping[ChannelKind, Teller]) -> int:
    """One batch; returns how many were taken. Messages to one person keep their order, different people do not wait for one another."""
    claimed = await hall.store.write(claim_messages, BATCH)
    people: dict[int, list[OutboxMessage]] = {}
    for message in claimed:
        people.setdefault(message.person_id, []).append(message)
    await asyncio.gather(*(_tell_person(hall, tellers, messages) for messages in people.values()))
    return len(claimed)


async def _tell_person(hall: Hall, tellers: Mapping[ChannelKind, Teller], messages: list[OutboxMessage]) -> None:
    for message in messages:
        teller = tellers.get(message.channel)
        try:
            sent = await teller.tell(message) if teller is not None else Sent(Delivery.REFUSED, error="no_channel")
        except Exception as error:  # noqa: BLE001 - one message that cannot be told must not hold up the others
            _log.exception("telling_failed", outbox_id=message.id, fact=message.fact)
            sent = Sent(Delivery.UNKNOWN, error=type(error).__name__)
        record = record_text if message.channel is ChannelKind.SMS else record_sent
        await hall.store.write(record, message.id, sent)
