"""What Moyasar posts, read strictly: the secret, every kind of event, and bodies that nobody should send."""

from __future__ import annotations

import base64
import json
import tomllib
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import EXPONENTS, MOST_MINOR, Money
from domain.payment import About, Outcome, Proof, Reply, Unreadable
from gateways.http import Http
from gateways.payments.moyasar import FIELDS, LIVE, Moyasar
from gateways.payments.moyasar_codes import CARD, EVENTS, FIELD, WORDS
from gateways.payments.moyasar_codes import INVOICE as MEANING
from tests.gateways.moyasar_ground import KEYS, SECRET, a_webhook
from tests.gateways.provider import Provider, a_refund, an_ask, an_attempt, says

INVOICE = "73bda482-5f95-4f59-87d3-3fe3615c54bc"
PAYMENT = "0f3d87c2-88ae-438a-82ec-51cc42a1e1a7"


@pytest.fixture
def gateway(http: Http) -> Moyasar:
    return Moyasar(http, LIVE, "https://shop.example")


def authentic(gateway: Moyasar, raw: bytes, **changed: str) -> bool:
    return gateway.authentic("event", raw, {}, "192.0.2.1", {**KEYS, **changed})


def test_the_fields_are_those_that_are_read() -> None:
    assert set(FIELDS) == set(KEYS)


def test_the_example_of_their_documentation(gateway: Moyasar) -> None:
    assert authentic(gateway, a_webhook())
    notice = gateway.parse("event", a_webhook(), {})
    assert (notice.gateway, notice.kind, notice.outcome, notice.proof, notice.about) == (
        "moyasar", "event", Outcome.SUCCEEDED, Proof.HINT, About.PAYMENT
    )  # fmt: skip
    assert (notice.ref, notice.receipt, notice.money, notice.result) == (INVOICE, PAYMENT, Money(150_50, "SAR"), "paid")
    assert notice.attempt_id is None
    assert SECRET not in repr(notice)


def test_the_attempt_is_read_off_our_own_metadata(gateway: Moyasar) -> None:
    assert gateway.parse("event", a_webhook(data={"metadata": {"attempt": "4211"}, "invoice_id": None}), {}).attempt_id == 4211
    strange: object
    for strange in ({"attempt": "042"}, {"attempt": "-1"}, {"attempt": 4211}, {"attempt": "٤"}, {"attempt": "9" * 30}, [], "attempt"):
        assert gateway.parse("event", a_webhook(data={"metadata": strange}), {}).attempt_id is None


def test_a_wrong_an_empty_and_an_old_secret(gateway: Moyasar) -> None:
    """C5, C20: the one before is good as long as it is set; an empty one never is, on neither side."""
    assert not authentic(gateway, a_webhook(secret_token="another"))
    assert not authentic(gateway, a_webhook(secret_token=""), webhook_secret="")
    assert not authentic(gateway, a_webhook(secret_token=None), webhook_secret="")
    assert not authentic(gateway, a_webhook(secret_token=SECRET.upper()))
    assert not authentic(gateway, b"not JSON")
    assert not authentic(gateway, json.dumps({"type": "payment_paid"}).encode())
    assert authentic(gateway, a_webhook(), webhook_secret="the new one", webhook_secret_before=SECRET)
    assert not authentic(gateway, a_webhook(), webhook_secret="the new one")
    assert authentic(gateway, a_webhook(secret_token="سرّ"), webhook_secret="سرّ")
    assert not gateway.authentic("strange", a_webhook(), {}, "", KEYS)


@pytest.mark.parametrize("live", [True, None, "false", 0])
def test_an_event_of_the_other_mode_is_not_ours(gateway: Moyasar, live: object) -> None:
    """C10: one address gets test and live events."""
    assert not authentic(gateway, a_webhook(live=live))
    assert authentic(gateway, a_webhook(live=True), secret_key="sk_live_1")
    assert not authentic(gateway, a_webhook(live=False), secret_key="sk_live_1")


@pytest.mark.parametrize("kind", sorted(EVENTS))
def test_every_kind_of_event_has_a_meaning(gateway: Moyasar, kind: str) -> None:
    """C3, C16: only `paid` and `captured` say that money came; a failure on the page ends nothing."""
    back = kind in {"payment_refunded", "payment_voided"}
    notice = gateway.parse("event", a_webhook(type=kind, data={"refunded": 15050 if kind == "payment_refunded" else 0}), {})
    assert notice.about is (About.REFUND if back else About.PAYMENT)
    assert (notice.outcome is Outcome.SUCCEEDED) is (back or kind in {"payment_paid", "payment_captured"})
    assert notice.outcome is not Outcome.DECLINED
    assert notice.result in WORDS
    assert (notice.receipt is not None) is (notice.outcome is Outcome.SUCCEEDED)
    assert notice.facts["type"] == kind


