"""Structured logs: one line a fact, in UTC, with the ids of what it is about; secrets and control characters never get in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, MutableMapping
from typing import Any

import structlog

_QUIET = ("httpx", "httpcore", "telegram", "apscheduler", "aiosqlite", "PIL", "aiohttp.access")
_HIDDEN = ("token", "secret", "password", "passkey", "credential", "authorization", "pin")


def _redact(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return {key: _shown(key, value) for key, value in event.items()}


def _shown(key: str, value: Any) -> Any:
    if any(word in key.lower() for word in _HIDDEN):
        return "***"
    if isinstance(value, str):
        return "".join(char if char.isprintable() or key == "exception" else f"\\x{ord(char):02x}" for char in value)
    if isinstance(value, Mapping):
        return {str(name): _shown(str(name), one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(key, one) for one in value]
    return value


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
