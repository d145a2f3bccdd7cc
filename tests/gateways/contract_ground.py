"""What the rows of the catalogue stand on: a purchase that was paid and not heard of, and the words of whoever is not the provider."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from domain.order import Order
from tests.market import PRICES, Heard, Market, Sale
from tests.market_payers import PAYERS
from usecases.gateways import credentials_of

SIGNED: Final = ("stripe", "paypal", "paytabs", "moyasar")
SECRET: Final = {"stripe": "webhook_secret", "paypal": "webhook_id", "paytabs": "server_key", "moyasar": "webhook_secret"}
"""Of the credentials of each: what its events are checked with."""


def in_escrow(name: str, count: int = 1) -> dict[str, int]:
    price = PRICES[name]
    held = price.amount_minor * count
    return {f"clearing:{name} {price.currency}": held, f"escrow {price.currency}": -held}


async def credentials(here: Market, name: str) -> dict[str, str]:
    return await here.built.store.read(lambda unit: credentials_of(unit, here.owner.organization_id, name, direct=False))  # type: ignore[arg-type]


async def paid_unheard(here: Market, name: str) -> tuple[Sale, Heard]:
    """The buyer has paid, and nothing of that has reached us: the event that could not be delivered."""
    sale = await here.begins(name)
    here.deaf = True
    await here.pays(sale)
    if name == "paypal":  # it takes the money when it is asked to: what it answered is lost too
        await here.built.hall.gateways[name].fetch(await here.attempt(sale), await credentials(here, name))
        await here.quiet()
    here.deaf = False
    return sale, here.success(name)


async def the_order(here: Market, sale: Sale) -> Order:
    order = await here.order(sale)
    assert order is not None
    return order


def dump(body: Any) -> bytes:
    return json.dumps(body).encode()


def stranger(here: Market, name: str, news: Heard, secret: str = "whsec_of_a_stranger") -> tuple[bytes, dict[str, str]]:
    """The same words by somebody who has another secret."""
    if name == "moyasar":
        return dump({**news.json, "secret_token": secret}), {"Content-Type": "application/json"}
    if name == "paypal":
        raw, headers = PAYERS[name].sign(here.providers, news.raw, dict(news.headers), hook=secret)
        return raw, headers
    raw, headers = replace(PAYERS[name], secret=secret).sign(here.providers, news.raw, dict(news.headers))
    return raw, headers
