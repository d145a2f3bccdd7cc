"""The settings of a house on a street, as plain values."""

from __future__ import annotations

import base64
import json
from typing import Any, Final

Json = dict[str, Any]
ADMIN: Final = 9001
CALLBACKS: Final = "callbacks-of-the-crash-tests"
TOKEN: Final = "100200300:TOWN-TOKEN-not-a-secret-0000000000000"
ENCRYPTION_KEY: Final = base64.b64encode(bytes(range(7, 39))).decode()


def house_settings(url: str, town_port: int, house_port: int, **given: Any) -> Json:
    """As plain values, for a process that is forked or started with them in its environment."""
    town, here = f"http://127.0.0.1:{town_port}", f"http://127.0.0.1:{house_port}"
    return {
        "database_url": url,
        "base_url": here,
        "host": "127.0.0.1",
        "port": house_port,
        "secret_key": "a secret of the crash tests that is long enough to be taken",
        "encryption_keys": ENCRYPTION_KEY,
        "telegram_token": TOKEN,
        "telegram_api_base": f"{town}/town/telegram",
        "telegram_username": "payloom_bot",
        "admin_chat": str(ADMIN),
        "mpesa_api_base": f"{town}/town/daraja",
        "mpesa_callback_base": here,
        "mpesa_consumer_key": "town-key",
        "mpesa_consumer_secret": "town-secret",
        "mpesa_short_code": "174379",
        "mpesa_passkey": "town-passkey-00000000000000000000000000000000",
        "mpesa_initiator": "town-initiator",
        "mpesa_security_credential": "town-security-credential",
        **given,
    }


def with_phones(town_port: int) -> Json:
    """The settings of Africa's Talking."""
    return {
        "at_username": "town",
        "at_api_key": "town-at-key-not-a-secret",
        "at_api_base": f"http://127.0.0.1:{town_port}/town/africastalking",
        "at_callback_secret": CALLBACKS,
    }


def as_environment(settings: Json) -> dict[str, str]:
    """The settings for a process that reads the environment, as the product does."""
    return {f"PAYLOOM_{name.upper()}": value if isinstance(value, str) else json.dumps(value) for name, value in settings.items()}
