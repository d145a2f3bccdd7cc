"""Who carries what: by currency, amount, account and pause, with a reason for everybody who does not."""

from __future__ import annotations

import pytest

from domain.methods import CARRIERS, ELSEWHERE, ORDER, Account, Carrier, gateways_of, offer, offers, shown
from domain.money import Money
from domain.payment import Ability, Method, Proof

_CARDS = frozenset({Method.VISA, Method.MASTERCARD, Method.APPLE_PAY, Method.GOOGLE_PAY})
_EVERYWHERE = frozenset({"KES", "SAR", "AED", "USD"})


def able(name: str, methods: frozenset[Method], currencies: frozenset[str] = _EVERYWHERE, step: int = 1) -> Ability:
    return Ability(name, methods, currencies, {"KES": step}, 100, 25_000_000, True, Proof.PROOF)


ABLE = {
    "daraja": able("daraja", frozenset({Method.MPESA}), frozenset({"KES"}), step=100),
    "stripe": able("stripe", _CARDS),
    "paypal": able("paypal", frozenset({Method.PAYPAL}), frozenset({"USD"})),
    "paytabs": able("paytabs", _CARDS | {Method.MADA, Method.STC_PAY, Method.PAYTABS}, frozenset({"SAR", "AED"})),
    "moyasar": able("moyasar", _CARDS | {Method.MADA, Method.STC_PAY, Method.MOYASAR}, frozenset({"SAR"})),
}
OURS = {name: Account(own=False, ours=True) for name in ABLE}
SHILLINGS, RIYALS, DOLLARS = Money(150_000, "KES"), Money(15_050, "SAR"), Money(2_000, "USD")


def names(money: Money, accounts: dict[str, Account] = OURS) -> list[str]:
    return [f"{one.method}:{one.carriers[0].gateway}" for one in shown(offers(money, accounts, ABLE))]


def test_mpesa_stays_first_in_shillings() -> None:
    assert names(SHILLINGS) == ["mpesa:daraja", "visa:stripe", "mastercard:stripe", "apple_pay:stripe", "google_pay:stripe"]


def test_riyals_go_to_the_gateway_that_settles_them_at_home() -> None:
    assert names(RIYALS)[:4] == ["mada:moyasar", "apple_pay:moyasar", "stc_pay:moyasar", "visa:moyasar"]
    assert [carrier.gateway for carrier in offer(Method.VISA, RIYALS, OURS, ABLE).carriers] == ["moyasar", "paytabs", "stripe"]


def test_saudi_schemes_pay_in_riyals_only() -> None:
    assert [one for one in names(Money(15_050, "AED")) if one.startswith(("mada", "stc_pay"))] == []
    for method in (Method.MADA, Method.STC_PAY):
        why = offer(method, Money(15_050, "AED"), OURS, ABLE).why_not
        assert why is not None and why.facts["reason"] == "currency"


def test_a_whole_page_is_shown_only_where_nothing_on_it_has_a_name() -> None:
    page = {"paytabs": Account(own=False, ours=True)}
    able_page = {"paytabs": able("paytabs", frozenset({Method.PAYTABS}))}
    assert [one.method for one in shown(offers(RIYALS, page, able_page))] == [Method.PAYTABS]
    assert "paytabs:paytabs" not in names(RIYALS)


def test_an_invoice_of_telegram_does_not_hide_a_whole_page() -> None:
    """It is paid in the chat, so on a page it names nothing that the page would have."""
    both = {name: Account(own=False, ours=True) for name in ("paytabs", "telegram")}
    able_both = {
        "paytabs": able("paytabs", frozenset({Method.PAYTABS})),
        "telegram": able("telegram", frozenset({Method.TELEGRAM})),
    }
    assert [one.method for one in shown(offers(RIYALS, both, able_both))] == [Method.TELEGRAM, Method.PAYTABS]


def test_an_account_of_their_own_goes_first_and_what_just_failed_last() -> None:
    accounts = {**OURS, "paytabs": Account(own=True, ours=False)}
    dirhams = Money(15_050, "AED")
    assert offer(Method.VISA, dirhams, accounts, ABLE).carriers[0] == Carrier("paytabs", direct=True)
    assert offer(Method.VISA, dirhams, accounts, ABLE, failed={"paytabs"}).carriers[0] == Carrier("stripe", direct=False)
    own = {**OURS, "stripe": Account(own=True, ours=False)}
    assert offer(Method.VISA, RIYALS, own, ABLE).carriers[0] == Carrier("stripe", direct=True)


@pytest.mark.parametrize(
    ("method", "money", "reason"),
    [
        (Method.MPESA, DOLLARS, "currency"),
        (Method.MPESA, Money(150_001, "KES"), "cents"),
        (Method.MPESA, Money(25_000_100, "KES"), "too_large"),
        (Method.VISA, Money(50, "USD"), "too_small"),
        (Method.PAYPAL, SHILLINGS, "currency"),
        (Method.TELEGRAM, SHILLINGS, "not_configured"),
    ],
)
def test_each_that_does_not_work_says_why(method: Method, money: Money, reason: str) -> None:
    refused = offer(method, money, OURS, ABLE)
    assert refused.carriers == ()
    assert refused.why_not is not None
    assert refused.why_not.facts["reason"] == reason
    assert refused.why_not.facts["method"] == method


def test_the_reason_that_is_nearest_to_working_is_told() -> None:
    paused = {name: Account(own=False, ours=name == "stripe", paused=name == "stripe") for name in ABLE}
    refused = offer(Method.VISA, DOLLARS, paused, ABLE)
    assert refused.why_not is not None
    assert refused.why_not.facts["reason"] == "paused"
    assert {name: refusal.facts["reason"] for name, refusal in refused.refusals.items()} == {
        "stripe": "paused",
        "paytabs": "not_configured",
        "moyasar": "not_configured",
    }
    assert offer(Method.VISA, DOLLARS, OURS, ABLE).why_not is None


def test_without_accounts_nothing_is_shown() -> None:
    assert shown(offers(SHILLINGS, {}, ABLE)) == ()
    assert offer(Method.MPESA, SHILLINGS, OURS, {}).why_not is not None


def test_every_method_that_is_carried_has_its_place_in_every_order() -> None:
    for order in (*ORDER.values(), ELSEWHERE):
        assert set(order) == set(CARRIERS)
        assert len(order) == len(set(order))
    assert gateways_of(Method.TELEGRAM) == ("telegram",)
    assert gateways_of(Method.MPESA) == ("daraja",)
