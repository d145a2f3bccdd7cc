"""The Moyasar adapter against the town's Moyasar, over HTTP: both read the same documentation, neither read the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
import pytest_asyncio

from domain.money import Money
from domain.payment import About, Method, Outcome, Proof, Reply
from domain.statement import NoBooks
from gateways.payments.moyasar_codes import WORDS
from tests.gateways.email_ground import until
from tests.gateways.moyasar_ground import KEYS, Ground, card, ground
from tests.gateways.provider import TOKEN
from town.moyasar.books import Account
from town.moyasar.server import DEFAULT_ACCOUNT

SUM = Money(150_50, "SAR")


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Ground]:
    async with ground() as running:
        yield running


async def test_a_card_payment_from_the_page_to_the_proof(stage: Ground) -> None:
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    assert started.outcome is Outcome.PENDING and started.url is not None and started.ref is not None
    attempt = stage.attempt(ask, started.ref)
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.PENDING, started.ref, "waiting")
    page = await stage.person.get(started.url)
    assert "150.50 SAR" in page.text and "PL-7K2QD Order" in page.text
    ended = await stage.pay(started.url)
    assert str(ended.url).startswith(ask.back_url) and ended.status_code == 200
    notice = stage.understood(await stage.told())
    assert (notice.outcome, notice.proof, notice.about, notice.ref, notice.money) == (
        Outcome.SUCCEEDED, Proof.HINT, About.PAYMENT, started.ref, SUM
    )  # fmt: skip
    proved = await stage.gateway.fetch(attempt, KEYS)
    assert proved == Reply(Outcome.SUCCEEDED, started.ref, "paid", receipt=notice.receipt)
    assert [(one["kind"], one["amount"], one["payment"]) for one in stage.alone.moyasar.books.movements] == [
        ("payment", 150_50, proved.receipt)
    ]


async def test_the_unsigned_word_of_the_invoice_comes_to_the_address_of_the_attempt(stage: Ground) -> None:
    """C7: it is a hint; the address is the secret, and the invoice in it names our attempt."""
    ask = stage.ask(attempt_id=4211)
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    told = await stage.told(kind="invoice")
    assert told.path == f"/callbacks/moyasar/{TOKEN}/invoice"
    notice = stage.understood(told)
    assert (notice.attempt_id, notice.ref, notice.outcome, notice.proof, notice.money) == (
        4211, started.ref, Outcome.SUCCEEDED, Proof.HINT, SUM
    )  # fmt: skip
    assert notice.receipt == stage.understood(await stage.told()).receipt


async def test_a_card_that_is_refused_leaves_the_page_open_for_another_one(stage: Ground) -> None:
    """C3: several payments may fail before one is made; only the invoice ends the attempt."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    attempt = stage.attempt(ask, started.ref)
    again = await stage.pay(str(started.url), "4201320000013020")
    assert "INSUFFICIENT FUNDS" in again.text
    first = stage.understood(await stage.told())
    assert (first.outcome, first.result, first.ref, first.receipt, first.money) == (
        Outcome.PENDING, "insufficient_funds", started.ref, None, None
    )  # fmt: skip
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.PENDING, started.ref, "waiting")
    await stage.pay(str(started.url), answer="fail")
    refused = [stage.understood(told) for told in await stage.ear.heard(3, "event")]
    assert {one.result for one in refused} == {"insufficient_funds", "card_not_confirmed", "card_declined"}
    await stage.pay(str(started.url))
    assert (await stage.gateway.fetch(attempt, KEYS)).outcome is Outcome.SUCCEEDED
    assert stage.understood(await stage.told(4)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("how", ["applepay", "stcpay"])
async def test_apple_pay_and_stc_pay(stage: Ground, how: str) -> None:
    ask = stage.ask(method=Method.STC_PAY if how == "stcpay" else Method.APPLE_PAY)
    started = await stage.gateway.start(ask)
    page = await stage.person.post(str(started.url), data={"type": how, "mobile": "0500000001"})
    if how == "stcpay":
        wrong = await stage.person.post(str(page.url), data={"otp_value": "111111"})
        assert "Insufficient balance" in wrong.text
        page = await stage.person.post(str(started.url), data={"type": how, "mobile": "0500000001"})
        await stage.person.post(str(page.url), data={"otp_value": "123456"})
    assert (await stage.gateway.fetch(stage.attempt(ask, started.ref), KEYS)).outcome is Outcome.SUCCEEDED


async def test_a_page_that_nobody_paid_expires(stage: Ground) -> None:
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    stage.alone.core.clock.advance(30 * 60 + 1)
    assert await stage.gateway.fetch(stage.attempt(ask, started.ref), KEYS) == Reply(Outcome.DECLINED, started.ref, "expired")
    assert "expired" in (await stage.person.get(str(started.url))).text
    assert "expired" in (await stage.person.post(str(started.url), data={**card("4111111111111111"), "type": "creditcard"})).text


async def test_an_answer_that_was_lost_is_looked_for_and_not_asked_again(stage: Ground) -> None:
    """O2: the invoice was made, the connection died; it is found by our metadata, and there is one."""
    for other in (7, 8):
        await stage.gateway.start(stage.ask(attempt_id=other))
    stage.plant("timeout_after")
    started = await stage.gateway.start(stage.ask(attempt_id=9))
    assert started.outcome is Outcome.PENDING and started.url is not None
    assert len(stage.alone.moyasar.books.invoices) == 3


async def test_an_invoice_that_cannot_be_looked_for_at_once_is_found_later(stage: Ground) -> None:
    """O2, C21: UNKNOWN while they are down, then found on whichever page of the list it is."""
    ask = stage.ask(attempt_id=9)
    stage.plant("timeout_after", 2)
    assert await stage.gateway.start(ask) == Reply(Outcome.UNKNOWN, result="unknown")
    for other in range(10, 15):
        await stage.gateway.start(stage.ask(attempt_id=other))
    found = await stage.gateway.fetch(stage.attempt(ask, None), KEYS)
    assert found.outcome is Outcome.PENDING and found.ref is not None and found.url is not None
    strange = stage.attempt(stage.ask(attempt_id=99), None)
    assert await stage.gateway.fetch(strange, KEYS) == Reply(Outcome.UNKNOWN, result="unknown")
    stage.alone.core.clock.advance(3600)
    late = stage.attempt(stage.ask(attempt_id=99), None, created_at=stage.alone.core.clock.now())
    assert await stage.gateway.fetch(late, KEYS) == Reply(Outcome.UNKNOWN, result="unknown")


@pytest.mark.parametrize(
    "fault,detail,reply",
    [
        ("429", {}, Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=10)),
        ("429", {"seconds": 37}, Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=37)),
    ],
)
async def test_too_many_requests_wait_as_told(stage: Ground, fault: str, detail: dict[str, int], reply: Reply) -> None:
    """O1."""
    stage.plant(fault, **detail)
    assert await stage.gateway.start(stage.ask()) == reply
    assert stage.alone.moyasar.books.invoices == {}


