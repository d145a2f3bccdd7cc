"""Telegram's own invoices: what is asked of the Bot API, what each answer means, and which updates tell of money."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
import structlog

from domain.errors import CannotPay
from domain.ids import AttemptId
from domain.life import AttemptState
from domain.money import Money
from domain.payment import About, Ask, Method, Outcome, Proof, Reply, Unreadable, check_payable
from domain.tokens import Purpose, Tokens
from gateways.http import Http
from gateways.payments.telegram import FIELDS, KIND, OVER_AFTER, TelegramInvoices
from tests.gateways.provider import NOON, HandClock, Provider, Say, a_refund, an_ask, an_attempt, half, hangs_up, says, sleeps
from tests.town.telegram_sides import Sides, running_town
from town.telegram.invoices import LIMITS
from town.telegram.service import PROVIDER_TOKEN

BOT = "100200300:BOT-TOKEN-of-these-tests"
TOKENS = Tokens([b"k" * 32])
KEYS = {"provider_token": PROVIDER_TOKEN}
CALL = f"/bot{BOT}/createInvoiceLink"
LINK = "https://t.me/$abc-DEF_1"
NOT_SENT = Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=5)


def invoices(http: Http, base: str, token: str = BOT, clock: HandClock | None = None) -> TelegramInvoices:
    return TelegramInvoices(http, base, token, lambda payload: TOKENS.read(Purpose.ATTEMPT, payload), clock or HandClock())


@pytest.fixture
def gateway(provider: Provider, http: Http, clock: HandClock) -> TelegramInvoices:
    return invoices(http, f"{provider.url}/", clock=clock)


def ask(**changed: Any) -> Ask:
    token = TOKENS.make(Purpose.ATTEMPT, 1)
    made = an_ask(description="Red sneakers", credentials=KEYS, callback_token=token, method=Method.TELEGRAM)
    return replace(made, **changed)


def refused(description: str, code: int = 400, **more: Any) -> Say:
    return says({"ok": False, "error_code": code, "description": description, **more}, code)


async def test_an_invoice_is_asked_for_in_these_words(provider: Provider, gateway: TelegramInvoices) -> None:
    provider.tell(CALL, says({"ok": True, "result": LINK}))
    with structlog.testing.capture_logs() as logs:
        assert await gateway.start(ask()) == Reply(Outcome.PENDING, url=LINK)
    [heard] = provider.heard
    assert heard.json() == {
        "title": "Red sneakers",
        "description": "PL-7K2QD Red sneakers",
        "payload": TOKENS.make(Purpose.ATTEMPT, 1),
        "provider_token": PROVIDER_TOKEN,
        "currency": "KES",
        "prices": [{"label": "Red sneakers", "amount": 250_000}],
    }
    assert BOT not in str(logs) and PROVIDER_TOKEN not in str(logs)


async def test_names_are_cut_to_what_an_invoice_can_hold(provider: Provider, gateway: TelegramInvoices) -> None:
    provider.tell(CALL, says({"ok": True, "result": LINK}))
    await gateway.start(ask(description="حقيبة " * 60))
    await gateway.start(ask(description="  "))
    long, blank = (heard.json() for heard in provider.heard)
    assert (len(long["title"]), len(long["description"])) == (32, 255)
    assert (blank["title"], blank["description"]) == ("PL-7K2QD", "PL-7K2QD")


@pytest.mark.parametrize(
    ("said", "outcome", "result"),
    [
        ("Bad Request: PAYMENT_PROVIDER_INVALID", Outcome.DECLINED, "configuration"),
        ("Bad Request: PAYMENT_PROVIDER_MISMATCH", Outcome.DECLINED, "configuration"),
        ("Bad Request: currency_total_amount_invalid", Outcome.DECLINED, "amount_refused"),
        ("Bad Request: CURRENCY_INVALID", Outcome.DECLINED, "currency_refused"),
        ("Bad Request: CURRENCY_NOT_SUPPORTED", Outcome.DECLINED, "currency_refused"),
        ("Bad Request: something new", Outcome.DECLINED, "not_sent"),
        (None, Outcome.DECLINED, "not_sent"),
    ],
)
async def test_a_refusal_says_what_is_wrong(
    provider: Provider, gateway: TelegramInvoices, said: str, outcome: Outcome, result: str
) -> None:
    provider.tell(CALL, refused(said))
    assert await gateway.start(ask()) == Reply(outcome, result=result)


@pytest.mark.parametrize("code", [401, 403, 404])
async def test_a_bot_that_telegram_does_not_know_is_our_own_fault(provider: Provider, gateway: TelegramInvoices, code: int) -> None:
    provider.tell(CALL, refused("Unauthorized", code))
    assert await gateway.start(ask()) == Reply(Outcome.DECLINED, result="configuration")


@pytest.mark.parametrize(
    ("parameters", "wait_s"),
    [({"retry_after": 7}, 7), ({"retry_after": 0}, 1), ({"retry_after": 10**9}, 3600), ({"retry_after": "7"}, 5), ([], 5), (None, 5)],
)
async def test_too_fast_is_tried_when_it_may_be(provider: Provider, gateway: TelegramInvoices, parameters: Any, wait_s: int) -> None:
    provider.tell(CALL, refused("Too Many Requests", 429, parameters=parameters))
    assert await gateway.start(ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=wait_s)


@pytest.mark.parametrize(
    "line",
    [
        hangs_up, half, sleeps, says("<html>502</html>", 502), says(b"{", 200), says({"ok": True}), says({"ok": False}), says({"result": LINK}),
        says({"ok": True, "result": "http://t.me/$x"}), says({"ok": True, "result": "https:///x"}), says({"ok": True, "result": 7}),
        says({"ok": True, "result": f"https://t.me/{'x' * 2000}"}), says({"ok": True, "result": "https://t.me/a b"}),
        says({"ok": True, "result": "https://t.me/ü"}), says({"ok": True, "result": LINK}, 500),
    ],
)  # fmt: skip
async def test_an_invoice_whose_address_was_lost_is_known_to_nobody_and_may_be_made_again(
    provider: Provider, gateway: TelegramInvoices, line: Say
) -> None:
    provider.tell(CALL, line)
    assert await gateway.start(ask()) == NOT_SENT


async def test_without_a_bot_or_a_token_nothing_is_asked(provider: Provider, http: Http, gateway: TelegramInvoices) -> None:
    wrong = Reply(Outcome.DECLINED, result="configuration")
    for keys in ({}, {"provider_token": ""}, {"provider_token": " "}, {"provider_token": "ü"}, {"provider_token": "a\nb"}):
        assert await gateway.start(ask(credentials=keys)) == wrong
    assert await invoices(http, provider.url, token="").start(ask()) == wrong
    assert provider.heard == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (says({"ok": True, "result": LINK}), None),
        (refused("Bad Request: CURRENCY_INVALID"), None),
        (refused("Bad Request: CURRENCY_TOTAL_AMOUNT_INVALID"), None),
        (refused("Bad Request: PAYMENT_PROVIDER_INVALID"), "configuration"),
        (refused("Bad Request: something new"), "configuration"),
        (refused("Unauthorized", 401), "configuration"),
        (hangs_up, "try_later"),
        (refused("Too Many Requests", 429), "try_later"),
    ],
)
async def test_a_token_is_tried_by_an_invoice_that_nobody_sees(
    provider: Provider, gateway: TelegramInvoices, line: Say, said: str | None
) -> None:
    provider.tell(CALL, line)
    assert await gateway.check(KEYS) == said
    assert json.loads(provider.heard[0].body)["currency"] == "USD"


async def test_a_question_has_no_answer_until_nobody_can_pay_any_more(gateway: TelegramInvoices, clock: HandClock) -> None:
    shown = an_attempt(None, gateway="telegram", state=AttemptState.PENDING, url=LINK, created_at=NOON)
    assert await gateway.fetch(shown, KEYS) == Reply(Outcome.PENDING, None, "waiting")
    assert (await gateway.fetch(replace(shown, url=None), KEYS)).outcome is Outcome.UNKNOWN
    clock.at = NOON + OVER_AFTER - timedelta(seconds=1)
    assert (await gateway.fetch(shown, KEYS)).outcome is Outcome.PENDING
    clock.at = NOON + OVER_AFTER
    assert await gateway.fetch(shown, KEYS) == Reply(Outcome.DECLINED, result="expired")
    paid = replace(shown, state=AttemptState.SUCCEEDED)
    assert (await gateway.fetch(paid, KEYS)).outcome is Outcome.PENDING, "what was paid is never called unpaid"


async def test_a_refund_is_made_by_a_person(provider: Provider, gateway: TelegramInvoices) -> None:
    assert await gateway.refund(a_refund(gateway="telegram"), "tg_1", KEYS, "token") == Reply(Outcome.PENDING, result="by_hand")
    assert provider.heard == []


def told(field: str = "successful_payment", **changed: Any) -> bytes:
    paid = {
        "currency": "KES",
        "total_amount": 250_000,
        "invoice_payload": TOKENS.make(Purpose.ATTEMPT, 1),
        "telegram_payment_charge_id": "tg_1",
        "provider_payment_charge_id": "ch_1",
    }
    message = {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}, field: {**paid, **changed}}
    return json.dumps({"update_id": 7, "message": message}).encode()


def test_a_payment_is_proof_of_what_was_paid_and_for_what(gateway: TelegramInvoices) -> None:
    notice = gateway.parse(KIND, told(), {})
    assert (notice.gateway, notice.about, notice.outcome, notice.proof) == ("telegram", About.PAYMENT, Outcome.SUCCEEDED, Proof.PROOF)
    assert (notice.attempt_id, notice.ref, notice.receipt, notice.money) == (AttemptId(1), "ch_1", "tg_1", Money(250_000, "KES"))
    assert (notice.event_key, notice.owner, notice.refund_ref) == ("payment:tg_1", None, None)


@pytest.mark.parametrize("payload", ["1", "", "0" * 48, TOKENS.make(Purpose.PAY, 1), Tokens([b"x" * 32]).make(Purpose.ATTEMPT, 1), 7, None])
def test_a_payload_that_we_did_not_make_means_nothing(gateway: TelegramInvoices, payload: object) -> None:
    assert gateway.parse(KIND, told(invoice_payload=payload), {}).attempt_id is None


def test_a_provider_that_gives_its_payments_no_name_is_taken_as_it_is(gateway: TelegramInvoices) -> None:
    for name in ("", None, "x" * 201):
        assert gateway.parse(KIND, told(provider_payment_charge_id=name), {}).ref is None


def test_a_payment_that_went_back_says_which(gateway: TelegramInvoices) -> None:
    notice = gateway.parse(KIND, told("refunded_payment"), {})
    assert (notice.about, notice.receipt, notice.refund_ref, notice.ref) == (About.REFUND, "tg_1", "tg_1:refunded", None)
    assert (notice.event_key, notice.attempt_id) == ("refund:tg_1", AttemptId(1))


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{}", b'{"message": 1}', b'{"message": {"text": "hi"}}', b'{"message": {"successful_payment": 1}}', b'{"callback_query": {}}',
        told(telegram_payment_charge_id=""), told(telegram_payment_charge_id=None), told(telegram_payment_charge_id="x" * 201),
        told(total_amount="250000"), told(total_amount=True), told(total_amount=None), told(total_amount=2.5), told(currency="XTR"),
        told(currency=1),
    ],
)  # fmt: skip
def test_what_does_not_say_how_much_of_what_is_unreadable(gateway: TelegramInvoices, raw: bytes) -> None:
    with pytest.raises(Unreadable):
        gateway.parse(KIND, raw, {})


def test_only_the_bots_own_door_is_believed(gateway: TelegramInvoices) -> None:
    assert not gateway.authentic(KIND, told(), {"x-telegram-bot-api-secret-token": "x"}, "149.154.160.1", KEYS)
    with pytest.raises(Unreadable):
        gateway.parse("event", told(), {})


def test_it_takes_what_telegram_takes(gateway: TelegramInvoices) -> None:
    assert gateway.ability.currencies == LIMITS.keys()
    assert FIELDS == ("provider_token",)
    check_payable(gateway.ability, Method.TELEGRAM, Money(1, "UGX"))
    with pytest.raises(CannotPay):
        check_payable(gateway.ability, Method.TELEGRAM, Money(100_000, "KWD"))
    with pytest.raises(CannotPay):
        check_payable(gateway.ability, Method.VISA, Money(100_000, "KES"))


# --- before the town, over real HTTP


@pytest_asyncio.fixture
async def t() -> AsyncIterator[Sides]:
    async with running_town() as sides:
        yield sides


async def test_the_town_opens_our_invoice_and_refuses_what_telegram_refuses(t: Sides, http: Http) -> None:
    bot = t.town.telegram
    here = invoices(http, f"{t.root}/town/telegram", bot.bot_token)
    made = await here.start(ask())
    assert made.outcome is Outcome.PENDING
    sheet = await t.act(1, "invoice", slug=str(made.url).removeprefix("https://t.me/$"))
    assert (sheet["title"], sheet["total"]) == ("Red sneakers", "KES 2,500.00")
    assert (await here.start(ask(money=Money(100, "KES")))).result == "amount_refused"
    assert (await here.start(ask(credentials={"provider_token": "1:LIVE:x"}))).result == "configuration"
    assert await here.check(KEYS) is None
    assert await here.check({"provider_token": "1:LIVE:x"}) == "configuration"
    assert (await invoices(http, f"{t.root}/town/telegram", "1:wrong").start(ask())).result == "configuration"
