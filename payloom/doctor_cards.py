"""What the doctor asks the gateways of cards and wallets, and which methods a shop of the house can be paid with, and why not with the others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from payloom.doctor_checks import FINE, NOTE, PROBLEM, Finding, Ground

_AMOUNT: Final = 150_000
"""Minor units for which the methods are looked at: of no currency too little or too much."""
_SANDBOXES: Final = ("sandbox", "_test_", ":TEST:")


async def cards(ground: Ground) -> AsyncIterator[Finding]:
    """One harmless call with each of the platform's credentials."""
    from gateways.http import Http  # noqa: PLC0415 - loads httpx
    from payloom.carriers import PLAIN, Checks, close, every_gateway  # noqa: PLC0415 - loads the gateways
    from payloom.wiring import SystemClock  # noqa: PLC0415 - as above

    given = {name: credentials for name, credentials in ground.settings.card_credentials.items() if credentials}
    if not given:
        return
    http = Http(deadline_s=15)
    gateways = every_gateway(ground.settings, http, SystemClock())
    try:
        tried = [name for name in given if isinstance(gateways[name], Checks)]
        wrongs = await asyncio.gather(*(gateways[name].check(given[name]) for name in tried))  # type: ignore[attr-defined]
    finally:
        await close(gateways)
        await http.aclose()
    for name, wrong in zip(tried, wrongs, strict=True):
        setting, shown = f"PAYLOOM_{name.upper()}", "telegram payments" if name == "telegram" else name
        if wrong is None:
            yield Finding(shown, FINE, f"{PLAIN[name]} accepts the credentials")
        elif wrong == "try_later":
            yield Finding(
                shown, ground.outside, f"{PLAIN[name]} cannot be reached", f"is {setting}_API_BASE right, and may this machine speak out?"
            )
        else:
            yield Finding(
                shown, PROBLEM, f"{PLAIN[name]} does not accept the credentials ({wrong})", f"compare {setting}_... with its portal"
            )
        base, first = getattr(ground.settings, f"{name}_api_base"), next(iter(given[name].values()))
        if not ground.town and any(mark in base or mark in first for mark in _SANDBOXES):
            yield Finding(f"{shown} sandbox", NOTE, "no real money moves there", "")


async def methods(ground: Ground) -> AsyncIterator[Finding]:
    """What a shop without accounts of its own can be paid with in the house's currency."""
    from domain.methods import Account, offers, shown  # noqa: PLC0415 - only with the gateways
    from domain.money import Money  # noqa: PLC0415 - as above
    from gateways.http import Http  # noqa: PLC0415 - loads httpx
    from payloom.carriers import close, every_gateway, platform_credentials  # noqa: PLC0415 - loads the gateways
    from payloom.wiring import SystemClock  # noqa: PLC0415 - as above

    http = Http(deadline_s=15)
    gateways = every_gateway(ground.settings, http, SystemClock())
    await close(gateways)
    await http.aclose()
    ours = platform_credentials(ground.settings)
    accounts = {name: Account(own=False, ours=name in ours) for name in gateways}
    currency = ground.settings.default_currency
    every = offers(Money(_AMOUNT, currency), accounts, {name: gateway.ability for name, gateway in gateways.items()})
    usable = {offer.method: offer.carriers[0].gateway for offer in shown(every)}
    told = ", ".join(f"{method} by {gateway}" for method, gateway in usable.items())
    yield Finding(
        "methods", FINE if usable else NOTE, f"{currency}: {told or 'none'}", "" if usable else "set up a gateway that takes this currency"
    )
    why = {str(offer.method): str(offer.why_not.facts["reason"]) for offer in every if offer.why_not is not None}
    if why:
        yield Finding("methods not offered", FINE, "; ".join(f"{method}: {reason}" for method, reason in why.items()))
