"""The composition root: `build(settings, **replacements)` joins the rooms into a House. Nothing is made when a module is imported."""

from __future__ import annotations

import asyncio
import resource
import secrets
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aiohttp import web
from aiohttp.web import AbstractRouteDef
from telegram import Bot

from bot.application import TelegramDoor
from bot.dialogs import DIALOGS
from bot.dialogs.carry import session_ended
from bot.engine import Engine
from bot.mailer import MailTeller
from bot.mouths.sms import SmsMouth
from bot.mouths.telegram import TelegramMouth
from bot.mouths.ussd import PUSH_AFTER_S, Dialled, Reply, UssdMouth
from bot.teller import TelegramTeller
from bot.texter import SmsTeller
from domain.person import ChannelKind
from domain.phone import Phone
from domain.ports import Chance, Clock, Gateways, House, Post, Store, Unit
from domain.rights import Actor, Party
from domain.tokens import Purpose, Tokens
from gateways.http import Http
from gateways.messages.africastalking import AfricasTalking
from gateways.messages.email import Mail
from gateways.messages.email_bounce import read_bounce
from gateways.messages.pace import Pace
from gateways.messages.telegram import TelegramMessenger
from gateways.messages.webhook import WebhookPost
from gateways.payments.daraja import Daraja
from gateways.payments.daraja_c2b import DarajaC2b
from gateways.seals import AesSeals
from gateways.telegram_transport import AiohttpRequest
from jobs.by_hand import ByHand
from jobs.outbox import Teller, forget
from jobs.reconcile import EVERY_S as RECONCILE_S
from jobs.reconcile import reconcile_due
from jobs.timetable import Jobs, Timed
from jobs.webhooks import Webhooks
from payloom.carriers import OWN_FIELDS, close, every_gateway, platform_credentials
from payloom.paces import PacedPost, pace_of
from payloom.readiness import readiness
from payloom.settings import Settings
from storage.bell import LocalBell
from storage.pictures import Pictures
from storage.sqlite import SqliteStore
from storage.store import StoreUnavailable
from storage.unit import Surroundings
from usecases.events import WEBHOOKS
from usecases.gateways import PLATFORM, credentials_of, save_credentials
from usecases.hall import Hall
from usecases.lookups import LOOKUPS
from usecases.tell import keep_admin_chat

if TYPE_CHECKING:
    from storage.postgres import PostgresStore
    from web.gate import Limits

_WEBHOOK = 1


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        return time.monotonic()


class SystemChance:
    """The operating system's randomness."""

    def bits(self, count: int) -> int:
        return secrets.randbits(count)


@dataclass(slots=True)
class Built:
    """A house, standing but closed. `open` connects the store; each door is opened by itself."""

    settings: Settings
    hall: Hall
    store: SqliteStore | PostgresStore
    bell: LocalBell
    jobs: Jobs
    telegram: TelegramDoor
    mouth: TelegramMouth
    ussd: UssdMouth
    sms: SmsMouth
    http: Http
    gateways: Gateways
    pictures: Pictures
    bot: Bot
    webhook_post: WebhookPost
    webhooks: Webhooks
    _opened: list[str] = field(default_factory=list)

    async def open_store(self) -> None:
        await self.store.open()
        await self.bell.open()
        await self.hall.store.write(_keep_platform_credentials, platform_credentials(self.settings))
        await self.hall.store.write(keep_admin_chat, ChannelKind.TELEGRAM, self.settings.admin_chat)

    async def open_doors(self, *doors: str) -> None:
        """`bot` and `worker`; the web door is an application that a server runs."""
        if "worker" in doors:
            self.jobs.open()
        if "bot" in doors:
            await self.telegram.open()
        self._opened = list(doors)

    async def close_doors(self) -> None:
        """In the order of a sale: nobody speaks any more, what was begun ends, timers stop."""
        if "bot" in self._opened:
            await self.telegram.close()
        await self.hall.drain()
        if "worker" in self._opened:
            await self.jobs.close()
        self._opened = []

    async def close_store(self) -> None:
        await self.hall.drain()
        await close(self.gateways)
        await self.http.aclose()
        await self.webhook_post.aclose()
        await self.bell.close()
        await self.store.close()

    async def settle(self) -> None:
        """Everything that was begun or is due comes to its end now: for a moved clock, tests and tours."""
        for _ in range(10):
            await self.mouth.drain()
            await self.hall.drain()
            if not await self.jobs.run_due():
                break

    def web(self, extra_routes: Sequence[web.AbstractRouteDef] = ()) -> web.Application:
        """The web door as an application, not yet running."""
        from web.application import application  # noqa: PLC0415 - a worker without a web door does not load it
        from web.hooks.mail import mail_routes  # noqa: PLC0415
        from web.hooks.telegram import webhook  # noqa: PLC0415

        hooked = self.settings.telegram_mode == "webhook"
        phones = self._phone_routes()
        return application(
            self.hall,
            new_key=lambda: secrets.token_hex(16),
            extra_routes=extra_routes,
            phone_routes=phones,
            mail_routes=mail_routes(self.settings.mail_callback_secret.get_secret_value(), read_bounce),
            telegram_webhook=webhook(self.telegram.receive, self._is_webhook_path) if hooked else None,
            trusted_proxies=frozenset(self.settings.trusted_proxies),
            pictures=self.pictures.sizes,
            unavailable=(StoreUnavailable,),
            gauges=self.webhooks.gauges(),
            readiness=readiness(self.hall.store, self.settings.database_url),
        )

    def _phone_routes(self) -> Sequence[AbstractRouteDef]:
        from web.hooks.africastalking_sms import sms_routes  # noqa: PLC0415 - as above
        from web.hooks.africastalking_ussd import ussd_routes  # noqa: PLC0415

        secret = self.settings.at_callback_secret.get_secret_value()
        if not self.settings.at_username:
            return ()

        async def turn(session: str, phone: Phone, text: str) -> Reply:
            return await self.ussd.hear(Dialled(session, phone, text))

        async def over(session: str, phone: Phone) -> bool:
            return await self.hall.store.write(session_ended, session, phone)

        return [*ussd_routes(secret, turn, self.ussd.trouble, (StoreUnavailable,), over), *sms_routes(secret, self.sms.hear)]

    def _is_webhook_path(self, token: str) -> bool:
        """Made with any key of ours: while keys are rotated Telegram still calls the older address."""
        return self.hall.tokens.read(Purpose.SETTINGS, token) == _WEBHOOK


