"""Tasks of the desk: webhooks of all organizations. Their secrets are nothing for the desk."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from domain.ids import WebhookEndpointId
from payloom.admin_desk import when
from payloom.admin_task import Room, Said
from usecases import webhooks
from usecases.admin import DESK


async def show(room: Room) -> Said:
    def look(unit: Any, desk: Any) -> list[dict[str, Any]]:
        names = {shop.id: shop.name for shop in desk.organizations()}
        return [
            {
                "id": endpoint.id,
                "organization": names.get(endpoint.organization_id, str(endpoint.organization_id)),
                "host": webhooks.host_of(endpoint),
                "types": " ".join(endpoint.types) or "all",
                "state": str(endpoint.state),
                "why": endpoint.off_why,
                "failing since": when(endpoint.failing_since),
                "last try": when(endpoint.tried_at),
            }
            for endpoint in unit.webhooks.every_endpoint()
        ]

    data = await room.read(look)
    columns = tuple(data[0]) if data else ()
    return Said(() if data else ("no webhook yet",), columns, [tuple(map(str, one.values())) for one in data], data)


async def disable(room: Room, *, number: int) -> Said:
    off = await room.write(lambda unit, _: webhooks.change_endpoint(unit, DESK, WebhookEndpointId(number), enabled=False))
    return Said((f"nothing is posted to {webhooks.host_of(off)} any more; its owner can switch it on again",), data={"id": off.id})


async def replay(room: Room, *, number: int, hours: int) -> Said:
    count = await room.write(
        lambda unit, _: webhooks.replay_failed(unit, DESK, WebhookEndpointId(number), unit.now - timedelta(hours=hours), unit.now)
    )
    return Said((f"{count} are sent again",), data={"replayed": count})
