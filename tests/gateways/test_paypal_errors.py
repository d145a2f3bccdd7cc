"""PayPal when it does not do as asked: every refusal, every kind of silence, and its tokens."""

from __future__ import annotations

import asyncio
import re
import tomllib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

import templates
from domain.money import Money
from domain.payment import Outcome, Reply
from gateways.http import Http
from gateways.payments.paypal import PayPal
from gateways.payments.paypal_codes import PAYMENT, REFUND, WORDS
from templates.words import LANGUAGES
from tests.gateways.paypal_ground import BACK, CREDENTIALS, Ground, paypal_ground
from tests.gateways.provider import HandClock, Provider, Say, an_ask, an_attempt, half, hangs_up, says, sleeps

TOKEN, ORDERS = "/v1/oauth2/token", "/v2/checkout/orders"
A_TOKEN = says({"access_token": "A21AA" + "x" * 60, "token_type": "Bearer", "expires_in": 32400})


@pytest_asyncio.fixture
async def ground() -> AsyncIterator[Ground]:
    async with paypal_ground() as made:
        yield made


@pytest_asyncio.fixture
async def paypal(provider: Provider, http: Http, clock: HandClock) -> AsyncIterator[PayPal]:
    provider.tell(TOKEN, A_TOKEN)
    gateway = PayPal(http, provider.url, clock)
    yield gateway
    await gateway.aclose()


def ask(**changed: Any) -> Any:
    return an_ask(money=Money(2000, "USD"), phone=None, credentials=CREDENTIALS, back_url=BACK, key="key-1", **changed)


def attempt() -> Any:
    return an_attempt("5O190127TN364715T", gateway="paypal", money=Money(2000, "USD"))


def refused(issue: str, status: int = 422) -> Say:
    return says({"name": "UNPROCESSABLE_ENTITY", "message": "m", "debug_id": "d", "details": [{"issue": issue}], "links": []}, status)


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_outcome_has_a_sentence(language: str) -> None:
    path = Path(templates.__file__).parent / "locales" / language / "errors.toml"
    said = tomllib.loads(path.read_text("utf-8"))["payment"]
    assert not WORDS - set(said)


@pytest.mark.parametrize("issue", sorted(PAYMENT))
async def test_every_issue_of_a_capture_is_understood(ground: Ground, issue: str) -> None:
    """O5: and a refusal that is none is never called one."""
    mine = await ground.start()
    ground.pay(mine)
    ground.fault("capture_issue", issue=issue)
    outcome, words = PAYMENT[issue]
    reply = await ground.fetch(mine)
    if issue in ("ORDER_ALREADY_CAPTURED", "ORDER_COMPLETED_OR_VOIDED"):
        outcome, words = Outcome.PENDING, "paypal_waiting"  # asked again, the order says that it is only approved
    assert reply == Reply(outcome, mine.ref, words)


