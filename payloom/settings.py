"""Settings: the only reader of the environment. Every name is `PAYLOOM_...`; each has a default that runs the town."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Names = Annotated[tuple[str, ...], NoDecode]
Secrets = Annotated[tuple[SecretStr, ...], NoDecode]


class BadSettings(Exception):
    """Every bad or missing value at once, each in a line that says what to do."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """What docs/settings.md lists. Secrets print as stars."""

    model_config = SettingsConfigDict(env_prefix="PAYLOOM_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    database_url: str = "sqlite+aiosqlite:///var/payloom.db"
    base_url: str = "http://localhost:8080"
    host: str = "0.0.0.0"  # noqa: S104 - a server is there to be reached
    port: int = Field(8080, ge=0, le=65535)
    secret_key: Secrets = ()
    encryption_keys: Secrets = ()
    log_format: Literal["text", "json"] = "text"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    default_country: str = Field("KE", pattern="^[A-Z]{2}$")
    default_currency: str = Field("KES", pattern="^[A-Z]{3}$")
    fee_bps: int = Field(250, ge=0, le=10_000)
    trusted_proxies: Names = ()
    keep_told_days: int = Field(180, ge=0)

    telegram_token: SecretStr = SecretStr("")
    telegram_api_base: str = "https://api.telegram.org"
    telegram_mode: Literal["polling", "webhook"] = "polling"
    telegram_webhook_secret: Secrets = ()
    telegram_username: str = ""
    telegram_provider_token: SecretStr = SecretStr("")
    telegram_per_s: float = Field(30, gt=0)
    admin_chat: str = ""

    mpesa_api_base: str = "https://sandbox.safaricom.co.ke"
    mpesa_consumer_key: SecretStr = SecretStr("")
    mpesa_consumer_secret: SecretStr = SecretStr("")
    mpesa_short_code: str = ""
    mpesa_till: str = ""
    mpesa_passkey: SecretStr = SecretStr("")
    mpesa_transaction_type: Literal["PAYBILL", "BUYGOODS"] = "PAYBILL"
    mpesa_initiator: str = ""
    mpesa_security_credential: SecretStr = SecretStr("")
    mpesa_callback_base: str = ""
    mpesa_source_ips: Names = ()

    stripe_api_base: str = "https://api.stripe.com"
    stripe_secret_key: SecretStr = SecretStr("")
    stripe_webhook_secret: SecretStr = SecretStr("")
    stripe_webhook_secret_before: SecretStr = SecretStr("")
    stripe_ugx_decimals: Literal["", "0", "2"] = ""
    paypal_api_base: str = "https://api-m.sandbox.paypal.com"
    paypal_client_id: str = ""
    paypal_client_secret: SecretStr = SecretStr("")
    paypal_webhook_id: str = ""
    paypal_merchant_id: str = ""
    paytabs_api_base: str = ""
    paytabs_region: str = "KSA"
    paytabs_profile_id: str = ""
    paytabs_server_key: SecretStr = SecretStr("")
    paytabs_server_key_before: SecretStr = SecretStr("")
    paytabs_thousandths: bool = True
    moyasar_api_base: str = "https://api.moyasar.com/v1"
    moyasar_secret_key: SecretStr = SecretStr("")
    moyasar_publishable_key: str = ""
    moyasar_webhook_secret: SecretStr = SecretStr("")
    moyasar_webhook_secret_before: SecretStr = SecretStr("")

    at_username: str = ""
    at_api_key: SecretStr = SecretStr("")
    at_sender: str = ""
    at_api_base: str = ""
    at_per_s: float = Field(30, gt=0)
    at_callback_secret: SecretStr = SecretStr("")
    ussd_code: str = Field("*384*77#", pattern=r"^\*[0-9*]+#$")
    ussd_arabic: bool = False

    smtp_url: SecretStr = SecretStr("")
    mail_from: str = ""
    mail_per_s: float = Field(10, gt=0)
    mail_callback_secret: SecretStr = SecretStr("")
    webhook_loopback: bool = False

    @field_validator("secret_key", "encryption_keys", "trusted_proxies", "telegram_webhook_secret", "mpesa_source_ips", mode="before")
    @classmethod
    def _listed(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: str) -> str:
        scheme, found, rest = value.partition("://")
        engine = scheme.partition("+")[0]
        if not found or engine not in {"sqlite", "postgresql", "postgres"}:
            raise ValueError("must begin with sqlite+aiosqlite:/// or postgresql://")
        if engine == "sqlite" and rest.partition("?")[0].removeprefix("/") in {"", ":memory:"}:
            raise ValueError("an SQLite address names a file, such as sqlite+aiosqlite:///var/payloom.db")
        return value

    @field_validator("base_url", "telegram_api_base", "mpesa_api_base", "stripe_api_base", "paypal_api_base", "moyasar_api_base")
    @classmethod
    def _address(cls, value: str) -> str:
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/")

    @property
    def token_keys(self) -> tuple[bytes, ...]:
        return tuple(hashlib.sha256(b"tokens:" + key.get_secret_value().encode()).digest() for key in self.secret_key)

    @property
    def audit_key(self) -> bytes:
        """From the last key of the list: rotation puts new keys in front, and the chain must stay provable."""
        return hashlib.sha256(b"audit:" + self.secret_key[-1].get_secret_value().encode()).digest()

    @property
    def mpesa_credentials(self) -> dict[str, str]:
        """As the gateway wants them; empty when the platform has none."""
        if not self.mpesa_consumer_key.get_secret_value():
            return {}
        return {
            "consumer_key": self.mpesa_consumer_key.get_secret_value(),
            "consumer_secret": self.mpesa_consumer_secret.get_secret_value(),
            "short_code": self.mpesa_short_code,
            "till": self.mpesa_till or self.mpesa_short_code,
            "passkey": self.mpesa_passkey.get_secret_value(),
            "transaction_type": self.mpesa_transaction_type,
            "initiator": self.mpesa_initiator,
            "security_credential": self.mpesa_security_credential.get_secret_value(),
        }

    @property
    def card_credentials(self) -> dict[str, dict[str, str]]:
        """Of each gateway but Daraja, as it wants them; empty where the platform has none."""
        found = {gateway: {name: self._plain(f"{gateway}_{name}") for name in names} for gateway, names in CARDS.items()}
        return {gateway: credentials if credentials[CARDS[gateway][0]] else {} for gateway, credentials in found.items()}

    def _plain(self, name: str) -> str:
        value = getattr(self, name)
        return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


CARDS = {
    "stripe": ("secret_key", "webhook_secret", "webhook_secret_before"),
    "paypal": ("client_id", "client_secret", "webhook_id", "merchant_id"),
    "paytabs": ("profile_id", "server_key", "server_key_before", "region"),
    "moyasar": ("secret_key", "webhook_secret", "webhook_secret_before"),
    "telegram": ("provider_token",),
}
"""Gateways and the names of their credentials, as settings and as the adapters want them: the first says that there are any."""
_OPTIONAL = frozenset({"webhook_secret_before", "server_key_before", "merchant_id"})


def load(**given: Any) -> Settings:
    """Settings for a real run. Raises BadSettings naming every problem at once, the missing ones beside the unreadable ones."""
    settings, problems = look(**given)
    problems += missing(settings, unread=_named(problems))
    if problems:
        raise BadSettings(problems)
    return settings


def read(**given: Any) -> Settings:
    """What is there, for commands that need only a part of it. Raises BadSettings for values that cannot be read."""
    settings, problems = look(**given)
    if problems:
        raise BadSettings(problems)
    return settings


def look(**given: Any) -> tuple[Settings, list[str]]:
    """The settings, with defaults in the place of values that cannot be read; and a line for each of those."""
    try:
        return Settings(**given), []
    except ValidationError as error:
        bad = [("_".join(str(part) for part in item["loc"]), item["msg"].removeprefix("Value error, ")) for item in error.errors()]
        defaults = {name: Settings.model_fields[name].default for name, _ in bad if name in Settings.model_fields}
        return Settings(**{**given, **defaults}), [f"PAYLOOM_{name.upper()}: {message}" for name, message in bad]


def origins(settings: Settings) -> dict[str, str]:
    """Where each value comes from: `environment`, `.env` or `default`. Values given in the program count as the environment's."""
    here = {name.lower() for name, value in os.environ.items() if value}
    return {
        name: "default" if name not in settings.model_fields_set else "environment" if f"payloom_{name}" in here else ".env"
        for name in Settings.model_fields
    }


