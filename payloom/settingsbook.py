"""What each setting means. `python -m payloom.settingsbook` writes docs/settings.md and .env.example from here; a test compares."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import SecretStr

from payloom.settings import Settings

GROUPS: Final[dict[str, dict[str, str]]] = {
    "Core": {
        "database_url": "Where everything is kept: `sqlite+aiosqlite:///file` (one process) or `postgresql://user:password@host/name` (any number).",
        "base_url": "Our public address, https in production, without a path. Links and callbacks are made from it, never from a request.",
        "host": "The address the web door listens on. Behind a proxy on the same machine: 127.0.0.1.",
        "port": "The port the web door listens on.",
        "secret_key": "One or more, with commas, each 32 characters at least. Tokens in links are made with the first and read with all; the last "
        "one proves the audit trail: put new ones in front, keep the last for ever.",
        "encryption_keys": "One or more, with commas, each 32 random bytes in base64. Gateways' credentials are sealed with the first and opened with all.",
        "log_format": "`text` for people, `json` for machines. To standard error.",
        "log_level": "`debug`, `info`, `warning` or `error`.",
        "default_country": "Two letters: how phone numbers without a country are read, and where new shops are.",
        "default_currency": "Three letters: what new shops sell in.",
        "fee_bps": "The platform's part of a release in basis points (250 is 2.5 %), for shops opened from now on.",
        "trusted_proxies": "Addresses of proxies, with commas, whose X-Forwarded-For is believed. Empty behind a proxy: everybody shares its limits.",
        "keep_told_days": "Notifications that are about no order are thrown away after so many days. 0: never.",
    },
    "Telegram": {
        "telegram_token": "The bot's token from @BotFather.",
        "telegram_api_base": "Where the Bot API is; another address for a local Bot API server or an imitation.",
        "telegram_mode": "`polling`: `payloom run bot` asks. `webhook`: Telegram calls `payloom run web`.",
        "telegram_webhook_secret": "Webhook mode: one or more, with commas, each 16 to 256 of A-Z a-z 0-9 _ -; Telegram is told the first and shows it in "
        "a header, where all are taken.",
        "telegram_username": "The bot's name without @: links into the chat are made with it.",
        "telegram_provider_token": "Of the payment provider that @BotFather joined to the bot: buyers in Telegram pay by card inside the chat. "
        "With TEST in it no money moves. Empty: nobody does.",
        "telegram_per_s": "Messages a second that Telegram takes from the bot, from all our processes together.",
        "admin_chat": "Not used yet: who gets the alerts is kept in the database, `payloom admin admins add TELEGRAM_ID`.",
    },
    "M-Pesa": {
        "mpesa_api_base": "Daraja: the sandbox, or `https://api.safaricom.co.ke` for real money.",
        "mpesa_consumer_key": "Of the app in Daraja's portal. Empty: only shops with an account of their own can be paid.",
        "mpesa_consumer_secret": "Of the same app.",
        "mpesa_short_code": "The paybill, or the store number of a till, that takes the payments.",
        "mpesa_till": "BUYGOODS: the till number. Empty: the short code.",
        "mpesa_passkey": "Of the short code, for STK prompts.",
        "mpesa_transaction_type": "`PAYBILL` or `BUYGOODS`.",
        "mpesa_initiator": "The API operator that refunds are made as. Without it refunds fail and wait for a person.",
        "mpesa_security_credential": "The operator's password, encrypted with Daraja's certificate.",
        "mpesa_callback_base": "Where Daraja calls us, when it is not the public address. Daraja refuses the words mpesa, safaricom, exe, cmd, sql, query.",
        "mpesa_source_ips": "Addresses Daraja calls from, with commas; others are logged. Empty: not looked at.",
    },
    "Cards and wallets": {
        "stripe_secret_key": "Stripe's secret or restricted key; its first letters say whether money is real. Empty: nobody pays through Stripe.",
        "stripe_webhook_secret": "Of the webhook endpoint at Stripe, whsec_...: it posts to /callbacks/stripe.",
        "stripe_webhook_secret_before": "The one it had before, while it is being rolled.",
        "stripe_ugx_decimals": "With how many decimals Stripe counts Ugandan shillings: 0 or 2. Its own documents say both, and the wrong one is a "
        "hundred times the price: try a payment with a test key first. Empty: UGX is not paid through Stripe.",
        "stripe_api_base": "Where Stripe's API is.",
        "paypal_client_id": "Of the app in PayPal's developer dashboard. Empty: nobody pays with PayPal.",
        "paypal_client_secret": "Of the same app.",
        "paypal_webhook_id": "Of the app's webhook, which posts to /callbacks/paypal: events are checked with it.",
        "paypal_merchant_id": "Of the account that is paid. Empty: whose account an event names is not looked at.",
        "paypal_api_base": "PayPal: the sandbox, or `https://api-m.paypal.com` for real money.",
        "paytabs_profile_id": "Of the profile in PayTabs' dashboard. Empty: nobody pays through PayTabs.",
        "paytabs_server_key": "Of the same profile: calls and callbacks are proved with it.",
        "paytabs_server_key_before": "The one before, while it is being changed.",
        "paytabs_thousandths": "The profile takes three decimals of dinars and Omani riyals (KWD, BHD, JOD, OMR). `false`: two, and prices with a third "
        "are not paid through PayTabs.",
        "paytabs_region": "Whose host the profile is on: KSA, UAE, EGYPT, OMAN, JORDAN, KUWAIT, IRAQ, MOROCCO, QATAR or GLOBAL.",
        "paytabs_api_base": "Where PayTabs is. Empty: the host of the region.",
        "moyasar_secret_key": "Moyasar's secret key; its first letters say whether money is real. Empty: nobody pays through Moyasar.",
        "moyasar_publishable_key": "Not used: payers type their cards on Moyasar's own page.",
        "moyasar_webhook_secret": "The secret token of the webhook in Moyasar's dashboard, which posts to /callbacks/moyasar.",
        "moyasar_webhook_secret_before": "The one it had before, while it is being changed.",
        "moyasar_api_base": "Where Moyasar's API is.",
    },
    "Phones": {
        "at_username": "Africa's Talking: the app's username, `sandbox` for the sandbox. Empty: no USSD and no SMS.",
        "at_api_key": "Of the same app.",
        "at_sender": "An approved sender id or short code for SMS. Empty: the operator's own number is shown.",
        "at_api_base": "Where the API is. Empty: the real one, or the sandbox by the username.",
        "at_per_s": "SMS a second that the account may send, from all our processes together.",
        "at_callback_secret": "In the addresses that Africa's Talking calls, /ussd/SECRET, /ussd/SECRET/events, /sms/SECRET/inbound and "
        "/sms/SECRET/delivery: at least 16 of A-Z a-z 0-9 _ -.",
        "ussd_code": "The service code that people dial.",
        "ussd_arabic": "The operators behind the service code carry Arabic letters. Otherwise Arabic speakers see English on USSD.",
    },
    "Webhooks": {
        "webhook_loopback": "`true`: organizations may have events posted to this very machine, without TLS. For trying out on one machine; never "
        "where strangers have accounts.",
    },
    "Email": {
        "smtp_url": "Where letters are handed in: `smtp://user:password@host:587` (STARTTLS, demanded) or `smtps://user:password@host:465`. "
        "Empty: no letters.",
        "mail_from": "Whom letters come from: `PayLoom <no-reply@pay.example.com>`, at a domain whose SPF and DKIM are those of the server.",
        "mail_per_s": "Letters a second that the mail server takes, from all our processes together.",
        "mail_callback_secret": "In the address where letters that came back are posted as they are, /mail/SECRET/bounce: at least 16 of A-Z a-z 0-9 _ -. "
        "Empty: nobody hears of them.",
    },
}
_NEEDED: Final = {
    "secret_key": "required",
    "encryption_keys": "required",
    "telegram_token": "required",
    "telegram_webhook_secret": "required in webhook mode",
    "mpesa_consumer_secret": "required with the consumer key",
    "mpesa_short_code": "required with the consumer key",
    "mpesa_passkey": "required with the consumer key",
    "stripe_webhook_secret": "required with the key",
    "paypal_client_secret": "required with the client id",
    "paypal_webhook_id": "required with the client id",
    "paytabs_server_key": "required with the profile",
    "moyasar_webhook_secret": "required with the key",
    "at_api_key": "required with the username",
    "at_callback_secret": "required with the username",
    "mail_from": "required with the server",
}
_HEAD: Final = """\
# Settings

