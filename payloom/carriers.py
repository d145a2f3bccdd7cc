"""The gateways, built: each with the base address that the settings name. What is said of their fields here, the command line and doctor use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol, runtime_checkable

from domain.payment import Gateway
from domain.ports import Clock
from gateways.http import Http
from gateways.payments.daraja import Daraja
from gateways.payments.moyasar import Moyasar
from gateways.payments.paypal import PayPal
from gateways.payments.paytabs import PayTabs
from gateways.payments.stripe import Stripe
from payloom.settings import Settings


@runtime_checkable
class Checks(Protocol):
    """A gateway that can try credentials by one harmless call."""

    async def check(self, credentials: Mapping[str, str]) -> str | None:
        """None when they are accepted; `configuration` when not, `try_later` when nobody answered."""
        ...


@runtime_checkable
class Closes(Protocol):
    async def aclose(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Field:
    """One credential as it is asked for; what is no secret may be shown."""

    name: str
    question: str
    secret: bool = True
    needed: bool = True


_BEFORE: Final = Field("webhook_secret_before", "The webhook secret before, while it is being changed [none]", needed=False)
FIELDS: Final[Mapping[str, tuple[Field, ...]]] = {
    "daraja": (
        Field("consumer_key", "Consumer key"),
        Field("consumer_secret", "Consumer secret"),
        Field("short_code", "Short code", secret=False),
        Field("passkey", "Passkey of the short code"),
        Field("transaction_type", "PAYBILL or BUYGOODS [PAYBILL]", secret=False, needed=False),
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
        Field("region", "Region: KSA, UAE, EGYPT, OMAN, JORDAN, KUWAIT, IRAQ, MOROCCO, QATAR or GLOBAL", secret=False),
        Field("server_key_before", "The server key before, while it is being changed [none]", needed=False),
    ),
    "moyasar": (Field("secret_key", "Secret key (sk_...)"), Field("webhook_secret", "Secret token of the webhook"), _BEFORE),
}
"""What each gateway needs, in the order it is asked for."""

PLAIN: Final[Mapping[str, str]] = {"daraja": "Daraja", "stripe": "Stripe", "paypal": "PayPal", "paytabs": "PayTabs", "moyasar": "Moyasar"}


def every_gateway(settings: Settings, http: Http, clock: Clock) -> dict[str, Gateway]:
    """By name, in the order in which they are shown."""
    callbacks, source_ips = settings.mpesa_callback_base or settings.base_url, frozenset(settings.mpesa_source_ips) or None
    return {
        "daraja": Daraja(http, settings.mpesa_api_base, clock, callbacks, source_ips),
        "stripe": Stripe(http, settings.stripe_api_base, clock),
        "paypal": PayPal(http, settings.paypal_api_base, clock),
        "paytabs": PayTabs(http, clock, settings.base_url, settings.paytabs_api_base or None),
        "moyasar": Moyasar(http, settings.moyasar_api_base, settings.base_url),
    }


def platform_credentials(settings: Settings) -> dict[str, dict[str, str]]:
    """Of each gateway that the settings set up."""
    found = {"daraja": settings.mpesa_credentials, **settings.card_credentials}
    return {name: credentials for name, credentials in found.items() if credentials}


async def close(gateways: Mapping[str, Gateway]) -> None:
    for gateway in gateways.values():
        if isinstance(gateway, Closes):
            await gateway.aclose()
