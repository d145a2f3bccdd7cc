"""Rows O of the safety catalogue for every gateway alike: what becomes of a call that goes wrong, through the whole house."""

from __future__ import annotations

import asyncio

import pytest

from domain.life import AttemptState
from domain.rights import Actor, Party
from tests.market import GATEWAYS, METHODS, PRICES, Market
from tests.market_payers import PAYERS, begun, movements
from usecases.gateways import pause_gateway
from usecases.orders import cancel_order

DAY = 86_400.0
ADMIN = Actor(Party.ADMIN, "admin")
each = pytest.mark.parametrize("name", GATEWAYS)
BUSY = {"daraja": "spike", "stripe": "rate_limit", "paypal": "rate_limit", "paytabs": "429", "moyasar": "429"}
BEFORE = {
    "daraja": "stk_timeout_before", "stripe": "drop_before", "paypal": "create_drop", "paytabs": "timeout_before", "moyasar": "timeout_before",
}  # fmt: skip
AFTER = {
    "daraja": "stk_timeout_after", "stripe": "drop_after", "paypal": "create_drop_after", "paytabs": "timeout_after", "moyasar": "timeout_after",
}  # fmt: skip
BROKEN = {"daraja": "stk_500", "stripe": "error_500", "paypal": "create_error_500", "paytabs": "500", "moyasar": "500"}
RUBBISH = {"daraja": "stk_html", "stripe": "rubbish", "paypal": "create_html", "paytabs": "html", "moyasar": "html"}
REFUND_LOST = {
    "daraja": "reversal_timeout_after", "stripe": "drop_after", "paypal": "refund_drop_after", "paytabs": "refund_unanswered",
    "moyasar": "refund_unanswered",
}  # fmt: skip


def another(name: str) -> str:
    return "stripe" if name != "stripe" else "paytabs"


@each
@pytest.mark.parametrize("told", [{}, {"retry_after": 30, "seconds": 30}], ids=["without", "with"])
async def test_a_provider_that_is_busy_is_left_alone_and_the_others_are_not(here: Market, name: str, told: dict[str, int]) -> None:
    """O1: nothing was begun there, the buyer may try again, and does not have to wait for anybody else."""
    here.fault(name, BUSY[name], 1, **told)
    sale = await here.begins(name)
    attempt = await here.attempt(sale)
    assert (attempt.state, attempt.result) == (AttemptState.FAILED, "try_later")
    assert begun(here.providers, name) == 0
    await here.sold(another(name))
    await here.later(3600, steps=3)
    assert begun(here.providers, name) == 0, "nobody's telephone rings by itself"


@each
async def test_a_refund_waits_as_long_as_a_busy_provider_says(here: Market, name: str) -> None:
    """O1: no burst; then it goes through, once."""
    sale, order = await here.sold(name)
    here.fault(name, BUSY[name], 1, retry_after=120, seconds=120)
    await here.built.store.write(cancel_order, here.owner, order.number)
    await here.settled()
    asked = here.providers.asked.total()
    await here.settled()
    assert here.providers.asked.total() == asked
    assert [str(one.state) for one in await here.refunds(sale)] == ["ASKED"]
    await here.later(3600, steps=6)
    assert [str(one.state) for one in await here.refunds(sale)] == ["DONE"]
    assert [one.minor for one in movements(here.providers, name) if one.about == "refund"] == [-PRICES[name].amount_minor]
    assert await here.books() == {}


@each
@pytest.mark.parametrize("fault", [BEFORE, AFTER, BROKEN, RUBBISH], ids=["before", "after", "500", "rubbish"])
async def test_an_answer_that_does_not_come_or_is_none_is_neither_paid_nor_begun_again(
    here: Market, name: str, fault: dict[str, str]
) -> None:
    """O2, O3: it is asked about; whatever it is that they have there, they have it once; and without a payer it comes to nothing."""
    here.fault(name, fault[name])
    sale = await here.begins(name)
    attempt = await here.attempt(sale)
    assert attempt.state in {AttemptState.PENDING, AttemptState.FAILED}
    made = begun(here.providers, name)
    assert made <= 1
    if attempt.state is AttemptState.FAILED:
        assert made == 0, "only what certainly never began may be given up at once"
    await here.later(26 * 3600, steps=30)
    assert begun(here.providers, name) == made
    assert (await here.attempt(sale)).state in {AttemptState.FAILED, AttemptState.EXPIRED, AttemptState.CANCELLED, AttemptState.PENDING}
    assert await here.books() == {}


async def test_a_prompt_whose_answer_was_lost_is_paid_once(here: Market) -> None:
    """O2, O6: the phone rang all the same."""
    here.fault("daraja", AFTER["daraja"])
    sale = await here.begins("daraja")
    await here.pays(sale)
    await here.later(90)
    order = await here.order(sale)
    assert order is not None and order.proved
    assert await here.books() == {"clearing:daraja KES": 2500_00, "escrow KES": -2500_00}


