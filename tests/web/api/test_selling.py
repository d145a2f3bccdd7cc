"""The seller's side: links, orders, escrow, the wallet (L8, O2, O5, W1)."""

from __future__ import annotations

from typing import Any

import pytest

from domain.order import Reason
from tests.web.api.ground import PHONE, Api

LINK = {"name": "Red sneakers", "price": {"amount_minor": 150_000, "currency": "KES"}}


async def test_a_link_is_made_listed_changed_and_seen(api: Api) -> None:
    """L8."""
    owner = api.world.keys["owner"]
    made = await api.ask("POST", "/api/v1/seller/links", {**LINK, "stock": 3, "customer_phone": PHONE, "description": "New"}, bearer=owner)
    assert made.status == 201
    code = made.body["code"]
    assert made.body["price"] == {"amount_minor": 150_000, "currency": "KES"}
    assert made.body["customer_phone"] == "+254712345678"
    assert made.body["url"] == f"https://pay.example/buy/{code}"

    changed = await api.ask(
        "PATCH", f"/api/v1/seller/links/{code}", {"name": "Blue", "stock": None, "expires_at": "2027-01-01T00:00:00Z"}, bearer=owner
    )
    assert (changed.body["name"], changed.body["stock"], changed.body["expires_at"]) == ("Blue", None, "2027-01-01T00:00:00Z")

    seen = await api.ask("GET", f"/api/v1/links/{code.lower()}")
    assert (seen.status, seen.body["name"], seen.body["why_not"]) == (200, "Blue", None)
    assert "customer_phone" not in seen.body

    off = await api.ask("PATCH", f"/api/v1/seller/links/{code}", {"active": False}, bearer=owner)
    assert off.body["state"] == "INACTIVE"
    assert (await api.ask("GET", f"/api/v1/links/{code}")).status == 404
    on = await api.ask(
        "PATCH", f"/api/v1/seller/links/{code}", {"active": True, "price": {"amount_minor": 200_000, "currency": "KES"}}, bearer=owner
    )
    assert (on.body["state"], on.body["price"]["amount_minor"]) == ("ACTIVE", 200_000)


