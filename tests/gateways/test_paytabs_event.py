"""What PayTabs posts and replies, read strictly: the signature, every letter, and bodies that nobody should send."""

from __future__ import annotations

import json
import tomllib
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.money import EXPONENTS, MOST_MINOR, Money
from domain.payment import About, Outcome, Proof, Reply, Unreadable
from gateways.http import Http, read_json
from gateways.payments.paytabs import FIELDS, PayTabs
from gateways.payments.paytabs_codes import REFUND, REFUSED, SALE, WHY, WORDS
from gateways.payments.paytabs_events import encode, read_notice
from tests.gateways.paytabs_ground import KEY, KEYS, a_callback, signature
from tests.gateways.provider import HandClock, Provider, Say, a_refund, an_ask, an_attempt, hangs_up, says

SUM = Money(150_50, "SAR")
REQUEST, QUERY = "/payment/request", "/payment/query"


@pytest.fixture
def gateway(provider: Provider, http: Http, clock: HandClock) -> PayTabs:
    return PayTabs(http, clock, "https://shop.example", provider.url)


def authentic(gateway: PayTabs, raw: bytes, headers: dict[str, str] | None = None, **changed: str) -> bool:
    return gateway.authentic("event", raw, signature(raw) if headers is None else headers, "192.0.2.1", {**KEYS, **changed})


def result(letter: object, code: object = "0") -> dict[str, Any]:
    return {"payment_result": {"response_status": letter, "response_code": code, "response_message": "x"}}


def test_the_fields_are_those_that_are_read() -> None:
    assert set(FIELDS) == set(KEYS)


def test_the_example_of_their_documentation(gateway: PayTabs) -> None:
    raw = a_callback()
    assert authentic(gateway, raw)
    assert authentic(gateway, raw, {"Signature": signature(raw)["signature"]})
    notice = gateway.parse("event", raw, {})
    assert (notice.gateway, notice.kind, notice.outcome, notice.proof, notice.about) == (
        "paytabs", "event", Outcome.SUCCEEDED, Proof.PROOF, About.PAYMENT
    )  # fmt: skip
    assert (notice.attempt_id, notice.ref, notice.receipt, notice.money, notice.result) == (
        4211, "TST2610500912345", "TST2610500912345", SUM, "paid"
    )  # fmt: skip
    assert gateway.parse("event", a_callback(ipn_trace="IPNS0001"), {}).event_key == notice.event_key


def test_a_wrong_an_empty_and_an_old_key(gateway: PayTabs) -> None:
    """C5, C20: the one before is good as long as it is set; an empty key signs nothing."""
    raw = a_callback()
    assert not authentic(gateway, raw + b" ", signature(raw))
    assert not authentic(gateway, raw, signature(raw, "another"))
    assert not authentic(gateway, raw, signature(raw, ""), server_key="")
    assert not authentic(gateway, raw, {})
    assert not authentic(gateway, raw, {"signature": ""})
    assert not authentic(gateway, raw, {"signature": "é" * 64})
    assert not authentic(gateway, raw, {"signature": signature(raw)["signature"].upper()})
    assert authentic(gateway, raw, server_key="the new one", server_key_before=KEY)
    assert not authentic(gateway, raw, server_key="the new one")
    assert not gateway.authentic("strange", raw, signature(raw), "", KEYS)


def test_a_body_of_another_profile_is_not_ours(gateway: PayTabs) -> None:
    """C10."""
    assert not authentic(gateway, a_callback(profile_id=54321))
    assert authentic(gateway, a_callback(profile_id="12345"))
    assert authentic(gateway, b"signed, and not JSON")


@pytest.mark.parametrize("letter", sorted(SALE))
def test_every_letter_of_a_sale(gateway: PayTabs, letter: str) -> None:
    """C3: only A of a sale is money."""
    notice = gateway.parse("event", a_callback(**result(letter)), {})
    assert (notice.outcome, notice.result) == SALE[letter]
    assert (notice.money == SUM) is (notice.receipt is not None) is (letter == "A")
    assert notice.result in WORDS
    held = gateway.parse("event", a_callback(**result(letter), tran_type="Auth"), {})
    assert held.outcome is not Outcome.SUCCEEDED and held.money is None


@pytest.mark.parametrize("letter", sorted(REFUND))
@pytest.mark.parametrize("kind", ["Refund", "Void", "release"])
def test_every_letter_of_what_goes_back(gateway: PayTabs, letter: str, kind: str) -> None:
    """C3: it is about the sale before it, and about our refund where the cart is one of ours."""
    raw = a_callback(**result(letter), tran_type=kind, previous_tran_ref="TST1", cart_id="payloom-refund-77", tran_ref="TST2")
    notice = gateway.parse("event", raw, {})
    assert (notice.about, notice.outcome, notice.result) == (About.REFUND, *REFUND[letter])
    assert (notice.ref, notice.refund_ref, notice.refund_id, notice.attempt_id, notice.receipt, notice.money) == (
        "TST1", "TST2", 77, None, None, SUM
    )  # fmt: skip