def sqlite_file(database_url: str) -> Path | None:
    """The file of an SQLite address, None for a server."""
    return Path(database_url.partition(":///")[2].partition("?")[0]) if database_url.startswith("sqlite") else None


def masked(value: Any) -> str:
    """A setting as it may be seen: secrets as stars, the password of an address too."""
    if isinstance(value, SecretStr):
        return "***" if value.get_secret_value() else ""
    if isinstance(value, tuple):
        return ",".join("***" if isinstance(part, SecretStr) else str(part) for part in value)
    return re.sub(r"(?<=://)([^:@/]*):[^@]*@", r"\1:***@", re.sub(r"(?i)(password=)[^&]*", r"\1***", str(value)))


def secret_values(settings: Settings) -> list[str]:
    """Every secret there is, longest first."""
    found = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        found += [part.get_secret_value() for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, SecretStr)]
    found += re.findall(r"://[^:@/]*:([^@]*)@", settings.smtp_url.get_secret_value())
    found += re.findall(r"://[^:@/]*:([^@]*)@", settings.database_url) + re.findall(r"(?i)password=([^&]*)", settings.database_url)
    return sorted({secret for secret in found if len(secret) >= 4}, key=len, reverse=True)


def hide_secrets(text: str) -> str:
    """The text with stars in the place of every secret of the settings."""
    for secret in secret_values(look()[0]):
        text = text.replace(secret, "***")
    return text


