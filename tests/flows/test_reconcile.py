"""G9 over five gateways on one street: books that agree, and books tampered both ways, through the command's own door."""

from __future__ import annotations

import copy
import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from domain.life import AttemptState
from domain.money import Money
from domain.payment import Notice, Outcome, Proof
from domain.ports import Unit
from payloom.admin_task import Said, Task, execute
from tests.audit.ground import tampering
from tests.market import GATEWAYS, PRICES, Market, Sale, market
from tests.market_payers import PAYERS
from town.moyasar.server import DEFAULT_ACCOUNT
from town.stripe.server import DEFAULT_KEY
from usecases import payments, settlement
from usecases.gateways import credentials_of
from usecases.orders import cancel_order

LISTS = ("stripe", "paypal", "moyasar")
each = pytest.mark.parametrize("name", GATEWAYS)
each_list = pytest.mark.parametrize("name", LISTS)
DAY = 86_400.0


@pytest.fixture
async def here(tmp_path: Path, sqlite_template: Path) -> AsyncIterator[Market]:
    async with market(tmp_path, sqlite_template) as opened:
        yield opened


async def reconciled(here: Market, name: str = "") -> Said:
    """`payloom reconcile --day today --gateway name`, worked as by the process that runs."""
    today = here.core.clock.now().date().isoformat()
    return await execute(here.built, Task("reconcile.run", {"gateway": name, "since": today, "until": today}), {})


async def found(here: Market, name: str) -> list[str]:
    (day,) = (await reconciled(here, name)).data
    assert day["read"], day
    return sorted(one["class"] for one in day["differences"])


async def paid_unheard(here: Market, name: str) -> Sale:
    """The buyer has paid, nothing of it reached us, and we have given it up."""
    sale = await here.begins(name)
    here.deaf = True
    await here.pays(sale)
    if name == "paypal":  # it takes the money when it is asked to: what it answered is lost too
        credentials = await here.built.store.read(lambda unit: credentials_of(unit, here.owner.organization_id, name, direct=False))  # type: ignore[arg-type]
        await here.built.hall.gateways[name].fetch(await here.attempt(sale), credentials)
        await here.quiet()
    here.deaf = False
    attempt = await here.attempt(sale)
    await here.built.store.write(_give_up, attempt.id)
    return sale


def _give_up(unit: Unit, attempt_id: Any) -> None:
    attempt = payments.the_attempt(unit, attempt_id)
    unit.payments.save_attempt(replace(attempt, state=AttemptState.FAILED, live=False, result="no_answer", ask_at=None))


async def told_falsely(here: Market, name: str) -> Sale:
    """The buyer's bank said no, and somebody made us believe that it was paid."""
    sale = await here.begins(name)
    here.deaf = True
    await here.declines(sale)
    here.deaf = False
    attempt = await here.attempt(sale)
    lie = Notice(name, "lie", "event", Outcome.SUCCEEDED, Proof.PROOF, attempt.id, attempt.ref, f"LIE{attempt.id}", attempt.money)
    await here.built.store.write(settlement.apply_notice, lie)
    return sale


async def test_books_of_five_gateways_agree_and_the_table_says_how_each_was_read(here: Market) -> None:
    for name in GATEWAYS:
        for _ in range(2):
            await here.sold(name)
    said = await reconciled(here)
    assert (said.code, said.rows) == (0, [])
    how = {day["gateway"]: (day["how"], day["theirs"], day["ours"], day["unasked"]) for day in said.data}
    assert how == {name: ("list" if name in LISTS else "asked", 2, 2, 0) for name in GATEWAYS}
    assert {day["gateway"] for day in said.data if day["fees"]} == set(LISTS)
    assert said.lines[-1] == "everything agrees"
    assert sum("no list there" in line for line in said.lines) == 2
    await here.proved()


async def test_what_was_paid_from_the_menu_is_read_from_darajas_list(here: Market) -> None:
    """A prompt's money is not in that list: it is asked about. A stray is in it, and in our books."""
    await here.pays_by_hand()
    await here.sold("daraja")
    app = here.providers.daraja.apps["town-key"]
    app.external_validation = False
    await here.providers.daraja.pay_by_hand("254712345678", app.short_code, "NOBODYS", 700)
    await here.settled()
    (day,) = (await reconciled(here, "daraja")).data
    assert (day["how"], day["theirs"], day["ours"], day["differences"]) == ("list", 1, 2, [])
    here.deaf = True
    await here.providers.daraja.pay_by_hand("254712345678", app.short_code, "UNHEARD", 900)
    await here.quiet()
    here.deaf = False
    assert await found(here, "daraja") == ["missing_here"]
    await here.later(660)
    assert await found(here, "daraja") == [], "the list of the last hours has brought it"
    await here.proved()


