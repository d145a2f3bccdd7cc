"""The STK push: exactly what is sent, and what every answer means."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.money import Money
from domain.payment import Outcome, Reply
from gateways.http import Http
from gateways.payments.daraja import FORBIDDEN, LIVE, SANDBOX, Daraja
from gateways.payments.daraja_codes import WORDS
from tests.gateways.provider import KEYS, TOKEN, HandClock, Provider, Say, an_ask, error, half, hangs_up, says, sleeps

PUSH = "/mpesa/stkpush/v1/processrequest"
QUEUED = {
    "MerchantRequestID": "2654-1",
    "CheckoutRequestID": "ws_CO_1",
    "ResponseCode": "0",
    "ResponseDescription": "x",
    "CustomerMessage": "x",
}


async def test_a_push_says_exactly_what_the_documentation_asks(provider: Provider, daraja: Daraja) -> None:
    provider.tell(PUSH, says(QUEUED))
    assert await daraja.start(an_ask()) == Reply(Outcome.PENDING, "ws_CO_1")
    token, push = provider.heard
    assert (token.method, token.path, token.query) == ("GET", "/oauth/v1/generate", "grant_type=client_credentials")
    assert token.headers["Authorization"] == "Basic " + base64.b64encode(b"town-key:town-secret").decode()
    assert (push.method, push.headers["Content-Type"], push.headers["Authorization"]) == ("POST", "application/json", "Bearer " + "a" * 28)
    assert push.json() == {
        "BusinessShortCode": "174379",
        "Password": base64.b64encode(f"174379{KEYS['passkey']}20261121120005".encode()).decode(),
        "Timestamp": "20261121120005",
        "TransactionType": "CustomerPayBillOnline",
        "Amount": 2500,
        "PartyA": "254712345678",
        "PartyB": "174379",
        "PhoneNumber": "254712345678",
        "CallBackURL": f"https://shop.example/callbacks/daraja/{TOKEN}/stk",
        "AccountReference": "PL7K2QD",
        "TransactionDesc": "Order",
    }


async def test_the_timestamp_is_nairobi_time_on_the_next_day(provider: Provider, daraja: Daraja, clock: HandClock) -> None:
    provider.tell(PUSH, says(QUEUED))
    clock.at = datetime(2026, 12, 31, 21, 0, 0, tzinfo=UTC)
    await daraja.start(an_ask())
    assert provider.heard[-1].json()["Timestamp"] == "20270101000000"


async def test_a_till_is_paid_at_its_own_number(provider: Provider, daraja: Daraja) -> None:
    provider.tell(PUSH, says(QUEUED))
    await daraja.start(an_ask(credentials={**KEYS, "transaction_type": "BUYGOODS", "till": "555111"}))
    body = provider.heard[-1].json()
    assert (body["TransactionType"], body["BusinessShortCode"], body["PartyB"]) == ("CustomerBuyGoodsOnline", "174379", "555111")


@pytest.mark.parametrize(
    "reference,description,sent",
    [
        ("PL-7K2QD/ABCDEFGHI", "Café – two chairs", ("PL7K2QDABCDE", "Cafe  two cha")),
        ("", "", ("PAYLOOM", "Payment")),
        ("طلب", "طلب رقم ١", ("PAYLOOM", "Payment")),
    ],
)
async def test_texts_fit_the_prompt(provider: Provider, daraja: Daraja, reference: str, description: str, sent: tuple[str, str]) -> None:
    provider.tell(PUSH, says(QUEUED))
    await daraja.start(an_ask(reference=reference, description=description))
    body = provider.heard[-1].json()
    assert (body["AccountReference"], body["TransactionDesc"]) == sent
    assert body["AccountReference"].isalnum()
    assert 1 <= len(body["TransactionDesc"]) <= 13


@pytest.mark.parametrize(
    "changed,words",
    [
        ({"money": Money(2500_50, "KES")}, "amount_refused"),
        ({"money": Money(0, "KES")}, "amount_refused"),
        ({"money": Money(-100, "KES")}, "amount_refused"),
        ({"money": Money(2500_00, "USD")}, "amount_refused"),
        ({"phone": None}, "phone_refused"),
        ({"phone": "+254202345678"}, "phone_refused"),
        ({"phone": "+966512345678"}, "phone_refused"),
        ({"credentials": {}}, "configuration"),
        ({"credentials": {**KEYS, "passkey": " "}}, "configuration"),
        ({"credentials": {**KEYS, "consumer_key": "clé"}}, "configuration"),
        ({"credentials": {**KEYS, "transaction_type": "OTHER"}}, "configuration"),
    ],
)
async def test_what_cannot_be_asked_is_not_sent(provider: Provider, daraja: Daraja, changed: dict[str, Any], words: str) -> None:
    assert await daraja.start(an_ask(**changed)) == Reply(Outcome.DECLINED, result=words)
    assert provider.heard == []


DECLINED, NOT_SENT, UNKNOWN = Outcome.DECLINED, Outcome.NOT_SENT, Outcome.UNKNOWN


@pytest.mark.parametrize(
    "say,reply",
    [
        (error("400.002.02", "Bad Request - Invalid PhoneNumber"), Reply(DECLINED, result="phone_refused")),
        (error("400.002.02", "Bad Request - Invalid Amount"), Reply(DECLINED, result="amount_refused")),
        (error("400.002.02", "Bad Request - Invalid CallBackURL"), Reply(DECLINED, result="address_refused")),
        (error("400.002.02", "Bad Request - Invalid BusinessShortCode"), Reply(DECLINED, result="configuration")),
        (error("400.002.05", "Invalid Request Payload"), Reply(DECLINED, result="configuration")),
        (error("404.001.01", "Resource not found"), Reply(DECLINED, result="configuration")),
        (error("405.001", "Method Not Allowed"), Reply(DECLINED, result="configuration")),
        (error("500.001.1001", "Merchant does not exist"), Reply(DECLINED, result="configuration")),
        (error("500.001.1001", "Wrong credentials"), Reply(DECLINED, result="configuration")),
        (error("500.001.1001", "Unable to lock subscriber, a transaction is already in process"), Reply(DECLINED, result="phone_busy")),
        (error("500.001.1001", "[STK_CB - ]Unable to lock subscriber"), Reply(DECLINED, result="phone_busy")),
        (error("500.001.1001", "something else"), Reply(UNKNOWN, result="unknown")),
        (error("500.003.02", "System is busy. Please try again in few minutes."), Reply(NOT_SENT, None, "try_later", 5)),
        (error("500.003.02", "Error Occurred: Spike Arrest Violation"), Reply(NOT_SENT, None, "try_later", 5)),
        (error("500.003.03", "Error Occurred: Quota Violation"), Reply(NOT_SENT, None, "try_later", 60)),
        (error("500.003.1001", "Internal Server Error"), Reply(UNKNOWN, result="unknown")),
        (error("R000001", "no such thing for a push", 500), Reply(UNKNOWN, result="unknown")),
        (error("777.1", "new", 200), Reply(UNKNOWN, result="unknown")),
        (says("slow down", 429), Reply(NOT_SENT, None, "try_later", 10)),
        (says({}, 429, **{"Retry-After": "33"}), Reply(NOT_SENT, None, "try_later", 33)),
        (says({}, 429, **{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}), Reply(NOT_SENT, None, "try_later", 10)),
        (says({"fault": {"faultstring": "Invalid API call as no apiproduct match found"}}, 403), Reply(DECLINED, result="configuration")),
        (says({"fault": {"faultstring": "Spike arrest violation"}}, 500), Reply(NOT_SENT, None, "try_later", 5)),
        (says({"fault": {"faultstring": "gateway timeout"}}, 504), Reply(UNKNOWN, result="unknown")),
        (says("<html>Service Temporarily Unavailable</html>"), Reply(UNKNOWN, result="unknown")),
        (says("<html>Bad Gateway</html>", 502), Reply(UNKNOWN, result="unknown")),
        (says("<html>Forbidden</html>", 403), Reply(UNKNOWN, result="unknown")),
        (says(b""), Reply(UNKNOWN, result="unknown")),
        (says(b"{}"), Reply(UNKNOWN, result="unknown")),
        (says(b"[]"), Reply(UNKNOWN, result="unknown")),
        (says(b'{"MerchantRequestID":"1","CheckoutReq'), Reply(UNKNOWN, result="unknown")),
        (says(QUEUED, 500), Reply(UNKNOWN, result="unknown")),
        (says({**QUEUED, "ResponseCode": "1"}), Reply(UNKNOWN, result="unknown")),
        (says({**QUEUED, "CheckoutRequestID": ""}), Reply(UNKNOWN, result="unknown")),
        (says({**QUEUED, "CheckoutRequestID": 7}), Reply(UNKNOWN, result="unknown")),
        (says({**QUEUED, "ResponseCode": 0, "New": {}}), Reply(Outcome.PENDING, "ws_CO_1")),
        (hangs_up, Reply(UNKNOWN, result="unknown")),
        (half, Reply(UNKNOWN, result="unknown")),
        (sleeps, Reply(UNKNOWN, result="unknown")),
    ],
)
async def test_what_an_answer_to_a_push_means(provider: Provider, daraja: Daraja, say: Say, reply: Reply) -> None:
    """O1, O2, O3: never failed or paid where that is not known; and never sent a second time by itself."""
    provider.tell(PUSH, say)
    assert await daraja.start(an_ask()) == reply
    assert len(provider.at(PUSH)) == 1
    assert reply.result is None or reply.result in WORDS


async def test_a_provider_that_is_not_there_was_not_asked(http: Http, clock: HandClock) -> None:
    """O2."""
    gateway = Daraja(http, "http://127.0.0.1:9", clock, "https://shop.example")
    assert await gateway.start(an_ask()) == Reply(NOT_SENT, None, "try_later", 5)
    assert await gateway.check(KEYS) == "try_later"


@pytest.mark.parametrize(
    "base",
    ["https://mpesa.shop.example", "https://shop.example/sql", "https://x.ngrok.io", "https://Shop.example", "shop.example", "https://"],
)
def test_an_address_daraja_would_refuse_is_refused_at_the_start(http: Http, clock: HandClock, base: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Daraja(http, SANDBOX, clock, base)


@pytest.mark.parametrize("kind", ["stk", "reversal", "reversal-late"])
@pytest.mark.parametrize("token", [TOKEN, "xxEXEcCMDsqlxxQueryMpesaSafaricom", "exexexexeSQLsqlCmdcmd"])
def test_no_callback_address_has_a_forbidden_word(http: Http, clock: HandClock, kind: str, token: str) -> None:
    url = Daraja(http, LIVE, clock, "https://shop.example/").callback_url(token, kind)
    assert not any(word in url.lower() for word in (*FORBIDDEN, "exec"))
    assert url.startswith("https://shop.example/callbacks/daraja/")


def test_what_it_can_do_is_data(http: Http, clock: HandClock) -> None:
    ability = Daraja(http, LIVE, clock, "https://shop.example").ability
    assert (ability.gateway, ability.least_minor, ability.most_minor, ability.step_minor) == ("daraja", 100, 250_000_00, {"KES": 100})