def test_a_part_that_went_back_is_never_taken_for_the_whole(gateway: Moyasar) -> None:
    """C8: what one of several refunds took is not told; nor is anything in a currency that we do not know."""
    part = gateway.parse("event", a_webhook(type="payment_refunded", data={"refunded": 50, "status": "refunded"}), {})
    assert (part.money, part.refund_ref, part.facts["refunded_minor"]) == (Money(0, "SAR"), f"{PAYMENT}:50", 50)
    strange = gateway.parse("event", a_webhook(type="payment_refunded", data={"refunded": 50, "currency": "XTS"}), {})
    nothing = gateway.parse("event", a_webhook(type="payment_refunded", data={"refunded": 0}), {})
    assert (strange.outcome, nothing.outcome) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    voided = gateway.parse("event", a_webhook(type="payment_voided", data={"status": "voided"}), {})
    assert (voided.outcome, voided.money) == (Outcome.SUCCEEDED, Money(150_50, "SAR"))


@pytest.mark.parametrize("state", ["failed", "initiated", "authorized", "refunded", "voided", "verified", "", None])
def test_a_payment_called_paid_whose_status_says_otherwise_is_not_believed(gateway: Moyasar, state: object) -> None:
    """C3: a late repetition of an old event."""
    notice = gateway.parse("event", a_webhook(data={"status": state}), {})
    assert (notice.outcome, notice.money, notice.receipt) == (Outcome.UNKNOWN, None, None)


@pytest.mark.parametrize(
    "code,words",
    [
        ("51", "insufficient_funds"),
        ("05", "card_declined"),
        ("54", "card_wrong"),
        ("91", "try_later"),
        ("ZZ", "card_declined"),
        (51, "card_declined"),
    ],
)
def test_why_a_card_was_refused(gateway: Moyasar, code: object, words: str) -> None:
    raw = a_webhook(type="payment_faild", data={"status": "failed", "source": {"type": "creditcard", "response_code": code}})
    assert gateway.parse("event", raw, {}).result == words
    assert gateway.parse("event", a_webhook(type="payment_failed", data={"source": None}), {}).result == "card_declined"


def test_an_unknown_kind_and_an_unknown_currency_are_kept_and_mean_nothing(gateway: Moyasar) -> None:
    """C16: more fields and newer kinds do no harm."""
    for body in (a_webhook(type="payment.paid"), a_webhook(type="invoice_created", data={"id": None}), a_webhook(data={"currency": "XTS"})):
        assert authentic(gateway, body)
        notice = gateway.parse("event", body, {})
        assert (notice.outcome, notice.money) == (Outcome.UNKNOWN, None)
    assert gateway.parse("event", a_webhook(data={"new": {"deep": [1]}}, more=1), {}).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "data",
    [
        {"amount": 150.5}, {"amount": "15050"}, {"amount": -1}, {"amount": 10**30}, {"amount": None}, {"amount": True}, {"id": None},
        {"id": "../../webhooks"}, {"id": "a" * 65}, {"invoice_id": "a b"}, {"invoice_id": 7}, {"refunded": "0"}, {"currency": None}, {"refunded": -5},
    ],
)  # fmt: skip
def test_what_cannot_be_theirs_is_unreadable(gateway: Moyasar, data: dict[str, Any]) -> None:
    """C8, C17."""
    with pytest.raises(Unreadable):
        gateway.parse("event", a_webhook(data=data), {})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b"<html>", b"\xff\xfe", a_webhook()[:-20], a_webhook().replace(b"15050", b"NaN"), a_webhook().replace(b"15050", b"1e999"),
        a_webhook().replace(b"15050", b"1,000"), a_webhook().replace(b'"live"', b'"type"'), a_webhook().replace(b"mada", b"\\u0000"), b"[" * 5000,
        b'{"a":' * 30 + b"1" + b"}" * 30, a_webhook(type=None), a_webhook(type="Payment Paid"), a_webhook(id=7), b'{"id":"a","type":"payment_paid","data":[]}',
        b" " * (65 << 10),
    ],
)  # fmt: skip
def test_bodies_that_nobody_should_send(gateway: Moyasar, raw: bytes) -> None:
    """C17: refused as unreadable, by every kind, and nothing else is raised."""
    for kind in ("event", "invoice"):
        with pytest.raises(Unreadable):
            gateway.parse(kind, raw, {})
    gateway.authentic("event", raw, {}, "", KEYS)
    gateway.redact("event", raw)


