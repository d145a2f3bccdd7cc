"""The desk's line: SQLite has one writing process, so `payloom admin` hands itself to the one that runs, over a socket beside the database.

One POST of JSON: `argv` and what was asked for at the terminal; the answer is what the command said. The socket is its owner's alone (0600).
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from payloom.admin_task import Said, Task, execute
from payloom.settings import sqlite_file

if TYPE_CHECKING:
    from aiohttp import web

    from payloom.settings import Settings
    from payloom.where import Where
    from payloom.wiring import Built

PATH: Final = "/admin"
MOST_BODY: Final = 64 << 10
LONGEST_PATH: Final = 100
"""The system takes 107 bytes as a socket's address."""
TIMEOUT_S: Final = 600.0
WAIT_S: Final = 5.0


def socket_file(database_url: str) -> Path | None:
    """Where the line is; None with a database server, which needs none."""
    path = sqlite_file(database_url)
    return None if path is None else path.with_name(f"{path.name}.sock")


@contextlib.contextmanager
def _address(path: Path) -> Iterator[str]:
    """The path, or a short name of it where it is too long for a socket."""
    if len(os.fsencode(path)) <= LONGEST_PATH:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


class AdminLine:
    """Listens while a house is open. Whoever opens it holds the database's lock, so a socket found there is a dead one's."""

    def __init__(self, house: Built) -> None:
        self._house = house
        self._path = socket_file(house.settings.database_url)
        self._runner: web.AppRunner | None = None

    async def open(self) -> None:
        if self._path is None:
            return
        from aiohttp import web  # noqa: PLC0415 - a command that hands itself over does not load it

        application = web.Application(client_max_size=MOST_BODY)
        application.router.add_post(PATH, self._answer)
        application.router.add_get(PATH, self._tell)
        runner = self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=10)
        await runner.setup()
        await web.SockSite(runner, _listening(self._path)).start()

    async def close(self) -> None:
        if self._runner is None or self._path is None:
            return
        await self._runner.cleanup()
        self._runner = None
        self._path.unlink(missing_ok=True)

    async def _answer(self, request: web.Request) -> web.Response:
        from aiohttp import web  # noqa: PLC0415 - as above

        said = await self._work(json.loads(await request.read()))
        return web.json_response(said.packed())

    async def _tell(self, request: web.Request) -> web.Response:
        from aiohttp import web  # noqa: PLC0415 - as above

        return web.json_response({"port": self._house.settings.port})

    async def _work(self, asked: Mapping[str, Any]) -> Said:
        from payloom.admin import parse  # noqa: PLC0415 - as above

        try:
            task = parse([str(word) for word in asked["argv"]])
        except Exception as error:
            if not hasattr(error, "format_message"):
                raise
            return Said((f"the process that runs does not know this command: {error.format_message()}",), code=2)
        if task is None:
            return Said()
        return await execute(self._house, task, {str(name): str(value) for name, value in asked.get("given", {}).items()})


def _listening(path: Path) -> socket.socket:
    """A socket that was never open to anybody else, not even for an instant."""
    path.unlink(missing_ok=True)
    found = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    mask = os.umask(0o177)
    try:
        with _address(path) as address:
            found.bind(address)
    except BaseException:
        found.close()
        raise
    finally:
        os.umask(mask)
    found.setblocking(False)
    return found


class _Line(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        with _address(self._path) as address:
            self.sock.connect(address)


def _connected(database_url: str) -> _Line | None:
    path = socket_file(database_url)
    if path is None or not path.exists():
        return None
    line = _Line(path)
    try:
        line.connect()
    except OSError:
        line.close()
        return None
    return line


def hand_over(database_url: str, argv: list[str], given: Mapping[str, str]) -> Said | None:
    """Let the running process do it. None when none answers."""
    line = _connected(database_url)
    if line is None:
        return None
    try:
        line.request("POST", PATH, json.dumps({"argv": argv, "given": dict(given)}), {"Content-Type": "application/json"})
        answer = line.getresponse()
        body = answer.read()
    finally:
        line.close()
    if answer.status != 200:
        return Said(("the process that runs could not do it: its log says why",), data={"error": "failed"}, code=1)
    said: dict[str, Any] = json.loads(body)
    return Said(**said)


def port_of(database_url: str) -> int | None:
    """On which port the process that has this database listens; None when none answers."""
    line = _connected(database_url)
    if line is None:
        return None
    try:
        line.request("GET", PATH)
        return int(json.loads(line.getresponse().read())["port"])
    finally:
        line.close()


def do(where: Where, argv: list[str], task: Task, given: Mapping[str, str]) -> Said:
    """By the running process where there is one, else here. A process that has the file but does not answer yet is waited for a little."""
    end = time.monotonic() + WAIT_S
    while True:
        said = hand_over(where.database_url, argv, given)
        if said is not None:
            return said
        import asyncio  # noqa: PLC0415 - a command that hands itself over does not load it

        said = asyncio.run(_here(where.settings(), task, given, may_wait=time.monotonic() < end))
        if said is not None:
            return said
        time.sleep(0.2)


async def _here(settings: Settings, task: Task, given: Mapping[str, str], *, may_wait: bool) -> Said | None:
    from payloom.run import check_migrations  # noqa: PLC0415 - as above
    from payloom.wiring import build  # noqa: PLC0415 - as above
    from storage.store import StoreUnavailable  # noqa: PLC0415 - as above

    check_migrations(settings.database_url)
    house = build(settings)
    try:
        try:
            await house.open_store()
        except StoreUnavailable:
            if may_wait and sqlite_file(settings.database_url) is not None:
                return None
            raise
        said = await execute(house, task, given)
        await house.hall.drain()
        return said
    finally:
        await house.close_store()
