"""What goes over the wire to Stripe, byte by byte, and what every answer means: sent once, and never taken for more than it says."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import stripe

from domain.money import Money
from domain.payment import About, Outcome, Reply
from domain.statement import NoBooks
from gateways.http import MOST_BYTES, Http
from gateways.payments.stripe import FIELDS, Stripe
from gateways.payments.stripe_codes import DECLINES, REFUSALS, WORDS
from tests.gateways.provider import HandClock, Provider, Say, half, hangs_up, says, sleeps
from tests.gateways.stripe_ground import BACK, KEYS, stripe_ask, stripe_attempt, stripe_refund

SESSIONS, REFUNDS = "/v1/checkout/sessions", "/v1/refunds"
SUCCEEDED, PENDING, DECLINED = Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED
NOT_SENT, UNKNOWN = Outcome.NOT_SENT, Outcome.UNKNOWN
OPEN: dict[str, Any] = {
    "id": "cs_test_1", "object": "checkout.session", "status": "open", "payment_status": "unpaid", "amount_total": 250000,
    "currency": "kes", "payment_intent": None, "client_reference_id": "1", "metadata": {"payloom_attempt": "1"}, "livemode": False,
    "url": "https://checkout.stripe.com/c/pay/cs_test_1",
}  # fmt: skip
GOOD = Reply(PENDING, "cs_test_1", url="https://checkout.stripe.com/c/pay/cs_test_1")
LOST = Reply(UNKNOWN, result="unknown")


@pytest.fixture
def gateway(provider: Provider, http: Http, clock: HandClock) -> Stripe:
    return Stripe(http, provider.url + "/", clock)


def error(status: int, *, kind: str = "invalid_request_error", **more: object) -> Say:
    return says({"error": {"type": kind, "message": "x", **more}}, status)


async def test_a_session_is_asked_for_in_these_words(provider: Provider, gateway: Stripe) -> None:
    provider.tell(SESSIONS, says(OPEN))
    assert await gateway.start(stripe_ask(language="ar")) == GOOD
    [heard] = provider.heard
    assert (heard.method, heard.query) == ("POST", "")
    assert {name: heard.headers.get(name) for name in ("Authorization", "Stripe-Version", "Idempotency-Key", "Content-Type")} == {
        "Authorization": f"Bearer {KEYS['secret_key']}",
        "Stripe-Version": "2026-10-28.endive",
        "Idempotency-Key": "key-1",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    assert dict(parse_qsl(heard.body.decode(), strict_parsing=True)) == {
        "mode": "payment",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "kes",
        "line_items[0][price_data][unit_amount]": "250000",
        "line_items[0][price_data][product_data][name]": "Order PL-7K2QD",
        "allowed_payment_method_types[0]": "card",
        "success_url": BACK,
        "cancel_url": BACK,
        "client_reference_id": "1",
        "metadata[payloom_attempt]": "1",
        "payment_intent_data[metadata][payloom_attempt]": "1",
        "payment_intent_data[description]": "PL-7K2QD",
        "adaptive_pricing[enabled]": "false",
        "expires_at": "1795253465",
        "locale": "auto",
        "submit_type": "pay",
    }


async def test_the_package_tells_nobody_about_this_house(provider: Provider, gateway: Stripe) -> None:
    provider.tell(SESSIONS, says(OPEN))
    for _ in range(2):
        await gateway.start(stripe_ask())
    assert not [name for heard in provider.heard for name in heard.headers if name.lower().startswith("x-stripe-client")]
    assert stripe.enable_telemetry is False


@pytest.mark.parametrize("key", ["", "ключ", "k" * 256, "a b"])
async def test_a_key_that_cannot_be_a_header_is_the_attempts_id(provider: Provider, gateway: Stripe, key: str) -> None:
    provider.tell(SESSIONS, says(OPEN))
    await gateway.start(stripe_ask(key=key))
    assert provider.heard[0].headers["Idempotency-Key"] == "attempt-1"


async def test_a_refund_is_asked_for_in_these_words(provider: Provider, gateway: Stripe) -> None:
    provider.tell(REFUNDS, says({"id": "re_1", "object": "refund", "status": "pending", "amount": 100000, "currency": "kes"}))
    assert await gateway.refund(stripe_refund(1000_00), "pi_1", KEYS, "") == Reply(PENDING, "re_1", "waiting")
    [heard] = provider.heard
    assert (heard.method, heard.headers["Idempotency-Key"]) == ("POST", "refund-1")
    assert dict(parse_qsl(heard.body.decode(), strict_parsing=True)) == {
        "payment_intent": "pi_1",
        "amount": "100000",
        "metadata[payloom_refund]": "1",
        "metadata[payloom_attempt]": "1",
    }


@pytest.mark.parametrize(
    ("say", "reply"),
    [
        (hangs_up, LOST),
        (half, LOST),
        (sleeps, LOST),
        (says("<html>It works</html>"), LOST),
        (says(b""), LOST),
        (says(b'{"id": "cs_test_1", "object'), LOST),
        (says([OPEN]), LOST),
        (says({}), LOST),
        (says(b"{" * 100000), LOST),
        (says(b'{"id":' + b" " * MOST_BYTES + b"1}"), LOST),
        (says({**OPEN, "object": "payment_intent"}), LOST),
        (says({**OPEN, "object": ["checkout.session"]}), LOST),
        (says({**OPEN, "object": {"object": "list"}}), LOST),
        (says({**OPEN, "object": "list", "data": 5}), LOST),
        (says({"error": {"type": "x"}}), LOST),
        (says({**OPEN, "id": {"id": "cs_test_1"}}), LOST),
        (says({**OPEN, "line_items": 5, "customer_details": [5], "payment_method_options": "x", "total_details": []}), GOOD),
        (says({**OPEN, "metadata": 5}), GOOD),
        (says({**OPEN, "amount_total": 2500.0}), LOST),
        (says({**OPEN, "url": None}), Reply(UNKNOWN, "cs_test_1", "unknown")),
        (says({**OPEN, "url": "javascript:alert(1)"}), Reply(UNKNOWN, "cs_test_1", "unknown")),
        (says({**OPEN, "amount_total": 2500}), Reply(UNKNOWN, "cs_test_1", "other_amount")),
        (says({**OPEN, "currency": "usd"}), Reply(UNKNOWN, "cs_test_1", "other_amount")),
        (says({**OPEN, "livemode": True}), Reply(UNKNOWN, "cs_test_1", "other_account")),
        (says({**OPEN, "metadata": {"payloom_attempt": "2"}}), Reply(UNKNOWN, "cs_test_1", "other_account")),
        (says("", 302, Location="https://example.com"), LOST),
        (says("<html>Bad Gateway</html>", 502), LOST),
        (says({"error": "invalid_client"}, 500), LOST),
        (error(500, kind="api_error"), LOST),
        (error(503, kind="api_error"), LOST),
        (error(400, kind="api_error"), LOST),
        (error(400, kind="idempotency_error"), LOST),
        (error(409, kind="idempotency_error", code="idempotency_key_in_use"), LOST),
        (error(424, kind="api_error"), LOST),
        (error(429, code="rate_limit"), Reply(NOT_SENT, result="try_later", retry_after_s=5)),
        (error(429, code="lock_timeout"), Reply(NOT_SENT, result="try_later", retry_after_s=5)),
        (error(400, code="rate_limit"), Reply(NOT_SENT, result="try_later", retry_after_s=5)),
        (says("slow down", 429, **{"Retry-After": "33"}), Reply(NOT_SENT, result="try_later", retry_after_s=33)),
        (says({}, 429, **{"Retry-After": "0"}), Reply(NOT_SENT, result="try_later", retry_after_s=1)),
        (says({}, 429, **{"Retry-After": "99999"}), Reply(NOT_SENT, result="try_later", retry_after_s=3600)),
        (says({}, 429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), Reply(NOT_SENT, result="try_later", retry_after_s=5)),
        (error(401), Reply(DECLINED, result="configuration")),
        (says("", 401), Reply(DECLINED, result="configuration")),
        (error(403), Reply(DECLINED, result="configuration")),
        (error(404, code="resource_missing"), Reply(DECLINED, result="configuration")),
        (says("<html>nothing here</html>", 404), Reply(DECLINED, result="configuration")),
        (error(402, kind="card_error", code="card_declined", decline_code="insufficient_funds"), Reply(DECLINED, result="insufficient_funds")),
        (error(402, kind="card_error", code="expired_card"), Reply(DECLINED, result="card_wrong")),
        (error(402, kind="card_error", code="card_declined", decline_code="stolen_card"), Reply(DECLINED, result="card_declined")),
        (error(402, kind="card_error", code=["odd"], decline_code={}), Reply(DECLINED, result="card_declined")),
        (error(400, param="success_url"), Reply(DECLINED, result="address_refused")),
        (error(400, param="line_items[0][price_data][currency]"), Reply(DECLINED, result="currency_refused")),
        (error(400, param="line_items[0][price_data][unit_amount]"), Reply(DECLINED, result="amount_refused")),
        (error(400, param="locale"), Reply(DECLINED, result="configuration")),
        *((error(400, code=code), Reply(DECLINED, result=words)) for code, words in REFUSALS.items()),
    ],
)  # fmt: skip
async def test_every_answer_to_a_session(provider: Provider, gateway: Stripe, say: Say, reply: Reply) -> None:
    """O1, O2, O3: one request, whatever comes back."""
    provider.tell(SESSIONS, say)
    assert await gateway.start(stripe_ask()) == reply
    assert len(provider.heard) == 1
    assert reply.result in WORDS | {None}


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"object": "list", "data": None, "has_more": False},
        {"object": "list", "data": [], "has_more": True},
        {"object": "list", "data": [{}]},
    ],
)
async def test_a_list_that_is_none_finds_nothing_and_proves_nothing(
    provider: Provider, gateway: Stripe, clock: HandClock, body: object
) -> None:
    """O3: a page that was lost is not given up because of rubbish."""
    provider.tell(SESSIONS, says(body))
    provider.tell(REFUNDS, says(body))
    attempt = stripe_attempt(None)
    clock.move(7200)
    assert await gateway.fetch(attempt, KEYS) == LOST
    assert await gateway.refund(stripe_refund(tries=2), "pi_1", KEYS, "") == LOST
    assert {heard.method for heard in provider.heard} == {"GET"}


@pytest.mark.parametrize(
    ("changed", "reply"),
    [
        ({}, Reply(SUCCEEDED, "cs_test_1", "paid", receipt="pi_1")),
        ({"payment_intent": {"id": "pi_1", "object": "payment_intent"}}, Reply(SUCCEEDED, "cs_test_1", "paid", receipt="pi_1")),
        ({"payment_intent": None}, Reply(UNKNOWN, "cs_test_1", "unknown")),
        ({"id": "cs_test_2"}, Reply(UNKNOWN, "cs_test_1", "unknown")),
        ({"amount_total": 250001}, Reply(UNKNOWN, "cs_test_1", "other_amount")),
        ({"livemode": True}, Reply(UNKNOWN, "cs_test_1", "other_account")),
    ],
)
async def test_every_answer_about_a_paid_session(provider: Provider, gateway: Stripe, changed: dict[str, Any], reply: Reply) -> None:
    """C8, C10, O12."""
    paid = {**OPEN, "status": "complete", "payment_status": "paid", "payment_intent": "pi_1", "url": None, **changed}
    provider.tell(f"{SESSIONS}/cs_test_1", says(paid))
    assert await gateway.fetch(stripe_attempt("cs_test_1"), KEYS) == reply
    assert provider.heard[0].query == "expand[0]=payment_intent"


async def test_without_a_key_nothing_is_asked(provider: Provider, gateway: Stripe) -> None:
    assert FIELDS == ("secret_key", "webhook_secret", "webhook_secret_before")
    assert await gateway.fetch(stripe_attempt("cs_test_1"), {}) == Reply(UNKNOWN, "cs_test_1", "configuration")
    assert await gateway.refund(stripe_refund(), "pi_1", {}, "") == Reply(DECLINED, result="configuration")
    assert await gateway.refund(stripe_refund(), "SG632NMUAB", KEYS, "") == Reply(DECLINED, result="not_refundable")
    assert await gateway.refund(stripe_refund(5124, "KWD"), "pi_1", KEYS, "") == Reply(DECLINED, result="amount_refused")
    assert provider.heard == []


async def test_a_refund_of_another_amount_is_not_ours(provider: Provider, gateway: Stripe) -> None:
    """O12."""
    provider.tell(REFUNDS, says({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 1, "currency": "kes"}))
    assert await gateway.refund(stripe_refund(), "pi_1", KEYS, "") == Reply(UNKNOWN, "re_1", "other_amount")


async def test_lines_that_are_not_about_a_sale_of_ours_are_left_out(provider: Provider, gateway: Stripe, clock: HandClock) -> None:
    """C16: payouts, fees, foreign currencies and new kinds; a page ends where the next begins."""
    charge = {"id": "ch_1", "object": "charge", "amount": 25000, "currency": "kes", "payment_intent": "pi_1"}
    line: dict[str, Any] = {"id": "txn_1", "object": "balance_transaction", "type": "charge", "amount": 710, "currency": "aed", "fee": 30, "created": int(clock.now().timestamp()), "source": charge}  # fmt: skip
    odd: list[dict[str, Any]] = [
        {"type": "payout"},
        {"type": "stripe_fee", "source": None},
        {"source": {**charge, "object": "topup"}},
        {"source": {**charge, "currency": "xyz"}},
    ]
    first = {"object": "list", "data": [line | changed for changed in odd], "has_more": True}
    provider.tell("/v1/balance_transactions", says(first), says({"object": "list", "data": [line], "has_more": False}))
    [record] = await gateway.records(clock.now(), clock.now(), KEYS)
    assert (record.about, record.ref, record.receipt, record.money, record.fee) == (
        About.PAYMENT, "ch_1", "pi_1", Money(250_00, "KES"), Money(30, "AED"),
    )  # fmt: skip
    assert record.at == clock.now()
    assert [heard.query.rpartition("starting_after=")[2] for heard in provider.heard][1] == "txn_1&limit=100"
    for cut in ({"source": "ch_1"}, {"created": -1}):
        provider.tell("/v1/balance_transactions", says({"object": "list", "data": [line | cut], "has_more": False}))
        with pytest.raises(NoBooks):
            await gateway.records(clock.now(), clock.now(), KEYS)


async def test_a_refund_that_was_never_made_is_made_when_it_is_asked_again(provider: Provider, gateway: Stripe) -> None:
    other = {"id": "re_2", "object": "refund", "status": "succeeded", "amount": 1, "currency": "kes", "metadata": {"payloom_refund": "2"}}
    provider.tell(
        REFUNDS,
        says({"object": "list", "data": [other], "has_more": False}),
        says({"id": "re_1", "object": "refund", "status": "succeeded", "amount": 250000, "currency": "kes"}),
    )
    assert await gateway.refund(stripe_refund(tries=2), "pi_1", KEYS, "") == Reply(SUCCEEDED, "re_1", "refunded")
    assert [heard.method for heard in provider.heard] == ["GET", "POST"]


def test_the_payer_finds_words_for_whatever_becomes_of_a_page() -> None:
    """Every reason a payer may be told stands in the catalogue, in the words of a page rather than of a telephone."""
    english = tomllib.loads((Path(__file__).parents[2] / "templates/locales/en/errors.toml").read_text())
    told = {*DECLINES.values(), "card_declined", "expired", "waiting", "configuration", "currency_refused", "amount_refused", "unknown"}
    assert sorted(told - set(english["payment_page"])) == []
    assert "address_refused" in english["payment"]