Written by `python -m payloom.settingsbook` from `payloom/settingsbook.py`; a test compares it with the program.

From the environment, or from a file `.env` in the folder the command runs in (the environment wins). Every name begins with `PAYLOOM_`.
An empty value counts as absent. `payloom run` names everything that is missing or wrong at once and does not start; `payloom doctor` shows
every value (secrets as `***`), where it comes from, and what to do. `payloom town` (`make run`) needs none of them: it makes its own.
"""
_ENV_HEAD: Final = """\
# Settings of `payloom run`. Copy to `.env`, fill in what is required, keep it from others (chmod 600 .env), never commit it.
# The town (`make run`) needs none of this. More on each: docs/settings.md. To check: payloom doctor
"""


def is_secret(name: str) -> bool:
    hint: Any = Settings.model_fields[name].annotation
    return hint is SecretStr or (get_origin(hint) is tuple and SecretStr in get_args(hint))


def default_of(name: str) -> str:
    value: Any = Settings.model_fields[name].default
    return "" if isinstance(value, SecretStr | tuple) else str(value)


def markdown() -> str:
    """docs/settings.md."""
    lines = [_HEAD]
    for group, settings in GROUPS.items():
        lines += [f"## {group}", "", "| name | default | what it is |", "| --- | --- | --- |"]
        for name, about in settings.items():
            usual = f"`{default_of(name)}`" if default_of(name) else _NEEDED.get(name, "empty")
            lines.append(f"| `PAYLOOM_{name.upper()}` | {usual} | {about}{' Secret.' if is_secret(name) else ''} |")
        lines.append("")
    return "\n".join(lines)


def env_example() -> str:
    """.env.example: what is required stands open, the rest as a comment with its default."""
    lines = [_ENV_HEAD]
    for group, settings in GROUPS.items():
        lines.append(f"# --- {group} ---")
        for name, about in settings.items():
            needed = _NEEDED.get(name, "")
            lines += [f"# {about.replace('`', '')}{f' ({needed})' if needed else ''}"]
            lines += [f"{'' if needed == 'required' else '#'}PAYLOOM_{name.upper()}={default_of(name)}", ""]
    return "\n".join(lines).rstrip() + "\n"


if __name__ == "__main__":
    Path("docs/settings.md").write_text(markdown(), "utf-8")
    Path(".env.example").write_text(env_example(), "utf-8")
