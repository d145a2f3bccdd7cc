"""PayPal's events: whose word is believed, what each one means, and what cannot be one of its events."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.money import Money
from domain.payment import About, Outcome, Prepares, Proof, Unreadable
from gateways.http import Http, NotSent, Result
from gateways.payments.paypal import LIVE, SANDBOX, PayPal
from gateways.payments.paypal_events import EVENT_TYPES, read_notice, read_record
from tests.gateways.paypal_ground import CREDENTIALS, KIND, WEBHOOK_ID, Ground, Told, paypal_ground
from tests.gateways.provider import HandClock
from town.paypal.hooks import CERT
from town.paypal.signing import Signer, strangers

Json = dict[str, Any]


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with paypal_ground() as made:
        yield made


class Asked(Http):
    """Writes down where it was sent, and reaches nobody."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    async def call(self, method: str, url: str, **_: Any) -> Result:
        self.urls.append(url)
        return NotSent("nobody")


def changed(told: Told, **headers: str) -> Told:
    return Told(told.raw, {**told.headers, **{name.replace("_", "-"): value for name, value in headers.items()}})


async def test_an_event_of_paypal_is_authentic_and_tells_of_our_attempt(ground: Ground) -> None:
    """C1: and the same one twice has the same key."""
    attempt, receipt = await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert isinstance(ground.gateway, Prepares)
    assert not ground.gateway.authentic(KIND, told.raw, told.headers, "", CREDENTIALS), "nothing is believed before the certificate is here"
    assert await ground.deliver(told)
    notice = ground.gateway.parse(KIND, told.raw, told.headers)
    assert (notice.outcome, notice.proof, notice.attempt_id, notice.ref) == (Outcome.SUCCEEDED, Proof.PROOF, attempt.id, attempt.ref)
    assert (notice.receipt, notice.money, notice.payee) == (receipt, attempt.money, "TWNMERCHANT22")
    assert notice == ground.gateway.parse(KIND, told.raw, told.headers)


async def test_the_certificate_is_fetched_once_for_all(ground: Ground) -> None:
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert all(await asyncio.gather(*(ground.deliver(told) for _ in range(20))))
    ground.fault("cert_down", 100)
    assert await ground.deliver(told)


async def test_what_paypal_did_not_sign_is_refused(ground: Ground) -> None:
    """C5: no signature, another's key, another body, another webhook, no secret of ours."""
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert await ground.deliver(told)
    body = json.loads(told.raw)
    for how in ("unsigned", "stranger", "body", "other_hook", "elsewhere"):
        before = len(ground.told)
        assert await ground.alone.paypal.hooks.forge(ground.hook_url, WEBHOOK_ID, body, how) == 200
        assert not await ground.deliver(ground.told[before]), how
    for credentials in ({}, {**CREDENTIALS, "webhook_id": ""}, {**CREDENTIALS, "webhook_id": " "}, {**CREDENTIALS, "webhook_id": "OTHER"}):
        assert not await ground.deliver(told, credentials)
    assert not ground.gateway.authentic("other", told.raw, told.headers, "", CREDENTIALS)
    assert not await ground.deliver(Told(told.raw.replace(b"2026", b"2025", 1), told.headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"paypal_auth_algo": "SHA1withRSA"},
        {"paypal_auth_algo": ""},
        {"paypal_transmission_id": "another"},
        {"paypal_transmission_id": ""},
        {"paypal_transmission_sig": ""},
        {"paypal_transmission_sig": "é"},
        {"paypal_transmission_sig": "AAAA"},
        {"paypal_transmission_time": "yesterday"},
        {"paypal_transmission_time": "2026-11-21T10:00:00"},
        {"paypal_cert_url": ""},
        {"paypal_cert_url": "https://api.paypal.com.evil.example/v1/notifications/certs/CERT-1"},
    ],
)
async def test_every_header_counts(ground: Ground, headers: dict[str, str]) -> None:
    """C5."""
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert await ground.deliver(told)
    assert not await ground.deliver(changed(told, **headers))


@pytest.mark.parametrize("seconds,good", [(3 * 86_400, True), (4 * 86_400 + 60, False)])
async def test_an_old_event_is_refused_but_not_one_that_is_only_sent_again(ground: Ground, seconds: int, good: bool) -> None:
    """C6: PayPal tries for three days."""
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    ground.alone.core.clock.advance(seconds)
    assert await ground.deliver(told) is good


async def test_an_event_of_the_future_is_refused(ground: Ground, http: Http) -> None:
    """C6."""
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    for minutes, good in ((9, True), (11, False)):
        behind = PayPal(http, ground.alone.base_url, HandClock(ground.clock.now() - timedelta(minutes=minutes)))
        await behind.prepare(KIND, told.raw, told.headers)
        assert behind.authentic(KIND, told.raw, told.headers, "", CREDENTIALS) is good


