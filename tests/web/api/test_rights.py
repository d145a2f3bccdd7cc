"""Who may do what through the API: every address x every bearer x whose things, generated from the table of addresses (W1, W3, W18, W20)."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from domain.payment import Method, Notice, Outcome, Proof
from domain.phone import Phone
from domain.ports import Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.fakes import ABILITY
from tests.web.api.ground import PEOPLE, PHONE, SHOP, Api
from usecases import checkouts, payments, settlement, webhooks
from usecases.api_keys import authenticate, revoke_api_key
from usecases.checkouts import NewCheckout
from web.api.v1 import ENDPOINTS
from web.api.v1.endpoint import Endpoint, Who

GUARDED = [endpoint for endpoint in ENDPOINTS if endpoint.who is Who.BEARER]
BODIES: dict[str, Any] = {
    "createLink": {"name": "Thing", "price": {"amount_minor": 100_000, "currency": "KES"}},
    "changeLink": {"name": "Changed"},
    "enterDeliveryCode": {"code": "123456"},
    "openDispute": {"reason": "other", "words": "x"},
    "createWebhook": {"url": "https://shop.example/hooks"},
    "changeWebhook": {"types": ["order.paid"]},
    "replayFailed": {"since": "2026-01-01T00:00:00Z"},
}
LEADERS, MEMBERS = {"owner", "manager"}, {"owner", "manager", "staff"}
MAY = {
    "createLink": LEADERS, "listLinks": LEADERS, "changeLink": LEADERS, "getWallet": LEADERS, "listOrders": MEMBERS, "listEscrow": MEMBERS,
    "getOrder": MEMBERS | {"track"}, "acceptOrder": MEMBERS, "shipOrder": MEMBERS, "markDelivered": MEMBERS, "enterDeliveryCode": MEMBERS,
    "listLate": MEMBERS, "acceptLate": MEMBERS, "refundLate": LEADERS,
    "refundOrder": LEADERS | {"track"}, "releaseEscrow": {"track"}, "openDispute": {"track"},
    **{name: {"owner"} for name in (
        "createWebhook", "listWebhooks", "getWebhook", "changeWebhook", "deleteWebhook", "rotateWebhookSecret", "testWebhook", "listDeliveries",
        "replayDelivery", "replayFailed",
    )},
}  # fmt: skip
"""Written out here a second time, from domain.md and not from the code."""

BEARERS = ("owner", "manager", "staff", "track", "other", "track of another order", "track of theirs")
UNKNOWN = ("leaver", "nobody", "garbage", "pay token")


async def bearer(api: Api, who: str, token: str) -> str:
    if who in api.world.keys:
        return api.world.keys[who]
    if who == "track":
        return token
    if who.startswith("track of"):
        return (await api.order("theirs" if who == "track of theirs" else "ours"))[1]
    unknown = {"nobody": f"plk_{'0' * 12}_{'0' * 64}", "garbage": "x' OR 1=1 --", "pay token": api.hall.tokens.make(Purpose.PAY, 1)}
    return unknown[who].replace(" ", "+")


def one_webhook(unit: Unit) -> tuple[str, str]:
    """Ours, with something sent there: their names."""
    owner = Actor(Party.OWNER, "web", _person("owner"), SHOP)
    made = webhooks.my_endpoints(unit, owner) or [webhooks.make_endpoint(unit, owner, "https://shop.example/first")]
    sent = webhooks.deliveries(unit, owner, made[0].id, None, 1) or [webhooks.ping(unit, owner, made[0].id, "first")]
    return f"we_{made[0].id:x}", f"dlv_{sent[0].id:x}"


def late_money(unit: Unit) -> str:
    """Of ours: what came after the buyer went away, and waits. Made once."""
    known = unit.late.waiting(SHOP, 1)
    if known:
        return known[0].number
    code = unit.links.of_organization(SHOP, None, 1)[0].code
    new = NewCheckout("late", code, 1, "Amina", "", "", Phone("+254733000333"), "en", "web")
    attempt = payments.buy(unit, new, Method.MPESA, {"daraja": ABILITY})
    payments.begin_attempt(unit, attempt.id)
    checkouts.cancel_checkout(unit, attempt.checkout_id, Actor(Party.BUYER, "web"))
    paid = Notice(
        "daraja", f"late{attempt.id}", "stk", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, receipt=f"L{attempt.id}", money=attempt.money
    )
    settlement.apply_notice(unit, paid)
    return unit.late.waiting(SHOP, 1)[0].number


async def ask(api: Api, endpoint: Endpoint, number: str, code: str, who: str) -> Any:
    webhook, delivery = await api.hall.store.write(one_webhook) if number != "99999999" else ("we_1", "dlv_1")
    if "/late/" in endpoint.path and number != "99999999":
        number = await api.hall.store.write(late_money)
    path = endpoint.path.replace("{number}", number).replace("{code}", code)
    path = path.replace("{webhook}", webhook).replace("{delivery}", delivery)
    return await api.ask(endpoint.method, path, BODIES.get(endpoint.name), bearer=who)


def test_every_guarded_address_is_in_the_table() -> None:
    assert {endpoint.name for endpoint in GUARDED} == set(MAY)


@pytest.mark.parametrize("endpoint,who", [*itertools.product(GUARDED, BEARERS)], ids=lambda one: getattr(one, "name", one))
async def test_each_bearer_does_what_they_may_and_hears_not_found_otherwise(api: Api, endpoint: Endpoint, who: str) -> None:
    """W3, W18: without the right nothing changes, and the answer is that of a thing that does not exist."""
    number, token = await api.order()
    by = await bearer(api, who, token)
    await api.hall.store.write(one_webhook)
    await api.hall.store.write(late_money)
    before = api.books()
    said = await ask(api, endpoint, number, api.world.links["ours"], by)
    lists_own = who == "other" and "{" not in endpoint.path
    if who in MAY[endpoint.name] or lists_own:
        assert said.status in ({422} if endpoint.name == "enterDeliveryCode" else {200, 201, 202})
        if lists_own:
            assert number not in str(said.body)
        return
    absent = await ask(api, endpoint, "99999999", "PL-22222", by)
    assert (said.status, absent.status) == (404, 404)
    assert said.told == absent.told
    assert api.books() == before


@pytest.mark.parametrize("endpoint,who", [*itertools.product(GUARDED, UNKNOWN)], ids=lambda one: getattr(one, "name", one))
async def test_whoever_is_not_recognized_is_told_so_and_nothing_else(api: Api, endpoint: Endpoint, who: str) -> None:
    """W17: unknown, wrong, former: one answer."""
    number, token = await api.order()
    await api.hall.store.write(one_webhook)
    await api.hall.store.write(late_money)
    before = api.books()
    said = await ask(api, endpoint, number, api.world.links["ours"], await bearer(api, who, token))
    assert said.status == 401
    assert said.headers["WWW-Authenticate"].startswith("Bearer")
    assert said.told == (await ask(api, endpoint, "99999999", "PL-22222", "x")).told
    assert api.books() == before


async def test_bearers_of_other_kinds_and_shapes_are_not_recognized(api: Api) -> None:
    for header in ("", "Basic eDp4", "Bearer", "Bearer a b", f"Bearer {'x' * 300}", f"plk {api.world.keys['owner']}"):
        assert (await api.ask("GET", "/api/v1/wallet", Authorization=header)).status == 401
    assert (await api.ask("GET", "/api/v1/wallet", bearer=api.world.keys["owner"].upper())).status == 401


async def test_another_shops_cursor_shows_nothing_of_it(api: Api) -> None:
    """W3: filters and cursors are bounds within one's own."""
    ours = [(await api.order())[0] for _ in range(2)]
    theirs = [(await api.order("theirs"))[0] for _ in range(2)]
    cursor = (await api.ask("GET", "/api/v1/orders?limit=1", bearer=api.world.keys["other"])).body["next_cursor"]
    page = (await api.ask("GET", f"/api/v1/orders?cursor={cursor}", bearer=api.world.keys["owner"])).body
    assert not {row["number"] for row in page["orders"]} & set(theirs)
    assert {row["number"] for row in page["orders"]} <= set(ours)
    named = await api.ask("GET", "/api/v1/orders?organization_id=2", bearer=api.world.keys["owner"])
    assert (named.status, named.body["errors"][0]["field"]) == (400, "organization_id")