def test_an_invoice_that_is_not_paid_says_nothing(gateway: Moyasar) -> None:
    body: dict[str, Any] = {
        "id": INVOICE,
        "status": "initiated",
        "amount": 15050,
        "currency": "SAR",
        "payments": [],
        "metadata": {"attempt": "7"},
    }
    notice = gateway.parse("invoice", json.dumps(body).encode(), {})
    assert (notice.outcome, notice.attempt_id, notice.money, notice.receipt) == (Outcome.PENDING, 7, None, None)
    paid = gateway.parse("invoice", json.dumps({**body, "status": "paid"}).encode(), {})
    assert (paid.outcome, paid.proof, paid.money, paid.receipt) == (Outcome.SUCCEEDED, Proof.HINT, Money(150_50, "SAR"), None)
    with pytest.raises(Unreadable):
        gateway.parse("strange", json.dumps(body).encode(), {})


def test_a_lie_takes_no_other_events_place(gateway: Moyasar) -> None:
    """C1, C5: the same event has the same key; another amount, status or payment under its id has another one."""
    bodies = [
        a_webhook(),
        a_webhook(data={"amount": 1}),
        a_webhook(data={"status": "failed"}),
        a_webhook(data={"id": "x"}),
        a_webhook(id="y"),
    ]
    keys = [gateway.parse("event", body, {}).event_key for body in bodies]
    assert len(set(keys)) == len(keys)
    assert gateway.parse("event", a_webhook(), {}).event_key == keys[0]
    long = gateway.parse("event", a_webhook(id="e" * 64, data={"id": "p" * 64, "status": "paid"}), {}).event_key
    assert len(long) <= 160


@given(st.integers(0, MOST_MINOR), st.sampled_from(sorted(EXPONENTS)))
def test_an_amount_is_read_exactly_in_every_currency(amount: int, currency: str) -> None:
    notice = _reader().parse("event", a_webhook(data={"amount": amount, "currency": currency}), {})
    assert notice.money == Money(amount, currency)


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(raw: bytes) -> None:
    """C17."""
    for kind in ("event", "invoice"):
        try:
            _reader().parse(kind, raw, {})
        except Unreadable:
            continue


def _reader() -> Moyasar:
    return Moyasar.__new__(Moyasar)


@pytest.mark.parametrize(
    "body,words",
    [
        ({"status": "failed"}, "card_declined"), ({"status": "canceled"}, "expired"), ({"status": "on_hold"}, "waiting"), ({"status": "new"}, "unknown"),
        ({"status": "paid", "payments": []}, "unknown"), ({"status": "paid", "payments": [{"status": "paid", "id": "p", "amount": 1, "currency": "SAR"}]}, "unknown"),
        ({"status": "paid", "payments": [{"status": "paid", "id": "../p", "amount": 15050, "currency": "SAR"}]}, "unknown"),
        ({"status": "refunded", "payments": None}, "unknown"), ({"amount": "15050"}, "unknown"), ({"id": "another"}, "unknown"),
    ],
)  # fmt: skip
async def test_every_state_of_an_invoice(provider: Provider, http: Http, body: dict[str, Any], words: str) -> None:
    """O3, O12: what is neither paid nor over is not known."""
    invoice = {"id": INVOICE, "status": "initiated", "amount": 15050, "currency": "SAR", "metadata": {"attempt": "1"}, "payments": []}
    provider.tell(f"/invoices/{INVOICE}", says({**invoice, **body}))
    attempt = an_attempt(INVOICE, gateway="moyasar", money=Money(150_50, "SAR"))
    said = await Moyasar(http, provider.url, "https://shop.example").fetch(attempt, KEYS)
    assert said.result == words and said.receipt is None
    assert said.outcome is {"card_declined": Outcome.DECLINED, "expired": Outcome.DECLINED, "waiting": Outcome.PENDING}.get(
        words, Outcome.UNKNOWN
    )
    assert said.ref == INVOICE


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x/", "", None, "https:///nowhere", "https://a b/", "https://" + "a" * 2001])
async def test_a_page_that_is_no_address_is_not_shown(provider: Provider, http: Http, url: object) -> None:
    provider.tell("/invoices", says({"id": INVOICE, "status": "initiated", "amount": 15050, "currency": "SAR", "url": url}, 201))
    said = await Moyasar(http, provider.url, "https://shop.example").start(an_ask(money=Money(150_50, "SAR"), credentials=KEYS))
    assert (said.outcome, said.ref, said.url) == (Outcome.UNKNOWN, INVOICE, None)


