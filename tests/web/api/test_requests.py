"""Requests that are not as they should be: unknown fields, odd numbers, injected strings, bodies of every wrong kind (W4, W14, W16, W24)."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.web.api.ground import PHONE, Api
from web.api.v1 import ENDPOINTS

LINK: dict[str, Any] = {"name": "Thing", "price": {"amount_minor": 100_000, "currency": "KES"}}
BUY: dict[str, Any] = {"name": "A", "phone": PHONE}
STATE_LIKE = (
    "state",
    "status",
    "organization_id",
    "role",
    "fee_bps",
    "paid_at",
    "id",
    "code_tries",
    "proved",
    "party",
    "total",
    "amount",
    "__class__",
)
INJECTED = (
    "'; DROP TABLE orders; --", "\" OR \"\"=\"", "%", "_", "{0}{name}", "{{7*7}}", "%s%n", "a\nlevel=error forged", "\x1b[31m", "a\x00b",
    "<script>alert(1)</script>", "../../etc/passwd", "\u202eevil", "ｅ́", "🏳️‍🌈" * 3,
)  # fmt: skip


@pytest.mark.parametrize("field", STATE_LIKE)
async def test_nothing_but_what_is_meant_can_be_set(api: Api, field: str) -> None:
    """W4: a field that is not in the document is refused by name, at every address that has a body."""
    owner, number, before = api.world.keys["owner"], (await api.order())[0], api.books()
    bodies = {"createLink": LINK, "changeLink": {"name": "x"}, "purchase": BUY, "processPayment": {"checkout": "x"}, "enterDeliveryCode": {"code": "1"},
              "openDispute": {"reason": "other"}, "createWebhook": {"url": "https://shop.example/hook"}, "changeWebhook": {"enabled": True},
              "replayFailed": {"since": "2026-11-01T00:00:00Z"}}  # fmt: skip
    for endpoint in ENDPOINTS:
        if endpoint.body is None:
            continue
        path = endpoint.path.replace("{number}", number).replace("{code}", api.world.links["ours"])
        path = path.replace("{webhook}", "1").replace("{delivery}", "1")
        said = await api.ask(endpoint.method, path, {**bodies.get(endpoint.name, {}), field: "PAID"}, bearer=owner)
        assert (said.status, said.body["errors"][0]) == (400, {"field": field, "reason": "unknown_field", "facts": {}})
    nested = await api.ask("POST", "/api/v1/seller/links", {**LINK, "price": {**LINK["price"], field: 1}}, bearer=owner)
    assert (nested.status, nested.body["errors"][0]["field"]) == (400, f"price.{field}")
    assert api.books() == before


@pytest.mark.parametrize("amount", [0, -1, 0.5, 1.0, "1", "100", True, None, 10**12 + 1, 10**30, [], {}, "١٠٠"])
async def test_odd_prices_are_refused(api: Api, amount: Any) -> None:
    """W24."""
    before = api.books()
    price = {"amount_minor": amount, "currency": "KES"}
    for method, path in (("POST", "/api/v1/seller/links"), ("PATCH", f"/api/v1/seller/links/{api.world.links['ours']}")):
        said = await api.ask(method, path, {"name": "x", "price": price}, bearer=api.world.keys["owner"])
        assert (said.status, said.body["errors"][0]["field"]) == (400, "price.amount_minor")
    assert api.books() == before


@pytest.mark.parametrize("quantity", [0, -1, 0.5, 1.0, "1", True, None, 1001, 10**18, 10**400])
async def test_odd_quantities_are_refused(api: Api, quantity: Any) -> None:
    """W24."""
    before = api.books()
    said = await api.ask("POST", f"/api/v1/links/{api.world.links['ours']}/purchase", {**BUY, "quantity": quantity})
    assert (said.status, said.body["errors"][0]["field"]) == (400, "quantity")
    assert api.books() == before


async def test_a_total_over_the_cap_and_odd_stocks_and_times_are_refused(api: Api) -> None:
    """W24."""
    owner = api.world.keys["owner"]
    made = await api.ask(
        "POST", "/api/v1/seller/links", {"name": "Gold", "price": {"amount_minor": 10**12, "currency": "KES"}}, bearer=owner
    )
    said = await api.ask("POST", f"/api/v1/links/{made.body['code']}/purchase", {**BUY, "quantity": 1000})
    assert (said.status, said.body["errors"][0]["reason"]) == (400, "too_large")
    odd: list[dict[str, Any]] = [{"stock": -1}, {"stock": 1.5}, {"stock": 10**9}, {"expires_at": "2027-01-01T00:00:00"}, {"expires_at": 1}, {"expires_at": "soon"},
           {"expires_at": "2020-01-01T00:00:00Z"}, {"price": {"amount_minor": 1, "currency": "XXX"}}, {"name": " \n "}, {"name": "x" * 65},
           {"customer_phone": "12345"}, {"active": 1}, {"name": None}, {"price": None}, {}]  # fmt: skip
    before = api.books()
    for fields in odd:
        changed = await api.ask("PATCH", f"/api/v1/seller/links/{made.body['code']}", fields, bearer=owner)
        assert changed.status == 400, fields
    assert api.books() == before


@pytest.mark.parametrize("text", INJECTED)
async def test_strings_are_data_wherever_they_are_put(api_on_both: Api, text: str) -> None:
    """W16: stored and shown as they are (without control characters), or refused; never an error of ours."""
    api, owner = api_on_both, api_on_both.world.keys["owner"]
    plain = "".join(char if char.isprintable() else " " for char in text)
    made = await api.ask("POST", "/api/v1/seller/links", {**LINK, "name": text, "description": text}, bearer=owner)
    assert (made.status, made.body["name"]) == (201, " ".join(plain.split()))
    bought = await api.ask("POST", f"/api/v1/links/{made.body['code']}/purchase", {**BUY, "name": text, "address": text, "note": text})
    assert bought.status == 202
    number, token = await api.order()
    shipped = await api.ask("POST", f"/api/v1/orders/{number}/ship", {"courier": text, "tracking": text}, bearer=owner)
    assert shipped.status == 200
    disputed = await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": "other", "words": text}, bearer=token)
    assert disputed.status == 201
    await api.hall.drain()
    before = api.books()
    for body in ({**BUY, "phone": text.ljust(6)[:24]}, {**BUY, "language": text}, {**BUY, "method": text}):
        assert (await api.ask("POST", f"/api/v1/links/{made.body['code']}/purchase", body)).status == 400
    assert (await api.ask("POST", "/api/v1/payments/process", {"checkout": text})).status in {400, 404}
    assert (await api.ask("POST", f"/api/v1/orders/{number}/delivery-code", {"code": text[:20]}, bearer=owner)).status in {400, 409}
    assert (await api.ask("POST", f"/api/v1/escrow/{number}/dispute", {"reason": text}, bearer=token)).status == 400
    assert (
        await api.ask("PATCH", f"/api/v1/seller/links/{made.body['code']}", {"price": {"amount_minor": 1, "currency": text}}, bearer=owner)
    ).status == 400
    assert api.books() == before


@pytest.mark.parametrize("text", ["%27%20OR%201=1--", "%25", "%00", "_", "*", "ffffffffffffffff", "0x1", "-1", "%D9%A1", "1" * 3000])
async def test_injected_addresses_and_cursors_are_refused_alike(api_on_both: Api, text: str) -> None:
    """W2, W16."""
    api, owner = api_on_both, api_on_both.world.keys["owner"]
    for path in ("seller/links", "orders", "escrow"):
        assert (await api.ask("GET", f"/api/v1/{path}?cursor={text}", bearer=owner)).status == 400
        assert (await api.ask("GET", f"/api/v1/{path}?limit={text}", bearer=owner)).status == 400
    assert (await api.ask("GET", f"/api/v1/orders?state={text}", bearer=owner)).status == 400
    assert (await api.ask("GET", f"/api/v1/escrow?status={text}", bearer=owner)).status == 400
    assert (await api.ask("GET", f"/api/v1/orders/{text}", bearer=owner)).status == 404
    assert (await api.ask("GET", f"/api/v1/links/{text}")).status == 404
    assert (await api.ask("GET", f"/api/v1/payments/{text}/status")).status == 404
    assert (await api.ask("POST", f"/api/v1/payments/webhook/{text}", data=b"{}", key=None)).status == 404


@pytest.mark.parametrize(
    "data,status,code",
    [
        (b"", 400, "unreadable"), (b"null", 400, "unreadable"), (b"[]", 400, "unreadable"), (b'{"name": "x"', 400, "unreadable"),
        (b'{"name": "x", "name": "y"}', 400, "unreadable"), (b'{"name": "\xff"}', 400, "unreadable"), (b'{"name": NaN}', 400, "unreadable"),
        (b'{"name": "\\ud800"}', 400, "unreadable"), (b"[" * 60_000, 400, "unreadable"), (b'{"name": ' + b"1" * 60_000 + b"}", 400, "unreadable"),
        (b'{"name": 1e999}', 400, "bad_input"), (b" " * 65_537, 413, "too_large"), (b"<html>", 400, "unreadable"),
    ],
)  # fmt: skip
async def test_bodies_that_are_no_plain_json_are_refused(api: Api, data: bytes, status: int, code: str) -> None:
    """C17's kin at this door, W14."""
    said = await api.ask("POST", "/api/v1/seller/links", data=data, bearer=api.world.keys["owner"], Content_Type="application/json")
    assert (said.status, said.body["code"]) == (status, code)