async def test_an_idempotency_key_of_somebody_else_opens_nothing(api: Api) -> None:
    """W3: keys are kept apart by caller; a colleague's key does not replay either."""
    body = BODIES["createLink"]
    mine = await api.ask("POST", "/api/v1/seller/links", body, bearer=api.world.keys["owner"], key="same")
    theirs = await api.ask("POST", "/api/v1/seller/links", body, bearer=api.world.keys["other"], key="same")
    colleague = await api.ask("POST", "/api/v1/seller/links", body, bearer=api.world.keys["manager"], key="same")
    staff = await api.ask("POST", "/api/v1/seller/links", body, bearer=api.world.keys["staff"], key="same")
    assert len({mine.body["code"], theirs.body["code"], colleague.body["code"]}) == 3
    assert staff.status == 404


async def test_a_revoked_key_stops_at_once_even_for_what_it_asked_before(api: Api) -> None:
    """W18, W20."""
    text = api.world.keys["manager"]
    body = BODIES["createLink"]
    assert (await api.ask("POST", "/api/v1/seller/links", body, bearer=text, key="before")).status == 201
    owner = Actor(Party.OWNER, "web", _person("owner"), SHOP)
    await api.hall.store.write(revoke_api_key, owner, text.split("_")[1])
    assert (await api.ask("POST", "/api/v1/seller/links", body, bearer=text, key="before")).status == 401
    caller = await api.hall.store.read(authenticate, api.world.keys["owner"])
    assert caller.actor.party is Party.OWNER


