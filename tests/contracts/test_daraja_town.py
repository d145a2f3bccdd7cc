"""The Daraja gateway against the town's Daraja: both read the same documentation, neither read the other."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from domain.money import Money
from domain.payment import Notice, Outcome
from gateways.http import Http
from gateways.payments.daraja import Daraja
from tests.gateways.provider import KEYS, TOKEN, a_refund, an_ask, an_attempt
from town.core import Clock as TownClock
from town.core import Fault
from town.daraja.merchant import Merchant
from town.daraja.standalone import Standalone

PHONE = "254712345678"


class FollowsTown:
    """Our clock, where the town sets the time."""

    def __init__(self, town: TownClock) -> None:
        self._town = town

    def now(self) -> datetime:
        return self._town.now()

    def monotonic_s(self) -> float:
        return datetime.now(UTC).timestamp()


@dataclass
class Stage:
    """The town, our gateway, and an ear at the callback address."""

    alone: Standalone
    ear: Merchant
    gateway: Daraja

    def plant(self, fault: str, times: int = 1, **detail: Any) -> None:
        self.alone.core.faults.plant(Fault("daraja", fault, times, detail))

    async def notice(self, count: int = 1) -> Notice:
        bodies = await self.ear.heard(count)
        path, headers, _ = self.ear.calls[count - 1]
        assert TOKEN in path
        return self.gateway.parse(path.rpartition("/")[2], json.dumps(bodies[count - 1]).encode(), headers)


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with Standalone(seed=7, callback_delay_s=0.01) as alone:
        base = alone.url + "/town/daraja"
        async with Merchant(base, alone.daraja.apps["town-key"]) as ear:
            http = Http(read_timeout_s=3.0)
            gateway = Daraja(http, base, FollowsTown(alone.core.clock), ear.callback_url.removesuffix("/callbacks"))
            yield Stage(alone, ear, gateway)
            await gateway.aclose()
            await http.aclose()


async def test_a_payment_from_the_push_to_its_proof(stage: Stage) -> None:
    reply = await stage.gateway.start(an_ask())
    assert reply.outcome is Outcome.PENDING
    assert reply.ref is not None
    assert (await stage.gateway.fetch(an_attempt(reply.ref), KEYS)).outcome is Outcome.PENDING
    stage.alone.phones.answer(PHONE, "right")
    notice = await stage.notice()
    assert (notice.kind, notice.outcome, notice.ref, notice.money) == ("stk", Outcome.SUCCEEDED, reply.ref, Money(2500_00, "KES"))
    assert notice.receipt == stage.alone.daraja.books()[-1]["receipt"]
    assert notice.facts["payer_ends"] == "678"
    assert (await stage.gateway.fetch(an_attempt(reply.ref), KEYS)).outcome is Outcome.SUCCEEDED


@pytest.mark.parametrize("answer,words", [("cancel", "cancelled_by_payer"), ("wrong", "wrong_pin"), ("broke", "insufficient_funds")])
async def test_a_payer_who_does_not_pay_is_understood_from_callback_and_query(stage: Stage, answer: str, words: str) -> None:
    """O5."""
    reply = await stage.gateway.start(an_ask())
    stage.alone.phones.answer(PHONE, answer)
    notice = await stage.notice()
    assert (notice.outcome, notice.result) == (Outcome.DECLINED, words)
    asked = await stage.gateway.fetch(an_attempt(reply.ref), KEYS)
    assert (asked.outcome, asked.result) == (Outcome.DECLINED, words)


async def test_a_phone_that_is_off_and_one_that_nobody_answers(stage: Stage) -> None:
    """O5."""
    stage.alone.phones.power(PHONE, on=False)
    await stage.gateway.start(an_ask())
    assert (await stage.notice()).result == "no_answer"
    stage.alone.phones.power(PHONE, on=True)
    await stage.gateway.start(an_ask())
    stage.alone.core.clock.advance(100)
    assert (await stage.notice(2)).result == "no_answer"


@pytest.mark.parametrize(
    "fault,outcome",
    [
        ("stk_500", Outcome.NOT_SENT),
        ("spike", Outcome.NOT_SENT),
        ("stk_timeout_before", Outcome.UNKNOWN),
        ("stk_timeout_after", Outcome.UNKNOWN),
        ("stk_html", Outcome.UNKNOWN),
        ("stk_half_json", Outcome.UNKNOWN),
        ("token_500", Outcome.NOT_SENT),
        ("expire_token", Outcome.PENDING),
    ],
)
async def test_what_goes_wrong_with_a_push(stage: Stage, fault: str, outcome: Outcome) -> None:
    """O1, O2, O3, O4."""
    stage.plant(fault)
    assert (await stage.gateway.start(an_ask())).outcome is outcome


async def test_a_second_push_to_a_busy_phone_is_refused(stage: Stage) -> None:
    await stage.gateway.start(an_ask())
    reply = await stage.gateway.start(an_ask())
    assert (reply.outcome, reply.result) == (Outcome.DECLINED, "phone_busy")


async def test_a_token_that_ended_is_replaced(stage: Stage) -> None:
    """O4."""
    assert (await stage.gateway.start(an_ask())).outcome is Outcome.PENDING
    await stage.ear.sign_in()
    assert (await stage.gateway.start(an_ask(phone="+254712345679"))).outcome is Outcome.PENDING
    stage.alone.core.clock.advance(3700)
    assert (await stage.gateway.start(an_ask(phone="+254112345679"))).outcome is Outcome.PENDING


@pytest.mark.parametrize("fault", ["query_4999", "query_500", "query_error_200", "query_down"])
async def test_a_query_without_an_answer_never_refuses(stage: Stage, fault: str) -> None:
    reply = await stage.gateway.start(an_ask())
    stage.plant(fault)
    assert (await stage.gateway.fetch(an_attempt(reply.ref), KEYS)).outcome in {Outcome.PENDING, Outcome.UNKNOWN}
    assert (await stage.gateway.fetch(an_attempt("ws_CO_nobody"), KEYS)).outcome in {Outcome.PENDING, Outcome.UNKNOWN}


@pytest.mark.parametrize("fault", ["string_result_code", "masked_phone", "missing_receipt", "missing_metadata"])
async def test_a_spoiled_success_is_still_a_success(stage: Stage, fault: str) -> None:
    """C16."""
    stage.plant(fault)
    await stage.gateway.start(an_ask())
    stage.alone.phones.answer(PHONE, "right")
    notice = await stage.notice()
    assert notice.outcome is Outcome.SUCCEEDED
    assert (notice.receipt is None) is (fault in {"missing_receipt", "missing_metadata"})
    assert (notice.money is None) is (fault == "missing_metadata")


@pytest.mark.parametrize("amount", [2499, 2501, 25, 0])
async def test_a_wrong_amount_is_told_as_it_came(stage: Stage, amount: int) -> None:
    """C8: the hall compares; this room only reads."""
    stage.plant("wrong_amount", amount=amount)
    await stage.gateway.start(an_ask())
    stage.alone.phones.answer(PHONE, "right")
    assert (await stage.notice()).money == Money(amount * 100, "KES")


async def paid_receipt(stage: Stage) -> str:
    await stage.gateway.start(an_ask())
    stage.alone.phones.answer(PHONE, "right")
    receipt = (await stage.notice()).receipt
    assert receipt is not None
    return receipt


async def test_money_goes_back_in_parts_and_whole(stage: Stage) -> None:
    receipt = await paid_receipt(stage)
    for number, amount_minor in enumerate((1000_00, 1500_00), 2):
        reply = await stage.gateway.refund(a_refund(amount_minor), receipt, KEYS, TOKEN)
        assert reply.outcome is Outcome.PENDING
        notice = await stage.notice(number)
        assert (notice.kind, notice.outcome, notice.ref) == ("reversal", Outcome.SUCCEEDED, reply.ref)
        assert notice.money == Money(amount_minor, "KES")
    assert stage.alone.phones.phone(PHONE).balance_minor == 100_000_00
    await stage.gateway.refund(a_refund(1500_00), receipt, KEYS, TOKEN)
    again = await stage.notice(4)
    assert (again.outcome, again.result) == (Outcome.SUCCEEDED, "already_refunded")


@pytest.mark.parametrize(
    "fault,kind,outcome",
    [("reversal_queue_timeout", "reversal-late", Outcome.UNKNOWN), ("reversal_fails", "reversal", Outcome.DECLINED)],
)
async def test_a_refund_that_did_not_happen(stage: Stage, fault: str, kind: str, outcome: Outcome) -> None:
    """O9."""
    receipt = await paid_receipt(stage)
    stage.plant(fault)
    await stage.gateway.refund(a_refund(), receipt, KEYS, TOKEN)
    notice = await stage.notice(2)
    assert (notice.kind, notice.outcome) == (kind, outcome)


@pytest.mark.parametrize(
    "fault,outcome",
    [("reversal_500", Outcome.NOT_SENT), ("reversal_timeout_before", Outcome.UNKNOWN), ("reversal_timeout_after", Outcome.UNKNOWN)],
)
async def test_what_goes_wrong_with_asking_for_a_refund(stage: Stage, fault: str, outcome: Outcome) -> None:
    receipt = await paid_receipt(stage)
    stage.plant(fault)
    assert (await stage.gateway.refund(a_refund(), receipt, KEYS, TOKEN)).outcome is outcome


async def test_a_buy_goods_till_and_wrong_credentials(stage: Stage) -> None:
    stage.alone.daraja.add_app(key="shop", secret="s", short_code="600100", passkey="pass", kind="BUYGOODS", till="555111")
    shop = {**KEYS, "consumer_key": "shop", "consumer_secret": "s", "short_code": "600100", "passkey": "pass"}
    till = {**shop, "transaction_type": "BUYGOODS", "till": "555111"}
    assert (await stage.gateway.start(an_ask(credentials=till))).outcome is Outcome.PENDING
    stage.alone.phones.answer(PHONE, "right")
    assert (await stage.notice()).outcome is Outcome.SUCCEEDED
    await stage.gateway.start(an_ask(credentials=shop))
    assert (await stage.notice(2)).result == "configuration"
    for changed in ({"passkey": "x"}, {"short_code": "600101"}, {"consumer_secret": "x"}):
        reply = await stage.gateway.start(an_ask(credentials={**till, **changed}))
        assert (reply.outcome, reply.result) == (Outcome.DECLINED, "configuration")


async def test_a_token_with_a_forbidden_word_is_taken_and_comes_back_whole(stage: Stage) -> None:
    unlucky = "ExExEsqlCMDqUeRympesaSAFARICOM01"
    reply = await stage.gateway.start(an_ask(callback_token=unlucky))
    assert reply.outcome is Outcome.PENDING
    stage.alone.phones.answer(PHONE, "right")
    await stage.ear.heard()
    assert stage.ear.calls[0][0] == f"/callbacks/daraja/{unlucky}/stk"


async def test_check_tells_whether_the_keys_are_good(stage: Stage) -> None:
    assert await stage.gateway.check(KEYS) is None
    assert await stage.gateway.check({**KEYS, "consumer_secret": "x"}) == "configuration"
    assert await stage.gateway.check({}) == "configuration"
    stage.plant("token_500")
    assert await stage.gateway.check({**KEYS, "consumer_key": "y"}) == "try_later"
