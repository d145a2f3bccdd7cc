"""Updates on their way to the bot: a queue, given out by long polling or delivered to a webhook.

Long polling and webhook exclude each other. A webhook gets updates of one chat in order and different chats at the same
time, and gets them again until it answers 2xx. An update is kept for 24 hours.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import ClientError, ClientSession, ClientTimeout

from town.core import Core
from town.telegram.errors import conflict
from town.telegram.shapes import encode

Json = dict[str, Any]

ONLY_WHEN_ASKED = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
KEPT_S = 24 * 3600
MOST_WAITING = 100_000
REORDER_HOLD_S = 1.0
"""How long an update to be reordered waits for another one to overtake it."""


@dataclass(slots=True)
class Update:
    """`body` holds update_id and exactly one kind; updates of one `lane` are delivered in order."""

    id: int
    lane: int
    body: Json
    born: float = field(default_factory=time.monotonic)


@dataclass(slots=True)
class Webhook:
    """Where updates are delivered and how that went."""

    url: str
    secret: str = ""
    max_connections: int = 40
    ip_address: str = ""
    custom_certificate: bool = False
    last_error_date: int = 0
    last_error_message: str = ""


class Updates:
    """The queue. `reply` runs a method call that a webhook returned in its answer."""

    def __init__(self, core: Core, first_id: int) -> None:
        self.core = core
        self.webhook: Webhook | None = None
        self.allowed: frozenset[str] | None = None
        self.reply: Callable[[Json], Awaitable[None]] | None = None
        self.first_backoff_s = 0.25
        self.longest_backoff_s = 30.0
        self.next_id = first_id
        self._waiting: deque[Update] = deque()
        self._held: Update | None = None
        self._poller: asyncio.Future[str] | None = None
        self._lanes: dict[int, deque[Update]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._session: ClientSession | None = None
        self._slots = asyncio.Semaphore(40)
        self._closed = False

    # -- coming in

    def open(self) -> None:
        self._closed = False

    def put(self, kind: str, content: Json, lane: int) -> None:
        """Something happened that the bot may want to know."""
        wanted = kind not in ONLY_WHEN_ASKED if self.allowed is None else kind in self.allowed
        if not wanted or self._closed:
            return
        update = Update(self.next_id, lane, {"update_id": self.next_id, kind: content})
        self.next_id += 1
        if self._held is None and self.core.faults.take("telegram", "reorder_updates"):
            self._held = update
            asyncio.get_running_loop().call_later(REORDER_HOLD_S, self._release, update)
            return
        overtaken, self._held = self._held, None
        if overtaken is not None and self.webhook is None:
            overtaken.id, update.id = update.id, overtaken.id
            overtaken.body["update_id"], update.body["update_id"] = overtaken.id, update.id
        self._accept(update)
        if overtaken is not None:
            self._accept(overtaken)

    def _release(self, update: Update) -> None:
        if self._held is update:
            self._held = None
            self._accept(update)

    def _accept(self, update: Update) -> None:
        copies = 2 if self.core.faults.take("telegram", "duplicate_update") else 1
        for _ in range(copies):
            if self.webhook is not None:
                self._deliver_later(update)
            else:
                self._waiting.append(update)
        while len(self._waiting) > MOST_WAITING:
            self._waiting.popleft()
        self._wake("news")

    def _wake(self, why: str) -> None:
        if self._poller is not None and not self._poller.done():
            self._poller.set_result(why)

    # -- long polling

    async def poll(self, offset: int, limit: int, timeout_s: float) -> list[Json]:
        """`getUpdates`. A newer poll ends this one with 409, as does a webhook."""
        if self.webhook is not None:
            raise conflict("can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")
        self._wake("poll")
        self._confirm(offset)
        if not self._waiting and timeout_s > 0 and not self._closed:
            mine: asyncio.Future[str] = asyncio.get_running_loop().create_future()
            self._poller = mine
            try:
                why = await asyncio.wait_for(mine, timeout_s)
            except TimeoutError:
                why = "time"
            finally:
                if self._poller is mine:
                    self._poller = None
            if why == "poll":
                raise conflict("terminated by other getUpdates request; make sure that only one bot instance is running")
            if why == "webhook":
                raise conflict("terminated by setWebhook request")
        return [update.body for _, update in zip(range(limit), self._waiting, strict=False)]

    def _confirm(self, offset: int) -> None:
        """Forget updates below `offset`; a negative one keeps only that many of the newest."""
        oldest = time.monotonic() - KEPT_S
        while self._waiting and (self._waiting[0].id < offset or self._waiting[0].born < oldest):
            self._waiting.popleft()
        while offset < 0 and len(self._waiting) > -offset:
            self._waiting.popleft()

    # -- webhook

    def set_webhook(self, webhook: Webhook | None, drop: bool) -> None:
        """Start or stop delivering; what is waiting moves along unless dropped."""
        waiting = self._all_waiting()
        self._lanes.clear()
        self._waiting.clear()
        for task in self._tasks:
            task.cancel()
        self.webhook = webhook
        self._slots = asyncio.Semaphore(webhook.max_connections if webhook else 40)
        if webhook is not None:
            self._wake("webhook")
        for update in [] if drop else waiting:
            if webhook is not None:
                self._deliver_later(update)
            else:
                self._waiting.append(update)

    def _all_waiting(self) -> list[Update]:
        return sorted([*self._waiting, *(update for lane in self._lanes.values() for update in lane)], key=lambda update: update.id)

    @property
    def pending(self) -> int:
        return len(self._waiting) + sum(len(lane) for lane in self._lanes.values())

    def _deliver_later(self, update: Update) -> None:
        lane = self._lanes.get(update.lane)
        if lane is not None:
            lane.append(update)
            return
        lane = self._lanes[update.lane] = deque([update])
        task = asyncio.get_running_loop().create_task(self._run_lane(update.lane, lane))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run_lane(self, key: int, lane: deque[Update]) -> None:
        """Deliver one chat's updates, oldest first, each until it is taken."""
        backoff_s = self.first_backoff_s
        while lane:
            webhook = self.webhook
            if webhook is None:
                return
            async with self._slots:
                taken = await self._post(webhook, lane[0])
            if taken or time.monotonic() - lane[0].born > KEPT_S:
                lane.popleft()
                backoff_s = self.first_backoff_s
            else:
                await asyncio.sleep(backoff_s)
                backoff_s = min(backoff_s * 2, self.longest_backoff_s)
        if self._lanes.get(key) is lane:
            del self._lanes[key]

    async def _post(self, webhook: Webhook, update: Update) -> bool:
        """One delivery. True when the answer was 2xx."""
        if self._session is None:
            self._session = ClientSession(timeout=ClientTimeout(total=60), auto_decompress=True)
        headers = {"Content-Type": "application/json"}
        if webhook.secret:
            headers["X-Telegram-Bot-Api-Secret-Token"] = webhook.secret
        try:
            async with self._session.post(webhook.url, data=encode(update.body).encode(), headers=headers) as answer:
                body = await answer.read()
                if 200 <= answer.status < 300:
                    if "json" in answer.content_type:
                        await self._run_reply(body)
                    return True
                problem = f"Wrong response from the webhook: {answer.status} {answer.reason}"
        except (ClientError, OSError, ValueError) as error:
            problem = f"{type(error).__name__}: {error}"[:200]
        webhook.last_error_date = int(self.core.clock.now().timestamp())
        webhook.last_error_message = problem
        self.core.journal.add("telegram.webhook_error", problem=problem, update_id=update.id)
        return False

    async def _run_reply(self, body: bytes) -> None:
        """A webhook may answer with a method call; anything else in its answer is ignored."""
        try:
            call = json.loads(body)
        except ValueError:
            return
        if isinstance(call, dict) and "method" in call and self.reply is not None:
            await self.reply(call)

    def info(self) -> Json:
        """`WebhookInfo`."""
        hook = self.webhook
        shape: Json = {"url": hook.url if hook else "", "has_custom_certificate": bool(hook and hook.custom_certificate)}
        shape["pending_update_count"] = self.pending
        if hook is not None:
            shape["max_connections"] = hook.max_connections
            shape["ip_address"] = hook.ip_address or "127.0.0.1"
            if hook.last_error_date:
                shape.update(last_error_date=hook.last_error_date, last_error_message=hook.last_error_message)
        if self.allowed is not None:
            shape["allowed_updates"] = sorted(self.allowed)
        return shape

    def waiting(self) -> list[Json]:
        """What the bot has not taken yet, oldest first."""
        return [update.body for update in self._all_waiting()]

    def put_back(self, bodies: list[Json]) -> None:
        """Take up waiting updates of an earlier run of the town; together in one lane, which keeps their order."""
        self._waiting.extend(Update(body["update_id"], 0, body) for body in bodies)

    async def close(self) -> None:
        """End polls and deliveries. Nothing is delivered afterwards."""
        self._closed = True
        self._wake("closing")
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None
