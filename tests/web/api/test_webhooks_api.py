"""Webhooks through the API: the secret is shown once, what is sent is what the API shows, the log is paged, and wrong input is named."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from domain.ids import WebhookEndpointId
from domain.ports import Unit
from domain.webhook import Tried
from tests.storage.ground import raw
from tests.web.api.ground import SHOP, Api
from usecases import webhooks

URL = "https://shop.example/hooks/canary-path"


async def made(api: Api, **body: Any) -> Any:
    said = await api.ask("POST", "/api/v1/webhooks", {"url": URL, **body}, bearer=api.world.keys["owner"])
    assert said.status == 201
    return said.body


async def owner(api: Api, method: str, path: str, body: Any = None, **more: Any) -> Any:
    return await api.ask(method, f"/api/v1/webhooks{path}", body, bearer=api.world.keys["owner"], **more)


def bodies(api: Api) -> list[Any]:
    with raw(api.engine_url) as session:
        return [json.loads(row[0]) for row in session.plain("SELECT body FROM webhook_events ORDER BY id").fetchall()]


async def test_what_is_sent_is_the_order_as_the_api_shows_it_to_its_owner(api_on_both: Api) -> None:
    """At each step, field for field; and nothing of a shop that does not listen."""
    api = api_on_both
    await made(api)
    number, track = await api.order()
    await api.order("theirs")
    steps: list[tuple[str, str, Any, str]] = [
        ("accept", api.world.keys["staff"], None, "order.accepted"),
        ("ship", api.world.keys["staff"], {"courier": "G4S", "tracking": "X"}, "order.shipped"),
        ("delivered", api.world.keys["staff"], None, "order.delivered"),
    ]
    shown = [(await api.ask("GET", f"/api/v1/orders/{number}", bearer=api.world.keys["owner"])).body]
    for verb, bearer, body, _ in steps:
        api.clock.at += timedelta(seconds=1)
        assert (await api.ask("POST", f"/api/v1/orders/{number}/{verb}", body, bearer=bearer)).status == 200
        shown.append((await api.ask("GET", f"/api/v1/orders/{number}", bearer=api.world.keys["owner"])).body)
    api.clock.at += timedelta(seconds=1)
    dispute = await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": "other", "words": "Broken"}, bearer=track)
    assert dispute.status == 201
    shown.append((await api.ask("GET", f"/api/v1/orders/{number}", bearer=api.world.keys["owner"])).body)
    sent = bodies(api)
    assert [body["type"] for body in sent] == ["order.paid", *(step[3] for step in steps), "dispute.opened"]
    assert [body["data"]["order"] for body in sent] == shown


async def test_the_secret_is_shown_once_and_kept_sealed(api: Api) -> None:
    """W26: not in lists, not in what is kept of the answer; the same request again shows it again until it is rotated."""
    first = await owner(api, "POST", "", {"url": URL}, key="same")
    secret, webhook = first.body["secret"], first.body["webhook"]
    assert secret.startswith("whsec_") and webhook["state"] == "ENABLED"
    again = await owner(api, "POST", "", {"url": URL}, key="same")
    assert again.body == first.body and again.headers["Idempotency-Replayed"] == "true"
    for path in ("", f"/{webhook['id']}"):
        assert secret not in str((await owner(api, "GET", path)).body)
    with raw(api.engine_url) as session:
        assert secret not in str(session.plain("SELECT body FROM answered").fetchall())
        assert "canary-path" not in str(session.plain("SELECT data FROM audit").fetchall())
    rotated = await owner(api, "POST", f"/{webhook['id']}/rotate")
    assert rotated.body["secret"] not in {secret, None} and rotated.body["webhook"]["old_secret_until"] is not None
    assert (await owner(api, "POST", "", {"url": URL}, key="same")).body["secret"] is None


@pytest.mark.parametrize(
    "body,field,reason",
    [
        ({"url": "http://127.0.0.1:9000/"}, "url", "not_https"),
        ({"url": "https://127.0.0.1/"}, "url", "not_public"),
        ({"url": "https://[::ffff:10.0.0.1]/"}, "url", "not_public"),
        ({"url": "https://a:b@shop.example/"}, "url", "has_password"),
        ({"url": "https://shop.example/#x"}, "url", "malformed"),
        ({"url": ""}, "url", "too_short"),
        ({"url": "https://shop.example/" + "x" * 500}, "url", "too_long"),
        ({"url": URL, "types": ["order.eaten"]}, "types.0", "unknown_type"),
        ({"url": URL, "types": "order.paid"}, "types", "malformed"),
        ({"url": URL, "secret": "whsec_mine"}, "secret", "unknown_field"),
        ({}, "url", "missing"),
    ],
)
async def test_wrong_input_is_named(api: Api, body: dict[str, Any], field: str, reason: str) -> None:
    """W4, W11."""
    said = await owner(api, "POST", "", body)
    assert said.status == 400
    assert (said.body["errors"][0]["field"], said.body["errors"][0]["reason"]) == (field, reason)


async def test_five_are_enough(api: Api) -> None:
    for _ in range(5):
        await made(api)
    said = await owner(api, "POST", "", {"url": URL})
    assert (said.status, said.body["code"], said.body["facts"]) == (429, "limit_reached", {"limit": "webhooks"})
    assert len((await owner(api, "GET", "")).body["webhooks"]) == 5


async def test_change_switch_off_and_delete(api: Api) -> None:
    webhook = (await made(api, types=["order.shipped", "order.paid"]))["webhook"]
    assert webhook["types"] == ["order.paid", "order.shipped"]
    place = f"/{webhook['id']}"
    assert (await owner(api, "PATCH", place, {"types": []})).body["types"] == []
    assert (await owner(api, "PATCH", place, {})).status == 400
    off = (await owner(api, "PATCH", place, {"enabled": False})).body
    assert (off["state"], off["off_why"]) == ("DISABLED", "owner")
    assert (await owner(api, "POST", f"{place}/test")).body["errors"][0]["reason"] == "switched_off"
    assert (await owner(api, "PATCH", place, {"enabled": True, "url": "https://new.example/"})).body["url"] == "https://new.example/"
    assert (await owner(api, "DELETE", place)).body["state"] == "DELETED"
    assert (await owner(api, "DELETE", place)).status == (await owner(api, "GET", place)).status == 404


async def test_the_log_is_paged_and_replayed(api: Api) -> None:
    webhook = (await made(api))["webhook"]
    place = f"/{webhook['id']}"
    for _ in range(3):
        assert (await owner(api, "POST", f"{place}/test")).status == 202

    def fail(unit: Unit) -> None:
        (parcel,) = webhooks.claim_parcels(unit, 10)
        webhooks.record_try(unit, parcel, Tried(410, "http_410", "gone", 0, 5))

    await api.hall.store.write(fail)
    first = (await owner(api, "GET", f"{place}/deliveries?limit=2")).body
    rest = (await owner(api, "GET", f"{place}/deliveries?limit=2&cursor={first['next_cursor']}")).body
    rows = first["deliveries"] + rest["deliveries"]
    assert rest["next_cursor"] is None and len({row["id"] for row in rows}) == 3
    assert {(row["state"], row["error"], row["next_try_at"]) for row in rows} == {
        ("FAILED", "http_410", None),
        ("FAILED", "switched_off", None),
    }
    await owner(api, "PATCH", place, {"enabled": True})
    one = (await owner(api, "POST", f"/deliveries/{rows[0]['id']}/replay")).body
    assert (one["state"], one["event"], one["tries"]) == ("PENDING", rows[0]["event"], 0) and one["next_try_at"] is not None
    since = {"since": "2026-11-21T00:00:00Z", "until": "2026-11-22T00:00:00+00:00"}
    assert (await owner(api, "POST", f"{place}/replay", since)).body == {"replayed": 2}
    assert (await owner(api, "POST", f"{place}/replay", since)).body == {"replayed": 0}
    assert (await owner(api, "POST", f"{place}/replay", {"since": "2026-11-21"})).status == 400


@pytest.mark.parametrize("name", ["we_0", "we_", "dlv_1", "we_8" + "0" * 15, "we_" + "f" * 17, "1", "deliveries", "%00", "we_1%0a"])
async def test_names_that_are_none(api: Api, name: str) -> None:
    """W2."""
    for verb in ("test", "rotate"):
        answer = await api.session.post(
            f"{api.url}/api/v1/webhooks/{name}/{verb}",
            headers={"Authorization": f"Bearer {api.world.keys['owner']}", "Idempotency-Key": "k"},
        )
        assert answer.status == 404


async def test_another_shops_webhook_is_not_there(api: Api) -> None:
    """W3."""
    webhook = (await made(api))["webhook"]
    theirs = api.world.keys["other"]
    assert (await api.ask("GET", "/api/v1/webhooks", bearer=theirs)).body == {"webhooks": []}
    assert (await api.ask("GET", f"/api/v1/webhooks/{webhook['id']}", bearer=theirs)).status == 404
    found = await api.hall.store.read(lambda unit: unit.webhooks.endpoint(WebhookEndpointId(int(webhook["id"][3:], 16))))
    assert found is not None and found.organization_id == SHOP