async def test_while_the_certificate_cannot_be_had_nothing_is_believed_and_it_is_asked_for_again(ground: Ground) -> None:
    """C21: PayPal sends the event again, and it is believed then."""
    ground.answers = [400, 400, 200]
    ground.fault("cert_down")
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert not await ground.deliver(told)
    assert not await ground.deliver(told), "not asked again within a minute"
    ground.alone.core.clock.advance(3 * 3600)
    assert await ground.deliver(await ground.hears("PAYMENT.CAPTURE.COMPLETED", 2))


@pytest.mark.parametrize(
    "base,url",
    [
        (LIVE, "https://api.sandbox.paypal.com/v1/notifications/certs/CERT-1"),
        (LIVE, "http://api.paypal.com/v1/notifications/certs/CERT-1"),
        (LIVE, "https://api.paypal.com:8443/v1/notifications/certs/CERT-1"),
        (LIVE, "https://a@api.paypal.com/v1/notifications/certs/CERT-1"),
        (LIVE, "https://api.paypal.com/v1/notifications/certs/../../CERT-1"),
        (LIVE, "https://api.paypal.com/v1/notifications/certs/CERT-1?x=1"),
        (LIVE, "https://certificates.example/v1/notifications/certs/CERT-1"),
        (SANDBOX, "https://api.paypal.com/v1/notifications/certs/CERT-1"),
        (SANDBOX, "file:///v1/notifications/certs/CERT-1"),
    ],
)
async def test_a_certificate_is_asked_of_nobody_else(base: str, url: str) -> None:
    """C5."""
    asked = Asked()
    await PayPal(asked, base, HandClock()).prepare(KIND, b"{}", {"paypal-cert-url": url})
    await PayPal(asked, base, HandClock()).prepare(
        "other", b"{}", {"paypal-cert-url": "https://api.paypal.com/v1/notifications/certs/CERT-1"}
    )
    assert asked.urls == []
    await asked.aclose()


async def test_a_certificate_is_asked_of_paypal() -> None:
    asked = Asked()
    for base, host in ((LIVE, "api.paypal.com"), (LIVE, "api-m.paypal.com"), (SANDBOX, "api.sandbox.paypal.com")):
        url = f"https://{host}/v1/notifications/certs/CERT-360caa42-fca2a594-5a29e601"
        await PayPal(asked, base, HandClock()).prepare(KIND, b"{}", {"paypal-cert-url": url})
        assert asked.urls.pop() == url
    await asked.aclose()


@pytest.mark.parametrize("wrong", ["nonsense", "other_owner", "mixed"])
async def test_a_certificate_that_is_not_paypals_is_not_kept(ground: Ground, wrong: str) -> None:
    """C5: though it signed what came."""
    end = b"-----END CERTIFICATE-----\n"
    signer = Signer("messages.example.com" if wrong == "other_owner" else "messageverificationcerts.paypal.com")
    if wrong == "nonsense":
        signer.chain = b"-----BEGIN CERTIFICATE-----\nAAAA\n" + end
    if wrong == "mixed":
        signer.chain = signer.chain.split(end)[0] + end + strangers().chain
    ground.alone.paypal.hooks.signer = signer
    await ground.paid()
    told = await ground.hears("PAYMENT.CAPTURE.COMPLETED")
    assert CERT in told.headers["paypal-cert-url"]
    assert not await ground.deliver(told)


async def test_two_webhooks_while_one_takes_over_from_the_other(ground: Ground) -> None:
    """C20: each is believed with its own id, and the old one no longer when its id is gone."""
    ground.alone.paypal.hooks.add(ground.alone.paypal.apps["town-paypal-client"], ground.hook_url, webhook_id="NEWWEBHOOK")
    await ground.paid()
    await ground.hears("PAYMENT.CAPTURE.COMPLETED", 2)
    both = [told for told in ground.told if b"PAYMENT.CAPTURE.COMPLETED" in told.raw]
    believed = [[await ground.deliver(told, {**CREDENTIALS, "webhook_id": one}) for told in both] for one in (WEBHOOK_ID, "NEWWEBHOOK")]
    assert sorted(believed) == [[False, True], [True, False]]


async def test_an_approval_is_waited_for_and_never_paid(ground: Ground) -> None:
    """C3, C19."""
    attempt = await ground.start()
    ground.pay(attempt)
    told = await ground.hears("CHECKOUT.ORDER.APPROVED")
    assert await ground.deliver(told)
    notice = ground.gateway.parse(KIND, told.raw, told.headers)
    assert (notice.outcome, notice.attempt_id, notice.ref, notice.money) == (Outcome.PENDING, attempt.id, attempt.ref, None)