@each
async def test_a_refund_whose_answer_was_lost_is_not_paid_twice(here: Market, name: str) -> None:
    """O2: it is found out, or a person is asked; their books show it once."""
    sale, order = await here.sold(name)
    here.fault(name, REFUND_LOST[name])
    await here.built.store.write(cancel_order, here.owner, order.number)
    await here.later(2 * DAY, steps=60)
    assert [one.minor for one in movements(here.providers, name) if one.about == "refund"] == [-PRICES[name].amount_minor]
    refunds = [str(one.state) for one in await here.refunds(sale)]
    assert refunds == ["DONE"], await here.alerts()
    assert await here.books() == {}


@pytest.mark.parametrize("name,token", [("daraja", "/town/daraja/oauth/v1/generate"), ("paypal", "/town/paypal/v1/oauth2/token")])
async def test_twenty_callers_whose_token_ended_fetch_one(here: Market, name: str, token: str) -> None:
    """O4."""
    link = await here.link(name)
    forms = [here.filled(name, await here.form(link)) for _ in range(20)]
    answers = await asyncio.gather(*(here.post_form(link, form) for form in forms))
    await here.built.hall.drain()
    assert {status for status, _ in answers} == {303}
    assert begun(here.providers, name) == 20
    assert here.providers.asked[token] == 1
    here.fault(name, "expire_token")
    await here.sold(name)
    assert here.providers.asked[token] == 2


@pytest.mark.parametrize(
    "answer,result", [("cancel", "cancelled_by_payer"), ("wrong", "wrong_pin"), ("broke", "insufficient_funds"), ("ignore", "no_answer")]
)
async def test_a_prompt_that_comes_to_nothing_is_said_and_offered_again_not_sent_again(here: Market, answer: str, result: str) -> None:
    """O5."""
    sale = await here.begins("daraja")
    await here.built.hall.drain()
    here.providers.phones.answer(sale.number, answer)
    await here.later(1000, steps=5)
    attempt = await here.attempt(sale)
    assert attempt.state in {AttemptState.FAILED, AttemptState.CANCELLED, AttemptState.EXPIRED}
    assert attempt.result == result
    assert begun(here.providers, "daraja") == 1
    assert f"{sale.pay}/retry" in (await here.sees(sale.pay))[1]


@each
async def test_five_presses_on_two_devices_begin_one_payment(here: Market, name: str) -> None:
    """O7."""
    link = await here.link(name)
    form = here.filled(name, await here.form(link))
    answers = await asyncio.gather(*(here.post_form(link, form) for _ in range(5)))
    await here.built.hall.drain()
    assert {status for status, _ in answers} == {303} and len({there for _, there in answers}) == 1
    pay = answers[0][1]
    fields = {"method": str(METHODS[name]), "phone": form["phone"]}
    for one in await asyncio.gather(*(here.web.post(f"{here.base}{pay}/retry", data=fields) for _ in range(5))):
        one.release()
        assert one.status == 200
    await here.built.hall.drain()
    assert begun(here.providers, name) == 1
    assert (await here.counts("attempts", "checkouts")) == {"attempts": 1, "checkouts": 1}


@pytest.mark.parametrize("name,fault", [("paytabs", "other_amount"), ("moyasar", "other_amount")])
async def test_a_page_that_asks_for_another_amount_is_shown_to_nobody(here: Market, name: str, fault: str) -> None:
    """O12."""
    here.fault(name, fault)
    sale = await here.begins(name)
    assert (await here.attempt(sale)).url is None
    assert (await here.sees(f"{sale.pay}/go"))[1] == sale.pay
    await here.later(26 * 3600, steps=10)
    assert begun(here.providers, name) == 1
    assert await here.books() == {}


async def test_a_capture_of_another_amount_is_not_this_payment(here: Market) -> None:
    """O12: PayPal took less than was asked for."""
    sale = await here.begins("paypal")
    here.fault("paypal", "capture_other_amount")
    await here.pays(sale)
    await here.later(3600, steps=4)
    order = await here.order(sale)
    assert order is None
    assert not any(account.startswith("escrow") for account in await here.books())


@each
async def test_a_gateway_that_is_switched_off_takes_nothing_new_and_ends_what_it_began(here: Market, name: str) -> None:
    """O13: the buyer is told; another gateway goes on; switched on again it sells."""
    sale = await here.begins(name)
    link = here.links[name]
    key = await here.form(link)
    await here.built.store.write(pause_gateway, ADMIN, name, True)
    status, _ = await here.post_form(link, here.filled(name, key))
    others = begun(here.providers, name)
    assert (status, others) == (422, 1) or (status == 303 and others == 1), "refused with words, or carried by another gateway"
    await here.pays(sale)
    await here.later(90)
    order = await here.order(sale)
    assert order is not None and order.proved
    await here.sold(another(name))
    await here.built.store.write(cancel_order, here.owner, order.number)
    await here.later(600, steps=4)
    assert [str(one.state) for one in await here.refunds(sale)] == ["DONE"]
    await here.built.store.write(pause_gateway, ADMIN, name, False)
    await here.sold(name)


def test_every_gateway_has_its_faults() -> None:
    assert set(BUSY) == set(BEFORE) == set(AFTER) == set(BROKEN) == set(RUBBISH) == set(REFUND_LOST) == set(PAYERS)