async def test_an_issue_nobody_knows_is_unknown(ground: Ground) -> None:
    mine = await ground.start()
    ground.pay(mine)
    ground.fault("capture_issue", issue="SOMETHING_NEW")
    assert await ground.fetch(mine) == Reply(Outcome.UNKNOWN, mine.ref, "unknown")
    assert (await ground.fetch(mine)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize(
    "issue,words",
    [("INVALID_CURRENCY_CODE", "amount_refused"), ("PAYEE_ACCOUNT_RESTRICTED", "configuration"), ("SOMETHING_NEW", "configuration"),
     ("PAYER_CANNOT_PAY", "paypal_cannot_pay"), ("ORDER_NOT_APPROVED", "configuration")],
)  # fmt: skip
async def test_a_refused_order_is_declined(provider: Provider, paypal: PayPal, issue: str, words: str) -> None:
    provider.tell(ORDERS, refused(issue))
    assert await paypal.start(ask()) == Reply(Outcome.DECLINED, result=words)


@pytest.mark.parametrize(
    "say",
    [
        says({"name": "INTERNAL_SERVER_ERROR", "message": "m", "debug_id": "d"}, 500),
        says("<html>", 502),
        says("<html>"),
        says(b""),
        says(b"{"),
        says([]),
        says({}),
        says({"id": "has space"}),
        says({"name": "RESOURCE_CONFLICT", "details": [{"issue": "PREVIOUS_REQUEST_IN_PROGRESS"}]}, 409),
        says({"error": "strange"}, 400),
        says({"id": "1"}, 302),
        hangs_up,
        half,
        sleeps,
    ],
)
async def test_silence_and_nonsense_are_unknown_and_asked_once_more_under_one_key(provider: Provider, paypal: PayPal, say: Say) -> None:
    """O2, O3, C17: never paid, never failed."""
    provider.tell(ORDERS, say)
    provider.tell(f"{ORDERS}/5O190127TN364715T", say)
    reply = await paypal.start(ask())
    assert (reply.outcome, reply.result, reply.url) == (Outcome.UNKNOWN, "unknown", None)
    assert 1 <= len(provider.at(ORDERS)) <= 2
    assert {heard.headers["PayPal-Request-Id"] for heard in provider.at(ORDERS)} == {"key-1"}
    reply = await paypal.fetch(attempt(), CREDENTIALS)
    assert (reply.outcome, reply.result) == (Outcome.UNKNOWN, "unknown")
    assert not [heard for heard in provider.heard if heard.path.endswith("/capture")]


async def test_a_page_that_is_not_paypals_is_nowhere_to_send_a_payer(provider: Provider, paypal: PayPal) -> None:
    links = [{"rel": "payer-action", "href": "https://paypal.evil.example/checkoutnow?token=1"}]
    provider.tell(ORDERS, says({"id": "5O190127TN364715T", "status": "CREATED", "links": links}, 201))
    assert await paypal.start(ask()) == Reply(Outcome.UNKNOWN, "5O190127TN364715T", "unknown")


async def test_the_old_name_of_the_link_is_as_good(provider: Provider, paypal: PayPal) -> None:
    links = [{"rel": "self", "href": "https://x"}, {"rel": "approve", "href": f"{provider.url}/checkoutnow?token=1"}]
    provider.tell(ORDERS, says({"id": "5O190127TN364715T", "status": "CREATED", "links": links}, 201))
    assert (await paypal.start(ask())).url == f"{provider.url}/checkoutnow?token=1"


@pytest.mark.parametrize("header,after_s", [("7", 7), (None, 30), ("soon", 30), ("9" * 5, 3600), ("0", 1)])
async def test_too_many_requests_wait_as_told(ground: Ground, header: str | None, after_s: int) -> None:
    """O1."""
    detail: dict[str, Any] = {} if header is None else {"retry_after": header}
    ground.fault("create_rate_limit", **detail)
    assert await ground.gateway.start(ground.ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=after_s)
    mine = await ground.start()
    ground.fault("order_rate_limit")
    assert await ground.fetch(mine) == Reply(Outcome.UNKNOWN, mine.ref, "try_later", 30)


async def test_nobody_there_is_not_sent(http: Http, clock: HandClock) -> None:
    """O2: before the send."""
    gateway = PayPal(http, "http://127.0.0.1:9", clock)
    assert await gateway.start(ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=5)
    assert await gateway.fetch(attempt(), CREDENTIALS) == Reply(Outcome.UNKNOWN, "5O190127TN364715T", "try_later", 5)


@pytest.mark.parametrize("fault", ["token_500", "token_drop"])
async def test_without_a_token_nothing_is_sent(ground: Ground, fault: str) -> None:
    """O4."""
    ground.fault(fault)
    assert await ground.gateway.start(ground.ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=5)
    assert ground.alone.paypal.orders() == []
    assert (await ground.gateway.start(ground.ask())).outcome is Outcome.PENDING


async def test_a_token_that_ended_between_calls_is_replaced_once(ground: Ground) -> None:
    """O4."""
    mine = await ground.start()
    ground.fault("order_expire_token")
    assert (await ground.fetch(mine)).outcome is Outcome.PENDING


async def test_a_token_always_refused_is_not_tried_for_ever(provider: Provider, paypal: PayPal) -> None:
    """O4."""
    provider.tell(ORDERS, says({"name": "AUTHENTICATION_FAILURE"}, 401))
    assert await paypal.start(ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=5)
    assert (len(provider.at(TOKEN)), len(provider.at(ORDERS))) == (2, 2)


async def test_twenty_callers_fetch_one_token_by_a_form(provider: Provider, paypal: PayPal) -> None:
    """O4."""
    links = [{"rel": "payer-action", "href": f"{provider.url}/checkoutnow?token=1"}]
    provider.tell(ORDERS, says({"id": "5O190127TN364715T", "links": links}, 201))
    replies = await asyncio.gather(*(paypal.start(ask()) for _ in range(20)))
    assert {reply.outcome for reply in replies} == {Outcome.PENDING}
    (token,) = provider.at(TOKEN)
    assert (token.method, token.form) == ("POST", {"grant_type": "client_credentials"})
    assert token.headers["Authorization"].startswith("Basic ")


async def test_secrets_stand_in_no_log(ground: Ground, capsys: pytest.CaptureFixture[str]) -> None:
    await ground.paid()
    said = capsys.readouterr().out
    assert said and CREDENTIALS["client_secret"] not in said and not re.search(r"A21AA", said)


def test_no_code_means_two_things() -> None:
    for table in (PAYMENT, REFUND):
        assert all(re.fullmatch(r"[A-Z_]+", code) for code in table)
    assert {outcome for outcome, _ in PAYMENT.values()} == {Outcome.DECLINED, Outcome.PENDING, Outcome.UNKNOWN}


def an_order(status: str, **changed: Any) -> dict[str, Any]:
    amount = {"currency_code": "USD", "value": "20.00"}
    return {"id": "5O190127TN364715T", "status": status, "purchase_units": [{"custom_id": "1", "amount": amount, **changed}]}


@pytest.mark.parametrize(
    "order,outcome,words",
    [
        (an_order("VOIDED"), Outcome.DECLINED, "paypal_expired"),
        (an_order("COMPLETED"), Outcome.UNKNOWN, "unknown"),
        (an_order("NEW_ONE"), Outcome.UNKNOWN, "unknown"),
        ({**an_order("APPROVED"), "purchase_units": []}, Outcome.UNKNOWN, "unknown"),
        ({**an_order("APPROVED"), "id": "OTHER"}, Outcome.UNKNOWN, "unknown"),
        (an_order("APPROVED", amount={"currency_code": "USD", "value": "2e1"}), Outcome.UNKNOWN, "unknown"),
        (an_order("COMPLETED", payments={"captures": [{"id": "C1", "status": "COMPLETED", "amount": None}]}), Outcome.UNKNOWN, "unknown"),
        (an_order("COMPLETED", payments={"captures": [{"status": "COMPLETED"}]}), Outcome.UNKNOWN, "unknown"),
        (an_order("COMPLETED", payments={"captures": [None, 5]}), Outcome.UNKNOWN, "unknown"),
    ],
)
async def test_an_order_that_says_it_oddly(
    provider: Provider, paypal: PayPal, clock: HandClock, order: dict[str, Any], outcome: Outcome, words: str
) -> None:
    """O3, O12, C8: neither paid nor failed, and not captured."""
    provider.tell(f"{ORDERS}/5O190127TN364715T", says(order))
    assert await paypal.fetch(attempt(), CREDENTIALS) == Reply(outcome, "5O190127TN364715T", words)
    assert not [heard for heard in provider.heard if heard.path.endswith("/capture")]
