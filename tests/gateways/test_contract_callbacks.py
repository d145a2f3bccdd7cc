"""Rows C of the safety catalogue for every gateway alike: its real adapter and its provider in the town, through the house's own web door."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from domain.life import AttemptState, EscrowState, OrderState
from domain.phone import read_phone
from jobs import sweeps
from tests.gateways.contract_ground import SIGNED, in_escrow, paid_unheard, the_order
from tests.market import GATEWAYS, METHODS, PAYPAL_WEBHOOK, PRICES, Market, Sale
from tests.market_payers import PAYERS
from usecases import payments
from usecases.checkouts import NewCheckout
from usecases.orders import mark_delivered, ship_order

DAY = 86_400.0
MONEY = ("checkouts", "payments", "attempts", "orders", "entries", "postings", "refunds", "chargebacks")
each = pytest.mark.parametrize("name", GATEWAYS)
each_signed = pytest.mark.parametrize("name", SIGNED)


@each
async def test_the_same_news_fifty_times_at_once_and_a_hundred_times_more_is_one_payment(here: Market, name: str) -> None:
    """C1."""
    before = await here.counts(*MONEY)
    await here.sold(name)
    clean = {table: count - before[table] for table, count in (await here.counts(*MONEY)).items()}
    before = await here.counts(*MONEY)
    sale, news = await paid_unheard(here, name)
    again, headers = here.forged(news, news.raw)
    assert set(await asyncio.gather(*(here.deliver(news, again, headers) for _ in range(50)))) == {200}
    for _ in range(100):
        assert await here.deliver(news, again, headers) == 200
    await here.later(90)
    assert (await the_order(here, sale)).proved
    assert {table: count - before[table] for table, count in (await here.counts(*MONEY)).items()} == clean
    assert await here.books() == in_escrow(name, 2)


@each
async def test_news_that_comes_before_we_wrote_down_what_was_begun_is_not_lost(here: Market, name: str) -> None:
    """C2."""
    store, hall = here.built.store, here.built.hall
    link = await here.link(name)
    form = here.filled(name, "k")
    new = NewCheckout("fast", link.code, 1, "Wanjiru", "Kilimani", "", read_phone(form["phone"]), "en", "web")
    attempt = await store.write(payments.buy, new, METHODS[name], hall.abilities)
    ask = await store.write(payments.begin_attempt, attempt.id)
    assert ask is not None
    reply = await hall.gateways[name].start(ask)
    await PAYERS[name].pays(here.providers, replace(attempt, ref=reply.ref, url=reply.url), f"254{form['phone'][1:]}")
    await here.quiet()
    assert {one.status for one in here.heard} == {200}
    await store.write(payments.record_reply, attempt.id, reply)
    await here.later(90, steps=3)
    order = await the_order(here, Sale(name, attempt.checkout_id))
    assert order.proved
    assert await here.books() == in_escrow(name)


@each
async def test_a_refusal_that_is_told_after_the_payment_does_not_undo_it(here: Market, name: str) -> None:
    """C3: by the provider's truth. What was told before the payment is told once more after it."""
    sale = await here.begins(name)
    await here.declines(sale)
    await here.settled()
    refusals = here.told(name)
    if (await here.attempt(sale)).state is not AttemptState.PENDING:
        async with here.web.post(f"{here.base}{sale.pay}/retry", data={"method": str(METHODS[name])}) as answer:
            assert answer.status == 200
        await here.built.hall.drain()
    await here.pays(sale)
    await here.later(90)
    for one in reversed(refusals):
        assert await here.deliver(one, *here.forged(one, one.raw)) == 200
    await here.later(90)
    assert (await the_order(here, sale)).proved
    assert await here.books() == in_escrow(name)