@pytest.mark.parametrize("code,words", sorted(WHY.items()))
def test_a_code_says_why_a_card_was_refused(gateway: PayTabs, code: str, words: str) -> None:
    for said in (code, int(code)):
        assert gateway.parse("event", a_callback(**result("D", said)), {}).result == words
    assert gateway.parse("event", a_callback(**result("A", code)), {}).result == "paid"


@pytest.mark.parametrize(
    "changed", [result("Z"), result(""), result(None), {"payment_result": None}, {"tran_type": "Capture"}, {"tran_type": "register"}]
)
def test_what_we_do_not_know_means_nothing(gateway: PayTabs, changed: dict[str, Any]) -> None:
    """C16."""
    notice = gateway.parse("event", a_callback(**changed), {})
    assert (notice.outcome, notice.money, notice.receipt) == (Outcome.UNKNOWN, None, None)
    assert gateway.parse("event", a_callback(more={"deep": [1]}), {}).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("cart", ["4211", "payloom-0", "payloom--1", "payloom-٤", "payloom-" + "9" * 20, "", None, "payloom-1 "])
def test_a_cart_that_is_not_ours_names_no_attempt(gateway: PayTabs, cart: object) -> None:
    """C10: another shop may use the same profile."""
    assert gateway.parse("event", a_callback(cart_id=cart), {}).attempt_id is None


def test_what_was_charged_counts_and_not_what_was_asked(gateway: PayTabs) -> None:
    """C8, C9, C16: a surcharge, a conversion, a currency that we do not know."""
    assert gateway.parse("event", a_callback(tran_total="155.00"), {}).money == Money(155_00, "SAR")
    assert gateway.parse("event", a_callback(tran_total="40.10", tran_currency="USD"), {}).money == Money(40_10, "USD")
    assert gateway.parse("event", a_callback(tran_total=None), {}).money == SUM
    assert gateway.parse("event", a_callback(tran_total="0.00"), {}).money == Money(0, "SAR")
    strange = gateway.parse("event", a_callback(tran_currency="XTS"), {})
    assert (strange.outcome, strange.money) == (Outcome.UNKNOWN, None)


@pytest.mark.parametrize(
    "changed",
    [
        {"cart_amount": "-1.00"}, {"cart_amount": "1e3"}, {"cart_amount": "1,000.00"}, {"cart_amount": "١٥٠"}, {"cart_amount": "150.505"}, {"cart_amount": True},
        {"cart_amount": None}, {"cart_amount": []}, {"cart_amount": "9" * 13}, {"cart_amount": 10**30}, {"tran_total": "Infinity"}, {"cart_currency": None},
        {"tran_ref": None}, {"tran_ref": "a b"}, {"tran_ref": "../x"}, {"tran_ref": "T" * 65}, {"tran_type": None}, {"payment_result": []},
        {"payment_result": {"response_status": 1}}, {"cart_id": 7}, {"cart_id": "x" * 129}, {"profile_id": True}, {"profile_id": [1]}, {"previous_tran_ref": 7},
    ],
)  # fmt: skip
def test_what_cannot_be_theirs_is_unreadable(gateway: PayTabs, changed: dict[str, Any]) -> None:
    """C8, C17."""
    with pytest.raises(Unreadable):
        gateway.parse("event", a_callback(**changed), {})


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"null", b"[]", b"<html>", b"\xff\xfe", a_callback()[:-20], a_callback().replace(b'"150.50"', b"NaN"), a_callback().replace(b'"150.50"', b"1e999"),
        a_callback().replace(b'"cart_id"', b'"tran_ref"'), a_callback().replace(b"Riyadh", b"x").replace(b"A B", b"\\u0000"), b"[" * 5000,
        b'{"a":' * 30 + b"1" + b"}" * 30, b" " * (65 << 10),
    ],
)  # fmt: skip
def test_bodies_that_nobody_should_send(gateway: PayTabs, raw: bytes) -> None:
    """C17: refused as unreadable, and nothing else is raised."""
    with pytest.raises(Unreadable):
        gateway.parse("event", raw, {})
    authentic(gateway, raw)
    with pytest.raises(Unreadable):
        gateway.parse("strange", a_callback(), {})


