"""What the tests of the command line stand on: the real command, as a process and inside this one; settings of a house that talks to nobody."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from domain.ids import PersonId
from domain.person import Channel, ChannelKind, ChannelState, Language, Person, Role
from domain.ports import Unit
from tests.storage.ground import NOON

PYTHON = sys.executable
ROOT = Path(__file__).parents[2]
KEY = base64.b64encode(bytes(range(32))).decode()
NEW_KEY = base64.b64encode(bytes(range(100, 132))).decode()
NOBODY = "http://127.0.0.1:9"
"""Where nobody listens: a provider that is away."""


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def settings(database_url: str, **more: str) -> dict[str, str]:
    """The environment of a real run, with providers that are away."""
    given = {
        "database_url": database_url,
        "base_url": "https://pay.example.com",
        "host": "127.0.0.1",
        "secret_key": "s" * 40,
        "encryption_keys": KEY,
        "telegram_token": "42:TOKEN",
        "telegram_api_base": NOBODY,
        "telegram_username": "payloom_bot",
        "mpesa_api_base": NOBODY,
        "stripe_api_base": NOBODY,
        "paypal_api_base": NOBODY,
        "paytabs_api_base": NOBODY,
        "moyasar_api_base": NOBODY,
        **more,
    }
    return {f"PAYLOOM_{name.upper()}": value for name, value in given.items()}


def environment(names: Mapping[str, str]) -> dict[str, str]:
    """Of a child: ours without any setting but these."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("PAYLOOM_") or name == "PAYLOOM_TEST_SESSION"}
    return {**bare, **names, "PYTHONPATH": str(ROOT)}


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


def payloom(*words: str, env: Mapping[str, str], cwd: Path, stdin: str = "") -> Done:
    """The command, as a process of its own."""
    done = subprocess.run(
        [PYTHON, "-m", "payloom", *words],
        env=environment(env),
        cwd=cwd,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


@contextlib.contextmanager
def running(*words: str, env: Mapping[str, str], cwd: Path, port: int = 0) -> Iterator[subprocess.Popen[str]]:
    """The command while it runs: up when it answers on `port`, or says that it is open. Killed if it does not end by itself."""
    log = cwd / "running.log"
    with log.open("w") as writing:
        process = subprocess.Popen(
            [PYTHON, "-m", "payloom", *words], env=environment(env), cwd=cwd, stdout=writing, stderr=writing, text=True
        )
    try:
        wait_until(lambda: answers(port) if port else '"event": "open"' in log.read_text(), process, log)
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def wait_until(true: Any, process: subprocess.Popen[str], log: Path, timeout_s: float = 30) -> None:
    end = time.monotonic() + timeout_s
    while not true():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def answers(port: int, path: str = "/healthz") -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=2) as answer:
        return bool(answer.status == 200)
    return False


def end(process: subprocess.Popen[str], sign: signal.Signals = signal.SIGTERM) -> int:
    process.send_signal(sign)
    return process.wait(30)


@dataclass
class House:
    """A house in a folder of its own; `ask` runs the command inside this process, as main() would."""

    folder: Path
    env: dict[str, str]
    monkeypatch: pytest.MonkeyPatch

    @property
    def url(self) -> str:
        return self.env["PAYLOOM_DATABASE_URL"]

    def ask(self, *words: str, stdin: str = "", env: Mapping[str, str] | None = None) -> Done:
        from payloom import cli  # noqa: PLC0415 - here is where it is loaded

        for name in [name for name in os.environ if name.startswith("PAYLOOM_") and name != "PAYLOOM_TEST_SESSION"]:
            self.monkeypatch.delenv(name)
        for name, value in (self.env if env is None else env).items():
            self.monkeypatch.setenv(name, value)
        self.monkeypatch.chdir(self.folder)
        out, err = io.StringIO(), io.StringIO()
        argv, typed = sys.argv, sys.stdin
        sys.argv, sys.stdin = ["payloom", *words], io.StringIO(stdin)
        code: Any = 0
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as done:
            code = done.code
        finally:
            sys.argv, sys.stdin = argv, typed
        return Done(int(code or 0), out.getvalue(), err.getvalue())

    def admin(self, *words: str, stdin: str = "") -> Done:
        return self.ask("admin", *words, stdin=stdin)


def house_in(folder: Path, template: Path, monkeypatch: pytest.MonkeyPatch, **more: str) -> House:
    path = folder / "payloom.db"
    shutil.copyfile(template, path)
    return House(folder, settings(f"sqlite+aiosqlite:///{path}", **more), monkeypatch)


def meet(unit: Unit, *telegram_ids: int) -> None:
    """People who have written to the bot."""
    for number in telegram_ids:
        unit.people.add(Person(PersonId(number), f"Person {number}", Language.EN, Role.BUYER, None, NOON))
        unit.people.add_channel(Channel(ChannelKind.TELEGRAM, str(number), PersonId(number), ChannelState.ACTIVE, NOON))
