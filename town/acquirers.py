"""Stripe, PayPal, PayTabs and Moyasar of the town, side by side; and the house as a merchant of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from town.core import Core
from town.moyasar import Account as MoyasarAccount
from town.moyasar import Moyasar
from town.paypal import PayPal
from town.paytabs import PayTabs, Profile
from town.stripe import Stripe


@dataclass(frozen=True, slots=True)
class Merchant:
    """`credentials` by provider, empty for one where the house has no account; `{callbacks}/{provider}` is where each tells what happened."""

    callbacks: str = ""
    credentials: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


class Acquirers:
    """Between `start` and `stop` they tell what happened; requests are answered whenever the routes are served."""

    def __init__(self, core: Core, public_url: str = "", merchant: Merchant | None = None) -> None:
        self._merchant = merchant or Merchant()
        self.stripe = Stripe(core)
        self.paypal = PayPal(core, public_url=public_url)
        self.paytabs = PayTabs(core)
        self.moyasar = Moyasar(core)
        self._all: dict[str, Stripe | PayPal | PayTabs | Moyasar] = {
            "stripe": self.stripe, "paypal": self.paypal, "paytabs": self.paytabs, "moyasar": self.moyasar,
        }  # fmt: skip

    @property
    def states(self) -> dict[str, Callable[[], Any]]:
        return {name: provider.state for name, provider in self._all.items()}

    def routes(self) -> list[web.AbstractRouteDef]:
        return [route for provider in self._all.values() for route in provider.routes()]

    async def start(self, keep: Path | None) -> None:
        """Open the house's accounts and take up what was kept of them; where it is told is what the house says now."""
        self._open_accounts()
        if keep is not None:
            for name, provider in self._all.items():
                provider.load(_file(keep, name))
        self._listen()
        for provider in self._all.values():
            await provider.start()

    async def stop(self) -> None:
        for provider in self._all.values():
            await provider.stop()

    def save(self, keep: Path) -> None:
        for name, provider in self._all.items():
            provider.save(_file(keep, name))

    def _of(self, provider: str) -> tuple[Mapping[str, str], str]:
        return self._merchant.credentials.get(provider, {}), f"{self._merchant.callbacks}/{provider}"

    def _open_accounts(self) -> None:
        if stripe := self._of("stripe")[0]:
            self.stripe.add_account(stripe["secret_key"])
        if paypal := self._of("paypal")[0]:
            self.paypal.add_app(paypal["client_id"], paypal["client_secret"])
        paytabs, told_at = self._of("paytabs")
        if paytabs:
            self.paytabs.add_profile(Profile(int(paytabs["profile_id"]), paytabs["server_key"], ipn_url=told_at))
        if moyasar := self._of("moyasar")[0]:
            self.moyasar.add_account(MoyasarAccount(moyasar["secret_key"]))

    def _listen(self) -> None:
        stripe, told_at = self._of("stripe")
        if stripe:
            self.stripe.add_account(stripe["secret_key"], told_at, stripe["webhook_secret"])
        paypal, told_at = self._of("paypal")
        if paypal:
            self.paypal.hooks.add(self.paypal.apps[paypal["client_id"]], told_at, webhook_id=paypal["webhook_id"])
        moyasar, told_at = self._of("moyasar")
        if moyasar:
            self.moyasar.listen(self.moyasar.accounts[moyasar["secret_key"]], told_at, moyasar["webhook_secret"])


def _file(keep: Path, provider: str) -> Path:
    return keep.with_suffix(f".{provider}.json")
