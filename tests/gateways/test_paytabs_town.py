"""The PayTabs adapter against the town's PayTabs, over HTTP: both read the same documentation, neither read the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from domain.money import Money
from domain.payment import About, Method, Outcome, Proof, Reply
from gateways.payments.paytabs import METHODS, REGIONS, PayTabs
from gateways.payments.paytabs_codes import WORDS
from tests.gateways.email_ground import until
from tests.gateways.paytabs_ground import KEYS, FollowsTown, Ground, ground
from tests.gateways.provider import TOKEN
from town.paytabs.books import Profile
from town.paytabs.pages import REVIEWED
from town.paytabs.server import DEFAULT_PROFILE

SUM = Money(150_50, "SAR")


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Ground]:
    async with ground() as running:
        yield running


async def test_a_payment_from_the_page_to_the_proof(stage: Ground) -> None:
    ask = stage.ask(attempt_id=4211)
    started = await stage.gateway.start(ask)
    assert started.outcome is Outcome.PENDING and started.url is not None and started.ref is not None
    attempt = stage.attempt(ask, started.ref)
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.PENDING, started.ref, "waiting")
    page = await stage.person.get(started.url)
    assert "150.50 SAR" in page.text and "PL-7K2QD Order" in page.text
    ended = await stage.pay(started.url)
    assert str(ended.url).startswith(ask.back_url) and "respStatus=A" in str(ended.url)
    told = await stage.told()
    assert told.path == f"/callbacks/paytabs/{TOKEN}"
    notice = stage.understood(told)
    assert (notice.outcome, notice.proof, notice.about, notice.attempt_id, notice.ref, notice.receipt, notice.money) == (
        Outcome.SUCCEEDED, Proof.PROOF, About.PAYMENT, 4211, started.ref, started.ref, SUM
    )  # fmt: skip
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.SUCCEEDED, started.ref, "paid", receipt=started.ref)
    assert await stage.gateway.fetch(replace(attempt, ref=None), KEYS) == Reply(Outcome.SUCCEEDED, started.ref, "paid", receipt=started.ref)
    assert [(one["kind"], one["amount"], one["tran_ref"]) for one in stage.alone.paytabs.books.movements] == [
        ("sale", "150.50", started.ref)
    ]


@pytest.mark.parametrize(
    "number,answer,words",
    [
        ("4000000000000002", "ok", "card_declined"),
        ("4201320000013020", "ok", "insufficient_funds"),
        ("4000000000000069", "ok", "card_wrong"),
        ("4201321234412228", "ok", "try_later"),
        ("4111111111111111", "fail", "card_not_confirmed"),
    ],
)
async def test_a_card_that_is_refused_ends_the_page(stage: Ground, number: str, answer: str, words: str) -> None:
    """C3: what the callback says, and what they say when asked, is the same; another press finds the page over."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url), number, answer)
    notice = stage.understood(await stage.told())
    assert (notice.outcome, notice.result, notice.receipt, notice.money) == (Outcome.DECLINED, words, None, None)
    assert await stage.gateway.fetch(stage.attempt(ask, started.ref), KEYS) == Reply(Outcome.DECLINED, started.ref, words)
    assert "respStatus=D" in str((await stage.person.get(str(started.url))).url)
    assert stage.alone.paytabs.books.movements == []


async def test_a_payer_who_cancels_and_one_who_never_comes(stage: Ground) -> None:
    first, second = stage.ask(attempt_id=1), stage.ask(attempt_id=2)
    left, forgotten = await stage.gateway.start(first), await stage.gateway.start(second)
    await stage.person.post(str(left.url), data={"how": "cancel"})
    assert stage.understood(await stage.told()).result == "cancelled_by_payer"
    assert await stage.gateway.fetch(stage.attempt(first, left.ref), KEYS) == Reply(Outcome.DECLINED, left.ref, "cancelled_by_payer")
    stage.alone.core.clock.advance(30 * 60 + 1)
    assert await stage.gateway.fetch(stage.attempt(second, forgotten.ref), KEYS) == Reply(Outcome.DECLINED, forgotten.ref, "expired")
    assert stage.understood(await stage.told(2)).result == "expired"