@each
@pytest.mark.parametrize("late_s", [1.0, DAY, 8 * DAY])
async def test_money_that_is_told_of_after_the_purchase_was_over_is_neither_kept_nor_ignored(
    here: Market, name: str, late_s: float
) -> None:
    """C4, O6."""
    sale, news = await paid_unheard(here, name)
    here.deaf = True
    here.core.clock.advance(31 * 60)
    await sweeps.expire(here.built.hall)
    here.core.clock.advance(late_s)
    await here.quiet()
    here.deaf = False
    assert str((await here.checkout(sale)).state) == "EXPIRED"
    assert await here.deliver(news, *here.forged(news, news.raw)) == 200
    await here.later(2 * DAY, steps=8)
    order, refunds = await here.order(sale), await here.refunds(sale)
    assert (order is None) is bool(refunds), "an order, or its money goes back"
    if late_s > 2 * DAY:
        assert [(str(one.state), one.money) for one in refunds] == [("DONE", PRICES[name])]
    if order is None:
        assert await here.books() == {}


@each_signed
async def test_a_kind_of_event_that_we_do_not_know_is_kept_and_ignored(here: Market, name: str) -> None:
    """C16: extra fields and a newer version, too."""
    sale, news = await paid_unheard(here, name)
    before = await here.counts(*MONEY)
    assert await here.deliver(news, *here.forged(news, _unknown(name, news.json))) == 200
    assert await here.counts(*MONEY) == before
    assert [state for (state,) in await here.rows("SELECT state FROM inbox")] in (["IGNORED"], ["APPLIED"])
    assert f'gateway="{name}"' in (await here.sees("/metrics"))[1]
    extended = {**news.json, "new_field": {"deep": [1, 2, {"x": None}]}, "api_version": "2031-01-01.future"}
    assert await here.deliver(news, *here.forged(news, extended)) == 200
    await here.later(90)
    assert (await the_order(here, sale)).proved


def _unknown(name: str, body: Any) -> Any:
    """A well-formed event of a kind that does not exist yet."""
    match name:
        case "stripe":
            return {**body, "id": "evt_unknown", "type": "quantum.entangled"}
        case "paypal":
            return {**body, "id": "WH-UNKNOWN-1", "event_type": "QUANTUM.ENTANGLED"}
        case "paytabs":
            return {**body, "tran_ref": "TST0000000000001", "tran_type": "Quantum", "cart_id": "somebody-elses"}
        case _:
            return {**body, "id": "0c1b", "type": "quantum_entangled"}


JUNK = (b"", b"{", b"null", b"[]", b'{"a": NaN}', b'{"a": 1e999}', b'{"a":' * 5000, b"\xff\xfe\x00", b"<html>502</html>", b'{"id": "\x00"}',
        b'{"id": "1", "id": "2"}')  # fmt: skip


@each
async def test_junk_is_refused_or_parked_and_the_house_lives(here: Market, name: str) -> None:
    """C17: of a stranger, and genuinely signed."""
    sale, news = await paid_unheard(here, name)
    before = await here.counts(*MONEY)
    for raw in JUNK:
        assert await here.deliver(news, raw, {"Content-Type": "application/json"}) in {200, 400}
        body, headers = here.forged(news, raw)
        assert await here.deliver(news, body, headers) in {200, 400}
    assert await here.counts(*MONEY) == before
    assert {state for (state,) in await here.rows("SELECT DISTINCT state FROM inbox")} <= {"PARKED", "IGNORED", "STORED"}
    await here.built.settle()
    assert await here.deliver(news, *here.forged(news, news.raw)) == 200
    await here.later(90)
    assert (await the_order(here, sale)).proved


