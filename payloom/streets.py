"""Town mode: the product and the imitated providers in one process, on one address, with a clock that can be moved."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from aiohttp import web
from pydantic import SecretStr

from domain.rights import Actor, Party
from domain.tokens import Purpose
from payloom.migrate import migrate
from payloom.settings import Settings
from payloom.wiring import Built, build
from town.acquirers import Merchant
from town.africastalking import Subscription
from town.application import Town
from town.core import Core
from town.telegram.service import PROVIDER_TOKEN
from usecases.gateways import PLATFORM
from usecases.lists import register

MOST_BODY = 32 * 2**20
TOWN_CALLBACKS = "town-callbacks-not-a-secret"
TOWN_SMTP = "smtp+plain://town:town-mail@127.0.0.1:25"
"""The port is another one each time: the town's mail server takes one that is free."""


def town_settings(data: Path, port: int, database_url: str = "", *, cards: bool = False, **given: Any) -> Settings:
    """Settings of a town whose secrets are made once and kept beside its data. With `cards` every method works, else M-Pesa alone."""
    kept = data / "town-secrets.json"
    if not kept.exists():
        data.mkdir(parents=True, exist_ok=True)
        kept.write_text(
            json.dumps({"secret_key": secrets.token_hex(32), "encryption_key": base64.b64encode(secrets.token_bytes(32)).decode()})
        )
        kept.chmod(0o600)
    made = json.loads(kept.read_text())
    here = f"http://127.0.0.1:{port}"
    return Settings(
        _env_file=None,  # type: ignore[call-arg]
        **{
            "database_url": database_url or f"sqlite+aiosqlite:///{data / 'payloom.db'}",
            "base_url": f"http://localhost:{port}",
            "port": port,
            "secret_key": (SecretStr(made["secret_key"]),),
            "encryption_keys": (SecretStr(made["encryption_key"]),),
            "telegram_token": SecretStr("100200300:TOWN-TOKEN-not-a-secret-0000000000000"),
            "telegram_api_base": f"{here}/town/telegram",
            "telegram_username": "payloom_bot",
            "mpesa_api_base": f"{here}/town/daraja",
            "mpesa_callback_base": here,
            "mpesa_consumer_key": SecretStr("town-key"),
            "mpesa_consumer_secret": SecretStr("town-secret"),
            "mpesa_short_code": "174379",
            "mpesa_passkey": SecretStr("town-passkey-00000000000000000000000000000000"),
            "mpesa_initiator": "town-initiator",
            "mpesa_security_credential": SecretStr("town-security-credential"),
            "at_username": "town",
            "at_api_key": SecretStr("town-at-key-not-a-secret"),
            "at_api_base": f"{here}/town/africastalking",
            "at_callback_secret": SecretStr(TOWN_CALLBACKS),
            "smtp_url": SecretStr(TOWN_SMTP),
            "mail_from": "PayLoom <no-reply@payloom.test>",
            "mail_callback_secret": SecretStr(TOWN_CALLBACKS),
            "webhook_loopback": True,
            **(_cards(here) if cards else {}),
            **given,
        },
    )


def _cards(here: str) -> dict[str, Any]:
    """The house's accounts at the town's Stripe, PayPal, PayTabs and Moyasar."""
    return {
        "stripe_api_base": f"{here}/town/stripe",
        "stripe_secret_key": SecretStr("sk_test_town0000000000000000"),
        "stripe_webhook_secret": SecretStr("whsec_town0000000000000000000000"),
        "paypal_api_base": f"{here}/town/paypal",
        "paypal_client_id": "town-paypal-client",
        "paypal_client_secret": SecretStr("town-paypal-secret"),
        "paypal_webhook_id": "1JE4291016473214C",
        "paytabs_api_base": f"{here}/town/paytabs",
        "paytabs_profile_id": "12345",
        "paytabs_server_key": SecretStr("STOWN00000-TOWNTOWN00-TOWNTOWN00"),
        "moyasar_api_base": f"{here}/town/moyasar",
        "moyasar_secret_key": SecretStr("sk_test_town0000000000000000000000000000"),
        "moyasar_webhook_secret": SecretStr("town-moyasar-webhook"),
        "telegram_provider_token": SecretStr(PROVIDER_TOKEN),
    }


class Streets:
    """A town with our house in it. `open` returns when both answer."""

    def __init__(self, settings: Settings, *, keep: Path | None = None, seed: int | None = None, by_hand: bool = False) -> None:
        self.core = Core(seed)
        here = f"http://127.0.0.1:{settings.port}"
        secret = settings.at_callback_secret.get_secret_value()
        phones = Subscription(
            f"{here}/ussd/{secret}", f"{here}/ussd/{secret}/events", f"{here}/sms/{secret}/inbound", f"{here}/sms/{secret}/delivery",
            settings.at_username, settings.at_api_key.get_secret_value(), settings.ussd_code,
        )  # fmt: skip
        returns = f"{here}/mail/{settings.mail_callback_secret.get_secret_value()}/bounce"
        token = settings.telegram_token.get_secret_value()
        merchant = Merchant(f"{here}/callbacks", settings.card_credentials)
        self.town = Town(self.core, token, settings.telegram_username, here, keep, phones, returns, merchant)
        self.settings = settings
        self._by_hand = by_hand
        self.house: Built = build(settings, clock=self.core.clock, smtp_url=lambda: self.town.mail.url, paced=False)
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        """All of it, or nothing: where the port is taken, what was begun is closed again."""
        try:
            await self._open()
        except BaseException:
            await self.close()
            raise

    async def _open(self) -> None:
        await asyncio.to_thread(migrate, self.settings.database_url)
        await self.town.start()
        await self.house.open_store()
        application = self.house.web([_roomy(route) for route in self.town.routes()])
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.settings.port).start()
        await self.house.open_doors("bot", "worker")
        if self._by_hand:
            await self.take_by_hand()
        self.core.meanwhile.append(self.settle)

    async def take_by_hand(self) -> None:
        """From now on payments from the M-Pesa menu are asked about and told of."""
        hall = self.house.hall
        if hall.by_hand is not None:
            self.town.daraja.apps[self.settings.mpesa_consumer_key.get_secret_value()].external_validation = True
            token = hall.tokens.make(Purpose.BY_HAND, PLATFORM)
            actor = Actor(Party.ADMIN, "settings")
            await register(hall.store, hall.by_hand, actor, PLATFORM, token, unless_reached=False, phone="254700000000")

    async def settle(self) -> None:
        """Let everything that is due happen, to its end: timers, messages, questions to gateways."""
        await self.house.settle()

    async def close(self) -> None:
        await self.house.close_doors()
        await self.town.stop()
        if self._runner is not None:
            await self._runner.cleanup()
        await self.house.close_store()


def _roomy(route: web.AbstractRouteDef) -> web.AbstractRouteDef:
    """The town takes photos: its own limit on bodies, not the product's."""
    if not isinstance(route, web.RouteDef):
        return route
    handler: Callable[[web.Request], Awaitable[web.StreamResponse]] = route.handler

    async def roomy(request: web.Request) -> web.StreamResponse:
        return await handler(request.clone(client_max_size=MOST_BODY))

    return web.RouteDef(route.method, route.path, roomy, route.kwargs)
