"""C20: while a secret is changed the old and the new one are both good; then the old one is refused. Nothing that happened meanwhile is lost."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

from domain.life import AttemptState, OrderState
from domain.payment import Outcome, Reply
from domain.tokens import Purpose, Tokens
from payloom.settings import Settings
from payloom.streets import Streets, town_settings
from payloom.wiring import webhook_path
from tests.bot.test_telegram_webhook import message
from tests.bot.town import free_port
from tests.web.ground import standing, stk_body
from usecases import settlement
from web.hooks.telegram import HEADER

OLD, NEW = "the-old-secret-of-the-webhook", "the-new-secret-of-the-webhook"
OLD_KEY, NEW_KEY = "o" * 40, "n" * 40


@asynccontextmanager
async def house(folder: Path, **given: Any) -> AsyncIterator[Streets]:
    streets = Streets(town_settings(folder, free_port(), telegram_mode="webhook", **given), seed=7)
    await streets.open()
    try:
        yield streets
    finally:
        await streets.close()


async def knock(streets: Streets, update_id: int, secret: str, path: str = "") -> int:
    path = path or webhook_path(streets.house.hall.tokens)
    address = f"http://127.0.0.1:{streets.settings.port}/telegram/{path}"
    async with (
        aiohttp.ClientSession() as session,
        session.post(address, json=message(update_id, "/help"), headers={HEADER: secret}) as answer,
    ):
        return answer.status


async def stored(streets: Streets) -> set[str]:
    rows = await streets.house.hall.store.read(
        lambda unit: unit.session.plain("SELECT event_key FROM inbox WHERE gateway = 'telegram'").fetchall()  # type: ignore[attr-defined]
    )
    return {row[0] for row in rows}


def address_with(key: str) -> str:
    return webhook_path(Tokens(Settings(secret_key=key, _env_file=None).token_keys))  # type: ignore[arg-type, call-arg]


async def test_telegrams_secret_and_address_are_changed_without_losing_an_update(tmp_path: Path) -> None:
    """C20: the header's secret and, with the secret key, the address itself. What is refused is not stored, so Telegram sends it again."""
    async with house(tmp_path, telegram_webhook_secret=OLD, secret_key=OLD_KEY) as streets:
        assert [await knock(streets, 1, OLD), await knock(streets, 2, NEW)] == [200, 401]
    async with house(tmp_path, telegram_webhook_secret=f"{OLD},{NEW}", secret_key=f"{NEW_KEY},{OLD_KEY}") as streets:
        assert address_with(OLD_KEY) != webhook_path(streets.house.hall.tokens) == address_with(NEW_KEY)
        assert [await knock(streets, 2, NEW), await knock(streets, 3, OLD, address_with(OLD_KEY)), await knock(streets, 4, "x")] == [
            200,
            200,
            401,
        ]
    async with house(tmp_path, telegram_webhook_secret=NEW, secret_key=f"{NEW_KEY},{OLD_KEY}") as streets:
        assert [await knock(streets, 5, OLD), await knock(streets, 5, NEW)] == [401, 200]
        assert await stored(streets) == {"1", "2", "3", "5"}
        assert [await knock(streets, 6, NEW, "0" * 48), await knock(streets, 6, NEW, address_with("x" * 40))] == [404, 404]


async def test_darajas_addresses_are_changed_without_losing_a_payment(sqlite_url: str) -> None:
    """C20: the token in the path. After the overlap the old address is nobody's; what was paid by then is found by asking."""
    old, new = b"k" * 16, b"n" * 16
    async with standing(sqlite_url) as ground:
        link = await ground.link()
        ground.hall.tokens = Tokens([old])
        first, second = await ground.begin(link), await ground.begin(link)
        one, two = await ground.attempt_of(first), await ground.attempt_of(second)
        addresses = [ground.callback(one), ground.callback(two)]
        ground.hall.tokens = Tokens([new, old])
        assert (await ground.client.post(addresses[0], data=stk_body(one))).status == 200
        assert ground.callback(two) != addresses[1]
        assert (await ground.order(first)).state is OrderState.PAID
        ground.hall.tokens = Tokens([new])
        assert (await ground.client.post(addresses[1], data=stk_body(two))).status == 404
        waiting = await ground.hall.store.read(lambda unit: unit.payments.attempt(two.id))
        assert waiting is not None and waiting.state is AttemptState.PENDING
        await ground.hall.store.write(settlement.record_fetch, two.id, Reply(Outcome.SUCCEEDED))
        orders = await ground.hall.store.read(lambda unit: unit.orders.of_checkout(two.checkout_id))
        assert orders is not None and orders.state is OrderState.PAID
        assert (
            await ground.client.post(f"/callbacks/daraja/{Tokens([new]).make(Purpose.ATTEMPT, two.id)}/stk", data=stk_body(two))
        ).status == 200
        assert (await ground.counts())[2] == 2