async def test_pending_then_completed_or_denied(ground: Ground) -> None:
    """C3: each event says its own part, in whatever order they come."""
    for completed, name, outcome in ((True, "COMPLETED", Outcome.SUCCEEDED), (False, "DENIED", Outcome.DECLINED)):
        attempt = await ground.start()
        ground.fault("webhook_swap")
        ground.pay(attempt, "review")
        receipt = (await ground.fetch(attempt)).receipt
        assert receipt is not None
        ground.alone.paypal.resolve_capture(receipt, completed=completed)
        told = await ground.hears(f"PAYMENT.CAPTURE.{name}")
        assert ground.gateway.parse(KIND, told.raw, told.headers).outcome is outcome
        told = await ground.hears("PAYMENT.CAPTURE.PENDING", 1 if completed else 2)
        notice = ground.gateway.parse(KIND, told.raw, told.headers)
        assert (notice.outcome, notice.facts["reason"]) == (Outcome.PENDING, "PENDING_REVIEW")


async def test_a_refund_of_ours_and_one_that_the_merchant_made_by_hand(ground: Ground) -> None:
    attempt, receipt = await ground.paid()
    reply = await ground.refund(attempt, receipt, 500, 77)
    told = await ground.hears("PAYMENT.CAPTURE.REFUNDED")
    notice = ground.gateway.parse(KIND, told.raw, told.headers)
    assert (notice.about, notice.outcome, notice.refund_id, notice.attempt_id) == (About.REFUND, Outcome.SUCCEEDED, 77, attempt.id)
    assert (notice.refund_ref, notice.receipt, notice.money) == (reply.ref, receipt, Money(500, "USD"))
    made = ground.alone.paypal.refund_by_hand(receipt, 100)
    told = await ground.hears("PAYMENT.CAPTURE.REFUNDED", 2)
    notice = ground.gateway.parse(KIND, told.raw, told.headers)
    assert (notice.refund_id, notice.attempt_id, notice.refund_ref, notice.money) == (None, attempt.id, made, Money(100, "USD"))


async def test_a_case_is_a_chargeback_until_it_is_decided(ground: Ground) -> None:
    """C18."""
    for outcome, means in (
        ("RESOLVED_BUYER_FAVOUR", Outcome.SUCCEEDED),
        ("ACCEPTED", Outcome.SUCCEEDED),
        ("RESOLVED_SELLER_FAVOUR", Outcome.DECLINED),
        ("RESOLVED_WITH_PAYOUT", Outcome.DECLINED),
        ("CANCELED_BY_BUYER", Outcome.DECLINED),
        ("NONE", Outcome.UNKNOWN),
    ):
        attempt, receipt = await ground.paid()
        ground.told.clear()
        case = ground.charge_back(receipt)
        ground.alone.paypal.resolve_dispute(case, outcome)
        for name, meaning in (("CREATED", Outcome.PENDING), ("RESOLVED", means)):
            told = await ground.hears(f"CUSTOMER.DISPUTE.{name}")
            assert await ground.deliver(told)
            notice = ground.gateway.parse(KIND, told.raw, told.headers)
            assert (notice.about, notice.outcome, notice.attempt_id, notice.receipt) == (About.CHARGEBACK, meaning, attempt.id, receipt)
            assert (notice.refund_ref, notice.money, notice.facts["dispute"]) == (receipt, attempt.money, case)


async def test_a_reversal_and_a_case_about_one_capture_are_one_chargeback(ground: Ground) -> None:
    """C18: both are known by the capture."""
    attempt, receipt = await ground.paid()
    reversal = ground.alone.paypal.reverse(receipt)
    told = await ground.hears("PAYMENT.CAPTURE.REVERSED")
    notice = ground.gateway.parse(KIND, told.raw, told.headers)
    assert (notice.about, notice.outcome, notice.attempt_id) == (About.CHARGEBACK, Outcome.PENDING, attempt.id)
    assert (notice.refund_ref, notice.receipt, notice.money, notice.facts["reversal"]) == (receipt, receipt, attempt.money, reversal)


def event(name: str, resource: object, **more: object) -> bytes:
    return json.dumps({"id": "WH-1", "event_type": name, "resource": resource, **more}).encode()


AMOUNT = {"currency_code": "USD", "value": "20.00"}