async def test_a_stray_goes_back_through_darajas_reversal_and_the_books_agree(here: Market) -> None:
    """Asked at the desk, answered at an address of its own, booked once; whoever asks again sends nothing."""
    await here.pays_by_hand()
    app = here.providers.daraja.apps["town-key"]
    app.external_validation = False
    payer = here.providers.phones.phone("254712345678")
    before = payer.balance_minor
    await here.providers.daraja.pay_by_hand("254712345678", app.short_code, "NOBODYS", 700)
    await here.settled()
    assert payer.balance_minor == before - 700_00
    ((number,),) = await here.rows("SELECT id FROM strays")
    asked = Task("admin_suspense.stray_return", {"number": number, "by_hand": ""})
    said = await execute(here.built, asked, {})
    assert said.code == 0 and said.data["state"] in {"RETURNING", "RETURNED"}, said.lines  # Daraja may have been quicker than we are
    await here.settled()
    assert [row[0] for row in await here.rows("SELECT state FROM strays")] == ["RETURNED"]
    assert payer.balance_minor == before
    assert await here.books() == {}
    again = await execute(here.built, asked, {})
    assert (again.code, again.data["state"], payer.balance_minor) == (0, "RETURNED", before)
    assert await found(here, "daraja") == []
    await here.proved()


@each
async def test_a_payment_that_only_they_have_is_missing_here_and_is_booked_when_they_are_asked(here: Market, name: str) -> None:
    await here.sold(name)
    sale = await paid_unheard(here, name)
    assert await found(here, name) == ["missing_here"]
    assert "books_differ" in await here.alerts()
    (one,) = (await execute(here.built, Task("reconcile.differences"), {})).data
    if name in {"stripe", "paypal"}:  # their lists do not tell our own name of it
        assert one["tool"] == "pay_back"
        return
    asked = await execute(here.built, Task("reconcile.ask", {"number": one["id"]}), {})
    assert (asked.code, asked.data["state"]) == (0, "GONE"), asked.lines
    assert await here.order(sale) is not None
    await here.proved()


@each
async def test_a_payment_that_only_we_have_is_missing_there(here: Market, name: str) -> None:
    await here.sold(name)
    await told_falsely(here, name)
    assert await found(here, name) == ["missing_there"]


@each_list
async def test_another_amount_currency_or_time_in_our_books_is_classed(here: Market, name: str) -> None:
    sales = [(await here.sold(name))[0] for _ in range(4)]
    attempts = [await here.attempt(sale) for sale in sales]
    with tampering(here.built.settings.database_url) as session:
        entries = [f"SELECT id FROM entries WHERE cause = 'attempt:{attempt.id}'" for attempt in attempts]
        session.plain(f"UPDATE postings SET amount_minor = amount_minor * 2 WHERE entry_id IN ({entries[0]})")
        session.plain(f"UPDATE postings SET currency = 'UGX' WHERE entry_id IN ({entries[1]})")
        session.plain(f"UPDATE entries SET at = at + {2 * 3600 * 1_000_000} WHERE id IN ({entries[2]})")
    said = await reconciled(here, name)
    assert said.code == 1
    assert {(one["class"], one["theirs"], one["ours"]) for one in said.data[0]["differences"]} == {
        ("amount", plain(PRICES[name]), plain(Money(PRICES[name].amount_minor * 2, PRICES[name].currency))),
        ("currency", plain(PRICES[name]), plain(Money(PRICES[name].amount_minor, "UGX"))),
        ("late", plain(PRICES[name]), plain(PRICES[name])),
    }
    assert {row[2] for row in said.rows} == {"amount", "currency", "late"}


def plain(money: Money) -> str:
    return f"{money.major} {money.currency}"


async def test_one_invoice_paid_twice_is_a_duplicate(here: Market) -> None:
    await here.sold("moyasar")
    books = here.providers.moyasar.books
    (payment,) = books.payments.values()
    books.payments["twice"] = {**copy.deepcopy(payment), "id": str(uuid.UUID(int=7))}
    assert await found(here, "moyasar") == ["duplicate"]
    assert DEFAULT_ACCOUNT.secret_key == PAYERS["moyasar"].key


