"""What a door is given: the store, the gateways, the bell, and a place for work that goes on after the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Any

from domain.by_hand import HandGateway
from domain.payment import Ability
from domain.ports import Bell, Clock, Gateways, House, Store
from domain.tokens import Tokens


@dataclass(slots=True)
class Hall:
    """Made once by the builder. `abilities` is what each gateway can do, by its name."""

    store: Store
    gateways: Gateways
    bell: Bell
    clock: Clock
    house: House
    tokens: Tokens
    by_hand: HandGateway | None = None
    _running: set[asyncio.Task[Any]] = field(default_factory=set)

    @property
    def abilities(self) -> Mapping[str, Ability]:
        return {name: gateway.ability for name, gateway in self.gateways.items()}

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Work that outlives the answer (sending a prompt). If the process dies the rows it left are taken up by the jobs."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def begin(self, work: Coroutine[Any, Any, Any], patience_s: float) -> None:
        """The same, waiting a little for its end: for an answer that is better with it than before it."""
        await asyncio.wait({self.spawn(work)}, timeout=patience_s)

    async def drain(self, timeout_s: float = 10) -> None:
        """Before closing: let what is under way come to its end."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=timeout_s)
