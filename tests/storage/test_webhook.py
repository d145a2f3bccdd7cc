"""Webhook rows on both engines: each delivery is taken once, however many workers there are, and the caller's look costs nothing more."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import timedelta

from domain.ids import OrganizationId, WebhookDeliveryId, WebhookEndpointId, WebhookEventId
from domain.ports import Unit
from domain.webhook import DeliveryState, EndpointState, WebhookDelivery, WebhookEndpoint, WebhookEvent
from storage.postgres import PostgresStore
from tests.storage.ground import MINUTE, NOON, Store, opened

SHOP = OrganizationId(1)


def endpoint(number: int, state: EndpointState = EndpointState.ENABLED) -> WebhookEndpoint:
    return WebhookEndpoint(WebhookEndpointId(number), SHOP, f"https://{number}.example/", ("order.paid",), state, "sealed", NOON)


def event(number: int, key: str = "") -> WebhookEvent:
    return WebhookEvent(WebhookEventId(number), SHOP, key or f"k{number}", "order.paid", '{"é":1}', NOON)


def delivery(number: int, to: int, of: int, **more: object) -> WebhookDelivery:
    ids = WebhookDeliveryId(number), WebhookEventId(of), WebhookEndpointId(to)
    act_at = NOON + timedelta(seconds=number)
    return WebhookDelivery(*ids, SHOP, "order.paid", DeliveryState.PENDING, NOON, act_at, **more)  # type: ignore[arg-type]


def hang_out(unit: Unit) -> None:
    """Three endpoints, the third switched off; five events, each for all of them."""
    for number in (1, 2, 3):
        unit.webhooks.add_endpoint(endpoint(number, EndpointState.DISABLED if number == 3 else EndpointState.ENABLED))
    for number in range(1, 6):
        assert unit.webhooks.add_event(event(number))
        for to in (1, 2, 3):
            unit.webhooks.add_delivery(delivery(10 * number + to, to, number))


def claim(unit: Unit, minutes: int = 10, limit: int = 10) -> list[int]:
    now = NOON + minutes * MINUTE
    return sorted(one.id for one in unit.webhooks.claim(now, now + MINUTE, limit))


async def test_values_come_back_as_they_were_written(furnished: Store) -> None:
    await furnished.write(hang_out)
    assert await furnished.read(lambda unit: unit.webhooks.endpoint(WebhookEndpointId(2))) == endpoint(2)
    assert await furnished.read(lambda unit: unit.webhooks.event(WebhookEventId(1))) == event(1)
    assert await furnished.read(lambda unit: unit.webhooks.delivery(WebhookDeliveryId(11))) == delivery(11, 1, 1)
    assert [one.id for one in await furnished.read(lambda unit: unit.webhooks.listening(SHOP))] == [1, 2]
    assert [one.id for one in await furnished.read(lambda unit: unit.webhooks.endpoints(SHOP))] == [1, 2, 3]
    assert [one.id for one in await furnished.read(lambda unit: unit.webhooks.every_endpoint())] == [1, 2, 3]
    assert await furnished.read(lambda unit: unit.webhooks.listening(OrganizationId(2))) == []


async def test_a_fact_is_one_event_of_an_organization(furnished: Store) -> None:
    assert await furnished.write(lambda unit: unit.webhooks.add_event(event(1, "order_paid:1")))
    assert not await furnished.write(lambda unit: unit.webhooks.add_event(event(2, "order_paid:1")))


async def test_each_endpoint_gives_its_oldest_and_none_while_one_is_on_its_way(furnished: Store) -> None:
    await furnished.write(hang_out)
    assert await furnished.write(claim, 0) == []
    assert await furnished.write(claim) == [11, 12]
    assert await furnished.write(claim) == []
    later = [await furnished.write(claim, minute) for minute in range(11, 16)]
    assert later == [[21, 22], [31, 32], [41, 42], [51, 52], [11, 12]], (
        "whoever had them never came back: they stand behind what waited longer"
    )
    taken = await furnished.read(lambda unit: unit.webhooks.delivery(WebhookDeliveryId(11)))
    assert taken is not None and (taken.state, taken.tries, taken.error) == (DeliveryState.SENDING, 2, "unknown")
    assert len(await furnished.write(claim, 17, 1)) == 1


async def test_workers_at_the_same_moment_take_each_once(furnished: Store, engine_url: str) -> None:
    """S5: by the guard in the write. On PostgreSQL with connections of their own."""
    await furnished.write(hang_out)
    async with contextlib.AsyncExitStack() as stack:
        # SQLite has one writing process: there the workers share its store.
        other = await stack.enter_async_context(opened(engine_url)) if isinstance(furnished, PostgresStore) else furnished
        found = await asyncio.gather(*(store.write(claim) for store in (furnished, other) for _ in range(8)))
    taken = [number for one in found for number in one]
    assert sorted(taken) == [11, 12]


async def test_what_waits_fails_when_its_endpoint_is_switched_off(furnished: Store) -> None:
    await furnished.write(hang_out)
    await furnished.write(claim)
    await furnished.write(lambda unit: unit.webhooks.fail_waiting(WebhookEndpointId(1), "switched_off", NOON))
    log = await furnished.read(lambda unit: unit.webhooks.deliveries(WebhookEndpointId(1), None, 3))
    assert [(one.id, str(one.state)) for one in log] == [(51, "FAILED"), (41, "FAILED"), (31, "FAILED")]
    before = await furnished.read(lambda unit: unit.webhooks.deliveries(WebhookEndpointId(1), WebhookDeliveryId(31), 9))
    assert [(one.id, str(one.state)) for one in before] == [(21, "FAILED"), (11, "SENDING")]
    failed = await furnished.read(lambda unit: unit.webhooks.failed(WebhookEndpointId(1), NOON, NOON + MINUTE, 2))
    assert [one.id for one in failed] == [21, 31]
    assert await furnished.read(lambda unit: unit.webhooks.failed(WebhookEndpointId(1), NOON - MINUTE, NOON, 2)) == []
    assert await furnished.write(claim, 20) == [11, 22]