async def test_a_request_says_exactly_what_the_documentation_asks(provider: Provider, http: Http) -> None:
    made: dict[str, Any] = {
        "id": INVOICE,
        "status": "initiated",
        "amount": 1505,
        "currency": "KWD",
        "url": f"https://checkout.moyasar.com/invoices/{INVOICE}?lang=en",
    }
    provider.tell("/invoices", says(made, 201))
    ask = an_ask(
        money=Money(1_505, "KWD"), credentials=KEYS, callback_token="t0ken", back_url="https://shop.example/pay/1",
        expires_at=datetime(2026, 11, 21, 12, 30, tzinfo=timezone(timedelta(hours=3))),
    )  # fmt: skip
    said = await Moyasar(http, provider.url, "https://shop.example/").start(ask)
    assert said == Reply(Outcome.PENDING, INVOICE, url=made["url"])
    (heard,) = provider.heard
    basic = "Basic " + base64.b64encode(f"{KEYS['secret_key']}:".encode()).decode()
    assert (heard.method, heard.headers["Authorization"], heard.headers["Content-Type"]) == ("POST", basic, "application/json")
    assert heard.json() == {
        "amount": 1505, "currency": "KWD", "description": "PL-7K2QD Order", "callback_url": "https://shop.example/callbacks/moyasar/t0ken/invoice",
        "success_url": "https://shop.example/pay/1", "back_url": "https://shop.example/pay/1", "expired_at": "2026-11-21T09:30:00Z",
        "metadata": {"attempt": "1", "reference": "PL-7K2QD"},
    }  # fmt: skip


async def test_a_provider_that_is_not_there_was_not_asked(http: Http) -> None:
    """O2: before it was sent."""
    gone = Moyasar(http, "http://127.0.0.1:9", "https://shop.example")
    assert await gone.start(an_ask(money=Money(150_50, "SAR"), credentials=KEYS)) == Reply(
        Outcome.NOT_SENT, result="try_later", retry_after_s=5
    )
    assert (await gone.refund(a_refund(), PAYMENT, KEYS, "t")).outcome is Outcome.NOT_SENT
    assert (await gone.fetch(an_attempt(INVOICE), KEYS)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("after", [{"refunded": 15_051}, {"refunded": 0}, {"refunded": "50"}, {"id": "another"}, {}])
async def test_a_refund_of_something_else_is_not_ours(provider: Provider, http: Http, after: dict[str, Any]) -> None:
    """O12: another amount or payment than was asked for is for a person."""
    payment = {"id": PAYMENT, "status": "paid", "amount": 15050, "currency": "SAR", "refunded": 0}
    provider.tell(f"/payments/{PAYMENT}", says(payment))
    refund = a_refund(money=Money(50, "SAR"))
    gateway = Moyasar(http, provider.url, "https://shop.example")
    provider.tell(f"/payments/{PAYMENT}/refund", says({**payment, "refunded": 50, "status": "refunded"}, 201))
    assert await gateway.refund(refund, PAYMENT, KEYS, "t") == Reply(Outcome.SUCCEEDED, f"{PAYMENT}:50", "refunded")
    provider.tell(f"/payments/{PAYMENT}/refund", says({**payment, "refunded": 50, **after} if after else {"refunded": None}, 201))
    assert await gateway.refund(refund, PAYMENT, KEYS, "t") == Reply(Outcome.UNKNOWN, result="unknown")
    assert json.loads(provider.at(f"/payments/{PAYMENT}/refund")[0].body) == {"amount": 50}


@pytest.mark.parametrize("language", ["en", "sw", "ar"])
def test_the_payer_finds_words_for_whatever_becomes_of_a_page(language: str) -> None:
    """`paid` and `refunded` end no try of a payer by themselves: the general words do for them."""
    catalog = tomllib.loads((Path(__file__).parents[2] / f"templates/locales/{language}/errors.toml").read_text("utf-8"))
    told = (
        {word for _, word in MEANING.values()} | {*CARD.values(), *FIELD.values()} | {"configuration", "try_later", "not_sent", "unknown"}
    )
    assert sorted(told - set(catalog["payment_page"])) == ["paid", "refunded"]
    assert sorted(WORDS - set(catalog["payment"]) - set(catalog["payment_page"])) == []
