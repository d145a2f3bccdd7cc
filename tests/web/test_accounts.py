"""Whose secrets an event is checked with: read once for a rush of events, and never after they were changed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.web.ground import SHOP, Ground
from tests.web.test_gateway_hook import THEIRS, Signed, begin, cards, event, send, set_up
from usecases.gateways import save_credentials
from web.hooks.accounts import FRESH_S, Accounts

__all__ = ["cards"]
ADMIN = Actor(Party.ADMIN, "cli")
SECOND = timedelta(seconds=FRESH_S)


class Watched:
    """A store whose reads are seen, and after which something may happen before they are answered."""

    def __init__(self, store: Any, after: Callable[[], Awaitable[Any]] | None = None) -> None:
        self._store = store
        self._after = after
        self.asked: list[str] = []

    async def read(self, unit: Any, gateway: str, *more: Any) -> Any:
        self.asked.append(gateway)
        found = await self._store.read(unit, gateway, *more)
        if self._after is not None:
            await self._after()
        return found


def watched(ground: Ground, after: Callable[[], Awaitable[Any]] | None = None, **given: Any) -> tuple[Accounts, Watched]:
    store = Watched(ground.hall.store, after)
    accounts = Accounts(replace(ground.hall, store=store), **given)  # type: ignore[arg-type]
    accounts.start()
    return accounts, store


async def nothing(ground: Ground, number: str, secret: str = "platform-secret") -> int:
    """An event about nothing of ours."""
    raw = f'{{"id": "{number}", "attempt": 1, "outcome": "UNKNOWN"}}'.encode()
    return await send(ground, raw, secret=secret)


async def test_a_rush_of_events_reads_the_secrets_once_a_second(ground: Ground, cards: Signed) -> None:
    accounts, store = watched(ground)
    found = [await accounts.of("stripe", "") for _ in range(20)]
    assert {one.credentials["webhook_secret"] for one in found if one is not None} == {"platform-secret"}
    assert (len(found), store.asked) == (20, ["stripe"])
    ground.clock.move(SECOND)
    await accounts.of("stripe", "")
    assert store.asked == ["stripe", "stripe"]
    await accounts.of("stripe", "", anew=True)
    assert store.asked == ["stripe"] * 3
    assert await asyncio.gather(*(nothing(ground, f"evt_{number}") for number in range(20))) == [200] * 20


async def test_what_was_changed_here_counts_with_the_next_event(ground: Ground, cards: Signed) -> None:
    """C5: the old secret is refused at once, the new one is good at once; the bell tells other processes too."""
    assert await nothing(ground, "evt_1") == 200
    await ground.hall.store.write(save_credentials, ADMIN, "stripe", {"webhook_secret": "new-secret"}, tested=True)
    assert await nothing(ground, "evt_2") == 400
    assert await nothing(ground, "evt_3", "new-secret") == 200


async def test_what_was_changed_elsewhere_without_being_heard_counts_within_a_second(ground: Ground, cards: Signed) -> None:
    assert await nothing(ground, "evt_1") == 200
    await set_up(ground, 0, {"webhook_secret": "new-secret"})  # nobody rings
    assert await nothing(ground, "evt_2", "new-secret") == 200
    assert await nothing(ground, "evt_3") == 400
    await set_up(ground, 0, {"webhook_secret": "newer-secret"})
    assert await nothing(ground, "evt_4", "new-secret") == 200
    ground.clock.move(SECOND)
    assert await nothing(ground, "evt_5", "new-secret") == 400


async def test_an_address_of_one_attempt_and_one_of_nobody_are_not_remembered(ground: Ground, cards: Signed) -> None:
    accounts, store = watched(ground)
    attempt = await ground.attempt_of(await begin(ground))
    token = ground.hall.tokens.make(Purpose.ATTEMPT, attempt.id)
    for _ in range(3):
        assert await accounts.of("stripe", token) is not None
    assert len(store.asked) == 3
    theirs = f"/callbacks/stripe/{ground.hall.tokens.make(Purpose.SETTINGS, SHOP)}"
    assert await send(ground, event(attempt, number="evt_9"), theirs, "shop-secret") == 404
    await set_up(ground, SHOP, THEIRS)
    assert await send(ground, event(attempt, number="evt_9"), theirs, "shop-secret") == 200


async def test_what_was_being_read_while_it_changed_is_not_remembered(ground: Ground, cards: Signed) -> None:
    """The answer of the database may be older than the bell."""
    changed: list[int] = []

    async def change() -> None:
        if not changed:
            changed.append(1)
            await ground.hall.store.write(save_credentials, ADMIN, "stripe", {"webhook_secret": "new-secret"}, tested=True)

    accounts, _ = watched(ground, change)
    found = [await accounts.of("stripe", "") for _ in range(2)]
    assert [one.credentials["webhook_secret"] for one in found if one is not None] == ["platform-secret", "new-secret"]


async def test_so_many_accounts_and_no_more_are_remembered(ground: Ground, cards: Signed) -> None:
    accounts, store = watched(ground, most=2)
    tokens = [""]
    for owner in (SHOP, 99):
        await set_up(ground, owner, THEIRS)
        tokens.append(ground.hall.tokens.make(Purpose.SETTINGS, owner))
    for token in tokens:
        assert await accounts.of("stripe", token) is not None
    assert len(store.asked) == 3
    await accounts.of("stripe", tokens[2])
    assert len(store.asked) == 3
    await accounts.of("stripe", tokens[0])
    assert len(store.asked) == 4
