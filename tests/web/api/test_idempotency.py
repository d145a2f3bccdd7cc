"""Asked twice, done once: also at the same moment, on both engines (O7 of safety, K10's kin, L8)."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from tests.web.api.ground import PHONE, Api
from web.api.v1 import ENDPOINTS
from web.api.v1.endpoint import Who

LINK = {"name": "Thing", "price": {"amount_minor": 100_000, "currency": "KES"}}
AT_ONCE = 20


async def test_the_same_request_again_gets_the_stored_answer_and_another_is_refused(api: Api) -> None:
    owner = api.world.keys["owner"]
    first = await api.ask("POST", "/api/v1/seller/links", LINK, bearer=owner, key="k")
    spelled_otherwise = b'{ "price": {"currency": "KES", "amount_minor": 100000},\n "name": "Thing" }'
    again = await api.ask("POST", "/api/v1/seller/links", data=spelled_otherwise, bearer=owner, key="k", Content_Type="application/json")
    assert (again.status, again.body, again.headers["Idempotency-Replayed"]) == (201, first.body, "true")
    before = api.books()
    other = await api.ask("POST", "/api/v1/seller/links", {**LINK, "name": "Other"}, bearer=owner, key="k")
    assert (other.status, other.body["code"]) == (422, "key_reused")
    number, _ = await api.order()
    before = api.books()
    elsewhere = await api.ask("POST", f"/api/v1/orders/{number}/accept", bearer=owner, key="k")
    assert (elsewhere.status, elsewhere.body["code"]) == (422, "key_reused")
    assert api.books() == before


async def test_every_post_of_a_bearer_or_a_buyer_needs_a_key(api: Api) -> None:
    number, _ = await api.order()
    before = api.books()
    for endpoint in ENDPOINTS:
        if endpoint.method != "POST" or endpoint.work is None:
            continue
        path = endpoint.path.replace("{number}", number).replace("{code}", api.world.links["ours"])
        path = path.replace("{webhook}", "1").replace("{delivery}", "1")
        short = "" if endpoint.who is Who.BEARER else "too-short"
        for key in (None, short, "x" * 256):
            said = await api.ask("POST", path, {}, bearer=api.world.keys["owner"], key=key)
            assert (said.status, said.body["code"]) == (400, "idempotency_key"), (endpoint.name, key)
    assert api.books() == before


async def test_a_refusal_is_not_kept_so_the_key_can_be_used_when_it_works(api: Api) -> None:
    owner, code = api.world.keys["owner"], api.world.links["ours"]
    await api.ask("PATCH", f"/api/v1/seller/links/{code}", {"active": False}, bearer=owner)
    body, key = {"name": "A", "phone": PHONE}, "a-key-of-the-buyer"
    assert (await api.ask("POST", f"/api/v1/links/{code}/purchase", body, key=key)).status == 410
    await api.ask("PATCH", f"/api/v1/seller/links/{code}", {"active": True}, bearer=owner)
    bought = await api.ask("POST", f"/api/v1/links/{code}/purchase", body, key=key)
    assert (bought.status, "Idempotency-Replayed" in bought.headers) == (202, False)


async def at_once(api: Api, path: str, body: Any, **more: Any) -> list[Any]:
    return await asyncio.gather(*(api.ask("POST", path, body, **more) for _ in range(AT_ONCE)))


def one_effect(said: list[Any], status: int) -> None:
    assert [one.status for one in said] == [status] * AT_ONCE
    assert all(one.body == said[0].body for one in said)
    assert sum("Idempotency-Replayed" not in one.headers for one in said) == 1


async def test_twenty_at_once_with_one_key_make_one_link(api_on_both: Api) -> None:
    api = api_on_both
    before = api.count("links")
    one_effect(await at_once(api, "/api/v1/seller/links", LINK, bearer=api.world.keys["owner"], key="k"), 201)
    assert api.count("links") == before + 1


async def test_twenty_at_once_with_one_key_buy_once_and_ring_once(api_on_both: Api) -> None:
    api = api_on_both
    path = f"/api/v1/links/{api.world.links['ours']}/purchase"
    one_effect(await at_once(api, path, {"name": "A", "phone": PHONE}, key="0123456789abcdef"), 202)
    await api.hall.drain()
    assert (api.count("checkouts"), api.count("attempts"), len(api.gateway.asked)) == (1, 1, 1)


@pytest.mark.parametrize("same_key", [True, False])
async def test_twenty_releases_at_once_book_once(api_on_both: Api, same_key: bool) -> None:
    api = api_on_both
    number, token = await api.order()
    said = await at_once(api, f"/api/v1/escrow/{number}/release", None, bearer=token, key="k" if same_key else "fresh")
    assert {one.status for one in said} == {200}
    assert sum(one.body["result"] == "released" and "Idempotency-Replayed" not in one.headers for one in said) == 1
    assert api.count("entries") == 2


async def test_twenty_refunds_and_releases_at_once_end_in_exactly_one(api_on_both: Api) -> None:
    """S1 through this door."""
    api = api_on_both
    number, token = await api.order()
    said = await asyncio.gather(
        *(api.ask("POST", f"/api/v1/orders/{number}/refund", bearer=api.world.keys["owner"]) for _ in range(10)),
        *(api.ask("POST", f"/api/v1/escrow/{number}/release", bearer=token) for _ in range(10)),
    )
    assert {one.status for one in said} <= {200, 409}
    order = await api.state_of(number)
    assert str(order.state) in {"COMPLETED", "REFUNDED"}
    assert api.count("entries") == 2
