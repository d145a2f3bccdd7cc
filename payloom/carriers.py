"""The gateways, built: each with the base address that the settings name. What is said of their fields here, the command line and doctor use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Protocol, runtime_checkable

from domain.credentials import Checks as Checks
from domain.credentials import Field
from domain.payment import Gateway
from domain.ports import Clock
from domain.tokens import Purpose, Tokens
from gateways.http import Http
from gateways.payments.daraja import Daraja
from gateways.payments.moyasar import Moyasar
from gateways.payments.paypal import PayPal
from gateways.payments.paytabs import PayTabs
from gateways.payments.stripe import Stripe
from gateways.payments.telegram import TelegramInvoices
from payloom.settings import Settings


@runtime_checkable
class Closes(Protocol):
    async def aclose(self) -> None: ...


REGIONS: Final = ("KSA", "UAE", "EGYPT", "OMAN", "JORDAN", "KUWAIT", "IRAQ", "MOROCCO", "QATAR", "GLOBAL")
_BEFORE: Final = Field("webhook_secret_before", "The webhook secret before, while it is being changed [none]", needed=False)
FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "daraja": (
        Field("consumer_key", "Consumer key"),
        Field("consumer_secret", "Consumer secret"),
        Field("short_code", "Short code", secret=False),
        Field("passkey", "Passkey of the short code"),
        Field("transaction_type", "PAYBILL or BUYGOODS [PAYBILL]", secret=False, needed=False, options=("PAYBILL", "BUYGOODS")),
        Field("till", "Till number, for BUYGOODS [the short code]", secret=False, needed=False),
        Field("initiator", "Initiator, for refunds [none]", secret=False, needed=False),
        Field("security_credential", "Security credential, for refunds [none]", needed=False),
    ),
    "stripe": (
        Field("secret_key", "Secret key (sk_... or rk_...)"),
        Field("webhook_secret", "Signing secret of the webhook (whsec_...)"),
        _BEFORE,
    ),
    "paypal": (
        Field("client_id", "Client ID of the app", secret=False),
        Field("client_secret", "Secret of the app"),
        Field("webhook_id", "Webhook ID", secret=False),
        Field("merchant_id", "Merchant ID [not looked at]", secret=False, needed=False),
    ),
    "paytabs": (
        Field("profile_id", "Profile ID", secret=False),
        Field("server_key", "Server key"),
        Field("region", f"Region: {', '.join(REGIONS[:-1])} or {REGIONS[-1]}", secret=False, options=REGIONS),
        Field("server_key_before", "The server key before, while it is being changed [none]", needed=False),
    ),
    "moyasar": (Field("secret_key", "Secret key (sk_...)"), Field("webhook_secret", "Secret token of the webhook"), _BEFORE),
    "telegram": (Field("provider_token", "Provider token of the bot, from @BotFather"),),
}
"""What each gateway needs, in the order it is asked for."""

OWN_FIELDS: Final = {gateway: fields for gateway, fields in FIELDS.items() if gateway != "telegram"}
"""Where an organization may have an account of its own: the bot's token is the platform's."""

PLAIN: Final[Mapping[str, str]] = {"daraja": "Daraja", "stripe": "Stripe", "paypal": "PayPal", "paytabs": "PayTabs", "moyasar": "Moyasar",
                                   "telegram": "Telegram"}  # fmt: skip


def every_gateway(settings: Settings, http: Http, clock: Clock) -> dict[str, Gateway]:
    """By name, in the order in which they are shown."""
    callbacks, source_ips = settings.mpesa_callback_base or settings.base_url, frozenset(settings.mpesa_source_ips) or None
    return {
        "daraja": Daraja(http, settings.mpesa_api_base, clock, callbacks, source_ips),
        "stripe": Stripe(http, settings.stripe_api_base, clock, {"UGX": int(ugx)} if (ugx := settings.stripe_ugx_decimals) else None),
        "paypal": PayPal(http, settings.paypal_api_base, clock),
        "paytabs": PayTabs(http, clock, settings.base_url, settings.paytabs_api_base or None, thousandths=settings.paytabs_thousandths),
        "moyasar": Moyasar(http, settings.moyasar_api_base, settings.base_url),
        "telegram": TelegramInvoices(
            http,
            settings.telegram_api_base,
            settings.telegram_token.get_secret_value(),
            lambda payload: _attempt_of(settings, payload),
            clock,
        ),
    }


def _attempt_of(settings: Settings, payload: str) -> int | None:
    """Which attempt an invoice is for, by the keyed mark in what we gave it along."""
    return Tokens(settings.token_keys).read(Purpose.ATTEMPT, payload) if settings.token_keys else None


def platform_credentials(settings: Settings) -> dict[str, dict[str, str]]:
    """Of each gateway that the settings set up."""
    found = {"daraja": settings.mpesa_credentials, **settings.card_credentials}
    return {name: credentials for name, credentials in found.items() if credentials}


async def close(gateways: Mapping[str, Gateway]) -> None:
    for gateway in gateways.values():
        if isinstance(gateway, Closes):
            await gateway.aclose()
