"""Outbox: claimed, told by the channel's teller, and written down as sent, later, or dead. Each channel goes on by itself.

A lane keeps so many messages under way that its provider's pace is used up, and takes more as they end; it never waits for a whole batch.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import structlog

from domain.person import ChannelKind
from domain.ports import Delivery, Sent
from domain.records import OutboxMessage
from usecases.hall import Hall
from usecases.mail_delivery import record_letter
from usecases.outbox import PACE, claim_messages, prune, prune_limits, record_sent
from usecases.texting import record_text

BATCH = 50
PRUNED_AT_ONCE = 500
LOOK_AGAIN_S = 0.2
"""While some are under way, what has become due meanwhile is looked for this often."""
LONGEST_REST_S = 1.0
CHAT_S = 1.0
"""What follows in the same chat is put off by this much more each."""
_RECORDS = {ChannelKind.SMS: record_text, ChannelKind.EMAIL: record_letter}
_log = structlog.get_logger("outbox")


class Teller(Protocol):
    """Says a fact on one channel, in the receiver's language."""

    async def tell(self, message: OutboxMessage) -> Sent: ...


class Lane:
    """One channel's way out. `closing` true: what is under way comes to its end, nothing is taken up any more."""

    def __init__(self, hall: Hall, channel: ChannelKind, teller: Teller | None, closing: Callable[[], bool] = lambda: False) -> None:
        self._hall, self._channel, self._teller, self._closing = hall, channel, teller, closing
        self._running: set[asyncio.Task[None]] = set()
        self._under_way = 0
        self._room = BATCH
        self._rests_until_s = 0.0

    async def __call__(self) -> int:
        """Until nothing is due. How many were taken."""
        taken, enough, failure = 0, True, None
        try:
            while failure is None and not self._closing():
                lacks = self._room - self._under_way
                if self._now_s() >= self._rests_until_s and (not self._running or not enough or lacks * 2 >= self._room) and lacks > 0:
                    claimed = await self._take_up(lacks)
                    enough = claimed >= lacks
                    taken += claimed
                if not self._running:
                    break
                done, _ = await asyncio.wait(self._running, timeout=LOOK_AGAIN_S, return_when=asyncio.FIRST_COMPLETED)
                failure = self._ended(done)
            while self._running:
                done, _ = await asyncio.wait(self._running)
                failure = self._ended(done) or failure
        finally:
            for task in self._running:
                task.cancel()
        if failure is not None:
            raise failure
        return taken

    def _now_s(self) -> float:
        return self._hall.clock.monotonic_s()

    def _ended(self, tasks: set[asyncio.Task[None]]) -> BaseException | None:
        self._running -= tasks
        return next((error for task in tasks if (error := task.exception()) is not None), None)

    async def _take_up(self, most: int) -> int:
        """Messages to one person keep their order, different people do not wait for one another."""
        claimed = await self._hall.store.write(claim_messages, most, self._channel)
        people: dict[int, list[OutboxMessage]] = {}
        for message in claimed:
            people.setdefault(message.person_id, []).append(message)
        self._under_way += len(claimed)
        for messages in people.values():
            self._running.add(asyncio.get_running_loop().create_task(self._tell_person(messages)))
        return len(claimed)

    async def _tell_person(self, messages: list[OutboxMessage]) -> None:
        """Where one must wait, those behind it wait for their turn after it, without asking."""
        left = len(messages)
        later: Sent | None = None
        try:
            for message in messages:
                if later is not None:
                    later = Sent(Delivery.LATER, retry_after_s=later.retry_after_s + CHAT_S, error=PACE)
                sent = later or await self._tell(message)
                if sent.delivery is Delivery.LATER and later is None:
                    later = sent
                    self._slow_down(sent)
                elif sent.delivery is Delivery.SENT:
                    self._room = min(BATCH, self._room + 1)
                await self._hall.store.write(_RECORDS.get(self._channel, record_sent), message.id, sent)
                self._under_way -= 1
                left -= 1
        finally:
            self._under_way -= left

    def _slow_down(self, sent: Sent) -> None:
        """The provider, or its pace, takes no more now: fewer at once, and a rest, rather than ten thousand that are put off one by one."""
        if self._now_s() >= self._rests_until_s:
            self._room = max(1, self._room // 2)
            self._rests_until_s = self._now_s() + min(sent.retry_after_s, LONGEST_REST_S)

    async def _tell(self, message: OutboxMessage) -> Sent:
        if self._teller is None:
            return Sent(Delivery.REFUSED, error="no_channel")
        try:
            return await self._teller.tell(message)
        except Exception as error:  # noqa: BLE001 - one message that cannot be told must not hold up the others
            _log.exception("telling_failed", outbox_id=message.id, fact=message.fact)
            return Sent(Delivery.UNKNOWN, error=type(error).__name__)


async def deliver(hall: Hall, tellers: Mapping[ChannelKind, Teller]) -> int:
    """Every channel, until nothing is due; returns how many were taken."""
    return sum(await asyncio.gather(*(Lane(hall, kind, tellers.get(kind))() for kind in ChannelKind)))


async def forget(hall: Hall, keep_days: int) -> int:
    """What was told so long ago and is about no order, and counters of windows that are over. 0 days: messages are kept for ever."""
    told = await hall.store.write(prune, keep_days, PRUNED_AT_ONCE) if keep_days else 0
    return told + await hall.store.write(prune_limits, PRUNED_AT_ONCE)