def _keep_platform_credentials(unit: Unit, given: dict[str, dict[str, str]]) -> None:
    """The platform's own credentials come from the settings; they are kept sealed like everybody's, and replaced when they change."""
    for gateway, credentials in given.items():
        known = unit.settings.get(PLATFORM, gateway)
        if known is None or credentials_of(unit, PLATFORM, gateway, direct=False) != credentials:
            save_credentials(unit, Actor(Party.ADMIN, "settings"), gateway, credentials, tested=False)


def build(
    settings: Settings,
    *,
    clock: Clock | None = None,
    chance: Chance | None = None,
    gateways: Gateways | None = None,
    http: Http | None = None,
    telegram_requests: tuple[AiohttpRequest, AiohttpRequest] | None = None,
    wrap_store: Callable[[Store], Store] | None = None,
    telegram_file_base: str = "",
    smtp_url: Callable[[], str] | None = None,
    paced: bool = True,
) -> Built:
    """Join the rooms. Replacements are for the town and for tests: the same house with other arguments.

    `telegram_requests` are the transport that speaks and the one that listens; what `wrap_store` returns is what the hall is given;
    `smtp_url` is asked with each letter, for a mail server that finds its port when it starts.
    """
    clock, chance = clock or SystemClock(), chance or SystemChance()
    house = _house(settings)
    tokens = Tokens(settings.token_keys)
    seals = AesSeals([key.get_secret_value() for key in settings.encryption_keys])
    around = Surroundings(clock, chance, house, tokens, seals, settings.audit_key)
    bell, store = _storage(settings, around)
    http = http or Http()
    carriers = every_gateway(settings, http, clock)
    hall = Hall(store if wrap_store is None else wrap_store(store), gateways or carriers, bell, clock, house, tokens)
    hall.by_hand = DarajaC2b(daraja) if isinstance(daraja := carriers["daraja"], Daraja) else None
    request, polling = telegram_requests or (AiohttpRequest(), AiohttpRequest(connections=4, read_timeout_s=40))
    bot = _bot(settings, telegram_file_base, request, polling)

    def pace(name: str, per_s: float) -> Pace | None:
        return pace_of(hall, name, per_s, shared=not isinstance(store, SqliteStore)) if paced else None

    engine = Engine(DIALOGS, hall.abilities, arabic_on_ussd=settings.ussd_arabic, fields=OWN_FIELDS)
    messenger = TelegramMessenger(bot, pace("telegram", settings.telegram_per_s))
    pictures = Pictures()
    mouth = TelegramMouth(hall, engine, bot, messenger, pictures)
    door = _telegram_door(settings, bot, polling, mouth, tokens)
    tellers: dict[ChannelKind, Teller] = {ChannelKind.TELEGRAM: TelegramTeller(hall, engine, mouth, messenger)}
    tellers |= _other_tellers(hall, settings, http, clock, smtp_url, pace)
    ussd, sms = UssdMouth(hall, engine, PUSH_AFTER_S if paced else 0.3), SmsMouth(hall, engine)

    webhook_post = WebhookPost(loopback=settings.webhook_loopback)
    webhooks = Webhooks(hall, webhook_post)
    jobs = Jobs(
        hall,
        tellers,
        (
            Timed("forget", 600, lambda: forget(hall, settings.keep_told_days)),
            Timed("updates", 10, mouth.again),
            Timed("texts", 10, sms.again),
            Timed("webhooks", 2, webhooks, WEBHOOKS),
            Timed("reconcile", RECONCILE_S, lambda: reconcile_due(hall)),
            *_by_hand(hall),
        ),
    )
    return Built(settings, hall, store, bell, jobs, door, mouth, ussd, sms, http, carriers, pictures, bot, webhook_post, webhooks)