async def test_other_content_types_are_refused_and_so_is_what_grows_when_unpacked(api: Api) -> None:
    """W5, W14."""
    owner, body = api.world.keys["owner"], b'{"name": "x", "price": {"amount_minor": 1, "currency": "KES"}}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", "text/json"):
        said = await api.ask("POST", "/api/v1/seller/links", data=body, bearer=owner, Content_Type=kind)
        assert said.status == 415
    bomb = gzip.compress(b'{"name": "' + b"x" * 10_000_000 + b'"}')
    assert len(bomb) < 64 * 1024
    said = await api.ask("POST", "/api/v1/seller/links", data=bomb, bearer=owner, Content_Type="application/json", Content_Encoding="gzip")
    assert (said.status, said.body["code"]) == (413, "too_large")
    assert (await api.ask("GET", "/api/v1/wallet", bearer=owner)).status == 200


async def test_addresses_that_are_none_and_methods_that_are_not_meant(api: Api) -> None:
    owner = api.world.keys["owner"]
    for path in ("/api/v1/", "/api/v1/nothing", "/api/v1/orders/12345678/steal"):
        said = await api.ask("GET", path, bearer=owner)
        assert (said.status, said.body["code"], said.headers["Content-Type"].partition(";")[0]) == (
            404,
            "not_found",
            "application/problem+json",
        )
    wrong = await api.ask("DELETE", f"/api/v1/links/{api.world.links['ours']}", bearer=owner)
    assert (wrong.status, wrong.headers["Allow"]) == (405, "GET")
    assert (await api.ask("GET", "/api/v1/orders?limit=1&limit=2", bearer=owner)).status == 400


async def test_a_request_is_named_in_its_problem_by_us(api: Api) -> None:
    """W9, W16: with the id that stands in the log, never with what somebody sent."""
    said = [await api.ask("GET", "/api/v1/links/PL-22222", X_Request_Id="forged") for _ in range(2)]
    assert len({one.body["request_id"] for one in said} - {"", "forged"}) == 2