def _named(problems: list[str]) -> set[str]:
    return {problem.partition(":")[0] for problem in problems}


def missing(settings: Settings, unread: set[str] | frozenset[str] = frozenset()) -> list[str]:
    """What a real run lacks, each in a line that says what to do; what is in `unread` was told already."""
    problems = []
    if not settings.secret_key:
        problems.append("PAYLOOM_SECRET_KEY is missing: make one with `python -c 'import secrets; print(secrets.token_hex(32))'`")
    if any(len(key.get_secret_value()) < 32 for key in settings.secret_key):
        problems.append("PAYLOOM_SECRET_KEY needs at least 32 characters in each key")
    if not settings.encryption_keys:
        problems.append("PAYLOOM_ENCRYPTION_KEYS is missing: 32 random bytes in base64, `openssl rand -base64 32` makes one")
    if not all(_is_key(key.get_secret_value()) for key in settings.encryption_keys):
        problems.append("PAYLOOM_ENCRYPTION_KEYS: each is 32 random bytes in base64, `openssl rand -base64 32` makes one")
    if not settings.telegram_token.get_secret_value():
        problems.append("PAYLOOM_TELEGRAM_TOKEN is missing: ask @BotFather for a bot")
    shared = [secret.get_secret_value() for secret in settings.telegram_webhook_secret]
    if settings.telegram_mode == "webhook" and not (shared and all(re.fullmatch("[A-Za-z0-9_-]{16,256}", one) for one in shared)):
        problems.append("PAYLOOM_TELEGRAM_WEBHOOK_SECRET needs at least 16 of A-Z a-z 0-9 _ - in each, in webhook mode")
    if settings.at_username:
        if not settings.at_api_key.get_secret_value():
            problems.append("PAYLOOM_AT_API_KEY is missing: it is made in the app's settings at Africa's Talking")
        if not re.fullmatch("[A-Za-z0-9_-]{16,128}", settings.at_callback_secret.get_secret_value()):
            problems.append("PAYLOOM_AT_CALLBACK_SECRET needs at least 16 of A-Z a-z 0-9 _ -")
    if settings.mpesa_consumer_key.get_secret_value():
        for name in ("mpesa_consumer_secret", "mpesa_short_code", "mpesa_passkey"):
            value = getattr(settings, name)
            if not (value.get_secret_value() if isinstance(value, SecretStr) else value):
                problems.append(f"PAYLOOM_{name.upper()} is missing: M-Pesa needs it beside the consumer key")
    problems += _bad_cards(settings)
    problems += _bad_callbacks(settings) + _bad_mail(settings)
    return [problem for problem in problems if re.split("[ :]", problem)[0] not in unread]


def _bad_cards(settings: Settings) -> list[str]:
    """What a gateway that was begun with still needs."""
    return [
        f"PAYLOOM_{gateway.upper()}_{name.upper()} is missing: it is needed beside PAYLOOM_{gateway.upper()}_{CARDS[gateway][0].upper()}"
        for gateway, credentials in settings.card_credentials.items()
        for name, value in credentials.items()
        if not value and name not in _OPTIONAL
    ]


def _bad_callbacks(settings: Settings) -> list[str]:
    """Daraja refuses some words in an address; heard now rather than with the first payment."""
    from gateways.payments.daraja import BLOCKED_HOSTS, FORBIDDEN  # noqa: PLC0415 - its imports take longer than this file

    base = (settings.mpesa_callback_base or settings.base_url).lower()
    host = base.partition("://")[2].partition("/")[0]
    words = [word for word in FORBIDDEN if word in base] + [word for word in BLOCKED_HOSTS if word in host]
    name = "PAYLOOM_MPESA_CALLBACK_BASE" if settings.mpesa_callback_base else "PAYLOOM_BASE_URL"
    return [f"{name}: Daraja refuses callback addresses with {', '.join(words)} in them"] if words else []


def _bad_mail(settings: Settings) -> list[str]:
    url, secret = settings.smtp_url.get_secret_value(), settings.mail_callback_secret.get_secret_value()
    problems = []
    if url:
        from gateways.messages.email import Server, read_sender  # noqa: PLC0415 - its imports take longer than this file

        for read, value in ((Server.read, url), (read_sender, settings.mail_from)):
            try:
                read(value)
            except ValueError as problem:
                problems.append(f"PAYLOOM_{problem}")
    if secret and not re.fullmatch("[A-Za-z0-9_-]{16,128}", secret):
        problems.append("PAYLOOM_MAIL_CALLBACK_SECRET needs at least 16 of A-Z a-z 0-9 _ -")
    return problems


def _is_key(text: str) -> bool:
    try:
        raw = base64.b64decode(text, validate=True)
    except ValueError:
        return False
    return len(raw) == 32 and len(set(raw)) >= 8
