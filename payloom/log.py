"""Structured logs: one line a fact, in UTC, with the ids of what it is about; secrets and control characters never get in."""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_QUIET = ("httpx", "httpcore", "telegram", "apscheduler", "aiosqlite", "PIL", "aiohttp.access")
_HIDDEN = ("token", "secret", "password", "passkey", "credential", "authorization", "pin")


def _redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if any(word in key.lower() for word in _HIDDEN):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = "".join(char if char.isprintable() or key == "exception" else f"\\x{ord(char):02x}" for char in value)
    return event


def configure(log_format: str = "text", level: str = "info") -> None:
    """`text` for people, `json` for machines. Libraries that would print addresses with tokens in them are kept quiet."""
    number = logging.getLevelNamesMapping()[level.upper()]
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s", force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    last: Any = structlog.processors.JSONRenderer() if log_format == "json" else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