@pytest.mark.parametrize("fault", ["500", "html", "timeout_before", "429"])
async def test_while_they_are_down_nothing_is_believed(stage: Ground, fault: str) -> None:
    """C21, O2, O3: a payment that a webhook told is neither proved nor denied by an answer that is none."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    attempt = stage.attempt(ask, started.ref)
    stage.plant(fault)
    silent = await stage.gateway.fetch(attempt, KEYS)
    assert (silent.outcome, silent.ref, silent.receipt) == (Outcome.UNKNOWN, started.ref, None)
    assert (await stage.gateway.fetch(attempt, KEYS)).outcome is Outcome.SUCCEEDED


async def test_an_invoice_for_another_amount_is_never_shown(stage: Ground) -> None:
    """O12: they answer with an amount that we did not ask for."""
    stage.plant("other_amount")
    started = await stage.gateway.start(stage.ask())
    assert (started.outcome, started.url) == (Outcome.UNKNOWN, None)


async def test_a_payment_of_another_invoice_or_amount_proves_nothing(stage: Ground) -> None:
    """C8, C9, C10, O12."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    attempt = stage.attempt(ask, started.ref)
    for money in (Money(150_49, "SAR"), Money(150_51, "SAR"), Money(1_50, "SAR"), Money(150_50, "USD"), Money(150_50, "KWD")):
        contradicted = await stage.gateway.fetch(replace(attempt, money=money), KEYS)
        assert (contradicted.outcome, contradicted.receipt) == (Outcome.UNKNOWN, None)
    other = stage.attempt(stage.ask(attempt_id=2), started.ref)
    assert (await stage.gateway.fetch(other, KEYS)).outcome is Outcome.UNKNOWN


