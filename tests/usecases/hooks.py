"""The worker's turns with webhooks, without a network, and looks at what they left."""

from __future__ import annotations

import json
from typing import Any

from domain.webhook import Parcel, Tried, WebhookDelivery, WebhookEndpoint
from tests.factories import Street, owner
from usecases.webhooks import claim_parcels, deliveries, make_endpoint, record_try

URL = "https://shop.example/hooks/payloom"
FINE = Tried(200, "", "ok", 0, 12)
BROKEN = Tried(500, "http_500", "oh", 0, 7)


class Hooks:
    """The worker's turns and looks at the rows."""

    def __init__(self, street: Street) -> None:
        self.street = street

    def make(self, *types: str, url: str = URL, by: Any = owner) -> WebhookEndpoint:
        made: WebhookEndpoint = self.street.do(make_endpoint, by, url, types)
        return made

    def claim(self, most: int = 10) -> list[Parcel]:
        found: list[Parcel] = self.street.do(claim_parcels, most)
        return found

    def turn(self, tried: Tried) -> str:
        (parcel,) = self.claim()
        return str(self.street.do(record_try, parcel, tried))

    def endpoint(self, endpoint: WebhookEndpoint) -> WebhookEndpoint:
        found = self.street.do(lambda unit: unit.webhooks.endpoint(endpoint.id))
        assert isinstance(found, WebhookEndpoint)
        return found

    def log(self, endpoint: WebhookEndpoint) -> list[WebhookDelivery]:
        """Oldest first."""
        return list(self.street.do(deliveries, owner, endpoint.id, None, 100))[::-1]

    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(row[0]) for row in self.street.ground.rows("SELECT body FROM webhook_events ORDER BY rowid")]

    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies()]