def test_a_change_of_the_same_transaction_is_another_event(gateway: PayTabs) -> None:
    """C1, C3."""
    bodies = [
        a_callback(),
        a_callback(**result("H")),
        a_callback(tran_total="1.00"),
        a_callback(tran_ref="TST2"),
        a_callback(cart_id="payloom-1"),
    ]
    keys = [gateway.parse("event", raw, {}).event_key for raw in bodies]
    assert len(set(keys)) == len(keys)
    long = gateway.parse("event", a_callback(tran_ref="T" * 64, cart_id="c" * 128), {}).event_key
    assert len(long) <= 160


amounts = st.builds(Money, st.integers(1, MOST_MINOR), st.sampled_from(sorted(EXPONENTS)))


@given(amounts)
def test_an_amount_is_written_as_an_exact_number(money: Money) -> None:
    """C8: never a float, never more decimals than the currency has, and the same number for whoever reads it."""
    raw = encode({"cart_amount": money, "cart_id": 'a"\u0661'})
    told = json.loads(raw, parse_float=Decimal, parse_int=Decimal)["cart_amount"]
    assert told == Decimal(money.amount_minor).scaleb(-EXPONENTS[money.currency])
    assert read_json(raw)["cart_id"] == 'a"\u0661'


@given(amounts, st.booleans())
def test_an_amount_is_read_back_exactly(money: Money, as_text: bool) -> None:
    text = money.major
    raw = a_callback(cart_currency=money.currency, tran_currency=money.currency, cart_amount="AMOUNT", tran_total="AMOUNT")
    raw = raw.replace(b'"AMOUNT"', f'"{text}"'.encode() if as_text else text.encode())
    assert read_notice("event", raw).money == money


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_unreadable(raw: bytes) -> None:
    """C17."""
    try:
        read_notice("event", raw)
    except Unreadable:
        return


async def test_a_request_says_exactly_what_the_documentation_asks(provider: Provider, gateway: PayTabs, clock: HandClock) -> None:
    reply = {
        "tran_ref": "TST1", "tran_type": "Sale", "cart_id": "payloom-1", "cart_currency": "SAR", "cart_amount": "150.50", "tran_total": "0",
        "redirect_url": "https://secure.paytabs.sa/payment/page/5A", "profileId": 12345,
    }  # fmt: skip
    provider.tell(REQUEST, says(reply))
    ask = an_ask(money=SUM, credentials=KEYS, phone=None, callback_token="t0ken", back_url="https://shop.example/pay/1", language="ar")
    assert await gateway.start(ask) == Reply(Outcome.PENDING, "TST1", url="https://secure.paytabs.sa/payment/page/5A")
    (heard,) = provider.heard
    assert (heard.method, heard.headers["Authorization"], heard.headers["Content-Type"]) == ("POST", KEY, "application/json")
    assert b'"cart_amount":150.50,' in heard.body
    assert heard.json() == {
        "profile_id": 12345, "tran_type": "sale", "tran_class": "ecom", "cart_id": "payloom-1", "cart_description": "PL-7K2QD Order",
        "cart_currency": "SAR", "cart_amount": 150.5, "callback": "https://shop.example/callbacks/paytabs/t0ken",
        "return": "https://shop.example/pay/1", "return_using_get": True, "hide_shipping": True, "paypage_lang": "ar", "paypage_ttl": 30,
        "payment_methods": ["all"],
    }  # fmt: skip
    assert KEY not in repr(gateway)


@pytest.mark.parametrize(
    "say,outcome,words",
    [
        (says({"code": 1, "message": "x"}, 401), Outcome.DECLINED, "configuration"),
        (says("", 401), Outcome.DECLINED, "configuration"),
        (says({"code": 2, "message": "x"}, 400), Outcome.DECLINED, "configuration"),
        (says({"code": 206, "message": "x"}, 400), Outcome.DECLINED, "currency_refused"),
        (says({"code": "206", "message": "x"}), Outcome.DECLINED, "currency_refused"),
        (says({"code": 4, "message": "Duplicate Request"}, 409), Outcome.UNKNOWN, "unknown"),
        (says({"code": 400, "message": "x"}, 500), Outcome.UNKNOWN, "unknown"),
        (says({"message": "x"}, 404), Outcome.DECLINED, "configuration"),
        (says({}, 200), Outcome.UNKNOWN, "unknown"),
        (says(b"[]", 200), Outcome.UNKNOWN, "unknown"),
        (says(b"[1]", 200), Outcome.UNKNOWN, "unknown"),
        (says(b'{"tran_ref":', 200), Outcome.UNKNOWN, "unknown"),
        (says("<html>", 502), Outcome.UNKNOWN, "unknown"),
        (says({"tran_ref": "TST1", "tran_type": "Sale"}), Outcome.UNKNOWN, "unknown"),
        (hangs_up, Outcome.UNKNOWN, "unknown"),
    ],
)
async def test_every_answer_to_a_request(provider: Provider, gateway: PayTabs, say: Say, outcome: Outcome, words: str) -> None:
    """O2, O3: what may have been taken is UNKNOWN, what was refused is not."""
    provider.tell(REQUEST, say)
    said = await gateway.start(an_ask(money=SUM, credentials=KEYS, phone=None))
    assert (said.outcome, said.result, said.url) == (outcome, words, None)
    assert len(provider.heard) == 1