async def test_another_merchants_key_sees_nothing_of_ours(stage: Ground) -> None:
    """C10."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    theirs = {**KEYS, "secret_key": stage.alone.moyasar.add_account(Account("sk_test_other")).secret_key}
    attempt = stage.attempt(ask, started.ref)
    assert await stage.gateway.fetch(attempt, theirs) == Reply(Outcome.UNKNOWN, started.ref, "configuration")
    assert (await stage.gateway.fetch(replace(attempt, ref=None), theirs)).outcome is Outcome.UNKNOWN
    assert await stage.gateway.fetch(attempt, {**KEYS, "secret_key": "sk_test_nobody"}) == Reply(
        Outcome.UNKNOWN, started.ref, "configuration"
    )


async def test_a_key_they_do_not_know_is_said_to_be_the_configuration(stage: Ground) -> None:
    wrong = {**KEYS, "secret_key": "sk_test_nobody"}
    assert await stage.gateway.start(stage.ask(credentials=wrong)) == Reply(Outcome.DECLINED, result="configuration")
    assert await stage.gateway.check(wrong) == "configuration"
    assert await stage.gateway.check({**KEYS, "webhook_secret": ""}) == "configuration"
    assert await stage.gateway.check(KEYS) is None
    stage.plant("500")
    assert await stage.gateway.check(KEYS) == "try_later"


async def test_what_they_refuse_is_said_in_words(stage: Ground) -> None:
    said = [
        await stage.gateway.start(stage.ask(Money(99, "SAR"))),
        await stage.gateway.start(stage.ask(Money(150_50, "EUR"), method=Method.VISA)),
        await stage.gateway.start(stage.ask(Money(150_500, "KWD"), method=Method.MADA)),
        await stage.gateway.start(stage.ask(back_url="not an address")),
    ]
    assert [(one.outcome, one.result) for one in said] == [
        (Outcome.DECLINED, "amount_refused"),
        (Outcome.DECLINED, "currency_refused"),
        (Outcome.DECLINED, "currency_refused"),
        (Outcome.DECLINED, "configuration"),
    ]
    assert {str(one.result) for one in said} <= WORDS
    assert (await stage.gateway.start(stage.ask(Money(1_505, "KWD"), method=Method.VISA))).outcome is Outcome.PENDING


async def _paid(stage: Ground, attempt_id: int = 1) -> str:
    """The receipt of a payment of SUM."""
    ask = stage.ask(attempt_id=attempt_id)
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    return str((await stage.gateway.fetch(stage.attempt(ask, started.ref), KEYS)).receipt)


async def test_a_whole_refund_is_done_once_however_often_it_is_asked_for(stage: Ground) -> None:
    receipt = await _paid(stage)
    refund = stage.a_refund(SUM)
    assert await stage.gateway.refund(refund, receipt, KEYS, TOKEN) == Reply(Outcome.SUCCEEDED, f"{receipt}:15050", "refunded")
    assert await stage.gateway.refund(refund, receipt, KEYS, TOKEN) == Reply(Outcome.SUCCEEDED, f"{receipt}:15050", "already_refunded")
    assert [one["kind"] for one in stage.alone.moyasar.books.movements] == ["payment", "refund"]
    notice = stage.understood(await stage.told(2))
    assert (notice.about, notice.outcome, notice.money, notice.refund_ref) == (
        About.REFUND, Outcome.SUCCEEDED, SUM, f"{receipt}:15050"
    )  # fmt: skip


async def test_a_whole_refund_whose_answer_was_lost_is_seen_when_asked_again(stage: Ground) -> None:
    """O2."""
    receipt = await _paid(stage)
    refund = stage.a_refund(SUM)
    stage.plant("timeout_after")  # of the first call, which only reads: nothing was asked for yet
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).outcome is Outcome.NOT_SENT
    assert len(stage.alone.moyasar.books.movements) == 1
    lost = await _refund_with_lost_answer(stage, receipt, SUM)
    assert lost == Reply(Outcome.UNKNOWN, result="unknown")
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).result == "already_refunded"
    assert len(stage.alone.moyasar.books.movements) == 2


async def _refund_with_lost_answer(stage: Ground, receipt: str, money: Money) -> Reply:
    """The money goes back, and the connection dies before they say so."""
    stage.plant("refund_unanswered")
    return await stage.gateway.refund(stage.a_refund(money), receipt, KEYS, TOKEN)


async def test_parts_go_back_until_there_is_nothing_left(stage: Ground) -> None:
    """100 and 50.50 are the whole; more is refused before it is asked for."""
    receipt = await _paid(stage)
    parts = [await stage.gateway.refund(stage.a_refund(Money(amount, "SAR")), receipt, KEYS, TOKEN) for amount in (100_00, 50_51, 50_50, 1)]
    assert [(one.outcome, one.ref) for one in parts] == [
        (Outcome.SUCCEEDED, f"{receipt}:10000"),
        (Outcome.DECLINED, None),
        (Outcome.SUCCEEDED, f"{receipt}:15050"),
        (Outcome.DECLINED, None),
    ]
    first = stage.understood(await stage.told(2))
    assert (first.about, first.money, first.facts["refunded_minor"]) == (About.REFUND, Money(0, "SAR"), 100_00)


@pytest.mark.parametrize("money,receipt", [(Money(1_00, "USD"), ""), (SUM, "no-such-payment")])
async def test_a_refund_that_cannot_be_is_refused(stage: Ground, money: Money, receipt: str) -> None:
    paid = await _paid(stage)
    assert await stage.gateway.refund(stage.a_refund(money), receipt or paid, KEYS, TOKEN) == Reply(
        Outcome.DECLINED, result="not_refundable"
    )


async def test_a_voided_payment_is_gone(stage: Ground) -> None:
    """C3: money that went back by the dashboard is not there any more, whatever a webhook told before."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    attempt = stage.attempt(ask, started.ref)
    receipt = str((await stage.gateway.fetch(attempt, KEYS)).receipt)
    voided = await stage.person.post(f"{stage.alone.base_url}/payments/{receipt}/void", auth=(KEYS["secret_key"], ""))
    assert voided.json()["status"] == "voided"
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.DECLINED, started.ref, "refunded", receipt=receipt)
    assert (await stage.gateway.refund(stage.a_refund(SUM), receipt, KEYS, TOKEN)).outcome is Outcome.SUCCEEDED
    assert (await stage.gateway.refund(stage.a_refund(Money(1, "SAR")), receipt, KEYS, TOKEN)).outcome is Outcome.DECLINED
    notice = stage.understood(await stage.told(2))
    assert (notice.about, notice.money) == (About.REFUND, SUM)


