"""A failure of the command line in plain words with the next step. What a library says is not repeated: it may quote a secret."""

from __future__ import annotations

import errno
import traceback
from typing import Final

_KINDS: Final = {
    errno.EADDRINUSE: "that port is in use already: stop whoever has it, or choose another (PAYLOOM_PORT; the town: --port, PORT=9000 make run)",
    errno.EACCES: "the system does not allow that: look at the owner of the data folder, and at ports below 1024",
    errno.ENOSPC: "the disk is full: make room, then start again",
    errno.EROFS: "the file system cannot be written: choose another folder for the data",
}
_TRACE: Final = "run again with -v before the command for the whole trace"
_OURS: Final = frozenset({"NotReady", "NoTown", "Unusable", "StoreUnavailable", "PostgresUnavailable"})
"""Errors that are raised with a sentence of our own."""


def lines_of(error: Exception) -> tuple[list[str], int, bool]:
    """(lines, exit code, expected): an expected one needs no trace."""
    name = type(error).__name__
    if name == "BadSettings":
        problems: list[str] = getattr(error, "problems", [])
        return ["These settings need a look:", *(f"  - {problem}" for problem in problems)], 2, True
    if name == "NoArgsIsHelpError":
        return [], 2, True
    if hasattr(error, "format_message"):
        return [f"payloom: {error.format_message()} (--help after the command tells what it takes)"], 2, True
    if name in _OURS:
        return [f"payloom: {error}"], 1, True
    if name == "CannotOpen":
        return (
            ["payloom: something sealed cannot be opened with PAYLOOM_ENCRYPTION_KEYS: put the key back that it was sealed with"],
            1,
            False,
        )
    if isinstance(error, ModuleNotFoundError) and (error.name or "").startswith("payloom."):
        return [f"payloom: this version has no {(error.name or '').removeprefix('payloom.')}"], 1, True
    if isinstance(error, OSError) and error.errno in _KINDS:
        return [f"payloom: {_KINDS[error.errno]}"], 1, False
    if _of_a_database(error):
        return [f"payloom: the database cannot be used ({name}): `payloom doctor` looks at it; {_TRACE}"], 1, False
    from payloom.settings import hide_secrets  # noqa: PLC0415 - as below

    said = f": {hide_secrets(str(error))}" if str(error) and _is_ours(error) else ""
    return [f"payloom: {name}{said} ({_TRACE})"], 1, False


def trace_of(error: Exception) -> list[str]:
    """The whole trace, without the values of secret settings: a library may have put one into its words."""
    from payloom.settings import hide_secrets  # noqa: PLC0415 - only where something failed

    return [hide_secrets("".join(traceback.format_exception(error)))]


def _of_a_database(error: Exception) -> bool:
    return type(error).__module__.partition(".")[0] in {"sqlite3", "psycopg", "sqlalchemy", "aiosqlite"}


def _is_ours(error: Exception) -> bool:
    """Python's own errors and ours say what we told them to; a library's may quote what it was given."""
    return type(error).__module__.partition(".")[0] in {
        "builtins",
        "payloom",
        "domain",
        "usecases",
        "storage",
        "gateways",
        "web",
        "bot",
        "jobs",
        "town",
    }
