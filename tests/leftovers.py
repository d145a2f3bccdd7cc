"""Finds processes that a test session started and did not stop: its children, and orphans that carry its mark."""

from __future__ import annotations

import os
import secrets
import signal
import time
from pathlib import Path

MARK = "PAYLOOM_TEST_SESSION"
GRACE_S = 5.0
# Started by Python's own multiprocessing for its bookkeeping; it ends with the interpreter.
EXPECTED = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")


def mark_this_session() -> bytes:
    """Gives every process started from now on a mark in its environment; returns the mark as it is seen there."""
    os.environ[MARK] = secrets.token_hex(8)
    return f"{MARK}={os.environ[MARK]}".encode()


def processes_left(mark: bytes, grace_s: float = GRACE_S) -> list[str]:
    """What is still running, one line each, after giving it `grace_s` to end. Empty where there is no /proc."""
    end = time.monotonic() + grace_s
    while (left := running(mark)) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"{pid}: {command}" for pid, command in left.items()]


def end_processes(left: list[str]) -> None:
    for line in left:
        try:
            os.kill(int(line.partition(":")[0]), signal.SIGKILL)
        except ProcessLookupError:
            continue


def running(mark: bytes) -> dict[int, str]:
    found: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            pid = int(folder.name)
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            ours = int(parent) == os.getpid() or mark in (folder / "environ").read_bytes()
        except OSError:
            continue  # gone meanwhile, or somebody else's
        if ours and pid != os.getpid() and state != "Z" and not any(word in command for word in EXPECTED):
            found[pid] = command[:200]
    return found