async def test_half_a_refund_at_the_dashboard_proves_neither(stage: Ground) -> None:
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    attempt = stage.attempt(ask, started.ref)
    receipt = str((await stage.gateway.fetch(attempt, KEYS)).receipt)
    await stage.gateway.refund(stage.a_refund(Money(50, "SAR")), receipt, KEYS, TOKEN)
    assert (await stage.gateway.fetch(attempt, KEYS)).outcome is Outcome.UNKNOWN


async def test_the_books_tell_what_came_and_what_went(stage: Ground) -> None:
    """Every page of the list, the day's refunds of older payments with it, each line once."""
    clock = stage.alone.core.clock
    old = await _paid(stage, 1)
    clock.advance(86_400)
    since = clock.now()
    new = [await _paid(stage, number) for number in (2, 3, 4)]
    await stage.gateway.start(stage.ask(attempt_id=5))
    for receipt, amount in ((old, 150_50), (new[0], 50_00)):
        await stage.gateway.refund(stage.a_refund(Money(amount, "SAR")), receipt, KEYS, TOKEN)
    end = clock.now() + timedelta(seconds=1)
    found = await stage.gateway.records(since, end, KEYS)
    told = [(one.about, one.receipt, one.money.amount_minor, None if one.fee is None else one.fee.amount_minor) for one in found]
    assert sorted(told) == sorted(
        [(About.PAYMENT, receipt, 150_50, 225) for receipt in new]
        + [(About.REFUND, old, 150_50, None), (About.REFUND, new[0], 50_00, None)]
    )
    assert await stage.gateway.records(end, end + timedelta(days=1), KEYS) == []
    assert [one.receipt for one in await stage.gateway.records(since - timedelta(days=2), since, KEYS)] == [old]
    stage.plant("500")
    with pytest.raises(NoBooks):
        await stage.gateway.records(since, end, KEYS)