async def test_a_payment_that_is_held_is_not_paid_until_it_is_let_go(stage: Ground) -> None:
    """C3: H is followed by A, told again to the same address under another key."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url), REVIEWED)
    held = stage.understood(await stage.told())
    attempt = stage.attempt(ask, started.ref)
    assert (held.outcome, held.result, held.money) == (Outcome.PENDING, "waiting", None)
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.PENDING, started.ref, "waiting")
    stage.alone.paytabs.decide(str(started.ref), "A")
    paid = stage.understood(await stage.told(2))
    assert paid.outcome is Outcome.SUCCEEDED and paid.event_key != held.event_key
    assert (await stage.gateway.fetch(attempt, KEYS)).outcome is Outcome.SUCCEEDED


async def test_every_method_opens_a_page_of_its_own(stage: Ground) -> None:
    for number, method in enumerate(METHODS, 1):
        started = await stage.gateway.start(stage.ask(attempt_id=number, method=method))
        assert started.outcome is Outcome.PENDING
        text = (await stage.person.get(str(started.url))).text
        assert ("stc pay" in text) is (method in {Method.STC_PAY, Method.PAYTABS})
        assert ("Card number" in text) is (method not in {Method.STC_PAY, Method.APPLE_PAY})
    assert set(METHODS) == stage.gateway.ability.methods
    arabic = await stage.gateway.start(stage.ask(attempt_id=99, language="ar"))
    assert 'dir="rtl"' in (await stage.person.get(str(arabic.url))).text


@pytest.mark.parametrize(
    "money,text", [(Money(1_505, "KWD"), "1.505 KWD"), (Money(5, "SAR"), "0.05 SAR"), (Money(10**9 + 1, "SAR"), "10000000.01 SAR")]
)
async def test_amounts_arrive_as_they_are(stage: Ground, money: Money, text: str) -> None:
    """C8: to the last decimal of the currency, and back."""
    ask = stage.ask(money)
    started = await stage.gateway.start(ask)
    assert text in (await stage.person.get(str(started.url))).text
    await stage.pay(str(started.url))
    assert stage.understood(await stage.told()).money == money
    assert (await stage.gateway.fetch(stage.attempt(ask, started.ref), KEYS)).outcome is Outcome.SUCCEEDED


async def test_a_profile_with_two_decimals_takes_no_thousandths(stage: Ground) -> None:
    plain = PayTabs(stage.http, FollowsTown(stage.alone.core.clock), stage.ear.url, stage.alone.base_url, thousandths=False)
    assert plain.ability.step_minor["KWD"] == 10
    assert await plain.start(stage.ask(Money(1_505, "KWD"))) == Reply(Outcome.DECLINED, result="amount_refused")
    assert await plain.refund(stage.a_refund(Money(1_505, "KWD")), "TST1", KEYS, TOKEN) == Reply(Outcome.DECLINED, result="amount_refused")
    assert (await plain.start(stage.ask(Money(1_500, "KWD")))).outcome is Outcome.PENDING


async def test_an_answer_that_was_lost_leaves_nobody_paying_twice(stage: Ground) -> None:
    """O2: the page was made and its address lost: it is found by its cart, and not asked for again while it stands."""
    ask = stage.ask()
    stage.plant("timeout_after")
    assert await stage.gateway.start(ask) == Reply(Outcome.UNKNOWN, result="unknown")
    attempt = stage.attempt(ask, None)
    found = await stage.gateway.fetch(attempt, KEYS)
    assert (found.outcome, found.url) == (Outcome.PENDING, None) and found.ref is not None
    assert await stage.gateway.start(ask) == Reply(Outcome.UNKNOWN, result="unknown")
    assert len(stage.alone.paytabs.books.transactions) == 1
    stage.alone.core.clock.advance(36 * 60)
    assert (await stage.gateway.fetch(attempt, KEYS)).result == "expired"


async def test_an_attempt_that_never_reached_them_ends_when_its_page_would_have(stage: Ground) -> None:
    """O2."""
    attempt = stage.attempt(stage.ask(), None)
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.PENDING, None, "waiting")
    strange = replace(attempt, ref="TST0000000000000")
    assert await stage.gateway.fetch(strange, KEYS) == Reply(Outcome.PENDING, "TST0000000000000", "waiting")
    stage.alone.core.clock.advance(35 * 60)
    assert await stage.gateway.fetch(attempt, KEYS) == Reply(Outcome.DECLINED, None, "expired")


@pytest.mark.parametrize("detail,wait_s", [({}, 10), ({"seconds": 37}, 37)])
async def test_too_many_requests_wait_as_told(stage: Ground, detail: dict[str, Any], wait_s: int) -> None:
    """O1."""
    stage.plant("429", **detail)
    assert await stage.gateway.start(stage.ask()) == Reply(Outcome.NOT_SENT, result="try_later", retry_after_s=wait_s)
    stage.plant("429", **detail)
    assert await stage.gateway.refund(stage.a_refund(SUM), "TST1", KEYS, TOKEN) == Reply(
        Outcome.NOT_SENT, result="try_later", retry_after_s=wait_s
    )


@pytest.mark.parametrize("fault", ["500", "html", "timeout_before", "429"])
async def test_while_they_are_down_nothing_is_believed(stage: Ground, fault: str) -> None:
    """C21, O2, O3: even long after the page was over, silence is no refusal."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    attempt = stage.attempt(ask, started.ref)
    stage.alone.core.clock.advance(86_400)
    stage.plant(fault)
    silent = await stage.gateway.fetch(attempt, KEYS)
    assert (silent.outcome, silent.ref) == (Outcome.UNKNOWN, started.ref)
    if fault != "429":
        stage.plant(fault)
        lost = await stage.gateway.start(stage.ask(attempt_id=2))
        assert (lost.outcome, lost.url) == (Outcome.UNKNOWN, None)


