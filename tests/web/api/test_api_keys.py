"""API keys as a use case: made by owners, shown once, ended at once (3.2, W17, W18, W20, W25)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import BadInput, LimitReached, NotFound
from domain.ids import PersonId
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.storage.ground import raw
from tests.web.api.ground import OTHER_SHOP, PEOPLE, SHOP, Api
from usecases.api_keys import LASTS, LONGEST, NotRecognized, authenticate, make_api_key, revoke_api_key

OWNER = Actor(Party.OWNER, "web", PersonId(PEOPLE["owner"]), SHOP)


async def test_the_secret_is_shown_once_and_kept_as_a_digest(api: Api) -> None:
    key, text = await api.hall.store.write(make_api_key, OWNER, "Shop till")
    kind, prefix, secret = text.split("_")
    assert (kind, prefix, len(secret)) == ("plk", key.prefix, 64)
    assert key.expires_at == api.clock.at + LASTS
    with raw(api.engine_url) as session:
        for table in ("api_keys", "audit", "outbox", "answered"):
            assert secret not in repr(session.plain(f"SELECT * FROM {table}").fetchall())


@pytest.mark.parametrize("party", [Party.STAFF, Party.MANAGER, Party.BUYER, Party.ADMIN, Party.ARBITER])
async def test_only_an_owner_makes_and_revokes(api: Api, party: Party) -> None:
    """W18."""
    actor = Actor(party, "web", PersonId(2), SHOP)
    prefix = api.world.keys["owner"].split("_")[1]
    with pytest.raises(NotFound):
        await api.hall.store.write(make_api_key, actor, "x")
    with pytest.raises(NotFound):
        await api.hall.store.write(revoke_api_key, actor, prefix)
    for stranger in (Actor(Party.OWNER, "web", PersonId(5), OTHER_SHOP), Actor(Party.OWNER, "web", PersonId(5))):
        with pytest.raises(NotFound):
            await api.hall.store.write(revoke_api_key, stranger, prefix)
    with pytest.raises(NotFound):
        await api.hall.store.write(make_api_key, Actor(Party.OWNER, "web", PersonId(5)), "x")
    assert (await api.ask("GET", "/api/v1/wallet", bearer=api.world.keys["owner"])).status == 200


async def test_a_key_ends_with_its_time_and_with_its_revocation(api: Api) -> None:
    """W20."""
    _, text = await api.hall.store.write(make_api_key, OWNER, "Short", timedelta(minutes=5))
    api.clock.at += timedelta(minutes=5) - timedelta(microseconds=1)
    assert (await api.ask("GET", "/api/v1/wallet", bearer=text)).status == 200
    api.clock.at += timedelta(microseconds=1)
    assert (await api.ask("GET", "/api/v1/wallet", bearer=text)).status == 401
    key, other = await api.hall.store.write(make_api_key, OWNER, "Other")
    first = await api.hall.store.write(revoke_api_key, OWNER, key.prefix)
    assert await api.hall.store.write(revoke_api_key, OWNER, key.prefix) == first
    with pytest.raises(NotRecognized):
        await api.hall.store.read(authenticate, other)
    for lasts in (timedelta(0), timedelta(days=-1), LONGEST + timedelta(seconds=1)):
        with pytest.raises(BadInput):
            await api.hall.store.write(make_api_key, OWNER, "x", lasts)


async def test_every_wrong_bearer_raises_the_same(api: Api) -> None:
    """W17, W25: unknown prefix, wrong secret, former member, a token for nothing."""
    good = api.world.keys["owner"]
    gone = api.hall.tokens.make(Purpose.TRACK, 12345)
    for text in (
        "",
        "plk_",
        good[:-1],
        good[:-1] + ("0" if good[-1] != "0" else "1"),
        good.upper(),
        api.world.keys["leaver"],
        gone,
        "é" * 48,
    ):
        with pytest.raises(NotRecognized) as refused:
            await api.hall.store.read(authenticate, text)
        assert refused.value.facts == {}


def used_at(unit: Unit, prefix: str) -> Any:
    key = unit.keys.api_key(prefix)
    assert key is not None
    return key.used_at, key.version


async def test_the_last_use_is_written_once_a_minute_after_the_answer(api: Api) -> None:
    text = api.world.keys["owner"]
    prefix = text.split("_")[1]
    start = api.clock.at
    for wait, seen in ((0, (start, 1)), (59, (start, 1)), (1, (start + timedelta(seconds=60), 2))):
        api.clock.at += timedelta(seconds=wait)
        for _ in range(3):
            await api.ask("GET", "/api/v1/orders", bearer=text)
        await api.hall.drain()
        assert await api.hall.store.read(used_at, prefix) == seen


async def test_a_shop_makes_twenty_keys_a_day(api: Api) -> None:
    made = len(api.world.keys) - 1  # one is the other shop's
    for number in range(20 - made):
        await api.hall.store.write(make_api_key, OWNER, f"Key {number}")
    with pytest.raises(LimitReached):
        await api.hall.store.write(make_api_key, OWNER, "One more")