def _other_tellers(
    hall: Hall,
    settings: Settings,
    http: Http,
    clock: Clock,
    smtp_url: Callable[[], str] | None,
    pace: Callable[[str, float], Pace | None],
) -> dict[ChannelKind, Teller]:
    """What is told beside Telegram, where it is set up."""
    tellers: dict[ChannelKind, Teller] = {}
    if settings.at_username:
        tellers[ChannelKind.SMS] = SmsTeller(hall, _texts(settings, http, pace("sms", settings.at_per_s)))
    if settings.smtp_url.get_secret_value():
        tellers[ChannelKind.EMAIL] = MailTeller(hall, _post(settings, clock, smtp_url, pace("email", settings.mail_per_s)))
    return tellers


def _by_hand(hall: Hall) -> tuple[Timed, ...]:
    """The clock's part of payments by hand, where they can be."""
    if hall.by_hand is None:
        return ()
    work = ByHand(hall, hall.by_hand)
    return (
        Timed("told_by_hand", 2, work.apply_events),
        Timed("lookups", 2, work.send_lookups, LOOKUPS),
        Timed("lists", 60, work.read_lists),
    )


def _telegram_door(settings: Settings, bot: Bot, polling: AiohttpRequest, mouth: TelegramMouth, tokens: Tokens) -> TelegramDoor:
    url = f"{settings.base_url}/telegram/{webhook_path(tokens)}"
    secrets = [secret.get_secret_value() for secret in settings.telegram_webhook_secret]
    return TelegramDoor(bot, polling, mouth, mode=settings.telegram_mode, webhook_url=url, webhook_secrets=secrets)


def _house(settings: Settings) -> House:
    username, mail = settings.telegram_username or "payloom_bot", bool(settings.smtp_url.get_secret_value())
    return House(settings.base_url, username, settings.default_country, settings.default_currency, settings.fee_bps, settings.ussd_code,
                 settings.webhook_loopback, mail=mail)  # fmt: skip


def _bot(settings: Settings, file_base: str, request: AiohttpRequest, polling: AiohttpRequest) -> Bot:
    token, base = settings.telegram_token.get_secret_value() or "0:none", settings.telegram_api_base
    files = file_base or f"{base}/file/bot"
    return Bot(token, base_url=f"{base}/bot", base_file_url=files, request=request, get_updates_request=polling)


def _post(settings: Settings, clock: Clock, smtp_url: Callable[[], str] | None, pace: Pace | None) -> Post:
    mail = Mail(smtp_url or settings.smtp_url.get_secret_value(), settings.mail_from, clock)
    return mail if pace is None else PacedPost(mail, pace)


def _texts(settings: Settings, http: Http, pace: Pace | None) -> AfricasTalking:
    key = settings.at_api_key.get_secret_value()
    return AfricasTalking(http, settings.at_username, key, sender=settings.at_sender, base=settings.at_api_base, pace=pace)


def webhook_path(tokens: Tokens) -> str:
    """The unguessable part of the webhook's address, the same in every process."""
    return tokens.make(Purpose.SETTINGS, _WEBHOOK)


def _storage(settings: Settings, around: Surroundings) -> tuple[LocalBell, SqliteStore | PostgresStore]:
    url = settings.database_url
    if url.startswith("sqlite"):
        bell = LocalBell()
        return bell, SqliteStore(Path(url.partition(":///")[2]), around, bell)
    from storage.postgres import PostgresStore  # noqa: PLC0415 - a house on SQLite never loads the driver
    from storage.postgres_bell import PostgresBell  # noqa: PLC0415 - as above

    shared = PostgresBell(url.replace("+asyncpg", "").replace("+psycopg", ""))
    return shared, PostgresStore(url, around, shared)


def room_for_connections() -> int:
    """What the system lets this process open, but for the files, the database and the providers."""
    allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 10_000 if allowed == resource.RLIM_INFINITY else max(allowed // 2, min(10_000, allowed - 256))


async def serve(
    application: web.Application,
    host: str,
    port: int,
    stop: asyncio.Event,
    ready: Any = None,
    *,
    proxies: Sequence[str] = (),
    limits: Limits | None = None,
) -> None:
    """Serve until told to stop; then answer what was begun and close. `proxies` of ours may have any number of connections."""
    from web.gate import GatedRunner, Limits  # noqa: PLC0415 - a worker without a web door does not load it

    runner = GatedRunner(application, limits or Limits(most=room_for_connections()), frozenset(proxies))
    await runner.setup()
    site = web.TCPSite(runner, host, port, reuse_port=None)
    await site.start()
    try:
        if ready is not None:
            ready(runner)
        await stop.wait()
    finally:
        await runner.cleanup()
