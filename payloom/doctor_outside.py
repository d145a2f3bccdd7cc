"""What the doctor asks providers: does Telegram know the bot, does Daraja know the keys, can both find their way back to us."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit

from payloom.doctor_checks import FINE, NOTE, PROBLEM, Finding, Ground

_LOCAL: Final = ("localhost", "127.", "10.", "192.168.", "0.0.0.0", "[::1]")  # noqa: S104 - to find it, not to bind to it
_WORDS: Final = {
    "configuration": (
        "Daraja does not accept the consumer key and secret",
        "copy them again from its portal; sandbox keys open only the sandbox",
    ),
    "try_later": ("Daraja cannot be reached", "is PAYLOOM_MPESA_API_BASE right, and may this machine speak to the internet?"),
}


async def addresses(ground: Ground) -> AsyncIterator[Finding]:
    """Whether people and providers can come back to us."""
    settings = ground.settings
    parts = urlsplit(settings.base_url)
    if ground.town:
        yield Finding("address", FINE, f"{settings.base_url} (a town lives on this machine)")
        return
    if parts.scheme != "https":
        yield Finding(
            "address", PROBLEM, f"{settings.base_url} is not https", "put a proxy with a certificate in front, and set PAYLOOM_BASE_URL"
        )
    elif _is_local(parts.hostname or "") or parts.path or parts.query:
        yield Finding(
            "address", PROBLEM, f"{settings.base_url} cannot be reached from outside", "a public host name, without a path after it"
        )
    else:
        yield Finding("address", FINE, settings.base_url)
    callbacks = settings.mpesa_callback_base or settings.base_url
    if callbacks != settings.base_url and (urlsplit(callbacks).scheme != "https" or _is_local(urlsplit(callbacks).hostname or "")):
        yield Finding("callbacks", PROBLEM, f"Daraja cannot call {callbacks}", "PAYLOOM_MPESA_CALLBACK_BASE is a public https origin")
    if parts.scheme == "https" and not settings.trusted_proxies:
        told = "PAYLOOM_TRUSTED_PROXIES is empty: behind a proxy everybody seems to come from its address"
        yield Finding("proxies", NOTE, told, "name the proxy's address, so that limits count people")


def _is_local(host: str) -> bool:
    return host.startswith(_LOCAL) or "." not in host


async def telegram(ground: Ground) -> AsyncIterator[Finding]:
    """getMe and getWebhookInfo. What the library says is not shown: it quotes the token."""
    token = ground.settings.telegram_token.get_secret_value()
    if not token:
        return
    from telegram import Bot  # noqa: PLC0415 - takes a while to load
    from telegram.error import InvalidToken, TelegramError  # noqa: PLC0415 - as above

    from gateways.telegram_transport import AiohttpRequest  # noqa: PLC0415 - as above

    request = AiohttpRequest(connections=2)
    await request.initialize()
    try:
        bot: Bot = Bot(token, base_url=f"{ground.settings.telegram_api_base}/bot", request=request, get_updates_request=request)
        me = await bot.get_me()
        hook = await bot.get_webhook_info()
    except InvalidToken:
        yield Finding("telegram", PROBLEM, "Telegram does not know this token", "ask @BotFather: /mybots, API Token")
        return
    except TelegramError as error:
        yield Finding("telegram", ground.outside, f"no answer ({type(error).__name__})", _reach(ground, "PAYLOOM_TELEGRAM_API_BASE"))
        return
    finally:
        await request.shutdown()
    yield _me(ground, me.username or "")
    yield _hook(ground, hook)


def _reach(ground: Ground, name: str) -> str:
    return "is the town open? `make run` opens it" if ground.town else f"is {name} right, and may this machine speak to the internet?"


def _me(ground: Ground, username: str) -> Finding:
    named = ground.settings.telegram_username
    if named.casefold() != username.casefold():
        told = f"the bot is @{username}, but PAYLOOM_TELEGRAM_USERNAME is {named or 'empty'}"
        return Finding("telegram", PROBLEM, told, f"set it to {username}: links into the chat are made with it")
    return Finding("telegram", FINE, f"the bot is @{username}")


def _hook(ground: Ground, hook: Any) -> Finding:
    """The address itself holds a secret: only its host is shown."""
    host, mode = urlsplit(hook.url or "").hostname or "", ground.settings.telegram_mode
    waits = f"{hook.pending_update_count} updates wait"
    if mode == "polling":
        if host:
            told = f"Telegram calls {host}, and PAYLOOM_TELEGRAM_MODE is polling"
            return Finding("telegram updates", NOTE, told, "`payloom run bot` takes the webhook away when it starts")
        return Finding("telegram updates", FINE, f"polling; {waits}")
    if host != urlsplit(ground.settings.base_url).hostname:
        return Finding(
            "telegram updates", PROBLEM, f"Telegram calls {host or 'nobody'}", "`payloom run web` sets the webhook when it starts"
        )
    failed = hook.last_error_date
    if failed is not None and (datetime.now(UTC) - failed).total_seconds() < 3600:
        return Finding(
            "telegram updates",
            PROBLEM,
            f"Telegram could not call us at {failed:%H:%M} UTC; {waits}",
            "look at the proxy and its certificate",
        )
    return Finding("telegram updates", FINE, f"webhook at {host}; {waits}")


async def daraja(ground: Ground) -> AsyncIterator[Finding]:
    """A token for the platform's credentials, and what is missing around them."""
    settings, credentials = ground.settings, ground.settings.mpesa_credentials
    if not credentials:
        told = "no credentials of the platform: only organizations with their own account can be paid"
        yield Finding("daraja", NOTE, told, "set PAYLOOM_MPESA_CONSUMER_KEY and its companions")
        return
    from gateways.http import Http  # noqa: PLC0415 - loads httpx
    from gateways.payments.daraja import LIVE, Daraja  # noqa: PLC0415 - as above
    from payloom.wiring import SystemClock  # noqa: PLC0415 - as above

    http = Http(deadline_s=15)
    try:
        gateway = Daraja(http, settings.mpesa_api_base, SystemClock(), "https://doctor.invalid")
        wrong = await gateway.check(credentials)
        await gateway.aclose()
    finally:
        await http.aclose()
    if wrong is None:
        yield Finding("daraja", FINE, f"gives a token for short code {settings.mpesa_short_code}")
    else:
        told, do = _WORDS.get(wrong, (wrong, ""))
        state = ground.outside if wrong == "try_later" else PROBLEM
        yield Finding("daraja", state, told, _reach(ground, "PAYLOOM_MPESA_API_BASE") if wrong == "try_later" else do)
    if not settings.mpesa_initiator or not settings.mpesa_security_credential.get_secret_value():
        told = "no initiator or security credential: refunds will fail and wait for a person"
        yield Finding("daraja refunds", PROBLEM, told, "set PAYLOOM_MPESA_INITIATOR and PAYLOOM_MPESA_SECURITY_CREDENTIAL")
    if not ground.town and settings.mpesa_api_base != LIVE:
        yield Finding("daraja sandbox", NOTE, f"payments go to {settings.mpesa_api_base}: no real money moves", f"live is {LIVE}")
