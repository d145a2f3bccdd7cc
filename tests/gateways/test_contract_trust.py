"""Rows C5 to C10 and C20 for every gateway alike: whose word is believed, of which account, about which money."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest

from domain.life import AttemptState
from domain.rights import Actor, Party
from domain.tokens import Purpose
from tests.gateways.contract_ground import SECRET, SIGNED, credentials, dump, in_escrow, paid_unheard, stranger, the_order
from tests.market import GATEWAYS, PRICES, Market
from tests.market_payers import PAYERS
from usecases.gateways import save_credentials

MONEY = ("checkouts", "payments", "attempts", "orders", "entries", "postings", "refunds", "chargebacks")
each = pytest.mark.parametrize("name", GATEWAYS)
each_signed = pytest.mark.parametrize("name", SIGNED)
ADMIN = Actor(Party.ADMIN, "admin")
_OWN = {
    "stripe": {"webhook_secret": "whsec_of_the_shop"},
    "paypal": {"webhook_id": "8PT597110X687430L"},
    "paytabs": {"server_key": "SSHOP00000-KEYOFTHESHOP", "profile_id": "999"},
    "moyasar": {"webhook_secret": "the-secret-of-the-shop"},
}


@each_signed
async def test_what_is_not_signed_over_this_body_by_this_secret_is_refused(here: Market, name: str) -> None:
    """C5."""
    sale, news = await paid_unheard(here, name)
    before, payer = await here.counts(), PAYERS[name]
    bare = {"Content-Type": "application/json"}
    assert await here.deliver(news, *stranger(here, name, news)) == 400
    unsigned = {**news.json, "secret_token": ""} if name == "moyasar" else news.json
    raw, _ = payer.sign(here.providers, dump(unsigned), dict(news.headers))
    assert await here.deliver(news, raw, bare) == 400
    if name != "moyasar":  # its secret stands in the body: what else stands there is a hint, and is asked about
        _, headers = here.forged(news, news.raw)
        assert await here.deliver(news, news.raw + b" ", headers) == 400
        assert await here.deliver(news, dump(payer.amount(news.json, 1)), headers) == 400
    assert await here.counts() == before
    status, metrics = await here.sees("/metrics")
    assert status == 200 and f'refused_total{{gateway="{name}",why="signature"}}' in metrics
    assert await here.deliver(news, *here.forged(news, news.raw)) == 200
    await here.later(90)
    assert (await the_order(here, sale)).proved


@each_signed
async def test_an_empty_secret_makes_nothing_authentic(here: Market, name: str) -> None:
    """C5: not even what was signed with an empty one. (The house does not start with one: tests/cli/test_settings.py.)"""
    _, news = await paid_unheard(here, name)
    known = await credentials(here, name)
    emptied = {key: "" if key in {"webhook_secret", "webhook_id", "server_key"} else value for key, value in known.items()}
    raw, headers = stranger(here, name, news, "")
    gateway, lower = here.built.hall.gateways[name], {key.lower(): value for key, value in headers.items()}
    kind = "events" if name == "stripe" else "event"
    assert not gateway.authentic(kind, raw, lower, "127.0.0.1", emptied)


async def test_a_path_that_is_not_this_attempts_is_nobodys(here: Market) -> None:
    """C5, C7: Daraja signs nothing; its address is the secret."""
    sale, news = await paid_unheard(here, "daraja")
    before = await here.counts()
    attempt = await here.attempt(sale)
    for purpose, number in ((Purpose.PAY, attempt.checkout_id), (Purpose.REFUND, attempt.id), (Purpose.SETTINGS, 0)):
        token = here.built.hall.tokens.make(purpose, number)
        assert await here.deliver(news, path=f"/callbacks/daraja/{token}/stk") == 404
    assert await here.deliver(news, path=f"{news.path[:-6]}x/stk") == 404
    assert await here.counts() == before


@pytest.mark.parametrize("age_s", [301, 600, 86_400, -330, -600])
async def test_an_old_or_early_signature_of_stripe_is_refused_and_its_late_retry_is_not(here: Market, age_s: int) -> None:
    """C6: the time is part of what is signed; Stripe signs anew with every try. The very second: tests/gateways/test_stripe_events.py, whose clock
    stands still; what is ahead here comes nearer while it is delivered."""
    sale, news = await paid_unheard(here, "stripe")
    before = await here.counts()
    assert await here.deliver(news, *PAYERS["stripe"].sign(here.providers, news.raw, {}, age_s=age_s)) == 400
    assert await here.counts() == before
    event = news.json["id"]
    here.core.clock.advance(3 * 3600)
    assert await here.providers.stripe.send_again(event)
    assert str((await here.attempt(sale)).state) == "SUCCEEDED"


@each_signed
async def test_an_account_of_a_shops_own_speaks_of_its_own_payments_only(here: Market, name: str) -> None:
    """C7, C10: who holds a genuine secret of one account cannot settle what was to be paid to another."""
    sale, news = await paid_unheard(here, name)
    own = {**await credentials(here, name), **_OWN[name]}
    await here.built.store.write(lambda unit: save_credentials(unit, here.owner, name, own, tested=True))
    token = here.built.hall.tokens.make(Purpose.SETTINGS, int(here.owner.organization_id or 0))
    body = {**news.json, "profile_id": 999} if name == "paytabs" else news.json
    raw, headers = stranger(here, name, replace(news, raw=dump(body)), _OWN[name][SECRET[name]])
    before = await here.counts(*MONEY)
    assert await here.deliver(news, raw, headers, path=f"/callbacks/{name}/{token}") == 200
    assert await here.counts(*MONEY) == before
    assert await here.rows("SELECT state FROM inbox") == [("PARKED",)]
    assert await here.order(sale) is None
    assert await here.alerts() >= {"event_of_another_account"}


@each
@pytest.mark.parametrize("change", ["one less", "one more", "hundredth", "hundredfold", "nothing", "less than nothing"])
async def test_another_amount_never_becomes_an_order_of_this_one(here: Market, name: str, change: str) -> None:
    """C8. What is genuine and says another amount: less is no payment and goes back, more is one whose surplus goes back, 0 is refused."""
    sale, news = await paid_unheard(here, name)
    due, unit_minor = PRICES[name].amount_minor, 100 if name == "daraja" else 1
    said = {"one less": due - unit_minor, "one more": due + unit_minor, "hundredth": due // 100, "hundredfold": due * 100,
            "nothing": 0, "less than nothing": -due}[change]  # fmt: skip
    raw, headers = here.forged(news, PAYERS[name].amount(copy.deepcopy(news.json), said))
    assert await here.deliver(news, raw, headers) == 200
    order, books = await here.order(sale), await here.books()
    currency = PRICES[name].currency
    assert (order is None) or (said > due and order.total == PRICES[name])
    assert books.get(f"escrow {currency}", 0) == (0 if order is None else -due)
    assert books.get(f"clearing:{name} {currency}", 0) in {0, max(said, 0)}
    trail = await here.rows("SELECT count(*) FROM audit WHERE action IN ('money_suspended', 'refund_asked') OR subject LIKE 'alert:%'")
    pending = (await here.attempt(sale)).state is AttemptState.PENDING
    assert pending or int(trail[0][0]) > 0, "which branch it took is written down, or nothing happened"


@each_signed
async def test_the_right_number_in_another_currency_is_no_payment(here: Market, name: str) -> None:
    """C9."""
    sale, news = await paid_unheard(here, name)
    other = "USD" if PRICES[name].currency != "USD" else "KES"
    raw, headers = here.forged(news, PAYERS[name].currency(copy.deepcopy(news.json), other))
    assert await here.deliver(news, raw, headers) == 200
    assert await here.order(sale) is None
    books = await here.books()
    assert not any(account.startswith("escrow") for account in books)


@pytest.mark.parametrize("name", ["stripe", "paytabs", "moyasar", "paypal"])
async def test_what_was_paid_to_another_account_is_not_ours(here: Market, name: str) -> None:
    """C10: test money for real, another profile, another merchant."""
    sale, news = await paid_unheard(here, name)
    body = copy.deepcopy(news.json)
    match name:
        case "stripe":
            body["livemode"] = True
        case "moyasar":
            body["live"] = True
        case "paytabs":
            body["profile_id"] = 4711
        case _:
            body["resource"]["payee"] = {"merchant_id": "SOMEBODYELSE22", "email_address": "else@town.example"}
    await here.deliver(news, *here.forged(news, body))
    assert await here.order(sale) is None
    assert not any(account.startswith("escrow") for account in await here.books())


@pytest.mark.parametrize("name", ["stripe", "paytabs", "moyasar"])
async def test_while_a_secret_is_rotated_both_are_good_and_then_the_old_one_is_not(here: Market, name: str) -> None:
    """C20."""
    _, news = await paid_unheard(here, name)
    known, field = await credentials(here, name), SECRET[name]
    new = "SNEW000000-THENEWKEY" if name == "paytabs" else "whsec_the_new_one"
    both = {**known, field: new, f"{field}_before": known[field]}
    await here.built.store.write(lambda unit: save_credentials(unit, ADMIN, name, both, tested=True))
    assert await here.deliver(news, *here.forged(news, news.raw)) == 200
    assert await here.deliver(news, *stranger(here, name, news, new)) == 200
    await here.built.store.write(lambda unit: save_credentials(unit, ADMIN, name, {**known, field: new}, tested=True))
    assert await here.deliver(news, *here.forged(news, news.raw)) == 400
    assert await here.deliver(news, *stranger(here, name, news, new)) == 200
    assert await here.books() == in_escrow(name)