async def test_a_webhook_is_sent_six_times_and_each_reads_the_same(stage: Ground) -> None:
    """C1: one event, one key."""
    stage.ear.status = 503
    await stage.pay(str((await stage.gateway.start(stage.ask())).url))
    (sent,) = [one for kept in stage.alone.moyasar.hooks.attempts.values() for one in kept]
    for count, wait_s in enumerate((60, 600, 1800, 3600, 7200), 1):
        await until(lambda count=count: len(sent["tries"]) == count)  # type: ignore[misc]
        stage.alone.core.clock.advance(wait_s + 1)
    await until(lambda: len(sent["tries"]) == 6)
    stage.alone.core.clock.advance(86_400)
    heard = await stage.ear.heard(6, "event")
    assert len(heard) == 6
    assert len({stage.understood(told).event_key for told in heard}) == 1


@pytest.mark.parametrize("fault", ["webhook_wrong_secret", "webhook_wrong_live"])
async def test_a_webhook_with_another_secret_or_of_the_other_mode_is_refused(stage: Ground, fault: str) -> None:
    """C5, C10."""
    stage.plant(fault)
    await stage.pay(str((await stage.gateway.start(stage.ask())).url))
    told = await stage.told()
    assert not stage.gateway.authentic(told.kind, told.raw, told.headers, "127.0.0.1", KEYS)


async def test_the_secret_is_not_in_what_is_kept(stage: Ground) -> None:
    """W26."""
    await stage.pay(str((await stage.gateway.start(stage.ask())).url))
    told = await stage.told()
    kept = stage.gateway.redact(told.kind, told.raw)
    assert KEYS["webhook_secret"].encode() in told.raw and KEYS["webhook_secret"].encode() not in kept
    assert json.loads(kept)["secret_token"] == "[redacted]"
    assert stage.gateway.parse(told.kind, kept, {}) == stage.gateway.parse(told.kind, told.raw, {})


async def test_nobody_pays_with_a_key_of_the_other_mode(stage: Ground) -> None:
    assert DEFAULT_ACCOUNT.live is False
    for key in ("pk_test_town", "sk_live:x", "", "sk_test_\u0661"):
        assert await stage.gateway.start(stage.ask(credentials={**KEYS, "secret_key": key})) == Reply(
            Outcome.DECLINED, result="configuration"
        )
