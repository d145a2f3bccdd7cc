"""Who carries what: which gateways can take a method for an amount, in order of preference, and why the others cannot."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

from domain.errors import CannotPay
from domain.money import Money
from domain.payment import Ability, Method, check_payable

CARRIERS: Final[Mapping[Method, tuple[str, ...]]] = {
    Method.MPESA: ("daraja",),
    Method.MADA: ("moyasar", "paytabs"),
    Method.VISA: ("stripe", "paytabs", "moyasar"),
    Method.MASTERCARD: ("stripe", "paytabs", "moyasar"),
    Method.APPLE_PAY: ("stripe", "paytabs", "moyasar"),
    Method.GOOGLE_PAY: ("stripe",),
    Method.STC_PAY: ("moyasar", "paytabs"),
    Method.PAYPAL: ("paypal",),
    Method.PAYTABS: ("paytabs",),
    Method.MOYASAR: ("moyasar",),
    Method.TELEGRAM: ("telegram",),
}
"""Gateways in order of preference."""

AT_HOME: Final[Mapping[str, tuple[str, ...]]] = {"SAR": ("moyasar", "paytabs"), "AED": ("paytabs",), "KWD": ("paytabs",)}
"""Currencies that some gateways settle at home: those go first there, whatever the preference elsewhere."""

_CARDS: Final = (Method.VISA, Method.MASTERCARD, Method.APPLE_PAY, Method.GOOGLE_PAY)
_PAGES: Final = (Method.PAYTABS, Method.MOYASAR)
ORDER: Final[Mapping[str, tuple[Method, ...]]] = {
    "KES": (Method.MPESA, *_CARDS, Method.TELEGRAM, Method.PAYPAL, Method.MADA, Method.STC_PAY, *_PAGES),
    "SAR": (
        Method.MADA,
        Method.APPLE_PAY,
        Method.STC_PAY,
        Method.VISA,
        Method.MASTERCARD,
        Method.GOOGLE_PAY,
        Method.TELEGRAM,
        *_PAGES,
        Method.PAYPAL,
        Method.MPESA,
    ),
}
"""How a buyer is shown the methods, by currency."""
ELSEWHERE: Final = (*_CARDS, Method.TELEGRAM, Method.PAYPAL, Method.MADA, Method.STC_PAY, *_PAGES, Method.MPESA)
ONLY_RIYALS: Final = frozenset({Method.MADA, Method.STC_PAY})
"""Saudi schemes, which pay in no other currency whoever carries them."""
WHOLE_PAGES: Final = frozenset(_PAGES)
"""A gateway's whole page, on which the payer picks: shown only where no card or wallet of such pages is shown by its own name."""


@dataclass(frozen=True, slots=True)
class Account:
    """How a gateway stands for an organization: an account of its own, ours, and whether new payments are paused there."""

    own: bool
    ours: bool
    paused: bool = False


@dataclass(frozen=True, slots=True)
class Carrier:
    """`direct`: through the organization's own account."""

    gateway: str
    direct: bool


@dataclass(frozen=True, slots=True)
class Offer:
    """A method for an amount: who can carry it, the preferred one first, and for each of the others why not."""

    method: Method
    carriers: tuple[Carrier, ...]
    refusals: Mapping[str, CannotPay]

    @property
    def why_not(self) -> CannotPay | None:
        """None when it can be used; else the reason that is nearest to working."""
        if self.carriers:
            return None
        worst = sorted(self.refusals.values(), key=lambda refusal: _NEAREST.index(str(refusal.facts["reason"])))
        return worst[0] if worst else CannotPay(method=str(self.method), reason="not_configured")


_NEAREST: Final = ("paused", "cents", "too_small", "too_large", "currency", "not_configured")


def offer(
    method: Method, money: Money, accounts: Mapping[str, Account], abilities: Mapping[str, Ability], failed: Collection[str] = ()
) -> Offer:
    """Who can carry this method for this amount. An account of the organization's own goes first, what has just failed goes last."""
    fit: list[Carrier] = []
    refusals: dict[str, CannotPay] = {}
    for gateway in CARRIERS.get(method, ()):
        try:
            fit.append(_carrier(gateway, method, money, accounts, abilities))
        except CannotPay as refusal:
            refusals[gateway] = refusal
    home = AT_HOME.get(money.currency, ())
    places = {gateway: place for place, gateway in enumerate((*home, *(name for name in CARRIERS.get(method, ()) if name not in home)))}
    fit.sort(key=lambda carrier: (carrier.gateway in failed, not carrier.direct, places[carrier.gateway]))
    return Offer(method, tuple(fit), refusals)


def _carrier(gateway: str, method: Method, money: Money, accounts: Mapping[str, Account], abilities: Mapping[str, Ability]) -> Carrier:
    account, ability = accounts.get(gateway), abilities.get(gateway)
    if account is None or ability is None or not (account.own or account.ours):
        raise CannotPay(method=str(method), reason="not_configured")
    if method in ONLY_RIYALS and money.currency != "SAR":
        raise CannotPay(method=str(method), reason="currency")
    check_payable(ability, method, money)
    if account.paused:
        raise CannotPay(method=str(method), reason="paused")
    return Carrier(gateway, account.own)


def offers(money: Money, accounts: Mapping[str, Account], abilities: Mapping[str, Ability]) -> tuple[Offer, ...]:
    """Every method in the order in which a buyer of this currency is shown them, those that cannot be used included."""
    return tuple(offer(method, money, accounts, abilities) for method in ORDER.get(money.currency, ELSEWHERE))


def shown(every: Collection[Offer]) -> tuple[Offer, ...]:
    """What a buyer sees: those that work, and a whole page only where nothing on such a page has a name of its own."""
    usable = [one for one in every if one.carriers]
    named = any(one.method not in {*WHOLE_PAGES, Method.MPESA, Method.PAYPAL, Method.TELEGRAM} for one in usable)
    return tuple(one for one in usable if one.method not in WHOLE_PAGES or not named)


def gateways_of(method: Method) -> tuple[str, ...]:
    return CARRIERS.get(method, ())