def _person(name: str) -> Any:
    return PEOPLE[name]


def test_no_key_reaches_keys_members_credentials_or_a_payout() -> None:
    """W20: the scope of a stolen key. What needs a person to step up is not in the API at all."""
    paths = {endpoint.path for endpoint in ENDPOINTS if endpoint.who is Who.BEARER}
    assert len(paths) > 5
    assert {
        path for path in paths for word in ("key", "member", "gateway", "credential", "payee", "payout", "withdraw") if word in path
    } == set()
    assert {endpoint.method for endpoint in ENDPOINTS if "wallet" in endpoint.path} == {"GET"}


async def test_keys_are_not_guessed_for_long_and_good_ones_go_on(api: Api) -> None:
    """W17: after thirty wrong keys from one address it is limited; who has a good key there is not."""
    said = [(await api.ask("GET", "/api/v1/wallet", bearer=f"plk_{n:012x}_{n:064x}")).status for n in range(32)]
    assert said == [401] * 30 + [429] * 2
    limited = await api.ask("GET", "/api/v1/wallet", bearer="x")
    assert 0 < int(limited.headers["Retry-After"]) <= 900
    assert (await api.ask("GET", "/api/v1/wallet", bearer=api.world.keys["owner"])).status == 200


async def test_link_codes_are_not_walked(api: Api) -> None:
    """W1: after sixty unknown codes a minute even a known one is not told, by either address."""
    known = api.world.links["ours"]
    codes = [f"PL-{n:05}".replace("0", "Z").replace("1", "Y") for n in range(61)]
    said = [(await api.ask("GET", f"/api/v1/links/{code}")).status for code in codes]
    assert said == [404] * 60 + [429]
    assert (await api.ask("GET", f"/api/v1/links/{known}")).status == 429
    assert (await api.ask("POST", f"/api/v1/links/{known}/purchase", {"name": "A", "phone": PHONE})).status == 429
    assert (await api.ask("GET", "/api/v1/wallet", bearer=api.world.keys["owner"])).status == 200