@pytest.mark.parametrize("name", ["stripe", "paypal"])
@pytest.mark.parametrize("won", [False, True])
async def test_a_chargeback_after_the_release_is_what_the_seller_owes(here: Market, name: str, won: bool) -> None:
    """C18: the wallet does not go below zero, nothing more is paid out to it, and it is over when the bank decides."""
    _, order = await here.sold(name)
    await here.built.store.write(ship_order, here.owner, order.number)
    await here.built.store.write(mark_delivered, here.owner, order.number)
    await here.later(8 * DAY, steps=16)
    done = await here.built.store.read(lambda unit: unit.orders.get(order.id))
    assert (done.state, done.escrow) == (OrderState.COMPLETED, EscrowState.RELEASED)
    currency, price = PRICES[name].currency, PRICES[name].amount_minor
    released = await here.books()
    receipt = str((await here.built.store.read(lambda unit: unit.payments.attempt(order.attempt_id))).receipt)  # type: ignore[union-attr]
    at = here.providers
    case = at.stripe.open_dispute(receipt)["id"] if name == "stripe" else at.paypal.dispute(receipt)
    await here.settled()
    books = await here.books()
    wallet, owed = (books.get(f"{account} {currency}", 0) for account in ("wallet", "receivable"))
    assert wallet <= 0 < owed, "never below zero: what it does not cover, they owe us"
    assert wallet + owed == released[f"wallet {currency}"] + price
    assert f"clearing:{name} {currency}" not in books
    assert "chargeback_opened" in await here.alerts()
    if name == "stripe":
        here.providers.stripe.close_dispute(case, won=won)
    else:
        here.providers.paypal.resolve_dispute(case, "RESOLVED_SELLER_FAVOUR" if won else "RESOLVED_BUYER_FAVOUR")
    await here.settled()
    assert await here.books() == (released if won else books)


@each
async def test_coming_back_to_our_page_proves_nothing(here: Market, name: str) -> None:
    """C19: without a payment, twice, with the id of another purchase, and with what a provider's redirect would carry."""
    first, second = await here.begins(name), await here.begins(name)
    before = await here.counts(*MONEY)
    for _ in range(2):
        assert (await here.sees(f"{first.pay}/back?status=paid&id=pi_1&respStatus=A&token=x"))[0] == 303
        status, page = await here.sees(first.pay)
        assert status == 200 and "/track/" not in page
    mixed = second.pay[:-6] + first.pay[-6:]
    assert (await here.sees(f"{mixed}/back"))[0] == 404
    assert await here.counts(*MONEY) == before
    await here.pays(second)
    await here.later(90)
    assert (await here.sees(first.pay))[0] == 200
    assert (await here.sees(second.pay))[1].startswith("/track/")
    assert await here.books() == in_escrow(name)


async def test_an_event_that_cannot_be_checked_now_is_told_again_and_then_believed(here: Market) -> None:
    """C21: PayPal's certificate is not to be had."""
    sale, news = await paid_unheard(here, "paypal")
    here.fault("paypal", "cert_down", 10)
    assert await here.deliver(news) >= 400
    assert await here.order(sale) is None
    here.core.faults.clear()
    here.core.clock.advance(DAY / 2)
    await here.quiet()
    assert (await the_order(here, sale)).proved
    assert PAYPAL_WEBHOOK in here.providers.paypal.hooks.hooks


DOWN = {
    "daraja": "query_500", "stripe": "error_500", "paypal": "error_500", "paytabs": "500", "moyasar": "500",
}  # fmt: skip


@each
async def test_while_the_provider_cannot_be_asked_nothing_is_credited_on_hearsay(here: Market, name: str) -> None:
    """C21: what is only a hint is held and not released, what was not told at all is not there; both are made good when it answers again."""
    sale = await here.begins(name)
    here.deaf = name not in {"daraja", "moyasar"}
    await here.pays(sale)
    here.fault(name, DOWN[name], 1000)
    for _ in range(3):
        await here.later(120)
    order = await here.order(sale)
    assert order is None or not order.proved
    assert (await here.attempt(sale)).proved_at is None
    here.core.faults.clear()
    await here.later(360, steps=2)
    assert (await the_order(here, sale)).proved
    assert await here.books() == in_escrow(name)


def test_these_are_all_the_gateways() -> None:
    """Of those whose payers leave our page for theirs, or whose telephone rings."""
    assert set(GATEWAYS) == set(METHODS) == set(PRICES) == set(PAYERS) == set(DOWN)