async def test_links_are_listed_in_pages_that_miss_and_repeat_nothing(api: Api) -> None:
    owner = api.world.keys["owner"]
    made = [(await api.ask("POST", "/api/v1/seller/links", {**LINK, "name": f"Thing {n}"}, bearer=owner)).body["code"] for n in range(5)]
    found: list[str] = []
    cursor = ""
    while True:
        page = (await api.ask("GET", f"/api/v1/seller/links?limit=2{cursor}", bearer=owner)).body
        assert len(page["links"]) <= 2
        found += [link["code"] for link in page["links"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert sorted(found) == sorted([*made, api.world.links["ours"]])
    assert page["links"][-1]["figures"] == {"visits": 0, "checkouts": 0, "paid": 0, "revenue": {"amount_minor": 0, "currency": "KES"}}


async def test_an_order_is_accepted_shipped_delivered_and_released_by_the_buyers_code(api: Api) -> None:
    """O2, O5, W1."""
    staff, owner = api.world.keys["staff"], api.world.keys["owner"]
    number, token = await api.order()
    assert (await api.ask("POST", f"/api/v1/orders/{number}/accept", bearer=staff)).body["state"] == "ACCEPTED"
    shipped = await api.ask("POST", f"/api/v1/orders/{number}/ship", {"courier": "G4S", "tracking": "T-1"}, bearer=staff)
    assert (shipped.body["state"], shipped.body["courier"], shipped.body["tracking"]) == ("SHIPPED", "G4S", "T-1")
    assert (await api.ask("POST", f"/api/v1/orders/{number}/delivered", bearer=staff)).body["state"] == "DELIVERED"
    assert shipped.body["delivery_code"] is None, "only the buyer knows the code"
    code = (await api.ask("GET", f"/api/v1/orders/{number}", bearer=token)).body["delivery_code"]

    wrong = "000000" if code != "000000" else "111111"
    refused = await api.ask("POST", f"/api/v1/orders/{number}/delivery-code", {"code": wrong}, bearer=staff, key="one-try")
    again = await api.ask("POST", f"/api/v1/orders/{number}/delivery-code", {"code": wrong}, bearer=staff, key="one-try")
    assert (refused.status, refused.body["code"], again.status) == (422, "wrong_code", 422)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (await api.state_of(number)).code_tries == 1

    done = await api.ask("POST", f"/api/v1/orders/{number}/delivery-code", {"code": code}, bearer=staff)
    assert (done.status, done.body["result"], done.body["order"]["escrow"]) == (200, "released", "RELEASED")
    wallet = (await api.ask("GET", "/api/v1/wallet", bearer=owner)).body
    assert wallet["balance"] == [{"amount_minor": 243_750, "currency": "KES"}]
    assert wallet["history"][0]["kind"] == "release"
    assert wallet["history"][0]["amount"]["amount_minor"] == 243_750


async def test_the_sixth_delivery_code_is_not_even_looked_at(api: Api) -> None:
    number, token = await api.order()
    code = (await api.ask("GET", f"/api/v1/orders/{number}", bearer=token)).body["delivery_code"]
    wrong = "000000" if code != "000000" else "111111"
    path, staff = f"/api/v1/orders/{number}/delivery-code", api.world.keys["staff"]
    said = [(await api.ask("POST", path, {"code": wrong}, bearer=staff)).status for _ in range(6)]
    assert said == [422] * 5 + [429]
    assert (await api.ask("POST", path, {"code": code}, bearer=staff)).status == 429
    assert (await api.ask("POST", path, {"code": "12"}, bearer=staff)).status == 429


async def test_orders_and_escrow_are_filtered_by_their_state(api: Api) -> None:
    staff = api.world.keys["staff"]
    numbers = [(await api.order())[0] for _ in range(3)]
    await api.order("theirs")
    await api.ask("POST", f"/api/v1/orders/{numbers[1]}/accept", bearer=staff)
    listed = (await api.ask("GET", "/api/v1/orders", bearer=staff)).body
    assert sorted(row["number"] for row in listed["orders"]) == sorted(numbers)
    accepted = (await api.ask("GET", "/api/v1/orders?state=ACCEPTED", bearer=staff)).body
    assert [row["number"] for row in accepted["orders"]] == [numbers[1]]
    assert accepted["next_cursor"] is None
    held = (await api.ask("GET", "/api/v1/escrow?status=HELD&limit=2", bearer=staff)).body
    rest = (await api.ask("GET", f"/api/v1/escrow?status=HELD&limit=2&cursor={held['next_cursor']}", bearer=staff)).body
    assert sorted(row["order"] for row in [*held["escrow"], *rest["escrow"]]) == sorted(numbers)
    assert rest["next_cursor"] is None
    assert (await api.ask("GET", "/api/v1/escrow?status=RELEASED", bearer=staff)).body["escrow"] == []
    wallet = (await api.ask("GET", "/api/v1/wallet?limit=1", bearer=api.world.keys["manager"])).body
    assert wallet["held"] == [{"amount_minor": 750_000, "currency": "KES"}]


async def test_a_leader_refunds_before_shipping_and_ends_a_dispute(api: Api) -> None:
    owner = api.world.keys["manager"]
    number, _ = await api.order()
    back = await api.ask("POST", f"/api/v1/orders/{number}/refund", bearer=owner)
    assert (back.status, back.body["state"], back.body["refund"]["state"]) == (200, "REFUNDED", "ASKED")
    disputed, token = await api.order()
    await api.ask("POST", f"/api/v1/escrow/{disputed}/dispute", {"reason": str(Reason.BROKEN)}, bearer=token)
    settled = await api.ask("POST", f"/api/v1/orders/{disputed}/refund", bearer=owner)
    assert (settled.body["state"], settled.body["dispute"]["state"]) == ("REFUNDED", "SETTLED")
    shipped, _ = await api.order()
    await api.ask("POST", f"/api/v1/orders/{shipped}/ship", bearer=owner)
    before = api.books()
    refused = await api.ask("POST", f"/api/v1/orders/{shipped}/refund", bearer=owner)
    assert (refused.status, refused.body["code"]) == (409, "illegal_transition")
    assert api.books() == before


@pytest.mark.parametrize(
    "changes",
    [{"active": False}, {"stock": 0}, {"expires_at": "2026-11-21T12:00:01Z"}],
)
async def test_what_cannot_be_bought_says_so(api: Api, changes: dict[str, Any]) -> None:
    code = api.world.links["ours"]
    await api.ask("PATCH", f"/api/v1/seller/links/{code}", changes, bearer=api.world.keys["owner"])
    if "expires_at" in changes:
        api.clock.at = api.clock.at.replace(second=5)
    before = api.books()
    said = await api.ask("POST", f"/api/v1/links/{code}/purchase", {"name": "A", "phone": PHONE})
    assert said.status == (409 if "stock" in changes else 410)
    assert said.body["reason"] in {"inactive", "sold_out", "expired"}
    assert api.books() == before
