"""`payloom run`: the doors of one process, opened in order and drained when it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import structlog

from payloom.settings import Settings

DOORS: Final = {"web": (), "bot": ("bot",), "worker": ("worker",), "all": ("bot", "worker")}
"""Beside the web door, which is served."""
WEBHOOK_IS_WEBS: Final = "in webhook mode Telegram's updates come in through `payloom run web`: there is nothing to do here"
_log = structlog.get_logger("run")


class NotReady(Exception):
    """It cannot start so; the message says what to do."""


def check_migrations(url: str) -> None:
    """Never migrated silently: while old processes still run, that is for whoever deploys to decide."""
    from payloom.migrate import pending  # noqa: PLC0415 - loads the migrations' folder

    left = pending(url)
    if left:
        raise NotReady(f"{len(left)} migration{'s are' if len(left) > 1 else ' is'} pending: run `payloom migrate`, then start again")


def run_loop(work: Coroutine[Any, Any, None]) -> None:
    """Run it on uvloop where that is installed, else on Python's own loop."""
    try:
        import uvloop  # noqa: PLC0415 - it may be absent
    except ImportError:
        factory = None
    else:
        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(work)


async def until_told_to_stop(work: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    """Run until Ctrl-C or SIGTERM; a second signal does not wait."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    numbers = (signal.SIGINT, signal.SIGTERM)

    def told() -> None:
        stop.set()
        for number in numbers:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in numbers:
        loop.add_signal_handler(number, told)
    await work(stop)


def run(what: str, settings: Settings) -> None:
    """One process type, or `all`, until it is told to stop."""
    if what == "bot" and settings.telegram_mode == "webhook":
        run_loop(until_told_to_stop(wait_for_nothing))
        return
    check_migrations(settings.database_url)
    if what != "all" and settings.database_url.startswith("sqlite"):
        _log.warning("only_one_process", why="SQLite has one process: `payloom run all` does everything in it; several need PostgreSQL")
    run_loop(until_told_to_stop(lambda stop: live(what, settings, stop)))


async def wait_for_nothing(stop: asyncio.Event) -> None:
    """A process that a Procfile starts and the settings leave without work: it stays, for one that ends would be started again."""
    _log.warning("nothing_to_do", why=WEBHOOK_IS_WEBS)
    await stop.wait()


def doors_of(what: str, telegram_mode: str) -> tuple[str, ...]:
    """In webhook mode the web process hears Telegram, so it opens that door too, and the worker's bot only speaks."""
    if telegram_mode == "webhook" and what == "web":
        return ("bot",)
    return DOORS[what]


def spare_the_collector() -> None:
    """What stands when the doors are open stays: Python's collector of cycles need not look at it again and again."""
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)


async def live(what: str, settings: Settings, stop: asyncio.Event) -> None:
    """Open, wait, drain: nobody is let in any more, what was begun comes to its end, the store is closed last."""
    from payloom.adminline import AdminLine  # noqa: PLC0415 - with everything that only a living house needs
    from payloom.wiring import build  # noqa: PLC0415 - as above

    house = build(settings)
    doors = doors_of(what, settings.telegram_mode)
    line, speaker = AdminLine(house), Speaker(house.bot, house.mouth)
    try:
        await house.open_store()
        await line.open()
        if what in {"web", "all"}:
            await _serve(house, doors, stop)
        else:
            await house.open_doors(*doors)
            if "bot" not in doors:
                speaker.open()
            spare_the_collector()
            _log.info("open", doors=[what])
            await stop.wait()
        _log.info("closing", doors=[what])
    finally:
        await line.close()
        await house.close_doors()
        await speaker.close()
        await house.close_store()
    _log.info("closed", doors=[what])


async def _serve(house: Any, doors: tuple[str, ...], stop: asyncio.Event) -> None:
    """The web door first: when its port is taken, nobody has been spoken to yet."""
    from payloom.wiring import serve  # noqa: PLC0415 - as above

    settings: Settings = house.settings
    up = asyncio.Event()
    serving = asyncio.create_task(
        serve(house.web(), settings.host, settings.port, stop, lambda _: up.set(), proxies=settings.trusted_proxies)
    )
    waiting = asyncio.create_task(up.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not serving.done():
            await house.open_doors(*doors)
            spare_the_collector()
            _log.info("open", doors=["web", *doors], host=settings.host, port=settings.port, address=settings.base_url)
        await serving
    finally:
        waiting.cancel()
        if not serving.done():
            stop.set()
            await asyncio.gather(serving, return_exceptions=True)


class Speaker:
    """The bot of a process that tells and takes up what a crash cut off, but does not listen. Telegram being away does not stop it."""

    def __init__(self, bot: Any, mouth: Any) -> None:
        self._bot, self._mouth = bot, mouth
        self._application: Any = None
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        from bot.application import build_application  # noqa: PLC0415 - as above

        self._application = build_application(self._bot, self._mouth)
        self._task = asyncio.get_running_loop().create_task(self._begin())

    async def _begin(self) -> None:
        from telegram.error import TelegramError  # noqa: PLC0415 - as above

        wait_s = 1.0
        while True:
            try:
                await self._application.initialize()
                return
            except TelegramError as error:
                _log.warning("telegram_away", error=type(error).__name__)
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, 60)

    async def close(self) -> None:
        if self._task is None:
            return
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        await self._mouth.drain()
        await self._application.shutdown()
