"""The process that is killed: a house with all its doors. `python -m tests.crash.child` imports everything once and forks a house for each
order on its standard input, so that a restart takes milliseconds; what a fork shares with its parent is code, never state.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from aiohttp.web import AppRunner, TCPSite
from sqlalchemy.exc import CompileError
from telegram import Update

from domain.ids import RefundId
from domain.money import Money
from domain.phone import read_phone
from domain.ports import Store
from gateways.telegram_transport import AiohttpRequest
from payloom import log
from payloom.settings import Settings
from payloom.wiring import Built, build
from storage.postgres import PostgresStore
from storage.spelling import POSTGRES, SQLITE, Sql
from templates.pages import _environment
from templates.words import LANGUAGES, words
from tests.crash.board import Board, BoardClock
from tests.crash.given import house_settings
from tests.crash.points import CountedHttp, CountedRequest, CountedStore, Points
from usecases.admin import DESK, trust_clock
from usecases.refunds import confirm_refund_by_hand, retry_refund

PR_SET_PDEATHSIG: Final = 1
Json = dict[str, Any]


def house_of(given: Json, http: CountedHttp) -> tuple[Built, Points]:
    """The product as `payloom run all` builds it, with points in its store and in its transports."""
    folder = Path(given["folder"])
    board = Board(folder / "board")
    points = Points(board, folder / "points")
    http.points = points
    settings = Settings(_env_file=None, **given["settings"])  # type: ignore[call-arg]
    requests: tuple[AiohttpRequest, AiohttpRequest] = (
        CountedRequest(points),
        CountedRequest(points, connections=4, read_timeout_s=40),
    )
    house = build(
        settings, clock=BoardClock(board), paced=False, http=http, telegram_requests=requests,
        wrap_store=lambda store: CountedStore(for_a_short_life(store), points),
    )  # fmt: skip
    return house, points


def for_a_short_life(store: Store) -> Store:
    """With fewer connections: one that is opened afresh costs PostgreSQL more than most lives ask of it afterwards."""
    if isinstance(store, PostgresStore):
        store._sizes = (3, 1)
    return store


async def live(given: Json, http: CountedHttp) -> None:
    """Open as `payloom run all` does: the store, the web door, then bot and worker. Orders come over the control socket."""
    house, points = house_of(given, http)
    reader, writer = await asyncio.open_unix_connection(Path(given["folder"]) / "control")
    writer.write(b"%d\n" % given["n"])
    await house.open_store()
    runner = AppRunner(house.web(), access_log=None, shutdown_timeout=5)
    await runner.setup()
    await TCPSite(runner, "127.0.0.1", house.settings.port, reuse_address=True).start()
    await house.open_doors("bot", "worker")
    writer.write(b"ready\n")
    try:
        while (order := (await reader.readline()).split()) != [b"stop"]:
            if not order:
                return
            if order[0] == b"limit":
                _limit(int(order[1]))
            elif order[0] == b"trust":
                await house.hall.store.write(trust_clock, DESK)
            elif order[0] == b"desk":
                await _desk(house, order[1], RefundId(int(order[2])))
            await house.settle()
            await points.quiet()
            writer.write(b"settled\n")
    finally:
        await house.close_doors()
        await runner.cleanup()
        await house.close_store()
        writer.close()


async def _desk(house: Built, verb: bytes, refund_id: RefundId) -> None:
    """What whoever sits at the desk decided about a refund after a look at Daraja's portal."""
    unit = {b"confirm": confirm_refund_by_hand, b"retry": retry_refund}[verb]
    await house.hall.store.write(unit, DESK, refund_id)


def _limit(size: int) -> None:
    """The disk is full: no file of this process grows beyond `size`; -1 for room enough. (Python has SIGXFSZ ignored: a write fails.)"""
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most if size < 0 else size, most))


def become_house(given: Json, http: CountedHttp) -> None:
    """In the fork: its own process group, output into its folder, and no life without its parent."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    nothing = os.open(os.devnull, os.O_RDONLY)
    output = os.open(Path(given["folder"]) / "output", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for source, target in ((nothing, 0), (output, 1), (output, 2)):
        os.dup2(source, target)
    log.configure(level="warning")
    asyncio.run(live(given, http))


def warm() -> CountedHttp:
    """What a process reads or compiles when it first needs it, done once before the forks. The client has no connection yet."""
    for language in LANGUAGES:
        t = words(language)
        t.money(Money(250_000, "KES"))
        t.moment(datetime.now(UTC))
    for name in _environment().list_templates():
        with contextlib.suppress(UnicodeDecodeError):
            _environment().get_template(name)
    read_phone("0712345678")
    Update.de_json({"update_id": 1, "message": {"message_id": 1, "date": 0, "chat": {"id": 1, "type": "private"}}}, None)
    asyncio.run(_door())
    for statement in [one for one in gc.get_objects() if isinstance(one, Sql)]:
        for dialect in (SQLITE, POSTGRES):
            with contextlib.suppress(CompileError):  # made for the other engine
                statement.compiled(dialect)
    return CountedHttp()


async def _door() -> None:
    """A house that is built and never opened, for what its parts import."""
    settings = Settings(_env_file=None, **house_settings("sqlite+aiosqlite:///never-opened.db", 1, 1))  # type: ignore[call-arg]
    house = build(settings)
    house.web()
    await house.http.aclose()


def nursery() -> None:
    """Fork a house for each line; tell each one's process id, and how it ended."""
    http = warm()
    gc.collect()
    gc.freeze()
    wake_read, wake_write = os.pipe()
    for end in (wake_read, wake_write):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    living: dict[int, int] = {}
    waiting = b""
    while True:
        ready, _, _ = select.select([0, wake_read], [], [])
        if wake_read in ready:
            with contextlib.suppress(BlockingIOError):
                os.read(wake_read, 4096)
            _bury(living)
        if 0 in ready:
            read = os.read(0, 65536)
            if not read:
                break
            *lines, waiting = (waiting + read).split(b"\n")
            for line in lines:
                _raise(json.loads(line), living, http)
    for child in living:
        os.kill(child, signal.SIGKILL)


def _raise(given: Json, living: dict[int, int], http: CountedHttp) -> None:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            become_house(given, http)
            code = 0
        except BaseException:  # noqa: BLE001 - into its output, for whoever reads it
            traceback.print_exc()
        finally:
            os._exit(code)
    living[child] = given["n"]
    _tell({"n": given["n"], "pid": child})


def _bury(living: dict[int, int]) -> None:
    while living:
        child, status = os.waitpid(-1, os.WNOHANG)
        if child == 0:
            return
        _tell({"n": living.pop(child), "ended": os.waitstatus_to_exitcode(status)})


def _tell(what: Json) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


if __name__ == "__main__":
    nursery()
