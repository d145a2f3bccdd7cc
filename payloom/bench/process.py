"""A server under test in a process of its own, which ends when its standard input is closed: with us, however we end."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import resource
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

READY_S = 60


class Process:
    """`port` answers; `ask` puts a question to the process on its standard input."""

    def __init__(self, module: str, *arguments: str) -> None:
        self._child = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", module, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=Path(__file__).parents[2]
        )
        self.pid = self._child.pid
        try:
            self.port = int(self._line()["port"])
        except BaseException:
            self.close()
            raise

    def _line(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise RuntimeError(f"the process under test ended early: {self._child.args!r}")
        return dict(json.loads(line))

    def ask(self, question: str) -> dict[str, Any]:
        assert self._child.stdin is not None
        self._child.stdin.write(question.encode() + b"\n")
        self._child.stdin.flush()
        return self._line()

    def close(self) -> None:
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            self._child.stdin.close()
        try:
            self._child.wait(20)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()
        self._child.stdout.close()


@contextlib.contextmanager
def running(module: str, *arguments: str) -> Iterator[Process]:
    process = Process(module, *arguments)
    try:
        yield process
    finally:
        process.close()


Answer = Callable[[str], Coroutine[Any, Any, dict[str, Any]]]


def serve(opened: Callable[[], AbstractAsyncContextManager[tuple[int, Answer | None]]], *, uvloop: bool) -> None:
    """The child's side: open, say which port, answer questions (`cpu` is known to all) until standard input ends."""
    factory = None
    if uvloop:
        with contextlib.suppress(ImportError):
            import uvloop as quick  # noqa: PLC0415 - it may be absent

            factory = quick.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(_serve(opened))


async def _serve(opened: Callable[[], AbstractAsyncContextManager[tuple[int, Answer | None]]]) -> None:
    async with opened() as (port, answer):
        _say({"port": port})
        async for question in _questions():
            _say(_cpu() if question == "cpu" else await answer(question) if answer is not None else {})


async def _questions() -> AsyncIterator[str]:
    while line := await asyncio.to_thread(sys.stdin.readline):
        yield line.strip()


def _say(what: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


def _cpu() -> dict[str, Any]:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"cpu_s": used.ru_utime + used.ru_stime, "resident_mb": _resident_bytes() // 2**20}


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