@pytest.mark.parametrize("name", ["BILLING.SUBSCRIPTION.CREATED", "PAYMENT.CAPTURE.NEW", "PAYMENT.PAYOUTS-ITEM.SUCCEEDED", "X"])
def test_an_event_that_means_nothing_to_us_is_noted(name: str) -> None:
    """C16."""
    notice = read_notice(KIND, event(name, {"new": {"fields": 1}}, event_version="9.0", more=[1]))
    assert (notice.outcome, notice.facts, notice.attempt_id, notice.ref) == (Outcome.UNKNOWN, {"event": name}, None, None)


def test_other_words_about_orders() -> None:
    """C16."""
    notice = read_notice(KIND, event("CHECKOUT.PAYMENT-APPROVAL.REVERSED", {"order_id": "O1"}))
    assert (notice.outcome, notice.ref, notice.result) == (Outcome.DECLINED, "O1", "paypal_expired")
    assert read_notice(KIND, event("CHECKOUT.ORDER.COMPLETED", {"id": "O1"})).outcome is Outcome.PENDING
    assert read_notice(KIND, event("CHECKOUT.ORDER.SAVED", {"id": "O1"})).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("custom", [None, 5, "", "0", "-1", "1e3", "٣", "9" * 19, "1" * 20, "pay_1", "refund-1"])
def test_what_somebody_else_wrote_is_no_attempt_of_ours(custom: object) -> None:
    notice = read_notice(KIND, event("PAYMENT.CAPTURE.COMPLETED", {"id": "C1", "amount": AMOUNT, "custom_id": custom}))
    assert notice.attempt_id is None


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"null", b"\xff", b"<html>", b'{"id":"WH-1"}', b'{"id":"a","id":"b","event_type":"X","resource":{}}',
        event("X", []), event("bad name", {}), event("X" * 65, {}), b'{"id":5,"event_type":"X","resource":{}}',
        event("PAYMENT.CAPTURE.COMPLETED", {"id": "C1"}),
        event("PAYMENT.CAPTURE.COMPLETED", {"amount": AMOUNT}),
        event("PAYMENT.CAPTURE.COMPLETED", {"id": "C1", "amount": {"currency_code": "XXX", "value": "1.00"}}),
        event("PAYMENT.CAPTURE.COMPLETED", {"id": "C1", "amount": {"currency_code": "USD", "value": 20}}),
        event("PAYMENT.CAPTURE.REFUNDED", {"amount": AMOUNT}),
        event("CUSTOMER.DISPUTE.CREATED", {"dispute_id": "PP-1", "dispute_amount": AMOUNT}),
        event("CHECKOUT.ORDER.APPROVED", {}),
        event("X", {"a": "\0"}), event("X", {"deep": json.loads("[" * 30 + "]" * 30)}), event("X", {"big": "x" * 70_000}),
        b'{"id":"WH-1","event_type":"X","resource":{"a":NaN}}',
    ],
)  # fmt: skip
def test_what_cannot_be_an_event_is_unreadable(raw: bytes) -> None:
    """C17."""
    with pytest.raises(Unreadable):
        read_notice(KIND, raw)
    with pytest.raises(Unreadable):
        read_notice("other", event("X", {}))


JSONISH = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)
FIELDS = ("id", "amount", "custom_id", "links", "purchase_units", "supplementary_data", "disputed_transactions", "dispute_id", "status",
          "dispute_amount", "payee", "seller_receivable_breakdown", "dispute_outcome", "status_details")  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(EVENT_TYPES), st.dictionaries(st.sampled_from(FIELDS), JSONISH))
def test_nothing_but_unreadable_is_ever_raised(name: str, resource: Json) -> None:
    """C17."""
    try:
        notice = read_notice(KIND, event(name, resource))
    except Unreadable:
        pass
    else:
        assert notice.facts["event"] == name
    with contextlib.suppress(Unreadable):
        read_record({"event_type": name, "create_time": "2026-11-21T09:00:00Z", "resource": resource})


def test_a_record_needs_a_time_and_money_that_moved() -> None:
    good = {
        "event_type": "PAYMENT.CAPTURE.COMPLETED",
        "create_time": "2026-11-21T12:00:00+03:00",
        "resource": {"id": "C1", "amount": AMOUNT},
    }
    found = read_record(good)
    assert found is not None and (found.at, found.money, found.fee) == (datetime(2026, 11, 21, 9, tzinfo=UTC), Money(2000, "USD"), None)
    refund = {**good, "event_type": "PAYMENT.CAPTURE.REFUNDED"}
    other: object
    for other in (None, [], {}, {**good, "event_type": 5}, refund):
        assert read_record(other) is None
    for cut in (
        {"create_time": "soon"},
        {"create_time": "2026-11-21T12:00:00"},
        {"resource": {"id": "C1"}},
        {"resource": {"amount": AMOUNT}},
    ):
        with pytest.raises(Unreadable):
            read_record({**good, **cut})
