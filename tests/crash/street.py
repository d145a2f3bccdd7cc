"""A street: the town in the test's own process, which survives, and a house in a process that is killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import sqlite3
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeVar

import aiohttp
import psycopg
from aiohttp import web

from payloom.settings import Settings
from storage.postgres import conninfo
from tests.crash.board import Board
from tests.crash.given import ADMIN, CALLBACKS, TOKEN, house_settings, with_phones
from tests.crash.nursery import START_S, Life, Nursery, Running
from town.africastalking import Subscription
from town.application import Town
from town.core import Core

T = TypeVar("T")
Json = dict[str, Any]
LOOKS: Final = 8
SOON: Final = 3
"""Turns after which only the town's clock can bring what is waited for."""
LOOK_AGAIN_S: Final = 0.01
MOST_TURNS: Final = 120
PATIENCE_S: Final = 60.0
"""How long a callback waits for its answer: Daraja calls once, and these houses share two cores with everything else."""


class Stuck(AssertionError):
    """Something that had to happen did not, however long the town's clock ran."""


def free_port() -> int:
    """Below those that a machine gives to whoever calls out: one of them could take it while the house is dead."""
    for port in random.sample(range(15_000, 32_000), 100):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise Stuck("no port is free")


class Street:
    """`revive` starts the house, again where it died; `until` waits for something to be true while the town's clock runs."""

    def __init__(self, folder: Path, url: str, home: Nursery, seed: int, *, phones: bool = False) -> None:
        self.folder, self.url, self.home, self.seed = folder, url, home, seed
        self.core = Core(seed)
        self.board = Board(folder / "board", new=True)
        self.town_port, self.house_port = free_port(), free_port()
        given = with_phones(self.town_port) if phones else {}
        self.settings = house_settings(url, self.town_port, self.house_port, **given)
        here = f"http://127.0.0.1:{self.house_port}"
        ussd, sms = f"{here}/ussd/{CALLBACKS}", f"{here}/sms/{CALLBACKS}"
        subscribed = (
            Subscription(ussd, f"{ussd}/events", f"{sms}/inbound", f"{sms}/delivery", given["at_username"], given["at_api_key"])
            if given
            else None
        )
        self.town = Town(self.core, TOKEN, "payloom_bot", f"http://127.0.0.1:{self.town_port}", africastalking=subscribed)
        self.town.daraja._office.courier.within_s = PATIENCE_S
        self.deaths = 0
        self.deaths_in_a_row = 0
        self.second_death = 0
        """When positive, the next life dies at its so-manieth point: a crash during recovery."""
        self.house: Running | None = None
        self._reviving = asyncio.Lock()
        self._arrivals: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = asyncio.Queue()
        self._runner: web.AppRunner | None = None
        self._control: asyncio.Server | None = None
        self.browser: aiohttp.ClientSession | None = None
        self._eyes: psycopg.Connection[Any] | None = None
        self.core.clock.on_advance(self._tell_time)
        self.core.meanwhile.append(self.settle)

    def _tell_time(self) -> None:
        self.board.offset = self.core.clock.now() - datetime.now(UTC)

    async def open(self) -> None:
        self.town.telegram.people.person(ADMIN).started = True
        application = self.town.application()
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.town_port).start()

        async def arrived(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._arrivals.put((reader, writer))

        self._control = await asyncio.start_unix_server(arrived, self.folder / "control")
        self.browser = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20))

    async def close(self) -> None:
        if self.house is not None:
            await self.house.kill()
            await self.house.gone()
        if self.browser is not None:
            await self.browser.close()
        if self._control is not None:
            self._control.close()
            await self._control.wait_closed()
        if self._runner is not None:
            await self._runner.cleanup()
        if self._eyes is not None:
            self._eyes.close()
        self.board.close()

    # -- the house

    async def revive(self) -> Running:
        """The house, started again as often as it died."""
        async with self._reviving:
            while self.house is None or self.house.dead:
                if self.house is not None:
                    self._mourn(await self.house.gone())
                    self.house = None
                life = await self.home.fork(self.folder, self.settings)
                self.house = await self._arrived(life)
                if self.house is None:
                    self._mourn(await life.ended)
                else:
                    await self.house.ready()
            return self.house

    def _mourn(self, code: int) -> None:
        assert code == -9, f"the house ended by itself with {code}: {self.last_words()}"
        self.deaths += 1
        self.deaths_in_a_row += self.board.countdown == 0 and self.second_death > 0
        self.board.target = b""
        self.board.countdown, self.second_death = self.second_death, 0

    async def _arrived(self, life: Life) -> Running | None:
        """The control connection of this very life; None when it died before it had one."""
        while True:
            arrival = asyncio.ensure_future(self._arrivals.get())
            waited: set[asyncio.Future[Any]] = {arrival, life.ended}
            await asyncio.wait(waited, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
            if not arrival.done():
                arrival.cancel()
                if life.ended.done():
                    return None
                raise Stuck(f"the house did not come up: {self.last_words()}")
            reader, writer = arrival.result()
            with contextlib.suppress(ConnectionError):
                if (await reader.readline()).strip() == str(life.number).encode():
                    return Running(life, reader, writer)
            writer.close()

    async def settle(self) -> None:
        if self.house is not None:
            await self.house.settle()

    @property
    def listening(self) -> bool:
        """Somebody waits for Telegram's updates."""
        waiting = self.town.telegram.updates._poller
        return waiting is not None and not waiting.done()

    def last_words(self) -> str:
        path = self.folder / "output"
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def points(self) -> list[tuple[int, str]]:
        """Every point that was passed: (step, name#occurrence), and `KILLED name#occurrence`."""
        path = self.folder / "points"
        lines = path.read_text().splitlines() if path.exists() else []
        return [(int(step), name) for step, _, name in (line.partition(" ") for line in lines)]

    # -- waiting

    async def until(self, true: Callable[[], Awaitable[T | None]], what: str, again: Callable[[], Awaitable[Any]] | None = None) -> T:
        """What `true` gives as soon as it is something. While the house lives it is given a moment; then the town's clock runs, and after
        a while the person does `again` what brought no answer."""
        for turn in range(MOST_TURNS):
            for _ in range(LOOKS if turn < SOON else 1):
                house = await self.revive()
                await house.settle()
                if not house.dead and (found := await true()) is not None:
                    return found
                await asyncio.sleep(LOOK_AGAIN_S)
            if again is not None and turn % 6 == 5:
                await self.revive()
                await again()
            await self.core.pass_time(11 if turn < 60 else 60)
        raise Stuck(f"never true: {what}; the house says: {self.last_words()}")

    async def pass_time(self, seconds: float) -> None:
        """Hours in steps of ten minutes, so that whatever leads to something else does so in its time; a house that dies comes back."""
        while seconds > 0:
            await self.revive()
            await self.core.pass_time(min(seconds, 600))
            seconds -= 600
        for _ in range(3):
            await (await self.revive()).settle()

    # -- eyes

    def rows(self, sql: str) -> Sequence[tuple[Any, ...]]:
        """What the database holds, through a connection of the test's own."""
        if self.url.startswith("sqlite"):
            path = self.url.partition(":///")[2]
            with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
                return connection.execute(sql).fetchall()
        for _ in range(2):
            if self._eyes is None or self._eyes.closed:
                self._eyes = psycopg.connect(conninfo(self.url), autocommit=True)
            with contextlib.suppress(psycopg.OperationalError):  # the test killed the server
                return self._eyes.execute(sql.encode()).fetchall()
            self._eyes.close()
        raise Stuck("the database cannot be reached")

    def one(self, sql: str) -> Any:
        found = self.rows(sql)
        return found[0][0] if found else None

    def reverse_by_hand(self, receipt: str) -> None:
        """What a person with a login does in Daraja's portal."""
        office = self.town.daraja._office
        original, app = office.books.find(receipt), next(iter(self.town.daraja.apps.values()))
        assert original is not None, receipt
        office.books.give_back(app, original, original.amount, self.core.clock.now(), ("", ""))

    def journal(self, kind: str) -> list[Json]:
        return [event for event in self.core.journal.since(0) if event["kind"] == kind]

    def read_settings(self) -> Settings:
        return Settings(_env_file=None, **self.settings)  # type: ignore[call-arg]


@contextlib.asynccontextmanager
async def street(url: str, home: Nursery, seed: int = 1, *, phones: bool = False) -> AsyncIterator[Street]:
    """A street of its own, with a house not yet started; with `phones` its town has USSD and SMS."""
    with tempfile.TemporaryDirectory(prefix="payloom-street-", ignore_cleanup_errors=True) as folder:
        made = Street(Path(folder), url, home, seed, phones=phones)
        try:
            await made.open()
            yield made
        finally:
            await made.close()
