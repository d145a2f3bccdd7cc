"""Work that goes on after the answer is let come to its end before the house closes."""

from __future__ import annotations

import asyncio

from tests.fakes import ABILITY, FakeGateway, Ground, GroundStore, NullBell
from usecases.hall import Hall


def hall(ground: Ground) -> Hall:
    return Hall(GroundStore(ground), {"daraja": FakeGateway()}, NullBell(), ground.clock, ground.house, ground.tokens)


async def test_what_was_begun_is_waited_for(ground: Ground) -> None:
    house, done = hall(ground), []

    async def work() -> None:
        await asyncio.sleep(0)
        done.append(1)

    await house.drain()
    house.spawn(work())
    assert done == []
    await house.drain()
    assert done == [1]


async def test_what_does_not_end_is_waited_for_no_longer_than_said(ground: Ground) -> None:
    house, go = hall(ground), asyncio.Event()
    house.spawn(asyncio.wait_for(go.wait(), None))
    await house.drain(timeout_s=0.01)
    go.set()
    await house.drain()


async def test_the_hall_knows_what_each_gateway_can_do(ground: Ground) -> None:
    assert hall(ground).abilities == {"daraja": ABILITY}
