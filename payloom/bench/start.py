"""start: `payloom run all` until it is ready, on a database that is there; and what it holds in memory while nothing happens.

The floor is the bare import of the libraries that were given. Both are measured from the start of the process.
"""

from __future__ import annotations

import http.client
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from payloom.bench.figures import Figure
from payloom.bench.process import running
from payloom.migrate import migrate

GIVEN = ("telegram.ext", "aiohttp.web", "sqlalchemy.ext.asyncio", "aiosqlite", "stripe", "httpx", "jinja2",
         "apscheduler.schedulers.asyncio", "africastalking")  # fmt: skip
_ROOT = Path(__file__).parents[2]
_RUN = f"import sys; sys.path.insert(0, {str(_ROOT)!r}); sys.argv = ['payloom', 'run', 'all']; from payloom.cli import main; main()"
READY_S = 60.0
IDLE_S = 3.0


def run(*, rounds: int = 5, **_: Any) -> tuple[list[Figure], list[str]]:
    """Each round starts both once; the first round, which may have to compile byte-code, is not counted."""
    wall = Figure("start", "to ready", "s", goal=1.3, less=True, floor_is="bare import of the given libraries")
    cpu = Figure("start", "to ready, CPU", "s", less=True, floor_is=wall.floor_is)
    memory = Figure("start", f"resident after {IDLE_S:g} s idle", "MB", goal=130, less=True)
    with tempfile.TemporaryDirectory() as folder, running("payloom.bench.emulator") as telegram:
        data = Path(folder)
        migrate(f"sqlite+aiosqlite:///{data}/payloom.db")
        for number in range(rounds + 1):
            floor_s, floor_cpu_s = _import_given()
            ready_s, cpu_s, resident = _start(data, telegram.port)
            if number:
                wall.add(ready_s, floor_s)
                cpu.add(cpu_s, floor_cpu_s)
                memory.add(resident)
    return [wall, cpu, memory], []


def _import_given() -> tuple[float, float]:
    began_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", f"import {', '.join(GIVEN)}"], check=True)  # noqa: S603 - ourselves
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.perf_counter() - began_s, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _start(data: Path, telegram_port: int) -> tuple[float, float, float]:
    """(seconds to ready, CPU seconds to ready, megabytes while idle)."""
    port = _free_port()
    began_s = time.perf_counter()
    with (data / "log").open("wb") as log:
        house = subprocess.Popen([sys.executable, "-c", _RUN], cwd=data, env=_settings(data, port, telegram_port), stdout=log, stderr=log)  # noqa: S603 - as above
    try:
        while not _is_ready(port):
            if house.poll() is not None or time.perf_counter() - began_s > READY_S:
                raise RuntimeError(f"it did not become ready: {(data / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.005)
        ready_s, cpu_s = time.perf_counter() - began_s, _cpu_s(house.pid)
        time.sleep(IDLE_S)
        return ready_s, cpu_s, _resident_mb(house.pid)
    finally:
        house.send_signal(signal.SIGTERM)
        try:
            house.wait(20)
        except subprocess.TimeoutExpired:
            house.kill()
            house.wait()


def _settings(data: Path, port: int, telegram_port: int) -> dict[str, str]:
    given = {
        "DATABASE_URL": f"sqlite+aiosqlite:///{data}/payloom.db", "BASE_URL": f"http://localhost:{port}", "HOST": "127.0.0.1", "PORT": str(port),
        "SECRET_KEY": "b" * 64, "ENCRYPTION_KEYS": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "TELEGRAM_TOKEN": "1:bench",
        "TELEGRAM_API_BASE": f"http://127.0.0.1:{telegram_port}", "LOG_LEVEL": "warning",
    }  # fmt: skip
    return {"PATH": "/usr/bin:/bin", **{f"PAYLOOM_{name}": value for name, value in given.items()}}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _resident_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20
