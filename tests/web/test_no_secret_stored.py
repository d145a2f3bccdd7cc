"""What a provider puts into a body to prove itself is looked at, and not stored."""

from __future__ import annotations

import json
from typing import Any

from domain.ids import OrganizationId
from domain.life import InboxState
from domain.ports import Unit
from domain.records import GatewaySettings
from gateways.http import Http
from gateways.payments.moyasar import Moyasar
from storage.tables import metadata
from tests.web.ground import Ground
from tests.web.test_daraja_hook import inbox
from usecases.gateways import PLATFORM, sealed_for

CANARY = "canary-webhook-secret"
EVENT = {
    "id": "evt_1", "type": "payment_paid", "created_at": "2026-11-21T12:00:00.000Z", "secret_token": CANARY, "account_name": "shop", "live": False,
    "data": {"id": "0c8d4f3e-0000-4000-8000-000000000001", "status": "paid", "amount": 10_000, "fee": 0, "currency": "SAR",
             "source": {"type": "creditcard", "company": "mada"}, "metadata": {}},
}  # fmt: skip


async def test_the_shared_secret_of_an_event_is_in_no_table(ground: Ground) -> None:
    """W26: Moyasar proves itself by a secret in the body; the inbox keeps the body without it, whatever it says."""
    http = Http()
    ground.hall.gateways["moyasar"] = Moyasar(http, "http://127.0.0.1:9", "https://pay.example")  # type: ignore[index]

    def keep(unit: Any) -> None:
        sealed = unit.seals.seal(json.dumps({"secret_key": "sk_test_1", "webhook_secret": CANARY}), sealed_for(PLATFORM, "moyasar"))
        unit.settings.put(GatewaySettings(OrganizationId(0), "moyasar", sealed, unit.now, unit.now))

    await ground.hall.store.write(keep)
    for body in (EVENT, {**EVENT, "id": "evt_2", "type": "never_heard_of"}, {"secret_token": CANARY, "live": False, "what": "is this"}):
        response = await ground.client.post("/callbacks/moyasar", data=json.dumps(body))
        assert response.status == 200
    events = await inbox(ground)
    assert len(events) == 3
    assert all(b"[redacted]" in one.raw for one in events)
    assert InboxState.STORED in {one.state for one in events}

    def look(unit: Unit) -> str:
        tables = [table for table in metadata.sorted_tables if table.name != "gateway_settings"]
        return str([unit.session.plain(f"SELECT * FROM {table.name}").fetchall() for table in tables])  # type: ignore[attr-defined]

    assert CANARY not in await ground.hall.store.read(look)
    await http.aclose()
