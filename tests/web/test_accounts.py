"""Whose secrets an event is checked with: read once for a rush of events, and never after they were changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.web.ground import SHOP, Ground
from tests.web.test_gateway_hook import THEIRS, Signed, begin, cards, event, send, set_up
from usecases.gateways import save_credentials
from web.hooks import accounts as accounts_
from web.hooks.accounts import FRESH_S, Accounts, account_of

__all__ = ["cards"]
ADMIN = Actor(Party.ADMIN, "cli")
SECOND = timedelta(seconds=FRESH_S)


@pytest.fixture
def looked(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Each time that secrets are read."""
    seen: list[str] = []
    real = account_of

    def looks(unit: Any, *asked: Any) -> Any:
        seen.append(asked[0])
        return real(unit, *asked)

    monkeypatch.setattr(accounts_, "account_of", looks)
    return seen


async def nothing(ground: Ground, number: str, secret: str = "platform-secret") -> int:
    """An event about nothing of ours."""
    raw = f'{{"id": "{number}", "attempt": 1, "outcome": "UNKNOWN"}}'.encode()
    return await send(ground, raw, secret=secret)


async def test_a_rush_of_events_reads_the_secrets_once_a_second(ground: Ground, cards: Signed, looked: list[str]) -> None:
    assert await nothing(ground, "evt_0") == 200
    assert await asyncio.gather(*(nothing(ground, f"evt_{number}") for number in range(1, 20))) == [200] * 19
    assert looked == ["stripe"]
    ground.clock.move(SECOND)
    assert await nothing(ground, "evt_20") == 200
    assert looked == ["stripe", "stripe"]


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


async def test_an_address_of_one_attempt_and_one_of_nobody_are_not_remembered(ground: Ground, cards: Signed, looked: list[str]) -> None:
    attempt = await ground.attempt_of(await begin(ground))
    path = f"/callbacks/stripe/{ground.hall.tokens.make(Purpose.ATTEMPT, attempt.id)}/events"
    for number in range(3):
        assert await send(ground, event(attempt, number=f"evt_{number}", ref=attempt.ref), path) == 200
    assert len(looked) == 3
    theirs = f"/callbacks/stripe/{ground.hall.tokens.make(Purpose.SETTINGS, SHOP)}"
    assert await send(ground, event(attempt, number="evt_9"), theirs, "shop-secret") == 404
    await set_up(ground, SHOP, THEIRS)
    assert await send(ground, event(attempt, number="evt_9"), theirs, "shop-secret") == 200


async def test_what_was_being_read_while_it_changed_is_not_remembered(
    ground: Ground, cards: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer of the database may be older than the bell."""
    accounts = Accounts(ground.hall)
    accounts.start()
    real = ground.hall.store.read

    async def slow(*asked: Any) -> Any:
        found = await real(*asked)
        await ground.hall.store.write(save_credentials, ADMIN, "stripe", {"webhook_secret": "new-secret"}, tested=True)
        return found

    with monkeypatch.context() as patched:
        patched.setattr(ground.hall.store, "read", slow)
        old = await accounts.of("stripe", "")
    new = await accounts.of("stripe", "")
    assert [one.credentials["webhook_secret"] for one in (old, new) if one is not None] == ["platform-secret", "new-secret"]
    accounts.stop()


async def test_so_many_accounts_and_no_more_are_remembered(ground: Ground, cards: Signed, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts_, "_MOST", 2)
    accounts = Accounts(ground.hall)
    for owner in (SHOP, 99):
        await set_up(ground, owner, THEIRS)
    make: Callable[[Any], str] = lambda owner: ground.hall.tokens.make(Purpose.SETTINGS, owner)  # noqa: E731 - short
    for token in ("", make(SHOP), make(99)):
        assert await accounts.of("stripe", token) is not None
    assert len(accounts._known) == 1
