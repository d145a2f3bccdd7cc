"""One contract for all gateways: the same promises, asked of each adapter before its imitation, and offline of all of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from domain.errors import CannotPay
from domain.ids import AttemptId
from domain.methods import CARRIERS
from domain.money import EXPONENTS, Money
from domain.payment import About, Ask, Attempt, Gateway, Method, Notice, Outcome, Proof, Reply, Unreadable, check_payable
from gateways.http import Http
from gateways.payments.daraja import Daraja
from gateways.payments.moyasar import Moyasar
from gateways.payments.paypal import PayPal
from gateways.payments.paytabs import PayTabs
from gateways.payments.stripe import Stripe
from gateways.payments.telegram import TelegramInvoices
from payloom.carriers import FIELDS
from payloom.settings import CARDS
from payloom.wiring import SystemClock
from tests.gateways import moyasar_ground, paypal_ground, paytabs_ground, stripe_ground
from tests.gateways.provider import an_ask, an_attempt

NAMES = ("daraja", "stripe", "paypal", "paytabs", "moyasar", "telegram")
SIGNED = ("stripe", "paypal", "paytabs", "moyasar")
KINDS = {"daraja": "stk", "stripe": "events", "telegram": "payment"}
MONEY = {"daraja": Money(1_000_00, "KES"), "stripe": Money(2500_00, "KES"), "paypal": Money(2000, "USD"), "paytabs": Money(150_50, "SAR"),
         "moyasar": Money(150_50, "SAR"), "telegram": Money(2500_00, "KES")}  # fmt: skip
JUNK = (
    b"",
    b"{",
    b"null",
    b"[]",
    b"0",
    b'"text"',
    b"<html></html>",
    b"\xff\xfe\x00",
    b'{"a": NaN}',
    b'{"a":' * 2000,
    b'{"id": 1e999}',
    b"{}",
)
RESULTS = {Outcome.SUCCEEDED, Outcome.PENDING, Outcome.DECLINED, Outcome.NOT_SENT, Outcome.UNKNOWN}


def offline(name: str) -> Gateway:
    """An adapter whose provider does not answer: a closed port of this machine."""
    http, clock, nowhere = Http(connect_timeout_s=0.5, read_timeout_s=0.5, deadline_s=1.0), SystemClock(), "http://127.0.0.1:9"
    made: Mapping[str, Callable[[], Gateway]] = {
        "daraja": lambda: Daraja(http, nowhere, clock, "https://pay.example"),
        "stripe": lambda: Stripe(http, nowhere, clock),
        "paypal": lambda: PayPal(http, nowhere, clock),
        "paytabs": lambda: PayTabs(http, clock, "https://pay.example", nowhere),
        "moyasar": lambda: Moyasar(http, nowhere, "https://pay.example"),
        "telegram": lambda: TelegramInvoices(http, nowhere, "1:bot", lambda _: None, clock),
    }
    return made[name]()


CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "daraja": {"consumer_key": "k", "consumer_secret": "s", "short_code": "174379", "passkey": "p"},
    "stripe": stripe_ground.KEYS,
    "paypal": paypal_ground.CREDENTIALS,
    "paytabs": paytabs_ground.KEYS,
    "moyasar": moyasar_ground.KEYS,
    "telegram": {"provider_token": "1:TEST:x"},
}


def ask_for(name: str, **changed: Any) -> Ask:
    method = next(iter(sorted(offline(name).ability.methods)))
    fields: dict[str, Any] = {
        "money": MONEY[name],
        "credentials": CREDENTIALS[name],
        "method": method,
        "key": "key-1",
        "back_url": "https://pay.example/pay/1/back",
    }
    return replace(an_ask(), **{**fields, **changed})


def attempt_for(name: str, **changed: Any) -> Attempt:
    return an_attempt("ref_1", **{"gateway": name, "money": MONEY[name], "created_at": datetime.now(UTC), "short_code": "", **changed})


each = pytest.mark.parametrize("name", NAMES)
each_signed = pytest.mark.parametrize("name", SIGNED)


@each
def test_what_it_can_is_data_that_the_table_of_methods_knows(name: str) -> None:
    ability = offline(name).ability
    assert ability.gateway == name
    assert ability.methods == {method for method, carriers in CARRIERS.items() if name in carriers}
    assert 0 < ability.least_minor < ability.most_minor
    check_payable(ability, min(ability.methods), MONEY[name])


@each
def test_its_credentials_are_asked_for_by_the_names_it_reads(name: str) -> None:
    assert set(CREDENTIALS[name]) <= {field.name for field in FIELDS[name]}
    assert name == "daraja" or set(CARDS[name]) == {field.name for field in FIELDS[name]}


@each
@pytest.mark.parametrize("raw", JUNK)
def test_junk_is_unreadable_and_nothing_else(name: str, raw: bytes) -> None:
    """C16, C17."""
    with pytest.raises(Unreadable):
        offline(name).parse(KINDS.get(name, "event"), raw, {})


@each
def test_an_unknown_kind_is_neither_authentic_nor_readable(name: str) -> None:
    gateway = offline(name)
    assert not gateway.authentic("nonsense", b"{}", {}, "127.0.0.1", CREDENTIALS[name])
    with pytest.raises(Unreadable):
        gateway.parse("nonsense", b"{}", {})


@each_signed
@pytest.mark.parametrize("raw", JUNK)
def test_nothing_unsigned_is_authentic(name: str, raw: bytes) -> None:
    gateway = offline(name)
    for headers in ({}, {"stripe-signature": "t=1,v1=00", "signature": "00", "paypal-transmission-sig": "AAAA"}):
        assert not gateway.authentic(KINDS.get(name, "event"), raw, headers, "127.0.0.1", CREDENTIALS[name])
        assert not gateway.authentic(KINDS.get(name, "event"), raw, headers, "127.0.0.1", {})


@each
async def test_a_provider_that_is_not_there_was_not_sent_to(name: str) -> None:
    """Nothing was taken, and it may be tried again."""
    reply = await offline(name).start(ask_for(name))
    assert reply.outcome is Outcome.NOT_SENT
    assert reply.url is None


@each
async def test_asking_a_provider_that_is_not_there_is_no_refusal(name: str) -> None:
    reply = await offline(name).fetch(attempt_for(name), CREDENTIALS[name])
    assert reply.outcome in {Outcome.UNKNOWN, Outcome.PENDING, Outcome.NOT_SENT}


@each
@pytest.mark.parametrize(
    "credentials", [{}, {"secret_key": "", "consumer_key": ""}, {"secret_key": "ü\n", "server_key": "\x00", "client_id": "\n"}]
)
async def test_bad_credentials_are_declined_and_never_raise(name: str, credentials: Mapping[str, str]) -> None:
    gateway = offline(name)
    assert (await gateway.start(ask_for(name, credentials=credentials))).outcome is Outcome.DECLINED
    assert (await gateway.fetch(attempt_for(name), credentials)).outcome not in {Outcome.SUCCEEDED, Outcome.DECLINED}


@each
def test_money_that_it_cannot_take_is_refused_before_anything_is_written(name: str) -> None:
    ability = offline(name).ability
    method, most = min(ability.methods), Money(ability.most_minor, MONEY[name].currency)
    foreign = next((currency for currency in EXPONENTS if currency not in ability.currencies), None)
    too_much = Money(most.amount_minor + 100, most.currency)
    for money in (too_much,) if foreign is None else (too_much, Money(100_00, foreign)):
        with pytest.raises(CannotPay):
            check_payable(ability, method, money)
    with pytest.raises(CannotPay):
        check_payable(ability, next(one for one in Method if one not in ability.methods), MONEY[name])


# --- before the imitation, over real HTTP


@dataclass
class Stand:
    """What the suite needs of a ground: each verb ends when the provider has done it."""

    gateway: Gateway
    credentials: Mapping[str, str]
    ask: Ask
    pay: Callable[[Reply], Any]
    attempt: Callable[[Reply], Attempt]

    async def paid(self) -> tuple[Attempt, Reply]:
        begun = await self.gateway.start(self.ask)
        done = self.pay(begun)
        if hasattr(done, "__await__"):
            await done
        attempt = self.attempt(begun)
        return attempt, await self.gateway.fetch(attempt, self.credentials)


@asynccontextmanager
async def _stripe() -> AsyncIterator[Stand]:
    async with stripe_ground.stripe_ground() as ground:
        ask = stripe_ground.stripe_ask(expires_at=None)

        def attempt(reply: Reply) -> Attempt:
            return stripe_ground.stripe_attempt(reply.ref, id=ask.attempt_id, created_at=ground.now())

        yield Stand(ground.gateway, stripe_ground.KEYS, ask, lambda reply: ground.pay(str(reply.ref)), attempt)


@asynccontextmanager
async def _paypal() -> AsyncIterator[Stand]:
    async with paypal_ground.paypal_ground() as ground:
        ask = ground.ask()
        yield Stand(
            ground.gateway,
            ground.credentials,
            ask,
            lambda reply: ground.pay(ground.attempt(ask, reply)),
            lambda reply: ground.attempt(ask, reply),
        )


@asynccontextmanager
async def _paytabs() -> AsyncIterator[Stand]:
    async with paytabs_ground.ground() as ground:
        ask = ground.ask()
        yield Stand(
            ground.gateway, ground.credentials, ask, lambda reply: ground.pay(str(reply.url)), lambda reply: ground.attempt(ask, reply.ref)
        )


@asynccontextmanager
async def _moyasar() -> AsyncIterator[Stand]:
    async with moyasar_ground.ground() as ground:
        ask = ground.ask()
        yield Stand(
            ground.gateway, ground.credentials, ask, lambda reply: ground.pay(str(reply.url)), lambda reply: ground.attempt(ask, reply.ref)
        )


GROUNDS: Mapping[str, Callable[[], AbstractAsyncContextManager[Stand]]] = {
    "stripe": _stripe, "paypal": _paypal, "paytabs": _paytabs, "moyasar": _moyasar,
}  # fmt: skip


@pytest.fixture(params=SIGNED)
async def stand(request: pytest.FixtureRequest) -> AsyncIterator[Stand]:
    async with GROUNDS[request.param]() as made:
        yield made


async def test_a_start_gives_a_page_and_an_id(stand: Stand) -> None:
    reply = await stand.gateway.start(stand.ask)
    assert reply.outcome is Outcome.PENDING
    assert reply.url is not None and reply.url.startswith("http")
    assert reply.ref


async def test_what_nobody_has_paid_is_pending(stand: Stand) -> None:
    reply = await stand.gateway.start(stand.ask)
    asked = await stand.gateway.fetch(stand.attempt(reply), stand.credentials)
    assert asked.outcome is Outcome.PENDING
    assert asked.receipt is None


async def test_what_was_paid_succeeded_with_a_receipt_however_often_it_is_asked(stand: Stand) -> None:
    attempt, first = await stand.paid()
    assert first.outcome is Outcome.SUCCEEDED
    assert first.receipt
    assert (await stand.gateway.fetch(attempt, stand.credentials)).receipt == first.receipt


async def test_another_attempt_or_amount_is_not_proved_by_it(stand: Stand) -> None:
    """C7: authentic is not valid."""
    attempt, _ = await stand.paid()
    more = Money(attempt.money.amount_minor + 100, attempt.money.currency)
    for wrong in (replace(attempt, money=more), replace(attempt, id=AttemptId(int(attempt.id) + 1))):
        assert (await stand.gateway.fetch(wrong, stand.credentials)).outcome is not Outcome.SUCCEEDED


async def test_with_credentials_of_nobody_nothing_is_learned(stand: Stand) -> None:
    attempt, _ = await stand.paid()
    wrong = {name: f"{value}x" for name, value in stand.credentials.items()}
    assert (await stand.gateway.fetch(attempt, wrong)).outcome not in {Outcome.SUCCEEDED, Outcome.DECLINED}


def test_a_notice_says_whose_it_is_or_nothing() -> None:
    notice = Notice("stripe", "e", "event", Outcome.UNKNOWN, Proof.PROOF)
    assert (notice.about, notice.owner, notice.attempt_id) == (About.PAYMENT, None, None)
