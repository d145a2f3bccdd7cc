"""The process that forks houses, as the test sees it, and one life of a house."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]
START_S: Final = 30.0
Json = dict[str, Any]


@dataclass(slots=True)
class Life:
    """One process of a house, from its fork to its end."""

    number: int
    born: asyncio.Future[int]
    ended: asyncio.Future[int]

    async def pid(self) -> int:
        return await asyncio.wait_for(asyncio.shield(self.born), START_S)


class Nursery:
    """Start with `async with nursery()`. Whatever it forked ends with it."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._numbers = itertools.count()
        self._lives: dict[int, Life] = {}
        self._reader = asyncio.get_running_loop().create_task(self._listen())

    async def _listen(self) -> None:
        assert self._process.stdout is not None
        while line := await self._process.stdout.readline():
            said = json.loads(line)
            life = self._lives[said["n"]]
            future, value = (life.born, said["pid"]) if "pid" in said else (life.ended, said["ended"])
            if not future.done():
                future.set_result(value)

    async def fork(self, folder: Path, settings: Json) -> Life:
        """A house of its own in `folder`."""
        loop, number = asyncio.get_running_loop(), next(self._numbers)
        life = self._lives[number] = Life(number, loop.create_future(), loop.create_future())
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"n": number, "folder": str(folder), "settings": settings}).encode() + b"\n")
        await self._process.stdin.drain()
        await life.pid()
        return life

    async def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            await asyncio.wait_for(self._process.wait(), 10)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        await self._reader


@contextlib.asynccontextmanager
async def nursery() -> AsyncIterator[Nursery]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.crash.child", stdin=PIPE, stdout=PIPE, cwd=ROOT, start_new_session=True
    )
    home = Nursery(process)
    try:
        yield home
    finally:
        await home.close()


@dataclass(slots=True)
class Running:
    """A house that runs: told to settle over its control socket; `dead` as soon as that socket ends."""

    life: Life
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    dead: bool = False
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def _line(self, wanted: bytes, within_s: float) -> bool:
        try:
            line = await asyncio.wait_for(self.reader.readline(), within_s)
        except (ConnectionError, OSError):
            line = b""
        self.dead = self.dead or line != wanted
        return not self.dead

    async def ready(self) -> bool:
        async with self.lock:
            return await self._line(b"ready\n", START_S)

    async def settle(self, order: bytes = b"settle") -> bool:
        """What is ordered and everything that is due happens; False when it died over it."""
        async with self.lock:
            if self.dead:
                return False
            try:
                self.writer.write(order + b"\n")
                await self.writer.drain()
            except (ConnectionError, OSError):
                self.dead = True
                return False
            return await self._line(b"settled\n", 60)

    async def stop(self) -> int:
        """Ask it to close as on SIGTERM; its exit code."""
        if not self.dead:
            with contextlib.suppress(ConnectionError, OSError):
                self.writer.write(b"stop\n")
                await self.writer.drain()
        code = await asyncio.wait_for(asyncio.shield(self.life.ended), START_S)
        await self.close()
        return code

    async def kill(self) -> None:
        """kill -9 from outside."""
        if not self.life.ended.done():
            with contextlib.suppress(ProcessLookupError):
                os.kill(await self.life.pid(), signal.SIGKILL)
        self.dead = True

    async def gone(self) -> int:
        """Its exit code, once it is gone for good."""
        code = await asyncio.wait_for(asyncio.shield(self.life.ended), START_S)
        await self.close()
        return code

    async def close(self) -> None:
        self.dead = True
        self.writer.close()
        with contextlib.suppress(ConnectionError, OSError):
            await self.writer.wait_closed()