async def test_a_provider_that_is_not_there_was_not_asked(http: Http, clock: HandClock) -> None:
    """O2: before it was sent."""
    gone = PayTabs(http, clock, "https://shop.example", "http://127.0.0.1:9")
    assert await gone.start(an_ask(money=SUM, credentials=KEYS)) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=5)
    assert (await gone.refund(a_refund(), "TST1", KEYS, "t")).outcome is Outcome.NOT_SENT
    assert (await gone.fetch(an_attempt("TST1", money=SUM), KEYS)).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x/", "", None, "https:///nowhere", "https://a b/", "https://" + "a" * 2001])
async def test_a_page_that_is_no_address_is_not_shown(provider: Provider, gateway: PayTabs, url: object) -> None:
    provider.tell(REQUEST, says(json.loads(a_callback(cart_id="payloom-1", tran_total="0")) | {"redirect_url": url}))
    said = await gateway.start(an_ask(money=SUM, credentials=KEYS))
    assert (said.outcome, said.ref, said.url) == (Outcome.UNKNOWN, "TST2610500912345", None)


async def test_of_several_of_one_cart_the_paid_one_counts(provider: Provider, gateway: PayTabs) -> None:
    """C3, O12."""
    tries = [json.loads(a_callback(cart_id="payloom-1", tran_ref=f"TST{n}", **result(letter))) for n, letter in enumerate("DCPAE")]
    attempt = an_attempt(None, gateway="paytabs", money=SUM)
    for kept, outcome, ref in ((5, Outcome.SUCCEEDED, "TST3"), (3, Outcome.PENDING, "TST2"), (2, Outcome.DECLINED, "TST1")):
        provider.tell(QUERY, says(json.dumps(tries[:kept]).encode()))
        said = await gateway.fetch(attempt, KEYS)
        assert (said.outcome, said.ref, said.receipt) == (outcome, ref, "TST3" if outcome is Outcome.SUCCEEDED else None)
    provider.tell(QUERY, says(json.dumps([{**tries[3], "tran_ref": "a b"}]).encode()))
    assert await gateway.fetch(attempt, KEYS) == Reply(Outcome.UNKNOWN, None, "unknown")


async def test_a_refund_of_something_else_is_not_ours(provider: Provider, gateway: PayTabs) -> None:
    """O12: another amount, sale or cart than was asked for."""
    refund = a_refund(money=Money(50_00, "SAR"))
    right = json.loads(
        a_callback(tran_type="Refund", cart_id="payloom-refund-1", previous_tran_ref="TST1", cart_amount="50.00", tran_total="50.00")
    )
    provider.tell(QUERY, says(b"[]"))
    provider.tell(REQUEST, says(right))
    assert (await gateway.refund(refund, "TST1", KEYS, "t")).outcome is Outcome.SUCCEEDED
    wrong: list[dict[str, Any]] = [
        {"cart_amount": "50.01"}, {"cart_currency": "USD"}, {"previous_tran_ref": "TST9"}, {"cart_id": "payloom-refund-2"}, {"tran_type": "Sale"}, {"tran_ref": None},
    ]  # fmt: skip
    for changed in wrong:
        provider.tell(REQUEST, says({**right, **changed}))
        assert await gateway.refund(refund, "TST1", KEYS, "t") == Reply(Outcome.UNKNOWN, result="unknown")
    provider.tell(REQUEST, says(b"[]"))
    assert await gateway.refund(refund, "TST1", KEYS, "t") == Reply(Outcome.UNKNOWN, result="unknown")


@pytest.mark.parametrize("language", ["en", "sw", "ar"])
def test_the_payer_finds_words_for_whatever_becomes_of_a_page(language: str) -> None:
    """`paid` and `refunded` end no try of a payer by themselves: the general words do for them."""
    catalog = tomllib.loads((Path(__file__).parents[2] / f"templates/locales/{language}/errors.toml").read_text("utf-8"))
    told = (
        {word for _, word in SALE.values()}
        | {*WHY.values(), *REFUSED.values()}
        | {"amount_refused", "configuration", "try_later", "not_sent", "unknown"}
    )
    assert sorted(told - set(catalog["payment_page"])) == ["paid", "refunded"]
    assert sorted(WORDS - set(catalog["payment"]) - set(catalog["payment_page"])) == []