async def test_a_key_of_another_region_or_profile_is_said_to_be_the_configuration(stage: Ground) -> None:
    """C10."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    for changed in ({"server_key": "S-another"}, {"profile_id": "99999"}):
        wrong = {**KEYS, **changed}
        assert await stage.gateway.start(stage.ask(attempt_id=2, credentials=wrong)) == Reply(Outcome.DECLINED, result="configuration")
        assert await stage.gateway.fetch(stage.attempt(ask, started.ref), wrong) == Reply(Outcome.UNKNOWN, started.ref, "configuration")
        assert await stage.gateway.refund(stage.a_refund(SUM), str(started.ref), wrong, TOKEN) == Reply(
            Outcome.DECLINED, result="configuration"
        )
        assert await stage.gateway.check(wrong) == "configuration"
    other = stage.alone.paytabs.add_profile(Profile(777, "S-other"))
    theirs = {**KEYS, "profile_id": "777", "server_key": other.server_key}
    assert (await stage.gateway.fetch(stage.attempt(ask, started.ref), theirs)).outcome is Outcome.PENDING
    assert await stage.gateway.check(KEYS) is None
    stage.plant("500")
    assert await stage.gateway.check(KEYS) == "try_later"


@pytest.mark.parametrize(
    "changed",
    [{"profile_id": ""}, {"profile_id": "abc"}, {"profile_id": "١٢"}, {"server_key": ""}, {"server_key": "a b"}, {"server_key": "ключ"}],
)
async def test_credentials_that_cannot_be_are_not_sent(stage: Ground, changed: dict[str, str]) -> None:
    """C5."""
    wrong = {**KEYS, **changed}
    assert await stage.gateway.start(stage.ask(credentials=wrong)) == Reply(Outcome.DECLINED, result="configuration")
    assert await stage.gateway.check(wrong) == "configuration"
    assert (await stage.gateway.fetch(stage.attempt(stage.ask(), "TST1"), wrong)).outcome is Outcome.UNKNOWN
    assert (await stage.gateway.refund(stage.a_refund(SUM), "TST1", wrong, TOKEN)).outcome is Outcome.DECLINED
    assert stage.alone.paytabs.books.transactions == {}


async def test_a_region_is_an_address_of_theirs(stage: Ground) -> None:
    real = PayTabs(stage.http, FollowsTown(stage.alone.core.clock), "https://shop.example")
    assert await real.start(stage.ask(credentials={**KEYS, "region": "MARS"})) == Reply(Outcome.DECLINED, result="configuration")
    assert all(address.startswith("https://secure") for address in REGIONS.values())


async def test_what_they_refuse_is_said_in_words(stage: Ground) -> None:
    said = [
        await stage.gateway.start(stage.ask(Money(150_50, "EUR"))),
        await stage.gateway.start(stage.ask(Money(1_500, "KWD"), method=Method.STC_PAY)),
        await stage.gateway.start(stage.ask(Money(0, "SAR"))),
        await stage.gateway.start(stage.ask(back_url="https://shop.example/" + "a" * 250)),
        await stage.gateway.start(stage.ask(back_url="no address")),
    ]
    assert [one.result for one in said] == ["currency_refused", "currency_refused", "amount_refused", "configuration", "configuration"]
    assert {one.outcome for one in said} == {Outcome.DECLINED}
    assert {str(one.result) for one in said} <= WORDS


async def test_a_page_for_another_amount_is_never_shown(stage: Ground) -> None:
    """O12: they answer with an amount that we did not ask for."""
    stage.plant("other_amount")
    started = await stage.gateway.start(stage.ask())
    assert (started.outcome, started.url) == (Outcome.UNKNOWN, None)


async def test_a_payment_of_another_amount_currency_or_cart_proves_nothing(stage: Ground) -> None:
    """C8, C9, C10, O12."""
    ask = stage.ask()
    started = await stage.gateway.start(ask)
    await stage.pay(str(started.url))
    attempt = stage.attempt(ask, started.ref)
    for money in (Money(150_49, "SAR"), Money(150_51, "SAR"), Money(1_50, "SAR"), Money(150_50, "USD"), Money(150_500, "KWD")):
        assert await stage.gateway.fetch(replace(attempt, money=money), KEYS) == Reply(Outcome.UNKNOWN, started.ref, "unknown")
    other = stage.attempt(stage.ask(attempt_id=2), started.ref)
    assert await stage.gateway.fetch(other, KEYS) == Reply(Outcome.UNKNOWN, started.ref, "unknown")


async def test_a_callback_with_the_signature_of_another_key_is_refused(stage: Ground) -> None:
    """C5; C8: one that is signed and tells another amount is told as it is, for the books to refuse."""
    stage.plant("callback_wrong_signature")
    await stage.pay(str((await stage.gateway.start(stage.ask())).url))
    told = await stage.told()
    assert not stage.gateway.authentic(told.kind, told.raw, told.headers, "127.0.0.1", KEYS)
    stage.plant("callback_other_amount")
    await stage.pay(str((await stage.gateway.start(stage.ask(attempt_id=2))).url))
    assert stage.understood(await stage.told(2)).money == Money(1_00, "SAR")


async def test_the_callback_is_sent_once_and_the_ipn_until_it_is_taken(stage: Ground) -> None:
    """C1: both tell the same event under the same key, however often."""
    stage.alone.paytabs.add_profile(replace(DEFAULT_PROFILE, ipn_url=f"{stage.ear.url}/callbacks/paytabs"))
    stage.ear.status = 503
    await stage.pay(str((await stage.gateway.start(stage.ask())).url))
    (sent,) = stage.alone.paytabs.hooks.tries
    for count, wait_s in enumerate((60, 300, 1800, 7200, 21_600), 1):
        await until(lambda count=count: len(sent) == count)  # type: ignore[misc]
        stage.alone.core.clock.advance(wait_s + 1)
    await until(lambda: len(sent) == 6)
    stage.alone.core.clock.advance(7 * 86_400)
    heard = await stage.ear.heard(7)
    assert [told.path for told in heard].count("/callbacks/paytabs") == 6
    assert len({stage.understood(told).event_key for told in heard}) == 1


async def _paid(stage: Ground, attempt_id: int = 1) -> str:
    """The receipt of a payment of SUM."""
    started = await stage.gateway.start(stage.ask(attempt_id=attempt_id))
    await stage.pay(str(started.url))
    return str(started.ref)


async def test_a_refund_is_done_once_however_often_it_is_asked_for(stage: Ground) -> None:
    receipt = await _paid(stage)
    refund = stage.a_refund(SUM, id=88)
    first = await stage.gateway.refund(refund, receipt, KEYS, TOKEN)
    assert (first.outcome, first.result) == (Outcome.SUCCEEDED, "refunded") and first.ref != receipt
    assert await stage.gateway.refund(refund, receipt, KEYS, TOKEN) == first
    assert [one["kind"] for one in stage.alone.paytabs.books.movements] == ["sale", "refund"]
    notice = stage.understood(await stage.told(2))
    assert (notice.about, notice.outcome, notice.refund_id, notice.refund_ref, notice.ref, notice.money, notice.attempt_id) == (
        About.REFUND, Outcome.SUCCEEDED, 88, first.ref, receipt, SUM, None
    )  # fmt: skip


async def test_a_refund_whose_answer_was_lost_is_found_and_not_done_again(stage: Ground) -> None:
    """O2: of a part, too, for every refund has a cart of its own."""
    receipt = await _paid(stage)
    refund = stage.a_refund(Money(50_00, "SAR"))
    stage.plant("refund_unanswered")
    assert await stage.gateway.refund(refund, receipt, KEYS, TOKEN) == Reply(Outcome.UNKNOWN, result="unknown")
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).outcome is Outcome.SUCCEEDED
    assert [one["amount"] for one in stage.alone.paytabs.books.movements] == ["150.50", "50.00"]
    stage.plant("500")
    assert (await stage.gateway.refund(stage.a_refund(SUM, id=2), receipt, KEYS, TOKEN)).outcome is Outcome.NOT_SENT


async def test_a_refund_that_is_pending_ends_with_a_callback_or_when_asked_again(stage: Ground) -> None:
    receipt = await _paid(stage)
    refund = stage.a_refund(SUM)
    stage.plant("refund_pending")
    waiting = await stage.gateway.refund(refund, receipt, KEYS, TOKEN)
    assert (waiting.outcome, waiting.result) == (Outcome.PENDING, "waiting")
    assert stage.understood(await stage.told(2)).outcome is Outcome.PENDING
    assert await stage.gateway.refund(refund, receipt, KEYS, TOKEN) == waiting
    stage.alone.paytabs.decide(str(waiting.ref), "A")
    assert stage.understood(await stage.told(3)).outcome is Outcome.SUCCEEDED
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).outcome is Outcome.SUCCEEDED


async def test_a_refund_that_was_declined_may_be_sent_again_by_a_person(stage: Ground) -> None:
    receipt = await _paid(stage)
    refund = stage.a_refund(SUM)
    stage.plant("refund_declined")
    declined = await stage.gateway.refund(refund, receipt, KEYS, TOKEN)
    assert (declined.outcome, declined.result) == (Outcome.DECLINED, "not_refundable")
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).outcome is Outcome.UNKNOWN
    stage.alone.core.clock.advance(121)
    assert (await stage.gateway.refund(refund, receipt, KEYS, TOKEN)).outcome is Outcome.SUCCEEDED


async def test_parts_go_back_until_there_is_nothing_left(stage: Ground) -> None:
    """100 and 50.50 are the whole; more, another currency, another receipt are refused."""
    receipt = await _paid(stage)
    amounts = [Money(100_00, "SAR"), Money(50_51, "SAR"), Money(50_50, "SAR"), Money(1, "SAR"), Money(1_00, "USD")]
    said = [
        (await stage.gateway.refund(stage.a_refund(money, id=number), receipt, KEYS, TOKEN)).outcome
        for number, money in enumerate(amounts, 1)
    ]
    assert said == [Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.SUCCEEDED, Outcome.DECLINED, Outcome.DECLINED]
    strange = await stage.gateway.refund(stage.a_refund(SUM, id=9), "TST0", KEYS, TOKEN)
    assert strange == Reply(Outcome.DECLINED, result="not_refundable")


async def test_money_that_went_back_at_the_dashboard_is_told(stage: Ground) -> None:
    """C3: a void of a sale by somebody else: money that is not there any more, and none of our refunds."""
    receipt = await _paid(stage)
    body = {"profile_id": 12345, "tran_type": "void", "tran_class": "ecom", "cart_id": "by-hand", "cart_description": "void",
            "cart_currency": "SAR", "cart_amount": 150.5, "tran_ref": receipt, "callback": f"{stage.ear.url}/callbacks/paytabs"}  # fmt: skip
    answer = await stage.person.post(f"{stage.alone.base_url}/payment/request", json=body, headers={"Authorization": KEYS["server_key"]})
    notice = stage.understood(await stage.told(2))
    assert (notice.about, notice.outcome, notice.ref, notice.refund_id, notice.refund_ref, notice.money) == (
        About.REFUND, Outcome.SUCCEEDED, receipt, None, answer.json()["tran_ref"], SUM
    )  # fmt: skip
