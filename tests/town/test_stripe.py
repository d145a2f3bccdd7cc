"""The town's Stripe driven by the official package, as it is: sessions, refunds, disputes, events, lists, and how it refuses."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
import stripe

from town.core import Core, Fault
from town.stripe import Stripe
from town.stripe.server import DEFAULT_KEY
from town.stripe.standalone import Standalone

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the package's own client


@pytest_asyncio.fixture
async def alone() -> AsyncIterator[Standalone]:
    async with Standalone(seed=7, delay_s=0.0) as standalone:
        yield standalone


@asynccontextmanager
async def official(alone: Standalone, key: str = DEFAULT_KEY) -> AsyncIterator[stripe.StripeClient]:
    stripe.enable_telemetry = False
    transport = stripe.HTTPXClient()
    yield stripe.StripeClient(key, base_addresses={"api": alone.base_url}, http_client=transport, max_network_retries=0)
    await transport.close_async()  # type: ignore[no-untyped-call]  # the package's own


@pytest_asyncio.fixture
async def client(alone: Standalone) -> AsyncIterator[stripe.StripeClient]:
    async with official(alone) as made:
        yield made


def asked(amount: int = 250000, currency: str = "kes", **changed: Any) -> Any:
    price = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Dress"}}
    return {
        "mode": "payment", "line_items": [{"quantity": 1, "price_data": price}], "success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://shop.example/no", "metadata": {"a": "1"}, "payment_intent_data": {"metadata": {"a": "1"}}, **changed,
    }  # fmt: skip


async def sold(alone: Standalone, client: stripe.StripeClient, **changed: Any) -> tuple[str, str]:
    """A paid session and its payment intent."""
    session = await client.v1.checkout.sessions.create_async(asked(**changed))
    assert alone.stripe.pay(session.id) == "paid"
    return session.id, str((await client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent)


async def test_a_session_from_its_making_to_its_money(alone: Standalone, client: stripe.StripeClient) -> None:
    session = await client.v1.checkout.sessions.create_async(asked())
    assert (session.status, session.payment_status, session.payment_intent, session.amount_total) == ("open", "unpaid", None, 250000)
    assert (session.id.startswith("cs_test_"), session.url) == (True, f"{alone.base_url}/pay/{session.id}")
    assert session.last_response is not None and str(session.last_response.request_id).startswith("req_")
    alone.stripe.pay(session.id, "5555555555554444", "apple_pay")
    paid = await client.v1.checkout.sessions.retrieve_async(session.id, {"expand": ["payment_intent.latest_charge"]})
    intent = paid.payment_intent
    assert isinstance(intent, stripe.PaymentIntent) and isinstance(intent.latest_charge, stripe.Charge)
    assert (paid.status, paid.payment_status, paid.url, intent.status) == ("complete", "paid", None, "succeeded")
    assert intent.latest_charge.metadata.to_dict() == {"a": "1"}
    card = intent.latest_charge.payment_method_details
    assert card is not None and card.card is not None and (card.card.brand, card.card.last4) == ("mastercard", "4444")
    balance = await client.v1.balance.retrieve_async()
    assert [(line.currency, line.amount) for line in balance.available] == [("kes", 250000 - 7280)]
    items = await client.v1.checkout.sessions.line_items.list_async(session.id)
    assert [(item.description, item.to_dict()["amount"]) for item in items.data] == [("Dress", 250000)]


@pytest.mark.parametrize(
    ("changed", "param", "code"),
    [
        ({"mode": "subscription"}, "mode", None),
        ({"line_items": []}, "line_items", "parameter_missing"),
        ({"success_url": "shop.example"}, "success_url", "url_invalid"),
        ({"success_url": ""}, "success_url", "parameter_invalid_empty"),
        ({"locale": "ar"}, "locale", None),
        ({"locale": "sw"}, "locale", None),
        ({"ui_mode": "hosted"}, "ui_mode", None),
        ({"payment_method_types": ["card"]}, "payment_method_types", "parameter_unknown"),
        ({"metadata": {"k" * 41: "1"}}, f"metadata[{'k' * 41}]", None),
        ({"metadata": {"k": "1" * 501}}, "metadata[k]", None),
        ({"metadata": {f"k{n}": "1" for n in range(51)}}, "metadata", None),
        ({"client_reference_id": "1" * 201}, "client_reference_id", None),
        ({"amount": 49, "currency": "usd"}, None, "amount_too_small"),
        ({"amount": 100_000_000}, None, "amount_too_large"),
        ({"amount": 5124, "currency": "kwd"}, "line_items[0][price_data][unit_amount]", "invalid_charge_amount"),
        ({"amount": -1}, "line_items[0][price_data][unit_amount]", "invalid_charge_amount"),
        ({"amount": "1.5"}, "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
        ({"currency": "xyz"}, "line_items[0][price_data][currency]", None),
        ({"adaptive_pricing": {"enabled": "maybe"}}, "adaptive_pricing[enabled]", None),
        ({"adaptive_pricing": {"on": True}}, "adaptive_pricing[on]", "parameter_unknown"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    client: stripe.StripeClient, changed: dict[str, Any], param: str | None, code: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.v1.checkout.sessions.create_async(asked(**changed))
    assert (raised.value.http_status, raised.value.param, raised.value.code) == (400, param, code)


@pytest.mark.parametrize(("after_s", "taken"), [(1800, False), (1801, True), (86398, True), (86400, False), (-5, False)])
async def test_the_bounds_of_expires_at_are_strict(alone: Standalone, client: stripe.StripeClient, after_s: int, taken: bool) -> None:
    at = int(alone.core.clock.now().timestamp()) + after_s + (after_s == 1801)
    if taken:
        assert (await client.v1.checkout.sessions.create_async(asked(expires_at=at))).expires_at == at
    else:
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.checkout.sessions.create_async(asked(expires_at=at))


@pytest.mark.parametrize("key", ["sk_test_wrong", "pk_test_x"])
async def test_a_wrong_key_is_401(alone: Standalone, key: str) -> None:
    async with official(alone, key) as client:
        with pytest.raises(stripe.AuthenticationError) as raised:
            await client.v1.balance.retrieve_async()
    assert raised.value.http_status == 401 and "sk_test_wrong" not in str(raised.value)
    async with aiohttp.ClientSession() as http, http.get(f"{alone.base_url}/v1/balance") as response:
        assert (response.status, (await response.json())["error"]["type"]) == (401, "invalid_request_error")


async def test_what_does_not_exist_is_404_and_a_wrong_version_400(alone: Standalone, client: stripe.StripeClient) -> None:
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.v1.checkout.sessions.retrieve_async("cs_test_none")
    assert (raised.value.http_status, raised.value.code) == (404, "resource_missing")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.raw_request_async("get", "/v1/nothing")
    assert raised.value.http_status == 404
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.balance.retrieve_async(options={"stripe_version": "yesterday"})
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.charges.list_async({"expand": ["nothing"]})


async def test_a_key_is_one_request(alone: Standalone, client: stripe.StripeClient) -> None:
    one = await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"})
    two = await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"})
    assert two.id == one.id and two.last_response is not None
    with pytest.raises(stripe.IdempotencyError) as raised:
        await client.v1.checkout.sessions.create_async(asked(1_000_00), {"idempotency_key": "k"})
    assert raised.value.http_status == 400
    alone.core.clock.advance(24 * 3600 + 1)
    assert (await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"})).id != one.id


async def test_a_stored_500_is_replayed_and_a_refused_field_is_not(alone: Standalone, client: stripe.StripeClient) -> None:
    alone.core.faults.plant(Fault("stripe", "error_500_after", 1))
    for _ in range(2):
        with pytest.raises(stripe.APIError):
            await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"})
    assert len(alone.stripe.accounts[DEFAULT_KEY].sessions) == 1
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.create_async(asked(locale="ar"), {"idempotency_key": "l"})
    await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "l"})


async def test_two_at_once_with_one_key_are_409(alone: Standalone, client: stripe.StripeClient) -> None:
    alone.core.faults.plant(Fault("stripe", "slow", 1, {"seconds": 0.3}))
    first = asyncio.create_task(client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"}))
    await asyncio.sleep(0.1)
    with pytest.raises(stripe.StripeError) as raised:
        await client.v1.checkout.sessions.create_async(asked(), {"idempotency_key": "k"})
    assert (raised.value.http_status, (await first).status) == (409, "open")


async def test_a_session_is_expired_once_and_only_while_open(alone: Standalone, client: stripe.StripeClient) -> None:
    session = await client.v1.checkout.sessions.create_async(asked())
    assert (await client.v1.checkout.sessions.expire_async(session.id)).status == "expired"
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(session.id)
    ref, _ = await sold(alone, client)
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.checkout.sessions.expire_async(ref)


async def test_refunds_never_exceed_what_was_paid(alone: Standalone, client: stripe.StripeClient) -> None:
    _, intent = await sold(alone, client)
    refund = await client.v1.refunds.create_async({"payment_intent": intent, "amount": 100000, "metadata": {"r": "1"}})
    assert (refund.status, refund.amount, refund.metadata and refund.metadata["r"]) == ("succeeded", 100000, "1")
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.v1.refunds.create_async({"payment_intent": intent, "amount": 150001})
    assert raised.value.param == "amount"
    assert (await client.v1.refunds.create_async({"payment_intent": intent})).amount == 150000
    with pytest.raises(stripe.InvalidRequestError) as raised:
        await client.v1.refunds.create_async({"payment_intent": intent})
    assert raised.value.code == "charge_already_refunded"
    [charge] = (await client.v1.charges.list_async({"payment_intent": intent})).data
    assert (charge.amount_refunded, charge.refunded) == (250000, True)
    for wrong in (
        {},
        {"payment_intent": intent, "charge": charge.id},
        {"payment_intent": "pi_none"},
        {"charge": charge.id, "reason": "odd"},
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await client.v1.refunds.create_async(wrong)  # type: ignore[arg-type]  # wrong on purpose


async def test_disputes_and_the_books_add_up(alone: Standalone, client: stripe.StripeClient) -> None:
    for won in (True, False):
        _, intent = await sold(alone, client)
        dispute = alone.stripe.open_dispute(intent)
        assert (await client.v1.disputes.retrieve_async(dispute["id"])).status == "needs_response"
        with pytest.raises(stripe.InvalidRequestError) as raised:
            await client.v1.refunds.create_async({"payment_intent": intent})
        assert raised.value.code == "charge_disputed"
        alone.stripe.close_dispute(dispute["id"], won=won)
        assert (await client.v1.disputes.retrieve_async(dispute["id"])).status == ("won" if won else "lost")
    fee, lost = 7280, 1500
    assert alone.stripe.accounts[DEFAULT_KEY].balance() == {"kes": 250000 - 2 * fee - 2 * lost}
    lines = await client.v1.balance_transactions.list_async({"type": "adjustment", "expand": ["data.source"]})
    assert [line.amount for line in lines.data] == [-250000, 250000, -250000]
    assert all(isinstance(line.source, stripe.Dispute) for line in lines.data)
    _, intent = await sold(alone, client)
    inquiry = alone.stripe.open_dispute(intent, inquiry=True)
    assert (await client.v1.disputes.close_async(inquiry["id"])).status == "warning_closed"


async def test_lists_are_newest_first_paged_and_filtered(alone: Standalone, client: stripe.StripeClient) -> None:
    ids = [(await client.v1.checkout.sessions.create_async(asked())).id for _ in range(5)]
    page = await client.v1.checkout.sessions.list_async({"limit": 2})
    assert ([one.id for one in page.data], page.has_more) == (ids[:2:-1], True)
    assert [one.id async for one in page.auto_paging_iter()] == ids[::-1]
    back = await client.v1.checkout.sessions.list_async({"limit": 2, "ending_before": ids[0]})
    assert [one.id for one in back.data] == [ids[2], ids[1]]
    alone.stripe.pay(ids[1])
    kinds = [one.type for one in (await client.v1.events.list_async({"types": ["checkout.session.completed"]})).data]
    assert kinds == ["checkout.session.completed"]
    soon = int(alone.core.clock.now().timestamp()) + 60
    assert (await client.v1.events.list_async({"created": {"gte": soon}})).data == []
    with pytest.raises(stripe.InvalidRequestError):
        await client.v1.events.list_async({"limit": 101})


async def test_an_endpoint_is_made_by_api_and_told_what_it_wants(alone: Standalone, client: stripe.StripeClient) -> None:
    made = await client.v1.webhook_endpoints.create_async({"url": "http://127.0.0.1:9/x", "enabled_events": ["refund.created"]})
    assert made.secret is not None and made.secret.startswith("whsec_")
    assert [one.url for one in (await client.v1.webhook_endpoints.list_async()).data] == ["http://127.0.0.1:9/x"]
    _, intent = await sold(alone, client)
    await client.v1.refunds.create_async({"payment_intent": intent})
    while not (sent := [one for one in alone.core.journal.since(0) if one["kind"] == "stripe.webhook"]):
        await alone.core.journal.wait(1)
    assert [(one["type"], one["status"]) for one in sent] == [("refund.created", None)]


async def test_a_town_that_starts_again_is_the_one_that_was_left(tmp_path: Path, client: stripe.StripeClient, alone: Standalone) -> None:
    ref, _ = await sold(alone, client)
    waiting = (await client.v1.checkout.sessions.create_async(asked())).id
    alone.stripe.save(tmp_path / "stripe.json")
    core = Core(1)
    again = Stripe(core)
    assert not again.load(tmp_path / "nothing.json")
    assert again.load(tmp_path / "stripe.json")
    assert again.state()["accounts"] == alone.stripe.state()["accounts"] and again.books() == alone.stripe.books()
    await again.start()
    await core.pass_time(86401)
    await core.journal.wait(3)
    assert again.accounts[DEFAULT_KEY].sessions[waiting]["status"] == "expired"
    assert again.accounts[DEFAULT_KEY].sessions[ref]["status"] == "complete"
    await again.stop()


async def test_the_controls_of_the_town(alone: Standalone, client: stripe.StripeClient) -> None:
    session = await client.v1.checkout.sessions.create_async(asked())
    async with aiohttp.ClientSession() as http:

        async def act(path: str, **body: Any) -> tuple[int, Any]:
            async with http.post(f"{alone.url}/town/api/stripe/{path}", json=body) as response:
                return response.status, await response.json()

        assert await act("pay", session=session.id, card="4000002500003155") == (200, {"outcome": "asked"})
        assert await act("answer", session=session.id, yes="maybe") == (400, {"error": "`maybe` is neither yes nor no."})
        assert await act("answer", session=session.id, yes=True) == (200, {"outcome": "paid"})
        assert (await act("pay", session=session.id))[0] == 400
        assert (await act("pay"))[1] == {"error": "'session' is missing."}
        intent = (await client.v1.checkout.sessions.retrieve_async(session.id)).payment_intent
        status, dispute = await act("dispute", charge=intent)
        assert (status, dispute["status"]) == (200, "needs_response")
        assert (await act("dispute/close", dispute=dispute["id"], won=True))[1]["status"] == "won"
        refund = await client.v1.refunds.create_async({"payment_intent": str(intent)})
        assert (await act("refund", refund=refund.id, status="failed"))[1]["status"] == "failed"
        assert (await act("refund", refund="re_none", status="failed"))[0] == 404
        assert (await act("account", key="sk_live_other", webhook_url="http://127.0.0.1:9/"))[1] == {"key": "sk_live_other", "endpoints": ["http://127.0.0.1:9/"]}  # fmt: skip
        assert (await act("account", key="nonsense"))[0] == 400
        async with http.get(f"{alone.url}/town/api/stripe") as response:
            state = await response.json()
        async with http.get(f"{alone.url}/town/api/stripe/books") as response:
            assert [line["type"] for line in await response.json()] == ["charge", "adjustment", "adjustment", "refund", "refund_failure"]
    assert [account["key"] for account in state["accounts"]] == [DEFAULT_KEY, "sk_live_other"]
    async with official(alone, "sk_live_other") as other:
        live = await other.v1.checkout.sessions.create_async(asked())
    assert (live.livemode, live.id.startswith("cs_live_")) == (True, True)


async def test_the_page_in_its_three_states_and_the_banks_question(alone: Standalone, client: stripe.StripeClient) -> None:
    session = await client.v1.checkout.sessions.create_async(asked())
    page = str(session.url)
    async with aiohttp.ClientSession() as browser:

        async def press(act: str, **form: str) -> tuple[int, str]:
            async with browser.post(f"{page}/{act}", data=form, allow_redirects=False) as response:
                return response.status, response.headers.get("Location", "")

        async def shown() -> str:
            async with browser.get(page) as response:
                return await response.text()

        assert await press("close") == (303, "https://shop.example/no")
        assert await press("pay", card="4000002500003155") == (303, page.removeprefix(alone.url))
        assert "Your bank asks" in await shown()
        assert (await press("refuse"))[0] == 303
        assert "payment_intent_authentication_failure" in await shown()
        assert await press("pay", card="4242 4242 4242 4242") == (303, f"https://shop.example/ok?s={session.id}")
        assert "has been made" in await shown()
        assert (await press("pay", card="4242424242424242"))[0] == 400
        other = await client.v1.checkout.sessions.create_async(asked(5120, "kwd"))
        page = str(other.url)
        assert "KWD 5.120" in await shown()
        alone.core.clock.advance(86401)
        assert "Nothing was taken" in await shown()
        page = f"{alone.base_url}/pay/cs_test_none"
        async with browser.get(page) as response:
            assert response.status == 404
