"""Live pages: told at once, closed when over, silent otherwise."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from aiohttp import ClientResponse

from domain.tokens import Purpose
from tests.web.ground import Ground
from usecases import orders
from usecases.checkouts import expire_checkout
from web.door import DOOR


async def heard(stream: ClientResponse) -> str:
    """The next event's data; heartbeats are passed over."""
    while True:
        line = (await asyncio.wait_for(stream.content.readline(), 5)).decode()
        assert line, "the stream ended"
        if line.startswith("data: "):
            return line.removeprefix("data: ").strip()


async def test_the_waiting_page_is_told_of_the_payment_at_once_and_the_stream_ends(ground: Ground) -> None:
    """L6."""
    pay = await ground.begin(await ground.link())
    stream = await ground.get(f"{pay}/events")
    assert stream.headers["Content-Type"].startswith("text/event-stream")
    assert stream.headers["Cache-Control"] == "no-store"
    before = await heard(stream)
    assert before in await (await ground.get(pay)).text(), "the page knows what it shows"
    await ground.pay(pay)
    assert await heard(stream) != before
    assert await asyncio.wait_for(stream.content.read(), 5) == b"\n"
    assert ground.client.app[DOOR].live.open_streams == 0


async def test_a_quiet_stream_says_that_it_is_still_there(ground: Ground) -> None:
    stream = await ground.get(f"{await ground.begin(await ground.link())}/events")
    for _ in range(3):
        line = b""
        while not line.startswith(b": still here"):
            line = await asyncio.wait_for(stream.content.readline(), 5)
    stream.close()


async def test_a_failure_a_new_try_and_the_end_are_each_told(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    stream = await ground.get(f"{pay}/events")
    told = [await heard(stream)]
    await ground.pay(pay, 1)
    told.append(await heard(stream))
    ground.clock.move(timedelta(seconds=30))
    await ground.post(f"{pay}/retry")
    told.append(await heard(stream))
    await ground.hall.drain()
    await ground.pay(pay, 1032)
    ground.clock.move(timedelta(minutes=40))
    await ground.hall.store.write(expire_checkout, ground.checkout_of(pay))
    while "EXPIRED" not in told[-1]:
        told.append(await heard(stream))
    assert len(set(told)) == len(told)
    stream.close()


async def test_the_order_page_is_told_when_the_seller_ships(ground: Ground) -> None:
    track, order = await ground.sold()
    stream = await ground.get(f"{track}/events")
    before = await heard(stream)
    await ground.seller(orders.ship_order, order)
    assert await heard(stream) != before
    stream.close()


async def test_a_stream_of_an_unknown_purchase_is_a_404(ground: Ground) -> None:
    assert (await ground.get(f"/pay/{ground.hall.tokens.make(Purpose.TRACK, 1)}/events")).status == 404
    assert (await ground.get(f"/pay/{ground.hall.tokens.make(Purpose.PAY, 1)}/events")).status == 404


async def test_a_reader_who_went_away_is_forgotten(ground: Ground) -> None:
    pay = await ground.begin(await ground.link())
    stream = await ground.get(f"{pay}/events")
    await heard(stream)
    live = ground.client.app[DOOR].live
    assert live.open_streams == 1
    stream.close()
    for _ in range(50):
        await asyncio.sleep(0.05)
        if live.open_streams == 0:
            break
    assert live.open_streams == 0