async def test_one_payment_charged_twice_is_a_duplicate(here: Market) -> None:
    await here.sold("stripe")
    account = here.providers.stripe.accounts[DEFAULT_KEY]
    (line,) = account.transactions.values()
    charge = account.charges[line["source"]]
    account.charges["ch_twice"] = {**copy.deepcopy(charge), "id": "ch_twice"}
    account.transactions["txn_twice"] = {**copy.deepcopy(line), "id": "txn_twice", "source": "ch_twice"}
    assert await found(here, "stripe") == ["duplicate"]


@pytest.mark.parametrize("name", ["stripe", "paypal"])
async def test_refunds_in_parts_and_on_the_dashboard_agree(here: Market, name: str) -> None:
    sale, order = await here.sold(name)
    attempt = await here.attempt(sale)
    receipt = attempt.receipt or ""
    await PAYERS[name].gives_back(here.providers, receipt, 500)
    await here.settled()
    await here.later(60)
    await PAYERS[name].gives_back(here.providers, receipt, 300)
    await here.settled()
    await here.later(60)
    assert await found(here, name) == []
    with tampering(here.built.settings.database_url) as session:
        mine = "SELECT id FROM entries WHERE kind = 'refund_confirmed' ORDER BY id DESC LIMIT 1"
        session.plain(f"DELETE FROM postings WHERE entry_id IN ({mine})")
        session.plain(f"UPDATE refunds SET state = 'FAILED' WHERE id = (SELECT max(id) FROM refunds WHERE order_id = {order.id})")
    assert await found(here, name) == ["missing_here"]


@each
async def test_a_refund_of_ours_is_in_both_books(here: Market, name: str) -> None:
    """Where there is no list of refunds nothing is said of them."""
    _, order = await here.sold(name)
    await here.built.store.write(cancel_order, here.owner, order.number)
    await here.later(60)
    assert [str(row[0]) for row in await here.rows("SELECT state FROM refunds")] == ["DONE"]
    assert await found(here, name) == []
    await here.proved()


async def test_a_sum_of_refunds_that_is_not_ours_is_another_amount(here: Market) -> None:
    sale, order = await here.sold("moyasar")
    await here.built.store.write(cancel_order, here.owner, order.number)
    await here.later(60)
    payment = here.providers.moyasar.books.payments[(await here.attempt(sale)).receipt or ""]
    payment["refunded"] -= 1
    assert await found(here, "moyasar") == ["amount"]


@each_list
async def test_a_list_that_fails_in_the_middle_says_nothing_and_is_read_later(here: Market, name: str) -> None:
    await here.sold(name)
    for _ in range(3):  # the client of Stripe tries again by itself
        here.fault(name, "error_500" if name != "moyasar" else "500")
    (day,) = (await reconciled(here, name)).data
    assert (day["read"], day["differences"]) == (False, [])
    for _ in range(4):
        (day,) = (await reconciled(here, name)).data
    assert (day["read"], day["differences"]) == (True, [])


async def test_the_daily_job_reads_yesterday_once_and_tells_what_differs(here: Market) -> None:
    """The provider tries for hours to tell us: what it told at last is late, once, until somebody has seen it."""
    await paid_unheard(here, "moyasar")
    day = here.core.clock.now().date().isoformat()
    midnight_s = DAY - here.core.clock.now().timestamp() % DAY
    await here.later(midnight_s + 2 * 3600)
    assert "books_differ" not in await here.alerts()
    await here.later(2 * 3600)
    assert "books_differ" in await here.alerts()
    assert sorted(str(row[0]) for row in await here.rows(f"SELECT gateway FROM readings WHERE day = '{day}'")) == sorted(GATEWAYS)
    ((number, kind, state),) = await here.rows("SELECT id, kind, state FROM differences")
    assert (kind, state) == ("late", "OPEN")
    said = await execute(here.built, Task("reconcile.settle", {"number": number, "note": "our door was shut"}), {})
    assert said.code == 0
    await here.later(DAY)
    assert [tuple(row) for row in await here.rows("SELECT state, note FROM differences")] == [("SETTLED", "our door was shut")]
    assert [row[0] for row in await here.rows("SELECT count(*) FROM audit WHERE action = 'books_differ'")] == [1]
    await here.proved()
